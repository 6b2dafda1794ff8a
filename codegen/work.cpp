// work.cpp: how long loops take, roughly.
#include "codegen/work.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>

#include "codegen/exprs.h"
#include "dsl/functions.h"

namespace gradc {

using namespace loops;

namespace {

void drop_zeros(Work& w) {
  std::erase_if(w, [](const auto& term) { return term.second == 0; });
}

bool mentions(const Work& w, const std::string& name) {
  return std::any_of(w.begin(), w.end(), [&](const auto& term) {
    return std::find(term.first.begin(), term.first.end(), name) != term.first.end();
  });
}

// `by` in place of the variable.
Work replaced(Work w, const std::string& name, const Work& by) {
  if (!mentions(w, name)) return w;
  Work result;
  for (const auto& [factors, coefficient] : w) {
    Work term = of_number(coefficient);
    for (const std::string& factor : factors) term = product(term, factor == name ? by : Work{{{factor}, 1}});
    result = sum(std::move(result), term);
  }
  return result;
}

class Walk {
 public:
  Walk(const std::map<std::string, Work>& called, const Prices& prices) : called_(called), p_(prices) {}

  // Most statements take a number of units, whatever the counts are.
  Work block(const Block& statements, bool vector) {
    Work total;
    double known = 0;
    const auto add = [&](const auto& it) {
      if constexpr (std::is_same_v<decltype(statement(it, vector)), double>) {
        known += statement(it, vector);
      } else {
        total = sum(std::move(total), statement(it, vector));
      }
    };
    for (const Stmt& s : statements) std::visit(add, s.it);
    return sum(std::move(total), of_number(known));
  }

 private:
  Work extent(const Expr& e) const {
    Work w = extent_of(e);
    for (const auto& [name, value] : registers_) w = replaced(std::move(w), name, value);
    return w;
  }

  // Those of a vector that hold something.
  double lanes(const Expr& e) const {
    if (e.kind == ExprKind::load && e.args.size() > 1 && e.args[1].kind == ExprKind::literal) return e.args[1].value;
    const auto known = parts_.find(e.name);
    double most = e.kind == ExprKind::variable && known != parts_.end() ? known->second : e.lanes;
    for (const Expr& a : e.args)
      if (a.lanes > 1) most = std::min(most, lanes(a));
    return most;
  }

  // Integers are positions, which cost little beside what they are positions of.
  double of(const Expr& e, bool vector) const {
    double cost = 0;
    for (const Expr& a : e.args) cost += of(a, vector);
    const double each = e.lanes > 1 ? lanes(e) : vector ? 1 : p_.alone;
    switch (e.kind) {
      case ExprKind::load:
      case ExprKind::pairs:
      case ExprKind::spread_pair: return cost + each * p_.access;
      case ExprKind::dot: return cost + each * 2 * p_.operation;
      case ExprKind::random: return cost + each * p_.draw;
      case ExprKind::apply: {
        if (e.type == Type::integer) return cost;
        const bool slow = e.fn == Fn::div || e.fn == Fn::sqrt;
        return cost + each * (slow ? p_.division : info(e.fn).costly ? p_.function : p_.operation);
      }
      default: return cost;
    }
  }

  Work statement(const For& s, bool) {
    const bool goes_on = s.begin.empty();
    const Work begin = extent(goes_on ? variable(s.variable, Type::integer) : s.begin[0]), end = extent(s.end);
    Work times = sum(end, product(begin, of_number(-1)));
    times = s.kind == LoopKind::once ? of_number(1) : product(times, of_number(1.0 / static_cast<double>(s.step)));
    const auto before = registers_;
    Work body = block(s.body, s.kind == LoopKind::vector);
    registers_ = before;
    if (goes_on) registers_[s.variable] = end;
    // Where the body's extents depend on the variable: on average.
    const Work middle = product(sum(begin, end), of_number(0.5));
    return product(times, replaced(std::move(body), s.variable, middle));
  }
  double statement(const Let& s, bool vector) {
    if (s.value.type == Type::integer) registers_[s.name] = extent(s.value);
    if (s.value.lanes > 1) parts_[s.name] = lanes(s.value);
    return of(s.value, vector);
  }
  double statement(const Lanes& s, bool vector) { return of(s.value, vector); }
  double statement(const Accumulate& s, bool vector) {
    const double each = s.value.lanes > 1 ? lanes(s.value) : vector ? 1 : p_.alone;
    return of(s.value, vector) + each * p_.operation;
  }
  double statement(const Assign& s, bool vector) { return of(s.value, vector); }
  double statement(const Store& s, bool vector) {
    const double each = s.value.lanes > 1 ? lanes(s.value) : vector ? 1 : p_.alone;
    return of(s.index, vector) + of(s.value, vector) +
           each * (s.accumulates ? 2 * p_.access + p_.operation : p_.access);
  }
  Work statement(const If& s, bool vector) {
    return sum(of_number(of(s.condition, vector)), block(s.body, vector));
  }
  Work statement(const Call& s, bool) {
    Work w;
    if (const auto it = called_.find(s.kernel); it != called_.end()) w = it->second;
    for (std::size_t k = 0; k < s.args.size(); ++k) {
      if (s.args[k].kind != ExprKind::pointer)
        w = replaced(std::move(w), std::to_string(k), extent(s.args[k]));
    }
    return w;
  }
  Work statement(const Transpose& s, bool) {
    return product(product(extent(s.rows), extent(s.columns)), of_number(2 * p_.access));
  }
  double statement(const Prefetch&, bool) { return 0; }
  double statement(const Barrier&, bool) { return 0; }
  double statement(const Comment&, bool) { return 0; }
  double statement(const Combine&, bool) { return 0; }
  double statement(const Choose&, bool) { return 0; }

  const std::map<std::string, Work>& called_;
  const Prices p_;
  std::map<std::string, Work> registers_;  // integers
  std::map<std::string, double> parts_;    // vectors: the lanes that hold something
};

}  // namespace

Work of_number(double value) {
  Work w{{{}, value}};
  drop_zeros(w);
  return w;
}

Work sum(Work a, const Work& b) {
  for (const auto& [factors, coefficient] : b) a[factors] += coefficient;
  drop_zeros(a);
  return a;
}

Work product(const Work& a, const Work& b) {
  Work result;
  for (const auto& [x, cx] : a) {
    for (const auto& [y, cy] : b) {
      std::vector<std::string> factors;
      std::merge(x.begin(), x.end(), y.begin(), y.end(), std::back_inserter(factors));
      result[factors] += cx * cy;
    }
  }
  drop_zeros(result);
  return result;
}

Work extent_of(const Expr& e) {
  if (e.kind == ExprKind::literal) return of_number(e.value);
  if (e.kind == ExprKind::variable) return {{{e.name}, 1}};
  if (e.kind != ExprKind::apply || e.args.empty()) return of_number(1);
  const Work first = extent_of(e.args[0]);
  if (e.args.size() < 2) return e.fn == Fn::neg ? product(first, of_number(-1)) : first;
  const Work second = extent_of(e.args[1]);
  const auto known = [](const Work& w) { return w.empty() || (w.size() == 1 && w.begin()->first.empty()); };
  switch (e.fn) {
    case Fn::add: return sum(first, second);
    case Fn::sub: return sum(first, product(second, of_number(-1)));
    case Fn::mul: return product(first, second);
    case Fn::floor_div:
      return known(second) && !second.empty() ? product(first, of_number(1 / second.begin()->second)) : first;
    case Fn::mod: return product(second, of_number(0.5));
    default: return known(first) || !known(second) ? first : second;
  }
}

Work work_of(const Kernel& kernel, const std::map<std::string, Work>& called, const Prices& prices) {
  return Walk(called, prices).block(kernel.body, false);
}

std::vector<double> flops_of_kernels(const Module& module) {
  constexpr Prices flops{1, 1, 1, 1, 0, 1};
  std::map<std::string, double> bounds;
  for (const Dim& dim : module.dims) bounds[dim.name] = static_cast<double>(dim.bound);
  std::map<std::string, Work> called;
  std::vector<double> result;
  for (const Kernel& kernel : module.kernels) {
    Work work = work_of(kernel, called, flops);
    called[kernel.name] = by_position(work, kernel.counts);
    if (kernel.launch.threads > 0)
      work = product(product(work, extent_of(kernel.launch.blocks[0])), of_number(kernel.launch.threads));
    result.push_back(at(work, bounds));
  }
  return result;
}

std::int64_t largest(const Module& module, const Extent& e) {
  return e.offset + (e.is_fixed() ? 0 : e.scale * module.dims[e.dim.value].bound);
}

double times_of(const Module& module, const Iteration& loop) {
  double times = 1;
  for (const Iteration::Index& index : loop.indices) times *= static_cast<double>(largest(module, index.count));
  return times;
}

double flops_of(const Module& module, const loops::Function& f) {
  const std::vector<double> kernels = flops_of_kernels(module);
  double total = 0;
  for (const Invocation& call : f.calls) {
    const double times = call.loop > 0 ? times_of(module, f.loops[call.loop - 1]) : 1;
    total += times * kernels[call.kernel];
  }
  return total;
}

Work by_position(const Work& w, const std::vector<std::string>& counts) {
  Work result = w;
  for (std::size_t k = 0; k < counts.size(); ++k)
    result = replaced(std::move(result), counts[k], {{{std::to_string(k)}, 1}});
  return result;
}

double at(const Work& w, const std::map<std::string, double>& values) {
  double total = 0;
  for (const auto& [factors, coefficient] : w) {
    double term = coefficient;
    for (const std::string& factor : factors) {
      const auto it = values.find(factor);
      if (it != values.end()) term *= it->second;
    }
    total += term;
  }
  return total;
}

Expr to_expr(const Work& w) {
  Expr total = integer(0);
  for (const auto& [factors, coefficient] : w) {
    if (coefficient < 1) continue;
    const double unit = std::pow(10.0, std::max(0.0, std::floor(std::log10(coefficient)) - 1));
    Expr term = integer(static_cast<std::int64_t>(std::round(coefficient / unit) * unit));
    for (const std::string& factor : factors) term = mul(std::move(term), variable(factor, Type::integer));
    total = add(std::move(total), std::move(term));
  }
  return total;
}

}  // namespace gradc

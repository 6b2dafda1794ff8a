// cut_ranges.cpp: loops without conditions on their variables: one for each range in which these are settled.
//
//     for c < 384: out[c] = c < 128 ? a[c] : b[c - 128]
//
// becomes
//
//     for c < 128: out[c] = a[c]
//     for c from 128 to 384: out[c] = b[c - 128]
//
// which pays for one of the two only, and of which a host compiler makes vectors. Comparisons are decided by the extremes
// of linear forms: of loops' variables between the ends of the loops, of counts between their bounds.
#include "codegen/cut_ranges.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <set>
#include <vector>

#include "codegen/drop_unused.h"
#include "codegen/each_expr.h"
#include "codegen/exprs.h"
#include "codegen/linear_forms.h"

namespace gradc {

using namespace loops;

namespace {

// More ranges than this are rather one loop with conditions.
constexpr std::size_t most_ranges = 8;
// Loops along vectors are cut where ranges of this many elements come of it, on average.
constexpr std::int64_t vector_range = 16;
// A kernel's text grows to so many times its size, or to that many expressions.
constexpr std::size_t most_growth = 8, small_text = 2000;
bool is_literal(const Expr& e) { return e.kind == ExprKind::literal; }
bool is_literal(const Expr& e, double value) { return is_literal(e) && e.value == value && !std::signbit(e.value); }
bool is_literal(const Expr& e, Type type, bool value) {
  return is_literal(e) && e.type == type && (e.value != 0) == value;
}

Expr truth(bool value) { return number(value ? 1 : 0, Type::boolean); }

std::size_t size_of(Block& block) {
  std::size_t size = 0;
  for_each_expr(block, [&](const Expr&) { ++size; });
  return size;
}

// Statements that leave nothing behind.
bool has_effect(const Block& block) {
  return std::any_of(block.begin(), block.end(), [](const Stmt& s) {
    if (const auto* loop = std::get_if<For>(&s.it)) return has_effect(loop->body);
    if (const auto* choice = std::get_if<If>(&s.it)) return has_effect(choice->body);
    if (const auto* let = std::get_if<Let>(&s.it)) return let->changes;
    return !std::holds_alternative<Comment>(s.it);
  });
}

void find_called(const Block& block, std::set<std::string>& names) {
  for (const Stmt& s : block) {
    if (const auto* loop = std::get_if<For>(&s.it)) find_called(loop->body, names);
    if (const auto* choice = std::get_if<If>(&s.it)) find_called(choice->body, names);
    if (const auto* call = std::get_if<Call>(&s.it)) names.insert(call->kernel);
  }
}

class Cutter {
 public:
  Cutter(const Sizes& sizes, std::size_t text) : sizes_(sizes), room_(std::max(most_growth * text, small_text)) {}

  void block(Block& statements) {
    const std::size_t known = known_.size();
    const auto literals = literals_;
    Block result;
    for (Stmt& s : statements) statement(std::move(s), result);
    statements = std::move(result);
    known_.resize(known);
    literals_ = literals;
  }

  // Whether something was settled or taken out, so that other things may be used no more.
  bool changed() const { return changed_; }

 private:
  // A name and what it is at least and at most, in terms of those before it.
  struct Known {
    std::string name;
    LinearForm least, most;
  };

  // The least (sign -1) or largest value of the form; none if some name may be anything.
  std::optional<std::int64_t> extreme(LinearForm f, int sign) const {
    for (auto it = known_.rbegin(); it != known_.rend() && is_small(f); ++it) {
      const std::int64_t factor = f.factor(it->name);
      if (factor == 0) continue;
      f.factors.erase(it->name);
      f = plus(std::move(f), (factor > 0) == (sign > 0) ? it->most : it->least, factor);
    }
    for (const auto& [name, factor] : f.factors) {
      const auto it = sizes_.find(name);
      if (it == sizes_.end() || it->second.second > largest_position || !is_small(f)) return std::nullopt;
      f.constant += factor * ((factor > 0) == (sign > 0) ? it->second.second : it->second.first);
    }
    return f.constant;
  }
  bool never_negative(const LinearForm& f) const {
    const auto least = extreme(f, -1);
    return least && *least >= 0;
  }
  bool always_negative(const LinearForm& f) const {
    const auto most = extreme(f, 1);
    return most && *most < 0;
  }

  std::optional<bool> decided(const LinearCondition& c) const {
    if (c.equation) {
      if (always_negative(c.form) || always_negative(plus({}, c.form, -1))) return c.negated;
      if (never_negative(c.form) && never_negative(plus({}, c.form, -1))) return !c.negated;
      return std::nullopt;
    }
    if (always_negative(c.form)) return !c.negated;
    if (never_negative(c.form)) return c.negated;
    return std::nullopt;
  }

  // ---- expressions

  // True if something was settled in it.
  bool simplify(Expr& e) const {
    bool settled = false;
    for (Expr& a : e.args) settled = simplify(a) || settled;
    if (e.kind == ExprKind::variable) {
      const auto it = literals_.find(e.name);
      if (it == literals_.end()) return false;
      e = it->second;
      return true;
    }
    if (e.kind != ExprKind::apply) return settled;
    if (const auto c = comparison(e)) {
      const auto value = decided(*c);
      if (!value) return settled;
      if (e.type == Type::boolean) {
        e = truth(*value);
      } else {
        replace(e, *value == (e.fn == Fn::min) ? 0 : 1);
      }
      return true;
    }
    return settled && fold(e);
  }
  void settle(Expr& e) { changed_ = simplify(e) || changed_; }
  static void replace(Expr& e, std::size_t by) {
    Expr arg = std::move(e.args[by]);
    e = std::move(arg);
  }
  // What follows from settled arguments, by identities that simplify uses too. True in any case.
  static bool fold(Expr& e) {
    const bool integers = e.type == Type::integer;
    const auto argument = [&](std::size_t k, double value) { return is_literal(e.args[k], value); };
    switch (e.fn) {
      case Fn::logical_and:
      case Fn::logical_or: {
        const bool neutral = e.fn == Fn::logical_and;
        for (const std::size_t k : {std::size_t{0}, std::size_t{1}}) {
          if (!is_literal(e.args[k])) continue;
          replace(e, is_literal(e.args[k], Type::boolean, neutral) ? 1 - k : k);
          break;
        }
        break;
      }
      case Fn::logical_not:
        if (is_literal(e.args[0])) e = truth(e.args[0].value == 0);
        break;
      case Fn::select:
        if (is_literal(e.args[0])) replace(e, e.args[0].value != 0 ? 1 : 2);
        break;
      case Fn::cast:
        if (is_literal(e.args[0]) && e.args[0].type == Type::boolean) e = number(e.args[0].value, e.type);
        break;
      case Fn::add:
        if (integers) {
          e = loops::add(e.args[0], e.args[1]);
        } else if (argument(0, 0)) {
          replace(e, 1);
        } else if (argument(1, 0)) {
          replace(e, 0);
        }
        break;
      case Fn::sub:
        if (integers) {
          e = loops::sub(e.args[0], e.args[1]);
        } else if (argument(1, 0)) {
          replace(e, 0);
        }
        break;
      case Fn::mul:
        if (integers) {
          e = loops::mul(e.args[0], e.args[1]);
        } else if (argument(0, 1)) {
          replace(e, 1);
        } else if (argument(1, 1)) {
          replace(e, 0);
        } else if ((argument(0, 0) || argument(1, 0)) && e.lanes == 1) {
          e = number(0, e.type);
        }
        break;
      default: break;
    }
    return true;
  }

  // ---- statements

  void statement(Stmt s, Block& out) {
    if (auto* loop = std::get_if<For>(&s.it)) return write(std::move(*loop), out);
    if (auto* choice = std::get_if<If>(&s.it)) {
      const bool scope = is_literal(choice->condition);
      settle(choice->condition);
      if (is_literal(choice->condition, Type::boolean, false)) {
        changed_ = true;
        return;
      }
      block(choice->body);
      if (!scope && is_literal(choice->condition)) return add_scope(std::move(choice->body), out);
      out.push_back(std::move(s));
      return;
    }
    const auto simplify_root = [&](Expr& e) { settle(e); };
    std::visit(Roots<decltype(simplify_root)>{simplify_root}, s.it);
    if (const auto* let = std::get_if<Let>(&s.it); let && !let->changes) {
      if (is_literal(let->value) && let->value.lanes == 1) {
        literals_[let->name] = let->value;
        changed_ = true;
        return;
      }
      if (const auto f = linear(let->value)) known_.push_back({let->name, *f, *f});
    }
    out.push_back(std::move(s));
  }

  void write(For loop, Block& out) {
    for (Expr& e : loop.begin) settle(e);
    settle(loop.end);
    const auto begin = loop.begin.empty() ? std::nullopt : linear(loop.begin[0]);
    const auto end = linear(loop.end);
    if (!begin || !end || loop.kind == LoopKind::chosen) {
      block(loop.body);
      out.push_back({std::move(loop)});
      return;
    }
    std::vector<LinearForm> ends = starts(loop, *begin, *end);
    ends.push_back(*end);
    const std::size_t size = ends.size() > 1 ? size_of(loop.body) * (ends.size() - 1) : 0;
    if (size > room_) {
      ends = {*end};
    } else {
      room_ -= size;
    }
    changed_ = changed_ || ends.size() > 1;
    std::vector<For> ranges;
    LinearForm from = *begin;
    const std::string variable = loop.variable;
    for (const LinearForm& to : ends) {
      For range = &to == &ends.back() ? std::move(loop) : loop;
      if (ends.size() > 1) {
        range.begin = {to_expr(from)};
        range.end = to_expr(to);
      }
      known_.push_back({variable, from, plus(to, -1)});
      block(range.body);
      known_.pop_back();
      from = to;
      if (ends.size() > 1) drop_unused(range.body);
      if (!ranges.empty() && ranges.back().body == range.body) {
        ranges.back().end = range.end;
      } else {
        ranges.push_back(std::move(range));
      }
    }
    for (For& range : ranges) {
      if (!has_effect(range.body)) {
        changed_ = true;
        continue;
      }
      const LinearForm first = *linear(range.begin[0]), last = *linear(range.end);
      if (ends.size() > 1 && first.factors.empty() && last == plus(first, 1)) {  // one position: no loop
        literals_[variable] = integer(first.constant);
        block(range.body);
        literals_.erase(variable);
        add_scope(std::move(range.body), out);
      } else {
        out.push_back({std::move(range)});
      }
    }
  }

  static void add_scope(Block body, Block& out) {
    const bool names = std::any_of(body.begin(), body.end(), [](const Stmt& s) {
      return std::holds_alternative<Let>(s.it) || std::holds_alternative<Lanes>(s.it);
    });
    if (names) {
      out.push_back({If{truth(true), std::move(body)}});
    } else {
      std::move(body.begin(), body.end(), std::back_inserter(out));
    }
  }

  // The first positions of the ranges but the first, ascending.
  std::vector<LinearForm> starts(For& loop, const LinearForm& begin, const LinearForm& end) {
    if (loop.step != 1 || loop.partial || loop.kind == LoopKind::unrolled || loop.kind == LoopKind::once) return {};
    std::vector<LinearForm> found;
    for_each_expr(loop.body, [&](const Expr& e) {
      const auto c = comparison(e);
      if (!c) return;
      for (const LinearForm& at : changes(*c, loop.variable)) add_start(found, at, begin, end);
    });
    if (found.size() + 1 > most_ranges) return {};
    const auto extent = extreme(plus(end, begin, -1), 1);
    const bool vector = loop.kind == LoopKind::vector;
    if (vector && extent && *extent < vector_range * std::ssize(found) + vector_range) return {};
    return found;
  }

  bool at_most(const LinearForm& a, const LinearForm& b) const { return never_negative(plus(b, a, -1)); }

  // If it lies between the ends, and where it lies among the others is known.
  void add_start(std::vector<LinearForm>& found, const LinearForm& at, const LinearForm& begin, const LinearForm& end) const {
    if (!at_most(begin, at) || !at_most(at, end) || at_most(at, begin) || at_most(end, at)) return;
    auto place = found.begin();
    while (place != found.end() && at_most(*place, at)) {
      if (*place++ == at) return;
    }
    if (std::all_of(place, found.end(), [&](const LinearForm& later) { return at_most(at, later); })) found.insert(place, at);
  }

  const Sizes& sizes_;
  std::size_t room_;
  std::vector<Known> known_;
  std::map<std::string, Expr> literals_;  // registers that turn out to be
  bool changed_ = false;
};

}  // namespace

void cut_ranges(Kernel& kernel, const Sizes& sizes) {
  Cutter cutter(sizes, size_of(kernel.body));
  cutter.block(kernel.body);
  if (cutter.changed()) drop_unused(kernel.body);
}

void cut_ranges(Module& module, const Target& target) {
  if (target.grid()) return;
  Sizes sizes;
  for (const Dim& dim : module.dims) {
    const auto [it, added] = sizes.emplace(dim.name, std::pair(dim.least, dim.bound));
    it->second = {std::min(it->second.first, dim.least), std::max(it->second.second, dim.bound)};
  }
  // What kernels call has counts of its own.
  std::set<std::string> called;
  for (const Kernel& kernel : module.kernels) find_called(kernel.body, called);
  for (Kernel& kernel : module.kernels) {
    Sizes own;
    for (std::size_t k = kernel.parts.empty() ? 0 : 2; k < kernel.counts.size(); ++k) {
      const auto it = sizes.find(kernel.counts[k]);
      if (it != sizes.end() && !called.contains(kernel.name)) own.insert(*it);
    }
    cut_ranges(kernel, own);
  }
}

}  // namespace gradc

// interpret.cpp: evaluates the graph in double precision, element by element. The oracle of the
// tests: it is written to be obviously right and shares no code with codegen. Randomness alone
// comes from runtime/gradc/philox.h, because its bits are part of the language.
#include "dsl/interpret.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <unordered_map>

#include "dsl/check.h"
#include "dsl/recurrence.h"
#include "dsl/replace_nodes.h"
#include "gradc/philox.h"

namespace gradc {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

double maximum(double x, double y) {
  if (std::isnan(x) || std::isnan(y)) return nan;
  return x < y ? y : x;
}
double minimum(double x, double y) {
  if (std::isnan(x) || std::isnan(y)) return nan;
  return y < x ? y : x;
}

double floor_divide(double x, double y) {
  if (y == 0) throw EvaluationError(fmt::format("integer division of {} by zero", x));
  const auto a = static_cast<std::int64_t>(x), b = static_cast<std::int64_t>(y);
  const std::int64_t towards_zero = a / b;
  return static_cast<double>(a % b != 0 && (a < 0) != (b < 0) ? towards_zero - 1 : towards_zero);
}

double log1pexp(double x) {
  return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}
double logistic(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}
double sign(double x) {
  return x > 0 ? 1 : x < 0 ? -1 : x == 0 ? 0 : nan;
}

double convert(double x, DType from, DType to) {
  if (to == DType::boolean) return x != 0 ? 1 : 0;
  if (to == DType::i32 && is_float(from)) return std::trunc(x);
  return x;
}

// Every function except select, which must not evaluate both of its branches.
double apply(Fn fn, double x, double y) {
  switch (fn) {
    case Fn::neg:
      return -x;
    case Fn::add:
      return x + y;
    case Fn::sub:
      return x - y;
    case Fn::mul:
      return x * y;
    case Fn::div:
      return x / y;
    case Fn::floor_div:
      return floor_divide(x, y);
    case Fn::mod:
      return x - y * floor_divide(x, y);
    case Fn::pow:
      return std::pow(x, y);
    case Fn::min:
      return minimum(x, y);
    case Fn::max:
      return maximum(x, y);
    case Fn::eq:
      return x == y;
    case Fn::ne:
      return x != y;
    case Fn::lt:
      return x < y;
    case Fn::le:
      return x <= y;
    case Fn::gt:
      return x > y;
    case Fn::ge:
      return x >= y;
    case Fn::logical_and:
      return x != 0 && y != 0;
    case Fn::logical_or:
      return x != 0 || y != 0;
    case Fn::logical_not:
      return x == 0;
    case Fn::exp:
      return std::exp(x);
    case Fn::expm1:
      return std::expm1(x);
    case Fn::log:
      return std::log(x);
    case Fn::log1p:
      return std::log1p(x);
    case Fn::sqrt:
      return std::sqrt(x);
    case Fn::sin:
      return std::sin(x);
    case Fn::cos:
      return std::cos(x);
    case Fn::tan:
      return std::tan(x);
    case Fn::atan:
      return std::atan(x);
    case Fn::tanh:
      return std::tanh(x);
    case Fn::erf:
      return std::erf(x);
    case Fn::logistic:
      return logistic(x);
    case Fn::log1pexp:
      return log1pexp(x);
    case Fn::abs:
      return std::fabs(x);
    case Fn::sign:
      return sign(x);
    case Fn::floor:
      return std::floor(x);
    case Fn::ceil:
      return std::ceil(x);
    case Fn::round:
      return std::nearbyint(x);  // to even, in the default rounding mode
    case Fn::detach:
      return x;
    case Fn::select:
    case Fn::cast:
      break;  // handled where their operands are known
  }
  GRADC_UNREACHABLE("scalar function without a value");
}

// The value of a scalar at the point numbered `point` of some index space.
struct Memo {
  std::uint64_t point = 0;
  double value = 0;
};

struct Evaluator {
  const Graph& g;
  const Environment& environment;
  std::vector<Array> values = std::vector<Array>(g.node_count());  // by node
  std::vector<Memo> memos = std::vector<Memo>(g.scalar_count());   // by scalar
  std::uint64_t point = 0;  // counts the points visited, over all comprehensions
  std::vector<std::int64_t> dims = {};
  std::unordered_map<NodeId, NodeId> bodies = {};  // by past, while a recurrence runs

  std::int64_t extent(const Extent& e) const {
    return e.is_fixed() ? e.offset : e.offset + e.scale * dims[e.dim.value];
  }
  std::vector<std::int64_t> extents(const Shape& shape) const {
    std::vector<std::int64_t> result;
    for (const Extent& e : shape) result.push_back(extent(e));
    return result;
  }

  void set_dims() {
    for (const Dim& d : g.dims()) {
      const auto it = environment.dims.find(d.name);
      const std::int64_t size = it == environment.dims.end() ? d.bound : it->second;
      if (size < 1 || size > d.bound) {
        throw EvaluationError(
            fmt::format("dim {} is {}; it may be 1 to {}", d.name, size, d.bound));
      }
      dims.push_back(size);
    }
  }

  std::string name_of(NodeId id) const {
    const std::string& name = g[id].name.empty() ? g.label(id).name : g[id].name;
    return name.empty() ? fmt::format("value {}", id.value) : name;
  }

  Array evaluate(NodeId id);
  Array named(NodeId id) const;
  Array random(const Node&) const;
  Array comprehension(NodeId id);
  void run(const Loop&);
};

std::int64_t element_count(const std::vector<std::int64_t>& shape) {
  std::int64_t n = 1;
  for (std::int64_t extent : shape) n *= extent;
  return n;
}

// One comprehension's body at one point of its index space. A scalar used in several places of the
// body is computed once a point: bodies are shared expressions, and a tree of them can be huge.
struct Body {
  Evaluator& e;
  NodeId owner;
  std::vector<std::int64_t> at = {};  // values of the bound indices

  double value(ScalarId id) {
    const Scalar& s = e.g[id];
    switch (s.kind) {
      case ScalarKind::literal:
        return s.value;
      case ScalarKind::index:
        return static_cast<double>(at.at(s.index));
      case ScalarKind::size:
        return static_cast<double>(e.extent(s.extent));
      case ScalarKind::read:
      case ScalarKind::apply:
        break;
    }
    Memo& memo = e.memos[id.value];
    if (memo.point != e.point) memo = {e.point, s.kind == ScalarKind::read ? read(s) : applied(s)};
    return memo.value;
  }

  double applied(const Scalar& s) {
    if (s.fn == Fn::select) return value(value(s.args[0]) != 0 ? s.args[1] : s.args[2]);
    const double x = value(s.args[0]);
    if (s.fn == Fn::cast) return convert(x, e.g[s.args[0]].dtype, s.dtype);
    return apply(s.fn, x, s.args.size() > 1 ? value(s.args[1]) : 0);
  }

  double read(const Scalar& s) {
    const auto past = e.bodies.find(s.tensor);
    const Array& from = e.values[(past == e.bodies.end() ? s.tensor : past->second).value];
    GRADC_CHECK(from.shape.size() == s.args.size(), "a read needs one subscript per axis");
    std::int64_t position = 0;
    for (std::size_t k = 0; k < s.args.size(); ++k) {
      const double subscript = value(s.args[k]);
      if (!(subscript >= 0 && subscript < static_cast<double>(from.shape[k]))) {
        if (s.zero_outside) return 0;
        throw EvaluationError(
            fmt::format("{} reads {} outside: subscript {} of axis {} is not in 0..{}",
                        e.name_of(owner), e.name_of(s.tensor), subscript, k, from.shape[k] - 1));
      }
      position = position * from.shape[k] + static_cast<std::int64_t>(subscript);
    }
    return from.data[static_cast<std::size_t>(position)];
  }
};

// Calls visit() at every point of `extents`, axes from `first` on, in row-major order.
template <class Visit>
void for_each_point(const std::vector<std::int64_t>& extents, std::size_t first,
                    std::vector<std::int64_t>& at, Visit&& visit) {
  if (first == extents.size()) return visit();
  for (at[first] = 0; at[first] < extents[first]; ++at[first]) {
    for_each_point(extents, first + 1, at, visit);
  }
}

std::int64_t row_major(const std::vector<std::int64_t>& at, const std::vector<std::int64_t>& shape) {
  std::int64_t position = 0;
  for (std::size_t k = 0; k < shape.size(); ++k) position = position * shape[k] + at[k];
  return position;
}

// What a reduction has seen so far.
struct Accumulator {
  Reduction reduction;
  double value = reduction == Reduction::prod                                    ? 1
                 : reduction == Reduction::max || reduction == Reduction::argmax ? -infinity
                 : reduction == Reduction::min || reduction == Reduction::argmin ? infinity
                                                                                 : 0;
  std::int64_t position = 0, best = 0;

  void add(double x) {
    const bool first = position == 0;
    switch (reduction) {
      case Reduction::none:
        value = x;
        break;
      case Reduction::sum:
        value += x;
        break;
      case Reduction::prod:
        value *= x;
        break;
      case Reduction::max:
        value = maximum(value, x);
        break;
      case Reduction::min:
        value = minimum(value, x);
        break;
      case Reduction::argmax:
      case Reduction::argmin: {
        const bool better = reduction == Reduction::argmax ? x > value : x < value;
        if (first || (!std::isnan(value) && (better || std::isnan(x)))) {  // the first NaN wins
          value = x;
          best = position;
        }
        break;
      }
    }
    ++position;
  }
  double result() const {
    const bool wants_position = reduction == Reduction::argmax || reduction == Reduction::argmin;
    return wants_position ? static_cast<double>(best) : value;
  }
};

Array Evaluator::comprehension(NodeId id) {
  const Node& n = g[id];
  const std::vector<std::int64_t> ranges = extents(n.ranges);
  const std::size_t rank = n.type.rank();
  const std::vector<std::int64_t> shape(ranges.begin(),
                                        ranges.begin() + static_cast<std::ptrdiff_t>(rank));
  Array result{shape, {}};
  result.data.reserve(static_cast<std::size_t>(element_count(shape)));
  Body body{*this, id};
  body.at.resize(ranges.size());
  for_each_point(shape, 0, body.at, [&] {
    Accumulator accumulator{n.reduction};
    for_each_point(ranges, rank, body.at, [&] {
      ++point;
      accumulator.add(body.value(n.body));
    });
    result.data.push_back(accumulator.result());
  });
  return result;
}

// Step by step along time, each step only where time is now.
void Evaluator::run(const Loop& loop) {
  GRADC_CHECK(loop.problem.empty(), loop.problem);
  for (const Equation& e : loop.equations) bodies[e.past] = e.body;
  for (NodeId step : loop.steps) {
    const std::vector<std::int64_t> shape = extents(g[step].type.shape);
    values[step.value] = {shape, std::vector<double>(static_cast<std::size_t>(element_count(shape)), nan)};
  }
  const Equation& first = loop.equations.front();
  const std::int64_t length = extent(g[first.past].type.shape[first.time]);
  for (std::int64_t k = 0; k < length; ++k) {
    const std::int64_t now = loop.backwards ? length - 1 - k : k;
    for (NodeId step : loop.steps) {
      const Node& n = g[step];
      const std::size_t rank = n.type.rank();
      const std::vector<std::int64_t> ranges = extents(n.ranges);
      const std::vector<std::int64_t> shape = extents(n.type.shape);
      Body body{*this, step};
      body.at.resize(ranges.size());
      for_each_point(shape, 0, body.at, [&] {
        if (body.at[loop.time.at(step)] != now) return;
        Accumulator accumulator{n.reduction};
        for_each_point(ranges, rank, body.at, [&] {
          ++point;
          accumulator.add(body.value(n.body));
        });
        const auto position = static_cast<std::size_t>(row_major(body.at, shape));
        values[step.value].data[position] = accumulator.result();
      });
    }
  }
}

Array Evaluator::named(NodeId id) const {
  const Node& n = g[id];
  const auto it = environment.values.find(n.name);
  if (it == environment.values.end()) throw EvaluationError(n.name + " has no value");
  const std::vector<std::int64_t> shape = extents(n.type.shape);
  const bool whole = it->second.data.size() == static_cast<std::size_t>(element_count(shape));
  if (it->second.shape != shape || !whole) {
    throw EvaluationError(fmt::format("{} has shape [{}], not [{}], or too few elements", n.name,
                                      fmt::join(it->second.shape, ", "), fmt::join(shape, ", ")));
  }
  return it->second;
}

Array Evaluator::random(const Node& n) const {
  Array result{extents(n.type.shape), {}};
  const auto count = static_cast<std::uint64_t>(element_count(result.shape));
  const auto a = static_cast<float>(n.a), b = static_cast<float>(n.b);
  for (std::uint64_t i = 0; i < count; ++i) {
    const bool normal = n.distribution == Distribution::normal;
    const std::uint64_t seed = environment.seed;
    result.data.push_back(normal ? random_normal(seed, environment.step, n.stream, i, a, b)
                                 : random_uniform(seed, environment.step, n.stream, i, a, b));
  }
  return result;
}

Array Evaluator::evaluate(NodeId id) {
  const Node& n = g[id];
  switch (n.kind) {
    case NodeKind::input:
    case NodeKind::parameter:
    case NodeKind::state:
      return named(id);
    case NodeKind::constant:
      return {extents(n.type.shape), n.values};
    case NodeKind::random:
      return random(n);
    case NodeKind::comprehension:
      return comprehension(id);
    case NodeKind::reshape: {
      Array result{extents(n.type.shape), values[n.operand.value].data};
      GRADC_CHECK(static_cast<std::size_t>(element_count(result.shape)) == result.data.size(),
                  "a reshape keeps the number of elements");
      return result;
    }
    case NodeKind::past:
      return {};  // stands for what is computed
    case NodeKind::recurrence:
      return values[n.operand.value];
    case NodeKind::custom:
    case NodeKind::gradient:
      break;
  }
  GRADC_UNREACHABLE("interpret needs a graph without gradient nodes: differentiate it first");
}

}  // namespace

std::vector<Array> interpret(const Graph& g, const std::vector<NodeId>& roots,
                             const Environment& environment) {
  const std::vector<NodeId> order = topological_order(g, roots);
  if (std::any_of(order.begin(), order.end(), [&](NodeId id) { return g[id].kind == NodeKind::custom; })) {
    Graph values = g;
    const std::vector<NodeId> plain = drop_custom(values, roots);
    return interpret(values, plain, environment);
  }
  Evaluator e{g, environment};
  e.set_dims();
  std::unordered_map<NodeId, const Loop*> loops;  // of steps
  const std::vector<Loop> found = find_loops(g, order);
  std::set<const Loop*> done;
  for (const Loop& loop : found) {
    for (NodeId step : loop.steps) loops[step] = &loop;
  }
  for (NodeId id : order_by_loops(g, order, found)) {
    const auto loop = loops.find(id);
    if (loop == loops.end() || g[id].kind == NodeKind::recurrence) {
      e.values[id.value] = e.evaluate(id);
    } else if (done.insert(loop->second).second) {
      e.run(*loop->second);
    }
  }
  std::vector<Array> result;
  for (NodeId id : roots) result.push_back(e.values[id.value]);
  return result;
}

std::vector<Array> run(const Graph& g, const Function& f, Environment& environment) {
  std::vector<NodeId> roots;
  for (const Output& o : f.outputs) roots.push_back(o.node);
  for (const Update& u : f.updates) roots.push_back(u.value);
  std::vector<Array> values = interpret(g, roots, environment);
  for (std::size_t k = 0; k < f.updates.size(); ++k) {
    environment.values[g[f.updates[k].target].name] = std::move(values[f.outputs.size() + k]);
  }
  values.resize(f.outputs.size());
  return values;
}

}  // namespace gradc

// random_graph.cpp: random well-typed graphs. Every expression carries a bound of its absolute
// value, from which each is scaled so that nothing overflows and every function stays inside its
// domain.
#include "tests/random_graph.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace test {
namespace {

using namespace gradc;

struct Expression {
  ScalarId id;
  double bound;  // of its absolute value
};

struct Tensor {
  NodeId id;
  double bound;          // floats: of the absolute value
  std::int64_t top = 0;  // integers: values are 0 … top
};

class Generator {
 public:
  Generator(std::uint64_t seed, const RandomGraphOptions& o) : choices(seed), options(o) {}

  RandomGraph generate() {
    make_dims();
    make_leaves();
    for (int k = 0; k < options.nodes; ++k) make_node();
    make_functions();
    return {std::move(g), std::move(environment)};
  }

 private:
  // ---- extents ----

  void make_dims() {
    for (const char* name : {"B", "T"}) {
      const std::int64_t bound = choices.number(1, 4);
      dims.push_back(g.add_dim({name, bound}));
      environment.dims[name] = choices.number(1, bound);
    }
    environment.seed = choices.bits();
    environment.step = static_cast<std::uint32_t>(choices.number(0, 1000));
  }

  Extent extent() {
    if (!choices.chance(35)) return choices.number(1, 5);
    Extent e(choices.one_of(dims));
    if (choices.chance(15)) e.scale = 2;
    if (choices.chance(15)) e.offset = choices.number(1, 2);
    return e;
  }
  Shape shape(std::int64_t max_rank) {
    Shape result;
    for (std::int64_t k = choices.number(0, max_rank); k > 0; --k) result.push_back(extent());
    return result;
  }

  static std::int64_t least(const Extent& e) { return e.offset + e.scale; }
  std::int64_t size(const Extent& e) const {  // in this environment
    return e.is_fixed() ? e.offset : e.offset + e.scale * environment.dims.at(g.dim(e.dim).name);
  }
  std::int64_t size(const Shape& s) const {
    std::int64_t n = 1;
    for (const Extent& e : s) n *= size(e);
    return n;
  }
  std::int64_t most(const Shape& s) const {
    std::int64_t n = 1;
    for (const Extent& e : s) n *= max_extent(g, e);
    return n;
  }

  // ---- leaves ----

  DType float_type() { return options.f64 && choices.chance(25) ? DType::f64 : DType::f32; }

  Array values(const Shape& s, auto&& value) {
    Array a;
    for (const Extent& e : s) a.shape.push_back(size(e));
    for (std::int64_t k = size(s); k > 0; --k) a.data.push_back(value());
    return a;
  }

  NodeId leaf(NodeKind kind, const std::string& name, TensorType type) {
    Node n;
    n.kind = kind;
    n.name = name;
    n.type = std::move(type);
    return g.add(std::move(n));
  }

  void make_leaves() {
    for (int k = 0; k < 3; ++k) {
      const std::string name = "f.x" + std::to_string(k);
      const NodeId x = leaf(NodeKind::input, name, {float_type(), shape(3)});
      environment.values[name] = values(g[x].type.shape, [&] { return choices.real(-2, 2); });
      floats.push_back({x, 2});
      inputs.push_back(x);
    }
    for (int k = 0; k < 2; ++k) {
      const std::string name = "f.label" + std::to_string(k);
      const std::int64_t top = choices.number(0, 4);
      const NodeId x = leaf(NodeKind::input, name, {DType::i32, shape(2)});
      environment.values[name] =
          values(g[x].type.shape, [&] { return static_cast<double>(choices.number(0, top)); });
      integers.push_back({x, 0, top});
      inputs.push_back(x);
    }
    const NodeId mask = leaf(NodeKind::input, "f.mask", {DType::boolean, shape(2)});
    environment.values["f.mask"] = values(g[mask].type.shape, [&] { return choices.chance(50); });
    booleans.push_back({mask, 1});
    inputs.push_back(mask);
    for (int k = 0; k < 3; ++k) make_parameter(k);
    make_constant();
  }

  void make_parameter(int k) {
    Shape s;
    for (std::int64_t rank = choices.number(0, 3); rank > 0; --rank)
      s.push_back(choices.number(1, 5));
    Node initial;
    initial.kind = NodeKind::random;
    initial.type = {float_type(), s};
    initial.distribution = choices.chance(50) ? Distribution::normal : Distribution::uniform;
    initial.a = initial.distribution == Distribution::normal ? 0 : -0.5;
    initial.b = 0.5;
    initial.stream = static_cast<std::uint32_t>(k);
    Node n;
    n.kind = NodeKind::parameter;
    n.name = "f.dense" + std::to_string(k / 2) + (k % 2 == 0 ? ".W" : ".b");
    n.type = initial.type;
    n.operand = g.add(initial);
    const NodeId p = g.add(n);
    environment.values[n.name] = values(s, [&] { return choices.real(-1, 1); });
    floats.push_back({p, 1});
    parameters.push_back(p);
  }

  void make_constant() {
    Node n;
    n.kind = NodeKind::constant;
    Shape s;
    for (std::int64_t rank = choices.number(0, 2); rank > 0; --rank)
      s.push_back(choices.number(1, 4));
    const bool integer = choices.chance(30);
    n.type = {integer ? DType::i32 : float_type(), s};
    for (std::int64_t k = size(s); k > 0; --k) {
      n.values.push_back(integer ? static_cast<double>(choices.number(0, 3)) : choices.real(-2, 2));
    }
    const NodeId id = g.add(std::move(n));
    if (integer) {
      integers.push_back({id, 0, 3});
    } else {
      floats.push_back({id, 2});
    }
  }

  // ---- subscripts ----

  ScalarId integer(std::int64_t v) { return g.literal(static_cast<double>(v), DType::i32); }
  ScalarId op(Fn fn, ScalarId x, ScalarId y) { return g.apply(fn, {x, y}); }

  // An i32 scalar that is always in 0 … least(axis) - 1 and thus inside; invalid if this try gave
  // none.
  ScalarId inside_by_chance(const Extent& axis, int depth) {
    if (ranges.empty() || choices.chance(5)) return integer(choices.number(0, least(axis) - 1));
    const auto k =
        static_cast<std::uint32_t>(choices.number(0, static_cast<int>(ranges.size()) - 1));
    const Extent& range = ranges[k];
    const std::int64_t room = least(axis), reach = max_extent(g, range);
    const ScalarId i = g.index(k);
    switch (choices.number(0, 5)) {
      case 0: {  // strided and shifted
        const std::int64_t stride = choices.number(1, 2), spare = room - 1 - stride * (reach - 1);
        if (spare < 0) return {};
        const ScalarId scaled = stride == 1 ? i : op(Fn::mul, integer(stride), i);
        return op(Fn::add, scaled, integer(choices.number(0, spare)));
      }
      case 1: {  // flipped
        if (range == axis) return op(Fn::sub, op(Fn::sub, g.size(axis), integer(1)), i);
        return reach <= room ? op(Fn::sub, integer(room - 1), i) : ScalarId{};
      }
      case 2: {  // two indices together, as in a convolution
        const auto other =
            static_cast<std::uint32_t>(choices.number(0, static_cast<int>(ranges.size()) - 1));
        if (other == k || reach + max_extent(g, ranges[other]) - 1 > room) return {};
        return op(Fn::add, i, g.index(other));
      }
      case 3: {  // divided
        const std::int64_t by = choices.number(2, 3);
        return (reach + by - 1) / by <= room ? op(Fn::floor_div, i, integer(by)) : ScalarId{};
      }
      case 4:
        return op(Fn::mod, op(Fn::add, i, integer(choices.number(-2, 2))), integer(room));
      default: {  // gathered
        const Tensor& t = choices.one_of(integers);
        if (depth > 1 || t.top >= room) return {};
        return read(t.id, depth + 1);
      }
    }
  }

  ScalarId subscript(const Extent& axis, int depth) {
    std::vector<std::uint32_t> matching;
    for (std::uint32_t k = 0; k < ranges.size(); ++k) {
      if (ranges[k] == axis) matching.push_back(k);
    }
    if (!matching.empty() && choices.chance(75)) return g.index(choices.one_of(matching));
    for (int attempt = 0; attempt < 6; ++attempt) {
      const ScalarId s = inside_by_chance(axis, depth);
      if (s.valid()) return s;
    }
    return integer(0);
  }

  // An element of a tensor, somewhere.
  ScalarId read(NodeId tensor, int depth) {
    const Shape axes = g[tensor].type.shape;
    std::vector<ScalarId> subscripts;
    for (const Extent& axis : axes) subscripts.push_back(subscript(axis, depth));
    if (axes.empty() || ranges.empty() || g[tensor].type.dtype == DType::boolean || depth > 0) {
      return g.read(tensor, std::move(subscripts));
    }
    if (choices.chance(12)) {  // padded: one subscript moves out of the tensor for some indices
      ScalarId& s = choices.chance(50) ? subscripts.front() : subscripts.back();
      s = op(choices.chance(50) ? Fn::add : Fn::sub, s, integer(choices.number(1, 2)));
      return g.read(tensor, std::move(subscripts), true);
    }
    if (choices.chance(6)) {  // guarded
      const ScalarId before = op(Fn::sub, subscripts[0], integer(1));
      const ScalarId guard = op(Fn::ge, before, integer(0));
      subscripts[0] = before;
      const ScalarId inner = g.read(tensor, std::move(subscripts));
      return g.apply(Fn::select, {guard, inner, g.literal(0, g[tensor].type.dtype)});
    }
    return g.read(tensor, std::move(subscripts));
  }

  // ---- expressions ----

  Expression scaled_to(Expression e, double bound, DType t) {
    if (e.bound <= bound) return e;
    const double factor = std::exp2(std::floor(std::log2(bound / e.bound)));
    return {op(Fn::mul, e.id, g.literal(factor, t)), e.bound * factor};
  }

  ScalarId condition(DType t, int depth) {
    switch (choices.number(0, depth > 0 ? 6 : 3)) {
      case 0:
        return read(choices.one_of(booleans).id, 1);
      case 1: {
        const ScalarId i =
            ranges.empty() ? integer(1) : g.index(static_cast<std::uint32_t>(ranges.size() - 1));
        constexpr Fn comparisons[] = {Fn::eq, Fn::ne, Fn::lt, Fn::le, Fn::gt, Fn::ge};
        const ScalarId other = choices.chance(50) ? integer(choices.number(0, 3))
                                                  : read(choices.one_of(integers).id, 1);
        return op(choices.one_of(comparisons), i, other);
      }
      case 2:
        return g.cast(read(choices.one_of(integers).id, 1), DType::boolean);
      case 3:
        return op(Fn::gt, variable(t).id, g.literal(choices.real(-1, 1), t));
      case 4:
        return both(Fn::logical_and, t, depth - 1);
      case 5:
        return both(Fn::logical_or, t, depth - 1);
      default:
        return g.apply(Fn::logical_not, {condition(t, depth - 1)});
    }
  }

  // Arguments of one call would be chosen in an order that depends on the compiler.
  ScalarId both(Fn fn, DType t, int depth) {
    const ScalarId x = condition(t, depth);
    return op(fn, x, condition(t, depth));
  }

  Expression variable(DType t) {
    // Recent values more often, so that graphs grow deep.
    const auto last = static_cast<std::int64_t>(floats.size()) - 1;
    const std::int64_t from = choices.chance(50) ? std::max<std::int64_t>(0, last - 3) : 0;
    const Tensor& tensor = floats[static_cast<std::size_t>(choices.number(from, last))];
    return {g.cast(read(tensor.id, 0), t), tensor.bound};
  }

  Expression leaf_expression(DType t) {
    if (choices.chance(70)) return variable(t);
    switch (choices.number(0, 4)) {
      case 0: {
        if (ranges.empty()) return variable(t);
        const auto k =
            static_cast<std::uint32_t>(choices.number(0, static_cast<int>(ranges.size()) - 1));
        return {g.cast(g.index(k), t), static_cast<double>(max_extent(g, ranges[k]))};
      }
      case 1: {
        const Extent e = extent();
        return {g.cast(g.size(e), t), static_cast<double>(max_extent(g, e))};
      }
      case 2: {
        const Tensor& tensor = choices.one_of(integers);
        return {g.cast(read(tensor.id, 1), t), static_cast<double>(tensor.top)};
      }
      case 3:
        return {g.cast(condition(t, 0), t), 1};
      default: {
        constexpr double round[] = {0, 1, -1, 2, 0.5, -0.25, 1e-3};
        const double v = choices.chance(60) ? choices.one_of(round) : choices.real(-2, 2);
        return {g.literal(v, t), std::abs(v)};
      }
    }
  }

  // x² + c, at least c
  Expression positive(Expression x, double c, DType t) {
    return {op(Fn::add, op(Fn::mul, x.id, x.id), g.literal(c, t)), x.bound * x.bound + c};
  }
  Expression call(Fn fn, Expression x, double bound) { return {g.apply(fn, {x.id}), bound}; }

  Expression expression(DType t, int depth) {
    if (depth == 0 || choices.chance(15)) return leaf_expression(t);
    const Expression x = scaled_to(expression(t, depth - 1), 4, t);
    if (choices.chance(55)) {
      const Expression y = scaled_to(expression(t, depth - 1), 4, t);
      switch (choices.number(0, 9)) {
        case 0:
        case 1:
          return {op(Fn::add, x.id, y.id), x.bound + y.bound};
        case 2:
          return {op(Fn::sub, x.id, y.id), x.bound + y.bound};
        case 3:
        case 4:
          return {op(Fn::mul, x.id, y.id), x.bound * y.bound};
        case 5:
          return {op(Fn::div, x.id, positive(y, 1, t).id), x.bound};
        case 6:
          return {op(Fn::max, x.id, y.id), std::max(x.bound, y.bound)};
        case 7:
          return {op(Fn::min, x.id, y.id), std::max(x.bound, y.bound)};
        case 8:
          return {g.apply(Fn::select, {condition(t, 1), x.id, y.id}), std::max(x.bound, y.bound)};
        default: {  // (x² + 1/2) ^ y with |y| <= 1
          const Expression base = positive(scaled_to(x, 2, t), 0.5, t);
          const Expression exponent = scaled_to(y, 1, t);
          return {op(Fn::pow, base.id, exponent.id), std::max(base.bound, 2.0)};
        }
      }
    }
    switch (choices.number(0, 21)) {
      case 0:
        return {g.apply(Fn::neg, {x.id}), x.bound};
      case 1:
        return call(Fn::exp, x, std::exp(x.bound));
      case 2:
        return call(Fn::expm1, x, std::exp(x.bound));
      case 3:
        return call(Fn::log, positive(x, 0.25, t), 4);
      case 4:
        return call(Fn::log1p, positive(x, 0, t), 4);
      case 5:
        return call(Fn::sqrt, positive(x, 0.25, t), x.bound + 1);
      case 6:
        return call(Fn::sin, x, 1);
      case 7:
        return call(Fn::cos, x, 1);
      case 8:
        return call(Fn::tan, scaled_to(x, 1, t), 1.6);
      case 9:
        return call(Fn::atan, x, 1.6);
      case 10:
        return call(Fn::tanh, x, 1);
      case 11:
        return call(Fn::erf, x, 1);
      case 12:
        return call(Fn::logistic, x, 1);
      case 13:
        return call(Fn::log1pexp, x, x.bound + 1);
      case 14:
        return call(Fn::abs, x, x.bound);
      case 15:
        return call(Fn::sign, x, 1);
      case 16:
        return call(Fn::floor, x, x.bound + 1);
      case 17:
        return call(Fn::ceil, x, x.bound + 1);
      case 18:
        return call(Fn::round, x, x.bound + 1);
      case 19:
        return options.detach ? call(Fn::detach, x, x.bound) : x;
      case 20: {  // through another dtype and back
        const DType other = choices.chance(50) && options.f64 ? DType::f64 : DType::i32;
        return {g.cast(g.cast(x.id, other == t ? DType::i32 : other), t), x.bound};
      }
      default: {  // x ^ 2, x ^ 3
        const double power = static_cast<double>(choices.number(2, 3));
        const Expression small = scaled_to(x, 2, t);
        return {op(Fn::pow, small.id, g.literal(power, t)),
                std::pow(std::max(small.bound, 1.0), power)};
      }
    }
  }

  // ---- nodes ----

  void label(NodeId id, std::size_t indices) {
    if (!choices.chance(75)) return;
    constexpr const char* names[] = {"h", "z", "logits", "p",  "loss",
                                     "y", "m", "sum",    "e2", "f.dense0.y"};
    constexpr const char* index_names[] = {"b", "i", "o", "c", "k", "u", "B", "h"};
    Label& l = g.label(id);
    l.name = choices.one_of(names);
    for (std::size_t k = 0; k < indices; ++k) l.index_names.push_back(choices.one_of(index_names));
  }

  void make_node() {
    const std::int64_t kind = choices.number(0, 99);
    if (kind < 45) {
      make_elementwise();
    } else if (kind < 78) {
      make_reduction();
    } else if (kind < 85) {
      make_reshape();
    } else if (kind < 90 && options.random_nodes) {
      make_random();
    } else if (kind < 95) {
      make_integers();
    } else {
      make_booleans();
    }
  }

  void make_elementwise() {
    ranges = shape(4);
    const DType t = float_type();
    const Expression body = scaled_to(expression(t, 3), 4, t);
    add_float(g.comprehension(ranges.size(), ranges, Reduction::none, body.id), body.bound);
  }

  void add_float(NodeId id, double bound) {
    label(id, g[id].ranges.size());
    floats.push_back({id, bound});
    computed.push_back(id);
  }

  void make_reduction() {
    const Shape free = shape(2);
    ranges = free;
    for (std::int64_t k = choices.number(1, 2); k > 0; --k) ranges.push_back(extent());
    const Shape bound_ranges(ranges.begin() + static_cast<std::ptrdiff_t>(free.size()),
                             ranges.end());
    const double count = static_cast<double>(most(bound_ranges));
    const DType t = float_type();
    const Expression body = expression(t, 3);
    auto reduced = [&](Reduction r, double limit) {
      return g.comprehension(free.size(), ranges, r, scaled_to(body, limit, t).id);
    };
    switch (choices.number(0, 9)) {
      case 0:
        return add_float(reduced(Reduction::max, 4), 4);
      case 1:
        return add_float(reduced(Reduction::min, 4), 4);
      case 2:
        return add_float(reduced(Reduction::prod, std::pow(4, 1 / count)), 4);
      case 3: {
        const NodeId id = reduced(choices.chance(50) ? Reduction::argmax : Reduction::argmin, 4);
        label(id, ranges.size());
        integers.push_back({id, 0, most(bound_ranges) - 1});
        return;
      }
      default:
        return add_float(reduced(Reduction::sum, 8 / count), 8);
    }
  }

  // Axes joined, or an axis of size 1 put in, or a fixed one split.
  void make_reshape() {
    const Tensor& from = choices.one_of(floats);
    Shape s = g[from.id].type.shape;
    std::vector<std::size_t> joinable;
    for (std::size_t k = 0; k + 1 < s.size(); ++k) {
      if (s[k].is_fixed() || s[k + 1].is_fixed()) joinable.push_back(k);
    }
    if (!joinable.empty() && choices.chance(60)) {
      const auto k = static_cast<std::ptrdiff_t>(choices.one_of(joinable));
      Extent& left = s[static_cast<std::size_t>(k)];
      const Extent right = s[static_cast<std::size_t>(k) + 1];
      const Extent many = left.is_fixed() ? right : left;
      const std::int64_t times = left.is_fixed() ? left.offset : right.offset;
      left = many;
      left.offset *= times;
      left.scale *= times;
      s.erase(s.begin() + k + 1);
    } else if (!s.empty() && s[0].is_fixed() && s[0].offset == 4) {
      s[0] = 2;
      s.insert(s.begin(), Extent(2));
    } else if (s.size() < 4) {
      s.insert(s.begin() + choices.number(0, static_cast<int>(s.size())), Extent(1));
    }
    Node n;
    n.kind = NodeKind::reshape;
    n.type = {g[from.id].type.dtype, std::move(s)};
    n.operand = from.id;
    const double bound = from.bound;
    const NodeId id = g.add(std::move(n));
    label(id, 0);
    floats.push_back({id, bound});
    computed.push_back(id);
  }

  void make_random() {
    Node n;
    n.kind = NodeKind::random;
    n.type = {float_type(), shape(3)};
    n.distribution = choices.chance(50) ? Distribution::normal : Distribution::uniform;
    n.a = choices.real(-1, 0);
    n.b = choices.real(0.1, 0.5);
    n.stream = ++streams;
    const NodeId id = g.add(std::move(n));
    label(id, 0);
    floats.push_back({id, 5});
  }

  void make_integers() {
    ranges = shape(2);
    const std::int64_t top = choices.number(0, 4);
    ScalarId sum = read(choices.one_of(integers).id, 1);
    if (!ranges.empty()) sum = op(choices.chance(50) ? Fn::add : Fn::mul, sum, g.index(0));
    const ScalarId body = op(Fn::mod, sum, integer(top + 1));
    const NodeId id = g.comprehension(ranges.size(), ranges, Reduction::none, body);
    label(id, ranges.size());
    integers.push_back({id, 0, top});
  }

  void make_booleans() {
    ranges = shape(2);
    const ScalarId body = condition(float_type(), 2);
    const NodeId id = g.comprehension(ranges.size(), ranges, Reduction::none, body);
    label(id, ranges.size());
    booleans.push_back({id, 1});
  }

  // ---- functions ----

  // The mean of (x - 1/3)² over every element: depends on each of them.
  ScalarId mean_square(NodeId x) {
    ranges = g[x].type.shape;
    const DType t = g[x].type.dtype;
    std::vector<ScalarId> at;
    for (std::uint32_t k = 0; k < ranges.size(); ++k) at.push_back(g.index(k));
    const ScalarId d = op(Fn::sub, g.read(x, at), g.literal(1.0 / 3, t));
    const ScalarId square = op(Fn::mul, d, d);
    const Reduction reduction = ranges.empty() ? Reduction::none : Reduction::sum;
    const NodeId sum = g.comprehension(0, ranges, reduction, square);
    return g.cast(g.read(sum, {}), DType::f32);
  }

  void make_functions() {
    Function init;
    init.name = "init";
    init.kind = FunctionKind::init;
    for (NodeId p : parameters) init.updates.push_back({p, g[p].operand});
    g.functions.push_back(init);

    Function net;
    net.name = "f";
    net.kind = FunctionKind::net;
    net.inputs = inputs;
    const std::size_t first = computed.size() > 4 ? computed.size() - 4 : 0;
    for (std::size_t k = first; k < computed.size(); ++k) {
      net.outputs.push_back({"out" + std::to_string(k), computed[k]});
    }
    g.functions.push_back(net);

    ScalarId total = g.literal(0);
    for (const Output& o : net.outputs) total = op(Fn::add, total, mean_square(o.node));
    const NodeId loss = g.comprehension(0, {}, Reduction::none, total);
    Function step;
    step.name = "train";
    step.kind = FunctionKind::step;
    step.inputs = inputs;
    step.outputs = {{"loss", loss}};
    if (options.gradient_nodes) {
      for (NodeId p : parameters) step.updates.push_back({p, descended(p, loss)});
    }
    step.minimizes = {{loss, parameters, {}}};
    g.functions.push_back(step);
  }

  // p - 1/10 gradient
  NodeId descended(NodeId p, NodeId loss) {
    Node n;
    n.kind = NodeKind::gradient;
    n.type = g[p].type;
    n.operand = loss;
    n.wrt = p;
    const NodeId gradient = g.add(n);
    std::vector<ScalarId> at;
    for (std::uint32_t k = 0; k < n.type.rank(); ++k) at.push_back(g.index(k));
    const ScalarId step = op(Fn::mul, g.literal(0.1, n.type.dtype), g.read(gradient, at));
    return g.comprehension(at.size(), n.type.shape, Reduction::none,
                           op(Fn::sub, g.read(p, at), step));
  }

  Choices choices;
  RandomGraphOptions options;
  Graph g;
  Environment environment;
  std::vector<DimId> dims;
  Shape ranges;  // of the comprehension being made
  std::vector<Tensor> floats, integers, booleans;
  std::vector<NodeId> inputs, parameters, computed;
  std::uint32_t streams = 100;
};

}  // namespace

RandomGraph random_graph(std::uint64_t seed, const RandomGraphOptions& options) {
  return Generator(seed, options).generate();
}

}  // namespace test

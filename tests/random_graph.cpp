// random_graph.cpp: random well-typed graphs. Every expression carries a bound of its absolute
// value, from which each is scaled so that nothing overflows and every function stays inside its
// domain.
#include "tests/random_graph.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "tests/random_scalars.h"

namespace test {
namespace {

using namespace gradc;

class Generator {
 public:
  Generator(std::uint64_t seed, const RandomGraphOptions& o) : scalars{Choices(seed), o} {}

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
      const NodeId x = leaf(NodeKind::input, name, {scalars.float_type(), scalars.shape(3)});
      environment.values[name] = values(g[x].type.shape, [&] { return choices.real(-2, 2); });
      floats.push_back({x, 2});
      inputs.push_back(x);
    }
    for (int k = 0; k < 2; ++k) {
      const std::string name = "f.label" + std::to_string(k);
      const std::int64_t top = choices.number(0, 4);
      const NodeId x = leaf(NodeKind::input, name, {DType::i32, scalars.shape(2)});
      environment.values[name] =
          values(g[x].type.shape, [&] { return static_cast<double>(choices.number(0, top)); });
      integers.push_back({x, 0, top});
      inputs.push_back(x);
    }
    const NodeId mask = leaf(NodeKind::input, "f.mask", {DType::boolean, scalars.shape(2)});
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
    initial.type = {scalars.float_type(), s};
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
    n.type = {integer ? DType::i32 : scalars.float_type(), s};
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
    ranges = scalars.shape(4);
    const DType t = scalars.float_type();
    const Expression body = scalars.scaled_to(scalars.expression(t, 3), 4, t);
    add_float(g.comprehension(ranges.size(), ranges, Reduction::none, body.id), body.bound);
  }

  void add_float(NodeId id, double bound) {
    label(id, g[id].ranges.size());
    floats.push_back({id, bound});
    computed.push_back(id);
  }

  void make_reduction() {
    const Shape free = scalars.shape(2);
    ranges = free;
    for (std::int64_t k = choices.number(1, 2); k > 0; --k) ranges.push_back(scalars.extent());
    const Shape bound_ranges(ranges.begin() + static_cast<std::ptrdiff_t>(free.size()),
                             ranges.end());
    const double count = static_cast<double>(most(bound_ranges));
    const DType t = scalars.float_type();
    const Expression body = scalars.expression(t, 3);
    auto reduced = [&](Reduction r, double limit) {
      return g.comprehension(free.size(), ranges, r, scalars.scaled_to(body, limit, t).id);
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
    n.type = {scalars.float_type(), scalars.shape(3)};
    n.distribution = choices.chance(50) ? Distribution::normal : Distribution::uniform;
    n.a = choices.real(-1, 0);
    n.b = choices.real(0.1, 0.5);
    n.stream = ++streams;
    const NodeId id = g.add(std::move(n));
    label(id, 0);
    floats.push_back({id, 5});
  }

  void make_integers() {
    ranges = scalars.shape(2);
    const std::int64_t top = choices.number(0, 4);
    ScalarId sum = scalars.read(choices.one_of(integers).id, 1);
    if (!ranges.empty()) sum = scalars.op(choices.chance(50) ? Fn::add : Fn::mul, sum, g.index(0));
    const ScalarId body = scalars.op(Fn::mod, sum, scalars.integer(top + 1));
    const NodeId id = g.comprehension(ranges.size(), ranges, Reduction::none, body);
    label(id, ranges.size());
    integers.push_back({id, 0, top});
  }

  void make_booleans() {
    ranges = scalars.shape(2);
    const ScalarId body = scalars.condition(scalars.float_type(), 2);
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
    const ScalarId d = scalars.op(Fn::sub, g.read(x, at), g.literal(1.0 / 3, t));
    const ScalarId square = scalars.op(Fn::mul, d, d);
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
    for (const Output& o : net.outputs) total = scalars.op(Fn::add, total, mean_square(o.node));
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
    const ScalarId step = scalars.op(Fn::mul, g.literal(0.1, n.type.dtype), g.read(gradient, at));
    return g.comprehension(at.size(), n.type.shape, Reduction::none,
                           scalars.op(Fn::sub, g.read(p, at), step));
  }

  RandomScalars scalars;
  // Its parts, by their names.
  Choices& choices = scalars.choices;
  const RandomGraphOptions& options = scalars.options;
  Graph& g = scalars.g;
  std::vector<DimId>& dims = scalars.dims;
  Shape& ranges = scalars.ranges;
  std::vector<Tensor>& floats = scalars.floats;
  std::vector<Tensor>& integers = scalars.integers;
  std::vector<Tensor>& booleans = scalars.booleans;
  Environment environment;
  std::vector<NodeId> inputs, parameters, computed;
  std::uint32_t streams = 100;
};

}  // namespace

RandomGraph random_graph(std::uint64_t seed, const RandomGraphOptions& options) {
  return Generator(seed, options).generate();
}

}  // namespace test

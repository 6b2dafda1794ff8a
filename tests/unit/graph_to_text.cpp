// graph_to_text.cpp: printed graphs read back to themselves, and read as mathematics.
#include "dsl/graph_to_text.h"

#include <cmath>
#include <limits>

#include "dsl/verify.h"
#include "tests/catch.h"
#include "tests/random_graph.h"

namespace {

using namespace gradc;

Graph read_back(const std::string& text) {
  Sources sources;
  sources.add("prelude.nn", "");
  const std::uint32_t file = sources.add("graph.nn", text);
  Diagnostics diagnostics;
  Graph g = text_to_graph(sources, file, diagnostics);
  INFO(text);
  INFO(render(diagnostics, sources));
  REQUIRE_FALSE(diagnostics.has_errors());
  return g;
}

NodeId leaf(Graph& g, NodeKind kind, const char* name, DType dtype, Shape shape) {
  Node n;
  n.kind = kind;
  n.name = std::string(name);
  n.type = {dtype, std::move(shape)};
  return g.add(std::move(n));
}

// z = x W + b, y = max(z, 0), by the names of a spec.
struct Dense {
  Graph g;
  DimId B = g.add_dim({"B", 128});
  NodeId x = leaf(g, NodeKind::input, "classify.x", DType::f32, {Extent(B), 64});
  NodeId W = leaf(g, NodeKind::parameter, "classify.dense1.W", DType::f32, {64, 10});
  NodeId W2 = leaf(g, NodeKind::parameter, "classify.dense2.W", DType::f32, {10});
  NodeId z, y;

  Dense() {
    z = g.comprehension(2, {Extent(B), 10, 64}, Reduction::sum,
                        g.apply(Fn::mul, {g.read(x, {g.index(0), g.index(2)}),
                                          g.read(W, {g.index(2), g.index(1)})}));
    g.label(z) = {"z", {"b", "o", "i"}, {}};
    const ScalarId sum =
        g.apply(Fn::add, {g.read(z, {g.index(0), g.index(1)}), g.read(W2, {g.index(1)})});
    y = g.comprehension(2, {Extent(B), 10}, Reduction::none, g.apply(Fn::max, {sum, g.literal(0)}));
    g.label(y) = {"y", {"b", "o"}, {}};
    Function f;
    f.name = "classify";
    f.inputs = {x};
    f.outputs = {{"logits", y}};
    g.functions.push_back(f);
  }
};

// The text of a scalar of two f32 variables a and b, two integers i and j (indices), and a bool c.
struct Scalars {
  Graph g;
  ScalarId a = g.read(leaf(g, NodeKind::input, "a", DType::f32, {}), {});
  ScalarId b = g.read(leaf(g, NodeKind::input, "b", DType::f32, {}), {});
  ScalarId c = g.read(leaf(g, NodeKind::input, "c", DType::boolean, {}), {});
  ScalarId d = g.read(leaf(g, NodeKind::input, "d", DType::f64, {}), {});
  ScalarId i = g.index(0);
  ScalarId j = g.index(1);

  ScalarId operator()(Fn fn, ScalarId x) { return g.apply(fn, {x}); }
  ScalarId operator()(Fn fn, ScalarId x, ScalarId y) { return g.apply(fn, {x, y}); }

  // Printed, and read back to the same.
  std::string text(ScalarId body) {
    Function f;
    f.name = "f";
    const NodeId y = g.comprehension(2, {3, 4}, Reduction::none, body);
    g.label(y) = {"y", {"i", "j"}, {}};
    f.outputs = {{"y", y}};
    for (const char* name : {"a", "b", "c", "d"}) {
      f.inputs.push_back(leaf(g, NodeKind::input, name,
                              name[0] == 'c'   ? DType::boolean
                              : name[0] == 'd' ? DType::f64
                                               : DType::f32,
                              {}));
    }
    g.functions = {f};
    const std::string all = graph_to_text(g);
    CHECK(equal(read_back(all), g));
    const std::string start = "y[i in 0..2, j in 0..3] = ";
    const std::size_t from = all.find(start) + start.size();
    return all.substr(from, all.find('\n', from) - from);
  }
};

}  // namespace

TEST_CASE("a layer as text") {
  Dense d;
  const std::string text = graph_to_text(d.g);
  CHECK(text ==
        "dim B <= 128\n"
        "\n"
        "net classify(x: f32[B, 64] = \"classify.x\") -> logits: f32[B, 10] {\n"
        "  dense1_W = parameter(\"classify.dense1.W\", f32[64, 10])\n"
        "  z[b in 0..B-1, o in 0..9] = sum[i in 0..63] x[b, i] * dense1_W[i, o]\n"
        "  dense2_W = parameter(\"classify.dense2.W\", f32[10])\n"
        "  logits[b in 0..B-1, o in 0..9] = max(z[b, o] + dense2_W[o], 0.0)\n"
        "}\n");
  CHECK(equal(read_back(text), d.g));
}

TEST_CASE("expressions have the parentheses they need and no others") {
  Scalars s;
  auto [a, b, i] = std::tuple(s.a, s.b, s.i);
  CHECK(s.text(s(Fn::sub, s(Fn::sub, a, b), a)) == "a - b - a");
  CHECK(s.text(s(Fn::sub, a, s(Fn::sub, b, a))) == "a - (b - a)");
  CHECK(s.text(s(Fn::add, a, s(Fn::add, b, a))) == "a + (b + a)");
  CHECK(s.text(s(Fn::mul, s(Fn::add, a, b), a)) == "(a + b) * a");
  CHECK(s.text(s(Fn::add, s(Fn::mul, a, b), a)) == "a * b + a");
  CHECK(s.text(s(Fn::div, a, s(Fn::mul, b, a))) == "a / (b * a)");
  CHECK(s.text(s(Fn::neg, s(Fn::mul, a, b))) == "-(a * b)");
  CHECK(s.text(s(Fn::mul, s(Fn::neg, a), b)) == "-a * b");
  CHECK(s.text(s(Fn::mul, a, s(Fn::neg, b))) == "a * -b");
  CHECK(s.text(s(Fn::neg, s(Fn::neg, a))) == "-(-a)");
  CHECK(s.text(s(Fn::neg, s(Fn::pow, a, b))) == "-a^b");
  CHECK(s.text(s(Fn::pow, s(Fn::neg, a), b)) == "(-a)^b");
  CHECK(s.text(s(Fn::pow, a, s(Fn::neg, b))) == "a^(-b)");
  CHECK(s.text(s(Fn::pow, s(Fn::pow, a, b), a)) == "(a^b)^a");
  CHECK(s.text(s(Fn::pow, a, s(Fn::pow, b, a))) == "a^b^a");
  CHECK(s.text(s(Fn::exp, s(Fn::neg, a))) == "exp(-a)");
  const ScalarId less = s(Fn::lt, a, b);
  CHECK(s.text(s(Fn::eq, less, s.c)) == "(a < b) == c");
  CHECK(s.text(s(Fn::logical_and, s(Fn::logical_not, less), s.c)) == "not a < b and c");
  CHECK(s.text(s(Fn::logical_not, s(Fn::logical_and, less, s.c))) == "not (a < b and c)");
  CHECK(s.text(s(Fn::logical_and, s(Fn::logical_or, less, s.c), s.c)) == "(a < b or c) and c");
  CHECK(s.text(s(Fn::floor_div, s(Fn::add, i, s.j), s.g.literal(2, DType::i32))) == "(i + j) / 2");
  CHECK(s.text(s(Fn::mod, i, s.g.literal(2, DType::i32))) == "i % 2");
}

TEST_CASE("literals keep their dtype and every bit") {
  Scalars s;
  auto literal = [&](double v, DType t) { return s.text(s.g.literal(v, t)); };
  CHECK(literal(1, DType::f32) == "1.0");
  CHECK(literal(1, DType::i32) == "1");
  CHECK(literal(1, DType::f64) == "f64(1.0)");
  CHECK(literal(1, DType::boolean) == "bool(1)");
  CHECK(literal(-1, DType::i32) == "-1");
  CHECK(literal(-2.5, DType::f32) == "-2.5");
  CHECK(literal(-2.5, DType::f64) == "f64(-2.5)");
  CHECK(literal(0.1, DType::f32) == "0.1");
  CHECK(literal(-0.0, DType::f32) == "-0.0");
  CHECK(literal(1e-8, DType::f32) == "1e-8");
  CHECK(literal(1e22, DType::f32) == "1e22");
  CHECK(literal(1.0 / 3, DType::f64) == "f64(0.3333333333333333)");
  CHECK(literal(std::numeric_limits<double>::denorm_min(), DType::f64) == "f64(5e-324)");
  CHECK(literal(std::numeric_limits<double>::max(), DType::f32) == "1.7976931348623157e308");
  CHECK(literal(-std::numeric_limits<double>::infinity(), DType::f32) == "-inf");
  CHECK(literal(std::numeric_limits<double>::quiet_NaN(), DType::f64) == "f64(nan)");
  CHECK(s.text(s(Fn::neg, s.g.literal(1))) == "neg(1.0)");
  CHECK(s.text(s(Fn::sub, s.a, s.g.literal(-1))) == "a - -1.0");
  CHECK(s.text(s(Fn::pow, s.g.literal(-1), s.a)) == "(-1.0)^a");
}

TEST_CASE("casts are told from literals") {
  Scalars s;
  CHECK(s.text(s.g.cast(s.g.literal(1), DType::f64)) == "cast(1.0, f64)");
  CHECK(s.text(s.g.cast(s.i, DType::f32)) == "f32(i)");
  CHECK(s.text(s.g.cast(s.g.cast(s.a, DType::f64), DType::f32)) == "f32(f64(a))");
}

TEST_CASE("extents of every form read back") {
  Graph g;
  const DimId B = g.add_dim({"B", 4});
  std::vector<NodeId> nodes;
  for (auto [offset, scale] : {std::pair{0, 1}, {1, 1}, {-1, 2}, {0, 2}, {3, 2}, {7, 0}, {1, 0}}) {
    Extent e(offset);
    if (scale != 0) {
      e.scale = scale;
      e.dim = B;
    }
    nodes.push_back(
        g.comprehension(1, {e, e}, Reduction::sum, g.apply(Fn::add, {g.size(e), g.index(1)})));
    nodes.push_back(
        leaf(g, NodeKind::input, ("x" + std::to_string(nodes.size())).c_str(), DType::f32, {e, e}));
  }
  Function f;
  f.name = "f";
  for (NodeId id : nodes) f.outputs.push_back({"y" + std::to_string(id.value), id});
  g.functions = {f};
  const std::string text = graph_to_text(g);
  CAPTURE(text);
  CHECK(equal(read_back(text), g));
  CHECK_THAT(text, test::contains("[i in 0..2*B-2]") && test::contains("size(2*B - 1)") &&
                       test::contains("f32[2*B + 3, 2*B + 3]"));
}

TEST_CASE("names never collide with each other or with words") {
  Graph g;
  g.add_dim({"i", 4});
  const NodeId x = leaf(g, NodeKind::input, "f.x", DType::f32, {3});
  std::vector<NodeId> nodes = {x};
  for (const char* name : {"x", "x", "x2", "sum", "exp", "i", "f32", "step", "m'", "1st", "a.b", "",
                           "grad", "double", "x\"); evil(\""}) {
    const ScalarId more = g.apply(Fn::add, {g.read(nodes.back(), {g.index(0)}), g.literal(1)});
    nodes.push_back(g.comprehension(1, {3}, Reduction::none, more));
    g.label(nodes.back()) = {name, {name}, {}};
  }
  Function f;
  f.name = "f";
  f.inputs = {x};
  f.outputs = {{"x", nodes[1]}, {"again", nodes[1]}, {"same", x}};
  g.functions = {f};
  const std::string text = graph_to_text(g);
  CAPTURE(text);
  const Graph again = read_back(text);
  CHECK(equal(again, g));
  CHECK(graph_to_text(again) == text);
}

TEST_CASE("random graphs read back to themselves") {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    CAPTURE(seed);
    test::RandomGraphOptions options;
    options.nodes = static_cast<int>(seed % 23) + 3;
    const test::RandomGraph r = test::random_graph(seed, options);
    verify(r.graph, "random_graph");
    const std::string text = graph_to_text(r.graph);
    const Graph again = read_back(text);
    REQUIRE(equal(again, r.graph));
    REQUIRE(equal(r.graph, again));
  }
}

TEST_CASE("equal sees every difference") {
  // The same graph with one thing changed is another one.
  auto make = [](int change) {
    Dense d;
    Function& f = d.g.functions[0];
    auto replace = [&](NodeId y) { f.outputs[0].node = y; };
    Node n = d.g[d.y];
    if (change == 1) f.name = "other";
    if (change == 2) f.outputs[0].name = "other";
    if (change == 3) f.inputs.clear();
    if (change == 4) replace(d.z);
    if (change == 5) d.g.add_dim({"T", 3});
    if (change == 6) f.kind = FunctionKind::step;
    if (change == 7) f.updates = {{d.W, d.W}};
    if (change == 8) f.minimizes = {{d.y, {}, {}}};
    if (change == 9) f.gradients = {{"dx", d.x}};
    if (change == 10) f.cotangents = {d.x};
    if (change >= 11 && change <= 14) {
      const ScalarId literal = change == 11 ? d.g.literal(-0.0) : d.g.literal(0);
      const Fn fn = change == 12 ? Fn::min : Fn::max;
      const ScalarId k = d.g.index(1);
      const ScalarId zy = d.g.read(d.z, {d.g.index(0), k}, change == 13);
      const NodeId bias =
          change == 14 ? leaf(d.g, NodeKind::parameter, "b", DType::f32, {10}) : d.W2;
      const ScalarId sum = d.g.apply(Fn::add, {zy, d.g.read(bias, {k})});
      replace(d.g.comprehension(2, n.ranges, Reduction::none, d.g.apply(fn, {sum, literal})));
    }
    if (change == 15) {
      replace(d.g.comprehension(2, {Extent(d.B), 10, 64}, Reduction::max, d.g[d.z].body));
    }
    return std::move(d.g);
  };
  for (int a = 0; a <= 15; ++a) {
    for (int b = 0; b <= 15; ++b) {
      CAPTURE(a, b);
      CHECK(equal(make(a), make(b)) == (a == b));
    }
  }
}

TEST_CASE("what is no printed graph is refused with its place") {
  for (const char* text :
       {"net f() { y = q }", "net f() { y = zork(1) }", "net f() { y[i] = 1.0 }",
        "net f() { y = mean[i in 0..3] 1.0 }", "layer f() { }", "net f() { y = exp(1.0, 2.0) }",
        "const a: int = 3", "net f(x: f32[Q]) { }", "net f() -> y: f32[] { }",
        "net f() { a, b = 1.0 }", "net f() { y = constant(f32[2], 3) }",
        "net f() { y = parameter(1, f32) }", "dim B <= x", "net f() { y = [1.0] }",
        "net f(x) { }"}) {
    CAPTURE(text);
    Sources sources;
    sources.add("prelude.nn", "");
    const std::uint32_t file = sources.add("graph.nn", text);
    Diagnostics diagnostics;
    text_to_graph(sources, file, diagnostics);
    REQUIRE(diagnostics.has_errors());
    CHECK(diagnostics.all().front().span.valid());
  }
}

TEST_CASE("formulas are mathematics") {
  Dense d;
  CHECK(equation(d.g, d.z) == "z[b, o] = sum[i] x[b, i] * W[i, o]");
  CHECK(equation(d.g, d.W) == "classify.dense1.W: f32[64, 10], a parameter");
  CHECK(formula(d.g, d.y) ==
        "y[b, o] = max(z[b, o] + dense2_W[o], 0)\n"
        "  z[b, o] = sum[i] x[b, i] * dense1_W[i, o]");
}

TEST_CASE("a gradient as a formula") {
  Graph g;
  const Extent B(g.add_dim({"B", 128}));
  const NodeId e = leaf(g, NodeKind::input, "e", DType::f32, {B, 10});
  const NodeId label = leaf(g, NodeKind::input, "label", DType::i32, {B});
  const ScalarId b = g.index(0), c = g.index(1);
  const NodeId s = g.comprehension(1, {B, 10}, Reduction::sum, g.read(e, {b, c}));
  const NodeId p = g.comprehension(2, {B, 10}, Reduction::none,
                                   g.apply(Fn::div, {g.read(e, {b, c}), g.read(s, {b})}));
  g.label(p) = {"p", {"b", "c"}, {}};
  // Without a name of its own: it stands in the line of its user.
  const NodeId one_hot = g.comprehension(
      2, {B, 10}, Reduction::none,
      g.apply(Fn::select, {g.apply(Fn::eq, {c, g.read(label, {b})}), g.literal(1), g.literal(0)}));
  const ScalarId difference = g.apply(Fn::sub, {g.read(p, {b, c}), g.read(one_hot, {b, c})});
  const NodeId gradient = g.comprehension(
      2, {B, 10}, Reduction::none, g.apply(Fn::div, {difference, g.cast(g.size(B), DType::f32)}));
  g.label(gradient) = {"dlogits", {"b", "c"}, {}};
  CHECK(formula(g, gradient) ==
        "dlogits[b, c] = (p[b, c] - select(c == label[b], 1, 0)) / B\n"
        "  p[b, c] = e[b, c] / t1[b]\n"
        "  t1[b] = sum[i] e[b, i]");
}

TEST_CASE("numbers in formulas are as long as their dtype makes them") {
  Graph g;
  auto shown = [&](double v, DType t) {
    const NodeId id = g.comprehension(0, {}, Reduction::none, g.literal(v, t));
    return equation(g, id);
  };
  CHECK(shown(1 - 0.9, DType::f32) == "t1 = 0.1");
  CHECK(shown(1 - 0.9, DType::f64) == "t1 = 0.09999999999999998");
  CHECK(shown(3, DType::f32) == "t1 = 3");
}

// differentiate.cpp: the access rule in all index roles, reductions, nesting and refusals.
#include "dsl/differentiate.h"
#include "dsl/simplify.h"

#include <functional>

#include "calculus.h"

using namespace test;

namespace {

struct Access {
  const char* name;
  std::function<NodeId(World&)> y;
  std::vector<std::string> wrt;
};

const std::vector<Access> accesses = {
    {"plain", [](World& w) { return w.each({3, 4}, w.own(w.input("x", {3, 4}))); }, {"x"}},
    {"transposed",
     [](World& w) { return w.each({3, 4}, w.at(w.input("x", {4, 3}), {w.i(1), w.i(0)})); },
     {"x"}},
    {"broadcast",
     [](World& w) {
       const NodeId x = w.input("x", {3, 4}), b = w.input("b", {4}), s = w.input("s", {});
       return w.each({3, 4}, w.mul(w.add(w.own(x), w.at(b, {w.i(1)})), w.at(s, {})));
     },
     {"x", "b", "s"}},
    {"product of matrices",
     [](World& w) {
       const NodeId x = w.input("x", {3, 4}), W = w.input("W", {4, 5});
       return w.sum(2, {3, 5, 4}, w.mul(w.at(x, {w.i(0), w.i(2)}), w.at(W, {w.i(2), w.i(1)})));
     },
     {"x", "W"}},
    {"batched product",
     [](World& w) {
       const Extent B = batch(w, 3);
       const NodeId x = w.input("x", {B, 3, 4}), y = w.input("y", {B, 5, 4});
       return w.sum(3, {B, 3, 5, 4},
                    w.mul(w.at(x, {w.i(0), w.i(1), w.i(3)}), w.at(y, {w.i(0), w.i(2), w.i(3)})));
     },
     {"x", "y"}},
    {"shift, inside",
     [](World& w) { return w.each({4}, w.at(w.input("x", {7}), {affine(w, 2, {1})})); },
     {"x"}},
    {"shift, run-time extent",
     [](World& w) {
       const Extent B = batch(w, 4);
       Extent longer = B;
       longer.offset = 2;
       return w.each({B}, w.at(w.input("x", {longer}), {affine(w, 2, {1})}));
     },
     {"x"}},
    {"reversed",
     [](World& w) { return w.each({5}, w.at(w.input("x", {5}), {affine(w, 4, {-1})})); },
     {"x"}},
    {"strided",
     [](World& w) { return w.each({3}, w.at(w.input("x", {8}), {affine(w, 1, {2})})); },
     {"x"}},
    {"strided backwards",
     [](World& w) { return w.each({3}, w.at(w.input("x", {8}), {affine(w, 6, {-3})})); },
     {"x"}},
    {"diagonal",
     [](World& w) { return w.each({4}, w.at(w.input("x", {4, 4}), {w.i(0), w.i(0)})); },
     {"x"}},
    {"antidiagonal",
     [](World& w) { return w.each({4}, w.at(w.input("x", {4, 4}), {w.i(0), affine(w, 3, {-1})})); },
     {"x"}},
    {"constant subscript",
     [](World& w) { return w.each({4}, w.at(w.input("x", {4, 3}), {w.i(0), w.n(1)})); },
     {"x"}},
    {"last row of a run-time extent",
     [](World& w) {
       const Extent B = batch(w, 3);
       const ScalarId last = w.sub(w.g.size(B), w.n(1));
       return w.each({3}, w.at(w.input("x", {B, 3}), {last, w.i(0)}));
     },
     {"x"}},
    {"sum of indices (Toeplitz)",
     [](World& w) { return w.each({4, 3}, w.at(w.input("x", {6}), {affine(w, 0, {1, 1})})); },
     {"x"}},
    {"difference of indices",
     [](World& w) { return w.each({4, 3}, w.at(w.input("x", {6}), {affine(w, 2, {1, -1})})); },
     {"x"}},
    {"two subscripts sharing indices",
     [](World& w) {
       return w.each({3, 4},
                     w.at(w.input("x", {6, 9}), {affine(w, 0, {1, 1}), affine(w, 0, {1, 2})}));
     },
     {"x"}},
    {"two strided subscripts sharing indices",
     [](World& w) {
       return w.each({3, 4},
                     w.at(w.input("x", {11, 13}), {affine(w, 0, {2, 2}), affine(w, 0, {3, 2})}));
     },
     {"x"}},
    {"convolution, padded",
     [](World& w) {
       const NodeId x = w.input("x", {2, 6}), K = w.input("K", {3, 2, 3});
       const ScalarId p = affine(w, -1, {0, 1, 0, 1});  // y[f, i] = sum[c, u]
       return w.sum(2, {3, 6, 2, 3},
                    w.mul(w.pad(x, {w.i(2), p}), w.at(K, {w.i(0), w.i(2), w.i(3)})));
     },
     {"x", "K"}},
    {"convolution, strided and dilated",
     [](World& w) {
       const NodeId x = w.input("x", {9}), K = w.input("K", {3});
       return w.sum(1, {4, 3}, w.mul(w.pad(x, {affine(w, -1, {2, 3})}), w.at(K, {w.i(1)})));
     },
     {"x", "K"}},
    {"window with a nonlinear body",
     [](World& w) {
       const NodeId x = w.input("x", {8}, 0.5, 2);
       return w.sum(1, {6, 3}, w.f(Fn::log, w.at(x, {affine(w, 0, {1, 1})})));
     },
     {"x"}},
    {"neighbours",
     [](World& w) {
       const NodeId x = w.input("x", {6});
       return w.each({5}, w.mul(w.at(x, {w.i(0)}), w.at(x, {affine(w, 1, {1})})));
     },
     {"x"}},
    {"upsampling",
     [](World& w) {
       const ScalarId half = w.f(Fn::floor_div, w.i(0), w.n(2));
       return w.each({7}, w.at(w.input("x", {4}), {half}));
     },
     {"x"}},
    {"flattening by quotient and remainder",
     [](World& w) {
       const ScalarId q = w.f(Fn::floor_div, w.i(0), w.n(4)), r = w.f(Fn::mod, w.i(0), w.n(4));
       return w.each({12}, w.at(w.input("x", {3, 4}), {q, r}));
     },
     {"x"}},
    {"remainder alone",
     [](World& w) { return w.each({9}, w.at(w.input("x", {4}), {w.f(Fn::mod, w.i(0), w.n(4))})); },
     {"x"}},
    {"gather",
     [](World& w) {
       const NodeId E = w.input("E", {5, 3}), ids = w.integers("ids", {2, 4}, 5);
       return w.each({2, 4, 3}, w.at(E, {w.at(ids, {w.i(0), w.i(1)}), w.i(2)}));
     },
     {"E"}},
    {"gather along a row",
     [](World& w) {
       const Extent B = batch(w, 4);
       const NodeId x = w.input("x", {B, 3}), label = w.integers("label", {B}, 3);
       return w.sum(0, {B}, w.at(x, {w.i(0), w.at(label, {w.i(0)})}));
     },
     {"x"}},
    {"selected halves",
     [](World& w) {
       const NodeId x = w.input("x", {6}), z = w.input("z", {6});
       return w.each({6},
                     w.select(w.f(Fn::lt, w.i(0), w.n(3)), w.own(x), w.mul(w.own(z), w.own(x))));
     },
     {"x", "z"}},
    {"concatenation by guarded reads",
     [](World& w) {
       const NodeId x = w.input("x", {3}), z = w.input("z", {4});
       return w.each(
           {7}, w.select(w.f(Fn::lt, w.i(0), w.n(3)), w.own(x), w.at(z, {affine(w, -3, {1})})));
     },
     {"x", "z"}},
    {"product",
     [](World& w) {
       return w.reduce(Reduction::prod, 1, {3, 2, 2}, w.own(w.input("x", {3, 2, 2})));
     },
     {"x"}},
    {"maximum over two indices",
     [](World& w) {
       return w.reduce(Reduction::max, 1, {3, 4, 5}, w.own(w.input("x", {3, 4, 5})));
     },
     {"x"}},
    {"minimum of a body",
     [](World& w) {
       const NodeId x = w.input("x", {3, 4});
       return w.reduce(Reduction::min, 1, {3, 4}, w.mul(w.own(x), w.own(x)));
     },
     {"x"}},
    {"maximum pooling, overlapping",
     [](World& w) {
       return w.reduce(Reduction::max, 1, {4, 3}, w.at(w.input("x", {9}), {affine(w, 0, {2, 1})}));
     },
     {"x"}},
    {"reshape",
     [](World& w) {
       const Extent B = batch(w, 3);
       Node r;
       r.kind = NodeKind::reshape;
       r.operand = w.input("x", {B, 2, 6});
       r.type = {DType::f64, {B, 12}};
       const NodeId y = w.g.add(r);
       return w.each({B, 12}, w.mul(w.own(y), w.own(y)));
     },
     {"x"}},
    {"f32 within f64",
     [](World& w) {
       const ScalarId x = w.own(w.input("x", {4}));
       const ScalarId narrow = w.f(Fn::sin, w.g.cast(x, DType::f32));
       return w.each({4}, w.mul(w.g.cast(narrow, DType::f64), x));
     },
     {"x"}},
    {"softmax",
     [](World& w) {
       const NodeId x = w.input("x", {3, 4}, -3, 3);
       const NodeId m = w.reduce(Reduction::max, 1, {3, 4}, w.own(x));
       const NodeId e = w.each({3, 4}, w.f(Fn::exp, w.sub(w.own(x), w.at(m, {w.i(0)}))));
       const NodeId s = w.sum(1, {3, 4}, w.own(e));
       return w.each({3, 4}, w.div(w.own(e), w.at(s, {w.i(0)})));
     },
     {"x"}},
};

std::vector<NodeId> wrt_of(World& w, const Access& a) {
  std::vector<NodeId> wrt;
  for (const std::string& name : a.wrt) wrt.push_back(w.leaves.at(name));
  return wrt;
}

}  // namespace

TEST_CASE("the access rule agrees with central differences") {
  for (const Access& a : accesses) {
    INFO(a.name);
    World w;
    check_gradient(w, w.weighted(a.y(w)), a.wrt);
  }
}

TEST_CASE("second derivatives agree with differences of first ones") {
  for (const Access& a : accesses) {
    INFO(a.name);
    World w;
    const NodeId y = a.y(w);
    const NodeId square = w.each(w.g[y].type.shape, w.f(Fn::exp, w.own(y)));
    const NodeId loss = w.weighted(square);
    for (NodeId d : gradients(w.g, loss, wrt_of(w, a))) check_gradient(w, w.weighted(d), a.wrt);
  }
}

TEST_CASE("third derivatives of one variable") {
  World w;
  const NodeId x = w.input("x", {5});
  const NodeId y = w.each({5}, w.mul(w.f(Fn::tanh, w.own(x)), w.f(Fn::exp, w.own(x))));
  NodeId d = w.sum(0, {5}, w.own(y));
  for (int order = 0; order < 2; ++order) d = w.weighted(gradients(w.g, d, {x})[0]);
  check_gradient(w, d, {"x"});
}

TEST_CASE("random graphs") {
  const std::vector<Fn> unary = {Fn::tanh, Fn::sin, Fn::logistic, Fn::log1pexp, Fn::exp, Fn::atan};
  for (unsigned seed = 0; seed < 60; ++seed) {
    INFO("seed " << seed);
    World w;
    w.random.seed(seed);
    auto pick = [&](int n) { return std::uniform_int_distribution<>(0, n - 1)(w.random); };
    std::vector<NodeId> values{w.input("x", {3, 3}), w.input("z", {3, 3})};
    for (int step = 0; step < 6; ++step) {
      const NodeId a = values[static_cast<std::size_t>(pick(static_cast<int>(values.size())))];
      const NodeId b = values[static_cast<std::size_t>(pick(static_cast<int>(values.size())))];
      const ScalarId i = w.i(0), j = w.i(1), k = w.i(2);
      switch (pick(6)) {
        case 0:
          values.push_back(w.each({3, 3}, w.f(unary[static_cast<std::size_t>(pick(6))], w.own(a))));
          break;
        case 1:
          values.push_back(w.sum(2, {3, 3, 3}, w.mul(w.at(a, {i, k}), w.at(b, {k, j}))));
          break;
        case 2:
          values.push_back(w.each({3, 3}, w.mul(w.at(a, {j, i}), w.at(b, {i, i}))));
          break;
        case 3:
          values.push_back(w.sum(2, {3, 3, 3}, w.pad(a, {affine(w, -1, {1, 0, 1}), j})));
          break;
        case 4:
          values.push_back(w.each({3, 3}, w.sub(w.at(a, {affine(w, 2, {-1}), j}), w.own(b))));
          break;
        default:
          values.push_back(
              w.each({3, 3}, w.div(w.own(a), w.add(w.mul(w.own(b), w.own(b)), w.real(1)))));
      }
    }
    const NodeId loss = w.weighted(values.back());
    check_gradient(w, loss, {"x", "z"});
  }
}

TEST_CASE("products are differentiated right where factors are 0") {
  World w;
  const NodeId x = w.leaf("x", {4});
  const NodeId y = w.reduce(Reduction::prod, 0, {4}, w.own(x));
  const NodeId d = gradients(w.g, y, {x})[0];
  w.env.values["x"] = {{4}, {2, 0, 3, 5}};
  CHECK(w.value(d) == std::vector<double>{0, 30, 0, 0});
  w.env.values["x"] = {{4}, {2, 0, 0, 5}};
  CHECK(w.value(d) == std::vector<double>{0, 0, 0, 0});
}

TEST_CASE("a maximum gives its gradient to the first element that attains it") {
  World w;
  const NodeId x = w.leaf("x", {2, 3});
  w.env.values["x"] = {{2, 3}, {1, 5, 2, 5, 5, 0}};
  const NodeId d = gradients(w.g, w.reduce(Reduction::max, 0, {2, 3}, w.own(x)), {x})[0];
  CHECK(w.value(d) == std::vector<double>{0, 1, 0, 0, 0, 0});
}

namespace {

bool reads(const World& w, NodeId node, NodeId tensor) {
  const std::vector<NodeId> operands = w.g.operands(node);
  return std::find(operands.begin(), operands.end(), tensor) != operands.end();
}

}  // namespace

TEST_CASE("what a gradient does not need is not visited") {
  World w;
  const NodeId x = w.input("x", {4}), frozen = w.input("frozen", {4});
  const NodeId h = w.each({4}, w.f(Fn::exp, w.own(frozen)));
  const NodeId loss = w.sum(0, {4}, w.mul(w.own(x), w.own(h)));
  const NodeId dx = gradients(w.g, loss, {x})[0];
  const NodeId none = gradients(w.g, loss, {w.input("other", {2})})[0];
  CHECK(w.value(none) == std::vector<double>{0, 0});
  // h is read; nothing of its own derivative, another exp of `frozen`, is made.
  for (NodeId id : topological_order(w.g, {dx})) {
    if (id != h) CHECK_FALSE(reads(w, id, frozen));
  }
  check_gradient(w, loss, {"x"});
}

namespace {

NodeId gradient_node(World& w, NodeId loss, NodeId wrt) {
  Node n;
  n.kind = NodeKind::gradient;
  n.type = w.g[wrt].type;
  n.operand = loss;
  n.wrt = wrt;
  return w.g.add(n);
}

}  // namespace

TEST_CASE("gradient nodes nest, by leaves and by values between") {
  World w;
  const NodeId x = w.input("x", {4});
  const NodeId h = w.each({4}, w.f(Fn::sin, w.own(x)));
  const NodeId loss = w.sum(0, {4}, w.mul(w.mul(w.own(h), w.own(h)), w.own(h)));
  const NodeId dh = gradient_node(w, loss, h);  // 3 h²
  const NodeId inner = w.sum(0, {4}, w.own(dh));
  const NodeId ddx = gradient_node(w, inner, x);  // 6 h cos x
  Function f;
  f.name = "f";
  f.outputs = {{"dh", dh}, {"ddx", ddx}};
  w.g.functions = {f};
  verify(w.g, "ast_to_graph");
  differentiate(w.g);
  verify(w.g, "differentiate");
  const std::vector<double> at = w.env.values["x"].data;
  const Function& done = w.g.functions[0];
  for (std::size_t k = 0; k < 4; ++k) {
    const double s = std::sin(at[k]), c = std::cos(at[k]);
    CHECK(w.value(done.outputs[0].node)[k] == Approx(3 * s * s));
    CHECK(w.value(done.outputs[1].node)[k] == Approx(6 * s * c));
  }
}

namespace {

// A step that minimizes `loss` over the parameter W; returns what is said about it.
std::string refusal(World& w, NodeId loss, NodeId W) {
  Function step;
  step.name = "train";
  step.kind = FunctionKind::step;
  step.outputs = {{"loss", loss}};
  step.updates = {
      {W, w.each(w.g[W].type.shape, w.sub(w.own(W), w.own(gradient_node(w, loss, W))))}};
  step.minimizes = {{loss, {W}, Span{}}};
  w.g.functions = {step};
  Diagnostics diagnostics;
  check_gradients(w.g, diagnostics);
  if (diagnostics.all().empty()) return "";
  std::string said = diagnostics.all()[0].message;
  CHECK(diagnostics.all()[0].id == "no-gradient");
  for (const Note& n : diagnostics.all()[0].notes) said += "\n" + n.message;
  return said;
}

}  // namespace

TEST_CASE("a parameter without a gradient is refused by name, with what blocks it") {
  World w;
  const NodeId W = w.leaf("net.W", {4, 3}, DType::f64, NodeKind::parameter);
  const NodeId x = w.input("x", {5, 4});
  const NodeId z = w.sum(2, {5, 3, 4}, w.mul(w.at(x, {w.i(0), w.i(2)}), w.at(W, {w.i(2), w.i(1)})));
  w.g.label(z).name = "logits";
  auto total = [&](NodeId y) {
    const Shape shape = w.g[y].type.shape;
    return w.sum(0, shape, w.own(y));
  };
  SECTION("a smooth loss is accepted") {
    CHECK(refusal(w, total(z), W).empty());
  }
  SECTION("one-hot of argmax") {
    const NodeId guess = w.reduce(Reduction::argmax, 1, {5, 3}, w.own(z));
    const ScalarId hit = w.f(Fn::eq, w.at(guess, {w.i(0)}), w.i(1));
    const NodeId hot = w.each({5, 3}, w.select(hit, w.real(1), w.real(0)));
    const std::string said = refusal(w, total(hot), W);
    CHECK_THAT(said, contains("'net.W'") && contains("argmax") && contains("net.W"));
    CHECK_THAT(said, contains("logits <- net.W"));
  }
  SECTION("rounding") {
    CHECK_THAT(refusal(w, total(w.each({5, 3}, w.f(Fn::round, w.own(z)))), W), contains("round"));
  }
  SECTION("detach") {
    CHECK_THAT(refusal(w, total(w.each({5, 3}, w.f(Fn::detach, w.own(z)))), W), contains("detach"));
  }
  SECTION("a comparison") {
    const ScalarId c = w.g.cast(w.f(Fn::gt, w.own(z), w.real(0)), DType::f64);
    CHECK_THAT(refusal(w, total(w.each({5, 3}, c)), W), contains("`>`"));
  }
  SECTION("a conversion to integers") {
    const ScalarId c = w.g.cast(w.g.cast(w.own(z), DType::i32), DType::f64);
    CHECK_THAT(refusal(w, total(w.each({5, 3}, c)), W), contains("i32"));
  }
  SECTION("a gradient that cancels is 0, not missing") {
    const NodeId nothing = w.each({5, 3}, w.sub(w.own(z), w.own(z)));
    CHECK(refusal(w, total(nothing), W).empty());
    simplify(w.g);
    differentiate(w.g);
    verify(w.g, "differentiate");
    w.env.values["net.W"] = {{4, 3}, std::vector<double>(12, 0.5)};
    CHECK(w.value(w.g.functions[0].updates[0].value) == w.env.values["net.W"].data);
  }
  SECTION("no dependence") {
    CHECK_THAT(refusal(w, total(x), W), contains("does not depend on it"));
  }
}

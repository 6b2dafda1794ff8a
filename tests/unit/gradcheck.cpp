// gradcheck.cpp: right gradients pass, planted faults are caught and named.
#include "dsl/gradcheck.h"

#include "dsl/random_environment.h"
#include "tests/catch.h"

namespace {

using namespace gradc;

NodeId leaf(Graph& g, NodeKind kind, const std::string& name, DType dtype, Shape shape) {
  Node n;
  n.kind = kind;
  n.name = name;
  n.type = {dtype, std::move(shape)};
  return g.add(std::move(n));
}

// loss = sum over b of f(x[b] * w + c), a step that minimizes it over w and c.
struct Regression {
  Graph g;
  Extent B{g.add_dim({"B", 8})};
  NodeId x = leaf(g, NodeKind::input, "train.x", DType::f32, {B});
  NodeId w = leaf(g, NodeKind::parameter, "w", DType::f32, {});
  NodeId c = leaf(g, NodeKind::parameter, "c", DType::f32, {});
  ScalarId z =
      g.apply(Fn::add, {g.apply(Fn::mul, {g.read(x, {g.index(0)}), g.read(w, {})}), g.read(c, {})});

  void minimize(ScalarId f) {
    const NodeId loss = g.comprehension(0, {B}, Reduction::sum, f);
    g.label(loss).name = std::string("mse");
    Function step;
    step.name = "train";
    step.kind = FunctionKind::step;
    step.inputs = {x};
    step.outputs = {{"loss", loss}};
    step.minimizes = {{loss, {w, c}, {}}};
    g.functions = {step};
  }
};

}  // namespace

TEST_CASE("right gradients are right") {
  Regression r;
  r.minimize(r.g.apply(Fn::mul, {r.z, r.g.apply(Fn::tanh, {r.z})}));
  const std::vector<GradientCheck> results = gradcheck(r.g);
  REQUIRE(results.size() == 2);
  CHECK(results[0].variable == "w");
  CHECK(results[1].variable == "c");
  for (const GradientCheck& c : results) {
    CHECK(c.function == "train");
    CHECK(c.loss == "mse");
    CHECK(c.compared == 1);
    CHECK(c.norm > 0);
    CHECK(c.error < 1e-7);
    CHECK(c.verdict == GradientVerdict::right);
  }
  CHECK_THAT(gradcheck_to_text(results), test::contains("train: d(mse)/d(w)"));
}

TEST_CASE("a planted wrong derivative is caught") {
  // Whatever sine the gradients hold is made a cosine: as if the table of derivatives were wrong.
  Regression r;
  r.minimize(r.g.apply(Fn::cos, {r.z}));
  GradcheckOptions options;
  options.transform = [](Graph& g) {
    for (Output& o : g.functions[0].outputs) {
      if (o.name == "loss") continue;
      Node n = g[o.node];
      auto wrong = [&](auto&& self, ScalarId id) -> ScalarId {
        Scalar s = g[id];
        for (ScalarId& a : s.args) a = self(self, a);
        if (s.kind == ScalarKind::apply && s.fn == Fn::sin) s.fn = Fn::cos;
        return g.add(std::move(s));
      };
      n.body = wrong(wrong, n.body);
      o.node = g.add(std::move(n));
    }
  };
  const auto honest = gradcheck(r.g);
  CHECK(honest.at(0).verdict == GradientVerdict::right);
  const auto results = gradcheck(r.g, options);
  REQUIRE(results.size() == 2);
  for (const GradientCheck& c : results) {
    CHECK(c.verdict == GradientVerdict::wrong);
    CHECK(c.error > 0.01);
    CHECK(c.place == "[]");
  }
  CHECK_THAT(gradcheck_to_text(results), test::contains("WRONG at []"));
}

TEST_CASE("one wrong element of a large tensor's gradient is no rounding error") {
  Graph g;
  const NodeId w = leaf(g, NodeKind::parameter, "w", DType::f32, {8, 8});
  const ScalarId read = g.read(w, {g.index(0), g.index(1)});
  const NodeId loss = g.comprehension(0, {8, 8}, Reduction::sum, g.apply(Fn::exp, {read}));
  Function step;
  step.name = "train";
  step.kind = FunctionKind::step;
  step.outputs = {{"loss", loss}};
  step.minimizes = {{loss, {w}, {}}};
  g.functions = {step};
  CHECK(gradcheck(g).at(0).verdict == GradientVerdict::right);
  CHECK(gradcheck(g).at(0).compared == 64);
  GradcheckOptions hurried;
  hurried.work = 64 * 2 * 2 * 10;  // the loss has 64 terms, and each comparison computes it twice
  CHECK(gradcheck(g, hurried).at(0).verdict == GradientVerdict::right);
  CHECK(gradcheck(g, hurried).at(0).compared == 10);
  hurried.work = 1;
  CHECK(gradcheck(g, hurried).at(0).compared == 2);  // an element and a direction, whatever they take
  GradcheckOptions options;
  options.transform = [](Graph& h) {
    Output& o = h.functions[0].outputs[1];
    Node n = h[o.node];
    // 1 + 1e-4 times too large, at [5, 2] only
    const ScalarId here =
        h.apply(Fn::logical_and, {h.apply(Fn::eq, {h.index(0), h.literal(5, DType::i32)}),
                                  h.apply(Fn::eq, {h.index(1), h.literal(2, DType::i32)})});
    const ScalarId factor = h.apply(Fn::select, {here, h.literal(1.0001), h.literal(1)});
    n.body = h.apply(Fn::mul, {n.body, factor});
    o.node = h.add(std::move(n));
  };
  const GradientCheck c = gradcheck(g, options).at(0);
  CHECK(c.verdict == GradientVerdict::wrong);
  CHECK(c.place == "[5, 2]");
}

TEST_CASE("kinks and jumps are no errors") {
  Regression r;
  // |z| has a kink at 0, and at c = 0 every z of x = 0 is there.
  r.minimize(r.g.apply(Fn::abs, {r.g.apply(Fn::mul, {r.g.literal(0), r.z})}));
  for (const GradientCheck& c : gradcheck(r.g)) CHECK(c.verdict == GradientVerdict::right);
  Graph g;
  const NodeId w = leaf(g, NodeKind::parameter, "w", DType::f64, {});
  const ScalarId v = g.read(w, {});
  // max(w - w0, 0) at w = w0: the parameter stands on the kink whatever is drawn.
  const NodeId same = g.comprehension(0, {}, Reduction::none, g.apply(Fn::detach, {v}));
  const ScalarId difference = g.apply(Fn::sub, {v, g.read(same, {})});
  const NodeId loss = g.comprehension(0, {}, Reduction::none,
                                      g.apply(Fn::max, {difference, g.literal(0, DType::f64)}));
  Function step;
  step.name = "train";
  step.kind = FunctionKind::step;
  step.minimizes = {{loss, {w}, {}}};
  step.outputs = {{"loss", loss}};
  g.functions = {step};
  CHECK(gradcheck(g).at(0).verdict == GradientVerdict::no_slope);
}

TEST_CASE("detach holds still while differences are taken") {
  Regression r;
  r.minimize(r.g.apply(Fn::mul, {r.z, r.g.apply(Fn::detach, {r.g.apply(Fn::exp, {r.z})})}));
  for (const GradientCheck& c : gradcheck(r.g)) {
    CHECK(c.verdict == GradientVerdict::right);
    CHECK(c.norm > 0);
  }
}

TEST_CASE("arguments of a logarithm get positive inputs") {
  Graph g;
  const NodeId p = leaf(g, NodeKind::input, "loss_of.p", DType::f32, {5});
  const NodeId y =
      g.comprehension(1, {5}, Reduction::none, g.apply(Fn::log, {g.read(p, {g.index(0)})}));
  Function net;
  net.name = "loss_of";
  net.inputs = {p};
  net.outputs = {{"y", y}};
  g.functions = {net};
  const GradientCheck c = gradcheck(g).at(0);
  CHECK(c.variable == "loss_of.p");
  CHECK(c.compared == 5);
  CHECK(c.verdict == GradientVerdict::right);
}

TEST_CASE("integer inputs stay inside what they subscript") {
  Graph g;
  const Extent B(g.add_dim({"B", 50}));
  const NodeId E = leaf(g, NodeKind::parameter, "E", DType::f32, {7, 2});
  const NodeId ids = leaf(g, NodeKind::input, "ids", DType::i32, {B});
  const NodeId label = leaf(g, NodeKind::input, "label", DType::i32, {B});
  // The gather goes through a copy that is one more than the input.
  const NodeId next =
      g.comprehension(1, {B}, Reduction::none,
                      g.apply(Fn::add, {g.read(ids, {g.index(0)}), g.literal(1, DType::i32)}));
  const ScalarId one_hot =
      g.cast(g.apply(Fn::eq, {g.read(label, {g.index(0)}), g.index(1)}), DType::f32);
  const NodeId y = g.comprehension(
      2, {B, 2}, Reduction::none,
      g.apply(Fn::mul, {g.read(E, {g.read(next, {g.index(0)}), g.index(1)}), one_hot}));
  Function net;
  net.name = "f";
  net.inputs = {ids, label};
  net.outputs = {{"y", y}};
  g.functions = {net};
  DrawOptions options;
  options.largest_dim = 50;
  const Environment e = random_environment(g, net, options);
  auto largest = [&](const char* name) {
    const std::vector<double>& v = e.values.at(name).data;
    return *std::max_element(v.begin(), v.end());
  };
  CHECK(e.dims.at("B") == 50);
  CHECK(largest("ids") == 5);
  CHECK(largest("label") == 1);
  CHECK(gradcheck(g).at(0).verdict == GradientVerdict::right);
}

TEST_CASE("what cannot be evaluated says why") {
  Regression r;
  r.minimize(r.g.apply(Fn::log, {r.g.apply(Fn::neg, {r.g.apply(Fn::exp, {r.z})})}));
  const auto results = gradcheck(r.g);
  for (const GradientCheck& c : results) CHECK(c.verdict == GradientVerdict::not_finite);
  CHECK_THAT(gradcheck_to_text(results), test::contains("not checked: "));
}

namespace {

// loss = scale * sum over k of sin(w[k]) + terms that cancel to nothing + small * sin(c) + 0 * d, over w, c and d.
struct Scales {
  double scale = 1, cancels = 0, small = 1;
  // By what the gradients of c and d that are to be checked are off: c's by a factor, d's by a multiple of `scale`.
  double off = 0, off_zero = 0;
  std::uint64_t seed = 1;

  std::vector<GradientCheck> checked() const {
    Graph g;
    const NodeId w = leaf(g, NodeKind::parameter, "w", DType::f64, {6});
    const NodeId c = leaf(g, NodeKind::parameter, "c", DType::f64, {});
    const NodeId d = leaf(g, NodeKind::parameter, "d", DType::f64, {});
    const auto number = [&](double v) { return g.literal(v, DType::f64); };
    const auto times = [&](double v, ScalarId x) { return g.apply(Fn::mul, {number(v), x}); };
    const auto sum = [&](ScalarId body) { return g.read(g.comprehension(0, {6}, Reduction::sum, body), {}); };
    const ScalarId wk = g.read(w, {g.index(0)});
    // What d is added to has no mean in the loss, as before a norm.
    const NodeId shifted = g.comprehension(1, {6}, Reduction::none, g.apply(Fn::add, {wk, g.read(d, {})}));
    const ScalarId mean = times(1.0 / 6, sum(g.read(shifted, {g.index(0)})));
    const ScalarId centred =
        sum(g.apply(Fn::sin, {g.apply(Fn::sub, {g.read(shifted, {g.index(0)}), g.read(g.comprehension(0, {}, Reduction::none, mean), {})})}));
    ScalarId total = g.apply(Fn::add, {times(scale, sum(g.apply(Fn::sin, {wk}))), times(scale, centred)});
    total = g.apply(Fn::add, {total, times(small, g.apply(Fn::sin, {g.read(c, {})}))});
    const NodeId before = g.comprehension(0, {}, Reduction::none, g.apply(Fn::add, {number(cancels), total}));
    const NodeId loss = g.comprehension(0, {}, Reduction::none, g.apply(Fn::sub, {g.read(before, {}), number(cancels)}));
    Function step;
    step.name = "train";
    step.kind = FunctionKind::step;
    step.outputs = {{"loss", loss}};
    step.minimizes = {{loss, {w, c, d}, {}}};
    g.functions = {step};
    GradcheckOptions options;
    options.seed = seed;
    static Scales planted;
    planted = *this;
    options.transform = [](Graph& h) {
      Output& of_c = h.functions[0].outputs[2];
      of_c.node = h.comprehension(0, {}, Reduction::none,
                                  h.apply(Fn::mul, {h.read(of_c.node, {}), h.literal(1 + planted.off, DType::f64)}));
      Output& of_d = h.functions[0].outputs[3];
      of_d.node = h.comprehension(0, {}, Reduction::none,
                                  h.apply(Fn::add, {h.read(of_d.node, {}), h.literal(planted.scale * planted.off_zero, DType::f64)}));
    };
    return gradcheck(g, options);
  }
};

}  // namespace

TEST_CASE("an error of a gradient is judged by what rounding leaves of differences") {
  using enum GradientVerdict;
  const auto verdict_of_c = [](const Scales& s) { return s.checked().at(1).verdict; };
  for (const double scale : {1.0, 1e6, 1e-6}) {
    INFO("a loss of " << scale);
    const auto checks = Scales{.scale = scale, .small = scale}.checked();
    for (const GradientCheck& c : checks) CHECK(c.verdict == right);
    CHECK_FALSE(checks.at(0).is_zero);
    CHECK_FALSE(checks.at(1).is_zero);
    CHECK(checks.at(2).is_zero);
    CHECK_THAT(gradcheck_to_text(checks), test::contains("right: 0"));
    CHECK(verdict_of_c({.scale = scale, .small = scale, .off = 1e-4}) == wrong);
    // One that is 0 is not any that is small.
    CHECK(Scales{.scale = scale, .small = scale, .off_zero = 1e-9}.checked().at(2).verdict == wrong);
    // Beside others 1e8 times its size
    CHECK(verdict_of_c({.scale = scale, .small = 1e-8 * scale}) == right);
    // however these are rounded: no kink, either
    for (std::uint64_t seed = 1; seed <= 8; ++seed)
      CHECK(verdict_of_c({.scale = scale, .small = 1e-8 * scale, .off = 0.01, .seed = seed}) == wrong);
  }
  // Of a loss that is a difference of large numbers as much is lost as of large numbers.
  CHECK(verdict_of_c({.cancels = 1e8}) == right);
  CHECK(verdict_of_c({.cancels = 1e8, .off = 0.01}) == wrong);
  // Of very large ones all: that is not right.
  CHECK(verdict_of_c({.cancels = 1e30}) == hidden);
  CHECK(verdict_of_c({.cancels = 1e30, .off = 0.5}) == hidden);
  CHECK_THAT(gradcheck_to_text(Scales{.cancels = 1e30}.checked()), test::contains("not checked: the loss is rounded"));
}

TEST_CASE("a unit that nothing reaches has a gradient of 0") {
  // relu(z - 1000): all that is before it is 0, and so are all slopes.
  Regression r;
  Graph& g = r.g;
  r.minimize(g.apply(Fn::max, {g.apply(Fn::sub, {r.z, g.literal(1000)}), g.literal(0)}));
  for (const GradientCheck& c : gradcheck(g)) {
    CHECK(c.verdict == GradientVerdict::right);
    CHECK(c.norm == 0);
    CHECK(c.error == 0);
  }
  CHECK_THAT(gradcheck_to_text(gradcheck(g)), test::contains("right: 0\n"));
}

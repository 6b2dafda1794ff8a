// custom_gradient.cpp: ops with a gradient of their own: values, gradients of both orders, what must be refused.
#include "dsl/gradcheck.h"
#include "dsl/graph_to_text.h"
#include "dsl/simplify.h"
#include "elaborated.h"

namespace {

using namespace gradc;
using namespace test;

const std::string ops = R"(
dim B <= 4
custom op clipped(x[..], limit: float = 0.5) -> y[..] { y = 2 * x } gradient { dx = min(max(dy, -limit), limit) }
custom op spike(v) -> s { s = select(v > 0, 1.0, 0.0) } gradient { dv = ds / (1 + abs(v)) ^ 2 }
custom op cube(x[..]) -> y[..] { y = x * x * x } gradient { dx = 3 * dy * x * x }
custom op power(x[..]) -> y[..] { y = exp(x) } gradient { dx = dy * y }
custom op steep(x[..]) -> y[..] { y = exp(x) } gradient { dx = 10 * dy * y }
custom op product(a[.., i, j], b[j, k]) -> c[.., i, k] {
  c[.., i, k] = sum[j] a[.., i, j] * b[j, k]
} gradient {
  da[.., i, j] = sum[k] dc[.., i, k] * b[j, k]
  db[j, k] = sum[.., i] dc[.., i, k] * a[.., i, j]
}
)";

std::vector<GradientCheck> checked(const std::string& text, void (*transform)(Graph&) = &simplify) {
  Elaborated e;
  elaborate_well(e, ops + text);
  GradcheckOptions options;
  options.transform = transform;
  return gradcheck(e.spec.graph, options);
}

// How many of the gradients there are have which verdict.
std::ptrdiff_t count(const std::vector<GradientCheck>& checks, GradientVerdict verdict) {
  return std::count_if(checks.begin(), checks.end(), [&](const GradientCheck& c) { return c.verdict == verdict; });
}

// What net f gives, differentiated; the same simplified.
std::map<std::string, std::vector<double>> results(const std::string& text, const std::map<std::string, Array>& values) {
  Elaborated e;
  elaborate_well(e, ops + text);
  Environment environment;
  environment.values = values;
  environment.dims = {{"B", 2}};
  differentiate(e.spec.graph);
  verify(e.spec.graph, "differentiate");
  std::map<std::string, std::vector<double>> found;
  for (const auto& [name, array] : outputs(e, "f", environment)) found[name] = array.data;
  simplify(e.spec.graph);
  verify(e.spec.graph, "simplify");
  for (const auto& [name, array] : outputs(e, "f", environment)) {
    INFO(name);
    REQUIRE(array.data.size() == found[name].size());
    for (std::size_t k = 0; k < array.data.size(); ++k) {
      CHECK(array.data[k] == Approx(found[name][k]).epsilon(1e-12).margin(1e-12));
    }
  }
  return found;
}

}  // namespace

TEST_CASE("a custom op has the value of its body and the gradient it gives") {
  // y = 2 x; of (3, -0.1, 0.25) at most 0.5 is passed on, whatever the derivative is.
  const auto found = results(
      "net f(x: f32[3], w: f32[3]) -> v: f32[3], g: f32[3] {\n"
      "v = clipped(x)\nL = sum[i] v[i] * w[i]\ng = grad(L, x) }",
      {{"f.x", {{3}, {1, 2, 3}}}, {"f.w", {{3}, {3, -0.1, 0.25}}}});
  CHECK(found.at("v") == std::vector<double>{2, 4, 6});
  CHECK(found.at("g") == std::vector<double>{0.5, -0.1, 0.25});
}

TEST_CASE("the gradient of a custom op is differentiated like anything else") {
  const auto second = [](const std::string& op) {
    return results("net f(x: f32[2]) -> g: f32[2], h: f32[2] {\nv = " + op +
                       "(x)\nL = sum[i] v[i]\ng = grad(L, x)\nG = sum[i] g[i]\nh = grad(G, x) }",
                   {{"f.x", {{2}, {1, -2}}}});
  };
  const auto cube = second("cube");
  CHECK(cube.at("g") == std::vector<double>{3, 12});
  CHECK(cube.at("h") == std::vector<double>{6, -12});
  // Of y = e^x it is said that dx = 10 dy y, and so it is where that y is differentiated.
  const auto steep = second("steep");
  for (std::size_t k = 0; k < 2; ++k) {
    const double y = std::exp(k == 0 ? 1.0 : -2.0);
    CHECK(steep.at("g")[k] == Approx(10 * y).epsilon(1e-12).margin(1e-12));
    CHECK(steep.at("h")[k] == Approx(100 * y).epsilon(1e-12).margin(1e-12));
  }
}

TEST_CASE("a custom op leaves nothing behind where no gradient is taken") {
  const auto simple = [](const std::string& call) {
    Elaborated e;
    elaborate_well(e, ops + "step s(x: f32[B, 3], W: f32[3, 2]) { z = " + call + "\nL = sum[..] z[..]\nreport L }");
    differentiate(e.spec.graph);
    simplify(e.spec.graph);
    return graph_to_text(e.spec.graph);
  };
  CHECK(simple("product(x, W)").find("custom") == std::string::npos);
  CHECK(simple("cube(x)").find("input") == std::string::npos);
  Elaborated custom, plain;
  const std::string step = "step s(x: f32[B, 3]) { z = cube(x)\nL = sum[..] z[..]\nreport L }";
  elaborate_well(custom, ops + step);
  elaborate_well(plain, "dim B <= 4\nop cube(x) = x * x * x\n" + step);
  simplify(custom.spec.graph);
  simplify(plain.spec.graph);
  CHECK(equal(custom.spec.graph, plain.spec.graph));
}

TEST_CASE("equal calls of a custom op are one value") {
  Elaborated e;
  elaborate_well(e, ops + "net f(x: f32[B, 3]) -> y: f32[B, 3] {\nparam W: f32[3] ~ ones\n"
                          "u = x * W\nv = x * W\ny = cube(u) - cube(v) }\n"
                          "step s(x: f32[B, 3]) { y = f(x)\nL = sum[..] y[..]\nminimize L using sgd\nreport L }");
  // In the step too, training and not, it is one.
  CHECK(function(e, "s").evaluation.empty());
  const std::string text = graph_to_text(e.spec.graph);
  CHECK(text.find(" = custom(", text.find(" = custom(") + 1) > text.find("step s"));
}

TEST_CASE("graphs with custom ops read back") {
  Elaborated e;
  elaborate_well(e, ops + "net f(x: f32[B, 3], W: f32[3, 2]) -> y: f32[B, 2] { y = product(x, W) |> clipped }");
  Diagnostics diagnostics;
  Sources sources;
  const std::uint32_t file = sources.add("printed.nn", graph_to_text(e.spec.graph));
  const Graph again = text_to_graph(sources, file, diagnostics);
  REQUIRE_FALSE(diagnostics.has_errors());
  CHECK(equal(e.spec.graph, again));
}

TEST_CASE("a custom op is called with single elements") {
  // Each element of `th` is used for all b: what reaches it is the sum.
  const auto found = results(
      "net f(x: f32[2, 3], th: f32[3]) -> s: f32[2, 3], g: f32[3] {\n"
      "s[b, i] = (b + 1) * spike(x[b, i] - th[i])\nL = sum[b, i] s[b, i]\ng = grad(L, th) }",
      {{"f.x", {{2, 3}, {1, 2, -1, 0, 0, 4}}}, {"f.th", {{3}, {0, 1, 1}}}});
  CHECK(found.at("s") == std::vector<double>{1, 1, 0, 0, 0, 2});
  // -(1 / (1 + |v|)² + 2 / (1 + |v|)²) at the two v of each.
  CHECK(found.at("g")[0] == Approx(-(1.0 / 4 + 2.0)).epsilon(1e-12).margin(1e-12));
  CHECK(found.at("g")[1] == Approx(-(1.0 / 4 + 2.0 / 4)).epsilon(1e-12).margin(1e-12));
  CHECK(found.at("g")[2] == Approx(-(1.0 / 9 + 2.0 / 16)).epsilon(1e-12).margin(1e-12));
}

TEST_CASE("in a recurrence a custom op is what detach makes of it") {
  // v / (1 + |v|) has the slope 1 / (1 + |v|)², so a spike is that with another value.
  const std::string net = R"(
net f(x: f32[2, 5, 3], U: f32[3, 3]) -> y: f32[2, 5, 3], g: f32[2, 5, 3], G: f32[3, 3], h: f32[3, 3] {
  recur t {
    v[b, -1, k] = 0
    s[b, -1, k] = 0
    v[b, t, k] = 0.9 * v[b, t - 1, k] * (1 - s[b, t - 1, k]) + x[b, t, k] + sum[j] s[b, t - 1, j] * U[j, k]
    s[b, t, k] = SPIKE
  }
  y = s
  L = sum[b, t, k] s[b, t, k] * cos(t + k) * (1 + v[b, t, k])
  g = grad(L, x)
  G = grad(L, U)
  q = sum[i, j] G[i, j] * sin(i + 2 * j)
  h = grad(q, U)
}
op hard(v) = select(v > 0, 1.0, 0.0)
op soft(v) = v / (1 + abs(v))
)";
  const auto with = [&](const std::string& spike) {
    std::string text = net;
    text.replace(text.find("SPIKE"), 5, spike);
    std::vector<double> x, U;
    for (int k = 0; k < 30; ++k) x.push_back(std::sin(3.0 * k * k));
    for (int k = 0; k < 9; ++k) U.push_back(std::cos(2.0 * k * k));
    return results(text, {{"f.x", {{2, 5, 3}, x}}, {"f.U", {{3, 3}, U}}});
  };
  const auto custom = with("spike(v[b, t, k])");
  const auto detached = with("soft(v[b, t, k]) + detach(hard(v[b, t, k]) - soft(v[b, t, k]))");
  for (const auto& [name, values] : custom) {
    INFO(name);
    double size = 0;
    for (std::size_t k = 0; k < values.size(); ++k) {
      CHECK(values[k] == Approx(detached.at(name)[k]).epsilon(1e-9).margin(1e-9));
      size += std::abs(values[k]);
    }
    CHECK(size > 0.1);
  }
}

TEST_CASE("gradcheck takes what a custom op gives for right, and says where it is no derivative") {
  const std::string net = R"(
net f(x: f32[B, 3, 4]) -> y: f32[B, 2] {
  param U: f32[4, 4] ~ normal(0, 0.5)
  a = product(x, U) |> clipped
  recur t {
    s[b, -1, k] = 0
    v[b, t, k] = a[b, t, k] + sum[j] s[b, t - 1, j] * U[j, k]
    s[b, t, k] = spike(v[b, t, k]) * v[b, t, k]
  }
  m[b, k] = mean[t] s[b, t, k]
  y = m |> dense(2) |> power
}
step train(x: f32[B, 3, 4]) {
  y = f(x)
  loss = mean[..] cube(y)[..]
  minimize loss using sgd
  report loss
}
)";
  std::string text = net;
  text.replace(text.find("cube(y)[..]"), 11, "z[..]");
  text.replace(text.find("loss = "), 0, "z = cube(y)\n  ");
  for (void (*transform)(Graph&) : {static_cast<void (*)(Graph&)>(nullptr), &simplify}) {
    const std::vector<GradientCheck> checks = checked(text, transform);
    INFO(gradcheck_to_text(checks));
    // 4 of the net, 3 of the step; of product two, one each of clipped, spike, power and cube.
    CHECK(checks.size() == 13);
    CHECK(count(checks, GradientVerdict::right) == 11);
    CHECK(count(checks, GradientVerdict::differs) == 2);
    for (const GradientCheck& c : checks) {
      const bool other = c.function == "custom op clipped" || c.function == "custom op spike";
      CHECK((c.verdict == GradientVerdict::differs) == other);
    }
  }
}

TEST_CASE("gradcheck finds a custom gradient that has a mistake in it") {
  Elaborated e;
  elaborate_well(e, "dim B <= 4\n"
                    "custom op squares(a[.., i], b[i]) -> c[..] { c[..] = sum[i] a[.., i] * b[i] ^ 2 }\n"
                    "gradient {\nda[.., i] = dc[..] * b[i] ^ 2\ndb[i] = sum[..] dc[..] * a[.., i] * b[i]\n}\n"
                    "net f(x: f32[B, 3], w: f32[3]) -> y: f32[B] { y = squares(x, w) }");
  const std::vector<GradientCheck> checks = gradcheck(e.spec.graph);
  REQUIRE(checks.size() == 4);
  CHECK(checks[2].variable == "x");
  CHECK(checks[2].verdict == GradientVerdict::right);
  CHECK(checks[3].variable == "w");
  CHECK(checks[3].verdict == GradientVerdict::differs);
  CHECK(checks[3].numeric == Approx(2 * checks[3].symbolic).epsilon(1e-6));
  CHECK_THAT(gradcheck_to_text(checks), contains("custom op squares: d(c)/d(w)") && contains("not the derivative at"));
}

TEST_CASE("a parameter behind a custom op that passes nothing on cannot be learnt") {
  Elaborated e;
  elaborate_well(e, "dim B <= 4\ncustom op stop(x[..]) -> y[..] { y = x } gradient { dx = 0 }\n"
                    "net f(x: f32[B, 3]) -> y: f32[B, 2] { y = x |> dense(2) |> stop }\n"
                    "step train(x: f32[B, 3]) { y = f(x)\nloss = mean[..] y[..]\nminimize loss using sgd\nreport loss }");
  check_gradients(e.spec.graph, e.diagnostics);
  REQUIRE(e.diagnostics.has_errors());
  CHECK(e.diagnostics.all()[0].id == "no-gradient");
  CHECK_THAT(e.diagnostics.all()[0].message, contains("no gradient passes a custom gradient"));
}

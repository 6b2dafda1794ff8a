// recurrence.cpp: tensors that define each other along time: values by hand, gradients of both orders.
#include "dsl/recurrence.h"

#include "dsl/gradcheck.h"
#include "dsl/graph_to_text.h"
#include "dsl/simplify.h"
#include "elaborated.h"

namespace {

using namespace gradc;
using namespace test;

// Every form at once: mutual equations in any order, starts, two steps back, the other direction, another axis of
// time, padding, and gradients within the loss.
const char* const everything = R"(
dim B <= 3
net forth(x: f32[B, 4, 3], a: f32[B, 3], U: f32[3, 3]) -> h: f32[B, 4, 3], c: f32[B, 4, 3] {
  recur t {
    c[b, -1, k] = 0
    h[b, -1, k] = a[b, k]
    h[b, t, o] = tanh(c[b, t, o]) * cos(z[b, t, o])
    z[b, t, o] = sum[i] x[b, t, i] * U[i, o] + sum[k] h[b, t - 1, k] * U[k, o]
    c[b, t, o] = sin(z[b, t, o]) + 0.5 * c[b, t - 1, o]
  }
}
net back(x: f32[5, B], s: f32[B]) -> y: f32[5, B] {
  recur t {
    y[5, b] = s[b]
    y[6, b] = 2 * s[b]
    y[t, b] = sin(x[t, b] + y[t + 1, b] * y[t + 2, b])
  }
}
net padded(x: f32[4, 3]) -> y: f32[4, 3] {
  recur t { y[t, i] = exp(x[t, i] - y[t - 1, i pad 0.5] * y[t - 1, i - 1 pad 0.25]) }
}
step train(x: f32[B, 4, 3], a: f32[B, 3]) {
  y = weigh(x, a)
  L = sum[b, t, o] y[b, t, o] ^ 2
  d = grad(L, a)
  loss = L + sum[b, k] d[b, k] ^ 2
  minimize loss using sgd(lr = 0.1)
  report loss
}
net weigh(x: f32[B, 4, 3], a: f32[B, 3]) -> y: f32[B, 4, 3] {
  param U: f32[3, 3] ~ normal(0, 0.5)
  y, c = forth(x, a, U)
}
)";

}  // namespace

TEST_CASE("a recurrence reads two steps back") {
  // 1 and 0 before the first.
  const auto y = result("net f(x: f32[5]) -> y: f32[5] { recur t {\n"
                        "y[-1] = 1\ny[-2] = 0\ny[t] = x[t] + y[t - 1] + y[t - 2] } }",
                        {{"f.x", {{5}, {0, 0, 0, 0, 0}}}});
  CHECK(y == std::vector<double>{1, 2, 3, 5, 8});
}

TEST_CASE("a recurrence with its starts at the end runs backwards") {
  const auto y = result("net f(x: f32[4]) -> y: f32[4] { recur t {\n"
                        "y[4] = 10\ny[t] = x[t] - y[t + 1] } }",
                        {{"f.x", {{4}, {1, 2, 3, 4}}}});
  CHECK(y == std::vector<double>{8, -7, 9, -6});
}

TEST_CASE("the equations of a recurrence may stand in any order") {
  // b[t] = 2 a[t] where a[t] = x[t] + b[t - 1].
  const auto y = result("net f(x: f32[3]) -> b: f32[3] { recur t {\n"
                        "b[-1] = 0\nb[t] = 2 * a[t]\na[t] = x[t] + b[t - 1] } }",
                        {{"f.x", {{3}, {1, 1, 1}}}});
  CHECK(y == std::vector<double>{2, 6, 14});
}

TEST_CASE("gradients of recurrences agree with finite differences, before and after simplification") {
  Elaborated e;
  elaborate_well(e, everything);
  for (void (*transform)(Graph&) : {static_cast<void (*)(Graph&)>(nullptr), &simplify}) {
    GradcheckOptions options;
    options.transform = transform;
    const auto checks = gradcheck(e.spec.graph, options);
    CHECK(checks.size() >= 10);
    for (const GradientCheck& check : checks) {
      INFO(check.function << " " << check.variable << " " << check.error << " " << check.message);
      CHECK(check.verdict == GradientVerdict::right);
    }
  }
}

TEST_CASE("recurrences are legal after every stage and read back") {
  Elaborated e;
  elaborate_well(e, everything);
  Graph& g = e.spec.graph;
  auto check = [&](const char* stage) {
    verify(g, stage);
    const std::string text = graph_to_text(g);
    Sources sources;
    sources.add("prelude.nn", "");
    Diagnostics diagnostics;
    const Graph back = text_to_graph(sources, sources.add("graph.nn", text), diagnostics);
    INFO(text << render(diagnostics, sources));
    REQUIRE_FALSE(diagnostics.has_errors());
    CHECK(equal(g, back));
  };
  check("ast_to_graph");
  simplify(g), check("stabilize");
  differentiate(g), check("differentiate");
  simplify(g), check("simplify");
}

TEST_CASE("what a recurrence does not need is gone after simplification") {
  Elaborated e;
  elaborate_well(e,
                 "net f(x: f32[4]) -> y: f32[4] { recur t {\n"
                 "y[-1] = 0\nu[-1] = 0\ny[t] = x[t] + y[t - 1]\nu[t] = u[t - 1] * y[t] } }");
  Graph& g = e.spec.graph;
  simplify(g);
  const auto loops = find_loops(g, topological_order(g, {g.functions.back().outputs[0].node}));
  REQUIRE(loops.size() == 1);
  CHECK(loops[0].equations.size() == 1);
}

// elaborate_mode.cpp: what differs in training, and what layers and nets keep between calls.
#include <cmath>
#include <set>

#include "dsl/differentiate.h"
#include "dsl/graph_to_text.h"
#include "dsl/simplify.h"
#include "dsl/verify.h"
#include "elaborated.h"

using namespace gradc;
using namespace test;

namespace {

using Numbers = std::vector<double>;

double report(const Elaborated& e, const std::string& step, const Environment& env) {
  return interpret(e.spec.graph, {evaluated(function(e, step)).at(0).node}, env)[0].data[0];
}

const char* const counting =
    "layer counted(x[n]) -> y[n] {\n"
    "  state seen: f32[] = 2\n"
    "  seen' = seen + 1\n"
    "  y[i] = x[i] * seen\n}\n"
    "net f(x: f32[2]) -> y: f32[2] { y = x |> here: counted }\n";

}  // namespace

TEST_CASE("training is on in a step, off in its evaluation and in a net alone") {
  Elaborated e;
  elaborate_well(e,
                 "op doubled(x) = x * select(training, 2, 1)\n"
                 "net f(x: f32[2]) -> y: f32[2] { param w: f32[2] ~ ones y = doubled(w * x) }\n"
                 "step s(x: f32[2]) {\n  y = f(x)\n  loss = sum[i] y[i]\n"
                 "  minimize loss using sgd(0.0)\n  report loss\n}");
  Environment env;
  run(e.spec.graph, function(e, "init"), env);
  env.values["f.x"] = env.values["s.x"] = {{2}, {3, 4}};
  CHECK(outputs(e, "f", env)["y"].data == Numbers{3, 4});
  CHECK(report(e, "s", env) == 7);
  CHECK(interpret(e.spec.graph, {function(e, "s").outputs[0].node}, env)[0].data == Numbers{14});
}

TEST_CASE("a step that does not ask for the mode is evaluated as it is") {
  Elaborated e;
  elaborate_well(e,
                 "net f(x: f32[2]) -> y: f32[2] { param w: f32[2] ~ ones y = w * x }\n"
                 "step s(x: f32[2]) {\n  y = f(x)\n  noise = normal(0, 1) like y\n"
                 "  loss = sum[i] (y[i] + noise[i])\n  minimize loss using sgd(0.0)\n  report loss\n}");
  CHECK(function(e, "s").evaluation.empty());
}

TEST_CASE("a choice that is known chooses what is elaborated") {
  Elaborated e;
  elaborate_well(e,
                 "layer either(x[n], wide: bool) -> y[n] {\n"
                 "  y = select(wide, one: dense(x, n), two: dense(x, n, bias = false))\n}\n"
                 "net f(x: f32[2]) -> y: f32[2] { y = x |> either(true) |> either(false) }");
  std::vector<std::string> names;
  for (const Update& u : function(e, "init").updates) names.push_back(e.spec.graph[u.target].name);
  CHECK(names == std::vector<std::string>{"f.either1.one.W", "f.either1.one.b", "f.either2.two.W"});
}

TEST_CASE("a step changes the state of a layer, a net alone and an evaluation read it") {
  Elaborated e;
  elaborate_well(e, std::string(counting) +
                        "step s(x: f32[2]) {\n  y = f(x)\n  total = sum[i] y[i]\n  report total\n}");
  Environment env;
  run(e.spec.graph, function(e, "init"), env);
  env.values["f.x"] = env.values["s.x"] = {{2}, {1, 10}};
  CHECK(env.values["f.here.seen"].data == Numbers{2});
  CHECK(function(e, "f").updates.empty());
  for (double seen = 2; seen < 5; ++seen) {
    CHECK(outputs(e, "f", env)["y"].data == Numbers{seen, 10 * seen});
    CHECK(report(e, "s", env) == 11 * seen);
    CHECK(run(e.spec.graph, function(e, "s"), env)[0].data == Numbers{11 * seen});
    CHECK(env.values["f.here.seen"].data == Numbers{seen + 1});
  }
}

TEST_CASE("calls in a step follow one another, in an evaluation all read what is there") {
  Elaborated e;
  elaborate_well(e, std::string(counting) +
                        "step s(x: f32[2]) {\n  y = f(x)\n  z = f(y)\n"
                        "  total = sum[i] z[i]\n  report total\n}");
  Environment env;
  run(e.spec.graph, function(e, "init"), env);
  env.values["s.x"] = {{2}, {1, 10}};
  CHECK(report(e, "s", env) == 11 * 2 * 2);
  CHECK(run(e.spec.graph, function(e, "s"), env)[0].data == Numbers{11 * 2 * 3});
  CHECK(env.values["f.here.seen"].data == Numbers{4});
}

TEST_CASE("no gradient flows through state, not even through what an earlier call left") {
  Elaborated e;
  elaborate_well(e,
                 "net f(x: f32[]) -> y: f32[] {\n  param w: f32[] ~ ones\n"
                 "  state last: f32[] = 5\n  last' = w * x\n  y = w * x + last\n}\n"
                 "step s(x: f32[]) {\n  a = f(x)\n  b = f(x)\n  loss = b\n"
                 "  minimize loss using sgd(1.0)\n  report loss\n}");
  Graph g = e.spec.graph;
  differentiate(g);
  const bool simplified = GENERATE(false, true);
  if (simplified) simplify(g);
  verify(g, "the test");
  Environment env;
  run(g, *std::find_if(g.functions.begin(), g.functions.end(),
                       [](const Function& f) { return f.name == "init"; }),
      env);
  env.values["s.x"] = {{}, {3}};
  // b = w x + (w x of the first call) = 6, of which only the first term is differentiated: dw = 3.
  CHECK(run(g, g.functions.back(), env)[0].data == Numbers{6});
  CHECK(env.values["f.w"].data == Numbers{-2});
  CHECK(env.values["f.last"].data == Numbers{3});
}

TEST_CASE("state may be left out, and then is no state") {
  Elaborated e;
  elaborate_well(e,
                 "layer kept(x[n], keep: bool) -> y[n] {\n  state m: f32[n] = 1 if keep\n"
                 "  m' = x\n  y = x + m\n}\n"
                 "net f(x: f32[2]) -> y: f32[2] { y = x |> kept(true) |> kept(false) }");
  const Function& init = function(e, "init");
  REQUIRE(init.updates.size() == 1);
  CHECK(e.spec.graph[init.updates[0].target].name == "f.kept1.m");
}

TEST_CASE("a step draws the same numbers whatever else is elaborated with it") {
  Elaborated e;
  elaborate_well(e,
                 "op mixed(x) = x * select(training, 2, 1)\n"
                 "net f(x: f32[2]) -> y: f32[2] {\n  param w: f32[2] ~ ones\n"
                 "  eps = normal(0, 1) like x\n  y = mixed(w * x) + eps\n}\n"
                 "step s(x: f32[2]) {\n  y = f(x)\n  loss = sum[i] y[i]\n"
                 "  minimize loss using sgd(0.0)\n  report loss\n}");
  const Function& s = function(e, "s");
  REQUIRE_FALSE(s.evaluation.empty());
  auto draws = [&](NodeId root) {
    std::vector<NodeId> found;
    for (NodeId id : topological_order(e.spec.graph, {root})) {
      if (e.spec.graph[id].kind == NodeKind::random) found.push_back(id);
    }
    return found;
  };
  CHECK(draws(s.outputs[0].node).size() == 1);
  CHECK(draws(s.outputs[0].node) == draws(s.evaluation[0].node));
}

TEST_CASE("an evaluation is part of the text of a graph") {
  Elaborated e;
  elaborate_well(e, std::string(counting) +
                        "step s(x: f32[2]) {\n  y = f(x)\n  z = f(y)\n"
                        "  total = sum[i] z[i]\n  report total\n}");
  Sources sources;
  Diagnostics diagnostics;
  const std::string text = graph_to_text(e.spec.graph);
  const std::uint32_t file = sources.add("graph.nn", text);
  Graph read = text_to_graph(sources, file, diagnostics);
  REQUIRE_FALSE(diagnostics.has_errors());
  CHECK(equal(e.spec.graph, read));
  REQUIRE(read.functions.back().evaluation.size() == 1);
  read.functions.back().evaluation.clear();
  CHECK_FALSE(equal(e.spec.graph, read));
}

TEST_CASE("an extent of a state may be left to the ranges of its indices") {
  Elaborated e;
  elaborate_well(e, "dim B <= 4\n"
                    "layer traced(x[B, I], n: int) -> y[B, I] {\n"
                    "state m: f32[_, I] = 0\n"
                    "state last: f32[_] = 1\n"
                    "mean_of[i] = mean[b] x[b, i]\n"
                    "m'[k in 0..n - 1, i] = select(k == 0, mean_of[i], m[max(k - 1, 0), i])\n"
                    "last'[k in 0..2] = last[k] + 1\n"
                    "s[i] = sum[k in 0..n - 1] m[k, i]\n"
                    "y[b, i] = x[b, i] - s[i] }\n"
                    "net f(x: f32[B, 3]) -> y: f32[B, 3] { y = x |> traced(5) }\n"
                    "step train(x: f32[B, 3]) { y = f(x)\nloss = mean[b, i] y[b, i]\nreport loss }");
  std::map<std::string, Shape> shapes;
  for (const Update& u : function(e, "train").updates) {
    shapes[e.spec.graph[u.target].name] = e.spec.graph[u.target].type.shape;
  }
  CHECK(shapes.at("f.traced1.m") == Shape{Extent(5), Extent(3)});
  CHECK(shapes.at("f.traced1.last") == Shape{Extent(3)});
}

TEST_CASE("running statistics of a net that is not learnt go on") {
  Elaborated e;
  elaborate_well(e, "dim B <= 4\n"
                    "net body(x: f32[B, 3]) -> h: f32[B, 3] { h = x |> norm: batch_norm }\n"
                    "net head(h: f32[B, 3]) -> y: f32[B, 1] { y = h |> dense(1) }\n"
                    "step train(x: f32[B, 3]) { y = head(body(x))\nloss = mean[..] y[..]\n"
                    "minimize loss over head using sgd\nreport loss }");
  std::set<std::string> updated;
  for (const Update& u : function(e, "train").updates) updated.insert(e.spec.graph[u.target].name);
  CHECK(updated.contains("head.dense1.W"));
  CHECK_FALSE(updated.contains("body.norm.gain"));
  CHECK(updated.contains("body.norm.running_mean"));
}

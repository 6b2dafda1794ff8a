// elaborate_nets.cpp: parameters and their paths, nets, steps, optimizers, constants and files.
#include <filesystem>

#include "elaborated.h"

using namespace gradc;
using namespace test;

namespace {

using Numbers = std::vector<double>;

std::vector<std::string> parameter_names(const Elaborated& e) {
  std::vector<std::string> names;
  for (const Update& u : function(e, "init").updates) {
    const Node& n = e.spec.graph[u.target];
    if (n.kind == NodeKind::parameter) names.push_back(n.name);
  }
  return names;
}

std::vector<std::string> state_names(const Elaborated& e) {
  std::vector<std::string> names;
  for (const Update& u : function(e, "init").updates) {
    const Node& n = e.spec.graph[u.target];
    if (n.kind == NodeKind::state) names.push_back(n.name);
  }
  return names;
}

const char* const linear =
    "layer scale(x[.., n], by: float = 1) -> y[.., n] {\n"
    "  param w: f32[n] ~ constant(by)\n"
    "  y[.., i] = w[i] * x[.., i]\n}\n";

}  // namespace

TEST_CASE("parameters are named by path, and the user's labels count") {
  Elaborated e;
  elaborate_well(e,
                 std::string(linear) +
                     "layer pair(x[.., n]) -> y[.., n] { y = x |> scale |> last: scale(2) }\n"
                     "net f(x: f32[2]) -> y: f32[2] {\n"
                     "  param gain: f32[] ~ ones\n"
                     "  y = gain * (x |> scale(3) |> scale |> named: scale |> pair |> scale)\n}");
  CHECK(parameter_names(e) == std::vector<std::string>{"f.gain", "f.scale1.w", "f.scale2.w",
                                                       "f.named.w", "f.pair1.scale1.w",
                                                       "f.pair1.last.w", "f.scale3.w"});
  std::vector<std::string> uses;
  for (const LayerUse& u : e.spec.layers) uses.push_back(u.path);
  CHECK(uses == std::vector<std::string>{"f.scale1", "f.scale2", "f.named", "f.pair1.scale1",
                                         "f.pair1.last", "f.pair1", "f.scale3", "f"});
  CHECK(e.spec.layers[0].inputs == std::vector<NodeId>{function(e, "f").inputs[0]});
  CHECK(e.spec.layers.back().parameters.size() == 1);
  Environment env;
  run(e.spec.graph, function(e, "init"), env);
  CHECK(env.values["f.scale1.w"].data == Numbers{3, 3});
  CHECK(env.values["f.pair1.last.w"].data == Numbers{2, 2});
  env.values["f.x"] = {{2}, {1, 5}};
  CHECK(outputs(e, "f", env)["y"].data == Numbers{6, 30});
}

TEST_CASE("calls of a net share its parameters; uses of a layer do not") {
  Elaborated e;
  elaborate_well(e, std::string(linear) +
                        "net g(x: f32[2]) -> y: f32[2] { y = scale(x) }\n"
                        "net f(x: f32[2]) -> y: f32[2] { y = g(x) + g(g(x)) }");
  CHECK(parameter_names(e) == std::vector<std::string>{"g.scale1.w"});
  Environment env;
  env.values = {{"f.x", {{2}, {1, 2}}}, {"g.scale1.w", {{2}, {3, 5}}}};
  CHECK(outputs(e, "f", env)["y"].data == Numbers{3 + 9, 10 + 50});
  // The gradients of f reach the parameters of g.
  REQUIRE(function(e, "f").gradients.size() == 2);
  CHECK(function(e, "f").gradients[1].name == "dg.scale1.w");
}

TEST_CASE("a parameter whose condition is false reads as 0 and does not exist") {
  Elaborated e;
  elaborate_well(e, "net f(x: f32[2]) -> y: f32[3] { y = dense(x, 3, bias = false) }");
  CHECK(parameter_names(e) == std::vector<std::string>{"f.dense1.W"});
  Environment env;
  env.values = {{"f.x", {{2}, {1, 10}}}, {"f.dense1.W", {{2, 3}, {1, 2, 3, 4, 5, 6}}}};
  CHECK(outputs(e, "f", env)["y"].data == Numbers{41, 52, 63});
}

TEST_CASE("initial values are a matter of the path, not of the order") {
  Elaborated one, two;
  elaborate_well(one, "net f(x: f32[4]) -> y[3] { y = x |> a: dense(5) |> b: dense(3) }");
  elaborate_well(
      two,
      "net g(x: f32[4]) -> y[9] { y = dense(x, 9) }\n"
      "net f(x: f32[4]) -> y[3] { z = x |> c: dense(5)\n y = x |> a: dense(5) |> b: dense(3) }");
  Environment first, second;
  run(one.spec.graph, function(one, "init"), first);
  run(two.spec.graph, function(two, "init"), second);
  CHECK(first.values["f.a.W"].data == second.values["f.a.W"].data);
  CHECK(first.values["f.b.W"].data == second.values["f.b.W"].data);
  CHECK(second.values["f.a.W"].data != second.values["f.c.W"].data);
}

TEST_CASE("a net's gradients are those of its outputs weighted from outside") {
  Elaborated e;
  elaborate_well(e,
                 "net f(x: f32[2], i: i32[]) -> y: f32[2], z: f32[] {\n"
                 "  param w: f32[2] ~ ones\n  y = w * x\n  z = sum[k] x[k] * x[k]\n}");
  differentiate(e.spec.graph);
  const Function& f = function(e, "f");
  REQUIRE(f.cotangents.size() == 2);
  CHECK(e.spec.graph[f.cotangents[0]].name == "f.dy");
  REQUIRE(f.gradients.size() == 2);
  CHECK(f.gradients[0].name == "dx");
  CHECK(f.gradients[1].name == "df.w");
  Environment env;
  env.values = {{"f.x", {{2}, {3, 4}}},
                {"f.i", {{}, {0}}},
                {"f.w", {{2}, {5, 6}}},
                {"f.dy", {{2}, {1, 10}}},
                {"f.dz", {{}, {100}}}};
  const auto values = interpret(e.spec.graph, {f.gradients[0].node, f.gradients[1].node}, env);
  CHECK(values[0].data == Numbers{5 + 600, 60 + 800});
  CHECK(values[1].data == Numbers{3, 40});
}

TEST_CASE("a step updates parameters and states, and reports") {
  Elaborated e;
  elaborate_well(
      e,
      "optimizer heavy(lr: float, decay = 0.5) {\n"
      "  state v = 0\n  state count: i32[] = 10\n"
      "  v' = decay * v + g\n  count' = count + 1\n  p' = p - lr * v' / t\n}\n"
      "net f(x: f32[2]) -> y: f32[] { param w: f32[2] ~ ones\n y = sum[i] w[i] * x[i] }\n"
      "step train(x: f32[2]) {\n"
      "  y = f(x)\n  minimize y * y using heavy(0.25)\n  report y, big = y > 3\n}");
  CHECK(state_names(e) == std::vector<std::string>{"train.step", "train.f.w.v", "train.f.w.count"});
  differentiate(e.spec.graph);
  Environment env;
  run(e.spec.graph, function(e, "init"), env);
  CHECK(env.values["train.f.w.count"].data == Numbers{10});
  env.values["train.x"] = {{2}, {1, 3}};
  // y = 4, dw = 2 y x = (8, 24); v' = dw; w' = 1 - 0.25 · v' / 1
  auto reports = run(e.spec.graph, function(e, "train"), env);
  CHECK(reports[0].data == Numbers{4});
  CHECK(reports[1].data == Numbers{1});
  CHECK(env.values["f.w"].data == Numbers{-1, -5});
  CHECK(env.values["train.f.w.v"].data == Numbers{8, 24});
  CHECK(env.values["train.f.w.count"].data == Numbers{11});
  CHECK(env.values["train.step"].data == Numbers{1});
  // y = -16, dw = (-32, -96); v' = 0.5 v + dw = (-28, -84); w' = w - 0.25 · v' / 2
  reports = run(e.spec.graph, function(e, "train"), env);
  CHECK(reports[1].data == Numbers{0});
  CHECK(env.values["f.w"].data == Numbers{2.5, 5.5});
}

TEST_CASE("minimize over some nets leaves the others alone") {
  const std::string nets =
      "net a(x: f32[]) -> y: f32[] { param w: f32[] ~ ones\n y = w * x }\n"
      "net b(x: f32[]) -> y: f32[] { param w: f32[] ~ ones\n y = w * x }\n";
  Elaborated e;
  elaborate_well(e,
                 nets +
                     "step both(x: f32[]) { minimize b(a(x)) using sgd(0.1) }\n"
                     "step only(x: f32[]) { minimize b(a(x)) over a using sgd(0.1) }\n"
                     "step rival(x: f32[]) {\n  y = a(x)\n  z = b(detach(y))\n"
                     "  minimize y over a using sgd(0.1)\n  minimize z over b using sgd(0.2)\n}");
  auto updated = [&](const char* step) {
    std::vector<std::string> names;
    for (const Update& u : function(e, step).updates) {
      const Node& n = e.spec.graph[u.target];
      if (n.kind == NodeKind::parameter) names.push_back(n.name);
    }
    return names;
  };
  CHECK(updated("both") == std::vector<std::string>{"a.w", "b.w"});
  CHECK(updated("only") == std::vector<std::string>{"a.w"});
  CHECK(updated("rival") == std::vector<std::string>{"a.w", "b.w"});
}

TEST_CASE("the gradient of a gradient") {
  Elaborated e;
  elaborate_well(e,
                 "net f(x: f32[2]) -> h: f32[2] {\n"
                 "  c = sum[i] x[i] * x[i] * x[i]\n  g = grad(c, x)\n  s = sum[i] g[i] * g[i]\n"
                 "  h = grad(s, x)\n}");
  differentiate(e.spec.graph);
  Environment env;
  env.values["f.x"] = {{2}, {1, 2}};
  // g = 3x², s = Σ 9x⁴, h = 36x³
  CHECK(outputs(e, "f", env)["h"].data == Numbers{36, 288});
}

TEST_CASE("bounded dims: sizes in formulas, and every size up to the bound") {
  Elaborated e;
  elaborate_well(e,
                 "dim B <= 4\nnet f(x: f32[B]) -> y: f32[B], n: f32[], m: f32[] {\n"
                 "  y[i] = x[B - 1 - i]\n  n = B / 2\n  m = mean[i] x[i]\n}");
  for (std::int64_t size : {1, 3, 4}) {
    Environment env;
    env.dims["B"] = size;
    env.values["f.x"] = {{size}, counted(static_cast<std::size_t>(size), 1)};
    auto out = outputs(e, "f", env);
    CHECK(out["y"].data.front() == static_cast<double>(size));
    CHECK(out["n"].data == Numbers{static_cast<double>(size) / 2});
    CHECK(out["m"].data[0] == Approx(static_cast<double>(size + 1) / 2));
  }
}

TEST_CASE("several results, reshape, random numbers like another tensor") {
  Elaborated e;
  elaborate_well(
      e,
      "op halves(x[n]) -> lo[n], hi[n] { lo = x / 2\n hi = x * 2 }\n"
      "net f(x: f32[2, 3]) -> y: f32[6], z: f32[6], eps: f32[6] {\n"
      "  flat = reshape(x, [6])\n  y, z = halves(flat)\n  eps = normal(5, 0.001) like y\n}");
  Environment env;
  env.values["f.x"] = {{2, 3}, counted(6)};
  auto out = outputs(e, "f", env);
  CHECK(out["y"].data == Numbers{0, 0.5, 1, 1.5, 2, 2.5});
  CHECK(out["z"].data == Numbers{0, 2, 4, 6, 8, 10});
  CHECK(out["eps"].data[0] == Approx(5).margin(0.1));
  CHECK(out["eps"].data[0] != out["eps"].data[1]);
}

TEST_CASE("constants are overridden, and what depends on them follows") {
  const std::string spec =
      "const width: int = 3\nconst twice: int = 2 * width\nconst on: bool = false\n"
      "dim D = twice\nnet f(x: f32[D]) -> y: f32[] { param w: f32[D] ~ ones if on\n y = sum[i] "
      "x[i] }";
  Elaborated e;
  elaborate_well(e, spec, {{{"width", "5"}, {"on", "true"}}});
  CHECK(e.spec.graph[function(e, "f").inputs[0]].type.shape == Shape{10});
  CHECK(parameter_names(e).size() == 1);
  Elaborated bad;
  elaborate(bad, spec, {{{"widht", "5"}, {"on", "maybe"}, {"width", "2.5"}}});
  CHECK(bad.ids() == std::vector<std::string>{"bad-override", "unknown-constant", "bad-override"});
}

TEST_CASE("a dim is fixed from outside, within its bound, and what depends on it follows") {
  const std::string spec =
      "dim B <= 8\ndim H = 3\nconst twice: int = 2 * H\n"
      "net f(x: f32[B, twice]) -> y: f32[B] { y[b] = sum[i] x[b, i] }";
  Elaborated e;
  elaborate_well(e, spec, {{{"B", "8"}, {"H", "5"}}});
  CHECK(e.spec.graph[function(e, "f").inputs[0]].type.shape == Shape{8, 10});
  CHECK(e.spec.graph.dims().empty());
  for (const char* size : {"9", "0", "-1", "2.5", "1e1", "many", ""}) {
    Elaborated bad;
    elaborate(bad, spec, {{{"B", size}}});
    CHECK(bad.ids() == std::vector<std::string>{"bad-override"});
  }
}

TEST_CASE("imports: relative, once each, cyclic, and never outside the folder of the spec") {
  const Folder folder;
  const auto top = folder.write("spec/top.nn",
                                "import \"sub/a.nn\"\nimport \"./sub/../b.nn\"\n"
                                "net f(x: f32[]) -> y: f32[] { y = twice(once(x)) }");
  folder.write("spec/sub/a.nn", "import \"../b.nn\"\nop once(x) = x + 1");
  folder.write("spec/b.nn", "import \"top.nn\"\nop twice(x) = 2 * x");
  Elaborated e;
  elaborate_file(e, top.string());
  INFO(e.messages());
  CHECK_FALSE(e.diagnostics.has_errors());
  CHECK(e.spec.files.size() == 3);
  CHECK(e.spec.name == "top");

  folder.write("secret.nn", "op once(x) = x");
  std::filesystem::create_symlink(folder.path() / "secret.nn", folder.path() / "spec/link.nn");
  for (const std::string path :
       {"../secret.nn", "link.nn", "sub/../../secret.nn", "none.nn", "sub", "/etc/passwd"}) {
    INFO(path);
    const auto bad = folder.write("spec/bad.nn", "import \"" + path + "\"\n");
    Elaborated refused;
    elaborate_file(refused, bad.string());
    const bool missing = path == "none.nn" || path == "sub";
    CHECK(refused.ids() == std::vector<std::string>{missing ? "cannot-read" : "bad-import"});
  }
}

TEST_CASE("the program block") {
  Elaborated e;
  elaborate_well(
      e,
      "dim B <= 16\nnet f(x: f32[B, 2, 3]) -> y: f32[B] { y[b] = sum[i, j] x[b, i, j] }\n"
      "net g(x: f32[B, 2, 3]) -> y: f32[B] { param w: f32[] ~ ones\n y = w * f(x) }\n"
      "step train(x: f32[B, 2, 3], t: f32[B]) {\n  e = g(x) - t\n  loss = mean[b] e[b] * e[b]\n"
      "  minimize loss using sgd\n  report loss\n}\n"
      "program {\n  data d = csv(\"d.csv\", x = (columns(1, 6) - 4) / 2, t = -column(0) + 1)\n"
      "  split d into a 75%, b 25% seed 3\n"
      "  fit train on d.a for 5 epochs batch 8 shuffle seed 9\n  test g on d.b\n  save \"m\"\n}");
  const Program& p = e.spec.program;
  REQUIRE(p.present);
  REQUIRE(p.data.size() == 1);
  CHECK(p.data[0].path == "d.csv");
  CHECK(p.data[0].fields[0].first == 1);
  CHECK(p.data[0].fields[0].last == 6);
  CHECK(p.data[0].fields[0].scale == 0.5);
  CHECK(p.data[0].fields[0].shift == -2);
  CHECK(p.data[0].fields[1].scale == -1);
  CHECK(p.data[0].fields[1].shift == 1);
  REQUIRE(p.splits.size() == 1);
  CHECK(p.splits[0].seed == 3);
  CHECK(p.splits[0].parts[1].fraction == 0.25);
  REQUIRE(p.actions.size() == 3);
  const Fit& fit = std::get<Fit>(p.actions[0]);
  CHECK((fit.step == "train" && fit.data.part == "a" && fit.epochs == 5 && fit.batch == 8));
  CHECK((fit.shuffle && fit.seed == 9));
  CHECK(std::get<Test>(p.actions[1]).step == "train");
  CHECK(std::get<Save>(p.actions[2]).path == "m");
}

TEST_CASE("elaboration ends: doubling calls, deep chains of calls, long formulas") {
  std::string doubling = "op d0(x) = x + 1\n", chain = "op g0(x) = x\n",
              squares = "op q0(x) = x * x\n";
  for (int k = 1; k <= 60; ++k) {
    const std::string n = std::to_string(k), m = std::to_string(k - 1);
    doubling += "op d" + n + "(x) = d" + m + "(x + " + n + ") * d" + m + "(x - " + n + ")\n";
    squares += "op q" + n + "(x) = q" + m + "(x) * q" + m + "(x)\n";
  }
  for (int k = 1; k <= 2000; ++k) {
    chain += "op g" + std::to_string(k) + "(x) = g" + std::to_string(k - 1) + "(x)\n";
  }
  Elaborated a, b, c;
  elaborate(a, doubling + "net f(x: f32[2]) -> y: f32[2] { y = d60(x) }");
  CHECK(a.ids() == std::vector<std::string>{"graph-too-large"});
  elaborate(b, chain + "net f(x: f32[2]) -> y: f32[2] { y = g2000(x) }");
  CHECK(b.ids() == std::vector<std::string>{"too-deep"});
  elaborate(
      c,
      "op sq(x) = x * x\nnet f(x: f32[2]) -> y: f32[2] { y[i] = sq(sq(sq(sq(sq(sq(sq(sq(sq(sq("
      "x[i])))))))))) }");
  INFO(c.messages());
  CHECK_FALSE(c.diagnostics.has_errors());
}

// elaborate_forms.cpp: loops and conditions over constants, parameters by path, replaced parameters, and what a minimize is over.
#include "elaborated.h"

using namespace gradc;
using namespace test;

namespace {

using Numbers = std::vector<double>;

std::vector<std::string> parameter_names(const Elaborated& e) {
  std::vector<std::string> names;
  for (const Update& u : function(e, "init").updates) names.push_back(e.spec.graph[u.target].name);
  return names;
}

std::vector<std::string> minimized_names(const Elaborated& e, std::size_t which) {
  std::vector<std::string> names;
  for (NodeId id : function(e, "s").minimizes.at(which).parameters) {
    names.push_back(e.spec.graph[id].name);
  }
  return names;
}

// y = w x
const std::string times =
    "layer times(x[.., n]) -> y[.., n] {\n  param w: f32[n] ~ ones\n  y[.., i] = w[i] * x[.., i]\n}\n";

std::string messages(const std::string& text) {
  Elaborated e;
  elaborate(e, text);
  return e.messages();
}

}  // namespace

TEST_CASE("a loop is its rounds one after another") {
  // 3 · 2 + 1 = 7, 7 · 2 + 2 = 16, 16 · 2 + 3 = 35
  CHECK(result("net f(x: f32[]) -> y { y = x\n for i in 1..3 { h = 2 * y\n y = h + i } }",
               {{"f.x", {{}, {3}}}}) == Numbers{35});
  // Inputs carry on as well; no round at all leaves everything as it is.
  CHECK(result("net f(x: f32[]) -> y { for i in 1..2 { x = x * x }\n for i in 1..0 { x = 0 * x }\n y = x }",
               {{"f.x", {{}, {3}}}}) == Numbers{81});
  // Σ_i Σ_{j <= i} 1 over i = 0..3: 1 + 2 + 3 + 4
  CHECK(result("net f(x: f32[]) -> y { y = x\n for i in 0..3 { for j in 0..i { y = y + 1 } } }",
               {{"f.x", {{}, {0}}}}) == Numbers{10});
  // Numbers known at compile time stay known.
  CHECK(result("net f(x: f32[2]) -> y { n = 1\n for i in 1..3 { n = 2 * n }\n y[k in 0..n-1] = x[0] }",
               {{"f.x", {{2}, {5, 0}}}}) == Numbers(8, 5));
  CHECK(result("op power(x, n: int) -> y { y = 1.0\n for i in 1..n { y = y * x } }\n"
               "net f(x: f32[2]) -> y { y[i] = power(x[i], 3) }",
               {{"f.x", {{2}, {2, 3}}}}) == Numbers{8, 27});
}

TEST_CASE("layers in loops have names that say the round") {
  Elaborated e;
  elaborate_well(e, times + "net f(x: f32[2]) -> y { for i in 1..2 { x = x |> block: times\n x2 = x |> times\n"
                            " for j in 0..1 { x = x2 |> inner: times } }\n y = x }");
  CHECK(parameter_names(e) ==
        std::vector<std::string>{"f.block1.w", "f.times1.w", "f.inner1_0.w", "f.inner1_1.w",
                                 "f.block2.w", "f.times2.w", "f.inner2_0.w", "f.inner2_1.w"});
}

TEST_CASE("only the branch that is taken counts") {
  const std::string text =
      "const deep: bool = true\n" + times +
      "net f(x: f32[2]) -> y {\n  if deep { h = x |> a: times } else { h = nonsense(x) }\n"
      "  z = if not deep then nonsense(h) else 3 * h\n"
      "  if 1 > 2 { y = h } else if deep { y = z } else { y = x }\n}\n";
  Elaborated e;
  elaborate_well(e, text);
  CHECK(parameter_names(e) == std::vector<std::string>{"f.a.w"});
  CHECK(result(text, {{"f.x", {{2}, {1, 2}}}, {"f.a.w", {{2}, {1, 10}}}}) == Numbers{3, 60});
  Elaborated other;
  elaborate(other, text, {{{"deep", "false"}}});
  CHECK(other.ids() == std::vector<std::string>{"unknown-function", "unknown-function"});
  // The range of an index comes from what is chosen.
  CHECK(result("net f(x: f32[2], v: f32[3]) -> y { y[i] = if 1 < 2 then x[i] else v[i] }",
               {{"f.x", {{2}, {4, 5}}}, {"f.v", {{3}, {0, 0, 0}}}}) == Numbers{4, 5});
}

TEST_CASE("a name gets one value a round, and what a round makes ends with it") {
  const std::string head = "net f(x: f32[]) -> y { y = x\n";
  CHECK_THAT(messages(head + "for i in 0..1 { y = y + 1\n y = y + 1 } }"),
             test::contains("a round of a loop gives a name one value"));
  CHECK_THAT(messages(head + "for i in 0..1 { h = y\n h = y } }"),
             test::contains("a round of a loop gives a name one value"));
  CHECK_THAT(messages(head + "for i in 0..1 { h = y }\n z = h }"), test::contains("unknown name 'h'"));
  CHECK_THAT(messages(head + "for i in 0..1 { y = y + 1 }\n z = i }"), test::contains("unknown name 'i'"));
  CHECK_THAT(messages(head + "for y in 0..1 { } }"), test::contains("'y' is a name already"));
  CHECK_THAT(messages(head + "y = 2 * y }"), test::contains("assigned twice; a name keeps its value"));
  CHECK_THAT(messages(head + "for i in 0..9999 { for j in 0..9999 { k = 1 } } }"),
             test::contains("graph-too-large"));
}

TEST_CASE("a call may replace parameters of its net") {
  const std::string text = times +
                           "net g(x: f32[2]) -> y { y = x |> a: times |> b: times }\n"
                           "net f(x: f32[2], v: f32[2]) -> y { y = g(x, a.w = v * g.b.w) + g(x) }";
  // a: v · b, then b: (v b) x b + (a x) b
  const std::map<std::string, Array> values = {{"f.x", {{2}, {1, 2}}},
                                               {"f.v", {{2}, {3, 5}}},
                                               {"g.a.w", {{2}, {7, 11}}},
                                               {"g.b.w", {{2}, {13, 17}}}};
  CHECK(result(text, values) ==
        Numbers{3 * 13 * 1 * 13 + 7 * 13, 5 * 17 * 2 * 17 + 11 * 2 * 17});
  CHECK_THAT(messages(times + "net g(x: f32[2]) -> y { y = x |> a: times }\n"
                              "net f(x: f32[2], v: f32[3]) -> y { y = g(x, a.w = v) }"),
             test::contains("shape-mismatch"));
}

TEST_CASE("a layer with a given parameter makes none, so weights can be tied") {
  const std::string text =
      "layer table(i: i32[], N: int) -> y[D] {\n  param E: f32[N, 2] ~ ones\n  y[d] = E[i, d]\n}\n"
      "layer product(x[I], O: int) -> y[O] {\n  param W: f32[O, I] ~ zeros\n  y[o] = sum[i] W[o, i] * x[i]\n}\n"
      "net f(i: i32[]) -> y { e = i |> words: table(3)\n y = e |> product(3, W = words.E) }";
  Elaborated e;
  elaborate_well(e, text);
  CHECK(parameter_names(e) == std::vector<std::string>{"f.words.E"});
  // E[1] = (3, 4): dot products with the rows (1, 2), (3, 4), (5, 6)
  CHECK(result(text, {{"f.i", {{}, {1}}}, {"f.words.E", {{3, 2}, {1, 2, 3, 4, 5, 6}}}}) ==
        Numbers{11, 25, 39});
}

TEST_CASE("an inner step of gradient descent, and its derivative by hand") {
  // loss(w) = (w x - t)²; w2 = w - 0.1 · 2 x (w x - t); after = (w2 x - t)².
  // With x = 2, t = 1, w = 3: w2 = 3 - 0.4 · 5 = 1, after = 1;
  // d after / d w = 2 (w2 x - t) x (1 - 0.2 x²) = 2 · 1 · 2 · 0.2 = 0.8
  Elaborated e;
  elaborate_well(e,
                 "net g(x: f32[]) -> y { param w: f32[] ~ zeros\n y = w * x }\n"
                 "step s(x: f32[], t: f32[]) {\n  first = (g(x) - t) ^ 2\n"
                 "  w2 = g.w - 0.1 * grad(first, g.w)\n  after = (g(x, w = w2) - t) ^ 2\n"
                 "  minimize after using sgd(lr = 1.0)\n  report after\n}");
  differentiate(e.spec.graph);
  Environment env;
  env.values = {{"s.x", {{}, {2}}}, {"s.t", {{}, {1}}}, {"g.w", {{}, {3}}}, {"s.step", {{}, {0}}}};
  const std::vector<Array> reported = run(e.spec.graph, function(e, "s"), env);
  CHECK(reported.at(0).data.at(0) == Approx(1));
  CHECK(env.values.at("g.w").data.at(0) == Approx(3 - 0.8));
}

TEST_CASE("a minimize is over nets, layers and single parameters, with exceptions") {
  const std::string nets = times +
                           "net g(x: f32[2]) -> y { y = x |> a: times |> b: times }\n"
                           "net h(x: f32[2]) -> y { y = x |> a: times |> c: times }\n";
  auto over = [&](const std::string& minimizes) {
    return nets + "step s(x: f32[2]) { y = g(h(x))\n l = sum[i] y[i]\n " + minimizes + " }";
  };
  Elaborated e;
  elaborate_well(e, over("minimize l over g.a, h.c.w using sgd(0.1)\n"
                         "minimize l over g.b using adam(lr = 1e-3)\n"
                         "minimize l over h except h.c using adam(lr = 1e-4)"));
  CHECK(minimized_names(e, 0) == std::vector<std::string>{"g.a.w", "h.c.w"});
  CHECK(minimized_names(e, 1) == std::vector<std::string>{"g.b.w"});
  CHECK(minimized_names(e, 2) == std::vector<std::string>{"h.a.w"});
  Elaborated all;
  elaborate_well(all, over("minimize l except a using sgd(0.1)"));
  CHECK(minimized_names(all, 0) == std::vector<std::string>{"h.c.w", "g.b.w"});
  // A net with those that it calls, and without.
  auto within = [&](const std::string& minimize) {
    return nets + "net both(x: f32[2]) -> y { y = g(h(x)) |> d: times }\nstep s(x: f32[2]) { y = both(x)\n l = sum[i] y[i]\n " + minimize + " }";
  };
  Elaborated whole, apart;
  elaborate_well(whole, within("minimize l over both using sgd(0.1)"));
  CHECK(minimized_names(whole, 0) == std::vector<std::string>{"h.a.w", "h.c.w", "g.a.w", "g.b.w", "both.d.w"});
  elaborate_well(apart, within("minimize l over both except g, h.a using sgd(0.1)"));
  CHECK(minimized_names(apart, 0) == std::vector<std::string>{"h.c.w", "both.d.w"});
  CHECK_THAT(messages(over("minimize l over g.q using sgd(0.1)")), test::contains("nothing-to-minimize"));
  CHECK_THAT(messages(over("minimize l except g.q using sgd(0.1)")), test::contains("nothing-to-minimize"));
}

namespace {

// Two nets with one parameter each, w and v, of loss 3 w + 4 v: the gradient is (3, 4).
std::map<std::string, double> after_updates(const std::string& optimizer, int updates) {
  Elaborated e;
  elaborate_well(e, "net g() -> y { param w: f32[] ~ zeros\n y = 3 * w }\n"
                    "net h() -> y { param v: f32[] ~ zeros\n y = 4 * v }\n"
                    "optimizer by_hand(inner: optimizer, k: float) {\n state m = 1\n m' = 2 * m\n"
                    " p' = inner(p, k * g) }\n"
                    "step s(x: f32[]) { l = g() + h()\n minimize l using " + optimizer + "\n report l }");
  differentiate(e.spec.graph);
  verify(e.spec.graph, "differentiate");
  Environment env;
  env.values = {{"s.x", {{}, {0}}}};
  run(e.spec.graph, function(e, "init"), env);
  for (int k = 0; k < updates; ++k) run(e.spec.graph, function(e, "s"), env);
  std::map<std::string, double> out;
  for (const auto& [name, value] : env.values) out[name] = value.data.at(0);
  return out;
}

}  // namespace

TEST_CASE("a norm over all parameters, by hand") {
  // |(3, 4)| = 5, cut to 2.5: half the gradient; a limit of 6 changes nothing.
  auto cut = after_updates("clip_norm(sgd(lr = 1.0), 2.5)", 1);
  CHECK(cut.at("g.w") == Approx(-1.5));
  CHECK(cut.at("h.v") == Approx(-2));
  CHECK(after_updates("clip_norm(sgd(lr = 1.0), 6.0)", 1).at("h.v") == Approx(-4));
  // Of what the optimizer around it passes on: |(30, 40)| = 50, and its states are kept apart.
  auto inner = after_updates("by_hand(clip_norm(sgd(lr = 1.0, momentum = 0.5), 5.0), 10.0)", 2);
  CHECK(inner.at("g.w") == Approx(-3 - 4.5));
  CHECK(inner.at("s.g.w.m") == Approx(4));
  CHECK(inner.at("s.g.w.inner.inner.v") == Approx(4.5));
}

TEST_CASE("groups of parameters learn at rates of their own, in one step") {
  Elaborated e;
  elaborate_well(e, "net g() -> y { param w: f32[] ~ zeros\n param v: f32[] ~ zeros\n param u: f32[] ~ zeros\n y = 3 * w + 4 * v + 5 * u }\n"
                    "step s(x: f32[]) { l = g()\n minimize l over g.w using sgd(lr = 0.1)\n"
                    " minimize l over g except g.w, g.u using sgd(lr = step_decay(t, 0.01, every = 1, factor = 0.5))\n report l }");
  differentiate(e.spec.graph);
  Environment env;
  env.values = {{"s.x", {{}, {0}}}};
  run(e.spec.graph, function(e, "init"), env);
  for (; env.step < 2; ++env.step) {
    env.values["s.step"] = {{}, {static_cast<double>(env.step)}};
    run(e.spec.graph, function(e, "s"), env);
  }
  CHECK(env.values.at("g.w").data[0] == Approx(-2 * 0.1 * 3));
  CHECK(env.values.at("g.v").data[0] == Approx(-(0.01 + 0.005) * 4));
  CHECK(env.values.at("g.u").data[0] == 0);
}

TEST_CASE("an optimizer run every third time") {
  // sgd with momentum sees the mean gradient 3 at updates 3 and 6 only: v = 3, then 0.5 · 3 + 3.
  const std::string optimizer = "accumulate_gradients(sgd(lr = 1.0, momentum = 0.5), every = 3)";
  CHECK(after_updates(optimizer, 2).at("g.w") == 0);
  CHECK(after_updates(optimizer, 3).at("g.w") == Approx(-3));
  CHECK(after_updates(optimizer, 5).at("g.w") == Approx(-3));
  CHECK(after_updates(optimizer, 6).at("g.w") == Approx(-3 - 4.5));
  CHECK(after_updates(optimizer, 6).at("s.g.w.held") == 0);
}

TEST_CASE("averaged weights") {
  // w = -3, -6; the mean of both, the first weighing half as much: (0.5 · -3 - 6) / 1.5
  CHECK(after_updates("average_weights(sgd(lr = 1.0), decay = 0.5)", 1).at("s.g.w.average") == Approx(-3));
  const auto after = after_updates("average_weights(sgd(lr = 1.0), decay = 0.5)", 2);
  CHECK(after.at("s.g.w.average") == Approx(-5));
  CHECK(after.at("g.w") == Approx(-6));
}

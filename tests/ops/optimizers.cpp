// optimizers.cpp: steps change parameters and states as optax and JAX say: optimizers, running statistics.
#include <cmath>

#include "tests/catch.h"
#include "tests/ops/samples.h"
#include "tests/unit/elaborated.h"

using namespace gradc;

namespace {

// Runs the step as often as the fixture does; the largest difference on the way.
double deviation(const Graph& g, const test::Sample& s) {
  const Function& f = test::function_of(g, s.name);
  Environment environment = s.environment;
  run(g, test::function_of(g, "init"), environment);
  for (const auto& [name, value] : s.environment.values) environment.values[name] = value;
  double worst = 0;
  for (std::size_t k = 0; k < s.path.size(); ++k) {
    if (!s.evaluated.empty()) {
      const Array loss = interpret(g, {evaluated(f).at(0).node}, environment).at(0);
      worst = std::max(worst, std::fabs(loss.data[0] - s.evaluated[k]));
    }
    const Array loss = run(g, f, environment).at(0);
    ++environment.step;
    worst = std::max(worst, std::fabs(loss.data[0] - s.losses[k]));
    for (const auto& [name, expected] : s.path[k]) {
      const Array& p = environment.values.at(name);
      REQUIRE(p.shape == expected.shape);
      for (std::size_t i = 0; i < p.data.size(); ++i) {
        worst = std::max(worst, std::fabs(p.data[i] - expected.data[i]));
      }
    }
  }
  return worst;
}

}  // namespace

TEST_CASE("optimizers and running statistics follow the paths of optax and JAX") {
  std::size_t count = 0;
  for (const char* name : {"optimizers", "training"}) {
    const test::Topic topic = test::load_topic(name);
    for (const test::Sample& s : topic.samples) {
      INFO(s.name);
      if (s.path.empty() && topic.name == "training") continue;
      REQUIRE(s.path.size() >= 5);
      ++count;
      // The constants of the prelude are f32 in emitted code and doubles here.
      CHECK(deviation(topic.differentiated, s) < 1e-9);
      CHECK(deviation(topic.simplified, s) < 1e-9);
    }
  }
  CHECK(count > 20);
}

namespace {

// w = 1 everywhere, and after some updates with the gradient g.
std::vector<double> moved(const std::string& optimizer, const std::vector<double>& g) {
  test::Elaborated e;
  test::elaborate_well(e, "net f(g: f32[3]) -> y: f32[] {\n  param w: f32[3] ~ ones\n  y = sum[i] g[i] * w[i]\n}\n"
                          "step s(g: f32[3]) {\n  y = f(g)\n  minimize y using " + optimizer + "\n}\n");
  differentiate(e.spec.graph);
  Environment environment;
  run(e.spec.graph, test::function_of(e.spec.graph, "init"), environment);
  environment.values["s.g"] = {{3}, g};
  for (; environment.step < 3; ++environment.step) run(e.spec.graph, test::function_of(e.spec.graph, "s"), environment);
  return environment.values.at("f.w").data;
}

}  // namespace

TEST_CASE("optimizers leave alone what has no gradient, and one element's NaN to that element") {
  // Weight decay of 0.01 at a rate of 0.001, or of 0.01 itself, three times.
  const double decayed = 1 - 1e-5, halved = 1 - 0.01;
  const std::pair<std::string, double> cases[] = {
      {"sgd", 1}, {"sgd(momentum = 0.9)", 1}, {"nesterov", 1}, {"adagrad", 1}, {"rmsprop", 1}, {"rmsprop(momentum = 0.9)", 1},
      {"adadelta", 1}, {"adam", 1}, {"adamw", decayed * decayed * decayed}, {"adamax", 1}, {"nadam", 1}, {"lamb", 1}, {"lion", 1},
      {"clip_value(adam, 1.0)", 1}, {"clip_norm(adam, 1.0)", 1}, {"accumulate_gradients(adam, every = 3)", 1},
      {"decay_weights(sgd, 0.01)", halved * halved * halved}, {"average_weights(sgd)", 1}};
  for (const auto& [optimizer, still] : cases) {
    INFO(optimizer);
    for (double w : moved(optimizer, {0, 0, 0})) CHECK(w == Approx(still).epsilon(1e-12));
    const std::vector<double> w = moved(optimizer, {0, 1, NAN});
    CHECK(w[0] == Approx(still).epsilon(1e-12));
    CHECK(w[1] < still - 1e-5);
    CHECK(std::isnan(w[2]));
  }
  // A norm of infinity leaves 0 of what is finite, and ∞ · 0 of the rest.
  const std::vector<double> w = moved("clip_norm(sgd(lr = 1.0), 1.0)", {0, 1, HUGE_VAL});
  CHECK(w[0] == 1);
  CHECK(w[1] == 1);
  CHECK(std::isnan(w[2]));
}

TEST_CASE("a wrong step is seen") {
  test::Topic topic = test::load_topic("optimizers");
  test::Sample s = topic.samples.front();
  s.path.back().begin()->second.data[0] += 1e-6;
  CHECK(deviation(topic.differentiated, s) > 1e-7);
}

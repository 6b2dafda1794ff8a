// optimizers.cpp: steps change parameters and states as optax and JAX say: optimizers, running statistics.
#include <cmath>

#include "tests/catch.h"
#include "tests/ops/samples.h"

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

TEST_CASE("a wrong step is seen") {
  test::Topic topic = test::load_topic("optimizers");
  test::Sample s = topic.samples.front();
  s.path.back().begin()->second.data[0] += 1e-6;
  CHECK(deviation(topic.differentiated, s) > 1e-7);
}

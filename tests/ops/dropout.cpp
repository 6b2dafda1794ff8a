// dropout.cpp: what dropout drops: how often, in which places, and that gradients fall to the rest alone.
#include <cmath>
#include <set>

#include "tests/catch.h"
#include "tests/ops/samples.h"

using namespace gradc;

namespace {

constexpr double rate = 0.3;

// The factors that y = factor · w · x had in a run of the step, from dw = factor · x by descent with rate 1.
std::vector<double> factors(const Graph& g, const std::string& step, const std::string& net, Environment& e) {
  const Function& f = test::function_of(g, step);
  const Node& input = g[f.inputs[0]];
  Array x;
  std::size_t count = 1;
  for (const Extent& extent : input.type.shape) {
    x.shape.push_back(extent.offset);
    count *= static_cast<std::size_t>(extent.offset);
  }
  for (std::size_t k = 0; k < count; ++k) x.data.push_back(1 + static_cast<double>(k % 7) / 8);
  e.values[input.name] = x;
  const std::vector<double> before = e.values.at(net + ".w").data;
  const double loss = run(g, f, e)[0].data[0];
  const std::vector<double> after = e.values.at(net + ".w").data;
  std::vector<double> result;
  double forward = 0;
  for (std::size_t k = 0; k < count; ++k) {
    result.push_back((before[k] - after[k]) / x.data[k]);
    forward += result[k] * before[k] * x.data[k];
  }
  // The loss is the sum of y: forward and backward dropped the same.
  CHECK(std::fabs(loss - forward) <= 1e-9 * std::fabs(loss));
  return result;
}

}  // namespace

TEST_CASE("dropout keeps a share of 1 - rate and makes up for the rest, in training alone") {
  const test::Topic topic = test::load_topic("training");
  const Graph& g = topic.simplified;
  struct Case {
    const char *step, *net;
    std::size_t together;  // elements that share their fate
  };
  for (const Case& c : {Case{"try_always_dropout", "scaled", 1}, Case{"try_always_channel_dropout", "scaled_channels", 6}}) {
    INFO(c.step);
    Environment e;
    run(g, test::function_of(g, "init"), e);
    std::set<std::vector<double>> seen;
    double kept = 0, draws = 0;
    for (; e.step < 5; ++e.step) {
      const auto found = factors(g, c.step, c.net, e);
      seen.insert(found);
      for (std::size_t k = 0; k < found.size(); ++k) {
        const bool is_kept = found[k] > 0.5;
        CHECK(std::fabs(found[k] - (is_kept ? 1 / (1 - rate) : 0)) < 1e-9);
        if (k % c.together != 0) {
          CHECK((found[k] > 0.5) == (found[k - 1] > 0.5));
          continue;
        }
        kept += is_kept;
        ++draws;
      }
      const Function& f = test::function_of(g, c.step);
      const double all = interpret(g, {evaluated(f)[0].node}, e)[0].data[0];
      double sum = 0;
      const auto& w = e.values.at(std::string(c.net) + ".w").data;
      const auto& x = e.values.at(g[f.inputs[0]].name).data;
      for (std::size_t k = 0; k < w.size(); ++k) sum += w[k] * x[k];
      CHECK(std::fabs(all - sum) <= 1e-9 * std::fabs(sum));
    }
    CHECK(seen.size() == 5);
    // Four standard errors.
    CHECK(std::fabs(kept / draws - (1 - rate)) <= 4 * std::sqrt(rate * (1 - rate) / draws));
  }
}

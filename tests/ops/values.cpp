// values.cpp: what the interpreter computes, as written and simplified, is what JAX and PyTorch compute.
#include <fmt/format.h>

#include <cmath>

#include "tests/catch.h"
#include "tests/ops/samples.h"

using namespace gradc;

namespace {

// Of the norm; both compute in double precision.
constexpr double tolerance = 1e-9;

std::string difference(const std::string& what, const Array& got, const Array& expected) {
  if (got.shape != expected.shape) return what + " has another shape";
  double norm = 0;
  for (double v : expected.data) norm = std::max(norm, std::isfinite(v) ? std::fabs(v) : 0);
  for (std::size_t k = 0; k < got.data.size(); ++k) {
    const double a = got.data[k], b = expected.data[k];
    const bool same = a == b || (std::isnan(a) && std::isnan(b)) ||
                      std::fabs(a - b) <= tolerance * std::max(norm, 1e-3);
    if (!same) return fmt::format("{} at {} is {}, not {}", what, k, a, b);
  }
  return "";
}

// What is wrong; empty if nothing.
std::string compare(const Graph& g, const test::Sample& s) {
  const Function& f = test::function_of(g, s.name);
  std::map<std::string, NodeId> roots;
  for (const Output& o : f.outputs) roots[o.name] = o.node;
  for (const Output& o : f.gradients) roots[o.name] = o.node;
  if (roots.size() != s.expected.size()) return "the fixture has other outputs and gradients";
  for (const auto& [name, expected] : s.expected) {
    if (!roots.contains(name)) return "there is no " + name;
    const auto text = difference(name, interpret(g, {roots[name]}, s.environment)[0], expected);
    if (!text.empty()) return text;
  }
  return "";
}

}  // namespace

TEST_CASE("values and gradients of the prelude are those of JAX and PyTorch") {
  for (const std::string& name : test::topic_names()) {
    const test::Topic topic = test::load_topic(name);
    for (const test::Sample& s : topic.samples) {
      if (s.expected.empty()) continue;
      INFO(name << ".nn: " << s.name);
      // Where a formula breaks, only its stable form is asked for.
      if (name != "edges") CHECK(compare(topic.differentiated, s) == "");
      CHECK(compare(topic.simplified, s) == "");
    }
  }
}

TEST_CASE("gradients of gradients of the prelude are those of JAX and PyTorch") {
  std::size_t count = 0;
  for (const std::string& name : test::topic_names()) {
    const test::Topic topic = test::second_order(test::load_topic(name));
    for (const test::Sample& s : topic.samples) {
      INFO(name << ".nn: " << s.name);
      CHECK(compare(topic.differentiated, s) == "");
      CHECK(compare(topic.simplified, s) == "");
      ++count;
    }
  }
  CHECK(count > 300);
}

TEST_CASE("a wrong value is seen") {
  test::Topic topic = test::load_topic("activations");
  test::Sample s = topic.samples.front();
  s.expected.begin()->second.data[0] += 1e-6;
  CHECK(compare(topic.differentiated, s) != "");
  topic = test::second_order(topic);
  s = topic.samples.front();
  s.expected.begin()->second.data[0] += 1e-6;
  CHECK(compare(topic.differentiated, s) != "");
}

TEST_CASE("initialisers draw from their distributions") {
  const test::Topic topic = test::load_topic("initialisers");
  for (const test::Sample& s : topic.samples) {
    INFO(s.name);
    REQUIRE(s.distribution.size() == 1);
    const auto& wanted = s.distribution[0];
    for (const Update& u : test::function_of(topic.written, "init").updates) {
      if (!topic.written[u.target].name.starts_with(s.name + ".")) continue;
      const std::vector<double> x = interpret(topic.written, {u.value}, {})[0].data;
      const auto n = static_cast<double>(x.size());
      double mean = 0, square = 0;
      for (double v : x) {
        mean += v / n;
        square += (v - wanted.mean) * (v - wanted.mean) / n;
        if (wanted.bounded) CHECK((wanted.low <= v && v <= wanted.high));
      }
      // Four standard errors; the tensors have 3072 elements and more.
      CHECK(std::fabs(mean - wanted.mean) <= 4 * wanted.std / std::sqrt(n));
      CHECK(std::fabs(std::sqrt(square) - wanted.std) <= 4 * wanted.std / std::sqrt(2 * n));
    }
  }
}

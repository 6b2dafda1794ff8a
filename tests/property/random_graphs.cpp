// random_graphs.cpp: what must hold of every graph, tried on random ones. A failure prints its seed
// and the graph; GRADC_SEED=n tries that one alone and GRADC_GRAPHS=n that many.
#include <cmath>
#include <cstdlib>

#include "dsl/differentiate.h"
#include "dsl/gradcheck.h"
#include "dsl/graph_to_text.h"
#include "dsl/random_environment.h"
#include "dsl/simplify.h"
#include "dsl/verify.h"
#include "tests/catch.h"
#include "tests/random_graph.h"

namespace {

using namespace gradc;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

template <class Holds>
void for_random_graphs(std::uint64_t count, test::RandomGraphOptions options, Holds&& holds) {
  const std::uint64_t first = number_from("GRADC_SEED", 0);
  if (first != 0) count = 1;
  count = number_from("GRADC_GRAPHS", count);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    options.nodes = 2 + static_cast<int>(seed % 15);
    const test::RandomGraph r = test::random_graph(seed, options);
    INFO("GRADC_SEED=" << seed << "\n" << graph_to_text(r.graph));
    holds(r);
  }
}

// What a function computes, by name.
std::vector<std::pair<std::string, Array>> results(const Graph& g, const Function& f,
                                                   const Environment& e) {
  std::vector<NodeId> roots;
  std::vector<std::string> names;
  for (const Output& o : f.outputs) roots.push_back(o.node), names.push_back(o.name);
  for (const Update& u : f.updates) {
    roots.push_back(u.value);
    names.push_back(g[u.target].name + "'");
  }
  const std::vector<Array> values = interpret(g, roots, e);
  std::vector<std::pair<std::string, Array>> all;
  for (std::size_t k = 0; k < roots.size(); ++k) all.emplace_back(names[k], values[k]);
  return all;
}

// Where two graphs differ at some inputs by more than rounding; empty if they don't.
std::string difference(const Graph& g, const Graph& h, const Environment& e) {
  for (std::size_t k = 0; k < g.functions.size(); ++k) {
    const auto before = results(g, g.functions[k], e), after = results(h, h.functions[k], e);
    if (before.size() != after.size()) return "another number of results";
    for (std::size_t r = 0; r < before.size(); ++r) {
      const auto& [name, a] = before[r];
      const Array& b = after[r].second;
      if (a.shape != b.shape) return name + " has another shape";
      double norm = 1e-3;
      for (double v : a.data) norm = std::max(norm, std::abs(v));
      for (std::size_t i = 0; i < a.data.size(); ++i) {
        if (!(std::abs(a.data[i] - b.data[i]) <= 1e-9 * norm)) {
          return name + " element " + std::to_string(i) + ": " + std::to_string(a.data[i]) +
                 " became " + std::to_string(b.data[i]);
        }
      }
    }
  }
  return "";
}

// Other rounding makes a floor or a comparison jump where its argument is on the edge, so what
// counts is a difference that is there at other inputs too.
std::string lasting_difference(const Graph& g, const Graph& h, const test::RandomGraph& r) {
  std::string found = difference(g, h, r.environment);
  for (std::uint64_t seed = 1; !found.empty() && seed < 4; ++seed) {
    DrawOptions draw;
    draw.seed = seed;
    Environment e = random_environment(g, g.functions.back(), draw);
    for (const auto& [name, value] : r.environment.values) e.values.emplace(name, value);
    found = difference(g, h, e);
  }
  return found;
}

}  // namespace

TEST_CASE("gradients agree with finite differences") {
  test::RandomGraphOptions options;
  options.gradient_nodes = false;
  int right = 0;
  for_random_graphs(300, options, [&](const test::RandomGraph& r) {
    GradcheckOptions check;
    check.small = 24;
    check.samples = 8;
    const std::vector<GradientCheck> results = gradcheck(r.graph, check);
    INFO(gradcheck_to_text(results));
    for (const GradientCheck& c : results) {
      CHECK(c.verdict != GradientVerdict::wrong);
      CHECK(c.verdict != GradientVerdict::not_finite);
      right += c.verdict == GradientVerdict::right && c.norm > 0;
    }
  });
  if (std::getenv("GRADC_SEED") == nullptr) CHECK(right > 300);  // the graphs are not all trivial
}

TEST_CASE("differentiated graphs are legal, and read back") {
  for_random_graphs(150, {}, [](const test::RandomGraph& r) {
    Graph g = r.graph;
    differentiate(g);
    verify(g, "differentiate");
    Sources sources;
    sources.add("prelude.nn", "");
    const std::uint32_t file = sources.add("graph.nn", graph_to_text(g));
    Diagnostics none;
    const Graph again = text_to_graph(sources, file, none);
    INFO(render(none, sources));
    REQUIRE_FALSE(none.has_errors());
    REQUIRE(equal(g, again));
  });
}

TEST_CASE("simplified graphs are legal and compute the same") {
  for_random_graphs(300, {}, [](const test::RandomGraph& r) {
    Graph plain = r.graph;
    differentiate(plain);
    Graph simple = plain;
    simplify(simple);
    INFO(graph_to_text(simple));
    verify(simple, "simplify");
    CHECK(lasting_difference(plain, simple, r) == "");
    Graph twice = simple;
    simplify(twice);
    verify(twice, "simplify, again");
    CHECK(lasting_difference(plain, twice, r) == "");
  });
}

TEST_CASE("simplified gradients agree with finite differences") {
  test::RandomGraphOptions options;
  options.gradient_nodes = false;
  for_random_graphs(100, options, [&](const test::RandomGraph& r) {
    GradcheckOptions check;
    check.small = 16;
    check.samples = 8;
    check.transform = simplify;
    const std::vector<GradientCheck> found = gradcheck(r.graph, check);
    INFO(gradcheck_to_text(found));
    for (const GradientCheck& c : found) {
      CHECK(c.verdict != GradientVerdict::wrong);
      CHECK(c.verdict != GradientVerdict::not_finite);
    }
  });
}

// random_graphs.cpp: what must hold of every graph, tried on random ones. A failure prints its seed
// and the graph; GRADC_SEED=n tries that one alone and GRADC_GRAPHS=n that many.
#include <cstdlib>

#include "dsl/differentiate.h"
#include "dsl/gradcheck.h"
#include "dsl/graph_to_text.h"
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
    Diagnostics diagnostics;  // some parameters get no gradient; they have zeros
    differentiate(g, diagnostics);
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

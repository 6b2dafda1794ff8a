// codegen_random.cpp: random graphs as emitted code, against the interpreter.
#include "dsl/differentiate.h"
#include "tests/catch.h"
#include "tests/emitted_cases.h"
#include "tests/random_graph.h"

TEST_CASE("random graphs compute what the interpreter does") {
  const int first = GENERATE(0, 1, 2);
  std::vector<test::EmittedCase> cases;
  for (int k = 0; k < 12; ++k) {
    const int seed = 1 + first * 12 + k;
    auto random = test::random_graph(static_cast<std::uint64_t>(seed));
    gradc::differentiate(random.graph);
    cases.push_back({"seed " + std::to_string(seed), std::move(random.graph), random.environment, 2});
  }
  gradc::Target target = gradc::cpp_target();
  if (first == 2) {  // whatever can be handed on part by part is
    target.far_bytes = 1;
    target.least_turn_work = 0;
  }
  for (const std::string& problem : test::run_emitted(std::move(cases), target)) FAIL_CHECK(problem);
}

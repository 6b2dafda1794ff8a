// random_specs.cpp: random specs, and those that once failed: interpreter, finite differences and emitted code against
// each other. GRADC_SPECS=n tries so many, GRADC_SEED=n begins with that one and, alone, tries no other. What fails is shown
// shrunk.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tests/catch.h"
#include "tests/check_specs.h"
#include "tests/process.h"
#include "tests/random_spec.h"
#include "tests/shrink_spec.h"

namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void run_random_specs(std::uint64_t usual, const test::SpecCheck& check, test::SpecCounts& counts) {
  constexpr std::uint64_t in_a_program = 50;
  const std::uint64_t first = number_from("GRADC_SEED", 1);
  const std::uint64_t count = number_from("GRADC_SPECS", std::getenv("GRADC_SEED") == nullptr ? usual : 1);
  const std::uint64_t end = first + count;
  for (std::uint64_t from = first; from < end; from += in_a_program) {
    std::vector<test::SeededSpec> specs;
    for (std::uint64_t seed = from; seed < std::min(from + in_a_program, end); ++seed) {
      specs.push_back({seed, test::random_spec(seed)});
    }
    const std::vector<test::SpecProblem> problems = test::check_specs(specs, check, counts);
    for (std::size_t k = 0; k < problems.size(); ++k) {
      if (problems[k].none()) continue;
      fmt::print("GRADC_SEED={}: {}: {}; it is being shrunk\n", specs[k].seed, problems[k].kind, problems[k].what);
      std::fflush(stdout);  // that may take minutes
      const test::SeededSpec small = test::shrink_spec(specs[k], problems[k], check);
      test::SpecCounts ignored;
      const test::SpecProblem problem = test::check_specs({small}, check, ignored)[0];
      fmt::print("{}: {}\n{}(GRADC_SEED={} random_specs runs it again as it was before it was shrunk)\n\n", problem.kind,
                 problem.what, small.text, small.seed);
      std::fflush(stdout);
      FAIL_CHECK("GRADC_SEED=" << small.seed << ": " << problem.kind);
    }
  }
  fmt::print("{} specs, seeds {} to {}: {} gradients by {} differences ({} at kinks), {} results of simplify ({} not steady), "
             "{} tensors of emitted code ({} not compared)\n",
             count, first, end - 1, counts.gradients, counts.slopes, counts.kinks, counts.changes, counts.unsteady,
             counts.tensors, counts.not_compared);
  std::fflush(stdout);
}

}  // namespace

TEST_CASE("random specs compute and differentiate as they say") {
  test::SpecCounts counts;
  run_random_specs(300, {}, counts);
  if (std::getenv("GRADC_SEED") != nullptr || std::getenv("GRADC_SPECS") != nullptr) return;
  // Little is left out, and the specs are not all trivial.
  CHECK(counts.gradients > 1000);
  CHECK(counts.tensors > 4000);
  CHECK(100 * counts.kinks <= counts.slopes);
  CHECK(100 * counts.unsteady <= counts.changes);
  CHECK(100 * counts.not_compared <= counts.tensors);
}

TEST_CASE("random specs compute the same on a grid") {
  test::SpecCheck check;
  check.target = *gradc::target_named("cuda");
  check.gradients = false;
  test::SpecCounts counts;
  run_random_specs(40, check, counts);
}

// Narrow layers, which are laid out with the batch last: backwards from a net, too, and forwards where its size is known.
TEST_CASE("narrow networks compute and differentiate as they say, whether their batch has a known size or not") {
  const std::string networks = test::read_text(test::fs::path(GRADC_SOURCE_DIR) / "tests/property/narrow.nn");
  const std::string dim = "dim B <= 18";
  std::vector<test::SeededSpec> specs;
  for (const char* size : {"dim B <= 18", "dim B = 18", "dim B = 15"}) {
    specs.push_back({1, networks});
    specs.back().text.replace(networks.find(dim), dim.size(), size);
  }
  test::SpecCheck check;
  check.target.isa = *gradc::isa_named("x86-64-v3");
  test::SpecCounts counts;
  const std::vector<test::SpecProblem> problems = test::check_specs(specs, check, counts);
  for (std::size_t k = 0; k < problems.size(); ++k) {
    INFO(specs[k].text << problems[k].kind << ": " << problems[k].what);
    CHECK(problems[k].none());
  }
  CHECK(counts.not_compared == 0);
}

TEST_CASE("specs that once failed") {
  std::vector<test::SeededSpec> specs;
  std::vector<std::string> names;
  const test::fs::path folder = test::fs::path(GRADC_SOURCE_DIR) / "tests/property/found";
  for (const std::string& name : test::names_in(folder)) {
    names.push_back(name);
    specs.push_back({1, test::read_text(folder / name)});
  }
  REQUIRE(!specs.empty());
  test::SpecCheck on_grid;
  on_grid.target = *gradc::target_named("cuda");
  on_grid.gradients = false;
  for (const test::SpecCheck& check : {test::SpecCheck{}, on_grid}) {
    test::SpecCounts counts;
    const std::vector<test::SpecProblem> problems = test::check_specs(specs, check, counts);
    for (std::size_t k = 0; k < problems.size(); ++k) {
      INFO(names[k] << ": " << problems[k].kind << ": " << problems[k].what);
      CHECK(problems[k].none());
    }
    CHECK(counts.not_compared == 0);
  }
}

// on_grid.h: cases on a grid, with blocks of any size, against the interpreter.
#pragma once

#include "tests/catch.h"
#include "tests/emitted_cases.h"

namespace test {

inline gradc::Target with_threads(int threads) {
  gradc::Target target = *gradc::target_named("cuda");
  target.threads = threads;
  return target;
}

inline void check_on_grid(std::vector<EmittedCase> cases, int threads) {
  const gradc::Target target = with_threads(threads);
  for (const std::string& problem : run_emitted(std::move(cases), target)) FAIL_CHECK(problem);
}

}  // namespace test

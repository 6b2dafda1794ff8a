// emitted_programs.h: programs made of emitted code: how they are compiled and run, and what they are to find.
#pragma once

#include <string>
#include <vector>

#include "codegen/target.h"

namespace test {

// How programs are made of a source: in every way there is for its target; optimised and under
// sanitizers by one compiler; or in one way that is quick to compile for.
enum class Builds { all, sanitized, quick };

// What a program is to write, tensor after tensor.
struct Expected {
  struct Tensor {
    std::string name;
    double allowed = 0;  // how far a value may be off
    std::size_t count = 0;
  };
  std::vector<Tensor> tensors;
  std::vector<double> values;
};

// Compiles `functions` with a main that makes the `calls`, runs it on `in`, and says all that is wrong. With $GRADC_GPU_FOLDER set, programs for a grid are compiled by nvcc into folders there and not
// run: tests/gpu/run does that, where there is a GPU.
std::vector<std::string> run_programs(const std::string& functions, const std::string& calls,
                                      const std::vector<double>& in, const Expected&, const gradc::Target&, Builds = Builds::all);

}  // namespace test

// emitted_cases.h: graphs lowered, compiled by both compilers, optimised and under sanitizers, run,
// and compared with the interpreter.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/target.h"
#include "dsl/graph.h"
#include "dsl/interpret.h"
#include "tests/emitted_programs.h"

namespace test {

// A graph whose functions are all called once, each from the same values.
struct EmittedCase {
  std::string name;
  gradc::Graph graph;               // without gradient nodes
  gradc::Environment environment;   // dims and values; values that are missing are drawn
  std::int64_t positions = 2;       // drawn i32 values are 0 … positions-1
  // More sizes of the run-time dims to call the same code with, each with values of its own.
  std::vector<std::map<std::string, std::int64_t>> more_dims = {};
  // The same graph with every operation rounded otherwise (see round_otherwise.h): a tensor that this moves by more than
  // half of what it may be off is not compared.
  std::vector<gradc::Graph> rounded = {};
  // The same graph with what is stored as bf16 rounded otherwise: a tensor may be off by three times what the one that does most moves
  // its elements by, beside what it may be off in f32.
  std::vector<gradc::Graph> stored = {};
};

struct EmittedCounts {
  std::size_t tensors = 0, not_compared = 0;
};

struct EmittedOptions {
  Builds builds = Builds::all;
  EmittedCounts* counts = nullptr;
  void (*plant)(std::string& source) = nullptr;  // a fault in the emitted text, to see it found
};

// Every difference between emitted code and interpreter, and what a compiler or a sanitizer said;
// empty if all is well. All cases are one source file, compiled by each compiler once optimised and
// once with sanitizers.
//
// Kernels for a grid run in the emulation of tests/simt, once under sanitizers and once with its
// check for races; see emitted_programs.h for GPUs.
std::vector<std::string> run_emitted(std::vector<EmittedCase>, const gradc::Target& = gradc::cpp_target(),
                                     const EmittedOptions& = {});

// What a program says that is compiled from `source` (with "gradc/cuda.h") and run in the emulation: with the check
// for races or under sanitizers.
struct Said {
  int exit_code = 0;
  std::string text;
};
Said run_emulated(const std::string& source, bool check_races);

// The graph of a text as graph_to_text prints it.
gradc::Graph graph_of(const std::string& text);

// The three products of a layer as such a text: x W, then bias and rectifier; xT y; x yT. With `rectified` the first is of
// max(x, 0).
std::string products_of_layer(std::int64_t m, std::int64_t n, std::int64_t k, bool rectified = false);

}  // namespace test

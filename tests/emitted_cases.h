// emitted_cases.h: graphs lowered, compiled by both compilers under sanitizers, run, and compared with the interpreter.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "dsl/graph.h"
#include "dsl/interpret.h"

namespace test {

// A graph whose functions are all called once, each from the same values.
struct EmittedCase {
  std::string name;
  gradc::Graph graph;               // without gradient nodes
  gradc::Environment environment;   // dims and values; values that are missing are drawn
  std::int64_t positions = 2;       // drawn i32 values are 0 … positions-1
  // More sizes of the run-time dims to call the same code with, each with values of its own.
  std::vector<std::map<std::string, std::int64_t>> more_dims = {};
};

// Every difference between emitted code and interpreter, and what a compiler or a sanitizer said; empty if
// all is well. All cases are one source file, compiled once by each compiler.
std::vector<std::string> run_emitted(std::vector<EmittedCase>);

// The graph of a text as graph_to_text prints it.
gradc::Graph graph_of(const std::string& text);

}  // namespace test

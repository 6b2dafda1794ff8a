// samples.h: uses of every prelude definition, with what another library computed for them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/graph.h"
#include "dsl/interpret.h"

namespace test {

// A net or step of tests/ops/samples/<topic>.nn, or of tests/data/ops/<topic>.nn, which is written with its values, and
// its entry of tests/data/ops/<topic>.json.
struct Sample {
  std::string name;                              // "try_relu"
  gradc::Environment environment;                // inputs, parameters, cotangents
  std::map<std::string, gradc::Array> expected;  // outputs and gradients, by name
  // Of its gradients: the directions they are taken along, and the derivatives of that, by argument and cotangent.
  std::map<std::string, gradc::Array> along, second;
  std::map<std::string, std::map<std::string, gradc::Array>> others;  // who says what else, by library

  // Of an initialiser.
  struct Distribution {
    double mean = 0, std = 0;
    bool bounded = false;
    double low = 0, high = 0;
  };
  std::vector<Distribution> distribution;  // none or one

  // Of a step run several times: what parameters and states are after each run, by name, what it
  // reports, and what its evaluation reported before (if that is to be compared).
  std::vector<std::map<std::string, gradc::Array>> path;
  std::vector<double> losses, evaluated;
};

struct Topic {
  std::string name;
  gradc::Graph written;         // with gradient nodes, as the spec says it
  gradc::Graph differentiated;  // and without
  gradc::Graph simplified;      // as the compiler leaves it: simplified before and after
  std::vector<Sample> samples;
};

std::vector<std::string> topic_names();
std::string spec_of(const std::string& topic);  // its path
// Gradients of gradients: for every sample that has them the net second_of_<name>, with the derivatives of
// Σ gradient · direction as outputs.
Topic second_order(const Topic&);
// Throws what is wrong with a sample spec or a fixture.
Topic load_topic(const std::string& name);
const gradc::Function& function_of(const gradc::Graph&, std::string_view name);

}  // namespace test

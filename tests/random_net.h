// random_net.h: random nets, and what those of a spec share.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "tests/random_spec_scope.h"

namespace test {

struct RandomInput {
  SpecTensor tensor;
  std::string dtype;
};

struct RandomNet {
  std::string name, text;
  std::vector<RandomInput> inputs;
  SpecTensor y;  // the first result, but for its name; the second, z, is a number
  double z_bound = 0;
  std::set<std::string> trains;  // the nets whose parameters `minimize … over` it is about
};

// A spec as far as it is written.
struct SpecDraft {
  explicit SpecDraft(std::uint64_t seed) : scope(seed) {}

  SpecScope scope;
  std::size_t fixed = 0;     // the first of three fixed dims
  bool doubles = false;      // float inputs are f64
  int values = 0;            // how many names were given: none is given twice in a spec
  std::string declarations;  // what nets need: constants, dims, ops
  std::vector<RandomNet> nets;
};

// Of so many statements; it may call the nets there are.
RandomNet random_net(SpecDraft&, std::string name, std::int64_t statements);

}  // namespace test

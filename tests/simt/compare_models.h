// compare_models.h: what compare_models.cpp compares; who builds the program writes the definition.
#pragma once

#include <cstdint>
#include <vector>

#include "gradc/model.h"

// A network as C++ and as CUDA, and the most it is run with of every run-time dim.
struct Compared {
  const gradc::Model& cpp;
  const gradc::Model& cuda;
  std::int64_t most = INT64_MAX;
};

std::vector<Compared> networks();

// store_otherwise.h: how much of a result is the rounding of what is stored as bf16.
#pragma once

#include <vector>

#include "codegen/target.h"
#include "dsl/graph.h"

namespace test {

// Six graphs in which every tensor that such code stores as bf16 is up to 2^-8 of itself more or less at every element,
// which is as far as the nearest of 8 bits can be; otherwise in each. With loops along time it is every f32 tensor that is
// none of single numbers.
std::vector<gradc::Graph> stored_otherwise(const gradc::Graph&, const gradc::Target&);

}  // namespace test

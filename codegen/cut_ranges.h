// cut_ranges.h: loops without conditions on their variables: one for each range in which these are settled.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "codegen/loops.h"
#include "codegen/target.h"

namespace gradc {

// What names of counts are at least and at most.
using Sizes = std::map<std::string, std::pair<std::int64_t, std::int64_t>>;

// Loops whose bodies compare their variables with what does not change in them become several, one after the other,
// where each comparison comes out the same all along; and what comes out the same everywhere is not compared.
void cut_ranges(loops::Kernel&, const Sizes&);

// Those of all kernels, where vectors are wanted of loops.
void cut_ranges(loops::Module&, const Target&);

}  // namespace gradc

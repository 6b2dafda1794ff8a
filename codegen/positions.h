// positions.h: which integer inputs are used as positions in tensors, and how many positions there
// are.
#pragma once

#include <map>
#include <string>

#include "dsl/graph.h"

namespace gradc {

// function → input → limit: values must lie in 0 … limit - 1, or a read goes outside its tensor.
// Through this the driver checks data before it is used. Inputs that reach a subscript only by way
// of arithmetic are not listed; how reads of those stay inside is the spec's concern.
std::map<std::string, std::map<std::string, std::int64_t>> position_limits(const Graph&);

}  // namespace gradc

// known_zeros.h: elements of a tensor that are 0 whatever is computed, as the shares that a masked
// softmax gives.
#pragma once

#include <vector>

#include "dsl/graph.h"

namespace gradc {

// Linear forms of the node's free indices: where one of them is above 0, the element is 0, if all
// that it is computed from is finite.
std::vector<Affine> known_zeros(const Graph&, NodeId);

// The same of what is read, in the indices of the reader. Its subscripts are affine.
std::vector<Affine> known_zeros(const Graph&, NodeId, const std::vector<Affine>& subscripts);

}  // namespace gradc

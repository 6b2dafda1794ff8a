// batch_axes.h: which axis of each tensor runs over the examples of a batch.
#pragma once

#include <cstdint>
#include <vector>

#include "dsl/graph.h"

namespace gradc {

// The axis of each node of `order` that runs over the batch, where exactly one does. Axes are one
// where an index is a subscript of both, where a reshape leaves an axis what it was, and along a
// recurrence. The batch is what an input has and no parameter or state: a run-time dim before a
// fixed one, then what more inputs have, then what comes first in an input. Random numbers that
// nothing joins with an input are drawn for a batch, too, where an axis has as many elements.
// Nothing if it has fewer than `shortest` examples.
IdMap<NodeId, std::uint32_t> batch_axes(const Graph&, const std::vector<NodeId>& order,
                                        std::int64_t shortest);

}  // namespace gradc

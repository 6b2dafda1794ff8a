// reads_across.h: what a formula reads in steps, although its vectors lie along another index.
#pragma once

#include <optional>
#include <vector>

#include "codegen/target.h"
#include "dsl/graph.h"

namespace gradc {

// The index that vectors lie along in the loops of a node; none if it has none or is computed
// otherwise.
std::optional<std::uint32_t> vector_index(const Graph&, NodeId, const Target&);

// `now` is equal to the node given; its reads run along the index, where copies to that order, in
// tiles, take less than reading single elements.
struct ReadsAlong {
  NodeId now;
  std::vector<NodeId> copies;
};
ReadsAlong copy_reads_across(Graph&, NodeId, std::uint32_t index, const Isa&);
// The same formula of what such copies were made of.
ScalarId without_copies(Graph&, ScalarId body);

}  // namespace gradc

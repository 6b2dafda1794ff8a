// blocked_gradient.h: says why a minimized parameter gets no gradient.
#pragma once

#include "dsl/diagnostics.h"
#include "dsl/graph.h"

namespace gradc {

// Reports that no gradient of `loss` reaches `parameter`: what blocks it and on which path.
void report_no_gradient(const Graph&, NodeId loss, NodeId parameter, Span minimize, Diagnostics&);

}  // namespace gradc

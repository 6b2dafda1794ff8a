// stabilize.h: quotients and logarithms of sums of exponentials, made independent of a common
// shift.
#pragma once

#include "dsl/graph.h"
#include "dsl/rewrite_rules.h"

namespace gradc {

// exp(u) / Σ exp(u) and log(Σ exp(u)) with u shifted by its maximum, so that nothing overflows.
// Such a quotient does not depend on a shift of u, nor does m + log(Σ exp(u - m)); so the shift is
// detached (if `detach`: while gradients are still to be taken), exactly, and none passes through
// it.
NodeId stabilize(Graph&, NodeId, const Peek&, bool detach);

}  // namespace gradc

// transpose_read.h: the access rule of differentiation: the adjoint of reading a tensor.
#pragma once

#include "dsl/graph.h"

namespace gradc {

// One read A[φ(I, R)] in y[I] = red[R] body, and the cotangent that reaches it.
struct ReadAdjoint {
  NodeId y;            // the comprehension; its ranges are the extents of (I, R)
  ScalarId read;       // the read of A
  ScalarId cotangent;  // over (I, R)
  ScalarId dy;         // the read of y's own cotangent in it, dy[I]
};

// dA[a] = Σ over {(I, R): φ(I, R) = a} of cotangent, as a comprehension with the axes of A.
NodeId transpose_read(Graph&, const ReadAdjoint&);

// `root` with every occurrence of `from` replaced by `to`.
ScalarId replace(Graph&, ScalarId root, ScalarId from, ScalarId to);

}  // namespace gradc

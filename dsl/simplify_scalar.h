// simplify_scalar.h: the algebra of one body.
#pragma once

#include "dsl/graph.h"
#include "dsl/rewrite_rules.h"

namespace gradc {

// Where a scalar was found to be as simple as it gets.
struct Settled {
  Shape ranges;
  bool remove_detach = false;
};

// What the scalar stands in.
struct ScalarContext {
  Shape ranges;                // of the indices, for proofs about subscripts and conditions
  Peek peek;                   // see rewrite_rules.h
  bool remove_detach = false;  // after differentiation it is the identity
  // What is known, and learnt, of scalars by the callers with the same `peek`; none: nothing.
  IdMap<ScalarId, Settled>* settled = nullptr;
};

ScalarId simplify_scalar(Graph&, ScalarId, const ScalarContext&);

// The work of evaluating a body once: operations, shared ones counted once, costly functions as 8.
int cost(const Graph&, ScalarId);

// True if no costly function is evaluated in it.
bool is_cheap(const Graph&, ScalarId);

}  // namespace gradc

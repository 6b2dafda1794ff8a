// slice_time.h: recurrences as loops: their steps at one time, which is a size that the loop sets.
#pragma once

#include "dsl/graph.h"

namespace gradc {

// A function over a graph in which each recurrence node stands for memory that a loop fills, slice by slice:
//
//     operand     the slice of it that one iteration computes: a copy, over all axes but that of time
//     ranges      { time }: a dim from 0, the position of the iteration
//     stream      the axis of time
//     equations   of every result of the loop: its slice and its axis, and its past if it is read as one
//
// Pasts stay leaves: the same memory as the result of their equation. Steps no longer have an axis of time.
Function slice_time(Graph&, const Function&);


}  // namespace gradc

// folds.h: reductions in registers: how they start, take a value, and are read.
#pragma once

#include "codegen/kernel_writer.h"

namespace gradc {

bool is_position(Reduction);  // argmax, argmin: two registers
bool is_greatest(Reduction);
Fn combining(Reduction);
double neutral(Reduction);

// The registers of one reduction in progress.
struct Fold {
  NodeId node;
  loops::Expr value;     // so far
  loops::Expr position;  // of the best, argmax and argmin

  const loops::Expr& result(const Graph& g) const {
    return is_position(g[node].reduction) ? position : value;
  }
};

// With several lanes each of them is a part of the whole.
Fold start_fold(KernelWriter&, NodeId, int lanes = 1);
// Takes the value at the open indices, of which the reduction's begin at number `rank`.
void step_fold(KernelWriter&, const Fold&, std::size_t rank);
void step_lane(KernelWriter&, const Fold&, const loops::Expr& lane);
// From now on it is one register.
void join_lanes(KernelWriter&, Fold&);

}  // namespace gradc

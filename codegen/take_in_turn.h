// take_in_turn.h: large tensors that kernels hand on to one another, a part at a time.
#pragma once

#include "codegen/loops.h"
#include "codegen/target.h"

namespace gradc {

// Where kernels next to each other each go over all texts and heads, and what they hand on is too large for a cache, as
// scores of attention are, one part after another goes through all of them instead:
//
//     score(); softmax(); mixed();     each of them:  for n < 8: for h < 4: ...
//
// becomes
//
//     for n < 8:
//       for h < 4:
//         score(n, h); softmax(n, h); mixed(n, h);
//
// What no other call reads then has room for one part alone. Results are the same, bit for bit: a part's elements are
// computed by the same instructions. Each kernel has enough to do in a part for threads to share it. For targets without a
// grid; before memory is planned.
//
// [n, h, ...] is met at the part's own elements alone if a kernel's positions in it are n · S1 + h · S2 + what holds neither,
// S1 and S2 being the sizes of [h, ...] and [...], and nothing else in the kernel depends on n and h: positions are within
// the tensor for all of n and h, so what holds neither is from 0 to S2 - 1.
//
// True if there is something of that kind.
bool take_in_turn(loops::Module&, const Target&);

}  // namespace gradc

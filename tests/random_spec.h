// random_spec.h: random well-typed specs as text, the same for the same seed.
#pragma once

#include <cstdint>
#include <string>

namespace test {

// A net "f", often smaller ones that it may call, steps that minimize losses of them, and the ops and layers they use.
// Tensors are of rank 0 to 5 with odd sizes, some known at run time only; subscripts are affine, flipped, divided, padded,
// clamped, gathered; there are reductions of every kind within one another, whole tensors broadcast by their dims, pipes and
// named arguments, loops and conditions over constants, recurrences, state, detached values, gradients in losses, losses over
// different nets in a step, optimizers with states. Every value is finite and of moderate size where inputs and
// parameters lie in [-1, 1] and an integer input `at_<dim>…` in 0 … the dim's size - 1.
std::string random_spec(std::uint64_t seed);

}  // namespace test

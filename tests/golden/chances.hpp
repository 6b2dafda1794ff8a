// Do not edit: edit the spec and run gradc again.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gradc/model.h"

#if GRADC_RUNTIME_VERSION != 1
#error "this file was generated for version 1 of gradc's runtime headers: generate it again"
#endif

namespace chances {

// Sizes chosen at every call, from 1 to the bound.
constexpr std::int64_t max_B = 4;

// Everything that is learnt: 9 numbers. Tensors are row-major.
struct Parameters {
  alignas(64) float f_dense1_W[3 * 3];  // f.dense1.W: f32[3, 3]
};

// What the optimizers keep from one step to the next: 1 numbers.
struct State {
  alignas(64) std::int32_t fit_step[1];  // fit.step: i32[]
};

// Memory for intermediate values. One workspace serves every function, one call at a time; its
// contents need not be set. A thread of its own needs a workspace of its own.
struct Workspace {
  alignas(64) unsigned char data[256];
};

// Gives every parameter and state its initial value; the same seed gives the same values.
void init(Parameters& parameters, State& state, std::uint64_t seed);

// net f (chances.nn:4).
//   reads   x: f32[B, 3]
//   writes  p: f32[B, 3]
// Leaves up to 64 bytes in the workspace for its backward function.
void f_forward(const Parameters& parameters, Workspace& workspace, std::int64_t B, const float* x, float* p);

// The gradients of net f, after its forward function ran with the same workspace, dims and
// inputs: it reads what that left in the workspace. Sets the members of `gradients` the net uses.
//   reads   x: f32[B, 3], dp: f32[B, 3]
//   writes  dx: f32[B, 3]
void f_backward(const Parameters& parameters, Workspace& workspace, std::int64_t B, const float* x, const float* dp, Parameters& gradients, float* dx);

// What step fit reports.
struct fit_result {
  float loss;
};

// step fit (chances.nn:8): computes, differentiates and updates; returns what it reports.
//   reads   x: f32[B, 3], t: f32[B, 3]
fit_result fit(Parameters& parameters, State& state, Workspace& workspace, std::int64_t B, const float* x, const float* t, std::uint64_t seed);

// What step fit reports, without changing anything.
//   reads   x: f32[B, 3], t: f32[B, 3]
fit_result fit_evaluate(const Parameters& parameters, const State& state, Workspace& workspace, std::int64_t B, const float* x, const float* t);

// The tables by which the runtime's driver and checkpoints know this network.
const gradc::Model& model();

}  // namespace chances

// The same for C and whatever can call C. Parameters, state and workspace are memory of the
// caller's own, aligned to 64 bytes, of at least the sizes given here; no function keeps a pointer
// or allocates. What a step reports goes to the pointers at the end of its list, none of which may
// be null.
extern "C" {
std::size_t chances_parameters_size(void);
std::size_t chances_state_size(void);
std::size_t chances_workspace_size(void);
void chances_init(void* parameters, void* state, std::uint64_t seed);
void chances_f_forward(const void* parameters, void* workspace, std::int64_t B, const float* x, float* p);
void chances_f_backward(const void* parameters, void* workspace, std::int64_t B, const float* x, const float* dp, void* gradients, float* dx);
void chances_fit(void* parameters, void* state, void* workspace, std::int64_t B, const float* x, const float* t, std::uint64_t seed, float* loss);
void chances_fit_evaluate(const void* parameters, const void* state, void* workspace, std::int64_t B, const float* x, const float* t, float* loss);
// A `const gradc::Model*`.
const void* chances_model(void);
}

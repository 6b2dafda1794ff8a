// Do not edit: edit the spec and run gradc again.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gradc/model.h"

#if GRADC_RUNTIME_VERSION != 1
#error "this file was generated for version 1 of gradc's runtime headers: generate it again"
#endif

namespace lookup {

// Sizes chosen at every call, from 1 to the bound.
constexpr std::int64_t max_T = 8;

// Everything that is learnt: 13 numbers. Tensors are row-major.
struct Parameters {
  alignas(64) float f_words_E[5 * 2];  // f.words.E: f32[5, 2]
  alignas(64) float f_smooth_k[3];  // f.smooth.k: f32[3]
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

// net f (lookup.nn:14).
//   reads   ids: i32[T]
//   where   0 <= ids <= 4, which is not checked
//   writes  y: f32[T, 2]
// Leaves up to 128 bytes in the workspace for its backward function.
void f_forward(const Parameters& parameters, Workspace& workspace, std::int64_t T, const std::int32_t* ids, float* y);

// The gradients of net f, after its forward function ran with the same workspace, dims and
// inputs: it reads what that left in the workspace. Sets the members of `gradients` the net uses.
//   reads   ids: i32[T], dy: f32[T, 2]
//   where   0 <= ids <= 4, which is not checked
void f_backward(const Parameters& parameters, Workspace& workspace, std::int64_t T, const std::int32_t* ids, const float* dy, Parameters& gradients);

// What step fit reports.
struct fit_result {
  float loss;
};

// step fit (lookup.nn:18): computes, differentiates and updates; returns what it reports.
//   reads   ids: i32[T], t: f32[T, 2]
//   where   0 <= ids <= 4, which is not checked
fit_result fit(Parameters& parameters, State& state, Workspace& workspace, std::int64_t T, const std::int32_t* ids, const float* t, std::uint64_t seed);

// What step fit reports, without changing anything.
//   reads   ids: i32[T], t: f32[T, 2]
//   where   0 <= ids <= 4, which is not checked
fit_result fit_evaluate(const Parameters& parameters, const State& state, Workspace& workspace, std::int64_t T, const std::int32_t* ids, const float* t);

// The tables by which the runtime's driver and checkpoints know this network.
const gradc::Model& model();

}  // namespace lookup

// The same for C and whatever can call C. Parameters, state and workspace are memory of the
// caller's own, aligned to 64 bytes, of at least the sizes given here; no function keeps a pointer
// or allocates. What a step reports goes to the pointers at the end of its list, none of which may
// be null.
extern "C" {
std::size_t lookup_parameters_size(void);
std::size_t lookup_state_size(void);
std::size_t lookup_workspace_size(void);
void lookup_init(void* parameters, void* state, std::uint64_t seed);
void lookup_f_forward(const void* parameters, void* workspace, std::int64_t T, const std::int32_t* ids, float* y);
void lookup_f_backward(const void* parameters, void* workspace, std::int64_t T, const std::int32_t* ids, const float* dy, void* gradients);
void lookup_fit(void* parameters, void* state, void* workspace, std::int64_t T, const std::int32_t* ids, const float* t, std::uint64_t seed, float* loss);
void lookup_fit_evaluate(const void* parameters, const void* state, void* workspace, std::int64_t T, const std::int32_t* ids, const float* t, float* loss);
// A `const gradc::Model*`.
const void* lookup_model(void);
}

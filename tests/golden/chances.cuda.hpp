// Do not edit: edit the spec and run gradc again.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gradc/cuda.h"
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

// All of it as one piece of device memory: `gradc::OnDevice<Arena> arena(device, "name")` allocates
// it, and `arena->parameters` and so on are what the functions take. They and all pointers are
// addresses on the device; a function returns when its kernels are in the stream of `device`, which
// runs them in that order.
struct Arena {
  Parameters parameters;
  Parameters gradients;
  State state;
  Workspace workspace;
};

// Gives every parameter and state its initial value; the same seed gives the same values.
void init(gradc::Device& device, Parameters& parameters, State& state, std::uint64_t seed);

// net f (chances.nn:4).
//   reads   x: f32[B, 3]
//   writes  p: f32[B, 3]
// Leaves up to 64 bytes in the workspace for its backward function.
void f_forward(gradc::Device& device, const Parameters& parameters, Workspace& workspace, std::int64_t B, const float* x, float* p);

// The gradients of net f, after its forward function ran with the same workspace, dims and
// inputs: it reads what that left in the workspace. Sets the members of `gradients` the net uses.
//   reads   x: f32[B, 3], dp: f32[B, 3]
//   writes  dx: f32[B, 3]
void f_backward(gradc::Device& device, const Parameters& parameters, Workspace& workspace, std::int64_t B, const float* x, const float* dp, Parameters& gradients, float* dx);

// What step fit reports.
struct fit_result {
  float loss;
};

// step fit (chances.nn:8): computes, differentiates and updates; returns what it reports.
//   reads   x: f32[B, 3], t: f32[B, 3]
void fit(gradc::Device& device, Parameters& parameters, State& state, Workspace& workspace, std::int64_t B, const float* x, const float* t, std::uint64_t seed, fit_result* result);

// What step fit reports, without changing anything.
//   reads   x: f32[B, 3], t: f32[B, 3]
void fit_evaluate(gradc::Device& device, const Parameters& parameters, const State& state, Workspace& workspace, std::int64_t B, const float* x, const float* t, fit_result* result);

// The tables by which the runtime's driver and checkpoints know this network.
const gradc::Model& model();

}  // namespace chances

// The same for C and whatever can call C. What returns an int returns 0, or else the code of an
// error, which chances_error() then puts into words, for this thread: 1 a call or kernel failed, 2
// there is no device, 3 its memory is full. `device` is what chances_open gave. Parameters, state,
// workspace and tensors are memory of that device, as chances_allocate gives it; functions return
// when their kernels are in its stream. What a step reports goes to the pointers at the end of its
// list, memory of the processor, for which it waits; those that are null are left out.
extern "C" {
std::size_t chances_parameters_size(void);
std::size_t chances_state_size(void);
std::size_t chances_workspace_size(void);
const char* chances_error(void);
int chances_open(void** device);
void chances_close(void* device);
int chances_allocate(void* device, std::size_t bytes, void** memory);
void chances_release(void* device, void* memory);
int chances_upload(void* device, void* to, const void* from, std::size_t bytes);
int chances_download(void* device, void* to, const void* from, std::size_t bytes);
int chances_wait(void* device);
int chances_init(void* device, void* parameters, void* state, std::uint64_t seed);
int chances_f_forward(void* device, const void* parameters, void* workspace, std::int64_t B, const float* x, float* p);
int chances_f_backward(void* device, const void* parameters, void* workspace, std::int64_t B, const float* x, const float* dp, void* gradients, float* dx);
int chances_fit(void* device, void* parameters, void* state, void* workspace, std::int64_t B, const float* x, const float* t, std::uint64_t seed, float* loss);
int chances_fit_evaluate(void* device, const void* parameters, const void* state, void* workspace, std::int64_t B, const float* x, const float* t, float* loss);
// A `const gradc::Model*`.
const void* chances_model(void);
}

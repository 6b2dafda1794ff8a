// gradc/model.h: the table by which a program learns at run time what an emitted network holds.
//
// Emitted code fills one `gradc::Model` with constant data; the training driver, checkpoints and the C
// interface read it. Nothing here allocates. C++17, no exceptions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gradc/version.h"

namespace gradc {

enum class DType : std::int32_t { f32 = 0, f64 = 1, i32 = 2, boolean = 3 };  // 4, 8, 4, 1 bytes

constexpr std::size_t size_of(DType t) {
  return t == DType::f64 ? 8 : t == DType::boolean ? 1 : 4;
}

// A run-time dim: a size from 1 to bound given to every call that uses it.
struct Dim {
  const char* name;
  std::int64_t bound;
};

// offset + scale * (run-time dim number `dim`); dim is -1 for a fixed extent.
struct Extent {
  std::int64_t offset;
  std::int64_t scale;
  std::int32_t dim;
};

constexpr std::int32_t max_rank = 8;

// A tensor: one of Parameters or State (then `offset` is its place in that struct, and all extents are
// fixed), or an argument or result of a function (then `offset` is unused).
struct Tensor {
  const char* name;
  DType dtype;
  std::int32_t rank;
  Extent shape[max_rank];
  std::size_t offset;
  std::int64_t limit = 0;      // i32 arguments that are used as positions: values must lie in
                               // 0 … limit - 1, which the driver checks in data. 0: any value.
};

enum class FunctionKind : std::int32_t {
  forward,   // outputs of a net
  backward,  // arguments: inputs, then a cotangent of each output; results: gradient of each float input.
             // Gradients of parameters go to a second Parameters struct.
  step,      // updates parameters and state; results are the scalars it reports
  evaluate,  // the same reports, without updating anything
};

struct Team;  // gradc/team.h

// One call. Pointers are to row-major data; `dims` holds the run-time dims in the order of Model::dims.
struct Call {
  void* parameters;
  void* state;
  void* workspace;
  void* gradients;             // backward only: a Parameters struct to fill
  const std::int64_t* dims;
  const void* const* inputs;
  void* const* outputs;
  std::uint64_t seed;          // of the random numbers that are drawn
  void* device;                // a network on a device: the gradc::Device whose addresses all pointers are
  Team* team = nullptr;        // threads that may share it, if the function is `shared`
};

struct Function {
  const char* name;            // "classify", "train": as in the spec
  FunctionKind kind;
  const Tensor* inputs;
  std::int32_t input_count;
  const Tensor* outputs;
  std::int32_t output_count;
  void (*run)(const Call&);
  bool shared = false;         // it has enough work for several threads
};

struct Model;

// How a program that knows nothing of a device runs a network whose parameters, state and workspace live on it.
// Inputs and outputs of a call are the processor's memory. What returns text returns nullptr, or what went wrong.
struct Engine {
  const char* name;            // "cuda"
  bool (*open)(const Model&, void** session, char* message, std::size_t size);
  const char* (*init)(void* session, std::uint64_t seed);
  const char* (*upload)(void* session, const void* parameters, const void* state);
  const char* (*download)(void* session, void* parameters, void* state);
  const char* (*run)(void* session, const Function&, const Call&);
  void (*close)(void* session);
};

struct Model {
  const char* name;            // of the spec
  std::int32_t runtime_version;
  const char* spec_hash;       // of the specs it was generated from, hexadecimal
  const Dim* dims;
  std::int32_t dim_count;
  const Tensor* parameters;
  std::int32_t parameter_count;
  std::size_t parameters_size; // bytes; the struct is 64-byte aligned
  const Tensor* state;
  std::int32_t state_count;
  std::size_t state_size;
  std::size_t workspace_size;
  const Function* functions;
  std::int32_t function_count;
  void (*init)(void* parameters, void* state, std::uint64_t seed);  // nullptr where there is an engine
  const Engine* engine = nullptr;                      // of a network on a device
  void (*init_on_device)(const Call&) = nullptr;       // the same, for its engine
};

}  // namespace gradc

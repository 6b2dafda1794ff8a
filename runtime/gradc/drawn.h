// gradc/drawn.h: a network by itself: memory for all that its functions are called with, and inputs that are drawn. For
// whoever runs it without data of its own, to measure it or to compare two ways to compute it.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#include "gradc/memory.h"
#include "gradc/model.h"
#include "gradc/philox.h"
#include "gradc/team.h"

namespace gradc::drawn {

// Aligned memory of which every byte is `fill`.
struct Memory {
  std::size_t size;
  Bytes bytes;
  Memory(std::size_t size_in_bytes, int fill) : size(size_in_bytes), bytes(allocate((size / 64 + 1) * 64)) {
    if (!bytes) throw std::bad_alloc();
    std::memset(bytes.get(), fill, (size / 64 + 1) * 64);
  }
  unsigned char* data() { return bytes.get(); }
};

template <class T>
void put(Memory& memory, std::size_t i, T value) {
  std::memcpy(memory.data() + i * sizeof value, &value, sizeof value);
}

// Every run-time dim at its bound.
inline std::vector<std::int64_t> bounds(const Model& model) {
  std::vector<std::int64_t> dims;
  for (std::int32_t k = 0; k < model.dim_count; ++k) dims.push_back(model.dims[k].bound);
  return dims;
}

inline std::vector<std::int64_t> shape_of(const Tensor& t, const std::vector<std::int64_t>& dims) {
  std::vector<std::int64_t> shape;
  for (std::int32_t k = 0; k < t.rank; ++k) {
    const Extent& e = t.shape[k];
    shape.push_back(e.offset + (e.dim < 0 ? 0 : e.scale * dims[static_cast<std::size_t>(e.dim)]));
  }
  return shape;
}

inline std::size_t count_of(const Tensor& t, const std::vector<std::int64_t>& dims) {
  std::int64_t n = 1;
  for (const std::int64_t extent : shape_of(t, dims)) n *= extent;
  return static_cast<std::size_t>(n);
}

inline std::size_t bytes_of(const Tensor& t, const std::vector<std::int64_t>& dims) {
  return count_of(t, dims) * size_of(t.dtype);
}

// Between 0.05 and 0.95, or positions; the same `stream` gives the same.
inline Memory input(const Tensor& t, const std::vector<std::int64_t>& dims, std::uint32_t stream) {
  Memory memory(bytes_of(t, dims), 0);
  for (std::size_t i = 0; i < count_of(t, dims); ++i) {
    const float u = random_uniform(1, 0, stream, i), x = 0.05f + 0.9f * u;
    switch (t.dtype) {
      case DType::f32: put(memory, i, x); break;
      case DType::f64: put(memory, i, static_cast<double>(x)); break;
      case DType::i32: put(memory, i, static_cast<std::int32_t>(u * static_cast<float>(t.limit > 0 ? t.limit : 2))); break;
      case DType::boolean: put(memory, i, static_cast<unsigned char>(u < 0.5f)); break;
    }
  }
  return memory;
}

// What a function is called with, but for its inputs and outputs.
struct Held {
  Memory parameters, state, gradients, workspace;
  explicit Held(const Model& model)
      : parameters(model.parameters_size, 0), state(model.state_size, 0), gradients(model.parameters_size, 0),
        workspace(model.workspace_size, 0xff) {}  // NaN
  Call call(const std::vector<std::int64_t>& dims, std::vector<Memory>& in, std::vector<Memory>& out,
            std::vector<const void*>& inputs, std::vector<void*>& outputs, Team* team) {
    inputs.clear(), outputs.clear();
    for (Memory& memory : in) inputs.push_back(memory.data());
    for (Memory& memory : out) outputs.push_back(memory.data());
    Call call = {};
    call.parameters = parameters.data();
    call.state = state.data();
    call.workspace = workspace.data();
    call.gradients = gradients.data();
    call.dims = dims.data();
    call.inputs = inputs.data();
    call.outputs = outputs.data();
    call.seed = 5;
    call.team = team;
    return call;
  }
};

// Seconds that a call of the function takes by one thread with every dim at its bound: the best of several.
inline double seconds_of(const Model& model, const Function& function) {
  using Clock = std::chrono::steady_clock;
  const std::vector<std::int64_t> dims = bounds(model);
  Held held(model);
  model.init(held.parameters.data(), held.state.data(), 7);
  std::vector<Memory> in, out;
  for (std::int32_t k = 0; k < function.input_count; ++k)
    in.push_back(input(function.inputs[k], dims, static_cast<std::uint32_t>(k)));
  for (std::int32_t k = 0; k < function.output_count; ++k) out.emplace_back(bytes_of(function.outputs[k], dims), 0);
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  const Call call = held.call(dims, in, out, inputs, outputs, nullptr);
  const auto run = [&](std::int64_t calls) {
    const auto begin = Clock::now();
    for (std::int64_t k = 0; k < calls; ++k) function.run(call);
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  std::int64_t calls = 1;
  while (run(calls) < 0.01) calls *= 2;
  double best = run(calls);
  for (int k = 0; k < 4; ++k) {
    const double taken = run(calls);
    if (taken < best) best = taken;
  }
  return best / static_cast<double>(calls);
}

// Of all its steps together; of a network without steps, of what its nets compute forwards.
inline double seconds_of(const Model& model) {
  FunctionKind kind = FunctionKind::forward;
  for (std::int32_t f = 0; f < model.function_count; ++f)
    if (model.functions[f].kind == FunctionKind::step) kind = FunctionKind::step;
  double seconds = 0;
  for (std::int32_t f = 0; f < model.function_count; ++f)
    if (model.functions[f].kind == kind) seconds += seconds_of(model, model.functions[f]);
  return seconds;
}

}  // namespace gradc::drawn

// record_model.h: all that an emitted network computes from its start on, as bytes, for programs that compare two ways
// to compute it.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "gradc/model.h"
#include "gradc/philox.h"
#include "gradc/team.h"

using Bytes = std::vector<unsigned char>;

struct alignas(64) Line {
  unsigned char bytes[64];
};

// Aligned memory of which every byte is `fill`.
struct Memory {
  std::size_t size;
  std::vector<Line> lines;
  Memory(std::size_t bytes, int fill) : size(bytes), lines(bytes / 64 + 1) {
    std::memset(static_cast<void*>(lines.data()), fill, lines.size() * 64);
  }
  unsigned char* data() { return lines[0].bytes; }
};

inline std::size_t bytes_of(const gradc::Tensor& t, const std::vector<std::int64_t>& dims) {
  std::int64_t n = 1;
  for (std::int32_t k = 0; k < t.rank; ++k) {
    const gradc::Extent& e = t.shape[k];
    n *= e.offset + (e.dim < 0 ? 0 : e.scale * dims[static_cast<std::size_t>(e.dim)]);
  }
  return static_cast<std::size_t>(n) * gradc::size_of(t.dtype);
}

template <class T>
void put(Memory& memory, std::size_t i, T value) {
  std::memcpy(memory.data() + i * sizeof value, &value, sizeof value);
}

// Between 0.05 and 0.95, or positions.
inline Memory input(const gradc::Tensor& t, std::size_t bytes, std::uint32_t stream) {
  Memory memory(bytes, 0);
  for (std::size_t i = 0; i < bytes / gradc::size_of(t.dtype); ++i) {
    const float u = gradc::random_uniform(1, 0, stream, i), x = 0.05f + 0.9f * u;
    switch (t.dtype) {
      case gradc::DType::f32: put(memory, i, x); break;
      case gradc::DType::f64: put(memory, i, static_cast<double>(x)); break;
      case gradc::DType::i32:
        put(memory, i, static_cast<std::int32_t>(u * static_cast<float>(t.limit > 0 ? t.limit : 2)));
        break;
      case gradc::DType::boolean: put(memory, i, static_cast<unsigned char>(u < 0.5f)); break;
    }
  }
  return memory;
}

// What a function is called with, but for its inputs and outputs.
struct Held {
  Memory parameters, state, gradients, workspace;
  explicit Held(const gradc::Model& model)
      : parameters(model.parameters_size, 0), state(model.state_size, 0), gradients(model.parameters_size, 0),
        workspace(model.workspace_size, 0xff) {}  // NaN
  gradc::Call call(const std::vector<std::int64_t>& dims, std::vector<Memory>& in, std::vector<Memory>& out,
                   std::vector<const void*>& inputs, std::vector<void*>& outputs, gradc::Team* team) {
    inputs.clear(), outputs.clear();
    for (Memory& memory : in) inputs.push_back(memory.data());
    for (Memory& memory : out) outputs.push_back(memory.data());
    gradc::Call call = {};
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

// All that the network computes from its start on, function after function.
inline Bytes record(const gradc::Model& model, const std::vector<std::int64_t>& dims, gradc::Team* team) {
  Held held(model);
  Bytes all;
  const auto keep = [&](Memory& memory) { all.insert(all.end(), memory.data(), memory.data() + memory.size); };
  model.init(held.parameters.data(), held.state.data(), 7);
  std::vector<Memory> in;
  for (std::int32_t f = 0; f < model.function_count; ++f) {
    const gradc::Function& function = model.functions[f];
    // A backward function follows its forward one: on the same inputs, and gradients of its outputs.
    const std::size_t same = function.kind == gradc::FunctionKind::backward ? in.size() : 0;
    if (same == 0) in.clear();
    for (std::size_t k = same; k < static_cast<std::size_t>(function.input_count); ++k)
      in.push_back(input(function.inputs[k], bytes_of(function.inputs[k], dims), static_cast<std::uint32_t>(k)));
    std::vector<Memory> out;
    for (std::int32_t k = 0; k < function.output_count; ++k) out.emplace_back(bytes_of(function.outputs[k], dims), 0);
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
    const gradc::Call call = held.call(dims, in, out, inputs, outputs, team);
    for (int k = 0; k < (function.kind == gradc::FunctionKind::step ? 2 : 1); ++k) {
      function.run(call);
      for (Memory& memory : out) keep(memory);
    }
    for (Memory* memory : {&held.parameters, &held.state, &held.gradients}) keep(*memory);
  }
  return all;
}

// record_model.h: all that an emitted network computes from its start on, as bytes, for programs that compare two ways
// to compute it.
#pragma once

#include <cstdint>
#include <vector>

#include "gradc/drawn.h"
#include "gradc/model.h"
#include "gradc/team.h"

using gradc::drawn::bytes_of;
using gradc::drawn::Held;
using gradc::drawn::input;
using gradc::drawn::Memory;

using Bytes = std::vector<unsigned char>;

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
      in.push_back(input(function.inputs[k], dims, static_cast<std::uint32_t>(k)));
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

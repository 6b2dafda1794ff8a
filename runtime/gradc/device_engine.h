// gradc/device_engine.h: a network on a device, run by a program that knows nothing of it: the engine of a
// gradc::Model. Parameters, state and workspace stay on the device; inputs and results are copied at every call.
//
// Included after the header of a target, whose gradc::Device it uses.
#pragma once

#include <algorithm>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "gradc/model.h"

namespace gradc {
namespace engine_detail {

constexpr std::size_t alignment = 256;
constexpr std::size_t rounded(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

// With every dim at its bound if `dims` is null.
inline std::size_t bytes_of(const Model& model, const Tensor& tensor, const std::int64_t* dims) {
  std::size_t bytes = size_of(tensor.dtype);
  for (std::int32_t k = 0; k < tensor.rank; ++k) {
    const Extent& e = tensor.shape[k];
    const std::int64_t size = e.dim < 0 ? 0 : dims != nullptr ? dims[e.dim] : model.dims[e.dim].bound;
    bytes *= static_cast<std::size_t>(e.offset + e.scale * size);
  }
  return bytes;
}

// One arena: parameters, state, workspace, gradients, and what a call takes and gives.
class DeviceSession {
 public:
  explicit DeviceSession(const Model& model) : model_(model) {
    bool backward = false;
    std::size_t staged = 0;
    for (std::int32_t f = 0; f < model.function_count; ++f) {
      const Function& function = model.functions[f];
      backward = backward || function.kind == FunctionKind::backward;
      std::size_t bytes = 0;
      for (std::int32_t k = 0; k < function.input_count; ++k)
        bytes += rounded(bytes_of(model, function.inputs[k], nullptr));
      for (std::int32_t k = 0; k < function.output_count; ++k)
        bytes += rounded(bytes_of(model, function.outputs[k], nullptr));
      staged = std::max(staged, bytes);
    }
    state_ = rounded(model.parameters_size);
    workspace_ = state_ + rounded(model.state_size);
    gradients_ = workspace_ + rounded(model.workspace_size);
    staging_ = gradients_ + (backward ? rounded(model.parameters_size) : 0);
    const std::string planned = std::string("the network ") + model.name + " (parameters " +
                                std::to_string(state_) + ", state " + std::to_string(workspace_ - state_) +
                                ", workspace " + std::to_string(gradients_ - workspace_) + ", gradients " +
                                std::to_string(staging_ - gradients_) + ", inputs and outputs " +
                                std::to_string(staged) + ")";
    arena_ = static_cast<unsigned char*>(device_.allocate(staging_ + staged, planned.c_str()));
    device_.fill(arena_, 0, staging_);
  }
  ~DeviceSession() { device_.release(arena_); }
  DeviceSession(const DeviceSession&) = delete;
  DeviceSession& operator=(const DeviceSession&) = delete;

  void init(std::uint64_t seed) {
    Call call = {};
    fill_in(call);
    call.seed = seed;
    model_.init_on_device(call);
    device_.synchronize();
  }
  void upload(const void* parameters, const void* state) {
    device_.copy(arena_, parameters, model_.parameters_size);
    device_.copy(arena_ + state_, state, model_.state_size);
    device_.synchronize();
  }
  void download(void* parameters, void* state) {
    device_.copy(parameters, arena_, model_.parameters_size);
    device_.copy(state, arena_ + state_, model_.state_size);
    device_.synchronize();
  }
  void run(const Function& function, const Call& host) {
    Call call = {};
    fill_in(call);
    call.dims = host.dims;
    call.seed = host.seed;
    unsigned char* next = arena_ + staging_;
    const auto take = [&](const Tensor& tensor) {
      unsigned char* const place = next;
      next += rounded(bytes_of(model_, tensor, host.dims));
      return place;
    };
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
    for (std::int32_t k = 0; k < function.input_count; ++k) {
      unsigned char* const place = take(function.inputs[k]);
      device_.copy(place, host.inputs[k], bytes_of(model_, function.inputs[k], host.dims));
      inputs.push_back(place);
    }
    for (std::int32_t k = 0; k < function.output_count; ++k) outputs.push_back(take(function.outputs[k]));
    call.inputs = inputs.data();
    call.outputs = outputs.data();
    function.run(call);
    for (std::int32_t k = 0; k < function.output_count; ++k) {
      device_.copy(host.outputs[k], outputs[static_cast<std::size_t>(k)],
                   bytes_of(model_, function.outputs[k], host.dims));
    }
    device_.synchronize();
  }

  std::string message;  // of the last failure

 private:
  void fill_in(Call& call) {
    call.device = &device_;
    call.parameters = arena_;
    call.state = arena_ + state_;
    call.workspace = arena_ + workspace_;
    call.gradients = arena_ + gradients_;
  }

  const Model& model_;
  Device device_;
  unsigned char* arena_ = nullptr;
  std::size_t state_ = 0, workspace_ = 0, gradients_ = 0, staging_ = 0;
};

// Runs `what`; nullptr, or what went wrong.
template <class What>
const char* attempt(void* session, What what) {
  auto* const self = static_cast<DeviceSession*>(session);
  try {
    what(*self);
    return nullptr;
  } catch (const std::exception& error) {
    self->message = error.what();
    return self->message.c_str();
  }
}

}  // namespace engine_detail

inline const Engine device_engine = {
    Device::target,
    [](const Model& model, void** session, char* message, std::size_t size) {
      try {
        *session = new engine_detail::DeviceSession(model);
        return true;
      } catch (const std::exception& error) {
        const std::string text = error.what();
        const std::size_t length = std::min(text.size(), size - 1);
        text.copy(message, length);
        message[length] = '\0';
        return false;
      }
    },
    [](void* session, std::uint64_t seed) {
      return engine_detail::attempt(session, [&](engine_detail::DeviceSession& s) { s.init(seed); });
    },
    [](void* session, const void* parameters, const void* state) {
      return engine_detail::attempt(session, [&](engine_detail::DeviceSession& s) { s.upload(parameters, state); });
    },
    [](void* session, void* parameters, void* state) {
      return engine_detail::attempt(session, [&](engine_detail::DeviceSession& s) { s.download(parameters, state); });
    },
    [](void* session, const Function& function, const Call& call) {
      return engine_detail::attempt(session, [&](engine_detail::DeviceSession& s) { s.run(function, call); });
    },
    [](void* session) { delete static_cast<engine_detail::DeviceSession*>(session); },
};

}  // namespace gradc

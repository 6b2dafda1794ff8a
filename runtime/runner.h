// runner.h: where a network runs: in the driver's own memory, or by way of its engine on a device.
#pragma once

#include <memory>

#include "gradc/model.h"
#include "gradc/threads.h"
#include "runtime/buffer.h"

namespace gradc::driver {

// Without an engine these call the model's functions, and there is nothing to transfer.
class Runner {
 public:
  // Fails where the engine finds no device. `threads`: that share functions with enough work, 0 for as many as there
  // are processors.
  explicit Runner(const Model&, std::int64_t threads = 1);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Gives parameters and state their initial values, here and on the device.
  void init(Buffer& parameters, Buffer& state, std::uint64_t seed);
  void to_device(const Buffer& parameters, const Buffer& state);
  void from_device(Buffer& parameters, Buffer& state);
  void run(const Function&, const Call&);

 private:
  const Model& model_;
  void* session_ = nullptr;
  std::unique_ptr<Threads> threads_;  // none if no function has enough work
};

}  // namespace gradc::driver

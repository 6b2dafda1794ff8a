// runner.cpp: see runner.h.
#include "runtime/runner.h"

#include <algorithm>
#include <system_error>

#include "runtime/failure.h"

namespace gradc::driver {
namespace {

void check(const char* problem) {
  if (problem != nullptr) fail(Exit::input_output, "{}", problem);
}

}  // namespace

Runner::Runner(const Model& model, std::int64_t threads) : model_(model) {
  const bool shared = std::any_of(model.functions, model.functions + model.function_count,
                                  [](const Function& function) { return function.shared; });
  if (shared && threads != 1) {
    try {
      threads_ = std::make_unique<Threads>(static_cast<int>(threads));
    } catch (const std::system_error& error) {
      fail(Exit::input_output, "cannot start {} threads: {}", threads, error.what());
    }
  }
  char message[1000] = "";
  if (model.engine != nullptr && !model.engine->open(model, &session_, message, sizeof message))
    fail(Exit::input_output, "{}", message);
}

Runner::~Runner() {
  if (session_ != nullptr) model_.engine->close(session_);
}

void Runner::init(Buffer& parameters, Buffer& state, std::uint64_t seed) {
  if (session_ == nullptr) return model_.init(parameters.data(), state.data(), seed);
  check(model_.engine->init(session_, seed));
  from_device(parameters, state);
}

void Runner::to_device(const Buffer& parameters, const Buffer& state) {
  if (session_ != nullptr) check(model_.engine->upload(session_, parameters.data(), state.data()));
}

void Runner::from_device(Buffer& parameters, Buffer& state) {
  if (session_ != nullptr) check(model_.engine->download(session_, parameters.data(), state.data()));
}

void Runner::run(const Function& function, const Call& call) {
  if (session_ == nullptr) {
    Call here = call;
    here.team = threads_ ? threads_->team() : nullptr;
    return function.run(here);
  }
  check(model_.engine->run(session_, function, call));
}

}  // namespace gradc::driver

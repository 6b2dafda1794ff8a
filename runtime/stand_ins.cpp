// stand_ins.cpp: see stand_ins.h.
#include "runtime/stand_ins.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace gradc::driver {
namespace {

const Tensor& tensor_named(const Tensor* tensors, std::int32_t count, const std::string& name) {
  const Tensor* const found =
      std::find_if(tensors, tensors + count, [&](const Tensor& t) { return name == t.name; });
  if (found == tensors + count)
    fail(Exit::internal, "the program names '{}', which the model does not have", name);
  return *found;
}

unsigned char* bytes(Buffer& buffer, const Tensor& tensor) {
  return buffer.data() + tensor.offset;
}

}  // namespace

StandIns::StandIns(Session& session, const Action& action)
    : session_(session),
      parameters_(action.with_count > 0 ? session.model.parameters_size : 0, "the parameters") {
  if (action.with_count == 0) return;
  const Model& model = session.model;
  session.runner.from_device(session.parameters, session.state);
  std::memcpy(parameters_.data(), session.parameters.data(), model.parameters_size);
  for (std::int32_t i = 0; i < action.with_count; ++i) {
    const std::string state = action.with[2 * i + 1];
    const std::string step = state.substr(0, state.find('.'));
    const Tensor& from = tensor_named(model.state, model.state_count, state);
    const Tensor& to = tensor_named(model.parameters, model.parameter_count, action.with[2 * i]);
    std::int32_t runs = 0;
    std::memcpy(&runs, bytes(session.state, tensor_named(model.state, model.state_count, step + ".step")),
                sizeof runs);
    if (runs == 0)
      refuse("'{}' stands in for '{}', but step '{}' has not run yet, so there is none", state, to.name, step);
    std::memcpy(bytes(session.parameters, to), bytes(session.state, from),
                static_cast<std::size_t>(element_count(to, {})) * size_of(to.dtype));
  }
  session.runner.to_device(session.parameters, session.state);
}

std::string stand_ins_text(const Action& action) {
  if (action.with_count == 0) return "";
  const std::string state = action.with[1];
  return " with " + state.substr(state.rfind('.') + 1);
}

StandIns::~StandIns() {
  if (parameters_.size() == 0) return;
  std::memcpy(session_.parameters.data(), parameters_.data(), session_.model.parameters_size);
  session_.runner.to_device(session_.parameters, session_.state);
}

}  // namespace gradc::driver

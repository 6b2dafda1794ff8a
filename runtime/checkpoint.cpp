// checkpoint.cpp: what a model holds against what a file holds.
#include "runtime/checkpoint.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>

#include "runtime/dataset.h"
#include "runtime/failure.h"
#include "runtime/safetensors.h"

namespace gradc::driver {
namespace {

constexpr char format_version[] = "1";
constexpr char state_prefix[] = "state/";

const char* dtype_name(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "F32";
    case DType::f64:
      return "F64";
    case DType::i32:
      return "I32";
    case DType::boolean:
      return "U8";
  }
  return "U8";
}

// One tensor of the model under its name in files.
struct Slot {
  const Tensor* tensor;
  unsigned char* data;
  bool is_state;
};

std::map<std::string, Slot> slots_of(const Model& model, void* parameters, void* state) {
  std::map<std::string, Slot> slots;
  const auto add = [&](const Tensor& tensor, std::string name, void* base, bool is_state) {
    if (!slots
             .emplace(name,
                      Slot{&tensor, static_cast<unsigned char*>(base) + tensor.offset, is_state})
             .second)
      fail(Exit::internal, "two tensors are named '{}'", name);
  };
  for (std::int32_t i = 0; i < model.parameter_count; ++i)
    add(model.parameters[i], model.parameters[i].name, parameters, false);
  for (std::int32_t i = 0; i < model.state_count; ++i)
    add(model.state[i], std::string(state_prefix) + model.state[i].name, state, true);
  return slots;
}

std::size_t bytes_of(const Tensor& tensor) {
  return static_cast<std::size_t>(element_count(tensor, {})) * size_of(tensor.dtype);
}

template <class Number>
Number number(const std::string& path, const std::map<std::string, std::string>& metadata,
              const char* key, Number least = 0) {
  const auto found = metadata.find(key);
  if (found == metadata.end())
    refuse(
        "{}: holds no place in training (metadata '{}' is missing), so it cannot be resumed from",
        path, key);
  Number value = 0;
  const std::string& text = found->second;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size() || value < least ||
      text.empty())
    refuse("{}: metadata '{}' is not a number in range", path, key);
  return value;
}

std::vector<double> parse_sums(const std::string& path,
                               const std::map<std::string, std::string>& metadata) {
  std::vector<double> sums;
  const auto found = metadata.find("gradc.sums");
  const std::string text = found == metadata.end() ? "" : found->second;
  for (std::size_t at = 0; at < text.size();) {
    // The bits of each, since sums may be infinite or NaN.
    std::uint64_t bits = 0;
    const auto result = std::from_chars(text.data() + at, text.data() + text.size(), bits, 16);
    if (result.ec != std::errc() || sums.size() >= 4096)
      refuse("{}: metadata 'gradc.sums' is malformed", path);
    double value;
    std::memcpy(&value, &bits, sizeof value);
    sums.push_back(value);
    at = static_cast<std::size_t>(result.ptr - text.data());
    if (at < text.size() && text[at++] != ' ')
      refuse("{}: metadata 'gradc.sums' is malformed", path);
  }
  return sums;
}

void check_fits(const std::string& path, const Model& model, const SafetensorsHeader& header,
                const std::map<std::string, Slot>& slots, Purpose purpose) {
  std::map<std::string, const StoredTensor*> stored;
  for (const StoredTensor& tensor : header.tensors) stored[tensor.name] = &tensor;
  for (const auto& [name, slot] : slots) {
    const auto found = stored.find(name);
    if (found == stored.end()) {
      if (slot.is_state && purpose == Purpose::use) continue;
      refuse("{}: tensor '{}' {} is missing", path, name, shape_text(model, *slot.tensor));
    }
    const StoredTensor& tensor = *found->second;
    if (tensor.shape != shape_at(*slot.tensor, {}))
      refuse("{}: tensor '{}' is {} in the file, but {} in the spec", path, name,
             shape_text(tensor.shape), shape_text(model, *slot.tensor));
    const bool both_bool = slot.tensor->dtype == DType::boolean && tensor.dtype == "BOOL";
    if (tensor.dtype != dtype_name(slot.tensor->dtype) && !both_bool)
      refuse("{}: tensor '{}' {} is of type {} in the file, but {} in the spec", path, name,
             shape_text(tensor.shape), tensor.dtype, dtype_name(slot.tensor->dtype));
  }
  for (const StoredTensor& tensor : header.tensors)
    if (!slots.count(tensor.name)) {
      std::string name;
      for (const char c : tensor.name.substr(0, 200))
        name += static_cast<unsigned char>(c) < ' ' || c == 127 ? '?' : c;
      refuse("{}: tensor '{}' {} is not in the spec", path, name, shape_text(tensor.shape));
    }
}

}  // namespace

void save_checkpoint(const std::string& path, const Model& model, const void* parameters,
                     const void* state, const Position& position) {
  std::vector<TensorToStore> tensors;
  const auto add = [&](const Tensor& tensor, std::string name, const void* base) {
    tensors.push_back({std::move(name), dtype_name(tensor.dtype), shape_at(tensor, {}),
                       static_cast<const unsigned char*>(base) + tensor.offset, bytes_of(tensor)});
  };
  for (std::int32_t i = 0; i < model.parameter_count; ++i)
    add(model.parameters[i], model.parameters[i].name, parameters);
  for (std::int32_t i = 0; i < model.state_count; ++i)
    add(model.state[i], std::string(state_prefix) + model.state[i].name, state);
  std::string sums;
  for (const double sum : position.sums) {
    std::uint64_t bits;
    std::memcpy(&bits, &sum, sizeof bits);
    sums += fmt::format("{}{:016x}", sums.empty() ? "" : " ", bits);
  }
  write_safetensors(path, std::move(tensors),
                    {{"gradc.format", format_version},
                     {"gradc.model", model.name},
                     {"gradc.spec_hash", model.spec_hash},
                     {"gradc.action", fmt::format("{}", position.action)},
                     {"gradc.epoch", fmt::format("{}", position.epoch)},
                     {"gradc.step", fmt::format("{}", position.step)},
                     {"gradc.seed", fmt::format("{}", position.seed)},
                     {"gradc.batch", fmt::format("{}", position.batch)},
                     {"gradc.rows", fmt::format("{}", position.rows)},
                     {"gradc.epochs_option", fmt::format("{}", position.epochs_option)},
                     {"gradc.batch_option", fmt::format("{}", position.batch_option)},
                     {"gradc.examples", fmt::format("{}", position.examples)},
                     {"gradc.sums", sums}});
}

Position load_checkpoint(const std::string& path, const Model& model, void* parameters, void* state,
                         Purpose purpose, std::string& warning) {
  SafetensorsReader reader(path);
  const std::map<std::string, std::string>& metadata = reader.header().metadata;
  const std::map<std::string, Slot> slots = slots_of(model, parameters, state);

  if (const auto version = metadata.find("gradc.format");
      version != metadata.end() && version->second != format_version)
    refuse("{}: made by another version of gradc (format {}, not {})", path, version->second,
           format_version);
  check_fits(path, model, reader.header(), slots, purpose);
  const auto hash = metadata.find("gradc.spec_hash");
  if (hash == metadata.end() || hash->second != model.spec_hash) {
    if (purpose == Purpose::resume)
      refuse("{}: made from another version of the spec, so training cannot be resumed bit for bit",
             path);
    warning = fmt::format("{}: made from another version of the spec; its tensors fit", path);
  }
  Position position;
  if (purpose == Purpose::resume) {
    position.action = number<std::int64_t>(path, metadata, "gradc.action");
    position.epoch = number<std::int64_t>(path, metadata, "gradc.epoch");
    position.step = number<std::int64_t>(path, metadata, "gradc.step");
    position.seed = number<std::uint64_t>(path, metadata, "gradc.seed");
    position.batch = number<std::int64_t>(path, metadata, "gradc.batch");
    position.rows = number<std::int64_t>(path, metadata, "gradc.rows");
    position.epochs_option = number<std::int64_t>(path, metadata, "gradc.epochs_option", -1);
    position.batch_option = number<std::int64_t>(path, metadata, "gradc.batch_option");
    position.examples = number<std::int64_t>(path, metadata, "gradc.examples");
    position.sums = parse_sums(path, metadata);
  }
  for (const StoredTensor& tensor : reader.header().tensors) {
    const Slot& slot = slots.at(tensor.name);
    const std::size_t bytes = static_cast<std::size_t>(tensor.end - tensor.begin);
    reader.read(slot.data, bytes);
    if (slot.tensor->dtype == DType::boolean)
      for (std::size_t i = 0; i < bytes; ++i)
        if (slot.data[i] > 1)
          refuse("{}: tensor '{}' holds a bool that is neither 0 nor 1", path, tensor.name);
  }
  reader.finish();
  return position;
}

}  // namespace gradc::driver

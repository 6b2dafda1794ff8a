// partial_load.cpp: which tensor of a file becomes which parameter, and why not.
#include "runtime/partial_load.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "runtime/dataset.h"
#include "runtime/failure.h"
#include "runtime/safetensors.h"

namespace gradc::driver {
namespace {

bool is_under(const std::string& name, const std::string& path) {
  return name == path || name.compare(0, path.size() + 1, path + ".") == 0;
}

const char* type_of(DType dtype) { return dtype == DType::f64 ? "F64" : "F32"; }

// Names from files are shown without control characters, and not endlessly.
std::string shown(const std::string& name) {
  std::string text;
  for (const char c : name.substr(0, 200))
    text += static_cast<unsigned char>(c) < ' ' || c == 127 ? '?' : c;
  return text;
}

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t most = 6;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < most; ++i)
    text += (i == 0 ? "" : ", ") + shown(names[i]);
  if (names.size() > most) text += fmt::format(" and {} more", names.size() - most);
  return text;
}

// The name in the spec of a tensor of the file; empty where no mapping takes it.
std::string target_of(const std::string& name, const std::vector<Mapping>& mappings) {
  if (mappings.empty()) return name;
  for (const Mapping& m : mappings)
    if (is_under(name, m.from)) return m.to + name.substr(m.from.size());
  return "";
}

using Parameters = std::map<std::string, const Tensor*>;

// The parameter that each tensor of the file becomes, or none. Refuses what does not fit.
std::vector<const Tensor*> matched(const std::string& path, const Model& model,
                                   const std::vector<StoredTensor>& stored,
                                   const Parameters& parameters,
                                   const std::vector<Mapping>& mappings) {
  std::map<std::string, std::string> source;  // by parameter
  std::vector<const Tensor*> targets;
  for (const StoredTensor& tensor : stored) {
    const std::string name = target_of(tensor.name, mappings);
    const auto found = parameters.find(name);
    targets.push_back(found == parameters.end() ? nullptr : found->second);
    if (found == parameters.end()) {
      if (!name.empty() && !mappings.empty())
        refuse("{}: tensor '{}' {} would become '{}', which the spec does not have", path,
               shown(tensor.name), shape_text(tensor.shape), shown(name));
      continue;
    }
    const Tensor& parameter = *found->second;
    if (tensor.shape != shape_at(parameter, {}))
      refuse("{}: tensor '{}' is {} in the file, but '{}' is {} in the spec", path,
             shown(tensor.name), shape_text(tensor.shape), name, shape_text(model, parameter));
    if (tensor.dtype != type_of(parameter.dtype))
      refuse("{}: tensor '{}' {} is of type {} in the file, but '{}' is {} in the spec", path,
             shown(tensor.name), shape_text(tensor.shape), tensor.dtype, name,
             type_of(parameter.dtype));
    if (const auto [first, fresh] = source.emplace(name, tensor.name); !fresh)
      refuse("{}: tensors '{}' and '{}' would both become '{}'", path, shown(first->second),
             shown(tensor.name), name);
  }
  for (const Mapping& m : mappings) {
    const bool any = std::any_of(stored.begin(), stored.end(), [&](const StoredTensor& tensor) {
      return is_under(tensor.name, m.from);
    });
    if (!any) refuse("{}: holds nothing under '{}'", path, m.from);
    for (const auto& [name, tensor] : parameters)
      if (is_under(name, m.to) && source.count(name) == 0)
        refuse("{}: holds nothing under '{}' for '{}' {}", path, m.from, name,
               shape_text(model, *tensor));
  }
  if (source.empty()) refuse("{}: holds no parameter of the spec", path);
  return targets;
}

}  // namespace

PartialLoad load_parts(const std::string& path, const Model& model, void* parameters,
                       const std::vector<Mapping>& mappings) {
  Parameters by_name;
  for (std::int32_t i = 0; i < model.parameter_count; ++i)
    by_name[model.parameters[i].name] = &model.parameters[i];
  SafetensorsReader reader(path);
  const std::vector<StoredTensor>& stored = reader.header().tensors;
  const std::vector<const Tensor*> targets = matched(path, model, stored, by_name, mappings);

  PartialLoad result;
  std::vector<std::vector<unsigned char>> contents(stored.size());
  for (std::size_t i = 0; i < stored.size(); ++i) {
    std::uint64_t left = stored[i].end - stored[i].begin;
    if (targets[i] != nullptr) {
      contents[i].resize(left);
      reader.read(contents[i].data(), left);
      result.loaded.push_back(targets[i]->name);
      continue;
    }
    unsigned char skipped[4096];
    for (; left > 0; left -= std::min<std::uint64_t>(left, sizeof skipped))
      reader.read(skipped, std::min<std::uint64_t>(left, sizeof skipped));
    result.unused.push_back(stored[i].name);
  }
  reader.finish();
  // Nothing can fail from here on.
  for (std::size_t i = 0; i < stored.size(); ++i)
    if (targets[i] != nullptr)
      std::memcpy(static_cast<unsigned char*>(parameters) + targets[i]->offset, contents[i].data(),
                  contents[i].size());
  for (const auto& [name, tensor] : by_name)
    if (std::find(result.loaded.begin(), result.loaded.end(), name) == result.loaded.end())
      result.kept.push_back(name);
  std::sort(result.loaded.begin(), result.loaded.end());
  std::sort(result.unused.begin(), result.unused.end());
  return result;
}

std::string load_text(const std::string& path, const std::vector<Mapping>& mappings,
                      const PartialLoad& load) {
  std::string how;
  for (const Mapping& m : mappings)
    how += fmt::format("{}{} -> {}", how.empty() ? " with " : ", ", m.from, m.to);
  std::string text = fmt::format("loaded {}{}: {}", path, how, listed(load.loaded));
  if (!load.unused.empty()) text += fmt::format("; not used of the file: {}", listed(load.unused));
  if (!load.kept.empty()) text += fmt::format("; as they were: {}", listed(load.kept));
  return text;
}

}  // namespace gradc::driver

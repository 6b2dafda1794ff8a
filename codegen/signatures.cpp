// signatures.cpp: see signatures.h.
#include "codegen/signatures.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "codegen/loops_to_text.h"
#include "codegen/names.h"
#include "dsl/check.h"

namespace gradc {
namespace {

SignatureArgument structure(Role role, bool constant, const char* type, const char* name) {
  const char* qualifier = constant ? "const " : "";
  return {
      role, fmt::format("{}{}&", qualifier, type), fmt::format("{}void*", qualifier), name, name,
      0};
}

SignatureArgument tensor(const loops::Module& module, Role role, std::uint32_t number) {
  const loops::Buffer& buffer = module.buffers[number];
  const char* qualifier = role == Role::input ? "const " : "";
  const std::string type = fmt::format("{}{}*", qualifier, element_type(buffer.type.dtype));
  return {role, type, type, buffer.name, buffer.name, number};
}

const char* suffix(loops::Entry entry) {
  switch (entry) {
    case loops::Entry::forward:
      return "_forward";
    case loops::Entry::backward:
      return "_backward";
    case loops::Entry::evaluate:
      return "_evaluate";
    case loops::Entry::init:
    case loops::Entry::step:
      return "";
  }
  GRADC_UNREACHABLE("an entry has a suffix");
}

}  // namespace

bool any_shared(const loops::Module& module) {
  return std::any_of(module.functions.begin(), module.functions.end(),
                     [](const loops::Function& function) { return !function.work.empty(); });
}

Signatures signatures(const loops::Module& module, const Target& target) {
  using loops::Entry;
  Names names, c_names;
  std::map<std::string, std::string>
      results;  // by spec name: a step and its evaluation share the struct
  for (const char* name : {"Parameters", "State", "Workspace", "init", "model"})
    names.reserve(name);
  for (const Dim& dim : module.dims) names.reserve("max_" + dim.name);
  // `prefix` is an identifier already; a fresh() of the whole could only add a number.
  const auto c_name = [&](const std::string& name) {
    return c_names.fresh(module.name + "_" + name);
  };
  Signatures all;
  all.c_model = c_name("model");
  all.c_parameters_size = c_name("parameters_size");
  all.c_state_size = c_name("state_size");
  all.c_workspace_size = c_name("workspace_size");
  if (target.grid()) {
    all.c_error = c_name("error"), all.c_open = c_name("open"), all.c_close = c_name("close");
    all.c_allocate = c_name("allocate"), all.c_release = c_name("release");
    all.c_upload = c_name("upload"), all.c_download = c_name("download"), all.c_wait = c_name("wait");
  }
  for (const loops::Function& function : module.functions) {
    Signature s;
    s.function = &function;
    s.result = "void";
    s.c_result = target.grid() ? "int" : "void";
    const bool init = function.entry == Entry::init;
    const bool steps = function.entry == Entry::step || function.entry == Entry::evaluate;
    s.name = init ? "init" : names.fresh(function.name + suffix(function.entry));
    s.c_name = c_name(s.name);
    if (target.grid())
      s.arguments.push_back({Role::device, "gradc::Device&", "void*", "device", "device", 0});
    s.arguments.push_back(structure(Role::parameters, !init && function.entry != Entry::step,
                                    "Parameters", "parameters"));
    const bool changes_state = init || function.entry == Entry::step;
    if (changes_state || function.entry == Entry::evaluate || function.reads_state)
      s.arguments.push_back(structure(Role::state, !changes_state, "State", "state"));
    if (!init) s.arguments.push_back(structure(Role::workspace, false, "Workspace", "workspace"));
    for (const DimId dim : function.dims)
      s.arguments.push_back({Role::dim, "std::int64_t", "std::int64_t", module.dims[dim.value].name,
                             module.dims[dim.value].name, dim.value});
    for (const std::uint32_t number : function.inputs)
      s.arguments.push_back(tensor(module, Role::input, number));
    if (function.entry == Entry::backward)
      s.arguments.push_back(structure(Role::gradients, false, "Parameters", "gradients"));
    if (steps) {
      auto [place, added] = results.try_emplace(function.spec_name);
      if (added) place->second = names.fresh(function.name + "_result");
      s.reports = place->second;
      if (!target.grid()) s.result = s.reports;
      for (const std::uint32_t number : function.outputs)
        s.results.push_back(tensor(module, Role::output, number));
    } else {
      for (const std::uint32_t number : function.outputs)
        s.arguments.push_back(tensor(module, Role::output, number));
    }
    if (init || function.entry == Entry::step || function.draws)
      s.arguments.push_back({Role::seed, "std::uint64_t", "std::uint64_t", "seed", "seed", 0});
    if (!function.work.empty()) s.arguments.push_back({Role::team, "gradc::Team*", "void*", "team", "team", 0});
    if (target.grid() && steps)
      s.arguments.push_back({Role::result, s.reports + "*", "void*", "result", "result", 0});
    Names c_arguments;
    for (const SignatureArgument& argument : s.arguments) c_arguments.reserve(argument.name);
    for (SignatureArgument& result : s.results) result.c_name = c_arguments.fresh(result.name);
    s.c_local = c_arguments.fresh("reported");
    all.functions.push_back(std::move(s));
  }
  // After all others, so that who calls those needs to know nothing of threads.
  for (Signature& s : all.functions)
    if (!s.function->work.empty()) s.c_together = c_name(s.name + "_together");
  return all;
}

std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(digits.size()) - 3;
       at > (number < 0 ? 1 : 0); at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

}  // namespace gradc

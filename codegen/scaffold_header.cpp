// scaffold_header.cpp: <spec>.hpp: what a user of the emitted code reads.
#include <fmt/format.h>

#include "codegen/fill.h"
#include "codegen/loops_to_text.h"
#include "codegen/scaffold.h"
#include "codegen/scaffold_parts.h"
#include "codegen/signatures.h"

namespace gradc {
namespace {

using loops::Entry;

constexpr std::string_view header_template = R"(
$banner$
#pragma once

#include <cstddef>
#include <cstdint>

$includes$
$version_check$
namespace $module$ {

$dims$// Everything that is learnt: $parameter_count$ numbers. Tensors are row-major.
struct Parameters {
$parameters$};

// What the optimizers keep from one step to the next: $state_count$ numbers.
struct State {
$state$};

// Memory for intermediate values. One workspace serves every function, one call at a time; its
// contents need not be set. A thread of its own needs a workspace of its own.
struct Workspace {
  alignas(64) unsigned char data[$workspace_bytes$];
};

$functions$// The tables by which the runtime's driver and checkpoints know this network.
const gradc::Model& model();

}  // namespace $module$
$c_interface$)";

constexpr std::string_view c_template = R"(

// The same for C and whatever can call C. Parameters, state and workspace are memory of the
// caller's own, aligned to 64 bytes, of at least the sizes given here; no function keeps a pointer
// or allocates. What a step reports goes to the pointers at the end of its list, none of which may
// be null.
extern "C" {
std::size_t $c_parameters_size$(void);
std::size_t $c_state_size$(void);
std::size_t $c_workspace_size$(void);
$c_functions$// A `const gradc::Model*`.
const void* $c_model$(void);
}
)";

// Of a target with a grid.
constexpr std::string_view c_grid_template = R"(

// The same for C and whatever can call C. What returns an int returns 0, or else the code of an
// error, which $c_error$() then puts into words, for this thread: 1 a call or kernel failed, 2
// there is no device, 3 its memory is full. `device` is what $c_open$ gave. Parameters, state,
// workspace and tensors are memory of that device, as $c_allocate$ gives it; functions return
// when their kernels are in its stream. What a step reports goes to the pointers at the end of its
// list, memory of the processor, for which it waits; those that are null are left out.
extern "C" {
std::size_t $c_parameters_size$(void);
std::size_t $c_state_size$(void);
std::size_t $c_workspace_size$(void);
const char* $c_error$(void);
int $c_open$(void** device);
void $c_close$(void* device);
int $c_allocate$(void* device, std::size_t bytes, void** memory);
void $c_release$(void* device, void* memory);
int $c_upload$(void* device, void* to, const void* from, std::size_t bytes);
int $c_download$(void* device, void* to, const void* from, std::size_t bytes);
int $c_wait$(void* device);
$c_functions$// A `const gradc::Model*`.
const void* $c_model$(void);
}
)";
constexpr std::string_view arena_template = R"(
// All of it as one piece of device memory: `gradc::OnDevice<Arena> arena(device, "name")` allocates
// it, and `arena->parameters` and so on are what the functions take. They and all pointers are
// addresses on the device; a function returns when its kernels are in the stream of `device`, which
// runs them in that order.
struct Arena {
  Parameters parameters;
  Parameters gradients;
  State state;
  Workspace workspace;
};

)";

std::string members(const loops::Module& module, const std::vector<std::uint32_t>& numbers) {
  std::string text;
  for (const std::uint32_t number : numbers) {
    const loops::Buffer& buffer = module.buffers[number];
    std::string extents;
    for (const Extent& extent : buffer.type.shape)
      extents += (extents.empty() ? "" : " * ") + std::to_string(extent.offset);
    text += fmt::format("  alignas(64) {} {}[{}];  // {}: {}\n", element_type(buffer.type.dtype),
                        buffer.name, extents.empty() ? "1" : extents,
                        comment_text(buffer.spec_name), shape_text(module, buffer.type));
  }
  return text;
}

std::int64_t elements(const loops::Module& module, const std::vector<std::uint32_t>& numbers) {
  std::int64_t sum = 0;
  for (const std::uint32_t number : numbers) sum += module.buffers[number].elements;
  return sum;
}

std::string dims(const loops::Module& module) {
  if (module.dims.empty()) return "";
  std::string text = "// Sizes chosen at every call, from 1 to the bound.\n";
  for (const Dim& dim : module.dims)
    text += fmt::format("constexpr std::int64_t max_{} = {};\n", dim.name, dim.bound);
  return text + "\n";
}

const loops::MemoryReport* memory_of(const loops::Module& module, const std::string& function) {
  for (const loops::MemoryReport& report : module.memory)
    if (report.function == function) return &report;
  return nullptr;
}

std::string bytes_text(std::int64_t bytes) {
  return grouped(bytes) + (bytes == 1 ? " byte" : " bytes");
}

// "x: f32[B, 64], label: i32[B]"
std::string tensors(const loops::Module& module, const std::vector<SignatureArgument>& arguments,
                    Role role) {
  std::string text;
  for (const SignatureArgument& argument : arguments)
    if (argument.role == role)
      text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", argument.name,
                          shape_text(module, module.buffers[argument.number].type));
  return text;
}

// What a caller needs to know of one function, as comment lines.
std::string documentation(const ScaffoldInput& input, const Signature& s) {
  const loops::Module& module = input.module;
  const loops::Function& function = *s.function;
  const auto place = input.places.find(function.spec_name);
  const std::string name =
      comment_text(function.spec_name) +
      (place == input.places.end() ? "" : " (" + comment_text(place->second) + ")");
  const loops::MemoryReport* memory = memory_of(module, function.spec_name);
  std::vector<std::string> lines;
  switch (function.entry) {
    case Entry::init:
      return "// Gives every parameter and state its initial value; the same seed gives the same "
             "values.\n";
    case Entry::forward:
      lines.push_back(fmt::format("net {}.", name));
      break;
    case Entry::backward:
      lines.push_back(fmt::format(
          "The gradients of net {}, after its forward function ran with the same workspace, "
          "dims and",
          comment_text(function.spec_name)));
      lines.push_back(
          "inputs: it reads what that left in the workspace. Sets the members of `gradients` "
          "the net uses.");
      break;
    case Entry::step:
      lines.push_back(fmt::format(
          "step {}: computes, differentiates and updates; returns what it reports.", name));
      break;
    case Entry::evaluate:
      lines.push_back(fmt::format("What step {} reports, without changing anything.",
                                  comment_text(function.spec_name)));
      break;
  }
  const std::string in = tensors(module, s.arguments, Role::input),
                    out = tensors(module, s.arguments, Role::output);
  if (!in.empty()) lines.push_back("  reads   " + in);
  for (const SignatureArgument& argument : s.arguments)
    if (argument.role == Role::input)
      if (const std::int64_t limit = position_limit(input, function, argument.number); limit > 0)
        lines.push_back(
            fmt::format("  where   0 <= {} <= {}, which is not checked", argument.name, limit - 1));
  if (!out.empty()) lines.push_back("  writes  " + out);
  if (!function.work.empty())
    lines.insert(lines.end(), {"The threads of a team share it (gradc/threads.h); how many they are changes no bit of",
                               "the results."});
  if (function.entry == Entry::forward && memory && memory->saved > 0)
    lines.push_back(fmt::format("Leaves up to {} in the workspace for its backward function.",
                                bytes_text(memory->saved)));
  std::string text;
  for (const std::string& line : lines) text += "// " + line + "\n";
  return text;
}

}  // namespace

std::string header_text(const ScaffoldInput& input) {
  const loops::Module& module = input.module;
  const bool grid = input.target.grid();
  const Signatures all = signatures(module, input.target);
  std::string functions, c_functions, c_together;
  std::string result_before;
  if (grid) functions += arena_template.substr(1);
  for (const Signature& s : all.functions) {
    if (!s.reports.empty() && s.reports != result_before) {
      functions += fmt::format("// What step {} reports.\nstruct {} {{\n",
                               comment_text(s.function->spec_name), s.reports);
      for (const SignatureArgument& member : s.results)
        functions += fmt::format(
            "  {} {};\n", element_type(module.buffers[member.number].type.dtype), member.name);
      functions += "};\n\n";
      result_before = s.reports;
    }
    functions += documentation(input, s) + declaration(s) + ";\n\n";
    c_functions += c_declaration(s) + ";\n";
    if (!s.c_together.empty()) c_together += c_declaration(s, true) + ";\n";
  }
  if (!c_together.empty())
    c_functions += "// The same by the threads of `team`, a gradc::Team*; if it is null, by the caller's alone.\n" + c_together;
  auto c_values = c_names(all, input.target);
  c_values.emplace_back("c_functions", c_functions);
  const std::string c_interface = fill(grid ? c_grid_template : c_template, c_values);
  return fill(
      header_template,
      {{"banner", banner(input.provenance, module.name + ".hpp")},
       {"version_check", version_check()},
       {"module", module.name},
       {"dims", dims(module)},
       {"parameter_count", grouped(elements(module, module.parameters))},
       {"parameters", members(module, module.parameters)},
       {"state_count", grouped(elements(module, module.state))},
       {"state", members(module, module.state)},
       {"workspace_bytes", std::to_string(std::max<std::int64_t>(module.workspace_bytes, 64))},
       {"functions", functions},
       {"includes", std::string(input.target.header_includes) + "#include \"gradc/model.h\"\n" +
                         (any_shared(module) ? "#include \"gradc/team.h\"\n" : "")},
       {"c_interface", c_interface}});
}

}  // namespace gradc

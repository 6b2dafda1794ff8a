// scaffold_source.cpp: <spec>.cpp: kernels and functions, and behind them the tables and the C
// interface.
#include <fmt/format.h>

#include "codegen/fill.h"
#include "codegen/loops_to_text.h"
#include "codegen/scaffold.h"
#include "codegen/scaffold_parts.h"
#include "codegen/signatures.h"
#include "dsl/check.h"

namespace gradc {
namespace {

using loops::Entry;

constexpr std::size_t max_rank = 8;  // gradc::max_rank of gradc/model.h

constexpr std::string_view source_template = R"(
$banner$
#include "$module$.hpp"

$includes$
$version_check$
namespace $module_again$ {

$kernels$
$functions$
// ---- the model as a table, for the runtime's driver and checkpoints

namespace {

$tables$
}  // namespace

const gradc::Model& model() { return the_model; }

}  // namespace $module_end$
$c_interface$)";

// For one set of instructions: functions alone.
constexpr std::string_view variant_template = R"(
$banner$
// For processors with $isa$$flags$.
#include "$module$.hpp"

$includes$
$version_check$
namespace $namespace$ {

$kernels$
$functions$
}  // namespace $namespace_end$
)";

constexpr std::string_view choice_template = R"(
// Written for several sets of instructions, each in a file of its own. The number of the one that is
// used: the first that this processor has, or the one that GRADC_ISA names in the environment.
static int instructions() {
  static const int chosen = gradc::choose_isa({$names$});
  return chosen;
}
)";

constexpr std::string_view c_template = R"(

// ---- the C interface

extern "C" {

std::size_t $c_parameters_size$(void) { return sizeof($module_used$::Parameters); }
std::size_t $c_state_size$(void) { return sizeof($module_used$::State); }
std::size_t $c_workspace_size$(void) { return sizeof($module_used$::Workspace); }

$c_functions$
const void* $c_model$(void) { return &$module_used$::model(); }

}  // extern "C"
)";

// Of a target with a grid.
constexpr std::string_view c_grid_template = R"(

// ---- the C interface

extern "C" {

std::size_t $c_parameters_size$(void) { return sizeof($module_used$::Parameters); }
std::size_t $c_state_size$(void) { return sizeof($module_used$::State); }
std::size_t $c_workspace_size$(void) { return sizeof($module_used$::Workspace); }

const char* $c_error$(void) { return gradc::last_message(); }
int $c_open$(void** device) {
  return gradc::code_of([&] { *device = new gradc::Device; });
}
void $c_close$(void* device) { delete static_cast<gradc::Device*>(device); }
int $c_allocate$(void* device, std::size_t bytes, void** memory) {
  return gradc::code_of([&] { *memory = static_cast<gradc::Device*>(device)->allocate(bytes, "an array"); });
}
void $c_release$(void* device, void* memory) { static_cast<gradc::Device*>(device)->release(memory); }
int $c_upload$(void* device, void* to, const void* from, std::size_t bytes) {
  return gradc::code_of([&] { static_cast<gradc::Device*>(device)->upload(to, from, bytes); });
}
int $c_download$(void* device, void* to, const void* from, std::size_t bytes) {
  return gradc::code_of([&] { static_cast<gradc::Device*>(device)->download(to, from, bytes); });
}
int $c_wait$(void* device) {
  return gradc::code_of([&] { static_cast<gradc::Device*>(device)->synchronize(); });
}

$c_functions$
const void* $c_model$(void) { return &$module_used$::model(); }

}  // extern "C"
)";

std::string function_text(const loops::Module& module, const Signature& s, const Target& target) {
  const std::string body = body_to_text(module, *s.function, target);
  const bool returns = s.result != "void";
  std::string text;
  if (!s.function->work.empty())
    text += "// Threads share the kernels that take a begin and an end; the first thread runs the others.\n";
  text += declaration(s, &body) + " {\n";
  if (returns) text += fmt::format("  {} result{{}};\n", s.result);
  text += body;
  if (returns) text += "  return result;\n";
  return text + "}\n\n";
}

// ---- several sets of instructions

std::string variant_declarations(const ScaffoldInput& input) {
  std::string text, names;
  for (const Variant& variant : input.variants) {
    text += fmt::format("namespace {} {{\n", identifier_of(variant.isa));
    for (const Signature& s : signatures(variant.module, input.target).functions) text += declaration(s) + ";\n";
    text += "}\n\n";
    names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", variant.isa.name);
  }
  return text + fill(choice_template, {{"names", names}});
}

// Calls number `k` of the functions of whichever variant the processor can run best.
std::string choosing_function(const ScaffoldInput& input, const Signature& s, std::size_t k) {
  std::string text = declaration(s, nullptr, false) + " {\n  switch (instructions()) {\n";
  for (std::size_t v = 0; v < input.variants.size(); ++v) {
    const Variant& variant = input.variants[v];
    const Signature of_it = signatures(variant.module, input.target).functions[k];
    std::string arguments;  // threads may share a function with one set and not with another
    for (const SignatureArgument& argument : of_it.arguments) arguments += (arguments.empty() ? "" : ", ") + argument.name;
    const bool last = v + 1 == input.variants.size();
    text += last ? "    default: " : fmt::format("    case {}: ", v);
    text += fmt::format("return {}::{}({});\n", identifier_of(variant.isa), of_it.name, arguments);
  }
  return text + "  }\n}\n\n";
}

// ---- the tables

std::string tensor_entry(const loops::Module& module, std::uint32_t number, const std::string& name,
                         const std::string& offset, std::int64_t limit = 0) {
  const loops::Buffer& buffer = module.buffers[number];
  const Shape& shape = buffer.type.shape;
  GRADC_CHECK(shape.size() <= max_rank, "a tensor has more axes than the runtime allows");
  std::string extents;
  for (const Extent& extent : shape) {
    const std::int64_t dim = extent.is_fixed() ? -1 : static_cast<std::int64_t>(extent.dim.value);
    extents += fmt::format("{}{{{}, {}, {}}}", extents.empty() ? "" : ", ", extent.offset,
                           extent.scale, dim);
  }
  static constexpr const char* dtypes[] = {"boolean", "i32", "f32", "f64"};
  return fmt::format("    {{{}, gradc::DType::{}, {}, {{{}}}, {}, {}}},\n", string_literal(name),
                     dtypes[static_cast<std::size_t>(buffer.type.dtype)], shape.size(), extents,
                     offset, limit);
}

// A constant table, or nothing where there is nothing to list: C++ has no empty arrays.
std::string table(const std::string& type, const std::string& name, const std::string& entries) {
  return entries.empty() ? "" : fmt::format("const {} {}[] = {{\n{}}};\n\n", type, name, entries);
}

std::string pointer(const std::string& name, std::size_t count) {
  return count == 0 ? "nullptr" : name;
}

// How the table calls a function: arguments from a gradc::Call.
std::string thunk(const loops::Module& module, const Signature& s, const std::string& name) {
  const auto reference = [](bool constant, const char* type, const char* member) {
    return fmt::format("*static_cast<{}{}*>(call.{})", constant ? "const " : "", type, member);
  };
  std::string arguments;
  std::size_t input = 0, output = 0;
  for (const SignatureArgument& argument : s.arguments) {
    if (!arguments.empty()) arguments += ", ";
    const bool constant = argument.type.starts_with("const ");
    switch (argument.role) {
      case Role::parameters:
        arguments += reference(constant, "Parameters", "parameters");
        break;
      case Role::state:
        arguments += reference(constant, "State", "state");
        break;
      case Role::workspace:
        arguments += reference(false, "Workspace", "workspace");
        break;
      case Role::gradients:
        arguments += reference(false, "Parameters", "gradients");
        break;
      case Role::dim:
        arguments += fmt::format("call.dims[{}]", argument.number);
        break;
      case Role::input:
        arguments += fmt::format("static_cast<{}>(call.inputs[{}])", argument.type, input++);
        break;
      case Role::output:
        arguments += fmt::format("static_cast<{}>(call.outputs[{}])", argument.type, output++);
        break;
      case Role::seed:
        arguments += "call.seed";
        break;
      case Role::team:
        arguments += "call.team";
        break;
      case Role::device:
        arguments += "device";
        break;
      case Role::result:
        arguments += "result";
        break;
    }
  }
  std::string body;
  const bool device = !s.arguments.empty() && s.arguments[0].role == Role::device;
  if (device) body = "  gradc::Device& device = *static_cast<gradc::Device*>(call.device);\n";
  if (s.results.empty()) {
    body += fmt::format("  {}({});\n", s.name, arguments);
  } else if (device) {
    body += fmt::format("  auto* const result = device.result<{}>();\n  {}({});\n", s.reports, s.name, arguments);
    for (const SignatureArgument& result : s.results)
      body += fmt::format("  device.copy(call.outputs[{}], &result->{}, sizeof result->{});\n", output++,
                          result.name, result.name);
  } else {
    body = fmt::format("  const {} result = {}({});\n", s.result, s.name, arguments);
    for (const SignatureArgument& result : s.results)
      body += fmt::format("  *static_cast<{}*>(call.outputs[{}]) = result.{};\n",
                          element_type(module.buffers[result.number].type.dtype), output++,
                          result.name);
  }
  return fmt::format("void {}(const gradc::Call& call) {{\n{}}}\n\n", name, body);
}

const char* kind(Entry entry) {
  switch (entry) {
    case Entry::forward:
      return "forward";
    case Entry::backward:
      return "backward";
    case Entry::step:
      return "step";
    case Entry::evaluate:
      return "evaluate";
    case Entry::init:
      break;
  }
  GRADC_UNREACHABLE("only what is called has a kind");
}

std::string tables(const ScaffoldInput& input, const Signatures& all) {
  const loops::Module& module = input.module;
  std::string text, dims, parameters, state, functions;
  for (const Dim& dim : module.dims)
    dims += fmt::format("    {{{}, {}}},\n", string_literal(dim.name), dim.bound);
  const auto member = [&](std::uint32_t number, const char* type) {
    const loops::Buffer& buffer = module.buffers[number];
    return tensor_entry(module, number, buffer.spec_name,
                        fmt::format("offsetof({}, {})", type, buffer.name));
  };
  for (const std::uint32_t number : module.parameters) parameters += member(number, "Parameters");
  for (const std::uint32_t number : module.state) state += member(number, "State");
  text += table("gradc::Dim", "the_dims", dims) +
          table("gradc::Tensor", "the_parameters", parameters) +
          table("gradc::Tensor", "the_state", state);

  std::size_t count = 0;
  for (std::size_t k = 0; k < all.functions.size(); ++k) {
    const Signature& s = all.functions[k];
    const loops::Function& function = *s.function;
    if (function.entry == Entry::init) continue;
    std::string inputs, outputs;
    for (const std::uint32_t number : function.inputs)
      inputs += tensor_entry(module, number, local_name(module, function, number), "0",
                             position_limit(input, function, number));
    for (const std::uint32_t number : function.outputs)
      outputs += tensor_entry(module, number, local_name(module, function, number), "0");
    text += table("gradc::Tensor", fmt::format("inputs_{}", k), inputs) +
            table("gradc::Tensor", fmt::format("outputs_{}", k), outputs) +
            thunk(module, s, fmt::format("run_{}", k));
    functions += fmt::format(
        "    {{{}, gradc::FunctionKind::{}, {}, {}, {}, {}, run_{}{}}},\n",
        string_literal(function.spec_name), kind(function.entry),
        pointer(fmt::format("inputs_{}", k), function.inputs.size()), function.inputs.size(),
        pointer(fmt::format("outputs_{}", k), function.outputs.size()), function.outputs.size(), k,
        function.work.empty() ? "" : ", true");
    ++count;
  }
  text += table("gradc::Function", "the_functions", functions);
  const bool grid = input.target.grid();
  text += grid ? R"(void init_on_device(const gradc::Call& call) {
  init(*static_cast<gradc::Device*>(call.device), *static_cast<Parameters*>(call.parameters),
       *static_cast<State*>(call.state), call.seed);
}

)"
               : R"(void run_init(void* parameters, void* state, std::uint64_t seed) {
  init(*static_cast<Parameters*>(parameters), *static_cast<State*>(state), seed);
}

)";
  text += fmt::format(
      "const gradc::Model the_model = {{\n    {}, GRADC_RUNTIME_VERSION, {},\n    {}, {},\n    {}, "
      "{}, "
      "sizeof(Parameters),\n    {}, {}, sizeof(State),\n    sizeof(Workspace),\n    {}, {},\n    "
      "{},\n}};\n",
      string_literal(input.model_name.empty() ? module.name : input.model_name),
      string_literal(input.provenance.hash),
      pointer("the_dims", module.dims.size()), module.dims.size(),
      pointer("the_parameters", module.parameters.size()), module.parameters.size(),
      pointer("the_state", module.state.size()), module.state.size(),
      pointer("the_functions", count), count,
      grid ? "nullptr, &gradc::device_engine, init_on_device" : "run_init");
  return text;
}

// "const Parameters&" → "Parameters".
std::string bare(std::string type) {
  if (type.starts_with("const ")) type.erase(0, 6);
  if (type.ends_with('&')) type.pop_back();
  return type;
}

// An argument may have the name of a function: outside the namespace it is always named in full.
std::string qualified(const loops::Module& module, const std::string& name) {
  return module.name + "::" + name;
}

// On a device what a step reports is fetched, as far as somebody wants it.
std::string c_body_on_device(const loops::Module& module, const Signature& s, const std::string& callee,
                             const std::string& arguments, const std::string& device) {
  if (s.reports.empty()) return fmt::format("  return gradc::code_of([&] {{ {}({}); }});\n", callee, arguments);
  std::string text = fmt::format("  return gradc::code_of([&] {{\n    auto* const {} = ({}).result<{}>();\n    {}({});\n",
                                 s.c_local, device, qualified(module, s.reports), callee, arguments);
  for (const SignatureArgument& result : s.results)
    text += fmt::format("    if ({0} != nullptr) ({1}).download({0}, &{2}->{3}, sizeof *{0});\n", result.c_name, device,
                        s.c_local, result.name);
  return text + "  });\n";
}

// The body of a C function is the C++ call.
std::string c_function(const loops::Module& module, const Signature& s, bool together = false) {
  std::string arguments, device;
  for (const SignatureArgument& argument : s.arguments) {
    if (argument.role == Role::team && !together) continue;
    if (!arguments.empty()) arguments += ", ";
    if (argument.role == Role::team)
      arguments += fmt::format("static_cast<gradc::Team*>({})", argument.c_name);
    else if (argument.role == Role::device)
      arguments += device = fmt::format("*static_cast<gradc::Device*>({})", argument.c_name);
    else if (argument.role == Role::result)
      arguments += s.c_local;
    else if (argument.type.ends_with('&'))
      arguments += fmt::format("*static_cast<{}{}*>({})",
                               argument.type.starts_with("const ") ? "const " : "",
                               qualified(module, bare(argument.type)), argument.c_name);
    else
      arguments += argument.c_name;
  }
  std::string text = c_declaration(s, together) + " {\n";
  const std::string callee = qualified(module, s.name);
  if (!device.empty()) return text + c_body_on_device(module, s, callee, arguments, device) + "}\n\n";
  if (s.results.empty()) return text + fmt::format("  {}({});\n}}\n\n", callee, arguments);
  text += fmt::format("  const {} {} = {}({});\n", qualified(module, s.result), s.c_local, callee,
                      arguments);
  for (const SignatureArgument& result : s.results)
    text += fmt::format("  *{} = {}.{};\n", result.c_name, s.c_local, result.name);
  return text + "}\n\n";
}

}  // namespace

std::string variant_text(const ScaffoldInput& input, const Variant& variant) {
  loops::Module module = variant.module;
  module.name += "::" + identifier_of(variant.isa);
  std::string functions;
  for (const Signature& s : signatures(module, input.target).functions) functions += function_text(module, s, input.target);
  const std::string file = fmt::format("{}_{}.cpp", variant.module.name, identifier_of(variant.isa));
  const std::string flags = variant.isa.flags.empty() ? "" : fmt::format(": compile it with {}", variant.isa.flags);
  return fill(variant_template, {{"banner", banner(input.provenance, file)},
                                 {"isa", std::string(variant.isa.name)},
                                 {"flags", flags},
                                 {"module", variant.module.name},
                                 {"includes", std::string(input.target.source_includes)},
                                 {"version_check", version_check()},
                                 {"namespace", module.name},
                                 {"kernels", kernels_to_text(module, input.target)},
                                 {"functions", functions},
                                 {"namespace_end", module.name}});
}

std::string source_text(const ScaffoldInput& input) {
  const loops::Module& module = input.module;
  const bool grid = input.target.grid();
  const Signatures all = signatures(module, input.target);
  const bool chooses = !input.variants.empty();
  std::string functions, c_functions;
  for (std::size_t k = 0; k < all.functions.size(); ++k) {
    const Signature& s = all.functions[k];
    functions += chooses ? choosing_function(input, s, k) : function_text(module, s, input.target);
    c_functions += c_function(module, s);
  }
  for (const Signature& s : all.functions)
    if (!s.c_together.empty()) c_functions += c_function(module, s, true);
  auto c_values = c_names(all, input.target);
  c_values.emplace_back("module_used", module.name);
  c_values.emplace_back("c_functions", c_functions);
  const std::string c_interface = fill(grid ? c_grid_template : c_template, c_values);
  return fill(source_template, {{"banner", banner(input.provenance, module.name + std::string(input.target.extension))},
                                {"module", module.name},
                                {"version_check", version_check()},
                                {"module_again", module.name},
                                {"kernels", chooses ? variant_declarations(input) : kernels_to_text(module, input.target)},
                                {"functions", functions},
                                {"tables", tables(input, all)},
                                {"includes", chooses ? "#include \"gradc/isa.h\"\n" : std::string(input.target.source_includes)},
                                {"module_end", module.name},
                                {"c_interface", c_interface}});
}

}  // namespace gradc

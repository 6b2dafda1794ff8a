// build.cpp: `gradc build`: spec → source files, or a program.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "codegen/compile.h"
#include "codegen/fill.h"
#include "dsl/ast_to_text.h"
#include "dsl/text_to_ast.h"
#include "runtime/gradc/isa.h"
#include "tool/compile_spec.h"
#include "tool/device_compiler.h"
#include "tool/host_compiler.h"
#include "tool/tune.h"
#include "tool/verbs.h"
#include "tool/write_files.h"

namespace gradc {
namespace {

namespace fs = std::filesystem;

std::string print_ast(const Session& session, const Spec& spec) {
  Sources sources;
  Diagnostics ignored;  // the same text was parsed without errors before
  for (std::uint32_t file = 0; file < session.sources.size(); ++file)
    if (session.sources.path(file) == spec.files.front())
      return ast_to_text(text_to_ast(session.sources, file, ignored));
  return "";
}

// The object files that a target's own compiler makes of its module, and how they are linked.
struct DeviceObjects {
  std::vector<std::string> link;  // the command, up to the output
  std::string object;
};

// Compiles the module for a device; nothing, with `code` set and everything said, if that fails.
std::optional<DeviceObjects> compile_device(Session& session, const Compiled& compiled, const Target& target,
                                            const RuntimeFiles& runtime, const std::string& directory, int& code) {
  const std::string& name = compiled.module.name;
  const std::string source = name + std::string(target.extension);
  if (const auto failed = write_files(directory, {{name + ".hpp", compiled.header}, {source, compiled.source}})) {
    code = fail(session, exit_io, *failed);
    return std::nullopt;
  }
  std::vector<std::string> command = device_compiler(target);
  for (const std::string& flag : device_flags(target)) command.push_back(flag);
  DeviceObjects objects{command, directory + "/" + name + ".o"};
  command.insert(command.end(), {"-I", runtime.include, "-I", directory, "-c", directory + "/" + source, "-o",
                                 objects.object});
  const HostResult result = run_program(command);
  if (result.status == 0) return objects;
  std::fwrite(result.output.data(), 1, result.output.size(), stderr);
  code = fail(session, exit_host,
              fmt::format("the compiler '{}' for --target={} failed with status {}; ${} chooses another, ${} another "
                          "architecture", command[0], target.name, result.status, target.compiler.variable,
                          target.compiler.architecture_variable));
  return std::nullopt;
}

// The object file of a source for one set of instructions; nothing, with `code` set and everything said, if that fails.
std::optional<std::string> compile_variant(Session& session, const VariantSource& variant, const RuntimeFiles& runtime,
                                           const std::string& directory, int& code) {
  if (const auto failed = write_files(directory, {{variant.file, variant.text}})) {
    code = fail(session, exit_io, *failed);
    return std::nullopt;
  }
  const std::string object = directory + "/" + variant.file + ".o";
  std::vector<std::string> command = host_compiler();
  for (const std::string& flag : host_flags(&variant.isa)) command.push_back(flag);
  command.insert(command.end(),
                 {"-I", runtime.include, "-I", directory, "-c", directory + "/" + variant.file, "-o", object});
  const HostResult result = run_program(command);
  if (result.status == 0) return object;
  code = fail_host(session, result, command[0], fmt::format(" for --isa={}", variant.isa.name));
  return std::nullopt;
}

// What the text is written for, the richest first.
std::vector<Isa> wanted_isas(const BuildArguments& options) {
  std::vector<Isa> wanted;
  const auto names = [&](const Isa& isa) {
    return std::any_of(options.isas.begin(), options.isas.end(), [&](const std::string& name) {
      return name == isa.name || (name == "native" && isa.name == host_isa().name);
    });
  };
  std::copy_if(isas().begin(), isas().end(), std::back_inserter(wanted), names);
  if (wanted.empty()) wanted.push_back(options.binary ? host_isa() : default_isa());
  return wanted;
}

// Compiles the emitted files into the program `output`, which appears only when it is complete.
int compile_binary(Session& session, const BuildArguments& options, const Compiled& compiled,
                   const Compiled* device, const Target& target, const Isa* isa, const fs::path& output) {
  std::string error;
  const std::optional<RuntimeFiles> runtime = find_runtime(error);
  if (!runtime) return fail(session, exit_io, error);
  const TemporaryDirectory directory;
  if (directory.path().empty()) return fail(session, exit_io, "cannot make a temporary directory");
  const std::string& name = compiled.module.name;
  const std::vector<OutputFile> files = {{name + ".hpp", compiled.header},
                                         {name + ".cpp", compiled.source},
                                         {name + "_main.cpp", compiled.main}};
  if (const auto failed = write_files(directory.path(), files))
    return fail(session, exit_io, *failed);

  int code = exit_ok;
  std::optional<DeviceObjects> objects;
  if (device && !(objects = compile_device(session, *device, target, *runtime, directory.path(), code))) return code;

  // Beside its final place, so that the rename stays within one file system.
  const fs::path unfinished =
      output.parent_path() / fmt::format(".{}.{}.tmp", output.filename().string(), ::getpid());
  std::error_code ignored;
  const fs::path spec_directory =
      fs::weakly_canonical(fs::path(options.spec.path), ignored).parent_path();
  std::vector<std::string> variants;  // objects, each compiled for its processor
  for (const VariantSource& v : compiled.variants) {
    const auto object = compile_variant(session, v, *runtime, directory.path(), code);
    if (!object) return code;
    variants.push_back(*object);
  }
  std::vector<std::string> command = objects ? objects->link : host_compiler();
  if (objects) {  // its compiler hands the C++ and the last word to the host's
    for (const std::string& flag : host_flags(isa))
      if (flag.starts_with("-f") || flag.starts_with("-m")) command.insert(command.end(), {"-Xcompiler", flag});
    command.insert(command.end(), {objects->object, "-Xcompiler", "-pthread"});
  } else {
    for (const std::string& flag : variants.empty() ? host_flags(isa) : host_flags(isa_named("scalar")))
      command.push_back(flag);
  }
  command.push_back("-DGRADC_SPEC_DIRECTORY=" + string_literal(spec_directory.string()));
  command.insert(command.end(),
                 {"-I", runtime->include, "-I", directory.path(), "-o", unfinished.string()});
  for (const OutputFile& file : files)
    if (file.name.ends_with(".cpp")) command.push_back(directory.path() + "/" + file.name);
  command.insert(command.end(), variants.begin(), variants.end());
  command.push_back(runtime->driver);
  for (const std::string& link : runtime->links)
    if (!objects || link.starts_with("-l")) command.push_back(link);
  const HostResult result = run_program(command);
  if (result.status != 0) {
    fs::remove(unfinished, ignored);
    return fail_host(session, result, command[0]);
  }
  fs::rename(unfinished, output, ignored);
  if (ignored) {
    const std::string why = ignored.message();
    fs::remove(unfinished, ignored);
    return fail(session, exit_io, fmt::format("cannot write '{}': {}", output.string(), why));
  }
  return exit_ok;
}

int check_usage(const Session& session, const BuildArguments& options) {
  for (const std::string& stage : options.dump_after) {
    const auto& names = stage_names();
    if (std::any_of(names.begin(), names.end(),
                    [&](const StageName& s) { return s.stage == stage; }))
      continue;
    std::string known;
    for (const StageName& s : names) known += (known.empty() ? "" : ", ") + std::string(s.stage);
    return fail(session, exit_usage,
                fmt::format("--dump-after={} is not a stage; the stages are {}", stage, known));
  }
  if (!options.emit.empty() &&
      (options.binary || !options.output.empty() || !options.depfile.empty()))
    return fail(
        session, exit_usage,
        "--emit prints one stage and writes no files: leave out --binary, -o and --depfile");
  return exit_ok;
}

int write_depfile(Session& session, const BuildArguments& options, const Spec& spec,
                  const std::vector<std::string>& targets) {
  if (options.depfile.empty()) return exit_ok;
  std::vector<std::string> files;
  for (const std::string& file : spec.files)
    files.push_back(fs::absolute(file).lexically_normal().string());
  const fs::path path = fs::absolute(options.depfile);
  const auto failed =
      write_files(path.parent_path().string(),
                  {{path.filename().string(), depfile(targets, files)}}, {.force = true});
  return failed ? fail(session, exit_io, *failed) : exit_ok;
}

}  // namespace

int build(Session& session, const BuildArguments& options) {
  if (const int code = check_usage(session, options); code != exit_ok) return code;
  int code = exit_ok;
  std::optional<Spec> spec = load(session, options.spec, code);
  if (!spec) return code;
  if (options.emit == "ast" ||
      std::count(options.dump_after.begin(), options.dump_after.end(), "text_to_ast")) {
    const std::string text = print_ast(session, *spec);
    std::fwrite(text.data(), 1, text.size(), options.emit == "ast" ? stdout : stderr);
    if (options.emit == "ast") return report(session);
  }

  const Target* const emitted = target_named(options.emit);  // --emit=cuda names its target
  Target target = emitted ? *emitted : *target_named(options.target);
  const std::vector<Isa> wanted = wanted_isas(options);
  target.isa = wanted.front();
  target.bf16 = options.storage == "bf16";
  const bool several = wanted.size() > 1;
  if (several && (target.grid() || !options.emit.empty()))
    return fail(session, exit_usage,
                fmt::format("--isa with several sets of instructions goes with files or a program of --target={} alone",
                            cpp_target().name));
  if (options.tune && (several || target.grid() || !has_isa(std::string(target.isa.name).c_str())))
    return fail(session, exit_usage,
                fmt::format("--tune measures on this machine: it goes with --target={} and one set of instructions that this "
                            "processor has", cpp_target().name));
  // Compiled for this very machine, if nothing else is named.
  const bool named = !options.isas.empty() && options.isas.front() != "native";
  CompileOptions compile_options{
      options.emit, {options.dump_after.begin(), options.dump_after.end()}, options.format, target,
      options.memory_limit, several ? wanted : std::vector<Isa>{}};
  CompileInput input = compile_input(session, *spec);
  if (options.tune) {
    const std::optional<Tiling> tiling = tune(session, input, compile_options, named ? &target.isa : nullptr, code);
    if (!tiling) return code;
    target.isa.tiling = compile_options.target.isa.tiling = *tiling;
  }
  // A program for a device runs on the processor too.
  std::optional<Compiled> device;
  if (options.binary && target.grid() && spec->program.present) {
    CompileInput for_device = input;
    for_device.model_name = input.name;
    for_device.name = input.device_module = input.name + "_" + std::string(target.name);
    device = compile(std::move(for_device), compile_options, session.diagnostics);
    if ((code = report(session)) != exit_ok) return code;
  }
  CompileOptions processor{"", compile_options.dump_after, options.format, cpp_target(), options.memory_limit, {}};
  processor.target.isa = target.isa;
  processor.target.bf16 = target.bf16;
  const Compiled compiled =
      compile(std::move(input), device ? processor : compile_options, session.diagnostics);
  for (const Dump& dump : compiled.dumps)
    fmt::print(stderr, "---- after {}\n{}\n", dump.stage, dump.text);
  code = report(session);
  if (code != exit_ok) return code;
  if (!options.emit.empty()) {
    std::fwrite(compiled.emitted.data(), 1, compiled.emitted.size(), stdout);
    return exit_ok;
  }

  if (spec->graph.functions.size() <= 1)  // all have init
    return fail(session, exit_spec,
                fmt::format("'{}' has neither a net nor a step, so there is nothing to build",
                            options.spec.path));
  const std::string& name = compiled.module.name;
  if (options.binary) {
    if (!spec->program.present)
      return fail(session, exit_spec,
                  fmt::format("'{}' has no `program {{ }}` block, which says what a program does",
                              options.spec.path));
    const fs::path output = fs::absolute(options.output.empty() ? name : options.output);
    std::error_code failed;
    if (fs::is_directory(output, failed))
      return fail(session, exit_usage,
                  fmt::format("-o '{}' is a directory; with --binary it names the program",
                              options.output));
    fs::create_directories(output.parent_path(), failed);
    code = compile_binary(session, options, compiled, device ? &*device : nullptr, target, named ? &target.isa : nullptr, output);
    return code != exit_ok ? code : write_depfile(session, options, *spec, {output.string()});
  }
  const fs::path directory =
      fs::absolute(options.output.empty() ? "." : options.output).lexically_normal();
  std::vector<OutputFile> files = {{name + ".hpp", compiled.header},
                                   {name + std::string(target.extension), compiled.source}};
  for (const VariantSource& v : compiled.variants) files.push_back({v.file, v.text});
  if (options.with_main) files.push_back({name + "_main.cpp", compiled.main});
  if (const auto failed = write_files(directory.string(), files, {.force = options.force}))
    return fail(session, exit_io, *failed);
  std::vector<std::string> targets;
  for (const OutputFile& file : files) targets.push_back((directory / file.name).string());
  return write_depfile(session, options, *spec, targets);
}

}  // namespace gradc

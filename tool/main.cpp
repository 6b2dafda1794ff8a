// main.cpp: the command line of gradc, and where its internal errors end. The only file that sees
// CLI11.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <system_error>

#include "codegen/compile.h"
#include "codegen/format.h"
#include "codegen/target.h"
#include "dsl/check.h"
#include "dsl/diagnostics.h"
#include "tool/large_pages.h"
#include "tool/memory_limit.h"
#include "tool/verbs.h"
#include "tool/write_files.h"

namespace gradc {
namespace {

std::string version() {
  const std::string layout = formatter();
  return fmt::format("gradc {}\nformatter: {}", GRADC_VERSION,
                     layout.empty()
                         ? "none (built without Clang: emitted code keeps the printer's layout)"
                         : layout);
}

bool use_color(const std::string& when) {
  if (when != "auto") return when == "always";
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return ::isatty(2) && !(no_color && *no_color) && !(term && std::string_view(term) == "dumb");
}

void add_spec(CLI::App& verb, SpecArguments& spec) {
  verb.add_option("spec", spec.path, "the spec, a .nn file")->required();
  verb.add_option("-D", spec.constants, "name=value: override a `const` of the spec, or fix a `dim`")
      ->allow_extra_args(false);
}

// Keeps what is needed to see an internal error again; returns where, or nothing if that failed
// too.
std::string keep_reproducer(const Session& session, const std::string& message) {
  std::string text = fmt::format("gradc {}\ninternal error: {}\n", GRADC_VERSION, message);
  for (const std::string& word : session.command) text += "  " + word + "\n";
  for (std::uint32_t file = 1; file < session.sources.size(); ++file)
    text += fmt::format("---- {}\n{}\n", session.sources.path(file), session.sources.text(file));
  const char* base = std::getenv("TMPDIR");
  std::string directory =
      std::string(base && *base ? base : "/tmp") + "/gradc-internal-error-XXXXXX";
  if (!::mkdtemp(directory.data()) || write_files(directory, {{"report.txt", text}})) return "";
  return directory + "/report.txt";
}

int internal_error_exit(const Session& session, const std::string& message) {
  const std::string kept = keep_reproducer(session, message);
  fmt::print(
      stderr,
      "gradc: internal error: {}\nThis is a mistake in gradc, not in your spec. Please report it",
      message);
  if (kept.empty())
    fmt::print(stderr, ".\n");
  else
    fmt::print(stderr,
               " with '{}',\nwhich holds the command, the version and the specs that were read.\n",
               kept);
  return exit_internal;
}

std::vector<std::string> target_names() {
  std::vector<std::string> names;
  for (const Target& target : targets()) names.emplace_back(target.name);
  return names;
}

std::vector<std::string> isa_names() {
  std::vector<std::string> names = {"native"};
  for (const Isa& isa : isas()) names.emplace_back(isa.name);
  return names;
}

// What --emit can print: the results of the stages, the last one by the name of a target.
std::vector<std::string> results() {
  std::vector<std::string> names;
  for (const StageName& stage : stage_names())
    if (!stage.result.empty()) names.emplace_back(stage.result);
  for (const std::string& name : target_names()) names.push_back(name);
  return names;
}

// What is wrong with a command line, in gradc's words where a word of it was not expected: CLI11 does not know which
// was meant.
std::string usage_error(CLI::App& app, const CLI::ParseError& error) {
  const auto verbs = app.get_subcommands();
  const CLI::App& verb = verbs.empty() ? app : *verbs.front();
  const std::string name = verbs.empty() ? "gradc" : "gradc " + verb.get_name();
  const std::string help = fmt::format("'{} --help' lists what it takes", name);
  // An option that is not there may have taken the place of what is required, or a value that of a file.
  std::string word;
  bool option = false;
  for (const std::string& left : app.remaining(true)) {
    if (!word.empty() && (option || left.size() < 2 || left.front() != '-')) continue;
    option = left.size() > 1 && left.front() == '-';
    word = left.substr(0, option ? left.find('=') : left.npos);
  }
  if (word.empty()) {
    std::string what = error.what();
    if (error.get_name() == "RequiredError" && verbs.empty()) what = "say what to do";
    return fmt::format("{}; {}", what.substr(0, what.find('\n')), help);
  }
  std::vector<std::string> known;
  if (option) {
    for (const CLI::App* of : {&verb, static_cast<const CLI::App*>(&app)})
      for (const CLI::Option* o : of->get_options())
        for (const std::string& long_name : o->get_lnames()) known.push_back("--" + long_name);
  } else if (verbs.empty()) {
    for (const CLI::App* one : app.get_subcommands({})) known.push_back(one->get_name());
  }
  const auto near = nearest_name(word, {known.begin(), known.end()});
  return fmt::format("{} '{}'{}",
                     option          ? fmt::format("{} has no option", name)
                     : verbs.empty() ? "gradc has no verb"
                                     : fmt::format("{} does not take", name),
                     word, near ? fmt::format("; did you mean '{}'?", *near) : "; " + help);
}

void add_memory_limit(CLI::App& verb, std::int64_t& limit) {
  verb.add_option_function<std::string>(
          "--memory-limit",
          [&limit](const std::string& text) {
            const std::optional<std::int64_t> bytes = parse_bytes(text);
            if (!bytes)
              throw CLI::ValidationError(
                  "--memory-limit", fmt::format("takes a size like 64MiB, 1.5GB or 65536, not '{}'", text));
            limit = *bytes;
          },
          "Compute values again rather than keep them where a workspace would take more than this")
      ->type_name("SIZE");
}

void add_storage(CLI::App& verb, std::string& storage) {
  verb.add_option("--storage", storage,
                  "How values are stored between kernels: bf16 takes half the memory and rounds them to 8 bits; "
                  "parameters, sums and results stay f32")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str();
}

int run(Session& session, int argc, char** argv) {
  CLI::App app{"gradc compiles neural networks, described in a text file, to C++.", "gradc"};
  app.set_version_flag("--version", version(), "Print the version, and what this build lacks");
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(
      "Exit codes: 0 ok, 1 error in the spec, 2 usage, 3 input or output, 4 host compiler failed, "
      "5 internal error.");
  std::string color = "auto";
  app.add_option("--color", color, "Colour messages: auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();

  int result = exit_ok;
  const auto call = [&](auto verb, const auto& options) {
    session.color = use_color(color);
    result = verb(session, options);
  };

  BuildArguments build_options;
  CLI::App* build_verb =
      app.add_subcommand("build", "Compile a spec to C++ source, or to a program");
  add_spec(*build_verb, build_options.spec);
  build_verb->add_option("--target", build_options.target, "What to write")
      ->check(CLI::IsMember(target_names()))
      ->capture_default_str();
  build_verb
      ->add_option("--isa", build_options.isas,
                   fmt::format("The instructions to write for (default: {}; with --binary native, this machine's); of "
                               "several, a,b,…, the best is chosen when the network runs",
                               default_isa().name))
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember(isa_names()));
  build_verb->add_flag("--binary", build_options.binary,
                       "Compile a standalone program with $CXX (c++ if unset)");
  build_verb->add_flag("--main", build_options.with_main,
                       "Also write <spec>_main.cpp, the main() of a standalone program");
  build_verb->add_option(
      "-o,--output", build_options.output,
      "The directory for the source files (default: the current one); with --binary the program");
  build_verb->add_option("--depfile", build_options.depfile,
                         "Write a Makefile rule: outputs from every file read");
  build_verb->add_option("--emit", build_options.emit, "Print one stage and stop")
      ->check(CLI::IsMember(results()));
  build_verb
      ->add_option("--dump-after", build_options.dump_after,
                   "Print the state after a stage to stderr (repeatable)")
      ->allow_extra_args(false);
  build_verb->add_flag("!--no-format", build_options.format, "Leave the layout of the printer");
  build_verb->add_flag("--force", build_options.force,
                       "Replace existing files that gradc did not write");
  add_memory_limit(*build_verb, build_options.memory_limit);
  add_storage(*build_verb, build_options.storage);
  build_verb->add_flag("--tune", build_options.tune,
                       "Compile and time several ways to tile products here, and write for the fastest; what was found is "
                       "kept in ~/.cache/gradc");
  build_verb->callback([&] { call(build, build_options); });

  CheckArguments check_options;
  CLI::App* check_verb = app.add_subcommand("check", "Parse, check and differentiate a spec");
  add_spec(*check_verb, check_options.spec);
  check_verb->callback([&] { call(check, check_options); });

  StatsArguments stats_options;
  std::vector<std::string> sizes;
  CLI::App* stats_verb =
      app.add_subcommand("stats", "Count parameters, operations and memory, layer by layer");
  add_spec(*stats_verb, stats_options.spec);
  stats_verb
      ->add_option("--dim", sizes, "name=size: count for that size of a bounded dim (default: 1)")
      ->allow_extra_args(false);
  stats_verb->add_flag("--json", stats_options.json, "Print JSON");
  stats_verb->add_option("--target", stats_options.target, "What the memory is planned for")
      ->check(CLI::IsMember(target_names()))
      ->capture_default_str();
  add_memory_limit(*stats_verb, stats_options.memory_limit);
  add_storage(*stats_verb, stats_options.storage);
  stats_verb->callback([&] {
    for (const std::string& size : sizes) {
      const std::size_t equals = size.find('=');
      std::int64_t number = 0;
      if (equals == std::string::npos ||
          !CLI::detail::lexical_cast(size.substr(equals + 1), number) || number < 1)
        throw CLI::ValidationError("--dim", fmt::format("takes name=size, not '{}'", size));
      stats_options.dims[size.substr(0, equals)] = number;
    }
    call(stats, stats_options);
  });

  GradcheckArguments gradcheck_options;
  CLI::App* gradcheck_verb = app.add_subcommand(
      "gradcheck", "Check gradients against finite differences, and the emitted code");
  add_spec(*gradcheck_verb, gradcheck_options.spec);
  gradcheck_verb->add_option("--seed", gradcheck_options.seed, "Of the random inputs")
      ->capture_default_str();
  gradcheck_verb->add_flag("!--no-emitted", gradcheck_options.emitted,
                           "Leave out the comparison with compiled code");
  gradcheck_verb->add_flag("--strict", gradcheck_options.strict,
                           "Fail where a custom op has another gradient than its derivative");
  add_memory_limit(*gradcheck_verb, gradcheck_options.memory_limit);
  gradcheck_verb->callback([&] { call(gradcheck, gradcheck_options); });

  ExplainArguments explain_options;
  CLI::App* explain_verb =
      app.add_subcommand("explain", "Print a value, or its gradient, as a simplified formula");
  add_spec(*explain_verb, explain_options.spec);
  explain_verb
      ->add_option("value", explain_options.value, "What to explain: `loss`, or `train.loss`")
      ->required();
  explain_verb->add_option("--wrt", explain_options.wrt,
                           "Differentiate with respect to this value");
  explain_verb->callback([&] { call(explain, explain_options); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error, std::cout, std::cerr);  // help, version
    session.color = use_color(color);
    return fail(session, exit_usage, usage_error(app, error));
  }
  return result;
}

}  // namespace
}  // namespace gradc

int main(int argc, char** argv) {
  gradc::use_large_pages();
  gradc::Session session;
  session.command.assign(argv, argv + argc);
  try {
    const int code = gradc::run(session, argc, argv);
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
    return gradc::fail(session, gradc::exit_io, "cannot write to standard output");
  } catch (const gradc::InternalError& error) {
    return gradc::internal_error_exit(session, error.what());
  } catch (const std::system_error&
               error) {  // a full disk behind stdout, a folder gone while it is read
    return gradc::fail(session, gradc::exit_io, error.what());
  } catch (const std::bad_alloc&) {
    return gradc::internal_error_exit(session, "out of memory");
  } catch (const std::exception& error) {
    return gradc::internal_error_exit(session, error.what());
  }
}

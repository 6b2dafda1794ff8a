// tune.cpp: see tune.h. One number of the tiling after the other is tried, each beside the best so far.
#include "tool/tune.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <sstream>

#include "codegen/scaffold.h"
#include "tool/write_files.h"

namespace gradc {
namespace {

namespace fs = std::filesystem;

constexpr int rounds = 5;             // in which two programs are timed in turn
constexpr double worth_it = 0.98;     // of the time: less is noise

// A number of the tiling, how it is called, and what else it may be.
struct Knob {
  const char* name;
  std::int64_t Tiling::*number;
  std::vector<std::int64_t> few_registers, many_registers;
};
const std::vector<Knob>& knobs() {
  static const std::vector<Knob> all = {
      {"rows", &Tiling::rows, {4, 5}, {8, 12}},
      {"narrow_rows", &Tiling::narrow_rows, {4, 5}, {6, 12}},
      {"terms", &Tiling::terms, {128, 512}, {128, 512}},
      {"inner_rows", &Tiling::inner_rows, {2, 4}, {3, 6}},
      {"inner_columns", &Tiling::inner_columns, {2, 4}, {4, 5}},
  };
  return all;
}

std::string text_of(const Tiling& tiling) {
  std::string text;
  for (const Knob& knob : knobs()) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", knob.name, tiling.*knob.number);
  return text;
}

// What text_of wrote; nothing if it is anything else.
std::optional<Tiling> tiling_of(const std::string& text) {
  Tiling tiling;
  std::istringstream words(text);
  for (const Knob& knob : knobs()) {
    std::string name;
    std::int64_t number = 0;
    if (!(words >> name >> number) || name != knob.name || number < 1 || number > 4096) return std::nullopt;
    tiling.*knob.number = number;
    if (words.peek() == ',') words.get();
  }
  return text_of(tiling) + "\n" == text ? std::optional(tiling) : std::nullopt;
}

// $XDG_CACHE_HOME/gradc, or ~/.cache/gradc; empty if there is no home.
fs::path cache_directory() {
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return fs::path(cache) / "gradc";
  const char* const home = std::getenv("HOME");
  return home != nullptr && *home == '/' ? fs::path(home) / ".cache" / "gradc" : fs::path();
}

// Which processor this is, as far as the system says.
std::string processor() {
  std::string error;
  std::istringstream lines(read_file("/proc/cpuinfo", 1 << 24, error).value_or(""));
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("model name")) return line;
  return "unknown";
}

class Tuner {
 public:
  Tuner(Session& session, const CompileInput& input, const CompileOptions& options, const Isa* named, int& code)
      : session_(session), input_(input), options_(options), named_(named), code_(code) {}

  std::optional<Tiling> run() {
    std::string error;
    runtime_ = find_runtime(error);
    if (!runtime_) return said(exit_io, error);
    if (directory_.path().empty()) return said(exit_io, "cannot make a temporary directory");
    std::optional<Program> best = made(options_.target.isa.tiling);
    if (!best) return std::nullopt;
    const fs::path cached = cached_file(best->text);
    if (const auto text = read_file(cached.string(), 4096, error))
      if (const auto tiling = tiling_of(*text)) return tiling;
    if (!compiled(*best)) return std::nullopt;
    for (const Knob& knob : knobs()) {
      const Tiling before = best->tiling;
      const bool many = options_.target.isa.registers >= 32;
      for (const std::int64_t number : many ? knob.many_registers : knob.few_registers) {
        Tiling tiling = before;
        tiling.*knob.number = number;
        std::optional<Program> other = made(tiling);
        if (!other) return std::nullopt;
        if (other->text == best->text) continue;
        if (!compiled(*other) || !timed(*best, *other)) return std::nullopt;
        if (other->seconds < worth_it * best->seconds) best = std::move(other);
      }
    }
    fmt::print(stderr, "tuned: {}\n", text_of(best->tiling));
    // What can't be kept is found again next time.
    if (!cached.empty()) write_files(cached.parent_path().string(), {{cached.filename().string(), text_of(best->tiling) + "\n"}}, {.force = true});
    return best->tiling;
  }

 private:
  struct Program {
    Tiling tiling;
    std::string header, text, path = {};
    double seconds = std::numeric_limits<double>::infinity();  // of a call of each step: the best
  };

  std::nullopt_t said(ExitCode code, const std::string& message) {
    code_ = fail(session_, code, message);
    return std::nullopt;
  }

  // Without layout, which the compiler does not read.
  std::optional<Program> made(const Tiling& tiling) {
    CompileOptions options = options_;
    options.format = false;
    options.dump_after.clear();
    options.target.isa.tiling = tiling;
    Compiled compiled = compile(input_, options, session_.diagnostics);
    if ((code_ = report(session_)) != exit_ok) return std::nullopt;
    return Program{tiling, std::move(compiled.header), std::move(compiled.source)};
  }

  std::vector<std::string> command() const {
    std::vector<std::string> words = host_compiler();
    for (const std::string& flag : host_flags(named_)) words.push_back(flag);
    return words;
  }

  fs::path cached_file(const std::string& text) const {
    const fs::path cache = cache_directory();
    if (cache.empty()) return {};
    return cache / "tilings" / text_hash({text, fmt::format("{}", fmt::join(command(), " ")), processor()});
  }

  bool compiled(Program& program) {
    const std::string& name = input_.name;
    const fs::path folder = fs::path(directory_.path()) / std::to_string(programs_++);
    const std::string main = fmt::format(
        "#include <cstdio>\n\n#include \"{0}.hpp\"\n#include \"gradc/drawn.h\"\n\n"
        "int main() {{ std::printf(\"%.9g\\n\", gradc::drawn::seconds_of({0}::model())); }}\n", name);
    if (const auto failed = write_files(folder.string(), {{name + ".hpp", program.header}, {name + ".cpp", program.text},
                                                          {"measure.cpp", main}})) {
      said(exit_io, *failed);
      return false;
    }
    program.path = (folder / "measure").string();
    std::vector<std::string> words = command();
    words.insert(words.end(), {"-I", runtime_->include, "-I", folder.string(), (folder / (name + ".cpp")).string(),
                               (folder / "measure.cpp").string(), "-pthread", "-o", program.path});
    const HostResult result = run_program(words);
    if (result.status == 0) return true;
    code_ = fail_host(session_, result, words[0]);
    return false;
  }

  bool timed(Program& one, Program& other) {
    for (int round = 0; round < rounds; ++round) {
      for (Program* program : {&one, &other}) {
        const HostResult result = run_program({program->path});
        double seconds = 0;
        const char* const end = result.output.data() + result.output.size();
        const auto read = std::from_chars(result.output.data(), end, seconds);
        if (result.status != 0 || read.ec != std::errc() || !(seconds > 0)) {
          said(exit_host, fmt::format("the program that measures '{}' failed with status {}: {}", input_.name, result.status,
                                      result.output));
          return false;
        }
        program->seconds = std::min(program->seconds, seconds);
      }
    }
    return true;
  }

  Session& session_;
  const CompileInput& input_;
  const CompileOptions& options_;
  const Isa* const named_;
  int& code_;
  std::optional<RuntimeFiles> runtime_;
  TemporaryDirectory directory_;
  int programs_ = 0;
};

}  // namespace

std::optional<Tiling> tune(Session& session, const CompileInput& input, const CompileOptions& options, const Isa* named,
                           int& code) {
  return Tuner(session, input, options, named, code).run();
}

}  // namespace gradc

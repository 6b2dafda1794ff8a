// emitted_programs.cpp: programs made of emitted code: how they read, write, are compiled and run.
#include "tests/emitted_programs.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "tests/emitted_cases.h"
#include "tests/process.h"

namespace test {
namespace {

using gradc::Target;

// What the generated programs read and write: doubles in a row. What does so is called, not
// inlined: there are hundreds of calls, and compilers would optimise copies of it for longer than
// what is tested.
constexpr const char* preamble = R"(#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "cases.h"

#define CALLED __attribute__((noinline))

namespace {

struct Values {
  std::FILE* in;
  std::FILE* out;
  CALLED double next() {
    double v = 0;
    if (std::fread(&v, sizeof v, 1, in) != 1) std::abort();
    return v;
  }
  std::int64_t count() { return static_cast<std::int64_t>(next()); }
  template <class T>
  CALLED void fill(T* to, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<T>(next());
  }
  template <class T>
  CALLED void write(const T* from, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      const auto v = static_cast<double>(from[i]);
      std::fwrite(&v, sizeof v, 1, out);
    }
  }
};

}  // namespace

)";

// Memory of the processor: of exactly its size, so that a read beyond it is seen.
constexpr const char* processor_preamble = R"(
namespace {

template <class T>
CALLED std::unique_ptr<T> copy_of(const T& value) {
  return std::make_unique<T>(value);
}
template <class T>
CALLED std::unique_ptr<T[]> zeros(std::size_t n) {
  return std::make_unique<T[]>(n);
}
template <class T>
CALLED std::unique_ptr<T[]> tensor(Values& values, std::size_t n) {
  auto result = std::make_unique<T[]>(n);
  values.fill(result.get(), n);
  return result;
}
template <class T>
const T* host(const std::unique_ptr<T[]>& tensor) {
  return tensor.get();
}
// What nobody has written reads as NaN.
template <class W>
CALLED std::unique_ptr<W> workspace_of_nan() {
  auto w = std::make_unique<W>();
  std::memset(w->data, 0xff, sizeof w->data);
  return w;
}

}  // namespace

)";

// Memory of a device, with a copy for the processor.
constexpr const char* device_preamble = R"(
namespace {

gradc::Device& the_device() {
  static gradc::Device device;
  return device;
}

template <class T>
struct Mirror {
  std::unique_ptr<gradc::DeviceArray<T>> memory;
  std::unique_ptr<T[]> copy;
  explicit Mirror(std::size_t n)
      : memory(std::make_unique<gradc::DeviceArray<T>>(the_device(), n)), copy(std::make_unique<T[]>(n)) {}
  T* get() const { return memory->get(); }
  T& operator*() const { return *memory->get(); }
  T* operator->() const {
    memory->download(copy.get());
    return copy.get();
  }
};

template <class T>
CALLED Mirror<T> copy_of(const T& value) {
  Mirror<T> result(1);
  result.memory->upload(&value);
  return result;
}
template <class T>
CALLED Mirror<T> zeros(std::size_t n) {
  Mirror<T> result(n);
  result.memory->upload(result.copy.get());
  return result;
}
template <class T>
CALLED Mirror<T> tensor(Values& values, std::size_t n) {
  Mirror<T> result(n);
  values.fill(result.copy.get(), n);
  result.memory->upload(result.copy.get());
  return result;
}
template <class T>
CALLED const T* host(const Mirror<T>& tensor) {
  return tensor.operator->();
}
template <class W>
CALLED Mirror<W> workspace_of_nan() {
  Mirror<W> w(1);
  the_device().fill(w.get(), 0xff, sizeof(W));
  return w;
}

}  // namespace

)";

// What a program checks itself, on a machine without this test.
constexpr const char* check_itself = R"(
static int check(const char* out_path, const char* expected_path, const char* allowed_path) {
  std::FILE* out = std::fopen(out_path, "rb");
  std::FILE* expected = std::fopen(expected_path, "rb");
  std::FILE* allowed = std::fopen(allowed_path, "rb");
  int wrong = 0;
  long number = 0;
  double e = 0, a = 0, o = 0;
  for (; std::fread(&e, 8, 1, expected) == 1; ++number) {
    if (std::fread(&a, 8, 1, allowed) != 1 || std::fread(&o, 8, 1, out) != 1) std::abort();
    const double difference = o > e ? o - e : e - o;
    if (o == e || (o != o && e != e) || difference <= a) continue;
    if (++wrong <= 10) std::printf("value %ld is %.9g, and %.9g is right\n", number, o, e);
  }
  std::printf("%ld values, %d of them wrong\n", number, wrong);
  return wrong != 0;
}
)";

}  // namespace

namespace {

// One way to make a program of a source file, and to run it.
struct Build {
  std::string name;
  std::vector<std::vector<std::string>> commands;  // the program becomes "cases"
};

const std::string simt = std::string(GRADC_SOURCE_DIR) + "/tests/simt";
const std::string runtime = std::string("-I") + GRADC_SOURCE_DIR + "/runtime";

// The instructions the text was made for, where this machine has them.
std::vector<std::string> flags_for(const gradc::Isa& isa) {
  const gradc::Isa& here = gradc::host_isa();
  const bool x86 = isa.name.starts_with("x86") || isa.flags.empty();
  if (isa.name == here.name || !x86 || isa.vector_bytes > here.vector_bytes) return native_flags();
  std::vector<std::string> flags;
  std::istringstream words{std::string(isa.flags)};
  for (std::string word; words >> word;) flags.push_back(word);
  return flags;
}

std::vector<std::string> compilation(const std::string& compiler, std::vector<std::string> flags, const gradc::Isa& isa) {
  std::vector<std::string> command = {compiler, "-std=c++17"};
  for (std::string& flag : flags_for(isa)) command.push_back(std::move(flag));
  command.insert(command.end(), flags.begin(), flags.end());
  command.insert(command.end(), {runtime, "cases.cpp", "-o", "cases"});
  return command;
}

// Two programs by each compiler: optimised, with its warnings; and under sanitizers, not optimised,
// so that nothing they look at is optimised away before. One program for both takes five times as
// long, and vectorises less than users' programs.
std::vector<Build> processor_builds(const std::vector<std::string>& compilers, const gradc::Isa& isa) {
  std::vector<Build> builds;
  for (const std::string& compiler : compilers) {
    builds.push_back({compiler,
                      {compilation(compiler,
                                   {"-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion",
                                    "-Wshadow", "-Werror"},
                                   isa)}});
    builds.push_back({compiler + " with sanitizers",
                      {compilation(compiler,
                                   {"-O0", "-g1", "-w", "-fsanitize=address,undefined",
                                    "-fno-sanitize-recover=all"},
                                   isa)}});
  }
  return builds;
}

Build emulated_under_sanitizers() {
  return {"emulation",
          {{"g++", "-std=c++17", "-O1", "-g1", "-Wall", "-Wextra", "-Wshadow", "-Wno-unknown-pragmas", "-Werror",
            "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-I" + simt, runtime,
            "cases.cpp", simt + "/simt.cpp", "-o", "cases"}}};
}
Build emulated_for_races() {
  return {"race check",
          {{"g++", "-std=c++17", "-O1", "-g1", "-w", "-fsanitize=thread", "-fno-threadsafe-statics", "-I" + simt, runtime,
            "-c", "cases.cpp", "-o", "cases.o"},
           {"g++", "-std=c++17", "-O2", "-DSIMT_RACES", "-I" + simt, "cases.o", simt + "/simt.cpp",
            simt + "/simt_races.cpp", "-o", "cases"}}};
}
std::vector<Build> quick_builds(const Target& target) {
  if (!target.grid()) return {{"g++", {compilation("g++", {"-O1", "-w"}, target.isa)}}};
  return {{"emulation",
           {{"g++", "-std=c++17", "-O1", "-w", "-I" + simt, runtime, "cases.cpp", simt + "/simt.cpp", "-o", "cases"}}}};
}
std::vector<Build> sanitized_builds(const Target& target) {
  return target.grid() ? std::vector<Build>{emulated_under_sanitizers()} : processor_builds({"clang++-19"}, target.isa);
}
Build for_gpu() {
  const char* chosen = std::getenv("CUDAARCHS");
  const std::string architecture = chosen ? std::string("-arch=sm_") + chosen : "-arch=native";
  return {"nvcc",
          {{std::getenv("NVCC") ? std::getenv("NVCC") : "nvcc", "-std=c++17", "-O2", architecture, "-Werror",
            "all-warnings", "-diag-suppress", "177", "-Xcompiler", "-Wall,-Wextra", runtime, "-x", "cu", "cases.cpp",
            "-o", "cases"}}};
}

}  // namespace

Said run_emulated(const std::string& source, bool check_races) {
  const TemporaryFolder folder;
  write_text(folder.path() / "cases.cpp", source);
  RunOptions options;
  options.directory = folder.path();
  const Build build = check_races ? emulated_for_races() : emulated_under_sanitizers();
  for (const auto& command : build.commands) {
    const Finished compiled = run_program(command, options);
    if (compiled.exit_code != 0) return {compiled.exit_code, compiled.err};
  }
  const Finished ran = run_program({(folder.path() / "cases").string()}, options);
  return {ran.exit_code, ran.exit_code == 0 ? ran.out : ran.out + ran.err};
}

namespace {

void write_doubles(const fs::path& path, const std::vector<double>& values) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * 8));
}

void compare(const Expected& expected, const std::vector<double>& out, const std::string& how,
             std::vector<std::string>& problems) {
  std::size_t at = 0;
  for (const Expected::Tensor& tensor : expected.tensors) {
    double worst = 0, got = 0, right = 0;
    for (std::size_t i = 0; i < tensor.count; ++i, ++at) {
      const double a = out.at(at), b = expected.values[at];
      double difference = std::fabs(a - b);
      if (a == b || (std::isnan(a) && std::isnan(b))) difference = 0;
      if (std::isnan(difference)) difference = HUGE_VAL;
      if (difference > worst) worst = difference, got = a, right = b;
    }
    if (worst > tensor.allowed) {
      problems.push_back(fmt::format("{}: {}: {} where {} is right ({} off is allowed)", how, tensor.name, got, right,
                                     tensor.allowed));
    }
  }
  if (at != out.size()) problems.push_back(how + ": more values than expected");
}

// For a machine with a GPU: a folder with the program, what it reads, and what it is to find.
void prepare(const fs::path& folder, const std::vector<double>& in, const Expected& expected) {
  write_doubles(folder / "in", in);
  write_doubles(folder / "expected", expected.values);
  std::vector<double> allowed;
  for (const auto& tensor : expected.tensors) allowed.insert(allowed.end(), tensor.count, tensor.allowed);
  write_doubles(folder / "allowed", allowed);
}

}  // namespace

std::vector<std::string> run_programs(const std::string& functions, const std::string& calls,
                                      const std::vector<double>& in, const Expected& expected, const Target& target,
                                      Builds which) {
  std::vector<std::string> problems;
  const std::string source =
      std::string(preamble) + (target.grid() ? device_preamble : processor_preamble) + functions + check_itself +
      fmt::format("int main(int argc, char** argv) {{\n  Values values{{std::fopen(argv[1], \"rb\"), "
                  "std::fopen(argv[2], \"wb\")}};\n{}  std::fclose(values.in);\n  std::fclose(values.out);\n"
                  "  return argc > 4 ? check(argv[2], argv[3], argv[4]) : 0;\n}}\n", calls);
  const TemporaryFolder temporary;
  fs::path folder = temporary.path();
  const char* const prepared = std::getenv("GRADC_GPU_FOLDER");
  const bool prepares = prepared && target.grid();
  for (int number = 1; prepares; ++number) {
    folder = fs::path(prepared) / fmt::format("cases_{}", number);
    if (fs::create_directories(folder)) break;
  }
  write_text(folder / "cases.cpp", source);
  if (const char* kept = std::getenv("GRADC_KEEP_EMITTED")) write_text(kept, source);
  write_text(folder / "cases.h",
             target.grid() ? "#include \"gradc/cuda.h\"\n#include \"gradc/grid.h\"\n"
                           : "#include \"gradc/math.h\"\n#include \"gradc/philox.h\"\n#include \"gradc/team.h\"\n"
                             "#include \"gradc/vector.h\"\n");
  prepare(folder, in, expected);
  RunOptions options;
  options.directory = folder;
  options.limit = std::chrono::seconds(900);
  const std::vector<Build> builds =
      prepares                 ? std::vector<Build>{for_gpu()}
      : which == Builds::quick ? quick_builds(target)
      : which == Builds::sanitized ? sanitized_builds(target)
      : target.grid() ? std::vector<Build>{emulated_under_sanitizers(), emulated_for_races()}
                      : processor_builds({"g++", "clang++-19"}, target.isa);
  for (const Build& build : builds) {
    Finished compiled;
    for (const auto& command : build.commands) {
      compiled = run_program(command, options);
      if (compiled.exit_code != 0) break;
    }
    if (compiled.exit_code != 0) {
      problems.push_back(build.name + " said:\n" + (compiled.out + compiled.err).substr(0, 4000));
      continue;
    }
    if (prepares) continue;
    const Finished ran = run_program({(folder / "cases").string(), "in", "out"}, options);
    if (ran.exit_code != 0) {
      problems.push_back(build.name + "'s program said:\n" + ran.err.substr(0, 4000));
      continue;
    }
    const std::string bytes = read_text(folder / "out");
    std::vector<double> out(bytes.size() / 8);
    std::memcpy(out.data(), bytes.data(), out.size() * 8);
    compare(expected, out, build.name, problems);
  }
  return problems;
}

}  // namespace test

// packages.cpp: gradc installed and used from another project: what is built, when, and that it
// runs.
#include <sstream>

#include "tool/tool_run.h"

using namespace test;

namespace {

Finished run_in(const fs::path& folder, const std::vector<std::string>& command) {
  Finished finished = run_program(command, {folder, {}, std::chrono::seconds(600)});
  INFO(finished.out.substr(0, 4000) << finished.err.substr(0, 4000));
  CHECK(finished.exit_code == 0);
  return finished;
}

bool contains_text(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// The installed tree, moved after installation: nothing in it may know where it was.
class Installed {
 public:
  Installed() {
    run_in(".", {"cmake", "--install", GRADC_BINARY_DIR, "--prefix",
                 (folder_.path() / "first").string()});
    fs::rename(folder_.path() / "first", folder_.path() / "moved");
  }
  fs::path prefix() const { return folder_.path() / "moved"; }

 private:
  TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("an installed gradc serves a project of its user's") {
  const Installed installed;
  const TemporaryFolder work;
  fs::copy(GRADC_SOURCE_DIR "/examples/embed", work.path() / "embed", fs::copy_options::recursive);
  const fs::path spec = work.path() / "embed/sine.nn";
  write_text(work.path() / "embed/snake.nn", "op snake(x) = x + sin(x) * sin(x)\n");
  std::string text = read_text(spec);
  const std::size_t begin = text.find("op snake"), end = text.find('\n', begin);
  text.replace(begin, end - begin, "import \"snake.nn\"");
  write_text(spec, text);

  run_in(work.path(), {"cmake", "-G", "Ninja", "-S", "embed", "-B", "build",
                       "-DCMAKE_PREFIX_PATH=" + installed.prefix().string()});
  const auto build = [&] { return run_in(work.path(), {"cmake", "--build", "build"}).out; };
  CHECK_THAT(build(), contains("gradc sine.nn"));
  CHECK_THAT(run_in(work.path(), {"build/embed"}).out, contains("worst error 0.0"));

  CHECK_THAT(build(), contains("no work to do"));

  // Newer, but the same: gradc runs, and nothing is compiled.
  fs::last_write_time(spec, fs::file_time_type::clock::now());
  const std::string touched = build();
  CHECK(contains_text(touched, "gradc sine.nn"));
  CHECK_FALSE(contains_text(touched, "sine.cpp.o"));
  CHECK_THAT(build(), contains("no work to do"));

  // An edit of an imported file, and of the spec.
  write_text(work.path() / "embed/snake.nn", "op snake(x) = x + 2 * sin(x) * sin(x)\n");
  CHECK_THAT(build(), contains("sine.cpp.o"));
  CHECK_THAT(build(), contains("no work to do"));
  write_text(spec, text + "// a comment more\n");
  CHECK_THAT(build(), contains("gradc sine.nn"));
  CHECK_THAT(build(), contains("no work to do"));

  // A spec that became wrong stops the build with its message, and is cured by curing it.
  write_text(spec, text + "net oops(x: f32[B, 1]) -> y: f32[B, 1] { y = snaek(x) }\n");
  const Finished wrong =
      run_program({"cmake", "--build", "build"}, {work.path(), {}, std::chrono::seconds(600)});
  CHECK(wrong.exit_code != 0);
  CHECK_THAT(wrong.out + wrong.err, contains("snake"));
  write_text(spec, text);
  build();
}

TEST_CASE("an installed gradc makes programs") {
  const Installed installed;
  const Workplace place;
  const Finished built =
      run_program({(installed.prefix() / "bin/gradc").string(), "build", "--binary", "tiny.nn"},
                  {place.path(), {}, std::chrono::seconds(600)});
  INFO(built.err);
  CHECK(built.exit_code == 0);
  CHECK(fs::exists(place.path() / "tiny"));
}

TEST_CASE("gradc is embedded as a folder too") {
  const TemporaryFolder work;
  run_in(work.path(), {"cmake", "-G", "Ninja", "-S", GRADC_SOURCE_DIR "/examples/embed", "-B",
                       "build", "-DGRADC_SOURCE=" GRADC_SOURCE_DIR});
  // All that is needed is made, in the right order; building gradc itself again would only take
  // time.
  CHECK_THAT(run_in(work.path(), {"ninja", "-C", "build", "-n", "embed"}).out,
             contains("gradc sine.nn"));
}

TEST_CASE("gradc_add_network knows the targets that gradc knows") {
  const Installed installed;
  const TemporaryFolder work;
  const std::string help = run_program({(installed.prefix() / "bin/gradc").string(), "build", "--help"}).out;
  const std::size_t begin = help.find("--target TEXT:{") + 15;
  std::string known = help.substr(begin, help.find('}', begin) - begin);  // "cpp,cuda"
  for (std::size_t at = 0; (at = known.find(',', at)) != std::string::npos; ++at) known.replace(at, 1, ", TARGET ");
  write_text(work.path() / "CMakeLists.txt",
             "cmake_minimum_required(VERSION 3.20)\nproject(mine LANGUAGES CXX)\n"
             "find_package(gradc CONFIG REQUIRED)\n"
             "gradc_add_network(networks SPECS tiny.nn TARGET abacus)\n");
  const Finished finished = run_program({"cmake", "-G", "Ninja", "-S", ".", "-B", "build", "-Wno-dev",
                                         "-DCMAKE_PREFIX_PATH=" + installed.prefix().string()},
                                        {work.path(), {}, std::chrono::seconds(600)});
  CHECK(finished.exit_code != 0);
  std::string said = finished.err;  // in lines of CMake's own length
  for (std::size_t at = 0; (at = said.find_first_of("\n", at)) != std::string::npos;) said.replace(at, 1, " ");
  for (std::size_t at = 0; (at = said.find("  ", at)) != std::string::npos;) said.erase(at, 1);
  CHECK_THAT(said, contains("gradc_add_network(networks): there is TARGET " + known + ", not 'abacus'"));
}

TEST_CASE("a project's network is for one set of instructions, or for several") {
  const Installed installed;
  const Workplace place;
  write_text(place.path() / "CMakeLists.txt",
             "cmake_minimum_required(VERSION 3.20)\nproject(mine LANGUAGES CXX)\n"
             "find_package(gradc CONFIG REQUIRED)\n"
             "gradc_add_network(several SPECS tiny.nn ISA x86-64-v2 scalar)\n"
             "gradc_add_network(one SPECS tiny.nn ISA x86-64-v2)\n"
             "add_executable(mine main.cpp)\ntarget_link_libraries(mine PRIVATE several)\n"
             "add_executable(other main.cpp)\ntarget_link_libraries(other PRIVATE one)\n");
  write_text(place.path() / "main.cpp",
             "#include \"tiny.hpp\"\n#include <cstdio>\nint main() {\n  static tiny::Parameters p;\n  static tiny::State s;\n"
             "  tiny::init(p, s, 1);\n  std::printf(\"%g\\n\", p.guess_dense1_W[0]);\n}\n");
  run_in(place.path(), {"cmake", "-G", "Ninja", "-S", ".", "-B", "build", "-Wno-dev", "-DCMAKE_BUILD_TYPE=Debug",
                        "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", "-DCMAKE_PREFIX_PATH=" + installed.prefix().string()});
  run_in(place.path(), {"cmake", "--build", "build"});
  const Finished first = run_in(place.path(), {"build/mine"}), second = run_in(place.path(), {"build/other"});
  CHECK(first.out == second.out);
  std::istringstream commands(read_text(place.path() / "build/compile_commands.json"));
  int flagged = 0;
  for (std::string line; std::getline(commands, line);)
    if (line.find("\"command\"") != std::string::npos && line.find("-march=x86-64-v2") != std::string::npos) ++flagged;
  CHECK(flagged == 2);  // tiny_x86_64_v2.cpp of the one, tiny.cpp of the other
}

TEST_CASE("a project in CUDA is built where there is a compiler for it") {
  std::string nvcc = "nvcc";
  if (run_program({nvcc, "--version"}).exit_code != 0) nvcc = "/usr/local/cuda/bin/nvcc";
  if (!fs::exists(nvcc) && nvcc != "nvcc") {
    WARN("not run: nvcc is not installed");
    return;
  }
  const Installed installed;
  const Workplace place;
  write_text(place.path() / "CMakeLists.txt",
             "cmake_minimum_required(VERSION 3.20)\nproject(mine LANGUAGES CXX CUDA)\n"
             "find_package(gradc CONFIG REQUIRED)\n"
             "gradc_add_network(networks SPECS tiny.nn TARGET cuda)\n"
             "add_executable(mine main.cpp)\ntarget_link_libraries(mine PRIVATE networks)\n");
  // Without a GPU it says so, in C++ and in C.
  write_text(place.path() / "main.cpp", R"(#include <cstdio>
#include "tiny.hpp"
int main() {
  void* opened = nullptr;
  const int code = tiny_open(&opened);
  if (code != 0) std::printf("C: code %d: %s\n", code, tiny_error());
  try {
    gradc::Device device;
    gradc::OnDevice<tiny::Arena> arena(device, "tiny");
    gradc::OnDevice<tiny::train_result> result(device, "results");
    gradc::DeviceArray<float> x(device, 32);
    gradc::DeviceArray<std::int32_t> label(device, 8);
    device.fill(x.get(), 0, 32 * sizeof(float));
    device.fill(label.get(), 0, 8 * sizeof(std::int32_t));
    tiny::init(device, arena->parameters, arena->state, 1);
    tiny::train(device, arena->parameters, arena->state, arena->workspace, 8, x.get(), label.get(), 1, &*result);
    tiny::train_result reported;
    result.download(reported);
    std::printf("loss %.4f\n", static_cast<double>(reported.loss));
  } catch (const gradc::CudaError& error) {
    std::printf("C++: %s\n", error.what());
  }
}
)");
  run_in(place.path(), {"cmake", "-G", "Ninja", "-S", ".", "-B", "build", "-DCMAKE_CUDA_COMPILER=" + nvcc,
                        "-DCMAKE_CUDA_ARCHITECTURES=75", "-DCMAKE_PREFIX_PATH=" + installed.prefix().string()});
  run_in(place.path(), {"cmake", "--build", "build"});
  const std::string said = run_in(place.path(), {"build/mine"}).out;
  INFO(said);
  if (contains_text(said, "loss")) {
    CHECK(said == "loss 0.6931\n");  // of two classes that are equally likely
  } else {
    CHECK(contains_text(said, "C: code 2: CUDA cannot be used: "));
    CHECK(contains_text(said, "C++: CUDA cannot be used: "));
  }
}

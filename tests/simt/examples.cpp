// examples.cpp: every example, golden spec and definition of the prelude as CUDA: compiled by nvcc, and run in the
// emulation against the same as C++.
#include <cstdlib>

#include "catch.h"
#include "process.h"

using namespace test;

namespace {

const fs::path source = GRADC_SOURCE_DIR;

std::vector<fs::path> specs() {
  std::vector<fs::path> found;
  for (const char* spec : {"digits/digits.nn", "mlp/mlp.nn", "mnist/mnist_small.nn", "sentiment/sentiment.nn", "embed/sine.nn",
                           "operator/dilation.nn", "ratings/ratings.nn"})
    found.push_back(source / "examples" / spec);
  for (const char* folder : {"tests/golden", "tests/ops/samples"})
    if (fs::exists(source / folder))
      for (const std::string& name : names_in(source / folder))
        if (fs::path(name).extension() == ".nn") found.push_back(source / folder / name);
  return found;
}

void require(const std::vector<std::string>& command, const fs::path& folder) {
  const Finished finished = run_program(command, {folder, {}, std::chrono::seconds(600)});
  INFO(command[0] << "\n" << (finished.out + finished.err).substr(0, 4000));
  REQUIRE(finished.exit_code == 0);
}

// The spec as <name>.cpp and, under another name, <name>_cuda.cu.
std::string build_both(const fs::path& spec, const fs::path& folder) {
  const std::string name = spec.stem().string();
  for (const std::string& file : names_in(spec.parent_path()))  // what it imports
    if (fs::path(file).extension() == ".nn") fs::copy_file(spec.parent_path() / file, folder / fs::path(file).filename());
  fs::copy_file(spec, folder / (name + "_cuda.nn"));
  require({GRADC_TOOL, "build", name + ".nn"}, folder);
  require({GRADC_TOOL, "build", name + "_cuda.nn", "--target=cuda"}, folder);
  return name;
}

std::string nvcc() {
  if (run_program({"nvcc", "--version"}).exit_code == 0) return "nvcc";
  const std::string usual = "/usr/local/cuda/bin/nvcc";
  return fs::exists(usual) ? usual : "";
}

}  // namespace

TEST_CASE("specs compute as CUDA what they do as C++") {
  for (const fs::path& spec : specs()) {
    const TemporaryFolder folder;
    const std::string name = build_both(spec, folder.path());
    const std::string simt = (source / "tests/simt").string();
    const std::vector<std::string> options = {
        "-std=c++17", "-O1", "-g1", "-I" + simt, "-I" + (source / "runtime").string(), "-I.", "-Wno-unknown-pragmas",
        "-DFIRST=" + name, "-DSECOND=" + name + "_cuda", "-DFIRST_HEADER=\"" + name + ".hpp\"",
        "-DSECOND_HEADER=\"" + name + "_cuda.hpp\""};
    const auto with = [&](std::vector<std::string> first, const std::vector<std::string>& last) {
      first.insert(first.end(), options.begin(), options.end());
      first.insert(first.end(), last.begin(), last.end());
      return first;
    };
    INFO(spec);
    require(with({"g++", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Wall", "-Wextra", "-Werror"},
                 {"-x", "c++", name + ".cpp", name + "_cuda.cu", simt + "/compare_models.cpp", simt + "/simt.cpp", "-o",
                  "sanitized"}), folder.path());
    require({"./sanitized"}, folder.path());
    require(with({"g++", "-fsanitize=thread", "-fno-threadsafe-statics", "-w"},
                 {"-x", "c++", "-c", name + "_cuda.cu", "-o", "cuda.o"}), folder.path());
    require(with({"g++", "-DSIMT_RACES", "-w"},
                 {name + ".cpp", simt + "/compare_models.cpp", simt + "/simt.cpp", simt + "/simt_races.cpp", "cuda.o", "-o",
                  "races"}), folder.path());
    require({"./races", "small"}, folder.path());
  }
}

TEST_CASE("nvcc compiles every spec without a warning") {
  const std::string compiler = nvcc();
  if (compiler.empty()) {
    WARN("not run: nvcc is not installed");
    return;
  }
  for (const fs::path& spec : specs()) {
    const TemporaryFolder folder;
    const std::string name = build_both(spec, folder.path());
    for (const std::string architecture : {"sm_75", "sm_100"})
      require({compiler, "-std=c++17", "-arch=" + architecture, "-Werror", "all-warnings", "-Xcompiler", "-Wall,-Wextra",
               "-I" + (source / "runtime").string(), "-c", name + "_cuda.cu", "-o", architecture + ".o"}, folder.path());
  }
}

// examples.cpp: examples, golden specs and every definition of the prelude as CUDA: compiled by nvcc, and run in the
// emulation against the same as C++.
#include <algorithm>
#include <cstdlib>

#include "catch.h"
#include "process.h"

using namespace test;

namespace {

const fs::path source = GRADC_SOURCE_DIR;

// The specs of each folder: the golden ones, those that hold all of the prelude, and the examples small enough to be
// run thread by thread. tests/gpu has the others.
std::vector<std::vector<fs::path>> specs() {
  std::vector<fs::path> folders = {source / "tests/golden", source / "tests/ops/samples"};
  for (const char* example : {"digits", "embed", "lstm", "mlp", "ratings"})
    folders.push_back(source / "examples" / example);
  std::vector<std::vector<fs::path>> found;
  for (const fs::path& folder : folders) {
    found.emplace_back();
    for (const std::string& name : names_in(folder)) {
      if (fs::path(name).extension() == ".nn") found.back().push_back(folder / name);
    }
  }
  return found;
}

void require(const std::vector<std::string>& command, const fs::path& folder) {
  const Finished finished = run_program(command, {folder, {}, std::chrono::seconds(1200)});
  INFO(command[0] << "\n" << (finished.out + finished.err).substr(0, 4000));
  REQUIRE(finished.exit_code == 0);
}

// Each spec as <name>.cpp and, under another name, <name>_cuda.cu; the names.
std::vector<std::string> build_both(const std::vector<fs::path>& specs, const fs::path& folder) {
  std::vector<std::string> names;
  for (const std::string& file : names_in(specs[0].parent_path()))  // what they import
    if (fs::path(file).extension() == ".nn") fs::copy_file(specs[0].parent_path() / file, folder / file);
  for (const fs::path& spec : specs) {
    const std::string name = spec.stem().string();
    INFO(spec);
    fs::copy_file(spec, folder / (name + "_cuda.nn"));
    require({GRADC_TOOL, "build", name + ".nn"}, folder);
    require({GRADC_TOOL, "build", name + "_cuda.nn", "--target=cuda"}, folder);
    names.push_back(name);
  }
  return names;
}

std::string nvcc() {
  if (run_program({"nvcc", "--version"}).exit_code == 0) return "nvcc";
  const std::string usual = "/usr/local/cuda/bin/nvcc";
  return fs::exists(usual) ? usual : "";
}

}  // namespace

TEST_CASE("specs compute as CUDA what they do as C++") {
  for (const std::vector<fs::path>& folder_of_specs : specs()) {
    const TemporaryFolder folder;
    const std::vector<std::string> names = build_both(folder_of_specs, folder.path());
    INFO(folder_of_specs[0]);
    std::string headers, pairs;
    for (const std::string& name : names) {
      headers += "#include \"" + name + ".hpp\"\n#include \"" + name + "_cuda.hpp\"\n";
      pairs += "  compare(" + name + "::model(), " + name + "_cuda::model(), small);\n";
    }
    write_text(folder.path() / "pairs.h", headers + "template <class Compare>\nvoid compare_pairs(bool small, Compare compare) {\n" +
                                              pairs + "}\n");
    const std::string simt = (source / "tests/simt").string();
    const auto compile = [&](std::vector<std::string> command, const std::vector<std::string>& more) {
      for (const std::string& option : {std::string("-std=c++17"), std::string("-O1"), std::string("-g1"), "-I" + simt,
                                        "-I" + (source / "runtime").string(), std::string("-I."), std::string("-Wno-unknown-pragmas")})
        command.push_back(option);
      command.insert(command.end(), more.begin(), more.end());
      require(command, folder.path());
    };
    std::vector<std::string> sanitized = {"-x", "c++", simt + "/compare_models.cpp", simt + "/simt.cpp"}, objects, races;
    for (const std::string& name : names) {
      sanitized.push_back(name + "_cuda.cu");
      compile({"g++", "-w", "-c"}, {name + ".cpp", "-o", name + ".o"});
      compile({"g++", "-fsanitize=thread", "-fno-threadsafe-statics", "-w", "-x", "c++", "-c"},
              {name + "_cuda.cu", "-o", name + "_cuda.o"});
      objects.push_back(name + ".o");
      races.push_back(name + "_cuda.o");
    }
    sanitized.insert(sanitized.end(), {"-x", "none"});
    sanitized.insert(sanitized.end(), objects.begin(), objects.end());
    sanitized.insert(sanitized.end(), {"-o", "sanitized"});
    compile({"g++", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Wall", "-Wextra", "-Werror"}, sanitized);
    require({"./sanitized"}, folder.path());
    races.insert(races.begin(), {simt + "/compare_models.cpp", simt + "/simt.cpp", simt + "/simt_races.cpp"});
    races.insert(races.end(), objects.begin(), objects.end());
    races.insert(races.end(), {"-o", "races"});
    compile({"g++", "-DSIMT_RACES", "-w"}, races);
    require({"./races", "small"}, folder.path());
  }
}

TEST_CASE("CUDA is called from C, where errors are numbers") {
  const TemporaryFolder folder;
  write_text(folder.path() / "line.nn",
             "dim B <= 8\nnet f(x: f32[B, 3]) -> reported: f32[B, 1] { reported = x |> dense(1) }\n"
             "step fit(x: f32[B, 3], t: f32[B, 1]) {\n  loss = mse(f(x), t)\n"
             "  minimize loss using sgd(lr = 0.1)\n  report loss, reported = 2 * loss\n}\n");
  require({GRADC_TOOL, "build", "line.nn", "--target=cuda"}, folder.path());
  write_text(folder.path() / "main.cpp", R"(#include <cstdio>
#include <cstdlib>
#include "line.hpp"
static void must(int code) {
  if (code != 0) std::printf("code %d: %s\n", code, line_error()), std::exit(1);
}
int main() {
  void *device, *parameters, *state, *workspace, *x, *t, *y, *none;
  must(line_open(&device));
  must(line_allocate(device, line_parameters_size(), &parameters));
  must(line_allocate(device, line_state_size(), &state));
  must(line_allocate(device, line_workspace_size(), &workspace));
  must(line_allocate(device, 96, &x));
  must(line_allocate(device, 32, &t));
  must(line_allocate(device, 32, &y));
  float values[24], goals[8], outputs[8], first = 0, loss = 0, twice = 0;
  for (int i = 0; i < 24; ++i) values[i] = static_cast<float>(i * 7 % 5) / 5.0f;
  for (int i = 0; i < 8; ++i) goals[i] = values[3 * i] - values[3 * i + 2];
  must(line_upload(device, x, values, sizeof values));
  must(line_upload(device, t, goals, sizeof goals));
  must(line_init(device, parameters, state, 3));
  const auto fit = [&](float* a, float* b) {
    return line_fit(device, parameters, state, workspace, 8, static_cast<float*>(x), static_cast<float*>(t), 1, a, b);
  };
  must(fit(&first, nullptr));
  for (int k = 0; k < 50; ++k) must(fit(nullptr, nullptr));
  must(fit(&loss, &twice));
  must(line_f_forward(device, parameters, workspace, 8, static_cast<float*>(x), static_cast<float*>(y)));
  must(line_download(device, outputs, y, sizeof outputs));
  must(line_wait(device));
  float again = 0;
  for (int i = 0; i < 8; ++i) again += (outputs[i] - goals[i]) * (outputs[i] - goals[i]) / 8;
  std::printf("%d %d %d\n", loss < 0.5f * first, twice == 2 * loss, again < loss);
  const int code = line_allocate(device, std::size_t{1} << 40, &none);
  std::printf("code %d: %s\n", code, line_error());
  for (void* memory : {parameters, state, workspace, x, t, y}) line_release(device, memory);
  line_close(device);
}
)");
  const std::string simt = (source / "tests/simt").string();
  require({"g++", "-std=c++17", "-O1", "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Wall",
           "-Wextra", "-Wno-unknown-pragmas", "-Werror", "-I" + simt, "-I" + (source / "runtime").string(), "-I.", "-x",
           "c++", "main.cpp", "line.cu", simt + "/simt.cpp", "-o", "program"}, folder.path());
  const Finished ran = run_program({"./program"}, {folder.path(), {}, std::chrono::seconds(60)});
  INFO(ran.err);
  CHECK(ran.out == "1 1 1\ncode 3: out of device memory: an array needs 1099511627776 bytes, and 68719476736 of "
                   "68719476736 are free\n");
  const Finished without = run_program({"./program"}, {folder.path(), {{"SIMT_DEVICES", "0"}}, std::chrono::seconds(60)});
  CHECK(without.out == "code 2: CUDA cannot be used: this machine has no NVIDIA GPU\n");
}

TEST_CASE("nvcc compiles every spec without a warning") {
  const std::string compiler = nvcc();
  if (compiler.empty()) {
    WARN("not run: nvcc is not installed");
    return;
  }
  for (const std::vector<fs::path>& folder_of_specs : specs()) {
    const TemporaryFolder folder;
    for (const std::string& name : build_both(folder_of_specs, folder.path())) {
      std::vector<std::string> command = {compiler, "-std=c++17", "-Werror", "all-warnings", "-Xcompiler", "-Wall,-Wextra"};
      for (const std::string number : {"75", "100"})
        command.insert(command.end(), {"-gencode", "arch=compute_" + number + ",code=sm_" + number});
      command.insert(command.end(), {"-I" + (source / "runtime").string(), "-c", name + "_cuda.cu", "-o", "both.o"});
      require(command, folder.path());
    }
  }
}

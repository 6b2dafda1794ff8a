// examples.cpp: the examples, golden specs and every definition of the prelude as CUDA: compiled by nvcc, and run in
// the emulation against the same as C++.
#include <algorithm>
#include <cstdlib>

#include "catch.h"
#include "process.h"

using namespace test;

namespace {

const fs::path source = GRADC_SOURCE_DIR;

// What is too large to be run thread by thread as it stands: the most of every run-time dim, and other constants.
struct Cut {
  std::string spec;
  int most;
  std::vector<std::string> options = {};
};
const std::vector<Cut> cuts = {
    {"characters/characters", 3, {"-D", "window=12"}},
    {"convolutional/autoencoder", 5},
    {"dcgan/dcgan", 5},
    {"lenet/lenet", 5},
    {"mnist/mnist", 5},
    {"operator/dilation", 5},
    {"resnet/resnet", 3},
    {"sentiment/sentiment", 5},
};

// Specs that are no networks of their own: refused on purpose, or the same network as another's.
const std::vector<std::string> left_out = {"cs671/blocked", "lenet/lenet_small", "lenet/network", "mnist/mnist_small",
                                           "mnist/network"};

struct Spec {
  fs::path file;
  std::string name;  // of the emitted files, unlike any other's
  std::string most = "INT64_MAX";
  std::vector<std::string> options = {};
};

// The specs of a folder.
std::vector<Spec> specs_in(const fs::path& folder) {
  std::vector<Spec> specs;
  for (const std::string& file : names_in(folder)) {
    if (fs::path(file).extension() != ".nn") continue;
    const std::string stem = fs::path(file).stem().string(), path = folder.filename().string() + "/" + stem;
    if (std::find(left_out.begin(), left_out.end(), path) != left_out.end()) continue;
    Spec spec = {folder / file, folder.filename().string() + "_" + stem};
    for (const Cut& cut : cuts)
      if (cut.spec == path) spec.most = std::to_string(cut.most), spec.options = cut.options;
    specs.push_back(spec);
  }
  return specs;
}

// Those of the folders of examples, without cs671's or only these: they are half of all.
std::vector<Spec> examples(bool cs671) {
  std::vector<Spec> specs;
  for (const std::string& folder : names_in(source / "examples")) {
    if (!fs::is_directory(source / "examples" / folder) || (folder == "cs671") != cs671) continue;
    for (const Spec& spec : specs_in(source / "examples" / folder)) specs.push_back(spec);
  }
  return specs;
}

void require(const std::vector<std::string>& command, const fs::path& folder) {
  const Finished finished = run_program(command, {folder, {}, std::chrono::seconds(1200)});
  std::string words;
  for (const std::string& word : command) words += word + " ";
  INFO(words << "\n" << (finished.out + finished.err).substr(0, 4000));
  REQUIRE(finished.exit_code == 0);
}

// Writes <name>.<extension> for a target, in the folder; what a spec imports lies beside it.
void build(const Spec& spec, const std::string& name, const std::string& target, const fs::path& folder) {
  const TemporaryFolder specs;
  for (const std::string& file : names_in(spec.file.parent_path()))
    if (fs::path(file).extension() == ".nn") fs::copy_file(spec.file.parent_path() / file, specs.path() / file);
  fs::copy_file(spec.file, specs.path() / (name + ".nn"));
  std::vector<std::string> command = {GRADC_TOOL, "build", name + ".nn", "--target=" + target, "-o", folder.string()};
  command.insert(command.end(), spec.options.begin(), spec.options.end());
  require(command, specs.path());
}

const std::vector<std::string> common = {"-std=c++17", "-g1", "-I" + (source / "tests/simt").string(),
                                         "-I" + (source / "runtime").string(), "-I."};

// Compiles a file for the emulation.
void compile(std::vector<std::string> command, const fs::path& folder, const std::vector<std::string>& more) {
  command.insert(command.end(), common.begin(), common.end());
  command.insert(command.end(), more.begin(), more.end());
  require(command, folder);
}

// Runs every function of the specs in the emulation and as C++, under sanitizers and with the check for races.
void compare(const std::vector<Spec>& specs) {
  const TemporaryFolder temporary;
  const fs::path folder = temporary.path(), simt = source / "tests/simt";
  const std::vector<std::string> sanitized = {"g++", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas",
                                              "-fsanitize=address,undefined", "-fno-sanitize-recover=all"};
  const std::vector<std::string> traced = {"g++", "-O1", "-w", "-fsanitize=thread", "-fno-threadsafe-statics"};
  const std::vector<std::string> plain = {"g++", "-O2", "-w", "-DSIMT_RACES"};
  // The headers are read once for all.
  for (const char* how : {"sanitized", "traced"}) {
    fs::create_directory(folder / how);
    write_text(folder / how / "headers.h",
               "#include \"gradc/cuda.h\"\n#include \"gradc/device_engine.h\"\n#include \"gradc/grid.h\"\n");
    compile(how == std::string("traced") ? traced : sanitized, folder,
            {"-x", "c++-header", std::string(how) + "/headers.h", "-o", std::string(how) + "/headers.h.gch"});
  }
  std::string declarations = "#include \"compare_models.h\"\n", rows;
  std::vector<std::string> for_sanitizers = {"g++", "-fsanitize=address,undefined"}, for_races = {"g++"};
  for (const Spec& spec : specs) {
    const std::string cpp = spec.name, cuda = spec.name + "_cuda";
    build(spec, cpp, "cpp", folder);
    build(spec, cuda, "cuda", folder);
    compile({"g++", "-O1", "-w"}, folder, {"-c", cpp + ".cpp", "-o", cpp + ".o"});
    compile(sanitized, folder, {"-include", "sanitized/headers.h", "-x", "c++", "-c", cuda + ".cu", "-o", cuda + ".o"});
    compile(traced, folder, {"-include", "traced/headers.h", "-x", "c++", "-c", cuda + ".cu", "-o", cuda + "_traced.o"});
    for_sanitizers.insert(for_sanitizers.end(), {cpp + ".o", cuda + ".o"});
    for_races.insert(for_races.end(), {cpp + ".o", cuda + "_traced.o"});
    for (const std::string& name : {cpp, cuda}) declarations += "namespace " + name + " { const gradc::Model& model(); }\n";
    rows += "    {" + cpp + "::model(), " + cuda + "::model(), " + spec.most + "},\n";
  }
  write_text(folder / "networks.cpp", declarations + "std::vector<Compared> networks() {\n  return {\n" + rows + "  };\n}\n");
  const std::vector<std::string> programs = {"networks.cpp", (simt / "compare_models.cpp").string(), (simt / "simt.cpp").string()};
  for_sanitizers.insert(for_sanitizers.end(), programs.begin(), programs.end());
  for_races.insert(for_races.end(), programs.begin(), programs.end());
  for_races.push_back((simt / "simt_races.cpp").string());
  for_sanitizers.insert(for_sanitizers.begin() + 1, sanitized.begin() + 1, sanitized.end());
  for_races.insert(for_races.begin() + 1, plain.begin() + 1, plain.end());
  compile(for_sanitizers, folder, {"-o", "for_sanitizers"});
  compile(for_races, folder, {"-o", "for_races"});
  require({"./for_sanitizers"}, folder);
  require({"./for_races"}, folder);
}

std::string nvcc() {
  if (run_program({"nvcc", "--version"}).exit_code == 0) return "nvcc";
  const std::string usual = "/usr/local/cuda/bin/nvcc";
  return fs::exists(usual) ? usual : "";
}

// For the oldest and the newest architecture there is code for, with the constants the specs have.
// All are one source file: of a small network's time to compile, most would be for headers.
void compile_with_nvcc(const std::vector<Spec>& specs) {
  const std::string compiler = nvcc();
  if (compiler.empty()) {
    WARN("not run: nvcc is not installed");
    return;
  }
  const TemporaryFolder folder;
  std::string all;
  for (Spec spec : specs) {
    spec.options.clear();
    build(spec, spec.name, "cuda", folder.path());
    all += "#include \"" + spec.name + ".cu\"\n";
  }
  write_text(folder.path() / "all.cu", all);
  std::vector<std::string> command = {compiler, "-std=c++17", "-Werror", "all-warnings", "-Xcompiler", "-Wall,-Wextra"};
  for (const std::string number : {"75", "100"})
    command.insert(command.end(), {"-gencode", "arch=compute_" + number + ",code=sm_" + number});
  command.insert(command.end(),
                 {"-I" + (source / "runtime").string(), "-c", "all.cu", "-o", "both.o"});
  require(command, folder.path());
}

}  // namespace

TEST_CASE("golden specs compute as CUDA what they do as C++") { compare(specs_in(source / "tests/golden")); }

TEST_CASE("the prelude computes as CUDA what it does as C++") { compare(specs_in(source / "tests/ops/samples")); }

TEST_CASE("examples compute as CUDA what they do as C++") { compare(examples(false)); }

TEST_CASE("the examples of cs671 compute as CUDA what they do as C++") { compare(examples(true)); }

TEST_CASE("within a limit of memory CUDA computes what C++ does") {
  compare({{source / "examples/cs671/vae.nn", "vae_limited", "INT64_MAX", {"--memory-limit=200kB"}},
           {source / "examples/resnet/resnet.nn", "resnet_limited", "3", {"--memory-limit=3500kB"}}});
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

TEST_CASE("nvcc compiles the golden specs and the prelude without a warning") {
  compile_with_nvcc(specs_in(source / "tests/golden"));
  compile_with_nvcc(specs_in(source / "tests/ops/samples"));
}

TEST_CASE("nvcc compiles every example without a warning") {
  compile_with_nvcc(examples(false));
  compile_with_nvcc(examples(true));
}

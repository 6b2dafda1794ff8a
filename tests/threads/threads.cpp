// threads.cpp: functions that threads share compute what one thread does, bit for bit, and race for nothing.
#include "catch.h"
#include "codegen/compile.h"
#include "process.h"
#include "tool/compile_spec.h"

using namespace test;

namespace {

const fs::path source = GRADC_SOURCE_DIR;
const std::vector<std::string> strict = {"-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"};
const std::vector<std::string> addresses = {"-fsanitize=address,undefined", "-fno-sanitize-recover=all"};
const std::vector<std::string> races = {"-fsanitize=thread"};

// For which every kernel that can be cut is, every function with such a kernel is shared, and whatever can be handed on part
// by part is.
gradc::Target eager() {
  gradc::Target target = gradc::cpp_target();
  target.least_shared_work = target.least_part_work = 1;
  target.far_bytes = 1;
  target.least_turn_work = 0;
  return target;
}

// The networks of the specs in a folder, and the name of each: <name>.hpp, <name>.cpp and networks.h.
std::vector<std::string> write_networks(const std::vector<fs::path>& specs, const gradc::Target& target,
                                        const fs::path& folder) {
  std::vector<std::string> names;
  std::string headers, models;
  for (const fs::path& spec : specs) {
    INFO(spec);
    gradc::Session session{{}, {}, {}, false};
    int code = 0;
    const auto loaded = gradc::load(session, {spec.string(), {}}, code);
    REQUIRE(loaded);
    const gradc::Compiled compiled =
        gradc::compile(gradc::compile_input(session, *loaded), {"", {}, false, target}, session.diagnostics);
    REQUIRE_FALSE(session.diagnostics.has_errors());
    const std::string name = compiled.module.name;
    write_text(folder / (name + ".hpp"), compiled.header);
    write_text(folder / (name + ".cpp"), compiled.source);
    headers += "#include \"" + name + ".hpp\"\n";
    models += "&" + name + "::model(), ";
    names.push_back(name);
  }
  write_text(folder / "networks.h", headers + "static const gradc::Model* const the_networks[] = {" + models + "};\n");
  return names;
}

const std::vector<std::string> optimised = [] {
  std::vector<std::string> flags = native_flags();
  flags.emplace_back("-O1");
  return flags;
}();

Finished run(const fs::path& folder, const std::vector<std::string>& command) {
  RunOptions options;
  options.directory = folder;
  options.environment = {{"TSAN_OPTIONS", "halt_on_error=1"}};  // one race is enough
  options.limit = std::chrono::seconds(600);
  return run_program(command, options);
}

Finished compare(const fs::path& folder, const std::vector<std::string>& names, const std::string& compiler,
                 const std::vector<std::string>& level, const std::vector<std::string>& sanitizer,
                 const std::string& argument = "") {
  std::vector<std::string> command = {compiler, "-std=c++17", "-g1", "-ffp-contract=fast", "-pthread", "-I.",
                                      "-I" + (source / "runtime").string(), "-I" + (source / "tests").string()};
  for (const auto* more : {&strict, &level, &sanitizer}) command.insert(command.end(), more->begin(), more->end());
  command.push_back((source / "tests/threads/compare_parts.cpp").string());
  for (const std::string& name : names) command.push_back(name + ".cpp");
  command.insert(command.end(), {"-o", "compare"});
  const Finished compiled = run(folder, command);
  INFO(compiled.err.substr(0, 4000));
  REQUIRE(compiled.exit_code == 0);
  std::vector<std::string> program = {(folder / "compare").string()};
  if (!argument.empty()) program.push_back(argument);
  return run(folder, program);
}

void require_equal(const Finished& finished) {
  INFO(finished.out << finished.err.substr(0, 4000));
  REQUIRE(finished.exit_code == 0);
  CHECK(finished.out.find("differences") != std::string::npos);
}

std::vector<fs::path> paths(const fs::path& folder, const std::vector<std::string>& names) {
  std::vector<fs::path> result;
  for (const std::string& name : names) result.push_back(source / folder / (name + ".nn"));
  return result;
}

// Sizes that no tile divides, rows that are known and rows that are not, random numbers, and a loop along time.
constexpr const char* odd = R"(
dim B <= 83
net f(x: f32[B, 131]) -> y: f32[B, 37] {
  y = x |> dense(257) |> relu |> dropout(0.3) |> dense(241) |> gelu |> layer_norm |> dense(37)
}
step fit(x: f32[B, 131], label: i32[B]) {
  loss = cross_entropy(f(x), label)
  minimize loss using adam(lr = 1e-3)
  report loss
}
net remember(x: f32[B, 9, 5]) -> y: f32[B, 9, 3] {
  y = x |> lstm(70) |> dense(3)
}
)";

// Texts and heads that take turns; a sum in blocks, of rows that no tile divides.
constexpr const char* turns = R"(
net attend(x: f32[3, 24, 32]) -> y: f32[3, 24, 32] {
  y = x |> transformer_block(heads = 2, causal = true)
}
net long(x: f32[600, 43]) -> y: f32[600, 37] {
  y = x |> dense(37, bias = false)
}
)";

}  // namespace

TEST_CASE("whatever can be cut gives the same bits in any number of parts, and without races") {
  const TemporaryFolder folder;
  std::vector<fs::path> specs = paths("tests/golden", {"affine", "chances", "lookup"});
  for (const fs::path& spec : paths("tests/ops/samples", {"convolutions", "recurrent"}))
    specs.push_back(spec);
  write_text(folder.path() / "turns.nn", turns);
  specs.push_back(folder.path() / "turns.nn");
  const auto names = write_networks(specs, eager(), folder.path());
  const std::string text = read_text(folder.path() / "turns.cpp");
  CHECK(text.find("for one part: ") != std::string::npos);
  CHECK(text.find("k_begin < 600") != std::string::npos);
  CHECK(text.find("if (end == 25)") != std::string::npos);
  require_equal(compare(folder.path(), names, "g++", {"-O1"}, races));
}

TEST_CASE("networks with enough work for several threads give the same bits with both compilers") {
  const TemporaryFolder folder;
  write_text(folder.path() / "odd.nn", odd);
  const auto names = write_networks({folder.path() / "odd.nn", source / "bench/specs/lenet.nn"}, gradc::cpp_target(),
                                    folder.path());
  CHECK(read_text(folder.path() / "odd.cpp").find("gradc::together") != std::string::npos);
  require_equal(compare(folder.path(), names, "g++", optimised, addresses, "neighbour"));
  require_equal(compare(folder.path(), names, "clang++-19", optimised, races));
}

TEST_CASE("networks that store values as bf16 give the same bits in any number of parts, and without races") {
  const TemporaryFolder folder;
  write_text(folder.path() / "odd.nn", odd);
  gradc::Target target = eager();
  target.bf16 = true;
  const auto names = write_networks({folder.path() / "odd.nn", source / "tests/golden/affine.nn"}, target, folder.path());
  CHECK(read_text(folder.path() / "odd.cpp").find("gradc::bf16* __restrict") != std::string::npos);
  require_equal(compare(folder.path(), names, "g++", optimised, races));
  // In pairs.
  const TemporaryFolder even;
  write_text(even.path() / "even.nn", std::string("dim B <= 24\n"
                                                  "net f(x: f32[B, 16, 32]) -> y: f32[B, 16, 64] {\n"
                                                  "  y = x |> dense(64) |> transformer_block(heads = 2) |> dense(64)\n}\n"));
  target.isa = *gradc::isa_named("x86-64-v4-bf16");
  const auto pairs = write_networks({even.path() / "even.nn"}, target, even.path());
  CHECK(read_text(even.path() / "even.cpp").find("gradc::dot(") != std::string::npos);
  require_equal(compare(even.path(), pairs, "g++", optimised, races));
}

TEST_CASE("a wait that is missing is a race that is found") {
  const TemporaryFolder folder;
  write_text(folder.path() / "odd.nn", odd);
  const auto names = write_networks({folder.path() / "odd.nn"}, gradc::cpp_target(), folder.path());
  std::string text = read_text(folder.path() / "odd.cpp");
  const std::string wait = "thread.wait();";
  REQUIRE(text.find(wait) != std::string::npos);
  for (std::size_t at = text.find(wait); at != std::string::npos; at = text.find(wait)) text.erase(at, wait.size());
  write_text(folder.path() / "odd.cpp", text);
  const Finished finished = compare(folder.path(), names, "g++", {"-O1"}, {"-fsanitize=thread"});
  CHECK(finished.exit_code != 0);
  CHECK(finished.err.find("data race") != std::string::npos);
}

TEST_CASE("what is too small for several threads knows nothing of them") {
  const TemporaryFolder folder;
  write_networks(paths("bench/specs", {"tiny"}), gradc::cpp_target(), folder.path());
  for (const char* file : {"tiny.hpp", "tiny.cpp"}) {
    const std::string text = read_text(folder.path() / file);
    for (const char* word : {"team", "together", "thread."}) CHECK(text.find(word) == std::string::npos);
  }
}

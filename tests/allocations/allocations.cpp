// allocations.cpp: emitted functions and the driver's loop over batches allocate nothing: it is counted.
#include "catch.h"
#include "process.h"

using namespace test;

namespace {

const fs::path source = GRADC_SOURCE_DIR;

Finished run(const std::vector<std::string>& command, const fs::path& folder,
             const std::map<std::string, std::string>& environment = {}) {
  return run_program(command, {folder, environment, std::chrono::seconds(600)});
}

void succeed(const std::vector<std::string>& command, const fs::path& folder) {
  const Finished finished = run(command, folder);
  INFO(command[0] << "\n" << finished.out << finished.err.substr(0, 4000));
  REQUIRE(finished.exit_code == 0);
}

// The networks of specs, and the name of each: <name>.hpp, <name>.cpp and networks.h.
std::vector<std::string> write_networks(const std::vector<std::string>& specs, const fs::path& folder) {
  std::vector<std::string> names;
  std::string headers, models;
  for (const std::string& spec : specs) {
    succeed({GRADC_TOOL, "build", (source / spec).string(), "-o", folder.string()}, ".");
    names.push_back(fs::path(spec).stem().string());
    headers += "#include \"" + names.back() + ".hpp\"\n";
    models += "&" + names.back() + "::model(), ";
  }
  write_text(folder / "networks.h", headers + "static const gradc::Model* const the_networks[] = {" + models + "};\n");
  return names;
}

Finished run_functions(const std::vector<std::string>& names, const fs::path& folder) {
  std::vector<std::string> command = {"g++", "-std=c++17", "-O1", "-pthread", "-I.",
                                      "-I" + (source / "runtime").string(), "-I" + (source / "tests").string(),
                                      (source / "tests/allocations/run_functions.cpp").string(),
                                      (source / "tests/allocations/count_allocations.cpp").string(), "-o", "program"};
  for (const std::string& name : names) command.push_back(name + ".cpp");
  succeed(command, folder);
  return run({"./program"}, folder);
}

// Allocations of a whole run of the program.
long long allocations_of(const std::vector<std::string>& arguments, const fs::path& folder) {
  std::vector<std::string> command = {"./program"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  command.insert(command.end(), {"--progress", "none"});
  const Finished finished = run(command, folder, {{"LD_PRELOAD", COUNT_ALLOCATIONS}, {"COUNT_ALLOCATIONS", "count"}});
  INFO(finished.out << finished.err);
  REQUIRE(finished.exit_code == 0);
  const long long count = std::stoll(read_text(folder / "count"));
  REQUIRE(count > 0);
  return count;
}

// How many more allocations 9 steps of the first epoch make than 2.
long long more_in_nine_steps_than_in_two(const std::vector<std::string>& arguments, const fs::path& folder) {
  const auto allocations_in = [&](const std::string& steps) {
    std::vector<std::string> all = arguments;
    all.insert(all.end(), {"--max-steps", steps});
    return allocations_of(all, folder);
  };
  return allocations_in("9") - allocations_in("2");
}

}  // namespace

TEST_CASE("emitted functions allocate nothing, with one thread and with two") {
  const TemporaryFolder folder;
  const auto names = write_networks({"examples/cs671/vae.nn", "examples/lstm/adding.nn", "examples/words/words.nn",
                                     "bench/specs/fcnn.nn", "bench/specs/transformer.nn"},
                                    folder.path());
  const Finished finished = run_functions(names, folder.path());
  INFO(finished.out << finished.err);
  CHECK(finished.exit_code == 0);
  CHECK(finished.out.find(" 0 allocations") != std::string::npos);
  CHECK(finished.out.find("\n0 shared") == std::string::npos);
}

TEST_CASE("an allocation in an emitted function is found") {
  const TemporaryFolder folder;
  const auto names = write_networks({"bench/specs/tiny.nn"}, folder.path());
  std::string text = read_text(folder.path() / "tiny.cpp");
  const std::size_t body = text.find("  train_result result{};");
  REQUIRE(body != std::string::npos);
  text.insert(body, "  { void* volatile planted = std::malloc(1); std::free(planted); }\n");
  write_text(folder.path() / "tiny.cpp", "#include <cstdlib>\n" + text);
  const Finished finished = run_functions(names, folder.path());
  CHECK(finished.exit_code == 1);
  CHECK(finished.out.find("by one thread: 3 allocations") != std::string::npos);
}

TEST_CASE("programs allocate nothing from batch to batch, with one thread and with two") {
  const TemporaryFolder folder;
  const std::string data = (source / "examples/digits").string();
  for (const std::string spec : {"examples/digits/digits.nn", "examples/operator/dilation.nn"}) {
    INFO(spec);
    succeed({GRADC_TOOL, "build", "--binary", (source / spec).string(), "-o", "program"}, folder.path());
    CHECK(more_in_nine_steps_than_in_two({"--threads", "1", data}, folder.path()) == 0);
    CHECK(more_in_nine_steps_than_in_two({"--threads", "2", data}, folder.path()) == 0);
    // What does allocate is seen: a checkpoint after every step.
    CHECK(more_in_nine_steps_than_in_two({"--checkpoint", "saved", "--save-every", "1", data}, folder.path()) > 0);
    // Without training it is the size of a batch that says how many there are.
    for (const std::string verb : {"eval", "predict"}) {
      INFO(verb);
      std::vector<std::string> arguments = {verb, "--checkpoint", "saved", "--batch", "8", data};
      if (verb == "predict") arguments.insert(arguments.end(), {"--output", "y.npy"});
      const long long many = allocations_of(arguments, folder.path());
      arguments[4] = "40";
      CHECK(many == allocations_of(arguments, folder.path()));
    }
  }
}

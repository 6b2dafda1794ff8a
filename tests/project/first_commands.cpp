// first_commands.cpp: the scripts a newcomer runs, in a copy of the tree and an almost empty
// environment.
#include "catch.h"
#include "project/tree.h"

using namespace test;

namespace {

void copy_tree(const fs::path& to) {
  for (const fs::path& file : project_files()) {
    fs::create_directories((to / file).parent_path());
    fs::copy_file(source_root() / file, to / file);
  }
}

std::string in_order(const std::string& text, const std::vector<std::string>& parts) {
  std::size_t at = 0;
  for (const std::string& part : parts) {
    at = text.find(part, at);
    if (at == std::string::npos) return part;
  }
  return "";
}

}  // namespace

TEST_CASE(
    "quickstart goes from sources to a network that reads digits, and is quick the second time") {
  const TemporaryFolder folder;
  copy_tree(folder.path());
  const std::vector<std::string> command = {"scripts/quickstart", "--no-install"};
  const Finished first = run_program(command, {folder.path(), {}, std::chrono::seconds(1000)});
  INFO(first.out << first.err);
  REQUIRE(first.exit_code == 0);
  CHECK(in_order(first.out,
                 {"Build gradc", "digits.nn", "Train", "epoch 1/", "test ", "accuracy 0.9"})
            .empty());

  const auto started = std::chrono::steady_clock::now();
  const Finished second = run_program(command, {folder.path(), {}, std::chrono::seconds(100)});
  CHECK(second.exit_code == 0);
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(30));
}

TEST_CASE("scripts say what is wrong with how they were called") {
  for (const std::string script : {"quickstart", "test"}) {
    const std::string path = (source_root() / "scripts" / script).string();
    CHECK(run_program({path, "--frobnicate"}).exit_code == 2);
    const Finished help = run_program({path, "--help"});
    CHECK(help.exit_code == 0);
    CHECK_THAT(help.out, contains("--no-install"));
  }
  const std::string packages = (source_root() / "scripts/packages").string();
  CHECK(run_program({packages}).exit_code == 2);
  CHECK(run_program({packages, "list", "kitchen"}).exit_code == 2);
  CHECK_THAT(run_program({packages, "list", "build"}).out, contains("g++\n"));
}

TEST_CASE("without root, sudo or apt the scripts say what is missing") {
  const TemporaryFolder folder;  // a PATH of its own, in which there is little
  for (const char* tool : {"bash", "env", "sort", "cat", "id", "sed", "dirname"}) {
    for (const fs::path from : {"/usr/bin", "/bin"})
      if (fs::exists(from / tool) && !fs::exists(folder.path() / tool))
        fs::create_symlink(from / tool, folder.path() / tool);
  }
  const Finished finished =
      run_program({(source_root() / "scripts/packages").string(), "install", "build"},
                  {".", {{"PATH", folder.path().string()}}});
  CHECK(finished.exit_code == 1);
  CHECK_THAT(finished.err, contains("neither Debian nor Ubuntu"));
  CHECK_THAT(finished.err, contains("CMake"));
}

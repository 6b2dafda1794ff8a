// host_compiler.cpp: see host_compiler.h.
#include "tool/host_compiler.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "tool/write_files.h"

extern char** environ;

namespace gradc {
namespace {

namespace fs = std::filesystem;

// A list of `key value` lines; paths are relative to the list.
RuntimeFiles read_list(const std::string& text, const fs::path& beside) {
  RuntimeFiles files;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t blank = line.find(' ');
    if (blank == std::string::npos) continue;
    const std::string key = line.substr(0, blank), value = line.substr(blank + 1);
    if (key == "include") files.include = (beside / value).lexically_normal().string();
    if (key == "driver") files.driver = (beside / value).lexically_normal().string();
    if (key == "link") files.links.push_back(value);
  }
  return files;
}

}  // namespace

std::optional<RuntimeFiles> find_runtime(std::string& error) {
  std::error_code failed;
  const fs::path here = fs::read_symlink("/proc/self/exe", failed).parent_path();
  const fs::path lists[] = {here / "gradc-runtime.txt",
                            here.parent_path() / "share/gradc/gradc-runtime.txt"};
  for (const fs::path& list : lists) {
    if (!fs::exists(list, failed)) continue;
    const std::optional<std::string> text = read_file(list.string(), 1 << 20, error);
    if (!text) return std::nullopt;
    RuntimeFiles files = read_list(*text, list.parent_path());
    for (const std::string& path : {files.include + "/gradc/model.h", files.driver})
      if (!fs::exists(path, failed)) {
        error = fmt::format("the runtime is incomplete: '{}' names '{}', which is not there",
                            list.string(), path);
        return std::nullopt;
      }
    return files;
  }
  error = fmt::format(
      "the runtime was not found: neither '{}' nor '{}' exists; install gradc, or build the target "
      "gradc_driver",
      lists[0].string(), lists[1].string());
  return std::nullopt;
}

std::vector<std::string> host_compiler() {
  const char* set = std::getenv("CXX");
  std::istringstream words(set && *set ? set : "c++");
  std::vector<std::string> result;
  for (std::string word; words >> word;) result.push_back(word);
  if (result.empty()) result.emplace_back("c++");
  return result;
}

std::vector<std::string> host_flags(const Isa* isa) {
  // ISO mode turns the contraction of a * b + c off in GCC; the emitted loops are written for it.
  std::vector<std::string> flags = {"-std=c++17", "-O3", "-ffp-contract=fast", "-fno-math-errno",
                                    "-fno-trapping-math"};
  // Compilers take shorter vectors than there are for what has no intrinsics, when they tune for some of the processors.
  const char* const native =
      host_isa().vector_bytes == 64 ? "-march=native -mprefer-vector-width=512" : "-march=native";
  std::istringstream words(isa ? std::string(isa->flags) : native);
  for (std::string word; words >> word;) flags.push_back(word);
  return flags;
}

HostResult run_program(const std::vector<std::string>& arguments) {
  int pipe_ends[2];
  if (::pipe2(pipe_ends, O_CLOEXEC) != 0) return {127, std::strerror(errno)};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], 2);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t child = -1;
  const int failed = ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(pipe_ends[1]);
  HostResult result;
  if (failed != 0) {
    ::close(pipe_ends[0]);
    return {127, fmt::format("cannot start '{}': {}\n", arguments[0], std::strerror(failed))};
  }
  char buffer[4096];
  while (true) {
    const ssize_t n = ::read(pipe_ends[0], buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    result.output.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(pipe_ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

int fail_host(const Session& session, const HostResult& result, const std::string& compiler, const std::string& what) {
  std::fwrite(result.output.data(), 1, result.output.size(), stderr);
  return fail(session, exit_host, fmt::format("the host compiler '{}' failed with status {}{}; $CXX chooses another", compiler,
                                              result.status, what));
}

TemporaryDirectory::TemporaryDirectory() {
  std::error_code failed;
  fs::path base = fs::temp_directory_path(failed);
  if (failed) base = "/tmp";
  std::string pattern = (base / "gradc-XXXXXX").string();
  if (::mkdtemp(pattern.data())) path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

}  // namespace gradc

// process.cpp: programs run with their output caught, a time limit and a clean environment.
#include "process.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace test {
namespace {

std::vector<std::string> environment_for(const RunOptions& options) {
  std::map<std::string, std::string> variables = {{"LC_ALL", "C.UTF-8"}};
  for (const char* name : {"PATH", "HOME", "TMPDIR", "CCACHE_DIR", "CXX", "ASAN_OPTIONS",
                           "UBSAN_OPTIONS", "LSAN_OPTIONS"})
    if (const char* value = std::getenv(name)) variables[name] = value;
  for (const auto& [name, value] : options.environment) variables[name] = value;
  std::vector<std::string> result;
  for (const auto& [name, value] : variables) result.push_back(name + "=" + value);
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (std::string& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

[[noreturn]] void become(char** words, char** environment, const RunOptions& options,
                         const char* out, const char* err) {
  ::setpgid(0, 0);  // so that the limit ends what it started, too
  const int input = ::open("/dev/null", O_RDONLY);
  const int output = ::open(out, O_WRONLY);
  const int errors = ::open(err, O_WRONLY);
  if (::chdir(options.directory.c_str()) == 0 && input >= 0 && output >= 0 && errors >= 0) {
    ::dup2(input, 0);
    ::dup2(output, 1);
    ::dup2(errors, 2);
    ::execvpe(words[0], words, environment);
  }
  ::_exit(127);
}

}  // namespace

Finished run_program(const std::vector<std::string>& command, const RunOptions& options) {
  const TemporaryFolder folder;
  const fs::path out = folder.path() / "out";
  const fs::path err = folder.path() / "err";
  write_text(out, "");
  write_text(err, "");
  std::vector<std::string> words = command;
  std::vector<std::string> variables = environment_for(options);
  const std::vector<char*> word_pointers = pointers(words);
  const std::vector<char*> variable_pointers = pointers(variables);

  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0)
    become(const_cast<char**>(word_pointers.data()), const_cast<char**>(variable_pointers.data()),
           options, out.c_str(), err.c_str());

  int status = 0;
  const auto deadline = std::chrono::steady_clock::now() + options.limit;
  bool late = false;
  while (::waitpid(child, &status, late ? 0 : WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      late = true;
      ::kill(-child, SIGKILL);
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  Finished finished;
  finished.exit_code = late                ? 124
                       : WIFEXITED(status) ? WEXITSTATUS(status)
                                           : 128 + WTERMSIG(status);
  finished.out = read_text(out);
  finished.err = read_text(err);
  return finished;
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "gradc-test-XXXXXX").string();
  if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary folder: " + name);
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("can't read " + path.string());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path().empty() ? "." : path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw std::runtime_error("can't write " + path.string());
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    names.push_back(fs::relative(entry.path(), folder).string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace test

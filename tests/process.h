// process.h: runs programs as a user would, and makes folders to run them in.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace test {

namespace fs = std::filesystem;

struct Finished {
  int exit_code = -1;  // 128 + the signal if one ended it, as a shell says; 124 if it took too long
  std::string out;
  std::string err;
};

struct RunOptions {
  fs::path directory = ".";
  std::map<std::string, std::string> environment;  // added to an otherwise almost empty one
  std::chrono::seconds limit{120};
};

// Runs command[0] (looked up on PATH) with nothing on its standard input. It sees no variable of
// the caller's but PATH, HOME, TMPDIR, those of the compiler cache and the sanitizers, and
// LC_ALL=C.UTF-8.
Finished run_program(const std::vector<std::string>& command, const RunOptions& = {});

// For this machine's processor. clang 19 warns of what it finds out itself where there is AVX10.
inline std::vector<std::string> native_flags() { return {"-march=native", "-Wno-invalid-feature-combination"}; }

// A fresh folder that goes away with it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string read_text(const fs::path&);
void write_text(const fs::path&, const std::string& text);

// The paths of everything in a folder, relative to it, in order.
std::vector<std::string> names_in(const fs::path& folder);

}  // namespace test

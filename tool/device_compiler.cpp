// device_compiler.cpp: see device_compiler.h.
#include "tool/device_compiler.h"

#include <unistd.h>

#include <cstdlib>
#include <sstream>

namespace gradc {
namespace {

bool is_on_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (::access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  return false;
}

}  // namespace

std::vector<std::string> device_compiler(const Target& target) {
  const DeviceCompiler& compiler = target.compiler;
  const char* set = std::getenv(std::string(compiler.variable).c_str());
  std::istringstream words(set ? set : "");
  std::vector<std::string> result;
  for (std::string word; words >> word;) result.push_back(word);
  if (!result.empty()) return result;
  const std::string program(compiler.program), usual(compiler.usual_place);
  if (!is_on_path(program) && ::access(usual.c_str(), X_OK) == 0) return {usual};
  return {program};
}

std::vector<std::string> device_flags(const Target& target) {
  const DeviceCompiler& compiler = target.compiler;
  std::vector<std::string> flags;
  std::istringstream words{std::string(compiler.flags)};
  for (std::string word; words >> word;) flags.push_back(word);
  const char* chosen = std::getenv(std::string(compiler.architecture_variable).c_str());
  const std::string number = chosen ? chosen : "";
  flags.push_back(number.empty() ? std::string(compiler.this_architecture) : std::string(compiler.architecture) + number);
  return flags;
}

}  // namespace gradc

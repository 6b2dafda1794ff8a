// cuda_compiler.cpp: see cuda_compiler.h.
#include "tool/cuda_compiler.h"

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

std::vector<std::string> cuda_compiler() {
  const char* set = std::getenv("NVCC");
  std::istringstream words(set ? set : "");
  std::vector<std::string> result;
  for (std::string word; words >> word;) result.push_back(word);
  if (!result.empty()) return result;
  const std::string usual = "/usr/local/cuda/bin/nvcc";
  if (!is_on_path("nvcc") && ::access(usual.c_str(), X_OK) == 0) return {usual};
  return {"nvcc"};
}

std::vector<std::string> cuda_flags() {
  const char* chosen = std::getenv("CUDAARCHS");
  const std::string number = chosen ? chosen : "";
  return {"-std=c++17", "-O3", number.empty() ? "-arch=native" : "-arch=sm_" + number};
}

}  // namespace gradc

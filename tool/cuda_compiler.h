// cuda_compiler.h: NVIDIA's compiler, where it is installed.
#pragma once

#include <string>
#include <vector>

namespace gradc {

// $NVCC, or nvcc if it is on the PATH, or where CUDA installs it; cut at blanks.
std::vector<std::string> cuda_compiler();

// The flags emitted code is made for. $CUDAARCHS chooses the architecture ("90"), as it does for CMake; without it
// the one of this machine's GPU.
std::vector<std::string> cuda_flags();

}  // namespace gradc

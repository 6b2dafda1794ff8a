// device_compiler.h: the compiler of a target's own, where it is installed.
#pragma once

#include <string>
#include <vector>

#include "codegen/target.h"

namespace gradc {

// The program that the target's variable names, or its usual one if that is on the PATH, or where it is usually
// installed; cut at blanks.
std::vector<std::string> device_compiler(const Target&);

// The flags emitted code is made for, with the architecture that the target's variable names; without it the one of
// this machine's device.
std::vector<std::string> device_flags(const Target&);

}  // namespace gradc

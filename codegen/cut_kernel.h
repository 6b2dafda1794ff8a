// cut_kernel.h: a kernel that computes a part of its positions, of one that computes all.
#pragma once

#include <map>
#include <string>

#include "codegen/loops.h"

namespace gradc {

// What names of counts are at most.
using Bounds = std::map<std::string, double>;

// Makes the kernel one in parts: its first two counts say where to begin and to end. False, and nothing changed, where it
// has no loop that is long enough and independent.
bool cut_kernel(loops::Kernel&, const Bounds&);

// The kernel that does nothing but call another, or an empty name.
std::string called_alone(const loops::Kernel&);
// Cuts such a kernel, whose callee is in parts and whose call asks for all of them.
void cut_caller(loops::Kernel&);

// Calls of `called`, which is in parts now and had the counts `before`, ask for all of them.
void call_whole(loops::Block&, const loops::Kernel& called, const std::vector<std::string>& before);

}  // namespace gradc

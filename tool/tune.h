// tune.h: `gradc build --tune`: of the ways to tile a network's sums of products, the one that runs fastest here.
#pragma once

#include <optional>

#include "codegen/compile.h"
#include "tool/host_compiler.h"
#include "tool/verbs.h"

namespace gradc {

// The tiling to write for: what was found for the same text, compiler and processor before, or else what is fastest of
// some that are compiled and run now, with drawn inputs and every dim at its bound. Nothing, with `code` set and everything
// said, where a program cannot be made or run.
std::optional<Tiling> tune(Session&, const CompileInput&, const CompileOptions&, const Isa* named, int& code);

}  // namespace gradc

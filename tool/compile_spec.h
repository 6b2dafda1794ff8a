// compile_spec.h: hands a loaded spec to the compiler.
#pragma once

#include "codegen/compile.h"
#include "tool/verbs.h"

namespace gradc {

CompileInput compile_input(const Session&, const Spec&);

}  // namespace gradc

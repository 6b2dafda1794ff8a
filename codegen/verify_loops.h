// verify_loops.h: what is legal in a module of loops, as code. Runs after every stage that makes or
// changes one.
#pragma once

#include "codegen/loops.h"

namespace gradc {

// Aborts (GRADC_CHECK) naming `stage` if a rule is broken. In a kernel: every name is bound where
// it is used and hides no other, only registers that change are changed, only arguments marked
// `written` are written, calls fit the kernel called. In a function: calls fit, only what may
// change is written, results are written, and whatever is read was written before or given.
// `placed`: after plan_memory, then no value is read from memory that another one has used in the
// meantime, and every place lies inside the workspace.
void verify(const loops::Module&, bool placed, const char* stage);

}  // namespace gradc

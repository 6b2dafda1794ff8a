// verify_loops.h: what is legal in a module of loops, as code. Runs after every stage that makes or
// changes one.
#pragma once

#include <vector>

#include "codegen/loops.h"

namespace gradc {

// What a kernel does with one of its arguments.
struct Access {
  bool reads = false;  // some element, before the kernel has written any
  bool writes = false;
};
using Accesses = std::vector<std::vector<Access>>;  // by kernel and argument
Accesses accesses(const loops::Module&);

// Aborts (GRADC_CHECK) naming `stage` if a rule is broken. In a kernel: every name is bound where
// it is used and hides no other, only registers that change are changed, only arguments marked
// `written` are written, calls fit the kernel called. In a function: calls fit, only what may
// change is written, results are written, and whatever is read was written before or given.
// `placed`: after plan_memory, then no value is read from memory that another one has used in the
// meantime, and every place lies inside the workspace.
void verify(const loops::Module&, bool placed, const char* stage);
// Its two halves. After a stage that leaves kernels as they are, what was found of them before will
// do.
Accesses verify_kernels(const loops::Module&, const char* stage);
void verify_calls(const loops::Module&, const Accesses&, bool placed, const char* stage);

}  // namespace gradc

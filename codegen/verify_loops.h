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
// By kernel and argument.
std::vector<std::vector<Access>> accesses(const loops::Module&);

// Aborts (GRADC_CHECK) naming `stage` if a rule is broken. In a kernel: every name is bound where
// it is used and hides no other, only registers that change are changed, only arguments marked
// `written` are written, calls fit the kernel called. In a function: calls fit, only what may
// change is written, results are written, and whatever is read was written before or given.
// `placed`: after plan_memory, then no value is read from memory that another one has used in the
// meantime, and every place lies inside the workspace.
void verify(const loops::Module&, bool placed, const char* stage);

}  // namespace gradc

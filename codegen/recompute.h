// recompute.h: values that would be kept for long are computed again, where memory is limited.
#pragma once

#include <string>
#include <vector>

#include "codegen/loops.h"
#include "codegen/tasks_in_memory.h"
#include "dsl/diagnostics.h"

namespace gradc {

// A function, or both halves of a net, as tasks: each is a call, or the calls of a loop.
struct FunctionTasks {
  std::string function;            // as the spec names it
  std::vector<std::string> names;  // by task: the kernel, or the first of a loop
  std::vector<tasks::Value> values;
  std::vector<tasks::Task> all;
};

// Of each function that a memory report is of, in that order.
std::vector<FunctionTasks> tasks_of(const loops::Module&);

// Repeats calls until every function's workspace takes no more than `limit` bytes; 0: there is no limit. A repeated call
// is of the same kernel on the same values, so that no result changes by a bit. An error if it can't be done.
void recompute(loops::Module&, std::int64_t limit, Diagnostics&);

}  // namespace gradc

// recompute.h: values that would be kept for long are computed again, where memory is limited.
#pragma once

#include "codegen/loops.h"
#include "dsl/diagnostics.h"

namespace gradc {

// Repeats calls until every function's workspace takes no more than `limit` bytes; 0: there is no limit. A repeated call
// is of the same kernel on the same values, so that no result changes by a bit. An error if it can't be done.
void recompute(loops::Module&, std::int64_t limit, Diagnostics&);

}  // namespace gradc

// shrink_spec.h: a spec that fails made as small as it can be and still fail in the same way.
#pragma once

#include <functional>
#include <string>

#include "tests/check_specs.h"

namespace test {

// `spec` fails as `problem` says. Takes away declarations, statements, results, arguments and operands, makes sizes smaller,
// puts inputs in the place of values, for as long as `check` finds a problem of the same kind.
SeededSpec shrink_spec(SeededSpec spec, const SpecProblem& problem, SpecCheck check);

}  // namespace test

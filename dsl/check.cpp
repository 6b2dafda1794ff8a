// check.cpp: where broken invariants end.
#include "dsl/check.h"

#include <fmt/format.h>

namespace gradc {

void internal_error(const char* file, int line, const std::string& what) {
  throw InternalError(fmt::format("{}:{}: {}", file, line, what));
}

}  // namespace gradc

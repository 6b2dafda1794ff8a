// check.h: broken invariants of gradc itself (never of the user's spec) end here, with exit code 5.
#pragma once

#include <stdexcept>
#include <string>

namespace gradc {

// Thrown by GRADC_CHECK; caught once, in the tool's main, which reports it as an internal error.
struct InternalError : std::logic_error {
  using std::logic_error::logic_error;
};

[[noreturn]] void internal_error(const char* file, int line, const std::string& what);

}  // namespace gradc

#define GRADC_CHECK(condition, what) \
  ((condition) ? void() : ::gradc::internal_error(__FILE__, __LINE__, (what)))
#define GRADC_UNREACHABLE(what) ::gradc::internal_error(__FILE__, __LINE__, (what))

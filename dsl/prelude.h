// prelude.h: the standard library, embedded in the tool.
#pragma once

#include <string_view>

namespace gradc {

std::string_view prelude_text();

}  // namespace gradc

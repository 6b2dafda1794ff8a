// format.h: lays out emitted C++ with Clang's formatter, in this process, where gradc was built
// with it.
#pragma once

#include <string>

namespace gradc {

// The formatter gradc was built with, e.g. "libFormat 19.1.7"; empty if it was built without.
std::string formatter();

// `text` in Google style at 100 columns; without a formatter, or if it does not accept the text, as
// it is.
std::string format(const std::string& text);

}  // namespace gradc

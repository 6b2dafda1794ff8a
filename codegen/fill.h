// fill.h: text templates: `$name$` is replaced; a name missing or left over is an internal error.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gradc {

// Values are inserted as they are: whoever makes them has escaped what came from a spec.
std::string fill(std::string_view text,
                 const std::vector<std::pair<std::string_view, std::string>>& values);

// A C++ string literal of any bytes, quotes included: printable ASCII as it is, the rest as octal
// escapes.
std::string string_literal(std::string_view bytes);

// Any text made safe to stand in a line comment: one line, printable, and no backslash to join it
// with the next.
std::string comment_text(std::string_view bytes);

}  // namespace gradc

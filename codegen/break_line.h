// break_line.h: one statement in several lines, where it is too long for one.
#pragma once

#include <optional>
#include <string>

namespace gradc {

// A statement, or what opens a block, broken as Google style has it: after `=` if what follows then
// fits, else at the operators that bind least, or in a list of arguments. Nothing if a part of it
// would still be too wide.
std::optional<std::string> break_line(const std::string& line);

}  // namespace gradc

// format.h: lays out emitted C++. The printer indents; what remains are lines that are too long, which are
// broken by how tightly their parts are bound (break_line.h) and, where that leaves no room, by Clang's formatter, in
// this process, if gradc was built with it.
#pragma once

#include <cstddef>
#include <string>

namespace gradc {

// The formatter gradc was built with, e.g. "libFormat 19.1.7"; empty if it was built without.
std::string formatter();

// `text` with no line of more than 100 columns, if that can be.
std::string format(const std::string& text);

// A whole statement, or what opens a block, not indented, broken in Google style at `columns`; as it is without a
// formatter, or if that does not accept it. `closers` are those of the brackets that it leaves open.
std::string break_statement(const std::string& statement, const std::string& closers, std::size_t columns);

}  // namespace gradc

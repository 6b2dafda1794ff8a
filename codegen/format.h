// format.h: lays out emitted C++. The printer indents; what remains are lines that are too long, which are
// broken at a list of arguments where there is one, and otherwise by Clang's formatter, in this process,
// where gradc was built with it. Giving it no more than these lines is what keeps it quick.
#pragma once

#include <string>
#include <vector>

namespace gradc {

// The formatter gradc was built with, e.g. "libFormat 19.1.7"; empty if it was built without.
std::string formatter();

// `text` with no line of more than 100 columns, if that can be.
std::string format(const std::string& text);

// A whole statement, or one with what opens a block at its end, not indented.
struct Statement {
  std::string text;
  std::string closers;  // of the brackets it leaves open
};

// The texts, broken in Google style at `columns`; as they are without a formatter, or if it does not accept them.
std::vector<std::string> break_statements(const std::vector<Statement>&, int columns);

}  // namespace gradc

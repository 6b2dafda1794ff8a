// code_line.h: what the layout of emitted text knows of a line of C++: its width, and where it can
// be broken.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gradc {

constexpr std::size_t column_limit = 100;

// In columns: the bytes that follow the first of a character take none.
std::size_t width(std::string_view text);

std::size_t indent_of(std::string_view line);

// How tightly what stands between two parts of a line binds them, the loosest first.
enum class Tightness {
  semicolon,
  comma,
  assignment,
  choice,
  either,
  both,
  bits,
  equal,
  less,
  shift,
  sum,
  product,
  bracket
};

// A bracket or something between two parts; not what strings hold.
struct Mark {
  std::size_t at = 0;
  Tightness tightness = Tightness::bracket;
  std::size_t depth = 0;  // in how many brackets; of a bracket, what it encloses
  bool opens = false;     // of a bracket
  std::size_t length = 1;
};

struct CodeLine {
  std::vector<Mark> marks;
  std::size_t end = 0;  // where a comment begins, if any
  std::string closers;  // of the brackets that are left open
};

// As the printer writes: a space on each side of what takes two operands.
CodeLine scanned(std::string_view line);

}  // namespace gradc

// format_none.cpp: a gradc built without libFormat: what break_line() does not break stays on one line.
#include "codegen/format.h"

namespace gradc {

std::string formatter() {
  return "";
}

std::string break_statement(const std::string& statement, const std::string&, std::size_t) {
  return statement;
}

}  // namespace gradc

// format_none.cpp: a gradc built without libFormat: long statements stay on one line.
#include "codegen/format.h"

namespace gradc {

std::string formatter() {
  return "";
}

std::vector<std::string> break_statements(std::vector<std::string> statements, int) {
  return statements;
}

}  // namespace gradc

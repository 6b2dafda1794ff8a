// format_none.cpp: a gradc built without libFormat: long statements stay on one line.
#include "codegen/format.h"

namespace gradc {

std::string formatter() {
  return "";
}

std::vector<std::string> break_statements(const std::vector<Statement>& statements, int) {
  std::vector<std::string> texts;
  for (const Statement& s : statements) texts.push_back(s.text);
  return texts;
}

}  // namespace gradc

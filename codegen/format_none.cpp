// format_none.cpp: format() of a gradc built without libFormat: the printer's own indentation
// stands.
#include "codegen/format.h"

namespace gradc {

std::string formatter() {
  return "";
}

std::string format(const std::string& text) {
  return text;
}

}  // namespace gradc

// diagnostic_ids.cpp: every id a message can carry, in alphabetical order.
#include "dsl/diagnostics.h"

namespace gradc {

const std::vector<DiagnosticId>& diagnostic_ids() {
  static const std::vector<DiagnosticId> ids = {
      {"bad-number", "a number is not written as numbers are"},
      {"bad-string", "a string does not end on its line, or has an unknown escape"},
      {"chained-comparison", "comparisons are chained: a < b < c"},
      {"foreign-symbol", "a symbol of another language stands where gradc has its own"},
      {"name-too-long", "a name has more than 255 characters"},
      {"no-gradient", "no gradient of a loss reaches a parameter that is minimized"},
      {"not-text", "the file is not UTF-8 text"},
      {"number-range", "a number is outside the range that can be represented"},
      {"odd-character", "a character that has no place in a spec"},
      {"open-comment", "a comment is not closed"},
      {"syntax", "the text does not follow the grammar"},
      {"text-too-long", "the file is over 16 MB or a million words"},
      {"too-deep", "an expression is nested, or a chain of operators is long, beyond the limit"},
      {"unknown-type", "a type that does not exist"},
  };
  return ids;
}

}  // namespace gradc

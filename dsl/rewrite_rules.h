// rewrite_rules.h: scalar identities as data, and the matcher that applies them.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "dsl/graph.h"

namespace gradc {

// `pattern` = `result` for all values of the letters (k and j stand for literals only, p and q for
// conditions), with what docs/simplification.md says of floats. Written as in a spec.
struct RewriteRule {
  std::string_view pattern;
  std::string_view result;
  // Also matched through reads of elementwise values: the rule gains accuracy, so it is worth
  // computing a part of them again.
  bool through_reads = false;
};

const std::vector<RewriteRule>& rewrite_rules();

// A rule's side as a tree.
struct Pattern {
  enum Kind : std::uint8_t { number, letter, function } kind = number;
  double value = 0;
  char name = 0;
  Fn fn = Fn::neg;
  std::vector<Pattern> args;
};
Pattern parse_pattern(std::string_view);

// True if fn of two literals may be computed ahead of what stands beside them, so that no value of that gets lost: a
// product or quotient that is neither infinite nor below the normal numbers of the dtype, a sum that holds both. Never
// where the result is no number.
bool combines_safely(Fn, double a, double b, DType);

// The body of an elementwise value in place of its read, or nothing.
using Peek = std::function<std::optional<ScalarId>(ScalarId read)>;

// The first rule that matches, applied once at the root; nothing if none does.
std::optional<ScalarId> apply_rules(Graph&, ScalarId, const Peek&);

}  // namespace gradc

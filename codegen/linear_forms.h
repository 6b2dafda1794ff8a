// linear_forms.h: integer expressions of loops as linear forms of their names, and where comparisons of them change.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "codegen/loops.h"

namespace gradc {

// Of the numbers in linear forms: products of two of them do not overflow.
constexpr std::int64_t largest_position = std::int64_t{1} << 30;

// constant + Σ factor · name
struct LinearForm {
  std::int64_t constant = 0;
  std::map<std::string, std::int64_t> factors = {};

  std::int64_t factor(const std::string& name) const {
    const auto it = factors.find(name);
    return it == factors.end() ? 0 : it->second;
  }
  friend bool operator==(const LinearForm&, const LinearForm&) = default;
};

bool is_small(const LinearForm&);  // its numbers are positions

LinearForm plus(LinearForm a, const LinearForm& b, std::int64_t times = 1);
LinearForm plus(LinearForm a, std::int64_t constant);

// None if it is none, or its numbers are not small.
std::optional<LinearForm> linear(const loops::Expr&);
loops::Expr to_expr(const LinearForm&);

// A comparison of integers: form < 0, or form = 0, or the contrary. The least and the largest of two are chosen by one.
struct LinearCondition {
  LinearForm form;
  bool equation = false;
  bool negated = false;
};
std::optional<LinearCondition> comparison(const loops::Expr&);

// Where the comparison may change along the variable: each position is the first that comes out otherwise. None where
// they are no linear forms.
std::vector<LinearForm> changes(const LinearCondition&, const std::string& variable);

}  // namespace gradc

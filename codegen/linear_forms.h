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
struct Linear {
  std::int64_t constant = 0;
  std::map<std::string, std::int64_t> factors = {};

  std::int64_t factor(const std::string& name) const {
    const auto it = factors.find(name);
    return it == factors.end() ? 0 : it->second;
  }
  friend bool operator==(const Linear&, const Linear&) = default;
};

bool is_small(const Linear&);  // its numbers are positions

Linear plus(Linear a, const Linear& b, std::int64_t times = 1);
Linear plus(Linear a, std::int64_t constant);

// None if it is none, or its numbers are not small.
std::optional<Linear> linear(const loops::Expr&);
loops::Expr to_expr(const Linear&);

// A comparison of integers: form < 0, or form = 0, or the contrary. The least and the largest of two are chosen by one.
struct Comparison {
  Linear form;
  bool equation = false;
  bool negated = false;
};
std::optional<Comparison> comparison(const loops::Expr&);

// Where the comparison may change along the variable: each position is the first that comes out otherwise. None where
// they are no linear forms.
std::vector<Linear> changes(const Comparison&, const std::string& variable);

}  // namespace gradc

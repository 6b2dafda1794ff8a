// exprs.h: building loop expressions, with the trivial arithmetic done on the way.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "codegen/loops.h"

namespace gradc::loops {

Type type_of(DType);  // of a register that holds an element

Expr number(double value, Type);
Expr integer(std::int64_t);
Expr variable(std::string name, Type, int lanes = 1);
Expr load(std::string buffer, DType, Expr index, int lanes = 1);
Expr pointer(std::string buffer, Expr index);
Expr pairs(std::string buffer, Expr index, int lanes, bool spread);
Expr dot(Expr sum, Expr a, Expr b);
bool reads_memory(const Expr&);  // itself, not its arguments
Expr lane_fold(Fn, Expr lanes);
Expr lane_sums(std::vector<Expr> vectors);  // of each vector; a power of two of them
Expr rounded(Expr);  // as bf16 has it
Expr apply(Fn, std::vector<Expr> args, Type);

// Arguments that are moved, where those of a braced list are copied with all that is below them.
template <class... Exprs>
std::vector<Expr> arguments(Exprs&&... each) {
  std::vector<Expr> all;
  all.reserve(sizeof...(each));
  (all.push_back(std::forward<Exprs>(each)), ...);
  return all;
}

// Integer arithmetic; constants are folded.
Expr add(Expr, Expr);
Expr sub(Expr, Expr);
Expr mul(Expr, Expr);

bool is_integer(const Expr&, std::int64_t value);

// With expressions in place of variables.
Expr with(Expr, const std::map<std::string, Expr>& variables);

}  // namespace gradc::loops

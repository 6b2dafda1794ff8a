// functions.h: the scalar functions of the graph: one row each of one table.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace gradc {

enum class DType : std::uint8_t { boolean, i32, f32, f64 };

std::string_view name(DType);  // "bool", "i32", "f32", "f64"
inline bool is_float(DType t) { return t == DType::f32 || t == DType::f64; }

// Semantics hold for every evaluator: the interpreter and each target.
enum class Fn : std::uint8_t {
  // arithmetic
  neg, add, sub, mul, div,  // div of integers never occurs: `/` is real division
  floor_div, mod,           // integers; rounds towards -inf, remainder in 0..n-1
  pow,                      // pow(x, 0) = 1 for every x, as C
  min, max,                 // NaN if either argument is NaN
  // comparison and logic: boolean results
  eq, ne, lt, le, gt, ge, logical_and, logical_or, logical_not,
  select,                   // select(c, a, b): the value not chosen never influences the result
  // elementary functions
  exp, expm1, log, log1p, sqrt, sin, cos, tan, atan, tanh, erf,
  logistic,                 // 1 / (1 + exp(-x)), without overflow
  log1pexp,                 // log(1 + exp(x)), without overflow
  abs, sign,                // sign(0) = 0
  floor, ceil, round,       // round: to even
  // conversion and annotation
  cast,                     // to the dtype of the scalar that applies it; float to int truncates
  detach,                   // identity whose derivative is 0; simplification removes it afterwards
};

enum class FnResult : std::uint8_t { same, boolean, cast };  // dtype of the result

struct FnInfo {
  Fn fn;
  std::string_view name;    // in specs and in printed graphs
  int arity;
  std::string_view infix;   // the operator, if it is written as one
  int precedence;           // of the infix form: larger binds tighter; 0 for calls
  FnResult result;
  bool costly;              // worth storing rather than computing twice
};

const FnInfo& info(Fn);
// Of numbers known at compile time; all but select and cast. (The interpreter has its own: it is the oracle of this.)
double evaluate(Fn, double x, double y);
std::optional<Fn> function_named(std::string_view name);  // only those a spec may call by name

}  // namespace gradc

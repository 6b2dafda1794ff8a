// functions.cpp: the table of scalar functions.
#include "dsl/functions.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "dsl/check.h"

namespace gradc {
namespace {

constexpr auto same = FnResult::same;
constexpr auto boolean = FnResult::boolean;

// Precedences are those of the language: or 1, and 2, not 3, comparisons 4, + - 5, reductions 6,
// * / % 7, unary minus 8, ^ 9.
constexpr std::array table = {
    FnInfo{Fn::neg, "neg", 1, "-", 8, same, false},
    FnInfo{Fn::add, "add", 2, "+", 5, same, false},
    FnInfo{Fn::sub, "sub", 2, "-", 5, same, false},
    FnInfo{Fn::mul, "mul", 2, "*", 7, same, false},
    FnInfo{Fn::div, "div", 2, "/", 7, same, false},
    FnInfo{Fn::floor_div, "floor_div", 2, "/", 7, same, false},
    FnInfo{Fn::mod, "mod", 2, "%", 7, same, false},
    FnInfo{Fn::pow, "pow", 2, "^", 9, same, true},
    FnInfo{Fn::min, "min", 2, "", 0, same, false},
    FnInfo{Fn::max, "max", 2, "", 0, same, false},
    FnInfo{Fn::eq, "eq", 2, "==", 4, boolean, false},
    FnInfo{Fn::ne, "ne", 2, "!=", 4, boolean, false},
    FnInfo{Fn::lt, "lt", 2, "<", 4, boolean, false},
    FnInfo{Fn::le, "le", 2, "<=", 4, boolean, false},
    FnInfo{Fn::gt, "gt", 2, ">", 4, boolean, false},
    FnInfo{Fn::ge, "ge", 2, ">=", 4, boolean, false},
    FnInfo{Fn::logical_and, "and", 2, "and", 2, boolean, false},
    FnInfo{Fn::logical_or, "or", 2, "or", 1, boolean, false},
    FnInfo{Fn::logical_not, "not", 1, "not", 3, boolean, false},
    FnInfo{Fn::select, "select", 3, "", 0, same, false},
    FnInfo{Fn::exp, "exp", 1, "", 0, same, true},
    FnInfo{Fn::expm1, "expm1", 1, "", 0, same, true},
    FnInfo{Fn::log, "log", 1, "", 0, same, true},
    FnInfo{Fn::log1p, "log1p", 1, "", 0, same, true},
    FnInfo{Fn::sqrt, "sqrt", 1, "", 0, same, false},
    FnInfo{Fn::sin, "sin", 1, "", 0, same, true},
    FnInfo{Fn::cos, "cos", 1, "", 0, same, true},
    FnInfo{Fn::tan, "tan", 1, "", 0, same, true},
    FnInfo{Fn::atan, "atan", 1, "", 0, same, true},
    FnInfo{Fn::tanh, "tanh", 1, "", 0, same, true},
    FnInfo{Fn::erf, "erf", 1, "", 0, same, true},
    FnInfo{Fn::logistic, "logistic", 1, "", 0, same, true},
    FnInfo{Fn::log1pexp, "log1pexp", 1, "", 0, same, true},
    FnInfo{Fn::abs, "abs", 1, "", 0, same, false},
    FnInfo{Fn::sign, "sign", 1, "", 0, same, false},
    FnInfo{Fn::floor, "floor", 1, "", 0, same, false},
    FnInfo{Fn::ceil, "ceil", 1, "", 0, same, false},
    FnInfo{Fn::round, "round", 1, "", 0, same, false},
    FnInfo{Fn::cast, "cast", 1, "", 0, FnResult::cast, false},
    FnInfo{Fn::detach, "detach", 1, "", 0, same, false},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (static_cast<std::size_t>(table[i].fn) != i) return false;
  }
  return table.size() == static_cast<std::size_t>(Fn::detach) + 1;
}
static_assert(in_order(), "the table has one row per function, in the order of the enum");

}  // namespace

std::string_view name(DType t) {
  switch (t) {
    case DType::boolean: return "bool";
    case DType::i32: return "i32";
    case DType::f32: return "f32";
    case DType::f64: return "f64";
  }
  GRADC_UNREACHABLE("dtype");
}

const FnInfo& info(Fn fn) { return table[static_cast<std::size_t>(fn)]; }

double evaluate(Fn fn, double x, double y) {
  switch (fn) {
    case Fn::neg:
      return -x;
    case Fn::add:
      return x + y;
    case Fn::sub:
      return x - y;
    case Fn::mul:
      return x * y;
    case Fn::div:
      return x / y;
    case Fn::floor_div:
      return std::floor(x / y);
    case Fn::mod:
      return x - y * std::floor(x / y);
    case Fn::pow:
      return std::pow(x, y);
    case Fn::min:
      return std::isnan(x) || x < y ? x : y;
    case Fn::max:
      return std::isnan(x) || x > y ? x : y;
    case Fn::eq:
      return x == y;
    case Fn::ne:
      return x != y;
    case Fn::lt:
      return x < y;
    case Fn::le:
      return x <= y;
    case Fn::gt:
      return x > y;
    case Fn::ge:
      return x >= y;
    case Fn::logical_and:
      return x != 0 && y != 0;
    case Fn::logical_or:
      return x != 0 || y != 0;
    case Fn::logical_not:
      return x == 0;
    case Fn::exp:
      return std::exp(x);
    case Fn::expm1:
      return std::expm1(x);
    case Fn::log:
      return std::log(x);
    case Fn::log1p:
      return std::log1p(x);
    case Fn::sqrt:
      return std::sqrt(x);
    case Fn::sin:
      return std::sin(x);
    case Fn::cos:
      return std::cos(x);
    case Fn::tan:
      return std::tan(x);
    case Fn::atan:
      return std::atan(x);
    case Fn::tanh:
      return std::tanh(x);
    case Fn::erf:
      return std::erf(x);
    case Fn::logistic:
      return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
    case Fn::log1pexp:
      return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x)));
    case Fn::abs:
      return std::fabs(x);
    case Fn::sign:
      return x > 0 ? 1 : x < 0 ? -1 : x;
    case Fn::floor:
      return std::floor(x);
    case Fn::ceil:
      return std::ceil(x);
    case Fn::round:
      return std::nearbyint(x);
    case Fn::detach:
      return x;
    case Fn::select:
    case Fn::cast:
      break;
  }
  GRADC_UNREACHABLE("a function whose value depends on more than two numbers");
}

std::optional<Fn> function_named(std::string_view name) {
  for (const FnInfo& row : table) {
    // What has an infix form is called by it, except pow.
    if (row.name == name && row.fn != Fn::cast && (row.infix.empty() || row.fn == Fn::pow)) {
      return row.fn;
    }
  }
  return std::nullopt;
}

}  // namespace gradc

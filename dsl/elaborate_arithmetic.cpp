// elaborate_arithmetic.cpp: scalar functions applied to values: folded at compile time where they
// can be, matched by dim on whole tensors, element by element in index notation.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "dsl/check.h"
#include "dsl/elaboration.h"

namespace gradc {
namespace {

constexpr double exact_integers = 9007199254740992.0;  // 2^53

bool needs_float(Fn fn) {
  switch (fn) {
    case Fn::div:
    case Fn::pow:
    case Fn::exp:
    case Fn::expm1:
    case Fn::log:
    case Fn::log1p:
    case Fn::sqrt:
    case Fn::sin:
    case Fn::cos:
    case Fn::tan:
    case Fn::atan:
    case Fn::tanh:
    case Fn::erf:
    case Fn::logistic:
    case Fn::log1pexp:
      return true;
    default:
      return false;
  }
}

bool is_logical(Fn fn) {
  return fn == Fn::logical_and || fn == Fn::logical_or || fn == Fn::logical_not;
}

bool is_rounding(Fn fn) {
  return fn == Fn::floor || fn == Fn::ceil || fn == Fn::round;
}

double fold(Fn fn, const std::vector<Value>& args) {
  const double x = args[0].number;
  const double y = args.size() > 1 ? args[1].number : 0;
  if (fn == Fn::cast) return x;
  if (fn == Fn::select) return x != 0 ? y : args[2].number;
  return evaluate(fn, x, y);
}

Value fold_constants(Elaboration& e, Fn fn, const std::vector<Value>& args, const Operands& where) {
  const bool division = fn == Fn::div || fn == Fn::floor_div || fn == Fn::mod;
  if (division && args[1].number == 0) {
    e.error("division-by-zero", where.spans[1], "division by zero in a compile-time value");
    return {};
  }
  const double result = fold(fn, args);
  if (info(fn).result == FnResult::boolean) return boolean_value(result != 0);
  bool integer = !needs_float(fn) &&
                 std::all_of(args.begin(), args.end(), [](const Value& v) { return v.integer; });
  if (fn == Fn::pow && args[0].integer && args[1].integer && args[1].number >= 0) integer = true;
  if (fn == Fn::select) {
    if (args[1].is(ValueKind::boolean) && args[2].is(ValueKind::boolean))
      return boolean_value(result != 0);
    integer = args[1].integer && args[2].integer;
  }
  if (integer && !(std::fabs(result) <= exact_integers)) {
    e.error("integer-overflow", where.span, "this integer is beyond 2^53");
    return {};
  }
  return number_value(result, integer);
}

// offset + scale · dim stays of that form under + - with such, and * with a number.
std::optional<Value> fold_sizes(Elaboration& e, Fn fn, const std::vector<Value>& args,
                                const Operands& where) {
  const bool linear =
      fn == Fn::add || fn == Fn::sub || fn == Fn::mul || fn == Fn::neg || fn == Fn::floor_div;
  if (!linear) return std::nullopt;
  const auto x = extent_of(args[0]);
  const auto y = args.size() > 1 ? extent_of(args[1]) : Extent(0);
  if (!x || !y) return std::nullopt;
  Extent out;
  bool overflow = false;
  if (fn == Fn::neg) {
    out = *x;
    out.offset = -out.offset;
    out.scale = -out.scale;
  } else if (fn == Fn::floor_div) {
    if (!y->is_fixed() || y->offset < 1 || x->offset % y->offset != 0 ||
        x->scale % y->offset != 0) {
      return std::nullopt;
    }
    out = *x;
    out.offset /= y->offset;
    out.scale /= y->offset;
  } else if (fn == Fn::mul) {
    if (!x->is_fixed() && !y->is_fixed()) return std::nullopt;
    const Extent& sized = x->is_fixed() ? *y : *x;
    const std::int64_t factor = x->is_fixed() ? x->offset : y->offset;
    out.dim = sized.dim;
    overflow = __builtin_mul_overflow(sized.offset, factor, &out.offset) ||
               __builtin_mul_overflow(sized.scale, factor, &out.scale);
  } else {
    if (!x->is_fixed() && !y->is_fixed() && x->dim != y->dim) return std::nullopt;
    out.dim = x->is_fixed() ? y->dim : x->dim;
    const bool plus = fn == Fn::add;
    overflow = plus ? __builtin_add_overflow(x->offset, y->offset, &out.offset) ||
                          __builtin_add_overflow(x->scale, y->scale, &out.scale)
                    : __builtin_sub_overflow(x->offset, y->offset, &out.offset) ||
                          __builtin_sub_overflow(x->scale, y->scale, &out.scale);
  }
  const std::int64_t bound = std::int64_t{1} << 53;
  if (overflow || std::max(std::abs(out.offset), std::abs(out.scale)) > bound) {
    e.error("integer-overflow", where.span, "this integer is beyond 2^53");
    return Value{};
  }
  if (out.scale == 0) out.dim = DimId{};
  return size_value(out);
}

// The dims of `larger` that those of `smaller` are, in order; how many ways there are.
std::size_t embed(const Shape& smaller, const Shape& larger, std::vector<std::size_t>& positions) {
  std::size_t ways = 0;
  std::vector<std::size_t> current;
  auto search = [&](auto&& self, std::size_t from) -> void {
    if (current.size() == smaller.size()) {
      if (ways++ == 0) positions = current;
      return;
    }
    for (std::size_t k = from; k < larger.size(); ++k) {
      if (larger[k] != smaller[current.size()]) continue;
      current.push_back(k);
      self(self, k + 1);
      current.pop_back();
    }
  };
  search(search, 0);
  return ways;
}

// Makes every tensor operand one of `shape`; false if reported.
bool match_dims(Elaboration& e, std::vector<Value>& args, Shape& shape, const Operands& where) {
  std::size_t widest = 0;
  for (std::size_t k = 0; k < args.size(); ++k) {
    if (args[k].type.rank() > args[widest].type.rank()) widest = k;
  }
  shape = args[widest].type.shape;
  for (std::size_t k = 0; k < args.size(); ++k) {
    Value& v = args[k];
    if (v.type.shape == shape) continue;
    std::vector<std::size_t> positions;
    const std::size_t ways = embed(v.type.shape, shape, positions);
    const std::string sides =
        fmt::format("{} and {}", text(e.graph, args[std::min(k, widest)].type),
                    text(e.graph, args[std::max(k, widest)].type));
    if (ways == 0) {
      std::string why;
      if (v.type.rank() == shape.size()) {
        for (std::size_t i = 0; i < shape.size(); ++i) {
          if (v.type.shape[i] == shape[i]) continue;
          const bool first = k < widest;
          why = fmt::format(": dim {} is {} in the one and {} in the other", i + 1,
                            text(e.graph, first ? v.type.shape[i] : shape[i]),
                            text(e.graph, first ? shape[i] : v.type.shape[i]));
          break;
        }
      } else {
        why = fmt::format(": {} is not found among the dims of {}", text(e.graph, v.type.shape),
                          text(e.graph, shape));
      }
      Diagnostic& d = e.error("shape-mismatch", where.span,
                              fmt::format("'{}' of {}{}", where.word, sides, why));
      d.ranges = {where.spans[std::min(k, widest)], where.spans[std::max(k, widest)]};
      return false;
    }
    if (ways > 1) {
      Diagnostic& d =
          e.error("ambiguous-broadcast", where.span,
                  fmt::format("'{}' of {}: {} fits in several ways; write it with indices",
                              where.word, sides, text(e.graph, v.type.shape)));
      d.ranges = {where.spans[std::min(k, widest)], where.spans[std::max(k, widest)]};
      return false;
    }
    std::vector<ScalarId> moved;
    for (std::size_t p : positions) moved.push_back(e.graph.index(static_cast<std::uint32_t>(p)));
    v.body = substitute(e.graph, v.body, moved);
    v.type.shape = shape;
  }
  return true;
}

// The common dtype of the operands that are to agree; numbers adapt to the rest.
DType common_dtype(Elaboration& e, Fn fn, const std::vector<Value>& args) {
  DType t = DType::boolean;
  bool fraction = false, number = false;
  for (std::size_t k = fn == Fn::select ? 1 : 0; k < args.size(); ++k) {
    if (args[k].is(ValueKind::number)) {
      number = true;
      fraction = fraction || !args[k].integer;
    } else {
      t = std::max(t, dtype_of(e, args[k]));
    }
  }
  if (number) t = std::max(t, fraction ? DType::f32 : DType::i32);
  if (needs_float(fn)) t = std::max(t, DType::f32);
  const bool keeps_bool =
      info(fn).result == FnResult::boolean || fn == Fn::select || fn == Fn::detach;
  if (!keeps_bool) t = std::max(t, DType::i32);
  return t;
}

bool check_dtypes(Elaboration& e, Fn fn, const std::vector<Value>& args, const Operands& where) {
  for (std::size_t k = 0; k < args.size(); ++k) {
    const DType t = dtype_of(e, args[k]);
    const bool condition = is_logical(fn) || (fn == Fn::select && k == 0);
    if (condition && t != DType::boolean) {
      e.error("dtype-mismatch", where.spans[k],
              fmt::format("'{}' needs a bool here, not {}; compare it with something", where.word,
                          describe(e, args[k])));
      return false;
    }
    const bool rounds = fn == Fn::mod || fn == Fn::floor_div;
    if (rounds && k == 1 && !args[k].is(ValueKind::size) &&
        !(args[k].constant() && args[k].number > 0)) {
      e.error(args[k].constant() && args[k].number == 0 ? "division-by-zero" : "bad-divisor",
              where.spans[k],
              fmt::format("'{}' of integers needs a positive compile-time divisor", where.word));
      return false;
    }
    if (rounds && is_float(t)) {
      e.error("dtype-mismatch", where.spans[k],
              fmt::format("'{}' needs integers here, not {}", where.word, describe(e, args[k])));
      return false;
    }
  }
  return true;
}

}  // namespace

Value apply(Elaboration& e, Fn fn, std::vector<Value> args, const Operands& where) {
  bool all_constant = true, elements = false;
  for (std::size_t k = 0; k < args.size(); ++k) {
    Value& v = args[k];
    if (v.poisoned()) return {};
    if (v.is(ValueKind::absent)) v = number_value(0, true);
    if (v.is(ValueKind::text) || v.is(ValueKind::tuple)) {
      e.error("not-a-tensor", where.spans[k],
              fmt::format("'{}' needs tensors or numbers, not {}", where.word, describe(e, v)));
      return {};
    }
    all_constant = all_constant && v.constant();
    elements = elements || v.is(ValueKind::scalar);
  }
  if (!check_dtypes(e, fn, args, where)) return {};
  if (all_constant) return fold_constants(e, fn, args, where);
  if (auto size = fold_sizes(e, fn, args, where)) return *size;

  const DType t = common_dtype(e, fn, args);
  if (is_rounding(fn) && !is_float(t)) return args[0];
  for (std::size_t k = 0; k < args.size(); ++k) {
    const bool condition = fn == Fn::select && k == 0;
    args[k] = cast_to(e, args[k], condition ? DType::boolean : t, where.spans[k]);
    if (args[k].poisoned()) return {};
  }
  Shape shape;
  if (elements) {
    for (std::size_t k = 0; k < args.size(); ++k) {
      if (!args[k].is(ValueKind::tensor) || args[k].type.shape.empty()) continue;
      e.error(
          "whole-tensor-in-index-notation", where.spans[k],
          fmt::format("this is the whole tensor {}, next to single elements; give it subscripts",
                      text(e.graph, args[k].type)));
      return {};
    }
  } else if (!match_dims(e, args, shape, where)) {
    return {};
  }
  std::vector<ScalarId> bodies;
  for (const Value& v : args) bodies.push_back(v.body);
  const ScalarId body = e.graph.apply(fn, std::move(bodies));
  if (elements) return scalar_value(body);
  return tensor_value(e.graph, {e.graph[body].dtype, std::move(shape)}, body);
}

Value divide(Elaboration& e, std::vector<Value> args, const Operands& where) {
  if (where.position == Position::integer) return apply(e, Fn::floor_div, std::move(args), where);
  return apply(e, Fn::div, std::move(args), where);
}

}  // namespace gradc

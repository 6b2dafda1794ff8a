// expr_to_text.cpp: one loop expression → C++.
#include "codegen/expr_to_text.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "codegen/loops_to_text.h"
#include "dsl/check.h"

namespace gradc {

using namespace loops;

namespace {

struct Text {
  std::string text;
  int precedence = 100;
};

class ExprText {
 public:
  ExprText(const std::function<Element(const std::string&)>& element_of, const Target& target)
      : element_of_(element_of), target_(target) {}

  std::string at_least(const Expr& e, int place) const {
    Text t = of(e);
    return t.precedence < place ? "(" + t.text + ")" : t.text;
  }

  Text of(const Expr& e) const {
    switch (e.kind) {
      case ExprKind::literal: {
        std::string s = number_to_text(e.value, e.type);
        return {s, s[0] == '-' ? 15 : 100};
      }
      case ExprKind::variable: return {e.name};
      case ExprKind::load: return loaded(e);
      case ExprKind::apply: return applied(e);
      case ExprKind::random: {
        const char* fn = e.distribution == Distribution::normal ? "normal" : "uniform";
        const std::string stream = e.args.size() > 3 ? at_least(e.args[3], 0) : fmt::format("{}u", e.stream);
        return {fmt::format("gradc::random_{}(seed, step, {}, static_cast<std::uint64_t>({}), {}, {})",
                            fn, stream, at_least(e.args[0], 0), at_least(e.args[1], 0),
                            at_least(e.args[2], 0))};
      }
      case ExprKind::lane_fold: {
        if (e.lanes > 1) {
          std::string vectors;
          for (const Expr& v : e.args) vectors += (vectors.empty() ? "" : ", ") + at_least(v, 0);
          return {fmt::format("gradc::sums({})", vectors)};
        }
        const std::string_view name = e.fn == Fn::add ? "sum" : e.fn == Fn::mul ? "product" : info(e.fn).name;
        return {fmt::format("gradc::{}({})", name, at_least(e.args[0], 0))};
      }
      case ExprKind::pointer:
        if (is_zero(e.args[0])) return {e.name};
        return {fmt::format("{} + {}", e.name, at_least(e.args[0], 12)), 12};
      case ExprKind::place: return {std::string(target_.places[static_cast<int>(e.place)])};
      case ExprKind::pairs:
      case ExprKind::spread_pair: {
        Expr address = e;
        address.kind = ExprKind::pointer;
        return {fmt::format("gradc::{}({})", e.kind == ExprKind::pairs ? "load_pairs" : "spread_pair", of(address).text)};
      }
      case ExprKind::dot:
        return {fmt::format("gradc::dot({}, {}, {})", at_least(e.args[0], 0), at_least(e.args[1], 0), at_least(e.args[2], 0))};
      case ExprKind::rounded: return {fmt::format("gradc::rounded({})", at_least(e.args[0], 0))};
    }
    GRADC_UNREACHABLE("expression");
  }

 private:
  static bool is_zero(const Expr& e) { return e.kind == ExprKind::literal && e.value == 0; }

  Text loaded(const Expr& e) const {
    if (e.lanes > 1) {
      Expr address = e;
      address.kind = ExprKind::pointer;
      if (e.args.size() > 1) {
        address.args.pop_back();
        return {fmt::format("gradc::load_first<{}>({}, {})", register_type(e.type, e.lanes), of(address).text,
                            at_least(e.args[1], 0))};
      }
      return {fmt::format("gradc::load<{}>({})", register_type(e.type, e.lanes), of(address).text)};
    }
    std::string element = fmt::format("{}[{}]", e.name, at_least(e.args[0], 0));
    const Element held = element_of_(e.name);
    if (held.bf16) return {fmt::format("gradc::wide({})", element)};
    if (held.dtype == DType::boolean) return {element + " != 0", 8};
    return {element};
  }

  Text binary(const Expr& e, const char* op, int precedence) const {
    // The left operand may bind as tightly; the right one must bind tighter, but integer sums are as good
    // in any order.
    const bool any_order = e.type == Type::integer && e.fn == Fn::add;
    return {fmt::format("{} {} {}", at_least(e.args[0], precedence), op,
                        at_least(e.args[1], any_order ? precedence : precedence + 1)),
            precedence};
  }
  // Comparisons and logic: operands in parentheses unless arithmetic or simple.
  Text relation(const Expr& e, const char* op, int precedence) const {
    return {fmt::format("{} {} {}", at_least(e.args[0], 10), op, at_least(e.args[1], 10)), precedence};
  }
  Text logic(const Expr& e, const char* op, Fn same, int precedence) const {
    std::string sides[2];
    for (int k = 0; k < 2; ++k) {
      const bool flat = e.args[k].kind == ExprKind::apply && e.args[k].fn == same && k == 0;
      sides[k] = at_least(e.args[k], flat ? precedence : 8);
    }
    return {sides[0] + " " + op + " " + sides[1], precedence};
  }
  // x / 0 is x * infinity, NaN for 0 and NaN too, which no compiler warns of.
  static bool divides_by_zero(const Expr& e) {
    return e.type != Type::integer && e.args[1].kind == ExprKind::literal && e.args[1].value == 0;
  }
  Text by_infinity(Expr e) const {
    e.fn = Fn::mul;
    e.args[1].value = std::copysign(std::numeric_limits<double>::infinity(), e.args[1].value);
    return binary(e, "*", 13);
  }
  Text call(const Expr& e) const {
    std::string args;
    for (const Expr& a : e.args) args += (args.empty() ? "" : ", ") + at_least(a, 0);
    return {fmt::format("gradc::{}({})", info(e.fn).name, args)};
  }

  Text applied(const Expr& e) const {
    switch (e.fn) {
      case Fn::neg: return {"-" + at_least(e.args[0], 16), 15};
      case Fn::add: return binary(e, "+", 12);
      case Fn::sub: return binary(e, "-", 12);
      case Fn::mul: return binary(e, "*", 13);
      case Fn::div: return divides_by_zero(e) ? by_infinity(e) : binary(e, "/", 13);
      case Fn::eq: return relation(e, "==", 8);
      case Fn::ne: return relation(e, "!=", 8);
      case Fn::lt: return relation(e, "<", 9);
      case Fn::le: return relation(e, "<=", 9);
      case Fn::gt: return relation(e, ">", 9);
      case Fn::ge: return relation(e, ">=", 9);
      case Fn::logical_and: return logic(e, "&&", Fn::logical_and, 4);
      case Fn::logical_or: return logic(e, "||", Fn::logical_or, 3);
      case Fn::logical_not: return {"!" + at_least(e.args[0], 16), 15};
      case Fn::select:
        return {fmt::format("{} ? {} : {}", at_least(e.args[0], 3), at_least(e.args[1], 3),
                            at_least(e.args[2], 3)),
                2};
      case Fn::cast: return cast(e.args[0], e.type);
      default: return call(e);
    }
  }

  Text cast(const Expr& from, Type to) const {
    if (from.type == to) return of(from);
    if (to == Type::boolean) return {at_least(from, 9) + " != 0", 8};
    if (from.type == Type::boolean) {
      return {fmt::format("{} ? {} : {}", at_least(from, 3), number_to_text(1, to),
                          number_to_text(0, to)),
              2};
    }
    return {fmt::format("static_cast<{}>({})", register_type(to), at_least(from, 0))};
  }

  const std::function<Element(const std::string&)>& element_of_;
  const Target& target_;
};

}  // namespace

std::string register_type(Type t, int lanes) {
  if (lanes > 1) return fmt::format("gradc::{}x{}", t == Type::f64 ? "f64" : "f32", lanes);
  switch (t) {
    case Type::boolean: return "bool";
    case Type::integer: return "std::int64_t";
    case Type::f32: return "float";
    case Type::f64: return "double";
  }
  GRADC_UNREACHABLE("type");
}

std::string number_to_text(double value, Type type) {
  if (type == Type::boolean) return value != 0 ? "true" : "false";
  if (type == Type::integer) {
    if (value <= -9.2e18) return "gradc::lowest_integer";
    if (value >= 9.2e18) return "gradc::highest_integer";
    return std::to_string(static_cast<std::int64_t>(value));
  }
  const bool single = type == Type::f32;
  if (single) value = static_cast<float>(value);
  const char* of = single ? "float" : "double";
  if (std::isnan(value)) return fmt::format("gradc::nan<{}>()", of);
  if (std::isinf(value)) return fmt::format("{}gradc::infinity<{}>()", value < 0 ? "-" : "", of);
  std::string text = single ? fmt::format("{}", static_cast<float>(value)) : fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return single ? text + "f" : text;
}

std::string expr_to_text(const Expr& e, const std::function<Element(const std::string&)>& element_of,
                         int at_least, const Target& target) {
  return ExprText(element_of, target).at_least(e, at_least);
}

}  // namespace gradc

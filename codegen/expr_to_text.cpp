// expr_to_text.cpp: one loop expression → C++.
#include "codegen/expr_to_text.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <string_view>

#include "codegen/loops_to_text.h"
#include "dsl/check.h"

namespace gradc {

using namespace loops;

namespace {

// Appends to one text, from left to right: each of() returns how tightly what it appended binds.
class ExprText {
 public:
  ExprText(std::string& out, const std::function<Element(const std::string&)>& element_of,
           const Target& target)
      : out_(out), element_of_(element_of), target_(target) {}

  void at_least(const Expr& e, int place) {
    const std::size_t begin = out_.size();
    if (of(e) >= place) return;
    out_.insert(begin, 1, '(');
    out_ += ')';
  }

 private:
  static constexpr int tightest = 100;

  // Texts, and expressions as they are between commas.
  template <class... Parts>
  int put(const Parts&... parts) {
    (append(parts), ...);
    return tightest;
  }
  void append(std::string_view text) { out_ += text; }
  void append(const Expr& e) { of(e); }

  int of(const Expr& e) {
    switch (e.kind) {
      case ExprKind::literal:
        return literal(e.value, e.type);
      case ExprKind::variable:
        return put(e.name);
      case ExprKind::load:
        return loaded(e);
      case ExprKind::apply:
        return applied(e);
      case ExprKind::random: {
        put("gradc::random_", e.distribution == Distribution::normal ? "normal" : "uniform",
            "(seed, step, ");
        e.args.size() > 3 ? put(e.args[3]) : put(std::to_string(e.stream), "u");
        return put(", static_cast<std::uint64_t>(", e.args[0], "), ", e.args[1], ", ", e.args[2],
                   ")");
      }
      case ExprKind::lane_fold: {
        if (e.lanes > 1) return call("sums", e);
        return call(e.fn == Fn::add ? "sum" : e.fn == Fn::mul ? "product" : info(e.fn).name, e);
      }
      case ExprKind::pointer:
        return address(e);
      case ExprKind::place:
        return put(target_.places[static_cast<int>(e.place)]);
      case ExprKind::pairs:
      case ExprKind::spread_pair:
        put("gradc::", e.kind == ExprKind::pairs ? "load_pairs(" : "spread_pair(");
        address(e);
        return put(")");
      case ExprKind::dot:
        return call("dot", e);
      case ExprKind::rounded:
        return call("rounded", e);
    }
    GRADC_UNREACHABLE("expression");
  }

  int literal(double value, Type type) {
    const std::size_t begin = out_.size();
    put(number_to_text(value, type));
    return out_[begin] == '-' ? 15 : tightest;
  }

  // Of element args[0] of buffer `name`.
  int address(const Expr& e) {
    put(e.name);
    if (is_zero(e.args[0])) return tightest;
    put(" + ");
    at_least(e.args[0], 12);
    return 12;
  }
  static bool is_zero(const Expr& e) { return e.kind == ExprKind::literal && e.value == 0; }

  int loaded(const Expr& e) {
    if (e.lanes > 1) {
      const bool first = e.args.size() > 1;
      put("gradc::load", first ? "_first<" : "<", register_type(e.type, e.lanes), ">(");
      address(e);
      return first ? put(", ", e.args[1], ")") : put(")");
    }
    const Element held = element_of_(e.name);
    if (held.bf16) return put("gradc::wide(", e.name, "[", e.args[0], "])");
    put(e.name, "[", e.args[0], "]");
    if (held.dtype != DType::boolean) return tightest;
    put(" != 0");
    return 8;
  }

  // The operator stands between operands that bind at least so tightly.
  int operation(const Expr& e, std::string_view op, int precedence, int left, int right) {
    at_least(e.args[0], left);
    put(" ", op, " ");
    at_least(e.args[1], right);
    return precedence;
  }
  int binary(const Expr& e, std::string_view op, int precedence) {
    // The left operand may bind as tightly; the right one must bind tighter, but integer sums are
    // as good in any order.
    const bool any_order = e.type == Type::integer && e.fn == Fn::add;
    return operation(e, op, precedence, precedence, any_order ? precedence : precedence + 1);
  }
  // Comparisons and logic: operands in parentheses unless arithmetic or simple.
  int relation(const Expr& e, std::string_view op, int precedence) {
    return operation(e, op, precedence, 10, 10);
  }
  int logic(const Expr& e, std::string_view op, int precedence) {
    const bool flat = e.args[0].kind == ExprKind::apply && e.args[0].fn == e.fn;
    return operation(e, op, precedence, flat ? precedence : 8, 8);
  }
  // x / 0 is x * infinity, NaN for 0 and NaN too, which no compiler warns of.
  static bool divides_by_zero(const Expr& e) {
    return e.type != Type::integer && e.args[1].kind == ExprKind::literal && e.args[1].value == 0;
  }
  int by_infinity(Expr e) {
    e.fn = Fn::mul;
    e.args[1].value = std::copysign(std::numeric_limits<double>::infinity(), e.args[1].value);
    return binary(e, "*", 13);
  }
  int call(std::string_view function, const Expr& e) {
    put("gradc::", function, "(");
    for (const Expr& a : e.args) put(&a == e.args.data() ? "" : ", ", a);
    return put(")");
  }
  int prefixed(std::string_view op, const Expr& e) {
    put(op);
    at_least(e, 16);
    return 15;
  }
  void condition(const Expr& e) {
    at_least(e, 3);
    put(" ? ");
  }

  int applied(const Expr& e) {
    switch (e.fn) {
      case Fn::neg:
        return prefixed("-", e.args[0]);
      case Fn::add:
        return binary(e, "+", 12);
      case Fn::sub:
        return binary(e, "-", 12);
      case Fn::mul:
        return binary(e, "*", 13);
      case Fn::div:
        return divides_by_zero(e) ? by_infinity(e) : binary(e, "/", 13);
      case Fn::eq:
        return relation(e, "==", 8);
      case Fn::ne:
        return relation(e, "!=", 8);
      case Fn::lt:
        return relation(e, "<", 9);
      case Fn::le:
        return relation(e, "<=", 9);
      case Fn::gt:
        return relation(e, ">", 9);
      case Fn::ge:
        return relation(e, ">=", 9);
      case Fn::logical_and:
        return logic(e, "&&", 4);
      case Fn::logical_or:
        return logic(e, "||", 3);
      case Fn::logical_not:
        return prefixed("!", e.args[0]);
      case Fn::select:
        condition(e.args[0]);
        at_least(e.args[1], 3);
        put(" : ");
        at_least(e.args[2], 3);
        return 2;
      case Fn::cast:
        return cast(e.args[0], e.type);
      default:
        return call(info(e.fn).name, e);
    }
  }

  int cast(const Expr& from, Type to) {
    if (from.type == to) return of(from);
    if (to == Type::boolean) {
      at_least(from, 9);
      put(" != 0");
      return 8;
    }
    if (from.type == Type::boolean) {
      condition(from);
      put(number_to_text(1, to), " : ", number_to_text(0, to));
      return 2;
    }
    return put("static_cast<", register_type(to), ">(", from, ")");
  }

  std::string& out_;
  const std::function<Element(const std::string&)>& element_of_;
  const Target& target_;
};

}  // namespace

std::string register_type(Type t, int lanes) {
  if (lanes > 1) return (t == Type::f64 ? "gradc::f64x" : "gradc::f32x") + std::to_string(lanes);
  switch (t) {
    case Type::boolean:
      return "bool";
    case Type::integer:
      return "std::int64_t";
    case Type::f32:
      return "float";
    case Type::f64:
      return "double";
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
  std::string text =
      single ? fmt::format("{}", static_cast<float>(value)) : fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return single ? text + "f" : text;
}

void append_expr(std::string& out, const Expr& e,
                 const std::function<Element(const std::string&)>& element_of, int at_least,
                 const Target& target) {
  ExprText(out, element_of, target).at_least(e, at_least);
}

std::string expr_to_text(const Expr& e,
                         const std::function<Element(const std::string&)>& element_of, int at_least,
                         const Target& target) {
  std::string out;
  append_expr(out, e, element_of, at_least, target);
  return out;
}

}  // namespace gradc

// exprs.cpp: building loop expressions.
#include "codegen/exprs.h"

#include "dsl/check.h"

namespace gradc::loops {

Type type_of(DType t) {
  switch (t) {
    case DType::boolean: return Type::boolean;
    case DType::i32: return Type::integer;
    case DType::f32: return Type::f32;
    case DType::f64: return Type::f64;
  }
  GRADC_UNREACHABLE("dtype");
}

Expr number(double value, Type type) {
  Expr e;
  e.kind = ExprKind::literal;
  e.type = type;
  e.value = value;
  return e;
}

Expr integer(std::int64_t value) { return number(static_cast<double>(value), Type::integer); }

Expr variable(std::string name, Type type, int lanes) {
  Expr e;
  e.kind = ExprKind::variable;
  e.type = type;
  e.lanes = lanes;
  e.name = std::move(name);
  return e;
}

Expr load(std::string buffer, DType dtype, Expr index, int lanes) {
  Expr e;
  e.kind = ExprKind::load;
  e.type = type_of(dtype);
  e.lanes = lanes;
  e.name = std::move(buffer);
  e.args.push_back(std::move(index));
  return e;
}

Expr pointer(std::string buffer, Expr index) {
  Expr e;
  e.kind = ExprKind::pointer;
  e.name = std::move(buffer);
  e.args.push_back(std::move(index));
  return e;
}

Expr pairs(std::string buffer, Expr index, int lanes, bool spread) {
  Expr e = load(std::move(buffer), DType::f32, std::move(index), lanes);
  e.kind = spread ? ExprKind::spread_pair : ExprKind::pairs;
  return e;
}

Expr dot(Expr sum, Expr a, Expr b) {
  Expr e;
  e.kind = ExprKind::dot;
  e.type = sum.type;
  e.lanes = sum.lanes;
  e.args = arguments(std::move(sum), std::move(a), std::move(b));
  return e;
}

bool reads_memory(const Expr& e) {
  return e.kind == ExprKind::load || e.kind == ExprKind::pairs || e.kind == ExprKind::spread_pair;
}

Expr lane_fold(Fn fn, Expr lanes) {
  if (lanes.lanes == 1) return lanes;
  Expr e;
  e.kind = ExprKind::lane_fold;
  e.type = lanes.type;
  e.fn = fn;
  e.args.push_back(std::move(lanes));
  return e;
}

Expr lane_sums(std::vector<Expr> vectors) {
  if (vectors.size() == 1) return lane_fold(Fn::add, std::move(vectors[0]));
  Expr e;
  e.kind = ExprKind::lane_fold;
  e.type = vectors[0].type;
  e.fn = Fn::add;
  e.lanes = static_cast<int>(vectors.size());
  e.args = std::move(vectors);
  return e;
}

Expr rounded(Expr value) {
  Expr e;
  e.kind = ExprKind::rounded;
  e.type = value.type;
  e.args.push_back(std::move(value));
  return e;
}

Expr apply(Fn fn, std::vector<Expr> args, Type type) {
  Expr e;
  e.kind = ExprKind::apply;
  e.type = type;
  e.fn = fn;
  for (const Expr& a : args) e.lanes = a.lanes > e.lanes ? a.lanes : e.lanes;
  e.args = std::move(args);
  return e;
}

bool is_integer(const Expr& e, std::int64_t value) {
  return e.kind == ExprKind::literal && e.type == Type::integer &&
         e.value == static_cast<double>(value);
}

namespace {
bool is_literal(const Expr& e) { return e.kind == ExprKind::literal; }
}  // namespace

Expr add(Expr a, Expr b) {
  if (is_literal(a) && is_literal(b)) return number(a.value + b.value, Type::integer);
  if (is_integer(a, 0)) return b;
  if (is_integer(b, 0)) return a;
  if (is_literal(b) && b.value < 0) return sub(std::move(a), number(-b.value, Type::integer));
  if (b.kind == ExprKind::apply && b.fn == Fn::neg) return sub(std::move(a), std::move(b.args[0]));
  return apply(Fn::add, arguments(std::move(a), std::move(b)), Type::integer);
}

Expr sub(Expr a, Expr b) {
  if (is_literal(a) && is_literal(b)) return number(a.value - b.value, Type::integer);
  if (is_integer(b, 0)) return a;
  return apply(Fn::sub, arguments(std::move(a), std::move(b)), Type::integer);
}

Expr mul(Expr a, Expr b) {
  if (is_literal(a) && is_literal(b)) return number(a.value * b.value, Type::integer);
  if (is_integer(a, 0) || is_integer(b, 0)) return integer(0);
  if (is_integer(a, 1)) return b;
  if (is_integer(b, 1)) return a;
  return apply(Fn::mul, arguments(std::move(a), std::move(b)), Type::integer);
}

Expr with(Expr e, const std::map<std::string, Expr>& variables) {
  if (e.kind == ExprKind::variable) {
    const auto it = variables.find(e.name);
    return it == variables.end() ? e : it->second;
  }
  for (Expr& a : e.args) a = with(std::move(a), variables);
  if (e.kind == ExprKind::apply && e.type == Type::integer) {
    if (e.fn == Fn::add) return add(std::move(e.args[0]), std::move(e.args[1]));
    if (e.fn == Fn::sub) return sub(std::move(e.args[0]), std::move(e.args[1]));
    if (e.fn == Fn::mul) return mul(std::move(e.args[0]), std::move(e.args[1]));
  }
  return e;
}

}  // namespace gradc::loops

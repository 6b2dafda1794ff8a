// expression_chain.cpp: operator precedence, as a table and a stack.
#include "dsl/expression_chain.h"

#include <algorithm>

#include "dsl/check.h"

namespace gradc {

using ast::Expr;
using ast::ExprKind;

namespace {

struct Infix {
  TokenKind kind;
  int precedence;
};
constexpr int comparison_precedence = 4;
constexpr Infix infixes[] = {
    {token_kind("or"), 1}, {token_kind("and"), 2},
    {token_kind("=="), 4}, {token_kind("!="), 4},
    {token_kind("<"), 4},  {token_kind("<="), 4},
    {token_kind(">"), 4},  {token_kind(">="), 4},
    {token_kind("+"), 5},  {token_kind("-"), 5},
    {token_kind("*"), 7},  {token_kind("/"), 7},
    {token_kind("%"), 7},  {token_kind("^"), power_precedence},
};

}  // namespace

int infix_precedence(TokenKind kind) {
  for (const Infix& infix : infixes)
    if (infix.kind == kind) return infix.precedence;
  return 0;
}

void measure(Expr& e) {
  std::uint32_t below = 0;
  auto over = [&](const std::vector<Expr>& children) {
    for (const Expr& child : children) below = std::max(below, child.height);
  };
  over(e.args);
  over(e.pad);
  for (const ast::Argument& a : e.arguments) below = std::max(below, a.value.height);
  for (const ast::Index& i : e.indices) over(i.range);
  e.height = below + 1;
}

void ExpressionChain::add_operator(Operator op) {
  if (!op.prefix) {
    // Equal precedence groups to the left; to the right for powers.
    const int kept = op.precedence + (op.precedence == power_precedence ? 1 : 0);
    while (!operators_.empty() && operators_.back().precedence >= kept) {
      if (op.precedence == comparison_precedence && !chained_comparison_.valid() &&
          operators_.back().precedence == comparison_precedence)
        chained_comparison_ = op.span;
      reduce();
    }
  }
  operators_.push_back(std::move(op));
}

void ExpressionChain::reduce() {
  GRADC_CHECK(!operators_.empty() && !operands_.empty(), "an operator without its operand");
  Operator op = std::move(operators_.back());
  operators_.pop_back();
  Expr right = std::move(operands_.back());
  operands_.pop_back();
  Expr e;
  e.span = {op.span.file, op.span.begin, right.span.end};
  e.op_span = op.span;
  e.op = std::move(op.op);
  if (op.prefix) {
    e.kind = op.precedence == reduction_precedence ? ExprKind::reduce : ExprKind::unary;
    e.indices = std::move(op.indices);
  } else {
    GRADC_CHECK(!operands_.empty(), "an infix operator without its left operand");
    e.kind = ExprKind::binary;
    e.span.begin = operands_.back().span.begin;
    e.args.reserve(2);
    e.args.push_back(std::move(operands_.back()));
    operands_.pop_back();
  }
  e.args.push_back(std::move(right));
  measure(e);
  height_ = std::max(height_, e.height);
  operands_.push_back(std::move(e));
}

void ExpressionChain::pipe_into(Expr call) {
  Expr piped = finish();
  call.piped = true;
  call.span.begin = piped.span.begin;
  ast::Argument argument;
  argument.value = std::move(piped);
  call.arguments.insert(call.arguments.begin(), std::move(argument));
  measure(call);
  height_ = std::max(height_, call.height);
  operands_.push_back(std::move(call));
}

void ExpressionChain::liken(Expr shape) {
  GRADC_CHECK(!operands_.empty(), "`like` without its left operand");
  Expr e;
  e.kind = ExprKind::like;
  e.span = {shape.span.file, operands_.back().span.begin, shape.span.end};
  e.args.reserve(2);
  e.args.push_back(std::move(operands_.back()));
  e.args.push_back(std::move(shape));
  measure(e);
  height_ = std::max(height_, e.height);
  operands_.back() = std::move(e);
}

Expr ExpressionChain::finish() {
  while (!operators_.empty()) reduce();
  GRADC_CHECK(operands_.size() == 1, "an expression of several operands");
  Expr e = std::move(operands_.back());
  operands_.pop_back();
  return e;
}

}  // namespace gradc

// expression_chain.h: operands and operators in the order read → one tree, by precedence.
#pragma once

#include <vector>

#include "dsl/ast.h"
#include "dsl/tokens.h"

namespace gradc {

inline constexpr std::uint32_t max_expression_height = 500;

// How tightly an infix operator binds; 0 if the token is none. Prefix operators lie between them.
int infix_precedence(TokenKind);
inline constexpr int not_precedence = 3;
inline constexpr int reduction_precedence = 6;  // extends over products, as a Σ does
inline constexpr int minus_precedence = 8;
inline constexpr int power_precedence = 9;  // the only right-associative one

// An operator waiting for its right operand.
struct Operator {
  int precedence = 0;
  bool prefix = false;
  std::string op;
  Span span;
  std::vector<ast::Index> indices;  // of a reduction
};

// Height from the heights of the children.
void measure(ast::Expr&);

// Shunting-yard: a loop over flat input, so that no chain of operators deepens the parser's stack.
class ExpressionChain {
 public:
  void add_operand(ast::Expr e) { operands_.push_back(std::move(e)); }
  void add_operator(Operator);
  // `x |> f(a)`: everything so far becomes the first argument of the call.
  void pipe_into(ast::Expr call);
  void liken(ast::Expr shape);  // `… like shape`, of the last operand
  ast::Expr finish();

  // Whether the tree has outgrown the limit; the parser then gives up on the expression.
  bool too_high() const {
    return height_ > max_expression_height || operators_.size() > max_expression_height;
  }
  // The operator of the first comparison whose operand is itself a comparison, if any.
  Span chained_comparison() const { return chained_comparison_; }

 private:
  void reduce();

  std::vector<ast::Expr> operands_;
  std::vector<Operator> operators_;
  std::uint32_t height_ = 0;
  Span chained_comparison_;
};

}  // namespace gradc

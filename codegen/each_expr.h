// each_expr.h: visiting the expressions of statements.
#pragma once

#include <variant>

#include "codegen/loops.h"

namespace gradc::loops {

template <class Visit>
void for_each_expr(Expr& e, const Visit& visit) {
  visit(e);
  for (Expr& a : e.args) for_each_expr(a, visit);
}

// Visits the expressions of statements, not those they consist of.
template <class Visit>
struct Roots {
  const Visit& visit;

  void block(Block& statements) const {
    for (Stmt& s : statements) std::visit(*this, s.it);
  }
  void operator()(For& s) const {
    for (Expr& e : s.begin) visit(e);
    visit(s.end);
    block(s.body);
  }
  void operator()(Let& s) const { visit(s.value); }
  void operator()(Lanes& s) const { visit(s.value); }
  void operator()(Accumulate& s) const {
    visit(s.value);
    for (Expr& e : s.lane) visit(e);
  }
  void operator()(Assign& s) const { visit(s.value); }
  void operator()(Store& s) const {
    visit(s.index);
    visit(s.value);
    for (Expr& e : s.first) visit(e);
  }
  void operator()(If& s) const {
    visit(s.condition);
    block(s.body);
  }
  void operator()(Call& s) const {
    for (Expr& e : s.args) visit(e);
  }
  void operator()(Transpose& s) const {
    for (Expr* e : {&s.from, &s.from_stride, &s.rows, &s.columns, &s.to, &s.to_stride}) visit(*e);
  }
  void operator()(Prefetch& s) const { visit(s.index); }
  void operator()(Barrier&) const {}
  void operator()(Comment&) const {}
  void operator()(Combine&) const {}
  void operator()(Choose& s) const { visit(s.condition); }
};

template <class Visit>
void for_each_expr(Block& block, const Visit& visit) {
  const auto all = [&](Expr& root) { for_each_expr(root, visit); };
  Roots<decltype(all)>{all}.block(block);
}

}  // namespace gradc::loops

// derivatives.h: the derivative of every scalar function, one line each of one table.
#pragma once

#include <utility>
#include <vector>

#include "dsl/graph.h"

namespace gradc {

// A scalar of a graph, so that formulas in C++ read as formulas.
struct Expression {
  Graph* graph = nullptr;
  ScalarId id;
};

Expression apply(Fn, Expression);
Expression apply(Fn, Expression, Expression);
Expression operator-(Expression);
Expression operator+(Expression, Expression);
Expression operator-(Expression, Expression);
Expression operator*(Expression, Expression);
Expression operator/(Expression, Expression);
// A number of the dtype of the other operand.
Expression operator+(Expression, double);
Expression operator-(double, Expression);
Expression operator*(Expression, double);
Expression operator/(double, Expression);

// What reaches one argument: `value`, where `condition` holds (everywhere if invalid), else 0. The
// condition is kept apart so that whatever follows is computed under it: an inf or NaN of the
// branch not taken never leaks.
struct Pullback {
  ScalarId value;  // invalid: nothing reaches the argument
  ScalarId condition;
};

// The cotangent of args[k] of y = fn(args), given the cotangent `gy` of y.
Pullback pullback(Graph&, const Scalar& application, std::size_t k, ScalarId y, ScalarId gy);

// True if nothing passes the function backwards whatever its arguments: comparisons, floor, detach,
// …
bool blocks_gradient(Fn);

}  // namespace gradc

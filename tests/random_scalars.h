// random_scalars.h: random well-typed scalar expressions over the tensors of a graph.
#pragma once

#include <vector>

#include "dsl/graph.h"
#include "tests/random_graph.h"

namespace test {

// Every expression carries a bound of its absolute value, from which it is scaled so that nothing
// overflows and every function stays inside its domain.
struct Expression {
  gradc::ScalarId id;
  double bound;  // of its absolute value
};

struct Tensor {
  gradc::NodeId id;
  double bound;          // floats: of the absolute value
  std::int64_t top = 0;  // integers: values are 0 … top
};

struct RandomScalars {
  Choices choices;
  RandomGraphOptions options;
  gradc::Graph g = {};
  std::vector<gradc::DimId> dims = {};
  gradc::Shape ranges = {};                                       // of the comprehension being made
  std::vector<Tensor> floats = {}, integers = {}, booleans = {};  // what can be read

  gradc::Extent extent();
  gradc::Shape shape(std::int64_t max_rank);
  gradc::DType float_type();
  gradc::ScalarId integer(std::int64_t v);
  gradc::ScalarId op(gradc::Fn fn, gradc::ScalarId x, gradc::ScalarId y);
  // An i32 scalar always in 0 … the least size of the axis; invalid if this try gave none.
  gradc::ScalarId inside_by_chance(const gradc::Extent& axis, int depth);
  gradc::ScalarId subscript(const gradc::Extent& axis, int depth);
  // An element of a tensor, somewhere.
  gradc::ScalarId read(gradc::NodeId tensor, int depth);
  Expression scaled_to(Expression e, double bound, gradc::DType t);
  // A bool expression.
  gradc::ScalarId condition(gradc::DType t, int depth);
  gradc::ScalarId both(gradc::Fn fn, gradc::DType t, int depth);
  Expression variable(gradc::DType t);
  Expression leaf_expression(gradc::DType t);
  // x² + c, at least c
  Expression positive(Expression x, double c, gradc::DType t);
  Expression call(gradc::Fn fn, Expression x, double bound);
  // A float expression at most so deep.
  Expression expression(gradc::DType t, int depth);
};

}  // namespace test

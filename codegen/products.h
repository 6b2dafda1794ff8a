// products.h: sums of products in the form that a micro-kernel computes.
#pragma once

#include <optional>
#include <vector>

#include "codegen/product_forms.h"
#include "codegen/target.h"

namespace gradc {

// `result` has the value of the node given; the sum in it reads exactly two tensors, at affine
// subscripts that stay inside, or whose terms outside can be left out. `operands` were made for it: padded or transposed
// copies, and elementwise values that stood in the product.
struct Product {
  NodeId result;
  std::vector<NodeId> operands;
};
// None if the node isn't a product whose last free index is the last, contiguous one of just one factor, or a sum of
// which is that of both (or can be made so by copying a factor). `times`: that it is computed, in a loop, for each time that
// parameters and inputs change.
std::optional<Product> make_product(Graph&, NodeId, const Target&, double times);

// By what ways to compute a product are compared, beside vector operations:
constexpr double lane_sum_steps = 2.75;  // of adding up the lanes of a vector
constexpr double copy_steps = 0.45;      // of copying an element to another order

// Vector operations that a loop over so many elements takes: whole vectors, then halves and so on for the rest.
std::int64_t vector_steps(std::int64_t elements, int lanes);

}  // namespace gradc

// products.h: sums of products in the form that a micro-kernel computes.
#pragma once

#include <optional>
#include <vector>

#include "codegen/index_roles.h"

namespace gradc {

// `result` has the value of the node given; the sum in it reads exactly two tensors, at affine
// subscripts that stay inside. `operands` were made for it: padded or transposed copies, and elementwise
// values that stood in the product.
struct Product {
  NodeId result;
  std::vector<NodeId> operands;
};
// None if the node isn't a product whose last free index is the last, contiguous one of just one factor
// (or can be made so by copying a factor).
std::optional<Product> make_product(Graph&, NodeId);

// How the indices of a sum of a product of two reads are used: of the one whose vectors run along the
// last free index (b), and of the one whose elements are spread over them (a).
struct ProductForm {
  ScalarId a, b;                        // the reads
  std::vector<Affine> a_subscripts, b_subscripts;
  std::uint32_t column = 0;             // the index along which vectors run: last free index
  std::vector<std::uint32_t> rows;      // free indices of a alone
  std::vector<std::uint32_t> others;    // free indices of both, or of b alone
  std::vector<std::uint32_t> sums;      // reduction indices
};
std::optional<ProductForm> product_form(const Graph&, NodeId);

}  // namespace gradc

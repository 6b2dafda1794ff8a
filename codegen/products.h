// products.h: sums of products in the form that a micro-kernel computes.
#pragma once

#include <optional>
#include <vector>

#include "codegen/index_roles.h"
#include "codegen/target.h"

namespace gradc {

// `result` has the value of the node given; the sum in it reads exactly two tensors, at affine
// subscripts that stay inside. `operands` were made for it: padded or transposed copies, and elementwise
// values that stood in the product.
struct Product {
  NodeId result;
  std::vector<NodeId> operands;
};
// None if the node isn't a product whose last free index is the last, contiguous one of just one factor, or a sum of
// which is that of both (or can be made so by copying a factor).
std::optional<Product> make_product(Graph&, NodeId, const Target&);

// How the indices of a sum of a product of two reads are used. In an outer product vectors run along the last free
// index, which b alone has, and elements of a are spread over them. In an inner product vectors run `along` a sum,
// in both a and b.
struct ProductForm {
  ScalarId a, b;                        // the reads
  std::vector<Affine> a_subscripts, b_subscripts;
  std::optional<std::uint32_t> along;   // inner: the sum
  std::uint32_t column = 0;             // outer: the last free index; inner: the longest of b alone
  std::vector<std::uint32_t> rows;      // free indices of a alone
  // Inner: a short index of b alone that moves a window over it: all its values go with each column, since what they
  // read is nearly the same.
  std::optional<std::uint32_t> window;
  std::vector<std::uint32_t> others;    // all other free indices
  std::vector<std::uint32_t> sums;      // reduction indices
  // The last sum is of two neighbours in a and in b, and the column runs along pairs of b.
  bool pairs = false;
};
std::optional<ProductForm> product_form(const Graph&, NodeId, const Isa&);  // outer
// Both a and b have a free index of their own, and a sum that is last and contiguous.
std::optional<ProductForm> inner_form(const Graph&, NodeId, const Isa&);

// By what ways to compute a product are compared, beside vector operations:
constexpr double lane_sum_steps = 6;  // of adding up the lanes of a vector
constexpr double copy_steps = 0.5;    // of copying an element to another order

// Vector operations that a loop over so many elements takes: whole vectors, then halves and so on for the rest.
std::int64_t vector_steps(std::int64_t elements, int lanes);

}  // namespace gradc

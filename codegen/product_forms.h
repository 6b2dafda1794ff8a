// product_forms.h: how the indices of a sum of a product of two reads are used, which is what its micro-kernel follows from.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "codegen/index_roles.h"
#include "codegen/isa.h"

namespace gradc {

// How the indices of a sum of a product of two reads are used. In an outer product vectors run along the last free
// index, which b alone has, and elements of a are spread over them. In an inner product vectors run `along` a sum,
// in both a and b.
struct ProductForm {
  ScalarId a, b;                        // the reads
  std::vector<Affine> a_subscripts, b_subscripts;
  std::optional<std::uint32_t> along;   // inner: the sum
  std::uint32_t column = 0;             // outer: the last free index; inner: the longest of b alone
  std::vector<std::uint32_t> rows;      // free indices of a alone
  // The longest of them makes the rows of the tiles. Outer: where that is one alone, the longest
  // other free index of b alone.
  std::optional<std::uint32_t> row;
  // Inner: a short index of b alone that moves a window over it: all its values go with each column, since what they
  // read is nearly the same.
  std::optional<std::uint32_t> window;
  std::vector<std::uint32_t> others;    // all other free indices, among them a row of b
  std::vector<std::uint32_t> sums;      // reduction indices
  // The last sum is of two neighbours in a and in b, and the column runs along pairs of b.
  bool pairs = false;
  // A read that gives 0 outside its tensor: only those terms of the sum are taken for which 0 <= at < extent. Beside the sum
  // `at` has indices that are the same for a whole tile.
  struct Bound {
    std::uint32_t sum;
    Affine at;
    Extent extent;
    bool below, beyond;  // where it can be outside
  };
  std::vector<Bound> bounds;
  bool bounded(std::uint32_t sum) const;
  bool row_of_b() const {
    return row && std::find(others.begin(), others.end(), *row) != others.end();
  }
  // The same where `at` has the window: for the first and the last of the sum's terms only a part of it is inside.
  std::optional<Bound> edges;
};
// Terms of such a sum one after another, and what of the window is inside for them.
struct WindowPart {
  std::int64_t terms, begin, end;
};
std::vector<WindowPart> window_parts(const ProductForm&, const ProductForm::Bound&, const Shape& ranges);

std::int64_t coefficient(const Affine&, std::uint32_t index);

// The one sum along an axis that else only has indices which are the same for a whole tile: then those of its terms that
// are outside can be left out.
std::optional<std::uint32_t> sum_to_bound(const ProductForm&, const Affine& axis);
// The sum along an axis that else only has the window: each of its terms finds its part of the window inside.
std::optional<std::uint32_t> sum_at_edges(const ProductForm&, const Affine& axis, const Extent&, const Shape& ranges);
// Terms of `sum` that are 0 since an element of a is: those where `at`, a form of it and of the row
// alone, is above 0.
struct ZeroTerms {
  std::uint32_t sum;
  Affine at;
};
std::vector<ZeroTerms> zero_terms(const Graph&, const ProductForm&);
// The part of all terms that are left by their bounds.
double part_inside(const Graph&, const Shape& ranges, const ProductForm&);

std::optional<ProductForm> product_form(const Graph&, NodeId, const Isa&);  // outer
// b has a free index of its own, and so has a or b moves a window; and both have a sum that is last
// and contiguous.
std::optional<ProductForm> inner_form(const Graph&, NodeId, const Isa&);

}  // namespace gradc

// bounds.h: what can be proved about integer scalars when every index runs over its range.
#pragma once

#include <optional>

#include "dsl/graph.h"

namespace gradc {

// The largest integer that is not above a / b, for b other than 0.
constexpr std::int64_t floor_divided(std::int64_t a, std::int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0); }

// x + factor · y.
Affine plus(const Affine& x, const Affine& y, std::int64_t factor = 1);
Affine affine_of(const Extent&);
bool has_indices(const Affine&);
// The index that it moves with, by 1, if there is no other.
std::optional<std::uint32_t> only_index(const Affine&);

// True only if the value is at least 0 for every index within `ranges` and every size of its dims.
bool never_negative(const Graph&, const Affine&, const Shape& ranges);

// True if it is an index that runs over just that extent, as most subscripts are.
bool is_index_over(const Scalar&, const Shape& ranges, const Extent&);

// True only if 0 <= value < extent for every index within `ranges`.
bool always_inside(const Graph&, const Affine&, const Shape& ranges, const Extent&);

// The same for any integer scalar: affine, or a floor division or remainder of one by a constant.
bool always_inside(const Graph&, ScalarId, const Shape& ranges, const Extent&);

// At how many points of an index space with these extents 0 <= value < extent. The value has no sizes.
std::int64_t points_inside(const Affine& value, const std::vector<std::int64_t>& extents, std::int64_t extent);

}  // namespace gradc

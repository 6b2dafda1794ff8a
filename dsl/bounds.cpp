// bounds.cpp: interval reasoning with sizes kept symbolic, so that i < B is proved for a run-time
// B.
#include "dsl/bounds.h"

#include <algorithm>
#include <cstdlib>

namespace gradc {

Affine plus(const Affine& x, const Affine& y, std::int64_t factor) {
  Affine out = x;
  out.constant += factor * y.constant;
  if (out.coefficients.size() < y.coefficients.size()) {
    out.coefficients.resize(y.coefficients.size());
  }
  for (std::size_t k = 0; k < y.coefficients.size(); ++k) {
    out.coefficients[k] += factor * y.coefficients[k];
  }
  for (auto [dim, coefficient] : y.sizes) {
    auto at = std::lower_bound(out.sizes.begin(), out.sizes.end(), dim,
                               [](const auto& entry, DimId d) { return entry.first < d; });
    if (at == out.sizes.end() || at->first != dim) at = out.sizes.insert(at, {dim, 0});
    at->second += factor * coefficient;
    if (at->second == 0) out.sizes.erase(at);
  }
  return out;
}

std::int64_t points_inside(const Affine& value, const std::vector<std::int64_t>& extents, std::int64_t extent) {
  // Along the last index those inside are neighbours.
  const std::size_t others = extents.empty() ? 0 : extents.size() - 1;
  const std::int64_t length = extents.empty() ? 1 : extents.back();
  const std::int64_t step = others < value.coefficients.size() ? value.coefficients[others] : 0,
                     size = std::abs(step);
  std::int64_t all = 1, inside = 0;
  for (std::size_t k = 0; k < others; ++k) all *= extents[k];
  for (std::int64_t point = 0; point < all; ++point) {
    std::int64_t least = value.constant + std::min<std::int64_t>(step, 0) * (length - 1),
                 rest = point;
    for (std::size_t k = 0; k < others; ++k) {
      if (k < value.coefficients.size()) least += value.coefficients[k] * (rest % extents[k]);
      rest /= extents[k];
    }
    if (size == 0) {
      inside += least >= 0 && least < extent ? length : 0;
    } else {
      const auto below = [&](std::int64_t end) {
        return std::clamp<std::int64_t>(-floor_divided(least - end, size), 0, length);
      };
      inside += below(extent) - below(0);
    }
  }
  return inside;
}

Affine affine_of(const Extent& e) {
  Affine out;
  out.constant = e.offset;
  if (!e.is_fixed() && e.scale != 0) out.sizes.emplace_back(e.dim, e.scale);
  return out;
}

bool has_indices(const Affine& a) {
  return std::any_of(a.coefficients.begin(), a.coefficients.end(), [](auto c) { return c != 0; });
}

std::optional<std::uint32_t> only_index(const Affine& a) {
  std::optional<std::uint32_t> index;
  for (std::uint32_t k = 0; k < a.coefficients.size(); ++k) {
    if (a.coefficients[k] == 0) continue;
    if (a.coefficients[k] != 1 || index) return std::nullopt;
    index = k;
  }
  return index;
}

bool never_negative(const Graph& g, const Affine& a, const Shape& ranges) {
  Affine lowest = a;
  lowest.coefficients.clear();
  for (std::size_t k = 0; k < a.coefficients.size(); ++k) {
    const std::int64_t c = a.coefficients[k];
    if (c == 0) continue;
    if (k >= ranges.size()) return false;
    if (c > 0) continue;  // smallest at 0
    Affine last = affine_of(ranges[k]);
    last.constant -= 1;
    lowest = plus(lowest, last, c);
  }
  std::int64_t value = lowest.constant;
  for (auto [dim, c] : lowest.sizes) value += c * (c > 0 ? g.dim(dim).least : g.dim(dim).bound);
  return value >= 0;
}

bool always_inside(const Graph& g, const Affine& a, const Shape& ranges, const Extent& extent) {
  Affine room = plus(affine_of(extent), a, -1);
  room.constant -= 1;
  return never_negative(g, a, ranges) && never_negative(g, room, ranges);
}

bool is_index_over(const Scalar& s, const Shape& ranges, const Extent& extent) {
  return s.kind == ScalarKind::index && s.index < ranges.size() && ranges[s.index] == extent;
}

bool always_inside(const Graph& g, ScalarId id, const Shape& ranges, const Extent& extent) {
  if (is_index_over(g[id], ranges, extent)) return true;
  Affine a;
  if (as_affine(g, id, a)) return always_inside(g, a, ranges, extent);
  const Scalar& s = g[id];
  if (s.kind == ScalarKind::read) {
    // A position found by argmax lies in its range.
    const Node& n = g[s.tensor];
    if (n.reduction != Reduction::argmax && n.reduction != Reduction::argmin) return false;
    return n.ranges.size() == n.type.rank() + 1 && n.ranges.back() == extent;
  }
  if (s.kind != ScalarKind::apply || (s.fn != Fn::floor_div && s.fn != Fn::mod)) return false;
  const Scalar& divisor = g[s.args[1]];
  if (divisor.kind != ScalarKind::literal || divisor.value < 1) return false;
  const auto c = static_cast<std::int64_t>(divisor.value);
  if (s.fn == Fn::mod) return extent.offset >= c && extent.scale >= 0;
  // 0 <= floor(a / c) < n  is  0 <= a < c · n.
  if (!as_affine(g, s.args[0], a)) return false;
  Affine room = plus(Affine{}, affine_of(extent), c);
  room = plus(room, a, -1);
  room.constant -= 1;
  return never_negative(g, a, ranges) && never_negative(g, room, ranges);
}

}  // namespace gradc

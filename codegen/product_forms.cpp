// product_forms.cpp: how the indices of a sum of a product of two reads are used.
#include "codegen/product_forms.h"

#include <algorithm>
#include <utility>

#include "codegen/known_zeros.h"
#include "codegen/partition.h"
#include "dsl/bounds.h"

namespace gradc {

std::int64_t coefficient(const Affine& a, std::uint32_t k) {
  return k < a.coefficients.size() ? a.coefficients[k] : 0;
}

namespace {

bool uses(const std::vector<Affine>& subscripts, std::uint32_t k) {
  return std::any_of(subscripts.begin(), subscripts.end(), [&](const Affine& a) { return coefficient(a, k) != 0; });
}

// As many different parts of a window as are worth loops of their own.
constexpr std::size_t most_window_parts = 5;

// What both forms have in common: a sum of a product of two different reads, at affine subscripts.
std::optional<ProductForm> two_reads(const Graph& g, NodeId id) {
  const Node& n = g[id];
  if (n.kind != NodeKind::comprehension || n.reduction != Reduction::sum) return std::nullopt;
  if (n.type.rank() == 0 || !is_float(n.type.dtype)) return std::nullopt;
  const Scalar& body = g[n.body];
  if (body.kind != ScalarKind::apply || body.fn != Fn::mul) return std::nullopt;
  ProductForm form;
  form.a = body.args[0];
  form.b = body.args[1];
  if (form.a == form.b) return std::nullopt;
  for (ScalarId side : {form.a, form.b}) {
    const Scalar& s = g[side];
    if (s.kind != ScalarKind::read || s.dtype != n.type.dtype) return std::nullopt;
    auto subscripts = affine_subscripts(g, s);
    if (!subscripts) return std::nullopt;
    (side == form.a ? form.a_subscripts : form.b_subscripts) = std::move(*subscripts);
  }
  for (auto k = static_cast<std::uint32_t>(n.type.rank()); k < n.ranges.size(); ++k) form.sums.push_back(k);
  return form;
}

// A copy like that of paired_way: [..., 2] of what lies 2 half + which along some axis.
bool copies_pairs(const Graph& g, const Node& n) {
  if (n.kind != NodeKind::comprehension || n.reduction != Reduction::none || g[n.body].kind != ScalarKind::read) return false;
  const auto subscripts = affine_subscripts(g, g[n.body]);
  const auto which = static_cast<std::uint32_t>(n.type.rank()) - 1;
  return subscripts && std::any_of(subscripts->begin(), subscripts->end(), [&](const Affine& a) {
    return coefficient(a, which) == 1 && std::count(a.coefficients.begin(), a.coefficients.end(), 2) == 1;
  });
}

// b is [..., column, last sum], a copy for that, and the last sum that of two neighbours of a.
bool takes_pairs(const Graph& g, const Node& n, const ProductForm& form, const Isa& isa) {
  const Extent columns = n.ranges[form.column];
  if (n.type.dtype != DType::f32 || !columns.is_fixed() || columns.offset % isa.lanes(DType::f32) != 0) return false;
  if (!copies_pairs(g, g[g[form.b].tensor])) return false;
  const auto pair = static_cast<std::uint32_t>(n.ranges.size()) - 1;
  const std::size_t axes = form.b_subscripts.size();
  return form.sums.size() > 1 && n.ranges[pair] == Extent(2) && axes > 1 &&
         runs_along(form.a_subscripts, pair) && is_index(form.b_subscripts[axes - 1], pair) &&
         is_index(form.b_subscripts[axes - 2], form.column) &&
         g[g[form.b].tensor].type.shape.back() == Extent(2);
}

// Free indices by who has them; `column` and `window` apart.
void set_roles(const Graph& g, const Node& n, ProductForm& form) {
  for (std::uint32_t k = 0; k < n.type.rank(); ++k) {
    if (k == form.column || k == form.window) continue;
    const bool row = uses(form.a_subscripts, k) && !uses(form.b_subscripts, k);
    (row ? form.rows : form.others).push_back(k);
    if (row && (!form.row || max_extent(g, n.ranges[k]) > max_extent(g, n.ranges[*form.row]))) form.row = k;
  }
}

// Where a has no rows, or one alone, those of b: what is read of a then serves all of them, and no
// sum waits for itself.
void take_row_of_b(const Graph& g, const Node& n, ProductForm& form) {
  if (form.pairs || (form.row && max_extent(g, n.ranges[*form.row]) > 1)) return;
  std::int64_t most = 2;
  for (const std::uint32_t k : form.others) {
    if (uses(form.a_subscripts, k) || !uses(form.b_subscripts, k) ||
        max_extent(g, n.ranges[k]) < most)
      continue;
    most = max_extent(g, n.ranges[k]);
    form.row = k;
  }
}

// False if something is read outside its tensor for which no sum can have bounds. Of an outer
// product one row alone is no tile that is worth bounds of its own.
bool set_bounds(const Graph& g, const Node& n, ProductForm& form) {
  for (const ScalarId side : {form.a, form.b}) {
    const Scalar& s = g[side];
    if (!s.zero_outside) continue;
    const Shape& shape = g[s.tensor].type.shape;
    const auto& subscripts = side == form.a ? form.a_subscripts : form.b_subscripts;
    for (std::uint32_t k = 0; k < shape.size(); ++k) {
      const bool below = !never_negative(g, s.args[k], n.ranges), beyond = !never_beyond(g, s.args[k], shape[k], n.ranges);
      if (!below && !beyond) continue;
      if (!form.row && !form.along) return false;
      if (const auto sum = sum_to_bound(form, subscripts[k])) {
        form.bounds.push_back({*sum, subscripts[k], shape[k], below, beyond});
      } else if (const auto at = form.edges ? std::nullopt : sum_at_edges(form, subscripts[k], shape[k], n.ranges)) {
        form.edges = {*at, subscripts[k], shape[k], below, beyond};
      } else {
        return false;
      }
    }
  }
  return true;
}

// A free index moves along an axis of b together with a sum.
bool moves(const ProductForm& form, std::uint32_t k) {
  return std::any_of(form.b_subscripts.begin(), form.b_subscripts.end(), [&](const Affine& axis) {
    const auto along = [&](std::uint32_t s) { return coefficient(axis, s) != 0; };
    return along(k) && std::any_of(form.sums.begin(), form.sums.end(), along);
  });
}

// The last short index of b alone that moves along an axis of it together with a sum.
std::optional<std::uint32_t> window_of(const Node& n, const ProductForm& form, std::int64_t longest) {
  std::optional<std::uint32_t> window;
  for (std::uint32_t k = 0; k < n.type.rank(); ++k) {
    if (k == form.column || uses(form.a_subscripts, k) || !n.ranges[k].is_fixed()) continue;
    if (n.ranges[k].offset < 2 || n.ranges[k].offset > longest) continue;
    if (moves(form, k)) window = k;
  }
  return window;
}

}  // namespace

std::optional<std::uint32_t> sum_to_bound(const ProductForm& form, const Affine& axis) {
  std::optional<std::uint32_t> sum;
  for (std::uint32_t k = 0; k < axis.coefficients.size(); ++k) {
    if (axis.coefficients[k] == 0) continue;
    const bool reduced = std::find(form.sums.begin(), form.sums.end(), k) != form.sums.end();
    if (k == form.column || k == form.window || k == form.row || k == form.along || (reduced && sum)) return std::nullopt;
    if (reduced) sum = k;
  }
  return sum;
}

std::optional<std::uint32_t> sum_at_edges(const ProductForm& form, const Affine& axis, const Extent& extent, const Shape& ranges) {
  std::optional<std::uint32_t> sum;
  if (!form.window || !axis.sizes.empty() || !extent.is_fixed() || coefficient(axis, *form.window) != 1) return std::nullopt;
  for (std::uint32_t k = 0; k < axis.coefficients.size(); ++k) {
    if (axis.coefficients[k] == 0 || k == form.window) continue;
    const bool reduced = std::find(form.sums.begin(), form.sums.end(), k) != form.sums.end();
    if (!reduced || sum || k == form.along || !ranges[k].is_fixed()) return std::nullopt;
    sum = k;
  }
  if (sum && window_parts(form, {*sum, axis, extent, true, true}, ranges).size() > most_window_parts) return std::nullopt;
  return sum;
}

std::optional<ProductForm> product_form(const Graph& g, NodeId id, const Isa& isa) {
  auto form = two_reads(g, id);
  if (!form) return std::nullopt;
  const std::size_t rank = g[id].type.rank();
  form->column = static_cast<std::uint32_t>(rank) - 1;
  if (uses(form->a_subscripts, form->column)) return std::nullopt;
  form->pairs = isa.pairs && takes_pairs(g, g[id], *form, isa);
  if (!form->pairs && !runs_along(form->b_subscripts, form->column)) return std::nullopt;
  set_roles(g, g[id], *form);
  take_row_of_b(g, g[id], *form);
  if (!set_bounds(g, g[id], *form)) return std::nullopt;
  return form;
}

std::optional<ProductForm> inner_form(const Graph& g, NodeId id, const Isa& isa) {
  auto form = two_reads(g, id);
  if (!form) return std::nullopt;
  const Node& n = g[id];
  for (std::uint32_t k : form->sums) {
    if (runs_along(form->a_subscripts, k) && runs_along(form->b_subscripts, k)) form->along = k;
  }
  if (!form->along) return std::nullopt;
  std::optional<std::uint32_t> column;
  bool shared = false;  // what is read of b goes into many sums
  for (std::uint32_t k = 0; k < n.type.rank(); ++k) {
    const bool in_a = uses(form->a_subscripts, k), in_b = uses(form->b_subscripts, k);
    shared = shared || (in_a && !in_b) || (!in_a && moves(*form, k));
    if (in_a || !in_b) continue;
    if (!column || max_extent(g, n.ranges[k]) > max_extent(g, n.ranges[*column])) column = k;
  }
  if (!column || !shared) return std::nullopt;
  form->column = *column;
  form->window = window_of(n, *form, isa.registers >= 32 ? 5 : 3);
  set_roles(g, n, *form);
  if (!set_bounds(g, n, *form)) return std::nullopt;
  return form;
}

std::vector<WindowPart> window_parts(const ProductForm& form, const ProductForm::Bound& edges, const Shape& ranges) {
  std::vector<WindowPart> parts;
  const std::int64_t window = ranges[*form.window].offset;
  for (std::int64_t term = 0; term < ranges[edges.sum].offset; ++term) {
    const std::int64_t first = edges.at.constant + edges.at.coefficients[edges.sum] * term;
    const std::int64_t begin = std::clamp<std::int64_t>(-first, 0, window);
    const std::int64_t end = std::clamp<std::int64_t>(edges.extent.offset - first, begin, window);
    if (!parts.empty() && parts.back().begin == begin && parts.back().end == end) ++parts.back().terms;
    else parts.push_back({1, begin, end});
  }
  return parts;
}

std::vector<ZeroTerms> zero_terms(const Graph& g, const ProductForm& form) {
  std::vector<ZeroTerms> terms;
  if (!form.row) return terms;
  for (Affine& at : known_zeros(g, g[form.a].tensor, form.a_subscripts)) {
    std::optional<std::uint32_t> sum;
    bool simple = at.sizes.empty() && coefficient(at, *form.row) != 0;
    for (std::uint32_t k = 0; k < at.coefficients.size() && simple; ++k) {
      if (at.coefficients[k] == 0 || k == form.row) continue;
      if (form.pairs && k == form.sums.back()) {  // both of a pair are 0 where the lower one is
        at.constant += std::min<std::int64_t>(std::exchange(at.coefficients[k], 0), 0);
        continue;
      }
      const bool reduced = std::find(form.sums.begin(), form.sums.end(), k) != form.sums.end();
      simple = reduced && !sum && k != form.along && !form.bounded(k) &&
               !(form.edges && form.edges->sum == k);
      sum = k;
    }
    if (simple && sum) terms.push_back({*sum, std::move(at)});
  }
  return terms;
}

bool ProductForm::bounded(std::uint32_t sum) const {
  return std::any_of(bounds.begin(), bounds.end(), [&](const Bound& bound) { return bound.sum == sum; });
}

double part_inside(const Graph& g, const Shape& ranges, const ProductForm& form) {
  double part = 1;
  for (const ProductForm::Bound& bound : form.bounds) {
    std::vector<std::int64_t> extents(bound.at.coefficients.size(), 1);  // of the indices it has
    std::int64_t all = 1;
    for (std::uint32_t k = 0; k < extents.size(); ++k)
      if (bound.at.coefficients[k] != 0) all *= extents[k] = max_extent(g, ranges[k]);
    if (all > 1 << 16 || !bound.at.sizes.empty()) continue;  // so many are hardly at an end
    const std::int64_t inside = points_inside(bound.at, extents, max_extent(g, bound.extent));
    part *= static_cast<double>(inside) / static_cast<double>(all);
  }
  return part;
}

}  // namespace gradc

// product_axes.cpp: which neighbouring indices of a product are one axis in memory.
#include "codegen/product_axes.h"

#include <algorithm>
#include <vector>

#include "codegen/index_roles.h"
#include "codegen/product_tiles.h"
#include "dsl/bounds.h"

namespace gradc {
namespace {

// More columns gain nothing from being one with those of other indices.
constexpr std::int64_t enough_columns = 256;

// Of b, that a block of an outer product's terms reads while it goes over rows: half of a second
// cache.
constexpr std::int64_t most_block_bytes = 512 << 10;

// True if index `first` and the one after it have neighbouring axes of what is read, the second all
// of its own; other indices may move along that of the first.
bool neighbouring_axes(const Shape& shape, const std::vector<Affine>& subscripts,
                       const Shape& ranges, std::uint32_t first) {
  std::size_t of_first = 0, of_both = 0;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const Affine& s = subscripts[axis];
    of_first += coefficient(s, first) != 0;
    if (coefficient(s, first + 1) == 0) continue;
    if (axis == 0 || !is_index(s, first + 1) || shape[axis] != ranges[first + 1] ||
        coefficient(subscripts[axis - 1], first) != 1)
      return false;
    ++of_both;
  }
  return of_first == 1 && of_both == 1;
}

// Some terms are left out by the value of the index.
bool limits_terms(const Graph& g, const ProductForm& form, std::uint32_t index) {
  const std::vector<ZeroTerms> zeros = zero_terms(g, form);
  return std::any_of(form.bounds.begin(), form.bounds.end(),
                     [&](const ProductForm::Bound& b) { return coefficient(b.at, index) != 0; }) ||
         std::any_of(zeros.begin(), zeros.end(),
                     [&](const ZeroTerms& z) { return coefficient(z.at, index) != 0; }) ||
         (form.edges && coefficient(form.edges->at, index) != 0);
}

// Free indices `first` and the next, of b alone, are one.
bool one_column(const Graph& g, const Node& n, const ProductForm& form, std::uint32_t first) {
  const auto in_a = [&](const Affine& axis) {
    return coefficient(axis, first) != 0 || coefficient(axis, first + 1) != 0;
  };
  return std::none_of(form.a_subscripts.begin(), form.a_subscripts.end(), in_a) &&
         !limits_terms(g, form, first) && !limits_terms(g, form, first + 1) &&
         neighbouring_axes(g[g[form.b].tensor].type.shape, form.b_subscripts, n.ranges, first);
}

}  // namespace

bool is_other(const ProductForm& form, std::uint32_t index) {
  return index != form.row &&
         std::find(form.others.begin(), form.others.end(), index) != form.others.end();
}

Columns columns_of_tiles(const Graph& g, const KernelPlan& plan, const ProductForm& form) {
  const Node& n = g[plan.members[0].node];
  Columns columns{form.column, n.ranges[form.column]};
  if (form.along || form.pairs) return columns;
  const auto follow = [&](std::uint32_t first) {
    return std::all_of(plan.members.begin(), plan.members.end(), [&](const StoredNode& s) {
      const Node& member = g[s.node];
      return !s.whole.valid() &&
             (s.node == plan.members[0].node || member.kind != NodeKind::comprehension ||
              run_together(g, member.body, n.ranges, first));
    });
  };
  double terms = 1;
  for (const std::uint32_t s : form.sums) terms *= static_cast<double>(max_extent(g, n.ranges[s]));
  const auto block = static_cast<std::int64_t>(std::min(terms, static_cast<double>(most_terms))) *
                     loops::bytes_of(n.type.dtype);
  std::size_t left = form.others.size();
  while (columns.first > 0 && left > 1 && max_extent(g, columns.extent) < enough_columns) {
    const std::uint32_t k = columns.first - 1;
    if (!is_other(form, k) || !one_column(g, n, form, k) || !follow(k)) break;
    const auto all = pairs_of(n.ranges[k], columns.extent);
    if (!all || max_extent(g, *all) * block > most_block_bytes) break;
    columns = {k, *all};
    --left;
  }
  return columns;
}

void join_sums(const Graph& g, ProductForm& form, Shape& ranges) {
  if (form.pairs) return;
  const Shape each = ranges;
  const auto one = [&](std::uint32_t first) {
    return first != form.along && !limits_terms(g, form, first) &&
           !limits_terms(g, form, first + 1) &&
           neighbouring_axes(g[g[form.a].tensor].type.shape, form.a_subscripts, each, first) &&
           neighbouring_axes(g[g[form.b].tensor].type.shape, form.b_subscripts, each, first);
  };
  std::size_t last = form.sums.size() - 1;
  for (std::size_t k = last; k-- > 0;) {
    const std::uint32_t index = form.sums[k];
    const auto all = pairs_of(ranges[index], ranges[form.sums[last]]);
    if (all && one(index)) {
      ranges[form.sums[last--]] = *all;
      form.sums.erase(form.sums.begin() + static_cast<std::ptrdiff_t>(k));
    } else {
      last = k;
    }
  }
}

}  // namespace gradc

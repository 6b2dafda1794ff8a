// index_roles.h: what the indices of a comprehension do: the only thing kernels are recognised by.
#pragma once

#include <optional>
#include <vector>

#include "dsl/graph.h"
#include "dsl/seen_scalars.h"

namespace gradc {

// Bound indices that occur in a scalar, ascending.
std::vector<std::uint32_t> indices_of(const Graph&, ScalarId);
bool holds(const Graph&, ScalarId, std::uint32_t index);  // that is one of them

// Every read of a scalar once.
template <class Visit>
void for_each_read(const Graph& g, ScalarId root, Visit&& visit) {
  for_each_scalar(
      g, root, [&](ScalarId id) { return g.facts(id).reads; },
      [&](ScalarId id) {
        if (g[id].kind == ScalarKind::read) visit(g[id]);
      });
}

// Scalars reachable from one, each once.
std::size_t size_of(const Graph&, ScalarId);

// A scalar with its indices renamed 0, 1, … in order of first occurrence: equal for equal formulas.
struct Canonical {
  ScalarId body;
  std::vector<std::uint32_t> indices;  // the old number of each new index
  Shape ranges;                        // extents, in the new order
  bool operator==(const Canonical& o) const { return body == o.body && ranges == o.ranges; }
};
// `last`: an index that is to come last, if it occurs.
Canonical canonical(Graph&, ScalarId, const Shape& ranges, std::optional<std::uint32_t> last = {});
// What is read, as a tensor of its own with such indices; named after it if it has no name.
NodeId copy_of_read(Graph&, ScalarId read, const Canonical&);

// A product body: factors of each kind.
struct Factors {
  bool window = false;          // see factor_window
  std::vector<ScalarId> outer;  // hold no reduction index
  std::vector<ScalarId> left;   // their indices are those of one operand …
  std::vector<ScalarId> right;  // … and of the other
};
// The body of `sum[R] left · right` with the indices of neither operand among those of the other;
// none if it isn't such a product.
std::optional<Factors> factor_product(Graph&, const Node&);
// The same where the right operand has all indices of the left one, and moves a window: along an
// axis of it both a free index and a sum run, so that what is read of it goes into many sums.
// Convolutions of each channel by itself are such products, and what there is of others if they
// have one channel.
std::optional<Factors> factor_window(Graph&, const Node&);

bool reads_plainly(const Graph&, ScalarId);  // a read with distinct plain indices as subscripts

// The subscript of every axis as a linear form; none if one is not affine.
std::optional<std::vector<Affine>> affine_subscripts(const Graph&, const Scalar& read);

// What is at these subscripts for neighbouring values of the index is neighbouring in memory.
bool runs_along(const std::vector<Affine>& subscripts, std::uint32_t index);
bool runs_along(const Graph&, const Scalar& read, std::uint32_t index);  // whatever the other subscripts are

// True if index `first` and the one after it occur as neighbouring subscripts alone, the second
// over all of its axis: what they reach is the same where the second runs over all pairs of both,
// and the first is 0.
bool run_together(const Graph&, ScalarId body, const Shape& ranges, std::uint32_t first);

bool is_index(const Affine&, std::uint32_t index);  // and nothing else

// As many as there are pairs of both; none if that is a product of sizes.
std::optional<Extent> pairs_of(const Extent&, const Extent&);

// The least (sign -1) or largest (sign 1) value of a linear form over its indices; it may still hold sizes.
Affine end_of(const Affine&, const Shape& ranges, int sign);

// True if the subscript is in 0 … extent-1 for all values of the indices in `ranges`.
bool never_negative(const Graph&, ScalarId subscript, const Shape& ranges);
bool never_beyond(const Graph&, ScalarId subscript, const Extent& extent, const Shape& ranges);
bool stays_inside(const Graph&, ScalarId subscript, const Extent& extent, const Shape& ranges);

}  // namespace gradc

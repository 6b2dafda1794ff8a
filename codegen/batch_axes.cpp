// batch_axes.cpp: the batch found by what its indices join.
#include "codegen/batch_axes.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "codegen/index_roles.h"

namespace gradc {
namespace {

// Axes of tensors and indices of sums, as sets of those that are one: union-find over their
// numbers.
class Axes {
 public:
  Axes(const Graph& g, const std::vector<NodeId>& order) : g_(g) {
    for (NodeId id : order) {
      first_[id] = parent_.size();
      const std::size_t count = std::max(g[id].ranges.size(), g[id].type.rank());
      for (std::size_t k = 0; k < count; ++k) parent_.push_back(parent_.size());
    }
    for (NodeId id : order) join_operands(id);
  }

  std::size_t set_of(NodeId id, std::size_t axis) const { return find(first_.at(id) + axis); }

 private:
  std::size_t find(std::size_t k) const {
    while (parent_[k] != k) k = parent_[k] = parent_[parent_[k]];
    return k;
  }
  void join(NodeId a, std::size_t axis, NodeId b, std::size_t other) {
    parent_[set_of(a, axis)] = set_of(b, other);
  }

  void join_operands(NodeId id) {
    const Node& n = g_[id];
    if (n.kind == NodeKind::comprehension) {
      for_each_read(g_, n.body, [&](const Scalar& read) {
        for (std::size_t k = 0; k < read.args.size(); ++k)
          if (const Scalar& at = g_[read.args[k]]; at.kind == ScalarKind::index)
            join(id, at.index, read.tensor, k);
      });
    } else if (n.kind == NodeKind::reshape) {
      join_reshaped(id);
    } else if (n.kind == NodeKind::recurrence) {
      join_all(id, n.operand);
      for (const Equation& e : n.equations) join_all(e.past, e.body);
    }
  }

  void join_all(NodeId a, NodeId b) {
    for (std::size_t k = 0; k < g_[a].type.rank(); ++k) join(a, k, b, k);
  }

  // With as many elements before it, and as many along it, an axis is divided off the same way on
  // both sides.
  void join_reshaped(NodeId id) {
    const Shape &to = g_[id].type.shape, &from = g_[g_[id].operand].type.shape;
    std::size_t i = 0, k = 0;
    double before_i = 1, before_k = 1;
    while (i < from.size() && k < to.size()) {
      const auto size_i = static_cast<double>(max_extent(g_, from[i])),
                 size_k = static_cast<double>(max_extent(g_, to[k]));
      if (before_i == before_k && from[i] == to[k]) join(id, k, g_[id].operand, i);
      const bool next_i = before_i * size_i <= before_k * size_k,
                 next_k = before_k * size_k <= before_i * size_i;
      if (next_i) ++i, before_i *= size_i;
      if (next_k) ++k, before_k *= size_k;
    }
  }

  const Graph& g_;
  std::unordered_map<NodeId, std::size_t> first_;  // number of a node's first axis
  mutable std::vector<std::size_t> parent_;
};

// A set of axes that may be the batch; the greatest is.
struct Candidate {
  Extent extent;
  int inputs = 0;            // that have it
  std::ptrdiff_t place = 0;  // 0 where it comes first in an input, less where it comes later
};

}  // namespace

IdMap<NodeId, std::uint32_t> batch_axes(const Graph& g, const std::vector<NodeId>& order,
                                        std::int64_t shortest) {
  const Axes axes(g, order);
  std::set<std::size_t> trained;
  for (NodeId id : order)
    if (g[id].kind == NodeKind::parameter || g[id].kind == NodeKind::state)
      for (std::size_t k = 0; k < g[id].type.rank(); ++k) trained.insert(axes.set_of(id, k));

  std::map<std::size_t, Candidate> candidates;
  for (NodeId id : order) {
    if (g[id].kind != NodeKind::input) continue;
    const Shape& shape = g[id].type.shape;
    std::set<std::size_t> seen;
    for (std::size_t k = 0; k < shape.size(); ++k) {
      const std::size_t set = axes.set_of(id, k);
      if (trained.contains(set) || max_extent(g, shape[k]) < shortest || !seen.insert(set).second)
        continue;
      const auto place = -static_cast<std::ptrdiff_t>(k);
      Candidate& c = candidates.try_emplace(set, Candidate{shape[k], 0, place}).first->second;
      c.place = std::max(c.place, place);
      ++c.inputs;
    }
  }
  const auto rank = [&](const Candidate& c) {
    return std::tuple(c.extent.is_fixed() ? 0 : max_extent(g, c.extent), c.inputs, c.place);
  };
  const auto best = std::max_element(
      candidates.begin(), candidates.end(),
      [&](const auto& a, const auto& b) { return rank(a.second) < rank(b.second); });
  IdMap<NodeId, std::uint32_t> found;
  if (best == candidates.end()) return found;

  std::set<std::size_t> batch = {best->first};
  const auto in_batch = [&](NodeId id) {
    std::vector<std::uint32_t> of;
    for (std::uint32_t k = 0; k < g[id].type.rank(); ++k)
      if (batch.contains(axes.set_of(id, k))) of.push_back(k);
    return of;
  };
  for (NodeId id : order) {
    const Shape& shape = g[id].type.shape;
    if (g[id].kind != NodeKind::random || !in_batch(id).empty()) continue;
    const auto k = std::find(shape.begin(), shape.end(), best->second.extent) - shape.begin();
    if (k == std::ssize(shape) || trained.contains(axes.set_of(id, static_cast<std::size_t>(k))))
      continue;
    batch.insert(axes.set_of(id, static_cast<std::size_t>(k)));
  }
  for (NodeId id : order)
    if (const auto of = in_batch(id); of.size() == 1) found[id] = of.front();
  return found;
}

}  // namespace gradc

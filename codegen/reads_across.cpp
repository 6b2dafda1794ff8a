// reads_across.cpp: what a formula reads in steps, although its vectors lie along another index.
#include "codegen/reads_across.h"

#include <algorithm>
#include <unordered_map>

#include "codegen/index_roles.h"
#include "codegen/schedule.h"

namespace gradc {
namespace {

// A whole tensor, or slices of one, by single indices, of which the last is another than `index`.
bool reads_across(const Graph& g, const Scalar& read, std::uint32_t index, const Shape& ranges) {
  if (read.zero_outside || read.args.empty() ||
      std::none_of(read.args.begin(), read.args.end(),
                   [&](ScalarId s) { return holds(g, s, index); }))
    return false;
  if (g[read.args.back()].kind != ScalarKind::index || g[read.args.back()].index == index)
    return false;
  const Shape& shape = g[read.tensor].type.shape;
  for (std::size_t axis = 0; axis < read.args.size(); ++axis) {
    const Scalar& s = g[read.args[axis]];
    if (s.kind != ScalarKind::literal &&
        (s.kind != ScalarKind::index || ranges[s.index] != shape[axis]))
      return false;
  }
  return true;
}

// A copy with its indices in the order of the loops, if it can be made in tiles.
std::optional<NodeId> copy_in_order(Graph& g, ScalarId read, const Shape& ranges, int lanes) {
  Canonical c;
  c.indices = indices_of(g, read);
  std::vector<ScalarId> now(ranges.size());
  for (const std::uint32_t k : c.indices) {
    now[k] = g.index(static_cast<std::uint32_t>(c.ranges.size()));
    c.ranges.push_back(ranges[k]);
  }
  c.body = substitute(g, read, now);
  const NodeId copy = copy_of_read(g, read, c);
  const auto form = transposition_form(g, copy);
  if (!form) return std::nullopt;
  std::int64_t columns = 1;
  for (const std::uint32_t k : form->columns) columns *= max_extent(g, c.ranges[k]);
  return columns >= lanes ? std::optional(copy) : std::nullopt;
}

}  // namespace

ScalarId without_copies(Graph& g, ScalarId body) {
  if (!g.facts(body).reads) return body;
  const Scalar s = g[body];
  if (s.kind != ScalarKind::read)
    return with_arguments(g, body, [&](ScalarId a) { return without_copies(g, a); });
  const Node& n = g[s.tensor];
  const bool copy = n.kind == NodeKind::comprehension && n.reduction == Reduction::none &&
                    g[n.body].kind == ScalarKind::read;
  return copy && !s.zero_outside && !g[n.body].zero_outside ? substitute(g, n.body, s.args) : body;
}

std::optional<std::uint32_t> vector_index(const Graph& g, NodeId id, const Target& target) {
  const Node& n = g[id];
  const auto rank = static_cast<std::uint32_t>(n.type.rank());
  switch (form_of(g, id, target)) {
    case Form::pointwise:
    case Form::spread:
      return rank > 0 ? std::optional(rank - 1) : std::nullopt;
    case Form::fold:
      break;
    case Form::scatter:
    case Form::product:
    case Form::inner:
      return std::nullopt;
  }
  const auto last = static_cast<std::uint32_t>(n.ranges.size()) - 1;
  bool along = false;  // else they don't
  for_each_read(g, n.body, [&](const Scalar& read) { along = along || runs_along(g, read, last); });
  return along ? std::optional(last) : std::nullopt;
}

ReadsAlong copy_reads_across(Graph& g, NodeId id, std::uint32_t index, const Isa& isa) {
  ReadsAlong result{id, {}};
  const Node n = g[id];
  const int lanes = isa.lanes(DType::f32);
  if (lanes == 1 || g[n.body].kind == ScalarKind::read) return result;
  std::unordered_map<ScalarId, ScalarId> done;
  const auto rewrite = [&](auto&& self, ScalarId s) -> ScalarId {
    if (!g.facts(s).reads) return s;
    if (const auto it = done.find(s); it != done.end()) return it->second;
    ScalarId now;
    if (g[s].kind != ScalarKind::read) {
      now = with_arguments(g, s, [&](ScalarId a) { return self(self, a); });
    } else {
      now = s;
      const auto copy = reads_across(g, g[s], index, n.ranges)
                            ? copy_in_order(g, s, n.ranges, lanes)
                            : std::nullopt;
      if (copy) {
        std::vector<ScalarId> subscripts;
        for (const std::uint32_t k : indices_of(g, s)) subscripts.push_back(g.index(k));
        now = g.read(*copy, std::move(subscripts));
        result.copies.push_back(*copy);
      }
    }
    done.emplace(s, now);
    return now;
  };
  const ScalarId body = rewrite(rewrite, n.body);
  if (result.copies.empty()) return result;
  result.now = g.comprehension(n.type.rank(), n.ranges, n.reduction, body);
  if (g.label(result.now).name.empty()) g.label(result.now) = Label(g.label(id));
  return result;
}

}  // namespace gradc

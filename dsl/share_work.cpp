// share_work.cpp: loop-invariant and common parts of bodies, found by their ids.
#include "dsl/share_work.h"

#include <algorithm>
#include <array>
#include <utility>

#include "dsl/simplify_scalar.h"

namespace gradc {
namespace {

constexpr int worth_a_read = 3;  // of cost: a quotient, not a sum

class Sharer {
 public:
  explicit Sharer(Graph& graph) : g(graph) {}

  bool run() {
    std::vector<NodeId> roots;
    for (const Function& f : g.functions) {
      for (NodeId id : roots_of(f)) roots.push_back(id);
    }
    const std::vector<NodeId> order = topological_order(g, roots);
    for (NodeId id : order) {
      const Node& n = g[id];
      if (n.kind != NodeKind::comprehension || n.reduction != Reduction::none) continue;
      if (cost(g, n.body) >= worth_a_read) values_.emplace(n.body, id);
    }
    bool changed = false;
    for (NodeId id : order) {
      changed |= mapped(id) != id;
    }
    auto follow = [&](NodeId& id) {
      if (auto it = mapped_.find(id); it != mapped_.end()) id = it->second;
    };
    for (Function& f : g.functions) {
      for (Output& o : f.outputs) follow(o.node);
      for (Output& o : f.gradients) follow(o.node);
      for (Output& o : f.evaluation) follow(o.node);
      for (Update& u : f.updates) follow(u.value);
      for (Minimize& m : f.minimizes) follow(m.loss);
    }
    return changed;
  }

 private:
  NodeId rewrite(NodeId id) {
    Node n = g[id];
    for_each_link(n, [&](NodeId& operand) { operand = mapped_.at(operand); });
    if (n.kind == NodeKind::comprehension) {
      id_ = id;
      ranges_ = n.ranges;
      done_ = {};
      n.body = visit(n.body, n.body, false);
    }
    const Label label = g.label(id);
    const NodeId result = g.add(std::move(n));
    if (result != id && g.label(result).name.empty()) g.label(result) = label;
    return result;
  }

  // The largest parts first, on the original ids, since those are what values are known by.
  ScalarId visit(ScalarId id, ScalarId root, bool guarded) {
    if (g[id].args.empty() && !g[id].tensor.valid()) return id;
    // What lies under a condition in one place may lie outside in another.
    auto& done = done_[guarded ? 1 : 0];
    if (auto it = done.find(id); it != done.end()) return it->second;
    ScalarId result = known_value(id);
    if (!result.valid() && id != root && !guarded) result = invariant(id);
    if (!result.valid()) {
      const Scalar& s = g[id];
      const bool choice = s.kind == ScalarKind::apply && s.fn == Fn::select;
      std::size_t k = 0;
      const auto part = [&](ScalarId a) { return visit(a, root, guarded || (choice && k++ > 0)); };
      result = with_arguments(g, id, part, s.tensor.valid() ? mapped_.at(s.tensor) : NodeId{});
    }
    done.emplace(id, result);
    return result;
  }

  ScalarId read_at(NodeId value, const std::vector<std::uint32_t>& indices) {
    std::vector<ScalarId> subscripts;
    for (std::uint32_t k : indices) subscripts.push_back(g.index(k));
    return g.read(value, std::move(subscripts));
  }

  // Another value with this body, over the first of our indices.
  ScalarId known_value(ScalarId id) {
    auto it = values_.find(id);
    if (it == values_.end() || it->second == id_) return {};
    const Node& n = g[it->second];
    if (n.ranges.size() > ranges_.size()) return {};
    if (!std::equal(n.ranges.begin(), n.ranges.end(), ranges_.begin())) return {};
    std::vector<std::uint32_t> own(n.ranges.size());
    for (std::uint32_t k = 0; k < own.size(); ++k) {
      if (!uses_index(g, id, k, k + 1)) return {};
      own[k] = k;
    }
    return read_at(mapped(it->second), own);
  }

  // Its operands are among ours, so they are done.
  NodeId mapped(NodeId id) {
    if (auto it = mapped_.find(id); it != mapped_.end()) return it->second;
    const auto outer_done = std::exchange(done_, {});
    const Shape outer_ranges = ranges_;
    const NodeId outer = id_;
    const NodeId result = mapped_[id] = rewrite(id);
    done_ = outer_done;
    ranges_ = outer_ranges;
    id_ = outer;
    return result;
  }

  // A costly part over fewer indices.
  ScalarId invariant(ScalarId id) {
    if (g[id].kind != ScalarKind::apply || is_cheap(g, id) || !is_float(g[id].dtype)) return {};
    std::vector<std::uint32_t> used;
    bool smaller = false;
    for (std::uint32_t k = 0; k < ranges_.size(); ++k) {
      if (uses_index(g, id, k, k + 1)) {
        used.push_back(k);
      } else {
        smaller |= ranges_[k] != Extent(1);
      }
    }
    if (!smaller) return {};
    std::vector<ScalarId> numbers(ranges_.size());
    Shape ranges;
    for (std::uint32_t k : used) {
      numbers[k] = g.index(static_cast<std::uint32_t>(ranges.size()));
      ranges.push_back(ranges_[k]);
    }
    // The part is a body of its own, which may have such parts in turn.
    const ScalarId part = substitute(g, id, numbers);
    const auto outer_done = std::exchange(done_, {});
    const Shape outer_ranges = std::exchange(ranges_, ranges);
    const ScalarId body = visit(part, part, false);
    ranges_ = outer_ranges;
    done_ = outer_done;
    const NodeId value = g.comprehension(ranges.size(), ranges, Reduction::none, body);
    if (!g.label(value).span.valid()) g.label(value).span = g.label(id_).span;
    return read_at(value, used);
  }

  Graph& g;
  IdMap<ScalarId, NodeId> values_;  // by body
  IdMap<NodeId, NodeId> mapped_;
  NodeId id_;
  Shape ranges_;
  // Outside conditions, and under some.
  std::array<IdMap<ScalarId, ScalarId>, 2> done_;
};

}  // namespace

bool share_work(Graph& g) {
  return Sharer(g).run();
}

}  // namespace gradc

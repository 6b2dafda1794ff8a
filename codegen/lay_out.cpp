// lay_out.cpp: which axis of a tensor comes last in memory.
//
// Tensors that read each other go together, so that nothing is copied between them, and so do both
// sides of a reshape that leaves the batch where it is; any other reshape needs the order of the
// spec and ends such a group. Each group is counted once as it is and once with the batch last, in
// vector operations of its sums of products.
#include "codegen/lay_out.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <unordered_map>

#include "codegen/batch_axes.h"
#include "codegen/products.h"
#include "dsl/recurrence.h"

namespace gradc {
namespace {

constexpr std::int64_t shortest_batch = 16;  // below it the batch fills no vector either
// The other order must save this much to be worth a text that differs from the spec.
constexpr double worthwhile = 0.6;

struct Steps {
  double as_written = 0, batch_last = 0;
};

class Layout {
 public:
  // `given`: what is computed and kept in the order of the spec, whatever is chosen.
  Layout(Graph& g, const std::vector<NodeId>& roots, const std::vector<NodeId>& given,
         const Isa& isa)
      : g_(g),
        order_(topological_order(g, roots)),
        batch_(batch_axes(g, order_, shortest_batch)),
        lanes_(isa.lanes(DType::f32)) {
    std::set<NodeId> fixed;
    for (const Loop& loop : find_loops(g, order_)) {  // what runs along time stays as written
      fixed.insert(loop.steps.begin(), loop.steps.end());
      for (const Equation& e : loop.equations) fixed.insert(e.body);
      for (NodeId result : loop.results) fixed.insert(g[result].operand);
    }
    for (NodeId id : order_) {
      const auto axis = batch_axis(id);
      const bool movable = g_[id].kind == NodeKind::comprehension || keeps_batch(id);
      if (movable && !fixed.contains(id) && axis && *axis + 1 < g_[id].type.rank()) {
        axes_[id] = *axis;
        group_[id] = id;
      }
    }
    for (const auto& [id, axis] : axes_)
      for (NodeId read : g_.operands(id))
        if (axes_.contains(read)) group_[group_of(read)] = group_of(id);
    choose(roots, {given.begin(), given.end()});
  }

  bool changes() const { return !chosen_.empty(); }
  bool batch_is_fixed() const {
    return std::all_of(batch_.begin(), batch_.end(),
                       [&](const auto& b) { return g_[b.first].type.shape[b.second].is_fixed(); });
  }

  // Every node anew, in the order chosen; gives what stands for a root, in the order of the spec.
  NodeId rewritten(NodeId root) {
    if (now_.empty())
      for (NodeId id : order_) rewrite(id);
    return chosen_.contains(root) ? as_written(root) : now_.at(root);
  }

 private:
  std::optional<std::uint32_t> batch_axis(NodeId id) const {
    const auto it = batch_.find(id);
    return it == batch_.end() ? std::nullopt : std::optional(it->second);
  }

  // A reshape of something movable with as many elements before the batch as after it: then what is
  // left of the index without the batch is the same on both sides.
  bool keeps_batch(NodeId id) const {
    if (g_[id].kind != NodeKind::reshape || !axes_.contains(g_[id].operand)) return false;
    const auto before = [&](NodeId of, std::uint32_t axis) {
      const Shape& shape = g_[of].type.shape;
      double n = 1;
      for (std::uint32_t k = 0; k < axis; ++k) n *= static_cast<double>(max_extent(g_, shape[k]));
      return n;
    };
    const auto axis = batch_axis(id);
    return axis && before(id, *axis) == before(g_[id].operand, axes_.at(g_[id].operand));
  }

  NodeId group_of(NodeId id) {
    while (group_.at(id) != id) id = group_[id] = group_.at(group_.at(id));
    return id;
  }

  double count(const Shape& ranges) const {
    double n = 1;
    for (const Extent& e : ranges) n *= static_cast<double>(max_extent(g_, e));
    return n;
  }
  double in_vectors(double steps, const Extent& along) const {
    const std::int64_t n = max_extent(g_, along);
    return steps / static_cast<double>(n) * static_cast<double>(vector_steps(n, lanes_));
  }

  bool holds(const std::vector<ScalarId>& factors, std::uint32_t index) const {
    return std::any_of(factors.begin(), factors.end(),
                       [&](ScalarId f) { return gradc::holds(g_, f, index); });
  }

  // The group that a node counts for, and which of its indices runs over the batch.
  std::optional<std::pair<NodeId, std::uint32_t>> place(NodeId id) {
    if (axes_.contains(id)) return std::pair{group_of(id), axes_.at(id)};
    std::optional<std::pair<NodeId, std::uint32_t>> found;
    for_each_read(g_, g_[id].body, [&](const Scalar& read) {
      const auto axis = axes_.find(read.tensor);
      if (found || axis == axes_.end()) return;
      const Scalar& subscript = g_[read.args[axis->second]];
      if (subscript.kind == ScalarKind::index)
        found = std::pair{group_of(read.tensor), subscript.index};
    });
    return found;
  }

  // The sum that runs along the last axis of both reads, if neither has a window.
  std::optional<std::uint32_t> plain_sum(const Node& n) const {
    std::optional<std::uint32_t> sum;
    bool plain = true;
    for_each_read(g_, n.body, [&](const Scalar& read) {
      plain = plain && !read.args.empty() &&
              std::all_of(read.args.begin(), read.args.end(),
                          [&](ScalarId s) { return g_[s].kind == ScalarKind::index; });
      if (!plain) return;
      const std::uint32_t last = g_[read.args.back()].index;
      plain = last >= n.type.rank() && (!sum || sum == last);
      sum = last;
    });
    return plain ? sum : std::nullopt;
  }

  Steps steps_of(NodeId id, const Factors& factors, std::uint32_t batch) const {
    const Node& n = g_[id];
    const double all = count(n.ranges);
    const auto rank = static_cast<std::uint32_t>(n.type.rank());
    Steps steps{all, all};
    if (rank > 0 && holds(factors.left, rank - 1) != holds(factors.right, rank - 1))
      steps.as_written = in_vectors(all, n.ranges[rank - 1]);
    else if (const auto along = plain_sum(
                 n))  // lanes along what both have last; a window would be read out of line
      steps.as_written = in_vectors(all, n.ranges[*along]) + lane_sum_steps * count(n.type.shape);
    const bool left = holds(factors.left, batch), right = holds(factors.right, batch);
    bool row = false, column = false;
    for (std::uint32_t k = 0; k < rank; ++k) {
      row = row || (holds(factors.left, k) && !holds(factors.right, k));
      column = column || (holds(factors.right, k) && !holds(factors.left, k));
    }
    if (batch < rank ? left != right : left && right && (row || factors.window) && column)
      steps.batch_last = in_vectors(all, n.ranges[batch]) +
                         (batch < rank ? 0 : lane_sum_steps * count(n.type.shape));
    // What can't be in that order is copied to it.
    for_each_read(g_, n.body, [&](const Scalar& read) {
      if (!axes_.contains(read.tensor) && batch_axis(read.tensor))
        steps.batch_last += copy_steps * count(g_[read.tensor].type.shape);
    });
    return steps;
  }

  void choose(const std::vector<NodeId>& roots, const std::set<NodeId>& given) {
    std::map<NodeId, Steps> total;
    for (NodeId root : roots)
      if (axes_.contains(root))
        total[group_of(root)].batch_last += copy_steps * count(g_[root].type.shape);
    for (NodeId id : order_) {
      const Node& n = g_[id];
      if (n.kind != NodeKind::comprehension || n.reduction != Reduction::sum) continue;
      const auto where = place(id);
      auto factors = where ? factor_product(g_, n) : std::nullopt;
      if (where && !factors) factors = factor_window(g_, n);
      if (!factors) continue;
      const Steps steps = steps_of(id, *factors, where->second);
      if (!given.contains(id)) total[where->first].as_written += steps.as_written;
      total[where->first].batch_last += steps.batch_last;
    }
    for (const auto& [id, axis] : axes_) {
      const auto steps = total.find(group_of(id));
      if (steps != total.end() && steps->second.batch_last < worthwhile * steps->second.as_written)
        chosen_.insert(id);
    }
  }

  // ---- the graph anew

  // Index or subscript number `axis` moved behind the others.
  template <class List>
  static void rotate(List& v, std::uint32_t axis, std::size_t rank) {
    std::rotate(v.begin() + axis, v.begin() + axis + 1,
                v.begin() + static_cast<std::ptrdiff_t>(rank));
  }

  ScalarId rewrite(ScalarId id) {
    if (!g_.facts(id).reads) return id;
    if (const auto it = scalars_.find(id); it != scalars_.end()) return it->second;
    Scalar s = g_[id];
    for (ScalarId& a : s.args) a = rewrite(a);
    if (s.kind == ScalarKind::read) {
      if (chosen_.contains(s.tensor)) rotate(s.args, axes_.at(s.tensor), s.args.size());
      s.tensor = now_.at(s.tensor);
    }
    const ScalarId result = g_.add(std::move(s));
    scalars_.emplace(id, result);
    return result;
  }

  void rewrite(NodeId id) {
    Node n = g_[id];
    const Label label = g_.label(id);
    if (n.kind == NodeKind::comprehension) {
      const auto sum = batch_sum(n);
      n.body = rewrite(n.body);
      if (sum) move_behind(n, *sum, n.ranges.size());
      if (chosen_.contains(id)) {
        move_behind(n, axes_.at(id), n.type.rank());
        rotate(n.type.shape, axes_.at(id), n.type.rank());
      }
    } else if (n.kind == NodeKind::reshape) {
      const bool both = chosen_.contains(id) && chosen_.contains(n.operand);
      n.operand = chosen_.contains(n.operand) && !both ? as_written(n.operand) : now_.at(n.operand);
      if (chosen_.contains(id)) rotate(n.type.shape, axes_.at(id), n.type.rank());
    } else if (n.kind == NodeKind::recurrence) {
      for_each_link(n, [&](NodeId& step) { step = now_.at(step); });
    } else {
      now_.emplace(id, id);
      return;
    }
    const NodeId result = g_.add(std::move(n));
    now_.emplace(id, result);
    if (result == id || !g_.label(result).name.empty()) return;
    g_.label(result) = label;
    if (chosen_.contains(id) && label.index_names.size() >= g_[id].type.rank())
      rotate(g_.label(result).index_names, axes_.at(id), g_[id].type.rank());
  }

  // The summed index that runs over the batch of something whose batch is now last: it becomes the
  // innermost.
  std::optional<std::uint32_t> batch_sum(const Node& n) const {
    std::optional<std::uint32_t> found;
    if (n.reduction == Reduction::argmax || n.reduction == Reduction::argmin)
      return found;  // they count in order
    for_each_read(g_, n.body, [&](const Scalar& read) {
      if (!chosen_.contains(read.tensor)) return;
      const Scalar& subscript = g_[read.args[axes_.at(read.tensor)]];
      if (subscript.kind == ScalarKind::index && subscript.index >= n.type.rank())
        found = subscript.index;
    });
    return found;
  }

  // Index number `index` of a comprehension after all others before `end`.
  void move_behind(Node& n, std::uint32_t index, std::size_t end) {
    std::vector<std::uint32_t> old(n.ranges.size());  // by new number
    std::iota(old.begin(), old.end(), 0);
    rotate(old, index, end);
    std::vector<ScalarId> replacements(old.size());
    for (std::uint32_t k = 0; k < old.size(); ++k) replacements[old[k]] = g_.index(k);
    n.body = substitute(g_, n.body, replacements);
    rotate(n.ranges, index, end);
  }

  // A copy in the order of the spec.
  NodeId as_written(NodeId id) {
    const TensorType type = g_[id].type;
    std::vector<ScalarId> subscripts;
    for (std::uint32_t k = 0; k < type.rank(); ++k) subscripts.push_back(g_.index(k));
    rotate(subscripts, axes_.at(id), type.rank());
    const NodeId copy = g_.comprehension(type.rank(), type.shape, Reduction::none,
                                         g_.read(now_.at(id), std::move(subscripts)));
    if (g_.label(copy).name.empty()) g_.label(copy) = g_.label(id);
    return copy;
  }

  Graph& g_;
  const std::vector<NodeId> order_;
  const IdMap<NodeId, std::uint32_t> batch_;               // the axis that runs over it
  const int lanes_;                                        // of a vector
  std::map<NodeId, std::uint32_t> axes_;    // of the batch, in tensors that may be in either order
  std::map<NodeId, NodeId> group_;          // union-find over those
  std::set<NodeId> chosen_;                 // batch last
  IdMap<NodeId, NodeId> now_;               // the node that stands for each
  IdMap<ScalarId, ScalarId> scalars_;
};

std::vector<NodeId> nodes_of(const std::vector<NodeId*>& roots) {
  std::vector<NodeId> nodes;
  for (const NodeId* root : roots) nodes.push_back(*root);
  return nodes;
}

}  // namespace

void lay_out(Graph& g, const Target& target) {
  if (target.grid() || !target.isa.vectors()) return;
  const auto rewrite = [](const std::vector<NodeId*>& roots, Layout layout) {
    if (!layout.changes()) return;
    for (NodeId* root : roots) *root = layout.rewritten(*root);
  };
  for (Function& f : g.functions) {
    std::vector<NodeId*> all, backward;
    for (Output& o : f.gradients) backward.push_back(&o.node);
    all = backward;
    for (auto* outputs : {&f.outputs, &f.evaluation})
      for (Output& o : *outputs) all.push_back(&o.node);
    for (Update& u : f.updates) all.push_back(&u.value);

    Layout layout(g, nodes_of(all), {}, target.isa);
    if (f.kind != FunctionKind::net || layout.batch_is_fixed()) {
      rewrite(all, std::move(layout));
      continue;
    }
    // Forwards such a net may be asked about one example alone; backwards there are many.
    std::vector<NodeId> outputs;
    for (const Output& o : f.outputs) outputs.push_back(o.node);
    rewrite(backward, Layout(g, nodes_of(backward), topological_order(g, outputs), target.isa));
  }
}

}  // namespace gradc

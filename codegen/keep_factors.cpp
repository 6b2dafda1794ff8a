// keep_factors.cpp: what the loops of a step leave behind for its gradients.
#include "codegen/keep_factors.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "codegen/index_roles.h"
#include "dsl/bounds.h"
#include "dsl/recurrence.h"
#include "dsl/replace_nodes.h"

namespace gradc {
namespace {

// Where an index is: from `begin` up to, not including, `end`.
struct Interval {
  std::int64_t begin = 0;
  Extent end;
  friend auto operator<=>(const Interval&, const Interval&) = default;
};
using Box = std::vector<Interval>;

Box box_of(const Shape& ranges) {
  Box box;
  for (const Extent& e : ranges) box.push_back({0, e});
  return box;
}

// An index that stands for another one plus a number.
struct Moved {
  std::uint32_t index = 0;
  std::int64_t by = 0;
};

bool is_affine_in_indices(const Graph& g, ScalarId id) {
  Affine a;
  return g[id].dtype == DType::i32 && g[id].kind == ScalarKind::apply && as_affine(g, id, a);
}

// A scalar of the tensors that `tensor` gives, over other indices, with its linear forms as
// from_affine writes them.
template <class Tensor>
ScalarId moved(Graph& g, ScalarId id, const std::map<std::uint32_t, Moved>& indices,
               const Tensor& tensor, IdMap<ScalarId, ScalarId>& done) {
  if (const auto it = done.find(id); it != done.end()) return it->second;
  Scalar s = g[id];
  ScalarId result = id;
  if (s.kind == ScalarKind::index) {
    const Moved to = indices.at(s.index);
    result = g.index(to.index);
    if (to.by != 0)
      result = g.apply(Fn::add, {result, g.literal(static_cast<double>(to.by), DType::i32)});
  } else if (!s.args.empty() || s.kind == ScalarKind::read) {
    const Scalar before = s;
    for (ScalarId& a : s.args) a = moved(g, a, indices, tensor, done);
    if (s.kind == ScalarKind::read) s.tensor = tensor(before);
    result = g.add(std::move(s));
  }
  Affine form;
  if (is_affine_in_indices(g, result) && as_affine(g, result, form)) result = from_affine(g, form);
  done.emplace(id, result);
  return result;
}

// The costly applications in a scalar, whatever their indices are called.
std::set<ScalarId> costly_in(Graph& g, ScalarId body, const Shape& ranges) {
  std::set<ScalarId> costly;
  for_each_scalar(g, body, [&](ScalarId id) {
    if (g[id].kind == ScalarKind::apply && info(g[id].fn).costly) costly.insert(canonical(g, id, ranges).body);
  });
  return costly;
}

// `c` holds, so an index that it compares with a number is in fewer places.
void narrow(const Graph& g, ScalarId c, Box& box) {
  const Scalar& s = g[c];
  if (s.kind != ScalarKind::apply) return;
  if (s.fn == Fn::logical_and) {
    for (ScalarId a : s.args) narrow(g, a, box);
    return;
  }
  if (s.fn != Fn::ge && s.fn != Fn::lt) return;
  Affine left, right;
  if (!as_affine(g, s.args[0], left) || !as_affine(g, s.args[1], right)) return;
  if (!left.sizes.empty() || !right.sizes.empty() || has_indices(right)) return;
  const auto index = only_index(left);
  if (!index) return;
  Interval& at = box[*index];
  const std::int64_t bound =
      right.constant - left.constant;  // the index is at least this, or less than this
  if (s.fn == Fn::ge) at.begin = std::max(at.begin, bound);
  if (s.fn == Fn::lt && at.end.is_fixed()) at.end = std::min(at.end.offset, bound);
}

// Factors of what one loop computes in the formulas of others.
class FactorKeeper {
 public:
  FactorKeeper(Graph& graph, const Loop& loop, const std::vector<NodeId>& order)
      : g(graph), loop_(loop), results_(loop.results.begin(), loop.results.end()) {
    for (NodeId step : loop.steps) {
      const Node& n = g[step];
      if (n.kind != NodeKind::comprehension) continue;
      for (NodeId read : g.operands(step)) {
        if (!loop.contains(read)) outside_.insert(read);
      }
      std::map<std::uint32_t, Moved> same;
      for (std::uint32_t k = 0; k < n.ranges.size(); ++k) same[k] = {k, 0};
      IdMap<ScalarId, ScalarId> done;
      const ScalarId body = moved(
          g, n.body, same, [](const Scalar& read) { return read.tensor; }, done);
      costly_.merge(costly_in(g, body, n.ranges));
    }
    for (NodeId id : order) {
      const NodeKind kind = g[id].kind;
      if (kind == NodeKind::input || kind == NodeKind::parameter || kind == NodeKind::constant)
        outside_.insert(id);
    }
  }

  // The node with what it reads of kept factors; itself if there are none.
  NodeId rewritten(NodeId id) {
    const Node& n = g[id];
    if (costly_.empty() || n.kind != NodeKind::comprehension || n.reduction != Reduction::none ||
        loop_.contains(id))
      return id;
    const auto& reads = g.operands(id);
    if (std::none_of(reads.begin(), reads.end(),
                     [&](NodeId read) { return results_.contains(read); }))
      return id;
    reader_ = g.label(id);
    done_.clear();
    Node now = n;
    now.body = rewrite(n.body, box_of(n.ranges));
    if (now.body == n.body) return id;
    const NodeId result = g.add(std::move(now));
    if (g.label(result).name.empty()) g.label(result) = reader_;
    return result;
  }

 private:
  ScalarId rewrite(ScalarId id, const Box& box) {
    const auto key = std::pair(id, box);
    if (const auto it = done_.find(key); it != done_.end()) return it->second;
    const ScalarId result = rewrite_anew(id, box);
    done_.emplace(key, result);
    return result;
  }

  ScalarId rewrite_anew(ScalarId id, const Box& box) {
    Scalar s = g[id];
    if (s.kind != ScalarKind::apply || !is_float(s.dtype) || !g.facts(id).costly) return id;
    if (s.fn == Fn::mul) return rewrite_product(id, box);
    if (s.fn == Fn::select) {
      Box narrowed = box;
      narrow(g, s.args[0], narrowed);
      s.args[1] = rewrite(s.args[1], narrowed);
      s.args[2] = rewrite(s.args[2], box);
    } else {
      if (const auto kept = keep({id}, box)) return *kept;
      for (ScalarId& a : s.args) a = rewrite(a, box);
    }
    return g.add(std::move(s));
  }

  // What is costly and has the same indices is one factor, with the cheap ones over some of these.
  ScalarId rewrite_product(ScalarId id, const Box& box) {
    std::vector<ScalarId> factors;
    flatten(id, factors);
    std::vector<bool> used(factors.size());
    std::vector<ScalarId> kept;
    for (std::size_t k = 0; k < factors.size(); ++k) {
      if (used[k] || !g.facts(factors[k]).costly || !is_known(factors[k])) continue;
      const auto indices = indices_of(g, factors[k]);
      std::vector<ScalarId> group;
      std::vector<std::size_t> taken;
      for (std::size_t j = 0; j < factors.size(); ++j) {
        const auto others = indices_of(g, factors[j]);
        const bool fits = g.facts(factors[j]).costly ? others == indices
                                                     : std::includes(indices.begin(), indices.end(),
                                                                     others.begin(), others.end());
        if (used[j] || !fits || !is_known(factors[j])) continue;
        group.push_back(factors[j]);
        taken.push_back(j);
      }
      const auto factor = keep(group, box);
      if (!factor) continue;
      for (std::size_t j : taken) used[j] = true;
      kept.push_back(*factor);
    }
    if (kept.empty()) {
      Scalar s = g[id];
      for (ScalarId& a : s.args) a = rewrite(a, box);
      return g.add(std::move(s));
    }
    ScalarId product;
    const auto multiply = [&](ScalarId by) {
      product = product.valid() ? g.apply(Fn::mul, {product, by}) : by;
    };
    for (std::size_t k = 0; k < factors.size(); ++k) {
      if (!used[k]) multiply(rewrite(factors[k], box));
    }
    for (ScalarId factor : kept) multiply(factor);
    return product;
  }

  void flatten(ScalarId id, std::vector<ScalarId>& factors) const {
    const Scalar& s = g[id];
    if (s.kind == ScalarKind::apply && s.fn == Fn::mul) {
      for (ScalarId a : s.args) flatten(a, factors);
    } else {
      factors.push_back(id);
    }
  }

  // The loop can compute it.
  bool is_known(ScalarId id) const {
    bool known = true;
    for_each_read(g, id, [&](const Scalar& read) {
      known = known && (outside_.contains(read.tensor) || time_read(read).has_value());
    });
    return known;
  }

  // Of a read of a result: which index is its time, and what is added to it.
  std::optional<Moved> time_read(const Scalar& read) const {
    if (!results_.contains(read.tensor)) return std::nullopt;
    const NodeId step = g[read.tensor].operand;
    if (!loop_.contains(step)) return std::nullopt;
    Affine a;
    if (!as_affine(g, read.args[loop_.time.at(step)], a) || !a.sizes.empty()) return std::nullopt;
    const auto index = only_index(a);
    return index ? std::optional(Moved{*index, a.constant}) : std::nullopt;
  }

  // The product as an element of a result of the loop.
  std::optional<ScalarId> keep(const std::vector<ScalarId>& factors, const Box& box) {
    ScalarId product = factors.front();
    for (std::size_t k = 1; k < factors.size(); ++k)
      product = g.apply(Fn::mul, {product, factors[k]});
    if (!is_known(product)) return std::nullopt;
    // The time at which all of it is there.
    std::optional<Moved> time;
    bool one_index = true;
    for_each_read(g, product, [&](const Scalar& read) {
      const auto at = outside_.contains(read.tensor) ? std::nullopt : time_read(read);
      if (!at) return;
      one_index = one_index && (!time || time->index == at->index);
      if (!time || (loop_.backwards ? at->by < time->by : at->by > time->by)) time = at;
    });
    if (!time || !one_index) return std::nullopt;

    const Equation& e = loop_.equations.front();
    std::map<std::uint32_t, Moved> indices;
    std::vector<ScalarId> subscripts;
    Shape shape;
    for (std::uint32_t k : indices_of(g, product)) {
      const auto number = static_cast<std::uint32_t>(shape.size());
      const bool is_time = k == time->index;
      const std::int64_t by = is_time ? -time->by : box[k].begin;
      indices[k] = {number, by};
      Extent length = box[k].end;
      length.offset -= by;
      shape.push_back(is_time ? g[e.past].type.shape[e.time] : length);
      if (shape.back().is_fixed() && shape.back().offset <= 0) return std::nullopt;
      Affine subscript;
      subscript.coefficients.resize(k + 1);
      subscript.coefficients[k] = 1;
      subscript.constant = -by;
      subscripts.push_back(from_affine(g, subscript));
    }
    bool possible = true;
    IdMap<ScalarId, ScalarId> done;
    const ScalarId body = moved(
        g, product, indices,
        [&](const Scalar& read) {
          const auto at = outside_.contains(read.tensor) ? std::nullopt : time_read(read);
          if (!at) return read.tensor;
          const NodeId step = g[read.tensor].operand;
          if (at->by == time->by) return step;
          for (const Equation& equation : loop_.equations) {
            if (equation.body == step) return equation.past;
          }
          possible = false;
          return read.tensor;
        },
        done);
    if (!possible) return std::nullopt;
    const std::set<ScalarId> costly = costly_in(g, body, shape);
    if (std::none_of(costly.begin(), costly.end(), [&](ScalarId c) { return costly_.contains(c); }))
      return std::nullopt;

    IdMap<ScalarId, ScalarId> zeroed;
    const NodeId step = g.comprehension(shape.size(), shape, Reduction::none, padded(body, shape, zeroed));
    Label& label = g.label(step);
    if (label.name.empty() && label.index_names.empty()) {
      if (!reader_.name.empty()) label.name = reader_.name + "_factor";
      for (const auto& [k, to] : indices)
        label.index_names.push_back(k < reader_.index_names.size() ? reader_.index_names[k] : "");
      label.span = reader_.span;
    }
    return g.read(recurrence(g, step, loop_.equations, loop_.backwards), std::move(subscripts));
  }

  // At times and places at which nobody reads the factor, what it is computed from may not exist.
  ScalarId padded(ScalarId id, const Shape& ranges, IdMap<ScalarId, ScalarId>& done) {
    if (const auto it = done.find(id); it != done.end()) return it->second;
    Scalar s = g[id];
    if (s.args.empty()) return id;
    for (ScalarId& a : s.args) a = padded(a, ranges, done);
    if (s.kind == ScalarKind::read && !s.zero_outside) {
      const Shape& shape = g[s.tensor].type.shape;
      for (std::size_t k = 0; k < s.args.size(); ++k) {
        s.zero_outside = s.zero_outside || !stays_inside(g, s.args[k], shape[k], ranges);
      }
    }
    return done[id] = g.add(std::move(s));
  }

  Graph& g;
  const Loop& loop_;
  std::set<NodeId> results_;
  std::set<NodeId> outside_;   // what the loop may read
  std::set<ScalarId> costly_;  // what its steps evaluate
  Label reader_;
  std::map<std::pair<ScalarId, Box>, ScalarId> done_;
};

bool is_cheap(const Graph& g, const Node& n) {
  constexpr std::size_t most_scalars = 40;
  return n.kind == NodeKind::comprehension && n.reduction == Reduction::none &&
         !g.facts(n.body).costly && size_of(g, n.body) <= most_scalars;
}

// What a result is outside of its loop in terms of others that are stored in any case; none if it
// isn't cheap.
std::optional<NodeId> from_stored(Graph& g, const Loop& loop, NodeId result) {
  const NodeId step = g[result].operand;
  const Node& n = g[step];
  const auto is_stored = [&](NodeId id) {
    return std::any_of(loop.equations.begin(), loop.equations.end(),
                       [&](const Equation& e) { return e.past == id || e.body == id; });
  };
  if (!loop.contains(step) || is_stored(step) || !is_cheap(g, n)) return std::nullopt;
  for (NodeId read : g.operands(step)) {
    if (loop.contains(read) && !is_stored(read)) return std::nullopt;
  }
  std::map<std::uint32_t, Moved> same;
  for (std::uint32_t k = 0; k < n.ranges.size(); ++k) same[k] = {k, 0};
  IdMap<ScalarId, ScalarId> done;
  const ScalarId body = moved(
      g, n.body, same, [&](const Scalar& read) { return result_of(g, loop, read.tensor); }, done);
  const NodeId node = g.comprehension(n.type.rank(), n.ranges, Reduction::none, body);
  if (g.label(node).name.empty()) g.label(node) = Label(g.label(step));
  return node;
}

IdMap<NodeId, NodeId> cheap_results(Graph& g, const std::vector<NodeId>& roots) {
  const std::vector<NodeId> order = topological_order(g, roots);
  std::map<NodeId, std::vector<NodeId>> readers;
  for (NodeId id : order) {
    for (NodeId operand : g.operands(id)) readers[operand].push_back(id);
  }
  const std::set<NodeId> wanted(roots.begin(), roots.end());
  IdMap<NodeId, NodeId> now;
  for (const Loop& loop : find_loops(g, order)) {
    for (NodeId result : loop.results) {
      if (wanted.contains(result) || readers[result].size() != 1) continue;
      const Node& reader = g[readers[result].front()];
      if (reader.kind != NodeKind::comprehension || reader.reduction != Reduction::none) continue;
      if (const auto node = from_stored(g, loop, result)) now.emplace(result, *node);
    }
  }
  return now;
}

// Everything that a function computes.
template <class Visit>
void for_each_root(Function& f, const Visit& visit) {
  for (Output& o : f.outputs) visit(o.node);
  for (Output& o : f.evaluation) visit(o.node);
  for (Output& o : f.gradients) visit(o.node);
  for (Update& u : f.updates) visit(u.value);
}

}  // namespace

Function keep_factors(Graph& g, const Function& step) {
  Function f = step;
  std::vector<NodeId> roots;
  for_each_root(f, [&](NodeId& root) { roots.push_back(root); });
  std::set<NodeId> done;  // loops, by a past of theirs
  while (true) {
    const std::vector<NodeId> order = topological_order(g, roots);
    const std::vector<Loop> loops = find_loops(g, order);
    const auto next = std::find_if(loops.begin(), loops.end(), [&](const Loop& l) {
      return !done.contains(l.equations.front().past);
    });
    if (next == loops.end()) break;
    done.insert(next->equations.front().past);
    FactorKeeper keeper(g, *next, order);
    roots = rebuild_nodes(g, roots, [&](NodeId, NodeId id) { return keeper.rewritten(id); });
  }
  if (!done.empty()) roots = replace_nodes(g, roots, cheap_results(g, roots));
  auto root = roots.begin();
  for_each_root(f, [&](NodeId& node) { node = *root++; });
  return f;
}

}  // namespace gradc

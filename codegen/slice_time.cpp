// slice_time.cpp: recurrences as loops: their steps at one time, which is a size that the loop sets.
#include "codegen/slice_time.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "codegen/index_roles.h"
#include "dsl/check.h"
#include "dsl/recurrence.h"

namespace gradc {
namespace {

class Slicer {
 public:
  Slicer(Graph& graph, const Function& f) : g(graph), f_(f) {}

  Function run() {
    const std::vector<NodeId> order = topological_order(g, roots_of(f_));
    const std::vector<Loop> loops = find_loops(g, order);
    if (loops.empty()) return f_;
    IdMap<NodeId, const Loop*> loop_of;  // by step or result
    for (const Loop& loop : loops) {
      for (NodeId id : loop.steps) loop_of[id] = &loop;
      for (NodeId id : loop.results) loop_of[id] = &loop;
      for (const Equation& e : loop.equations) now_[e.past] = e.past;
    }
    const Loop* last = nullptr;
    for (NodeId id : order_by_loops(g, order, loops)) {
      const auto loop = loop_of.find(id);
      if (loop == loop_of.end()) {
        rebuild(id);
      } else if (loop->second != last) {
        last = loop->second;
        slice(*last);
      }
    }
    Function f = f_;
    for (Output& o : f.outputs) o.node = now_.at(o.node);
    for (Output& o : f.evaluation) o.node = now_.at(o.node);
    for (Output& o : f.gradients) o.node = now_.at(o.node);
    for (Update& u : f.updates) u.value = now_.at(u.value);
    return f;
  }

 private:
  void rebuild(NodeId id) {
    Node n = g[id];
    for_each_link(n, [&](NodeId& operand) { operand = now_.at(operand); });
    if (n.body.valid()) n.body = with_tensors(g, n.body, now_, moved_);
    now_[id] = g.add(std::move(n));
    label(now_[id], id);
  }

  void label(NodeId to, NodeId from) {
    if (to != from && g.label(to).name.empty()) g.label(to) = g.label(from);
  }

  // A dim of its own, called as the index of time is.
  DimId time_of(const Loop& loop) {
    const Equation& e = loop.equations.front();
    const std::int64_t last = max_extent(g, g[e.past].type.shape[e.time]) - 1;
    const std::vector<std::string>& names = g.label(e.body).index_names;
    const std::string stem = e.time < names.size() && !names[e.time].empty() ? names[e.time] : "t";
    const auto taken = [&](const std::string& name) {
      return std::any_of(g.dims().begin(), g.dims().end(),
                         [&](const Dim& d) { return d.least > 0 && d.name == name; });
    };
    std::string name = stem;
    for (int k = 2; taken(name); ++k) name = fmt::format("{}{}", stem, k);
    return g.add_time({name, last, 0});
  }

  void slice(const Loop& loop) {
    const DimId time = time_of(loop);
    IdMap<NodeId, NodeId> slices;
    for (NodeId step : loop.steps) slices[step] = sliced(loop, step, time, slices);
    // What every result needs: all that the loop leaves behind.
    std::vector<Equation> all;
    auto slice_of = [&](NodeId whole, std::uint32_t axis) {
      const auto it = slices.find(whole);
      return it != slices.end() ? copy_of(it->second, whole, axis) : slice_from_outside(whole, axis, time);
    };
    for (const Equation& e : loop.equations) all.push_back({e.past, slice_of(e.body, e.time), e.time});
    for (NodeId result : loop.results) {
      const NodeId operand = g[result].operand;
      const std::uint32_t axis = loop.contains(operand) ? loop.time.at(operand) : time_in_equations(loop, operand);
      const NodeId slice = slice_of(operand, axis);
      const bool known = std::any_of(all.begin(), all.end(), [&](const Equation& e) { return e.body == slice; });
      if (!known) all.push_back({{}, slice, axis});
    }
    for (NodeId result : loop.results) {
      const NodeId operand = g[result].operand;
      const std::uint32_t axis = loop.contains(operand) ? loop.time.at(operand) : time_in_equations(loop, operand);
      Node n = g[result];
      n.operand = slice_of(operand, axis);
      n.ranges = {Extent(time)};
      n.stream = axis;
      n.equations = all;
      now_[result] = g.add(std::move(n));
      label(now_[result], result);
    }
  }

  // An equation that depends on no past.
  std::uint32_t time_in_equations(const Loop& loop, NodeId body) const {
    for (const Equation& e : loop.equations) {
      if (e.body == body) return e.time;
    }
    GRADC_UNREACHABLE("a result of a recurrence has no time");
  }
  NodeId slice_from_outside(NodeId whole, std::uint32_t axis, DimId time) {
    const NodeId tensor = now_.at(whole);
    std::vector<ScalarId> subscripts;
    Shape shape;
    for (std::uint32_t k = 0; k < g[tensor].type.rank(); ++k) {
      if (k == axis) {
        subscripts.push_back(g.size(Extent(time)));
        continue;
      }
      subscripts.push_back(g.index(static_cast<std::uint32_t>(shape.size())));
      shape.push_back(g[tensor].type.shape[k]);
    }
    const NodeId slice = g.comprehension(shape.size(), shape, Reduction::none, g.read(tensor, subscripts));
    return copy_of(slice, whole, axis);
  }

  // Slices that are kept are nodes of their own, whatever else has their value.
  NodeId copy_of(NodeId slice, NodeId whole, std::uint32_t axis) {
    const Shape shape = g[slice].type.shape;
    std::vector<ScalarId> own;
    for (std::uint32_t k = 0; k < shape.size(); ++k) own.push_back(g.index(k));
    ScalarId element = g.read(slice, std::move(own));
    NodeId copy = g.comprehension(shape.size(), shape, Reduction::none, element);
    while (!wholes_.emplace(copy, whole).second && wholes_.at(copy) != whole) {
      element = g.apply(Fn::detach, {element});
      copy = g.comprehension(shape.size(), shape, Reduction::none, element);
    }
    Label& to = g.label(copy);
    const Label from = g.label(whole);
    to.name = from.name;
    to.span = from.span;
    to.index_names = from.index_names;
    if (axis < to.index_names.size()) to.index_names.erase(to.index_names.begin() + axis);
    return copy;
  }

  // The step with its index of time fixed, over the slices of the steps it reads.
  NodeId sliced(const Loop& loop, NodeId step, DimId time, const IdMap<NodeId, NodeId>& slices) {
    const Node& n = g[step];
    const std::uint32_t axis = loop.time.at(step);
    std::vector<ScalarId> indices(n.ranges.size());
    Shape ranges;
    for (std::uint32_t k = 0; k < n.ranges.size(); ++k) {
      indices[k] = k == axis ? g.size(Extent(time)) : g.index(static_cast<std::uint32_t>(ranges.size()));
      if (k != axis) ranges.push_back(n.ranges[k]);
    }
    IdMap<ScalarId, ScalarId> done;
    auto visit = [&](auto&& self, ScalarId id) -> ScalarId {
      if (auto it = done.find(id); it != done.end()) return it->second;
      Scalar s = g[id];
      ScalarId result = id;
      if (s.kind == ScalarKind::index) {
        result = indices[s.index];
      } else if (!s.args.empty() || s.tensor.valid()) {
        for (ScalarId& a : s.args) {
          a = self(self, a);
          Affine form;
          if (s.kind == ScalarKind::read && as_affine(g, a, form)) a = from_affine(g, form);
        }
        if (s.tensor.valid()) {
          if (auto slice = slices.find(s.tensor); slice != slices.end()) {
            s.args.erase(loop.time.at(s.tensor));
            s.tensor = slice->second;
          } else {
            s.tensor = now_.at(s.tensor);
          }
        }
        result = g.add(std::move(s));
      }
      done.emplace(id, result);
      return result;
    };
    const NodeId slice = with_condition_outside(n.type.rank() - 1, std::move(ranges), n.reduction, visit(visit, n.body));
    Label& to = g.label(slice);
    if (to.name.empty()) {
      to = g.label(step);
      if (axis < to.index_names.size()) to.index_names.erase(to.index_names.begin() + axis);
    }
    return slice;
  }

  // sum[k] select(c, f, 0) is select(c, sum[k] f, 0) if c has no k; f may then be read outside, where it does
  // not matter.
  NodeId with_condition_outside(std::size_t rank, Shape ranges, Reduction reduction, ScalarId body) {
    const Scalar& s = g[body];
    const bool guarded = reduction == Reduction::sum && s.kind == ScalarKind::apply && s.fn == Fn::select &&
                         g[s.args[2]].kind == ScalarKind::literal && g[s.args[2]].value == 0;
    const auto free = [&](ScalarId c) {
      const auto indices = indices_of(g, c);
      return indices.empty() || indices.back() < rank;
    };
    if (!guarded || !free(s.args[0])) return g.comprehension(rank, std::move(ranges), reduction, body);
    const NodeId sum = g.comprehension(rank, ranges, reduction, padded(s.args[1], ranges));
    std::vector<ScalarId> own;
    for (std::uint32_t k = 0; k < rank; ++k) own.push_back(g.index(k));
    ranges.resize(rank);
    const ScalarId value = g.apply(Fn::select, {s.args[0], g.read(sum, std::move(own)), s.args[2]});
    return g.comprehension(rank, std::move(ranges), Reduction::none, value);
  }

  ScalarId padded(ScalarId id, const Shape& ranges) {
    Scalar s = g[id];
    for (ScalarId& a : s.args) a = padded(a, ranges);
    if (s.kind == ScalarKind::read && !s.zero_outside) {
      const Shape& shape = g[s.tensor].type.shape;
      for (std::size_t k = 0; k < s.args.size(); ++k) {
        if (!stays_inside(g, s.args[k], shape[k], ranges)) s.zero_outside = true;
      }
    }
    return g.add(std::move(s));
  }

  Graph& g;
  const Function& f_;
  IdMap<NodeId, NodeId> now_;
  IdMap<ScalarId, ScalarId> moved_;
  IdMap<NodeId, NodeId> wholes_;  // by the copy of a slice
};

}  // namespace

Function slice_time(Graph& g, const Function& f) { return Slicer(g, f).run(); }

}  // namespace gradc

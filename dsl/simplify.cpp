// simplify.cpp: passes over the graph, operands first, until nothing changes.
//
// Each node is rebuilt over its simplified operands: elementwise producers are inlined where that
// costs nothing or lets the algebra see more, then the body, then the reduction is simplified.
#include "dsl/simplify.h"

#include <algorithm>
#include <unordered_set>

#include "dsl/recurrence.h"
#include "dsl/seen_scalars.h"
#include "dsl/share_work.h"
#include "dsl/simplify_scalar.h"
#include "dsl/simplify_sum.h"
#include "dsl/stabilize.h"

namespace gradc {
namespace {

constexpr int most_passes = 12;
constexpr int most_inlined_cost = 96;  // of a body: chains of residuals stay linear
constexpr int broadcast_cost = 8;      // what may be computed again for every reader
// Of a body written out: what is shared is differentiated path by path.
constexpr std::uint64_t most_inlined_written = 1024;

// What passes have found of bodies.
struct Found {
  IdMap<ScalarId, Settled> settled;
  IdMap<ScalarId, int> costs;
};

class Pass {
 public:
  Pass(Graph& graph, Found& found) : g(graph), found_(found) {
    std::vector<NodeId> roots;
    for (const Function& f : g.functions) {
      for (NodeId id : roots_of(f)) roots.push_back(id);
    }
    const std::vector<NodeId> needed = topological_order(g, roots);
    for (NodeId id : roots) uses_[id] += 2;  // a result stays, whoever else reads it
    for (NodeId id : needed) {
      for (NodeId operand : g.operands(id)) ++uses_[operand];
      if (g[id].kind != NodeKind::gradient) continue;
      gradient_pending_ = true;
      barriers_.insert(g[id].wrt);
      peeks_alike_ = peeks_alike_ && g[g[id].wrt].kind != NodeKind::comprehension;
    }
    for (const Function& f : g.functions) {
      for (const Minimize& m : f.minimizes) roots.push_back(m.loss);
    }
    order_ = topological_order(g, roots);
    for (const Loop& loop : find_loops(g, order_)) {
      const std::vector<Equation> equations = needed_equations(g, loop);
      for (NodeId id : loop.results) equations_[id] = loop.contains(g[id].operand) ? equations : std::vector<Equation>{};
    }
    trusted_ = trusted_subscripts(g, order_);
    peek_ = [this](ScalarId read) { return peek(read); };
  }

  bool gradient_pending() const { return gradient_pending_; }

  // True if anything changed.
  bool run() {
    bool changed = false;
    for (NodeId id : order_) {
      const NodeId result = rewrite(id);
      mapped_[id] = result;
      if (auto it = uses_.find(id); it != uses_.end()) new_uses_[result] += it->second;
      if (barriers_.contains(id)) new_barriers_.insert(result);
      if (result == id) continue;
      changed = true;
      carry_label(id, result);
    }
    for (Function& f : g.functions) {
      for (Output& o : f.outputs) o.node = mapped_.at(o.node);
      for (Output& o : f.gradients) o.node = mapped_.at(o.node);
      for (Output& o : f.evaluation) o.node = mapped_.at(o.node);
      for (Update& u : f.updates) u.value = mapped_.at(u.value);
      for (Minimize& m : f.minimizes) m.loss = mapped_.at(m.loss);
    }
    return changed;
  }

 private:
  NodeId rewrite(NodeId id) {
    Node n = g[id];
    switch (n.kind) {
      case NodeKind::comprehension:
        break;
      case NodeKind::reshape:
        return reshape(n);
      case NodeKind::recurrence:
        n.operand = mapped_.at(n.operand);
        n.equations = equations_.at(id);
        if (n.equations.empty()) return n.operand;  // it depends on no past
        for (Equation& e : n.equations) e.body = mapped_.at(e.body);
        return g.add(std::move(n));
      case NodeKind::custom:
        if (!gradient_pending_) return mapped_.at(n.operand);  // nobody will ask for its gradient
        [[fallthrough]];
      case NodeKind::gradient:
        for_each_link(n, [&](NodeId& operand) { operand = mapped_.at(operand); });
        return g.add(std::move(n));
      default:
        return id;
    }
    const std::vector<NodeId>& operands = g.operands(id);
    const bool moved =
        std::any_of(operands.begin(), operands.end(), [&](NodeId o) { return mapped_.at(o) != o; });
    if (moved) n.body = with_tensors(g, n.body, mapped_, moved_);
    merge_sums(n);
    n.body = inlined(n, n.body);
    n.body = simplify_scalar(
        g, n.body, {n.ranges, peek_, !gradient_pending_, peeks_alike_ ? &found_.settled : nullptr});
    NodeId result = g.add(std::move(n));
    if (g[result].reduction == Reduction::none) {
      result = stabilize(g, result, peek_, gradient_pending_);
    } else {
      result = simplify_reduction(g, result, trusted_);
    }
    return copied(result);
  }

  // A sum of a sum that nothing else needs is one sum.
  void merge_sums(Node& n) {
    const Scalar& s = g[n.body];
    if (n.reduction != Reduction::sum || s.kind != ScalarKind::read || s.zero_outside) return;
    const Node& inner = g[s.tensor];
    if (inner.reduction != Reduction::sum || !is_single_use(s.tensor)) return;
    if (is_barrier(s.tensor) || !visits_once(n, s)) return;
    std::vector<ScalarId> values = s.args;
    for (std::size_t k = values.size(); k < inner.ranges.size(); ++k) {
      values.push_back(g.index(static_cast<std::uint32_t>(n.ranges.size())));
      n.ranges.push_back(inner.ranges[k]);
    }
    n.body = substitute(g, inner.body, values);
  }

  bool is_single_use(NodeId id) const {
    auto uses = new_uses_.find(id);
    return uses != new_uses_.end() && uses->second == 1;
  }

  // A copy of a whole tensor is the tensor.
  NodeId copied(NodeId id) const {
    const Node& n = g[id];
    const Scalar& s = g[n.body];
    if (n.reduction != Reduction::none || s.kind != ScalarKind::read) return id;
    if (g[s.tensor].type != n.type || g[s.tensor].kind == NodeKind::past) return id;
    for (std::uint32_t k = 0; k < s.args.size(); ++k) {
      const Scalar& subscript = g[s.args[k]];
      if (subscript.kind != ScalarKind::index || subscript.index != k) return id;
    }
    return s.tensor;
  }

  NodeId reshape(Node n) {
    n.operand = mapped_.at(n.operand);
    if (g[n.operand].kind == NodeKind::reshape && !is_barrier(n.operand)) {
      n.operand = g[n.operand].operand;
    }
    const Node& from = g[n.operand];
    if (from.type == n.type) return n.operand;
    if (from.reduction == Reduction::none && from.body.valid() &&
        g[from.body].kind == ScalarKind::literal && !is_barrier(n.operand)) {
      return g.comprehension(n.type.rank(), n.type.shape, Reduction::none, from.body);
    }
    return g.add(std::move(n));
  }

  bool is_barrier(NodeId id) const { return new_barriers_.contains(id); }

  bool is_elementwise(NodeId id) const {
    const Node& n = g[id];
    return n.kind == NodeKind::comprehension && n.reduction == Reduction::none && !is_barrier(id);
  }

  ScalarId body_at(ScalarId read) {
    const Scalar& s = g[read];
    return substitute(g, g[s.tensor].body, s.args);
  }

  std::optional<ScalarId> peek(ScalarId read) {
    const Scalar& s = g[read];
    if (s.zero_outside || !is_elementwise(s.tensor)) return std::nullopt;
    return body_at(read);
  }

  // --- inlining ---

  ScalarId inlined(const Node& n, ScalarId body) {
    std::vector<ScalarId> reads;
    IdMap<NodeId, int> sites;
    SeenScalars seen;
    auto find = [&](auto&& self, ScalarId id) -> void {
      const Scalar& s = g[id];
      if (!g.facts(id).reads || !seen.insert(id)) return;
      for (ScalarId a : s.args) self(self, a);
      if (s.kind != ScalarKind::read) return;
      reads.push_back(id);
      ++sites[s.tensor];
    };
    find(find, body);
    IdMap<ScalarId, bool> chosen;
    int size = -1;
    std::uint64_t written = g.facts(body).written;
    bool any = false;
    for (ScalarId read : reads) {
      const bool yes = is_inlined(n, body, read, sites[g[read].tensor], size) &&
                       stays_short(body, read, written);
      chosen[read] = yes;
      any |= yes;
    }
    if (!any) return body;
    IdMap<ScalarId, ScalarId> done;
    auto visit = [&](auto&& self, ScalarId id) -> ScalarId {
      if (!g.facts(id).reads) return id;
      if (auto it = done.find(id); it != done.end()) return it->second;
      ScalarId result = with_arguments(g, id, [&](ScalarId a) { return self(self, a); });
      if (auto it = chosen.find(id); it != chosen.end() && it->second) result = body_at(result);
      done.emplace(id, result);
      return result;
    };
    return visit(visit, body);
  }

  // Whether the body, `written` long with what has been inlined so far, stays short with that read
  // inlined as well.
  bool stays_short(ScalarId body, ScalarId read, std::uint64_t& written) const {
    const std::uint64_t inlined = g.facts(g[g[read].tensor].body).written;
    if (inlined <= 1) return true;
    const std::uint64_t longer = written + (inlined - 1) * times_written(body, read);
    if (longer > most_inlined_written) return false;
    written = longer;
    return true;
  }

  // How often `part` stands in `whole` if that is written out.
  std::uint64_t times_written(ScalarId whole, ScalarId part) const {
    IdMap<ScalarId, std::uint64_t> done;
    done[part] = 1;
    const auto count = [&](const auto& self, ScalarId id) -> std::uint64_t {
      if (const auto it = done.find(id); it != done.end()) return it->second;
      std::uint64_t times = 0;
      for (ScalarId a : g[id].args) times += self(self, a);
      return done[id] = std::min(times, most_inlined_written);
    };
    return count(count, whole);
  }

  int cost(ScalarId body) const {
    const auto [it, added] = found_.costs.try_emplace(body, 0);
    if (added) it->second = gradc::cost(g, body);
    return it->second;
  }

  // `size`: the cost of the reader's body with what has been inlined so far; less than 0 before
  // that was asked for.
  bool is_inlined(const Node& reader, ScalarId into, ScalarId read, int sites, int& size) const {
    const Scalar& s = g[read];
    if (!is_elementwise(s.tensor)) return false;
    const ScalarId body = g[s.tensor].body;
    if (s.zero_outside) return g[body].kind == ScalarKind::literal && g[body].value == 0;
    const int work = cost(body);
    if (work == 0 || is_constant(body) || is_scaled_read(body) || is_mask(body)) return true;
    if (!is_single_use(s.tensor) || sites != 1) return false;
    if (size < 0) size = cost(into);
    if (size + work > most_inlined_cost) return false;
    const bool once = visits_once(reader, s);
    const bool again =
        reader.reduction == Reduction::none && work <= broadcast_cost && is_cheap(g, body);
    if (!once && !again) return false;
    size += work;
    return true;
  }

  // Little work on sizes and at most one scalar value: 1 / (B · T).
  bool is_constant(ScalarId body) const {
    if (g.facts(body).indices != 0 || !is_cheap(g, body) || cost(body) > broadcast_cost)
      return false;
    int values = 0;
    const bool scalars = all_reads(body, [&](const Scalar& s) {
      ++values;
      return s.args.empty();
    });
    return scalars && values <= 1;
  }

  // -x, 2 x, x / 2: signs and factors should meet, and move out of sums.
  bool is_scaled_read(ScalarId body) const {
    const Scalar& s = g[body];
    if (s.kind != ScalarKind::apply) return false;
    auto is_read = [&](ScalarId id) { return g[id].kind == ScalarKind::read; };
    if (s.fn == Fn::neg) return is_read(s.args[0]);
    if (s.fn != Fn::mul && s.fn != Fn::div) return false;
    const bool left = g[s.args[0]].kind == ScalarKind::literal;
    const bool right = g[s.args[1]].kind == ScalarKind::literal;
    return (left && s.fn == Fn::mul && is_read(s.args[1])) || (right && is_read(s.args[0]));
  }

  // select(i == label[b], c, 0): a one-hot value, to be contracted by a sum.
  bool is_mask(ScalarId body) const {
    const Scalar& s = g[body];
    if (s.kind != ScalarKind::apply || s.fn != Fn::select) return false;
    const Scalar& condition = g[s.args[0]];
    return condition.kind == ScalarKind::apply && condition.fn == Fn::eq &&
           g[condition.args[0]].dtype == DType::i32 && is_constant(s.args[1]) &&
           g[s.args[2]].kind == ScalarKind::literal;
  }

  template <class Test>
  bool all_reads(ScalarId id, Test&& test) const {
    const Scalar& s = g[id];
    if (s.kind == ScalarKind::read && !test(s)) return false;
    return std::all_of(s.args.begin(), s.args.end(),
                       [&](ScalarId a) { return all_reads(a, test); });
  }

  // Every point of the reader's index space reads another element.
  bool visits_once(const Node& reader, const Scalar& read) const {
    std::vector<bool> named(reader.ranges.size());
    for (ScalarId a : read.args) {
      if (g[a].kind == ScalarKind::index) named[g[a].index] = true;
    }
    for (std::size_t k = 0; k < named.size(); ++k) {
      if (!named[k] && reader.ranges[k] != Extent(1)) return false;
    }
    return true;
  }

  void carry_label(NodeId from, NodeId to) {
    const Label old = g.label(from);
    Label& label = g.label(to);
    if (label.name.empty()) label.name = old.name;
    if (!label.span.valid()) label.span = old.span;
    if (label.index_names.empty() && g[to].ranges.size() == g[from].ranges.size()) {
      label.index_names = old.index_names;
    }
  }

  Graph& g;
  std::vector<NodeId> order_;
  IdMap<NodeId, int> uses_, new_uses_;  // readers; a root counts as two
  std::unordered_set<NodeId> barriers_, new_barriers_;
  IdMap<NodeId, std::vector<Equation>> equations_;  // of a recurrence, those it needs
  bool gradient_pending_ = false;
  bool peeks_alike_ = true;  // in all passes: no value that could be looked into has to stay as it is
  Found& found_;
  Trusted trusted_;
  Peek peek_;
  IdMap<NodeId, NodeId> mapped_;
  IdMap<ScalarId, ScalarId> moved_;
};

}  // namespace

void simplify(Graph& g) {
  Found found;
  // What is shared last may let the passes do more; it settles in a round or two.
  for (int round = 0; round < 3; ++round) {
    bool pending = true;
    for (int pass = 0; pass < most_passes; ++pass) {
      Pass p(g, found);
      pending = p.gradient_pending();
      if (!p.run()) break;
    }
    if (pending || !share_work(g)) return;
  }
}

}  // namespace gradc

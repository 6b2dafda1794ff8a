// partition.cpp: which tensors of a function are stored, and in what order they are computed. Long because what is
// stored, where it lives and when it is computed depend on each other.
#include "codegen/partition.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "codegen/keep_factors.h"
#include "codegen/keep_formulas.h"
#include "codegen/products.h"
#include "codegen/read_nodes.h"
#include "codegen/reads_across.h"
#include "codegen/repeated_parts.h"
#include "codegen/schedule.h"
#include "codegen/slice_time.h"
#include "codegen/time_loops.h"
#include "dsl/check.h"
#include "dsl/recurrence.h"

namespace gradc {
namespace {

using loops::Entry;
using loops::Storage;

// Beyond this many scalars a formula is stored rather than repeated in its users.
constexpr std::size_t largest_inlined = 40;
constexpr std::size_t longest_inlined = 512;  // if what is shared in it is written out

// The subscripts of what is reshaped, by the indices of the result: where neighbouring axes become one, and the last stays as it
// is, so that what was contiguous is. None for other reshapes.
std::optional<std::vector<ScalarId>> joined_axes(Graph& g, const Node& reshape) {
  const Shape from = g[reshape.operand].type.shape, to = reshape.type.shape;
  if (from.empty() || to.empty() || from.back() != to.back()) return std::nullopt;
  std::vector<ScalarId> subscripts;
  for (std::uint32_t k = 0; k < to.size(); ++k) {
    if (subscripts.size() < from.size() && from[subscripts.size()] == to[k]) {
      subscripts.push_back(g.index(k));
      continue;
    }
    const std::size_t first = subscripts.size();
    std::int64_t joined = 1;
    std::size_t end = first;
    while (end < from.size() && from[end].is_fixed() && to[k].is_fixed() && joined < to[k].offset) joined *= from[end++].offset;
    if (end == first || joined != to[k].offset) return std::nullopt;
    for (std::size_t axis = first; axis < end; ++axis) {
      joined /= from[axis].offset;
      const auto integer = [&](std::int64_t value) { return g.literal(static_cast<double>(value), DType::i32); };
      ScalarId at = g.index(k);
      if (joined > 1) at = g.apply(Fn::floor_div, {at, integer(joined)});
      if (axis > first) at = g.apply(Fn::mod, {at, integer(from[axis].offset)});
      subscripts.push_back(at);
    }
  }
  return subscripts.size() == from.size() ? std::optional(subscripts) : std::nullopt;
}

struct Use {
  std::uint32_t users = 0;   // distinct nodes
  bool root = false;
  bool reshaped = false;
  bool padded = false;       // some read gives 0 outside
  bool misaligned = false;   // some subscript k is not the user's index k
};

// What each node of a function is read by, in the graph as it was given.
IdMap<NodeId, Use> find_uses(Graph& g, const std::vector<NodeId>& order,
                             const std::vector<NodeId>& roots, const Target& target) {
  IdMap<NodeId, Use> uses;
  for (NodeId id : order) {
    const Node& n = g[id];
    if (n.kind == NodeKind::reshape) {
      Use& use = uses[n.operand];
      if (!target.grid() && joined_axes(g, n)) {
        ++use.users;
        use.misaligned = true;
      } else {
        use.reshaped = true;
      }
    }
    for (const Equation& e : n.equations) uses[e.body].root = true;
    if (n.kind != NodeKind::comprehension) continue;
    for (NodeId operand : g.operands(id)) ++uses[operand].users;
    for_each_read(g, n.body, [&](const Scalar& read) {
      Use& use = uses[read.tensor];
      use.padded = use.padded || read.zero_outside;
      for (std::uint32_t k = 0; k < read.args.size(); ++k) {
        const Scalar& subscript = g[read.args[k]];
        use.misaligned = use.misaligned || subscript.kind != ScalarKind::index ||
                         subscript.index != k;
      }
    });
  }
  for (NodeId root : roots) uses[root].root = true;
  return uses;
}

class Partitioner {
 public:
  Partitioner(Graph& g, const Target& target) : g_(g), target_(target) {}

  void rewrite_function(const std::vector<NodeId>& roots) {
    const auto order = topological_order(g_, roots);
    uses_ = find_uses(g_, order, roots, target_);
    for (NodeId id : order) {
      for (const Equation& e : g_[id].equations) {
        slices_.insert(e.body);
        if (e.past.valid()) times_[e.past] = static_cast<double>(max_extent(g_, g_[e.past].type.shape[e.time]));
      }
    }
    for (NodeId id : order) {
      if (times_.empty()) break;
      if (g_[id].kind == NodeKind::recurrence) continue;
      for (NodeId operand : g_.operands(id))
        if (const double most = std::max(times(id), times(operand)); most > 1) times_[id] = most;
    }
    for (NodeId id : order) rewrite_node(id);
  }

  // After that, of a step with these outputs.
  void keep_formulas(const std::vector<NodeId>& outputs, const std::vector<NodeId>& roots) {
    const auto all_now = [&](std::vector<NodeId> nodes) {
      for (NodeId& id : nodes) id = now(id);
      return nodes;
    };
    KeptFormulas formulas = gradc::keep_formulas(g_, all_now(outputs), all_now(roots), target_);
    for (auto& [old, stored] : stored_)
      if (const auto it = formulas.now.find(stored); it != formulas.now.end()) stored = it->second;
    for (const auto& [old, node] : formulas.now) {
      const auto it = reasons_.find(old);
      if (it == reasons_.end()) continue;
      const std::string_view reason = it->second;
      reasons_[node] = reason;
    }
    for (const auto& [product, node] : formulas.kept) reasons_[node] = "in place of the product it is computed from";
    kept_ = std::move(formulas.kept);
  }

  // The nodes in order, and right after a product the formula that is kept of it.
  std::vector<NodeId> with_kept(const std::vector<NodeId>& order) const {
    std::vector<NodeId> result;
    for (NodeId id : order) {
      result.push_back(id);
      if (const auto it = kept_.find(id); it != kept_.end()) result.push_back(it->second);
    }
    return result;
  }

  // Why a computed node is stored.
  std::string_view why(NodeId stored) const {
    const auto it = reasons_.find(stored);
    return it == reasons_.end() ? "a copy" : it->second;
  }

  // The node that stands for `id` now; it is stored, a leaf, or a reshape of one.
  NodeId now(NodeId id) const { return stored_.at(id); }

  // A copy made of such elements.
  NodeId copy_of(NodeId id, ScalarId element) {
    const TensorType type = g_[id].type;
    const NodeId copy = g_.comprehension(type.rank(), type.shape, Reduction::none, element);
    label(copy, g_.label(id));
    return copy;
  }

 private:
  double times(NodeId id) const {
    const auto it = times_.find(id);
    return it == times_.end() ? 1 : it->second;
  }
  void rewrite_node(NodeId id);
  void keep(NodeId id, const Shape& ranges, Reduction, ScalarId body);
  std::string_view reason_to_store(NodeId id, ScalarId body) const;  // none: empty
  bool follows_product(NodeId id, ScalarId body) const;
  ScalarId rewrite_scalar(ScalarId);
  ScalarId reuse(ScalarId, const Shape& ranges);
  std::optional<ScalarId> stored_value(ScalarId, const Shape& ranges);
  void remember(NodeId);
  std::pair<Fn, std::uint32_t> outline_of(ScalarId) const;

  void label(NodeId id, const Label& from) {
    Label& to = g_.label(id);
    if (to.name.empty() && to.index_names.empty()) to = from;
  }

  Graph& g_;
  const Target& target_;
  IdMap<NodeId, Use> uses_;
  IdMap<NodeId, NodeId> stored_;             // old → new
  IdMap<NodeId, std::string_view> reasons_;  // by new node
  IdMap<NodeId, ScalarId> inlined_;          // old → body over its free indices
  IdMap<ScalarId, ScalarId> rewritten_;
  std::set<NodeId> slices_, slices_now_, taken_;
  std::map<NodeId, double> times_;  // that a step of a loop is computed; of anything else once
  std::map<NodeId, NodeId> kept_;  // product → formula
  // Formula of a stored elementwise node → the node and which of its indices each of the formula's is.
  struct Known {
    NodeId node;
    std::vector<std::uint32_t> indices;
  };
  std::map<std::pair<ScalarId, Shape>, Known> known_;
  std::set<std::pair<Fn, std::uint32_t>> known_outlines_;
};

std::string_view Partitioner::reason_to_store(NodeId id, ScalarId body) const {
  const Use& use = uses_.at(id);
  if (use.root) return "a result";
  if (use.reshaped) return "read in another shape";
  if (use.padded) return "read with zeros around it";
  if (size_of(g_, body) > largest_inlined || g_.facts(body).written > longest_inlined)
    return "too long to repeat";
  if (g_[id].type.rank() == 0) return "";  // computed once, before the loops of its users
  // In the epilogue of a product a value costs no memory of its own.
  if (use.users > 1 && follows_product(id, body)) return "read again, and at hand after a product";
  if (!g_.facts(body).costly) return "";
  return use.users > 1 ? "costly and read again" : use.misaligned ? "costly and read out of order" : "";
}

bool Partitioner::follows_product(NodeId id, ScalarId body) const {
  bool follows = false;
  for_each_read(g_, body, [&](const Scalar& read) {
    if (g_[read.tensor].type != g_[id].type || form_of(g_, read.tensor, target_) < Form::product) return;
    bool own = true;
    for (std::uint32_t k = 0; k < read.args.size(); ++k) {
      own = own && g_[read.args[k]].kind == ScalarKind::index && g_[read.args[k]].index == k;
    }
    follows = follows || own;
  });
  return follows;
}

void Partitioner::rewrite_node(NodeId id) {
  const Node& n = g_[id];
  switch (n.kind) {
    case NodeKind::comprehension: break;
    case NodeKind::reshape: {
      if (inlined_.contains(n.operand) && !stored_.contains(n.operand)) {  // read at other subscripts
        const auto subscripts = joined_axes(g_, n);
        GRADC_CHECK(subscripts, "what is reshaped otherwise is stored");
        keep(id, n.type.shape, Reduction::none, substitute(g_, inlined_.at(n.operand), *subscripts));
        return;
      }
      Node reshaped = n;
      reshaped.operand = now(n.operand);
      stored_[id] = g_.add(std::move(reshaped));
      label(stored_[id], g_.label(id));
      return;
    }
    case NodeKind::recurrence: {
      Node filled = n;
      for_each_link(filled, [&](NodeId& slice) { slice = now(slice); });
      stored_[id] = g_.add(std::move(filled));
      label(stored_[id], g_.label(id));
      return;
    }
    case NodeKind::custom:
    case NodeKind::gradient: GRADC_UNREACHABLE("partition needs a differentiated graph");
    case NodeKind::random: reasons_[id] = "random numbers"; [[fallthrough]];
    default: stored_[id] = id; return;
  }
  keep(id, n.ranges, n.reduction, reuse(rewrite_scalar(n.body), n.ranges));
}

// As a formula for its users, or stored.
void Partitioner::keep(NodeId id, const Shape& ranges, Reduction reduction, ScalarId body) {
  const Shape shape = g_[id].type.shape;
  std::string_view reason = "a reduction";
  if (reduction == Reduction::none) {
    inlined_[id] = body;
    reason = reason_to_store(id, body);
    if (reason.empty()) return;
    if (!target_.grid()) {
      RepeatedParts repeated = take_out_repeated(g_, id, ranges, body);
      body = repeated.body;
      for (NodeId part : repeated.parts) {
        reasons_.try_emplace(part, "the same for many elements");
        remember(part);
      }
    }
  }
  NodeId now = g_.comprehension(shape.size(), ranges, reduction, body);
  label(now, g_.label(id));
  if (const auto product = make_product(g_, now, target_, times(id))) {
    now = product->result;
    label(now, g_.label(id));
    for (NodeId made : product->operands) {
      reasons_.try_emplace(made, "for a product");
      remember(made);
    }
  } else if (const auto index = target_.grid() ? std::nullopt : vector_index(g_, now, target_)) {
    const ReadsAlong along = copy_reads_across(g_, now, *index, target_.isa);
    for (NodeId copy : along.copies) reasons_.try_emplace(copy, "read along another index");
    now = along.now;
  }
  // The slice of a whole lies among others of it, so it is never read in place of an equal tensor.
  const bool slice = slices_.contains(id);
  while (slice ? !taken_.insert(now).second : slices_now_.contains(now)) {
    now = g_.comprehension(shape.size(), shape, Reduction::none, g_.apply(Fn::detach, {g_[now].body}));
  }
  if (slice) slices_now_.insert(now);
  taken_.insert(now);
  reasons_.try_emplace(now, reason);
  stored_[id] = now;
  if (!slice) remember(now);
}

// Reads of nodes that have moved.
ScalarId Partitioner::rewrite_scalar(ScalarId id) {
  if (!g_.facts(id).reads) return id;
  if (auto it = rewritten_.find(id); it != rewritten_.end()) return it->second;
  const auto rewrite = [&](ScalarId a) { return rewrite_scalar(a); };
  const Scalar& s = g_[id];
  ScalarId result;
  if (const auto stored = stored_.find(s.tensor); s.kind != ScalarKind::read) {
    result = with_arguments(g_, id, rewrite);
  } else if (stored != stored_.end()) {
    result = with_arguments(g_, id, rewrite, stored->second);
  } else {
    std::vector<ScalarId> subscripts;
    std::transform(s.args.begin(), s.args.end(), std::back_inserter(subscripts), rewrite);
    result = substitute(g_, inlined_.at(s.tensor), subscripts);
  }
  rewritten_.emplace(id, result);
  return result;
}

void Partitioner::remember(NodeId id) {
  const Node& n = g_[id];
  if (n.kind != NodeKind::comprehension || n.reduction != Reduction::none) return;
  if (g_[n.body].kind != ScalarKind::apply) return;
  for (const ScalarId body : {n.body, without_copies(g_, n.body)}) {
    const Canonical c = canonical(g_, body, n.ranges);
    if (c.indices.size() != n.ranges.size()) return;
    known_outlines_.insert(outline_of(body));
    known_.try_emplace({c.body, c.ranges}, Known{id, c.indices});
  }
}

// What a renaming of indices leaves as it is.
std::pair<Fn, std::uint32_t> Partitioner::outline_of(ScalarId id) const {
  return {g_[id].fn, g_.facts(id).written};
}

std::optional<ScalarId> Partitioner::stored_value(ScalarId id, const Shape& ranges) {
  if (!known_outlines_.contains(outline_of(id))) return std::nullopt;
  const Canonical c = canonical(g_, id, ranges);
  const auto it = known_.find({c.body, c.ranges});
  if (it == known_.end()) return std::nullopt;
  std::vector<ScalarId> subscripts(c.indices.size());
  for (std::size_t k = 0; k < c.indices.size(); ++k) {
    subscripts[it->second.indices[k]] = g_.index(c.indices[k]);
  }
  return g_.read(it->second.node, std::move(subscripts));
}

// Subexpressions that are already stored become reads.
ScalarId Partitioner::reuse(ScalarId root, const Shape& ranges) {
  IdMap<ScalarId, ScalarId> done;
  auto visit = [&](auto&& self, ScalarId id) -> ScalarId {
    if (g_[id].kind != ScalarKind::apply) return id;
    if (auto it = done.find(id); it != done.end()) return it->second;
    if (const auto value = stored_value(id, ranges)) return done[id] = *value;
    Scalar s = g_[id];
    // max(x, c) > c exactly when x > c, and is the one that is stored after a rectifier.
    if (s.fn == Fn::gt && g_[s.args[1]].kind == ScalarKind::literal) {
      for (const auto& sides : {s.args, Arguments{s.args[1], s.args[0]}}) {
        const auto rectified = stored_value(g_.apply(Fn::max, sides), ranges);
        if (rectified) {
          s.args[0] = *rectified;
          break;
        }
      }
    }
    // x / c * y is x * (y / c), if that quotient is stored: as it is after a softmax, where y is
    // then wanted no more.
    for (const std::size_t k : {0u, 1u}) {
      if (s.fn != Fn::mul || g_[s.args[k]].kind != ScalarKind::apply || g_[s.args[k]].fn != Fn::div)
        continue;
      const Scalar& quotient = g_[s.args[k]];
      const auto other = stored_value(g_.apply(Fn::div, {s.args[1 - k], quotient.args[1]}), ranges);
      if (!other) continue;
      s.args = {quotient.args[0], *other};
      break;
    }
    for (ScalarId& a : s.args) a = self(self, a);
    return done[id] = g_.add(std::move(s));
  };
  return visit(visit, root);
}

bool is_computed(const Node& n) {
  return n.kind == NodeKind::comprehension || n.kind == NodeKind::random ||
         n.kind == NodeKind::recurrence;
}

// Gives every stored node its home, adding copies where one node has several.
class Homes {
 public:
  Homes(Graph& g, Partitioner& p) : g_(g), partitioner_(p) {}

  // The node that computes `value` into `home`.
  void place(NodeId value, Home home) {
    const NodeId owner = storage_of(g_, value);
    put(is_free(owner) ? owner : fresh_copy(value), home);
  }

  // As place, but the value itself stays where it is.
  void place_copy(NodeId value, Home home) { put(fresh_copy(value), home); }

  // Computed, and without a home so far.
  bool is_free(NodeId owner) const { return is_computed(g_[owner]) && !homes_.contains(owner); }

  // From the value rather than from another copy, which may be out of reach where this one is made.
  NodeId fresh_copy(NodeId value) {
    ScalarId& element = copies_[value];
    if (!element.valid()) {
      std::vector<ScalarId> subscripts;
      for (std::uint32_t k = 0; k < g_[value].type.rank(); ++k) subscripts.push_back(g_.index(k));
      element = g_.read(value, std::move(subscripts));
    }
    NodeId copy = partitioner_.copy_of(value, element);
    // Equal nodes are one node, so further copies of the same tensor are marked as such.
    while (homes_.contains(copy)) {
      element = g_.apply(Fn::detach, {element});
      copy = partitioner_.copy_of(value, element);
    }
    return copy;
  }

  void put(NodeId owner, Home home) {
    homes_[owner] = home;
    roots_.push_back(owner);
  }

  void keep_in_workspace(NodeId owner) { homes_[owner] = Home{}; }

  StoredNode stored(NodeId id) const {
    const auto it = homes_.find(id);
    return {id, it == homes_.end() ? Home{} : it->second, partitioner_.why(id)};
  }
  const std::vector<NodeId>& roots() const { return roots_; }

 private:
  Graph& g_;
  Partitioner& partitioner_;
  std::map<NodeId, Home> homes_;
  IdMap<NodeId, ScalarId> copies_;  // elements of the last that was tried; others have homes
  std::vector<NodeId> roots_;
};

// True if every read of `target` in an elementwise node is at the node's own index.
bool reads_in_place(const Graph& g, NodeId id, NodeId target) {
  const Node& n = g[id];
  if (n.kind != NodeKind::comprehension || n.reduction != Reduction::none) return false;
  bool in_place = true;
  for_each_read(g, n.body, [&](const Scalar& read) {
    if (storage_of(g, read.tensor) != target) return;
    in_place = in_place && read.tensor == target && read.args.size() == n.type.rank();
    for (std::uint32_t k = 0; in_place && k < read.args.size(); ++k) {
      in_place = g[read.args[k]].kind == ScalarKind::index && g[read.args[k]].index == k;
    }
  });
  return in_place;
}

// What has to wait for what in a function, some of whose values are computed over what they are the next value of.
class Waiting {
 public:
  Waiting(const Graph& g, const std::vector<NodeId>& order) : g_(g), sources_(g) {
    for (NodeId id : order) add(id);
  }

  void add(NodeId id) {
    if (!is_computed(g_[id])) return;
    for (NodeId source : sources_.of(id)) readers_[source].push_back(id);
  }

  void overwrite(NodeId owner, NodeId target) { overwriters_[target].push_back(owner); }

  // True if the value can be written over its target while the old one is still needed by others: nobody
  // who reads the old one needs the new one first, or waits for it because of another such update.
  bool may_overwrite(NodeId owner, NodeId target) {
    if (sources_.reads(owner, target) && !reads_in_place(g_, owner, target)) return false;
    std::vector<NodeId> after{owner};
    std::unordered_set<NodeId> seen{owner};
    for (std::size_t k = 0; k < after.size(); ++k) {
      const auto wait = [&](const std::vector<NodeId>& others) {
        for (NodeId id : others)
          if (seen.insert(id).second) after.push_back(id);
      };
      if (k > 0 && sources_.reads(after[k], target)) return false;
      if (const auto it = readers_.find(after[k]); it != readers_.end()) wait(it->second);
      for (NodeId source : sources_.of(after[k]))
        if (const auto it = overwriters_.find(source); it != overwriters_.end()) wait(it->second);
    }
    return true;
  }

 private:
  const Graph& g_;
  ReadNodes sources_;
  std::unordered_map<NodeId, std::vector<NodeId>> readers_;      // by what they read
  std::unordered_map<NodeId, std::vector<NodeId>> overwriters_;  // by target
};

std::vector<NodeId> nodes_of(const std::vector<Output>& outputs) {
  std::vector<NodeId> nodes;
  for (const Output& o : outputs) nodes.push_back(o.node);
  return nodes;
}

std::vector<NodeId> now(const Partitioner& p, const std::vector<Output>& outputs) {
  std::vector<NodeId> nodes;
  for (const Output& o : outputs) nodes.push_back(p.now(o.node));
  return nodes;
}

void append(FunctionPlan& plan, const Graph& g, const std::vector<NodeId>& order, const Homes& homes,
            std::set<NodeId>& done) {
  const std::vector<TimeLoop>& loops = plan.loops;
  const auto loop_of = loops_of(g, order, loops);
  std::vector<std::vector<NodeId>> groups(loops.size());
  for (const bool results : {false, true}) {
    for (NodeId id : order) {
      const auto loop = loop_of.find(id);
      if (loop == loop_of.end() || !is_computed(g[id])) continue;
      if ((g[id].kind == NodeKind::recurrence) == results) groups[loop->second - 1].push_back(id);
    }
  }
  auto slice_of = [&](NodeId id, std::uint32_t loop) -> std::pair<NodeId, std::uint32_t> {
    const TimeLoop& l = loops[loop - 1];
    for (NodeId result : l.results) {
      if (g[result].operand == id) return {result, g[result].stream};
    }
    for (const Equation& e : g[l.results[0]].equations) {
      if (e.body == id && e.past.valid()) return {e.past, e.time};
    }
    return {};
  };
  auto is_slice = [&](NodeId id, std::uint32_t loop) {
    const auto& equations = g[loops[loop - 1].results[0]].equations;
    return std::any_of(equations.begin(), equations.end(), [&](const Equation& e) { return e.body == id; });
  };
  for (NodeId id : order_by_groups(g, order, groups)) {
    if (!is_computed(g[id]) || g[id].kind == NodeKind::recurrence || !done.insert(id).second) continue;
    StoredNode s = homes.stored(id);
    if (const auto loop = loop_of.find(id); loop != loop_of.end()) {
      s.loop = loop->second;
      std::tie(s.whole, s.axis) = slice_of(id, s.loop);
      if (s.whole.valid()) s.home = homes.stored(s.whole).home;
      if (!s.whole.valid() && is_slice(id, s.loop)) continue;  // kept for nobody
    }
    plan.stored.push_back(s);
  }
}

FunctionPlan plan_net(Graph& g, Partitioner& p, const Function& f, FunctionPlan plan) {
  const auto outputs = now(p, f.outputs);
  const auto gradients = now(p, f.gradients);
  // The caller owns the outputs, so what the backward half reads of them is kept as well.
  std::set<NodeId> forward;
  for (NodeId id : topological_order(g, outputs)) forward.insert(id);
  std::set<NodeId> kept;
  ReadNodes sources(g);
  for (NodeId id : topological_order(g, gradients)) {
    if (forward.contains(id)) continue;
    for (NodeId source : sources.of(id)) kept.insert(source);
  }
  for (NodeId id : gradients) kept.insert(storage_of(g, id));
  Homes homes(g, p);
  for (std::uint32_t k = 0; k < outputs.size(); ++k) {
    const Home home{Storage::output, {}, k};
    if (kept.contains(storage_of(g, outputs[k]))) {
      homes.place_copy(outputs[k], home);
    } else {
      homes.place(outputs[k], home);
    }
  }
  std::vector<NodeId> everything = outputs;
  everything.insert(everything.end(), gradients.begin(), gradients.end());
  plan.loops = find_time_loops(g, everything);
  std::set<NodeId> done;
  append(plan, g, topological_order(g, homes.roots()), homes, done);
  plan.forward_count = plan.stored.size();
  for (const StoredNode& s : plan.stored) {
    const NodeId owner = s.whole.valid() ? s.whole : s.node;
    if (s.home.storage == Storage::workspace) homes.keep_in_workspace(owner);
  }
  for (std::uint32_t k = 0, input = 0; k < gradients.size(); ++k) {
    const NodeId of = gradient_target(g, f, k);
    if (g[of].kind == NodeKind::parameter) {
      homes.place(gradients[k], {Storage::gradient, of, 0});
    } else {
      homes.place(gradients[k], {Storage::output, of, input++});
    }
  }
  append(plan, g, topological_order(g, homes.roots()), homes, done);
  return plan;
}

FunctionPlan plan_step(Graph& g, Partitioner& p, const Function& f, FunctionPlan plan, bool updates) {
  Homes homes(g, p);
  const auto outputs = now(p, updates ? f.outputs : evaluated(f));
  for (std::uint32_t k = 0; k < outputs.size(); ++k) {
    homes.place(outputs[k], {Storage::output, {}, k});
  }
  std::vector<NodeId> everything = outputs;
  for (const Update& u : f.updates) {
    if (updates) everything.push_back(p.now(u.value));
  }
  plan.loops = find_time_loops(g, everything);
  std::set<NodeId> done;
  const auto forward = topological_order(g, homes.roots());
  append(plan, g, updates ? p.with_kept(forward) : forward, homes, done);
  plan.forward_count = plan.stored.size();
  if (!updates) return plan;

  Waiting waiting(g, topological_order(g, everything));
  for (const Update& u : f.updates) {
    const NodeId value = p.now(u.value);
    if (value == u.target) continue;
    const Storage storage =
        g[u.target].kind == NodeKind::parameter ? Storage::parameter : Storage::state;
    const Home home{storage, u.target, 0};
    NodeId owner = storage_of(g, value);
    if (!homes.is_free(owner) || g[owner].kind == NodeKind::recurrence) {
      owner = homes.fresh_copy(value);
      waiting.add(owner);
    }
    if (waiting.may_overwrite(owner, u.target)) {
      homes.put(owner, home);
      waiting.overwrite(owner, u.target);
    } else {
      homes.place_copy(owner, home);
    }
  }
  append(plan, g, topological_order(g, homes.roots()), homes, done);
  return plan;
}

}  // namespace

NodeId storage_of(const Graph& g, NodeId id) {
  while (g[id].kind == NodeKind::reshape) id = g[id].operand;
  return id;
}

NodeId gradient_target(const Graph& g, const Function& f, std::size_t k) {
  const std::string& name = f.gradients[k].name;
  GRADC_CHECK(name.size() > 1 && name[0] == 'd', "a gradient is named d + what it belongs to");
  const std::string_view of = std::string_view(name).substr(1);
  const std::string own_input = f.name + "." + std::string(of);
  for (std::uint32_t id = 0; id < g.node_count(); ++id) {
    const Node& n = g[NodeId{id}];
    const bool named = n.kind == NodeKind::input || n.kind == NodeKind::parameter;
    if (!named || (n.name != of && n.name != own_input)) continue;
    const bool own = std::find(f.inputs.begin(), f.inputs.end(), NodeId{id}) != f.inputs.end();
    if (n.kind == NodeKind::parameter || own) return NodeId{id};
  }
  GRADC_UNREACHABLE("gradient of nothing: " + name);
}

std::vector<FunctionPlan> partition(Graph& g, const Target& target) {
  std::vector<FunctionPlan> plans;
  for (std::uint32_t k = 0; k < g.functions.size(); ++k) {
    const bool step = g.functions[k].kind == FunctionKind::step;
    const Function f = slice_time(g, step ? keep_factors(g, g.functions[k]) : g.functions[k]);
    Partitioner p(g, target);
    p.rewrite_function(training_roots(f));
    FunctionPlan plan;
    plan.function = k;
    switch (f.kind) {
      case FunctionKind::init:
        plan.entry = Entry::init;
        plans.push_back(plan_step(g, p, f, plan, true));
        break;
      case FunctionKind::net:
        plan.entry = Entry::forward;
        plans.push_back(plan_net(g, p, f, plan));
        break;
      case FunctionKind::step: {
        plan.entry = Entry::step;
        p.keep_formulas(nodes_of(f.outputs), training_roots(f));
        plans.push_back(plan_step(g, p, f, plan, true));
        plan.entry = Entry::evaluate;
        std::vector<NodeId> reports;
        for (const Output& o : f.evaluation) reports.push_back(o.node);
        Partitioner own(g, target);  // stored is what these need, whatever training does
        own.rewrite_function(reports);
        plans.push_back(plan_step(g, reports.empty() ? p : own, f, plan, false));
        break;
      }
    }
  }
  return plans;
}

}  // namespace gradc

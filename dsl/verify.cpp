// verify.cpp: the rules of a legal graph, one function each.
#include "dsl/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "dsl/bounds.h"
#include "dsl/check.h"
#include "dsl/recurrence.h"
#include "dsl/seen_scalars.h"

namespace gradc {
namespace {

class Verifier {
 public:
  Verifier(const Graph& graph, const char* stage, LegalNodes& legal) : g(graph), stage_(stage), legal_(legal) {
    legal_.resize(g.node_count());
  }

  void run() {
    std::vector<NodeId> roots;
    for (const Function& f : g.functions) {
      check_function(f);
      for (NodeId id : roots_of(f)) roots.push_back(id);
      for (const Minimize& m : f.minimizes) roots.push_back(m.loss);
    }
    check_loops(run(roots));
  }

  std::vector<NodeId> run(const std::vector<NodeId>& roots) {
    std::vector<NodeId> order = topological_order(g, roots);
    for (NodeId id : order) {
      if (!legal_[id.value]) check_node(id);
      legal_[id.value] = true;
    }
    return order;
  }

 private:
  // Puts words together only where the condition does not hold: nearly all do.
  template <class... Args>
  void require(bool condition, fmt::format_string<Args...> what, Args&&... args) const {
    GRADC_CHECK(condition, fmt::format("after {}: {}: {}", stage_, place(), fmt::format(what, std::forward<Args>(args)...)));
  }

  void set_place(NodeId id) { node_ = id; }
  void set_place(std::string what) {
    place_ = std::move(what);
    node_ = {};
  }
  std::string place() const {
    if (!node_.valid()) return place_;
    const std::string& name = g[node_].name.empty() ? g.label(node_).name : g[node_].name;
    return fmt::format("node {} '{}'", node_.value, name);
  }

  void check_id(NodeId id, const char* what) const {
    require(id.valid() && id.value < g.node_count(), "{} does not exist", what);
  }

  // --- functions ---

  void check_function(const Function& f) {
    set_place("function " + f.name);
    for (NodeId id : f.inputs) {
      check_id(id, "an input");
      require(g[id].kind == NodeKind::input, "an input is no input node");
    }
    for (NodeId id : f.cotangents) check_id(id, "a cotangent");
    for (const Output& o : f.outputs) check_id(o.node, "an output");
    for (const Output& o : f.gradients) check_id(o.node, "a gradient");
    check_evaluation(f);
    for (const Update& u : f.updates) {
      check_id(u.target, "an updated value");
      check_id(u.value, "an update");
      const Node& target = g[u.target];
      require(target.kind == NodeKind::parameter || target.kind == NodeKind::state,
              "only parameters and states are updated");
      require(target.type == g[u.value].type, "an update differs from its target in type");
    }
    for (const Minimize& m : f.minimizes) {
      check_id(m.loss, "a loss");
      require(g[m.loss].type.rank() == 0 && is_float(g[m.loss].type.dtype),
              "a loss is no float scalar");
      for (NodeId p : m.parameters) check_id(p, "a minimized parameter");
    }
  }

  // Both are read through one struct.
  void check_evaluation(const Function& f) {
    if (f.evaluation.empty()) return;
    require(f.kind == FunctionKind::step, "only a step is evaluated");
    require(f.evaluation.size() == f.outputs.size(), "an evaluation has other reports");
    for (std::size_t k = 0; k < f.outputs.size(); ++k) {
      const Output& o = f.evaluation[k];
      check_id(o.node, "a report of the evaluation");
      require(o.name == f.outputs[k].name, "an evaluation has other reports");
      require(g[o.node].type == g[f.outputs[k].node].type,
              "a report differs from that of the evaluation in type");
    }
  }

  // --- nodes ---

  void check_extent(const Extent& e) const {
    require(e.is_fixed() || e.dim.value < g.dims().size(), "a dim does not exist");
    require(max_extent(g, e) >= 0, "an extent is negative");
  }

  void check_node(NodeId id) {
    set_place(id);
    const Node& n = g[id];
    for (const Extent& e : n.type.shape) check_extent(e);
    for (const Extent& e : n.ranges) check_extent(e);
    switch (n.kind) {
      case NodeKind::input:
      case NodeKind::parameter:
      case NodeKind::state:
        require(!n.name.empty(), "a named node has no name");
        break;
      case NodeKind::constant:
        check_constant(n);
        break;
      case NodeKind::random:
        require(is_float(n.type.dtype), "randomness is not float");
        break;
      case NodeKind::comprehension:
        check_comprehension(n);
        break;
      case NodeKind::reshape:
        check_reshape(n);
        break;
      case NodeKind::past:
        break;
      case NodeKind::recurrence:
        require(!n.equations.empty(), "a recurrence without equations");
        // In slices, what is only left behind has no past.
        for (const Equation& e : n.equations)
          if (e.past.valid() || n.ranges.empty()) check_id(e.past, "a past");
        break;
      case NodeKind::custom:
        require(is_float(n.type.dtype), "a custom gradient of what is not float");
        require(n.type == g[n.operand].type, "a custom node differs from its value in type");
        for (NodeId stands_in : {n.result, n.cotangent}) {
          require(g[stands_in].kind == NodeKind::input && g[stands_in].type == n.type,
                  "what stands for a custom node is no input of its type");
        }
        for (const Pull& p : n.pulls)
          require(g[p.to].type == g[p.value].type, "what a custom node passes on differs in type");
        break;
      case NodeKind::gradient:
        require(g[n.operand].type.rank() == 0, "the loss of a gradient is no scalar");
        require(is_float(g[n.operand].type.dtype), "the loss of a gradient is not float");
        require(n.type == g[n.wrt].type, "a gradient differs from its variable in type");
        break;
    }
  }

  // What depends on a past is read by a recurrence of it, and by nothing else.
  void check_loops(const std::vector<NodeId>& order) {
    set_place("a recurrence");
    std::unordered_map<NodeId, std::size_t> loop_of;
    const std::vector<Loop> loops = find_loops(g, order);
    for (std::size_t k = 0; k < loops.size(); ++k) {
      require(loops[k].problem.empty(), "{}", loops[k].problem);
      for (NodeId result : loops[k].results) {
        require(g[result].type == g[g[result].operand].type, "a recurrence differs from its value in type");
      }
      for (const auto& [id, time] : loops[k].time) loop_of.emplace(id, k);
    }
    for (NodeId id : order) {
      set_place(id);
      require(g[id].kind != NodeKind::past || loop_of.contains(id), "a past of no recurrence");
      for (NodeId operand : g.operands(id)) {
        const auto inside = loop_of.find(operand);
        if (inside == loop_of.end()) continue;
        const auto own = loop_of.find(g[id].kind == NodeKind::recurrence ? g[id].equations[0].past : id);
        require(own != loop_of.end() && own->second == inside->second,
                "a step of a recurrence is read outside of it");
      }
    }
    for (const Function& f : g.functions) {
      for (NodeId root : roots_of(f)) {
        set_place(root);
        require(!loop_of.contains(root), "a step of a recurrence is a result");
      }
    }
  }

  void check_constant(const Node& n) const {
    std::int64_t count = 1;
    for (const Extent& e : n.type.shape) {
      require(e.is_fixed(), "a constant has a run-time size");
      count *= e.offset;
    }
    require(static_cast<std::size_t>(count) == n.values.size(), "a constant has missing values");
  }

  // Fixed extents are multiplied; the run-time ones must be the same on both sides.
  void check_reshape(const Node& n) const {
    const Node& from = g[n.operand];
    require(n.type.dtype == from.type.dtype, "a reshape changes the dtype");
    auto count = [&](const Shape& shape, bool at_bound) {
      std::int64_t product = 1;
      for (const Extent& e : shape) product *= at_bound ? max_extent(g, e) : e.offset + e.scale;
      return product;
    };
    for (bool at_bound : {false, true}) {
      require(count(n.type.shape, at_bound) == count(from.type.shape, at_bound),
              "a reshape changes the number of elements");
    }
  }

  void check_comprehension(const Node& n) {
    const std::size_t rank = n.type.rank();
    require(rank <= n.ranges.size(), "fewer indices than axes");
    require(std::equal(n.type.shape.begin(), n.type.shape.end(), n.ranges.begin()),
            "free indices do not run over the axes");
    require((n.reduction == Reduction::none) == (rank == n.ranges.size()),
            "a reduction without indices, or indices without a reduction");
    const bool position = n.reduction == Reduction::argmax || n.reduction == Reduction::argmin;
    require(n.type.dtype == (position ? DType::i32 : g[n.body].dtype),
            "the body has another dtype than the result");
    ranges_ = &n.ranges;
    guarded_.emplace();
    unguarded_.emplace();
    check_scalar(n.body, false);
  }

  // --- scalars ---

  void check_scalar(ScalarId id, bool guarded) {
    require(id.valid() && id.value < g.scalar_count(), "a scalar does not exist");
    if (unguarded_->contains(id) || !(guarded ? guarded_ : unguarded_)->insert(id)) return;
    const Scalar& s = g[id];
    for (std::size_t k = 0; k < s.args.size(); ++k) {
      check_scalar(s.args[k], guarded || (s.fn == Fn::select && k > 0));
    }
    switch (s.kind) {
      case ScalarKind::literal:
        break;
      case ScalarKind::index:
        require(s.dtype == DType::i32, "an index is not i32");
        require(s.index < ranges_->size(), "an index is not bound");
        break;
      case ScalarKind::size:
        require(s.dtype == DType::i32, "a size is not i32");
        check_extent(s.extent);
        break;
      case ScalarKind::read:
        check_read(s, guarded);
        break;
      case ScalarKind::apply:
        check_apply(s);
        break;
    }
  }

  void check_read(const Scalar& s, bool guarded) const {
    const TensorType& type = g[s.tensor].type;
    require(s.dtype == type.dtype, "a read has another dtype than its tensor");
    require(s.args.size() == type.rank(), "a read needs one subscript per axis");
    for (std::size_t k = 0; k < s.args.size(); ++k) {
      require(g[s.args[k]].dtype == DType::i32, "a subscript is not i32");
      if (s.zero_outside || guarded || is_index_over(g[s.args[k]], *ranges_, type.shape[k]))
        continue;
      Affine a;
      if (!as_affine(g, s.args[k], a)) continue;
      const bool timed = std::any_of(a.sizes.begin(), a.sizes.end(),
                                     [&](const auto& size) { return g.dim(size.first).least == 0; });
      if (timed) continue;  // its loop keeps it inside
      require(always_inside(g, a, *ranges_, type.shape[k]),
              "subscript {} of a read of node {} may lie outside", k, s.tensor.value);
    }
  }

  void check_apply(const Scalar& s) const {
    require(s.args.size() == static_cast<std::size_t>(info(s.fn).arity),
            "{} has the wrong number of arguments", info(s.fn).name);
    auto dtype = [&](std::size_t k) { return g[s.args[k]].dtype; };
    if (s.fn == Fn::cast) return;
    if (s.fn == Fn::select) {
      require(dtype(0) == DType::boolean, "the condition of a select is not bool");
      require(dtype(1) == dtype(2) && s.dtype == dtype(1), "the branches of a select differ");
      return;
    }
    for (std::size_t k = 1; k < s.args.size(); ++k) {
      require(dtype(k) == dtype(0),
              "the operands of {} differ in dtype", info(s.fn).name);
    }
    if (s.fn == Fn::logical_and || s.fn == Fn::logical_or || s.fn == Fn::logical_not) {
      require(dtype(0) == DType::boolean, "logic on something that is not bool");
    }
    if (s.fn == Fn::floor_div || s.fn == Fn::mod) {
      require(dtype(0) == DType::i32, "integer division of something that is not an integer");
    }
    const bool boolean = info(s.fn).result == FnResult::boolean;
    require(s.dtype == (boolean ? DType::boolean : dtype(0)), "an application has a wrong dtype");
  }

  const Graph& g;
  const char* stage_;
  LegalNodes& legal_;
  std::string place_;  // what is looked at, unless it is a node
  NodeId node_ = {};
  const Shape* ranges_ = nullptr;
  std::optional<SeenScalars> guarded_, unguarded_;  // of the current comprehension
};

}  // namespace

void verify(const Graph& g, const char* stage) {
  LegalNodes none;
  verify(g, stage, none);
}

void verify(const Graph& g, const char* stage, LegalNodes& legal) {
  Verifier(g, stage, legal).run();
}

void verify(const Graph& g, const std::vector<NodeId>& nodes, const char* stage, LegalNodes& legal) {
  Verifier(g, stage, legal).run(nodes);
}

}  // namespace gradc

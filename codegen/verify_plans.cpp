// verify_plans.cpp: the rules of a legal plan.
#include "codegen/verify_plans.h"

#include <fmt/format.h>

#include <vector>

#include "dsl/check.h"

namespace gradc {
namespace {

using loops::Storage;

// Meets the tensors of one function in the order in which they are computed.
class Walk {
 public:
  Walk(const Graph& graph, const FunctionPlan& plan, const char* stage)
      : g(graph),
        plan_(plan),
        stage_(stage),
        met_(graph.node_count()),
        overwritten_(graph.node_count()) {}

  void require(bool condition, NodeId id, const char* what) const {
    GRADC_CHECK(condition,
                fmt::format("after {}: {}, node {} '{}': {}", stage_,
                            g.functions[plan_.function].name, id.value, g.label(id).name, what));
  }

  void meet(const StoredNode& s) {
    const NodeKind kind = g[s.node].kind;
    require(kind == NodeKind::comprehension || kind == NodeKind::random, s.node,
            "nothing computes it");
    for (NodeId operand : g.operands(s.node)) {
      const NodeId owner = storage_of(g, operand);
      const bool computed =
          g[owner].kind == NodeKind::comprehension || g[owner].kind == NodeKind::random;
      require(!computed || met_[owner.value], s.node, "it reads what is not computed yet");
      require(!overwritten_[owner.value], s.node, "it reads what is overwritten by then");
    }
    require(!met_[s.node.value], s.node, "it is computed twice");
    met_[s.node.value] = true;
    ++count_;
  }

  // A value has taken the place of its target.
  void overwrite(NodeId target) { overwritten_[target.value] = true; }

  std::size_t count() const { return count_; }

 private:
  const Graph& g;
  const FunctionPlan& plan_;
  const char* stage_;
  std::vector<bool> met_, overwritten_;
  std::size_t count_ = 0;
};

}  // namespace

void verify(const Graph& g, const std::vector<FunctionPlan>& plans, const char* stage, LegalNodes& legal) {
  std::vector<NodeId> all;
  for (const FunctionPlan& plan : plans) {
    Walk walk(g, plan, stage);
    for (const StoredNode& s : plan.stored) {
      walk.meet(s);
      all.push_back(s.node);
    }
  }
  verify(g, all, stage, legal);
}

void verify(const Graph& g, const std::vector<FunctionPlan>& plans,
            const std::vector<std::vector<KernelPlan>>& kernels, const char* stage) {
  for (std::size_t k = 0; k < plans.size(); ++k) {
    Walk walk(g, plans[k], stage);
    for (const KernelPlan& kernel : kernels[k]) {
      // Within a kernel an element is read before it is overwritten: that is what sharing loops
      // asks for.
      for (const StoredNode& s : kernel.members) walk.meet(s);
      for (const StoredNode& s : kernel.members) {
        const bool takes_over =
            s.home.storage == Storage::parameter || s.home.storage == Storage::state;
        if (takes_over) walk.overwrite(s.home.target);
      }
    }
    GRADC_CHECK(walk.count() == plans[k].stored.size(),
                fmt::format("after {}: {}: a tensor is in no kernel", stage,
                            g.functions[plans[k].function].name));
  }
}

}  // namespace gradc

// store_otherwise.cpp: a small factor at everything that is stored as bf16.
#include "store_otherwise.h"

#include <algorithm>
#include <set>

#include "codegen/narrow.h"
#include "codegen/partition.h"
#include "codegen/schedule.h"
#include "dsl/check.h"
#include "dsl/rewrite_scalars.h"

namespace test {
namespace {

using namespace gradc;
using loops::Entry;
using loops::Storage;

std::size_t gradient_of(const Graph& g, const Function& f, NodeId target) {
  for (std::size_t k = 0; k < f.gradients.size(); ++k)
    if (gradient_target(g, f, k) == target) return k;
  GRADC_UNREACHABLE("no gradient of it");
}

// Computes what the plan stores, instead of what it was made of.
void compute_stored(Graph& g, const FunctionPlan& plan) {
  Function f = g.functions[plan.function];
  for (const StoredNode& s : plan.stored) {
    const NodeId target = s.home.target;
    if (s.home.storage == Storage::gradient || (s.home.storage == Storage::output && target.valid())) {
      f.gradients[gradient_of(g, f, target)].node = s.node;
    } else if (s.home.storage == Storage::output && plan.entry != Entry::evaluate) {
      f.outputs.at(s.home.result).node = s.node;
    } else if (s.home.storage == Storage::output && !f.evaluation.empty()) {
      f.evaluation.at(s.home.result).node = s.node;
    }
    for (Update& u : f.updates)
      if (u.target == target && (s.home.storage == Storage::parameter || s.home.storage == Storage::state)) u.value = s.node;
  }
  g.functions[plan.function] = std::move(f);
}

}  // namespace

std::vector<Graph> stored_otherwise(const Graph& graph, const Target& target) {
  Graph g = graph;
  std::vector<FunctionPlan> plans = partition(g, target);
  schedule(g, plans, target);
  narrow(g, plans, target);
  std::set<NodeId> narrowed;
  const bool loops = std::any_of(plans.begin(), plans.end(), [](const FunctionPlan& p) { return !p.loops.empty(); });
  if (loops) {
    g = graph;
    for (const Function& f : g.functions) {
      for (NodeId id : topological_order(g, roots_of(f))) {
        const Node& n = g[id];
        const bool sums = n.reduction == Reduction::none || n.reduction == Reduction::sum;
        if (n.kind == NodeKind::comprehension && n.type.dtype == DType::f32 && n.type.rank() > 0 && sums) narrowed.insert(id);
      }
    }
    plans.clear();
  }
  for (const FunctionPlan& plan : plans) {
    compute_stored(g, plan);
    for (const StoredNode& s : plan.stored)
      if (s.bf16) narrowed.insert(s.node);
  }
  std::vector<Graph> result;
  for (double phase : {0.1, 1000.7, 2000.9, 3000.2, 4000.3, 5000.8}) {
    result.push_back(g);
    const auto same = [](Graph&, const ScalarPlace&, ScalarId id) { return id; };
    // By the free indices alone: what is summed moves with its sum.
    rewrite_scalars(result.back(), same, [&](Graph& to, NodeId id, ScalarId body) {
      return narrowed.contains(id) ? waved(to, body, 0x1p-8, phase += 1.234567, to[id].type.rank()) : body;
    });
  }
  return result;
}

}  // namespace test

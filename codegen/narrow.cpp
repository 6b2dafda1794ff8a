// narrow.cpp: which values are stored in 16 bits.
#include "codegen/narrow.h"

#include <algorithm>
#include <set>

#include "codegen/index_roles.h"
#include "codegen/product_tiles.h"
#include "codegen/products.h"
#include "codegen/read_nodes.h"
#include "codegen/schedule.h"

namespace gradc {

using loops::Storage;

namespace {

// Of a parameter or state, or a gradient that the caller gets, by what was computed before.
bool is_update(const StoredNode& s) {
  const Storage home = s.home.storage;
  return s.form == Form::pointwise &&
         (home == Storage::parameter || home == Storage::state || home == Storage::gradient);
}

class Narrowing {
 public:
  Narrowing(const Graph& g, FunctionPlan& plan, const Target& target)
      : g_(g), plan_(plan), target_(target), reads_(g) {}

  void run() {
    for (const StoredNode& s : plan_.stored) {
      if (is_update(s)) {
        for (NodeId read : reads_.of(s.node)) exact_.insert(read);
      }
      if (is_statistic(s)) statistics_.insert(s.node);
    }
    for (StoredNode& s : plan_.stored) s.bf16 = may_round(s);
  }

  // Factors that are taken in pairs.
  void run_pairs() {
    std::set<NodeId> pairs, neighbours;
    for (const StoredNode& s : plan_.stored) {
      if (s.form != Form::product) continue;
      const auto form = product_form(g_, s.node, target_.isa);
      if (!form->pairs) continue;
      pairs.insert(g_[form->b].tensor);
      neighbours.insert(g_[form->a].tensor);
    }
    for (StoredNode& s : plan_.stored) {
      s.bf16 = s.bf16 || (pairs.contains(s.node) && s.home.storage == Storage::workspace);
      const bool copy = s.form == Form::pointwise && g_[s.node].kind == NodeKind::comprehension && reads_plainly(g_, g_[s.node].body);
      s.alone =
          s.alone || pairs.contains(s.node) || (neighbours.contains(s.node) && copy && s.bf16);
    }
  }

 private:
  // A sum of other than products, a mean or a maximum, or what is computed of such alone, and of parameters.
  bool is_statistic(const StoredNode& s) {
    if (s.form == Form::fold || s.form == Form::spread || s.form == Form::scatter) return true;
    const auto is_parameter = [&](NodeId id) { return g_[id].kind == NodeKind::parameter; };
    const auto& reads = reads_.of(s.node);
    if (s.form != Form::pointwise || std::all_of(reads.begin(), reads.end(), is_parameter)) return false;
    return std::all_of(reads.begin(), reads.end(), [&](NodeId id) {
      return is_parameter(id) || g_[id].kind == NodeKind::state || g_[id].kind == NodeKind::constant ||
             statistics_.contains(id);
    });
  }

  // Long sums of products go into memory block by block.
  bool adds_in_memory(const StoredNode& s) const {
    if (target_.grid() || s.form != Form::product) return false;
    const Node& n = g_[s.node];
    double terms = 1;
    for (std::size_t k = n.type.rank(); k < n.ranges.size(); ++k) {
      terms *= static_cast<double>(max_extent(g_, n.ranges[k]));
    }
    return terms > most_terms;
  }

  bool may_round(const StoredNode& s) const {
    const Node& n = g_[s.node];
    const bool one = std::all_of(n.type.shape.begin(), n.type.shape.end(),
                                 [&](const Extent& e) { return max_extent(g_, e) == 1; });
    return n.kind == NodeKind::comprehension && n.type.dtype == DType::f32 && !one && !s.whole.valid() &&
           s.home.storage == Storage::workspace && !statistics_.contains(s.node) && !exact_.contains(s.node) &&
           !adds_in_memory(s);
  }

  const Graph& g_;
  FunctionPlan& plan_;
  const Target& target_;
  ReadNodes reads_;
  std::set<NodeId> exact_;       // read by an update
  std::set<NodeId> statistics_;
};

}  // namespace

void narrow(const Graph& g, std::vector<FunctionPlan>& plans, const Target& target) {
  if (!target.bf16) return;
  for (FunctionPlan& plan : plans) {
    Narrowing narrowing(g, plan, target);
    if (plan.entry != loops::Entry::init) narrowing.run();
    narrowing.run_pairs();
  }
}

}  // namespace gradc

// fuse.cpp: which stored tensors share a loop nest.
#include "codegen/fuse.h"

#include <algorithm>
#include <map>
#include <set>

#include "codegen/read_nodes.h"
#include "dsl/check.h"

namespace gradc {
namespace {

// How far back a kernel is looked for that a tensor may join.
constexpr std::size_t window = 16;

bool overwrites(const StoredNode& s) {
  return s.home.storage == loops::Storage::parameter || s.home.storage == loops::Storage::state;
}

// The plan's tensors with what each must come after, in an order that frees memory early: what overwrites a parameter (and
// so ends the life of a gradient) comes as soon as it may, and so does a gradient that only such tensors read, as soon as
// they wait for nothing else: then they can share its loops, and find what it is computed from in a near cache.
class Order {
 public:
  Order(ReadNodes& sources, const FunctionPlan& plan) : plan_(plan), after_(plan.stored.size()) {
    std::map<NodeId, std::size_t> position;
    for (std::size_t k = 0; k < plan.stored.size(); ++k) position[plan.stored[k].node] = k;
    std::map<NodeId, std::vector<std::size_t>> readers;
    std::vector<std::vector<std::size_t>> members(plan.loops.size());
    for (std::size_t k = 0; k < plan.stored.size(); ++k) {
      if (plan.stored[k].loop > 0) members[plan.stored[k].loop - 1].push_back(k);
    }
    std::map<NodeId, std::size_t> loop_of;
    for (std::size_t l = 0; l < plan.loops.size(); ++l) {
      for (NodeId result : plan.loops[l].results) loop_of[result] = l;
    }
    for (std::size_t k = 0; k < plan.stored.size(); ++k) {
      for (NodeId source : sources.of(plan.stored[k].node)) {
        readers[source].push_back(k);
        if (auto it = position.find(source); it != position.end()) after_[k].insert(it->second);
        // What a loop leaves is there when all of it has run.
        if (auto it = loop_of.find(source); it != loop_of.end()) {
          after_[k].insert(members[it->second].begin(), members[it->second].end());
        }
      }
    }
    // A loop begins when there is all that any iteration needs.
    for (const auto& loop : members) {
      std::set<std::size_t> needed;
      for (std::size_t k : loop) needed.insert(after_[k].begin(), after_[k].end());
      for (std::size_t k : loop) needed.erase(k);
      for (std::size_t k : loop) after_[k].insert(needed.begin(), needed.end());
    }
    for (std::size_t k = 0; k < plan.stored.size(); ++k) {
      if (!overwrites(plan.stored[k])) continue;
      for (std::size_t reader : readers[plan.stored[k].home.target]) {
        if (reader != k) after_[k].insert(reader);
      }
    }
    updates_.resize(plan.stored.size());
    const auto updates = [&](std::size_t user) { return overwrites(plan.stored[user]); };
    for (std::size_t k = 0; k < plan.stored.size(); ++k) {
      const std::vector<std::size_t>& users = readers[plan.stored[k].node];
      if (updates(k) || !std::all_of(users.begin(), users.end(), updates)) continue;
      updates_[k] = users;
      for (std::size_t u = 0; u < updates_[k].size(); ++u) {
        for (std::size_t user : readers[plan.stored[updates_[k][u]].node]) {
          const bool known = std::find(updates_[k].begin(), updates_[k].end(), user) != updates_[k].end();
          if (updates(user) && !known) updates_[k].push_back(user);
        }
      }
    }
  }

  const std::set<std::size_t>& after(std::size_t k) const { return after_[k]; }

  std::vector<std::size_t> sorted() const {
    std::vector<std::size_t> waiting(after_.size());
    std::vector<std::vector<std::size_t>> before(after_.size());
    // Of a gradient: what its updates wait for beside it and each other, and whose updates wait for a tensor.
    std::vector<std::size_t> updates_wait(after_.size());
    std::vector<std::vector<std::size_t>> gradients(after_.size());
    std::set<std::tuple<bool, bool, std::size_t>> ready;
    const auto rank = [&](std::size_t k) {
      const bool soon = overwrites(plan_.stored[k]) || (!updates_[k].empty() && updates_wait[k] == 0);
      return std::tuple(k >= plan_.forward_count, !soon, k);
    };
    for (std::size_t k = 0; k < after_.size(); ++k) {
      std::set<std::size_t> others;
      for (std::size_t update : updates_[k]) others.insert(after_[update].begin(), after_[update].end());
      for (std::size_t update : updates_[k]) others.erase(update);
      others.erase(k);
      updates_wait[k] = others.size();
      for (std::size_t other : others) gradients[other].push_back(k);
    }
    for (std::size_t k = 0; k < after_.size(); ++k) {
      waiting[k] = after_[k].size();
      for (std::size_t other : after_[k]) before[other].push_back(k);
      if (waiting[k] == 0) ready.insert(rank(k));
    }
    std::vector<std::size_t> result;
    while (!ready.empty()) {
      auto next = ready.begin();
      const std::uint32_t loop = result.empty() ? 0 : plan_.stored[result.back()].loop;
      // A loop that was begun is finished.
      const auto same = loop == 0
                            ? ready.end()
                            : std::find_if(ready.begin(), ready.end(), [&](const auto& entry) {
                                return plan_.stored[std::get<2>(entry)].loop == loop;
                              });
      if (same != ready.end()) next = same;
      const std::size_t k = std::get<2>(*next);
      ready.erase(next);
      result.push_back(k);
      for (std::size_t gradient : gradients[k]) {
        const bool there = ready.erase(rank(gradient)) > 0;
        --updates_wait[gradient];
        if (there) ready.insert(rank(gradient));
      }
      for (std::size_t user : before[k]) {
        if (--waiting[user] == 0) ready.insert(rank(user));
      }
    }
    GRADC_CHECK(result.size() == after_.size(), "tensors of a function wait for each other");
    return result;
  }

 private:
  const FunctionPlan& plan_;
  std::vector<std::set<std::size_t>> after_;
  std::vector<std::vector<std::size_t>> updates_;  // of a tensor that only such read: these, and those that read them
};

bool same_prefix(const Shape& a, const Shape& b, std::size_t depth) {
  return a.size() >= depth && b.size() >= depth &&
         std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(depth), b.begin());
}

// Every tensor that one of the two reads and the other computes or overwrites is met at the same
// `depth` first indices, so that they may share that many loops.
bool may_share(ReadNodes& sources, const StoredNode& earlier, const StoredNode& later, std::size_t depth) {
  const auto aligned = [&](NodeId reader, NodeId tensor) {
    return !sources.reads(reader, tensor) || is_aligned(sources.graph(), reader, tensor, depth);
  };
  if (!aligned(later.node, earlier.node)) return false;
  return !overwrites(later) || aligned(earlier.node, later.home.target);
}

bool related(ReadNodes& sources, const KernelPlan& kernel, const StoredNode& s) {
  const std::vector<NodeId> wanted = sources.of(s.node);
  for (const StoredNode& member : kernel.members) {
    if (std::find(wanted.begin(), wanted.end(), member.node) != wanted.end()) return true;
    for (NodeId source : sources.of(member.node)) {
      if (sources.graph()[source].kind == NodeKind::constant) continue;
      if (std::find(wanted.begin(), wanted.end(), source) != wanted.end()) return true;
    }
  }
  return false;
}

// Kernels of these are runs inside of common loops.
bool has_runs(Form form) { return form == Form::pointwise || form == Form::fold || form == Form::spread; }

// How many loops others can share: of a spread not that along its vectors.
std::size_t loops_to_share(const Graph& g, const StoredNode& s) {
  const std::size_t rank = g[s.node].type.rank();
  return s.form == Form::spread ? rank - 1 : rank;
}

// Loops that the kernel and the tensor can share, or nothing if they should stay apart.
std::optional<std::size_t> common_loops(ReadNodes& sources, const KernelPlan& kernel, const StoredNode& s) {
  const Graph& g = sources.graph();
  if (!has_runs(s.form)) return std::nullopt;
  if (s.alone || kernel.members[0].alone) return std::nullopt;
  const Node& n = g[s.node];
  std::size_t depth = std::min(kernel.shared, loops_to_share(g, s));
  auto all_share = [&](std::size_t d) {
    return std::all_of(kernel.members.begin(), kernel.members.end(), [&](const StoredNode& m) {
      return same_prefix(ranges_of(g[m.node]), ranges_of(n), d) && may_share(sources, m, s, d);
    });
  };
  if (kernel.form == Form::product || kernel.form == Form::inner) {
    // An epilogue: the product's own elements, each once.
    const Node& product = g[kernel.members[0].node];
    const bool follows = s.form == Form::pointwise && n.type.shape == product.type.shape &&
                         all_share(n.type.rank()) && related(sources, kernel, s);
    return follows ? std::optional(kernel.shared) : std::nullopt;
  }
  if (!has_runs(kernel.form)) return std::nullopt;
  if (!related(sources, kernel, s)) return std::nullopt;
  while (depth > 0 && !all_share(depth)) --depth;
  if (depth > 0) return depth;
  // Without a loop in common only scalars go together.
  const bool scalars =
      n.type.rank() == 0 &&
      std::all_of(kernel.members.begin(), kernel.members.end(), [&](const StoredNode& m) {
        return g[m.node].type.rank() == 0 && may_share(sources, m, s, 0);
      });
  return scalars ? std::optional<std::size_t>(0) : std::nullopt;
}

// True if the tensor can be computed in the same innermost loops as the members of the run.
bool may_join(ReadNodes& sources, const Run& run, const StoredNode& s) {
  const Graph& g = sources.graph();
  const Node& n = g[s.node];
  if (ranges_of(n) != run.ranges) return false;
  if (run.is_spread() != (s.form == Form::spread)) return false;
  const bool pointwise = s.form == Form::pointwise;
  if (!pointwise && n.type.rank() != run.rank && run.rank != run.ranges.size()) return false;
  return std::all_of(run.members.begin(), run.members.end(), [&](const StoredNode& m) {
    // The result of a reduction is not there yet while it runs.
    if (sources.reads(s.node, m.node) && m.form != Form::pointwise) return false;
    return may_share(sources, m, s, run.ranges.size());
  });
}

// True if the tensor may be computed before the run: neither needs what the other computes or overwrites.
bool may_precede(ReadNodes& sources, const Run& run, const StoredNode& s) {
  return std::none_of(run.members.begin(), run.members.end(), [&](const StoredNode& m) {
    return sources.reads(s.node, m.node) || (overwrites(s) && sources.reads(m.node, s.home.target));
  });
}

// The last run that the tensor can join, of those it need not come after.
Run* run_for(ReadNodes& sources, std::vector<Run>& runs, const StoredNode& s) {
  for (std::size_t k = runs.size(); k-- > 0;) {
    if (may_join(sources, runs[k], s)) return &runs[k];
    if (!may_precede(sources, runs[k], s)) return nullptr;
  }
  return nullptr;
}

std::vector<Run> runs_of(ReadNodes& sources, const KernelPlan& kernel) {
  const Graph& g = sources.graph();
  std::vector<Run> runs;
  for (const StoredNode& s : kernel.members) {
    const Node& n = g[s.node];
    Run* run = run_for(sources, runs, s);
    if (!run) run = &runs.emplace_back(Run{{}, ranges_of(n), ranges_of(n).size()});
    run->members.push_back(s);
    if (s.form != Form::pointwise) run->rank = n.type.rank();
  }
  return runs;
}

}  // namespace

const Shape& ranges_of(const Node& n) {
  return n.kind == NodeKind::comprehension ? n.ranges : n.type.shape;
}

bool is_aligned(const Graph& g, NodeId reader, NodeId tensor, std::size_t depth) {
  const Node& n = g[reader];
  if (n.kind != NodeKind::comprehension) return true;
  bool aligned = true;
  for_each_read(g, n.body, [&](const Scalar& read) {
    if (!aligned || storage_of(g, read.tensor) != tensor) return;
    aligned = read.tensor == tensor && read.args.size() >= depth;
    for (std::uint32_t k = 0; aligned && k < depth; ++k) {
      aligned = g[read.args[k]].kind == ScalarKind::index && g[read.args[k]].index == k;
    }
  });
  return aligned;
}

std::vector<KernelPlan> fuse(const Graph& g, const FunctionPlan& plan) {
  ReadNodes sources(g);
  const Order order(sources, plan);
  std::vector<KernelPlan> kernels;
  std::vector<std::size_t> kernel_of(plan.stored.size());
  for (std::size_t k : order.sorted()) {
    const StoredNode& s = plan.stored[k];
    // The halves of a net are functions of their own.
    const bool forward = plan.entry != loops::Entry::forward || k < plan.forward_count;
    std::size_t first = kernels.size() > window ? kernels.size() - window : 0;
    for (std::size_t earlier : order.after(k)) first = std::max(first, kernel_of[earlier]);
    std::size_t at = kernels.size();
    std::optional<std::size_t> shared;
    while (!shared && at > first) {
      --at;
      if (kernels[at].forward == forward && kernels[at].loop == s.loop) shared = common_loops(sources, kernels[at], s);
    }
    if (!shared) {
      at = kernels.size();
      kernels.push_back({s.form, {}, {}, loops_to_share(g, s), forward, s.loop});
      shared = kernels[at].shared;
    }
    kernels[at].members.push_back(s);
    kernels[at].shared = *shared;
    kernel_of[k] = at;
  }
  for (KernelPlan& kernel : kernels) {
    if (has_runs(kernel.form)) kernel.runs = runs_of(sources, kernel);
  }
  return kernels;
}

}  // namespace gradc

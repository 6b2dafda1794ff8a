// kernel_to_loops.cpp: the loops of one kernel.
#include "codegen/kernel_to_loops.h"

#include <algorithm>
#include <limits>
#include <map>

#include "codegen/drop_unused.h"
#include "codegen/exprs.h"
#include "codegen/folds.h"
#include "codegen/index_roles.h"
#include "codegen/kernel_writer.h"
#include "codegen/lane_loops.h"
#include "codegen/nest_writer.h"
#include "codegen/product_to_loops.h"
#include "dsl/check.h"
#include "dsl/graph_names.h"

namespace gradc {

using namespace loops;

namespace {

// Loops that are this long gain nothing from being one with that around them.
constexpr std::int64_t long_loop = 256;

// Neighbouring indices of a nest that are one loop: over the last of them, while the others are 0.
struct JoinedIndices {
  std::uint32_t first, last;
  Extent extent;  // of all together
};

// Indices first … end - 1 of all runs, outermost first. The first free index is left to threads.
std::vector<JoinedIndices> join_indices(const KernelWriter& k, const std::vector<const Run*>& runs,
                                        std::size_t first, std::size_t end) {
  const auto one = [&](std::uint32_t index) {
    return std::all_of(runs.begin(), runs.end(), [&](const Run* run) {
      return std::all_of(run->members.begin(), run->members.end(), [&](const StoredNode& s) {
        const Node& n = k.g[s.node];
        if (s.whole.valid() || (index == 0 && n.type.rank() > 0)) return false;
        return n.kind != NodeKind::comprehension || run_together(k.g, n.body, run->ranges, index);
      });
    });
  };
  std::vector<JoinedIndices> result;
  for (std::size_t next = end; next > first;) {
    const auto last = static_cast<std::uint32_t>(--next);
    JoinedIndices joined{last, last, runs[0]->ranges[last]};
    while (joined.first > first && max_extent(k.g, joined.extent) < long_loop &&
           one(joined.first - 1)) {
      const auto both = pairs_of(runs[0]->ranges[joined.first - 1], joined.extent);
      if (!both) break;
      joined = {joined.first - 1, last, *both};
    }
    next = joined.first;
    result.insert(result.begin(), joined);
  }
  return result;
}

// All but the last.
void bind_to_0(KernelWriter& k, const JoinedIndices& loop) {
  for (std::uint32_t i = loop.first; i < loop.last; ++i) k.nest.bind_index(i, integer(0), 0);
}

void open_joined(KernelWriter& k, NodeId names, const JoinedIndices& loop, LoopKind kind) {
  bind_to_0(k, loop);
  k.nest.open(k.index_name(names, loop.last), loop.last, loop.extent, kind);
}

class RunWriter {
 public:
  RunWriter(KernelWriter& k, const Run& run) : k_(k), g_(k.g), nest_(k.nest), run_(run) {}

  void write() {
    nest_.set_ranges(run_.ranges);
    std::vector<ScalarId> bodies;
    for (const StoredNode& s : run_.members) {
      if (g_[s.node].kind == NodeKind::comprehension) bodies.push_back(g_[s.node].body);
    }
    nest_.count_uses(bodies);
    if (run_.is_spread()) return spread();
    const std::size_t around = open(k_.plan.shared, run_.rank);
    const auto inner = join_indices(k_, {&run_}, run_.rank, run_.ranges.size());
    const int lanes = inner.empty() ? 1 : lanes_of(g_, run_, inner.back().extent);
    std::vector<Fold> folds;
    for (const StoredNode& s : run_.members) {
      if (is_fold(s.node)) folds.push_back(start_fold(k_, s.node, lanes));
    }
    if (lanes > 1) {
      const std::size_t opened = open(run_.rank, inner.back().first);
      bind_to_0(k_, inner.back());
      lane_loops(k_, run_, inner.back().extent, lanes, [&](const Expr& lane) {
        const auto values = elements();
        for (const Fold& fold : folds) step_lane(k_, fold, lane);
        store(values);
      });
      close(opened);
      for (Fold& fold : folds) join_lanes(k_, fold);
    } else {
      const std::size_t opened = open(run_.rank, run_.ranges.size());
      const auto values = elements();
      for (const Fold& fold : folds) step_fold(k_, fold, run_.rank);
      store(values);
      close(opened);
    }
    for (const Fold& fold : folds) finish(fold);
    close(around);
  }

 private:
  // out = start, then out = fn(out, body), the contiguous free index innermost.
  void spread() {
    const auto last = static_cast<std::uint32_t>(run_.rank) - 1;
    const NodeId names = run_.members[0].node;
    const auto open_loops = [&](std::size_t first, std::size_t end, LoopKind kind) {
      for (auto i = static_cast<std::uint32_t>(first); i < end; ++i)
        nest_.open(k_.index_name(names, i), i, run_.ranges[i], kind);
      return end - first;
    };
    const std::size_t around = open_loops(k_.plan.shared, last, LoopKind::parallel);
    open_loops(last, last + 1, LoopKind::vector);
    for (const StoredNode& s : run_.members)
      k_.store(s.node, number(neutral(g_[s.node].reduction), type_of(g_[s.node].type.dtype)));
    close(1);
    const std::size_t sums = open_loops(last + 1, run_.ranges.size(), LoopKind::serial);
    open_loops(last, last + 1, LoopKind::vector);
    for (const StoredNode& s : run_.members) {
      const Node n = g_[s.node];
      Expr value = nest_.value(n.body);
      nest_.emit(Store{nest_.argument(s.node), nest_.own_position(s.node), std::move(value), true,
                       combining(n.reduction)});
    }
    close(around + sums + 1);
  }

  using Values = std::vector<std::pair<NodeId, Expr>>;
  Values elements() {
    Values values;
    for (const StoredNode& s : run_.members) {
      if (!is_fold(s.node)) values.emplace_back(s.node, pointwise(s.node));
    }
    return values;
  }
  void store(const Values& values) {
    for (const auto& [node, value] : values) {
      if (!k_.registers.contains(node)) k_.store(node, value);
    }
  }
  bool is_fold(NodeId id) const {
    return g_[id].kind == NodeKind::comprehension && g_[id].reduction != Reduction::none;
  }
  // How many loops there are over indices first … end - 1.
  std::size_t open(std::size_t first, std::size_t end) {
    const auto loops = join_indices(k_, {&run_}, first, end);
    for (const JoinedIndices& loop : loops) {
      const bool innermost = loop.last + 1 == run_.ranges.size() && run_.rank == run_.ranges.size();
      open_joined(k_, run_.members[0].node, loop,
                  loop.last >= run_.rank ? LoopKind::serial
                  : innermost            ? LoopKind::vector
                                         : LoopKind::parallel);
    }
    return loops.size();
  }
  void close(std::size_t count) {
    for (std::size_t k = 0; k < count; ++k) nest_.close();
  }

  // One element of an elementwise member; a name is given when it is used again or stored with others.
  Expr pointwise(NodeId id) {
    const Node& n = g_[id];
    Expr value = n.kind == NodeKind::random ? k_.draw(id) : nest_.value(n.body);
    const bool last = k_.plan.runs.size() == 1 || run_.ranges.size() > k_.plan.shared;
    const bool alone = run_.members.size() == 1 && last && !k_.registers.contains(id);
    if (alone) return value;
    value = k_.as_stored(id, std::move(value));
    if (value.kind != ExprKind::variable && value.kind != ExprKind::literal) {
      value = nest_.let(k_.context.short_name(id), std::move(value));
    }
    nest_.keep(id, value);
    return value;
  }

  void finish(const Fold& fold) {
    const Expr& result = fold.result(g_);
    nest_.keep(fold.node, result);
    if (!k_.registers.contains(fold.node)) k_.store(fold.node, result);
  }

  KernelWriter& k_;
  Graph& g_;
  NestWriter& nest_;
  const Run& run_;
};

// out = 0, then out[position] += value for all other indices.
void write_scatter(KernelWriter& k) {
  const NodeId id = k.plan.members[0].node;
  const Node n = k.g[id];
  const ScatterForm form = *scatter_form(k.g, id);
  for (std::uint32_t i = 0; i < n.type.rank(); ++i) {
    const bool innermost = i + 1 == n.type.rank();
    k.nest.open(k.index_name(id, i), i, n.ranges[i],
                innermost ? LoopKind::vector : LoopKind::parallel);
  }
  k.store(id, number(0, type_of(n.type.dtype)));
  while (k.nest.depth() > 0) k.nest.close();

  k.nest.set_ranges(n.ranges);
  std::vector<ScalarId> bodies{form.value};
  for (const auto& s : form.solved) bodies.push_back(s.position);
  k.nest.count_uses(bodies);
  auto is_solved = [&](std::uint32_t i) {
    return std::any_of(form.solved.begin(), form.solved.end(),
                       [&](const auto& s) { return s.index == i; });
  };
  const auto rank = static_cast<std::uint32_t>(n.type.rank());
  for (std::uint32_t j = 0; j < n.ranges.size(); ++j) {  // reductions first, free ones innermost
    const std::uint32_t sums = static_cast<std::uint32_t>(n.ranges.size()) - rank;
    const std::uint32_t i = j < sums ? rank + j : j - sums;
    if (!is_solved(i)) k.nest.open(k.index_name(id, i), i, n.ranges[i], LoopKind::serial);
  }
  Expr condition;
  bool tests = false;
  auto require = [&](Expr c) {
    condition = tests ? apply(Fn::logical_and, {std::move(condition), std::move(c)}, Type::boolean)
                      : std::move(c);
    tests = true;
  };
  for (ScalarId c : form.conditions) require(k.nest.value(c));
  for (const auto& s : form.solved) {
    Expr at = k.nest.named_value(s.position, k.index_name(id, s.index));
    if (!never_negative(k.g, s.position, n.ranges)) {
      require(apply(Fn::ge, {at, integer(0)}, Type::boolean));
    }
    if (!never_beyond(k.g, s.position, n.ranges[s.index], n.ranges)) {
      require(apply(Fn::lt, {at, k.nest.extent(n.ranges[s.index])}, Type::boolean));
    }
    k.nest.bind_index(s.index, std::move(at), k.nest.depth());
  }
  Expr value = tests ? k.nest.guarded_value(form.value) : k.nest.value(form.value);
  Store add{k.nest.argument(id), k.nest.own_position(id), std::move(value), true, Fn::add};
  if (tests) {
    Block body;
    body.push_back({std::move(add)});
    k.nest.emit(If{std::move(condition), std::move(body)});
  } else {
    k.nest.emit(std::move(add));
  }
  while (k.nest.depth() > 0) k.nest.close();
}

// Rows of what is read become columns of what is written; loops over all other indices stand
// around.
void write_transposition(KernelWriter& k, const TranspositionForm& form) {
  const NodeId id = k.plan.members[0].node;
  const Node n = k.g[id];
  const Scalar read = k.g[n.body];
  const Shape& shape = k.g[read.tensor].type.shape;
  k.nest.set_ranges(n.ranges);
  for (std::uint32_t i = 0; i < n.type.rank(); ++i) k.nest.bind_index(i, integer(0), 0);
  for (const std::uint32_t i : form.others)
    k.nest.open(k.index_name(id, i), i, n.ranges[i], LoopKind::parallel);
  // Elements from one value of the index to the next.
  const auto stride = [&](const Shape& of, std::size_t axis) {
    Expr result = integer(1);
    while (++axis < of.size()) result = loops::mul(std::move(result), k.nest.extent(of[axis]));
    return result;
  };
  const auto count = [&](const std::vector<std::uint32_t>& indices) {
    Expr result = integer(1);
    for (const std::uint32_t i : indices)
      result = loops::mul(std::move(result), k.nest.extent(n.ranges[i]));
    return result;
  };
  std::size_t axis = 0;
  while (k.g[read.args[axis]].kind != ScalarKind::index ||
         k.g[read.args[axis]].index != form.rows.back())
    ++axis;
  const Expr from = k.nest.value(n.body);
  k.nest.emit(Transpose{pointer(from.name, from.args[0]), stride(shape, axis), count(form.rows),
                        count(form.columns), pointer(k.nest.argument(id), k.nest.own_position(id)),
                        stride(n.type.shape, form.columns.back())});
  while (k.nest.depth() > 0) k.nest.close();
}

// A kernel that only copies to pairs: [..., n, 2] of two rows of n.
bool is_interleaving(const KernelWriter& k) {
  const Graph& g = k.g;
  const StoredNode& s = k.plan.members[0];
  const Node& n = g[s.node];
  if (!s.alone || k.plan.members.size() != 1 || !k.stores_bf16(s.node)) return false;
  if (n.kind != NodeKind::comprehension || n.reduction != Reduction::none || n.type.rank() < 2) return false;
  const auto which = static_cast<std::uint32_t>(n.type.rank()) - 1;
  if (n.ranges[which] != Extent(2) || g[n.body].kind != ScalarKind::read || g[n.body].zero_outside) return false;
  const auto subscripts = affine_subscripts(g, g[n.body]);
  if (!subscripts || !runs_along(*subscripts, which - 1)) return false;
  const auto has = [&](const Affine& a) { return which < a.coefficients.size() && a.coefficients[which] != 0; };
  return std::count_if(subscripts->begin(), subscripts->end(), has) == 1 && !has(subscripts->back()) &&
         std::all_of(subscripts->begin(), subscripts->end(), [&](const Affine& a) { return !has(a) || a.coefficients[which] == 1; });
}

void write_interleaving(KernelWriter& k) {
  const NodeId id = k.plan.members[0].node;
  const Node n = k.g[id];
  const Scalar read = k.g[n.body];
  const auto which = static_cast<std::uint32_t>(n.type.rank()) - 1;
  const Shape& shape = k.g[read.tensor].type.shape;
  k.nest.set_ranges(n.ranges);
  for (std::uint32_t i = 0; i + 1 < which; ++i) k.nest.open(k.index_name(id, i), i, n.ranges[i], LoopKind::parallel);
  for (const std::uint32_t i : {which - 1, which}) k.nest.bind_index(i, integer(0), 0);
  std::size_t axis = 0;
  const auto subscripts = *affine_subscripts(k.g, read);
  while (which >= subscripts[axis].coefficients.size() || subscripts[axis].coefficients[which] == 0) ++axis;
  Expr stride = integer(1);
  while (++axis < shape.size()) stride = loops::mul(std::move(stride), k.nest.extent(shape[axis]));
  const Expr from = k.nest.value(n.body);
  k.nest.emit(Transpose{pointer(from.name, from.args[0]), std::move(stride), integer(2), k.nest.extent(n.ranges[which - 1]),
                        pointer(k.nest.argument(id), k.nest.own_position(id)), integer(2)});
  while (k.nest.depth() > 0) k.nest.close();
}

void write_runs(KernelWriter& k) {
  if (is_interleaving(k)) return write_interleaving(k);
  const StoredNode& only = k.plan.members[0];
  const auto transposition = k.plan.members.size() == 1 && !only.whole.valid()
                                 ? transposition_form(k.g, only.node)
                                 : std::nullopt;
  if (transposition) return write_transposition(k, *transposition);
  const NodeId first = k.plan.members[0].node;
  std::vector<const Run*> runs;
  for (const Run& r : k.plan.runs) runs.push_back(&r);
  for (const JoinedIndices& loop : join_indices(k, runs, 0, k.plan.shared)) {
    const bool innermost =
        loop.last + 1 == k.plan.shared && std::all_of(runs.begin(), runs.end(), [&](const Run* r) {
          return r->ranges.size() == k.plan.shared;
        });
    open_joined(k, first, loop, innermost ? LoopKind::vector : LoopKind::parallel);
  }
  for (const Run& run : k.plan.runs) RunWriter(k, run).write();
  while (k.nest.depth() > 0) k.nest.close();
}

// Folded constants may leave arguments and registers that nothing reads.
WrittenKernel without_unused(WrittenKernel k) {
  drop_unused(k.kernel.body);
  const UsedNames used = used_names(k.kernel.body);
  std::erase_if(k.kernel.counts, [&](const std::string& count) { return !used.contains(count); });
  std::vector<Argument> arguments;
  std::vector<std::uint32_t> buffers;
  for (std::size_t i = 0; i < k.buffers.size(); ++i) {
    if (!used.contains(k.kernel.arguments[i].name)) continue;
    arguments.push_back(k.kernel.arguments[i]);
    buffers.push_back(k.buffers[i]);
  }
  k.kernel.arguments = std::move(arguments);
  k.buffers = std::move(buffers);
  return k;
}

}  // namespace

WrittenKernel kernel_to_loops(const LoopContext& context, const KernelPlan& plan,
                              const std::set<NodeId>& in_registers) {
  KernelWriter k(context, plan, in_registers);
  switch (plan.form) {
    case Form::pointwise:
    case Form::fold:
    case Form::spread: write_runs(k); break;
    case Form::scatter: write_scatter(k); break;
    case Form::product:
    case Form::inner: product_to_loops(k); break;
  }
  return without_unused(k.finish());
}

std::set<NodeId> register_members(const Graph& g, const KernelPlan& plan,
                                  const std::set<NodeId>& read_elsewhere, const Isa& isa) {
  std::set<NodeId> result;
  if (product_in_rows(g, plan, read_elsewhere, isa)) result.insert(plan.members[0].node);
  for (std::size_t r = 0; r < plan.runs.size(); ++r) {
    for (const StoredNode& s : plan.runs[r].members) {
      if (s.home.storage != Storage::workspace || read_elsewhere.contains(s.node)) continue;
      if (s.whole.valid()) continue;
      bool served = true;
      for (std::size_t later = r; later < plan.runs.size(); ++later) {
        for (const StoredNode& reader : plan.runs[later].members) {
          if (g[reader.node].kind != NodeKind::comprehension) continue;
          bool reads = false, reshaped = false;
          for (NodeId read : g.operands(reader.node)) {
            reads = reads || storage_of(g, read) == s.node;
            reshaped = reshaped || (read != s.node && storage_of(g, read) == s.node);
          }
          if (!reads) continue;
          const std::size_t rank = g[s.node].type.rank();
          served = served && !reshaped && is_aligned(g, reader.node, s.node, rank) &&
                   (later == r || rank == plan.shared);
        }
      }
      if (served) result.insert(s.node);
    }
  }
  return result;
}

}  // namespace gradc

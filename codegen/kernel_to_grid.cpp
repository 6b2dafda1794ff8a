// kernel_to_grid.cpp: the loops of one kernel, spread over the threads of a grid.
//
// each element   the loops that the whole kernel shares are its threads; what is inside them stays in order
// each row       the loops that the whole kernel shares are its blocks; the threads of a block take turns at what
//                is inside, and combine what they fold
// each tile      products (product_to_grid.cpp)
// each row of a table that others are added to   scatters (scatter_to_grid.cpp)
#include "codegen/kernel_to_grid.h"

#include <algorithm>

#include "codegen/drop_unused.h"
#include "codegen/folds.h"
#include "codegen/grid_nest.h"
#include "codegen/product_to_grid.h"
#include "codegen/scatter_to_grid.h"

namespace gradc {

using namespace loops;

namespace {

// Rows shorter than this are left to one thread each …
constexpr std::int64_t shortest_row = 8;
// … and longer ones too, if there are that many rows that the device is busy anyway.
constexpr std::int64_t many_rows = 65536;
constexpr std::int64_t short_row = 64;

constexpr int warp = 32;

class GridWriter {
 public:
  GridWriter(KernelWriter& k, std::vector<Run> runs, std::size_t shared, bool rows, int threads)
      : k_(k), g_(k.g), nest_(k.nest), runs_(std::move(runs)), shared_(shared), rows_(rows),
        threads_(threads) {}

  Launch write() {
    const NodeId first = runs_[0].members[0].node;
    const Shape ranges = ranges_of(g_[first]);
    const Indices outer = indices_between(0, shared_);
    const Expr count = count_of(k_, ranges, outer);
    open_all(k_, first, ranges, outer, place_of(rows_ ? Place::block : Place::global), 1, LoopKind::once);
    if (shared_ > 0) nest_.set_flat(Shape(ranges.begin(), ranges.begin() + static_cast<std::ptrdiff_t>(shared_)));
    for (std::size_t r = 0; r < runs_.size(); ++r) {
      // What a run stored, and whom it still reads from, is settled before the next.
      if (rows_ && r > 0) nest_.emit(Barrier{});
      write_run(runs_[r], r + 1 == runs_.size());
    }
    while (nest_.depth() > 0) nest_.close();
    return {threads_, {rows_ ? count : blocks_of(count, threads_)}};
  }

 private:
  bool is_fold(NodeId id) const {
    return g_[id].kind == NodeKind::comprehension && g_[id].reduction != Reduction::none;
  }

  // Loops over the indices: of the block's threads together, or of each thread alone.
  void open(const Run& run, std::size_t first, std::size_t last, bool together) {
    const NodeId id = run.members[0].node;
    if (together) {
      open_all(k_, id, run.ranges, indices_between(first, last), place_of(Place::thread), threads_,
               LoopKind::serial);
      return;
    }
    for (std::size_t k = first; k < last; ++k) {
      const auto number = static_cast<std::uint32_t>(k);
      nest_.open(k_.index_name(id, number), number, run.ranges[k], LoopKind::serial);
    }
  }

  void write_run(const Run& run, bool last) {
    nest_.set_ranges(run.ranges);
    std::vector<ScalarId> bodies;
    for (const StoredNode& s : run.members) {
      if (g_[s.node].kind == NodeKind::comprehension) bodies.push_back(g_[s.node].body);
    }
    nest_.count_uses(bodies);
    const std::size_t outside = nest_.depth(), rank = run.rank, all = run.ranges.size();
    const bool of_row = rows_ && rank == shared_;  // the block has one result of each
    if (rank > shared_) open(run, shared_, rank, rows_);
    std::vector<Fold> folds;
    for (const StoredNode& s : run.members) {
      if (is_fold(s.node)) folds.push_back(start_fold(k_, s.node));
    }
    const std::size_t inside = nest_.depth();
    if (all > rank) open(run, rank, all, of_row);
    std::vector<std::pair<NodeId, Expr>> values;
    for (const StoredNode& s : run.members) {
      if (!is_fold(s.node)) values.emplace_back(s.node, elementwise(run, s.node, last, of_row && all == rank));
    }
    for (const Fold& fold : folds) step_fold(k_, fold, rank);
    if (of_row && all == rank) {
      store_once(values, true);
    } else {
      for (auto& [node, value] : values) store(node, value);
    }
    while (nest_.depth() > inside) nest_.close();
    finish(folds, of_row);
    while (nest_.depth() > outside) nest_.close();
  }

  Expr elementwise(const Run& run, NodeId id, bool last, bool by_all) {
    const Node& n = g_[id];
    Expr value = n.kind == NodeKind::random ? k_.draw(id) : nest_.value(n.body);
    const bool alone = run.members.size() == 1 && last && !k_.registers.contains(id) && !by_all;
    if (alone) return value;
    value = k_.as_stored(id, std::move(value));
    if (value.kind != ExprKind::variable && value.kind != ExprKind::literal) {
      value = nest_.let(k_.context.short_name(id), std::move(value));
    }
    nest_.keep(id, value);
    return value;
  }

  void finish(const std::vector<Fold>& folds, bool of_row) {
    std::vector<std::pair<NodeId, Expr>> values;
    for (const Fold& fold : folds) {
      const Reduction r = g_[fold.node].reduction;
      if (of_row) {
        if (is_position(r)) {
          nest_.emit(Combine{fold.value.name, is_greatest(r) ? Fn::gt : Fn::lt, fold.position.name,
                             fold.value.type});
        } else {
          nest_.emit(Combine{fold.value.name, combining(r), "", fold.value.type});
        }
      }
      nest_.keep(fold.node, fold.result(g_));
      values.emplace_back(fold.node, fold.result(g_));
    }
    if (of_row) {
      store_once(values, false);
    } else {
      for (auto& [node, value] : values) store(node, value);
    }
  }

  void store(NodeId node, const Expr& value) {
    if (!k_.registers.contains(node)) k_.store(node, value);
  }

  // What all threads know, one of them stores: `others_read` what is stored over, until now.
  void store_once(const std::vector<std::pair<NodeId, Expr>>& values, bool others_read) {
    Block body;
    for (const auto& [node, value] : values) {
      if (k_.registers.contains(node)) continue;
      body.push_back({Store{nest_.argument(node), nest_.own_position(node), value, false, Fn::add}});
    }
    if (body.empty()) return;
    if (others_read) nest_.emit(Barrier{});
    nest_.emit(If{apply(Fn::eq, {place_of(Place::thread), integer(0)}, Type::boolean), std::move(body)});
  }

  KernelWriter& k_;
  Graph& g_;
  NestWriter& nest_;
  std::vector<Run> runs_;
  std::size_t shared_;
  bool rows_;
  int threads_;
};

// Iterations of its longest run inside the loops that all share.
std::int64_t row_length(const Graph& g, const std::vector<Run>& runs, std::size_t shared) {
  std::int64_t length = 1;
  for (const Run& run : runs) {
    length = std::max(length, largest_count(g, run.ranges, indices_between(shared, run.ranges.size())));
  }
  return length;
}

Launch write_runs(KernelWriter& k, const Target& target) {
  const KernelPlan& plan = k.plan;
  if (plan.form == Form::scatter) return scatter_to_grid(k, target);
  if (plan.form == Form::spread) {
    // An element is one thread's sum, in order.
    const NodeId id = plan.members[0].node;
    const std::size_t rank = k.g[id].type.rank();
    return GridWriter(k, plan.runs, rank, false, target.threads).write();
  }
  const std::int64_t length = row_length(k.g, plan.runs, plan.shared);
  const std::int64_t rows =
      largest_count(k.g, ranges_of(k.g[plan.members[0].node]), indices_between(0, plan.shared));
  const bool whole = plan.shared == 0;
  if (!whole && (length < shortest_row || (rows >= many_rows && length <= short_row))) {
    return GridWriter(k, plan.runs, plan.shared, false, target.threads).write();
  }
  const std::int64_t warps = std::min<std::int64_t>((length + warp - 1) / warp, target.threads / warp);
  return GridWriter(k, plan.runs, plan.shared, true, static_cast<int>(warps) * warp).write();
}

}  // namespace

WrittenKernel kernel_to_grid(const LoopContext& context, const KernelPlan& plan,
                             const std::set<NodeId>& in_registers, const Target& target) {
  KernelWriter k(context, plan, in_registers);
  std::vector<Array> arrays;
  const Launch launch = plan.form == Form::product ? product_to_grid(k, target, arrays)
                                                   : write_runs(k, target);
  WrittenKernel written = k.finish();
  drop_unused(written.kernel.body);
  written.kernel.launch = launch;
  written.kernel.arrays = std::move(arrays);
  return written;
}

std::set<NodeId> grid_registers(const Graph& g, const KernelPlan& plan,
                                const std::set<NodeId>& read_elsewhere, const Isa& isa) {
  if (plan.form != Form::product) return register_members(g, plan, read_elsewhere, isa);
  // What follows a product reads its elements where they are computed.
  std::set<NodeId> result;
  for (const StoredNode& s : plan.members) {
    const bool kept = s.whole.valid() || read_elsewhere.contains(s.node);
    if (s.home.storage == Storage::workspace && !kept) result.insert(s.node);
  }
  return result;
}

}  // namespace gradc

// scatter_to_grid.cpp: sums of what a condition sends to rows of a table, a row to a block.
//
//     out[rows…, columns…] = Σ[k…] select(condition[rows…, k…], value[rows…, columns…, k…], 0)
//
// A block has one row and as many columns as it has threads. Its threads together try the condition for as many
// positions k at a time as there are threads; then each adds, for its column, the values of those that were chosen, in
// order. So nothing is added by two threads, and the order is that of the sum. The cost of a row is that of reading all
// that the condition reads, once, and one addition for each value that belongs there.
#include "codegen/scatter_to_grid.h"

#include <algorithm>

#include "codegen/exprs.h"
#include "codegen/grid_nest.h"
#include "codegen/index_roles.h"
#include "dsl/check.h"

namespace gradc {

using namespace loops;

namespace {

constexpr std::int64_t warp = 32;

// Threads for so much work, in whole warps.
int threads_for(std::int64_t work, const Target& target) {
  return static_cast<int>(std::clamp<std::int64_t>((work + warp - 1) / warp * warp, warp, target.threads));
}

}  // namespace

Launch scatter_to_grid(KernelWriter& k, const Target& target) {
  NestWriter& nest = k.nest;
  const NodeId id = k.plan.members[0].node;
  const Node n = k.g[id];
  const Scalar body = k.g[n.body];
  GRADC_CHECK(body.kind == ScalarKind::apply && body.fn == Fn::select, "a scatter chooses what it adds");
  const ScalarId condition = body.args[0], value = body.args[1];

  const std::size_t rank = n.type.rank();
  const auto held = indices_of(k.g, condition);
  Indices rows, columns;
  for (std::uint32_t i : indices_between(0, rank)) {
    (std::binary_search(held.begin(), held.end(), i) ? rows : columns).push_back(i);
  }
  const Indices sums = indices_between(rank, n.ranges.size());
  const int threads = threads_for(
      std::max(largest_count(k.g, n.ranges, sums), largest_count(k.g, n.ranges, columns)), target);

  nest.set_ranges(n.ranges);
  nest.count_uses({});
  const Expr column_count = count_of(k, n.ranges, columns), sum_count = count_of(k, n.ranges, sums);
  const Expr tiles = blocks_of(column_count, threads);
  const Expr count = loops::mul(count_of(k, n.ranges, rows), tiles);
  const bool one_tile = is_integer(tiles, 1);
  const std::string block = nest.names().fresh(!one_tile ? "tile" : rows.size() == 1 ? k.index_name(id, rows[0]) : "row");
  nest.open(block, place_of(Place::block), count, 1, LoopKind::once);
  Expr row = variable(block, Type::integer), own_column = place_of(Place::thread);
  if (!one_tile) {
    const Expr tile = row;
    row = nest.let("row", quotient(tile, tiles));
    own_column = loops::add(
        loops::mul(loops::sub(tile, loops::mul(row, tiles)), integer(threads)), std::move(own_column));
  }
  split_position(k, id, n.ranges, rows, row);
  const auto open_column = [&] {
    const std::string name = nest.names().fresh(columns.size() == 1 ? k.index_name(id, columns[0]) : "column");
    nest.open(name, own_column, column_count, 1, LoopKind::once);
    split_position(k, id, n.ranges, columns, variable(name, Type::integer));
  };

  const Type type = type_of(n.type.dtype);
  const Expr sum = nest.let("sum", number(0, type), true);
  const std::string first = nest.names().fresh("first");
  nest.open(first, integer(0), sum_count, threads, LoopKind::serial, true);
  const Expr from = variable(first, Type::integer);
  const std::string stem = sums.size() == 1 ? k.index_name(id, sums[0]) : "element";
  const Expr tried = nest.let(stem, loops::add(from, place_of(Place::thread)));
  split_position(k, id, n.ranges, sums, tried);
  nest.emit(Choose{apply(Fn::logical_and,
                         {apply(Fn::lt, {tried, sum_count}, Type::boolean), nest.guarded_value(condition)},
                         Type::boolean)});
  open_column();
  const std::string chosen = nest.names().fresh(stem);
  nest.open(chosen, from, sum_count, 1, LoopKind::chosen);
  split_position(k, id, n.ranges, sums, variable(chosen, Type::integer));
  nest.count_uses({value});
  nest.emit(Accumulate{sum.name, Fn::add, nest.guarded_value(value)});
  nest.close();
  nest.close();
  nest.close();
  open_column();
  k.store(id, sum);
  while (nest.depth() > 0) nest.close();
  return {threads, {count}};
}

}  // namespace gradc

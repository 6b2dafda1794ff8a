// product_to_loops.cpp: sums of products in register tiles.
#include "codegen/product_to_loops.h"

#include "codegen/exprs.h"

namespace gradc {

using namespace loops;

void product_to_loops(KernelWriter& k) {
  const NodeId id = k.plan.members[0].node;
  const Node n = k.g[id];
  k.nest.set_ranges(n.ranges);
  for (std::uint32_t i = 0; i < n.type.rank(); ++i) k.nest.open(k.index_name(id, i), i, n.ranges[i], LoopKind::parallel);
  Expr sum = k.nest.let("sum", number(0, type_of(n.type.dtype)), true);
  for (std::uint32_t i = static_cast<std::uint32_t>(n.type.rank()); i < n.ranges.size(); ++i) {
    k.nest.open(k.index_name(id, i), i, n.ranges[i], LoopKind::serial);
  }
  k.nest.emit(Accumulate{sum.name, Fn::add, k.nest.value(n.body)});
  for (std::size_t i = n.type.rank(); i < n.ranges.size(); ++i) k.nest.close();
  k.nest.keep(id, sum);
  if (!k.registers.contains(id)) k.store(id, sum);
  for (std::size_t m = 1; m < k.plan.members.size(); ++m) {
    const NodeId follower = k.plan.members[m].node;
    Expr value = k.nest.value(k.g[follower].body);
    if (k.plan.members.size() > 2) value = k.nest.let(k.context.short_name(follower), std::move(value));
    k.nest.keep(follower, value);
    k.store(follower, value);
  }
  while (k.nest.depth() > 0) k.nest.close();
}

}  // namespace gradc

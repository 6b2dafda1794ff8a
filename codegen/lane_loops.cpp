// lane_loops.cpp: reductions along contiguous elements, in as many parts as make vectors.
#include "codegen/lane_loops.h"

#include <algorithm>
#include <bit>

#include "codegen/exprs.h"
#include "codegen/folds.h"
#include "codegen/index_roles.h"

namespace gradc {

using namespace loops;

namespace {

// Enough to hide the latency of an addition on processors with vectors of 16 floats or fewer.
constexpr std::int64_t most_lanes = 32;
constexpr std::int64_t least_lanes = 8;

// Vectors of consecutive values of the index are there in memory. What else is read may lie elsewhere: to gather it takes
// less time than the chain.
bool makes_vectors(const Graph& g, ScalarId body, std::uint32_t index) {
  bool along = false;
  for_each_read(g, body, [&](const Scalar& read) { along = along || runs_along(g, read, index); });
  return along;
}

}  // namespace

int lanes_of(const Graph& g, const Run& run, const Extent& extent) {
  const auto last = static_cast<std::uint32_t>(run.ranges.size()) - 1;
  if (run.ranges.size() <= run.rank) return 1;
  bool wide = false;
  for (const StoredNode& s : run.members) {
    const Node& n = g[s.node];
    if (n.kind != NodeKind::comprehension || !is_float(n.type.dtype)) return 1;
    if (!is_float(g[n.body].dtype) || is_position(n.reduction) || !makes_vectors(g, n.body, last)) return 1;
    wide = wide || n.type.dtype == DType::f64;
  }
  const std::int64_t most = wide ? most_lanes / 2 : most_lanes;
  const std::int64_t length = max_extent(g, extent);
  if (length < least_lanes) return 1;
  if (extent.is_fixed() && length <= most) return static_cast<int>(length);
  if (!extent.is_fixed() || length % (most / 2) != 0)
    return static_cast<int>(
        std::min<std::int64_t>(most, std::bit_floor(static_cast<std::uint64_t>(length))));
  return static_cast<int>(length % most == 0 ? most : most / 2);
}

void lane_loops(KernelWriter& k, const Run& run, const Extent& extent, int lanes,
                const std::function<void(const Expr& lane)>& body) {
  const auto last = static_cast<std::uint32_t>(run.ranges.size()) - 1;
  const std::string name = k.index_name(run.members[0].node, last);
  const Expr length = k.nest.extent(extent);
  Expr whole = integer(0);  // elements in full sets of lanes
  if (length.kind == ExprKind::literal) {
    const auto fixed = static_cast<std::int64_t>(length.value);
    whole = integer(fixed - fixed % lanes);
  } else {
    whole = k.nest.let("whole", loops::sub(length, apply(Fn::mod, {length, integer(lanes)}, Type::integer)));
  }
  const auto each = [&](const Expr& begin, const Expr& count) {
    const std::string lane = k.nest.names().fresh("lane");
    k.nest.open(lane, integer(0), count, 1, LoopKind::vector);
    k.nest.bind_index(last, loops::add(begin, variable(lane, Type::integer)), k.nest.depth());
    body(variable(lane, Type::integer));
    k.nest.close();
  };
  if (is_integer(whole, lanes)) {
    each(integer(0), integer(lanes));
  } else {
    const std::string first = k.nest.names().fresh(name + "0");
    k.nest.open(first, integer(0), whole, lanes, LoopKind::serial, true);
    each(variable(first, Type::integer), integer(lanes));
    k.nest.close();
  }
  const Expr rest = loops::sub(length, whole);
  if (!is_integer(rest, 0)) each(whole, rest);
}

}  // namespace gradc

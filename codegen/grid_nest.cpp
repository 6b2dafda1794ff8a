// grid_nest.cpp: loops over several indices at once.
#include "codegen/grid_nest.h"

namespace gradc {

using namespace loops;

Expr place_of(Place p) {
  Expr e;
  e.kind = ExprKind::place;
  e.type = Type::integer;
  e.place = p;
  return e;
}

Expr quotient(Expr a, Expr b) {
  if (is_integer(b, 1)) return a;
  if (a.kind == ExprKind::literal && b.kind == ExprKind::literal) {
    return integer(static_cast<std::int64_t>(a.value) / static_cast<std::int64_t>(b.value));
  }
  return apply(Fn::div, {std::move(a), std::move(b)}, Type::integer);
}

Expr blocks_of(const Expr& count, std::int64_t size) {
  return quotient(loops::add(count, integer(size - 1)), integer(size));
}

Indices indices_between(std::size_t first, std::size_t last) {
  Indices result;
  for (std::size_t k = first; k < last; ++k) result.push_back(static_cast<std::uint32_t>(k));
  return result;
}

Expr count_of(KernelWriter& k, const Shape& ranges, const Indices& indices) {
  Expr count = integer(1);
  for (std::uint32_t i : indices) count = loops::mul(std::move(count), k.nest.extent(ranges[i]));
  return count;
}

std::int64_t largest_count(const Graph& g, const Shape& ranges, const Indices& indices) {
  std::int64_t count = 1;
  for (std::uint32_t i : indices) {
    const std::int64_t extent = max_extent(g, ranges[i]);
    constexpr std::int64_t enough = std::int64_t{1} << 40;
    count = extent > enough / std::max<std::int64_t>(count, 1) ? enough : count * extent;
  }
  return count;
}

void split_position(KernelWriter& k, NodeId id, const Shape& ranges, const Indices& indices, Expr at) {
  for (std::size_t n = 0; n < indices.size(); ++n) {
    const std::uint32_t i = indices[n];
    const std::string name = k.index_name(id, i);
    if (n + 1 == indices.size()) {
      if (at.kind != ExprKind::variable) at = k.nest.let(name, std::move(at));
      k.nest.bind_index(i, std::move(at), k.nest.depth());
      return;
    }
    const Indices rest(indices.begin() + static_cast<std::ptrdiff_t>(n) + 1, indices.end());
    const Expr size = count_of(k, ranges, rest);
    const Expr index = k.nest.let(name, quotient(at, size));
    k.nest.bind_index(i, index, k.nest.depth());
    at = loops::sub(std::move(at), loops::mul(index, size));
    if (n + 2 < indices.size()) at = k.nest.let("rest", std::move(at));
  }
}

void open_all(KernelWriter& k, NodeId id, const Shape& ranges, const Indices& indices, Expr begin,
              std::int64_t step, LoopKind kind) {
  const bool one = indices.size() == 1;
  const std::string name = k.nest.names().fresh(one ? k.index_name(id, indices[0]) : "element");
  k.nest.open(name, std::move(begin), count_of(k, ranges, indices), step, kind, true);
  split_position(k, id, ranges, indices, variable(name, Type::integer));
}

}  // namespace gradc

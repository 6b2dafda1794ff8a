// random_scalars.cpp: random subscripts that stay inside and random expressions that stay finite.
#include "tests/random_scalars.h"

#include <algorithm>
#include <cmath>

namespace test {

using namespace gradc;

namespace {

std::int64_t least(const Extent& e) {
  return e.offset + e.scale;
}

}  // namespace

Extent RandomScalars::extent() {
  if (!choices.chance(35)) return choices.number(1, 5);
  Extent e(choices.one_of(dims));
  if (choices.chance(15)) e.scale = 2;
  if (choices.chance(15)) e.offset = choices.number(1, 2);
  return e;
}
Shape RandomScalars::shape(std::int64_t max_rank) {
  Shape result;
  for (std::int64_t k = choices.number(0, max_rank); k > 0; --k) result.push_back(extent());
  return result;
}

DType RandomScalars::float_type() {
  return options.f64 && choices.chance(25) ? DType::f64 : DType::f32;
}

// ---- subscripts ----

ScalarId RandomScalars::integer(std::int64_t v) {
  return g.literal(static_cast<double>(v), DType::i32);
}
ScalarId RandomScalars::op(Fn fn, ScalarId x, ScalarId y) {
  return g.apply(fn, {x, y});
}

ScalarId RandomScalars::inside_by_chance(const Extent& axis, int depth) {
  if (ranges.empty() || choices.chance(5)) return integer(choices.number(0, least(axis) - 1));
  const auto k = static_cast<std::uint32_t>(choices.number(0, static_cast<int>(ranges.size()) - 1));
  const Extent& range = ranges[k];
  const std::int64_t room = least(axis), reach = max_extent(g, range);
  const ScalarId i = g.index(k);
  switch (choices.number(0, 5)) {
    case 0: {  // strided and shifted
      const std::int64_t stride = choices.number(1, 2), spare = room - 1 - stride * (reach - 1);
      if (spare < 0) return {};
      const ScalarId scaled = stride == 1 ? i : op(Fn::mul, integer(stride), i);
      return op(Fn::add, scaled, integer(choices.number(0, spare)));
    }
    case 1: {  // flipped
      if (range == axis) return op(Fn::sub, op(Fn::sub, g.size(axis), integer(1)), i);
      return reach <= room ? op(Fn::sub, integer(room - 1), i) : ScalarId{};
    }
    case 2: {  // two indices together, as in a convolution
      const auto other =
          static_cast<std::uint32_t>(choices.number(0, static_cast<int>(ranges.size()) - 1));
      if (other == k || reach + max_extent(g, ranges[other]) - 1 > room) return {};
      return op(Fn::add, i, g.index(other));
    }
    case 3: {  // divided
      const std::int64_t by = choices.number(2, 3);
      return (reach + by - 1) / by <= room ? op(Fn::floor_div, i, integer(by)) : ScalarId{};
    }
    case 4:
      return op(Fn::mod, op(Fn::add, i, integer(choices.number(-2, 2))), integer(room));
    default: {  // gathered
      const Tensor& t = choices.one_of(integers);
      if (depth > 1 || t.top >= room) return {};
      return read(t.id, depth + 1);
    }
  }
}

ScalarId RandomScalars::subscript(const Extent& axis, int depth) {
  std::vector<std::uint32_t> matching;
  for (std::uint32_t k = 0; k < ranges.size(); ++k) {
    if (ranges[k] == axis) matching.push_back(k);
  }
  if (!matching.empty() && choices.chance(75)) return g.index(choices.one_of(matching));
  for (int attempt = 0; attempt < 6; ++attempt) {
    const ScalarId s = inside_by_chance(axis, depth);
    if (s.valid()) return s;
  }
  return integer(0);
}

// An element of a tensor, somewhere.
ScalarId RandomScalars::read(NodeId tensor, int depth) {
  const Shape axes = g[tensor].type.shape;
  std::vector<ScalarId> subscripts;
  for (const Extent& axis : axes) subscripts.push_back(subscript(axis, depth));
  if (axes.empty() || ranges.empty() || g[tensor].type.dtype == DType::boolean || depth > 0) {
    return g.read(tensor, std::move(subscripts));
  }
  if (choices.chance(12)) {  // padded: one subscript moves out of the tensor for some indices
    ScalarId& s = choices.chance(50) ? subscripts.front() : subscripts.back();
    const ScalarId distance = integer(choices.number(1, 2));
    s = op(choices.chance(50) ? Fn::add : Fn::sub, s, distance);
    return g.read(tensor, std::move(subscripts), true);
  }
  if (choices.chance(6)) {  // guarded
    const ScalarId before = op(Fn::sub, subscripts[0], integer(1));
    const ScalarId guard = op(Fn::ge, before, integer(0));
    subscripts[0] = before;
    const ScalarId inner = g.read(tensor, std::move(subscripts));
    return g.apply(Fn::select, {guard, inner, g.literal(0, g[tensor].type.dtype)});
  }
  return g.read(tensor, std::move(subscripts));
}

// ---- expressions ----

Expression RandomScalars::scaled_to(Expression e, double bound, DType t) {
  if (e.bound <= bound) return e;
  const double factor = std::exp2(std::floor(std::log2(bound / e.bound)));
  return {op(Fn::mul, e.id, g.literal(factor, t)), e.bound * factor};
}

ScalarId RandomScalars::condition(DType t, int depth) {
  switch (choices.number(0, depth > 0 ? 6 : 3)) {
    case 0:
      return read(choices.one_of(booleans).id, 1);
    case 1: {
      const ScalarId i =
          ranges.empty() ? integer(1) : g.index(static_cast<std::uint32_t>(ranges.size() - 1));
      constexpr Fn comparisons[] = {Fn::eq, Fn::ne, Fn::lt, Fn::le, Fn::gt, Fn::ge};
      const ScalarId other =
          choices.chance(50) ? integer(choices.number(0, 3)) : read(choices.one_of(integers).id, 1);
      return op(choices.one_of(comparisons), i, other);
    }
    case 2:
      return g.cast(read(choices.one_of(integers).id, 1), DType::boolean);
    case 3: {
      const ScalarId edge = g.literal(choices.real(-1, 1), t);
      return op(Fn::gt, variable(t).id, edge);
    }
    case 4:
      return both(Fn::logical_and, t, depth - 1);
    case 5:
      return both(Fn::logical_or, t, depth - 1);
    default:
      return g.apply(Fn::logical_not, {condition(t, depth - 1)});
  }
}

// Arguments of one call would be chosen in an order that depends on the compiler.
ScalarId RandomScalars::both(Fn fn, DType t, int depth) {
  const ScalarId x = condition(t, depth);
  return op(fn, x, condition(t, depth));
}

Expression RandomScalars::variable(DType t) {
  // Recent values more often, so that graphs grow deep.
  const auto last = static_cast<std::int64_t>(floats.size()) - 1;
  const std::int64_t from = choices.chance(50) ? std::max<std::int64_t>(0, last - 3) : 0;
  const Tensor& tensor = floats[static_cast<std::size_t>(choices.number(from, last))];
  return {g.cast(read(tensor.id, 0), t), tensor.bound};
}

Expression RandomScalars::leaf_expression(DType t) {
  if (choices.chance(70)) return variable(t);
  switch (choices.number(0, 4)) {
    case 0: {
      if (ranges.empty()) return variable(t);
      const auto k =
          static_cast<std::uint32_t>(choices.number(0, static_cast<int>(ranges.size()) - 1));
      return {g.cast(g.index(k), t), static_cast<double>(max_extent(g, ranges[k]))};
    }
    case 1: {
      const Extent e = extent();
      return {g.cast(g.size(e), t), static_cast<double>(max_extent(g, e))};
    }
    case 2: {
      const Tensor& tensor = choices.one_of(integers);
      return {g.cast(read(tensor.id, 1), t), static_cast<double>(tensor.top)};
    }
    case 3:
      return {g.cast(condition(t, 0), t), 1};
    default: {
      constexpr double round[] = {0, 1, -1, 2, 0.5, -0.25, 1e-3};
      const double v = choices.chance(60) ? choices.one_of(round) : choices.real(-2, 2);
      return {g.literal(v, t), std::abs(v)};
    }
  }
}

// x² + c, at least c
Expression RandomScalars::positive(Expression x, double c, DType t) {
  return {op(Fn::add, op(Fn::mul, x.id, x.id), g.literal(c, t)), x.bound * x.bound + c};
}
Expression RandomScalars::call(Fn fn, Expression x, double bound) {
  return {g.apply(fn, {x.id}), bound};
}

Expression RandomScalars::expression(DType t, int depth) {
  if (depth == 0 || choices.chance(15)) return leaf_expression(t);
  const Expression x = scaled_to(expression(t, depth - 1), 4, t);
  if (choices.chance(55)) {
    const Expression y = scaled_to(expression(t, depth - 1), 4, t);
    switch (choices.number(0, 9)) {
      case 0:
      case 1:
        return {op(Fn::add, x.id, y.id), x.bound + y.bound};
      case 2:
        return {op(Fn::sub, x.id, y.id), x.bound + y.bound};
      case 3:
      case 4:
        return {op(Fn::mul, x.id, y.id), x.bound * y.bound};
      case 5:
        return {op(Fn::div, x.id, positive(y, 1, t).id), x.bound};
      case 6:
        return {op(Fn::max, x.id, y.id), std::max(x.bound, y.bound)};
      case 7:
        return {op(Fn::min, x.id, y.id), std::max(x.bound, y.bound)};
      case 8:
        return {g.apply(Fn::select, {condition(t, 1), x.id, y.id}), std::max(x.bound, y.bound)};
      default: {  // (x² + 1/2) ^ y with |y| <= 1
        const Expression base = positive(scaled_to(x, 2, t), 0.5, t);
        const Expression exponent = scaled_to(y, 1, t);
        return {op(Fn::pow, base.id, exponent.id), std::max(base.bound, 2.0)};
      }
    }
  }
  switch (choices.number(0, 21)) {
    case 0:
      return {g.apply(Fn::neg, {x.id}), x.bound};
    case 1:
      return call(Fn::exp, x, std::exp(x.bound));
    case 2:
      return call(Fn::expm1, x, std::exp(x.bound));
    case 3:
      return call(Fn::log, positive(x, 0.25, t), 4);
    case 4:
      return call(Fn::log1p, positive(x, 0, t), 4);
    case 5:
      return call(Fn::sqrt, positive(x, 0.25, t), x.bound + 1);
    case 6:
      return call(Fn::sin, x, 1);
    case 7:
      return call(Fn::cos, x, 1);
    case 8:
      return call(Fn::tan, scaled_to(x, 1, t), 1.6);
    case 9:
      return call(Fn::atan, x, 1.6);
    case 10:
      return call(Fn::tanh, x, 1);
    case 11:
      return call(Fn::erf, x, 1);
    case 12:
      return call(Fn::logistic, x, 1);
    case 13:
      return call(Fn::log1pexp, x, x.bound + 1);
    case 14:
      return call(Fn::abs, x, x.bound);
    case 15:
      return call(Fn::sign, x, 1);
    case 16:
      return call(Fn::floor, x, x.bound + 1);
    case 17:
      return call(Fn::ceil, x, x.bound + 1);
    case 18:
      return call(Fn::round, x, x.bound + 1);
    case 19:
      return options.detach ? call(Fn::detach, x, x.bound) : x;
    case 20: {  // through another dtype and back
      const DType other = choices.chance(50) && options.f64 ? DType::f64 : DType::i32;
      return {g.cast(g.cast(x.id, other == t ? DType::i32 : other), t), x.bound};
    }
    default: {  // x ^ 2, x ^ 3
      const double power = static_cast<double>(choices.number(2, 3));
      const Expression small = scaled_to(x, 2, t);
      return {op(Fn::pow, small.id, g.literal(power, t)),
              std::pow(std::max(small.bound, 1.0), power)};
    }
  }
}

}  // namespace test

// check_reads.cpp: can a subscript leave its tensor? Interval arithmetic with run-time sizes kept
// symbolic.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/bounds.h"
#include "dsl/elaboration.h"

namespace gradc {
namespace {

// constant + Σ factor · dim + Σ coefficient · index
struct Linear {
  std::int64_t constant = 0;
  std::map<std::uint32_t, std::int64_t> dims, indices;
  bool overflow = false;
};

void add_to(std::int64_t& target, std::int64_t x, std::int64_t factor, bool& overflow) {
  std::int64_t product = 0;
  overflow = overflow || __builtin_mul_overflow(x, factor, &product) ||
             __builtin_add_overflow(target, product, &target);
}

Linear plus(Linear a, const Linear& b, std::int64_t factor) {
  a.overflow = a.overflow || b.overflow;
  add_to(a.constant, b.constant, factor, a.overflow);
  for (auto [k, c] : b.dims) add_to(a.dims[k], c, factor, a.overflow);
  for (auto [k, c] : b.indices) add_to(a.indices[k], c, factor, a.overflow);
  auto zero = [](const auto& term) { return term.second == 0; };
  std::erase_if(a.dims, zero);
  std::erase_if(a.indices, zero);
  return a;
}

Linear constant(std::int64_t c) {
  Linear l;
  l.constant = c;
  return l;
}

Linear linear(const Extent& x) {
  Linear l = constant(x.offset);
  if (!x.is_fixed() && x.scale != 0) l.dims[x.dim.value] = x.scale;
  return l;
}

// Between two index-free forms, ends included.
struct Interval {
  Linear low, high;
  bool known = true;  // false: depends on data
};

Interval unknown() {
  return {{}, {}, false};
}

// The smallest value over all sizes.
std::int64_t smallest(const Graph& g, Linear l, bool& overflow) {
  std::int64_t value = l.constant;
  overflow = overflow || l.overflow;
  for (auto [dim, c] : l.dims) add_to(value, c, c > 0 ? 1 : g.dim(DimId{dim}).bound, overflow);
  return value;
}

bool at_least(const Graph& g, const Linear& a, const Linear& b) {
  bool overflow = false;
  return smallest(g, plus(a, b, -1), overflow) >= 0 && !overflow;
}

bool is_number(const Linear& l) {
  return l.dims.empty() && l.indices.empty();
}

// The value as a linear form, if it is one.
bool as_linear(const Graph& g, ScalarId id, Linear& out) {
  const Scalar& s = g[id];
  out = {};
  switch (s.kind) {
    case ScalarKind::literal:
      if (s.dtype != DType::i32) return false;
      out.constant = static_cast<std::int64_t>(s.value);
      return true;
    case ScalarKind::index:
      out.indices[s.index] = 1;
      return true;
    case ScalarKind::size:
      out = linear(s.extent);
      return true;
    case ScalarKind::read:
      return false;
    case ScalarKind::apply:
      break;
  }
  if (s.dtype != DType::i32) return false;
  Linear x, y;
  if (s.fn != Fn::neg && s.fn != Fn::add && s.fn != Fn::sub && s.fn != Fn::mul) return false;
  if (!as_linear(g, s.args[0], x)) return false;
  if (s.fn == Fn::neg) {
    out = plus({}, x, -1);
    return true;
  }
  if (!as_linear(g, s.args[1], y)) return false;
  if (s.fn == Fn::mul) {
    if (!is_number(x)) std::swap(x, y);
    if (!is_number(x)) return false;
    const bool overflow = x.overflow;
    out = plus({}, y, x.constant);
    out.overflow = out.overflow || overflow;
    return true;
  }
  out = plus(x, y, s.fn == Fn::add ? 1 : -1);
  return true;
}

Linear floor_divided(const Graph& g, const Linear& l, std::int64_t by, bool upwards) {
  const bool exact = std::all_of(l.dims.begin(), l.dims.end(),
                                 [&](const auto& term) { return term.second % by == 0; });
  if (exact) {
    Linear out = l;
    out.constant = gradc::floor_divided(l.constant, by);
    for (auto& [dim, c] : out.dims) c /= by;
    return out;
  }
  bool overflow = l.overflow;
  Linear out = upwards ? constant(gradc::floor_divided(-smallest(g, plus({}, l, -1), overflow), by))
                       : constant(gradc::floor_divided(smallest(g, l, overflow), by));
  out.overflow = overflow;
  return out;
}

Interval interval(const Elaboration& e, ScalarId id) {
  const Graph& g = e.graph;
  Linear l;
  if (as_linear(g, id, l)) {
    Interval out;
    out.low = out.high = l;
    out.low.indices.clear();
    out.high.indices.clear();
    for (auto [k, c] : l.indices) {
      const Linear last = plus(linear(e.indices[k].extent), constant(1), -1);
      Linear& end = c > 0 ? out.high : out.low;
      end = plus(end, last, c);
    }
    return out;
  }
  const Scalar& s = g[id];
  if (s.kind == ScalarKind::read) {
    // A position found by argmax lies in its range.
    const Node& n = g[s.tensor];
    const bool position = n.reduction == Reduction::argmax || n.reduction == Reduction::argmin;
    if (!position || n.ranges.size() != n.type.rank() + 1 || s.zero_outside) return unknown();
    return {{}, plus(linear(n.ranges.back()), constant(1), -1), true};
  }
  if (s.kind != ScalarKind::apply || s.dtype != DType::i32 || s.fn == Fn::cast) return unknown();
  if (s.fn == Fn::select) {
    const Interval a = interval(e, s.args[1]), b = interval(e, s.args[2]);
    if (!a.known || !b.known) return unknown();
    Interval out = a;
    if (at_least(g, a.low, b.low))
      out.low = b.low;
    else if (!at_least(g, b.low, a.low))
      return unknown();
    if (at_least(g, b.high, a.high))
      out.high = b.high;
    else if (!at_least(g, a.high, b.high))
      return unknown();
    return out;
  }
  const Interval a = interval(e, s.args[0]);
  const Interval b = s.args.size() > 1 ? interval(e, s.args[1]) : Interval{};
  const bool divisor =
      b.known && is_number(b.low) && b.low.constant == b.high.constant && b.low.constant > 0;
  if (s.fn == Fn::mod && divisor) {
    // Whatever is divided, even data.
    if (a.known && at_least(g, a.low, {}) && at_least(g, plus(b.low, constant(1), -1), a.high))
      return a;
    return {{}, constant(b.low.constant - 1), true};
  }
  // A clamp bounds what nothing else does.
  if ((s.fn == Fn::max || s.fn == Fn::min) && a.known && b.known) {
    const bool max = s.fn == Fn::max;
    const bool low_ordered = at_least(g, a.low, b.low) || at_least(g, b.low, a.low);
    const bool high_ordered = at_least(g, a.high, b.high) || at_least(g, b.high, a.high);
    // Either low end bounds a maximum from below; only the greater high end bounds it from above.
    if (!(max ? high_ordered : low_ordered)) return unknown();
    auto greater = [&](const Linear& x, const Linear& y) { return at_least(g, x, y) ? x : y; };
    auto lesser = [&](const Linear& x, const Linear& y) { return at_least(g, y, x) ? x : y; };
    return max ? Interval{greater(a.low, b.low), greater(a.high, b.high), true}
               : Interval{lesser(a.low, b.low), lesser(a.high, b.high), true};
  }
  if (!a.known || !b.known) return unknown();
  switch (s.fn) {
    case Fn::neg:
      return {plus({}, a.high, -1), plus({}, a.low, -1), true};
    case Fn::add:
      return {plus(a.low, b.low, 1), plus(a.high, b.high, 1), true};
    case Fn::sub:
      return {plus(a.low, b.high, -1), plus(a.high, b.low, -1), true};
    case Fn::floor_div:
      if (!divisor) return unknown();
      return {floor_divided(g, a.low, b.low.constant, false),
              floor_divided(g, a.high, b.low.constant, true), true};
    case Fn::mul: {
      const bool first = is_number(a.low) && is_number(a.high) && a.low.constant == a.high.constant;
      const Interval& factor = first ? a : b;
      const Interval& other = first ? b : a;
      if (!is_number(factor.low) || factor.low.constant != factor.high.constant ||
          !is_number(factor.high)) {
        return unknown();
      }
      const std::int64_t c = factor.low.constant;
      return {plus({}, c > 0 ? other.low : other.high, c),
              plus({}, c > 0 ? other.high : other.low, c), true};
    }
    default:
      return unknown();
  }
}

// Of a clamp one operand is enough on one side, whichever of the two is greater.
bool never_above(const Elaboration& e, ScalarId id, const Linear& limit) {
  const Scalar& s = e.graph[id];
  const bool applies = s.kind == ScalarKind::apply && s.dtype == DType::i32;
  const auto arg = [&](std::size_t k) { return never_above(e, s.args[k], limit); };
  if (applies && s.fn == Fn::min) return arg(0) || arg(1);
  if (applies && s.fn == Fn::max) return arg(0) && arg(1);
  if (applies && s.fn == Fn::select) return arg(1) && arg(2);
  const Interval range = interval(e, id);
  return range.known && at_least(e.graph, limit, range.high);
}
bool never_negative(const Elaboration& e, ScalarId id) {
  const Scalar& s = e.graph[id];
  const bool applies = s.kind == ScalarKind::apply && s.dtype == DType::i32;
  const auto arg = [&](std::size_t k) { return never_negative(e, s.args[k]); };
  if (applies && s.fn == Fn::max) return arg(0) || arg(1);
  if (applies && s.fn == Fn::min) return arg(0) && arg(1);
  if (applies && s.fn == Fn::select) return arg(1) && arg(2);
  const Interval range = interval(e, id);
  return range.known && at_least(e.graph, range.low, {});
}

bool reads_data(const Graph& g, ScalarId id) {
  const Scalar& s = g[id];
  return s.kind == ScalarKind::read || (s.kind == ScalarKind::apply && s.fn == Fn::cast) ||
         std::any_of(s.args.begin(), s.args.end(), [&](ScalarId a) { return reads_data(g, a); });
}

std::string text(const Graph& g, const Linear& l) {
  std::string s;
  for (auto [dim, c] : l.dims) {
    s += s.empty() ? (c < 0 ? "-" : "") : (c < 0 ? " - " : " + ");
    if (c != 1 && c != -1) s += fmt::format("{}*", c < 0 ? -c : c);
    s += g.dim(DimId{dim}).name;
  }
  if (s.empty()) return fmt::format("{}", l.constant);
  if (l.constant != 0) s += fmt::format(" {} {}", l.constant < 0 ? '-' : '+', std::abs(l.constant));
  return s;
}

}  // namespace

ReadCheck check_read(Elaboration& e, NodeId tensor, const std::vector<ScalarId>& subscripts,
                     const std::vector<Span>& spans, const std::string& name, bool padded) {
  ReadCheck out;
  const TensorType& type = e.graph[tensor].type;
  for (std::size_t k = 0; k < subscripts.size(); ++k) {
    const Scalar& subscript = e.graph[subscripts[k]];
    if (subscript.kind == ScalarKind::index && e.indices[subscript.index].extent == type.shape[k]) {
      out.outside.push_back(false);
      continue;
    }
    const Interval range = interval(e, subscripts[k]);
    if (range.low.overflow || range.high.overflow) {
      e.error("integer-overflow", spans[k], "the values of this subscript do not fit in 64 bits");
      out.ok = false;
      continue;
    }
    const Extent& extent = type.shape[k];
    const bool inside = never_negative(e, subscripts[k]) &&
                        never_above(e, subscripts[k], plus(linear(extent), constant(1), -1));
    // What depends on data cannot be known here; the data is checked when it is read.
    const bool data = !range.known && reads_data(e.graph, subscripts[k]);
    out.outside.push_back(!inside && (padded || !data));
    if (inside || data || padded) continue;
    out.ok = false;
    const std::string values =
        range.known ? fmt::format("takes values from {} to {}", text(e.graph, range.low),
                                  text(e.graph, range.high))
                    : std::string("cannot be shown to stay inside");
    e.error("read-out-of-range", spans[k],
            fmt::format(
                "this subscript {}, but dim {} of {} ('{}') is 0..{}; say what stands outside, as "
                "in 'pad 0', or change the range of the index",
                values, k + 1, text(e.graph, type), name,
                text(e.graph, plus(linear(extent), constant(1), -1))));
  }
  return out;
}

}  // namespace gradc

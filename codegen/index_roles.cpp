// index_roles.cpp: what the indices of a comprehension do.
#include "codegen/index_roles.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>
#include <unordered_map>

#include "dsl/bounds.h"
#include "dsl/check.h"
#include "dsl/seen_scalars.h"

namespace gradc {
namespace {

void flatten_product(Graph& g, ScalarId id, std::vector<ScalarId>& factors) {
  const Scalar s = g[id];
  if (s.kind == ScalarKind::apply && s.fn == Fn::mul) {
    for (ScalarId a : s.args) flatten_product(g, a, factors);
  } else if (s.kind == ScalarKind::apply && s.fn == Fn::neg) {
    factors.push_back(g.literal(-1, s.dtype));
    flatten_product(g, s.args[0], factors);
  } else {
    factors.push_back(id);
  }
}

// The factors of a sum of a product, those that no sum changes apart, and the indices of the
// others.
struct SumFactors {
  std::vector<ScalarId> outer, inner;
  std::vector<std::vector<std::uint32_t>> indices;  // of each in `inner`
};
std::optional<SumFactors> factors_of_sum(Graph& g, const Node& n) {
  if (n.kind != NodeKind::comprehension || n.reduction != Reduction::sum) return std::nullopt;
  if (!is_float(n.type.dtype)) return std::nullopt;
  std::vector<ScalarId> all;
  flatten_product(g, n.body, all);
  SumFactors result;
  for (ScalarId f : all) {
    auto set = indices_of(g, f);
    if (set.empty() || set.back() < n.type.rank()) {
      result.outer.push_back(f);
    } else {
      result.inner.push_back(f);
      result.indices.push_back(std::move(set));
    }
  }
  return result;
}

// A free index and a sum run along one axis of something it reads.
bool moves_window(const Graph& g, ScalarId id, std::size_t rank) {
  bool found = false;
  for_each_read(g, id, [&](const Scalar& read) {
    for (const ScalarId subscript : read.args) {
      const auto indices = indices_of(g, subscript);
      found = found || (!indices.empty() && indices.front() < rank && indices.back() >= rank);
    }
  });
  return found;
}

bool includes(const std::vector<std::uint32_t>& big, const std::vector<std::uint32_t>& small) {
  return std::includes(big.begin(), big.end(), small.begin(), small.end());
}

struct Interval {
  double low, high;
};

// Numeric bounds of an integer scalar; none when it depends on data.
std::optional<Interval> bounds(const Graph& g, ScalarId id, const Shape& ranges) {
  const Scalar& s = g[id];
  switch (s.kind) {
    case ScalarKind::literal: return Interval{s.value, s.value};
    case ScalarKind::index: {
      return Interval{0, static_cast<double>(max_extent(g, ranges.at(s.index)) - 1)};
    }
    case ScalarKind::size: {
      const double least =
          static_cast<double>(s.extent.offset + s.extent.scale * g.dim(s.extent.dim).least);
      const double most = static_cast<double>(max_extent(g, s.extent));
      return Interval{std::min(least, most), std::max(least, most)};
    }
    case ScalarKind::read: return std::nullopt;
    case ScalarKind::apply: break;
  }
  std::vector<Interval> args;
  for (ScalarId a : s.args) {
    const auto b = bounds(g, a, ranges);
    if (!b) return std::nullopt;
    args.push_back(*b);
  }
  switch (s.fn) {
    case Fn::neg: return Interval{-args[0].high, -args[0].low};
    case Fn::add: return Interval{args[0].low + args[1].low, args[0].high + args[1].high};
    case Fn::sub: return Interval{args[0].low - args[1].high, args[0].high - args[1].low};
    case Fn::mul: {
      const auto [low, high] =
          std::minmax({args[0].low * args[1].low, args[0].low * args[1].high,
                       args[0].high * args[1].low, args[0].high * args[1].high});
      return Interval{low, high};
    }
    case Fn::floor_div:
      if (args[1].low != args[1].high || args[1].low <= 0) return std::nullopt;
      return Interval{std::floor(args[0].low / args[1].low), std::floor(args[0].high / args[1].low)};
    case Fn::mod:
      if (args[1].low != args[1].high || args[1].low <= 0) return std::nullopt;
      if (args[0].low >= 0 && args[0].high < args[1].low) return args[0];
      return Interval{0, args[1].low - 1};
    case Fn::min:
      return Interval{std::min(args[0].low, args[1].low), std::min(args[0].high, args[1].high)};
    case Fn::max:
      return Interval{std::max(args[0].low, args[1].low), std::max(args[0].high, args[1].high)};
    default: return std::nullopt;
  }
}

// The largest (or with sign -1 the least) value of constant + Σ factor · dim over all run-time sizes.
std::int64_t extreme(const Graph& g, const Affine& a, int sign) {
  std::int64_t value = a.constant;
  for (auto [dim, factor] : a.sizes) {
    const std::int64_t at_least = factor * g.dim(dim).least, at_bound = factor * g.dim(dim).bound;
    value += sign > 0 ? std::max(at_least, at_bound) : std::min(at_least, at_bound);
  }
  return value;
}

void add_extent(Affine& a, const Extent& e, std::int64_t factor) {
  a.constant += factor * e.offset;
  if (e.is_fixed()) return;
  for (auto& [dim, f] : a.sizes) {
    if (dim == e.dim) {
      f += factor * e.scale;
      return;
    }
  }
  a.sizes.emplace_back(e.dim, factor * e.scale);
}

}  // namespace

std::vector<std::uint32_t> indices_of(const Graph& g, ScalarId id) {
  constexpr std::uint32_t told_apart = 63;  // by the facts
  std::vector<std::uint32_t> found;
  for (std::uint64_t rest = g.facts(id).indices; rest != 0; rest &= rest - 1)
    if (const auto k = static_cast<std::uint32_t>(std::countr_zero(rest)); k < told_apart)
      found.push_back(k);
  std::set<std::uint32_t> others;
  for_each_scalar(
      g, id, [&](ScalarId s) { return g.facts(s).indices >> told_apart != 0; },
      [&](ScalarId s) {
        if (g[s].kind == ScalarKind::index && g[s].index >= told_apart) others.insert(g[s].index);
      });
  found.insert(found.end(), others.begin(), others.end());
  return found;
}

bool holds(const Graph& g, ScalarId id, std::uint32_t index) {
  return uses_index(g, id, index, index + 1);
}

std::size_t size_of(const Graph& g, ScalarId id) {
  std::size_t n = 0;
  for_each_scalar(g, id, [&](ScalarId) { ++n; });
  return n;
}

Canonical canonical(Graph& g, ScalarId id, const Shape& ranges, std::optional<std::uint32_t> last) {
  Canonical c;
  for_each_scalar(
      g, id, [&](ScalarId s) { return g.facts(s).indices != 0; },
      [&](ScalarId s) {
        if (g[s].kind != ScalarKind::index) return;
        const std::uint32_t k = g[s].index;
        if (std::find(c.indices.begin(), c.indices.end(), k) == c.indices.end())
          c.indices.push_back(k);
      });
  if (last) {
    if (auto at = std::find(c.indices.begin(), c.indices.end(), *last); at != c.indices.end()) {
      c.indices.erase(at);
      c.indices.push_back(*last);
    }
  }
  std::vector<ScalarId> replacements(ranges.size());
  for (std::uint32_t k = 0; k < c.indices.size(); ++k) {
    replacements[c.indices[k]] = g.index(k);
    c.ranges.push_back(ranges[c.indices[k]]);
  }
  c.body = substitute(g, id, replacements);
  return c;
}

NodeId copy_of_read(Graph& g, ScalarId read, const Canonical& c) {
  const NodeId copy = g.comprehension(c.ranges.size(), c.ranges, Reduction::none, c.body);
  const NodeId tensor = g[read].tensor;
  Label& label = g.label(copy);
  const std::string& name = g[tensor].name.empty() ? g.label(tensor).name : g[tensor].name;
  if (!label.name.empty() || name.empty()) return copy;
  label.name = name.substr(name.rfind('.') + 1) +
               (c.indices.size() < g[tensor].type.rank() ? "_slice" : "_transposed");
  label.span = g.label(tensor).span;
  return copy;
}

std::optional<Factors> factor_product(Graph& g, const Node& n) {
  const auto all = factors_of_sum(g, n);
  if (!all) return std::nullopt;
  std::vector<std::vector<std::uint32_t>> maximal;
  for (const auto& set : all->indices) {
    const bool covered = std::any_of(
        all->indices.begin(), all->indices.end(),
        [&](const auto& other) { return other.size() > set.size() && includes(other, set); });
    if (!covered && std::find(maximal.begin(), maximal.end(), set) == maximal.end()) {
      maximal.push_back(set);
    }
  }
  if (maximal.size() != 2) return std::nullopt;
  // A reduction index must link the two; otherwise the sums are better taken apart.
  const bool linked = std::any_of(maximal[0].begin(), maximal[0].end(), [&](std::uint32_t k) {
    return k >= n.type.rank() && std::binary_search(maximal[1].begin(), maximal[1].end(), k);
  });
  if (!linked) return std::nullopt;
  Factors result;
  result.outer = all->outer;
  for (std::size_t i = 0; i < all->inner.size(); ++i) {
    (includes(maximal[0], all->indices[i]) ? result.left : result.right).push_back(all->inner[i]);
  }
  return result;
}

std::optional<Factors> factor_window(Graph& g, const Node& n) {
  const auto all = factors_of_sum(g, n);
  if (!all || all->inner.size() < 2) return std::nullopt;
  const auto most =
      *std::max_element(all->indices.begin(), all->indices.end(),
                        [](const auto& a, const auto& b) { return a.size() < b.size(); });
  Factors result;
  result.window = true;
  result.outer = all->outer;
  bool moves = false;
  for (std::size_t i = 0; i < all->inner.size(); ++i) {
    if (!includes(most, all->indices[i])) return std::nullopt;
    const bool right = all->indices[i] == most;
    (right ? result.right : result.left).push_back(all->inner[i]);
    moves = moves || (right && moves_window(g, all->inner[i], n.type.rank()));
  }
  if (result.left.empty() || !moves) return std::nullopt;
  return result;
}

bool reads_plainly(const Graph& g, ScalarId id) {
  const Scalar& s = g[id];
  if (s.kind != ScalarKind::read) return false;
  std::set<std::uint32_t> seen;
  return std::all_of(s.args.begin(), s.args.end(), [&](ScalarId a) {
    return g[a].kind == ScalarKind::index && seen.insert(g[a].index).second;
  });
}

std::optional<std::vector<Affine>> affine_subscripts(const Graph& g, const Scalar& read) {
  std::vector<Affine> subscripts(read.args.size());
  for (std::size_t k = 0; k < read.args.size(); ++k) {
    if (!as_affine(g, read.args[k], subscripts[k])) return std::nullopt;
  }
  return subscripts;
}

bool runs_along(const std::vector<Affine>& subscripts, std::uint32_t index) {
  const auto coefficient = [&](const Affine& a) { return index < a.coefficients.size() ? a.coefficients[index] : 0; };
  if (subscripts.empty() || coefficient(subscripts.back()) != 1) return false;
  return std::all_of(subscripts.begin(), subscripts.end() - 1, [&](const Affine& a) { return coefficient(a) == 0; });
}

bool runs_along(const Graph& g, const Scalar& read, std::uint32_t index) {
  const auto moves = [&](ScalarId subscript) { return holds(g, subscript, index); };
  Affine last;
  return !read.args.empty() && std::none_of(read.args.begin(), read.args.end() - 1, moves) &&
         as_affine(g, read.args.back(), last) && index < last.coefficients.size() && last.coefficients[index] == 1;
}

bool run_together(const Graph& g, ScalarId body, const Shape& ranges, std::uint32_t first) {
  const std::uint32_t second = first + 1;
  const auto is = [&](ScalarId id, std::uint32_t k) {
    return g[id].kind == ScalarKind::index && g[id].index == k;
  };
  const auto has = [&](ScalarId id) { return holds(g, id, first) || holds(g, id, second); };
  const auto fits = [&](const Scalar& s) {
    for (std::size_t k = 0; k < s.args.size(); ++k) {
      if (!has(s.args[k])) continue;
      if (s.kind != ScalarKind::read) {
        if (g[s.args[k]].kind == ScalarKind::index) return false;
        continue;
      }
      const Shape& shape = g[s.tensor].type.shape;
      if (k + 1 == s.args.size() || !is(s.args[k], first) || !is(s.args[k + 1], second))
        return false;
      if (shape[k] != ranges[first] || shape[k + 1] != ranges[second]) return false;
      ++k;
    }
    return true;
  };
  if (is(body, first) || is(body, second)) return false;
  bool together = true;
  for_each_scalar(
      g, body, [&](ScalarId id) { return together && has(id); },
      [&](ScalarId id) { together = together && fits(g[id]); });
  return together;
}

bool is_index(const Affine& a, std::uint32_t index) {
  return only_index(a) == index && a.constant == 0 && a.sizes.empty();
}

std::optional<Extent> pairs_of(const Extent& a, const Extent& b) {
  if (!a.is_fixed() && !b.is_fixed()) return std::nullopt;
  Extent all = a.is_fixed() ? b : a;
  const std::int64_t times = a.is_fixed() ? a.offset : b.offset;
  all.offset *= times;
  all.scale *= times;
  return all;
}

Affine end_of(const Affine& a, const Shape& ranges, int sign) {
  Affine end = a;
  end.coefficients.clear();
  for (std::size_t k = 0; k < a.coefficients.size(); ++k) {
    const std::int64_t c = a.coefficients[k];
    if (c == 0 || (c > 0) != (sign > 0)) continue;
    add_extent(end, ranges.at(k), c);
    end.constant -= c;
  }
  return end;
}

bool never_negative(const Graph& g, ScalarId subscript, const Shape& ranges) {
  Affine a;
  if (as_affine(g, subscript, a)) return extreme(g, end_of(a, ranges, -1), -1) >= 0;
  const auto b = bounds(g, subscript, ranges);
  return b && b->low >= 0;
}

bool never_beyond(const Graph& g, ScalarId subscript, const Extent& extent, const Shape& ranges) {
  Affine a;
  if (as_affine(g, subscript, a)) {
    Affine above = end_of(a, ranges, 1);
    add_extent(above, extent, -1);
    return extreme(g, above, 1) < 0;
  }
  const auto b = bounds(g, subscript, ranges);
  const std::int64_t least = extent.is_fixed() ? extent.offset : extent.offset + extent.scale;
  return b && b->high < static_cast<double>(least);
}

bool stays_inside(const Graph& g, ScalarId subscript, const Extent& extent, const Shape& ranges) {
  return never_negative(g, subscript, ranges) && never_beyond(g, subscript, extent, ranges);
}

}  // namespace gradc

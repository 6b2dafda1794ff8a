// products.cpp: sums of products in the form that a micro-kernel computes.
#include "codegen/products.h"

#include <algorithm>
#include <functional>

#include "codegen/partition.h"
#include "codegen/reads_across.h"
#include "dsl/check.h"

namespace gradc {
namespace {

// Copies may hold at most this many times the elements of what they copy (overlapping windows do), and values that are
// computed (from rows of a table, say) of that or of the product.
constexpr std::int64_t largest_growth = 16;

std::int64_t elements(const Graph& g, const Shape& shape) {
  std::int64_t n = 1;
  for (const Extent& e : shape) n *= max_extent(g, e);
  return n;
}

ScalarId product(Graph& g, const std::vector<ScalarId>& factors) {
  ScalarId result = factors.at(0);
  for (std::size_t k = 1; k < factors.size(); ++k) result = g.apply(Fn::mul, {result, factors[k]});
  return result;
}

class Operand {
 public:
  // Of the product `n`. `form`: that with zeros around what is read outside, if it may be without them.
  Operand(Graph& g, const Node& n, const Isa& isa, std::vector<NodeId>& made, const ProductForm* form)
      : g_(g), ranges_(n.ranges), results_(elements(g, n.type.shape)), isa_(isa), made_(made), form_(form) {}

  // A read equal to the product of the factors, inside its tensor or with bounds for its sums, and along `column` if given.
  std::optional<ScalarId> read(const std::vector<ScalarId>& factors,
                               std::optional<std::uint32_t> column) {
    ScalarId value = product(g_, factors);
    if (g_[value].kind == ScalarKind::read) {
      if (const auto direct = inside(value, column)) {
        const auto subscripts = affine_subscripts(g_, g_[*direct]);
        if (!column || runs_along(*subscripts, *column)) return direct;
        value = *direct;
      }
    }
    // Stored in its natural order if that will do: then it is shared with whoever else stores it.
    Canonical c = canonical(g_, value, ranges_);
    if (column && c.indices.back() != *column) c = canonical(g_, value, ranges_, column);
    const bool copied = g_[value].kind == ScalarKind::read;
    const std::int64_t known = std::max(largest_read(value), copied ? 0 : results_);
    if (elements(g_, c.ranges) > largest_growth * known) return std::nullopt;
    NodeId stored;
    if (copied) {
      stored = copy_of_read(g_, value, c);
    } else {
      stored = g_.comprehension(c.ranges.size(), c.ranges, Reduction::none, c.body);
      const ReadsAlong along =
          copy_reads_across(g_, stored, static_cast<std::uint32_t>(c.ranges.size()) - 1, isa_);
      made_.insert(made_.end(), along.copies.begin(), along.copies.end());
      stored = along.now;
    }
    std::vector<ScalarId> subscripts;
    for (std::uint32_t k : c.indices) subscripts.push_back(g_.index(k));
    made_.push_back(stored);
    return g_.read(stored, std::move(subscripts));
  }

 private:
  std::int64_t largest_read(ScalarId value) const {
    std::int64_t most = 1;
    for_each_read(g_, value, [&](const Scalar& s) {
      most = std::max(most, elements(g_, g_[s.tensor].type.shape));
    });
    return most;
  }

  // The same read without padding, of a copy with the padding around it if need be; where an axis is that of
  // `column` alone, and others are windows, of a copy with this axis last. What is copied for that has zeros around it as
  // well, if they aren't many: other products can then share the copy.
  std::optional<ScalarId> inside(ScalarId id, std::optional<std::uint32_t> column) {
    const Scalar s = g_[id];
    const auto subscripts = affine_subscripts(g_, s);
    if (!subscripts) return std::nullopt;
    const Shape& shape = g_[s.tensor].type.shape;
    Shape padded = shape;
    std::vector<ScalarId> from, to = s.args;
    const auto axis = column ? axis_to_move(*subscripts, *column) : std::nullopt;
    bool pads = false, bounds = false;
    for (std::uint32_t k = 0; k < shape.size(); ++k) {
      from.push_back(g_.index(k));
      if (!s.zero_outside || stays_inside(g_, s.args[k], shape[k], ranges_)) continue;
      if (form_ && !(axis && few_zeros(s, *subscripts)) &&
          (sum_to_bound(*form_, (*subscripts)[k]) || sum_at_edges(*form_, (*subscripts)[k], shape[k], ranges_))) {
        bounds = true;
        continue;
      }
      const Affine low = end_of((*subscripts)[k], ranges_, -1);
      Affine high = end_of((*subscripts)[k], ranges_, 1);
      if (!low.sizes.empty() || high.sizes.size() > 1) return std::nullopt;
      padded[k].offset = high.constant - low.constant + 1;
      padded[k].scale = high.sizes.empty() ? 0 : high.sizes[0].second;
      padded[k].dim = high.sizes.empty() ? DimId{} : high.sizes[0].first;
      if (padded[k].scale < 0) return std::nullopt;
      from[k] = shifted(from[k], low.constant);
      to[k] = shifted(to[k], -low.constant);
      pads = true;
    }
    if (!pads && !axis) return g_.read(s.tensor, s.args, bounds);
    if (elements(g_, padded) > largest_growth * elements(g_, shape)) return std::nullopt;
    if (const std::uint32_t moved = axis.value_or(0); axis) {
      move_last(padded, moved);
      move_last(to, moved);
      // The copy's last index is that axis, those after it come one earlier.
      for (std::uint32_t k = 0; k < shape.size(); ++k) {
        const auto last = static_cast<std::uint32_t>(shape.size()) - 1;
        const std::uint32_t now = k < moved ? k : k == moved ? last : k - 1;
        std::vector<ScalarId> renamed(shape.size());
        renamed[k] = g_.index(now);
        from[k] = substitute(g_, from[k], renamed);
      }
    }
    const NodeId copy = g_.comprehension(padded.size(), padded, Reduction::none,
                                         g_.read(s.tensor, std::move(from), pads));
    name_after(copy, s.tensor, axis ? pads ? "_padded_transposed" : "_transposed" : "_padded");
    made_.push_back(copy);
    return g_.read(copy, std::move(to), bounds);
  }

  // A copy with all zeros around it has at most half as many elements again.
  bool few_zeros(const Scalar& read, const std::vector<Affine>& subscripts) const {
    const Shape& shape = g_[read.tensor].type.shape;
    double growth = 1;
    for (std::uint32_t k = 0; k < shape.size(); ++k) {
      const Affine low = end_of(subscripts[k], ranges_, -1), high = end_of(subscripts[k], ranges_, 1);
      if (!shape[k].is_fixed() || !low.sizes.empty() || !high.sizes.empty()) continue;
      const auto extent = static_cast<double>(shape[k].offset);
      growth *= std::max(1.0, static_cast<double>(high.constant - low.constant + 1) / extent);
    }
    return growth <= 1.5;
  }

  // The axis that the column alone runs along, where it isn't the last and another axis is read by windows.
  static std::optional<std::uint32_t> axis_to_move(const std::vector<Affine>& subscripts, std::uint32_t column) {
    std::optional<std::uint32_t> axis;
    bool windows = false;
    for (std::uint32_t k = 0; k < subscripts.size(); ++k) {
      const auto& factors = subscripts[k].coefficients;
      const auto used = std::count_if(factors.begin(), factors.end(), [](std::int64_t f) { return f != 0; });
      windows = windows || used > 1;
      if (coefficient(subscripts[k], column) == 0) continue;
      if (axis || used > 1 || coefficient(subscripts[k], column) != 1 || subscripts[k].constant != 0) return std::nullopt;
      axis = k;
    }
    if (!windows || !axis || *axis + 1 == subscripts.size()) return std::nullopt;
    return axis;
  }

  template <class T>
  static void move_last(std::vector<T>& v, std::uint32_t axis) {
    std::rotate(v.begin() + axis, v.begin() + axis + 1, v.end());
  }

  void name_after(NodeId copy, NodeId tensor, const char* how) {
    Label& label = g_.label(copy);
    const std::string& name = g_[tensor].name.empty() ? g_.label(tensor).name : g_[tensor].name;
    if (!label.name.empty() || name.empty()) return;
    label.name = name.substr(name.rfind('.') + 1) + how;
    label.span = g_.label(tensor).span;
  }

  ScalarId shifted(ScalarId subscript, std::int64_t by) {
    if (by == 0) return subscript;
    Affine a;
    GRADC_CHECK(as_affine(g_, subscript, a), "a subscript of a product is affine");
    a.constant += by;
    return from_affine(g_, a);
  }

  Graph& g_;
  const Shape& ranges_;
  const std::int64_t results_;  // elements of the product
  const Isa& isa_;
  std::vector<NodeId>& made_;
  const ProductForm* const form_;
};

bool holds_index(const Graph& g, const std::vector<ScalarId>& factors, std::uint32_t k) {
  return std::any_of(factors.begin(), factors.end(), [&](ScalarId f) { return holds(g, f, k); });
}

double product_of(const Graph& g, const Shape& ranges) {
  double n = 1;
  for (const Extent& e : ranges) n *= static_cast<double>(max_extent(g, e));
  return n;
}

// Some read in the factors has this index last: vectors along it are there already.
bool lies_along(const Graph& g, const std::vector<ScalarId>& factors, std::uint32_t k) {
  bool found = false;
  for (ScalarId factor : factors) {
    for_each_read(g, factor, [&](const Scalar& read) {
      const auto subscripts = affine_subscripts(g, read);
      found = found || (subscripts && runs_along(*subscripts, k));
    });
  }
  return found;
}

// Elements copied only to be in another order, for each of so many times that the product is computed: what no loop
// changes is copied once.
double reordered(const Graph& g, const std::vector<NodeId>& copies, double times) {
  double n = 0;
  for (NodeId id : copies) {
    const Scalar& body = g[g[id].body];
    if (body.kind != ScalarKind::read) continue;
    const NodeKind kind = g[body.tensor].kind;
    const bool once = kind == NodeKind::parameter || kind == NodeKind::constant || kind == NodeKind::input;
    for (std::uint32_t k = 0; k < body.args.size(); ++k) {
      const auto indices = indices_of(g, body.args[k]);
      if (indices.size() == 1 && indices[0] == k) continue;
      n += product_of(g, g[id].type.shape) / (once ? times : 1);
      break;
    }
  }
  return n;
}

// One way to compute a product: the reads, what is made for them, and its vector operations.
struct Way {
  ScalarId a, b;
  Shape ranges = {};  // those of the product, if not the sum's own
  std::vector<NodeId> operands = {};
  double steps = 0;
};

NodeId product_of_reads(Graph& g, const Node& n, const Way& way) {
  return g.comprehension(n.type.rank(), n.ranges, Reduction::sum, g.apply(Fn::mul, {way.a, way.b}));
}

// What its vectors lie along is as long as one. Else a window's sums are better computed with what
// they are read by.
bool fills_vectors(const Graph& g, NodeId id, const Isa& isa) {
  const Node& n = g[id];
  const auto outer = product_form(g, id, isa);
  const auto inner = outer ? std::nullopt : inner_form(g, id, isa);
  if (!outer && !inner) return false;
  return max_extent(g, n.ranges[outer ? outer->column : *inner->along]) >= isa.lanes(n.type.dtype);
}

// Vectors along the last free index, which one of the operands alone has. `form`: that of this way with zeros around what
// is read outside, if sums may have bounds instead.
std::optional<Way> outer_way(Graph& g, const Node& n, const Factors& factors, const Isa& isa, double times,
                            const ProductForm* form) {
  const std::uint32_t column = static_cast<std::uint32_t>(n.type.rank()) - 1;
  const bool left = holds_index(g, factors.left, column);
  if (left == holds_index(g, factors.right, column)) return std::nullopt;
  Way way;
  Operand operand(g, n, isa, way.operands, form);
  const auto a = operand.read(left ? factors.right : factors.left, std::nullopt);
  const auto b = a ? operand.read(left ? factors.left : factors.right, column) : std::nullopt;
  if (!b) return std::nullopt;
  way.a = *a;
  way.b = *b;
  const std::int64_t columns = max_extent(g, n.ranges[column]);
  const int lanes = isa.lanes(n.type.dtype);
  const std::int64_t steps = isa.masks ? (columns + lanes - 1) / lanes : vector_steps(columns, lanes);
  const auto now = product_form(g, product_of_reads(g, n, way), isa);
  if (form && !now) return std::nullopt;
  way.steps = product_of(g, n.ranges) / static_cast<double>(columns) * static_cast<double>(steps) *
                  (now ? part_inside(g, n.ranges, *now) : 1) +
              copy_steps * reordered(g, way.operands, times);
  return way;
}

// Vectors along index k, a sum that both operands have. `form` as above.
std::optional<Way> inner_way(Graph& g, const Node& n, const Factors& factors, std::uint32_t k, const Isa& isa,
                             double times, const ProductForm* form) {
  if (!holds_index(g, factors.left, k) || !holds_index(g, factors.right, k)) return std::nullopt;
  if (!lies_along(g, factors.left, k) && !lies_along(g, factors.right, k)) return std::nullopt;
  Way way;
  Operand operand(g, n, isa, way.operands, form);
  const auto a = operand.read(factors.left, k);
  const auto b = a ? operand.read(factors.right, k) : std::nullopt;
  if (!b) return std::nullopt;
  way.a = *a;
  way.b = *b;
  const auto now = inner_form(g, product_of_reads(g, n, way), isa);
  if (!now || now->along != k) return std::nullopt;
  const int lanes = isa.lanes(n.type.dtype);
  const std::int64_t length = max_extent(g, n.ranges[k]);
  way.steps = product_of(g, n.ranges) / static_cast<double>(length) *
                  static_cast<double>((length + lanes - 1) / lanes) * part_inside(g, n.ranges, *now) +
              lane_sum_steps * product_of(g, n.type.shape) + copy_steps * reordered(g, way.operands, times);
  return way;
}

}  // namespace

std::int64_t vector_steps(std::int64_t elements, int lanes) {
  std::int64_t steps = elements / lanes;
  for (std::int64_t rest = elements % lanes; rest > 0; rest &= rest - 1) ++steps;
  return steps;
}

namespace {

constexpr double pair_copy_steps = 0.2;  // of an element that is copied to pairs, or to where pairs are neighbours

// The same in pairs of terms: b as [..., column, 2], and a where terms are neighbours.
std::optional<Way> paired_way(Graph& g, const Node& n, const Way& way, int lanes) {
  const auto column = static_cast<std::uint32_t>(n.type.rank()) - 1;
  const Extent columns = n.ranges[column];
  if (n.type.dtype != DType::f32 || !columns.is_fixed() || columns.offset % lanes != 0) return std::nullopt;
  if (!reads_plainly(g, way.a) || !reads_plainly(g, way.b) || g[way.a].zero_outside || g[way.b].zero_outside) return std::nullopt;
  const auto even = [&](std::uint32_t k) {
    return k > column && k < n.ranges.size() && n.ranges[k].is_fixed() && n.ranges[k].offset % 2 == 0;
  };
  const Scalar a = g[way.a], b = g[way.b];
  std::uint32_t sum = g[a.args.back()].index;
  for (auto k = static_cast<std::uint32_t>(n.ranges.size()); !even(sum) && k-- > column + 1;) {
    if (even(k)) sum = k;
  }
  if (!even(sum)) return std::nullopt;
  Shape ranges = n.ranges;
  ranges[sum].offset /= 2;
  ranges.push_back(Extent(2));
  // 2 * half + which
  const auto term = [&](std::uint32_t half, std::uint32_t which) {
    return g.apply(Fn::add, {g.apply(Fn::mul, {g.literal(2, DType::i32), g.index(half)}), g.index(which)});
  };
  const ScalarId paired = term(sum, static_cast<std::uint32_t>(n.ranges.size()));
  Way result;
  const auto copied = [&](const Scalar& read, const Shape& shape, const char* how,
                          const std::function<ScalarId(std::uint32_t)>& at) {
    std::vector<ScalarId> from;
    for (const ScalarId s : read.args) from.push_back(at(g[s].index));
    const NodeId copy = g.comprehension(shape.size(), shape, Reduction::none, g.read(read.tensor, std::move(from)));
    Label& label = g.label(copy);
    const std::string& name = g[read.tensor].name.empty() ? g.label(read.tensor).name : g[read.tensor].name;
    if (label.name.empty() && !name.empty()) {
      label.name = name.substr(name.rfind('.') + 1) + how;
      label.span = g.label(read.tensor).span;
    }
    return copy;
  };
  const auto place = [](const std::vector<std::uint32_t>& indices, std::uint32_t k) {
    return static_cast<std::uint32_t>(std::find(indices.begin(), indices.end(), k) - indices.begin());
  };

  // a as it is, if its terms are neighbours and it is computed here; else a copy with them last.
  std::vector<std::uint32_t> order;
  for (const ScalarId s : a.args) {
    if (g[s].index != sum) order.push_back(g[s].index);
  }
  order.push_back(sum);
  NodeId left = a.tensor;
  if (g[a.args.back()].index != sum || g[storage_of(g, a.tensor)].kind != NodeKind::comprehension) {
    Shape shape;
    for (const std::uint32_t k : order) shape.push_back(n.ranges[k]);
    left = copied(a, shape, "_along", [&](std::uint32_t k) { return g.index(place(order, k)); });
    result.operands.push_back(left);
    result.steps += pair_copy_steps * product_of(g, shape);
  }
  std::vector<ScalarId> subscripts;
  for (const std::uint32_t k : order) subscripts.push_back(k == sum ? paired : g.index(k));
  result.a = g.read(left, std::move(subscripts));

  order.clear();
  for (const ScalarId s : b.args) {
    if (g[s].index != sum && g[s].index != column) order.push_back(g[s].index);
  }
  order.insert(order.end(), {sum, column});
  Shape shape;
  for (const std::uint32_t k : order) shape.push_back(ranges[k]);
  shape.push_back(Extent(2));
  const NodeId right = copied(b, shape, "_pairs", [&](std::uint32_t k) {
    return k == sum ? term(place(order, sum), static_cast<std::uint32_t>(order.size())) : g.index(place(order, k));
  });
  result.operands.push_back(right);
  result.steps += pair_copy_steps * product_of(g, shape);
  subscripts.clear();
  for (const std::uint32_t k : order) subscripts.push_back(g.index(k));
  subscripts.push_back(g.index(static_cast<std::uint32_t>(n.ranges.size())));
  result.b = g.read(right, std::move(subscripts));

  result.ranges = ranges;
  result.steps += way.steps / 2;
  return result;
}

}  // namespace

std::optional<Product> make_product(Graph& g, NodeId id, const Target& target, double times) {
  const Node n = g[id];
  if (n.type.rank() == 0) return std::nullopt;
  auto factors = factor_product(g, n);
  if (!factors && !target.grid()) factors = factor_window(g, n);
  if (!factors) return std::nullopt;
  const int lanes = target.isa.lanes(n.type.dtype);
  const bool inner = !target.grid() && lanes > 1;
  std::optional<Way> best = outer_way(g, n, *factors, target.isa, times, nullptr);
  const auto consider = [&](std::optional<Way> way) {
    if (way && (!best || way->steps < best->steps)) best = std::move(way);
  };
  // Where zeros were read, the same without.
  if (best && !target.grid()) {
    const auto form = product_form(g, product_of_reads(g, n, *best), target.isa);
    if (form && !best->operands.empty()) consider(outer_way(g, n, *factors, target.isa, times, &*form));
  }
  for (auto k = static_cast<std::uint32_t>(n.type.rank()); inner && k < n.ranges.size(); ++k) {
    auto way = inner_way(g, n, *factors, k, target.isa, times, nullptr);
    if (!way) continue;
    const auto form = inner_form(g, product_of_reads(g, n, *way), target.isa);
    if (!way->operands.empty()) consider(inner_way(g, n, *factors, k, target.isa, times, &*form));
    consider(std::move(way));
  }
  if (!best) return std::nullopt;
  if (factors->window && !fills_vectors(g, product_of_reads(g, n, *best), target.isa))
    return std::nullopt;
  if (inner && target.isa.pairs) {
    const auto outer = outer_way(g, n, *factors, target.isa, times, nullptr);
    auto way = outer ? paired_way(g, n, *outer, lanes) : std::nullopt;
    if (way && way->steps < best->steps) {
      way->operands.insert(way->operands.begin(), outer->operands.begin(), outer->operands.end());
      best = std::move(way);
    }
  }
  Product result;
  result.operands = std::move(best->operands);
  const Shape ranges = best->ranges.empty() ? n.ranges : best->ranges;
  result.result = g.comprehension(n.type.rank(), ranges, Reduction::sum, g.apply(Fn::mul, {best->a, best->b}));
  if (factors->outer.empty()) return result;
  result.operands.push_back(result.result);
  std::vector<ScalarId> subscripts;
  for (std::uint32_t k = 0; k < n.type.rank(); ++k) subscripts.push_back(g.index(k));
  factors->outer.push_back(g.read(result.result, std::move(subscripts)));
  result.result = g.comprehension(n.type.rank(), n.type.shape, Reduction::none,
                                  product(g, factors->outer));
  return result;
}

}  // namespace gradc

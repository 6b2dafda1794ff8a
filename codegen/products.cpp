// products.cpp: sums of products in the form that a micro-kernel computes.
#include "codegen/products.h"

#include <algorithm>

#include "dsl/check.h"

namespace gradc {
namespace {

// Copies may hold at most this many times the elements of what they copy (overlapping windows do).
constexpr std::int64_t largest_growth = 16;

std::int64_t elements(const Graph& g, const Shape& shape) {
  std::int64_t n = 1;
  for (const Extent& e : shape) n *= max_extent(g, e);
  return n;
}

std::int64_t coefficient(const Affine& a, std::uint32_t k) {
  return k < a.coefficients.size() ? a.coefficients[k] : 0;
}

// Index `column` is the last subscript's, with factor 1, and nobody else's.
bool runs_along(const std::vector<Affine>& subscripts, std::uint32_t column) {
  if (subscripts.empty() || coefficient(subscripts.back(), column) != 1) return false;
  return std::all_of(subscripts.begin(), subscripts.end() - 1,
                     [&](const Affine& a) { return coefficient(a, column) == 0; });
}

bool uses(const std::vector<Affine>& subscripts, std::uint32_t k) {
  return std::any_of(subscripts.begin(), subscripts.end(),
                     [&](const Affine& a) { return coefficient(a, k) != 0; });
}

ScalarId product(Graph& g, const std::vector<ScalarId>& factors) {
  ScalarId result = factors.at(0);
  for (std::size_t k = 1; k < factors.size(); ++k) result = g.apply(Fn::mul, {result, factors[k]});
  return result;
}

class Operand {
 public:
  Operand(Graph& g, const Shape& ranges, std::vector<NodeId>& made)
      : g_(g), ranges_(ranges), made_(made) {}

  // A read equal to the product of the factors, inside its tensor, and along `column` if given.
  std::optional<ScalarId> read(const std::vector<ScalarId>& factors,
                               std::optional<std::uint32_t> column) {
    ScalarId value = product(g_, factors);
    if (g_[value].kind == ScalarKind::read) {
      if (const auto direct = inside(value)) {
        const auto subscripts = affine_subscripts(g_, g_[*direct]);
        if (!column || runs_along(*subscripts, *column)) return direct;
        value = *direct;
      }
    }
    // Stored in its natural order if that will do: then it is shared with whoever else stores it.
    Canonical c = canonical(g_, value, ranges_);
    if (column && c.indices.back() != *column) c = canonical(g_, value, ranges_, column);
    if (elements(g_, c.ranges) > largest_growth * largest_read(value)) return std::nullopt;
    const NodeId stored = g_.comprehension(c.ranges.size(), c.ranges, Reduction::none, c.body);
    std::vector<ScalarId> subscripts;
    for (std::uint32_t k : c.indices) subscripts.push_back(g_.index(k));
    if (g_[value].kind == ScalarKind::read) name_after(stored, g_[value].tensor, "_transposed");
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

  // The same read without padding, of a copy with the padding around it if need be.
  std::optional<ScalarId> inside(ScalarId id) {
    const Scalar s = g_[id];
    const auto subscripts = affine_subscripts(g_, s);
    if (!subscripts) return std::nullopt;
    if (!s.zero_outside) return id;
    const Shape& shape = g_[s.tensor].type.shape;
    Shape padded = shape;
    std::vector<ScalarId> from, to;
    bool copies = false;
    for (std::uint32_t k = 0; k < shape.size(); ++k) {
      from.push_back(g_.index(k));
      to.push_back(s.args[k]);
      if (stays_inside(g_, s.args[k], shape[k], ranges_)) continue;
      const Affine low = end_of((*subscripts)[k], ranges_, -1);
      Affine high = end_of((*subscripts)[k], ranges_, 1);
      if (!low.sizes.empty() || high.sizes.size() > 1) return std::nullopt;
      padded[k].offset = high.constant - low.constant + 1;
      padded[k].scale = high.sizes.empty() ? 0 : high.sizes[0].second;
      padded[k].dim = high.sizes.empty() ? DimId{} : high.sizes[0].first;
      if (padded[k].scale < 0) return std::nullopt;
      from[k] = shifted(from[k], low.constant);
      to[k] = shifted(to[k], -low.constant);
      copies = true;
    }
    if (!copies) return g_.read(s.tensor, s.args);
    if (elements(g_, padded) > largest_growth * elements(g_, shape)) return std::nullopt;
    const NodeId copy = g_.comprehension(padded.size(), padded, Reduction::none,
                                         g_.read(s.tensor, std::move(from), true));
    name_after(copy, s.tensor, "_padded");
    made_.push_back(copy);
    return g_.read(copy, std::move(to));
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
  std::vector<NodeId>& made_;
};

bool holds_index(const Graph& g, const std::vector<ScalarId>& factors, std::uint32_t k) {
  return std::any_of(factors.begin(), factors.end(), [&](ScalarId f) {
    const auto indices = indices_of(g, f);
    return std::binary_search(indices.begin(), indices.end(), k);
  });
}

}  // namespace

std::optional<Product> make_product(Graph& g, NodeId id) {
  const Node n = g[id];
  if (n.type.rank() == 0) return std::nullopt;
  auto factors = factor_product(g, n);
  if (!factors) return std::nullopt;
  const std::uint32_t column = static_cast<std::uint32_t>(n.type.rank()) - 1;
  const bool left = holds_index(g, factors->left, column);
  if (left == holds_index(g, factors->right, column)) return std::nullopt;
  if (left) std::swap(factors->left, factors->right);

  Product result;
  Operand operand(g, n.ranges, result.operands);
  const auto a = operand.read(factors->left, std::nullopt);
  const auto b = a ? operand.read(factors->right, column) : std::nullopt;
  if (!b) return std::nullopt;
  result.result =
      g.comprehension(n.type.rank(), n.ranges, Reduction::sum, g.apply(Fn::mul, {*a, *b}));
  if (factors->outer.empty()) return result;
  result.operands.push_back(result.result);
  std::vector<ScalarId> subscripts;
  for (std::uint32_t k = 0; k < n.type.rank(); ++k) subscripts.push_back(g.index(k));
  factors->outer.push_back(g.read(result.result, std::move(subscripts)));
  result.result = g.comprehension(n.type.rank(), n.type.shape, Reduction::none,
                                  product(g, factors->outer));
  return result;
}

std::optional<ProductForm> product_form(const Graph& g, NodeId id) {
  const Node& n = g[id];
  if (n.kind != NodeKind::comprehension || n.reduction != Reduction::sum) return std::nullopt;
  if (n.type.rank() == 0 || !is_float(n.type.dtype)) return std::nullopt;
  const Scalar& body = g[n.body];
  if (body.kind != ScalarKind::apply || body.fn != Fn::mul) return std::nullopt;
  ProductForm form;
  form.a = body.args[0];
  form.b = body.args[1];
  form.column = static_cast<std::uint32_t>(n.type.rank()) - 1;
  for (ScalarId side : {form.a, form.b}) {
    const Scalar& s = g[side];
    if (s.kind != ScalarKind::read || s.zero_outside || s.dtype != n.type.dtype) return std::nullopt;
    auto subscripts = affine_subscripts(g, s);
    if (!subscripts) return std::nullopt;
    (side == form.a ? form.a_subscripts : form.b_subscripts) = std::move(*subscripts);
  }
  if (form.a == form.b) return std::nullopt;
  if (uses(form.a_subscripts, form.column) || !runs_along(form.b_subscripts, form.column)) {
    return std::nullopt;
  }
  for (std::uint32_t k = 0; k < form.column; ++k) {
    const bool row = uses(form.a_subscripts, k) && !uses(form.b_subscripts, k);
    (row ? form.rows : form.others).push_back(k);
  }
  for (std::uint32_t k = form.column + 1; k < n.ranges.size(); ++k) form.sums.push_back(k);
  return form;
}

}  // namespace gradc

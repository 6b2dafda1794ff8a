// schedule.cpp: how each stored tensor is computed, from the roles of its indices alone.
#include "codegen/schedule.h"

#include <algorithm>

#include "dsl/bounds.h"
#include "dsl/check.h"

namespace gradc {
namespace {

// Free indices shorter than this are not worth vectors.
constexpr std::int64_t shortest_spread = 4;

// Shorter rows than these are copied element by element.
constexpr std::int64_t shortest_transposed = 16;

bool is_zero(const Graph& g, ScalarId id) {
  return g[id].kind == ScalarKind::literal && g[id].value == 0;
}

// Elements that are next to each other in `index` are next to each other in memory.
bool is_contiguous(const Graph& g, const Scalar& read, std::uint32_t index) {
  Affine a;
  if (read.args.empty() || !as_affine(g, read.args.back(), a)) return false;
  if (index >= a.coefficients.size() || a.coefficients[index] != 1) return false;
  return std::none_of(read.args.begin(), read.args.end() - 1,
                      [&](ScalarId s) { return holds(g, s, index); });
}

bool prefers_spread(const Graph& g, const Node& n) {
  if (n.reduction == Reduction::argmax || n.reduction == Reduction::argmin) return false;
  if (n.type.rank() == 0 || !is_float(n.type.dtype)) return false;
  const auto last_free = static_cast<std::uint32_t>(n.type.rank()) - 1;
  const auto last = static_cast<std::uint32_t>(n.ranges.size()) - 1;
  if (max_extent(g, n.ranges[last_free]) < shortest_spread) return false;
  // What the inner loop doesn't change is read once for all of it, what it walks through in steps costs most.
  int along_free = 0, along_reduction = 0, across_free = 0, across_reduction = 0;
  for_each_read(g, n.body, [&](const Scalar& read) {
    const auto count = [&](std::uint32_t index, int& along, int& across) {
      const bool varies = std::any_of(read.args.begin(), read.args.end(),
                                      [&](ScalarId subscript) { return holds(g, subscript, index); });
      if (varies) ++(is_contiguous(g, read, index) ? along : across);
    };
    count(last_free, along_free, across_free);
    count(last, along_reduction, across_reduction);
  });
  return across_free != across_reduction ? across_free < across_reduction : along_free > along_reduction;
}

void flatten_and(const Graph& g, ScalarId id, std::vector<ScalarId>& conditions) {
  const Scalar& s = g[id];
  if (s.kind == ScalarKind::apply && s.fn == Fn::logical_and) {
    for (ScalarId a : s.args) flatten_and(g, a, conditions);
  } else {
    conditions.push_back(id);
  }
}

// The sides of an equation of integers.
struct Equation {
  ScalarId left, right;
};
std::optional<Equation> equation(const Graph& g, ScalarId id) {
  const Scalar& s = g[id];
  if (s.kind != ScalarKind::apply || s.fn != Fn::eq) return std::nullopt;
  if (g[s.args[0]].dtype != DType::i32) return std::nullopt;
  return Equation{s.args[0], s.args[1]};
}

// True if the equation says `index` = something without it; then `position` is that something,
// where the graph may be added to.
bool solves(const Graph& g, const Equation& e, std::uint32_t index, Graph* add_to,
            ScalarId* position) {
  for (int side = 0; side < 2; ++side) {
    const ScalarId a = side == 0 ? e.left : e.right, b = side == 0 ? e.right : e.left;
    if (holds(g, b, index)) continue;
    Affine linear;
    if (!as_affine(g, a, linear) || index >= linear.coefficients.size()) continue;
    const std::int64_t factor = linear.coefficients[index];
    if (factor != 1 && factor != -1) continue;
    if (!add_to) return true;
    // factor · index + rest = b, so index = factor · (b - rest).
    linear.coefficients[index] = 0;
    Affine other;
    if (as_affine(g, b, other)) {
      linear = plus(linear, other, -1);
      *position = from_affine(*add_to, plus({}, linear, -factor));
      return true;
    }
    const ScalarId rest = from_affine(*add_to, linear);
    const bool no_rest = g[rest].kind == ScalarKind::literal && g[rest].value == 0;
    const ScalarId difference = no_rest ? b : add_to->apply(Fn::sub, {b, rest});
    *position = factor == 1 ? difference : add_to->apply(Fn::neg, {difference});
    return true;
  }
  return false;
}

std::optional<ScatterForm> find_scatter(const Graph& g, NodeId id, Graph* add_to) {
  const Node& n = g[id];
  if (n.kind != NodeKind::comprehension || n.reduction != Reduction::sum) return std::nullopt;
  const Scalar& body = g[n.body];
  if (body.kind != ScalarKind::apply || body.fn != Fn::select) return std::nullopt;
  if (!is_zero(g, body.args[2])) return std::nullopt;
  ScatterForm form;
  form.value = body.args[1];
  std::vector<ScalarId> conditions;
  flatten_and(g, body.args[0], conditions);
  std::vector<bool> solved(n.type.rank());
  for (ScalarId c : conditions) {
    const auto e = equation(g, c);
    bool used = false;
    for (std::uint32_t k = 0; e && !used && k < n.type.rank(); ++k) {
      // Nothing else may hold a solved index: its loop is gone.
      if (solved[k] || holds(g, form.value, k)) continue;
      const bool elsewhere = std::any_of(conditions.begin(), conditions.end(), [&](ScalarId o) {
        return o != c && holds(g, o, k);
      });
      ScalarId position;
      if (elsewhere || !solves(g, *e, k, add_to, &position)) continue;
      solved[k] = used = true;
      form.solved.push_back({k, position});
    }
    if (!used) form.conditions.push_back(c);
  }
  if (form.solved.empty()) return std::nullopt;
  return form;
}

}  // namespace

std::optional<ScatterForm> scatter_form(Graph& g, NodeId id) { return find_scatter(g, id, &g); }

std::optional<TranspositionForm> transposition_form(const Graph& g, NodeId id) {
  const Node& n = g[id];
  if (n.kind != NodeKind::comprehension || n.reduction != Reduction::none || n.type.rank() < 2)
    return std::nullopt;
  const Scalar& read = g[n.body];
  if (read.kind != ScalarKind::read || read.zero_outside || read.args.empty()) return std::nullopt;
  // The axis of each index.
  std::vector<std::optional<std::size_t>> axes(n.type.rank());
  for (std::size_t axis = 0; axis < read.args.size(); ++axis) {
    const Scalar& s = g[read.args[axis]];
    if (s.kind == ScalarKind::literal) continue;
    if (s.kind != ScalarKind::index || axes[s.index]) return std::nullopt;
    axes[s.index] = axis;
  }
  const auto last = static_cast<std::uint32_t>(n.type.rank()) - 1;
  if (!axes[last] || g[read.args.back()].kind != ScalarKind::index ||
      g[read.args.back()].index == last)
    return std::nullopt;
  TranspositionForm form{{last}, {g[read.args.back()].index}, {}};
  for (std::uint32_t k = 0; k < last; ++k) {
    if (!axes[k] && n.ranges[k] != Extent(1)) return std::nullopt;
    if (axes[k] && k != form.columns[0]) form.others.push_back(k);
  }
  const Shape& shape = g[read.tensor].type.shape;
  for (std::vector<std::uint32_t>* joined : {&form.rows, &form.columns}) {
    const std::uint32_t end = joined == &form.rows ? form.columns.front() + 1 : 0;
    while (form.others.size() > 1) {
      const std::uint32_t first = joined->front();
      if (first == end || !axes[first - 1] || *axes[first - 1] + 1 != *axes[first]) break;
      if (shape[*axes[first]] != n.ranges[first]) break;
      joined->insert(joined->begin(), first - 1);
      std::erase(form.others, first - 1);
    }
  }
  std::int64_t length = 1;
  for (const std::uint32_t k : form.rows) length *= max_extent(g, n.ranges[k]);
  return length >= shortest_transposed ? std::optional(std::move(form)) : std::nullopt;
}

Form form_of(const Graph& g, NodeId id, const Target& target) {
  const Node& n = g[id];
  if (n.kind != NodeKind::comprehension || n.reduction == Reduction::none) return Form::pointwise;
  if (find_scatter(g, id, nullptr)) return Form::scatter;
  if (const auto form = product_form(g, id, target.isa); form && !(target.grid() && !form->bounds.empty())) return Form::product;
  if (!target.grid() && inner_form(g, id, target.isa)) return Form::inner;
  return prefers_spread(g, n) ? Form::spread : Form::fold;
}

std::string_view name(Form form) {
  constexpr std::string_view names[] = {"pointwise", "fold", "spread", "scatter", "product", "inner"};
  return names[static_cast<std::size_t>(form)];
}

void schedule(const Graph& g, std::vector<FunctionPlan>& plans, const Target& target) {
  for (FunctionPlan& plan : plans) {
    for (StoredNode& s : plan.stored) {
      s.form = form_of(g, s.node, target);
      // On a grid an element of a spread is one thread's.
      s.alone = target.grid() ? s.form == Form::spread : !s.whole.valid() && transposition_form(g, s.node);
    }
  }
}

}  // namespace gradc

// elaborate_indices.cpp: index notation: subscripts, reductions, and values defined by their
// elements.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/elaboration.h"

namespace gradc {
namespace {

struct ReductionWord {
  std::string_view text;
  Reduction reduction;
};
constexpr ReductionWord reduction_words[] = {
    {"sum", Reduction::sum},      {"mean", Reduction::sum}, {"prod", Reduction::prod},
    {"max", Reduction::max},      {"min", Reduction::min},  {"argmax", Reduction::argmax},
    {"argmin", Reduction::argmin}};

// One subscript as an i32 scalar.
ScalarId subscript(Elaboration& e, Scope& scope, const ast::Expr& x) {
  Value v = x.kind == ast::ExprKind::name ? lookup(e, scope, x.name, true)
                                          : evaluate(e, scope, x, Position::integer);
  if (v.poisoned()) return {};
  if (v.is(ValueKind::number) && !v.integer) {
    e.error("subscript-not-integer", x.span,
            fmt::format("a subscript is an integer, not {}", v.number));
    return {};
  }
  const ScalarId s = element(e, v, x.span);
  if (!s.valid()) return s;
  const DType t = e.graph[s].dtype;
  if (t == DType::i32) return s;
  e.error("subscript-not-integer", x.span,
          fmt::format("a subscript is an integer, not {}{}", describe(e, v),
                      is_float(t) ? "; 'i32(…)' rounds towards 0" : "; 'i32(…)' makes it 0 or 1"));
  return {};
}

// The subscripts with `..` spelt out; false if reported.
bool expand_subscripts(Elaboration& e, Scope& scope, const ast::Expr& x, const TensorType& type,
                       std::vector<ScalarId>& out, std::vector<Span>& spans) {
  bool ok = true;
  std::size_t ellipses = 0;
  for (const ast::Expr& a : x.args) {
    if (a.kind != ast::ExprKind::ellipsis) {
      out.push_back(subscript(e, scope, a));
      spans.push_back(a.span);
      ok = ok && out.back().valid();
      continue;
    }
    if (e.ellipses.size() == scope.first_ellipsis || ++ellipses > 1) {
      e.error("misplaced-ellipsis", a.span,
              ellipses > 1
                  ? "'..' may stand here only once"
                  : "'..' stands for nothing here: it is not on the left of '=', nor reduced over");
      return false;
    }
    const EllipsisGroup group = e.ellipses.back();
    for (std::size_t k = 0; k < group.count; ++k) {
      out.push_back(e.indices[group.first + k].value);
      spans.push_back(a.span);
    }
  }
  if (!ok) return false;
  if (out.size() == type.rank()) return true;
  const std::string dots =
      ellipses == 0 ? "" : fmt::format(" ('..' stands for {})", e.ellipses.back().count);
  wrong_rank(e, x, type, out.size(), dots);
  return false;
}

// Whether every subscript lies inside; those that cannot leave are not asked.
ScalarId is_inside(Elaboration& e, NodeId tensor, const std::vector<ScalarId>& subscripts,
                   const std::vector<bool>& outside) {
  Graph& g = e.graph;
  ScalarId all;
  for (std::size_t k = 0; k < subscripts.size(); ++k) {
    if (!outside[k]) continue;
    const ScalarId low = g.apply(Fn::ge, {subscripts[k], g.literal(0, DType::i32)});
    const ScalarId high = g.apply(Fn::lt, {subscripts[k], g.size(g[tensor].type.shape[k])});
    const ScalarId both = g.apply(Fn::logical_and, {low, high});
    all = all.valid() ? g.apply(Fn::logical_and, {all, both}) : both;
  }
  return all;
}

Value mean_of(Elaboration& e, ScalarId sum, const IndexRanges& ranges, Span span) {
  const Operands where{span, {span, span}, "mean"};
  Value count = number_value(1, true);
  for (const ActiveIndex& i : ranges.indices) {
    if (i.extent.is_fixed()) count = apply(e, Fn::mul, {count, size_value(i.extent)}, where);
  }
  bool one = count.number == 1;
  count.integer = false;
  for (const ActiveIndex& i : ranges.indices) {
    if (i.extent.is_fixed()) continue;
    const Value size = cast_to(e, size_value(i.extent), e.graph[sum].dtype, span);
    count = one ? size : apply(e, Fn::mul, {count, size}, where);
    one = false;
  }
  const Value weight = apply(e, Fn::div, {number_value(1, false), count}, where);
  return apply(e, Fn::mul, {scalar_value(sum), weight}, where);
}

}  // namespace

ActiveScope::ActiveScope(Elaboration& e, const std::vector<ActiveIndex>& indices,
                         const std::optional<EllipsisGroup>& ellipsis)
    : e_(e), indices_(e.indices.size()), ellipses_(e.ellipses.size()) {
  if (ellipsis) e.ellipses.push_back({indices_ + ellipsis->first, ellipsis->count});
  e.indices.insert(e.indices.end(), indices.begin(), indices.end());
}

ActiveScope::~ActiveScope() {
  e_.indices.resize(indices_);
  e_.ellipses.resize(ellipses_);
}

ScalarId element(Elaboration& e, const Value& v, Span span) {
  const Value r = runtime_value(e, v, span);
  if (r.poisoned()) return {};
  if (r.is(ValueKind::tensor) && !r.type.shape.empty()) {
    e.error(
        "whole-tensor-in-index-notation", span,
        fmt::format("this is the whole tensor {}, where index notation needs one element; give it "
                    "subscripts",
                    text(e.graph, r.type)));
    return {};
  }
  return r.body;
}

Value padded(Elaboration& e, Scope& scope, const ast::Expr& x, NodeId tensor,
             const std::vector<ScalarId>& subscripts, const std::vector<bool>& outside, ScalarId inner) {
  const Value pad = evaluate(e, scope, x.pad[0]);
  if (pad.poisoned()) return {};
  const bool leaves = std::find(outside.begin(), outside.end(), true) != outside.end();
  if (!leaves || (pad.constant() && pad.number == 0)) return scalar_value(inner);
  const Value condition = scalar_value(is_inside(e, tensor, subscripts, outside));
  return apply(e, Fn::select, {condition, scalar_value(inner), pad},
               {x.span, {x.span, x.span, x.pad[0].span}, "pad"});
}

void wrong_rank(Elaboration& e, const ast::Expr& x, const TensorType& type, std::size_t given,
                const std::string& explanation) {
  e.error("wrong-rank", x.span,
          fmt::format("{} is {}, with {} dim{}, but has {} subscript{}{}", in_quotes(x.name.text),
                      text(e.graph, type), type.rank(), type.rank() == 1 ? "" : "s", given,
                      given == 1 ? "" : "s", explanation));
}

Value evaluate_subscript(Elaboration& e, Scope& scope, const ast::Expr& x) {
  const Value base = lookup(e, scope, x.name, false);
  if (base.poisoned()) return {};
  if (base.is(ValueKind::absent)) return number_value(0, true);
  const bool element_already = base.is(ValueKind::scalar) || base.constant();
  if (!base.is(ValueKind::tensor) && !element_already) {
    e.error("not-a-tensor", x.name.span,
            fmt::format("{} is {} and has no elements", in_quotes(x.name.text), describe(e, base)));
    return {};
  }
  std::vector<ScalarId> subscripts;
  std::vector<Span> spans;
  const TensorType type = element_already ? TensorType{dtype_of(e, base), {}} : base.type;
  if (!expand_subscripts(e, scope, x, type, subscripts, spans)) return {};
  if (element_already) return base;
  if (const auto first = scope.first_subscripts.find(x.name.text);
      first != scope.first_subscripts.end()) {
    for (std::size_t k = 0; k < subscripts.size(); ++k)
      subscripts[k] = e.graph.apply(
          Fn::sub, {subscripts[k],
                    e.graph.literal(static_cast<double>(first->second[k]), DType::i32)});
  }
  const NodeId tensor = materialize(e, base);
  if (e.graph[tensor].kind == NodeKind::past) {
    return read_past(e, scope, x, tensor, std::move(subscripts), spans);
  }
  const ReadCheck check = check_read(e, tensor, subscripts, spans, x.name.text, !x.pad.empty());
  if (!check.ok) return {};
  if (!x.pad.empty()) {
    const auto& outside = check.outside;
    const bool leaves = std::find(outside.begin(), outside.end(), true) != outside.end();
    const ScalarId inner = e.graph.read(tensor, subscripts, leaves);
    return close(e, padded(e, scope, x, tensor, subscripts, outside, inner));
  }
  return close(e, scalar_value(e.graph.read(tensor, std::move(subscripts))));
}

Value evaluate_reduce(Elaboration& e, Scope& scope, const ast::Expr& x) {
  const auto row = std::find_if(std::begin(reduction_words), std::end(reduction_words),
                                [&](const ReductionWord& r) { return r.text == x.op; });
  const Reduction reduction = row->reduction;
  const bool position = reduction == Reduction::argmax || reduction == Reduction::argmin;
  const bool mean = x.op == "mean";
  const IndexRanges ranges = infer_ranges(e, scope, x.indices, x.args[0], std::nullopt);
  if (!ranges.ok) return {};
  const ActiveScope active(e, ranges.indices, ranges.ellipsis);
  const ScalarId body = element(e, evaluate(e, scope, x.args[0]), x.args[0].span);
  if (!body.valid()) return {};

  Value v = scalar_value(body);
  const bool sums = reduction == Reduction::sum || reduction == Reduction::prod;
  const DType t = e.graph[body].dtype;
  if (mean ? !is_float(t) : t == DType::boolean) {
    v = cast_to(e, v, sums ? DType::f32 : DType::i32, x.span);
  }
  if (ranges.indices.empty()) {  // `..` of a scalar
    return position ? number_value(0, true) : close(e, v);
  }
  const ScalarId reduced = nested(e, v.body, active.first(), reduction, x.span);
  if (!reduced.valid()) return {};
  v = scalar_value(reduced);
  if (mean) v = mean_of(e, reduced, ranges, x.span);
  if (position && ranges.indices.size() == 1) {
    const ActiveIndex& index = ranges.indices[0];
    std::vector<ScalarId> found(e.indices.size());
    found[active.first()] = reduced;
    v = scalar_value(substitute(e.graph, index.value, found));
  }
  return close(e, v);
}

Value evaluate_indexed(Elaboration& e, Scope& scope, const ast::Target& target,
                       const ast::Expr& value) {
  std::optional<Shape> declared;
  if (scope.definition != nullptr) {
    for (const ast::Parameter& r : scope.definition->results) {
      if (r.name.text == target.name.text) declared = declared_shape(e, scope, r.type);
    }
  }
  if (auto cotangent = scope.cotangents.find(target.name.text); cotangent != scope.cotangents.end()) {
    declared = cotangent->second;
  }
  const IndexRanges ranges = infer_ranges(e, scope, target.indices, value, declared);
  if (!ranges.ok) return {};
  for (std::size_t k = 0; k < ranges.indices.size(); ++k) {
    const Scalar& first = e.graph[ranges.indices[k].value];
    if (first.kind == ScalarKind::index) continue;
    e.error("bad-range", ranges.indices[k].span,
            fmt::format("the positions of {} begin at 0, so the range of '{}' must",
                        in_quotes(target.name.text), ranges.indices[k].name));
    return {};
  }
  const ActiveScope active(e, ranges.indices, ranges.ellipsis);
  const ScalarId body = element(e, evaluate(e, scope, value), value.span);
  if (!body.valid()) return {};
  if (ranges.indices.empty()) return close(e, scalar_value(body));
  if (!indices_in(e.graph, body, active.first()).empty()) {
    e.error("element-needs-tensor", target.name.span,
            fmt::format(
                "{} was called with single elements, but defines {} by its elements; call it with "
                "whole tensors",
                scope.definition != nullptr ? in_quotes(scope.definition->name.text) : "this",
                in_quotes(target.name.text)));
    return {};
  }
  TensorType type{e.graph[body].dtype, {}};
  std::vector<ScalarId> renumbered(e.indices.size());
  std::vector<std::string> names;
  for (std::size_t k = 0; k < ranges.indices.size(); ++k) {
    renumbered[active.first() + k] = e.graph.index(static_cast<std::uint32_t>(k));
    type.shape.push_back(ranges.indices[k].extent);
    const std::string& name = ranges.indices[k].name;
    names.push_back(name == ".." ? "" : name);
  }
  if (!check_shape(e, type.shape, target.name.span)) return {};
  const Value v = tensor_value(e.graph, std::move(type), substitute(e.graph, body, renumbered));
  Label& label = e.graph.label(materialize(e, v));
  if (label.index_names.empty()) label.index_names = std::move(names);
  return v;
}

}  // namespace gradc

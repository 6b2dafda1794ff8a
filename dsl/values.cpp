// values.cpp: what expressions evaluate to while a spec becomes a graph, and how it is shown to the
// user.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "dsl/check.h"
#include "dsl/elaboration.h"

namespace gradc {

Value number_value(double x, bool integer) {
  Value v;
  v.kind = ValueKind::number;
  v.number = x;
  v.integer = integer;
  return v;
}

Value boolean_value(bool x) {
  Value v;
  v.kind = ValueKind::boolean;
  v.number = x ? 1 : 0;
  v.integer = true;
  return v;
}

Value text_value(std::string s) {
  Value v;
  v.kind = ValueKind::text;
  v.text = std::move(s);
  return v;
}

Value size_value(const Extent& e) {
  if (e.is_fixed()) return number_value(static_cast<double>(e.offset), true);
  Value v;
  v.kind = ValueKind::size;
  v.extent = e;
  return v;
}

Value scalar_value(ScalarId body) {
  Value v;
  v.kind = ValueKind::scalar;
  v.body = body;
  return v;
}

Value tensor_value(const Graph& g, TensorType type, ScalarId body) {
  GRADC_CHECK(g[body].dtype == type.dtype, "the elements of a tensor have its dtype");
  Value v;
  v.kind = ValueKind::tensor;
  v.type = std::move(type);
  v.body = body;
  return v;
}

Diagnostic& Elaboration::error(std::string_view id, Span span, std::string message,
                               std::vector<Note> notes) {
  Diagnostic& d = diagnostics.error(id, span, std::move(message));
  d.notes = std::move(notes);
  constexpr std::size_t shown = 8;
  for (std::size_t k = calls.size(); k > 0 && calls.size() - k < shown; --k) {
    const CallFrame& frame = calls[k - 1];
    d.notes.push_back(
        {frame.span, fmt::format("in {} '{}', called here", word(frame.definition->kind),
                                 frame.definition->name.text)});
  }
  return d;
}

Span place_in_spec(const Elaboration& e, Span span) {
  for (std::size_t k = e.calls.size(); k > 0 && span.file == 0; --k) span = e.calls[k - 1].span;
  return span;
}

std::string in_quotes(std::string_view s) {
  return fmt::format("'{}'", s);
}

std::string_view word(ast::DefinitionKind kind) {
  switch (kind) {
    case ast::DefinitionKind::op:
      return "op";
    case ast::DefinitionKind::layer:
      return "layer";
    case ast::DefinitionKind::net:
      return "net";
    case ast::DefinitionKind::step:
      return "step";
    case ast::DefinitionKind::optimizer:
      return "optimizer";
  }
  GRADC_UNREACHABLE("definition kind");
}

std::string_view word_with_article(ast::DefinitionKind kind) {
  switch (kind) {
    case ast::DefinitionKind::op:
      return "an op";
    case ast::DefinitionKind::layer:
      return "a layer";
    case ast::DefinitionKind::net:
      return "a net";
    case ast::DefinitionKind::step:
      return "a step";
    case ast::DefinitionKind::optimizer:
      return "an optimizer";
  }
  GRADC_UNREACHABLE("definition kind");
}

std::string text(const Graph& g, const Extent& e) {
  if (e.is_fixed()) return fmt::format("{}", e.offset);
  std::string s =
      e.scale == 1 ? g.dim(e.dim).name : fmt::format("{}*{}", e.scale, g.dim(e.dim).name);
  if (e.offset > 0) s += fmt::format(" + {}", e.offset);
  if (e.offset < 0) s += fmt::format(" - {}", -e.offset);
  return s;
}

std::string text(const Graph& g, const Shape& shape) {
  std::string s = "[";
  for (std::size_t k = 0; k < shape.size(); ++k) s += (k == 0 ? "" : ", ") + text(g, shape[k]);
  return s + "]";
}

std::string text(const Graph& g, const TensorType& t) {
  return std::string(name(t.dtype)) + text(g, t.shape);
}

std::string describe(const Elaboration& e, const Value& v) {
  switch (v.kind) {
    case ValueKind::poison:
      return "nothing";
    case ValueKind::number:
      if (!v.integer && v.number == std::floor(v.number))
        return fmt::format("the real number {}, such as '/' gives where no integer is wanted", v.number);
      return fmt::format("the number {}", v.number);
    case ValueKind::boolean:
      return v.number != 0 ? "true" : "false";
    case ValueKind::text:
      return "a string";
    case ValueKind::size:
      return fmt::format("the size {}", text(e.graph, v.extent));
    case ValueKind::tensor:
      return text(e.graph, v.type);
    case ValueKind::scalar:
      return fmt::format("one {} element", name(e.graph[v.body].dtype));
    case ValueKind::tuple:
      return fmt::format("{} results", v.parts.size());
    case ValueKind::absent:
      return "an absent parameter";
    case ValueKind::updater:
      return "an optimizer";
  }
  GRADC_UNREACHABLE("value kind");
}

DType dtype_of(const Elaboration& e, const Value& v) {
  switch (v.kind) {
    case ValueKind::boolean:
      return DType::boolean;
    case ValueKind::number:
      return v.integer ? DType::i32 : DType::f32;
    case ValueKind::scalar:
      return e.graph[v.body].dtype;
    case ValueKind::tensor:
      return v.type.dtype;
    default:
      return DType::i32;  // sizes; an absent parameter is the integer 0
  }
}

namespace {

ScalarId read_all(Graph& g, NodeId id) {
  std::vector<ScalarId> subscripts;
  for (std::uint32_t k = 0; k < g[id].type.rank(); ++k) subscripts.push_back(g.index(k));
  return g.read(id, std::move(subscripts));
}

}  // namespace

Value node_value(const Elaboration& e, NodeId id) {
  return tensor_value(e.graph, e.graph[id].type, read_all(e.graph, id));
}

NodeId materialize(Elaboration& e, const Value& v) {
  GRADC_CHECK(v.is(ValueKind::tensor), "only tensors become nodes");
  const Scalar& s = e.graph[v.body];
  if (s.kind == ScalarKind::read && e.graph[s.tensor].type == v.type &&
      v.body == read_all(e.graph, s.tensor)) {
    return s.tensor;
  }
  return e.graph.comprehension(v.type.rank(), v.type.shape, Reduction::none, v.body);
}

NodeId materialize(Elaboration& e, const Value& v, const std::string& label, Span span) {
  const NodeId id = materialize(e, v);
  Label& l = e.graph.label(id);
  if (l.name.empty()) l.name = label;
  if (!l.span.valid()) l.span = place_in_spec(e, span);
  return id;
}

Value runtime_value(Elaboration& e, const Value& v, Span span) {
  switch (v.kind) {
    case ValueKind::number:
    case ValueKind::boolean:
    case ValueKind::absent: {
      const DType t = dtype_of(e, v);
      const ScalarId literal = cast_literal(e, v, t, span);
      return literal.valid() ? tensor_value(e.graph, {t, {}}, literal) : Value{};
    }
    case ValueKind::size:
      return tensor_value(e.graph, {DType::i32, {}}, e.graph.size(v.extent));
    case ValueKind::tensor:
    case ValueKind::scalar:
      return v;
    case ValueKind::poison:
      return v;
    case ValueKind::text:
    case ValueKind::tuple:
    case ValueKind::updater:
      break;
  }
  e.error("not-a-tensor", span,
          fmt::format("expected a tensor or a number, not {}", describe(e, v)));
  return {};
}

ScalarId cast_literal(Elaboration& e, const Value& v, DType t, Span span) {
  if (t == DType::i32 && (v.number > 2147483647.0 || v.number < -2147483648.0)) {
    e.error("integer-overflow", span, fmt::format("{} does not fit in an i32", v.number));
    return {};
  }
  return e.graph.literal(t == DType::boolean ? (v.number != 0 ? 1 : 0) : v.number, t);
}

Value cast_to(Elaboration& e, const Value& v, DType t, Span span) {
  if (v.constant() || v.is(ValueKind::absent)) {
    Value c = v;
    if ((t == DType::i32 || t == DType::boolean) && !std::isfinite(c.number)) c.number = 0;
    if (t == DType::i32) c.number = std::trunc(c.number);
    const ScalarId literal = cast_literal(e, c, t, span);
    return literal.valid() ? tensor_value(e.graph, {t, {}}, literal) : Value{};
  }
  Value r = runtime_value(e, v, span);
  if (r.poisoned() || dtype_of(e, r) == t) return r;
  // A bool is whether the number differs from 0, not the bits of it.
  r.body = t == DType::boolean ? e.graph.apply(Fn::ne, {r.body, e.graph.literal(0, dtype_of(e, r))})
                               : e.graph.cast(r.body, t);
  r.type.dtype = t;
  return r;
}

std::optional<Extent> extent_of(const Value& v) {
  if (v.is(ValueKind::size)) return v.extent;
  if (v.is(ValueKind::number) && v.integer) return Extent(static_cast<std::int64_t>(v.number));
  return std::nullopt;
}

bool check_shape(Elaboration& e, const Shape& shape, Span span) {
  if (shape.size() > max_rank) {
    e.error("too-many-dims", span,
            fmt::format("a tensor has at most {} dims, this one {}", max_rank, shape.size()));
    return false;
  }
  std::int64_t elements = 1;
  for (const Extent& x : shape) {
    const std::int64_t smallest = x.is_fixed() ? x.offset : x.offset + x.scale;
    const std::int64_t largest = max_extent(e.graph, x);
    if (std::min(smallest, largest) < 1 || largest > max_extent_value) {
      e.error("bad-extent", span,
              fmt::format("the dim {} of {} must lie between 1 and {} at every size",
                          text(e.graph, x), text(e.graph, shape), max_extent_value));
      return false;
    }
    if (__builtin_mul_overflow(elements, largest, &elements) || elements > max_elements) {
      e.error("tensor-too-large", span,
              fmt::format("{} has more than 2^40 elements", text(e.graph, shape)));
      return false;
    }
  }
  return true;
}

Value spread(Elaboration& e, const Value& v, const TensorType& type, Span span,
             const std::string& what) {
  if (v.poisoned()) return v;
  Value r = v.constant() || v.is(ValueKind::absent) ? cast_to(e, v, type.dtype, span)
                                                    : runtime_value(e, v, span);
  if (r.poisoned()) return r;
  const bool fits = r.is(ValueKind::tensor) && (r.type.shape.empty() || r.type.shape == type.shape);
  if (!fits) {
    e.error("shape-mismatch", span,
            fmt::format("{} is {}, but this is {}", what, text(e.graph, type), describe(e, r)));
    return {};
  }
  if (!is_float(type.dtype) && is_float(r.type.dtype)) {
    e.error("dtype-mismatch", span,
            fmt::format("{} is {}, but this is {}; convert it with {}(…)", what,
                        text(e.graph, type), describe(e, r), name(type.dtype)));
    return {};
  }
  r = cast_to(e, r, type.dtype, span);
  r.type.shape = type.shape;
  return r;
}

std::vector<std::uint32_t> indices_in(const Graph& g, ScalarId id, std::size_t limit) {
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t k = 0; k < limit; ++k) {
    if (uses_index(g, id, k, k + 1)) numbers.push_back(k);
  }
  return numbers;
}

ScalarId nested(Elaboration& e, ScalarId body, std::size_t active, Reduction reduction, Span span) {
  const std::vector<std::uint32_t> free = indices_in(e.graph, body, active);
  std::vector<ScalarId> renumbered(e.indices.size());
  Shape ranges;
  std::vector<std::string> names;
  auto keep = [&](std::size_t k) {
    renumbered[k] = e.graph.index(static_cast<std::uint32_t>(ranges.size()));
    ranges.push_back(e.indices[k].extent);
    names.push_back(e.indices[k].name == ".." ? "" : e.indices[k].name);
  };
  for (std::uint32_t k : free) keep(k);
  for (std::size_t k = active; k < e.indices.size(); ++k) keep(k);
  if (!check_shape(e,
                   Shape(ranges.begin(), ranges.begin() + static_cast<std::ptrdiff_t>(free.size())),
                   span)) {
    return {};
  }
  // Counting the work must not overflow, whoever counts it.
  std::int64_t visited = 1;
  for (const Extent& x : ranges) {
    if (!__builtin_mul_overflow(visited, max_extent(e.graph, x), &visited) &&
        visited <= max_iterations) {
      continue;
    }
    e.error("tensor-too-large", span,
            "this would visit more than 2^50 combinations of its indices");
    return {};
  }
  const NodeId node =
      e.graph.comprehension(free.size(), ranges, reduction, substitute(e.graph, body, renumbered));
  Label& label = e.graph.label(node);
  if (label.index_names.empty()) label.index_names = names;
  if (!label.span.valid()) label.span = place_in_spec(e, span);
  std::vector<ScalarId> subscripts;
  for (std::uint32_t k : free) subscripts.push_back(e.graph.index(k));
  return e.graph.read(node, std::move(subscripts));
}

}  // namespace gradc

// infer_ranges.cpp: what an index runs over: the range it is given, or the dims it alone
// subscripts.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/elaboration.h"

namespace gradc {
namespace {

// A dim an index subscripts alone: x[b, i] gives that of `i` the second extent of x.
struct Occurrence {
  Extent extent;
  Span span;
  std::string tensor;
  TensorType type;
  bool padded = false;
};

struct LeadingOccurrence {
  Shape shape;
  Span span;
  std::string tensor;
};

bool rebinds(const ast::Expr& reduce, const std::string& name) {
  return std::any_of(reduce.indices.begin(), reduce.indices.end(),
                     [&](const ast::Index& i) { return i.name.text == name; });
}

const std::string leading_name = "..";

struct Occurrences {
  std::vector<Occurrence> plain;
  std::vector<LeadingOccurrence> leading;  // of `..`
  std::vector<std::string> bound;          // indices bound around the place looked at
  bool blind = false;  // what could have told is wrong itself: reported elsewhere, or here
};

// What one subscripted tensor says.
void look_at(Elaboration& e, Scope& scope, const ast::Expr& x, const std::string& name,
             Occurrences& found) {
  if (e.untyped.contains(x.name.text)) return;
  const auto base = find_value(e, scope, x.name.text);
  if (!base) lookup(e, scope, x.name, false);
  if (base &&
      (base->is(ValueKind::text) || base->is(ValueKind::size) || base->is(ValueKind::tuple))) {
    evaluate_subscript(e, scope, x);  // says that it has no elements
    found.blind = true;
  }
  if (!base || base->poisoned()) found.blind = true;
  if (!base || (!base->is(ValueKind::tensor) && !base->is(ValueKind::scalar))) return;
  const TensorType type = base->is(ValueKind::tensor) ? base->type : TensorType{};
  const bool has_ellipsis = std::any_of(x.args.begin(), x.args.end(), [](const ast::Expr& a) {
    return a.kind == ast::ExprKind::ellipsis;
  });
  const std::size_t written = x.args.size() - (has_ellipsis ? 1 : 0);
  if (has_ellipsis ? type.rank() < written : type.rank() != written) {
    wrong_rank(e, x, type, written, has_ellipsis ? " besides '..'" : "");
    found.blind = true;
    return;
  }
  const std::size_t hidden = type.rank() - written;
  std::size_t dim = 0;
  for (const ast::Expr& a : x.args) {
    if (a.kind == ast::ExprKind::ellipsis) {
      const auto first = type.shape.begin() + static_cast<std::ptrdiff_t>(dim);
      if (name == leading_name) {
        found.leading.push_back(
            {Shape(first, first + static_cast<std::ptrdiff_t>(hidden)), x.span, x.name.text});
      }
      dim += hidden;
      continue;
    }
    if (a.kind == ast::ExprKind::name && a.name.text == name) {
      found.plain.push_back({type.shape[dim], a.span, x.name.text, type, !x.pad.empty()});
    }
    ++dim;
  }
}

// An index nothing binds is the likelier mistake than a range nothing gives.
void look_for_unbound(Elaboration& e, Scope& scope, const ast::Expr& x, Occurrences& found) {
  for (const ast::Expr& a : x.args) {
    if (a.kind != ast::ExprKind::name || find_value(e, scope, a.name.text) ||
        find_definition(e, scope, a.name.text) != nullptr ||
        std::find(found.bound.begin(), found.bound.end(), a.name.text) != found.bound.end()) {
      continue;
    }
    lookup(e, scope, a.name, true);
    found.blind = true;
  }
}

// The value of a condition; a mistake in it is reported once, and silences its range.
Value find_quietly(Elaboration& e, Scope& scope, const ast::Expr& x) {
  const bool silent = std::exchange(scope.silent, true);
  Value v = evaluate(e, scope, x);
  scope.silent = silent;
  return v;
}

// Every place in `x` where `name` (or "..") subscripts a tensor by itself.
void find_occurrences(Elaboration& e, Scope& scope, const ast::Expr& x, const std::string& name,
                      Occurrences& found) {
  if (x.kind == ast::ExprKind::reduce && rebinds(x, name)) return;
  const std::size_t bound = found.bound.size();
  for (const ast::Index& i : x.indices) found.bound.push_back(i.name.text);
  if (x.kind == ast::ExprKind::subscript) {
    look_at(e, scope, x, name, found);
    look_for_unbound(e, scope, x, found);
  }
  if (x.kind == ast::ExprKind::choice) {
    // Only what is chosen counts; what is wrong with the condition is said where it is evaluated.
    const Value holds = find_quietly(e, scope, x.args[0]);
    const bool known = holds.is(ValueKind::boolean);
    if (!known || holds.number != 0) find_occurrences(e, scope, x.args[1], name, found);
    if (!known || holds.number == 0) find_occurrences(e, scope, x.args[2], name, found);
    found.bound.resize(bound);
    return;
  }
  for (const ast::Expr& a : x.args) find_occurrences(e, scope, a, name, found);
  for (const ast::Expr& a : x.pad) find_occurrences(e, scope, a, name, found);
  for (const ast::Argument& a : x.arguments) find_occurrences(e, scope, a.value, name, found);
  found.bound.resize(bound);
}

Occurrences occurrences(Elaboration& e, Scope& scope, const std::vector<ast::Index>& indices,
                        const ast::Expr& body, const std::string& name) {
  Occurrences found;
  for (const ast::Index& i : indices) found.bound.push_back(i.name.text);
  find_occurrences(e, scope, body, name, found);
  return found;
}

std::optional<Extent> agreed(Elaboration& e, const ast::Name& index,
                             const std::vector<Occurrence>& found) {
  const Occurrence& first = found.front();
  for (const Occurrence& o : found) {
    if (o.extent == first.extent) continue;
    Diagnostic& d = e.error(
        "index-range-clash", o.span,
        fmt::format("index '{0}' runs over {1} in {2} and over {3} in {4}: {2} is {5}, {4} is {6}",
                    index.text, text(e.graph, first.extent), first.tensor, text(e.graph, o.extent),
                    o.tensor, text(e.graph, first.type), text(e.graph, o.type)));
    d.ranges = {first.span};
    return std::nullopt;
  }
  return first.extent;
}

std::optional<Extent> range_by_use(Elaboration& e, Scope& scope, const ast::Index& index,
                                   const std::vector<ast::Index>& indices, const ast::Expr& body,
                                   const std::optional<Extent>& declared) {
  const Occurrences all = occurrences(e, scope, indices, body, index.name.text);
  const std::vector<Occurrence>& found = all.plain;
  std::vector<Occurrence> firm;
  // A padded read may be meant to leave its tensor, so other reads and declarations count for more.
  std::copy_if(found.begin(), found.end(), std::back_inserter(firm),
               [](const Occurrence& o) { return !o.padded; });
  if (!firm.empty()) return agreed(e, index.name, firm);
  if (declared) return declared;
  if (!found.empty()) return agreed(e, index.name, found);
  if (scope.silent || e.broken_items || all.blind) return std::nullopt;
  e.error(
      "unknown-range", index.name.span,
      fmt::format("nothing says what index '{0}' runs over: it subscripts no dim by itself; write "
                  "'{0} in 0..n-1'",
                  index.name.text));
  return std::nullopt;
}

struct GivenRange {
  Extent extent;
  Value low;
};

std::optional<GivenRange> given_range(Elaboration& e, Scope& scope, const ast::Index& index) {
  const Value low = evaluate(e, scope, index.range[0], Position::integer);
  const Value high = evaluate(e, scope, index.range[1], Position::integer);
  const Span span{index.range[0].span.file, index.range[0].span.begin, index.range[1].span.end};
  if (low.poisoned() || high.poisoned()) return std::nullopt;
  if (!extent_of(low) || !extent_of(high)) {
    const bool first = !extent_of(low);
    e.error("bad-range", index.range[first ? 0 : 1].span,
            fmt::format("the ends of a range are whole numbers or dims, not {}",
                        describe(e, first ? low : high)));
    return std::nullopt;
  }
  const Operands where{span, {span, span}, ".."};
  const Value count =
      apply(e, Fn::add, {apply(e, Fn::sub, {high, low}, where), number_value(1, true)}, where);
  if (count.poisoned()) return std::nullopt;
  const auto extent = extent_of(count);
  const bool fits =
      extent && extent->offset + std::min<std::int64_t>(extent->scale, 0) < max_extent_value;
  const std::int64_t smallest = !fits ? 0 : extent->offset + extent->scale;
  if (!fits || std::min(smallest, max_extent(e.graph, *extent)) < 1 ||
      max_extent(e.graph, *extent) > max_extent_value) {
    e.error("bad-range", span,
            fmt::format(
                "index '{}' must run over at least one value{}", index.name.text,
                extent ? fmt::format(" at every size; this is {} of them", text(e.graph, *extent))
                       : std::string()));
    return std::nullopt;
  }
  return GivenRange{*extent, low};
}

// The dims `..` stands for.
std::optional<Shape> leading_shape(Elaboration& e, Scope& scope, const ast::Index& index,
                                   const std::vector<ast::Index>& indices, const ast::Expr& body,
                                   std::size_t position, const std::optional<Shape>& declared) {
  const Occurrences all = occurrences(e, scope, indices, body, leading_name);
  const std::vector<LeadingOccurrence>& found = all.leading;
  if (found.empty()) {
    if (declared && declared->size() >= indices.size() - 1) {
      const auto first = declared->begin() + static_cast<std::ptrdiff_t>(position);
      return Shape(first,
                   first + static_cast<std::ptrdiff_t>(declared->size() + 1 - indices.size()));
    }
    if (scope.silent || e.broken_items || all.blind) return std::nullopt;
    e.error(
        "unknown-range", index.name.span,
        "nothing says which dims '..' stands for: no tensor on the right is subscripted with it");
    return std::nullopt;
  }
  for (const LeadingOccurrence& o : found) {
    if (o.shape == found.front().shape) continue;
    Diagnostic& d = e.error(
        "index-range-clash", o.span,
        fmt::format("'..' stands for {} in {} and for {} in {}", text(e.graph, found.front().shape),
                    found.front().tensor, text(e.graph, o.shape), o.tensor));
    d.ranges = {found.front().span};
    return std::nullopt;
  }
  return found.front().shape;
}

bool check_fresh(Elaboration& e, const Scope& scope, const ast::Name& name,
                 const std::vector<ActiveIndex>& own) {
  auto report = [&](const ActiveIndex& first) {
    e.error("duplicate-index", name.span, fmt::format("'{}' is already an index here", name.text),
            {{first.span, "first here"}});
    return false;
  };
  for (const ActiveIndex& i : own) {
    if (i.name == name.text) return report(i);
  }
  for (std::size_t k = scope.first_index; k < e.indices.size(); ++k) {
    if (e.indices[k].name == name.text) return report(e.indices[k]);
  }
  return true;
}

}  // namespace

IndexRanges infer_ranges(Elaboration& e, Scope& scope, const std::vector<ast::Index>& indices,
                         const ast::Expr& body, const std::optional<Shape>& declared) {
  IndexRanges out;
  auto add = [&](const std::string& name, const Extent& extent, const Value& low, Span span) {
    ScalarId value =
        e.graph.index(static_cast<std::uint32_t>(e.indices.size() + out.indices.size()));
    const auto offset = extent_of(low);
    if (offset && *offset != Extent(0)) {
      const Value start = cast_to(e, runtime_value(e, low, span), DType::i32, span);
      if (start.poisoned()) out.ok = false;
      if (!start.poisoned()) value = e.graph.apply(Fn::add, {value, start.body});
    }
    out.indices.push_back({name, value, extent, span});
  };
  for (const ast::Index& index : indices) {
    if (index.name.text == leading_name) {
      if (out.ellipsis) {
        e.error("duplicate-index", index.name.span, "'..' may stand here only once");
        out.ok = false;
        continue;
      }
      const auto shape = leading_shape(e, scope, index, indices, body, out.indices.size(), declared);
      out.ok = out.ok && shape;
      if (!shape) continue;
      out.ellipsis = EllipsisGroup{out.indices.size(), shape->size()};
      for (const Extent& x : *shape) add(leading_name, x, number_value(0, true), index.name.span);
      continue;
    }
    if (!check_fresh(e, scope, index.name, out.indices)) {
      out.ok = false;
      continue;
    }
    if (!index.range.empty()) {
      const auto given = given_range(e, scope, index);
      out.ok = out.ok && given;
      if (given) add(index.name.text, given->extent, given->low, index.name.span);
      continue;
    }
    std::optional<Extent> known;
    const std::size_t position = out.indices.size();
    // Before `..` positions count from the front, after it what it stands for is among them.
    const bool has_leading =
        std::any_of(indices.begin(), indices.end(),
                    [](const ast::Index& i) { return i.name.text == leading_name; });
    const bool aligned = declared && (has_leading ? indices.size() <= declared->size() + 1
                                                  : indices.size() == declared->size());
    if (aligned && position < declared->size()) known = (*declared)[position];
    if (!known && e.time && e.time->first == index.name.text) known = e.time->second;
    const auto extent = range_by_use(e, scope, index, indices, body, known);
    out.ok = out.ok && extent;
    if (extent) add(index.name.text, *extent, number_value(0, true), index.name.span);
  }
  // One that failed would shift the positions of the others, but then nothing is built of them.
  return out;
}

}  // namespace gradc

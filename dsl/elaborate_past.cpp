// elaborate_past.cpp: the elements that the equations of a recurrence read of its own names.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/elaborate_recurrence.h"

namespace gradc {
namespace {

// How many steps before now a time is; nothing if that varies.
std::optional<std::int64_t> steps_before(const Elaboration& e, const Recurrence& r, ScalarId when) {
  Affine a;
  if (!as_affine(e.graph, when, a) || !a.sizes.empty()) return std::nullopt;
  int times = 0;
  for (std::size_t k = 0; k < a.coefficients.size(); ++k) {
    if (a.coefficients[k] == 0) continue;
    if (a.coefficients[k] != 1 || e.indices[k].name != r.time) return std::nullopt;
    ++times;
  }
  if (times != 1) return std::nullopt;
  return r.backwards ? a.constant : -a.constant;
}

}  // namespace

Value read_past(Elaboration& e, Scope& scope, const ast::Expr& x, NodeId past,
                std::vector<ScalarId> subscripts, const std::vector<Span>& spans) {
  Graph& g = e.graph;
  const Recurrence* r = e.recurrence;
  const auto at = r == nullptr ? std::vector<Defined>::const_iterator{}
                               : std::find_if(r->defined.begin(), r->defined.end(),
                                              [&](const Defined& d) { return d.past == past; });
  if (r == nullptr || at == r->defined.end()) {
    e.error("recurrence-whole", x.span,
            fmt::format("'{}' is still being defined by its recurrence; it may be read there only by its "
                        "elements, and as a whole afterwards",
                        x.name.text));
    return {};
  }
  const Defined& d = *at;
  const ScalarId when = subscripts[d.time];
  const std::optional<std::int64_t> distance = steps_before(e, *r, when);
  const char* towards = r->backwards ? "+" : "-";
  if (!distance) {
    e.error("recurrence-whole", spans[d.time],
            fmt::format("within its recurrence '{0}' is read at '{1}' or a fixed number of steps before, "
                        "as in {0}[…, {1} {2} 1, …]",
                        d.name, r->time, towards));
    return {};
  }
  if (*distance < 0) {
    const bool no_start = d.starts.empty() && !r->backwards;
    e.error("recurrence-order", spans[d.time],
            no_start ? fmt::format("'{0}' is not known yet at a later '{1}'; a recurrence runs backwards if its "
                                   "starts are at the end, as in {0}[…, {2}, …] = 0",
                                   d.name, r->time, text(g, d.indices[d.time].extent))
                     : fmt::format("'{}' is not known yet here: its recurrence starts at the {} and comes here "
                                   "later",
                                   d.name, r->backwards ? "end" : "beginning"));
    return {};
  }
  std::vector<ScalarId> checked = subscripts;
  checked[d.time] = g.literal(0, DType::i32);
  const ReadCheck check = check_read(e, past, checked, spans, d.name, !x.pad.empty());
  if (!check.ok) return {};
  if (*distance == 0) {
    if (!d.body.valid()) return {};  // its own equation failed
    return close(e, scalar_value(g.read(d.body, subscripts)));
  }
  const auto steps = static_cast<std::size_t>(distance.value());
  if (d.before.empty() && !x.pad.empty()) {  // time is padded like the other axes
    std::vector<bool> outside = check.outside;
    outside[d.time] = true;
    return close(e, padded(e, scope, x, past, subscripts, outside, g.read(past, subscripts, true)));
  }
  if (d.before.size() < steps) {
    e.error("recurrence-start", x.span,
            fmt::format("this reads '{0}' {1} step{2} before the first; say what stands there, as in "
                        "{0}[…, {3}, …] = 0, or pad the read",
                        d.name, steps, steps == 1 ? "" : "s",
                        r->backwards ? "T" : fmt::format("-{}", steps)));
    return {};
  }
  auto is_zero = [&](NodeId start) {
    const Node& n = g[start];
    return n.body.valid() && n.reduction == Reduction::none && g[n.body].kind == ScalarKind::literal &&
           g[n.body].value == 0;
  };
  const bool leaves = std::find(check.outside.begin(), check.outside.end(), true) != check.outside.end();
  const bool zero = std::all_of(d.before.begin(), d.before.begin() + static_cast<std::ptrdiff_t>(steps), is_zero);
  ScalarId value = g.read(past, subscripts, zero || leaves);
  std::vector<ScalarId> others = subscripts;
  others.erase(others.begin() + static_cast<std::ptrdiff_t>(d.time));
  for (std::size_t k = 0; k < steps && !zero; ++k) {
    const double before = static_cast<double>(k) + 1;
    ScalarId place = g.literal(-before, DType::i32);
    if (r->backwards) {
      place = g.apply(Fn::add, {g.size(d.indices[d.time].extent), g.literal(before - 1, DType::i32)});
    }
    const ScalarId start = g.read(d.before[k], others, leaves);
    value = g.apply(Fn::select, {g.apply(Fn::eq, {when, place}), start, value});
  }
  if (x.pad.empty()) return close(e, scalar_value(value));
  return close(e, padded(e, scope, x, past, subscripts, check.outside, value));
}

}  // namespace gradc

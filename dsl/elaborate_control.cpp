// elaborate_control.cpp: `for` and `if` over what is known at compile time, and what a name may do
// in them.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/elaboration.h"

namespace gradc {
namespace {

// The numbers a loop counts through; nothing if reported.
std::optional<std::pair<std::int64_t, std::int64_t>> range_of(Elaboration& e, Scope& scope,
                                                              const ast::Index& index) {
  std::optional<std::int64_t> bounds[2];
  for (std::size_t k = 0; k < 2; ++k) {
    const ast::Expr& x = index.range[k];
    const Value v = evaluate(e, scope, x, Position::integer);
    if (v.poisoned()) continue;
    if (!v.is(ValueKind::number) || !v.integer) {
      e.error("not-compile-time", x.span,
              fmt::format("a loop is unrolled, so it counts between whole numbers known at compile "
                          "time, not to {}",
                          describe(e, v)));
      continue;
    }
    bounds[k] = static_cast<std::int64_t>(v.number);
  }
  if (!bounds[0] || !bounds[1]) return std::nullopt;
  if (*bounds[0] < 0) {
    e.error("bad-range", index.range[0].span,
            fmt::format("a loop counts from 0 or more, as its numbers become parts of names; this "
                        "begins at {}",
                        *bounds[0]));
    return std::nullopt;
  }
  if (*bounds[1] - *bounds[0] >= static_cast<std::int64_t>(max_rounds)) {
    e.error("bad-range", index.range[1].span,
            fmt::format("this loop has {} rounds; a loop is unrolled and has at most {}",
                        *bounds[1] - *bounds[0] + 1, max_rounds));
    return std::nullopt;
  }
  return std::pair(*bounds[0], *bounds[1]);
}

}  // namespace

void run_loop(Elaboration& e, Scope& scope, const ast::For& loop, BodyEffects& effects) {
  const auto range = range_of(e, scope, loop.index);
  if (!range) {
    // What the loop would have assigned is unknown, not missing.
    scope.silent = true;
    return;
  }
  if (const auto local = scope.locals.find(loop.index.name.text); local != scope.locals.end()) {
    e.error("duplicate-name", loop.index.name.span,
            fmt::format("{} is a name already; the index of a loop needs one of its own",
                        in_quotes(loop.index.name.text)),
            {{local->second.span, "first here"}});
    scope.silent = true;
    return;
  }
  std::set<std::string> outside;
  for (const auto& [name, binding] : scope.locals) outside.insert(name);
  for (std::int64_t i = range->first; i <= range->second && !e.exhausted; ++i) {
    if (++e.call_count > max_calls) {
      e.exhausted = true;
      e.error("graph-too-large", loop.index.name.span,
              fmt::format("the spec expands to more than {} calls and rounds", max_calls));
      break;
    }
    const std::size_t errors = e.diagnostics.errors();
    scope.rounds.push_back({i, outside, {}});
    if (bind(e, scope, loop.index.name, number_value(static_cast<double>(i), true))) {
      execute(e, scope, loop.body, effects);
    }
    scope.rounds.pop_back();
    std::erase_if(scope.locals,
                  [&](const auto& local) { return outside.count(local.first) == 0; });
    // The rounds after it would say the same again.
    if (e.diagnostics.errors() != errors) {
      scope.silent = true;
      break;
    }
  }
}

void run_branch(Elaboration& e, Scope& scope, const ast::If& choice, BodyEffects& effects) {
  const auto holds = evaluate_condition(e, scope, choice.condition);
  if (!holds) {
    scope.silent = true;
    return;
  }
  execute(e, scope, *holds ? choice.body : choice.otherwise, effects);
}

std::string loop_suffix(const Scope& scope) {
  std::string s;
  for (const Round& r : scope.rounds) s += fmt::format("{}{}", s.empty() ? "" : "_", r.number);
  return s;
}

}  // namespace gradc

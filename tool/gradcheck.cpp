// gradcheck.cpp: `gradc gradcheck`: symbolic gradients against finite differences, emitted code
// against the interpreter.
#include "dsl/gradcheck.h"

#include <fmt/format.h>

#include <algorithm>

#include "dsl/simplify.h"
#include "tool/compare.h"
#include "tool/compile_spec.h"
#include "tool/host_compiler.h"
#include "tool/verbs.h"

namespace gradc {
namespace {

// Per function and kind of call, only the worst value, unless it failed.
std::vector<Comparison> worst(const std::vector<Comparison>& all) {
  std::vector<Comparison> rows;
  for (const Comparison& row : all) {
    const auto same = std::find_if(rows.begin(), rows.end(), [&](const Comparison& r) {
      return r.passed && row.passed && r.function == row.function && r.what == row.what;
    });
    if (same == rows.end())
      rows.push_back(row);
    else if (row.error > same->error)
      *same = row;
  }
  return rows;
}

}  // namespace

int gradcheck(Session& session, const GradcheckArguments& arguments) {
  int code = exit_ok;
  std::optional<Spec> spec = load(session, arguments.spec, code);
  if (!spec) return code;
  Graph simple = spec->graph;
  prepare(simple, session.diagnostics);
  if (code = report(session); code != exit_ok) return code;

  // Of the simplified gradients, which are what is emitted.
  GradcheckOptions options;
  options.seed = arguments.seed;
  options.transform = &simplify;
  const std::vector<GradientCheck> checks = gradcheck(spec->graph, options);
  fmt::print(
      "Gradients against finite differences, in double precision (error at most {:.0e}):\n{}",
      options.tolerance, gradcheck_to_text(checks));
  bool passed = std::none_of(checks.begin(), checks.end(), [&](const GradientCheck& row) {
    return row.verdict == GradientVerdict::wrong || row.verdict == GradientVerdict::not_finite ||
           (arguments.strict && row.verdict == GradientVerdict::differs);
  });

  if (arguments.emitted) {
    CompileOptions compiling;
    compiling.format = false;
    compiling.target.isa = host_isa();
    compiling.memory_limit = arguments.memory_limit;
    const Compiled compiled = compile(compile_input(session, *spec), compiling, session.diagnostics);
    if (code = report(session); code != exit_ok) return code;
    std::optional<Emitted> emitted = Emitted::load(session, compiled, code);
    if (!emitted) return code;
    const std::vector<Comparison> all = compare_emitted(simple, compiled, *emitted, arguments.seed);
    const auto failed =
        std::count_if(all.begin(), all.end(), [](const Comparison& row) { return !row.passed; });
    fmt::print(
        "Emitted code against the interpreter, norm of the difference over the norm (at most "
        "{:.0e}):\n",
        emitted_tolerance);
    for (const Comparison& row : worst(all))
      fmt::print("  {:4}  {:.1e}  {} {}: {}{}\n", row.passed ? "ok" : "FAIL", row.error,
                 row.function, row.what, row.value, row.passed ? " and others" : "");
    fmt::print("{} of {} values agree.\n", static_cast<std::ptrdiff_t>(all.size()) - failed,
               all.size());
    passed &= failed == 0;
  }
  return passed ? exit_ok : exit_spec;
}

}  // namespace gradc

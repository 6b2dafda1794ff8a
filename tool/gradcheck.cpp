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

// Per function and kind of call, only the worst of the values that agree, and all others.
std::vector<Comparison> worst(const std::vector<Comparison>& all) {
  std::vector<Comparison> rows;
  for (const Comparison& row : all) {
    const auto same = std::find_if(rows.begin(), rows.end(), [&](const Comparison& r) {
      return r.agreement == Agreement::agrees && row.agreement == Agreement::agrees && r.function == row.function &&
             r.what == row.what;
    });
    if (same == rows.end())
      rows.push_back(row);
    else if (row.error > same->error)
      *same = row;
  }
  return rows;
}

std::string line_of(const Comparison& row) {
  const bool agrees = row.agreement == Agreement::agrees, differs = row.agreement == Agreement::differs;
  std::string line = fmt::format("  {:4}  {:.1e}  {} {}: {}", agrees ? "ok" : differs ? "FAIL" : "-", row.error,
                                 row.function, row.what, row.value);
  if (agrees) line += " and others";
  if (row.agreement == Agreement::undecided)
    line += row.rounding >= 1 ? ": not compared: its true value is 0 up to rounding"
                              : fmt::format(": not compared: rounding alone moves it by {:.0e}", row.rounding);
  else if (row.rounding > 0)
    line += fmt::format(", which rounding moves by {:.0e}", row.rounding);
  return line + "\n";
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
    const auto count = [&](Agreement agreement) {
      return std::count_if(all.begin(), all.end(), [&](const Comparison& row) { return row.agreement == agreement; });
    };
    fmt::print(
        "Emitted code against the interpreter, norm of the difference over the norm (at most {:.0e}, or what rounding "
        "moves):\n",
        emitted_tolerance);
    for (const Comparison& row : worst(all)) fmt::print("{}", line_of(row));
    const auto undecided = count(Agreement::undecided);
    fmt::print("{} of {} values agree{}.\n", count(Agreement::agrees), all.size(),
               undecided == 0 ? "" : fmt::format(", {} could not be compared", undecided));
    passed &= count(Agreement::differs) == 0;
  }
  return passed ? exit_ok : exit_spec;
}

}  // namespace gradc

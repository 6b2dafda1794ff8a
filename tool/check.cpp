// check.cpp: `gradc check`: everything up to the simplified gradients, and one line if all is well.
#include <fmt/format.h>

#include "codegen/compile.h"
#include "tool/verbs.h"

namespace gradc {

int check(Session& session, const CheckArguments& options) {
  int code = exit_ok;
  std::optional<Spec> spec = load(session, options.spec, code);
  if (!spec) return code;
  prepare(spec->graph, session.diagnostics);
  code = report(session);
  if (code != exit_ok) return code;

  int nets = 0, steps = 0;
  std::int64_t parameters = 0;
  for (const Function& function : spec->graph.functions) {
    nets += function.kind == FunctionKind::net;
    steps += function.kind == FunctionKind::step;
    if (function.kind != FunctionKind::init) continue;
    for (const Update& update : function.updates) {
      const Node& target = spec->graph[update.target];
      if (target.kind == NodeKind::parameter)
        parameters += element_count(spec->graph, target.type.shape);
    }
  }
  const auto count = [](std::int64_t n, const char* what) {
    return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
  };
  fmt::print("{}: {}, {}, {}.\n", spec->name, count(nets, "net"), count(steps, "step"),
             count(parameters, "parameter"));
  return exit_ok;
}

}  // namespace gradc

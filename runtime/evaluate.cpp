// evaluate.cpp: runs a program's tests and scores on given parameters.
#include <algorithm>
#include <cstring>

#include "runtime/checkpoint.h"
#include "runtime/permutation.h"
#include "runtime/session.h"
#include "runtime/stand_ins.h"

namespace gradc::driver {
namespace {

std::int64_t test_count(const Program& program) {
  return std::count_if(program.actions, program.actions + program.action_count,
                       [](const Action& action) { return action.kind == ActionKind::test; });
}

}  // namespace

Exit run_test(Session& session, const Action& action, const char* data_source, const char* part) {
  const Function& function = find_function(session.model, action.function, FunctionKind::evaluate);
  const Dataset& data = find_data(session, data_source, function);
  Batches batches(session.model, function, data,
                  session.options.verb == Verb::eval ? session.options.batch.value_or(0) : 0);
  const std::vector<std::int64_t> rows =
      part_rows(session.program, data_source, part, batches.rows());
  const auto count = static_cast<std::int64_t>(rows.size());
  const std::int64_t steps = batches.steps(count);
  ReportBuffer reports(function);
  const StandIns with(session, action);
  std::vector<double> sums(reports.size(), 0.0);

  const double started = now_seconds();
  session.progress.start("test", steps, 0);
  for (std::int64_t step = 0; step < steps; ++step) {
    const std::int64_t first = step * batches.batch();
    const std::int64_t size = std::min(batches.batch(), count - first);
    batches.fill(rows.data() + first, size);
    Call call = {};
    call.parameters = session.parameters.data();
    call.state = session.state.data();
    call.workspace = session.workspace.data();
    call.dims = batches.dims().data();
    call.inputs = batches.inputs();
    call.outputs = reports.outputs();
    call.seed = evaluation_seed(step);
    session.runner.run(function, call);
    for (std::size_t i = 0; i < sums.size(); ++i)
      sums[i] += reports.value(i) * static_cast<double>(size);
    if (interrupted()) return Exit::interrupted;
    if (session.progress.due())
      session.progress.draw(step + 1, reports_text(averages(function, sums, first + size)));
  }
  const Reports averaged = averages(function, sums, count);
  const std::string name = data_name(data_source, part) + stand_ins_text(action);
  // One test needs no telling apart.
  const std::string which = fmt::format(", {} on {}", function.name, name);
  print_line(session, fmt::format("test {} ({} examples{})", reports_text(averaged), count,
                                  test_count(session.program) > 1 ? which : ""));
  session.metrics.test({function.name, name, 0, 0, 0, count, now_seconds() - started, averaged});
  return Exit::ok;
}

void load_parameters(Session& session) {
  std::string path = session.options.checkpoint;
  for (std::int32_t i = 0; i < session.program.action_count && path.empty(); ++i)
    if (session.program.actions[i].kind == ActionKind::save) path = session.program.actions[i].path;
  const bool nothing_to_load = session.model.parameter_count == 0;
  if (path.empty() && !nothing_to_load) fail(Exit::usage, "say which parameters to use: --checkpoint FILE");
  session.runner.init(session.parameters, session.state, 0);  // for state the file does not hold
  if (path.empty()) {
    session.runner.to_device(session.parameters, session.state);
    return;
  }
  std::string warning;
  load_checkpoint(path, session.model, session.parameters.data(), session.state.data(),
                  Purpose::use, warning);
  session.runner.to_device(session.parameters, session.state);
  if (!warning.empty())
    std::fprintf(session.err, "%s: warning: %s\n", session.model.name, warning.c_str());
}

Exit evaluate(Session& session) {
  load_parameters(session);
  const auto measures = [](const Action& action) {
    return action.kind == ActionKind::test || action.kind == ActionKind::score;
  };
  const Action* const actions = session.program.actions;
  if (std::none_of(actions, actions + session.program.action_count, measures))
    fail(Exit::usage, "the spec's program has no test or score");
  if (!session.options.metrics.empty()) session.metrics = Metrics(session.options.metrics, false);
  session.metrics.run({session.model.name, session.model.spec_hash, "eval", 0, false, 0});
  for (std::int32_t i = 0; i < session.program.action_count; ++i) {
    const Action& action = actions[i];
    if (!measures(action)) continue;
    std::string data = action.data, part = action.part ? action.part : "";
    if (!session.options.on.empty())
      parse_data_name(session.program, session.options.on, data, part);
    const Exit exit = action.kind == ActionKind::test
                          ? run_test(session, action, data.c_str(), part.c_str())
                          : run_score(session, action, data.c_str(), part.c_str());
    if (exit == Exit::interrupted) return exit;
  }
  return Exit::ok;
}

}  // namespace gradc::driver

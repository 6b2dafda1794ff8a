// predict.cpp: runs a net on data and shows what it gives; the verb, and the action of a program.
#include "runtime/file.h"
#include "runtime/outputs.h"
#include "runtime/stand_ins.h"

namespace gradc::driver {
namespace {

const Function& net_of(const Model& model, const std::string& wanted) {
  const Function* found = nullptr;
  std::string names;
  for (std::int32_t i = 0; i < model.function_count; ++i) {
    const Function& function = model.functions[i];
    if (function.kind != FunctionKind::forward) continue;
    names += std::string(names.empty() ? "" : ", ") + function.name;
    if (wanted == function.name || (wanted.empty() && found == nullptr)) found = &function;
  }
  if (found == nullptr && names.empty()) fail(Exit::usage, "the spec has no net");
  if (found == nullptr) fail(Exit::usage, "--net {}: there is {}", wanted, names);
  if (wanted.empty() && names.find(',') != names.npos)
    fail(Exit::usage, "say which net to run with --net: {}", names);
  return *found;
}

}  // namespace

Exit predict(Session& session) {
  const std::string& path = session.options.output;
  if (!path.empty() && !ends_with(path, ".npy") && !ends_with(path, ".csv") &&
      !ends_with(path, ".png"))
    fail(Exit::usage, "--output {}: the name has to end in .npy, .csv or .png", path);
  const Function& function = net_of(session.model, session.options.net);
  if (session.program.data_count == 0) fail(Exit::usage, "the spec names no data");
  std::string source = session.program.data[0].name, part;
  if (!session.options.on.empty())
    parse_data_name(session.program, session.options.on, source, part);
  load_parameters(session);

  const std::vector<std::int64_t> rows =
      rows_in_order(session, function, source.c_str(), part.c_str(), 0);
  const auto outputs =
      run_net(session, function, source.c_str(), rows, session.options.batch.value_or(0));
  if (!outputs) return Exit::interrupted;
  if (!path.empty()) {
    write_outputs(session, *outputs, path);
    return Exit::ok;
  }
  const std::string csv = csv_text(*outputs);
  std::fwrite(csv.data(), 1, csv.size(), session.out);
  return Exit::ok;
}

Exit run_show(Session& session, const Action& action) {
  const Function& net = find_function(session.model, action.function, FunctionKind::forward);
  const std::vector<std::int64_t> rows =
      rows_in_order(session, net, action.data, action.part, action.examples);
  const StandIns with(session, action);
  const auto outputs = run_net(session, net, action.data, rows, 0);
  if (!outputs) return Exit::interrupted;
  const std::string what =
      fmt::format("show {} on {}{} ({} example{})", net.name, data_name(action.data, action.part),
                  stand_ins_text(action),
                  rows.size(), rows.size() == 1 ? "" : "s");
  if (action.path != nullptr) {
    print_line(session, fmt::format("{} as {}", what, action.path));
    write_outputs(session, *outputs, action.path);
    return Exit::ok;
  }
  std::string text = listing(*outputs);
  text.pop_back();  // print_line ends it
  print_line(session, what + "\n" + text);
  return Exit::ok;
}

}  // namespace gradc::driver

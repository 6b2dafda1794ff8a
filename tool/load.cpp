// load.cpp: reads a spec for every verb, and says what is wrong with it.
#include <fmt/format.h>

#include <cstdio>

#include "tool/verbs.h"
#include "tool/write_files.h"

namespace gradc {

int fail(const Session& session, ExitCode code, const std::string& message) {
  const char* red = session.color ? "\033[1;31m" : "";
  const char* plain = session.color ? "\033[0m" : "";
  fmt::print(stderr, "gradc: {}error:{} {}\n", red, plain, message);
  return code;
}

int report(const Session& session) {
  const Diagnostics& diagnostics = session.diagnostics;
  if (diagnostics.all().empty()) return exit_ok;
  const std::string text = render(diagnostics, session.sources, session.color);
  std::fwrite(text.data(), 1, text.size(), stderr);
  if (!diagnostics.has_errors()) return exit_ok;
  fmt::print(stderr, "{} error{}.\n", diagnostics.errors(), diagnostics.errors() == 1 ? "" : "s");
  return exit_spec;
}

std::optional<Spec> load(Session& session, const SpecArguments& arguments, int& code) {
  SpecOptions options;
  for (const std::string& constant : arguments.constants) {
    const std::size_t equals = constant.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == constant.size()) {
      code = fail(session, exit_usage, fmt::format("-D takes name=value, not '{}'", constant));
      return std::nullopt;
    }
    const std::string name = constant.substr(0, equals);
    if (!options.constants.emplace(name, constant.substr(equals + 1)).second) {
      code = fail(session, exit_usage, fmt::format("-D gives '{}' twice", name));
      return std::nullopt;
    }
  }
  // A spec that can't be read at all is an error of input; what it imports is an error in the spec.
  std::string error;
  if (!read_file(arguments.path, std::size_t{1} << 32, error)) {
    code = fail(session, exit_io, error);
    return std::nullopt;
  }
  Spec spec = ast_to_graph(arguments.path, options, session.sources, session.diagnostics);
  if (session.diagnostics.has_errors()) {
    code = report(session);
    return std::nullopt;
  }
  code = exit_ok;
  return spec;
}

}  // namespace gradc

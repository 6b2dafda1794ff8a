// verbs.h: the verbs of the command line: what main.cpp fills in and each <verb>.cpp does.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dsl/ast_to_graph.h"
#include "dsl/diagnostics.h"

namespace gradc {

enum ExitCode : int {
  exit_ok = 0,
  exit_spec = 1,  // an error in the spec
  exit_usage = 2,
  exit_io = 3,
  exit_host = 4,      // the host compiler failed
  exit_internal = 5,  // gradc broke a rule of its own
};

// One run of gradc. main keeps it, so that an internal error can still say what was being read.
struct Session {
  std::vector<std::string> command;
  Sources sources;
  Diagnostics diagnostics;
  bool color = false;
};

struct SpecArguments {
  std::string path;
  std::vector<std::string> constants;  // name=value
};

struct BuildArguments {
  SpecArguments spec;
  std::string target = "cpp";
  // Of the processor, one or several: "native" is this machine's; none: that for a binary, else the default one.
  std::vector<std::string> isas;
  bool binary = false;
  bool with_main = false;  // write <spec>_main.cpp too
  std::string output;      // a directory, or with `binary` the program
  std::string depfile;
  std::string emit;  // stop here and print that stage
  std::vector<std::string> dump_after;
  bool format = true;
  bool force = false;
  std::int64_t memory_limit = 0;  // bytes; 0: none
  std::string storage = "f32";    // of what kernels hand on: or "bf16"
  bool tune = false;              // try several tilings on this machine and take the fastest
};
int build(Session&, const BuildArguments&);

struct CheckArguments {
  SpecArguments spec;
};
int check(Session&, const CheckArguments&);

struct StatsArguments {
  SpecArguments spec;
  std::map<std::string, std::int64_t> dims;  // sizes to count for; the others count 1
  bool json = false;
  std::string target = "cpp";
  std::int64_t memory_limit = 0;  // bytes; 0: none
  std::string storage = "f32";
};
int stats(Session&, const StatsArguments&);

struct GradcheckArguments {
  SpecArguments spec;
  std::uint64_t seed = 1;
  bool emitted = true;  // also compare with the compiled program
  bool strict = false;  // the gradient of a custom op has to be the derivative
  std::int64_t memory_limit = 0;  // bytes, of the emitted code; 0: none
};
int gradcheck(Session&, const GradcheckArguments&);

struct ExplainArguments {
  SpecArguments spec;
  std::string value;
  std::string wrt;  // empty: the value itself
};
int explain(Session&, const ExplainArguments&);

// Prints `message` as an error of gradc, not of a place in the spec; returns `code`.
int fail(const Session&, ExitCode code, const std::string& message);

// Reads and elaborates the spec. Nothing, with `code` set and everything said, if that can't be
// done.
std::optional<Spec> load(Session&, const SpecArguments&, int& code);

// Prints what the diagnostics hold and how many errors; exit_spec if there are any.
int report(const Session&);

}  // namespace gradc

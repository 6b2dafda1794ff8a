// session.h: what one run of a standalone binary holds, shared by its verbs.
#pragma once

#include <cstdio>
#include <map>
#include <string>

#include "gradc/driver.h"
#include "gradc/model.h"
#include "gradc/program.h"
#include "runtime/buffer.h"
#include "runtime/dataset.h"
#include "runtime/failure.h"
#include "runtime/metrics.h"
#include "runtime/options.h"
#include "runtime/progress.h"
#include "runtime/runner.h"

namespace gradc::driver {

struct Session {
  const Model& model;
  const Program& program;
  Options options;
  std::FILE* out;
  std::FILE* err;
  Buffer parameters, state, workspace;
  Progress progress;
  Metrics metrics;
  std::map<std::string, Dataset> loaded;
  Runner runner;
};

// drive() with the streams given, so that tests can read them.
int drive_on(int argc, char** argv, const Model&, const Program&, const char* spec_directory,
             std::FILE* out, std::FILE* err);
int drive_on(int argc, char** argv, const Models&, const Program&, const char* spec_directory,
             std::FILE* out, std::FILE* err);

// The parameters a verb other than train uses.
void load_parameters(Session&);

Exit train(Session&);
Exit evaluate(Session&);
Exit predict(Session&);

// Runs one test and prints its line. An interrupt gives Exit::interrupted.
Exit run_test(Session&, const Action&, const char* data, const char* part);

// Runs a net and prints or writes what it gives.
Exit run_show(Session&, const Action&);

// Measures a net against a field of data and prints the line.
Exit run_score(Session&, const Action&, const char* data, const char* part);

// A line on `out`, in the place of the bar if there is one.
void print_line(Session&, const std::string&);

const Function& find_function(const Model&, const char* name, FunctionKind);
// The data for this function; read on first use.
const Dataset& find_data(Session&, const char* data, const Function&);
// "digits.test"
std::string data_name(const char* data, const char* part);
// Takes "digits" or "digits.test" apart; fails where there is no such data.
void parse_data_name(const Program&, const std::string& name, std::string& data, std::string& part);

// The values a function reported, as numbers.
class ReportBuffer {
 public:
  explicit ReportBuffer(const Function&);
  void* const* outputs() { return pointers_.data(); }
  double value(std::size_t i) const;
  std::size_t size() const { return pointers_.size(); }

 private:
  const Function& function_;
  Buffer storage_;
  std::vector<void*> pointers_;
};
Reports averages(const Function&, const std::vector<double>& sums, std::int64_t examples);

double now_seconds();

// Asks the loops to stop: true once SIGINT or SIGTERM came (which a second time kills at once).
void catch_interrupts();
bool interrupted();

}  // namespace gradc::driver

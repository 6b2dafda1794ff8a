// driver.cpp: from the command line to a verb, and from failures to exit codes.
#include "gradc/driver.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <exception>
#include <new>

#include "runtime/checkpoint.h"
#include "runtime/session.h"

namespace gradc::driver {
namespace {

// The one piece of global state: a signal handler has nothing else to write to.
volatile std::sig_atomic_t interrupt_came = 0;

void on_interrupt(int) {
  interrupt_came = 1;
}

// Sizes that the tables promise, before anything is computed with them.
void check_model(const Model& model) {
  if (model.runtime_version != GRADC_RUNTIME_VERSION)
    fail(Exit::internal, "{} was generated for runtime version {}, and this is version {}",
         model.name, model.runtime_version, GRADC_RUNTIME_VERSION);
  const auto check = [](const Tensor* tensors, std::int32_t count, std::size_t size) {
    for (std::int32_t i = 0; i < count; ++i) {
      const auto bytes =
          static_cast<std::uint64_t>(element_count(tensors[i], {})) * size_of(tensors[i].dtype);
      if (tensors[i].offset > size || bytes > size - tensors[i].offset)
        fail(Exit::internal, "tensor '{}' lies outside its struct", tensors[i].name);
    }
  };
  check(model.parameters, model.parameter_count, model.parameters_size);
  check(model.state, model.state_count, model.state_size);
}

std::string device_of(const Model& model) {
  return model.engine == nullptr ? "cpu" : model.engine->name;
}

int run(int argc, char** argv, const Models& models, const Program& program,
        const char* spec_directory, std::FILE* out, std::FILE* err) {
  std::vector<std::string> devices;
  for (std::int32_t i = 0; i < models.count; ++i) devices.push_back(device_of(*models.models[i]));
  const std::optional<Options> options =
      parse_options(argc, argv, *models.models[0], program, spec_directory, out, devices);
  if (!options) return 0;
  const auto chosen = std::find(devices.begin(), devices.end(), options->device);
  const Model& model = *models.models[chosen == devices.end() ? 0 : chosen - devices.begin()];
  check_model(model);
  Session session{model,
                  program,
                  *options,
                  out,
                  err,
                  Buffer(model.parameters_size, "the parameters"),
                  Buffer(model.state_size, "the state"),
                  Buffer(model.engine ? 0 : model.workspace_size, "the workspace"),
                  Progress(options->progress, err, now_seconds, 0, terminal_speaks_utf8()),
                  Metrics(),
                  {},
                  Runner(model, options->threads)};
  catch_interrupts();
  Exit exit = Exit::internal;
  try {
    switch (options->verb) {
      case Verb::train:
        exit = train(session);
        break;
      case Verb::eval:
        exit = evaluate(session);
        break;
      case Verb::predict:
        exit = predict(session);
        break;
    }
  } catch (...) {
    session.progress.clear();
    throw;
  }
  session.progress.clear();
  if (std::fflush(out) != 0 || std::ferror(out))
    fail(Exit::input_output, "cannot write to standard output");
  return static_cast<int>(exit);
}

}  // namespace

int drive_on(int argc, char** argv, const Model& model, const Program& program,
             const char* spec_directory, std::FILE* out, std::FILE* err) {
  const Model* const only = &model;
  return drive_on(argc, argv, Models{&only, 1}, program, spec_directory, out, err);
}

int drive_on(int argc, char** argv, const Models& models, const Program& program,
             const char* spec_directory, std::FILE* out, std::FILE* err) {
  Exit exit = Exit::internal;
  std::string message;
  try {
    return run(argc, argv, models, program, spec_directory, out, err);
  } catch (const Failure& failure) {
    exit = failure.exit;
    message = failure.message;
  } catch (const std::bad_alloc&) {
    exit = Exit::input_output;
    message = "out of memory";
  } catch (const std::exception& error) {
    message = std::string("internal error: ") + error.what();
  }
  std::fflush(out);
  std::fprintf(err, "%s: error: %s\n", models.models[0]->name, message.c_str());
  std::fflush(err);
  return static_cast<int>(exit);
}

void print_line(Session& session, const std::string& line) {
  session.progress.clear();
  std::fprintf(session.out, "%s\n", line.c_str());
  std::fflush(session.out);
}

const Function& find_function(const Model& model, const char* name, FunctionKind kind) {
  for (std::int32_t i = 0; i < model.function_count; ++i)
    if (model.functions[i].kind == kind && std::strcmp(model.functions[i].name, name) == 0)
      return model.functions[i];
  fail(Exit::internal, "the program names '{}', which the model does not have", name);
}

std::string data_name(const char* data, const char* part) {
  return part != nullptr && *part != '\0' ? std::string(data) + "." + part : std::string(data);
}

void parse_data_name(const Program& program, const std::string& name, std::string& data,
                     std::string& part) {
  const std::size_t dot = name.find('.');
  data = name.substr(0, dot);
  part = dot == name.npos ? "" : name.substr(dot + 1);
  std::string known;
  for (std::int32_t i = 0; i < program.data_count; ++i) {
    if (data == program.data[i].name) return;
    known += std::string(known.empty() ? "" : ", ") + program.data[i].name;
  }
  fail(Exit::usage, "--on {}: no data is named '{}'; there is {}", name, data,
       known.empty() ? "none" : known);
}

const Dataset& find_data(Session& session, const char* data, const Function& function) {
  std::string key = data;
  for (std::int32_t i = 0; i < function.input_count; ++i)
    key += fmt::format(" {}:{}:{}", function.inputs[i].name,
                       static_cast<int>(function.inputs[i].dtype), function.inputs[i].limit);
  if (const auto found = session.loaded.find(key); found != session.loaded.end())
    return found->second;
  for (std::int32_t i = 0; i < session.program.data_count; ++i)
    if (std::strcmp(session.program.data[i].name, data) == 0)
      return session.loaded
          .emplace(key, load_dataset(session.program.data[i], function, session.options.data,
                                     session.options.allow_nan))
          .first->second;
  fail(Exit::internal, "the program names data '{}', which it does not have", data);
}

ReportBuffer::ReportBuffer(const Function& function)
    : function_(function),
      storage_(static_cast<std::uint64_t>(function.output_count) * 8, "the reports") {
  for (std::int32_t i = 0; i < function.output_count; ++i) {
    if (function.outputs[i].rank != 0)
      fail(Exit::internal, "'{}' of '{}' is not a single number", function.outputs[i].name,
           function.name);
    pointers_.push_back(storage_.data() + i * 8);
  }
}

double ReportBuffer::value(std::size_t i) const {
  switch (function_.outputs[i].dtype) {
    case DType::f32:
      return static_cast<double>(*static_cast<const float*>(pointers_[i]));
    case DType::f64:
      return *static_cast<const double*>(pointers_[i]);
    case DType::i32:
      return *static_cast<const std::int32_t*>(pointers_[i]);
    case DType::boolean:
      return *static_cast<const unsigned char*>(pointers_[i]);
  }
  return 0;
}

Reports averages(const Function& function, const std::vector<double>& sums, std::int64_t examples) {
  Reports reports;
  for (std::size_t i = 0; i < sums.size(); ++i)
    reports.emplace_back(function.outputs[i].name,
                         sums[i] / static_cast<double>(std::max<std::int64_t>(examples, 1)));
  return reports;
}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void catch_interrupts() {
  interrupt_came = 0;
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() {
  return interrupt_came != 0;
}

}  // namespace gradc::driver

namespace gradc {

int drive(int argc, char** argv, const Model& model, const Program& program,
          const char* spec_directory) {
  return driver::drive_on(argc, argv, model, program, spec_directory, stdout, stderr);
}

int drive(int argc, char** argv, const Models& models, const Program& program,
          const char* spec_directory) {
  return driver::drive_on(argc, argv, models, program, spec_directory, stdout, stderr);
}

}  // namespace gradc

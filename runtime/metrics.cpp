// metrics.cpp: writes metrics.jsonl.
#include "runtime/metrics.h"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>

#include "gradc/model.h"
#include "runtime/failure.h"

namespace gradc::driver {
namespace {

using Json = nlohmann::ordered_json;

// NaN and infinities, which JSON does not have, become null.
Json reports_json(const Reports& reports) {
  Json result = Json::object();
  for (const auto& [name, value] : reports) result[name] = value;
  return result;
}

std::string now() {
  const std::time_t time = std::time(nullptr);
  std::tm parts = {};
  gmtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace

Metrics::Metrics(const std::string& path, bool append) : path_(path) {
  file_.reset(std::fopen(path.c_str(), append ? "ae" : "we"));
  if (!file_) fail(Exit::input_output, "{}: cannot write: {}", path, std::strerror(errno));
}

void Metrics::write_line(std::string line) {
  line += '\n';
  // Flushed line by line, so that it can be followed and nothing is lost when the run is killed.
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() ||
      std::fflush(file_.get()) != 0)
    fail(Exit::input_output, "{}: cannot write: {}", path_, std::strerror(errno));
}

void Metrics::run(const RunRecord& run) {
  if (!file_) return;
  write_line(Json{
      {"type", "run"},
      {"schema", metrics_schema},
      {"model", run.model},
      {"spec_hash", run.spec_hash},
      {"runtime", GRADC_RUNTIME_VERSION},
      {"verb", run.verb},
      {"seed", run.seed},
      {"resumed", run.resumed},
      {"parameters", run.parameters},
      {"time",
       now()}}.dump());
}

void Metrics::epoch(const EpochRecord& epoch) {
  if (!file_) return;
  write_line(Json{{"type", "epoch"},
                  {"fit", epoch.function},
                  {"data", epoch.data},
                  {"epoch", epoch.epoch},
                  {"epochs", epoch.epochs},
                  {"steps", epoch.steps},
                  {"examples", epoch.examples},
                  {"seconds", epoch.seconds},
                  {"reports", reports_json(epoch.reports)}}
                 .dump());
}

void Metrics::test(const EpochRecord& test) {
  write_measured("test", test);
}

void Metrics::score(const EpochRecord& score) {
  write_measured("score", score);
}

void Metrics::write_measured(const char* type, const EpochRecord& test) {
  if (!file_) return;
  write_line(Json{{"type", type},
                  {type, test.function},
                  {"data", test.data},
                  {"examples", test.examples},
                  {"seconds", test.seconds},
                  {"reports", reports_json(test.reports)}}
                 .dump());
}

std::string reports_text(const Reports& reports) {
  std::string text;
  for (const auto& [name, value] : reports)
    text += fmt::format("{}{} {:.4g}", text.empty() ? "" : " ", name, value);
  return text;
}

}  // namespace gradc::driver

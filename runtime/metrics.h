// metrics.h: metrics.jsonl: one JSON object per line, readable while training runs.
//
//   {"type":"run","schema":1,"model":…,"spec_hash":…,"runtime":…,"verb":…,"seed":…,"resumed":…,"parameters":…,"time":…}
//   {"type":"epoch","fit":…,"data":…,"epoch":3,"epochs":20,"steps":23,"examples":1437,"seconds":…,"reports":{…}}
//   {"type":"score","score":…,"data":…,"examples":360,"seconds":…,"reports":{…}}
//   {"type":"test","test":…,"data":…,"examples":360,"seconds":…,"reports":{…}}
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gradc::driver {

constexpr int metrics_schema = 1;

using Reports = std::vector<std::pair<std::string, double>>;  // by name, averaged over examples

struct RunRecord {
  std::string model, spec_hash, verb;
  std::uint64_t seed = 0;
  bool resumed = false;
  std::int64_t parameters = 0;
};

struct EpochRecord {
  std::string function, data;
  std::int64_t epoch = 0, epochs = 0, steps = 0, examples = 0;
  double seconds = 0;
  Reports reports;
};

class Metrics {
 public:
  Metrics() = default;  // writes nothing
  Metrics(const std::string& path, bool append);
  void run(const RunRecord&);
  void epoch(const EpochRecord&);
  void test(const EpochRecord&);   // epoch, epochs and steps are not written
  void score(const EpochRecord&);  // likewise

 private:
  void write_line(std::string line);
  void write_measured(const char* type, const EpochRecord&);
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
  std::string path_;
};

// "loss 0.1231 accuracy 0.9778"
std::string reports_text(const Reports&);

}  // namespace gradc::driver

// options.h: the command line of a standalone binary.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "gradc/model.h"
#include "gradc/program.h"
#include "runtime/dataset.h"
#include "runtime/partial_load.h"
#include "runtime/progress.h"

namespace gradc::driver {

enum class Verb { train, eval, predict };

struct Options {
  Verb verb = Verb::train;
  std::optional<std::int64_t> epochs, batch;
  std::optional<std::uint64_t> seed;
  DataPaths data;
  std::string checkpoint;
  bool resume = false;
  std::string load;             // a checkpoint whose parameters replace initial values
  std::vector<Mapping> map;     // of its names to those of the spec; none: as they are
  std::int64_t save_every = 0;  // steps; 0: after epochs only
  std::int64_t max_steps = 0;   // 0: no limit
  std::string metrics;
  ProgressMode progress = ProgressMode::automatic;
  bool allow_nan = false;
  std::string on;           // eval, predict: "data" or "data.part"
  std::string net, output;  // predict
  std::int64_t threads = 1;
  std::string device;       // one of the names given, or empty
};

// Nothing where help was asked for, which is then printed to `out`. Fails with Exit::usage.
std::optional<Options> parse_options(int argc, char** argv, const Model&, const Program&,
                                     const char* spec_directory, std::FILE* out,
                                     const std::vector<std::string>& devices = {});

}  // namespace gradc::driver

// gradc/program.h: what a standalone binary does by default, as constant data; see gradc/driver.h.
#pragma once

#include <cstdint>

namespace gradc {

enum class DataFormat : std::int32_t { csv, idx, npy, values, random };

enum class Draw : std::int32_t { none, normal, uniform };

struct Field {
  const char* name;            // the step's input it feeds
  const char* path;            // idx, npy
  std::int64_t first, last;    // csv: columns, both included
  double scale, shift;         // value = raw * scale + shift
  const double* values = nullptr;  // values: row-major, as many for each of the source's rows
  std::int64_t value_count = 0;
  Draw draw = Draw::none;          // random: raw is of mean 0 and deviation 1, or from 0 to 1
};

struct DataSource {
  const char* name;
  DataFormat format;
  const char* path;            // csv
  bool header;                 // csv
  const Field* fields;
  std::int32_t field_count;
  std::int64_t rows = 0;       // values, random
  std::uint64_t seed = 0;      // random
};

struct Part {
  const char* name;
  double fraction;
};

struct Split {
  const char* data;
  const Part* parts;
  std::int32_t part_count;
  std::uint64_t seed;          // of the permutation that precedes the cut
};

enum class ActionKind : std::int32_t { fit, test, save, show, score, load };

struct Action {
  ActionKind kind;
  const char* function;        // fit, test: the step; show, score: the net
  const char* data;            // all but save
  const char* part;            // or nullptr for all of it
  std::int64_t epochs, batch;  // fit
  bool shuffle;                // fit
  std::uint64_t seed;          // fit
  const char* path;            // save, load; show: or nullptr to print
  std::int64_t examples = 0;   // show: the first so many; 0: all
  const char* output = nullptr;      // score: which output of the net
  const char* target = nullptr;      // score: the field it is measured against
  double threshold = 0;              // score: where one number an example stands for two classes
  const char* const* metrics = nullptr;  // score: names in gradc/metrics.h
  std::int32_t metric_count = 0;
  const char* const* mappings = nullptr;  // load: pairs of a name in the file and one in the spec
  std::int32_t mapping_count = 0;         // of pairs; none: every name as it is
  const char* const* with = nullptr;      // test, show, score, save: pairs of a parameter and the state of an
  std::int32_t with_count = 0;            // optimizer that stands in its place
};

struct Program {
  const DataSource* data;
  std::int32_t data_count;
  const Split* splits;
  std::int32_t split_count;
  const Action* actions;
  std::int32_t action_count;
};

}  // namespace gradc

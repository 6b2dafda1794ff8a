// gradc/program.h: what a standalone binary does by default, as constant data; see gradc/driver.h.
#pragma once

#include <cstdint>

namespace gradc {

enum class DataFormat : std::int32_t { csv, idx, npy };

struct Field {
  const char* name;            // the step's input it feeds
  const char* path;            // idx, npy
  std::int64_t first, last;    // csv: columns, both included
  double scale, shift;         // value = raw * scale + shift
};

struct DataSource {
  const char* name;
  DataFormat format;
  const char* path;            // csv
  bool header;                 // csv
  const Field* fields;
  std::int32_t field_count;
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

enum class ActionKind : std::int32_t { fit, test, save };

struct Action {
  ActionKind kind;
  const char* function;        // fit, test: the step
  const char* data;            // fit, test
  const char* part;            // fit, test: or nullptr for all
  std::int64_t epochs, batch;  // fit
  bool shuffle;                // fit
  std::uint64_t seed;          // fit
  const char* path;            // save
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

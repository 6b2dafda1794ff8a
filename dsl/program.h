// program.h: what the standalone binary does by default; the `program { }` block, checked.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "dsl/diagnostics.h"

namespace gradc {

enum class DataFormat : std::uint8_t { csv, idx, npy };

// One input of a step: where its values come from; value = raw * scale + shift.
struct DataField {
  std::string name;                // the step's input
  std::string path;                // idx, npy: one file per field
  std::int64_t first = 0, last = 0;  // csv: columns, both included
  double scale = 1, shift = 0;
};

struct DataSource {
  std::string name;
  DataFormat format = DataFormat::csv;
  std::string path;      // csv
  bool header = false;   // csv: the first line is names
  std::vector<DataField> fields;
  Span span;
};

struct DataPart {
  std::string name;      // "train"
  double fraction = 1;
};

struct Split {
  std::string data;
  std::vector<DataPart> parts;
  std::uint64_t seed = 0;
};

struct DataReference {
  std::string data, part;  // part empty: all of it
};

struct Fit {
  std::string step;
  DataReference data;
  std::int64_t epochs = 1;
  std::int64_t batch = 1;
  bool shuffle = false;
  std::uint64_t seed = 0;
};

struct Test {
  std::string step;
  DataReference data;
};

struct Save {
  std::string path;
};

struct Program {
  std::vector<DataSource> data;
  std::vector<Split> splits;
  std::vector<std::variant<Fit, Test, Save>> actions;  // in order
  Span span;
  bool present = false;
};

}  // namespace gradc

// program.h: what the standalone binary does by default; the `program { }` block, checked.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "dsl/diagnostics.h"

namespace gradc {

enum class DataFormat : std::uint8_t { csv, idx, npy, values, random };
enum class Draw : std::uint8_t { none, normal, uniform };

// One input of a step: where its values come from; value = raw * scale + shift.
struct DataField {
  std::string name;                // the step's input
  std::string path;                // idx, npy: one file per field
  std::int64_t first = 0, last = 0;  // csv: columns, both included
  std::vector<double> values;        // values: of all examples, row-major
  Draw draw = Draw::none;            // random: raw is of mean 0 and deviation 1, or from 0 to 1
  double scale = 1, shift = 0;
};

struct DataSource {
  std::string name;
  DataFormat format = DataFormat::csv;
  std::string path;      // csv
  bool header = false;   // csv: the first line is names
  std::int64_t rows = 0;   // values, random
  std::uint64_t seed = 0;  // random
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

// Parameters, and the states of optimizers that stand in their place.
using StandIns = std::vector<std::pair<std::string, std::string>>;

struct Test {
  std::string step;
  DataReference data;
  StandIns with;
};

// Prints what a net gives for data, or writes it to a file.
struct Show {
  std::string net;
  DataReference data;
  std::int64_t examples = 0;  // the first so many; 0: all
  std::string path;           // empty: printed
  StandIns with;
};

// Measures over all of the data at once, which no mean over batches gives.
struct Score {
  std::vector<std::string> metrics;  // names in gradc/metrics.h
  std::string net, output;   // one output of a net
  std::string target;        // and the field of the data it is measured against
  DataReference data;
  double threshold = 0;      // where one number an example stands for two classes
  StandIns with;
};

struct Save {
  std::string path;
  StandIns with;
};

// Parameters from a checkpoint, which may be of another spec: what lies under a path there, under one here.
struct Load {
  std::string path;
  std::vector<std::pair<std::string, std::string>> mappings;  // none: every name as it is
};

struct Program {
  std::vector<DataSource> data;
  std::vector<Split> splits;
  std::vector<std::variant<Fit, Test, Show, Score, Save, Load>> actions;  // in order
  Span span;
  bool present = false;
};

}  // namespace gradc

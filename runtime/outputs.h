// outputs.h: what a net gives for data, and the ways to show it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/session.h"

namespace gradc::driver {

// All values of one output, batch after batch.
struct Output {
  const Tensor* tensor = nullptr;
  std::string bytes;
  std::vector<std::int64_t> shape;  // the leading extent is that of all examples
  bool per_example = true;          // its leading extent is the batch

  double number(std::size_t i) const;
};

// Runs a net on rows of data. An output that has no value for each example is kept as it is if the
// rows make one batch, and refused otherwise. batch 0: as large as the net takes. Nothing where an
// interrupt came.
std::optional<std::vector<Output>> run_net(Session&, const Function& net, const char* data,
                                           const std::vector<std::int64_t>& rows,
                                           std::int64_t batch);

// The rows of a part in the order of the file, at most `most` (0: all).
std::vector<std::int64_t> rows_in_order(Session&, const Function&, const char* data,
                                        const char* part, std::int64_t most);

// Writes to .npy (several outputs to several files), .csv or .png, each atomically, and says so
// on stderr.
void write_outputs(Session&, const std::vector<Output>&, const std::string& path);
std::string csv_text(const std::vector<Output>&);

// For people: each output's shape, then its numbers, a line for each run of the last dim.
std::string listing(const std::vector<Output>&);

}  // namespace gradc::driver

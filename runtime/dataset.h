// dataset.h: the data of a program, converted to the types its functions take; splits and batches.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gradc/model.h"
#include "gradc/program.h"
#include "runtime/buffer.h"
#include "runtime/readers.h"

namespace gradc::driver {

// Which files to read instead of those the program names.
struct DataPaths {
  std::string directory;                     // where relative paths of the program start
  std::map<std::string, std::string> files;  // by "source" (csv), "source.field" or "field"
};

// The values of one input for all examples: row-major, `shape[0]` rows.
struct Column {
  std::string name;
  std::string path;
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  Buffer data;
};

struct Dataset {
  std::string name;
  std::vector<Column> columns;
};

// Each element becomes raw * scale + shift in the input's type. Refuses NaN and infinities (unless
// `allow_nan`), fractions and overflow where integers are wanted, and positions outside their
// range.
Column convert(const Array&, const Tensor& input, double scale, double shift, bool allow_nan);

// The columns of `source` that feed `function`'s inputs, in their order.
Dataset load_dataset(const DataSource& source, const Function& function, const DataPaths&,
                     bool allow_nan);

// The path of a source's file (field == nullptr) or of a field's, after overrides.
std::string data_path(const DataSource&, const Field*, const DataPaths&);

// The rows of a part: the permutation by the split's seed, cut where the fractions say (rounded
// down). Part nullptr or "": all rows in order.
std::vector<std::int64_t> part_rows(const Program&, const char* data, const char* part,
                                    std::int64_t rows);

// Cuts batches from a dataset for one function. An input whose leading extent is the batch dim (the
// run-time dim that leads the first such input) is given `batch` rows at a time; every other input
// is given whole, and other run-time dims have the size their data has. Where no run-time dim leads
// an input, all inputs with the leading extent of the first are cut into batches of exactly that
// size.
class Batches {
 public:
  // batch 0: as large as the function takes.
  Batches(const Model&, const Function&, const Dataset&, std::int64_t batch);

  std::int64_t rows() const { return rows_; }
  std::int64_t batch() const { return batch_; }
  std::int64_t steps(
      std::int64_t row_count) const;  // per pass; checks that fixed batches come out even
  const std::vector<std::int64_t>& dims() const { return dims_; }
  const void* const* inputs() const { return pointers_.data(); }

  // Makes `count` (at most batch()) rows the current batch.
  void fill(const std::int64_t* rows, std::int64_t count);

 private:
  bool is_batched(const Tensor&) const;
  void match_shape(const Tensor&, const Column&, bool batched);

  const Model& model_;
  const Function& function_;
  const Dataset& data_;
  std::int32_t batch_dim_ = -1;
  std::int64_t fixed_batch_ = 0;
  std::int64_t rows_ = 0, batch_ = 0;
  std::vector<std::int64_t> dims_;
  std::vector<Buffer> buffers_;  // of batched inputs; empty otherwise
  std::vector<std::size_t> row_bytes_;
  std::vector<const void*> pointers_;
};

// Elements of a tensor at these dims; fails where that overflows.
std::int64_t element_count(const Tensor&, const std::vector<std::int64_t>& dims);
std::vector<std::int64_t> shape_at(const Tensor&, const std::vector<std::int64_t>& dims);
std::string shape_text(const std::vector<std::int64_t>&);
std::string shape_text(const Model&, const Tensor&);

}  // namespace gradc::driver

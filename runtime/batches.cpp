// batches.cpp: fits data to the shapes of a function's inputs and gathers batches.
#include <algorithm>
#include <cstring>

#include "runtime/dataset.h"
#include "runtime/failure.h"

namespace gradc::driver {

std::vector<std::int64_t> shape_at(const Tensor& tensor, const std::vector<std::int64_t>& dims) {
  std::vector<std::int64_t> shape;
  for (std::int32_t i = 0; i < tensor.rank; ++i) {
    const Extent& e = tensor.shape[i];
    std::int64_t extent = e.offset, scaled = 0;
    if (e.dim >= 0 && (!multiply(e.scale, dims[static_cast<std::size_t>(e.dim)], scaled) ||
                       __builtin_add_overflow(extent, scaled, &extent)))
      fail(Exit::internal, "the size of '{}' overflows", tensor.name);
    shape.push_back(extent);
  }
  return shape;
}

std::int64_t element_count(const Tensor& tensor, const std::vector<std::int64_t>& dims) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape_at(tensor, dims))
    if (extent < 0 || !multiply(count, extent, count))
      fail(Exit::internal, "the size of '{}' overflows", tensor.name);
  return count;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::string shape_text(const Model& model, const Tensor& tensor) {
  std::string text = "[";
  for (std::int32_t i = 0; i < tensor.rank; ++i) {
    const Extent& e = tensor.shape[i];
    if (i > 0) text += ", ";
    if (e.dim < 0) {
      text += fmt::format("{}", e.offset);
      continue;
    }
    if (e.scale != 1) text += fmt::format("{}*", e.scale);
    text += model.dims[e.dim].name;
    if (e.offset != 0) text += fmt::format("{:+}", e.offset);
  }
  return text + "]";
}

bool Batches::is_batched(const Tensor& input) const {
  if (input.rank == 0) return false;
  const Extent& lead = input.shape[0];
  if (batch_dim_ >= 0) return lead.dim == batch_dim_ && lead.offset == 0 && lead.scale == 1;
  return lead.dim < 0 && lead.offset == fixed_batch_;
}

Batches::Batches(const Model& model, const Function& function, const Dataset& data,
                 std::int64_t batch)
    : model_(model),
      function_(function),
      data_(data),
      dims_(static_cast<std::size_t>(model.dim_count), 0) {
  for (std::int32_t i = 0; i < function.input_count && batch_dim_ < 0; ++i) {
    const Tensor& input = function.inputs[i];
    if (input.rank > 0 && input.shape[0].dim >= 0 && input.shape[0].offset == 0 &&
        input.shape[0].scale == 1)
      batch_dim_ = input.shape[0].dim;
  }
  for (std::int32_t i = 0; i < function.input_count && batch_dim_ < 0 && fixed_batch_ == 0; ++i)
    if (function.inputs[i].rank > 0 && function.inputs[i].shape[0].dim < 0)
      fixed_batch_ = function.inputs[i].shape[0].offset;

  const Column* first = nullptr;
  for (std::int32_t i = 0; i < function.input_count; ++i) {
    const Column& column = data.columns[static_cast<std::size_t>(i)];
    const bool batched = is_batched(function.inputs[i]);
    match_shape(function.inputs[i], column, batched);
    if (!batched) continue;
    if (first && column.shape[0] != first->shape[0])
      refuse("data {}: '{}' has {} examples ({}), but '{}' has {} ({})", data.name, first->name,
             first->shape[0], first->path, column.name, column.shape[0], column.path);
    if (!first) first = &column;
  }
  if (!first)
    fail(Exit::usage, "'{}' takes no examples: none of its inputs has a leading dim",
         function.name);
  rows_ = first->shape[0];

  const std::int64_t most = batch_dim_ >= 0 ? model.dims[batch_dim_].bound : fixed_batch_;
  if (batch > most || batch < 0)
    fail(Exit::usage, "a batch of {} examples: '{}' takes at most {}{}", batch, function.name, most,
         batch_dim_ >= 0 ? fmt::format(" (dim {} <= {})", model.dims[batch_dim_].name, most) : "");
  if (batch_dim_ < 0 && batch != 0 && batch != most)
    fail(Exit::usage, "a batch of {} examples: '{}' takes exactly {}", batch, function.name, most);
  batch_ = batch == 0 ? most : batch;
  if (batch_dim_ >= 0) {
    batch_ = std::min(batch_, rows_);
    dims_[static_cast<std::size_t>(batch_dim_)] = batch_;
  }
  // Dims that no input of this function has are not read by it; 1 keeps sizes sane.
  for (std::int64_t& dim : dims_) dim = std::max<std::int64_t>(dim, 1);

  for (std::int32_t i = 0; i < function.input_count; ++i) {
    const Column& column = data.columns[static_cast<std::size_t>(i)];
    const bool batched = is_batched(function.inputs[i]);
    row_bytes_.push_back(batched ? column.data.size() / static_cast<std::size_t>(rows_) : 0);
    buffers_.push_back(
        batched ? Buffer(static_cast<std::uint64_t>(batch_) * row_bytes_.back(), "a batch")
                : Buffer());
    pointers_.push_back(batched ? buffers_.back().data() : column.data.data());
  }
}

// Fits column to input: fixed trailing extents may be arranged differently in the file (images for
// rows of pixels), run-time dims are given the size they have there.
void Batches::match_shape(const Tensor& input, const Column& column, bool batched) {
  const auto mismatch = [&](const std::string& why) {
    refuse("data {}: '{}' is {} in the spec, but {} holds {}{}", data_.name, input.name,
           shape_text(model_, input), column.path, shape_text(column.shape), why);
  };
  const std::size_t skip = batched ? 1 : 0;
  if (column.shape.size() < skip) mismatch("");
  bool fixed = true;
  std::int64_t wanted = 1, held = 1;
  for (std::int32_t i = static_cast<std::int32_t>(skip); i < input.rank; ++i) {
    fixed &= input.shape[i].dim < 0;
    if (fixed && !multiply(wanted, input.shape[i].offset, wanted)) mismatch("");
  }
  for (std::size_t i = skip; i < column.shape.size(); ++i) held *= column.shape[i];
  if (fixed) {
    if (wanted != held)
      mismatch(fmt::format(": {} numbers {} are wanted, not {}", wanted,
                           batched ? "per example" : "in all", held));
    return;
  }
  // A column of single numbers may stand for [rows, 1].
  std::vector<std::int64_t> shape = column.shape;
  if (shape.size() == 1 && input.rank == 2 && batched) shape.push_back(1);
  if (static_cast<std::int32_t>(shape.size()) != input.rank) mismatch("");
  for (std::size_t i = skip; i < shape.size(); ++i) {
    const Extent& e = input.shape[i];
    if (e.dim < 0) {
      if (e.offset != shape[i]) mismatch("");
      continue;
    }
    const std::int64_t rest = shape[i] - e.offset;
    if (e.scale <= 0 || rest <= 0 || rest % e.scale != 0) mismatch("");
    std::int64_t& dim = dims_[static_cast<std::size_t>(e.dim)];
    const std::int64_t size = rest / e.scale;
    if (e.dim == batch_dim_) mismatch(": the batch dim stands at a second place");
    if (size > model_.dims[e.dim].bound)
      mismatch(
          fmt::format(": dim {} is at most {}", model_.dims[e.dim].name, model_.dims[e.dim].bound));
    if (dim != 0 && dim != size)
      mismatch(fmt::format(": dim {} is {} elsewhere", model_.dims[e.dim].name, dim));
    dim = size;
  }
}

std::int64_t Batches::steps(std::int64_t row_count) const {
  if (batch_dim_ < 0 && row_count % batch_ != 0)
    refuse(
        "data {}: '{}' takes exactly {} examples at a time, and {} is no multiple of that; "
        "a bounded dim (dim B <= {}) takes any number",
        data_.name, function_.name, batch_, row_count, batch_);
  return (row_count + batch_ - 1) / batch_;
}

void Batches::fill(const std::int64_t* rows, std::int64_t count) {
  if (batch_dim_ >= 0) dims_[static_cast<std::size_t>(batch_dim_)] = count;
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    const std::size_t bytes = row_bytes_[i];
    if (bytes == 0) continue;
    const unsigned char* from = data_.columns[i].data.data();
    for (std::int64_t r = 0; r < count; ++r)
      std::memcpy(buffers_[i].data() + static_cast<std::size_t>(r) * bytes,
                  from + static_cast<std::size_t>(rows[r]) * bytes, bytes);
  }
}

}  // namespace gradc::driver

// dataset.cpp: loads what a program names and splits it into parts.
#include "runtime/dataset.h"

#include <cmath>
#include <cstring>
#include <numeric>

#include "runtime/failure.h"
#include "runtime/permutation.h"

namespace gradc::driver {
namespace {

const Field& field_for(const DataSource& source, const Tensor& input) {
  for (std::int32_t i = 0; i < source.field_count; ++i)
    if (std::strcmp(source.fields[i].name, input.name) == 0) return source.fields[i];
  refuse("data {} has no field '{}'", source.name, input.name);
}

// The numbers a spec lists, as if they were a file of so many rows.
Array listed(const DataSource& source, const Field& field) {
  Array array;
  array.path = std::string(source.name) + "." + field.name;
  if (source.rows < 1 || field.value_count < source.rows || field.value_count % source.rows != 0)
    fail(Exit::internal, "data {}: {} values are no {} rows", array.path, field.value_count,
         source.rows);
  array.shape = {source.rows};
  const std::int64_t columns = field.value_count / source.rows;
  if (columns != 1) array.shape.push_back(columns);
  array.bytes.assign(reinterpret_cast<const char*>(field.values),
                     static_cast<std::size_t>(field.value_count) * sizeof(double));
  return array;
}

// The stream of Philox that random data come from; see permutation.h for its neighbours.
constexpr std::uint32_t data_stream = order_stream - 2;

// Draws for an input; every number depends on the seed, the field and its place alone.
Array drawn(const DataSource& source, const Field& field, std::uint32_t number,
            const Tensor& input) {
  Array array;
  array.path = std::string(source.name) + "." + field.name;
  array.shape = {source.rows};
  std::int64_t count = source.rows, bytes = 0;
  for (std::int32_t i = 1; i < input.rank; ++i) {
    if (input.shape[i].dim >= 0 || !multiply(count, input.shape[i].offset, count))
      refuse("data {}: a random field has one size for every example", array.path);
    array.shape.push_back(input.shape[i].offset);
  }
  if (source.rows < 1 || source.rows > max_rows || !multiply(count, 8, bytes))
    refuse("data {}: {} rows are too many", array.path, source.rows);
  Buffer values(static_cast<std::uint64_t>(bytes), array.path);  // fails where memory has no room
  auto* const to = reinterpret_cast<double*>(values.data());
  for (std::int64_t i = 0; i < count; ++i) {
    const auto element = static_cast<std::uint64_t>(i);
    to[i] = field.draw == Draw::normal
                ? static_cast<double>(random_normal(source.seed, number, data_stream, element))
                : static_cast<double>(random_uniform(source.seed, number, data_stream, element));
  }
  array.bytes.assign(reinterpret_cast<const char*>(to), static_cast<std::size_t>(bytes));
  return array;
}

}  // namespace

std::string data_path(const DataSource& source, const Field* field, const DataPaths& paths) {
  const std::string own = source.name;
  for (const std::string& key :
       field ? std::vector{own + "." + field->name, std::string(field->name)} : std::vector{own})
    if (const auto found = paths.files.find(key); found != paths.files.end()) return found->second;
  const char* path = field ? field->path : source.path;
  if (path == nullptr || *path == '\0')
    fail(Exit::usage, "data {}: no file is named; say --data {}=FILE",
         field ? own + "." + field->name : own, field ? own + "." + field->name : own);
  if (*path == '/' || paths.directory.empty()) return path;
  return paths.directory + (paths.directory.back() == '/' ? "" : "/") + path;
}

Dataset load_dataset(const DataSource& source, const Function& function, const DataPaths& paths,
                     bool allow_nan) {
  Dataset result;
  result.name = source.name;
  std::vector<const Field*> fields;
  for (std::int32_t i = 0; i < function.input_count; ++i)
    fields.push_back(&field_for(source, function.inputs[i]));
  std::vector<Array> arrays;
  if (source.format == DataFormat::csv) {
    std::vector<Columns> columns;
    for (const Field* field : fields) columns.push_back({field->first, field->last});
    arrays = read_csv(data_path(source, nullptr, paths), source.header, columns);
  }
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (source.format == DataFormat::idx)
      arrays.push_back(read_idx(data_path(source, fields[i], paths)));
    if (source.format == DataFormat::npy)
      arrays.push_back(read_npy(data_path(source, fields[i], paths)));
    if (source.format == DataFormat::values) arrays.push_back(listed(source, *fields[i]));
    if (source.format == DataFormat::random)
      arrays.push_back(drawn(source, *fields[i], static_cast<std::uint32_t>(fields[i] - source.fields),
                             function.inputs[i]));
    result.columns.push_back(
        convert(arrays[i], function.inputs[i], fields[i]->scale, fields[i]->shift, allow_nan));
    arrays[i] = Array();  // the converted values are enough
  }
  return result;
}

std::vector<std::int64_t> part_rows(const Program& program, const char* data, const char* part,
                                    std::int64_t rows) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(rows));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  if (part == nullptr || *part == '\0') return order;
  for (std::int32_t s = 0; s < program.split_count; ++s) {
    const Split& split = program.splits[s];
    if (std::strcmp(split.data, data) != 0) continue;
    double before = 0;
    // The tolerance keeps 100 * 0.29 from being cut to 28; it is far below one row.
    const auto cut = [&](double fraction) {
      return std::min(
          rows, static_cast<std::int64_t>(std::floor(static_cast<double>(rows) * fraction + 1e-6)));
    };
    for (std::int32_t i = 0; i < split.part_count; ++i) {
      const double after = before + split.parts[i].fraction;
      if (std::strcmp(split.parts[i].name, part) == 0) {
        const std::int64_t first = cut(before), last = cut(after);
        if (first >= last) refuse("part {}.{} holds none of the {} examples", data, part, rows);
        permute(order, split.seed, 0);
        return {order.begin() + first, order.begin() + last};
      }
      before = after;
    }
  }
  fail(Exit::usage, "there is no part {}.{}", data, part);
}

}  // namespace gradc::driver

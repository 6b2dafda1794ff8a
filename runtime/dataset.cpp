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

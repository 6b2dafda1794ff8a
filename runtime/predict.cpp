// predict.cpp: runs a net on data and writes what it gives, as .npy or CSV.
#include <algorithm>
#include <cstring>

#include "runtime/file.h"
#include "runtime/session.h"

namespace gradc::driver {
namespace {

const Function& net_of(const Model& model, const std::string& wanted) {
  const Function* found = nullptr;
  std::string names;
  for (std::int32_t i = 0; i < model.function_count; ++i) {
    const Function& function = model.functions[i];
    if (function.kind != FunctionKind::forward) continue;
    names += std::string(names.empty() ? "" : ", ") + function.name;
    if (wanted == function.name || (wanted.empty() && found == nullptr)) found = &function;
  }
  if (found == nullptr && names.empty()) fail(Exit::usage, "the spec has no net");
  if (found == nullptr) fail(Exit::usage, "--net {}: there is {}", wanted, names);
  if (wanted.empty() && names.find(',') != names.npos)
    fail(Exit::usage, "say which net to run with --net: {}", names);
  return *found;
}

// All values of one output, batch after batch.
struct Output {
  const Tensor* tensor;
  Buffer batch;
  std::string bytes;
  std::vector<std::int64_t> shape;  // of all
};

const char* descr(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "<f4";
    case DType::f64:
      return "<f8";
    case DType::i32:
      return "<i4";
    case DType::boolean:
      return "|b1";
  }
  return "";
}

std::string number_text(const Output& output, std::size_t i) {
  const auto read = [&](auto value) {
    std::memcpy(&value, output.bytes.data() + i * sizeof value, sizeof value);
    return value;
  };
  switch (output.tensor->dtype) {
    case DType::f32:
      return fmt::format("{}", read(float{}));
    case DType::f64:
      return fmt::format("{}", read(double{}));
    case DType::i32:
      return fmt::format("{}", read(std::int32_t{}));
    case DType::boolean:
      return read(static_cast<unsigned char>(0)) ? "1" : "0";
  }
  return "";
}

// One line per example; several outputs stand side by side, "name" or "name.0", "name.1", … in the
// first line.
std::string to_csv(const std::vector<Output>& outputs, std::int64_t rows) {
  std::string text;
  std::vector<std::size_t> widths;
  for (const Output& output : outputs) {
    widths.push_back(output.bytes.size() / size_of(output.tensor->dtype) /
                     static_cast<std::size_t>(rows));
    for (std::size_t i = 0; i < widths.back(); ++i)
      text += fmt::format("{}{}{}", text.empty() ? "" : ",", output.tensor->name,
                          output.shape.size() == 1 ? "" : fmt::format(".{}", i));
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    char separator = '\n';
    for (std::size_t o = 0; o < outputs.size(); ++o)
      for (std::size_t i = 0; i < widths[o]; ++i) {
        text += separator;
        text += number_text(outputs[o], static_cast<std::size_t>(row) * widths[o] + i);
        separator = ',';
      }
  }
  return text + '\n';
}

void write_file(const std::string& path, const std::string& first, const std::string& second) {
  AtomicFile file(path);
  file.write(first.data(), first.size());
  file.write(second.data(), second.size());
  file.commit();
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

Exit predict(Session& session) {
  const std::string& path = session.options.output;
  const bool npy = ends_with(path, ".npy");
  if (!path.empty() && !npy && !ends_with(path, ".csv"))
    fail(Exit::usage, "--output {}: the name has to end in .npy or .csv", path);
  const Function& function = net_of(session.model, session.options.net);
  if (session.program.data_count == 0) fail(Exit::usage, "the spec names no data");
  std::string source = session.program.data[0].name, part;
  if (!session.options.on.empty())
    parse_data_name(session.program, session.options.on, source, part);
  load_parameters(session);

  const Dataset& data = find_data(session, source.c_str(), function);
  Batches batches(session.model, function, data, session.options.batch.value_or(0));
  std::vector<std::int64_t> rows =
      part_rows(session.program, source.c_str(), part.c_str(), batches.rows());
  std::sort(rows.begin(), rows.end());  // as in the file
  const auto count = static_cast<std::int64_t>(rows.size());

  std::vector<Output> outputs;
  std::vector<void*> pointers;
  for (std::int32_t i = 0; i < function.output_count; ++i) {
    const Tensor& tensor = function.outputs[i];
    const std::vector<std::int64_t> shape = shape_at(tensor, batches.dims());
    if (shape.empty() || shape[0] != batches.batch())
      refuse("output '{}' {} of '{}' has no value per example", tensor.name,
             shape_text(session.model, tensor), function.name);
    std::int64_t bytes = 0;
    if (!multiply(element_count(tensor, batches.dims()),
                  static_cast<std::int64_t>(size_of(tensor.dtype)), bytes))
      fail(Exit::internal, "the size of '{}' overflows", tensor.name);
    outputs.push_back({&tensor, Buffer(static_cast<std::uint64_t>(bytes), tensor.name), "", shape});
    outputs.back().shape[0] = count;
  }
  for (Output& output : outputs) pointers.push_back(output.batch.data());

  const std::int64_t steps = batches.steps(count);
  session.progress.start("predict", steps, 0);
  for (std::int64_t step = 0; step < steps; ++step) {
    const std::int64_t first = step * batches.batch();
    const std::int64_t size = std::min(batches.batch(), count - first);
    batches.fill(rows.data() + first, size);
    Call call = {};
    call.parameters = session.parameters.data();
    call.state = session.state.data();
    call.workspace = session.workspace.data();
    call.dims = batches.dims().data();
    call.inputs = batches.inputs();
    call.outputs = pointers.data();
    session.runner.run(function, call);
    for (Output& output : outputs)
      output.bytes.append(reinterpret_cast<const char*>(output.batch.data()),
                          output.batch.size() / static_cast<std::size_t>(batches.batch()) *
                              static_cast<std::size_t>(size));
    if (interrupted()) return Exit::interrupted;
    if (session.progress.due()) session.progress.draw(step + 1, "");
  }
  session.progress.clear();

  if (npy) {
    for (const Output& output : outputs) {
      // Several outputs go to several files: pred.npy becomes pred.mu.npy and pred.logvar.npy.
      const std::string file = outputs.size() == 1 ? path
                                                   : path.substr(0, path.size() - 4) + "." +
                                                         output.tensor->name + ".npy";
      write_file(file, npy_header(descr(output.tensor->dtype), output.shape), output.bytes);
      std::fprintf(session.err, "wrote %s %s\n", file.c_str(), shape_text(output.shape).c_str());
    }
    return Exit::ok;
  }
  const std::string csv = to_csv(outputs, count);
  if (path.empty()) {
    std::fwrite(csv.data(), 1, csv.size(), session.out);
  } else {
    write_file(path, csv, "");
    std::fprintf(session.err, "wrote %s: %lld rows\n", path.c_str(), static_cast<long long>(count));
  }
  return Exit::ok;
}

}  // namespace gradc::driver

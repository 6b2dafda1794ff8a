// outputs.cpp: runs a net over data, and writes what it gives as .npy, CSV, a picture or text.
#include "runtime/outputs.h"

#include <algorithm>
#include <cstring>

#include "runtime/file.h"
#include "runtime/permutation.h"
#include "runtime/picture.h"

namespace gradc::driver {
namespace {

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

// The shortest text that reads back as the same number.
std::string number_text(const Output& output, std::size_t i) {
  if (output.tensor->dtype == DType::f32)
    return fmt::format("{}", static_cast<float>(output.number(i)));
  return fmt::format("{}", output.number(i));
}

void write_file(const std::string& path, const std::string& first, const std::string& second) {
  AtomicFile file(path);
  file.write(first.data(), first.size());
  file.write(second.data(), second.size());
  file.commit();
}

std::int64_t product(const std::vector<std::int64_t>& shape, std::size_t from) {
  std::int64_t count = 1;
  for (std::size_t k = from; k < shape.size(); ++k) count *= shape[k];
  return count;
}

// Each example's pictures, one below the other: [N, H, W] has one of each, [N, K, H, W] K.
Picture picture(const std::vector<Output>& outputs, const std::string& path) {
  const Output& first = outputs[0];
  const auto refuse_shape = [&](const Output& output, const char* why) {
    refuse("{}: output '{}' {} {}", path, output.tensor->name, shape_text(output.shape), why);
  };
  std::vector<Strip> strips;
  const std::size_t rank = first.shape.size();
  if (rank < 3) refuse_shape(first, "is no picture: wanted is [examples, height, width]");
  const std::int64_t count = first.shape[0], height = first.shape[rank - 2],
                     width = first.shape[rank - 1];
  for (const Output& output : outputs) {
    const std::size_t r = output.shape.size();
    if (!output.per_example || (r != 3 && r != 4))
      refuse_shape(output, "is no picture: wanted is [examples, height, width], or a dim between "
                           "for several of each");
    if (output.shape[r - 2] != height || output.shape[r - 1] != width)
      refuse_shape(output, "is of another size than the first");
    strips.push_back({r == 4 ? output.shape[1] : 1,
                      [&output](std::int64_t i) { return output.number(static_cast<std::size_t>(i)); }});
  }
  return tile(strips, count, height, width, path);
}

}  // namespace

double Output::number(std::size_t i) const {
  const auto read = [&](auto value) {
    std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
    return static_cast<double>(value);
  };
  switch (tensor->dtype) {
    case DType::f32:
      return read(float{});
    case DType::f64:
      return read(double{});
    case DType::i32:
      return read(std::int32_t{});
    case DType::boolean:
      return read(static_cast<unsigned char>(0));
  }
  return 0;
}

std::vector<std::int64_t> rows_in_order(Session& session, const Function& function,
                                        const char* data, const char* part, std::int64_t most) {
  const Dataset& all = find_data(session, data, function);
  const Batches batches(session.model, function, all, 0);
  std::vector<std::int64_t> rows = part_rows(session.program, data, part, batches.rows());
  std::sort(rows.begin(), rows.end());
  if (most > 0 && most < static_cast<std::int64_t>(rows.size()))
    rows.resize(static_cast<std::size_t>(most));
  return rows;
}

std::optional<std::vector<Output>> run_net(Session& session, const Function& net, const char* data,
                                           const std::vector<std::int64_t>& rows,
                                           std::int64_t batch) {
  const Dataset& dataset = find_data(session, data, net);
  Batches batches(session.model, net, dataset, batch);
  const auto count = static_cast<std::int64_t>(rows.size());
  const std::int64_t steps = batches.steps(count);
  if (steps == 1) batches.fill(rows.data(), count);  // so that shapes are those of this batch

  std::vector<Output> outputs;
  std::vector<Buffer> values;
  std::vector<void*> pointers;
  const std::int64_t at_once = steps == 1 ? count : batches.batch();
  for (std::int32_t i = 0; i < net.output_count; ++i) {
    const Tensor& tensor = net.outputs[i];
    const std::vector<std::int64_t> shape = shape_at(tensor, batches.dims());
    const bool per_example = !shape.empty() && shape[0] == at_once;
    if (!per_example && steps > 1)
      refuse("output '{}' {} of '{}' has no value per example", tensor.name,
             shape_text(session.model, tensor), net.name);
    std::int64_t bytes = 0;
    if (!multiply(element_count(tensor, batches.dims()),
                  static_cast<std::int64_t>(size_of(tensor.dtype)), bytes))
      fail(Exit::internal, "the size of '{}' overflows", tensor.name);
    values.emplace_back(static_cast<std::uint64_t>(bytes), tensor.name);
    outputs.push_back({&tensor, "", shape, per_example});
    if (per_example) outputs.back().shape[0] = count;
    outputs.back().bytes.reserve(static_cast<std::size_t>(product(outputs.back().shape, 0)) * size_of(tensor.dtype));
  }
  for (Buffer& buffer : values) pointers.push_back(buffer.data());

  session.progress.start(net.name, steps, 0);
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
    call.seed = evaluation_seed(step);
    session.runner.run(net, call);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const std::size_t kept = steps == 1 ? values[i].size()
                                          : values[i].size() / static_cast<std::size_t>(at_once) *
                                                static_cast<std::size_t>(size);
      outputs[i].bytes.append(reinterpret_cast<const char*>(values[i].data()), kept);
    }
    if (interrupted()) return std::nullopt;
    if (session.progress.due()) session.progress.draw(step + 1, "");
  }
  session.progress.clear();
  return outputs;
}

// One line per example; several outputs stand side by side, "name" or "name.0", "name.1", … in the
// first line.
std::string csv_text(const std::vector<Output>& outputs) {
  std::string text;
  std::vector<std::size_t> widths;
  for (const Output& output : outputs) {
    if (!output.per_example)
      refuse("output '{}' {} has no value per example, so it has no place in a CSV",
             output.tensor->name, shape_text(output.shape));
    widths.push_back(static_cast<std::size_t>(product(output.shape, 1)));
    for (std::size_t i = 0; i < widths.back(); ++i)
      text += fmt::format("{}{}{}", text.empty() ? "" : ",", output.tensor->name,
                          output.shape.size() == 1 ? "" : fmt::format(".{}", i));
  }
  for (std::int64_t row = 0; row < outputs[0].shape[0]; ++row) {
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

std::string listing(const std::vector<Output>& outputs) {
  std::string text;
  for (const Output& output : outputs) {
    text += fmt::format("  {} {}\n", output.tensor->name, shape_text(output.shape));
    const auto count = static_cast<std::size_t>(product(output.shape, 0));
    const auto line =
        output.shape.empty() ? 1 : std::max<std::size_t>(1, static_cast<std::size_t>(output.shape.back()));
    for (std::size_t i = 0; i < count; ++i) {
      text += i % line == 0 ? "    " : " ";
      text += fmt::format("{:.7g}", output.number(i));
      if (i % line == line - 1) text += '\n';
    }
  }
  return text;
}

void write_outputs(Session& session, const std::vector<Output>& outputs, const std::string& path) {
  if (ends_with(path, ".png")) {
    const Picture image = picture(outputs, path);
    write_file(path, png(image), "");
    std::fprintf(session.err, "wrote %s: %lld x %lld pixels\n", path.c_str(),
                 static_cast<long long>(image.width), static_cast<long long>(image.height));
    return;
  }
  if (ends_with(path, ".csv")) {
    write_file(path, csv_text(outputs), "");
    std::fprintf(session.err, "wrote %s: %lld rows\n", path.c_str(),
                 static_cast<long long>(outputs[0].shape[0]));
    return;
  }
  for (const Output& output : outputs) {
    // Several outputs go to several files: pred.npy becomes pred.mu.npy and pred.logvar.npy.
    const std::string file = outputs.size() == 1 ? path
                                                 : path.substr(0, path.size() - 4) + "." +
                                                       output.tensor->name + ".npy";
    write_file(file, npy_header(descr(output.tensor->dtype), output.shape), output.bytes);
    std::fprintf(session.err, "wrote %s %s\n", file.c_str(), shape_text(output.shape).c_str());
  }
}

}  // namespace gradc::driver

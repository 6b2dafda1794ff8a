// harness.cpp: runs one function of an emitted network for bench/run, which speaks to it line by line.
//
//   harness FUNCTION FOLDER THREADS [DIM=SIZE…]
//
// Compiled once for each spec, with -include <spec>.hpp -DNETWORK=<spec>.
//
// At its start it writes what a peer needs to begin from the same place: FOLDER/model.json (names, shapes) and raw
// little-endian arrays, parameters as <name>.bin and inputs as input.<name>.bin: f32 inputs are standard normal,
// i32 inputs lie below their limit. Then, for each line it reads, it answers with one:
//
//   losses N   the first N values of the first result, from the start: of a step's loss, or of what a net gives
//   time N     seconds for N calls, from wherever training stands
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "gradc/drawn.h"
#include "gradc/model.h"
#include "gradc/philox.h"
#include "gradc/threads.h"

namespace {

using namespace gradc::drawn;

constexpr std::uint64_t seed = 1;

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "harness: %s\n", message.c_str());
  std::exit(1);
}

std::string json_entry(const gradc::Tensor& t, const std::vector<std::int64_t>& shape) {
  std::string text = std::string("{\"name\": \"") + t.name + "\", \"dtype\": \"" +
                     (t.dtype == gradc::DType::i32 ? "i32" : "f32") + "\", \"shape\": [";
  for (std::size_t k = 0; k < shape.size(); ++k)
    text += (k == 0 ? "" : ", ") + std::to_string(shape[k]);
  return text + "]}";
}

void write(const std::string& path, const void* data, std::size_t bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(static_cast<const char*>(data), static_cast<std::streamsize>(bytes));
  if (!file.flush()) fail("cannot write " + path);
}

struct Run {
  const gradc::Model& model;
  const gradc::Function& function;
  std::vector<std::int64_t> dims;
  Held held{model};
  std::vector<Memory> inputs = {}, outputs = {};
  std::vector<const void*> input_pointers = {};
  std::vector<void*> output_pointers = {};
  gradc::Team* team = nullptr;

  void start() {
    std::memset(held.state.data(), 0, model.state_size);
    model.init(held.parameters.data(), held.state.data(), seed);
  }
  gradc::Call call() { return held.call(dims, inputs, outputs, input_pointers, output_pointers, team); }
};

const gradc::Function& find(const gradc::Model& model, const std::string& name) {
  // "train" is a step, "classify" a net forwards, "classify'" the same backwards.
  for (std::int32_t k = 0; k < model.function_count; ++k) {
    const gradc::Function& f = model.functions[k];
    const bool backward = f.kind == gradc::FunctionKind::backward;
    if (f.kind == gradc::FunctionKind::evaluate) continue;
    if (name == std::string(f.name) + (backward ? "'" : "")) return f;
  }
  fail("there is no function " + name);
}

Run prepare(const gradc::Model& model, const std::string& function, std::vector<std::int64_t> dims,
            const std::string& folder) {
  Run run{model, find(model, function), std::move(dims)};
  std::string inputs, parameters;
  for (std::int32_t k = 0; k < run.function.input_count; ++k) {
    const gradc::Tensor& t = run.function.inputs[k];
    const auto stream = static_cast<std::uint32_t>(k);
    if (t.dtype != gradc::DType::f32 && t.dtype != gradc::DType::i32)
      fail(std::string("input ") + t.name + " is neither f32 nor i32");
    Memory memory = input(t, run.dims, stream);
    for (std::size_t i = 0; t.dtype == gradc::DType::f32 && i < count_of(t, run.dims); ++i)
      put(memory, i, gradc::random_normal(seed, 0, stream, i));
    write(folder + "/input." + t.name + ".bin", memory.data(), memory.size);
    inputs += (k == 0 ? "" : ", ") + json_entry(t, shape_of(t, run.dims));
    run.inputs.push_back(std::move(memory));
  }
  for (std::int32_t k = 0; k < run.function.output_count; ++k)
    run.outputs.emplace_back(bytes_of(run.function.outputs[k], run.dims), 0);
  run.start();
  for (std::int32_t k = 0; k < model.parameter_count; ++k) {
    const gradc::Tensor& t = model.parameters[k];
    write(folder + "/" + t.name + ".bin", run.held.parameters.data() + t.offset, bytes_of(t, run.dims));
    parameters += (k == 0 ? "" : ", ") + json_entry(t, shape_of(t, run.dims));
  }
  const std::string json = "{\"inputs\": [" + inputs + "], \"parameters\": [" + parameters +
                           "], \"parameters_size\": " + std::to_string(model.parameters_size) +
                           ", \"state_size\": " + std::to_string(model.state_size) +
                           ", \"workspace_size\": " + std::to_string(model.workspace_size) + "}\n";
  write(folder + "/model.json", json.data(), json.size());
  return run;
}

double seconds(Run& run, std::int64_t calls) {
  const gradc::Call call = run.call();
  const auto begin = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < calls; ++i) run.function.run(call);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) fail("harness FUNCTION FOLDER THREADS [DIM=SIZE…]");
  const gradc::Model& model = NETWORK::model();
  std::vector<std::int64_t> dims = gradc::drawn::bounds(model);
  for (int a = 4; a < argc; ++a) {
    const std::string text = argv[a];
    const std::size_t equals = text.find('=');
    for (std::int32_t k = 0; k < model.dim_count && equals != std::string::npos; ++k)
      if (text.substr(0, equals) == model.dims[k].name)
        dims[static_cast<std::size_t>(k)] = std::atoll(text.c_str() + equals + 1);
  }
  Run run = prepare(model, argv[1], dims, argv[2]);
  gradc::Threads threads(std::max(1, std::atoi(argv[3])));
  if (threads.size() > 1) run.team = threads.team();
  std::printf("ready\n");
  std::fflush(stdout);
  std::string word;
  std::int64_t n = 0;
  while (std::cin >> word >> n) {
    if (word == "losses") {
      const auto size = count_of(run.function.outputs[0], run.dims);
      run.start();
      for (std::int64_t i = 0; i < n; ++i) {
        const std::size_t at = run.function.kind == gradc::FunctionKind::step ? 0 : static_cast<std::size_t>(i);
        if (at >= size) break;
        if (at == 0) run.function.run(run.call());
        float value = 0;
        std::memcpy(&value, run.outputs[0].data() + 4 * at, 4);
        std::printf("%s%.9g", i == 0 ? "" : " ", static_cast<double>(value));
      }
      std::printf("\n");
    } else {
      std::printf("%.9g\n", seconds(run, n));
    }
    std::fflush(stdout);
  }
}

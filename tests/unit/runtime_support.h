// runtime_support.h: a tiny network written by hand, a program for it, and files for tests of the
// driver.
#pragma once

#include <stdlib.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "gradc/model.h"
#include "gradc/philox.h"
#include "gradc/program.h"
#include "runtime/failure.h"
#include "runtime/session.h"

namespace test {

// A folder that goes away.
struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "gradc-test-XXXXXX").string();
    if (!mkdtemp(name.data())) std::abort();
    path = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string operator/(const std::string& name) const { return (path / name).string(); }
};

inline void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}
inline std::string read(const std::string& path) {
  std::stringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

// The message something is refused with; "" if it is not.
template <class F>
std::string refusal(F&& f) {
  try {
    f();
  } catch (const gradc::driver::Failure& failure) {
    return failure.message;
  }
  return "";
}

// Linear regression y = x w + b with momentum and a little noise, so that every part of a
// checkpoint matters: parameters, moments, a counter and the seed of each step.
namespace line {

struct Parameters {
  alignas(64) float w[3];
  alignas(64) float b[1];
};
struct State {
  alignas(64) float momentum[3];
  alignas(64) std::int32_t steps[1];
  alignas(64) double best[2][1];
  alignas(64) unsigned char started[1];
};

struct Log {
  std::vector<std::int64_t> batches;  // sizes seen by the step
  std::vector<float> targets;         // all y seen by it
  int raise_at = -1;                  // SIGINT in this step, counted over the process
  int calls = 0;
};
inline Log& log() {
  static Log instance;
  return instance;
}

inline void init(void* parameters, void* state, std::uint64_t seed) {
  auto& p = *static_cast<Parameters*>(parameters);
  for (std::uint64_t i = 0; i < 3; ++i) p.w[i] = gradc::random_normal(seed, 0, 0, i);
  p.b[0] = 0;
  *static_cast<State*>(state) = State{};
}

inline void train(const gradc::Call& call) {
  auto& p = *static_cast<Parameters*>(call.parameters);
  auto& s = *static_cast<State*>(call.state);
  const auto* x = static_cast<const float*>(call.inputs[0]);
  const auto* y = static_cast<const float*>(call.inputs[1]);
  const std::int64_t B = call.dims[0];
  float gradient[4] = {}, loss = 0;
  std::int32_t positive = 0;
  for (std::int64_t i = 0; i < B; ++i) {
    const float e =
        x[3 * i] * p.w[0] + x[3 * i + 1] * p.w[1] + x[3 * i + 2] * p.w[2] + p.b[0] - y[i];
    for (int k = 0; k < 3; ++k) gradient[k] += 2 * e * x[3 * i + k] / static_cast<float>(B);
    gradient[3] += 2 * e / static_cast<float>(B);
    loss += e * e / static_cast<float>(B);
    positive += y[i] > 0;
  }
  for (std::uint64_t k = 0; k < 3; ++k) {
    const float noise = 1e-3f * gradc::random_normal(call.seed, 0, 1, k);
    s.momentum[k] = 0.5f * s.momentum[k] + gradient[k] + noise;
    p.w[k] -= 0.05f * s.momentum[k];
  }
  p.b[0] -= 0.05f * gradient[3];
  s.steps[0] += 1;
  s.started[0] = 1;
  s.best[0][0] += static_cast<double>(loss) / 3;
  *static_cast<float*>(call.outputs[0]) = loss;
  *static_cast<std::int32_t*>(call.outputs[1]) = positive;
  log().batches.push_back(B);
  log().targets.insert(log().targets.end(), y, y + B);
  if (log().calls++ == log().raise_at) std::raise(SIGINT);
}

inline void evaluate(const gradc::Call& call) {
  const Parameters p = *static_cast<const Parameters*>(call.parameters);
  const auto* x = static_cast<const float*>(call.inputs[0]);
  const auto* y = static_cast<const float*>(call.inputs[1]);
  float loss = 0;
  for (std::int64_t i = 0; i < call.dims[0]; ++i) {
    const float e =
        x[3 * i] * p.w[0] + x[3 * i + 1] * p.w[1] + x[3 * i + 2] * p.w[2] + p.b[0] - y[i];
    loss += e * e / static_cast<float>(call.dims[0]);
  }
  *static_cast<float*>(call.outputs[0]) = loss;
  *static_cast<std::int32_t*>(call.outputs[1]) = static_cast<std::int32_t>(call.dims[0]);
}

inline void forward(const gradc::Call& call) {
  const Parameters p = *static_cast<const Parameters*>(call.parameters);
  const auto* x = static_cast<const float*>(call.inputs[0]);
  for (std::int64_t i = 0; i < call.dims[0]; ++i)
    static_cast<float*>(call.outputs[0])[i] =
        x[3 * i] * p.w[0] + x[3 * i + 1] * p.w[1] + x[3 * i + 2] * p.w[2] + p.b[0];
}

using gradc::DType;
using gradc::Tensor;
inline constexpr gradc::Dim dims[] = {{"B", 8}};
inline const Tensor parameters[] = {
    {"fit.w", DType::f32, 1, {{3, 0, -1}}, offsetof(Parameters, w)},
    {"fit.b", DType::f32, 1, {{1, 0, -1}}, offsetof(Parameters, b)}};
inline const Tensor state[] = {
    {"train.fit.w.m", DType::f32, 1, {{3, 0, -1}}, offsetof(State, momentum)},
    {"train.step", DType::i32, 1, {{1, 0, -1}}, offsetof(State, steps)},
    {"train.best", DType::f64, 2, {{2, 0, -1}, {1, 0, -1}}, offsetof(State, best)},
    {"train.started", DType::boolean, 1, {{1, 0, -1}}, offsetof(State, started)}};
inline const Tensor inputs[] = {{"x", DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0},
                                {"y", DType::f32, 1, {{0, 1, 0}}, 0}};
inline const Tensor reports[] = {{"loss", DType::f32, 0, {}, 0},
                                 {"positive", DType::i32, 0, {}, 0}};
inline const Tensor outputs[] = {{"out", DType::f32, 1, {{0, 1, 0}}, 0}};
inline const gradc::Function functions[] = {
    {"train", gradc::FunctionKind::step, inputs, 2, reports, 2, train},
    {"train", gradc::FunctionKind::evaluate, inputs, 2, reports, 2, evaluate},
    {"fit", gradc::FunctionKind::forward, inputs, 1, outputs, 1, forward}};
inline const gradc::Model model = {"line",
                                   GRADC_RUNTIME_VERSION,
                                   "0123abcd",
                                   dims,
                                   1,
                                   parameters,
                                   2,
                                   sizeof(Parameters),
                                   state,
                                   4,
                                   sizeof(State),
                                   4096,
                                   functions,
                                   3,
                                   init};

// y = x . (1, -2, 0.5) + 0.25, 29 rows: 23 in part train, so the last of its batches of 4 has 3.
inline std::string csv() {
  std::string text = "a,b,c,target\r\n";
  for (std::uint64_t i = 0; i < 29; ++i) {
    double x[3];
    for (std::uint64_t k = 0; k < 3; ++k)
      x[k] = static_cast<double>(static_cast<int>(gradc::random_uniform(5, 0, 0, 3 * i + k) * 64)) /
                 16 -
             2;
    char row[128];
    std::snprintf(row, sizeof row, "%g,%g,%g,%.10g\r\n", x[0], x[1], x[2],
                  x[0] - 2 * x[1] + 0.5 * x[2] + 0.25);
    text += row;
  }
  return text;
}

inline constexpr gradc::Field fields[] = {{"x", nullptr, 0, 2, 1, 0}, {"y", nullptr, 3, 3, 1, 0}};
inline constexpr gradc::DataSource data[] = {
    {"points", gradc::DataFormat::csv, "points.csv", true, fields, 2}};
inline constexpr gradc::Part parts[] = {{"train", 0.8}, {"test", 0.2}};
inline constexpr gradc::Split splits[] = {{"points", parts, 2, 7}};
inline constexpr gradc::Action actions[] = {
    {gradc::ActionKind::fit, "train", "points", "train", 3, 4, true, 1, nullptr},
    {gradc::ActionKind::fit, "train", "points", nullptr, 2, 8, true, 2, nullptr},
    {gradc::ActionKind::test, "train", "points", "test", 0, 0, false, 0, nullptr}};
inline constexpr gradc::Program program = {data, 1, splits, 1, actions, 3};

}  // namespace line

struct Run {
  int code;
  std::string out, err;
};

// The driver with captured streams.
inline Run drive(const gradc::Model& model, const gradc::Program& program,
                 const std::string& folder, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "./line");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  char* texts[2] = {};
  std::size_t sizes[2] = {};
  std::FILE* out = open_memstream(&texts[0], &sizes[0]);
  std::FILE* err = open_memstream(&texts[1], &sizes[1]);
  const int code = gradc::driver::drive_on(static_cast<int>(argv.size()), argv.data(), model,
                                           program, folder.c_str(), out, err);
  std::fclose(out);
  std::fclose(err);
  Run run{code, texts[0], texts[1]};
  std::free(texts[0]);
  std::free(texts[1]);
  return run;
}

}  // namespace test

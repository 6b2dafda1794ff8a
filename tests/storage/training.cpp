// training.cpp: networks that store values as bf16 learn what those of f32 learn, and by the smallest steps.
#include "catch.h"
#include "process.h"

#include <sstream>

using namespace test;

namespace {

// Small relatives of LeNet and of a transformer, and a weight that moves by much less at a time than bf16 could tell.
constexpr const char* nets = R"(
dim B <= 32

net classify(x: f32[B, 1, 12, 12]) -> logits: f32[B, 8] {
  logits = x |> conv2d(6, k = 3) |> relu |> max_pool2d |> conv2d(12, k = 3) |> tanh |> max_pool2d |> flatten |> dense(40)
             |> relu |> dense(8)
}
step learn_images(x: f32[B, 1, 12, 12], label: i32[B]) {
  logits = classify(x)
  loss   = cross_entropy(logits, label)
  minimize loss using adam(lr = 2e-3)
  report loss
}

net next(ids: i32[B, 16]) -> logits: f32[B, 16, 12] {
  h = ids |> embedding(12, 32) |> learned_positions |> transformer_block(heads = 2, causal = true)
          |> transformer_block(heads = 2, causal = true)
  logits = h |> layer_norm |> dense(12)
}
step learn_text(ids: i32[B, 16], following: i32[B, 16]) {
  loss = cross_entropy(next(ids), following)
  minimize loss using adamw(lr = 3e-3, weight_decay = 0.01)
  report loss
}

net scale(x: f32[B, 8]) -> y: f32[B, 8] {
  y = x |> dense(8, bias = false)
}
step creep(x: f32[B, 8]) {
  y    = scale(x)
  loss = mean[b, i] y[b, i]
  minimize loss using sgd(lr = 1e-4)
  report loss
}
)";

// Trains the network of both headers on the same data, and prints what it lost at first and at last, f32 then bf16.
constexpr const char* program = R"(
#include "as_f32.hpp"
#include "as_bf16.hpp"
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

struct Draw {
  std::uint64_t state = 12345;
  float next() {  // in [0, 1)
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<float>(state >> 40) * 0x1p-24f;
  }
  int below(int n) { return static_cast<int>(next() * static_cast<float>(n)); }
};

constexpr int B = 32;

// Eight pictures, each under noise and moved by a pixel or none.
void draw_images(Draw& draw, std::vector<float>& x, std::vector<std::int32_t>& label) {
  for (int b = 0; b < B; ++b) {
    label[b] = draw.below(8);
    const int right = draw.below(2);
    for (int i = 0; i < 12; ++i)
      for (int j = 0; j < 12; ++j) {
        const int pattern = (i * (label[b] % 3 + 1) + (j + right) * (label[b] / 3 + 1)) % 5;
        x[b * 144 + i * 12 + j] = (pattern == 0 ? 1.0f : 0.0f) + 0.6f * (draw.next() - 0.5f);
      }
  }
}
// Each letter follows from the two before it, but for one in ten.
void draw_text(Draw& draw, std::vector<std::int32_t>& ids, std::vector<std::int32_t>& following) {
  for (int b = 0; b < B; ++b) {
    int before = draw.below(12), now = draw.below(12);
    for (int t = 0; t < 16; ++t) {
      ids[b * 16 + t] = now;
      const int after = draw.below(10) == 0 ? draw.below(12) : (before + 2 * now + 1) % 12;
      before = now;
      now = following[b * 16 + t] = after;
    }
  }
}

#define TRAIN(SPACE)                                                                                     \
  {                                                                                                      \
    auto p = std::make_unique<SPACE::Parameters>();                                                      \
    auto s = std::make_unique<SPACE::State>();                                                           \
    auto w = std::make_unique<SPACE::Workspace>();                                                       \
    std::vector<float> x(B * 144);                                                                       \
    std::vector<std::int32_t> label(B), ids(B * 16), following(B * 16);                                  \
    double first[2] = {}, last[2] = {};                                                                  \
    SPACE::init(*p, *s, 3);                                                                              \
    Draw draw;                                                                                           \
    for (int step = 0; step < 400; ++step) {                                                             \
      draw_images(draw, x, label);                                                                       \
      draw_text(draw, ids, following);                                                                   \
      const double images = SPACE::learn_images(*p, *s, *w, B, x.data(), label.data(), 0).loss;          \
      const double text = SPACE::learn_text(*p, *s, *w, B, ids.data(), following.data(), 0).loss;        \
      if (step < 10) first[0] += images / 10, first[1] += text / 10;                                     \
      if (step >= 350) last[0] += images / 50, last[1] += text / 50;                                     \
    }                                                                                                    \
    for (int k = 0; k < 2; ++k) std::printf("%.17g %.17g\n", first[k], last[k]);                       \
  }

int main() {
  TRAIN(as_f32)
  TRAIN(as_bf16)

  // Each of 1000 steps takes 1e-4 / 8 off every weight.
  auto p = std::make_unique<as_bf16::Parameters>();
  auto s = std::make_unique<as_bf16::State>();
  auto w = std::make_unique<as_bf16::Workspace>();
  as_bf16::init(*p, *s, 3);
  const std::vector<float> before(std::begin(p->scale_dense1_W), std::end(p->scale_dense1_W));
  const std::vector<float> ones(B * 8, 1.0f);
  for (int step = 0; step < 1000; ++step) as_bf16::creep(*p, *s, *w, B, ones.data(), 0);
  double least = 1, most = 0;
  for (std::size_t k = 0; k < before.size(); ++k) {
    const double moved = before[k] - p->scale_dense1_W[k];
    least = moved < least ? moved : least;
    most = moved > most ? moved : most;
  }
  std::printf("%.6f %.6f\n", least, most);
}
)";

}  // namespace

TEST_CASE("networks learn as well with values stored as bf16, and by steps that no weight in bf16 would take") {
  const TemporaryFolder folder;
  const RunOptions options{folder.path(), {}, std::chrono::seconds(600)};
  for (const std::string storage : {"f32", "bf16"}) {
    write_text(folder.path() / ("as_" + storage + ".nn"), nets);
    const Finished built = run_program({GRADC_TOOL, "build", "as_" + storage + ".nn", "--storage=" + storage}, options);
    INFO(built.err);
    REQUIRE(built.exit_code == 0);
  }
  CHECK(read_text(folder.path() / "as_f32.cpp").find("bf16") == std::string::npos);
  CHECK(read_text(folder.path() / "as_bf16.cpp").find("bf16") != std::string::npos);
  write_text(folder.path() / "main.cpp", program);
  const Finished compiled = run_program({"g++", "-std=c++17", "-O2", "-march=native", "-I" GRADC_SOURCE_DIR "/runtime", "as_f32.cpp",
                                         "as_bf16.cpp", "main.cpp", "-o", "train"},
                                        options);
  INFO(compiled.err);
  REQUIRE(compiled.exit_code == 0);
  const Finished ran = run_program({(folder.path() / "train").string()}, options);
  INFO(ran.out << ran.err);
  REQUIRE(ran.exit_code == 0);
  struct Losses {
    double first = 0, last = 0;
  } f32[2], bf16[2];
  std::istringstream numbers(ran.out);
  for (Losses* l : {&f32[0], &f32[1], &bf16[0], &bf16[1]}) numbers >> l->first >> l->last;
  double least = 0, most = 0;
  REQUIRE(numbers >> least >> most);
  for (int k = 0; k < 2; ++k) {
    CHECK(f32[k].last < f32[k].first / 2);  // it has learnt something
    CHECK(bf16[k].last != f32[k].last);     // and not the same bits
    CHECK(bf16[k].last < 1.05 * f32[k].last + 0.01);
  }
  // 1000 · 1e-4 / 8 = 0.0125. From 0.05 on, steps of bf16 are 2^-12 and more: one of 1e-4 / 8 is a twentieth of that, and
  // would be lost each time. A cotangent of bf16 is off by 2^-8 at most, and so is what weights have moved by.
  CHECK(least > 0.0125 * (1 - 0x1p-7));
  CHECK(most < 0.0125 * (1 + 0x1p-7));
}

TEST_CASE("stats says what storing values as bf16 saves, and other words are refused") {
  const TemporaryFolder folder;
  const std::string spec = GRADC_SOURCE_DIR "/examples/digits/digits.nn";
  const Finished shown = run_program({GRADC_TOOL, "stats", "--storage=bf16", spec}, {folder.path(), {}});
  INFO(shown.out << shown.err);
  REQUIRE(shown.exit_code == 0);
  // Logits, activations and their gradients: all that the step keeps but a few numbers for each example.
  CHECK_THAT(shown.out, contains("stored as bf16  saved as f32  saved as bf16  peak as f32  peak as bf16"));
  CHECK_THAT(shown.out, contains("-50.0 %"));
  const Finished refused = run_program({GRADC_TOOL, "build", "--storage=f16", spec}, {folder.path(), {}});
  CHECK(refused.exit_code == 2);
  CHECK_THAT(refused.err, contains("--storage: f16 not in {f32,bf16}"));
  CHECK(names_in(folder.path()).empty());
}

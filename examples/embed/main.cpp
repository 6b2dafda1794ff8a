// main.cpp: a program of one's own around emitted code: makes its data, trains, and asks for values
// and slopes.
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>

#include "sine.hpp"

int main() {
  // Nothing is allocated by the network: its memory is three plain structs of the program's own.
  const auto parameters = std::make_unique<sine::Parameters>();
  const auto state = std::make_unique<sine::State>();
  const auto workspace = std::make_unique<sine::Workspace>();
  sine::init(*parameters, *state, 1);

  constexpr std::int64_t batch = sine::max_B;
  std::array<float, batch> x{}, t{};
  std::uint32_t random = 1;
  float loss = 0;
  for (int step = 1; step <= 3000; ++step) {
    for (std::size_t k = 0; k < x.size(); ++k) {
      random = random * 1664525u + 1013904223u;
      x[k] =
          static_cast<float>(random >> 8) / static_cast<float>(1 << 24) * 6.2831853f - 3.1415927f;
      t[k] = std::sin(x[k]);
    }
    loss = sine::train(*parameters, *state, *workspace, batch, x.data(), t.data(), 1).loss;
    if (step % 500 == 0) std::printf("step %4d  loss %.2e\n", step, static_cast<double>(loss));
  }

  // Five points: a batch of any size up to the bound will do. Backward gives the slope, d y / d x,
  // which nobody trained: it should be a cosine.
  const std::array<float, 5> at = {-2.0f, -1.0f, 0.0f, 1.0f, 2.0f};
  std::array<float, 5> y{}, slope{};
  const std::array<float, 5> dy = {1, 1, 1, 1, 1};
  const auto gradients = std::make_unique<sine::Parameters>();
  sine::approximate_forward(*parameters, *workspace, 5, at.data(), y.data());
  sine::approximate_backward(*parameters, *workspace, 5, at.data(), dy.data(), *gradients,
                             slope.data());
  float worst = 0;
  std::printf("\n   x      y   sin(x)   slope  cos(x)\n");
  for (std::size_t k = 0; k < at.size(); ++k) {
    std::printf("%4.1f  %6.3f  %6.3f  %6.3f  %6.3f\n", static_cast<double>(at[k]),
                static_cast<double>(y[k]), std::sin(static_cast<double>(at[k])),
                static_cast<double>(slope[k]), std::cos(static_cast<double>(at[k])));
    worst = std::fmax(worst, std::fabs(y[k] - std::sin(at[k])));
  }
  std::printf("\nworst error %.3f\n", static_cast<double>(worst));
  return worst < 0.05f ? 0 : 1;
}

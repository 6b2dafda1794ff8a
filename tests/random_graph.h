// random_graph.h: random well-typed graphs with inputs for them, the same for the same seed.
#pragma once

#include <cstdint>
#include <random>

#include "dsl/graph.h"
#include "dsl/interpret.h"

namespace test {

// A sequence of random choices that is the same with every standard library.
struct Choices {
  std::mt19937_64 bits;
  explicit Choices(std::uint64_t seed) : bits(seed) {}
  // low … high, both included
  std::int64_t number(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(bits() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool chance(int percent) { return number(1, 100) <= percent; }
  double real(double low, double high) {
    return low + (high - low) * static_cast<double>(bits() >> 11) * 0x1p-53;
  }
  template <class C>
  const auto& one_of(const C& list) {
    return list[static_cast<std::size_t>(
        number(0, static_cast<std::int64_t>(std::size(list)) - 1))];
  }
};

struct RandomGraphOptions {
  int nodes = 12;   // computed ones
  bool f64 = true;  // some tensors and expressions are f64
  bool random_nodes = true;
  bool detach = true;          // off where gradients are compared with finite differences
  bool gradient_nodes = true;  // the step updates its parameters by gradients of its loss
};

// Functions: init; net "f" with a few outputs; step "train" that minimizes a loss made of all of
// them and reports it. There are f32, f64, i32 and bool tensors, rank 0 to 4, extents from 1,
// run-time dims, and subscripts of every kind: affine, flipped, strided, padded, guarded, divided,
// gathered. Every value is finite and of moderate size at the inputs of `environment`, and at any
// others of the same ranges.
struct RandomGraph {
  gradc::Graph graph;
  gradc::Environment environment;
};
RandomGraph random_graph(std::uint64_t seed, const RandomGraphOptions& = {});

}  // namespace test

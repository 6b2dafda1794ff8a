// permutation.h: the orders of examples, as a pure function of a seed.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "gradc/philox.h"

namespace gradc::driver {

// The stream of Philox that orders come from; those of a spec count up from 0.
constexpr std::uint32_t order_stream = 0xffffffff;

// Fisher-Yates; draw i is 64 bits of block i of (seed, step = round), so every round of a seed has
// its own order. Multiplying by the range and taking the high word is uniform to 2^-33 for fewer
// than 2^31 rows.
inline void permute(std::vector<std::int64_t>& rows, std::uint64_t seed, std::uint32_t round) {
  for (std::uint64_t left = rows.size(); left > 1; --left) {
    const PhiloxWords words = random_block(seed, round, order_stream, left);
    const std::uint64_t draw = (std::uint64_t{words.word[1]} << 32) | words.word[0];
    const std::uint64_t low = (draw & 0xffffffffu) * left, high = (draw >> 32) * left;
    const std::uint64_t pick = (high + (low >> 32)) >> 32;
    std::swap(rows[left - 1], rows[pick]);
  }
}

// A 64-bit seed for something numbered below a seed: a step, a stage.
inline std::uint64_t derived_seed(std::uint64_t seed, std::uint32_t round, std::uint64_t number) {
  const PhiloxWords words = random_block(seed, round, order_stream - 1, number);
  return (std::uint64_t{words.word[1]} << 32) | words.word[0];
}

// Of a batch where nothing is trained: each draws numbers of its own, and the same every time.
inline std::uint64_t evaluation_seed(std::int64_t batch) {
  return derived_seed(0, 0xffffffffu, static_cast<std::uint64_t>(batch));
}

}  // namespace gradc::driver

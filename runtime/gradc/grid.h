// gradc/grid.h: what emitted kernels are written with: who a thread is, and what the threads of a block find together.
//
// Blocks have one dimension and a multiple of 32 threads. Everything here gives the same bits at every run: the order
// in which a block combines values depends on its size alone.
#pragma once

#include <cstdint>

#include "gradc/bf16.h"
#include "gradc/math.h"
#include "gradc/numbers.h"
#include "gradc/philox.h"

namespace gradc {

__device__ inline std::int64_t thread() { return static_cast<std::int64_t>(threadIdx.x); }
__device__ inline std::int64_t block() { return static_cast<std::int64_t>(blockIdx.x); }
__device__ inline std::int64_t thread_of_all() {
  return static_cast<std::int64_t>(blockIdx.x) * static_cast<std::int64_t>(blockDim.x) +
         static_cast<std::int64_t>(threadIdx.x);
}

// The number of the run, for random numbers: of a copy of the counter, or 0 where none counts.
__device__ inline std::uint32_t step_of(const std::int32_t* counter) {
  return counter == nullptr ? 0u : static_cast<std::uint32_t>(*counter);
}

// Shared memory for what the warps of a block found, one element a warp.
template <class T>
struct Partial {
  T value[32];
  std::int64_t position[32];
};

// Shared memory for which of the block's threads were chosen, a bit each.
struct Chosen {
  unsigned of_warp[32];
};

namespace grid_detail {

constexpr unsigned everybody = 0xffffffffu;

struct Sum {
  template <class T>
  __device__ static T of(T a, T b) { return a + b; }
};
struct Product {
  template <class T>
  __device__ static T of(T a, T b) { return a * b; }
};
struct Max {
  template <class T>
  __device__ static T of(T a, T b) { return gradc::max(a, b); }
};
struct Min {
  template <class T>
  __device__ static T of(T a, T b) { return gradc::min(a, b); }
};

// A tree within each warp, then the warps in order; every thread returns the result.
template <class Op, class T>
__device__ inline T combine(T value, Partial<T>& partial) {
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (unsigned distance = 16; distance > 0; distance /= 2) {
    value = Op::of(value, static_cast<T>(__shfl_down_sync(everybody, value, distance)));
  }
  __syncthreads();  // the last result may still be read
  if (lane == 0) partial.value[warp] = value;
  __syncthreads();
  T result = partial.value[0];
  for (unsigned w = 1; w < blockDim.x / 32; ++w) result = Op::of(result, partial.value[w]);
  return result;
}

// Whether b at its position is to be preferred to a: the first NaN before all, then the first of the best.
template <bool greatest, class T>
__device__ inline bool is_better(T b, std::int64_t at_b, T a, std::int64_t at_a) {
  const bool nan_a = a != a, nan_b = b != b;
  if (nan_a || nan_b) return nan_b && (!nan_a || at_b < at_a);
  if (a == b) return at_b < at_a;
  return greatest ? b > a : b < a;
}

template <bool greatest, class T>
__device__ inline void best(T& value, std::int64_t& position, Partial<T>& partial) {
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (unsigned distance = 16; distance > 0; distance /= 2) {
    const T other = static_cast<T>(__shfl_down_sync(everybody, value, distance));
    const std::int64_t at = static_cast<std::int64_t>(
        __shfl_down_sync(everybody, static_cast<long long>(position), distance));
    if (is_better<greatest>(other, at, value, position)) {
      value = other;
      position = at;
    }
  }
  __syncthreads();
  if (lane == 0) {
    partial.value[warp] = value;
    partial.position[warp] = position;
  }
  __syncthreads();
  value = partial.value[0];
  position = partial.position[0];
  for (unsigned w = 1; w < blockDim.x / 32; ++w) {
    if (is_better<greatest>(partial.value[w], partial.position[w], value, position)) {
      value = partial.value[w];
      position = partial.position[w];
    }
  }
}

struct NoneLeft {};

// Goes from one chosen position to the next.
class ChosenPosition {
 public:
  __device__ ChosenPosition(std::int64_t first, const Chosen& chosen)
      : first_(first), chosen_(chosen), left_(chosen.of_warp[0]) {
    find();
  }
  __device__ std::int64_t operator*() const { return first_ + static_cast<std::int64_t>(warp_ * 32) + __ffs(static_cast<int>(left_)) - 1; }
  __device__ void operator++() {
    left_ &= left_ - 1;
    find();
  }
  __device__ bool operator!=(NoneLeft) const { return left_ != 0; }

 private:
  __device__ void find() {
    while (left_ == 0 && ++warp_ < blockDim.x / 32) left_ = chosen_.of_warp[warp_];
  }

  std::int64_t first_;
  const Chosen& chosen_;
  unsigned warp_ = 0, left_;
};

struct ChosenPositions {
  std::int64_t first;
  const Chosen& chosen;
  __device__ ChosenPosition begin() const { return {first, chosen}; }
  __device__ NoneLeft end() const { return {}; }
};

}  // namespace grid_detail

// Every thread of the block says whether it is chosen; then all know who is.
__device__ inline void choose(bool me, Chosen& chosen) {
  const unsigned warp = __ballot_sync(grid_detail::everybody, me ? 1 : 0);
  __syncthreads();  // the last choice may still be read
  if (threadIdx.x % 32 == 0) chosen.of_warp[threadIdx.x / 32] = warp;
  __syncthreads();
}

// The numbers of the chosen threads, in order, counted from `first`.
__device__ inline grid_detail::ChosenPositions chosen_from(std::int64_t first, const Chosen& chosen) {
  return {first, chosen};
}

template <class T>
__device__ inline T block_sum(T value, Partial<T>& partial) {
  return grid_detail::combine<grid_detail::Sum>(value, partial);
}
template <class T>
__device__ inline T block_product(T value, Partial<T>& partial) {
  return grid_detail::combine<grid_detail::Product>(value, partial);
}
template <class T>
__device__ inline T block_max(T value, Partial<T>& partial) {
  return grid_detail::combine<grid_detail::Max>(value, partial);
}
template <class T>
__device__ inline T block_min(T value, Partial<T>& partial) {
  return grid_detail::combine<grid_detail::Min>(value, partial);
}
template <class T>
__device__ inline void block_most(T& value, std::int64_t& position, Partial<T>& partial) {
  grid_detail::best<true>(value, position, partial);
}
template <class T>
__device__ inline void block_least(T& value, std::int64_t& position, Partial<T>& partial) {
  grid_detail::best<false>(value, position, partial);
}

}  // namespace gradc

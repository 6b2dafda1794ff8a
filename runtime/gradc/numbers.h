// gradc/numbers.h: constants, and places in a workspace. C++17, nothing allocates.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "gradc/qualify.h"

namespace gradc {
inline namespace GRADC_PROCESSOR {

// Elements at a byte offset of a workspace.
template <class T>
inline T* place(unsigned char* workspace, std::size_t offset) {
  return reinterpret_cast<T*>(workspace + offset);
}

// From here on there may be values of another type where there were some: no access to memory moves across, although a
// compiler may take what has another type for other memory.
inline void retype() { std::atomic_signal_fence(std::memory_order_seq_cst); }

// As values of their own, since a device may not call functions of std::numeric_limits.
template <class T>
struct Special {
  static constexpr T infinity = std::numeric_limits<T>::infinity();
  static constexpr T nan = std::numeric_limits<T>::quiet_NaN();
};
template <class T>
GRADC_BOTH constexpr T infinity() {
  return Special<T>::infinity;
}
template <class T>
GRADC_BOTH constexpr T nan() {
  return Special<T>::nan;
}
constexpr std::int64_t lowest_integer = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t highest_integer = std::numeric_limits<std::int64_t>::max();

}  // namespace GRADC_PROCESSOR
}  // namespace gradc

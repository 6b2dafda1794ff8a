// gradc/numbers.h: constants, and places in a workspace. C++17, nothing allocates.
#pragma once

#include <cstddef>
#include <cstdint>

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
inline void retype() { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

// As values of their own, since a device may not call such functions.
template <class T>
struct Special {
  static constexpr T infinity = static_cast<T>(__builtin_huge_val());
  static constexpr T nan = static_cast<T>(__builtin_nan(""));
};
template <class T>
GRADC_BOTH constexpr T infinity() {
  return Special<T>::infinity;
}
template <class T>
GRADC_BOTH constexpr T nan() {
  return Special<T>::nan;
}
constexpr std::int64_t lowest_integer = INT64_MIN;
constexpr std::int64_t highest_integer = INT64_MAX;

}  // namespace GRADC_PROCESSOR
}  // namespace gradc

// gradc/numbers.h: constants, and places in a workspace. C++17, nothing allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "gradc/qualify.h"

namespace gradc {

// Elements at a byte offset of a workspace.
template <class T>
inline T* place(unsigned char* workspace, std::size_t offset) {
  return reinterpret_cast<T*>(workspace + offset);
}

// The constants within make these compile for a device without further options.
template <class T>
GRADC_BOTH constexpr T infinity() {
  constexpr T value = std::numeric_limits<T>::infinity();
  return value;
}
template <class T>
GRADC_BOTH constexpr T nan() {
  constexpr T value = std::numeric_limits<T>::quiet_NaN();
  return value;
}
constexpr std::int64_t lowest_integer = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t highest_integer = std::numeric_limits<std::int64_t>::max();

}  // namespace gradc

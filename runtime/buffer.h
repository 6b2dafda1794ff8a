// buffer.h: a 64-byte aligned, zeroed allocation, and sizes that cannot overflow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gradc/memory.h"

namespace gradc::driver {

// a * b, or false where that does not fit. Operands are not negative.
inline bool multiply(std::int64_t a, std::int64_t b, std::int64_t& product) {
  return !__builtin_mul_overflow(a, b, &product);
}

class Buffer {
 public:
  Buffer() = default;
  // Fails with "out of memory" naming `what` and its size.
  Buffer(std::uint64_t bytes, std::string_view what);

  unsigned char* data() { return data_.get(); }
  const unsigned char* data() const { return data_.get(); }
  std::size_t size() const { return size_; }

 private:
  Bytes data_;
  std::size_t size_ = 0;
};

}  // namespace gradc::driver

// large_pages.cpp: use_large_pages(), on Linux.
#include "tool/large_pages.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <cstdint>
#include <memory>

namespace gradc {

void use_large_pages() {
#if defined(__linux__)
  // mimalloc takes memory in segments of 32 MiB that begin at a multiple of that.
  constexpr std::uintptr_t segment = 32 << 20;
  const auto inside = std::make_unique<char>();
  const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(inside.get()) & ~(segment - 1);
  ::madvise(reinterpret_cast<void*>(begin), segment, MADV_HUGEPAGE);  // no harm if it fails
#endif
}

}  // namespace gradc

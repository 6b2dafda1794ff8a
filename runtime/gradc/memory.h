// gradc/memory.h: memory for parameters and workspaces, in large pages where that helps.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace gradc {

struct FreeMemory {
  void operator()(unsigned char* p) const { std::free(p); }
};
using Bytes = std::unique_ptr<unsigned char, FreeMemory>;

// So many bytes from a multiple of 64 on, whose contents are not set; null if there is no such memory. Of 2 MiB and more
// the system is asked for pages of that size (Linux, unless it never gives any): a processor finds the places of some
// hundred KB of pages of 4 KB without looking them up, and kernels that go over many MB took up to a tenth longer with
// those.
inline Bytes allocate(std::size_t bytes) {
  constexpr std::size_t large_page = std::size_t{2} << 20;
  void* memory = nullptr;
  if (posix_memalign(&memory, bytes >= large_page ? large_page : 64, bytes) != 0) return nullptr;
#ifdef MADV_HUGEPAGE
  // Where this is refused pages are small, which changes no result.
  if (bytes >= large_page) madvise(memory, bytes / large_page * large_page, MADV_HUGEPAGE);
#endif
  return Bytes(static_cast<unsigned char*>(memory));
}

}  // namespace gradc

// count_allocations.cpp: stands before the C library's allocation functions, all threads', and counts their calls.
//
// Linked into a program or preloaded. A program asks allocations(); without one, the count of the whole run is written
// at its end to the file that $COUNT_ALLOCATIONS names. For glibc.
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
}

namespace {

std::atomic<long long> count{0};

struct Report {
  ~Report() {
    const long long all = count;
    const char* const path = std::getenv("COUNT_ALLOCATIONS");
    if (path == nullptr) return;
    std::FILE* const file = std::fopen(path, "w");
    if (file == nullptr) std::abort();
    std::fprintf(file, "%lld\n", all);
    std::fclose(file);
  }
} report;

}  // namespace

long long allocations() { return count; }

extern "C" {

void* malloc(std::size_t size) {
  ++count;
  return __libc_malloc(size);
}

void* calloc(std::size_t number, std::size_t size) {
  ++count;
  return __libc_calloc(number, size);
}

void* realloc(void* old, std::size_t size) {
  ++count;
  return __libc_realloc(old, size);
}

void* memalign(std::size_t alignment, std::size_t size) {
  ++count;
  return __libc_memalign(alignment, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }

int posix_memalign(void** to, std::size_t alignment, std::size_t size) {
  *to = memalign(alignment, size);
  return *to == nullptr ? ENOMEM : 0;
}
}

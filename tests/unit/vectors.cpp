// vectors.cpp: vectors with every set of instructions that this machine has: first lanes beside memory that nobody may
// touch, sums of lanes, transposition.
#include "vectors.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>

#include "catch.h"
#include "gradc/isa.h"

vectors::Faults vectors_scalar(vectors::Pages);
#if defined(__x86_64__)
vectors::Faults vectors_x86_64_v2(vectors::Pages);
vectors::Faults vectors_x86_64_v3(vectors::Pages);
vectors::Faults vectors_x86_64_v4(vectors::Pages);
#endif

namespace {

constexpr vectors::Build builds[] = {
    {"scalar", vectors_scalar},
#if defined(__x86_64__)
    {"x86-64-v2", vectors_x86_64_v2},
    {"x86-64-v3", vectors_x86_64_v3},
    {"x86-64-v4", vectors_x86_64_v4},
#endif
};

// The end of a page, with one after it that a touch of ends the program.
unsigned char* end_of_page() {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* const memory = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  unsigned char* const end = static_cast<unsigned char*>(memory) + page;
  REQUIRE(mprotect(end, page, PROT_NONE) == 0);
  return end;
}

}  // namespace

TEST_CASE("vectors are loaded, added up, transposed and stored, and nothing beside them is touched") {
  const vectors::Pages pages{end_of_page(), end_of_page()};
  for (const vectors::Build& build : builds) {
    if (!gradc::has_isa(build.isa)) continue;
    INFO(build.isa);
    const vectors::Faults faults = build.faults(pages);
    CHECK(faults.first_lanes == 0);
    CHECK(faults.sums == 0);
    CHECK(faults.transposition == 0);
  }
}

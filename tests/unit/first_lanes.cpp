// first_lanes.cpp: the first lanes of vectors, loaded and stored with every set of instructions that this machine has,
// beside memory that nobody may touch.
#include "first_lanes.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>

#include "catch.h"
#include "gradc/isa.h"

std::int64_t first_lanes_scalar(first_lanes::Pages);
#if defined(__x86_64__)
std::int64_t first_lanes_x86_64_v2(first_lanes::Pages);
std::int64_t first_lanes_x86_64_v3(first_lanes::Pages);
std::int64_t first_lanes_x86_64_v4(first_lanes::Pages);
#endif

namespace {

constexpr first_lanes::Build builds[] = {
    {"scalar", first_lanes_scalar},
#if defined(__x86_64__)
    {"x86-64-v2", first_lanes_x86_64_v2},
    {"x86-64-v3", first_lanes_x86_64_v3},
    {"x86-64-v4", first_lanes_x86_64_v4},
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

TEST_CASE("the first lanes of a vector are loaded and stored, and nothing beside them is touched") {
  const first_lanes::Pages pages{end_of_page(), end_of_page()};
  for (const first_lanes::Build& build : builds) {
    if (!gradc::has_isa(build.isa)) continue;
    INFO(build.isa);
    CHECK(build.faults(pages) == 0);
  }
}

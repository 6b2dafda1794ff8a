// runtime_memory.cpp: memory for parameters and workspaces.
#include <cstdint>
#include <cstring>

#include "gradc/memory.h"
#include "tests/catch.h"

TEST_CASE("memory begins at a line of the cache, much memory at a large page") {
  const auto at = [](const gradc::Bytes& bytes) { return reinterpret_cast<std::uintptr_t>(bytes.get()); };
  constexpr std::size_t large_page = std::size_t{2} << 20;
  for (const std::size_t size : {std::size_t{1}, std::size_t{1000}, large_page - 1, large_page, 2 * large_page + 17}) {
    const gradc::Bytes bytes = gradc::allocate(size);
    REQUIRE(bytes);
    CHECK(at(bytes) % (size < large_page ? 64 : large_page) == 0);
    std::memset(bytes.get(), 1, size);
    CHECK(bytes.get()[size - 1] == 1);
  }
}

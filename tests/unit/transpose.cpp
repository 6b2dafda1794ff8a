// transpose.cpp: the runtime's transposition, in tiles of every size, for rows and columns around them.
#include <cstdint>
#include <vector>

#include "catch.h"
#include "gradc/vector.h"

namespace {

// Sizes of 0 to `most`, with rows of memory that are longer than what is read and written of them.
template <class Tile, class T>
void compare(std::int64_t most) {
  constexpr std::int64_t wide = 40;
  std::vector<T> from(wide * wide);
  for (std::size_t k = 0; k < from.size(); ++k) from[k] = static_cast<T>(k + 1);
  std::int64_t wrong = 0;
  for (std::int64_t rows = 0; rows <= most; ++rows) {
    for (std::int64_t columns = 0; columns <= most; ++columns) {
      std::vector<T> to(wide * wide);
      gradc::transpose<Tile>(from.data(), wide, rows, columns, to.data(), wide);
      for (std::int64_t c = 0; c < wide; ++c) {
        for (std::int64_t r = 0; r < wide; ++r) {
          const T expected = r < rows && c < columns ? static_cast<T>(r * wide + c + 1) : T{};
          wrong += to[static_cast<std::size_t>(c * wide + r)] != expected;
        }
      }
    }
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("a transposition moves every element and writes no other") {
  compare<gradc::f32x4, float>(37);
  compare<gradc::f32x8, float>(37);
  compare<gradc::f32x16, float>(37);
  compare<gradc::f32_tile, double>(19);
  compare<gradc::f32_tile, std::int32_t>(19);
}

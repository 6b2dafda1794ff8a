// vectors.h: gradc/vector.h compiled for one set of instructions after another, as numbers of faults.
#pragma once

#include <cstdint>

namespace vectors {

// Ends of memory after which nothing may be touched: vectors are loaded from before the one and stored before the other.
struct Pages {
  unsigned char* from_end;
  unsigned char* to_end;
};

struct Faults {
  std::int64_t first_lanes;    // lanes that are not what they should be, and elements changed beside them
  std::int64_t sums;           // of lanes, that are not those of integers, or not the same alone and several at once
  std::int64_t transposition;  // elements that did not move to their place, or changed beside those
};

struct Build {
  const char* isa;
  Faults (*faults)(Pages);
};

}  // namespace vectors

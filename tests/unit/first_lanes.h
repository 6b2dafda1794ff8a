// first_lanes.h: gradc/vector.h compiled for one set of instructions after another, as numbers of faults.
#pragma once

#include <cstdint>

namespace first_lanes {

// Ends of memory after which nothing may be touched: vectors are loaded from before the one and stored before the other.
struct Pages {
  unsigned char* from_end;
  unsigned char* to_end;
};

struct Build {
  const char* isa;
  // Lanes that are not what they should be, and elements changed beside them, of each type of vector for each number of
  // lanes.
  std::int64_t (*faults)(Pages);
};

}  // namespace first_lanes

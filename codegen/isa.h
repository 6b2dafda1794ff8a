// isa.h: what the scheduler may assume of the processor that runs emitted loops.
//
// Vectors are written with the compilers' extension, which any of them can compile for any processor; what depends on
// the instruction set is how long they are and how many sums are kept in registers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/loops.h"

namespace gradc {

// How the sums of products are taken by register tiles.
struct Tiling {
  std::int64_t rows = 6;                            // of a tile of four vectors along the columns
  std::int64_t narrow_rows = 8;                     // of one of fewer, since columns are no more
  std::int64_t terms = 256;                         // of a long sum at once, about
  std::int64_t inner_rows = 4, inner_columns = 6;   // of a tile whose vectors lie along the sum, at most
  friend bool operator==(const Tiling&, const Tiling&) = default;
};

struct Isa {
  std::string_view name;   // the word of --isa
  int vector_bytes;        // of a register; 4: no vectors
  int registers;           // that hold vectors
  std::string_view flags;  // for GCC and Clang
  bool masks = false;      // loads and stores the first few lanes of a vector
  bool pairs = false;      // multiplies and adds pairs of bf16 (of a target without bf16: not used)
  Tiling tiling = registers >= 32 ? Tiling{} : Tiling{.narrow_rows = 6, .inner_rows = 3, .inner_columns = 3};

  int lanes(DType t) const { return std::max<int>(1, vector_bytes / static_cast<int>(loops::bytes_of(t))); }
  bool vectors() const { return lanes(DType::f32) > 1; }
};

const std::vector<Isa>& isas();  // the richest of each kind of processor first
const Isa* isa_named(std::string_view);

// What programs are written for if nobody says otherwise: nearly every x86 processor in use has it.
const Isa& default_isa();

// The richest set that this machine's processor has: for what is run where it is compiled. What gradc emits doesn't
// depend on it unless asked for.
const Isa& host_isa();

// "x86_64_v4": the namespace of what is for it alone.
std::string identifier_of(const Isa&);

}  // namespace gradc

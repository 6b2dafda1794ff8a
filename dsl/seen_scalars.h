// seen_scalars.h: which scalars a walk over a body has been to.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dsl/graph.h"

namespace gradc {

// Walks are many and most bodies have a few scalars: a hash table with open addressing, which allocates nothing as long
// as they are few.
class SeenScalars {
 public:
  SeenScalars() { few_.fill(ScalarId::none); }
  SeenScalars(const SeenScalars&) = delete;
  SeenScalars& operator=(const SeenScalars&) = delete;

  // Whether it was not there before.
  bool insert(ScalarId id) {
    std::uint32_t& slot = slot_of(id.value);
    if (slot == id.value) return false;
    slot = id.value;
    if (++count_ * 2 > slots_.size()) grow();
    return true;
  }

  bool contains(ScalarId id) { return slot_of(id.value) == id.value; }

 private:
  std::uint32_t& slot_of(std::uint32_t value) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = (value * 0x9e3779b9u >> 7) & mask;
    while (slots_[at] != value && slots_[at] != ScalarId::none) at = (at + 1) & mask;
    return slots_[at];
  }

  void grow() {
    std::vector<std::uint32_t> larger(slots_.size() * 4, ScalarId::none);
    const std::span<std::uint32_t> old = slots_;
    slots_ = larger;
    for (const std::uint32_t value : old)
      if (value != ScalarId::none) slot_of(value) = value;
    many_ = std::move(larger);
  }

  std::array<std::uint32_t, 64> few_;
  std::vector<std::uint32_t> many_;
  std::span<std::uint32_t> slots_ = few_;  // of one of the two
  std::size_t count_ = 0;
};

}  // namespace gradc

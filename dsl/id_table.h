// id_table.h: ids found by a hash of what they stand for.
#pragma once

#include <cstdint>
#include <vector>

namespace gradc {

// Open addressing with half of the slots free: a look is mostly one line of memory, where the library's tables of nodes take three.
template <class Id>
class IdTable {
 public:
  // The id added with that hash for which same(id) holds, or none.
  template <class Same>
  Id find(std::size_t hash, Same&& same) const {
    if (slots_.empty()) return {};
    const auto key = static_cast<std::uint32_t>(hash);
    for (std::size_t at = key & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
      const Slot& slot = slots_[at];
      if (!slot.id.valid()) return {};
      if (slot.key == key && same(slot.id)) return slot.id;
    }
  }

  void add(std::size_t hash, Id id) {
    if (++count_ * 2 > slots_.size()) {
      std::vector<Slot> old(slots_.empty() ? 256 : slots_.size() * 2);
      old.swap(slots_);
      for (const Slot& slot : old)
        if (slot.id.valid()) place(slot);
    }
    place({static_cast<std::uint32_t>(hash), id});
  }

 private:
  struct Slot {
    std::uint32_t key = 0;  // the lower half of the hash
    Id id;
  };

  void place(const Slot& slot) {
    std::size_t at = slot.key & (slots_.size() - 1);
    while (slots_[at].id.valid()) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = slot;
  }

  std::vector<Slot> slots_;
  std::size_t count_ = 0;
};

}  // namespace gradc

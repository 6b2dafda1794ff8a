// seen_scalars.h: which scalars a walk over a body has been to, and such a walk.
#pragma once

#include <array>
#include <boost/container/small_vector.hpp>
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

// Every scalar reachable from one once, users before operands, left to right; of those for which
// enter(id) is true, and of nothing that others are made of.
template <class Enter, class Visit>
void for_each_scalar(const Graph& g, ScalarId root, Enter&& enter, Visit&& visit) {
  if (!enter(root)) return;
  SeenScalars seen;
  seen.insert(root);
  boost::container::small_vector<ScalarId, 32> stack{root};
  while (!stack.empty()) {
    const ScalarId id = stack.back();
    stack.pop_back();
    visit(id);
    const Arguments& args = g[id].args;
    for (std::size_t k = args.size(); k-- > 0;) {
      if (enter(args[k]) && seen.insert(args[k])) stack.push_back(args[k]);
    }
  }
}
template <class Visit>
void for_each_scalar(const Graph& g, ScalarId root, Visit&& visit) {
  for_each_scalar(
      g, root, [](ScalarId) { return true; }, visit);
}

}  // namespace gradc

// id_map.h: values by ids, in one piece of memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <tuple>
#include <utility>
#include <vector>

#include "dsl/check.h"

namespace gradc {

// As std::unordered_map, without erasing; but its entries stand in the order in which they were
// added, and move when one is added, so that no reference to one may be kept. Most walks over a formula note a few values: as long as they are few, they are looked
// through.
template <class Id, class T>
class IdMap {
 public:
  using Entry = std::pair<Id, T>;
  using iterator = typename std::vector<Entry>::iterator;
  using const_iterator = typename std::vector<Entry>::const_iterator;

  IdMap() = default;
  IdMap(std::initializer_list<Entry> entries) {
    for (const Entry& e : entries) try_emplace(e.first, e.second);
  }

  iterator begin() { return entries_.begin(); }
  iterator end() { return entries_.end(); }
  const_iterator begin() const { return entries_.begin(); }
  const_iterator end() const { return entries_.end(); }
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  void clear() {
    entries_.clear();
    slots_.clear();
  }

  iterator find(Id id) { return begin() + position(id); }
  const_iterator find(Id id) const { return begin() + position(id); }
  bool contains(Id id) const { return find(id) != end(); }
  const T& at(Id id) const {
    const auto it = find(id);
    GRADC_CHECK(it != end(), "nothing is known of an id");
    return it->second;
  }
  T& operator[](Id id) { return try_emplace(id).first->second; }

  // The entry, which is added with that value unless it is there; whether it was added.
  template <class... Args>
  std::pair<iterator, bool> try_emplace(Id id, Args&&... args) {
    if (const auto it = find(id); it != end()) return {it, false};
    if (entries_.empty()) entries_.reserve(few);
    entries_.emplace_back(std::piecewise_construct, std::forward_as_tuple(id),
                          std::forward_as_tuple(std::forward<Args>(args)...));
    if (entries_.size() * 2 > slots_.size() && entries_.size() > few) {
      number_all();
    } else if (!slots_.empty()) {
      slots_[slot_of(id)] = static_cast<std::uint32_t>(entries_.size());
    }
    return {end() - 1, true};
  }
  template <class... Args>
  std::pair<iterator, bool> emplace(Id id, Args&&... args) {
    return try_emplace(id, std::forward<Args>(args)...);
  }

 private:
  static constexpr std::size_t few = 8;

  // Where it stands among the entries, or their number.
  std::ptrdiff_t position(Id id) const {
    if (slots_.empty()) {
      return std::find_if(entries_.begin(), entries_.end(),
                          [&](const Entry& e) { return e.first == id; }) -
             entries_.begin();
    }
    const std::uint32_t number = slots_[slot_of(id)];
    return static_cast<std::ptrdiff_t>(number == 0 ? entries_.size() : number - 1);
  }

  // Its slot, or the empty one where it would go.
  std::size_t slot_of(Id id) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = (id.value * 0x9e3779b9u >> 7) & mask;
    while (slots_[at] != 0 && entries_[slots_[at] - 1].first != id) at = (at + 1) & mask;
    return at;
  }

  void number_all() {
    slots_.assign(std::max<std::size_t>(4 * few, slots_.size() * 4), 0);
    for (std::uint32_t k = 0; k < entries_.size(); ++k) slots_[slot_of(entries_[k].first)] = k + 1;
  }

  std::vector<Entry> entries_;
  // Open addressing: 1 + the place of an entry, or 0; none while entries are few.
  std::vector<std::uint32_t> slots_;
};

}  // namespace gradc

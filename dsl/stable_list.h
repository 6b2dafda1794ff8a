// stable_list.h: values that are only ever added, found by number, and stay where they are.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace gradc {

// As std::deque, whose pieces hold four scalars or a single node, where these are 256.
template <class T>
class StableList {
 public:
  StableList() = default;
  StableList(StableList&&) noexcept = default;
  StableList& operator=(StableList&&) noexcept = default;
  StableList(const StableList& other) {
    for (std::size_t k = 0; k < other.size(); ++k) push_back(other[k]);
  }
  StableList& operator=(const StableList& other) { return *this = StableList(other); }

  std::size_t size() const {
    return pieces_.empty() ? 0 : (pieces_.size() - 1) * in_piece + pieces_.back().size();
  }
  const T& operator[](std::size_t k) const { return pieces_[k / in_piece][k % in_piece]; }
  T& operator[](std::size_t k) { return pieces_[k / in_piece][k % in_piece]; }
  void push_back(T value) {
    if (size() % in_piece == 0) pieces_.emplace_back().reserve(in_piece);
    pieces_.back().push_back(std::move(value));
  }

 private:
  static constexpr std::size_t in_piece = 256;
  std::vector<std::vector<T>> pieces_;  // with room for all that they will hold
};

}  // namespace gradc

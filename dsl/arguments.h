// arguments.h: the arguments of a scalar, of which few take no memory of their own.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <span>
#include <vector>

#include "dsl/ids.h"

namespace gradc {

// As a vector, of which the first few lie in it.
class Arguments {
 public:
  Arguments() = default;
  Arguments(std::initializer_list<ScalarId> ids) { assign(ids.begin(), ids.end()); }
  // NOLINTBEGIN: one is as good as the other
  Arguments(const std::vector<ScalarId>& ids) { assign(ids.begin(), ids.end()); }
  operator std::vector<ScalarId>() const { return {begin(), end()}; }
  // NOLINTEND

  template <class Iterator>
  void assign(Iterator first, Iterator last) {
    size_ = static_cast<std::uint32_t>(std::distance(first, last));
    many_.clear();
    if (size_ > few_.size())
      many_.assign(first, last);
    else
      std::copy(first, last, few_.begin());
  }
  void erase(std::size_t at) {
    std::vector<ScalarId> left = *this;
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(at));
    assign(left.begin(), left.end());
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const ScalarId* data() const { return size_ > few_.size() ? many_.data() : few_.data(); }
  ScalarId* data() { return size_ > few_.size() ? many_.data() : few_.data(); }
  const ScalarId* begin() const { return data(); }
  const ScalarId* end() const { return data() + size_; }
  ScalarId* begin() { return data(); }
  ScalarId* end() { return data() + size_; }
  const ScalarId& back() const { return data()[size_ - 1]; }
  const ScalarId& operator[](std::size_t k) const { return data()[k]; }
  ScalarId& operator[](std::size_t k) { return data()[k]; }
  friend bool operator==(const Arguments& x, const Arguments& y) {
    return std::equal(x.begin(), x.end(), y.begin(), y.end());
  }

 private:
  std::uint32_t size_ = 0;
  std::array<ScalarId, 4> few_;
  std::vector<ScalarId> many_;  // all of them, if that is not enough
};

}  // namespace gradc

// ids.h: 32-bit typed ids, the only way IR values refer to one another.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>

namespace gradc {

template <class Tag>
struct Id {
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t value = none;

  constexpr bool valid() const { return value != none; }
  friend constexpr auto operator<=>(Id, Id) = default;
};

using NodeId = Id<struct NodeTag>;      // a tensor of the graph
using ScalarId = Id<struct ScalarTag>;  // a scalar expression of the graph
using DimId = Id<struct DimTag>;        // a run-time dim of the graph

}  // namespace gradc

template <class Tag>
struct std::hash<gradc::Id<Tag>> {
  std::size_t operator()(gradc::Id<Tag> id) const noexcept { return id.value; }
};

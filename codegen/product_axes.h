// product_axes.h: neighbouring indices of a product that are one in its tiles, as they are one axis
// in memory.
#pragma once

#include <cstdint>

#include "codegen/fuse.h"
#include "codegen/product_forms.h"

namespace gradc {

// The columns of a product's tiles: those of free indices `first` … form.column, of which all but
// the last are 0.
struct Columns {
  std::uint32_t first;
  Extent extent;  // of all together
};

// With indices that all members of the kernel have side by side; one is left to threads.
Columns columns_of_tiles(const Graph&, const KernelPlan&, const ProductForm&);

// Sums over neighbouring axes of both factors are one sum, over the last of them.
void join_sums(const Graph&, ProductForm&, Shape& ranges);

// A free index that tiles do not have.
bool is_other(const ProductForm&, std::uint32_t index);

}  // namespace gradc

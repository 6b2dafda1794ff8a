// product_tiles.h: the micro-kernel of a sum of products: sweeps rows and columns by tiles whose sums stay in
// registers.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "codegen/isa.h"
#include "codegen/loops.h"
#include "codegen/products.h"

namespace gradc {

// Position of an element of a tensor as a linear form of the indices.
struct Linear {
  std::vector<loops::Expr> factors;  // by index number
  loops::Expr constant;
  friend bool operator==(const Linear&, const Linear&) = default;
};

// out[m, n] = Σ[k, l, …] a[m, k, l, …] · b[k, l, …, n], rows m and columns n; all other free indices are fixed.
struct ProductTiles {
  ProductForm form;
  DType dtype = DType::f32;
  bool a_bf16 = false, b_bf16 = false, out_bf16 = false;
  Isa isa;
  Shape ranges;                      // of all indices
  Linear a, b, out;
  std::vector<ZeroTerms> zeros;  // are left out where they are 0 for a whole tile
  bool some_rows = false;  // a call computes rows from the one that its count "first_row" says
  // Where a call computes a number of whole tiles of rows (see tile_rows) or, at the end of all
  // rows, so many more.
  std::optional<std::int64_t> last_rows;
  std::vector<std::string> dim_names;                     // by DimId
  std::function<loops::Expr(const Extent&)> extent;       // by the names of the dims
  std::function<std::int64_t(const Extent&)> most;        // of an extent, with its dim at the bound
};

// Rows computed at once where their number is known at run time only, of so many columns: of few registers' worth of
// vectors, the more rows there are the fewer loads each multiply-add takes.
std::int64_t tile_rows(const ProductForm&, const Isa&, DType, std::int64_t columns);

// A sum of more terms is taken in blocks: it is worth it to read and write what was added so far once more.
constexpr std::int64_t most_terms = 384;

// A name inside the micro-kernel, where run-time dims have theirs.
std::string tile_name(const ProductTiles&, std::string name);

// The count of the kernel that is the number of terms of a sum with bounds, which begins at the addresses given.
std::string terms_name(const ProductTiles&, std::uint32_t sum);

// The kernel, for so many rows, or for a number it takes as its count "rows". It takes the addresses of the first
// elements, a, b and out.
loops::Kernel product_tiles(const ProductTiles&, std::optional<std::int64_t> rows);

// True if the kernels of the two, which are of one module, are certainly the same for any number of rows.
bool same_kernel(const ProductTiles&, const ProductTiles&);

}  // namespace gradc

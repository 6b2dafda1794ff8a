// product_to_loops.cpp: sums of products in register tiles.
//
//     out[…, m, …, n] = Σ[k, l, …] a[…, m, …] · b[…, n]
//
// One micro-kernel (product_tiles.h), shared by all products with the same extents and strides, sweeps all m and n.
// The loops over all other free indices stand around its call.
#include "codegen/product_to_loops.h"

#include <algorithm>

#include "codegen/exprs.h"
#include "codegen/product_tiles.h"
#include "dsl/check.h"

namespace gradc {

using namespace loops;

namespace {

class ProductWriter {
 public:
  explicit ProductWriter(KernelWriter& k)
      : k_(k), id_(k.plan.members[0].node), n_(k.g[id_]) {
    tiles_.form = k.plan.form == Form::inner ? *inner_form(k.g, id_) : *product_form(k.g, id_);
    tiles_.dtype = n_.type.dtype;
    tiles_.ranges = n_.ranges;
    tiles_.dim_names = k.context.dim_names;
    tiles_.extent = [this](const Extent& e) { return k_.nest.extent(e); };
    const ProductForm& form = tiles_.form;
    tiles_.a = linear(k.g[k.g[form.a].tensor].type.shape, form.a_subscripts);
    tiles_.b = linear(k.g[k.g[form.b].tensor].type.shape, form.b_subscripts);
    std::vector<Affine> own(n_.type.rank());
    for (std::uint32_t i = 0; i < own.size(); ++i) {
      own[i].coefficients.resize(i + 1);
      own[i].coefficients[i] = 1;
    }
    tiles_.out = linear(n_.type.shape, own);
    for (std::uint32_t row : form.rows) {  // the longest makes the rows of the tiles
      if (!row_ || max_extent(k.g, n_.ranges[row]) > max_extent(k.g, n_.ranges[*row_])) row_ = row;
    }
    tiles_.row = row_;
  }

  void write();

 private:
  Linear linear(const Shape& shape, const std::vector<Affine>& subscripts);
  Expr dim(DimId d) {
    Extent e(d);
    return k_.nest.extent(e);
  }

  void open_others();
  Expr outer_position(const Linear&, std::optional<Expr> row);
  void call(const Expr& row, std::optional<std::int64_t> fixed_rows, const Expr& rows);
  void write_followers();

  KernelWriter& k_;
  NodeId id_;
  Node n_;
  ProductTiles tiles_;
  std::optional<std::uint32_t> row_;
};

Linear ProductWriter::linear(const Shape& shape, const std::vector<Affine>& subscripts) {
  Linear result;
  result.factors.resize(n_.ranges.size(), integer(0));
  result.constant = integer(0);
  Expr stride = integer(1);
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    const Affine& s = subscripts[axis];
    for (std::size_t i = 0; i < s.coefficients.size(); ++i) {
      if (s.coefficients[i] == 0) continue;
      result.factors[i] =
          loops::add(result.factors[i], loops::mul(stride, integer(s.coefficients[i])));
    }
    Expr constant = integer(s.constant);
    for (auto [d, factor] : s.sizes) {
      constant = loops::add(std::move(constant), loops::mul(dim(d), integer(factor)));
    }
    result.constant = loops::add(result.constant, loops::mul(stride, std::move(constant)));
    if (axis > 0) stride = loops::mul(k_.nest.extent(shape[axis]), std::move(stride));
  }
  return result;
}

void ProductWriter::open_others() {
  for (std::uint32_t i = 0; i < n_.type.rank(); ++i) {
    if (i == tiles_.form.column || i == row_) continue;
    k_.nest.open(k_.index_name(id_, i), i, n_.ranges[i], LoopKind::parallel);
  }
}

Expr ProductWriter::outer_position(const Linear& l, std::optional<Expr> row) {
  Expr position = l.constant;
  for (std::uint32_t i = 0; i < n_.type.rank(); ++i) {
    const bool is_row = i == row_;
    if (i == tiles_.form.column || (is_row && !row)) continue;
    const Expr index = is_row ? *row : k_.nest.index_value(i);
    position = loops::add(std::move(position), loops::mul(index, l.factors[i]));
  }
  return position;
}

void ProductWriter::call(const Expr& row, std::optional<std::int64_t> fixed_rows, const Expr& rows) {
  Kernel kernel = product_tiles(tiles_, fixed_rows);
  Call c;
  for (const std::string& count : kernel.counts) {
    c.args.push_back(count == tile_name(tiles_, "rows") ? rows : variable(count, Type::integer));
  }
  const auto a = k_.nest.argument(storage_of(k_.g, k_.g[tiles_.form.a].tensor));
  const auto b = k_.nest.argument(storage_of(k_.g, k_.g[tiles_.form.b].tensor));
  c.args.push_back(pointer(a, outer_position(tiles_.a, row)));
  c.args.push_back(pointer(b, outer_position(tiles_.b, row)));
  c.args.push_back(pointer(k_.nest.argument(id_), outer_position(tiles_.out, row)));
  c.kernel = k_.context.share(std::move(kernel));
  k_.nest.emit(std::move(c));
}

// What follows the product elementwise, over the rows just computed.
void ProductWriter::write_followers() {
  std::vector<ScalarId> bodies;
  for (std::size_t m = 1; m < k_.plan.members.size(); ++m) {
    bodies.push_back(k_.g[k_.plan.members[m].node].body);
  }
  k_.nest.count_uses(bodies);
  k_.nest.open(k_.index_name(id_, tiles_.form.column), tiles_.form.column, n_.ranges[tiles_.form.column],
               LoopKind::vector);
  std::vector<std::pair<NodeId, Expr>> values;
  for (std::size_t m = 1; m < k_.plan.members.size(); ++m) {
    const NodeId follower = k_.plan.members[m].node;
    Expr value = k_.nest.value(k_.g[follower].body);
    if (bodies.size() > 1 && value.kind != ExprKind::variable && value.kind != ExprKind::literal) {
      value = k_.nest.let(k_.context.short_name(follower), std::move(value));
    }
    k_.nest.keep(follower, value);
    values.emplace_back(follower, std::move(value));
  }
  for (auto& [node, value] : values) {
    if (!k_.registers.contains(node)) k_.store(node, std::move(value));
  }
  k_.nest.close();
}

void ProductWriter::write() {
  k_.nest.set_ranges(n_.ranges);
  open_others();
  const bool followers = k_.plan.members.size() > 1;
  if (!row_) {
    call(integer(0), 1, integer(1));
    if (followers) write_followers();
  } else {
    const Extent extent = n_.ranges[*row_];
    const std::string name = k_.index_name(id_, *row_);
    const Expr count = k_.nest.extent(extent);
    const bool fixed = extent.is_fixed();
    if (!followers) {
      call(integer(0), fixed ? std::optional(extent.offset) : std::nullopt, count);
    } else {
      // A few rows at a time: what follows finds them in the nearest cache.
      const bool whole = fixed && extent.offset <= 2 * tile_rows;
      const bool exact = fixed && extent.offset % tile_rows == 0;
      const std::string block = k_.nest.names().fresh(name + "0");
      Expr begin = integer(0), rows = count;
      if (!whole) {
        k_.nest.open(block, integer(0), count, tile_rows, LoopKind::parallel, true);
        begin = variable(block, Type::integer);
        rows = integer(tile_rows);
        if (!exact) {
          rows = k_.nest.let("rows", apply(Fn::min, {rows, loops::sub(count, begin)}, Type::integer));
        }
      }
      const std::optional<std::int64_t> fixed_rows =
          whole ? std::optional(extent.offset) : exact ? std::optional(tile_rows) : std::nullopt;
      call(begin, fixed_rows, rows);
      const std::string variable_name = k_.nest.names().fresh(name);
      k_.nest.open(variable_name, begin, loops::add(begin, rows), 1, LoopKind::serial);
      k_.nest.bind_index(*row_, variable(variable_name, Type::integer), k_.nest.depth());
      write_followers();
    }
  }
  while (k_.nest.depth() > 0) k_.nest.close();
}

}  // namespace

void product_to_loops(KernelWriter& k) { ProductWriter(k).write(); }

}  // namespace gradc

// product_to_loops.cpp: sums of products in register tiles.
//
//     out[…, m, …, n] = Σ[k, l, …] a[…, m, …] · b[…, n]
//
// One micro-kernel (product_tiles.h), shared by all products with the same extents and strides, sweeps all m and n.
// The loops over all other free indices stand around its call.
#include "codegen/product_to_loops.h"

#include <algorithm>
#include <map>
#include <utility>

#include "codegen/exprs.h"
#include "codegen/product_axes.h"
#include "codegen/product_tiles.h"
#include "dsl/bounds.h"
#include "dsl/check.h"

namespace gradc {

using namespace loops;

namespace {

// What a kernel may have for itself, in bytes: it stays in a near cache beside what else is read.
constexpr std::int64_t most_own_bytes = 64 << 10;

// Of a row of an outer product that is computed before what follows it.
constexpr std::int64_t most_row_bytes = 4 << 10;

// Free indices around an outer product's columns that stand before them in memory, the outermost first: all their
// columns are computed before what follows, which then finds longer runs of memory. One index is left to threads.
std::vector<std::uint32_t> joined_to_columns(const Graph& g, const Node& n, const ProductForm& form,
                                             const Columns& columns) {
  std::vector<std::uint32_t> joined;
  if (form.along) return joined;
  std::int64_t bytes = max_extent(g, columns.extent) * bytes_of(n.type.dtype);
  const std::size_t others = form.others.size() - (form.column - columns.first);
  for (std::uint32_t k = columns.first; k-- > 0 && joined.size() + 1 < others;) {
    bytes *= max_extent(g, n.ranges[k]);
    if (!is_other(form, k) || bytes > most_row_bytes) break;
    joined.insert(joined.begin(), k);
  }
  return joined;
}

std::int64_t columns_of(const Graph& g, const Node& n, const ProductForm& form,
                        const Columns& of_tiles) {
  std::int64_t columns =
      max_extent(g, of_tiles.extent) * (form.window ? n.ranges[*form.window].offset : 1);
  for (const std::uint32_t k : joined_to_columns(g, n, form, of_tiles))
    columns *= max_extent(g, n.ranges[k]);
  return columns;
}

std::int64_t rows_of_tile(const Graph& g, const Node& n, const ProductForm& form,
                          const Columns& columns, const Isa& isa) {
  return tile_rows(form, isa, n.type.dtype, max_extent(g, columns.extent));
}

double terms_of(const Graph& g, const Node& n, const ProductForm& form) {
  double terms = 1;
  for (std::uint32_t s : form.sums) terms *= static_cast<double>(max_extent(g, n.ranges[s]));
  return terms;
}

// Rows that are computed before what follows them: few, which it finds in the nearest cache; or, where a long sum is
// taken in blocks, as many as a kernel may have for itself, which share what a block reads of b, but a quarter of all, so
// that threads find parts; all, if they are not many more.
std::int64_t rows_at_once(const Graph& g, const Node& n, const ProductForm& form,
                          const Columns& columns, std::uint32_t row, const Isa& isa) {
  const std::int64_t row_bytes = columns_of(g, n, form, columns) * bytes_of(n.type.dtype);
  const Extent& all = n.ranges[row];
  const double terms = terms_of(g, n, form);
  const std::int64_t tile = rows_of_tile(g, n, form, columns, isa);
  const std::int64_t quarter = form.along ? max_extent(g, all) / 4 / tile : 4;
  const std::int64_t most_tiles = std::clamp<std::int64_t>(quarter, 1, 4);
  const std::int64_t tiles = std::clamp<std::int64_t>(most_own_bytes / row_bytes / tile, 1, most_tiles);
  const std::int64_t rows = (terms > most_terms ? tiles : 1) * tile;
  if (!all.is_fixed()) return rows;
  if (all.offset <= rows + tile) return all.offset;
  // Few rows are in equal tiles if possible: a lower one at the end would be a large part of them.
  for (std::int64_t some = rows; some < rows + tile && all.offset < 4 * tile; ++some)
    if (all.offset % some == 0) return some;
  return rows;
}

std::int64_t own_bytes(const Graph& g, const Node& n, const ProductForm& form,
                       const Columns& columns, const Isa& isa) {
  const std::int64_t rows = form.row ? rows_at_once(g, n, form, columns, *form.row, isa) : 1;
  return rows * columns_of(g, n, form, columns) * bytes_of(n.type.dtype);
}

class ProductWriter {
 public:
  explicit ProductWriter(KernelWriter& k)
      : k_(k), id_(k.plan.members[0].node), n_(k.g[id_]) {
    tiles_.form = k.plan.form == Form::inner ? *inner_form(k.g, id_, k.context.isa) : *product_form(k.g, id_, k.context.isa);
    tiles_.dtype = n_.type.dtype;
    tiles_.isa = k.context.isa;
    tiles_.ranges = n_.ranges;
    tiles_.dim_names = k.context.dim_names;
    tiles_.extent = [this](const Extent& e) { return k_.nest.extent(e); };
    tiles_.most = [this](const Extent& e) { return max_extent(k_.g, e); };
    const ProductForm& form = tiles_.form;
    columns_ = columns_of_tiles(k.g, k.plan, form);
    tiles_.ranges[form.column] = columns_.extent;
    join_sums(k.g, tiles_.form, tiles_.ranges);
    tiles_.a = linear(k.g[k.g[form.a].tensor].type.shape, form.a_subscripts);
    std::vector<Affine> b = form.b_subscripts;
    for (Affine& axis : b)  // the tiles begin where the window does
      if (form.edges && *form.window < axis.coefficients.size() && axis.coefficients[*form.window] != 0) axis.constant = 0;
    tiles_.b = linear(k.g[k.g[form.b].tensor].type.shape, b);
    std::vector<Affine> own(n_.type.rank());
    for (std::uint32_t i = 0; i < own.size(); ++i) {
      own[i].coefficients.resize(i + 1);
      own[i].coefficients[i] = 1;
    }
    tiles_.out = linear(n_.type.shape, own);
    tiles_.zeros = zero_terms(k.g, form);
    some_rows_ = k.plan.members.size() > 1 || shares_tiles(k.g, k.plan, form);
    tiles_.some_rows = !tiles_.zeros.empty() && some_rows_;
    row_ = form.row;
    if (some_rows_) joined_ = joined_to_columns(k.g, n_, form, columns_);
    tiles_.a_bf16 = k.stores_bf16(storage_of(k.g, k.g[form.a].tensor));
    tiles_.b_bf16 = k.stores_bf16(storage_of(k.g, k.g[form.b].tensor));
    tiles_.out_bf16 = k.stores_bf16(id_);
    if (k.registers.contains(id_)) keep_rows();
  }

  void write();

 private:
  Linear linear(const Shape& shape, const std::vector<Affine>& subscripts);
  Expr dim(DimId d) {
    Extent e(d);
    return k_.nest.extent(e);
  }

  // Of a sum with bounds: those that are taken.
  struct Terms {
    Expr begin, end;
  };

  void keep_rows();
  bool in_tiles(std::uint32_t index) const {
    return (index >= columns_.first && index <= tiles_.form.column) ||
           index == tiles_.form.window || index == row_;
  }
  void open_others();
  Expr outer_position(const Linear&, std::optional<Expr> row);
  Expr value(const Affine&);
  std::map<std::uint32_t, Terms> open_terms();
  void call(const Expr& row, std::optional<std::int64_t> fixed_rows, const Expr& rows);
  void write_followers(const Expr& row);

  KernelWriter& k_;
  NodeId id_;
  Node n_;
  ProductTiles tiles_;
  Columns columns_;
  std::optional<std::uint32_t> row_;
  bool some_rows_ = false;             // are computed at once, then more
  std::vector<std::uint32_t> joined_;  // loops over them stand inside those over rows
  std::string rows_;  // the array that holds rows of the product; empty: a buffer holds all
};

// Nobody else reads the product: it goes into an array, row by row.
void ProductWriter::keep_rows() {
  rows_ = k_.nest.names().fresh(k_.context.short_name(id_));
  k_.arrays.push_back(
      {rows_, n_.type.dtype,
       own_bytes(k_.g, n_, tiles_.form, columns_, k_.context.isa) / bytes_of(n_.type.dtype),
       false});
  tiles_.out.factors.assign(n_.ranges.size(), integer(0));
  Expr stride = integer(1);
  const auto inside = [&](std::uint32_t index) {
    tiles_.out.factors[index] = stride;
    stride = loops::mul(k_.nest.extent(tiles_.ranges[index]), std::move(stride));
  };
  inside(tiles_.form.column);
  if (tiles_.form.window) inside(*tiles_.form.window);
  for (std::size_t k = joined_.size(); k-- > 0;) inside(joined_[k]);
  if (row_) tiles_.out.factors[*row_] = std::move(stride);
  tiles_.out.constant = integer(0);
}

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
    if (in_tiles(i) || std::find(joined_.begin(), joined_.end(), i) != joined_.end()) continue;
    if (n_.ranges[i] == Extent(1))
      k_.nest.bind_index(i, integer(0), 0);
    else
      k_.nest.open(k_.index_name(id_, i), i, n_.ranges[i], LoopKind::parallel);
  }
}

Expr ProductWriter::outer_position(const Linear& l, std::optional<Expr> row) {
  Expr position = l.constant;
  for (std::uint32_t i = 0; i < n_.type.rank(); ++i) {
    const bool is_row = i == row_;
    if (in_tiles(i) && !(is_row && row)) continue;
    const Expr index = is_row ? *row : k_.nest.index_value(i);
    position = loops::add(std::move(position), loops::mul(index, l.factors[i]));
  }
  return position;
}

Expr ProductWriter::value(const Affine& a) {
  Expr result = integer(0), less = integer(0);
  const auto add = [&](const Expr& e, std::int64_t factor) {
    Expr& to = factor < 0 ? less : result;
    to = loops::add(std::move(to), loops::mul(integer(std::abs(factor)), e));
  };
  for (auto [d, factor] : a.sizes) add(dim(d), factor);
  for (std::uint32_t i = 0; i < a.coefficients.size(); ++i)
    if (a.coefficients[i] != 0) add(k_.nest.index_value(i), a.coefficients[i]);
  return loops::sub(loops::add(std::move(result), integer(a.constant)), std::move(less));
}

// What of sums is inside where the loops stand that are open.
std::map<std::uint32_t, ProductWriter::Terms> ProductWriter::open_terms() {
  std::map<std::uint32_t, Terms> terms;
  for (const ProductForm::Bound& bound : tiles_.form.bounds) {
    // 0 <= from + factor * term < extent
    Affine from = bound.at, to;
    const std::int64_t factor = std::exchange(from.coefficients[bound.sum], 0), size = std::abs(factor);
    to.constant = bound.extent.offset;
    if (!bound.extent.is_fixed()) to.sizes.emplace_back(bound.extent.dim, bound.extent.scale);
    to = plus(to, from, -1);
    Affine before = plus({}, from, -1);  // terms · factor that are below 0
    if (factor < 0) {                  // those beyond come first
      before = plus({}, to, -1);
      before.constant += 1;
      to = from;
      to.constant += 1;
    }
    // Whole steps that hold so many.
    const auto steps = [&](Affine a) {
      if (size == 1) return value(a);
      a.constant += size - 1;
      return apply(Fn::floor_div, {value(a), integer(size)}, Type::integer);
    };
    Terms& t = terms.try_emplace(bound.sum, Terms{integer(0), k_.nest.extent(n_.ranges[bound.sum])}).first->second;
    if (factor > 0 ? bound.below : bound.beyond) t.begin = apply(Fn::max, {t.begin, steps(before)}, Type::integer);
    if (factor > 0 ? bound.beyond : bound.below) t.end = apply(Fn::min, {t.end, steps(to)}, Type::integer);
  }
  for (auto& [sum, t] : terms) {
    const std::string name = k_.index_name(id_, sum);
    if (t.begin.kind == ExprKind::apply) t.begin = k_.nest.let(name + "_begin", std::move(t.begin));
    if (t.end.kind == ExprKind::apply) t.end = k_.nest.let(name + "_end", std::move(t.end));
  }
  return terms;
}

void ProductWriter::call(const Expr& row, std::optional<std::int64_t> fixed_rows, const Expr& rows) {
  // Its sizes are counts of this kernel too.
  for (const Extent& e : n_.ranges) k_.nest.extent(e);
  const Kernel& kernel = k_.context.micro_kernel(tiles_, fixed_rows);
  for (const std::uint32_t i : joined_) k_.nest.open(k_.index_name(id_, i), i, n_.ranges[i], LoopKind::serial);
  const std::map<std::uint32_t, Terms> terms = open_terms();
  Call c;
  c.kernel = kernel.name;
  for (const std::string& count : kernel.counts) {
    Expr value = count == tile_name(tiles_, "rows")        ? rows
                 : count == tile_name(tiles_, "first_row") ? row
                                                           : variable(count, Type::integer);
    for (const auto& [sum, t] : terms)
      if (count == terms_name(tiles_, sum)) value = loops::sub(t.end, t.begin);
    c.args.push_back(std::move(value));
  }
  const auto from = [&](const Linear& l) {
    Expr position = outer_position(l, row);
    for (const auto& [sum, t] : terms) position = loops::add(std::move(position), loops::mul(t.begin, l.factors[sum]));
    return position;
  };
  const auto a = k_.nest.argument(storage_of(k_.g, k_.g[tiles_.form.a].tensor));
  const auto b = k_.nest.argument(storage_of(k_.g, k_.g[tiles_.form.b].tensor));
  c.args.push_back(pointer(a, from(tiles_.a)));
  c.args.push_back(pointer(b, from(tiles_.b)));
  Expr in_rows = integer(0);
  for (const std::uint32_t i : joined_)
    in_rows = loops::add(std::move(in_rows), loops::mul(k_.nest.index_value(i), tiles_.out.factors[i]));
  c.args.push_back(rows_.empty() ? pointer(k_.nest.argument(id_), outer_position(tiles_.out, row))
                                 : pointer(rows_, std::move(in_rows)));
  k_.nest.emit(std::move(c));
  for (std::size_t k = 0; k < joined_.size(); ++k) k_.nest.close();
}

// What follows the product elementwise in one row, number `row` of those just computed.
void ProductWriter::write_followers(const Expr& row) {
  std::vector<ScalarId> bodies;
  for (std::size_t m = 1; m < k_.plan.members.size(); ++m) {
    bodies.push_back(k_.g[k_.plan.members[m].node].body);
  }
  k_.nest.count_uses(bodies);
  const auto window = tiles_.form.window;
  std::vector<std::uint32_t> around = joined_;
  if (window) around.push_back(*window);
  for (const std::uint32_t i : around) k_.nest.open(k_.index_name(id_, i), i, n_.ranges[i], LoopKind::serial);
  for (std::uint32_t i = columns_.first; i < tiles_.form.column; ++i)
    k_.nest.bind_index(i, integer(0), 0);
  k_.nest.open(k_.index_name(id_, tiles_.form.column), tiles_.form.column, columns_.extent,
               LoopKind::vector);
  if (!rows_.empty()) {
    Expr at = k_.nest.index_value(tiles_.form.column);
    for (const std::uint32_t i : around)
      at = loops::add(loops::mul(k_.nest.index_value(i), tiles_.out.factors[i]), std::move(at));
    if (row_) at = loops::add(loops::mul(row, tiles_.out.factors[*row_]), std::move(at));
    std::string name = rows_;
    for (std::uint32_t i = 0; i < n_.type.rank(); ++i)
      if (i < columns_.first || i >= tiles_.form.column) name += "_" + k_.index_name(id_, i);
    k_.nest.keep(id_, k_.nest.let(name, load(rows_, n_.type.dtype, std::move(at))));
  }
  std::vector<std::pair<NodeId, Expr>> values;
  for (std::size_t m = 1; m < k_.plan.members.size(); ++m) {
    const NodeId follower = k_.plan.members[m].node;
    Expr value = k_.as_stored(follower, k_.nest.value(k_.g[follower].body));
    if (bodies.size() > 1 && value.kind != ExprKind::variable && value.kind != ExprKind::literal) {
      value = k_.nest.let(k_.context.short_name(follower), std::move(value));
    }
    k_.nest.keep(follower, value);
    values.emplace_back(follower, std::move(value));
  }
  for (auto& [node, value] : values) {
    if (!k_.registers.contains(node)) k_.store(node, std::move(value));
  }
  for (std::size_t k = 0; k <= around.size(); ++k) k_.nest.close();
}

void ProductWriter::write() {
  k_.nest.set_ranges(n_.ranges);
  open_others();
  const bool followers = k_.plan.members.size() > 1;
  if (!row_) {
    call(integer(0), 1, integer(1));
    if (followers) write_followers(integer(0));
  } else {
    const Extent extent = n_.ranges[*row_];
    const std::string name = k_.index_name(id_, *row_);
    const Expr count = k_.nest.extent(extent);
    const bool fixed = extent.is_fixed();
    if (!some_rows_) {
      call(integer(0), fixed ? std::optional(extent.offset) : std::nullopt, count);
    } else {
      const std::int64_t some =
          rows_at_once(k_.g, n_, tiles_.form, columns_, *row_, k_.context.isa);
      const bool whole = fixed && extent.offset == some;
      const bool exact = fixed && extent.offset % some == 0;
      const std::string block = k_.nest.names().fresh(name + "0");
      Expr begin = integer(0), rows = count;
      if (!whole) {
        k_.nest.open(block, integer(0), count, some, LoopKind::parallel, true,
                     exact ? 0 : rows_of_tile(k_.g, n_, tiles_.form, columns_, k_.context.isa));
        begin = variable(block, Type::integer);
        rows = integer(some);
        if (!exact) {
          rows = k_.nest.let("rows", apply(Fn::min, {rows, loops::sub(count, begin)}, Type::integer));
        }
      }
      const std::optional<std::int64_t> fixed_rows =
          whole ? std::optional(extent.offset) : exact ? std::optional(some) : std::nullopt;
      if (fixed && !fixed_rows)
        tiles_.last_rows =
            extent.offset % rows_of_tile(k_.g, n_, tiles_.form, columns_, k_.context.isa);
      call(begin, fixed_rows, rows);
      if (followers) {
        const std::string variable_name = k_.nest.names().fresh(name);
        k_.nest.open(variable_name, begin, loops::add(begin, rows), 1, LoopKind::serial);
        k_.nest.bind_index(*row_, variable(variable_name, Type::integer), k_.nest.depth());
        write_followers(loops::sub(variable(variable_name, Type::integer), begin));
      }
    }
  }
  while (k_.nest.depth() > 0) k_.nest.close();
}

}  // namespace

NodeId product_in_follower(const Graph& g, const KernelPlan& plan,
                           const std::set<NodeId>& read_elsewhere) {
  if ((plan.form != Form::product && plan.form != Form::inner) || plan.members.size() < 2) return {};
  const StoredNode& product = plan.members[0];
  const StoredNode& first = plan.members[1];
  if (product.home.storage != Storage::workspace || read_elsewhere.contains(product.node)) return {};
  if (first.whole.valid()) return {};
  if (g[first.node].type.dtype != g[product.node].type.dtype) return {};
  // What is overwritten must not be wanted.
  for (const StoredNode& s : plan.members) {
    for (NodeId read : g.operands(s.node)) {
      if (first.home.target.valid() && storage_of(g, read) == first.home.target) return {};
    }
  }
  return product.node;
}

bool product_in_rows(const Graph& g, const KernelPlan& plan, const std::set<NodeId>& read_elsewhere, const Isa& isa) {
  if (plan.members.size() < 2 || read_elsewhere.contains(plan.members[0].node)) return false;
  const StoredNode& product = plan.members[0];
  if (product.home.storage != Storage::workspace || product.whole.valid()) return false;
  const Node& n = g[product.node];
  const auto form = plan.form == Form::product ? product_form(g, product.node, isa)
                    : plan.form == Form::inner ? inner_form(g, product.node, isa)
                                               : std::nullopt;
  return form && own_bytes(g, n, *form, columns_of_tiles(g, plan, *form), isa) <= most_own_bytes;
}

// A step computes the same gradient in tiles of rows, each before its update. Not of long sums,
// whose blocks are each over all rows; nor where vectors lie along the sum.
bool shares_tiles(const Graph& g, const KernelPlan& plan, const ProductForm& form) {
  const StoredNode& product = plan.members[0];
  return product.home.storage == Storage::gradient && plan.members.size() == 1 && !form.along &&
         terms_of(g, g[product.node], form) <= most_terms;
}

void product_to_loops(KernelWriter& k) { ProductWriter(k).write(); }

}  // namespace gradc

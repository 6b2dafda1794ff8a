// product_to_loops.cpp: sums of products in register tiles.
//
//     out[…, m, …, n] = Σ[k, l, …] a[…, m, …] · b[…, n]
//
// n runs along contiguous elements of b and out, so they go in vectors; elements of a are spread over them. One
// kernel of its own, shared by all products with the same extents and strides, sweeps all m and n by tiles
// whose sums stay in registers. The loops over all other free indices stand around its call.
#include "codegen/product_to_loops.h"

#include <fmt/format.h>

#include <algorithm>

#include "codegen/drop_unused.h"
#include "codegen/exprs.h"
#include "dsl/check.h"

namespace gradc {

using namespace loops;

namespace {

constexpr std::int64_t tile_rows = 8;
constexpr std::int64_t heights[] = {tile_rows, 4, 1};

// Elements of a vector register, and of the widest tile.
int lanes_of(DType t) { return t == DType::f64 ? 8 : 16; }
int widest(DType t) { return 2 * lanes_of(t); }

// Position of an element of a tensor as a linear form of the indices.
struct Linear {
  std::vector<Expr> factors;  // by index number
  Expr constant = integer(0);
};

class ProductWriter {
 public:
  explicit ProductWriter(KernelWriter& k)
      : k_(k), id_(k.plan.members[0].node), n_(k.g[id_]), form_(*product_form(k.g, id_)),
        dtype_(n_.type.dtype) {
    a_ = linear(k.g[k.g[form_.a].tensor].type.shape, form_.a_subscripts);
    b_ = linear(k.g[k.g[form_.b].tensor].type.shape, form_.b_subscripts);
    std::vector<Affine> own(n_.type.rank());
    for (std::uint32_t i = 0; i < own.size(); ++i) {
      own[i].coefficients.resize(i + 1);
      own[i].coefficients[i] = 1;
    }
    out_ = linear(n_.type.shape, own);
    for (std::uint32_t row : form_.rows) {  // the longest makes the rows of the tiles
      if (!row_ || max_extent(k.g, n_.ranges[row]) > max_extent(k.g, n_.ranges[*row_])) row_ = row;
    }
  }

  void write();

 private:
  Linear linear(const Shape& shape, const std::vector<Affine>& subscripts);
  Expr dim(DimId d) {
    Extent e(d);
    return k_.nest.extent(e);
  }

  // ---- the kernel
  void open_others();
  Expr outer_position(const Linear&, std::optional<Expr> row);
  void call(const Expr& row, std::optional<std::int64_t> fixed_rows, const Expr& rows);
  void write_followers();

  // ---- the tiles
  // A name inside the tiles, where run-time dims have theirs.
  std::string own(std::string name) const {
    const auto& dims = k_.context.dim_names;
    while (std::find(dims.begin(), dims.end(), name) != dims.end()) name += "_";
    return name;
  }
  std::string sum_name(std::size_t number) const {
    return own(form_.sums.size() == 1 ? "k" : fmt::format("k{}", number));
  }
  Kernel tiles(std::optional<std::int64_t> rows);
  Block sweep_rows(std::optional<std::int64_t> rows);
  void append_columns(Block&, std::int64_t rows, const Expr& row);
  void append_tile(Block&, std::int64_t rows, const Expr& row, int width, const Expr& column);
  Block sums(std::size_t number, Block innermost) const;
  Expr at(const Linear&, const Expr& row, std::int64_t r, const Expr& column, bool with_sums) const;

  KernelWriter& k_;
  NodeId id_;
  Node n_;
  ProductForm form_;
  DType dtype_;
  Linear a_, b_, out_;
  std::optional<std::uint32_t> row_;
};

Linear ProductWriter::linear(const Shape& shape, const std::vector<Affine>& subscripts) {
  Linear result;
  result.factors.resize(n_.ranges.size(), integer(0));
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

// ---------------------------------------------------------------- the kernel

void ProductWriter::open_others() {
  for (std::uint32_t i = 0; i < form_.column; ++i) {
    if (row_ && i == *row_) continue;
    k_.nest.open(k_.index_name(id_, i), i, n_.ranges[i], LoopKind::parallel);
  }
}

Expr ProductWriter::outer_position(const Linear& l, std::optional<Expr> row) {
  Expr position = l.constant;
  for (std::uint32_t i = 0; i < form_.column; ++i) {
    const bool is_row = row_ && i == *row_;
    if (is_row && !row) continue;
    const Expr index = is_row ? *row : k_.nest.index_value(i);
    position = loops::add(std::move(position), loops::mul(index, l.factors[i]));
  }
  return position;
}

void ProductWriter::call(const Expr& row, std::optional<std::int64_t> fixed_rows, const Expr& rows) {
  Kernel kernel = tiles(fixed_rows);
  Call c;
  for (const std::string& count : kernel.counts) {
    c.args.push_back(count == own("rows") ? rows : variable(count, Type::integer));
  }
  const auto a = k_.nest.argument(storage_of(k_.g, k_.g[form_.a].tensor));
  const auto b = k_.nest.argument(storage_of(k_.g, k_.g[form_.b].tensor));
  c.args.push_back(pointer(a, outer_position(a_, row)));
  c.args.push_back(pointer(b, outer_position(b_, row)));
  c.args.push_back(pointer(k_.nest.argument(id_), outer_position(out_, row)));
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
  k_.nest.open(k_.index_name(id_, form_.column), form_.column, n_.ranges[form_.column],
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
      const bool whole = fixed && extent.offset <= tile_rows;
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

// ---------------------------------------------------------------- the tiles

// Element r rows below `row`, at `column`, of the sums' current indices.
Expr ProductWriter::at(const Linear& l, const Expr& row, std::int64_t r, const Expr& column,
                       bool with_sums) const {
  Expr position = integer(0);
  if (row_) position = loops::mul(loops::add(row, integer(r)), l.factors[*row_]);
  if (with_sums) {
    for (std::size_t s = 0; s < form_.sums.size(); ++s) {
      const Expr k = variable(sum_name(s), Type::integer);
      position = loops::add(std::move(position), loops::mul(k, l.factors[form_.sums[s]]));
    }
  }
  return loops::add(std::move(position), loops::mul(column, l.factors[form_.column]));
}

Block ProductWriter::sums(std::size_t number, Block innermost) const {
  if (number == form_.sums.size()) return innermost;
  For loop;
  loop.variable = sum_name(number);
  loop.begin = {integer(0)};
  loop.end = k_.nest.extent(n_.ranges[form_.sums[number]]);
  loop.body = sums(number + 1, std::move(innermost));
  Block block;
  block.push_back({std::move(loop)});
  return block;
}

void ProductWriter::append_tile(Block& block, std::int64_t rows, const Expr& row, int width,
                                const Expr& column) {
  const int lanes = std::min(width, lanes_of(dtype_));
  const int vectors = width / lanes;
  const Type type = type_of(dtype_);
  auto sum = [&](std::int64_t r, int v) {
    return variable(own(fmt::format("c{}_{}", r, v)), type, lanes);
  };
  auto column_of = [&](int v) { return loops::add(column, integer(v * lanes)); };
  for (std::int64_t r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      Expr zero = number(0, type);
      zero.lanes = lanes;
      block.push_back({Let{sum(r, v).name, std::move(zero), true}});
    }
  }
  Block body;
  for (int v = 0; v < vectors; ++v) {
    body.push_back({Let{own(fmt::format("b{}", v)),
                        load(own("b"), dtype_, at(b_, row, 0, column_of(v), true), lanes), false}});
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    body.push_back({Let{own(fmt::format("a{}", r)), load(own("a"), dtype_, at(a_, row, r, integer(0), true)),
                        false}});
    for (int v = 0; v < vectors; ++v) {
      Expr product = apply(Fn::mul,
                           {variable(own(fmt::format("a{}", r)), type),
                            variable(own(fmt::format("b{}", v)), type, lanes)},
                           type);
      body.push_back({Accumulate{sum(r, v).name, Fn::add, std::move(product)}});
    }
  }
  for (Stmt& s : sums(0, std::move(body))) block.push_back(std::move(s));
  for (std::int64_t r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      block.push_back({Store{own("out"), at(out_, row, r, column_of(v), false), sum(r, v), false, Fn::add}});
    }
  }
}

void ProductWriter::append_columns(Block& block, std::int64_t rows, const Expr& row) {
  const Extent extent = n_.ranges[form_.column];
  const Expr n = variable(own("n"), Type::integer);
  auto loop_of = [&](int width, std::vector<Expr> begin, Expr end) {
    For loop;
    loop.partial = !begin.empty();  // it ends exactly
    loop.variable = own("n");
    loop.begin = std::move(begin);
    loop.end = std::move(end);
    loop.step = width;
    append_tile(loop.body, rows, row, width, n);
    block.push_back({std::move(loop)});
  };
  if (extent.is_fixed()) {
    std::int64_t done = 0;
    for (int width = widest(dtype_); width > 0; width /= 2) {
      const std::int64_t count = (extent.offset - done) / width;
      if (count > 1) {
        loop_of(width, {integer(done)}, integer(done + count * width));
      } else if (count == 1) {
        Block tile;
        append_tile(tile, rows, row, width, integer(done));
        // Its registers need a scope of their own.
        block.push_back({If{number(1, Type::boolean), std::move(tile)}});
      }
      done += count * width;
    }
  } else {
    block.push_back({Let{own("n"), integer(0), true}});
    for (int width = widest(dtype_); width > 0; width /= 2) {
      loop_of(width, {}, k_.nest.extent(extent));
    }
  }
}

Block ProductWriter::sweep_rows(std::optional<std::int64_t> rows) {
  Block block;
  const Expr m = variable(own("m"), Type::integer);
  if (rows) {
    std::int64_t done = 0;
    for (std::int64_t height : heights) {
      const std::int64_t count = (*rows - done) / height;
      if (count > 1) {
        For loop;
        loop.variable = own("m");
        loop.partial = true;  // it ends exactly
        loop.begin = {integer(done)};
        loop.end = integer(done + count * height);
        loop.step = height;
        append_columns(loop.body, height, m);
        block.push_back({std::move(loop)});
      } else if (count == 1) {
        Block tile;
        append_columns(tile, height, integer(done));
        block.push_back({If{number(1, Type::boolean), std::move(tile)}});
      }
      done += count * height;
    }
    return block;
  }
  block.push_back({Let{own("m"), integer(0), true}});
  for (std::int64_t height : heights) {
    For loop;
    loop.variable = own("m");
    loop.end = variable(own("rows"), Type::integer);
    loop.step = height;
    append_columns(loop.body, height, m);
    block.push_back({std::move(loop)});
  }
  return block;
}

std::string text_of(const Extent& e, const std::vector<std::string>& dims) {
  if (e.is_fixed()) return std::to_string(e.offset);
  const std::string scaled = e.scale == 1 ? dims[e.dim.value]
                                          : fmt::format("{} * {}", e.scale, dims[e.dim.value]);
  return e.offset == 0 ? scaled : fmt::format("{} + {}", scaled, e.offset);
}

Kernel ProductWriter::tiles(std::optional<std::int64_t> rows) {
  Kernel kernel;
  kernel.name = "product";
  kernel.body = sweep_rows(rows);
  const std::set<std::string> names = used_names(kernel.body);
  for (const std::string& dim : k_.context.dim_names) {
    if (names.contains(dim)) kernel.counts.push_back(dim);
  }
  if (!rows) kernel.counts.insert(kernel.counts.begin(), own("rows"));
  kernel.arguments = {{own("a"), dtype_, false}, {own("b"), dtype_, false}, {own("out"), dtype_, true}};
  std::string sums, sizes;
  for (std::size_t s = 0; s < form_.sums.size(); ++s) {
    const std::string name = sum_name(s);
    sums += (s > 0 ? ", " : "") + name;
    sizes += fmt::format("{} < {}, ", name, text_of(n_.ranges[form_.sums[s]], k_.context.dim_names));
  }
  kernel.comment = {
      fmt::format("out[m, n] = sum[{}] a[m, {}] * b[{}, n] in register tiles", sums, sums, sums),
      fmt::format("m < {}, {}n < {}", rows ? std::to_string(*rows) : "rows", sizes,
                  text_of(n_.ranges[form_.column], k_.context.dim_names))};
  return kernel;
}

}  // namespace

void product_to_loops(KernelWriter& k) { ProductWriter(k).write(); }

}  // namespace gradc

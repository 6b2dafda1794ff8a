// product_tiles.cpp: the micro-kernel of a sum of products, in one of two forms.
//
// Outer: n runs along contiguous elements of b and out, so vectors lie along n and elements of a are spread over
// them. A long sum is taken in blocks, each over all rows and columns: what a block reads of b stays in a near cache,
// where rows of b lie far apart. Columns that fill no vector are the first lanes of one, where the processor has masks.
// Inner: a sum runs along contiguous elements of both a and b, so vectors lie along it, and the lanes of each sum are
// added up when it is complete, or at the end of a block of it. A short window that moves over b goes with each column:
// what it reads of b is the same but for its ends. Both keep some twenty sums in registers: enough to hide the latency of
// a multiply-add, and each value loaded serves several of them.
//
// Long because both forms share rows, blocks and sums.
#include "codegen/product_tiles.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <tuple>

#include "codegen/drop_unused.h"
#include "codegen/exprs.h"
#include "dsl/bounds.h"

namespace gradc {

using namespace loops;

namespace {

bool many_registers(const Isa& isa) { return isa.registers >= 32; }

// Vectors of one row of a tile of so many rows, all of whose sums stay in registers beside a row of b and an element of
// a. One row alone needs several for its latency.
int vectors_for(std::int64_t rows, const Isa& isa) {
  int vectors = 8;
  while (vectors > 1 && (rows + 1) * vectors + 1 > isa.registers) vectors /= 2;
  return vectors;
}

// Inner tiles: rows and columns at most, each column with a window of so many.
struct InnerTile {
  std::int64_t rows, columns;
};
InnerTile inner_tile(const Isa& isa, std::int64_t window, bool far) {
  InnerTile tile{isa.tiling.inner_rows, isa.tiling.inner_columns};
  // What comes from far serves more rows each time.
  if (far) tile = {2 * tile.rows, (isa.registers - 2) / (2 * tile.rows + 1)};
  if (window == 1) return tile;
  tile.columns = std::max<std::int64_t>(1, tile.columns / window);
  tile.rows = (isa.registers - 4) / (tile.columns * window) - 1;
  return tile;
}

// Inner, where there is no row: the sums of a tile, enough for their latency. What is read of b
// serves one each.
constexpr std::int64_t sums_of_one_row = 12;

// Terms of a long sum at once in an inner product: of all columns, so many elements, which stay in the second cache; but
// enough to be worth adding up lanes.
constexpr std::int64_t inner_block_elements = 128 << 10;
constexpr std::int64_t least_inner_terms = 1024, most_inner_terms = 8192;

// Sums whose lanes are added up together: more take more registers than a tile leaves, for hardly fewer instructions each.
constexpr int most_sums_at_once = 8;

// Multiply-adds that a call is worth. Inlined into loops over places, g++ 12 keeps addresses in vector registers and sums
// in memory: a convolution with a window of 5 took twice the time.
constexpr double worth_a_call = 4096;

// So many tiles of one size.
struct Part {
  std::int64_t count, size;
};

// An extent in parts of at most `most` that differ by one at most.
std::vector<Part> even_parts(std::int64_t extent, std::int64_t most) {
  const std::int64_t count = (extent + most - 1) / most;
  const std::int64_t size = extent / count, larger = extent % count;
  std::vector<Part> parts;
  if (larger > 0) parts.push_back({larger, size + 1});
  if (count > larger) parts.push_back({count - larger, size});
  return parts;
}

// Rows whose number is known: in equal tiles of a good size if there is one, the best first, else nearly so.
std::vector<Part> row_parts(std::int64_t rows, std::int64_t best, const Isa& isa) {
  constexpr std::int64_t many = 24;  // of which few are in tiles that are not the best
  if (rows > many && best != isa.tiling.narrow_rows) return even_parts(rows, best);
  std::vector<std::int64_t> good =
      many_registers(isa) ? std::vector<std::int64_t>{8, 12, 10, 9, 7, 11, 6} : std::vector<std::int64_t>{6, 4, 5};
  good.insert(good.begin(), best);
  for (const std::int64_t size : good)
    if (rows % size == 0) return {{rows / size, size}};
  return even_parts(rows, many_registers(isa) ? 10 : 6);
}

// A vector of a tile's columns: all its lanes, or the first so many.
struct Vector {
  int lanes;
  std::optional<Expr> first;
};

std::string sum_name(const ProductTiles& tiles, std::uint32_t index) {
  const auto& sums = tiles.form.sums;
  if (sums.size() == 1) return tile_name(tiles, "k");
  return tile_name(tiles,
                   "k" + std::to_string(std::find(sums.begin(), sums.end(), index) - sums.begin()));
}

class TileWriter {
 public:
  explicit TileWriter(const ProductTiles& tiles) : t_(tiles), lanes_(tiles.isa.lanes(tiles.dtype)) { choose_blocks(); }

  Kernel write(std::optional<std::int64_t> rows);
  double multiply_adds(std::optional<std::int64_t> rows) const;

 private:
  bool inner() const { return t_.form.along.has_value(); }
  std::int64_t tile_rows() const {
    return gradc::tile_rows(t_.form, t_.isa, t_.dtype, t_.most(t_.ranges[t_.form.column]));
  }
  bool is_pair(std::uint32_t sum) const { return t_.form.pairs && sum == t_.form.sums.back(); }
  std::string own(std::string name) const { return tile_name(t_, std::move(name)); }
  std::string sum_name(std::uint32_t index) const { return gradc::sum_name(t_, index); }
  // Of the terms that are taken, all of them unless the sum has bounds.
  Expr terms_of(std::uint32_t sum) const {
    return t_.form.bounded(sum) ? variable(terms_name(t_, sum), Type::integer) : t_.extent(t_.ranges[sum]);
  }
  bool steps_divide(std::uint32_t sum) const {
    return t_.ranges[sum].is_fixed() && !t_.form.bounded(sum) && t_.ranges[sum].offset % step_ == 0;
  }
  std::int64_t window() const { return t_.form.window ? t_.ranges[*t_.form.window].offset : 1; }
  InnerTile tile() const {
    if (!t_.form.row) return {1, std::max<std::int64_t>(1, sums_of_one_row / window())};
    return inner_tile(t_.isa, window(), far_);
  }
  Expr sum(std::int64_t r, std::int64_t c, int lanes) const {
    return variable(own("c" + std::to_string(r) + "_" + std::to_string(c)), type_of(t_.dtype),
                    lanes);
  }

  void choose_blocks();
  Block sweep_blocks(std::optional<std::int64_t> rows);
  Block sweep_rows(std::optional<std::int64_t> rows);
  std::string block_name(const char* end) const { return own(sum_name(t_.form.sums[split_]) + end); }
  void append_columns(Block&, std::int64_t rows, const Expr& row);
  std::vector<Vector> vectors_of(std::int64_t width) const;
  void append_outer(Block&, std::int64_t rows, const Expr& row, const std::vector<Vector>&, const Expr& column);
  void append_prefetch(Block&, const Expr& row) const;
  void append_inner(Block&, std::int64_t rows, const Expr& row, std::int64_t columns, const Expr& column);
  std::int64_t neighbours(std::int64_t c, std::int64_t columns) const;
  void append_products(Block&, std::int64_t rows, const Expr& row, std::int64_t columns, const Expr& column,
                       const WindowPart&, std::optional<Expr> rest);
  Block along(Block whole, Block rest);
  // Of a tile.
  struct Rows {
    Expr first;
    std::int64_t count;
  };
  // What the sums stand around, for a part of the window.
  using Innermost = std::function<Block(const WindowPart&)>;
  Block sums(std::size_t number, const Innermost&, const WindowPart&, const Rows&) const;
  void leave_out_zeros(std::uint32_t sum, const Rows&, Expr& begin, Expr& end) const;
  Expr block_end() const;
  Expr at(const Linear&, const Expr& row, std::int64_t r, const Expr& column, std::int64_t c,
          bool with_sums) const;

  const ProductTiles& t_;
  const int lanes_;
  // Sums before number `split_`, and that one in steps, are around all tiles. No step: no sum is.
  std::size_t split_ = 0;
  std::int64_t step_ = 0;
  bool far_ = false;  // inner: what a block reads of b doesn't stay in the second cache
};

// The innermost sums that have about as many terms as a block, the outermost of them in equal steps. A sum that vectors
// lie along is inside in any case.
void TileWriter::choose_blocks() {
  const auto& sums = t_.form.sums;
  const auto terms = [&](std::size_t s) { return sums[s] == t_.form.along ? 1 : t_.most(t_.ranges[sums[s]]); };
  const std::int64_t columns = t_.most(t_.ranges[t_.form.column]);
  const std::int64_t some = inner() ? std::clamp(inner_block_elements / columns, least_inner_terms, most_inner_terms)
                                    : t_.isa.tiling.terms;
  std::int64_t inside = inner() ? t_.most(t_.ranges[*t_.form.along]) : 1, all = inside;
  for (std::size_t s = 0; s < sums.size(); ++s) all *= terms(s);
  far_ = inner() && std::min(all, std::max(some, inside)) * columns > 2 * inner_block_elements;
  if (all <= (inner() ? some + some / 2 : most_terms) || inside > some) return;
  split_ = sums.size();
  while (split_ > 0 && inside * terms(split_ - 1) <= some) inside *= terms(--split_);
  if (split_ == 0) return;
  const std::int64_t extent = terms(--split_);
  const std::int64_t most = std::max<std::int64_t>(1, (some + inside / 2) / inside);
  const std::int64_t blocks = (extent + most - 1) / most;
  step_ = (extent + blocks - 1) / blocks;
  // A sum with edges is whole inside.
  if (!t_.form.edges) return;
  const auto edges = static_cast<std::size_t>(std::find(sums.begin(), sums.end(), t_.form.edges->sum) - sums.begin());
  if (edges > split_) return;
  step_ = edges > 0 ? 1 : 0;
  split_ = edges > 0 ? edges - 1 : 0;
}

// Element r rows below `row`, c columns after `column`, of the sums' current indices. Where a window goes with the
// columns, c counts its values one after another.
Expr TileWriter::at(const Linear& l, const Expr& row, std::int64_t r, const Expr& column, std::int64_t c,
                    bool with_sums) const {
  Expr position = integer(0);
  if (t_.form.row) position = loops::mul(loops::add(row, integer(r)), l.factors[*t_.form.row]);
  if (with_sums) {
    for (std::uint32_t s : t_.form.sums) {
      if (is_pair(s)) continue;
      const Expr k = variable(sum_name(s), Type::integer);
      position = loops::add(std::move(position), loops::mul(k, l.factors[s]));
    }
  }
  if (t_.form.window) {
    // Where the window begins outside, the address given is that of what is inside first.
    const std::int64_t w = c % window() + (&l == &t_.b && t_.form.edges ? t_.form.edges->at.constant : 0);
    const Expr from = loops::mul(integer(std::abs(w)), l.factors[*t_.form.window]);
    position = w < 0 ? loops::sub(std::move(position), from) : loops::add(std::move(position), from);
  }
  return loops::add(std::move(position),
                    loops::mul(loops::add(column, integer(c / window())), l.factors[t_.form.column]));
}

// Leaves the terms out that are 0 in all rows of the tile.
void TileWriter::leave_out_zeros(std::uint32_t sum, const Rows& rows, Expr& begin,
                                 Expr& end) const {
  const Extent all = t_.form.row ? t_.ranges[*t_.form.row] : Extent(1);
  const auto literal = [](const Expr& e) { return e.kind == ExprKind::literal; };
  // Makes `old` the one of both that leaves fewer terms; `extreme` is what `other` is at most, of
  // an end, or at least.
  const auto choose = [&](Fn fn, Expr& old, const Expr& other, std::int64_t extreme) {
    const auto nearer = [&](double value) {
      return fn == Fn::min ? value <= old.value : value >= old.value;
    };
    if (literal(old) && literal(other))
      old = nearer(other.value) ? other : old;
    else if (literal(old) && all.is_fixed() && nearer(static_cast<double>(extreme)))
      old = other;
    else
      old = apply(fn, {std::move(old), other}, Type::integer);
  };
  for (const ZeroTerms& zero : t_.zeros) {
    if (zero.sum != sum) continue;
    // factor · term + of_row · row + constant > 0, where that is least: in the last row, or in the
    // first.
    const std::int64_t factor = coefficient(zero.at, sum),
                       of_row = coefficient(zero.at, *t_.form.row), size = std::abs(factor);
    const std::int64_t constant =
        zero.at.constant + std::min<std::int64_t>(of_row, 0) * (rows.count - 1);
    const Expr row = t_.some_rows
                         ? loops::add(variable(own("first_row"), Type::integer), rows.first)
                         : rows.first;
    // (a + b · row) / size, rounded down
    const std::int64_t a = factor > 0 ? size - constant : constant + size - 1,
                       b = factor > 0 ? -of_row : of_row;
    Expr form = loops::mul(integer(std::abs(b)), row);
    form =
        b < 0 ? loops::sub(integer(a), std::move(form)) : loops::add(std::move(form), integer(a));
    if (size > 1) form = apply(Fn::floor_div, {std::move(form), integer(size)}, Type::integer);
    const std::int64_t last = (factor > 0) == (b > 0) ? all.offset - rows.count : 0;
    choose(factor > 0 ? Fn::min : Fn::max, factor > 0 ? end : begin, form,
           floor_divided(a + b * last, size));
  }
}

// Loops over the sums of a block from number `number` on, but for the one that vectors lie along. Of a sum at whose ends
// only a part of the window is inside, a loop for each part.
Block TileWriter::sums(std::size_t number, const Innermost& innermost, const WindowPart& part,
                       const Rows& rows) const {
  if (number == t_.form.sums.size()) return innermost(part);
  const std::uint32_t index = t_.form.sums[number];
  if (t_.form.along == index || is_pair(index)) return sums(number + 1, innermost, part, rows);
  const bool block_of_it = step_ > 0 && number == split_;
  if (block_of_it && step_ == 1) return sums(number + 1, innermost, part, rows);
  Block block;
  const auto append = [&](Expr begin, Expr end, const WindowPart& of) {
    For loop;
    loop.variable = sum_name(index);
    loop.begin = {std::move(begin)};
    loop.end = std::move(end);
    loop.body = sums(number + 1, innermost, of, rows);
    block.push_back({std::move(loop)});
  };
  if (t_.form.edges && t_.form.edges->sum == index) {
    std::int64_t done = 0;
    for (const WindowPart& of : window_parts(t_.form, *t_.form.edges, t_.ranges)) {
      append(integer(done), integer(done + of.terms), of);
      done += of.terms;
    }
    return block;
  }
  Expr begin = block_of_it ? variable(block_name("_begin"), Type::integer) : integer(0);
  Expr end = block_of_it ? block_end() : terms_of(index);
  leave_out_zeros(index, rows, begin, end);
  const auto once = [&](const char* name, Expr& e) {
    if (e.kind != ExprKind::apply || (e.fn != Fn::min && e.fn != Fn::max)) return;
    block.push_back({Let{own(sum_name(index) + name), e, false}});
    e = variable(own(sum_name(index) + name), Type::integer);
  };
  once("_from", begin);
  once("_to", end);
  append(std::move(begin), std::move(end), part);
  return block;
}

// ---------------------------------------------------------------- outer

// So many columns: whole vectors, then the shortest that holds the rest.
std::vector<Vector> TileWriter::vectors_of(std::int64_t width) const {
  std::vector<Vector> vectors(static_cast<std::size_t>(width / lanes_), Vector{lanes_, {}});
  const auto rest = static_cast<unsigned>(width % lanes_);
  if (rest == 0) return vectors;
  vectors.push_back({static_cast<int>(std::bit_ceil(rest)), {}});
  if (!std::has_single_bit(rest)) vectors.back().first = integer(rest);
  return vectors;
}

// Rows of a tile whose elements are neighbours, while its terms lie far apart: no stream that a processor foresees, and
// they share few sets of the nearest cache. So they are fetched some terms early, if the sum is long enough for that.
void TileWriter::append_prefetch(Block& body, const Expr& row) const {
  constexpr std::int64_t far = 1 << 10, ahead = 16;  // bytes; terms
  const auto sum = std::find_if(t_.form.sums.rbegin(), t_.form.sums.rend(), [&](std::uint32_t s) { return !is_pair(s); });
  const auto row_index = t_.form.row;
  if (!row_index || t_.a.factors[*row_index] != integer(1) || sum == t_.form.sums.rend())
    return;
  const Extent& terms = t_.ranges[*sum];
  if (!terms.is_fixed() || terms.offset < 2 * ahead) return;
  const Expr& stride = t_.a.factors[*sum];
  const auto bytes = static_cast<double>(bytes_of(Element{t_.dtype, t_.a_bf16}));
  if (stride.kind != ExprKind::literal || stride.value * bytes < far) return;
  body.push_back({Prefetch{own("a"), loops::add(at(t_.a, row, 0, integer(0), 0, true), loops::mul(integer(ahead), stride))}});
}

void TileWriter::append_outer(Block& block, std::int64_t rows, const Expr& row, const std::vector<Vector>& vectors,
                              const Expr& column) {
  const Type type = type_of(t_.dtype);
  const auto load_part = [&](const char* buffer, Expr from, const Vector& v) {
    Expr e = load(own(buffer), t_.dtype, std::move(from), v.lanes);
    if (v.first) e.args.push_back(*v.first);
    return e;
  };
  const auto each = [&](const auto& body) {  // of the tile's sums
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::size_t v = 0; v < vectors.size(); ++v) {
        const auto c = static_cast<std::int64_t>(v);
        body(vectors[v], sum(r, c, vectors[v].lanes),
             [&] { return at(t_.out, row, r, column, c * lanes_, false); });
      }
    }
  };
  each([&](const Vector& v, const Expr& sum, const auto& place) {
    Expr start = number(0, type);
    start.lanes = v.lanes;
    if (step_ > 0) start = load_part("out", place(), v);
    block.push_back({Let{sum.name, std::move(start), true}});
  });
  Block body;
  append_prefetch(body, row);
  const bool row_of_b = t_.form.row_of_b();
  std::vector<Expr>
      b;  // of all rows, or where b has the rows anew for each of them, of the multiply-add alone
  const auto read_b = [&](std::int64_t r) {
    b.clear();
    for (const Vector& v : vectors) {
      Expr from = at(t_.b, row, r, column, static_cast<std::int64_t>(b.size()) * lanes_, true);
      Expr value = t_.form.pairs ? pairs(own("b"), std::move(from), lanes_, false)
                                 : load_part("b", std::move(from), v);
      if (!row_of_b) {
        const std::string name = own("b" + std::to_string(b.size()));
        body.push_back({Let{name, std::move(value), false}});
        value = variable(name, type, v.lanes);
      }
      b.push_back(std::move(value));
    }
  };
  if (!row_of_b) read_b(0);
  for (std::int64_t r = 0; r < rows; ++r) {
    if (row_of_b) read_b(r);
    const Expr a =
        variable(own("a" + std::to_string(row_of_b ? 0 : r)), type, t_.form.pairs ? lanes_ : 1);
    Expr from = at(t_.a, row, r, integer(0), 0, true);
    if (!row_of_b || r == 0)
      body.push_back({Let{a.name,
                          t_.form.pairs ? pairs(own("a"), std::move(from), lanes_, true)
                                        : load(own("a"), t_.dtype, std::move(from)),
                          false}});
    for (std::size_t v = 0; v < vectors.size(); ++v) {
      const Expr c = sum(r, static_cast<std::int64_t>(v), vectors[v].lanes);
      if (t_.form.pairs) body.push_back({Assign{c.name, dot(c, a, b[v])}});
      else
        body.push_back({Accumulate{c.name, Fn::add, apply(Fn::mul, arguments(a, b[v]), type)}});
    }
  }
  const auto innermost = [&](const WindowPart&) { return std::move(body); };  // there is no window
  for (Stmt& s : sums(step_ > 0 ? split_ : 0, innermost, {}, {row, rows}))
    block.push_back(std::move(s));
  each([&](const Vector& v, const Expr& sum, const auto& place) {
    Store store{own("out"), place(), sum, false, Fn::add};
    if (v.first) store.first = {*v.first};
    block.push_back({std::move(store)});
  });
}

// ---------------------------------------------------------------- inner

// One vector of each row and column, of which the first `rest` lanes are there. Where a window goes with the columns, those
// of a part of it.
void TileWriter::append_products(Block& body, std::int64_t rows, const Expr& row, std::int64_t columns,
                                 const Expr& column, const WindowPart& part, std::optional<Expr> rest) {
  const Type type = type_of(t_.dtype);
  auto vector = [&](const char* buffer, const Linear& l, std::int64_t r, std::int64_t c) {
    Expr e = load(own(buffer), t_.dtype, at(l, row, r, column, c, true), lanes_);
    if (rest) e.args.push_back(*rest);
    return e;
  };
  std::vector<std::int64_t> inside;
  for (std::int64_t c = 0; c < columns; ++c)
    if (c % window() >= part.begin && c % window() < part.end) inside.push_back(c);
  const auto b = [&](std::int64_t c) {
    return variable(own("b" + std::to_string(c)), type, lanes_);
  };
  for (const std::int64_t c : inside)
    if (t_.form.row) body.push_back({Let{b(c).name, vector("b", t_.b, 0, c), false}});
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::string a = own("a" + std::to_string(r));
    body.push_back({Let{a, vector("a", t_.a, r, 0), false}});
    for (const std::int64_t c : inside) {
      Expr factor = t_.form.row
                        ? b(c)
                        : vector("b", t_.b, 0, c);  // read by the multiply-add, if by one alone
      Expr product = apply(Fn::mul, arguments(variable(a, type, lanes_), std::move(factor)), type);
      body.push_back({Accumulate{sum(r, c, lanes_).name, Fn::add, std::move(product)}});
    }
  }
}

// `whole` for every full vector along the sum, then `rest` for what is left.
Block TileWriter::along(Block whole, Block rest) {
  const Extent extent = t_.ranges[*t_.form.along];
  const std::string k = sum_name(*t_.form.along);
  const bool fixed = extent.is_fixed();
  const std::int64_t full = extent.offset / lanes_ * lanes_;
  Block block;
  if (!fixed || full > 0) {
    For loop;
    loop.variable = k;
    loop.step = lanes_;
    loop.body = std::move(whole);
    if (fixed) {
      loop.partial = true;  // it ends exactly
      loop.begin = {integer(0)};
      loop.end = integer(full);
    } else {
      block.push_back({Let{k, integer(0), true}});
      loop.end = t_.extent(extent);
    }
    block.push_back({std::move(loop)});
  }
  if (!fixed) {
    block.push_back({If{apply(Fn::lt, {variable(k, Type::integer), t_.extent(extent)}, Type::boolean),
                        std::move(rest)}});
  } else if (full < extent.offset) {
    rest.insert(rest.begin(), {Let{k, integer(full), false}});
    block.push_back({If{number(1, Type::boolean), std::move(rest)}});
  }
  return block;
}

void TileWriter::append_inner(Block& block, std::int64_t rows, const Expr& row, std::int64_t columns,
                              const Expr& column) {
  const Type type = type_of(t_.dtype);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      Expr zero = number(0, type);
      zero.lanes = lanes_;
      block.push_back({Let{sum(r, c, lanes_).name, std::move(zero), true}});
    }
  }
  const auto innermost = [&](const WindowPart& part) {
    Block whole, rest;
    append_products(whole, rows, row, columns, column, part, std::nullopt);
    append_products(rest, rows, row, columns, column, part,
                    loops::sub(t_.extent(t_.ranges[*t_.form.along]),
                               variable(sum_name(*t_.form.along), Type::integer)));
    return along(std::move(whole), std::move(rest));
  };
  for (Stmt& s : sums(step_ > 0 ? split_ : 0, innermost, {0, 0, window()}, {row, rows}))
    block.push_back(std::move(s));
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0, together = 0; c < columns; c += together) {
      together = neighbours(c, columns);
      std::vector<Expr> vectors;
      for (std::int64_t k = c; k < c + together; ++k) vectors.push_back(sum(r, k, lanes_));
      block.push_back({Store{own("out"), at(t_.out, row, r, column, c, false), lane_sums(std::move(vectors)), step_ > 0,
                             Fn::add}});
    }
  }
}

// So many sums from number c on are neighbours in out and stored together, each with its lanes added up: a power of two.
std::int64_t TileWriter::neighbours(std::int64_t c, std::int64_t columns) const {
  const auto& factors = t_.out.factors;
  const bool in_window = t_.form.window && factors[*t_.form.window] == integer(1);
  const bool in_columns = factors[t_.form.column] == integer(window());
  std::int64_t end = c + 1;
  if (in_columns && (in_window || !t_.form.window)) end = columns;
  else if (in_window) end = (c / window() + 1) * window();
  const std::int64_t most = std::min<std::int64_t>(end - c, std::min(lanes_, most_sums_at_once));
  return static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(most)));
}

// ---------------------------------------------------------------- sweeps

void TileWriter::append_columns(Block& block, std::int64_t rows, const Expr& row) {
  const Extent extent = t_.ranges[t_.form.column];
  const Expr n = variable(own("n"), Type::integer);
  auto append = [&](Block& to, std::int64_t width, const Expr& column) {
    if (inner()) return append_inner(to, rows, row, width * window(), column);
    append_outer(to, rows, row, vectors_of(width), column);
  };
  auto loop_of = [&](std::int64_t width, std::vector<Expr> begin, Expr end) {
    For loop;
    loop.partial = !begin.empty();  // it ends exactly
    loop.variable = own("n");
    loop.begin = std::move(begin);
    loop.end = std::move(end);
    loop.step = width;
    append(loop.body, width, n);
    block.push_back({std::move(loop)});
  };
  std::vector<std::int64_t> widths;  // of what is not known to divide
  const bool masks = !inner() && t_.isa.masks;
  if (inner()) {
    widths = {tile().columns, 1};
  } else {
    int width = vectors_for(rows, t_.isa) * lanes_;
    while (width > lanes_ && width > t_.most(extent)) width /= 2;  // there are no more columns
    for (; width > 0; width = masks ? 0 : width / 2) widths.push_back(width);
  }
  if (!extent.is_fixed()) {
    block.push_back({Let{own("n"), integer(0), true}});
    for (std::int64_t width : widths) loop_of(width, {}, t_.extent(extent));
    if (!masks) return;
    For rest;  // a vector at a time, of which the last may be there in part
    rest.variable = own("n");
    rest.end = t_.extent(extent);
    rest.step = lanes_;
    rest.partial = true;
    const Expr left = variable(own("left"), Type::integer);
    rest.body.push_back({Let{left.name, apply(Fn::min, {loops::sub(rest.end, n), integer(lanes_)}, Type::integer), false}});
    append_outer(rest.body, rows, row, {{lanes_, left}}, n);
    block.push_back({std::move(rest)});
    return;
  }
  std::vector<Part> parts;
  std::int64_t left = extent.offset;
  if (inner()) {
    parts = even_parts(left, tile().columns);
  } else {
    for (std::int64_t width : widths) {
      if (left / width > 0) parts.push_back({left / width, width});
      left %= width;
    }
    if (left > 0) parts.push_back({1, left});
  }
  std::int64_t done = 0;
  for (const Part& part : parts) {
    if (part.count > 1) {
      loop_of(part.size, {integer(done)}, integer(done + part.count * part.size));
    } else {
      Block tile;
      append(tile, part.size, integer(done));
      // Its registers need a scope of their own.
      block.push_back({If{number(1, Type::boolean), std::move(tile)}});
    }
    done += part.count * part.size;
  }
}

Block TileWriter::sweep_rows(std::optional<std::int64_t> rows) {
  Block block;
  const Expr m = variable(own("m"), Type::integer);
  if (rows) {
    std::int64_t done = 0;
    std::vector<Part> parts = inner() ? even_parts(*rows, tile().rows) : row_parts(*rows, tile_rows(), t_.isa);
    // The longer loop first: it is the one that threads can share.
    std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.count > b.count; });
    for (const Part& part : parts) {
      if (part.count > 1) {
        For loop;
        loop.variable = own("m");
        loop.kind = LoopKind::parallel;
        loop.partial = true;  // it ends exactly
        loop.begin = {integer(done)};
        loop.end = integer(done + part.count * part.size);
        loop.step = part.size;
        append_columns(loop.body, part.size, m);
        block.push_back({std::move(loop)});
      } else {
        Block tile;
        append_columns(tile, part.size, integer(done));
        block.push_back({If{number(1, Type::boolean), std::move(tile)}});
      }
      done += part.count * part.size;
    }
    return block;
  }
  block.push_back({Let{own("m"), integer(0), true}});
  std::vector<std::int64_t> heights{tile_rows(), tile_rows() < 8 ? 2 : 4, 1};
  if (inner()) heights = {tile().rows, 1};
  if (far_) heights = {tile().rows, tile().rows / 2, 1};
  if (t_.last_rows && tile_rows() % heights[0] == 0) {
    heights.resize(1);
    if (const std::int64_t last = *t_.last_rows % heights[0]; last > 0) heights.push_back(last);
  }
  for (std::int64_t height : heights) {
    For loop;
    loop.variable = own("m");
    loop.kind = LoopKind::parallel;
    loop.end = variable(own("rows"), Type::integer);
    loop.step = height;
    append_columns(loop.body, height, m);
    block.push_back({std::move(loop)});
  }
  return block;
}

// Where the block ends, if not with the sum.
Expr TileWriter::block_end() const {
  const Expr end = loops::add(variable(block_name("_begin"), Type::integer), integer(step_));
  return steps_divide(t_.form.sums[split_]) ? end : variable(block_name("_end"), Type::integer);
}

// out = 0, then block after block is added to it.
Block TileWriter::sweep_blocks(std::optional<std::int64_t> rows) {
  if (step_ == 0) return sweep_rows(rows);
  const Extent columns = t_.ranges[t_.form.column];
  const Expr terms = terms_of(t_.form.sums[split_]);
  const auto loop = [](std::string name, Expr end, LoopKind kind, Block body) {
    For result;
    result.variable = std::move(name);
    result.begin = {integer(0)};
    result.end = std::move(end);
    result.kind = kind;
    result.body = std::move(body);
    Block block;
    block.push_back({std::move(result)});
    return block;
  };
  const Expr m = variable(own("m"), Type::integer), n = variable(own("n"), Type::integer);
  Block zero;
  for (std::int64_t c = 0; c < window(); ++c)
    zero.push_back({Store{own("out"), at(t_.out, m, 0, n, c, false), number(0, type_of(t_.dtype)), false, Fn::add}});
  zero = loop(own("n"), t_.extent(columns), LoopKind::vector, std::move(zero));
  const Expr count = rows ? integer(*rows) : variable(own("rows"), Type::integer);
  if (t_.form.row) zero = loop(own("m"), count, LoopKind::serial, std::move(zero));

  Block tiles = sweep_rows(rows);
  const bool exact = step_ == 1 || steps_divide(t_.form.sums[split_]);
  const std::string begin = step_ == 1 ? sum_name(t_.form.sums[split_]) : block_name("_begin");
  if (!exact) {
    const Expr end = loops::add(variable(begin, Type::integer), integer(step_));
    tiles.insert(tiles.begin(),
                 {Let{block_name("_end"), apply(Fn::min, {end, terms}, Type::integer), false}});
  }
  Block blocks = loop(begin, terms, LoopKind::serial, std::move(tiles));
  std::get<For>(blocks[0].it).step = step_;
  std::get<For>(blocks[0].it).partial = true;
  for (std::size_t s = split_; s-- > 0;) {
    if (t_.form.along == t_.form.sums[s]) continue;
    blocks = loop(sum_name(t_.form.sums[s]), terms_of(t_.form.sums[s]), LoopKind::serial, std::move(blocks));
  }
  for (Stmt& s : blocks) zero.push_back(std::move(s));
  return zero;
}

std::string text_of(const Extent& e, const std::vector<std::string>& dims) {
  if (e.is_fixed()) return std::to_string(e.offset);
  const std::string scaled =
      e.scale == 1 ? dims[e.dim.value] : fmt::format("{} * {}", e.scale, dims[e.dim.value]);
  return e.offset == 0 ? scaled : fmt::format("{} + {}", scaled, e.offset);
}

// Multiply-adds of a call, at most.
double TileWriter::multiply_adds(std::optional<std::int64_t> rows) const {
  double result = static_cast<double>(t_.most(t_.ranges[t_.form.column]) * window());
  if (t_.form.row) result *= static_cast<double>(rows ? *rows : t_.most(t_.ranges[*t_.form.row]));
  for (const std::uint32_t s : t_.form.sums) result *= static_cast<double>(t_.most(t_.ranges[s]));
  return result;
}

Kernel TileWriter::write(std::optional<std::int64_t> rows) {
  Kernel kernel;
  kernel.name = "product";
  kernel.apart = multiply_adds(rows) >= worth_a_call;
  kernel.body = sweep_blocks(rows);
  const UsedNames names = used_names(kernel.body);
  for (const std::string& dim : t_.dim_names) {
    auto& counts = kernel.counts;  // the times of several loops may have one name
    const bool known = std::find(counts.begin(), counts.end(), dim) != counts.end();
    if (names.contains(dim) && !known) counts.push_back(dim);
  }
  for (const std::uint32_t s : t_.form.sums)
    if (t_.form.bounded(s)) kernel.counts.push_back(terms_name(t_, s));
  if (names.contains(own("first_row"))) kernel.counts.push_back(own("first_row"));
  if (!rows) kernel.counts.insert(kernel.counts.begin(), own("rows"));
  kernel.arguments = {{own("a"), t_.dtype, false, t_.a_bf16},
                      {own("b"), t_.dtype, false, t_.b_bf16},
                      {own("out"), t_.dtype, true, t_.out_bf16}};
  std::string sums, sizes;
  for (std::uint32_t s : t_.form.sums) {
    const std::string name = sum_name(s);
    sums += (sums.empty() ? "" : ", ") + name;
    sizes += fmt::format("{} < {}, ", name, t_.form.bounded(s) ? terms_name(t_, s) : text_of(t_.ranges[s], t_.dim_names));
  }
  const char* const w = t_.form.window ? ", w" : "";
  kernel.comment = {
      fmt::format("out[m, n{}] = sum[{}] a[{}{}] * b[{}{}, n{}] in register tiles{}", w, sums,
                  t_.form.row_of_b() ? "" : "m, ", sums, t_.form.row_of_b() ? "m, " : "", sums, w,
                  inner()         ? ", vectors along " + sum_name(*t_.form.along)
                  : t_.form.pairs ? ", pairs along " + sum_name(t_.form.sums.back())
                                  : ""),
      fmt::format("m < {}, {}n < {}{}", rows ? std::to_string(*rows) : "rows", sizes,
                  text_of(t_.ranges[t_.form.column], t_.dim_names),
                  t_.form.window ? fmt::format(", w < {}", window()) : "")};
  return kernel;
}

}  // namespace

std::int64_t tile_rows(const ProductForm& form, const Isa& isa, DType dtype, std::int64_t columns) {
  if (form.along) return 2 * isa.tiling.inner_rows;
  return columns >= 4 * isa.lanes(dtype) ? isa.tiling.rows : isa.tiling.narrow_rows;
}

std::string tile_name(const ProductTiles& tiles, std::string name) {
  const auto& dims = tiles.dim_names;
  while (std::find(dims.begin(), dims.end(), name) != dims.end()) name += "_";
  return name;
}

std::string terms_name(const ProductTiles& tiles, std::uint32_t sum) {
  return tile_name(tiles, sum_name(tiles, sum) + "_terms");
}

Kernel product_tiles(const ProductTiles& tiles, std::optional<std::int64_t> rows) {
  return TileWriter(tiles).write(rows);
}

// All that the writer looks at; the two dims' names and instructions are those of the module.
bool same_kernel(const ProductTiles& x, const ProductTiles& y) {
  const auto form = [](const ProductTiles& t) {
    return std::tie(t.ranges, t.form.sums, t.form.along, t.form.column, t.form.window, t.form.pairs,
                    t.form.row, t.dtype, t.a_bf16, t.b_bf16, t.out_bf16, t.last_rows);
  };
  const auto bounds = [](const ProductTiles& t) {
    std::set<std::uint32_t> sums;
    for (const ProductForm::Bound& b : t.form.bounds) sums.insert(b.sum);
    return sums;
  };
  const auto parts = [](const ProductTiles& t) {
    std::vector<std::int64_t> all;
    if (!t.form.edges) return all;
    all.push_back(t.form.edges->at.constant);
    for (const WindowPart& p : window_parts(t.form, *t.form.edges, t.ranges)) all.insert(all.end(), {p.terms, p.begin, p.end});
    return all;
  };
  const auto zeros = [](const ProductTiles& t) {
    std::vector<std::tuple<std::uint32_t, std::int64_t, std::int64_t, std::int64_t>> all;
    for (const ZeroTerms& z : t.zeros)
      all.emplace_back(z.sum, coefficient(z.at, z.sum), coefficient(z.at, *t.form.row),
                       z.at.constant);
    return std::pair(all, t.some_rows);
  };
  return form(x) == form(y) && bounds(x) == bounds(y) && parts(x) == parts(y) &&
         zeros(x) == zeros(y) && x.a == y.a && x.b == y.b && x.out == y.out;
}

}  // namespace gradc

// product_to_grid.cpp: sums of products, a tile of the result to a block.
//
//     out[…, m, …, n] = Σ[k, l, …] a[…, m, …] · b[…, n]
//
// The free indices of a alone, taken together, are the rows of a matrix; the last free index, along which b is
// contiguous, its columns; the indices summed over, taken together, its depth. A block computes a square of rows
// and columns, for one value of all other indices: it brings a square of a and one of b into shared memory, where
// zeros stand for what lies beyond the edges, adds their product to its registers, and goes on to the next squares.
// Each element is one sum in the order of its indices.
#include "codegen/product_to_grid.h"

#include "codegen/exprs.h"
#include "codegen/grid_nest.h"

namespace gradc {

using namespace loops;

namespace {

constexpr std::int64_t side = 32;          // of a tile; a row of it is a warp
constexpr std::int64_t pitch = side + 1;   // of a's tile, so that columns of it lie in different banks

Expr less(Expr a, Expr b) { return apply(Fn::lt, {std::move(a), std::move(b)}, Type::boolean); }
Expr both(Expr a, Expr b) { return apply(Fn::logical_and, {std::move(a), std::move(b)}, Type::boolean); }

class ProductGrid {
 public:
  ProductGrid(KernelWriter& k, const Target& target, std::vector<Array>& arrays)
      : k_(k), nest_(k.nest), id_(k.plan.members[0].node), n_(k.g[id_]), form_(*product_form(k.g, id_, k.context.isa)),
        threads_(target.threads), arrays_(arrays), rows_(count_of(k, n_.ranges, form_.rows)),
        columns_(nest_.extent(n_.ranges[form_.column])), depth_(count_of(k, n_.ranges, form_.sums)) {}

  Launch write() {
    a_ = array("a_tile", side * pitch, true);
    b_ = array("b_tile", side * side, true);
    sum_ = array("sum", per_thread(), false);
    nest_.set_ranges(n_.ranges);
    nest_.count_uses({});
    const Expr down = blocks_of(rows_, side), across = blocks_of(columns_, side);
    const Expr count = loops::mul(loops::mul(count_of(k_, n_.ranges, form_.others), down), across);
    open_block(count, down, across);
    open_count("r", per_thread());
    store(sum_, counter_, number(0, type_of(n_.type.dtype)), false);
    nest_.close();
    accumulate();
    write_results();
    while (nest_.depth() > 0) nest_.close();
    return {threads_, {count}};
  }

 private:
  std::int64_t per_thread() const { return side * side / threads_; }
  std::int64_t rows_at_once() const { return threads_ / side; }

  std::string array(const char* name, std::int64_t elements, bool shared) {
    arrays_.push_back({nest_.names().fresh(name), n_.type.dtype, elements, shared});
    return arrays_.back().name;
  }
  void store(const std::string& to, Expr index, Expr value, bool adds) {
    nest_.emit(Store{to, std::move(index), std::move(value), adds, Fn::add});
  }
  // A loop of a few iterations; `counter_` is its variable.
  void open_count(const char* name, std::int64_t count, LoopKind kind = LoopKind::unrolled) {
    const std::string variable_name = nest_.names().fresh(name);
    nest_.open(variable_name, integer(0), integer(count), 1, kind);
    counter_ = variable(variable_name, Type::integer);
  }

  // Which tile this is, and which part of it is this thread's.
  void open_block(const Expr& count, const Expr& down, const Expr& across) {
    const std::string tile = nest_.names().fresh("tile");
    nest_.open(tile, place_of(Place::block), count, 1, LoopKind::once);
    Expr at = variable(tile, Type::integer);
    Expr place = at;
    if (!is_integer(across, 1)) place = nest_.let("tile_row", quotient(at, across));
    column0_ = is_integer(across, 1)
                   ? integer(0)
                   : nest_.let("column0", loops::mul(loops::sub(at, loops::mul(place, across)), integer(side)));
    if (form_.others.empty()) {
      row0_ = is_integer(down, 1) ? integer(0) : nest_.let("row0", loops::mul(place, integer(side)));
    } else {
      Expr other = place;
      if (!is_integer(down, 1)) other = nest_.let("other", quotient(place, down));
      row0_ = is_integer(down, 1)
                  ? integer(0)
                  : nest_.let("row0", loops::mul(loops::sub(place, loops::mul(other, down)), integer(side)));
      split_position(k_, id_, n_.ranges, form_.others, other);
    }
    warp_ = nest_.let("warp", quotient(place_of(Place::thread), integer(side)));
    lane_ = nest_.let("lane", loops::sub(place_of(Place::thread), loops::mul(warp_, integer(side))));
  }

  // True if neighbours in memory are neighbours in a row of the matrix, not in a sum.
  bool a_runs_along_rows() const {
    const Affine& last = form_.a_subscripts.back();
    for (std::uint32_t i : form_.rows) {
      if (i < last.coefficients.size() && last.coefficients[i] != 0) return true;
    }
    return false;
  }

  // One tile of an operand, element after element by all threads.
  void fetch(ScalarId operand, const std::string& tile, bool is_a, const Expr& depth0) {
    const std::string name = nest_.names().fresh("e");
    nest_.open(name, place_of(Place::thread), integer(side * side), threads_, LoopKind::serial, true);
    const Expr e = variable(name, Type::integer);
    const Expr slow = nest_.let("slow", quotient(e, integer(side)));
    const Expr fast = nest_.let("fast", loops::sub(e, loops::mul(slow, integer(side))));
    const bool depth_is_fast = is_a && !a_runs_along_rows();
    const Expr in_depth = depth_is_fast ? fast : slow, in_line = depth_is_fast ? slow : fast;
    const Expr depth = nest_.let("depth", loops::add(depth0, in_depth));
    const Expr line = nest_.let(is_a ? "row" : "column", loops::add(is_a ? row0_ : column0_, in_line));
    Expr inside = both(less(line, is_a ? rows_ : columns_), less(depth, depth_));
    split_position(k_, id_, n_.ranges, form_.sums, depth);
    if (is_a) {
      split_position(k_, id_, n_.ranges, form_.rows, line);
    } else {
      nest_.bind_index(form_.column, line, nest_.depth());
    }
    const Type type = type_of(n_.type.dtype);
    Expr value = apply(Fn::select, {std::move(inside), nest_.guarded_value(operand), number(0, type)}, type);
    store(tile, is_a ? loops::add(loops::mul(in_line, integer(pitch)), in_depth)
                     : loops::add(loops::mul(in_depth, integer(side)), in_line),
          std::move(value), false);
    nest_.close();
  }

  void accumulate() {
    const std::string name = nest_.names().fresh("depth0");
    nest_.open(name, integer(0), depth_, side, LoopKind::serial, true);
    const Expr depth0 = variable(name, Type::integer);
    fetch(form_.a, a_, true, depth0);
    fetch(form_.b, b_, false, depth0);
    nest_.emit(Barrier{});
    open_count("k", side, LoopKind::serial);
    const Expr k = counter_;
    const DType dtype = n_.type.dtype;
    const Type type = type_of(dtype);
    const Expr b = nest_.let("b_k", load(b_, dtype, loops::add(loops::mul(k, integer(side)), lane_)));
    open_count("r", per_thread());
    const Expr row = loops::add(warp_, loops::mul(counter_, integer(rows_at_once())));
    const Expr a = load(a_, dtype, loops::add(loops::mul(row, integer(pitch)), k));
    store(sum_, counter_, apply(Fn::mul, {a, b}, type), true);
    nest_.close();
    nest_.close();
    nest_.emit(Barrier{});
    nest_.close();
  }

  // The elements of this thread, and what follows the product elementwise.
  void write_results() {
    std::vector<ScalarId> bodies;
    for (std::size_t m = 1; m < k_.plan.members.size(); ++m) {
      bodies.push_back(k_.g[k_.plan.members[m].node].body);
    }
    nest_.count_uses(bodies);
    open_count("r", per_thread());
    const Expr r = counter_;
    const bool one = form_.rows.size() == 1;
    const std::string row = nest_.names().fresh(one ? k_.index_name(id_, form_.rows[0]) : "row");
    nest_.open(row,
               loops::add(row0_, loops::add(warp_, loops::mul(r, integer(rows_at_once())))), rows_, 1,
               LoopKind::once);
    const std::string column = nest_.names().fresh(k_.index_name(id_, form_.column));
    nest_.open(column, loops::add(column0_, lane_), columns_, 1, LoopKind::once);
    split_position(k_, id_, n_.ranges, form_.rows, variable(row, Type::integer));
    nest_.bind_index(form_.column, variable(column, Type::integer), nest_.depth());
    Expr value = k_.as_stored(id_, load(sum_, n_.type.dtype, r));
    if (!bodies.empty()) value = nest_.let(k_.context.short_name(id_), std::move(value));
    nest_.keep(id_, value);
    std::vector<std::pair<NodeId, Expr>> values{{id_, value}};
    for (std::size_t m = 1; m < k_.plan.members.size(); ++m) {
      const NodeId follower = k_.plan.members[m].node;
      value = k_.as_stored(follower, nest_.value(k_.g[follower].body));
      if (bodies.size() > 1 && value.kind != ExprKind::variable && value.kind != ExprKind::literal) {
        value = nest_.let(k_.context.short_name(follower), std::move(value));
      }
      nest_.keep(follower, value);
      values.emplace_back(follower, std::move(value));
    }
    for (auto& [node, stored] : values) {
      if (!k_.registers.contains(node)) k_.store(node, std::move(stored));
    }
  }

  KernelWriter& k_;
  NestWriter& nest_;
  NodeId id_;
  Node n_;
  ProductForm form_;
  int threads_;
  std::vector<Array>& arrays_;
  Expr rows_, columns_, depth_;
  std::string a_, b_, sum_;
  Expr column0_, row0_, warp_, lane_, counter_;
};

}  // namespace

Launch product_to_grid(KernelWriter& k, const Target& target, std::vector<Array>& arrays) {
  return ProductGrid(k, target, arrays).write();
}

}  // namespace gradc

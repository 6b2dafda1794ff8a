// cut_kernel.cpp: a kernel that computes a part of its positions, of one that computes all.
//
// Which loop is cut follows from the loops alone. Those that are `parallel` or `vector` were written for indices of
// what the kernel writes, and have independent iterations; sums are `serial`. The forms are:
//
//     for i …                    one nest: its first loop that is long enough, or two that are together
//     for m < 40, for m < 43 …   tiles of two heights: the longer loop; the last part computes the other
//     for m, rows = min(24, …)   several tiles at a time, of which the last of a part are fewer
//     m = 0; for m …, for m …    tiles of rows whose number is known at run time: from where m begins to where it ends
//     for m …, for k for m …     rows that are set, then added to, block by block of a sum: the loops along them; the last
//                                part computes what no tile is long enough for
//     for j …, for k for j …     columns that are set, then added to: the loops along them
//     transpose(…)               its rows
//
// Long because the forms have in common what stands between their loops and what may be computed by every thread.
#include "codegen/cut_kernel.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "codegen/drop_unused.h"
#include "codegen/exprs.h"
#include "codegen/linear_forms.h"
#include "codegen/work.h"
#include "dsl/check.h"

namespace gradc {

using namespace loops;

namespace {

// Elements of a vector loop that stay together: a multiple of what any vector holds, and of a cache line.
constexpr std::int64_t vector_granule = 64;
constexpr std::int64_t transpose_granule = 16;
// Fewer units than that share out unevenly.
constexpr double enough_units = 16;

bool independent(const For& loop) {
  const bool kind = loop.kind == LoopKind::parallel || loop.kind == LoopKind::vector;
  return kind && loop.begin.size() == 1 && is_integer(loop.begin[0], 0) && (loop.partial || loop.step == 1);
}

std::int64_t granule(const For& loop) {
  if (loop.kind == LoopKind::vector) return std::max(vector_granule, loop.step);
  return loop.granule > 0 ? loop.granule : loop.step;
}

struct Uses {
  std::set<std::string> loaded, stored;
  bool accumulates = false;

  void expr(const Expr& e) {
    if (reads_memory(e) || e.kind == ExprKind::pointer) loaded.insert(e.name);
    for (const Expr& a : e.args) expr(a);
  }
  void block(const Block& statements) {
    for (const Stmt& s : statements) std::visit([this](const auto& it) { add(it); }, s.it);
  }
  void add(const For& s) { block(s.body); }
  void add(const Let& s) { expr(s.value); }
  void add(const Lanes& s) { expr(s.value); }
  void add(const Accumulate& s) { expr(s.value); }
  void add(const Assign& s) { expr(s.value); }
  void add(const Store& s) {
    stored.insert(s.buffer);
    if (s.accumulates) loaded.insert(s.buffer);
    expr(s.index);
    expr(s.value);
  }
  void add(const If& s) {
    expr(s.condition);
    block(s.body);
  }
  void add(const Call& s) {
    for (const Expr& e : s.args) expr(e);
  }
  void add(const Transpose& s) {
    loaded.insert(s.from.name);
    stored.insert(s.to.name);
  }
  void add(const Prefetch& s) { expr(s.index); }
  void add(const Barrier&) {}
  void add(const Comment&) {}
  void add(const Combine&) {}
  void add(const Choose&) {}
};

class Cutter {
 public:
  Cutter(Kernel& kernel, const Bounds& bounds) : k_(kernel), bounds_(bounds) {
    for (const Argument& a : kernel.arguments) {
      if (a.written) written_.insert(a.name);
    }
    const UsedNames used = used_names(kernel.body);
    std::set<std::string> taken(used.begin(), used.end());
    taken.insert(kernel.counts.begin(), kernel.counts.end());
    for (const Argument& a : kernel.arguments) taken.insert(a.name);
    for (const Array& a : kernel.arrays) taken.insert(a.name);
    taken.merge(declared_names(kernel.body));
    const auto fresh = [&](std::string name) {
      while (taken.contains(name)) name += "_";
      return name;
    };
    begin_ = fresh("begin");
    end_ = fresh("end");
    flat_ = fresh("at");
  }

  bool cut() { return cut_transpose() || cut_rows() || cut_nest() || cut_tiles() || cut_blocks() || cut_columns(); }

 private:
  Expr begin() const { return variable(begin_, Type::integer); }
  Expr end() const { return variable(end_, Type::integer); }
  double most(const Expr& e) const { return at(extent_of(e), bounds_); }
  double units(const For& loop) const { return most(loop.end) / static_cast<double>(granule(loop)); }

  // The extent is the same for every call with these counts.
  bool known(const Expr& e) const {
    if (reads_memory(e)) return false;
    if (e.kind == ExprKind::variable)
      return std::find(k_.counts.begin(), k_.counts.end(), e.name) != k_.counts.end();
    return std::all_of(e.args.begin(), e.args.end(), [&](const Expr& a) { return known(a); });
  }

  // What every thread may compute for itself: it depends on nothing that the kernel writes.
  bool harmless(const Stmt& s) const {
    if (std::holds_alternative<Comment>(s.it)) return true;
    const auto* let = std::get_if<Let>(&s.it);
    if (!let || let->changes) return false;
    Uses uses;
    uses.expr(let->value);
    return std::none_of(uses.loaded.begin(), uses.loaded.end(),
                        [&](const std::string& name) { return written_.contains(name) || is_own(name); });
  }
  bool is_own(const std::string& name) const {
    return std::any_of(k_.arrays.begin(), k_.arrays.end(), [&](const Array& a) { return a.name == name; });
  }

  // All statements that are not harmless.
  std::vector<Stmt*> rest(Block& block) const {
    std::vector<Stmt*> result;
    for (Stmt& s : block) {
      if (!harmless(s)) result.push_back(&s);
    }
    return result;
  }

  bool finish(Expr extent, std::int64_t granule) {
    const UsedNames used = used_names(k_.body);
    std::erase_if(k_.counts, [&](const std::string& count) { return !used.contains(count); });
    k_.counts.insert(k_.counts.begin(), {begin_, end_});
    k_.parts = {{std::move(extent), granule}};
    return true;
  }

  bool cut_loop(For& loop) {
    Expr extent = std::exchange(loop.end, end());
    loop.begin = {begin()};
    // A step of a part ends with the part: rows = min(24, end - m).
    const Expr left = loops::sub(extent, variable(loop.variable, Type::integer));
    bool ends = loop.granule == 0;
    for (Stmt& s : loop.body) {
      auto* let = std::get_if<Let>(&s.it);
      if (ends || !let || let->value.kind != ExprKind::apply || let->value.fn != Fn::min || let->value.args[1] != left) continue;
      let->value.args[1] = loops::sub(end(), variable(loop.variable, Type::integer));
      ends = true;
    }
    GRADC_CHECK(ends, "a loop whose steps may be cut says how long each is");
    return finish(std::move(extent), granule(loop));
  }

  bool cut_transpose() {
    const std::vector<Stmt*> all = rest(k_.body);
    auto* t = all.size() == 1 ? std::get_if<Transpose>(&all[0]->it) : nullptr;
    if (!t || !known(t->rows) || most(t->rows) < 2 * transpose_granule) return false;
    Expr extent = std::exchange(t->rows, loops::sub(end(), begin()));
    t->from.args[0] = loops::add(t->from.args[0], loops::mul(begin(), t->from_stride));
    t->to.args[0] = loops::add(t->to.args[0], begin());
    return finish(std::move(extent), transpose_granule);
  }

  // m = 0; for (; m + 8 <= rows; m += 8) …; for (; m < rows; ++m) …
  bool cut_rows() {
    std::vector<Stmt*> all = rest(k_.body);
    auto* let = all.size() > 1 ? std::get_if<Let>(&all[0]->it) : nullptr;
    if (!let || !let->changes || !is_integer(let->value, 0)) return false;
    for (std::size_t k = 1; k < all.size(); ++k) {
      const auto* loop = std::get_if<For>(&all[k]->it);
      if (!loop || !loop->begin.empty() || loop->variable != let->name || loop->kind != LoopKind::parallel ||
          !known(loop->end) || loop->end.kind != ExprKind::variable ||
          loop->end.name != std::get<For>(all[1]->it).end.name)
        return false;
    }
    const std::int64_t step = std::get<For>(all[1]->it).step;
    Expr extent = std::get<For>(all[1]->it).end;
    let->value = begin();
    for (std::size_t k = 1; k < all.size(); ++k) std::get<For>(all[k]->it).end = end();
    return finish(std::move(extent), step);
  }

  bool cut_nest() {
    std::vector<For*> nest;
    for (Block* block = &k_.body;;) {
      const std::vector<Stmt*> all = rest(*block);
      auto* loop = all.size() == 1 ? std::get_if<For>(&all[0]->it) : nullptr;
      if (!loop || !independent(*loop) || !known(loop->end)) break;
      nest.push_back(loop);
      block = &loop->body;
    }
    For* longest = nullptr;
    for (std::size_t k = 0; k < nest.size(); ++k) {
      For& outer = *nest[k];
      if (!longest || units(outer) > units(*longest)) longest = &outer;
      if (units(outer) >= enough_units) return cut_loop(outer);
      if (k + 1 == nest.size() || outer.step != 1) continue;
      const For& inner = *nest[k + 1];
      if (inner.step != 1 || inner.kind == LoopKind::vector) continue;
      if (units(outer) < 2 || units(inner) < 2 || units(outer) * units(inner) < enough_units) continue;
      join(outer);
      return cut_loop(outer);
    }
    return longest && units(*longest) >= 2 && cut_loop(*longest);
  }

  // One loop over the pairs, in the same order.
  void join(For& outer) {
    const auto at = std::find_if(outer.body.begin(), outer.body.end(),
                                 [](const Stmt& s) { return std::holds_alternative<For>(s.it); });
    For inner = std::get<For>(std::move(at->it));
    outer.body.erase(at);
    const Expr flat = variable(flat_, Type::integer);
    Block body;
    Expr row = apply(Fn::floor_div, {flat, inner.end}, Type::integer);
    body.push_back({Let{outer.variable, row, false}});
    body.push_back({Let{inner.variable, apply(Fn::mod, {flat, inner.end}, Type::integer), false}});
    for (Block* from : {&outer.body, &inner.body}) {
      for (Stmt& s : *from) body.push_back(std::move(s));
    }
    outer.end = loops::mul(std::move(outer.end), std::move(inner.end));
    outer.variable = flat_;
    outer.body = std::move(body);
    drop_unused(outer.body);
  }

  // The loops write different elements, and nothing reads them.
  bool cut_tiles() {
    const std::vector<Stmt*> all = rest(k_.body);
    Uses uses;
    uses.block(k_.body);
    if (std::any_of(uses.stored.begin(), uses.stored.end(), [&](auto& name) { return uses.loaded.contains(name); }))
      return false;
    auto* first = all.empty() ? nullptr : std::get_if<For>(&all[0]->it);
    if (!first || !independent(*first) || !known(first->end) || units(*first) < 2) return false;
    for (std::size_t k = 1; k < all.size(); ++k) {
      const auto* loop = std::get_if<For>(&all[k]->it);
      const auto* scope = std::get_if<If>(&all[k]->it);
      if (!(loop && loop->kind == LoopKind::parallel) && !(scope && is_true(scope->condition))) return false;
    }
    const Expr is_last = apply(Fn::eq, {end(), first->end}, Type::boolean);
    cut_loop(*first);
    leave_to_last(k_.body, all, is_last);
    return true;
  }
  // What stands beside the first of them only the last part computes.
  static void leave_to_last(Block& block, const std::vector<Stmt*>& all, const Expr& is_last) {
    if (all.size() < 2) return;
    Block others;
    for (std::size_t k = 1; k < all.size(); ++k) {
      others.push_back(std::move(*all[k]));
      *all[k] = {Comment{}};
    }
    std::erase_if(block, [](const Stmt& s) {
      const auto* comment = std::get_if<Comment>(&s.it);
      return comment && comment->text.empty();
    });
    block.push_back({If{is_last, std::move(others)}});
  }
  static bool is_true(const Expr& e) { return e.kind == ExprKind::literal && e.value != 0; }

  // The first loop sets rows of what is written, of which each tile in a block adds to its own.
  bool cut_blocks() {
    const std::vector<Stmt*> all = rest(k_.body);
    auto* rows = all.size() == 2 ? std::get_if<For>(&all[0]->it) : nullptr;
    auto* blocks = all.size() == 2 ? std::get_if<For>(&all[1]->it) : nullptr;
    if (!rows || !blocks || !from_0(*rows) || rows->step != 1) return false;
    const std::vector<Stmt*> parts = rest(blocks->body);
    auto* tiles = parts.empty() ? nullptr : std::get_if<For>(&parts[0]->it);
    if (!tiles || tiles->kind != LoopKind::parallel || !from_0(*tiles)) return false;
    const auto last = static_cast<std::int64_t>(rows->end.value), whole = static_cast<std::int64_t>(tiles->end.value);
    if (whole % tiles->step != 0 || whole < 2 * tiles->step) return false;
    const std::int64_t row = row_length(*rows);
    if (row <= 0 || !stays_within(rows->body, rows->variable, {row, 0, row}, {})) return false;
    if (!stays_within(tiles->body, tiles->variable, {row, 0, row * tiles->step}, {})) return false;
    const Window beyond{0, row * whole, row * last};
    if (!std::all_of(parts.begin() + 1, parts.end(), [&](const Stmt* s) { return stays_within(*s, "", beyond, {}); })) return false;
    const Expr is_last = apply(Fn::eq, {end(), tiles->end}, Type::boolean);
    const Expr extent = std::exchange(tiles->end, end());
    const std::int64_t step = tiles->step;
    tiles->begin = {begin()};
    leave_to_last(blocks->body, parts, is_last);
    For rest_of_rows = *rows;
    rows->begin = {begin()};
    rows->end = end();
    if (whole < last) {
      rest_of_rows.begin = {integer(whole)};
      const auto after = std::find_if(k_.body.begin(), k_.body.end(), [&](const Stmt& s) { return &s == all[0]; }) + 1;
      k_.body.insert(after, {If{is_last, {{std::move(rest_of_rows)}}}});
    }
    return finish(extent, step);
  }

  // To an end that is known.
  static bool from_0(const For& loop) {
    return loop.begin.size() == 1 && is_integer(loop.begin[0], 0) && loop.end.kind == ExprKind::literal;
  }

  // From one of the rows that the loop sets to the next; 0: it is no such loop.
  std::int64_t row_length(const For& rows) const {
    const Block* block = &rows.body;
    for (;;) {
      if (block->size() != 1) return 0;
      if (const auto* loop = std::get_if<For>(&block->front().it)) {
        block = &loop->body;
        continue;
      }
      const auto* store = std::get_if<Store>(&block->front().it);
      const auto form = store ? linear(store->index) : std::nullopt;
      return form ? form->factor(rows.variable) : 0;
    }
  }

  // Positions in what is written: `factor` times the variable, and from `least` to before `end`.
  struct Window {
    std::int64_t factor, least, end;
  };
  using Ends = std::map<std::string, std::pair<std::int64_t, std::int64_t>>;  // of loops' variables, both included

  bool stays_within(const Block& statements, const std::string& variable, const Window& w, const Ends& ends) const {
    return std::all_of(statements.begin(), statements.end(),
                       [&](const Stmt& s) { return stays_within(s, variable, w, ends); });
  }
  bool stays_within(const Stmt& s, const std::string& variable, const Window& w, const Ends& ends) const {
    const auto position = [&](const std::string& buffer, const Expr& index, std::int64_t lanes) {
      if (!written_.contains(buffer)) return true;
      auto form = linear(index);
      if (!form || form->factor(variable) != w.factor) return false;
      form->factors.erase(variable);
      std::int64_t least = form->constant, most = form->constant;
      for (const auto& [name, factor] : form->factors) {
        const auto it = ends.find(name);
        if (it == ends.end()) return false;
        least += factor * (factor > 0 ? it->second.first : it->second.second);
        most += factor * (factor > 0 ? it->second.second : it->second.first);
      }
      return least >= w.least && most + lanes <= w.end;
    };
    const auto count = [](const std::vector<Expr>& first, int lanes) {
      return !first.empty() && first.back().kind == ExprKind::literal ? static_cast<std::int64_t>(first.back().value) : lanes;
    };
    const std::function<bool(const Expr&)> reads = [&](const Expr& e) {
      if (e.kind == ExprKind::pointer && written_.contains(e.name)) return false;
      if (reads_memory(e) && e.kind != ExprKind::load && written_.contains(e.name)) return false;
      if (e.kind == ExprKind::load) {
        const std::vector<Expr> first(e.args.begin() + 1, e.args.end());
        if (!position(e.name, e.args[0], count(first, e.lanes))) return false;
      }
      return std::all_of(e.args.begin(), e.args.end(), reads);
    };
    if (const auto* loop = std::get_if<For>(&s.it)) {
      Ends inside = ends;
      inside.erase(loop->variable);
      const bool known_ends = loop->begin.size() == 1 && loop->begin[0].kind == ExprKind::literal &&
                              loop->end.kind == ExprKind::literal;
      if (known_ends) {
        const auto from = static_cast<std::int64_t>(loop->begin[0].value), to = static_cast<std::int64_t>(loop->end.value);
        inside[loop->variable] = {from, from + std::max<std::int64_t>(0, to - from - 1) / loop->step * loop->step};
      }
      return loop->variable != variable && stays_within(loop->body, variable, w, inside);
    }
    if (const auto* choice = std::get_if<If>(&s.it)) return reads(choice->condition) && stays_within(choice->body, variable, w, ends);
    if (const auto* store = std::get_if<Store>(&s.it))
      return position(store->buffer, store->index, count(store->first, store->value.lanes)) && reads(store->value);
    if (const auto* let = std::get_if<Let>(&s.it)) return reads(let->value);
    if (const auto* sum = std::get_if<Accumulate>(&s.it)) return reads(sum->value);
    if (const auto* set = std::get_if<Assign>(&s.it)) return reads(set->value);
    return std::holds_alternative<Comment>(s.it) || std::holds_alternative<Prefetch>(s.it);
  }

  // Every nest ends in a loop along the columns, and what is written is met at its own column only.
  bool cut_columns() {
    std::vector<For*> along;
    for (Stmt* s : rest(k_.body)) {
      For* loop = std::get_if<For>(&s->it);
      while (loop && loop->kind != LoopKind::vector) {
        const std::vector<Stmt*> all = rest(loop->body);
        if (all.size() != 1) return false;
        loop = std::get_if<For>(&all[0]->it);
      }
      if (!loop || !independent(*loop) || loop->step != 1 || !known(loop->end)) return false;
      if (most(loop->end) != (along.empty() ? most(loop->end) : most(along[0]->end))) return false;
      if (!extents_equal(loop->end, along.empty() ? loop->end : along[0]->end)) return false;
      if (!own_column_only(*loop)) return false;
      along.push_back(loop);
    }
    if (along.empty() || units(*along[0]) < 2) return false;
    const Expr extent = along[0]->end;
    for (For* loop : along) {
      loop->begin = {begin()};
      loop->end = end();
    }
    return finish(extent, vector_granule);
  }
  static bool extents_equal(const Expr& a, const Expr& b) { return extent_of(a) == extent_of(b); }

  bool own_column_only(const For& loop) const {
    const auto own = [&](const Expr& index) {
      return index.kind == ExprKind::variable && index.name == loop.variable;
    };
    const std::function<bool(const Expr&)> reads_own = [&](const Expr& e) {
      if (e.kind == ExprKind::pointer) return false;
      if (reads_memory(e) && written_.contains(e.name) && !own(e.args[0])) return false;
      return std::all_of(e.args.begin(), e.args.end(), reads_own);
    };
    return std::all_of(loop.body.begin(), loop.body.end(), [&](const Stmt& s) {
      if (const auto* let = std::get_if<Let>(&s.it)) return !let->changes && reads_own(let->value);
      const auto* store = std::get_if<Store>(&s.it);
      return store && own(store->index) && reads_own(store->value);
    });
  }

  Kernel& k_;
  const Bounds& bounds_;
  std::set<std::string> written_;
  std::string begin_, end_, flat_;
};

const Call* only_call(const Kernel& kernel) {
  const Call* call = nullptr;
  for (const Stmt& s : kernel.body) {
    if (std::holds_alternative<Comment>(s.it)) continue;
    if (call || !std::holds_alternative<Call>(s.it)) return nullptr;
    call = &std::get<Call>(s.it);
  }
  return call;
}

}  // namespace

bool cut_kernel(Kernel& kernel, const Bounds& bounds) {
  Kernel changed = kernel;
  if (!Cutter(changed, bounds).cut()) return false;
  kernel = std::move(changed);
  return true;
}

std::string called_alone(const Kernel& kernel) {
  const Call* call = only_call(kernel);
  return call ? call->kernel : "";
}

void call_whole(Block& block, const Kernel& called, const std::vector<std::string>& before) {
  for (Stmt& s : block) {
    if (auto* loop = std::get_if<For>(&s.it)) call_whole(loop->body, called, before);
    if (auto* choice = std::get_if<If>(&s.it)) call_whole(choice->body, called, before);
    auto* call = std::get_if<Call>(&s.it);
    if (!call || call->kernel != called.name) continue;
    const std::vector<Expr> old = std::move(call->args);
    std::map<std::string, Expr> counts;
    for (std::size_t k = 0; k < before.size(); ++k) counts[before[k]] = old[k];
    call->args = {integer(0), with(called.parts[0].extent, counts)};
    for (std::size_t k = 2; k < called.counts.size(); ++k) {
      const auto at = std::find(before.begin(), before.end(), called.counts[k]);
      call->args.push_back(old[static_cast<std::size_t>(at - before.begin())]);
    }
    call->args.insert(call->args.end(), old.begin() + static_cast<std::ptrdiff_t>(before.size()), old.end());
  }
}

void cut_caller(Kernel& kernel) {
  std::set<std::string> taken(kernel.counts.begin(), kernel.counts.end());
  for (const Argument& a : kernel.arguments) taken.insert(a.name);
  const auto fresh = [&](std::string name) {
    while (taken.contains(name)) name += "_";
    return name;
  };
  Call* call = nullptr;
  for (Stmt& s : kernel.body) {
    if (auto* it = std::get_if<Call>(&s.it)) call = it;
  }
  GRADC_CHECK(call && is_integer(call->args.at(0), 0), "a caller that is cut calls all of another");
  const std::string begin = fresh("begin"), end = fresh("end");
  kernel.parts = {{call->args[1], 1}};
  call->args[0] = variable(begin, Type::integer);
  call->args[1] = variable(end, Type::integer);
  const UsedNames used = used_names(kernel.body);
  std::erase_if(kernel.counts, [&](const std::string& count) { return !used.contains(count); });
  kernel.counts.insert(kernel.counts.begin(), {begin, end});
}

}  // namespace gradc

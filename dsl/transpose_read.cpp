// transpose_read.cpp: solves φ(I, R) = a for as many indices as it determines; the rest are summed.
//
// A read at s · i + u, as a convolution with stride s makes, is taken apart first: rows r, r + s, … of A and of the
// window meet in phase r alone, so that each phase is a read at i + q, without steps. Where the window is shorter than
// the stride, or there is none, phases beyond it are zero, and are not computed.
//
// Variables are numbered: first the axes a of A, then the indices (I, R) of y, then remainders made
// by floor divisions. Each equation is φ_d - a_d = 0. Solving one for an index removes that index;
// what the solution may violate (range, divisibility) becomes a guard.
//
// Long because the phases of a stride and what solves the equations are two halves of one transposition.
#include "dsl/transpose_read.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "dsl/bounds.h"
#include "dsl/check.h"
#include "dsl/simplify_scalar.h"

namespace gradc {

ScalarId replace(Graph& g, ScalarId root, ScalarId from, ScalarId to) {
  std::unordered_map<ScalarId, ScalarId> done{{from, to}};
  auto visit = [&](auto&& self, ScalarId id) -> ScalarId {
    if (auto it = done.find(id); it != done.end()) return it->second;
    const ScalarId result = with_arguments(g, id, [&](ScalarId a) { return self(self, a); });
    done.emplace(id, result);
    return result;
  };
  return visit(visit, root);
}

namespace {

// index = numerator / divisor, exactly.
struct Solution {
  std::uint32_t index = 0;
  Affine numerator;
  std::int64_t divisor = 1;
};

// A[φ(I, R)] in y[I] = red[R] …, by its parts.
struct Read {
  Shape axes;                        // of A
  std::vector<ScalarId> subscripts;  // φ
  Shape ranges;                      // of (I, R)
  std::size_t free = 0;              // so many of them are I
  ScalarId cotangent, dy;            // over (I, R)
};

class Transposer {
 public:
  Transposer(Graph& graph, const Read& problem)
      : g(graph),
        problem_(problem),
        axes_(problem.axes),
        rank_(static_cast<std::uint32_t>(axes_.size())),
        extents_(axes_) {
    extents_.insert(extents_.end(), problem.ranges.begin(), problem.ranges.end());
    for (std::uint32_t k = 0; k < problem.ranges.size(); ++k) shift_.push_back(g.index(rank_ + k));
  }

  NodeId run() {
    set_up();
    while (solve_one()) {
    }
    finish_solutions();
    return build();
  }

 private:
  ScalarId shifted(ScalarId id) { return substitute(g, id, shift_); }

  // One equation per subscript, or an equality guard where the subscript is no affine form.
  void set_up() {
    const std::vector<ScalarId>& subscripts = problem_.subscripts;
    for (std::uint32_t d = 0; d < rank_; ++d) {
      if (std::find(paired_.begin(), paired_.end(), d) != paired_.end()) continue;
      Affine form;
      if (as_affine(g, shifted(subscripts[d]), form)) {
        equations_.push_back(plus(form, axis(d), -1));
      } else if (!split_division(subscripts, d)) {
        equalities_.push_back(g.apply(Fn::eq, {shifted(subscripts[d]), g.index(d)}));
      }
    }
  }

  Affine axis(std::uint32_t d) const {
    Affine a;
    a.coefficients.resize(d + 1);
    a.coefficients[d] = 1;
    return a;
  }

  // e / c = a  means  e = c · a + r with 0 <= r < c; if another subscript is e % c, that is r.
  bool split_division(const std::vector<ScalarId>& subscripts, std::uint32_t d) {
    const Scalar s = g[subscripts[d]];
    if (s.kind != ScalarKind::apply) return false;
    if (s.fn != Fn::floor_div && s.fn != Fn::mod) return false;
    const Scalar& divisor = g[s.args[1]];
    if (divisor.kind != ScalarKind::literal || divisor.value < 1) return false;
    const auto c = static_cast<std::int64_t>(divisor.value);
    Affine e;
    if (!as_affine(g, shifted(s.args[0]), e)) return false;
    for (std::uint32_t other = d + 1; other < rank_; ++other) {
      const Scalar& t = g[subscripts[other]];
      const Fn partner = s.fn == Fn::mod ? Fn::floor_div : Fn::mod;
      if (t.kind != ScalarKind::apply || t.fn != partner || t.args != s.args) continue;
      const std::uint32_t remainder = s.fn == Fn::mod ? d : other;
      const std::uint32_t quotient = s.fn == Fn::mod ? other : d;
      if (axes_[remainder] != Extent(c)) continue;
      equations_.push_back(plus(plus(e, axis(remainder), -1), axis(quotient), -c));
      paired_.push_back(other);
      return true;
    }
    if (s.fn == Fn::mod) return false;
    const auto r = static_cast<std::uint32_t>(extents_.size());
    extents_.push_back(Extent(c));
    equations_.push_back(plus(plus(e, axis(r), -1), axis(d), -c));
    return true;
  }

  // Takes the equation with the fewest unknowns and solves it for its unknown of largest extent, so
  // that the smallest space remains to be summed.
  bool solve_one() {
    std::size_t best = equations_.size();
    std::size_t fewest = 0;
    for (std::size_t i = 0; i < equations_.size(); ++i) {
      std::size_t unknowns = 0;
      const Affine& equation = equations_[i];
      for (std::size_t v = rank_; v < equation.coefficients.size(); ++v) {
        unknowns += equation.coefficients[v] != 0;
      }
      if (unknowns != 0 && (best == equations_.size() || unknowns < fewest)) {
        best = i;
        fewest = unknowns;
      }
    }
    if (best == equations_.size()) return false;
    Affine equation = equations_[best];
    equations_.erase(equations_.begin() + static_cast<std::ptrdiff_t>(best));
    const std::uint32_t v = choose(equation);
    std::int64_t c = equation.coefficients[v];
    equation.coefficients[v] = 0;
    // c · v + rest = 0, so v = -rest / c; the divisor is kept positive.
    Solution solution{v, plus(Affine{}, equation, c > 0 ? -1 : 1), c > 0 ? c : -c};
    eliminate(solution);
    solutions_.push_back(std::move(solution));
    return true;
  }

  std::uint32_t choose(const Affine& equation) const {
    std::uint32_t best = rank_;
    auto key = [&](std::uint32_t v) {
      const std::int64_t c = equation.coefficients[v];
      return std::tuple(c != 0, max_extent(g, extents_[v]), c == 1 || c == -1);
    };
    for (auto v = rank_ + 1; v < equation.coefficients.size(); ++v) {
      if (key(v) > key(best)) best = v;
    }
    return best;
  }

  // Multiplies what contains the solved index so that it stays affine: c · φ[v := n / c].
  void eliminate(const Solution& s) {
    for (Affine& equation : equations_) {
      if (s.index >= equation.coefficients.size()) continue;
      const std::int64_t c = equation.coefficients[s.index];
      if (c == 0) continue;
      equation.coefficients[s.index] = 0;
      equation = plus(plus(Affine{}, equation, s.divisor), s.numerator, c);
    }
  }

  // An earlier solution may name an index solved later.
  void finish_solutions() {
    values_.resize(extents_.size());
    for (auto s = solutions_.rbegin(); s != solutions_.rend(); ++s) {
      ScalarId value = normalised(substitute(g, from_affine(g, s->numerator), values_));
      Affine whole;
      const bool affine = as_affine(g, value, whole);
      if (s->divisor != 1) {
        const ScalarId divisor = g.literal(static_cast<double>(s->divisor), DType::i32);
        const ScalarId zero = g.literal(0, DType::i32);
        divisible_.push_back(g.apply(Fn::eq, {g.apply(Fn::mod, {value, divisor}), zero}));
        value = g.apply(Fn::floor_div, {value, divisor});
      }
      values_[s->index] = value;
      add_range_guards(s->index, value, affine ? &whole : nullptr, s->divisor);
    }
  }

  ScalarId normalised(ScalarId id) {
    Affine form;
    return as_affine(g, id, form) ? from_affine(g, form) : id;
  }

  // 0 <= v < extent, in so far as it is not certain.
  void add_range_guards(std::uint32_t v, ScalarId value, const Affine* numerator,
                        std::int64_t divisor) {
    std::vector<ScalarId> guards;
    if (!numerator || !never_negative(g, *numerator, extents_)) {
      guards.push_back(g.apply(Fn::ge, {value, g.literal(0, DType::i32)}));
    }
    Affine room = plus(Affine{}, affine_of(extents_[v]), divisor);
    if (numerator) room = plus(room, *numerator, -1);
    room.constant -= 1;
    if (!numerator || !never_negative(g, room, extents_)) {
      guards.push_back(g.apply(Fn::lt, {value, g.size(extents_[v])}));
    }
    if (!guards.empty()) range_guards_.emplace_back(v, std::move(guards));
  }

  // y's own index v, and so checked by reading dy with zero outside.
  bool is_free_index(std::uint32_t v) const {
    return v >= rank_ && v - rank_ < problem_.free;
  }

  // Zero outside is enough if all else stays finite there: sums and products of reads inside.
  bool is_polynomial(ScalarId id, ScalarId dy, std::unordered_set<ScalarId>& seen) const {
    if (id == dy || !seen.insert(id).second) return true;
    const Scalar& s = g[id];
    if (s.kind == ScalarKind::read) {
      const Shape& shape = g[s.tensor].type.shape;
      for (std::size_t d = 0; d < s.args.size() && !s.zero_outside; ++d) {
        if (!always_inside(g, s.args[d], extents_, shape[d])) return false;
      }
      return true;
    }
    if (s.kind != ScalarKind::apply) return true;
    const bool allowed = s.fn == Fn::neg || s.fn == Fn::add || s.fn == Fn::sub || s.fn == Fn::mul ||
                         s.fn == Fn::cast;
    return allowed && std::all_of(s.args.begin(), s.args.end(),
                                  [&](ScalarId a) { return is_polynomial(a, dy, seen); });
  }

  bool reads_inside(ScalarId id) const {
    const Scalar& s = g[id];
    for (std::size_t d = 0; d < s.args.size(); ++d) {
      if (s.kind == ScalarKind::read && !s.zero_outside &&
          !always_inside(g, s.args[d], extents_, g[s.tensor].type.shape[d])) {
        return false;
      }
      if (!reads_inside(s.args[d])) return false;
    }
    return true;
  }

  // body where all of `guards` hold, 0 elsewhere; body is evaluated only there.
  ScalarId guarded(ScalarId body, const std::vector<ScalarId>& guards) {
    if (guards.empty()) return body;
    ScalarId all = guards[0];
    for (std::size_t i = 1; i < guards.size(); ++i) {
      all = g.apply(Fn::logical_and, {all, guards[i]});
    }
    return g.apply(Fn::select, {all, body, g.literal(0, g[body].dtype)});
  }

  // What must hold for `id` not to be 0, the outermost first.
  void conditions_of(ScalarId id, std::vector<ScalarId>& out) {
    const Scalar s = g[id];
    if (s.kind != ScalarKind::apply) return;
    const bool chooses = s.fn == Fn::select && s.args[2] == g.literal(0, s.dtype);
    if (chooses) out.push_back(s.args[0]);
    if (s.fn == Fn::neg || s.fn == Fn::mul || s.fn == Fn::div || s.fn == Fn::cast) conditions_of(s.args[0], out);
    if (s.fn == Fn::mul || chooses) conditions_of(s.args[1], out);
  }

  // Guards that read what may only be read where the body's own conditions hold.
  ScalarId guarded_within(ScalarId body, const std::vector<ScalarId>& guards) {
    std::vector<ScalarId> conditions;
    if (!guards.empty()) conditions_of(body, conditions);
    body = guarded(body, guards);
    for (std::size_t k = conditions.size(); k-- > 0;) body = guarded(body, {conditions[k]});
    return body;
  }

  ScalarId solved(ScalarId id) { return normalise_subscripts(substitute(g, shifted(id), values_)); }

  ScalarId normalise_subscripts(ScalarId root) {
    std::unordered_map<ScalarId, ScalarId> done;
    auto visit = [&](auto&& self, ScalarId id) -> ScalarId {
      if (g[id].args.empty()) return id;
      if (auto it = done.find(id); it != done.end()) return it->second;
      const bool subscripts = g[id].kind == ScalarKind::read;
      return done[id] = with_arguments(g, id, [&](ScalarId a) {
               const ScalarId argument = self(self, a);
               return subscripts ? normalised(argument) : argument;
             });
    };
    return visit(visit, root);
  }

  NodeId build() {
    for (const Affine& left : equations_) {  // without unknowns: diagonals, constant subscripts
      Affine rest = left;
      std::uint32_t d = 0;
      while (d < rank_ && (d >= rest.coefficients.size() || rest.coefficients[d] != -1)) ++d;
      ScalarId a = g.literal(0, DType::i32);
      if (d < rank_) {
        rest.coefficients[d] = 0;
        a = g.index(d);
      }
      equalities_.push_back(g.apply(Fn::eq, {from_affine(g, rest), a}));
    }
    ScalarId body = solved(problem_.cotangent);
    const ScalarId dy = solved(problem_.dy);
    Scalar padded = g[dy];
    padded.zero_outside = true;
    std::vector<ScalarId> guards, inner_guards;
    for (ScalarId guard : equalities_) {  // made before anything was solved
      guard = normalise_subscripts(substitute(g, guard, values_));
      // What a gather compares may lie outside its tensor where a solution is out of range.
      (reads_inside(guard) ? guards : inner_guards).push_back(guard);
    }
    for (ScalarId guard : divisible_) guards.push_back(guard);
    std::unordered_set<ScalarId> seen;
    const bool pad = inner_guards.empty() && is_polynomial(body, dy, seen);
    bool padding = false;
    for (const auto& [v, tests] : range_guards_) {
      if (pad && is_free_index(v)) {
        padding = true;
      } else {
        guards.insert(guards.end(), tests.begin(), tests.end());
      }
    }
    if (padding) body = replace(g, body, dy, g.add(std::move(padded)));
    body = guarded(guarded_within(body, inner_guards), guards);
    return renumber(body);
  }

  // The unknowns that are left are summed, in their old order.
  NodeId renumber(ScalarId body) {
    Shape ranges = axes_;
    std::vector<ScalarId> numbers(extents_.size());
    for (std::uint32_t v = rank_; v < extents_.size(); ++v) {
      if (values_[v].valid()) continue;
      numbers[v] = g.index(static_cast<std::uint32_t>(ranges.size()));
      ranges.push_back(extents_[v]);
    }
    const bool sums = ranges.size() > rank_;
    return g.comprehension(rank_, std::move(ranges), sums ? Reduction::sum : Reduction::none,
                           normalise_subscripts(substitute(g, body, numbers)));
  }

  Graph& g;
  const Read& problem_;
  const Shape axes_;
  const std::uint32_t rank_;
  Shape extents_;                  // of all variables
  std::vector<ScalarId> shift_;    // old index number → variable
  std::vector<Affine> equations_;  // each = 0
  std::vector<std::uint32_t> paired_;
  std::vector<Solution> solutions_;
  std::vector<ScalarId> values_;  // of solved variables
  std::vector<ScalarId> equalities_, divisible_;
  std::vector<std::pair<std::uint32_t, std::vector<ScalarId>>> range_guards_;
};

// ---------------------------------------------------------------- phases

// Subscript number `axis` is stride · i + u + offset, or stride · i + offset; neither index stands in another subscript.
struct Strided {
  std::uint32_t axis = 0, i = 0;
  std::optional<std::uint32_t> u;  // there is none in a window of 1
  std::int64_t stride = 1, offset = 0, window = 1;

  bool fills_phases() const { return window >= stride; }
};

std::optional<Strided> strided(const Graph& g, const Read& read, std::uint32_t axis) {
  Affine form;
  if (!read.axes[axis].is_fixed() || !as_affine(g, read.subscripts[axis], form) || !form.sizes.empty()) return {};
  Strided result{axis, 0, {}, 0, form.constant, 1};
  std::uint32_t count = 0;
  for (std::uint32_t k = 0; k < form.coefficients.size(); ++k) {
    const std::int64_t c = form.coefficients[k];
    if (c == 0) continue;
    ++count;
    if (c == 1) result.u = k;
    if (c > 1) result.i = k, result.stride = c;
    for (std::uint32_t d = 0; d < read.axes.size(); ++d) {
      if (d != axis && uses_index(g, read.subscripts[d], k, k + 1)) return {};
    }
  }
  if (count != (result.u ? 2 : 1) || result.stride < 2 || result.i >= read.free) return {};
  if (!result.u) return result;
  // A window of the read's own, in sums over which it moves along y.
  if (*result.u < read.free || !read.ranges[*result.u].is_fixed()) return {};
  result.window = read.ranges[*result.u].offset;
  return result;
}

// The one read of the cotangent that names the window's index, if it is a factor of it and leaves its tensor where that
// leaves the window: zero outside of the tensor is zero outside of the window.
ScalarId window_factor(const Graph& g, ScalarId root, std::uint32_t u, const Extent& window) {
  std::vector<ScalarId> reads;
  std::unordered_set<ScalarId> seen;
  const auto visit = [&](auto&& self, ScalarId id) -> void {
    if (!seen.insert(id).second) return;
    const Scalar& s = g[id];
    if (s.kind == ScalarKind::read && uses_index(g, id, u, u + 1)) reads.push_back(id);
    for (ScalarId a : s.args) self(self, a);
  };
  visit(visit, root);
  if (reads.size() != 1) return {};
  const auto is_factor = [&](auto&& self, ScalarId id) -> bool {
    const Scalar& s = g[id];
    if (id == reads[0]) return true;
    return s.kind == ScalarKind::apply && s.fn == Fn::mul && (self(self, s.args[0]) || self(self, s.args[1]));
  };
  const Scalar& read = g[reads[0]];
  const Shape& shape = g[read.tensor].type.shape;
  for (std::size_t d = 0; d < read.args.size(); ++d) {
    const Scalar& subscript = g[read.args[d]];
    const bool along = subscript.kind == ScalarKind::index && subscript.index == u && shape[d] == window;
    if (along && is_factor(is_factor, root)) return reads[0];
  }
  return {};
}

// The same read of A in phases: with u = s · q + r, A[s · i + u - p] is phase r of A at i + q, where element a of A is
// element (a + p) / s of phase (a + p) mod s, counted from `first`. Phases get an axis of their own after the axis, if
// there are several.
void take_phases(Graph& g, Read& read, const Strided& at, std::int64_t first, std::int64_t count) {
  const std::int64_t s = at.stride;
  const auto r = static_cast<std::uint32_t>(read.ranges.size());
  Affine position;
  position.coefficients.resize(r);
  position.coefficients[at.i] = 1;
  position.constant = -first;
  const auto phase_axis = [&](std::int64_t phases, std::uint32_t index) {
    read.subscripts.insert(read.subscripts.begin() + at.axis + 1, g.index(index));
    read.axes.insert(read.axes.begin() + at.axis + 1, Extent(phases));
  };
  read.axes[at.axis] = Extent(count);
  if (!at.fills_phases()) {
    read.subscripts[at.axis] = from_affine(g, position);
    if (at.u) phase_axis(at.window, *at.u);
    return;
  }
  const std::uint32_t window = *at.u;
  position.coefficients[window] = 1;
  read.subscripts[at.axis] = from_affine(g, position);
  Affine u;
  u.coefficients.resize(r + 1);
  u.coefficients[window] = s;
  u.coefficients[r] = 1;
  std::vector<ScalarId> values(read.ranges.size());
  values[window] = from_affine(g, u);
  ScalarId inside;
  if (at.window % s != 0) {
    const ScalarId factor = window_factor(g, read.cotangent, window, read.ranges[window]);
    if (factor.valid()) {
      Scalar padded = g[factor];
      padded.zero_outside = true;
      read.cotangent = replace(g, read.cotangent, factor, g.add(std::move(padded)));
    } else {
      inside = g.apply(Fn::lt, {values[window], g.literal(static_cast<double>(at.window), DType::i32)});
    }
  }
  read.cotangent = substitute(g, read.cotangent, values);
  if (inside.valid()) {
    read.cotangent = g.apply(Fn::select, {inside, read.cotangent, g.literal(0, g[read.cotangent].dtype)});
  }
  read.ranges[window] = Extent((at.window + s - 1) / s);
  read.ranges.push_back(Extent(s));
  phase_axis(s, r);
}

NodeId transpose(Graph& g, Read read) {
  const Shape whole = read.axes;
  Shape interleaved;
  std::vector<ScalarId> subscripts;  // of an element of A among the interleaved phases
  ScalarId inside;                   // it is in a phase that is computed
  for (std::uint32_t d = 0, axis = 0; d < whole.size(); ++d, ++axis) {
    const auto at = strided(g, read, axis);
    subscripts.push_back(g.index(d));
    interleaved.push_back(whole[d]);
    if (!at) continue;
    const std::int64_t s = at->stride, p = -at->offset, length = whole[d].offset;
    const std::int64_t first = floor_divided(p, s), count = floor_divided(length - 1 + p, s) - first + 1;
    take_phases(g, read, *at, first, count);
    if (at->u) ++axis;
    const std::int64_t skipped = p - first * s;
    ScalarId& position = subscripts.back();
    if (skipped != 0) position = g.apply(Fn::add, {position, g.literal(static_cast<double>(skipped), DType::i32)});
    if (at->fills_phases()) {
      interleaved.back() = Extent(count * s);
      continue;
    }
    const ScalarId stride = g.literal(static_cast<double>(s), DType::i32);
    const ScalarId phase = g.apply(Fn::mod, {position, stride});
    position = g.apply(Fn::floor_div, {position, stride});
    interleaved.back() = Extent(count);
    ScalarId computed = g.apply(Fn::eq, {phase, g.literal(0, DType::i32)});
    if (at->u) {
      computed = g.apply(Fn::lt, {phase, g.literal(static_cast<double>(at->window), DType::i32)});
      subscripts.push_back(phase);
      interleaved.push_back(Extent(at->window));
    }
    inside = inside.valid() ? g.apply(Fn::logical_and, {inside, computed}) : computed;
  }
  const NodeId phases = Transposer(g, read).run();
  if (read.axes == whole && !inside.valid()) return phases;
  NodeId rows = phases;
  if (interleaved != read.axes) {
    Node rows_of_all;
    rows_of_all.kind = NodeKind::reshape;
    rows_of_all.type = {g[phases].type.dtype, interleaved};
    rows_of_all.operand = phases;
    rows = g.add(std::move(rows_of_all));
  }
  if (interleaved == whole && !inside.valid()) return rows;
  ScalarId body = g.read(rows, std::move(subscripts));
  if (inside.valid()) body = g.apply(Fn::select, {inside, body, g.literal(0, g[body].dtype)});
  return g.comprehension(whole.size(), whole, Reduction::none, body);
}

}  // namespace

NodeId transpose_read(Graph& g, const ReadAdjoint& problem) {
  const Node& y = g[problem.y];
  const Scalar& read = g[problem.read];
  return transpose(g, {g[read.tensor].type.shape, read.args, y.ranges, y.type.rank(), problem.cotangent, problem.dy});
}

}  // namespace gradc

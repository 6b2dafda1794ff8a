// elaborate_recurrence.cpp: recur t { … }: tensors that define each other along time.
//
// Each name gets a past, which stands for it wherever it is read at an earlier time; then each equation is
// elaborated as any other definition by elements, in an order in which what is read at the same time is
// there already; then the knot is tied.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/elaborate_recurrence.h"
#include "dsl/recurrence.h"

namespace gradc {

namespace {

bool is_time(const ast::Index& index, const std::string& time) {
  return index.position.empty() && index.name.text == time;
}

Span span_of(const ast::Index& index) {
  return index.position.empty() ? index.name.span : index.position[0].span;
}

class Elaborator {
 public:
  Elaborator(Elaboration& e, Scope& scope, const ast::Recur& recur, Span span)
      : e_(e), scope_(scope), recur_(recur), span_(span) {
    r_.time = recur.time.name.text;
  }

  void run() {
    bool ok = collect() && find_types() && find_direction();
    e_.recurrence = &r_;
    for (Defined& d : r_.defined) ok = ok && evaluate_starts(d);
    for (std::size_t k : ok ? order() : std::vector<std::size_t>{}) evaluate(r_.defined[k]);
    e_.recurrence = nullptr;
    e_.time.reset();
    tie();
  }

 private:
  Defined* find(const std::string& name) {
    for (Defined& d : r_.defined) {
      if (d.name == name) return &d;
    }
    return nullptr;
  }

  // The equations first, since what else is said of a name is told from them.
  bool collect() {
    if (recur_.time.name.text == "..") {
      e_.error("recurrence-time", recur_.time.name.span, "time is one index, not '..'");
      return false;
    }
    std::vector<const ast::Assign*> others;
    for (const ast::Statement& s : recur_.body) {
      const auto* a = std::get_if<ast::Assign>(&s.what);
      if (a == nullptr) continue;
      const ast::Target& target = a->targets[0];
      const bool timed = std::any_of(target.indices.begin(), target.indices.end(),
                                     [&](const ast::Index& i) { return is_time(i, r_.time); });
      if (!timed) {
        others.push_back(a);
      } else if (bind(e_, scope_, target.name, {})) {
        r_.defined.push_back({target.name.text, a});
      } else {
        return false;
      }
    }
    for (const ast::Assign* a : others) {
      const ast::Target& target = a->targets[0];
      Defined* d = find(target.name.text);
      if (d == nullptr) {
        e_.error("recurrence-time", target.name.span,
                 fmt::format("nothing here depends on '{0}': what a recurrence over '{0}' defines has it "
                             "as an index, {1}[…, {0}, …] = …; what does not, is defined outside",
                             r_.time, target.name.text));
        return false;
      }
      d->starts.push_back(a);
    }
    if (r_.defined.empty() && !scope_.silent) {
      e_.error("recurrence-time", span_, "this recurrence defines nothing");
    }
    return !r_.defined.empty();
  }

  // The equation's target, time with the range that `recur` gives it.
  ast::Target target_of(const Defined& d) const {
    ast::Target target = d.target();
    for (ast::Index& i : target.indices) {
      if (is_time(i, r_.time) && i.range.empty()) i.range = recur_.time.range;
    }
    return target;
  }

  // Shapes and dtypes, from what is read besides the names themselves.
  bool find_types() {
    for (const Defined& d : r_.defined) e_.untyped.insert(d.name);
    // Declared results first, since others may take their ranges from them.
    bool ok = true;
    for (const bool declared : {true, false}) {
      for (Defined& d : r_.defined) ok = ok && (is_result(d.name) != declared || find_type(d));
    }
    for (const Defined& d : r_.defined) e_.untyped.erase(d.name);
    return ok;
  }

  bool is_result(const std::string& name) const {
    if (scope_.definition == nullptr) return false;
    const auto& results = scope_.definition->results;
    return std::any_of(results.begin(), results.end(),
                       [&](const ast::Parameter& r) { return r.name.text == name; });
  }

  bool find_type(Defined& d) {
    std::optional<Shape> declared;
    DType dtype = DType::boolean;
    bool known = false;
    if (scope_.definition != nullptr) {
      for (const ast::Parameter& result : scope_.definition->results) {
        if (result.name.text != d.name) continue;
        declared = declared_shape(e_, scope_, result.type);
        if (result.type.dtype) {
          if (const auto t = dtype_named(result.type.dtype->text)) dtype = *t, known = true;
        }
      }
    }
    const IndexRanges ranges =
        infer_ranges(e_, scope_, target_of(d).indices, d.equation->value, declared);
    if (!ranges.ok) return false;
    d.indices = ranges.indices;
    Shape shape;
    for (std::size_t k = 0; k < d.indices.size(); ++k) {
      if (d.indices[k].name == r_.time) d.time = k;
      shape.push_back(d.indices[k].extent);
    }
    if (!e_.time) e_.time = {r_.time, shape[d.time]};
    if (shape[d.time] != e_.time->second) {
      e_.error("recurrence-time", d.target().name.span,
               fmt::format("'{}' runs over {} here and over {} in another equation; one recurrence has one time",
                           r_.time, text(e_.graph, shape[d.time]), text(e_.graph, e_.time->second)));
      return false;
    }
    if (!check_shape(e_, shape, d.target().name.span)) return false;
    if (!known) dtype = dtype_of_reads(d);
    d.past = e_.graph.new_past({dtype, std::move(shape)});
    e_.graph.label(d.past) = {d.name, {}, place_in_spec(e_, d.target().name.span)};
    scope_.locals[d.name].value = node_value(e_, d.past);
    e_.untyped.erase(d.name);
    return true;
  }

  // The largest dtype that is read or cast to, f32 if there is none or a number has a fraction.
  DType dtype_of_reads(const Defined& d) {
    DType largest = DType::boolean;
    bool any = false;
    auto visit = [&](auto&& self, const ast::Expr& x) -> void {
      const auto count = [&](DType t) { largest = std::max(largest, t), any = true; };
      if (x.kind == ast::ExprKind::number && !x.integer) count(DType::f32);
      if (x.kind == ast::ExprKind::call) {
        if (const auto cast = dtype_named(x.name.text)) return count(*cast);
      }
      const bool named = x.kind == ast::ExprKind::name || x.kind == ast::ExprKind::subscript;
      if (named && !e_.untyped.contains(x.name.text)) {
        const auto v = find_value(e_, scope_, x.name.text);
        if (v && v->is(ValueKind::tensor)) count(v->type.dtype);
      }
      if (x.kind == ast::ExprKind::subscript) return;
      for (const ast::Expr& a : x.args) self(self, a);
      for (const ast::Argument& a : x.arguments) self(self, a.value);
    };
    visit(visit, d.equation->value);
    for (const ast::Assign* start : d.starts) visit(visit, start->value);
    return any && is_float(largest) ? largest : any ? DType::i32 : DType::f32;
  }

  // Where the element of a start that is no index stands, as an axis.
  std::optional<std::size_t> axis_of(const Defined& d, const ast::Target& target, std::size_t entry) {
    const bool after_dots =
        std::any_of(target.indices.begin(), target.indices.begin() + static_cast<std::ptrdiff_t>(entry),
                    [](const ast::Index& i) { return i.name.text == ".."; });
    const std::size_t rank = d.indices.size();
    const std::size_t axis = after_dots ? rank - (target.indices.size() - entry) : entry;
    return axis < rank ? std::optional(axis) : std::nullopt;
  }

  // The time of a start: how far before the first, and on which side. 0 is reported.
  std::int64_t distance(const Defined& d, const ast::Assign& start, bool& at_end) {
    const ast::Target& target = start.targets[0];
    const Extent& length = d.indices[d.time].extent;
    for (std::size_t k = 0; k < target.indices.size(); ++k) {
      if (target.indices[k].name.text == ".." || axis_of(d, target, k) != d.time) continue;
      ast::Expr position;
      if (target.indices[k].position.empty()) {
        position.kind = ast::ExprKind::name;
        position.name = target.indices[k].name;
        position.span = position.name.span;
      } else {
        position = target.indices[k].position[0];
      }
      const Value v = ::gradc::evaluate(e_, scope_, position, Position::integer);
      if (v.poisoned()) return 0;
      const auto at = extent_of(v);
      if (at && at->is_fixed() && at->offset < 0) return -at->offset;
      if (at && at->dim == length.dim && at->scale == length.scale && at->offset >= length.offset) {
        at_end = true;
        return at->offset - length.offset + 1;
      }
      e_.error("recurrence-start", span_of(target.indices[k]),
               fmt::format("{0}[…] is given a value at a time of the recurrence itself, whose '{1}' is 0..{2}; "
                           "a start is at -1 and before, or at {3} and after",
                           d.name, r_.time, text(e_.graph, Extent(plus_one(length, -1))),
                           text(e_.graph, length)));
      return 0;
    }
    e_.error("recurrence-start", target.name.span,
             fmt::format("this start of '{}' has no time where {} has '{}'", d.name, d.name, r_.time));
    return 0;
  }
  static Extent plus_one(Extent x, std::int64_t by) {
    x.offset += by;
    return x;
  }

  bool find_direction() {
    bool any = false;
    for (Defined& d : r_.defined) {
      std::vector<const ast::Assign*> sorted;
      for (const ast::Assign* start : d.starts) {
        bool at_end = false;
        const std::int64_t before = distance(d, *start, at_end);
        if (before == 0) return false;
        if (any && at_end != r_.backwards) {
          e_.error("recurrence-start", start->targets[0].name.span,
                   "this recurrence has starts at both ends; it runs from one of them");
          return false;
        }
        r_.backwards = at_end;
        any = true;
        constexpr std::int64_t most = 64;
        const auto at = static_cast<std::size_t>(std::min(before, most) - 1);
        if (sorted.size() <= at) sorted.resize(at + 1);
        if (before > most || sorted[at] != nullptr) {
          e_.error("recurrence-start", start->targets[0].name.span,
                   before > most ? fmt::format("a recurrence looks back {} steps at most", most)
                                 : fmt::format("this start of '{}' is given twice", d.name));
          return false;
        }
        sorted[at] = start;
      }
      for (const ast::Assign* start : sorted) {
        if (start != nullptr) continue;
        e_.error("recurrence-start", d.target().name.span,
                 fmt::format("the starts of '{}' have a gap: each from the first time on back is needed",
                             d.name));
        return false;
      }
      d.starts = sorted;
    }
    return true;
  }

  // h[b, -1, k] = h0[b, k]: a tensor over the other axes.
  bool evaluate_starts(Defined& d) {
    for (const ast::Assign* start : d.starts) {
      const ast::Target& target = start->targets[0];
      std::vector<ActiveIndex> indices;
      std::optional<EllipsisGroup> dots;
      const std::size_t rank = d.indices.size();
      auto add = [&](const std::string& name, std::size_t axis, Span span) {
        const auto number = static_cast<std::uint32_t>(e_.indices.size() + indices.size());
        indices.push_back({name, e_.graph.index(number), d.indices[axis].extent, span});
      };
      bool fits = true;
      for (std::size_t k = 0; k < target.indices.size(); ++k) {
        const ast::Index& i = target.indices[k];
        const auto axis = axis_of(d, target, k);
        if (i.name.text == ".." && i.position.empty()) {
          const std::size_t count = rank + 1 - std::min(rank + 1, target.indices.size());
          dots = EllipsisGroup{indices.size(), count};
          for (std::size_t n = 0; n < count; ++n) add("..", k + n, i.name.span);
        } else if (axis != d.time) {
          fits = fits && axis && i.position.empty();
          if (fits) add(i.name.text, *axis, i.name.span);
        }
      }
      if (!fits || indices.size() + 1 != rank) {
        e_.error("recurrence-start", target.name.span,
                 fmt::format("the start of '{}' is given for every other index: as in {}", d.name,
                             "h[b, -1, k] = …"));
        return false;
      }
      const ActiveScope active(e_, indices, dots);
      const Value value = ::gradc::evaluate(e_, scope_, start->value);
      const DType dtype = e_.graph[d.past].type.dtype;
      const Value v = value.poisoned() ? value : cast_to(e_, value, dtype, start->value.span);
      const ScalarId body = v.poisoned() ? ScalarId{} : element(e_, v, start->value.span);
      if (!body.valid()) return false;
      std::vector<ScalarId> renumbered(e_.indices.size());
      Shape shape;
      std::vector<std::string> names;
      for (std::size_t k = 0; k < indices.size(); ++k) {
        renumbered[active.first() + k] = e_.graph.index(static_cast<std::uint32_t>(k));
        shape.push_back(indices[k].extent);
        names.push_back(indices[k].name == ".." ? "" : indices[k].name);
      }
      const ScalarId own = substitute(e_.graph, body, renumbered);
      const NodeId node = materialize(e_, tensor_value(e_.graph, {dtype, shape}, own));
      Label& label = e_.graph.label(node);
      if (label.name.empty()) label.name = d.name + "_start";
      if (label.index_names.empty()) label.index_names = std::move(names);
      if (!label.span.valid()) label.span = place_in_spec(e_, target.name.span);
      d.before.push_back(node);
    }
    return true;
  }

  // Names whose elements at the same time an equation reads.
  void reads_now(const ast::Expr& x, std::vector<std::size_t>& found) {
    if (x.kind == ast::ExprKind::subscript) {
      for (std::size_t k = 0; k < r_.defined.size(); ++k) {
        const bool now = x.name.text == r_.defined[k].name &&
                         std::any_of(x.args.begin(), x.args.end(), [&](const ast::Expr& a) {
                           return a.kind == ast::ExprKind::name && a.name.text == r_.time;
                         });
        if (now) found.push_back(k);
      }
    }
    for (const ast::Expr& a : x.args) reads_now(a, found);
    for (const ast::Expr& a : x.pad) reads_now(a, found);
    for (const ast::Argument& a : x.arguments) reads_now(a.value, found);
  }

  // What is read at the same time comes first; in a circle nothing can.
  std::vector<std::size_t> order() {
    std::vector<std::vector<std::size_t>> needs(r_.defined.size());
    for (std::size_t k = 0; k < needs.size(); ++k) reads_now(r_.defined[k].equation->value, needs[k]);
    std::vector<std::size_t> result;
    std::vector<bool> done(needs.size());
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t k = 0; k < needs.size(); ++k) {
        const bool ready = std::all_of(needs[k].begin(), needs[k].end(), [&](std::size_t n) { return done[n]; });
        if (done[k] || !ready) continue;
        done[k] = moved = true;
        result.push_back(k);
      }
    }
    if (result.size() == needs.size()) return result;
    const auto stuck = static_cast<std::size_t>(std::find(done.begin(), done.end(), false) - done.begin());
    const Defined& d = r_.defined[stuck];
    e_.error("recurrence-order", d.target().name.span,
             fmt::format("'{0}' at '{1}' is defined by itself at the same time; read what it depends on at "
                         "an earlier one, as in {0}[…, {1} - 1, …]",
                         d.name, r_.time));
    return {};
  }

  void evaluate(Defined& d) {
    const auto node_count = e_.graph.node_count();
    Value v = evaluate_indexed(e_, scope_, target_of(d), d.equation->value);
    const TensorType type = e_.graph[d.past].type;
    if (!v.poisoned()) v = spread(e_, v, type, d.equation->value.span, in_quotes(d.name));
    if (v.poisoned()) {
      d.failed = true;
      return;
    }
    d.body = materialize(e_, v);
    relabel(e_, d.body, node_count, d.target().name, scope_.in_prelude);
    Label& label = e_.graph.label(d.body);
    if (label.index_names.empty()) {
      for (const ActiveIndex& i : d.indices) label.index_names.push_back(i.name == ".." ? "" : i.name);
    }
  }

  void tie() {
    std::vector<Equation> equations;
    bool ok = true;
    for (const Defined& d : r_.defined) {
      ok = ok && d.body.valid();
      equations.push_back({d.past, d.body, static_cast<std::uint32_t>(d.time)});
    }
    if (equations.empty()) {
      if (recur_.body.empty())
        e_.error("recurrence-time", span_,
                 fmt::format("this recurrence defines nothing; it holds equations such as y[{0}, i] = x[{0}, i] + "
                             "y[{0} - 1, i]",
                             r_.time));
      return;
    }
    if (ok) {
      const NodeId first = recurrence(e_.graph, equations[0].body, equations, r_.backwards);
      const auto loops = find_loops(e_.graph, topological_order(e_.graph, {first}));
      for (const Loop& loop : loops) {
        if (loop.problem.empty() || loop.equations != equations) continue;
        e_.error("recurrence-whole", span_,
                 fmt::format("this recurrence cannot be computed step by step: {}; what it defines may be "
                             "read only by single elements, at '{}' or a fixed number of steps before",
                             loop.problem, r_.time));
        ok = false;
      }
    }
    for (const Defined& d : r_.defined) {
      scope_.locals[d.name].value =
          ok ? node_value(e_, recurrence(e_.graph, d.body, equations, r_.backwards)) : Value{};
    }
  }

  Elaboration& e_;
  Scope& scope_;
  const ast::Recur& recur_;
  Span span_;
  Recurrence r_;
};

}  // namespace

void recur(Elaboration& e, Scope& scope, const ast::Recur& r, Span span) {
  if (e.recurrence != nullptr) {
    e.error("recurrence-whole", span, "a recurrence stands in another; compute one of them outside");
    return;
  }
  Elaborator(e, scope, r, span).run();
}

}  // namespace gradc

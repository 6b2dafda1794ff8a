// rewrite_rules.cpp: that the rules are applied, and to what; simplify_range.cpp has what they keep.
#include "dsl/rewrite_rules.h"

#include <set>

#include "calculus.h"
#include "dsl/simplify.h"
#include "dsl/simplify_scalar.h"

using namespace test;

namespace {

bool is_condition(char letter) {
  return letter == 'p' || letter == 'q';
}

void letters_of(const Pattern& p, std::set<char>& out) {
  if (p.kind == Pattern::letter) out.insert(p.name);
  for (const Pattern& a : p.args) letters_of(a, out);
}

// The pattern over inputs named by its letters; every part of it is kept in `parts`.
ScalarId build(World& w, const Pattern& p, std::vector<ScalarId>& parts) {
  if (p.kind == Pattern::number) return w.real(p.value);
  if (p.kind == Pattern::letter) {
    parts.push_back(w.own(w.leaves.at(std::string(1, p.name))));
    return parts.back();
  }
  std::vector<ScalarId> args;
  for (const Pattern& a : p.args) args.push_back(build(w, a, parts));
  // A comparison or a condition holds no number of another dtype in our rules.
  const ScalarId s = w.g.apply(p.fn, args);
  parts.push_back(s);
  return s;
}

// All combinations of the samples, one input per letter.
void sample(World& w, const std::set<char>& letters, const std::vector<double>& numbers) {
  std::size_t count = 1;
  for (char c : letters) count *= is_condition(c) ? 2 : numbers.size();
  std::size_t stride = 1;
  for (char c : letters) {
    const std::string name(1, c);
    const Shape shape{Extent(static_cast<std::int64_t>(count))};
    w.leaf(name, shape, is_condition(c) ? DType::boolean : DType::f64);
    const std::size_t n = is_condition(c) ? 2 : numbers.size();
    Array a{{static_cast<std::int64_t>(count)}, {}};
    for (std::size_t k = 0; k < count; ++k) {
      const std::size_t which = k / stride % n;
      a.data.push_back(is_condition(c) ? static_cast<double>(which) : numbers[which]);
    }
    w.env.values[name] = std::move(a);
    stride *= n;
  }
}

}  // namespace

TEST_CASE("every rule applies to what it is written for") {
  const Peek no_peek = [](ScalarId) { return std::nullopt; };
  for (const RewriteRule& rule : rewrite_rules()) {
    INFO(rule.pattern);
    World w;
    const Pattern left = parse_pattern(rule.pattern);
    std::set<char> letters;
    letters_of(left, letters);
    sample(w, letters, {0.7, 1.3});
    std::vector<ScalarId> parts;
    ScalarId a = build(w, left, parts);
    std::vector<ScalarId> replaced;
    for (char c : {'k', 'j'}) {
      if (!letters.contains(c)) continue;
      // Literals in place of the reads.
      const ScalarId read = w.own(w.leaves.at(std::string(1, c)));
      std::function<ScalarId(ScalarId)> put = [&](ScalarId id) -> ScalarId {
        if (id == read) return w.real(c == 'k' ? 3 : 5);
        Scalar s = w.g[id];
        if (s.kind != ScalarKind::apply) return id;
        for (ScalarId& x : s.args) x = put(x);
        return w.g.add(s);
      };
      a = put(a);
    }
    const std::optional<ScalarId> b = apply_rules(w.g, a, no_peek);
    REQUIRE(b.has_value());
    CHECK(*b != a);
  }
}

TEST_CASE("stable forms are finite and accurate where the naive ones are not") {
  World w;
  const NodeId x = w.leaf("x", {6});
  w.env.values["x"] = {{6}, {-1000, -50, -1, 1, 50, 1000}};
  const ScalarId v = w.own(x), one = w.real(1);
  const ScalarContext context{{6}, [](ScalarId) { return std::nullopt; }, false};
  auto simple = [&](ScalarId s) { return w.value(w.each({6}, simplify_scalar(w.g, s, context))); };
  const ScalarId e = w.f(Fn::exp, v), minus = w.f(Fn::exp, w.f(Fn::neg, v));
  const ScalarId sigmoid = w.div(one, w.add(one, minus));
  const std::vector<double> log_sigmoid = simple(w.f(Fn::log, sigmoid));
  CHECK(log_sigmoid[0] == -1000);
  CHECK(log_sigmoid[4] == Approx(-1.928749847963918e-22));
  const std::vector<double> log_other = simple(w.f(Fn::log, w.sub(one, sigmoid)));
  CHECK(log_other[5] == -1000);
  CHECK(log_other[1] == Approx(-1.928749847963918e-22));
  const std::vector<double> softplus = simple(w.f(Fn::log, w.add(one, e)));
  CHECK(softplus[5] == 1000);
  CHECK(softplus[1] == Approx(1.928749847963918e-22));
  CHECK(simple(w.div(e, w.add(one, e)))[5] == 1);
  CHECK(simple(w.sub(one, sigmoid))[4] == Approx(1.928749847963918e-22));
  CHECK(simple(w.f(Fn::log, e))[0] == -1000);
}

TEST_CASE("literals that are no numbers are left alone, and simplification ends") {
  for (const double literal : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    for (const Fn outer : {Fn::add, Fn::sub, Fn::mul, Fn::div}) {
      for (const Fn inner : {Fn::add, Fn::sub, Fn::mul, Fn::div}) {
        World w;
        const ScalarId x = w.own(w.input("x", {3}));
        const ScalarContext context{{3}, [](ScalarId) { return std::nullopt; }, false};
        const auto simple = [&](ScalarId s) { return w.value(w.each({3}, simplify_scalar(w.g, s, context))); };
        for (const ScalarId s : {w.f(outer, w.real(0.25), w.f(inner, w.real(literal), x)),
                                 w.f(outer, w.f(inner, w.real(literal), x), w.real(literal)),
                                 w.f(outer, w.real(0), w.f(inner, x, w.real(literal)))}) {
          CHECK(simple(s).size() == 3);
        }
      }
    }
  }
}

TEST_CASE("literals meet only where nothing of what stands beside them gets lost") {
  // k outer (j inner x) in f64, sums (x inner j) outer k, beyond the range and the digits of its numbers when k and j meet.
  struct Sample {
    Fn outer, inner;
    double k, j, x;
  };
  for (const Sample& s : {Sample{Fn::mul, Fn::mul, 1e200, 1e200, 1e-250}, Sample{Fn::mul, Fn::mul, 1e-200, 1e-200, 1e250},
                          Sample{Fn::div, Fn::mul, 1e-200, 1e200, 1e-150}, Sample{Fn::add, Fn::add, 1e-9, 1e8, -1e8},
                          Sample{Fn::sub, Fn::add, 1e-9, 1e8, -1e8}}) {
    World w;
    const NodeId x = w.input("x", {}, s.x, s.x);
    w.env.values["x"].data = {s.x};
    const bool sum = s.inner == Fn::add;
    const auto apply = [&](Fn fn, double literal, ScalarId value) {
      const ScalarId k = w.g.literal(literal, DType::f64);
      return sum ? w.g.apply(fn, {value, k}) : w.g.apply(fn, {k, value});
    };
    const NodeId y = w.g.comprehension(0, {}, Reduction::none, apply(s.outer, s.k, apply(s.inner, s.j, w.g.read(x, {}))));
    const double before = w.value(y)[0];
    CAPTURE(s.k, s.j, s.x, before);
    REQUIRE(std::isfinite(before));
    REQUIRE(before != 0);
    Function f;
    f.name = "f";
    f.outputs = {{"y", y}};
    w.g.functions = {f};
    simplify(w.g);
    CHECK(w.value(w.g.functions[0].outputs[0].node)[0] == before);
  }
  // What is no number is never made of them, and stays where it is.
  CHECK_FALSE(combines_safely(Fn::mul, 0.25, NAN, DType::f32));
  CHECK_FALSE(combines_safely(Fn::mul, 0, HUGE_VAL, DType::f32));
  CHECK_FALSE(combines_safely(Fn::sub, HUGE_VAL, HUGE_VAL, DType::f64));
  CHECK_FALSE(combines_safely(Fn::sub, 1e-9, 1, DType::f64));
  // And they do meet where nothing is.
  CHECK(combines_safely(Fn::mul, 3, 0.1, DType::f32));
  CHECK(combines_safely(Fn::add, 1, 2, DType::f32));
  CHECK(combines_safely(Fn::add, 0.1, 0.2, DType::f64));
  CHECK_FALSE(combines_safely(Fn::mul, 1e30, 1e30, DType::f32));
  CHECK(combines_safely(Fn::mul, 1e30, 1e30, DType::f64));
  CHECK_FALSE(combines_safely(Fn::add, 1e8, 1e-3, DType::f32));
}

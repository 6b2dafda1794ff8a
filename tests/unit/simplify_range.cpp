// simplify_range.cpp: what docs/simplification.md promises of the rules and of whole formulas, at all kinds of floats in both
// precisions. GRADC_FORMULAS=n tries so many formulas.
#include <cstdlib>
#include <functional>
#include <set>

#include "calculus.h"
#include "dsl/graph_to_text.h"
#include "dsl/rewrite_rules.h"
#include "dsl/simplify.h"
#include "float_range.h"
#include "tests/random_graph.h"

using namespace test;

namespace {

bool is_literal(char letter) { return letter == 'k' || letter == 'j'; }
bool is_condition(char letter) { return letter == 'p' || letter == 'q'; }

void letters_of(const Pattern& p, std::set<char>& out) {
  if (p.kind == Pattern::letter) out.insert(p.name);
  for (const Pattern& a : p.args) letters_of(a, out);
}

std::string shown(long double v) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9Lg", v);
  return text;
}

// A rule for given literals, over inputs of rank 0.
struct Instance {
  World w;
  std::map<char, double> literals;
  std::map<char, NodeId> inputs;
  bool safe = true;  // the rule is applied

  ScalarId build(const Pattern& p, DType t) {
    if (p.kind == Pattern::number) return w.real(p.value, t);
    if (p.kind == Pattern::letter) {
      if (is_literal(p.name)) return w.real(literals.at(p.name), t);
      const auto it = inputs.find(p.name);
      const DType dtype = is_condition(p.name) ? DType::boolean : t;
      const NodeId id = it != inputs.end() ? it->second : w.leaf(std::string(1, p.name), {}, dtype);
      inputs[p.name] = id;
      return w.g.read(id, {});
    }
    std::vector<ScalarId> args;
    for (const Pattern& a : p.args) args.push_back(build(a, t));
    const auto literal = [&](std::size_t k) { return w.g[args[k]].kind == ScalarKind::literal; };
    if (args.size() == 2 && literal(0) && literal(1)) {
      safe = safe && combines_safely(p.fn, w.g[args[0]].value, w.g[args[1]].value, t);
    }
    return w.g.apply(p.fn, args);
  }
};

// What is wrong with `b` in the place of `a`; nothing if the promise is kept.
template <class Real>
std::string broken(const Computed& a, const Computed& b, long double literals) {
  using Limits = std::numeric_limits<Real>;
  const long double units = 16 * Limits::epsilon();
  if (std::isnan(a.value) || std::isnan(a.truth)) return "";
  // So close to the ends of the range that a literal matters
  if (literals > 1 && (a.largest * literals * 4 > Limits::max() || a.smallest < Limits::min() * literals)) return "";
  if (std::isinf(a.value)) {
    if (std::isnan(b.value) && !a.lost) return "an infinity becomes NaN";
    if (std::isinf(b.value) && b.value != a.value && !a.zero) return "an infinity becomes the other one";
    return "";
  }
  if (!(std::fabs(a.truth) * (1 + units) <= Limits::max())) return "";
  if (!std::isfinite(b.value)) return "a finite value does not stay finite";
  const long double scale = a.finite ? a.largest : std::max(b.largest, std::fabs(a.truth));
  const long double allowed = units * scale + 4 * static_cast<long double>(Limits::denorm_min()) + std::fabs(a.value - a.truth);
  if (!(std::fabs(b.value - a.truth) <= allowed)) return "another value";
  return "";
}

template <class Real>
std::vector<std::string> faults(const RewriteRule& rule, std::size_t& compared) {
  const DType t = std::is_same_v<Real, float> ? DType::f32 : DType::f64;
  const Pattern left = parse_pattern(rule.pattern), right = parse_pattern(rule.result);
  std::set<char> letters;
  letters_of(left, letters);
  std::vector<char> read;
  for (const char c : letters) {
    if (!is_literal(c)) read.push_back(c);
  }
  std::mt19937 random(static_cast<unsigned>(rule.pattern.size()));
  const auto floats = std::count_if(read.begin(), read.end(), [](char c) { return !is_condition(c); });
  const std::vector<long double> values = all_kinds_of<Real>(random, floats == 1 ? 1000 : floats == 2 ? 40 : 2);
  const std::vector<double> numbers = {0.1, -1, 2, -0.75, 3, 1e-5, 7e4, -1e9, 1e-30, 1e30};
  std::vector<std::string> found;
  const auto for_literals = [&](double k, double j) {
    Instance rule_of;
    rule_of.literals = {{'k', k}, {'j', j}};
    const ScalarId before = rule_of.build(left, t);
    rule_of.safe = true;
    const ScalarId after = rule_of.build(right, t);
    if (!rule_of.safe) return;
    const auto size = [](double v) { return static_cast<long double>(std::max(std::fabs(v), 1 / std::fabs(v))); };
    const long double literals = (letters.contains('k') ? size(k) : 1) * (letters.contains('j') ? size(j) : 1);
    std::map<NodeId, std::vector<long double>> at;
    std::vector<std::size_t> place(read.size());
    for (;;) {
      for (std::size_t n = 0; n < read.size(); ++n) {
        at[rule_of.inputs.at(read[n])] = {is_condition(read[n]) ? static_cast<long double>(place[n]) : values[place[n]]};
      }
      const Computed a = Formula<Real>(rule_of.w.g, at).run(before), b = Formula<Real>(rule_of.w.g, at).run(after);
      ++compared;
      std::string what = broken<Real>(a, b, literals);
      if (what.empty() && std::isnan(a.value) && !std::isnan(b.value)) {
        // A NaN that is read stays one, but where another number in its place would make no difference.
        for (auto& [input, values_of] : at) {
          long double& value = values_of[0];
          if (!std::isnan(value)) continue;
          const long double kept = value;
          value = 0.7L;
          const Computed other = Formula<Real>(rule_of.w.g, at).run(after);
          value = kept;
          if (other.value != b.value) what = "a NaN gets lost";
        }
      }
      if (!what.empty() && found.size() < 4) {
        std::string text = what + ":";
        for (std::size_t n = 0; n < read.size(); ++n) text += std::string(" ") + read[n] + " = " + shown(at[rule_of.inputs.at(read[n])][0]);
        if (letters.contains('k')) text += " k = " + shown(k);
        if (letters.contains('j')) text += " j = " + shown(j);
        found.push_back(text + "; " + shown(a.value) + " became " + shown(b.value) + ", " + shown(a.truth) + " is true");
      }
      std::size_t n = 0;
      for (; n < read.size(); ++n) {
        if (++place[n] < (is_condition(read[n]) ? 2 : values.size())) break;
        place[n] = 0;
      }
      if (n == read.size()) break;
    }
  };
  for (const double k : numbers) {
    for (const double j : numbers) {
      for_literals(k, j);
      if (!letters.contains('j')) break;
    }
    if (!letters.contains('k')) break;
  }
  return found;
}

// ---- random formulas ----

// Sums, products and quotients of a few numbers, elements and sums of them, of what holds under conditions, and of functions
// that simplify knows; y[i] of them.
struct RandomFormula {
  Choices choices;
  World w;
  DType t;
  static constexpr std::int64_t extent = 3;
  std::vector<NodeId> scalars, vectors, conditions;

  RandomFormula(std::uint64_t seed, DType dtype) : choices(seed), t(dtype) {
    for (const char* name : {"a", "b"}) scalars.push_back(w.leaf(name, {}, t));
    for (const char* name : {"u", "v"}) vectors.push_back(w.leaf(name, {Extent(extent)}, t));
    conditions.push_back(w.leaf("p", {}, DType::boolean));
    Function f;
    f.name = "f";
    const ScalarId body = choices.chance(35) ? stable() : formula(static_cast<int>(choices.number(2, 3)), 1);
    f.outputs = {{"y", w.each({Extent(extent)}, body)}};
    w.g.functions = {f};
  }

  ScalarId number() {
    constexpr double numbers[] = {1, 2, -1, 0.5, 3, 0.1, -0.75, 10, -1e4, 1e9, 1e-9};
    return w.real(choices.one_of(numbers), t);
  }
  // In a comprehension of so many indices.
  ScalarId leaf(std::uint32_t indices) {
    if (choices.chance(25)) return number();
    if (choices.chance(60)) return w.g.read(choices.one_of(vectors), {w.i(static_cast<std::uint32_t>(choices.number(0, indices - 1)))});
    return w.g.read(choices.one_of(scalars), {});
  }
  ScalarId formula(int depth, std::uint32_t indices) {
    if (depth == 0 || choices.chance(15)) return leaf(indices);
    const ScalarId x = formula(depth - 1, indices);
    switch (choices.number(0, 13)) {
      case 0: return w.f(Fn::neg, x);
      case 1: return w.f(Fn::logistic, x);
      case 2: return w.f(choices.chance(50) ? Fn::exp : Fn::sqrt, x);
      case 3: return w.select(w.g.read(conditions[0], {}), x, choices.chance(70) ? w.real(0, t) : formula(depth - 1, indices));
      case 4: {
        if (indices > 1) return x;
        return total(formula(depth - 1, 2));
      }
      case 5: {  // one or the other
        const ScalarId m = leaf(indices), y = formula(depth - 1, indices), rest = w.sub(w.real(1, t), m);
        return choices.chance(50) ? w.add(w.mul(x, m), w.mul(rest, y)) : w.sub(w.mul(y, m), w.mul(x, rest));
      }
      default: break;
    }
    const ScalarId y = choices.chance(20) ? x : formula(depth - 1, indices);
    constexpr Fn both[] = {Fn::add, Fn::sub, Fn::mul, Fn::mul, Fn::div};
    return w.f(choices.one_of(both), x, y);
  }
  ScalarId total(ScalarId body) {
    const Shape ranges = {Extent(extent), Extent(extent)};
    return w.own(w.sum(1, ranges, body));
  }
  // Of exponentials.
  ScalarId stable() {
    const ScalarId exponent = choices.chance(50) ? w.g.read(vectors[0], {w.i(1)}) : formula(2, 2);
    const ScalarId sum = total(w.f(Fn::exp, exponent));
    if (choices.chance(50)) return w.f(Fn::log, sum);
    const ScalarId own = w.f(Fn::exp, substitute(w.g, exponent, std::vector{w.i(0), w.i(0)}));
    const ScalarId share = w.div(own, sum);
    return choices.chance(30) ? w.f(Fn::log, share) : share;
  }

  // Most are numbers one might meet; some are of any kind.
  template <class Real>
  std::map<NodeId, std::vector<long double>> values(const std::vector<long double>& all_kinds) {
    constexpr double exact[] = {0, 0, 1, 1, -1, 0.5, 2, -3, 100};
    const int special = choices.chance(30) ? 40 : 0;
    const double exponents = choices.chance(50) ? 2 : 40;
    std::map<NodeId, std::vector<long double>> result;
    for (const auto& [name, id] : w.leaves) {
      for (std::int64_t k = w.g[id].type.rank() == 0 ? 1 : extent; k > 0; --k) {
        double v = choices.real(1, 2) * std::exp2(std::floor(choices.real(-exponents, exponents)));
        if (choices.chance(50)) v = -v;
        if (choices.chance(30)) v = choices.one_of(exact);
        if (choices.chance(15) && !result.empty()) {  // nearly what another is
          v = static_cast<double>(choices.one_of(choices.one_of(std::vector(result.begin(), result.end())).second)) * (1 + choices.number(-1, 1) * 1e-5);
        }
        if (w.g[id].type.dtype == DType::boolean) v = choices.chance(50);
        const bool any = choices.chance(special) && w.g[id].type.dtype != DType::boolean;
        result[id].push_back(any ? choices.one_of(all_kinds) : static_cast<long double>(static_cast<Real>(v)));
      }
    }
    return result;
  }
};

// Where the numbers on the way may be taken together in any order without leaving the range.
template <class Real>
bool within_range(const Computed& c) {
  using Limits = std::numeric_limits<Real>;
  return c.spread * 1024 < std::min<long double>(Limits::max(), 1 / Limits::min());
}

// What simplification must not do: (x - y) z is x z - y z.
void multiply_out(Graph& g) {
  std::function<ScalarId(ScalarId)> out = [&](ScalarId id) {
    Scalar s = g[id];
    if (s.kind != ScalarKind::apply) return id;
    for (ScalarId& a : s.args) a = out(a);
    const ScalarId same = g.add(s);
    if (s.fn != Fn::mul) return same;
    const Scalar left = g[s.args[0]];
    if (left.kind != ScalarKind::apply || left.fn != Fn::sub) return same;
    return g.apply(Fn::sub, {g.apply(Fn::mul, {left.args[0], s.args[1]}), g.apply(Fn::mul, {left.args[1], s.args[1]})});
  };
  NodeId& y = g.functions[0].outputs[0].node;
  const Node n = g[y];
  y = g.comprehension(n.type.rank(), n.ranges, n.reduction, out(n.body));
}

template <class Real>
std::string formula_fault(std::uint64_t seed, std::size_t& compared, void (*rewrite)(Graph&) = simplify) {
  RandomFormula f(seed, std::is_same_v<Real, float> ? DType::f32 : DType::f64);
  const NodeId before = f.w.g.functions[0].outputs[0].node;
  Graph simple = f.w.g;
  rewrite(simple);
  const NodeId after = simple.functions[0].outputs[0].node;
  if (after == before) return "";
  std::mt19937 random(static_cast<unsigned>(seed));
  const std::vector<long double> all_kinds = all_kinds_of<Real>(random, 20);
  for (int k = 0; k < 30; ++k) {
    const auto values = f.template values<Real>(all_kinds);
    for (std::int64_t i = 0; i < RandomFormula::extent; ++i) {
      const auto at = [&](Graph& g, NodeId id) {
        const ScalarId read = g.read(id, {g.index(0)});
        return Formula<Real>(g, values).run(read, {i});
      };
      const Computed a = at(f.w.g, before), b = at(simple, after);
      const long double allowed = 32 * std::numeric_limits<Real>::epsilon() * a.error;
      const bool known = std::isfinite(a.value) && std::isfinite(a.truth) && std::isfinite(allowed) && within_range<Real>(a);
      if (!known) continue;
      ++compared;
      if (std::isfinite(b.value) && std::fabs(b.value - a.truth) <= allowed) continue;
      std::string text = shown(a.value) + " became " + shown(b.value) + ", " + shown(a.truth) + " is true, allowed " + shown(allowed) + "\n";
      for (const auto& [id, list] : values) {
        text += f.w.g[id].name + " =";
        for (const long double v : list) text += " " + shown(v);
        text += "\n";
      }
      return text + graph_to_text(f.w.g) + graph_to_text(simple);
    }
  }
  return "";
}

}  // namespace

TEST_CASE("simplified formulas are as good as what they were, within the range of numbers") {
  const char* const by_hand = std::getenv("GRADC_FORMULAS");
  const std::uint64_t count = by_hand == nullptr ? 3000 : std::strtoull(by_hand, nullptr, 10);
  std::size_t compared = 0;
  int wrong = 0;
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    for (const bool single : {false, true}) {
      const std::string fault = single ? formula_fault<float>(seed, compared) : formula_fault<double>(seed, compared);
      if (fault.empty()) continue;
      if (++wrong > 20) break;
      INFO("seed " << seed << (single ? " in f32\n" : " in f64\n") << fault);
      CHECK(fault.empty());
    }
  }
  CHECK(wrong == 0);
  CHECK(compared > 100 * count);
}

TEST_CASE("a formula that is multiplied out is caught") {
  std::size_t compared = 0;
  bool single = false, twice = false;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    single = single || !formula_fault<float>(seed, compared, multiply_out).empty();
    twice = twice || !formula_fault<double>(seed, compared, multiply_out).empty();
  }
  CHECK(single);
  CHECK(twice);
}

TEST_CASE("a blend of two numbers is not regrouped") {
  // With one factor of a thousand million, nothing would be left of s where m is 1.
  World w;
  const NodeId s = w.input("s", {5}), m = w.input("m", {5});
  w.env.values["m"].data = {0, 1, 1, 0, 1};
  const ScalarId rest = w.sub(w.real(1), w.own(m));
  const NodeId y = w.each({5}, w.add(w.mul(w.own(s), w.own(m)), w.mul(rest, w.real(-1e9))));
  Function f;
  f.name = "f";
  f.outputs = {{"y", y}};
  w.g.functions = {f};
  const std::vector<double> before = w.value(y);
  simplify(w.g);
  CHECK(w.value(w.g.functions[0].outputs[0].node) == before);
}

TEST_CASE("every identity keeps its promise for all kinds of floats") {
  for (const RewriteRule& rule : rewrite_rules()) {
    for (const bool single : {false, true}) {
      std::size_t compared = 0;
      const std::vector<std::string> found = single ? faults<float>(rule, compared) : faults<double>(rule, compared);
      CHECK(compared > 0);
      for (const std::string& what : found) {
        INFO(rule.pattern << " = " << rule.result << (single ? " in f32: " : " in f64: ") << what);
        CHECK(what == "");
      }
    }
  }
}

TEST_CASE("wrong identities are caught, whatever is wrong with them") {
  struct Wrong {
    RewriteRule rule;
    const char* what;
  };
  const Wrong planted[] = {
      {{"log(1 + exp(x))", "x"}, "another value"},
      {{"x - 0.5", "x - 0.50001"}, "another value"},
      {{"not (x < y)", "x >= y"}, "another value"},                                // of NaN
      {{"select(p, x, 0) * y", "select(p, x * y, y)"}, "another value"},
      {{"1 / (x * x)", "1 / x / x * 1"}, ""},                                      // right, and not to be complained of
      {{"x * x / x", "x * (x / x)"}, ""},
      {{"log1pexp(x)", "log(1 + exp(x))"}, "a finite value does not stay finite"},  // of x = 1000
      {{"x / y", "x * (1 / y)"}, "a finite value does not stay finite"},            // of subnormal numbers
      {{"k * (x / y)", "k / y * x"}, "a finite value does not stay finite"},
      {{"x * x", "x * x * x / x"}, "an infinity becomes NaN"},
      {{"max(x, y)", "select(x > y, x, y)"}, "a NaN gets lost"},
      {{"expm1(x)", "exp(x) - 1"}, "another value"},  // of x = 1e-30
  };
  for (const Wrong& w : planted) {
    for (const bool single : {false, true}) {
      std::size_t compared = 0;
      const std::vector<std::string> found = single ? faults<float>(w.rule, compared) : faults<double>(w.rule, compared);
      INFO(w.rule.pattern << " = " << w.rule.result << (found.empty() ? "" : found[0]));
      const bool expected = std::any_of(found.begin(), found.end(), [&](const std::string& f) { return f.rfind(w.what, 0) == 0; });
      CHECK((*w.what == 0 ? found.empty() : expected));
    }
  }
}

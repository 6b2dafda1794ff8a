// codegen_cut_ranges.cpp: loops cut where conditions on their variables change: their text, what random ones store before
// and after, and whole graphs against the interpreter.
#include "codegen/cut_ranges.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "codegen/compile.h"
#include "codegen/exprs.h"
#include "codegen/loops_to_text.h"
#include "dsl/check.h"
#include "tests/catch.h"
#include "tests/emitted_cases.h"
#include "tests/random_graph.h"

using namespace gradc;
using namespace gradc::loops;

namespace {

Expr at(const std::string& name) { return variable(name, Type::integer); }
Expr compare(Fn fn, Expr a, Expr b) { return apply(fn, {std::move(a), std::move(b)}, Type::boolean); }
Expr select(Expr condition, Expr a, Expr b) {
  const Type type = a.type;
  return apply(Fn::select, {std::move(condition), std::move(a), std::move(b)}, type);
}
Expr x(Expr index) { return load("x", DType::f32, std::move(index)); }
Expr f32(double value) { return number(value, Type::f32); }

Stmt loop(const std::string& name, Expr end, Block body, LoopKind kind = LoopKind::parallel) {
  return {For{name, {integer(0)}, std::move(end), 1, kind, std::move(body)}};
}
Stmt store(Expr index, Expr value) { return {Store{"y", std::move(index), std::move(value)}}; }
Stmt let(const std::string& name, Expr value) { return {Let{name, std::move(value)}}; }

Kernel kernel_of(Block body) {
  Kernel k;
  k.name = "f";
  k.counts = {"N"};
  k.arguments = {{"x", DType::f32}, {"y", DType::f32, true}};
  k.body = std::move(body);
  return k;
}

// What is between the braces, its lines trimmed and with spaces between.
std::string cut(Block body, const Sizes& sizes = {}) {
  Kernel k = kernel_of(std::move(body));
  cut_ranges(k, sizes);
  const std::string text = kernel_to_text(k, cpp_target());
  std::string result;
  for (const char c : text.substr(text.find('{') + 1, text.rfind('}') - text.find('{') - 1)) {
    const bool space = c == ' ' || c == '\n';
    if (!space) result += c;
    if (space && !result.empty() && result.back() != ' ') result += ' ';
  }
  while (!result.empty() && result.back() == ' ') result.pop_back();
  return result;
}
// for (std::int64_t i = A; i < B; ++i) { … }
std::string loop_text(const std::string& i, const std::string& begin, const std::string& end, const std::string& body) {
  return fmt::format("for (std::int64_t {0} = {1}; {0} < {2}; ++{0}) {{ {3} }}", i, begin, end, body);
}

// y[i] = condition ? x[i] : 1
Block chosen(Expr end, Expr condition, LoopKind kind = LoopKind::parallel) {
  return {loop("i", std::move(end), {store(at("i"), select(std::move(condition), x(at("i")), f32(1)))}, kind)};
}

}  // namespace

TEST_CASE("loops are cut where a comparison of their variable changes, whatever it looks like") {
  const auto two = [](const std::string& where, const std::string& first, const std::string& second) {
    return loop_text("i", "0", where, first) + " " + loop_text("i", where, "40", second);
  };
  const std::string taken = "y[i] = x[i];", other = "y[i] = 1.0f;";
  const auto i = at("i");
  const auto twice = loops::mul(integer(2), i);
  CHECK(cut(chosen(integer(40), compare(Fn::lt, i, integer(7)))) == two("7", taken, other));
  CHECK(cut(chosen(integer(40), compare(Fn::le, i, integer(7)))) == two("8", taken, other));
  CHECK(cut(chosen(integer(40), compare(Fn::gt, i, integer(7)))) == two("8", other, taken));
  CHECK(cut(chosen(integer(40), compare(Fn::ge, i, integer(7)))) == two("7", other, taken));
  CHECK(cut(chosen(integer(40), compare(Fn::gt, integer(7), i))) == two("7", taken, other));
  CHECK(cut(chosen(integer(40), compare(Fn::ge, loops::sub(i, integer(7)), integer(0)))) == two("7", other, taken));
  CHECK(cut(chosen(integer(40), compare(Fn::lt, twice, integer(7)))) == two("4", taken, other));
  CHECK(cut(chosen(integer(40), compare(Fn::le, twice, integer(7)))) == two("4", taken, other));
  CHECK(cut(chosen(integer(40), compare(Fn::gt, twice, integer(7)))) == two("4", other, taken));
  CHECK(cut(chosen(integer(40), compare(Fn::ge, twice, integer(8)))) == two("4", other, taken));
  CHECK(cut(chosen(integer(40), compare(Fn::lt, loops::sub(integer(7), twice), integer(0)))) == two("4", other, taken));
  const Expr between = apply(Fn::logical_and, {compare(Fn::ge, i, integer(3)), compare(Fn::lt, i, integer(9))}, Type::boolean);
  CHECK(cut(chosen(integer(40), between)) == loop_text("i", "0", "3", other) + " " + loop_text("i", "3", "9", taken) + " " +
                                                 loop_text("i", "9", "40", other));
  const Expr outside = apply(Fn::logical_not, {between}, Type::boolean);
  CHECK(cut(chosen(integer(40), outside)) == loop_text("i", "0", "3", taken) + " " + loop_text("i", "3", "9", other) + " " +
                                                 loop_text("i", "9", "40", taken));
}

TEST_CASE("comparisons that are settled everywhere leave one loop") {
  const std::string taken = loop_text("i", "0", "40", "y[i] = x[i];"), other = loop_text("i", "0", "40", "y[i] = 1.0f;");
  CHECK(cut(chosen(integer(40), compare(Fn::lt, at("i"), integer(40)))) == taken);
  CHECK(cut(chosen(integer(40), compare(Fn::ge, at("i"), integer(0)))) == taken);
  CHECK(cut(chosen(integer(40), compare(Fn::lt, at("i"), integer(0)))) == other);
  CHECK(cut(chosen(integer(40), compare(Fn::ge, at("i"), integer(40)))) == other);
  CHECK(cut(chosen(integer(40), compare(Fn::eq, at("i"), integer(-1)))) == other);
  CHECK(cut(chosen(integer(40), compare(Fn::ne, at("i"), integer(41)))) == taken);
  // What comes out the same in ranges next to each other is one.
  CHECK(cut({loop("i", integer(40), {store(at("i"), select(compare(Fn::lt, at("i"), integer(5)), x(at("i")), x(at("i"))))})}) == taken);
}

TEST_CASE("one position is no loop") {
  CHECK(cut(chosen(integer(40), compare(Fn::eq, at("i"), integer(7)))) ==
        loop_text("i", "0", "7", "y[i] = 1.0f;") + " y[7] = x[7]; " + loop_text("i", "8", "40", "y[i] = 1.0f;"));
  CHECK(cut(chosen(integer(40), compare(Fn::ne, at("i"), integer(0)))) ==
        "y[0] = 1.0f; " + loop_text("i", "1", "40", "y[i] = x[i];"));
  // Names stay in a scope of their own.
  Block named = chosen(integer(40), compare(Fn::lt, at("i"), integer(39)));
  std::get<For>(named[0].it).body.insert(std::get<For>(named[0].it).body.begin(), let("v", x(loops::add(at("i"), integer(1)))));
  std::get<For>(named[0].it).body.push_back(store(loops::add(at("i"), integer(40)), variable("v", Type::f32)));
  CHECK(cut(std::move(named)) == loop_text("i", "0", "39", "const float v = x[i + 1]; y[i] = x[i]; y[i + 40] = v;") +
                                     " { const float v = x[40]; y[39] = 1.0f; y[79] = v; }");
}

TEST_CASE("names of conditions are looked through, and what nothing reads any more is gone") {
  const Expr first = variable("first", Type::boolean), v = variable("v", Type::f32);
  Block body = {let("first", compare(Fn::lt, at("i"), integer(7))), let("v", apply(Fn::exp, {x(at("i"))}, Type::f32)),
                let("w", select(first, v, f32(0))), store(at("i"), apply(Fn::add, {variable("w", Type::f32), x(at("i"))}, Type::f32))};
  CHECK(cut({loop("i", integer(40), std::move(body))}) ==
        loop_text("i", "0", "7", "const float v = gradc::exp(x[i]); const float w = v; y[i] = w + x[i];") + " " +
            loop_text("i", "7", "40", "y[i] = x[i];"));
  // Where a name is a number, nothing declares it, though a loop may go by the same name.
  Block same = {loop("i", integer(40), {let("k", integer(7)), store(at("i"), x(at("k")))}),
                loop("k", integer(40), {store(at("k"), f32(1))})};
  CHECK(cut(std::move(same)) == loop_text("i", "0", "40", "y[i] = x[7];") + " " + loop_text("k", "0", "40", "y[k] = 1.0f;"));
  Block choice = {Stmt{If{compare(Fn::lt, at("i"), integer(7)), {store(at("i"), f32(2))}}}};
  CHECK(cut({loop("i", integer(40), std::move(choice))}) == loop_text("i", "0", "7", "y[i] = 2.0f;"));
  // Clamped positions.
  const Expr clamped = apply(Fn::max, {loops::sub(at("i"), integer(3)), integer(0)}, Type::integer);
  CHECK(cut({loop("i", integer(40), {store(at("i"), x(clamped))})}) ==
        loop_text("i", "0", "3", "y[i] = x[0];") + " " + loop_text("i", "3", "40", "y[i] = x[i - 3];"));
}

TEST_CASE("a name that nothing in its block reads is gone, though a block beside it reads another of that name") {
  const auto reads = [](const Expr& value) {
    return loop("i", integer(40), {let("t", x(at("i"))), store(at("i"), value)});
  };
  const Expr t = variable("t", Type::f32);
  CHECK(cut({reads(select(compare(Fn::lt, at("i"), integer(0)), t, f32(1))), reads(t)}) ==
        loop_text("i", "0", "40", "y[i] = 1.0f;") + " " + loop_text("i", "0", "40", "const float t = x[i]; y[i] = t;"));
}

TEST_CASE("edges of a plane have no conditions within") {
  const auto inside = [](const std::string& v) {
    return apply(Fn::logical_and, {compare(Fn::ge, at(v), integer(1)), compare(Fn::lt, at(v), integer(19))}, Type::boolean);
  };
  const Expr index = loops::add(loops::mul(at("i"), integer(20)), at("j"));
  const Expr value = select(apply(Fn::logical_and, {inside("i"), inside("j")}, Type::boolean), x(index), f32(0));
  const std::string none = loop_text("j", "0", "20", "y[19 * 20 + j] = 0.0f;");
  CHECK(cut({loop("i", integer(20), {loop("j", integer(20), {store(index, value)})})}) ==
        loop_text("j", "0", "20", "y[j] = 0.0f;") + " " +
            loop_text("i", "1", "19",
                      "y[i * 20] = 0.0f; " + loop_text("j", "1", "19", "y[i * 20 + j] = x[i * 20 + j];") +
                          " y[i * 20 + 19] = 0.0f;") +
            " " + loop_text("j", "0", "20", "y[380 + j] = 0.0f;"));
}

TEST_CASE("ranges may end where sizes or outer variables say, if it is known where that is") {
  const Expr n = at("N");
  const Sizes sizes = {{"N", {1, 100}}};
  const std::string taken = "y[i] = x[i];", other = "y[i] = 1.0f;";
  CHECK(cut(chosen(loops::mul(n, integer(2)), compare(Fn::lt, at("i"), n)), sizes) ==
        loop_text("i", "0", "N", taken) + " " + loop_text("i", "N", "2 * N", other));
  CHECK(cut(chosen(n, compare(Fn::lt, at("i"), n)), sizes) == loop_text("i", "0", "N", taken));
  const std::string whole = loop_text("i", "0", "N", "y[i] = i < 7 ? x[i] : 1.0f;");
  CHECK(cut(chosen(n, compare(Fn::lt, at("i"), integer(7))), sizes) == whole);  // N may be less
  CHECK(cut(chosen(n, compare(Fn::lt, at("i"), integer(7))), {}) == whole);     // nothing is known of it
  CHECK(cut(chosen(n, compare(Fn::lt, at("i"), integer(7))), {{"N", {7, 9}}}) ==
        loop_text("i", "0", "7", taken) + " " + loop_text("i", "7", "N", other));
  // Below a diagonal, and beyond.
  const Expr index = loops::add(loops::mul(at("i"), n), at("j"));
  const Expr below = select(compare(Fn::le, at("j"), at("i")), x(index), f32(0));
  CHECK(cut({loop("i", n, {loop("j", n, {store(index, below)})})}, sizes) ==
        loop_text("i", "0", "N",
                  loop_text("j", "0", "i + 1", "y[i * N + j] = x[i * N + j];") + " " +
                      loop_text("j", "i + 1", "N", "y[i * N + j] = 0.0f;")));
}

TEST_CASE("loops stay whole where ranges would be many, or shorter than vectors") {
  Block body;
  for (int k = 1; k <= 8; ++k)
    body.push_back(store(loops::add(at("i"), integer(100 * k)), select(compare(Fn::lt, at("i"), integer(3 * k)), x(at("i")), f32(1))));
  const Block many = {loop("i", integer(40), body)};
  CHECK(cut(many) == cut(many, {}));
  CHECK(cut(many).find("i < 40; ++i) { y[i + 100] = i < 3 ?") != std::string::npos);
  body.pop_back();
  CHECK(cut({loop("i", integer(40), body)}).find('?') == std::string::npos);
  CHECK(cut(chosen(integer(31), compare(Fn::lt, at("i"), integer(16)), LoopKind::vector)).find('?') != std::string::npos);
  CHECK(cut(chosen(integer(32), compare(Fn::lt, at("i"), integer(16)), LoopKind::vector)).find('?') == std::string::npos);
}

namespace {

// Runs loops over integers: what each kernel stores, in order.
struct Machine {
  std::map<std::string, std::int64_t> values;
  std::vector<std::pair<std::int64_t, std::int64_t>> stored = {};

  std::int64_t of(const Expr& e) const {
    if (e.kind == ExprKind::literal) return static_cast<std::int64_t>(e.value);
    if (e.kind == ExprKind::variable) return values.at(e.name);
    if (e.kind == ExprKind::load) return 1000 + of(e.args[0]);
    const auto arg = [&](std::size_t k) { return of(e.args[k]); };
    switch (e.fn) {
      case Fn::add: return arg(0) + arg(1);
      case Fn::sub: return arg(0) - arg(1);
      case Fn::mul: return arg(0) * arg(1);
      case Fn::min: return std::min(arg(0), arg(1));
      case Fn::max: return std::max(arg(0), arg(1));
      case Fn::lt: return arg(0) < arg(1);
      case Fn::le: return arg(0) <= arg(1);
      case Fn::gt: return arg(0) > arg(1);
      case Fn::ge: return arg(0) >= arg(1);
      case Fn::eq: return arg(0) == arg(1);
      case Fn::ne: return arg(0) != arg(1);
      case Fn::logical_and: return arg(0) != 0 && arg(1) != 0;
      case Fn::logical_or: return arg(0) != 0 || arg(1) != 0;
      case Fn::logical_not: return arg(0) == 0;
      case Fn::select: return arg(arg(0) != 0 ? 1 : 2);
      default: GRADC_UNREACHABLE("function");
    }
  }
  void run(const Block& block) {
    for (const Stmt& s : block) {
      if (const auto* l = std::get_if<For>(&s.it)) {
        const std::int64_t end = of(l->end);
        for (std::int64_t i = of(l->begin[0]); i < end; ++i) {
          values[l->variable] = i;
          run(l->body);
        }
      } else if (const auto* choice = std::get_if<If>(&s.it)) {
        if (of(choice->condition) != 0) run(choice->body);
      } else if (const auto* name = std::get_if<Let>(&s.it)) {
        values[name->name] = of(name->value);
      } else {
        const Store& it = std::get<Store>(s.it);
        stored.emplace_back(of(it.index), of(it.value));
      }
    }
  }
};

struct RandomLoops {
  test::Choices choices;
  std::vector<std::string> names = {};  // of variables that are there
  int made = 0;

  Expr form() {
    Expr e = integer(choices.number(-4, 9));
    for (const std::string& name : names) {
      if (choices.chance(40)) e = loops::add(std::move(e), loops::mul(integer(choices.number(-2, 2)), at(name)));
    }
    if (choices.chance(20)) e = loops::sub(std::move(e), at("N"));
    return e;
  }
  Expr condition(int depth) {
    if (depth > 0 && choices.chance(50)) {
      const Fn fn = choices.one_of(std::vector{Fn::logical_and, Fn::logical_or, Fn::logical_not});
      std::vector<Expr> args = {condition(depth - 1)};
      if (fn != Fn::logical_not) args.push_back(condition(depth - 1));
      return apply(fn, std::move(args), Type::boolean);
    }
    return compare(choices.one_of(std::vector{Fn::lt, Fn::le, Fn::gt, Fn::ge, Fn::eq, Fn::ne}), form(), form());
  }
  Expr value(int depth) {
    if (depth == 0 || choices.chance(20)) return choices.chance(30) ? f32(choices.number(0, 2)) : x(form());
    if (choices.chance(60)) return select(condition(1), value(depth - 1), value(depth - 1));
    if (choices.chance(30)) return x(apply(choices.chance(50) ? Fn::min : Fn::max, {form(), form()}, Type::integer));
    return apply(choices.one_of(std::vector{Fn::add, Fn::sub, Fn::mul}), {value(depth - 1), value(depth - 1)}, Type::f32);
  }
  Block block(int depth) {
    Block result;
    const auto count = choices.number(1, 2);
    for (int k = 0; k < count; ++k) {
      if (depth > 0 && choices.chance(70)) {
        const std::string name = "i" + std::to_string(made++);
        const Expr end = choices.chance(40) ? loops::add(at("N"), integer(choices.number(-1, 3))) : integer(choices.number(0, 12));
        names.push_back(name);
        Block body = block(depth - 1);
        names.pop_back();
        result.push_back(loop(name, end, std::move(body)));
      } else if (choices.chance(20)) {
        result.push_back({If{condition(1), block(0)}});
      } else {
        const std::string name = "v" + std::to_string(made++);
        result.push_back(let(name, value(3)));
        result.push_back(store(form(), choices.chance(70) ? variable(name, Type::f32) : value(2)));
      }
    }
    return result;
  }
};

bool is_cut(const Block& block) {
  return std::any_of(block.begin(), block.end(), [](const Stmt& s) {
    const auto* l = std::get_if<For>(&s.it);
    return l && (!is_integer(l->begin[0], 0) || is_cut(l->body));
  });
}

}  // namespace

TEST_CASE("cut loops store the same, in the same order") {
  int cut_somewhere = 0;
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    RandomLoops random{test::Choices(seed)};
    Kernel kernel = kernel_of(random.block(3));
    const Kernel before = kernel;
    const std::int64_t least = random.choices.number(1, 4), most = random.choices.number(least, 10);
    cut_ranges(kernel, {{"N", {least, most}}});
    cut_somewhere += is_cut(kernel.body) ? 1 : 0;
    for (std::int64_t n = least; n <= most; ++n) {
      Machine a{{{"N", n}}}, b{{{"N", n}}};
      a.run(before.body);
      b.run(kernel.body);
      INFO("seed " << seed << ", N = " << n << "\n" << kernel_to_text(before, cpp_target()) << kernel_to_text(kernel, cpp_target()));
      REQUIRE(a.stored == b.stored);
    }
  }
  CHECK(cut_somewhere > 500);
}

namespace {

void check(std::vector<test::EmittedCase> cases) {
  for (const std::string& problem : test::run_emitted(std::move(cases))) FAIL_CHECK(problem);
}

}  // namespace

TEST_CASE("what is put together of parts, shifted, padded or masked, against the interpreter") {
  std::vector<test::EmittedCase> cases;
  const auto add = [&](const std::string& name, const std::string& text, std::vector<std::map<std::string, std::int64_t>> dims = {}) {
    cases.push_back({name, test::graph_of(text), {}, 2});
    cases.back().more_dims = std::move(dims);
  };
  add("parts", "net f(x: f32[3, 40] = \"x\", z: f32[3, 33] = \"z\") -> y: f32[3, 100], s: f32[3] {\n"
               "  y[i in 0..2, c in 0..99] = select(c < 40, exp(x[i, c pad 0]), select(c < 67, 1.0, tanh(z[i, c - 67 pad 0])))\n"
               "  s[i in 0..2] = sum[c in 0..99] y[i, c]\n}\n");
  add("a plane", "net f(x: f32[2, 20, 36] = \"x\") -> y: f32[2, 24, 41], d: f32[2, 20, 36] {\n"
                 "  y[n in 0..1, i in 0..23, j in 0..40] = exp(x[n, i - 1, j - 3 pad 0]) * 2.0\n"
                 "  d[n in 0..1, i in 0..19, j in 0..35] = select(i == 7, x[n, i, j] * 3.0, x[n, i, 35 - j])\n}\n");
  std::vector<std::map<std::string, std::int64_t>> lengths;
  for (std::int64_t n = 1; n <= 50; ++n) lengths.push_back({{"T", n}});
  add("below the diagonal",
      "dim T <= 50\nnet f(x: f32[T, T] = \"x\", u: f32[T, 20] = \"u\") -> y: f32[T, T], s: f32[T], p: f32[T, 20] {\n"
      "  y[i in 0..T-1, j in 0..T-1] = select(j <= i, exp(x[i, j]), 0.0)\n"
      "  s[i in 0..T-1] = sum[j in 0..T-1] select(j < i, x[i, j], 1.0)\n"
      "  p[i in 0..T-1, j in 0..19] = u[i - 1, j pad 0] + u[i + 2, j pad 0]\n}\n",
      lengths);
  add("twice as long",
      "dim T <= 50\nnet f(x: f32[T] = \"x\") -> y: f32[2 * T + 1] {\n"
      "  y[i in 0..2*T] = select(i < T, x[i pad 0], select(i == 2 * T, 7.0, exp(x[i - T pad 0])))\n}\n",
      lengths);
  add("after a product",
      "net f(x: f32[9, 12] = \"x\", w: f32[12, 96] = \"w\") -> y: f32[9, 96] {\n"
      "  z[i in 0..8, j in 0..95] = sum[k in 0..11] x[i, k] * w[k, j]\n"
      "  y[i in 0..8, j in 0..95] = select(j < 32, tanh(z[i, j]), select(j < 64, exp(z[i, j]), z[i, j]))\n}\n");
  check(std::move(cases));
}

TEST_CASE("the gates of a recurrence have loops of their own") {
  const std::string text = kernels_to_text(
      lower(test::graph_of("net f(x: f32[9, 12] = \"x\", w: f32[12, 96] = \"w\") -> y: f32[9, 96] {\n"
                           "  z[i in 0..8, j in 0..95] = sum[k in 0..11] x[i, k] * w[k, j]\n"
                           "  y[i in 0..8, j in 0..95] = select(j < 32, tanh(z[i, j]), select(j < 64, exp(z[i, j]), z[i, j]))\n}\n"),
            "f"),
      cpp_target());
  CHECK(text.find(" ? ") == std::string::npos);
  CHECK(text.find("j = 32; j < 64; ++j") != std::string::npos);
}

// pairs.cpp: products that take bf16 in pairs, by the processor's instruction and without it.
#include <fmt/format.h>

#include "gradc/vector.h"
#include "runtime/gradc/isa.h"
#include "store_otherwise.h"
#include "tests/catch.h"
#include "tests/emitted_cases.h"

using namespace gradc;

namespace {

Target with_pairs() {
  Target target = cpp_target();
  target.bf16 = true;
  target.isa = *isa_named("x86-64-v4-bf16");
  return target;
}
// The same text for a processor that has no such instruction.
Target without_instruction() {
  Target target = with_pairs();
  target.isa = *isa_named("x86-64-v4");
  target.isa.pairs = true;
  return target;
}

// Scores and mixtures of several heads, and a gradient summed over batch and places.
constexpr const char* heads =
    "dim B <= 3\n"
    "net f(q: f32[B, 24, 2, 16] = \"q\", k: f32[B, 48, 2, 16] = \"k\", v: f32[B, 48, 2, 32] = \"v\") "
    "-> o: f32[B, 24, 2, 32], g: f32[32, 32] {\n"
    "  s[b in 0..B-1, h in 0..1, i in 0..23, j in 0..47] = sum[l in 0..15] q[b, i, h, l] * k[b, j, h, l]\n"
    "  e[b in 0..B-1, h in 0..1, i in 0..23, j in 0..47] = tanh(s[b, h, i, j])\n"
    "  o[b in 0..B-1, i in 0..23, h in 0..1, l in 0..31] = sum[j in 0..47] e[b, h, i, j] * v[b, j, h, l]\n"
    "  g[l in 0..31, m in 0..31] = sum[b in 0..B-1, j in 0..47] v[b, j, 0, l] * v[b, j, 1, m]\n}\n";

// The same of causal attention: pairs that are 0, and those of which one is, at both ends of sums.
constexpr const char* causal =
    "net f(s: f32[2, 46, 46] = \"s\", v: f32[2, 46, 32] = \"v\", dy: f32[2, 46, 32] = \"dy\") "
    "-> y: f32[2, 46, 32], dv: f32[2, 46, 32] {\n"
    "  p[h in 0..1, i in 0..45, j in 0..45] = select(j > i, 0.0, tanh(s[h, i, j]))\n"
    "  y[h in 0..1, i in 0..45, l in 0..31] = sum[j in 0..45] p[h, i, j] * v[h, j, l]\n"
    "  dv[h in 0..1, j in 0..45, l in 0..31] = sum[i in 0..45] p[h, i, j] * dy[h, i, l]\n}\n";

std::vector<test::EmittedCase> cases(const Target& target) {
  std::vector<test::EmittedCase> all;
  const auto add = [&](const std::string& name, const std::string& text) {
    test::EmittedCase c;
    c.name = name;
    c.graph = test::graph_of(text);
    c.stored = test::stored_otherwise(c.graph, target);
    all.push_back(std::move(c));
  };
  for (const auto& [m, n, k] : {std::tuple{40, 64, 48}, {33, 16, 34}, {9, 80, 800}, {64, 128, 2}, {1, 32, 64}, {38, 33, 47}})
    add(fmt::format("{}x{}x{}", m, n, k), test::products_of_layer(m, n, k, true));
  add("heads", heads);
  all.back().more_dims = {{{"B", 1}}};
  add("causal", causal);
  return all;
}

void compare(const Target& target, test::Builds builds) {
  test::EmittedOptions options{builds};
  options.plant = [](std::string& source) {  // nothing, but see what there is
    std::size_t dots = 0;
    for (std::size_t at = source.find("gradc::dot("); at != std::string::npos; at = source.find("gradc::dot(", at + 1)) ++dots;
    CHECK(dots > 100);
  };
  for (const std::string& problem : test::run_emitted(cases(target), target, options)) FAIL_CHECK(problem);
}

}  // namespace

TEST_CASE("products of pairs of bf16 are the interpreter's, without an instruction for them") {
  compare(without_instruction(), test::Builds::all);
}

TEST_CASE("products of pairs of bf16 are the interpreter's, by the instruction for them") {
  if (!has_isa("x86-64-v4-bf16")) return;  // compared above, without it
  compare(with_pairs(), test::Builds::all);
}

TEST_CASE("a pair is two products and what was added so far") {
  float wide[32], other[32];
  bf16 a[32], b[32];
  for (int k = 0; k < 32; ++k) {
    a[k] = narrow(wide[k] = rounded(0.3f * static_cast<float>(k) - 4.0f));
    b[k] = narrow(other[k] = rounded(1.0f / static_cast<float>(k + 1)));
  }
  f32x16 start;
  for (int k = 0; k < 16; ++k) start[k] = static_cast<float>(k);
  const f32x16 each = dot(start, load_pairs(a), load_pairs(b)), one = dot(start, spread_pair(a + 6), load_pairs(b));
  const f32x16 rounds = dot(start, spread_pair(wide + 6), load_pairs(b));
  for (int k = 0; k < 16; ++k) {
    CHECK(each[k] == Approx(start[k] + wide[2 * k] * other[2 * k] + wide[2 * k + 1] * other[2 * k + 1]).epsilon(1e-6));
    CHECK(one[k] == Approx(start[k] + wide[6] * other[2 * k] + wide[7] * other[2 * k + 1]).epsilon(1e-6));
    CHECK(rounds[k] == one[k]);
    CHECK(load_pairs(wide)[k] == load_pairs(a)[k]);
  }
}

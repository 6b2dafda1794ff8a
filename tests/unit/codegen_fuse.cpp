// codegen_fuse.cpp: which tensors are computed in the same loops: text, and numbers against the interpreter.
#include <algorithm>
#include <string>

#include "codegen/compile.h"
#include "codegen/loops_to_text.h"
#include "tests/catch.h"
#include "tests/emitted_cases.h"

namespace {

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t found = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

// Loops of the net, and arguments that it writes.
struct Shape {
  std::size_t loops = 0, kernels = 0;
};
Shape shape_of(const std::string& spec) {
  const std::string text = gradc::kernels_to_text(gradc::lower(test::graph_of(spec), "f"), gradc::cpp_target());
  return {count(text, "for ("), count(text, "static void ")};
}

// Rows of 40, of 7, then of 40 again, which need the first alone.
const char* const around =
    "net f(x: f32[5, 40] = \"x\", z: f32[5, 7] = \"z\") -> y: f32[5, 40], s: f32[5, 7], w: f32[5, 40], v: f32[5, 40] {\n"
    "  y[i in 0..4, j in 0..39] = exp(x[i, j])\n"
    "  s[i in 0..4, j in 0..6] = z[i, j] + x[i, 3]\n"
    "  w[i in 0..4, j in 0..39] = y[i, j] + 1.0\n"
    "  v[i in 0..4, j in 0..39] = w[i, j] * y[i, j]\n}\n";

// The same, but what comes last needs what stands between.
const char* const through =
    "net f(x: f32[5, 40] = \"x\", z: f32[5, 7] = \"z\") -> y: f32[5, 40], s: f32[5, 7], w: f32[5, 40] {\n"
    "  y[i in 0..4, j in 0..39] = exp(x[i, j])\n"
    "  s[i in 0..4, j in 0..6] = z[i, j] + y[i, 3]\n"
    "  w[i in 0..4, j in 0..39] = y[i, j] + s[i, 2]\n}\n";

// A parameter is overwritten only after what stands between has read it.
const char* const overwritten =
    "step f(x: f32[5, 40] = \"x\") {\n"
    "  W = parameter(\"W\", f32[5, 40])\n"
    "  g[i in 0..4, j in 0..39] = exp(x[i, j])\n"
    "  s[i in 0..4, j in 0..6] = W[i, j + 5] * W[i, 2]\n"
    "  V[i in 0..4, j in 0..39] = W[i, j] - 0.5 * g[i, j]\n"
    "  q = sum[i in 0..4, j in 0..6] s[i, j]\n"
    "  r = sum[i in 0..4, j in 0..39] g[i, j]\n"
    "  report q, r\n  W' = V\n}\n";

// Axes that become one, some of three, with the last as it was; and one where the last does not stay.
const char* const joined_axes =
    "net f(x: f32[3, 2, 4, 5, 2, 6] = \"x\", z: f32[3, 8, 10, 6] = \"z\") -> y: f32[3, 8, 10, 6], v: f32[3, 80, 6], "
    "w: f32[6, 240] {\n"
    "  t[c in 0..2, i in 0..1, j in 0..3, k in 0..4, l in 0..1, b in 0..5] = 2.0 * x[c, i, j, k, l, b] + 1.0\n"
    "  u = reshape(t, [3, 8, 10, 6])\n"
    "  y[c in 0..2, i in 0..7, j in 0..9, b in 0..5] = u[c, i, j, b] * z[c, i, j, b]\n"
    "  s = reshape(t, [3, 80, 6])\n"
    "  v[c in 0..2, i in 0..79, b in 0..5] = s[c, i, b] - 3.0\n%s}\n";

// Two layers, trained with a momentum: the gradient of V is there before that of h, and what is made of V is too.
const char* const layers =
    "step f(x: f32[64, 40] = \"x\") {\n"
    "  W = parameter(\"W\", f32[40, 32])\n  V = parameter(\"V\", f32[32, 16])\n"
    "  M = state_value(\"M\", f32[40, 32])\n  N = state_value(\"N\", f32[32, 16])\n"
    "  t[b in 0..63, j in 0..31] = sum[k in 0..39] x[b, k] * W[k, j]\n"
    "  h[b in 0..63, j in 0..31] = max(t[b, j], 0.0)\n"
    "  y[b in 0..63, o in 0..15] = sum[j in 0..31] h[b, j] * V[j, o]\n"
    "  loss = sum[b in 0..63, o in 0..15] y[b, o] * y[b, o]\n"
    "  dh[b in 0..63, j in 0..31] = sum[o in 0..15] y[b, o] * V[j, o]\n"
    "  dt[b in 0..63, j in 0..31] = select(t[b, j] > 0.0, dh[b, j], 0.0)\n"
    "  dW[k in 0..39, j in 0..31] = sum[b in 0..63] x[b, k] * dt[b, j]\n"
    "  dV[j in 0..31, o in 0..15] = sum[b in 0..63] h[b, j] * y[b, o]\n"
    "  m[k in 0..39, j in 0..31] = 0.9 * M[k, j] + dW[k, j]\n  n[j in 0..31, o in 0..15] = 0.9 * N[j, o] + dV[j, o]\n"
    "  w[k in 0..39, j in 0..31] = W[k, j] - 0.1 * m[k, j]\n  v[j in 0..31, o in 0..15] = V[j, o] - 0.1 * n[j, o]\n"
    "  report loss\n  W' = w\n  M' = m\n  V' = v\n  N' = n\n}\n";

// Sums along an axis before the last, which vectors lie along: a deviation needs the mean, products and differences of all
// do not need each other. Of v there is no loop but that along the vectors.
const char* const normalized =
    "net f(x: f32[3, 50, 32] = \"x\") -> z: f32[3, 50, 32], c: f32[3, 32], v: f32[32] {\n"
    "  m[g in 0..2, n in 0..31] = sum[i in 0..49] x[g, i, n]\n"
    "  q[g in 0..2, n in 0..31] = sum[i in 0..49] (x[g, i, n] - 0.02 * m[g, n]) * (x[g, i, n] - 0.02 * m[g, n])\n"
    "  c[g in 0..2, n in 0..31] = sum[i in 0..49] exp(x[g, i, n] - 0.02 * m[g, n])\n"
    "  z[g in 0..2, i in 0..49, n in 0..31] = (x[g, i, n] - 0.02 * m[g, n]) * q[g, n]\n"
    "  v[n in 0..31] = sum[g in 0..2] exp(c[g, n])\n}\n";

}  // namespace

TEST_CASE("sums along other axes than the last share loops, and one pass if neither needs the other") {
  // Of the groups, and in them: zeros and terms of m, of q and c, and z. Of v zeros and terms.
  const Shape shape = shape_of(normalized);
  CHECK(shape.kernels == 2);
  CHECK(shape.loops == 1 + 2 * 3 + 2 + 3);
  std::vector<test::EmittedCase> cases;
  cases.push_back({"normalized", test::graph_of(normalized), {}, 2});
  for (const std::string& problem : test::run_emitted(std::move(cases))) FAIL_CHECK(problem);
}

TEST_CASE("what is reshaped is computed where it is read if only axes before the last become one") {
  std::string read = joined_axes, stored = joined_axes;
  read.replace(read.find("%s"), 2, "  w[b in 0..5, i in 0..239] = x[0, 0, 0, 0, 0, b]\n");
  stored.replace(stored.find("%s"), 2, "  r = reshape(t, [240, 6])\n  q = reshape(t, [6, 240])\n"
                                       "  w[b in 0..5, i in 0..239] = q[b, i] + r[i, b]\n");
  CHECK(shape_of(read).kernels == 2);
  CHECK(shape_of(stored).kernels == 3);
  std::vector<test::EmittedCase> cases;
  cases.push_back({"read", test::graph_of(read), {}, 2});
  cases.push_back({"stored", test::graph_of(stored), {}, 2});
  for (const std::string& problem : test::run_emitted(std::move(cases))) FAIL_CHECK(problem);
}

TEST_CASE("a parameter is updated with its gradient, as soon as nothing else needs it") {
  const gradc::loops::Module module = gradc::lower(test::graph_of(layers), "f");
  const auto step = std::find_if(module.functions.begin(), module.functions.end(),
                                 [](const auto& f) { return f.entry == gradc::loops::Entry::step; });
  REQUIRE(step != module.functions.end());
  // Kernels whose comment has the formula, by their place among the calls.
  const auto place = [&](const std::string& formula) {
    for (std::size_t k = 0; k < step->calls.size(); ++k) {
      for (const std::string& line : module.kernels[step->calls[k].kernel].comment)
        if (line.starts_with(formula)) return static_cast<int>(k);
    }
    return -1;
  };
  CHECK(place("dV[j, o] = ") >= 0);
  CHECK(place("V[j, o] = ") == place("dV[j, o] = "));
  CHECK(place("V[j, o] = ") < place("dh[b, j] = "));
  CHECK(place("dh[b, j] = ") < place("W[k, j] = "));
}

TEST_CASE("a tensor joins the loops before the last where it needs nothing of what stands between") {
  const Shape joined = shape_of(around);
  CHECK(joined.kernels == 1);
  CHECK(joined.loops == 3);
  const Shape apart = shape_of(through);
  CHECK(apart.kernels == 1);
  CHECK(apart.loops == 4);
}

TEST_CASE("tensors that share loops are the interpreter's") {
  std::vector<test::EmittedCase> cases;
  cases.push_back({"around", test::graph_of(around), {}, 2});
  cases.push_back({"through", test::graph_of(through), {}, 2});
  cases.push_back({"overwritten", test::graph_of(overwritten), {}, 2});
  cases.push_back({"layers", test::graph_of(layers), {}, 2});
  for (const std::string& problem : test::run_emitted(std::move(cases))) FAIL_CHECK(problem);
}

// grid_cases.cpp: kernels for a grid against the interpreter: products, rows, folds, windows, random graphs.
#include <fmt/format.h>

#include "dsl/differentiate.h"
#include "on_grid.h"
#include "tests/random_graph.h"

namespace {

using test::EmittedCase;

EmittedCase of(const std::string& name, const std::string& text,
               std::map<std::string, std::int64_t> dims = {}) {
  EmittedCase c{name, test::graph_of(text), {}, 2, {}};
  c.environment.dims = std::move(dims);
  return c;
}

// Folds of every kind, over rows of every length.
std::string rows(std::int64_t n) {
  return fmt::format(
      "dim B <= 7\n"
      "net f(x: f32[B, {0}] = \"x\") -> p: f32[B, {0}], m: f32[B], a: i32[B], l: i32[B], q: f32[B], c: f32[{0}], s: f32[], "
      "g: i32[] {{\n"
      "  m[b in 0..B-1] = max[k in 0..{0}-1] x[b, k]\n"
      "  e[b in 0..B-1, k in 0..{0}-1] = exp(x[b, k] - m[b])\n"
      "  t[b in 0..B-1] = sum[k in 0..{0}-1] e[b, k]\n"
      "  p[b in 0..B-1, k in 0..{0}-1] = e[b, k] / t[b]\n"
      "  a[b in 0..B-1] = argmax[k in 0..{0}-1] x[b, k]\n"
      "  l[b in 0..B-1] = argmin[k in 0..{0}-1] floor(x[b, k] * 3.0)\n"
      "  q[b in 0..B-1] = prod[k in 0..{0}-1] (1.0 + x[b, k] * 0.01)\n"
      "  c[k in 0..{0}-1] = sum[b in 0..B-1] x[b, k]\n"
      "  s = sum[b in 0..B-1, k in 0..{0}-1] x[b, k] * x[b, k]\n"
      "  g = argmax[b in 0..B-1, k in 0..{0}-1] x[b, k]\n}}\n",
      n);
}

}  // namespace

TEST_CASE("products at the edges of every tile, on a grid", "[grid]") {
  const std::int64_t sizes[] = {1, 2, 7, 16, 31, 32, 33, 64, 65, 70};
  std::vector<EmittedCase> cases;
  for (std::size_t i = 0; i < std::size(sizes); ++i) {
    const std::int64_t m = sizes[(i * 3 + 2) % 10], n = sizes[i], k = sizes[(i * 7 + 1) % 10];
    cases.push_back(of(fmt::format("{}x{}x{}", m, n, k), test::products_of_layer(m, n, k)));
  }
  const int threads = GENERATE(32, 64, 256);
  test::check_on_grid(std::move(cases), threads);
}

TEST_CASE("sizes chosen at run time, and windows, on a grid", "[grid]") {
  std::vector<EmittedCase> cases;
  const std::string text =
      "dim B <= 40\ndim N <= 70\ndim K <= 20\n"
      "net f(x: f32[B, K] = \"x\", y: f32[K, N] = \"y\", w: f32[5, N] = \"w\") -> z: f32[B, N], dw: f32[5, N], "
      "s: f32[B, 37] {\n"
      "  p = parameter(\"p\", f32[9, 37])\n"
      "  t[i in 0..B-1, j in 0..N-1] = sum[k in 0..K-1] x[i, k] * y[k, j]\n"
      "  z[i in 0..B-1, j in 0..N-1] = t[i, j] + w[3, j]\n"
      "  dw[a in 0..4, j in 0..N-1] = sum[i in 0..B-1] x[i, 0] * z[i, j] * w[a, j]\n"
      "  q[a in 0..8, i in 0..B-1] = x[i, 0] + cast(a, f32)\n"
      "  s[i in 0..B-1, j in 0..36] = sum[a in 0..8] q[a, i] * p[a, j]\n}\n";
  const std::int64_t sizes[][3] = {{1, 1, 1}, {7, 33, 9}, {40, 70, 20}, {33, 17, 7}};
  for (const auto& [b, n, k] : sizes) {
    cases.push_back(of(fmt::format("B {} N {} K {}", b, n, k), text, {{"B", b}, {"N", n}, {"K", k}}));
  }
  cases.push_back(of("3x3 padded",
                     "dim B <= 5\n"
                     "net f(x: f32[B, 3, 6, 9] = \"x\", dy: f32[B, 4, 6, 9] = \"dy\") -> y: f32[B, 4, 6, 9], "
                     "dk: f32[4, 3, 3, 3], dx: f32[B, 3, 6, 9] {\n"
                     "  K = parameter(\"K\", f32[4, 3, 3, 3])\n"
                     "  y[b in 0..B-1, f in 0..3, i in 0..5, j in 0..8] = sum[c in 0..2, u in 0..2, v in 0..2] "
                     "x[b, c, i + u - 1, j + v - 1 pad 0] * K[f, c, u, v]\n"
                     "  dk[f in 0..3, c in 0..2, u in 0..2, v in 0..2] = sum[b in 0..B-1, i in 0..5, j in 0..8] "
                     "dy[b, f, i, j] * x[b, c, i + u - 1, j + v - 1 pad 0]\n"
                     "  dx[b in 0..B-1, c in 0..2, i in 0..5, j in 0..8] = sum[f in 0..3, u in 0..2, v in 0..2] "
                     "dy[b, f, i - u + 1, j - v + 1 pad 0] * K[f, c, u, v]\n}\n",
                     {{"B", 3}}));
  cases.push_back(of("stride 2",
                     "net f(x: f32[2, 3, 9, 9] = \"x\", K: f32[4, 3, 3, 3] = \"K\") -> y: f32[2, 4, 4, 4] {\n"
                     "  y[b in 0..1, f in 0..3, i in 0..3, j in 0..3] = sum[c in 0..2, u in 0..2, v in 0..2] "
                     "x[b, c, 2 * i + u, 2 * j + v] * K[f, c, u, v]\n}\n"));
  cases.push_back(of("f64, batched, scaled",
                     "net f(x: f64[3, 4, 5] = \"x\", w: f64[3, 5, 19] = \"w\", s: f64[3] = \"s\") -> y: f64[3, 4, 19] {\n"
                     "  y[b in 0..2, i in 0..3, j in 0..18] = sum[k in 0..4] s[b] * x[b, i, k] * w[b, k, j]\n}\n"));
  const int threads = GENERATE(32, 256);
  test::check_on_grid(std::move(cases), threads);
}

TEST_CASE("rows of every length are folded by blocks of every size", "[grid]") {
  std::vector<EmittedCase> cases;
  for (const std::int64_t n : {1, 7, 8, 31, 32, 33, 100, 257, 600}) {
    cases.push_back(of(fmt::format("rows of {}", n), rows(n), {{"B", n % 7 + 1}}));
  }
  const int threads = GENERATE(32, 96, 256);
  test::check_on_grid(std::move(cases), threads);
}

TEST_CASE("random graphs compute on a grid what the interpreter does", "[grid]") {
  const int part = GENERATE(0, 1, 2, 3);
  std::vector<EmittedCase> cases;
  for (int k = 0; k < 8; ++k) {
    const int seed = 1 + part * 8 + k;
    auto random = test::random_graph(static_cast<std::uint64_t>(seed));
    gradc::differentiate(random.graph);
    cases.push_back({"seed " + std::to_string(seed), std::move(random.graph), random.environment, 2, {}});
  }
  test::check_on_grid(std::move(cases), part % 2 == 0 ? 256 : 32);
}

// index_maps.cpp: every way to subscript a tensor, with its gradients, on a grid; sums into rows of tables of every
// shape; launches that are joined.
#include <fmt/format.h>

#include <algorithm>

#include "codegen/compile.h"
#include "dsl/differentiate.h"
#include "on_grid.h"

namespace {

using test::EmittedCase;

// Reversed, strided, dilated, padded, spread, transposed, divided, wrapped and gathered reads, and what the derivative
// of each makes of it.
EmittedCase maps(std::int64_t n) {
  const std::int64_t half = (n - 1) / 2;
  EmittedCase c{fmt::format("subscripts of {}", n),
                test::graph_of(fmt::format(
                    "dim T <= 37\n"
                    "net f(x: f32[{0}] = \"x\", k: f32[5] = \"k\", w: f32[{0}, 6] = \"w\", id: i32[T] = \"id\") -> "
                    "reversed: f32[{0}], strided: f32[{1}], dilated: f32[{0}], padded: f32[{1}], spread: f32[{0}, 6], "
                    "transposed: f32[6, {0}], divided: f32[{0}], gathered: f32[T, 6], dx: f32[{0}], dk: f32[5], "
                    "dw: f32[{0}, 6] {{\n"
                    "  reversed[i in 0..{2}] = x[{2} - i]\n"
                    "  strided[i in 0..{3}] = x[2 * i]\n"
                    "  dilated[i in 0..{2}] = sum[u in 0..4] k[u] * x[i + 3 * u - 6 pad 0]\n"
                    "  padded[i in 0..{3}] = sum[u in 0..4] k[u] * x[2 * i + u - 2 pad 0]\n"
                    "  spread[i in 0..{2}, d in 0..5] = x[i] * w[i, d] + k[3]\n"
                    "  transposed[d in 0..5, i in 0..{2}] = w[i, 5 - d]\n"
                    "  divided[i in 0..{2}] = x[i / 3] + k[i % 5]\n"
                    "  gathered[t in 0..T-1, d in 0..5] = w[id[t], d] * x[id[t]]\n"
                    "  a = sum[i in 0..{2}] (reversed[i] + dilated[i] + divided[i]) * x[i]\n"
                    "  b = sum[i in 0..{3}] strided[i] * padded[i]\n"
                    "  s = sum[i in 0..{2}, d in 0..5] spread[i, d] * transposed[d, i]\n"
                    "  g = sum[t in 0..T-1, d in 0..5] gathered[t, d] * gathered[t, d]\n"
                    "  loss = a + b + s + g\n"
                    "  dx = grad(loss, x)\n  dk = grad(loss, k)\n  dw = grad(loss, w)\n}}\n",
                    n, half + 1, n - 1, half)),
                {},
                n,
                {}};
  c.environment.dims = {{"T", n % 37 + 1}};
  gradc::differentiate(c.graph);
  return c;
}

// Sums into the rows of a table: of one position, of two, of positions in two dimensions, without columns.
EmittedCase tables(std::int64_t rows, std::int64_t columns, std::int64_t count) {
  return {fmt::format("{} values into {} x {}", count, rows, columns),
          test::graph_of(fmt::format(
              "net f(id: i32[{2}] = \"id\", also: i32[{2}] = \"also\", both: i32[3, {2}] = \"both\", "
              "v: f32[{2}, {1}] = \"v\", u: f32[3, {2}, {1}] = \"u\") -> one: f32[{0}, {1}], two: f32[{0}, {0}, 3], "
              "dims: f32[{0}, {1}], plain: f32[{0}], last: f32[{1}, {0}] {{\n"
              "  one[n in 0..{3}, d in 0..{4}] = sum[t in 0..{5}] select(id[t] == n, v[t, d], 0.0)\n"
              "  two[n in 0..{3}, m in 0..{3}, d in 0..2] = sum[t in 0..{5}] "
              "select(id[t] == n and also[t] == m, v[t, 0] * f32(d), 0.0)\n"
              "  dims[n in 0..{3}, d in 0..{4}] = sum[b in 0..2, t in 0..{5}] select(both[b, t] == n, u[b, t, d], 0.0)\n"
              "  plain[n in 0..{3}] = sum[t in 0..{5}] select(id[t] == n, v[t, 0], 0.0)\n"
              "  last[d in 0..{4}, n in 0..{3}] = sum[t in 0..{5}] select(id[t] == n, v[t, d], 0.0)\n}}\n",
              rows, columns, count, rows - 1, columns - 1, count - 1)),
          {},
          rows,
          {}};
}

// Steps that update tensors of several shapes in the same way, one of them in its own.
constexpr const char* updates =
    "step s(x: f32[33] = \"x\") {\n"
    "  a = parameter(\"a\", f32[33])\n  b = parameter(\"b\", f32[31, 9])\n  c = parameter(\"c\", f32[300])\n"
    "  d = parameter(\"d\", f32[29])\n"
    "  total = sum[i in 0..28] x[i] * a[i] * d[i]\n  report total\n"
    "  a2[i in 0..32] = a[i] - 0.5 * total\n  b2[i in 0..30, j in 0..8] = b[i, j] - 0.5 * total\n"
    "  c2[i in 0..299] = c[i] - 0.5 * total\n  d2[i in 0..28] = d[i] - 0.25 * total\n"
    "  a' = a2\n  b' = b2\n  c' = c2\n  d' = d2\n}\n";

}  // namespace

TEST_CASE("every kind of subscript, and its gradient, on a grid", "[grid]") {
  const bool large = GENERATE(false, true);
  std::vector<EmittedCase> cases;
  for (const std::int64_t n : large ? std::vector{31, 257} : std::vector{1, 33}) cases.push_back(maps(n));
  test::check_on_grid(std::move(cases), large ? 256 : 64);
}

TEST_CASE("sums into rows of tables on a grid", "[grid]") {
  const bool large = GENERATE(false, true);
  std::vector<EmittedCase> cases;
  cases.push_back(large ? tables(5, 300, 70) : tables(1, 1, 1));  // more columns than a block has threads
  cases.push_back(large ? tables(31, 65, 33) : tables(33, 31, 257));
  test::check_on_grid(std::move(cases), large ? 128 : 32);
}

TEST_CASE("kernels of one form become one launch, and compute what they did", "[grid]") {
  const gradc::Target target = test::with_threads(32);
  const auto module = gradc::lower(test::graph_of(updates), "joined", target);
  std::vector<std::size_t> written;
  for (const auto& call : module.functions[0].calls) {
    const auto& arguments = module.kernels[call.kernel].arguments;
    written.push_back(static_cast<std::size_t>(
        std::count_if(arguments.begin(), arguments.end(), [](const auto& a) { return a.written; })));
  }
  // The sum; a, b and c at once; d, whose update has another factor.
  std::sort(written.begin(), written.end());
  CHECK(written == std::vector<std::size_t>{1, 1, 3});

  std::vector<EmittedCase> cases;
  cases.push_back({"updates", test::graph_of(updates), {}, 2, {}});
  // What one of them reads of another is waited for.
  cases.push_back({"a chain", test::graph_of(
      "net f(x: f32[40] = \"x\", k: f32[40, 2] = \"k\") -> y: f32[40], z: f32[40], t: f32[40, 2], r: f32[3] {\n"
      "  y[i in 0..39] = 2.0 * x[i] + 1.0\n  t[i in 0..39, j in 0..1] = 2.0 * k[i, j] + 1.0\n"
      "  z[i in 0..39] = 2.0 * y[39 - i] + 1.0\n  r[i in 0..2] = 2.0 * z[i + 7] + 1.0\n}\n"), {}, 2, {}});
  test::check_on_grid(std::move(cases), 32);
}

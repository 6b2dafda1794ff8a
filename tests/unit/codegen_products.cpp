// codegen_products.cpp: matrix products and convolutions at the edges of every tile, against the interpreter.
#include <fmt/format.h>

#include <array>

#include "codegen/compile.h"
#include "codegen/loops_to_text.h"
#include "tests/catch.h"
#include "tests/emitted_cases.h"

namespace {

using test::EmittedCase;

// For every set of instructions; for those that differ in nothing but the length of a vector, quickly.
void check(const std::vector<EmittedCase>& cases) {
  for (const gradc::Isa& isa : gradc::isas()) {
    gradc::Target target = gradc::cpp_target();
    target.isa = isa;
    const bool thoroughly = isa.name == gradc::default_isa().name || isa.name == "x86-64-v4";
    const test::EmittedOptions options{.builds = thoroughly ? test::Builds::all : test::Builds::quick};
    for (const std::string& problem : test::run_emitted(cases, target, options))
      FAIL_CHECK("for " << isa.name << ": " << problem);
  }
}

EmittedCase of(const std::string& name, const std::string& text,
               std::map<std::string, std::int64_t> dims = {}) {
  EmittedCase c{name, test::graph_of(text), {}, 2};
  c.environment.dims = std::move(dims);
  return c;
}

}  // namespace

TEST_CASE("products at the edges of every tile, fixed sizes") {
  const std::int64_t sizes[] = {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 49, 64, 70};
  std::vector<EmittedCase> cases;
  for (std::size_t i = 0; i < std::size(sizes); ++i) {
    const std::int64_t m = sizes[(i * 5 + 3) % 16], n = sizes[i], k = sizes[(i * 3 + 1) % 16];
    cases.push_back(of(fmt::format("{}x{}x{}", m, n, k), test::products_of_layer(m, n, k)));
  }
  cases.push_back(of("many rows of wide tiles", test::products_of_layer(29, 131, 5)));
  check(cases);
}

TEST_CASE("products at the edges of every tile, sizes chosen at run time") {
  const std::string text =
      "dim B <= 40\ndim N <= 70\ndim K <= 20\n"
      "net f(x: f32[B, K] = \"x\", y: f32[K, N] = \"y\", w: f32[5, N] = \"w\") -> z: f32[B, N], dw: f32[5, N], "
      "s: f32[B, 37], wide: f32[B, 70] {\n"
      "  p = parameter(\"p\", f32[9, 37])\n"
      "  q2 = parameter(\"q2\", f32[37, 70])\n"
      "  t[i in 0..B-1, j in 0..N-1] = sum[k in 0..K-1] x[i, k] * y[k, j]\n"
      "  z[i in 0..B-1, j in 0..N-1] = t[i, j] + w[3, j]\n"
      "  dw[a in 0..4, j in 0..N-1] = sum[i in 0..B-1] x[i, 0] * z[i, j] * w[a, j]\n"
      "  q[a in 0..8, i in 0..B-1] = x[i, 0] + cast(a, f32)\n"
      "  s[i in 0..B-1, j in 0..36] = sum[a in 0..8] q[a, i] * p[a, j]\n"
      "  wide[i in 0..B-1, j in 0..69] = sum[k in 0..36] s[i, k] * q2[k, j]\n}\n";
  EmittedCase c = of("run-time sizes", text);
  const std::int64_t sizes[][3] = {{1, 1, 1}, {2, 3, 5}, {7, 8, 9}, {8, 32, 20}, {9, 33, 1},
                                   {15, 31, 2}, {16, 63, 3}, {17, 64, 4}, {33, 17, 7}};
  for (const auto& [b, n, k] : sizes) c.more_dims.push_back({{"B", b}, {"N", n}, {"K", k}});
  check({c});
}

TEST_CASE("long sums in blocks: whole and broken ones, one index and several, sizes fixed and chosen at run time") {
  std::vector<EmittedCase> cases;
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{9, 33, 385}, {40, 16, 512}, {1, 31, 700}, {30, 5, 1031}}) {
    cases.push_back(of(fmt::format("{}x{}x{}", m, n, k), test::products_of_layer(m, n, k)));
  }
  EmittedCase several = of("several indices",
                           "dim B <= 40\ndim T <= 30\n"
                           "net f(x: f32[B, T, 18] = \"x\", dy: f32[B, T, 33] = \"dy\") -> dw: f32[18, 33], "
                           "scaled: f32[18, 33] {\n"
                           "  dw[i in 0..17, o in 0..32] = sum[b in 0..B-1, t in 0..T-1] x[b, t, i] * dy[b, t, o]\n"
                           "  scaled[i in 0..17, o in 0..32] = exp(0.001 * dw[i, o])\n}\n");
  for (const auto& [b, t] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {3, 30}, {16, 17}, {40, 30}})
    several.more_dims.push_back({{"B", b}, {"T", t}});
  cases.push_back(several);
  EmittedCase one = of("one index, its size chosen at run time",
                       "dim B <= 900\n"
                       "net f(x: f32[B, 10] = \"x\", dy: f32[B, 40] = \"dy\") -> dw: f32[10, 40] {\n"
                       "  dw[i in 0..9, o in 0..39] = sum[b in 0..B-1] x[b, i] * dy[b, o]\n}\n");
  for (const std::int64_t b : {1, 224, 225, 226, 450, 899, 900}) one.more_dims.push_back({{"B", b}});
  cases.push_back(one);
  check(cases);
}

TEST_CASE("a factor that stays in no near cache serves more rows each time: whole tiles, halves, single rows") {
  const std::string text =
      "dim B <= 13\nnet f(x: f32[B, 1000] = \"x\", w: f32[300, 1000] = \"w\") -> z: f32[B, 300], y: f32[13, 300] {\n"
      "  z[i in 0..B-1, j in 0..299] = sum[k in 0..999] x[i, k] * w[j, k]\n"
      "  y[i in 0..12, j in 0..299] = sum[k in 0..999] w[i, k] * w[j, k]\n}\n";
  std::vector<EmittedCase> cases;
  for (const std::int64_t rows : {1, 7, 13}) cases.push_back(of(fmt::format("{} rows", rows), text, {{"B", rows}}));
  for (const std::string& problem : test::run_emitted(cases, gradc::cpp_target(), {.builds = test::Builds::quick}))
    FAIL_CHECK(problem);
}

TEST_CASE("what a loop reads transposed in each of many rounds is copied once, before it") {
  const auto copies = [](int times) {
    const std::string text = fmt::format(
        "net f(x: f32[3, {0}, 32] = \"x\") -> y: f32[3, {0}, 32] {{\n  U = parameter(\"U\", f32[32, 32])\n"
        "  c = past(0, f32[3, {0}, 32])\n"
        "  p[b in 0..2, t in 0..{1}, j in 0..31] = sum[k in 0..31] c[b, t - 1, k pad 0] * U[j, k]\n"
        "  z[b in 0..2, t in 0..{1}, j in 0..31] = x[b, t, j] + p[b, t, j]\n  y = recurrence(z, [[c, z, 1]])\n}}\n",
        times, times - 1);
    return gradc::kernels_to_text(gradc::lower(test::graph_of(text), "f"), gradc::cpp_target()).find("U_transposed") !=
           std::string::npos;
  };
  CHECK(copies(64));
  CHECK_FALSE(copies(1));
}

TEST_CASE("rows that a table gives for each of many examples make a product as others do") {
  const std::string text =
      "net f(at: i32[600] = \"at\") -> y: f32[600, 33] {\n"
      "  E = parameter(\"E\", f32[7, 40])\n  W = parameter(\"W\", f32[40, 33])\n"
      "  y[b in 0..599, o in 0..32] = sum[i in 0..39] (E[at[b], i] + 1.0) * W[i, o]\n}\n";
  const std::string kernels = gradc::kernels_to_text(gradc::lower(test::graph_of(text), "f"), gradc::cpp_target());
  CHECK(kernels.find("in register tiles") != std::string::npos);
  EmittedCase c = of("rows of a table", text);
  c.positions = 7;
  for (const std::string& problem : test::run_emitted({c})) FAIL_CHECK(problem);
}

TEST_CASE("convolutions in all three directions, padded, strided, dilated") {
  std::vector<EmittedCase> cases;
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
  // Terms outside are left out, and windows have edges: in the middle, where the stride skips one edge, and where the window
  // is as long as the image.
  cases.push_back(of("batch last, padded",
                     "dim B <= 20\n"
                     "net f(x: f32[6, 5, 9, B] = \"x\", dy: f32[4, 5, 9, B] = \"dy\", dz: f32[4, 3, 5, B] = \"dz\") -> "
                     "y: f32[4, 5, 9, B], dk: f32[4, 6, 5, 5], dx: f32[6, 5, 9, B], z: f32[4, 3, 5, B], dl: f32[4, 6, 3, 3], "
                     "dw: f32[6, 5, 2, 5, 2, B] {\n"
                     "  K = parameter(\"K\", f32[4, 6, 5, 5])\n"
                     "  y[f in 0..3, i in 0..4, j in 0..8, b in 0..B-1] = sum[c in 0..5, u in 0..4, v in 0..4] "
                     "x[c, i + u - 2, j + v - 2, b pad 0] * K[f, c, u, v]\n"
                     "  dk[f in 0..3, c in 0..5, u in 0..4, v in 0..4] = sum[i in 0..4, j in 0..8, b in 0..B-1] "
                     "dy[f, i, j, b] * x[c, i + u - 2, j + v - 2, b pad 0]\n"
                     "  dx[c in 0..5, i in 0..4, j in 0..8, b in 0..B-1] = sum[f in 0..3, u in 0..4, v in 0..4] "
                     "dy[f, i - u + 2, j - v + 2, b pad 0] * K[f, c, u, v]\n"
                     "  z[f in 0..3, i in 0..2, j in 0..4, b in 0..B-1] = sum[c in 0..5, u in 0..2, v in 0..2] "
                     "x[c, 2 * i + u - 1, 2 * j + v - 1, b pad 0] * K[f, c, u, v]\n"
                     "  dl[f in 0..3, c in 0..5, u in 0..2, v in 0..2] = sum[i in 0..2, j in 0..4, b in 0..B-1] "
                     "dz[f, i, j, b] * x[c, 2 * i + u - 1, 2 * j + v - 1, b pad 0]\n"
                     "  dw[c in 0..5, i in 0..4, p in 0..1, j in 0..4, q in 0..1, b in 0..B-1] = sum[f in 0..3, u in 0..2, "
                     "v in 0..2] dz[f, i - u, j - v, b pad 0] * K[f, c, p + 2 * u, q + 2 * v pad 0]\n}\n",
                     {{"B", 19}}));
  // One factor has all indices of the other: rows of tiles are those of the window's tensor, or
  // there are none.
  cases.push_back(
      of("each channel by itself, batch last, padded, strided",
         "dim B <= 40\n"
         "net f(x: f32[3, 7, 5, B] = \"x\", dy: f32[3, 7, 5, B] = \"dy\", dz: f32[4, 3, B] = "
         "\"dz\") -> "
         "y: f32[3, 7, 5, B], dx: f32[3, 7, 5, B], dk: f32[3, 3, 3], z: f32[1, 4, 3, B], dl: "
         "f32[3, 3, 3] {\n"
         "  K = parameter(\"K\", f32[3, 3, 3])\n"
         "  y[c in 0..2, i in 0..6, j in 0..4, b in 0..B-1] = sum[u in 0..2, v in 0..2] "
         "x[c, i + u - 1, j + v - 1, b pad 0] * K[c, u, v]\n"
         "  dx[c in 0..2, i in 0..6, j in 0..4, b in 0..B-1] = sum[u in 0..2, v in 0..2] "
         "dy[c, i - u + 1, j - v + 1, b pad 0] * K[c, u, v]\n"
         "  dk[c in 0..2, u in 0..2, v in 0..2] = sum[i in 0..6, j in 0..4, b in 0..B-1] "
         "dy[c, i, j, b] * x[c, i + u - 1, j + v - 1, b pad 0]\n"
         "  z[f in 0..0, i in 0..3, j in 0..2, b in 0..B-1] = sum[c in 0..2, u in 0..2, v in 0..2] "
         "x[c, 2 * i + u - 1, 2 * j + v - 1, b pad 0] * K[c, u, v]\n"
         "  dl[c in 0..2, u in 0..2, v in 0..2] = sum[i in 0..3, j in 0..2, b in 0..B-1] "
         "dz[i, j, b] * x[c, 2 * i + u - 1, 2 * j + v - 1, b pad 0]\n}\n",
         {{"B", 37}}));
  cases.push_back(of("over time",
                     "dim T <= 20\n"
                     "net f(x: f32[2, T, 5] = \"x\", K: f32[3, 5, 17] = \"K\") -> y: f32[2, T, 17] {\n"
                     "  y[b in 0..1, t in 0..T-1, o in 0..16] = sum[u in 0..2, c in 0..4] "
                     "x[b, t - 2 * u, c pad 0] * K[u, c, o]\n}\n",
                     {{"T", 13}}));
  cases.push_back(of("f64, batched, scaled",
                     "net f(x: f64[3, 4, 5] = \"x\", w: f64[3, 5, 19] = \"w\", s: f64[3] = \"s\") -> y: f64[3, 4, 19] {\n"
                     "  y[b in 0..2, i in 0..3, j in 0..18] = sum[k in 0..4] s[b] * x[b, i, k] * w[b, k, j]\n}\n"));
  cases.push_back(of("both factors contiguous along the sum, few columns",
                     "dim B <= 5\n"
                     "net f(x: f32[B, 2, 4, 5] = \"x\", dy: f32[B, 3, 4, 5] = \"dy\") -> dw: f32[2, 3] {\n"
                     "  dw[i in 0..1, o in 0..2] = sum[b in 0..B-1, t in 0..3, u in 0..4] x[b, i, t, u] * dy[b, o, t, u]\n}\n",
                     {{"B", 4}}));
  cases.push_back(of("masked operands",
                     "net f(x: f32[9, 11] = \"x\", w: f32[11, 21] = \"w\", id: i32[9] = \"id\") -> y: f32[9, 21], "
                     "z: f32[9, 21] {\n"
                     "  y[i in 0..8, j in 0..20] = sum[k in 0..10] select(x[i, k] > 0.0, x[i, k], 0.0) * w[k, j]\n"
                     "  z[i in 0..8, j in 0..20] = sum[k in 0..10] x[id[i], k] * exp(w[k, j])\n}\n"));
  cases.push_back(of("dims with the names of the tiles",
                     "dim n <= 9\ndim m <= 9\ndim k <= 9\ndim rows <= 9\n"
                     "net f(x: f32[m, k, rows] = \"x\", w: f32[k, rows, n] = \"w\") -> y: f32[m, n] {\n"
                     "  y[i in 0..m-1, j in 0..n-1] = sum[a in 0..k-1, b in 0..rows-1] x[i, a, b] * w[a, b, j]\n}\n",
                     {{"n", 7}, {"m", 5}, {"k", 3}, {"rows", 2}}));
  check(cases);
}

TEST_CASE("gradients of windows' weights, vectors along the batch: short windows and long, strided, dilated, long sums") {
  struct Shape {
    int filters, channels, rows, columns, stride, dilation;
    std::vector<std::int64_t> batches;
  };
  std::vector<EmittedCase> cases;
  for (const Shape& s : {Shape{5, 3, 2, 3, 1, 1, {1, 15, 33}}, Shape{3, 7, 1, 5, 1, 2, {16, 31}}, Shape{6, 1, 4, 4, 2, 1, {1, 17, 40}},
                         Shape{9, 2, 3, 2, 2, 3, {32}}, Shape{2, 1, 6, 7, 1, 1, {18}}}) {
    const int h = 5, w = 4;
    const std::string text = fmt::format(
        "dim B <= 40\n"
        "net f(x: f32[{1}, {6}, {7}, B] = \"x\", dy: f32[{0}, {8}, {9}, B] = \"dy\") -> dk: f32[{0}, {1}, {2}, {3}], "
        "k: f32[{0}, {1}, {2}, {3}] {{\n"
        "  K = parameter(\"K\", f32[{0}, {1}, {2}, {3}])\n"
        "  dk[f in 0..{0}-1, c in 0..{1}-1, u in 0..{2}-1, v in 0..{3}-1] = sum[i in 0..{8}-1, j in 0..{9}-1, b in 0..B-1] "
        "dy[f, i, j, b] * x[c, {4} * i + {5} * u, {4} * j + {5} * v, b]\n"
        "  k[f in 0..{0}-1, c in 0..{1}-1, u in 0..{2}-1, v in 0..{3}-1] = K[f, c, u, v] - 0.125 * dk[f, c, u, v]\n}}\n",
        s.filters, s.channels, s.rows, s.columns, s.stride, s.dilation, s.stride * (h - 1) + s.dilation * (s.rows - 1) + 1,
        s.stride * (w - 1) + s.dilation * (s.columns - 1) + 1, h, w);
    cases.push_back(of(fmt::format("{}x{} window, stride {}, dilation {}", s.rows, s.columns, s.stride, s.dilation), text));
    for (const std::int64_t b : s.batches) cases.back().more_dims.push_back({{"B", b}});
  }
  EmittedCase blocks = of("long sums",
                          "dim B <= 64\n"
                          "net f(x: f32[3, 20, 21, B] = \"x\", dy: f32[2, 18, 19, B] = \"dy\") -> dk: f32[2, 3, 3, 3] {\n"
                          "  dk[f in 0..1, c in 0..2, u in 0..2, v in 0..2] = sum[i in 0..17, j in 0..18, b in 0..B-1] "
                          "dy[f, i, j, b] * x[c, i + u, j + v, b]\n}\n");
  for (const std::int64_t b : {5, 64}) blocks.more_dims.push_back({{"B", b}});
  cases.push_back(blocks);
  check(cases);
}

TEST_CASE("what follows a convolution comes after all columns of an image row, the product kept by its kernel or stored") {
  const auto text = [](bool stored, int columns) {
    return fmt::format(
        "dim B <= 40\n"
        "net f(x: f32[3, 6, {0}, B] = \"x\", K: f32[{2}, 3, 3, 2] = \"K\", s: f32[{2}, 4, {1}, B] = \"s\") -> "
        "z: f32[{2}, 4, {1}, B], w: f32[{2}, 4, {1}, B]{3} {{\n"
        "  y[f in 0..{2}-1, i in 0..3, j in 0..{1}-1, b in 0..B-1] = sum[c in 0..2, u in 0..2, v in 0..1] "
        "x[c, i + u, j + v, b] * K[f, c, u, v]\n"
        "  z[f in 0..{2}-1, i in 0..3, j in 0..{1}-1, b in 0..B-1] = max(y[f, i, j, b], 0.0) * s[f, i, j, b]\n"
        "  w[f in 0..{2}-1, i in 0..3, j in 0..{1}-1, b in 0..B-1] = z[f, i, j, b] + z[f, i, j, b]\n"
        "{4}}}\n",
        columns + 1, columns, 9, stored ? fmt::format(", p: f32[9, 4, {}, B]", columns) : "",
        stored ? fmt::format("  p[f in 0..8, i in 0..3, j in 0..{}-1, b in 0..B-1] = y[f, i, j, b]\n", columns) : "");
  };
  std::vector<EmittedCase> cases = {of("kept by its kernel", text(false, 5)), of("stored", text(true, 5))};
  for (EmittedCase& c : cases)
    for (const std::int64_t b : {1, 37}) c.more_dims.push_back({{"B", b}});
  check(cases);
}

TEST_CASE(
    "rows beyond whole tiles, of products that something follows and of gradients that a net hands "
    "out") {
  const auto text = [](std::int64_t rows, std::int64_t columns, std::int64_t terms) {
    return fmt::format(
        "net f(x: f32[{0}, {2}] = \"x\", w: f32[{2}, {1}] = \"w\", v: f32[{1}, {2}] = \"v\", "
        "s: f32[{2}, {0}] = \"s\", dy: f32[{2}, {1}] = \"dy\") -> "
        "y: f32[{0}, {1}], z: f32[{0}, {1}] {{\n"
        "  p = parameter(\"p\", f32[{0}, {1}])\n"
        "  t[i in 0..{0}-1, j in 0..{1}-1] = sum[k in 0..{2}-1] x[i, k] * w[k, j]\n"
        "  y[i in 0..{0}-1, j in 0..{1}-1] = max(t[i, j], 0.0) + p[i, j]\n"
        "  u[i in 0..{0}-1, j in 0..{1}-1] = sum[k in 0..{2}-1] x[i, k] * v[j, k]\n"
        "  z[i in 0..{0}-1, j in 0..{1}-1] = max(u[i, j], 0.0)\n"
        "  dp[i in 0..{0}-1, j in 0..{1}-1] = sum[k in 0..{2}-1] s[k, i] * dy[k, j]\n"
        "  cotangents = [dy]\n  gradients = [named(\"dp\", dp)]\n}}\n",
        rows, columns, terms);
  };
  // Beyond tiles of 8, 6 and 4: 5, 1 and 1, 1, 5 and 1, 7, 3 and 3; sums of one block and of
  // several.
  const std::vector<EmittedCase> cases = {of("37 rows", text(37, 33, 20)),
                                          of("41 rows", text(41, 70, 400)),
                                          of("39 rows", text(39, 5, 20))};
  check(cases);
}

TEST_CASE("what lies far apart along a sum is fetched early, whatever is asked for beyond the end") {
  const auto gradient = [](std::int64_t terms, std::int64_t rows) {
    return fmt::format("net f(x: f32[{0}, {1}] = \"x\", dy: f32[{0}, 40] = \"dy\") -> dw: f32[{1}, 40] {{\n"
                       "  dw[i in 0..{2}, o in 0..39] = sum[b in 0..{3}] x[b, i] * dy[b, o]\n}}\n",
                       terms, rows, rows - 1, terms - 1);
  };
  const auto fetches = [&](std::int64_t terms, std::int64_t rows) {
    const gradc::loops::Module module = gradc::lower(test::graph_of(gradient(terms, rows)), "f");
    return gradc::kernels_to_text(module, gradc::cpp_target()).find("gradc::prefetch(a, ") != std::string::npos;
  };
  CHECK(fetches(64, 260));
  CHECK_FALSE(fetches(64, 200));  // 800 bytes apart
  CHECK_FALSE(fetches(20, 260));  // too few terms
  check({of("far apart", gradient(64, 260)), of("far apart, in blocks", gradient(700, 300))});
}

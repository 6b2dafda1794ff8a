// ast_to_graph.cpp: what specs mean, against numbers worked out by hand.
#include "dsl/ast_to_graph.h"

#include <cmath>

#include "elaborated.h"

using namespace gradc;
using namespace test;

namespace {

using Numbers = std::vector<double>;

void check_near(const Numbers& actual, const Numbers& wanted) {
  REQUIRE(actual.size() == wanted.size());
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    INFO("element " << k);
    CHECK(actual[k] == Approx(wanted[k]).margin(1e-12));
  }
}

}  // namespace

TEST_CASE("index notation: a product, transposition, outer product and diagonal") {
  const std::map<std::string, Array> ab = {{"f.a", {{2, 3}, {1, 2, 3, 4, 5, 6}}},
                                           {"f.b", {{3, 2}, {7, 8, 9, 10, 11, 12}}}};
  CHECK(result("net f(a: f32[2, 3], b: f32[3, 2]) -> y: f32[2, 2] {\n"
               "  y[i, j] = sum[k] a[i, k] * b[k, j]\n}",
               ab) == Numbers{58, 64, 139, 154});
  CHECK(result("net f(a: f32[2, 3], b: f32[3, 2]) -> y: f32[3, 2] { y[j, i] = a[i, j] }", ab) ==
        Numbers{1, 4, 2, 5, 3, 6});
  CHECK(result("net f(a: f32[2, 2]) -> y: f32[2] { y[i] = a[i, i] }",
               {{"f.a", {{2, 2}, {1, 2, 3, 4}}}}) == Numbers{1, 4});
}

TEST_CASE("every reduction") {
  const std::map<std::string, Array> x = {{"f.x", {{2, 3}, {3, -1, 2, 5, 5, 0}}}};
  auto over_columns = [&](const std::string& word) {
    return result("net f(x: f32[2, 3]) -> y[2] { y[i] = " + word + "[j] x[i, j] }", x);
  };
  CHECK(over_columns("sum") == Numbers{4, 10});
  CHECK(over_columns("max") == Numbers{3, 5});
  CHECK(over_columns("min") == Numbers{-1, 0});
  CHECK(over_columns("prod") == Numbers{-6, 0});
  CHECK(over_columns("argmax") == Numbers{0, 0});  // the first of equals
  CHECK(over_columns("argmin") == Numbers{1, 2});
  check_near(over_columns("mean"), {4.0 / 3, 10.0 / 3});
  CHECK(result("net f(x: f32[2, 3]) -> y[] { y = argmax[i, j] x[i, j] }", x) == Numbers{3});
}

TEST_CASE("a reduction extends over products and stops at sums and comparisons") {
  const std::map<std::string, Array> x = {{"f.x", {{3}, {1, 2, 3}}}};
  CHECK(result("net f(x: f32[3]) -> y[] { y = sum[i] x[i] * x[i] + 1 }", x) == Numbers{15});
  CHECK(result("net f(x: f32[3]) -> y[] { y = sum[i] (x[i] + 1) }", x) == Numbers{9});
  CHECK(result("net f(x: f32[3]) -> y[] { y = 2 * (sum[i] x[i]) > 11 }", x) == Numbers{1});
}

TEST_CASE("nested reductions become comprehensions over the indices they use") {
  Elaborated e;
  elaborate_well(e,
                 "net f(x: f32[2, 3], w: f32[3]) -> y: f32[2, 3] {\n"
                 "  y[i, j] = x[i, j] / sum[k] exp(x[i, k] - max[l] x[i, l]) * w[j]\n}");
  const Graph& g = e.spec.graph;
  std::size_t maxima = 0, rows = 0;
  for (NodeId id : topological_order(g, roots_of(function(e, "f")))) {
    if (g[id].reduction == Reduction::max) {
      ++maxima;
      rows = g[id].type.rank();
    }
  }
  CHECK(maxima == 1);
  CHECK(rows == 1);  // over i alone, not over j or k
  Environment env;
  env.values = {{"f.x", {{2, 3}, {0, 0, 0, 1, 1, 1}}}, {"f.w", {{3}, {1, 2, 3}}}};
  // A reduction takes in the product to its right: Σ_k exp(0) · w[j] = 3 w[j].
  check_near(outputs(e, "f", env)["y"].data, {0, 0, 0, 1.0 / 3, 1.0 / 6, 1.0 / 9});
}

TEST_CASE("ranges: both ends included, negative ones, and the position of a maximum") {
  const std::map<std::string, Array> x = {{"f.x", {{5}, {1, 4, 2, 8, 5}}}};
  CHECK(result("net f(x: f32[5]) -> y[3] { y[i in 0..2] = sum[u in -1..1] x[i + 1 + u] }", x) ==
        Numbers{7, 14, 15});
  CHECK(result("net f(x: f32[5]) -> y[] { y = argmax[i in 1..4] x[i] }", x) == Numbers{3});
  CHECK(result("net f(x: f32[5]) -> y[] { y = sum[u in -3..3] u * u }", x) == Numbers{28});
}

TEST_CASE("strided, padded and folded reads") {
  const std::map<std::string, Array> x = {{"f.x", {{4}, {1, 2, 3, 4}}}};
  CHECK(result("net f(x: f32[4]) -> y[2] { y[i in 0..1] = x[2*i + 1] }", x) == Numbers{2, 4});
  CHECK(result("net f(x: f32[4]) -> y[4] { y[i in 0..3] = sum[u in 0..2] x[i + u - 1 pad 0] }",
               x) == Numbers{3, 6, 9, 7});
  CHECK(result("net f(x: f32[4]) -> y[6] { y[i in 0..5] = x[i - 1 pad -1] }", x) ==
        Numbers{-1, 1, 2, 3, 4, -1});
  CHECK(result("net f(x: f32[4]) -> y[4] { y[i in 0..3] = x[3 - i] }", x) == Numbers{4, 3, 2, 1});
  CHECK(result("net f(x: f32[4]) -> y[8] { y[i in 0..7] = x[i / 2] }", x) ==
        Numbers{1, 1, 2, 2, 3, 3, 4, 4});
  CHECK(result("net f(x: f32[4]) -> y[8] { y[i in 0..7] = x[i % 4] }", x) ==
        Numbers{1, 2, 3, 4, 1, 2, 3, 4});
  CHECK(result("net f(x: f32[4]) -> y[4] { y[i in 0..3] = x[max(i - 1, 0)] }", x) ==
        Numbers{1, 1, 2, 3});
  // A pad that is never needed changes nothing.
  CHECK(result("net f(x: f32[4]) -> y[4] { y[i] = x[i pad 9] }", x) == Numbers{1, 2, 3, 4});
}

TEST_CASE("a convolution takes its ranges from its declared result") {
  const std::string spec =
      "layer conv(x[B, C, H, W], F: int, k: int = 3, stride: int = 1, pad: int = k / 2)\n"
      "    -> y[B, F, (H + 2*pad - k) / stride + 1, (W + 2*pad - k) / stride + 1] {\n"
      "  param K: f32[F, C, k, k] ~ ones\n"
      "  y[b, f, i, j] = sum[c, u, v] x[b, c, stride*i + u - pad, stride*j + v - pad pad 0]\n"
      "      * K[f, c, u, v]\n}\n"
      "dim N <= 4\n"
      "net f(x: f32[N, 1, 3, 3]) -> y: f32[N, 1, 2, 2] { y = conv(x, 1, stride = 2) }";
  Elaborated e;
  elaborate_well(e, spec);
  Environment env;
  env.dims = {{"N", 1}};
  env.values = {{"f.x", {{1, 1, 3, 3}, counted(9, 1)}},
                {"f.conv1.K", {{1, 1, 3, 3}, Numbers(9, 1.0)}}};
  // 3×3 sums around the corners of 1…9, with zeros outside.
  CHECK(outputs(e, "f", env)["y"].data == Numbers{12, 16, 24, 28});
}

TEST_CASE("gathers, one-hot and indices as numbers") {
  CHECK(result("net f(e: f32[3, 2], ids: i32[4]) -> y: f32[4, 2] { y[t, d] = e[ids[t], d] }",
               {{"f.e", {{3, 2}, {1, 2, 3, 4, 5, 6}}}, {"f.ids", {{4}, {2, 0, 1, 2}}}}) ==
        Numbers{5, 6, 1, 2, 3, 4, 5, 6});
  CHECK(result("net f(l: i32[2]) -> y: f32[2, 3] { y[b, c in 0..2] = select(l[b] == c, 1, 0) }",
               {{"f.l", {{2}, {2, 0}}}}) == Numbers{0, 0, 1, 1, 0, 0});
  CHECK(result("net f(x: f32[2]) -> y: f32[2, 2] { y[i in 0..1, j in 0..1] = 10 * i + j }") ==
        Numbers{0, 1, 10, 11});
}

TEST_CASE("whole tensors: broadcasting by dim") {
  const std::map<std::string, Array> v = {{"f.x", {{2, 3}, {1, 2, 3, 4, 5, 6}}},
                                          {"f.r", {{3}, {10, 20, 30}}},
                                          {"f.c", {{2}, {100, 200}}}};
  const std::string head = "net f(x: f32[2, 3], r: f32[3], c: f32[2]) -> y: f32[2, 3] { y = ";
  CHECK(result(head + "x + r }", v) == Numbers{11, 22, 33, 14, 25, 36});
  CHECK(result(head + "c + x }", v) == Numbers{101, 102, 103, 204, 205, 206});
  CHECK(result(head + "2 * x - 1 }", v) == Numbers{1, 3, 5, 7, 9, 11});
  CHECK(result(head + "x - (max[..] x[..]) }", v) == Numbers{-5, -4, -3, -2, -1, 0});
  CHECK(result(head + "select(x > 2, x, r) }", v) == Numbers{10, 20, 3, 4, 5, 6});
}

TEST_CASE("dtypes: promotion, casts, division and remainders") {
  const std::map<std::string, Array> i = {{"f.i", {{3}, {7, -7, 2}}}};
  CHECK(result("net f(i: i32[3]) -> y: f32[3] { y = i / 2 }", i) == Numbers{3.5, -3.5, 1});
  CHECK(result("net f(i: i32[3]) -> y: i32[3] { y = i % 3 }", i) == Numbers{1, 2, 2});
  CHECK(result("net f(i: i32[3]) -> y: i32[3] { y = i32(f32(i) / 2) }", i) == Numbers{3, -3, 1});
  CHECK(result("net f(i: i32[3]) -> y: bool[3] { y = bool(i - 2) }", i) == Numbers{1, 1, 0});
  CHECK(result("net f(i: i32[3]) -> y: f32[3] { y = (i > 0) * 0.5 }", i) == Numbers{0.5, 0, 0.5});
  Elaborated e;
  elaborate_well(e,
                 "net f(a: f64[2], b: f32[2], i: i32[2]) -> y[2], z[2] {\n  y = a + b * i\n"
                 "  z = i + 1\n}");
  CHECK(e.spec.graph[function(e, "f").outputs[0].node].type.dtype == DType::f64);
  CHECK(e.spec.graph[function(e, "f").outputs[1].node].type.dtype == DType::i32);
}

TEST_CASE("numbers fold at compile time, and literals adapt to what they stand beside") {
  CHECK(
      result(
          "const n: int = 7\nnet f(x: f32[n % 4]) -> y: f32[3] { y[i in 0..n/2-1] = n/2 + 0*i }") ==
      Numbers{3.5, 3.5, 3.5});
  CHECK(result("net f(x: f32[1]) -> y: f32[1] { y = x + 2^10 + -3^2 }", {{"f.x", {{1}, {0}}}}) ==
        Numbers{1015});
  CHECK(result("net f(x: f32[2]) -> y: f32[2] { y = x * [0.5, 2] }", {{"f.x", {{2}, {3, 4}}}}) ==
        Numbers{1.5, 8});
  CHECK(result(
            "net f(x: f32[2]) -> y: f32[2] { m = [[1, 2], [3, 4]]\n y[i] = sum[j] m[i, j] * x[j] }",
            {{"f.x", {{2}, {1, 10}}}}) == Numbers{21, 43});
}

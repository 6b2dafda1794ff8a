// codegen_folds.cpp: reductions along contiguous elements, for lengths around every number of lanes, against the
// interpreter.
#include <fmt/format.h>

#include <limits>

#include "codegen/compile.h"
#include "codegen/loops_to_text.h"
#include "tests/catch.h"
#include "tests/emitted_cases.h"

namespace {

using test::EmittedCase;

void check(std::vector<EmittedCase> cases) {
  for (const std::string& problem : test::run_emitted(std::move(cases))) FAIL_CHECK(problem);
}

// All kinds of reductions of rows, some of which share a loop and store elements in it; and of rows that are read
// elsewhere than from their start.
std::string rows(const std::string& dims, const std::string& n, const std::string& type) {
  return fmt::format(
      "{0}net f(x: {2}[3, {1}] = \"x\", w: {2}[{1}] = \"w\") -> s: {2}[3], m: {2}[3], l: {2}[3], q: {2}[3], p: {2}[3, "
      "{1}], a: {2}[], "
      "d: {2}[3] {{\n"
      "  s[i in 0..2] = sum[k in 0..{1}-1] x[i, k] * abs(w[k])\n"
      "  m[i in 0..2] = max[k in 0..{1}-1] x[i, k]\n"
      "  l[i in 0..2] = min[k in 0..{1}-1] (x[i, k] + w[k])\n"
      "  q[i in 0..2] = prod[k in 0..{1}-1] (cast(1.0, {2}) + cast(0.0078125, {2}) * x[i, k])\n"
      "  e[i in 0..2, k in 0..{1}-1] = exp(x[i, k] - m[i])\n"
      "  t[i in 0..2] = sum[k in 0..{1}-1] e[i, k]\n"
      "  p[i in 0..2, k in 0..{1}-1] = e[i, k] / t[i]\n"
      "  a = sum[i in 0..2, k in 0..{1}-1] x[i, k] * x[i, k]\n"
      "  d[i in 0..2] = sum[k in 0..{1}-1] select(k > i, x[i, k - 1 pad 0], cast(0.0, {2}))\n}}\n",
      dims, n, type);
}

EmittedCase of(const std::string& name, const std::string& text) { return {name, test::graph_of(text), {}, 2}; }

}  // namespace

TEST_CASE("reductions along contiguous elements, fixed lengths") {
  std::vector<EmittedCase> cases;
  for (const int n : {1, 7, 8, 9, 17, 31, 32, 33, 40, 48, 95, 96})
    cases.push_back(of(fmt::format("f32, {}", n), rows("", std::to_string(n), "f32")));
  for (const int n : {7, 8, 15, 16, 17, 24})
    cases.push_back(of(fmt::format("f64, {}", n), rows("", std::to_string(n), "f64")));
  check(std::move(cases));
}

TEST_CASE("reductions along contiguous elements, lengths chosen at run time") {
  std::vector<EmittedCase> cases;
  for (const char* type : {"f32", "f64"}) {
    EmittedCase c = of(type, rows("dim N <= 100\n", "N", type));
    for (std::int64_t n = 1; n <= 100; ++n) c.more_dims.push_back({{"N", n}});
    cases.push_back(std::move(c));
  }
  check(std::move(cases));
}

TEST_CASE("one NaN among the elements of a row is its sum, largest and least, wherever it is") {
  std::vector<EmittedCase> cases;
  for (const std::size_t at : {0, 5, 31, 32, 38}) {
    EmittedCase c = of(fmt::format("at {}", at),
                       "net f(x: f32[39] = \"x\") -> s: f32[], m: f32[], l: f32[] {\n"
                       "  s = sum[k in 0..38] x[k]\n  m = max[k in 0..38] x[k]\n  l = min[k in 0..38] x[k]\n}\n");
    gradc::Array& x = c.environment.values["x"];
    x.shape = {39};
    for (std::size_t k = 0; k < 39; ++k) x.data.push_back(k == at ? std::numeric_limits<double>::quiet_NaN() : 0.5);
    cases.push_back(std::move(c));
  }
  check(std::move(cases));
}

TEST_CASE("windows of NaN, infinities, zeros and ties have the largest and the least that the interpreter finds") {
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const double values[] = {-infinity, -1, -0.0, 0, 1, 1, infinity, nan};
  std::vector<EmittedCase> cases;
  for (const std::int64_t n : {1, 4, 5, 14, 16, 33}) {  // windows of two rows and two columns, n of them in a row
    EmittedCase c = of(fmt::format("{} windows", n),
                       fmt::format("net f(x: f32[40, {1}] = \"x\") -> m: f32[20, {0}], l: f32[20, {0}], a: i32[20, {0}] {{\n"
                                   "  m[i in 0..19, j in 0..{2}] = max[u in 0..1, v in 0..1] x[2 * i + u, 2 * j + v]\n"
                                   "  l[i in 0..19, j in 0..{2}] = min[u in 0..1, v in 0..1] x[2 * i + u, 2 * j + v]\n"
                                   "  a[i in 0..19, j in 0..{2}] = argmax[u in 0..1, v in 0..1] x[2 * i + u, 2 * j + v]\n}}\n",
                                   n, 2 * n, n - 1));
    gradc::Array& x = c.environment.values["x"];
    x.shape = {40, 2 * n};
    for (std::uint64_t k = 0, random = 1; k < static_cast<std::uint64_t>(80 * n); ++k) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      x.data.push_back(values[random >> 61]);
    }
    cases.push_back(std::move(c));
  }
  check(std::move(cases));
}

TEST_CASE("reductions go by lanes where what one of their reads takes is contiguous, and only there") {
  const auto text = [](const std::string& spec) {
    return gradc::kernels_to_text(gradc::lower(test::graph_of(spec), "f"), gradc::cpp_target());
  };
  const std::string contiguous =
      text("net f(x: f32[9, 40] = \"x\") -> y: f32[9] {\n  y[i in 0..8] = sum[k in 0..39] x[i, k]\n}\n");
  CHECK(contiguous.find("Lanes<float, 32>") != std::string::npos);
  const std::string strided =
      text("net f(x: f32[2, 40, 3] = \"x\") -> y: f32[2] {\n  y[i in 0..1] = sum[k in 0..39] x[i, k, 2]\n}\n");
  CHECK(strided.find("Lanes") == std::string::npos);
  const std::string chosen =
      text("net f(x: f32[40] = \"x\", id: i32[40] = \"id\") -> y: f32[] {\n  y = sum[k in 0..39] x[id[k]]\n}\n");
  CHECK(chosen.find("Lanes<float, 32>") != std::string::npos);
  const std::string both = text(
      "net f(x: f32[40] = \"x\", y: f32[40, 3] = \"y\") -> z: f32[] {\n  z = sum[k in 0..39] x[k] * y[k, 2]\n}\n");
  CHECK(both.find("Lanes<float, 32>") != std::string::npos);
}

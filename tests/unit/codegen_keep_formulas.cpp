// codegen_keep_formulas.cpp: formulas that are stored in place of the products they are computed from, or read in place of
// their parts: text, and numbers against the interpreter.
#include <string>

#include "codegen/compile.h"
#include "codegen/loops_to_text.h"
#include "tests/catch.h"
#include "tests/emitted_cases.h"

namespace {

// A layer whose activation and derivative are costly formulas of `t`, and one more reader of it.
std::string step(const std::string& reader) {
  return "step f(x: f32[5, 40] = \"x\") {\n"
         "  W = parameter(\"W\", f32[40, 32])\n  b = parameter(\"b\", f32[32])\n  V = parameter(\"V\", f32[32, 8])\n"
         "  t[i in 0..4, j in 0..31] = sum[k in 0..39] x[i, k] * W[k, j]\n"
         "  h[i in 0..4, j in 0..31] = (t[i, j] + b[j]) * exp(-(t[i, j] + b[j]) * (t[i, j] + b[j]))\n"
         "  y[i in 0..4, o in 0..7] = sum[j in 0..31] h[i, j] * V[j, o]\n"
         "  loss = sum[i in 0..4, o in 0..7] y[i, o] * y[i, o]\n"
         "  dh[i in 0..4, j in 0..31] = sum[o in 0..7] y[i, o] * V[j, o]\n"
         "  dt[i in 0..4, j in 0..31] = dh[i, j] * (exp(-(t[i, j] + b[j]) * (t[i, j] + b[j])) *"
         " (1.0 - 2.0 * ((t[i, j] + b[j]) * (t[i, j] + b[j]))))\n"
         "  dW[k in 0..39, j in 0..31] = sum[i in 0..4] x[i, k] * dt[i, j]\n"
         "  next[k in 0..39, j in 0..31] = W[k, j] - 0.1 * dW[k, j]\n" +
         reader + "  report loss, more\n  W' = next\n}\n";
}

const std::string only_the_loss = step("  more = loss + 1.0\n");
const std::string the_product_too = step("  more = sum[i in 0..4, j in 0..31] t[i, j]\n");
const std::string another_formula = step("  s[i in 0..4, j in 0..31] = dh[i, j] * exp(t[i, j])\n"
                                         "  more = sum[i in 0..4, j in 0..31] s[i, j]\n");

// What stands above the loops that compute the product's gradient.
bool computes_derivative_late(const std::string& spec) {
  const std::string text = gradc::kernels_to_text(gradc::lower(test::graph_of(spec), "f"), gradc::cpp_target());
  REQUIRE(text.find("// dt[i, j] = ") != std::string::npos);
  return text.find("// dt[i, j] = dh[i, j] * (exp(") != std::string::npos;
}

// A softmax, and its gradient as it comes from the rule for quotients.
const char* const softmax =
    "net f(x: f32[6, 40] = \"x\", v: f32[40, 8] = \"v\", d: f32[6, 40] = \"d\") -> y: f32[6, 8], dx: f32[6, 40] {\n"
    "  e[i in 0..5, j in 0..39] = exp(x[i, j])\n  s[i in 0..5] = sum[j in 0..39] e[i, j]\n"
    "  share[i in 0..5, j in 0..39] = e[i, j] / s[i]\n"
    "  y[i in 0..5, o in 0..7] = sum[j in 0..39] share[i, j] * v[j, o]\n"
    "  m[i in 0..5] = sum[j in 0..39] d[i, j] * share[i, j]\n"
    "  dx[i in 0..5, j in 0..39] = (d[i, j] - m[i]) / s[i] * e[i, j]\n}\n";

}  // namespace

TEST_CASE("a quotient that is stored is read where its parts stand apart in a product") {
  const std::string text = gradc::kernels_to_text(gradc::lower(test::graph_of(softmax), "f"), gradc::cpp_target());
  CHECK(text.find("dx[i, j] = (d[i, j] - m[i]) * share[i, j]") != std::string::npos);
}

TEST_CASE("a derivative is computed beside its activation where it is stored in place of what both read") {
  CHECK_FALSE(computes_derivative_late(only_the_loss));
  CHECK(computes_derivative_late(the_product_too));
  CHECK(computes_derivative_late(another_formula));
}

TEST_CASE("functions that read or keep other formulas than the graph has give what the interpreter gives") {
  std::vector<test::EmittedCase> cases;
  cases.push_back({"kept", test::graph_of(only_the_loss), {}, 2});
  cases.push_back({"not kept", test::graph_of(the_product_too), {}, 2});
  cases.push_back({"two formulas", test::graph_of(another_formula), {}, 2});
  cases.push_back({"softmax", test::graph_of(softmax), {}, 2});
  for (const std::string& problem : test::run_emitted(std::move(cases))) FAIL_CHECK(problem);
}

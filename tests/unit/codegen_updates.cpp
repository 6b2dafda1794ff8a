// codegen_updates.cpp: updates that read what others overwrite, and values with several homes.
#include "tests/catch.h"
#include "tests/emitted_cases.h"

namespace {

test::EmittedCase of(const std::string& name, const std::string& text) {
  return {name, test::graph_of(text), {}, 2};
}

}  // namespace

TEST_CASE("updates that read each other's targets all see the old values") {
  std::vector<test::EmittedCase> cases;
  cases.push_back(of("two",
                     "step s(x: f32[3] = \"x\") {\n"
                     "  p = parameter(\"p\", f32[3])\n  m = state_value(\"m\", f32[3])\n"
                     "  a[i in 0..2] = p[i] + m[i] * x[i]\n  b[i in 0..2] = 0.5 * m[i] + p[i]\n"
                     "  total = sum[i in 0..2] p[i]\n  report total\n  p' = a\n  m' = b\n}\n"));
  cases.push_back(of("swapped",
                     "step s(x: f32[3] = \"x\") {\n"
                     "  p = parameter(\"p\", f32[3])\n  m = state_value(\"m\", f32[3])\n"
                     "  total = sum[i in 0..2] p[i]\n  report total\n  p' = m\n  m' = p\n}\n"));
  cases.push_back(
      of("in a ring",
         "step s(x: f32[3] = \"x\") {\n"
         "  p = parameter(\"p\", f32[3])\n  q = parameter(\"q\", f32[3])\n"
         "  m = state_value(\"m\", f32[3])\n"
         "  a[i in 0..2] = p[i] + q[i] * x[i]\n  b[i in 0..2] = q[i] - m[i]\n"
         "  c[i in 0..2] = 0.5 * m[i] + p[i]\n"
         "  total = sum[i in 0..2] p[i]\n  report total\n  p' = a\n  q' = b\n  m' = c\n}\n"));
  for (const std::string& problem : test::run_emitted(std::move(cases))) FAIL_CHECK(problem);
}

TEST_CASE("an output that is a gradient as well is computed for both") {
  std::vector<test::EmittedCase> cases;
  cases.push_back(of("constant",
                     "net f(x: f32[3] = \"x\", dy: f32[3] = \"dy\") -> y: f32[3] {\n"
                     "  y[i in 0..2] = 0.5\n"
                     "  cotangents = [dy]\n  gradients = [named(\"dx\", y)]\n}\n"));
  cases.push_back(
      of("sum",
         "net f(x: f32[3] = \"x\", z: f32[3] = \"z\", dy: f32[3] = \"dy\") -> y: f32[3] {\n"
         "  s = sum[i in 0..2] x[i]\n  y[i in 0..2] = s * z[i]\n"
         "  cotangents = [dy]\n  gradients = [named(\"dx\", y), named(\"dz\", y)]\n}\n"));
  for (const std::string& problem : test::run_emitted(std::move(cases))) FAIL_CHECK(problem);
}

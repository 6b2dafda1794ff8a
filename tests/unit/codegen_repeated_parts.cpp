// codegen_repeated_parts.cpp: parts of formulas that many elements share: text, and numbers against
// the interpreter.
#include <string>

#include "codegen/compile.h"
#include "codegen/loops_to_text.h"
#include "tests/catch.h"
#include "tests/emitted_cases.h"

namespace {

// A net of y over i, j and b; j runs to `rows`.
std::string net(const std::string& y, int rows = 50) {
  const std::string J = std::to_string(rows);
  return "dim B <= 40\n"
         "net f(x: f32[3, " +
         J + ", B] = \"x\", v: f32[3, B] = \"v\", u: f32[3, " + J + "] = \"u\") -> y: f32[3, " + J +
         ", B] {\n"
         "  y[i in 0..2, j in 0.." +
         std::to_string(rows - 1) + ", b in 0..B-1] = " + y + "\n}\n";
}

const std::string root = net("x[i, j, b] / sqrt(v[i, b] * v[i, b] + 1.0)");
const std::string two_parts =
    net("x[i, j, b] / sqrt(v[i, b] * v[i, b] + 1.0) + exp(v[i, b]) * x[i, j, b]");
const std::string a_row = net("x[i, j, b] / sqrt(u[i, j] * u[i, j] + 1.0)");
const std::string few = net("x[i, j, b] / sqrt(v[i, b] * v[i, b] + 1.0)", 8);
const std::string guarded = net("select(v[i, b] > 0.0, x[i, j, b] / sqrt(v[i, b]), x[i, j, b])");

// How many parts are stored.
int parts_of(const std::string& spec) {
  const std::string text =
      gradc::kernels_to_text(gradc::lower(test::graph_of(spec), "f"), gradc::cpp_target());
  int parts = 0;
  for (const char* part : {"// y_part[i, b] = ", "// y_part2[i, b] = ", "// y_part3[i, b] = "})
    parts += text.find(part) != std::string::npos;
  return parts;
}

}  // namespace

TEST_CASE("what many elements have in common along the last index is computed once") {
  CHECK(parts_of(root) == 1);
  CHECK(parts_of(two_parts) == 2);
}

TEST_CASE(
    "what a row has in common, few elements or a condition guards is computed where it is read") {
  CHECK(parts_of(a_row) == 0);
  CHECK(parts_of(few) == 0);
  CHECK(parts_of(guarded) == 0);
}

TEST_CASE("formulas with parts taken out give what the interpreter gives") {
  std::vector<test::EmittedCase> cases;
  for (const auto& [name, spec] : {std::pair("root", root), std::pair("two parts", two_parts),
                                   std::pair("guarded", guarded)}) {
    cases.push_back({name, test::graph_of(spec), {}, 2});
    cases.back().more_dims = {{{"B", 1}}, {{"B", 33}}};
  }
  for (const std::string& problem : test::run_emitted(std::move(cases))) FAIL_CHECK(problem);
}

// codegen_keep_factors.cpp: what recurrences leave behind for their gradients: text, and numbers
// against the interpreter.
#include <string>

#include "codegen/compile.h"
#include "codegen/loops_to_text.h"
#include "tests/catch.h"
#include "tests/emitted_cases.h"

namespace {

struct Cell {
  bool reversed = false;                             // from the last time to the first
  std::string gate = "logistic(z[b, t, o])";         // of what was there before
  std::string value = "tanh(z[b, t, o + 4])";        // that is added
  std::string gate_again = "logistic(z2[b, %, o])";  // the gate where gradients pass it, at time %
  std::string gate_slope = "logistic(z2[b, t, j]) * logistic(-z2[b, t, j])";
  std::string value_slope = "(1.0 - tanh(z2[b, t, j]) * tanh(z2[b, t, j]))";
};

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

// A step that trains c[t] = gate(z[t]) c[t-1] + value(z[t]) with z[t] = x[t] + c[t-1] U.
std::string step(const Cell& cell) {
  const std::string before = cell.reversed ? "t + 1" : "t - 1",
                    after = cell.reversed ? "t - 1" : "t + 1";
  const std::string there = cell.reversed ? "t - 1 >= 0" : "t + 1 < 5";
  const std::string forth = cell.reversed ? "recurrence_back" : "recurrence",
                    back = cell.reversed ? "recurrence" : "recurrence_back";
  const std::string text =
      "dim B <= 3\nstep f(x: f32[B, 5, 8] = \"x\") {\n"
      "  U = parameter(\"U\", f32[4, 8])\n  c = past(0, f32[B, 5, 4])\n"
      "  p[b in 0..B-1, t in 0..4, j in 0..7] = sum[k in 0..3] c[b, BEFORE, k pad 0] * U[k, j]\n"
      "  z[b in 0..B-1, t in 0..4, j in 0..7] = x[b, t, j] + p[b, t, j]\n"
      "  c2[b in 0..B-1, t in 0..4, o in 0..3] = GATE * c[b, BEFORE, o pad 0] + VALUE\n"
      "  y = FORTH(c2, [[c, c2, 1]])\n  z2 = FORTH(z, [[c, c2, 1]])\n"
      "  loss = sum[b in 0..B-1, t in 0..4, o in 0..3] y[b, t, o] * y[b, t, o]\n"
      "  g = past(1, f32[B, 5, 8])\n  d = past(2, f32[B, 5, 4])\n"
      "  q[b in 0..B-1, t in 0..4, k in 0..3] = sum[j in 0..7] g[b, AFTER, j pad 0] * U[k, j]\n"
      "  dc[b in 0..B-1, t in 0..4, o in 0..3] = 2.0 * y[b, t, o] + q[b, t, o] + select(THERE, "
      "d[b, AFTER, o] * AGAIN, 0.0)\n"
      "  old[b in 0..B-1, t in 0..4, j in 0..7] = select(j < 4, dc[b, t, j pad 0] * y[b, BEFORE, j "
      "pad 0] * (GATE_SLOPE), 0.0)\n"
      "  dz[b in 0..B-1, t in 0..4, j in 0..7] = old[b, t, j] + select(j - 4 >= 0, dc[b, t, j - 4] "
      "* VALUE_SLOPE, 0.0)\n"
      "  da = BACK(dz, [[g, dz, 1], [d, dc, 1]])\n  dold = BACK(old, [[g, dz, 1], [d, dc, 1]])\n"
      "  dU[k in 0..3, j in 0..7] = sum[b in 0..B-1, t in 0..4] da[b, t, j] * y[b, BEFORE, k pad "
      "0]\n"
      "  twice[b in 0..B-1, t in 0..4, j in 0..7] = 2.0 * dold[b, t, j]\n"
      "  more = sum[b in 0..B-1, t in 0..4, j in 0..7] twice[b, t, j]\n"
      "  next[k in 0..3, j in 0..7] = U[k, j] - 0.1 * dU[k, j]\n  report loss, more\n  U' = "
      "next\n}\n";
  std::string now = replaced(text, "GATE_SLOPE", cell.gate_slope);
  now = replaced(replaced(now, "VALUE_SLOPE", cell.value_slope), "AGAIN",
                 replaced(cell.gate_again, "%", after));
  now = replaced(replaced(now, "GATE", cell.gate), "VALUE", cell.value);
  now = replaced(replaced(now, "BEFORE", before), "AFTER", after);
  return replaced(replaced(replaced(now, "THERE", there), "FORTH", forth), "BACK", back);
}

const Cell forwards{}, backwards{true};
// The loop evaluates neither function that its gradient wants.
const Cell strangers{false,
                     "cos(z[b, t, o])",
                     "sin(z[b, t, o + 4])",
                     "exp(z2[b, %, o])",
                     "exp(-z2[b, t, j])",
                     "exp(z2[b, t, j])"};

std::string text_of(const Cell& cell) {
  return gradc::kernels_to_text(gradc::lower(test::graph_of(step(cell)), "f"), gradc::cpp_target());
}

// What stands above the kernel that computes the gradient of z.
std::string gradient_of(const Cell& cell) {
  const std::string text = text_of(cell);
  const std::size_t begin = text.find("// dz[b, t, j] = ");
  REQUIRE(begin != std::string::npos);
  return text.substr(begin, text.find("// dz: ", begin) - begin);
}

bool holds(const std::string& text, const char* words) {
  return text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE(
    "gates that a recurrence evaluates are factors of its gradients, kept where the gates are at "
    "hand") {
  for (const Cell& cell : {forwards, backwards}) {
    const std::string text = gradient_of(cell);
    CHECK_FALSE(holds(text, "logistic("));
    CHECK_FALSE(holds(text, "tanh("));
    CHECK(holds(text, "old_factor[b, t, j]"));
    CHECK(holds(text, "dz_factor[b, t, j - 4]"));
  }
  CHECK(holds(gradient_of(strangers), "exp("));
}

TEST_CASE("a cheap result of a recurrence is computed where it is read") {
  CHECK(holds(text_of(forwards), "// more = sum[b, i, j] 2 * select(j < 4, dc[b, i, j pad 0]"));
}

TEST_CASE("recurrences with kept factors give what the interpreter gives") {
  std::vector<test::EmittedCase> cases;
  for (const auto& [name, cell] :
       {std::pair("forwards", forwards), std::pair("backwards", backwards),
        std::pair("strangers", strangers)}) {
    cases.push_back({name, test::graph_of(step(cell)), {}, 2});
    cases.back().more_dims = {{{"B", 1}}, {{"B", 2}}};
  }
  for (const std::string& problem : test::run_emitted(std::move(cases))) FAIL_CHECK(problem);
}

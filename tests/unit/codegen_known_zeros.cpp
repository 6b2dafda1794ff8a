// codegen_known_zeros.cpp: elements that are 0 whatever is computed, and sums of products without
// them: text, and numbers against the interpreter.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "codegen/compile.h"
#include "codegen/known_zeros.h"
#include "codegen/loops_to_text.h"
#include "tests/catch.h"
#include "tests/emitted_cases.h"

namespace {

using test::EmittedCase;

// "j - i" for 1 · index 1 - 1 · index 0 and so on, of what the net gives.
std::vector<std::string> zeros_of(const std::string& formulas,
                                  const std::string& inputs = "x: f32[6, 9] = \"x\"") {
  const gradc::Graph g =
      test::graph_of("dim B <= 9\nnet f(" + inputs +
                     ", B_rows: f32[B, 9] = \"b\") -> y: f32[6, 9] {\n" + formulas + "}\n");
  std::vector<std::string> texts;
  for (const gradc::Affine& at : gradc::known_zeros(g, g.functions.back().outputs[0].node)) {
    std::string text;
    for (std::size_t k = 0; k < at.coefficients.size(); ++k)
      if (at.coefficients[k] != 0) text += fmt::format("{:+}{} ", at.coefficients[k], "ij"[k]);
    texts.push_back(fmt::format("{}{:+}", text, at.constant));
  }
  return texts;
}

using Texts = std::vector<std::string>;

const char* const softmax =
    "  e[i in 0..5, j in 0..8] = exp(score[i, j] - m[i])\n"
    "  s[i in 0..5] = sum[j in 0..8] e[i, j]\n"
    "  y[i in 0..5, j in 0..8] = e[i, j] / s[i]\n";

// Products with what is 0 in part, by its rows and by its columns.
std::string masked(const std::string& zero, std::int64_t rows, std::int64_t terms,
                   std::int64_t columns, bool followed = false) {
  return fmt::format(
             "net f(x: f32[{0}, {1}] = \"x\", w: f32[{1}, {2}] = \"w\", dy: f32[{0}, {2}] = "
             "\"dy\") -> "
             "y: f32[{0}, {2}], dw: f32[{1}, {2}] {{\n"
             "  p[i in 0..{0}-1, k in 0..{1}-1] = select({3}, 0.0, exp(x[i, k]))\n"
             "  {4}[i in 0..{0}-1, j in 0..{2}-1] = sum[k in 0..{1}-1] p[i, k] * w[k, j]\n"
             "  {5}[k in 0..{1}-1, j in 0..{2}-1] = sum[i in 0..{0}-1] p[i, k] * dy[i, j]\n",
             rows, terms, columns, zero, followed ? "t" : "y", followed ? "u" : "dw") +
         (followed ? fmt::format("  y[i in 0..{0}-1, j in 0..{2}-1] = t[i, j] + dy[i, j]\n"
                                 "  dw[k in 0..{1}-1, j in 0..{2}-1] = u[k, j] * w[k, j]\n",
                                 rows, terms, columns)
                   : "") +
         "}\n";
}

gradc::Target processor(const std::string& name) {
  gradc::Target target = gradc::cpp_target();
  for (const gradc::Isa& isa : gradc::isas())
    if (isa.name == name) target.isa = isa;
  return target;
}

// Kernels of the text, for a processor with 32 registers of 16 floats.
std::string text_of(const std::string& spec, bool pairs = false) {
  gradc::Target target = processor(pairs ? "x86-64-v4-bf16" : "x86-64-v4");
  target.bf16 = pairs;
  return gradc::kernels_to_text(gradc::lower(test::graph_of(spec), "f", target), target);
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("elements that a condition on indices makes 0") {
  CHECK(zeros_of("  y[i in 0..5, j in 0..8] = select(j > i, 0.0, x[i, j])\n") ==
        Texts{"-1i +1j +0"});
  CHECK(zeros_of("  y[i in 0..5, j in 0..8] = select(j <= i, x[i, j], 0.0)\n") ==
        Texts{"-1i +1j +0"});
  CHECK(zeros_of("  y[i in 0..5, j in 0..8] = select(2 * j < i + 3, 0.0, x[i, j])\n") ==
        Texts{"+1i -2j +3"});
  CHECK(zeros_of("  y[i in 0..5, j in 0..8] = x[i, j] * select(j > i or i >= j + 4, 0.0, 2.0)\n") ==
        Texts{"-1i +1j +0", "+1i -1j -3"});
  CHECK(zeros_of("  y[i in 0..5, j in 0..8] = select(j <= i and x[i, j] > 0.5, x[i, j], 0.0)\n") ==
        Texts{"-1i +1j +0"});
  CHECK(zeros_of("  y[i in 0..5, j in 0..8] = x[i, j]\n").empty());
  CHECK(zeros_of("  y[i in 0..5, j in 0..8] = select(j > i, 1.0, x[i, j])\n").empty());
  CHECK(zeros_of("  y[i in 0..5, j in 0..8] = select(j > i and x[i, j] > 0.5, 0.0, x[i, j])\n")
            .empty());
  CHECK(zeros_of("  y[i in 0..5, j in 0..8] = x[i, j] / select(j > i, 0.0, x[i, j])\n").empty());
  CHECK(zeros_of("  y[i in 0..5, j in 0..8] = x[i, j] + select(j > i, 0.0, x[i, j])\n").empty());
  CHECK(zeros_of("  y[i in 0..5, j in 0..8] = exp(x[i, j] - select(j > i, inf, 0.0))\n") ==
        Texts{"-1i +1j +0"});
}

TEST_CASE("elements that are 0 since what they are computed from is") {
  const std::string score = "  score[i in 0..5, j in 0..8] = select(j > i, -inf, 0.25 * x[i, j])\n";
  const std::string m = "  m[i in 0..5] = max[j in 0..8] score[i, j]\n";
  CHECK(zeros_of(score + m + softmax) == Texts{"-1i +1j +0"});
  CHECK(zeros_of("  score[i in 0..5, j in 0..8] = select(j > i, -100000.0, 0.25 * x[i, j])\n" + m +
                 softmax)
            .empty());
  // Other subscripts move the place.
  CHECK(zeros_of("  p[i in 0..8, j in 0..11] = select(j > i, 0.0, x[i, j])\n"
                 "  y[i in 0..5, j in 0..8] = 3.0 * p[j, i + 2]\n",
                 "x: f32[9, 12] = \"x\"") == Texts{"+1i -1j +2"});
  // A sum along what is 0 in part is not.
  CHECK(zeros_of("  p[i in 0..5, j in 0..8] = select(j > i, 0.0, x[i, j])\n"
                 "  s[i in 0..5] = sum[j in 0..8] p[i, j]\n  y[i in 0..5, j in 0..8] = s[i]\n")
            .empty());
}

TEST_CASE("sums of products leave out terms that are 0 for a whole tile") {
  const std::string text = text_of(masked("k > i", 64, 64, 32));
  CHECK(holds(text, "k < m + 8; ++k"));
  CHECK(holds(text, "k = m; k < 64; ++k"));
  const std::string blocks = text_of(masked("k > i", 512, 512, 32));
  CHECK(holds(blocks, "k_to = gradc::min(k_begin + 256, m + 8);"));
  CHECK(holds(blocks, "k_from = gradc::max(k_begin, m);"));
  const std::string followed = text_of(masked("k > i", 64, 64, 32, true));
  CHECK(holds(followed, "k < first_row + 8; ++k"));
  const std::string pairs = text_of(masked("k > i", 64, 64, 32), true);
  CHECK(holds(pairs, "k0 < gradc::floor_div(m + 9, 2); ++k0"));
  CHECK(holds(pairs, "k0 = gradc::floor_div(m, 2); k0 < 32; ++k0"));
  const std::string whole = text_of(masked("x[i, k] > 0.0", 64, 64, 32));
  CHECK(holds(whole, "k = 0; k < 64; ++k"));
  CHECK_FALSE(holds(whole, "k < m + 8"));
  CHECK_FALSE(holds(whole, "k = m;"));
}

TEST_CASE("sums of products without terms that are 0: values") {
  std::vector<EmittedCase> cases;
  int number = 0;
  const auto add = [&](const std::string& name, const std::string& text) {
    cases.push_back({fmt::format("{} ({})", name, ++number), test::graph_of(text), {}, 2});
  };
  for (const char* const zero : {"k > i", "k < i", "k + i > 20", "k + i < 17", "k > i + 3",
                                 "i >= k + 5", "2 * k > i", "k < 3 * i - 7", "k > i or i > k + 6",
                                 "k > i and x[i, k] > 0.0", "k > 100", "k >= 0 * i"}) {
    add(zero, masked(zero, 37, 41, 19));
    add(zero, masked(zero, 37, 41, 19, true));
  }
  add("in blocks", masked("k > i", 400, 400, 16));
  add("in blocks, followed", masked("k + i < 391", 400, 390, 5, true));
  add("wide", masked("k > i", 20, 20, 131, true));
  const std::string sizes =
      "dim N <= 70\ndim M <= 70\n"
      "net f(x: f32[3, M, N] = \"x\", w: f32[3, N, 20] = \"w\", dy: f32[3, M, 20] = \"dy\") -> y: "
      "f32[3, M, 20], dw: f32[3, N, 20], "
      "s: f32[3, M, 20] {\n"
      "  p[b in 0..2, i in 0..M-1, k in 0..N-1] = select(k > i, 0.0, exp(x[b, i, k]))\n"
      "  y[b in 0..2, i in 0..M-1, j in 0..19] = sum[k in 0..N-1] p[b, i, k] * w[b, k, j]\n"
      "  dw[b in 0..2, k in 0..N-1, j in 0..19] = sum[i in 0..M-1] p[b, i, k] * dy[b, i, j]\n"
      "  s[b in 0..2, i in 0..M-1, j in 0..19] = y[b, i, j] * dy[b, i, j]\n}\n";
  add("sizes chosen at run time", sizes);
  for (const auto& [n, m] :
       {std::pair<std::int64_t, std::int64_t>{1, 1}, {9, 9}, {64, 20}, {20, 64}, {70, 70}})
    cases.back().more_dims.push_back({{"N", n}, {"M", m}});
  for (const char* const name : {"x86-64-v4", "x86-64-v3", "scalar"}) {
    const test::EmittedOptions options{
        .builds = std::string(name) == "x86-64-v4" ? test::Builds::all : test::Builds::quick};
    for (const std::string& problem : test::run_emitted(cases, processor(name), options))
      FAIL_CHECK(name << ": " << problem);
  }
}

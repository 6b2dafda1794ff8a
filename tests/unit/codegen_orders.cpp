// codegen_orders.cpp: tensors read in another order than they are written in, and neighbouring
// indices that are one loop.
#include <fmt/format.h>

#include "codegen/compile.h"
#include "codegen/loops_to_text.h"
#include "tests/catch.h"
#include "tests/emitted_cases.h"

namespace {

using test::EmittedCase;

EmittedCase of(const std::string& name, const std::string& text) {
  return {name, test::graph_of(text), {}, 2};
}

void check(const std::vector<EmittedCase>& cases) {
  for (const char* isa : {"x86-64-v3", "x86-64-v4"}) {
    gradc::Target target = gradc::cpp_target();
    target.isa = *gradc::isa_named(isa);
    for (const std::string& problem :
         test::run_emitted(cases, target, {.builds = test::Builds::quick}))
      FAIL_CHECK("for " << isa << ": " << problem);
  }
}

std::string text_of(const std::string& spec) {
  return gradc::kernels_to_text(gradc::lower(test::graph_of(spec), "f"), gradc::cpp_target());
}

}  // namespace

TEST_CASE(
    "copies to every order of the axes, whose rows and columns are of one index or of several") {
  std::vector<EmittedCase> cases;
  const char* const orders[] = {"j, k, l, i", "l, i, j, k", "k, l, i, j", "i, k, l, j",
                                "l, k, j, i", "k, j, l, i", "i, l, j, k"};
  const int sizes[] = {17, 3, 7, 18};
  for (const std::string order : orders) {
    std::string shape, indices;
    for (const char index : order) {
      if (index < 'i') continue;
      shape += fmt::format("{}{}", shape.empty() ? "" : ", ", sizes[index - 'i']);
      indices +=
          fmt::format("{}{} in 0..{}", indices.empty() ? "" : ", ", index, sizes[index - 'i'] - 1);
    }
    cases.push_back(of(order, fmt::format("net f(x: f32[17, 3, 7, 18] = \"x\") -> y: f32[{0}], z: "
                                          "f32[{0}] {{\n  y[{1}] = x[i, j, k, l]\n"
                                          "  z[{1}] = 2.0 * x[i, j, k, l]\n}}\n",
                                          shape, indices)));
  }
  cases.push_back(of("one of several",
                     "net f(x: f32[20, 3, 7, 5] = \"x\") -> y: f32[1, 7, 5, 20], z: f32[7, 20] {\n"
                     "  y[f in 0..0, i in 0..6, j in 0..4, b in 0..19] = x[b, 2, i, j]\n  z[i in "
                     "0..6, b in 0..19] = x[b, 1, i, 3]\n}\n"));
  cases.push_back(
      of("a part",
         "net f(x: f32[20, 3, 7, 5] = \"x\") -> y: f32[3, 6, 4, 18], z: f32[3, 6, 5, 20] {\n"
         "  y[c in 0..2, i in 0..5, j in 0..3, b in 0..17] = x[b, c, i, j]\n"
         "  z[c in 0..2, i in 0..5, j in 0..4, b in 0..19] = x[b, c, i, j] + 1.0\n}\n"));
  check(cases);
}

TEST_CASE("what vectors would read in steps is copied first, once for all") {
  const auto text = [](int batch) {
    return text_of(fmt::format(
        "net f(x: f32[{0}, 3, 4, 9] = \"x\", w: f32[3, 4, 9, {0}] = \"w\", s: f32[3] = \"s\") -> "
        "y: f32[3, 4, 9, {0}], "
        "z: f32[3] {{\n  y[c in 0..2, i in 0..3, j in 0..8, b in 0..{1}] = x[b, c, i, j] * s[c]\n"
        "  z[c in 0..2] = sum[i in 0..3, j in 0..8, b in 0..{1}] x[b, c, i, j] * w[c, i, j, "
        "b]\n}}\n",
        batch, batch - 1));
  };
  const std::string long_rows = text(32);
  CHECK(long_rows.find("gradc::transpose(x + ") != std::string::npos);
  CHECK(long_rows.find("y[(c * 4 + i) * 9 * 32 + b0 + lane] = y2") != std::string::npos);
  CHECK(long_rows.find("x_transposed_c_i * w[(c * 4 + i) * 9 * 32 + b0 + lane]") !=
        std::string::npos);
  CHECK(text(4).find("transpose") == std::string::npos);
  // A window, or what is outside, is read as it is.
  CHECK(text_of("net f(x: f32[32, 40] = \"x\") -> y: f32[38, 32] {\n  y[i in 0..37, b in 0..31] = "
                "exp(x[b, i + 2])\n}\n")
            .find("transpose") == std::string::npos);
}

TEST_CASE("indices that are neighbours wherever they occur are one loop") {
  const std::string sum = text_of(
      "net f(x: f32[5, 6, 7, 8] = \"x\") -> y: f32[5, 6, 7, 8], z: f32[5] {\n"
      "  y[i in 0..4, j in 0..5, k in 0..6, l in 0..7] = 2.0 * x[i, j, k, l]\n"
      "  z[i in 0..4] = sum[j in 0..5, k in 0..6, l in 0..7] x[i, j, k, l]\n}\n");
  CHECK(sum.find("l0 < 336") != std::string::npos);
  std::vector<EmittedCase> cases;
  const auto add = [&](const char* name, const char* body) {
    cases.push_back(
        of(name,
           fmt::format(
               "net f(x: f32[5, 6, 7, 8] = \"x\", u: f32[5, 6, 7] = \"u\", v: f32[7, 8] = \"v\", "
               "w: f32[5, 8, 7] = \"w\") -> y: f32[5, 6, 7, 8], z: f32[5], m: i32[5] {{\n"
               "  y[i in 0..4, j in 0..5, k in 0..6, l in 0..7] = {0}\n"
               "  z[i in 0..4] = sum[j in 0..5, k in 0..6, l in 0..7] ({0})\n"
               "  m[i in 0..4] = argmax[j in 0..5, k in 0..6] (w[i, 3, k] + u[i, j, k])\n}}\n",
               body)));
  };
  add("all", "x[i, j, k, l] * 2.0");
  add("the first of two", "x[i, j, k, l] * u[i, j, k]");
  add("the last two", "x[i, j, k, l] * v[k, l]");
  add("another order", "x[i, j, k, l] * w[i, l, k]");
  add("a number", "x[i, j, k, l] * cast(k, f32)");
  add("a condition", "select(l > k, x[i, j, k, l], 1.0)");
  add("a neighbour", "x[i, j, k, l] * v[k, l - 1 pad 0]");
  check(cases);
  const std::string other = text_of(
      "net f(x: f32[5, 6, 7, 8] = \"x\", v: f32[9, 9] = \"v\") -> y: f32[5, 6, 7, 8] {\n"
      "  y[i in 0..4, j in 0..5, k in 0..6, l in 0..7] = x[i, j, k, l] * v[k, l]\n}\n");
  CHECK(other.find("l < 8;") != std::string::npos);
}

TEST_CASE("columns and sums of a product over neighbouring axes are one") {
  const auto spec = [](const std::string& rows, const std::string& body) {
    return fmt::format(
        "net f(w: f32[13, 9] = \"w\", k: f32[13, 9, 3] = \"k\", x: f32[4, 9, 5, 7] = \"x\", d: "
        "f32[4, 13, 5, 7] = \"d\", "
        "s: f32[13] = \"s\", u: f32[5, 7] = \"u\", v: f32[5] = \"v\") -> {} {{\n  {}\n}}\n",
        rows, body);
  };
  const std::string y = "y: f32[4, 13, 5, 7]",
                    at = "y[b in 0..3, f in 0..12, i in 0..4, j in 0..6] = ",
                    product = "sum[c in 0..8] w[f, c] * x[b, c, i, j]",
                    stored = "p" + at.substr(1) + product + "\n  ";
  struct Case {
    const char* name;
    std::string result, body;
    const char* one;  // what the text says of the sizes
  };
  const Case given[] = {
      {"columns", y, at + product, "n < 35"},
      {"what follows has them, too", y, stored + at + "max(0.0, p[b, f, i, j] + s[f]) * u[i, j]",
       "n < 35"},
      {"what follows has one of them", y, stored + at + "max(0.0, p[b, f, i, j] + s[f]) * v[i]",
       "n < 7"},
      {"a window moves along the first", "y: f32[4, 13, 3, 7]",
       "y[b in 0..3, f in 0..12, i in 0..2, j in 0..6] = sum[c in 0..8, t in 0..2] k[f, c, t] * "
       "x[b, c, i + t, j]",
       "n < 21"},
      {"a window moves along the second", "y: f32[4, 13, 5, 5]",
       "y[b in 0..3, f in 0..12, i in 0..4, j in 0..4] = sum[c in 0..8, t in 0..2] k[f, c, t] * "
       "x[b, c, i, j + t]",
       "n < 5"},
      {"some terms are outside", y,
       at + "sum[c in 0..8, t in 0..2] k[f, c, t] * x[b, c, i + t - 1, j pad 0]", "n < 7"},
      {"a part of the columns", "y: f32[4, 13, 5, 6]",
       "y[b in 0..3, f in 0..12, i in 0..4, j in 0..5] = " + product, "n < 6"},
      {"sums", "y: f32[13, 9]",
       "y[f in 0..12, c in 0..8] = sum[b in 0..3, i in 0..4, j in 0..6] d[b, f, i, j] * x[b, c, i, "
       "j]",
       "k1 < 35"},
      {"sums of a part", "y: f32[13, 9]",
       "y[f in 0..12, c in 0..8] = sum[b in 0..3, i in 0..4, j in 0..5] d[b, f, i, j] * x[b, c, i, "
       "j]",
       "k2 < 6"},
      {"all sums", "y: f32[5, 7]",
       "y[i in 0..4, j in 0..6] = sum[b in 0..3, f in 0..12] d[b, f, 1, 2] * d[b, f, i, j]",
       "k < 52"},
  };
  std::vector<EmittedCase> cases;
  for (const Case& c : given) {
    cases.push_back(of(c.name, spec(c.result, c.body)));
    INFO(c.name << "\n" << text_of(spec(c.result, c.body)));
    CHECK(text_of(spec(c.result, c.body)).find(c.one) != std::string::npos);
  }
  check(cases);
}

TEST_CASE("a divisor that a loop does not change is inverted before it") {
  const auto spec = [](const char* body) {
    return fmt::format(
        "net f(x: f32[6, 40] = \"x\", s: f32[6] = \"s\", t: f32[40] = \"t\") -> y: f32[6, 40] {{\n"
        "  y[i in 0..5, j in 0..39] = {}\n}}\n",
        body);
  };
  const auto divides = [&](const char* body) {
    const std::string text = text_of(spec(body));
    INFO(text);
    CHECK((text.find("_inverse") == std::string::npos) ==
          (text.find(" = 1.0f / ") == std::string::npos));
    return text.find("_inverse") == std::string::npos;
  };
  const char* const outside[] = {"x[i, j] / (s[i] * s[i] + 1.0)",
                                 "exp(x[i, j]) / exp(s[i]) / exp(s[i]) + x[i, j] / exp(s[i])",
                                 "select(x[i, j] > 0.0, x[i, j] / exp(s[i]), 2.0)"};
  const char* const inside[] = {"x[i, j] / exp(t[j])", "s[i] / exp(x[i, j])",
                                "select(j > 2, x[i, j] / exp(s[i + 3 pad 0]), 2.0)"};
  std::vector<EmittedCase> cases;
  for (const char* const body : outside) {
    CHECK_FALSE(divides(body));
    cases.push_back(of(body, spec(body)));
  }
  for (const char* const body : inside) cases.push_back(of(body, spec(body)));
  CHECK(divides(inside[0]));
  CHECK(divides(inside[1]));
  check(cases);
}

// specs.cpp: specs that mean harm or nonsense: each is refused with its place, and nothing is
// written.
#include <random>

#include "hostile/gradc_run.h"

using namespace test;

namespace {

std::string repeat(const std::string& text, std::size_t times) {
  std::string result;
  result.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) result += text;
  return result;
}

constexpr std::size_t deep = 100000;
constexpr std::size_t ten_megabytes = 10'000'000;

}  // namespace

TEST_CASE("nesting of every kind is limited") {
  const auto nested = [](const std::string& open, const std::string& inside,
                         const std::string& close) {
    return "op f(x) = " + repeat(open, deep) + inside + repeat(close, deep) + "\n";
  };
  const std::vector<std::string> specs = {
      nested("(", "x", ")"),
      nested("exp(", "x", ")"),
      nested("-", "x", ""),
      nested("not ", "x", ""),
      nested("x ^ ", "x", ""),
      nested("[", "1", "]"),
      nested("select(x > 0, 1, ", "x", ")"),
      nested("x |> f(", "x", ")"),
      "op f(x[n]) -> y[] { y[] = " + repeat("sum[i] ", deep) + "x[i] }\n",
      "op f(x[n]) -> y[n] { y[i] = " + repeat("x[", deep) + "i" + repeat("]", deep) + " }\n",
      "op f(x) = (" + repeat("(x + ", deep) + "x" + repeat(")", deep) + ")\n",
      repeat("(", deep),
      repeat("op f(x) {", deep),
      repeat("program {", deep),
  };
  for (const std::string& spec : specs) {
    INFO(spec.substr(0, 60));
    Attempt(spec).refused();
  }
}

TEST_CASE("long chains without nesting end in an answer") {
  for (const std::string link : {" + x", " * x", " and x", " |> exp", " == x"}) {
    const Attempt attempt("op f(x) = x" + repeat(link, deep) + "\n");
    const Finished finished = attempt.gradc({"check", "spec.nn"});
    INFO(link << ": " << finished.err.substr(0, 1000));
    CHECK((finished.exit_code == 0 || finished.exit_code == 1));
  }
  std::string lines;
  for (std::size_t i = 0; i < deep; ++i)
    lines += "const c" + std::to_string(i) + ": int = " + std::to_string(i) + "\n";
  CHECK(Attempt(lines).gradc({"check", "spec.nn"}).exit_code == 0);
}

// Written out, each of these has more than 2^40 operations.
TEST_CASE("values used twice in every line are shared, not written out") {
  constexpr int lines = 40;
  for (const std::string formula :
       {"x * x", "x + x * x", "x * sin(x)", "x / (1 + x)", "max(x, x - 1)", "max(x, sin(x))",
        "select(x > 0, x * x, sin(x))", "sin(x) + cos(x)"}) {
    std::string chain;
    for (int k = 0; k < lines; ++k)
      chain += "  a" + std::to_string(k + 1) + " = g(a" + std::to_string(k) + ")\n";
    const std::string nested = repeat("g(", lines) + "x[b, i]" + repeat(")", lines);
    for (const std::string& body :
         {"  a0 = x\n" + chain + "  y = a40\n", "  y[b, i] = " + nested + "\n"}) {
      const std::string head =
          "dim B <= 4\nop g(x) = " + formula + "\nnet f(x: f32[B, 3]) -> y: f32[B, 3] {\n";
      const Finished finished =
          Attempt(head + body + "}\n").gradc({"build", "spec.nn", "-o", "out"});
      INFO(head << body << finished.err.substr(0, 1000));
      CHECK(finished.exit_code == 0);
    }
  }
  std::string chain;
  for (int k = 0; k < lines; ++k) {
    const std::string a = "a" + std::to_string(k);
    chain += "  a" + std::to_string(k + 1) + " = " + a + " * " + a + " + " + a + "\n";
  }
  const Finished finished =
      Attempt("dim B <= 4\nnet f(x: i32[B, 3]) -> y: i32[B, 3] {\n  a0 = x\n" + chain +
              "  y = a40\n}\n")
          .gradc({"build", "spec.nn", "-o", "out"});
  INFO(finished.err.substr(0, 1000));
  CHECK(finished.exit_code == 0);
}

TEST_CASE("ten megabytes of noise") {
  std::mt19937 random(1);
  std::string bytes(ten_megabytes, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  std::string printable = bytes;
  for (char& c : printable) c = static_cast<char>(' ' + static_cast<unsigned char>(c) % 95);
  std::string words;
  const std::vector<std::string> vocabulary = {
      "op ",  "net ",   "step ",     "dim ",    "B <= 3\n", "(",  ")",    "[",  "]",  "{",
      "}",    "x ",     "= ",        "|> ",     "sum[i] ",  "1 ", "1e9 ", ", ", "~ ", "\n",
      "for ", "param ", "minimize ", "report ", "program ", "\"", "//",   "/*", "*/"};
  while (words.size() < ten_megabytes) words += vocabulary[random() % vocabulary.size()];
  for (const std::string& noise :
       {bytes, printable, words, repeat("{", ten_megabytes), repeat("\"", ten_megabytes),
        repeat("a", ten_megabytes), repeat("1", ten_megabytes), repeat("dim ", ten_megabytes / 4),
        repeat("= ", ten_megabytes / 2), repeat("x\n", ten_megabytes / 2),
        repeat("/*", ten_megabytes / 2), repeat("\t", ten_megabytes) + "x"}) {
    INFO(noise.substr(0, 40));
    Attempt(noise).refused();
  }
  CHECK(Attempt(repeat("\n", ten_megabytes)).gradc({"check", "spec.nn"}).exit_code == 0);
  CHECK(Attempt("//" + repeat("x", ten_megabytes)).gradc({"check", "spec.nn"}).exit_code == 0);
  Attempt(repeat(" ", 17'000'000)).refused();  // over the limit of 16 MB
}

TEST_CASE("bytes that are not text") {
  Attempt(std::string("op f(x) = x\0\n", 13)).refused();
  Attempt("op f(x) = x // \xff\n").refused();
  Attempt("op f(x) = x // \xc0\xaf\n").refused();               // overlong
  Attempt("op f(x) = x // \xed\xa0\x80\n").refused();           // a surrogate
  Attempt("op f(x) = x // \xe2\x80\xae reversed\n").refused();  // bidirectional
  Attempt("op f(x) = x // \xe2\x81\xa6 isolated\n").refused();
  Attempt("op f(x) = x \x1b[31m\n").refused();  // a terminal's escape
  Attempt("op \xd1\x84(x) = x\n").refused();    // a letter, but not of ASCII
  CHECK(Attempt("op f(x) = x // größer, 大きい\n").gradc({"check", "spec.nn"}).exit_code == 0);
}

TEST_CASE("terminal escapes in a spec do not reach the terminal") {
  const Finished finished = Attempt("op f(x) = y \"\x1b]0;owned\x07\"\n").refused();
  CHECK(finished.err.find('\x1b') == std::string::npos);
}

TEST_CASE("names that nothing has") {
  Attempt("dim B <= 4\nnet f(x: f32[B, 3]) -> y: f32[B, 2] { y = x |> dens(2) }\n")
      .refused_with("dense");
  Attempt("dim B <= 4\nnet f(x: f32[B, 3]) -> y: f32[B, 3] { y = rellu(x) }\n")
      .refused_with("relu");
  Attempt("dim B <= 4\nnet f(x: f32[B, 3]) -> y: f32[B, 3] { y[b, i] = x[b, j] }\n")
      .refused_with("j");
  Attempt("dim B <= 4\nnet f(x: f32[Q, 3]) -> y: f32[Z, 3] { y = x }\n").refused_with("Z");
  Attempt("dim B <= 4\nstep s(x: f32[B, 3]) { minimize x using adamm(lr = 1) }\n")
      .refused_with("adam");
}

TEST_CASE("sizes that overflow, or that no machine holds") {
  const auto shaped = [](const std::string& dims, const std::string& shape) {
    return dims + "\nnet f(x: f32[" + shape + "]) -> y: f32[" + shape + "] { y = x + 1 }\n";
  };
  for (const std::string& spec : {shaped("dim B <= 99999999999999999999", "B, 3"),
                                  shaped("dim H = 9223372036854775807", "H, H"),
                                  shaped("dim H = 9223372036854775807", "H"),
                                  shaped("dim H = 4294967296", "H, H"),
                                  shaped("dim H = 3037000500", "H, H"),
                                  shaped("dim B <= 4000000000000", "B, 64"),
                                  shaped("", "1000000, 1000000, 1000000"),
                                  shaped("dim H = 2147483647", "H, H, H"),
                                  shaped("dim H = 0", "H"),
                                  shaped("dim H = -3", "H"),
                                  shaped("dim B <= 0", "B"),
                                  shaped("dim H = 5 - 7", "H"),
                                  shaped("dim H = 1 / 0", "H"),
                                  shaped("dim H = 3 % 0", "H"),
                                  shaped("dim H = 9223372036854775807 + 1", "H"),
                                  shaped("dim H = 9223372036854775807 * 9223372036854775807", "H"),
                                  shaped("dim H = 2 ^ 64", "H"),
                                  shaped("dim H = 1e30", "H"),
                                  shaped("dim H = 2.5", "H"),
                                  shaped("dim H = inf", "H"),
                                  shaped("const k: int = -9223372036854775807 - 2\ndim H = k", "H"),
                                  shaped("", "1,1,1,1,1,1,1,1,1,1,1,1")}) {
    INFO(spec);
    Attempt(spec).refused();
  }
  Attempt(
      "dim B <= 4\nnet f(x: f32[B, 3]) -> y: f32[B, 99999999999] { y = x |> dense(99999999999) }\n")
      .refused();
  Attempt(
      "op f() -> y[] { y[] = sum[i in 0..9223372036854775807] i }\n"
      "dim B <= 4\nnet g(x: f32[B]) -> y: f32[B] { y = x + f() }\n")
      .refused();
  Attempt(
      "dim B <= 4\nnet g(x: f32[B]) -> y: f32[B] { y[b] = x[9223372036854775807 * b + "
      "9223372036854775807] }\n")
      .refused();
}

TEST_CASE("reads outside, dims left open, recursion, names twice") {
  Attempt("dim B <= 4\nnet f(x: f32[B, 3]) -> y: f32[B, 3] { y[b, i] = x[b, i + 1] }\n")
      .refused_with("pad");
  Attempt("dim B <= 4\nnet f(x: f32[B, 3]) -> y: f32[B, 3] { y[b, i] = x[b + 1, i] }\n").refused();
  Attempt("op f(x) = f(x)\ndim B <= 4\nnet n(x: f32[B]) -> y: f32[B] { y = f(x) }\n").refused();
  Attempt(
      "op f(x) = g(x)\nop g(x) = f(x)\ndim B <= 4\nnet n(x: f32[B]) -> y: f32[B] { y = f(x) }\n")
      .refused();
  Attempt(
      "layer f(x[.., I]) -> y[.., I] { y = x |> f }\ndim B <= 4\nnet n(x: f32[B]) -> y: f32[B] { y "
      "= f(x) }\n")
      .refused();
  Attempt("dim B <= 4\nnet n(x: f32[B]) -> y: f32[B] { y = n(x) }\n").refused();
  Attempt("dim B <= 4\ndim B <= 5\n").refused_with("B");
  Attempt("const a: int = a\n").refused();
  Attempt("const a: int = b\nconst b: int = a\n").refused();
  Attempt("dim B <= 4\nnet n(x: f32[B], x: f32[B]) -> y: f32[B] { y = x }\n").refused();
  Attempt("dim B <= 4\nnet n(x: f32[B]) -> y: f32[B] { y = x\n y = x }\n").refused();
}

TEST_CASE("growth out of proportion ends in an answer") {
  // Each op calls the one before it twice: 2^60 operations if every call were copied.
  std::string doubling = "dim B <= 4\nop f0(x) = exp(x)\n";
  for (int i = 1; i <= 60; ++i) {
    const std::string before = "f" + std::to_string(i - 1);
    doubling += "op f" + std::to_string(i) + "(x) = " + before + "(x) + " + before + "(x + " +
                std::to_string(i) + ")\n";
  }
  const Finished finished = Attempt(doubling + "net n(x: f32[B]) -> y: f32[B] { y = f60(x) }\n")
                                .gradc({"check", "spec.nn"});
  INFO(finished.err.substr(0, 2000));
  CHECK(finished.exit_code == 1);
  CHECK(finished.err.find("internal error") == std::string::npos);
}

TEST_CASE("imports stay inside the root") {
  const auto import = [](const std::string& path) { return Attempt("import \"" + path + "\"\n"); };
  for (const std::string path :
       {"../outside.nn", "../../../../../../etc/passwd", "/etc/passwd", "/dev/zero", "a/../../b.nn",
        "missing.nn", "", ".", "..", "spec.nn/", "/proc/self/environ", "spec.nn\\0.nn"}) {
    INFO(path);
    import(path).refused();
  }
  import("spec.nn").gradc({"check", "spec.nn"});  // itself: an answer, whichever
  SECTION("through a link that leads out") {
    const Attempt outside("op f(x) = x\n", "outside.nn");
    const Attempt attempt("import \"link.nn\"\n");
    fs::create_symlink(outside.path() / "outside.nn", attempt.path() / "link.nn");
    attempt.refused();
  }
  SECTION("through a linked folder") {
    const Attempt outside("op f(x) = x\n", "outside.nn");
    const Attempt attempt("import \"folder/outside.nn\"\n");
    fs::create_directory_symlink(outside.path(), attempt.path() / "folder");
    attempt.refused();
  }
  SECTION("of a pipe, which would wait for ever") {
    const Attempt attempt("import \"pipe.nn\"\n");
    REQUIRE(run_program({"mkfifo", (attempt.path() / "pipe.nn").string()}).exit_code == 0);
    attempt.refused();
  }
  SECTION("of a folder") {
    const Attempt attempt("import \"folder\"\n");
    fs::create_directory(attempt.path() / "folder");
    attempt.refused();
  }
  SECTION("in a circle") {
    const Attempt attempt("import \"other.nn\"\n");
    write_text(attempt.path() / "other.nn", "import \"spec.nn\"\n");
    const Finished finished = attempt.gradc({"check", "spec.nn"});
    INFO(finished.err);
    CHECK((finished.exit_code == 0 || finished.exit_code == 1));
  }
  SECTION("deeper than anyone would go") {
    const Attempt attempt("import \"i0.nn\"\n");
    for (int i = 0; i < 2000; ++i)
      write_text(attempt.path() / ("i" + std::to_string(i) + ".nn"),
                 "import \"i" + std::to_string(i + 1) + ".nn\"\n");
    write_text(attempt.path() / "i2000.nn", "op f(x) = x\n");
    const Finished finished = attempt.gradc({"check", "spec.nn"});
    INFO(finished.err.substr(0, 2000));
    CHECK(finished.exit_code <= 1);
  }
}

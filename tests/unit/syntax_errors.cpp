// syntax_errors.cpp: what is said about texts that do not parse: where, in which words, with which
// cure.
#include <fmt/format.h>

#include "catch.h"
#include "dsl/text_to_ast.h"

using namespace gradc;

namespace {

// All errors of a text, "line:column message {fix}", one a line.
std::string errors(const std::string& text) {
  Sources sources;
  Diagnostics d;
  text_to_ast(sources, sources.add("a.nn", text), d);
  std::string all;
  for (const Diagnostic& e : d.all()) {
    const LineColumn at = sources.line_column(e.span.file, e.span.begin);
    all += fmt::format("{}{}:{} {}", all.empty() ? "" : "\n", at.line, at.column, e.message);
    if (e.fixit) all += fmt::format(" {{{}->{}}}", sources.text(e.fixit->span), e.fixit->text);
  }
  return all;
}
// Of a statement in a body; its first line is line 2.
std::string in_body(const std::string& statement) {
  return errors(fmt::format("op f(x) -> y {{\n{}\n}}\n", statement));
}

}  // namespace

TEST_CASE("what is missing is missed at the end of the line") {
  CHECK(in_body("y = f(x") == "2:8 expected ')' before the end of the line {->)}");
  CHECK(in_body("y = f(x\nz = 3") == "2:8 expected ')' before the end of the line {->)}");
  CHECK(in_body("y = x[i") == "2:8 expected ']' before the end of the line {->]}");
  CHECK(in_body("y = x +") == "2:8 expected an expression after '+' before the end of the line");
  CHECK(in_body("y =\nz = 3") ==
        "2:3 expected an expression after '='; the next line begins a statement");
  CHECK(in_body("y = a *\nz[b, i] = 3") ==
        "2:7 expected an expression after '*'; the next line begins a statement");
  CHECK(errors("net f(x) -> y\n  y = x\n}") ==
        "1:14 expected '{' or '=' before the end of the line");
  CHECK(errors("op f(x) -> y {\n  y = x\nop g(x) = x\n") ==
        "2:8 expected '}' before the word 'op'");
  CHECK(errors("op f(x) -> y {\n  y = x\n") == "2:8 expected '}' before the end of the file");
  CHECK(errors("op f(x) = x +\nop g(x) = x") ==
        "1:14 expected an expression after '+' before the end of the line");
}

TEST_CASE("brackets") {
  CHECK(in_body("y = f(x]") == "2:8 expected ',' or ')', found ']' {]->)}");
  CHECK(in_body("y = (x z)") == "2:8 expected an operator or ')', found 'z'");
  CHECK(in_body("y = f(x))") == "2:9 this ')' closes nothing {)->}");
  CHECK(errors("op f(x) = x\n}") == "2:1 this '}' closes nothing {}->}");
  CHECK(in_body("y = f\n(x)") == "3:1 the '(' must stand on the line of 'f', which it belongs to");
  CHECK_THAT(in_body("y = f(x)[i]"), test::contains("2:9 only a name takes subscripts"));
  CHECK_THAT(in_body("y = x[i][j]"), test::contains("2:9 only a name takes subscripts"));
  CHECK_THAT(in_body("y[2*i] = x"), test::contains("2:3 the left side takes plain indices"));
  CHECK_THAT(in_body("y[i + 1] = x"), test::contains("2:5 the left side takes plain indices"));
  CHECK_THAT(in_body("y = sum[i + 1] x"), test::contains("2:11 'sum' takes plain indices"));
}

TEST_CASE("words of the language cannot be names") {
  CHECK(in_body("step = 3") ==
        "2:1 'step' is a word of the language and cannot be a name {step->step_}");
  CHECK(in_body("y = net + 1") ==
        "2:5 'net' is a word of the language and cannot be a name {net->net_}");
  CHECK(errors("op f(step: int) = 1") ==
        "1:6 'step' is a word of the language and cannot be a name {step->step_}");
}

TEST_CASE("habits of other languages") {
  CHECK(in_body("y := x") == "2:3 write '=' for ':=' {:=->=}");
  CHECK(in_body("y = x ** 2") == "2:7 write '^' for '**' {**->^}");
  CHECK(in_body("y = a && !b || c") ==
        "2:7 write 'and' for '&&' {&&->and}\n2:10 write 'not' for '!' {!->not }\n"
        "2:13 write 'or' for '||' {||->or}");
  CHECK(in_body("y = a ≤ b") == "2:7 write '<=' for '≤' {≤-><=}");
  CHECK(in_body("y = x;\nz = y") ==
        "2:6 no ';' is needed: a statement ends where the next begins {;->}");
  CHECK(in_body("y = x # why") == "2:7 a comment begins with '//' {#->//}");
  CHECK_THAT(in_body("y = c ? a : b"), test::contains("2:7 '?' means nothing here: 'select("));
  CHECK_THAT(in_body("y = a @ b"), test::contains("2:7 '@' means nothing here: a product"));
  CHECK_THAT(in_body("y = 'abc'"), test::contains("strings stand in double quotes"));
  CHECK_THAT(in_body("y += x"), test::contains("2:3 a name is assigned once"));
  CHECK_THAT(in_body("return x"), test::contains("2:1 a result is given by assigning"));
  CHECK_THAT(in_body("for i in 3 {\n  y = x\n}"), test::contains("2:12 expected '..', found '{'"));
  CHECK_THAT(in_body("for (i in 0..3) {\n  y = x\n}"),
             test::contains("2:1 a loop over constants is written 'for i in low..high { … }'"));
  CHECK_THAT(in_body("if x > 0"), test::contains("expected '{'"));
  CHECK_THAT(in_body("if x > 0 { y = x }\nelse y = 2"), test::contains("3:1 'else' follows"));
  CHECK_THAT(in_body("y = if x > 0 then x"), test::contains("expected 'else'"));
  CHECK(in_body("relu(x)") == "2:1 the value of 'relu(…)' is not used: write 'y = relu(…)'");
  CHECK(in_body("y = a < b < c") ==
        "2:11 comparisons don't chain: write 'a < b and b < c', or parentheses");
  CHECK(in_body("parm W: f32[2] ~ zeros") ==
        "2:1 no statement begins with 'parm'; is 'param' meant? {parm->param}");
  CHECK(in_body("y = a b") == "2:7 expected an operator or the end of the statement, found 'b'");
  CHECK_THAT(errors("def f(x) = x"), test::contains("found 'def' {def->op}"));
  CHECK_THAT(errors("optimiser f() { }"), test::contains("{optimiser->optimizer}"));
  CHECK_THAT(errors("y = 3"), test::contains("1:1 a statement stands in the body"));
  CHECK_THAT(errors("program { train f on d }"), test::contains("{train->fit}"));
  CHECK_THAT(errors("net f(x) = x"), test::contains("only an op is written with '='"));
  CHECK_THAT(errors("step f(x) -> y { }"), test::contains("a step has no results"));
  CHECK(
      errors("op f(x: f23[2]) = x") ==
      "1:9 no type is called 'f23': tensors are f32, f64, i32 or bool, values int, float, bool or "
      "string {f23->f32}");
}

TEST_CASE("numbers and strings") {
  CHECK(in_body("y = 1. + 2") == "2:5 a digit must follow the point {->0}");
  CHECK(in_body("y = .5") == "2:5 a number begins with a digit {->0}");
  CHECK_THAT(in_body("y = 1.0f"), test::contains("2:5 '1.0f' is no number"));
  CHECK_THAT(in_body("y = 2x"), test::contains("2:5 '2x' is no number"));
  CHECK_THAT(in_body("y = 9007199254740993000"), test::contains("integers go up to"));
  CHECK_THAT(in_body("y = 1e999"), test::contains("outside the range of f64"));
  CHECK(in_body("y = f(\"abc)") == "2:7 this string does not end on its line {->\"}");
  CHECK(in_body("y = f(\"a\\n\")") == "2:9 a string knows two escapes, \\\" and \\\\ {->\\}");
}

TEST_CASE("texts that are none") {
  CHECK(errors(std::string("op f(x) = x\0", 12)) ==
        "1:12 this file is not UTF-8 text: byte 0x00 at offset 11");
  for (const char* bad :
       {"\x80", "\xc0\xaf", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"})
    CHECK_THAT(errors("// " + std::string(bad)), test::contains("1:4 this file is not UTF-8 text"));
  CHECK_THAT(errors("// \xe2\x80\xae x"), test::contains("U+202E changes the direction"));
  CHECK_THAT(errors("// \xe2\x81\xa6 x"), test::contains("U+2066 changes the direction"));
  CHECK_THAT(errors("op f(x) = \x07 x"), test::contains("1:11 control character U+0007"));
  CHECK_THAT(errors("op f(größe) = 1"), test::contains("1:6 'größe' is no name"));
  CHECK_THAT(errors("dim " + std::string(256, 'a') + " = 3"), test::contains("has 256 characters"));
  CHECK(errors("dim " + std::string(255, 'a') + " = 3") == "");
  CHECK_THAT(errors("op f(x) = x /* open"), test::contains("1:13 this comment has no '*/'"));
  CHECK_THAT(errors(std::string((16 << 20) + 1, ' ')), test::contains("a spec may have 16 MB"));
  CHECK(errors("\xef\xbb\xbf"
               "dim B = 3\r\ndim C = 4\r\n") == "");
}

TEST_CASE("one mistake does not hide the next, nor make others") {
  const std::string found = errors(
      "dim B <=\nnet f(x: f32[B, 64) -> y {\n  b = (a\n  c = b\n  d == c\n  param W f32[2]\n"
      "    ~ zeros\n  e = d\n}\nop g(x) = x *\nlayer l(x) -> y {\n  y = g(x\n}\nop h(x) = x\n");
  CHECK(found ==
        "1:9 expected an expression after '<=' before the end of the line\n"
        "2:19 expected ',' or ']', found ')' {)->]}\n"
        "3:9 expected ')' before the end of the line {->)}\n"
        "5:5 expected '=', found '=='\n"
        "6:11 expected ':', found 'f32'\n"
        "10:14 expected an expression after '*' before the end of the line\n"
        "12:10 expected ')' before the end of the line {->)}");
}

TEST_CASE("what is whole is kept beside what is broken") {
  Sources sources;
  Diagnostics d;
  const ast::File file = text_to_ast(
      sources,
      sources.add("a.nn", "op f(x) -> y {\n a = 1\n b = = 2\n c = 3\n}\nop (x) = 1\ndim B = 2\n"),
      d);
  CHECK(d.errors() == 2);
  REQUIRE(file.items.size() == 3);
  const auto& f = std::get<ast::Definition>(file.items[0].what);
  REQUIRE(f.body.size() == 3);
  CHECK(std::holds_alternative<ast::Assign>(f.body[0].what));
  CHECK(std::holds_alternative<ast::Broken>(f.body[1].what));
  CHECK(std::holds_alternative<ast::Assign>(f.body[2].what));
  CHECK(std::holds_alternative<ast::Broken>(file.items[1].what));
  CHECK(std::holds_alternative<ast::DimDecl>(file.items[2].what));
}

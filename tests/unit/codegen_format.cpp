// codegen_format.cpp: the layout of emitted text: what is broken, where, and what stays as it is.
#include "codegen/format.h"

#include "tests/catch.h"

using gradc::format;

TEST_CASE("format keeps lines that fit, and one empty line of several") {
  const std::string text = "int a = f(1, 2);\n\n  // a comment\n#define x\n";
  CHECK(format(text) == text);
  CHECK(format("a;\n\n\n\nb;\n") == "a;\n\nb;\n");
}

TEST_CASE("format puts comments behind code below one another") {
  CHECK(format("  float a[4];  // a: f32[4]\n  float longer[4];  // longer: f32[4]\n  c();  // c\nd();  // d\n") ==
        "  float a[4];       // a: f32[4]\n  float longer[4];  // longer: f32[4]\n  c();              // c\nd();  // d\n");
  const std::string code(60, 'x'), note(60, 'y');
  CHECK(format("  " + code + ";  // " + note + "\n") == "  // " + note + "\n  " + code + ";\n");
  // What looks like a comment in a string is none.
  const std::string quoted = "f(\"a\\\"  // b\");\nlong_name(\"a\");  // c\n";
  CHECK(format(quoted) == quoted);
}

TEST_CASE("format cuts comments between words") {
  const std::string words = "eleven char eleven char eleven char eleven char eleven char eleven char eleven char eleven";
  CHECK(format("  // " + words + " at the end\n") == "  // " + words + " at\n  // the end\n");
  const std::string endless = "// " + std::string(120, 'x') + "\n";
  CHECK(format(endless) == endless);
  // Four bytes a character, one column.
  std::string wide = "// ";
  for (int k = 0; k < 90; ++k) wide += "\xF0\x9D\x9B\xBC";
  CHECK(format(wide + "\n") == wide + "\n");
}

TEST_CASE("format fills lists of arguments and rows of tables") {
  const std::string a(40, 'a'), b(40, 'b'), c(30, 'c');
  CHECK(format("  call(" + a + ", " + b + ", " + c + ");\n") == "  call(" + a + ", " + b + ",\n       " + c + ");\n");
  CHECK(format("void f(" + a + ", g<1, 2>(" + b + "), " + c + ") {\n") ==
        "void f(" + a + ", g<1, 2>(" + b + "),\n       " + c + ") {\n");
  CHECK(format("    {\", (" + a + "\", {1, 2}, " + c + ", " + b + "},\n") ==
        "    {\", (" + a + "\", {1, 2}, " + c + ",\n     " + b + "},\n");
}

TEST_CASE("format has other statements broken, each as often as it stands there") {
  const std::string a(40, 'a'), b(40, 'b'), c(30, 'c');
  const std::string sum = a + " = " + b + " + " + c + ";\n", head = "if (" + a + " < " + b + " && " + c + " < 1) {\n";
  const std::string text = "void f() {\n  " + sum + "  " + head + "    " + sum + "  }\n  " + sum + "}\n";
  if (gradc::formatter().empty()) {
    CHECK(format(text) == text);
    return;
  }
  const std::string broken_head = "if (" + a + " < " + b + " &&\n      " + c + " < 1) {\n";
  const auto broken = [&](const std::string& indent) {
    return indent + a + " =\n" + indent + "    " + b + " + " + c + ";\n";
  };
  CHECK(format(text) == "void f() {\n" + broken("  ") + "  " + broken_head + broken("    ") + "  }\n" + broken("  ") + "}\n");
  CHECK(format(format(text)) == format(text));
}

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
  CHECK(format("  float a[4];  // a: f32[4]\n  float longer[4];  // longer: f32[4]\n  c();  // "
               "c\nd();  // d\n") ==
        "  float a[4];       // a: f32[4]\n  float longer[4];  // longer: f32[4]\n  c();           "
        "   // c\nd();  // d\n");
  const std::string code(60, 'x'), note(60, 'y');
  CHECK(format("  " + code + ";  // " + note + "\n") == "  // " + note + "\n  " + code + ";\n");
  // What looks like a comment in a string is none.
  const std::string quoted = "f(\"a\\\"  // b\");\nlong_name(\"a\");  // c\n";
  CHECK(format(quoted) == quoted);
}

TEST_CASE("format cuts comments between words") {
  const std::string words =
      "eleven char eleven char eleven char eleven char eleven char eleven char eleven char eleven";
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
  CHECK(format("  call(" + a + ", " + b + ", " + c + ");\n") ==
        "  call(" + a + ", " + b + ",\n       " + c + ");\n");
  CHECK(format("void f(" + a + ", g<1, 2>(" + b + "), " + c + ") {\n") ==
        "void f(" + a + ", g<1, 2>(" + b + "),\n       " + c + ") {\n");
  CHECK(format("    {\", (" + a + "\", {1, 2}, " + c + ", " + b + "},\n") ==
        "    {\", (" + a + "\", {1, 2}, " + c + ",\n     " + b + "},\n");
}

TEST_CASE(
    "format breaks an assignment where what follows the sign fits, else where it binds least") {
  const std::string a(40, 'a'), b(40, 'b'), c(30, 'c');
  const std::string sum = a + " = " + b + " + " + c + ";\n",
                    head = "if (" + a + " < " + b + " && " + c + " < 1) {\n";
  const std::string text =
      "void f() {\n  " + sum + "  " + head + "    " + sum + "  }\n  " + sum + "}\n";
  const std::string broken_head = "if (" + a + " < " + b + " &&\n      " + c + " < 1) {\n";
  const auto broken = [&](const std::string& indent) {
    return indent + a + " =\n" + indent + "    " + b + " + " + c + ";\n";
  };
  CHECK(format(text) == "void f() {\n" + broken("  ") + "  " + broken_head + broken("    ") +
                            "  }\n" + broken("  ") + "}\n");
  CHECK(format("  x = " + a + " * " + b + " - " + c + ";\n") ==
        "  x = " + a + " * " + b + " -\n      " + c + ";\n");
  // A factor of a term is further in than the next term.
  CHECK(format("return " + a + " * " + b + " * " + a + " - " + c + ";\n") ==
        "return " + a + " * " + b + " *\n           " + a + " -\n       " + c + ";\n");
  CHECK(format("y[i] += (" + a + " + " + b + " + " + b + ") * " + c + ";\n") ==
        "y[i] += (" + a + " + " + b + " +\n         " + b + ") *\n        " + c + ";\n");
}

TEST_CASE(
    "format breaks a choice before its branches, and after the bracket of a call that has no room "
    "beside it") {
  const std::string a(40, 'a'), b(40, 'b'), c(30, 'c');
  CHECK(format("  x = " + a + " ? " + b + " : " + c + ";\n") ==
        "  x = " + a + "\n          ? " + b + "\n          : " + c + ";\n");
  CHECK(format("  " + a + "[0] = f(" + b + ", g(" + c + "), 0);\n") ==
        "  " + a + "[0] =\n      f(" + b + ", g(" + c + "), 0);\n");
  CHECK(format("  " + a + "[0] = f(g(" + b + ", " + c + ", " + b + "), 0);\n") ==
        "  " + a + "[0] =\n      f(g(" + b + ", " + c + ",\n          " + b + "),\n        0);\n");
  // Where that takes fewer lines.
  CHECK(format("  " + a + "[0] = f(g<1>(" + b + " + " + c + " * 2 + 123456));\n") ==
        "  " + a + "[0] = f(\n      g<1>(" + b + " + " + c + " * 2 + 123456));\n");
  CHECK(format("  " + a + "[0] = f(g<1>(" + b + " + " + c + " * 2 + 1234567890));\n") ==
        "  " + a + "[0] = f(g<1>(\n      " + b + " + " + c + " * 2 + 1234567890));\n");
}

TEST_CASE("format leaves what it broke, and what cannot be broken, as it is") {
  const std::string a(40, 'a'), b(40, 'b'), c(30, 'c');
  const std::string text = "  x = (" + a + " * f(" + b + ", " + b + ") ? " + c + "[" + b + " + " +
                           a + "] : -1.0f) / " + c + ";\n";
  CHECK(format(text) != text);
  CHECK(format(format(text)) == format(text));
  for (const std::string& unbroken :
       {"#define " + a + b + c + " (a + b)\n", "  " + a + b + c + ";\n"})
    CHECK(format(unbroken) == unbroken);
}

TEST_CASE("format takes calls in calls as they come") {
  std::string text = "y = x";
  for (int k = 0; k < 30; ++k) text = "y = f(" + text.substr(4) + ", 1)";
  const std::string formatted = format(text + ";\n");
  CHECK(formatted.find('\n') < 100);
  CHECK(format(formatted) == formatted);
  for (int k = 0; k < 170; ++k) text = "y = f(" + text.substr(4) + ", 1)";
  CHECK(!format(text + ";\n").empty());
}

TEST_CASE("format has what break_line() cannot break broken by Clang's formatter") {
  const std::string words(60, 'w'), more(60, 'm');
  const std::string text = "  f(\"" + words + " = " + more + "\");\n";
  CHECK(format(text) ==
        (gradc::formatter().empty() ? text : "  f(\"" + words + " = \"\n    \"" + more + "\");\n"));
}

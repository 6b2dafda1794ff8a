// names.cpp: names and strings that would break, or break into, the emitted text.
#include "hostile/gradc_run.h"

using namespace test;

namespace {

// Builds the spec with its main and has g++ read the result with every warning an error.
void compiles(const Attempt& attempt, const std::string& spec) {
  const Finished built = attempt.gradc({"build", spec, "--main", "-o", "out"});
  INFO(spec << "\n" << built.err);
  REQUIRE(built.exit_code == 0);
  int sources = 0;
  for (const std::string& name : names_in(attempt.path() / "out")) {
    if (fs::path(name).extension() != ".cpp") continue;
    ++sources;
    const Finished compiled =
        run_program({"g++", "-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic",
                     "-Wconversion", "-Wshadow", "-Wcomment", "-Wtrigraphs", "-Werror", "-I",
                     GRADC_SOURCE_DIR "/runtime", "-I", ".", name},
                    {attempt.path() / "out", {}});
    INFO(name << "\n" << compiled.err);
    CHECK(compiled.exit_code == 0);
  }
  CHECK(sources == 2);
}

const std::vector<std::string> awkward_words = {
    // keywords and alternative tokens of C++ that are plain words in a spec
    "alignas", "asm", "auto", "bitand", "catch", "char", "class", "compl", "concept", "consteval",
    "constexpr", "continue", "default", "delete", "double", "enum", "explicit", "export", "extern",
    "friend", "goto", "inline", "long", "mutable", "namespace", "new", "noexcept", "nullptr",
    "operator", "private", "register", "requires", "return", "signed", "sizeof", "static", "struct",
    "switch", "template", "this", "thread_local", "throw", "typedef", "typename", "union",
    "unsigned", "virtual", "void", "volatile", "wchar_t", "xor", "final", "override", "module",
    "co_await",
    // names the emitted code, the runtime, the library or the preprocessor has
    "std", "gradc", "main", "Parameters", "State", "Workspace", "Model", "model", "parameters",
    "workspace", "data", "size_t", "float_t", "memcpy", "NULL", "errno", "assert", "INT_MAX",
    "M_PI", "linux", "unix", "stdin", "signal", "y0", "j1", "exp10",
    // reserved in C++
    "_Reserved", "__double", "_", "a__b", "x_", "dx", "dz"};

}  // namespace

TEST_CASE("awkward words are names like any other") {
  // Several words at once, so that the compiler need not run a hundred times.
  for (std::size_t i = 0; i + 5 < awkward_words.size(); i += 6) {
    const auto word = [&](std::size_t k) { return awkward_words[i + k]; };
    const Attempt attempt(
        "dim " + word(0) + " <= 4\n" + "net " + word(1) + "(" + word(2) + ": f32[" + word(0) +
        ", 3]) -> " + word(3) + ": f32[" + word(0) + ", 2] {\n  " + word(4) + " = " + word(2) +
        " |> " + word(5) + ": dense(4)\n  " + word(3) + " = " + word(4) + " |> dense(2)\n}\n" +
        "step " + word(5) + "(" + word(2) + ": f32[" + word(0) + ", 3], " + word(3) + ": f32[" +
        word(0) + ", 2]) {\n  " + word(4) + " = mse(" + word(1) + "(" + word(2) + "), " + word(3) +
        ")\n  minimize " + word(4) + " using adam(lr = 0.1)\n  report " + word(4) + "\n}\n");
    const Finished checked = attempt.gradc({"check", "spec.nn"});
    INFO(word(0) << " " << word(1) << " " << word(2) << " " << word(3) << " " << word(4) << " "
                 << word(5) << "\n"
                 << checked.err);
    REQUIRE(checked.exit_code == 0);
    compiles(attempt, "spec.nn");
  }
}

TEST_CASE("files may have any name") {
  const std::string spec = small_spec(
      "  data d = csv(\"d.csv\", x = columns(0, 1), label = column(2))\n  fit train on d for 1 "
      "epochs batch 4");
  const std::vector<std::string> unusual = {"class.nn",
                                            "std.nn",
                                            "2048.nn",
                                            "a b.nn",
                                            "a.b.c.nn",
                                            "-o.nn",
                                            "größe.nn",
                                            "gradc.nn",
                                            "main.nn",
                                            "*int owned;.nn",
                                            "line\nint owned;\n.nn",
                                            "a\\.nn",
                                            "a\\\n.nn",
                                            "what\?\?'.nn",
                                            "\".nn",
                                            "$(touch owned).nn",
                                            "`touch owned`.nn",
                                            "'; touch owned; '.nn",
                                            "%s%n.nn",
                                            "\x1b[31m.nn"};
  for (const std::string& name : unusual) {
    const Attempt attempt(spec, name);
    const std::string argument = "./" + name;
    const Finished built = attempt.gradc({"build", argument, "--main", "-o", "out"});
    INFO(name << "\n" << built.err);
    CHECK((built.exit_code == 0 || built.exit_code == 1 || built.exit_code == 3));
    CHECK(built.err.find("internal error") == std::string::npos);
    if (built.exit_code == 0) compiles(attempt, argument);
    CHECK_FALSE(fs::exists(attempt.path() / "owned"));
  }
}

TEST_CASE("strings reach the program escaped") {
  for (const std::string path : {"d.csv", "*/ int owned; /*", "\?\?/", "a%s%n.csv",
                                 "$(touch owned)", "$ORIGIN", "größe.csv"}) {
    const Attempt attempt(small_spec("  data d = csv(\"" + path +
                                     "\", x = columns(0, 1), label = column(2))\n"
                                     "  fit train on d for 1 epochs batch 4\n  save \"" +
                                     path + ".safetensors\""));
    INFO(path);
    compiles(attempt, "spec.nn");
  }
  // A quote ends the string, so what follows is not text of the language.
  Attempt(small_spec("  data d = csv(\"a\"); system(\"touch owned\"); //\", x = columns(0, 1), "
                     "label = column(2))"))
      .refused();
  Attempt(small_spec("  data d = csv(\"a\nb.csv\", x = columns(0, 1), label = column(2))"))
      .refused();
}

TEST_CASE("comments of a spec stay in the spec") {
  const Attempt attempt(
      "// */ int owned; /*\n/* \?\?/ */ dim B <= 4 // \\\nnet f(x: f32[B]) -> y: f32[B] { y = x + "
      "1 /* // */ }\n");
  const Finished built = attempt.gradc({"build", "spec.nn", "-o", "out"});
  INFO(built.err);
  REQUIRE(built.exit_code == 0);
  CHECK(read_text(attempt.path() / "out/spec.cpp").find("owned") == std::string::npos);
}

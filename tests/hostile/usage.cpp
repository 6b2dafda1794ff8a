// usage.cpp: the command line misused: the right exit code, one clear line, nothing half-written.
#include <sys/stat.h>

#include "hostile/gradc_run.h"

using namespace test;

namespace {

const std::string good = "dim B <= 4\nnet f(x: f32[B, 3]) -> y: f32[B, 2] { y = x |> dense(2) }\n";

void fails(const Finished& finished, int exit_code) {
  INFO(finished.out << finished.err);
  CHECK(finished.exit_code == exit_code);
  CHECK_FALSE(finished.err.empty());
  CHECK(finished.err.find("internal error") == std::string::npos);
}

}  // namespace

TEST_CASE("wrong use is exit code 2") {
  const Attempt attempt(good);
  fails(attempt.gradc({}), 2);
  fails(attempt.gradc({"fold"}), 2);
  fails(attempt.gradc({"check"}), 2);
  fails(attempt.gradc({"check", "spec.nn", "--frobnicate"}), 2);
  fails(attempt.gradc({"build", "spec.nn", "--target=fortran"}), 2);
  fails(attempt.gradc({"build", "spec.nn", "--emit=poetry"}), 2);
  fails(attempt.gradc({"check", "spec.nn", "-D", "x"}), 2);
  fails(attempt.gradc({"check", "spec.nn", "-D", "=3"}), 2);
  CHECK(names_in(attempt.path()) == std::vector<std::string>{"spec.nn"});
}

TEST_CASE("constants from the command line are checked") {
  const Attempt attempt("const hidden: int = 4\n" + good);
  CHECK(attempt.gradc({"check", "spec.nn", "-D", "hidden=8"}).exit_code == 0);
  for (const char* value : {"hidden=", "hidden=x", "hidden=1.5", "hidden=99999999999999999999",
                            "hiden=8", "hidden=8; dim", "f=8"}) {
    const Finished finished = attempt.gradc({"check", "spec.nn", "-D", value});
    INFO(value << "\n" << finished.err);
    CHECK((finished.exit_code == 1 || finished.exit_code == 2));
    CHECK(finished.err.find("internal error") == std::string::npos);
  }
}

TEST_CASE("files that can't be read or written are exit code 3") {
  const Attempt attempt(good);
  fails(attempt.gradc({"check", "missing.nn"}), 3);
  fails(attempt.gradc({"check", "."}), 3);
  fails(attempt.gradc({"check", "spec.nn/spec.nn"}), 3);
  fails(attempt.gradc({"check", ""}), 3);
  fails(attempt.gradc({"build", "spec.nn", "-o", "spec.nn"}), 3);
  fails(attempt.gradc({"build", "spec.nn", "-o", "spec.nn/out"}), 3);
  fails(attempt.gradc({"build", "spec.nn", "-o", "/proc/out"}), 3);
  CHECK(read_text(attempt.path() / "spec.nn") == good);
  CHECK(names_in(attempt.path()) == std::vector<std::string>{"spec.nn"});
}

TEST_CASE("a file that gradc did not write is left alone") {
  const Attempt attempt(good);
  write_text(attempt.path() / "out/spec.cpp", "int mine;\n");
  fails(attempt.gradc({"build", "spec.nn", "-o", "out"}), 3);
  CHECK(read_text(attempt.path() / "out/spec.cpp") == "int mine;\n");
  CHECK_FALSE(fs::exists(attempt.path() / "out/spec.hpp"));
  CHECK(attempt.gradc({"build", "spec.nn", "-o", "out", "--force"}).exit_code == 0);
  CHECK(read_text(attempt.path() / "out/spec.cpp") != "int mine;\n");
}

TEST_CASE("a spec that became wrong leaves the last good output") {
  const Attempt attempt(good);
  REQUIRE(attempt.gradc({"build", "spec.nn", "-o", "out"}).exit_code == 0);
  const std::string before = read_text(attempt.path() / "out/spec.cpp");
  const std::vector<std::string> names = names_in(attempt.path() / "out");
  write_text(attempt.path() / "spec.nn", good + "net g(x: f32[B]) -> y: f32[B] { y = rellu(x) }\n");
  fails(attempt.gradc({"build", "spec.nn", "-o", "out"}), 1);
  CHECK(read_text(attempt.path() / "out/spec.cpp") == before);
  CHECK(names_in(attempt.path() / "out") == names);
}

TEST_CASE("an unchanged output is not written again") {
  const Attempt attempt(good);
  REQUIRE(attempt.gradc({"build", "spec.nn", "-o", "out"}).exit_code == 0);
  const auto written = fs::last_write_time(attempt.path() / "out/spec.cpp");
  fs::last_write_time(attempt.path() / "out/spec.cpp", written - std::chrono::hours(1));
  REQUIRE(attempt.gradc({"build", "spec.nn", "-o", "out"}).exit_code == 0);
  CHECK(fs::last_write_time(attempt.path() / "out/spec.cpp") == written - std::chrono::hours(1));
}

TEST_CASE("the same spec gives the same bytes wherever it is built") {
  const Attempt one(good);
  const Attempt two(good);
  REQUIRE(one.gradc({"build", "spec.nn", "-o", "out"}).exit_code == 0);
  REQUIRE(run_program({GRADC_TOOL, "build", "spec.nn", "-o", "elsewhere"},
                      {two.path(), {{"LC_ALL", "C"}, {"HOME", "/"}, {"TZ", "Asia/Tokyo"}}})
              .exit_code == 0);
  CHECK(read_text(one.path() / "out/spec.cpp") == read_text(two.path() / "elsewhere/spec.cpp"));
  CHECK(read_text(one.path() / "out/spec.hpp") == read_text(two.path() / "elsewhere/spec.hpp"));
}

TEST_CASE("a host compiler that fails is exit code 4") {
  const Attempt attempt(good +
                        "step s(x: f32[B, 3], t: f32[B, 2]) { loss = mse(f(x), t)\n minimize loss "
                        "using sgd\n report loss }\n"
                        "program { data d = csv(\"d.csv\", x = columns(0, 2), t = columns(3, 4))\n "
                        "fit s on d for 1 epochs batch 2 }\n");
  const Finished finished =
      run_program({GRADC_TOOL, "build", "--binary", "spec.nn", "-o", "program"},
                  {attempt.path(), {{"CXX", "false"}}});
  fails(finished, 4);
  CHECK_FALSE(fs::exists(attempt.path() / "program"));
  fails(run_program({GRADC_TOOL, "build", "--binary", "spec.nn", "-o", "program"},
                    {attempt.path(), {{"CXX", "/no/such/compiler"}}}),
        4);
}

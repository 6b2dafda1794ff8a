// isa.cpp: --isa: one set of instructions, or several in one program.
#include <set>
#include <sstream>

#include "tool/tool_run.h"

using namespace test;

namespace {

// Symbols of an object file that a linker may replace by those of the same name in another.
std::set<std::string> weak_symbols(const fs::path& folder, const std::string& object) {
  const Finished listed = run_program({"nm", "-C", object}, {folder, {}});
  REQUIRE(listed.exit_code == 0);
  std::istringstream lines(listed.out);
  std::set<std::string> names;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t kind = line.find_first_of("WVu");
    if (kind != 17 || line.size() < 19) continue;  // after sixteen digits and a blank
    names.insert(line.substr(19));
  }
  return names;
}

}  // namespace

TEST_CASE("one set of instructions, or several of which the program takes the best or the one it is told") {
  const Workplace place;
  std::string rows;
  for (int k = 0; k < 24; ++k) rows += std::to_string(k % 5) + ",1," + std::to_string(k % 3) + ",0.5," + std::to_string(k % 2) + "\n";
  write_text(place.path() / "d.csv", rows);
  const Finished built = place.gradc({"build", "--binary", "tiny.nn", "--isa=scalar,x86-64-v2", "-o", "both"});
  INFO(built.err);
  REQUIRE(built.exit_code == 0);
  const auto trained = [&](const std::string& isa) {
    RunOptions options{place.path(), {}};
    if (!isa.empty()) options.environment["GRADC_ISA"] = isa;
    return run_program({(place.path() / "both").string()}, options);
  };
  const Finished best = trained("");
  CHECK(best.exit_code == 0);
  for (const char* isa : {"scalar", "x86-64-v2"}) CHECK(trained(isa).exit_code == 0);
  const Finished other = trained("x86-64-v3");
  CHECK(other.exit_code == 3);
  CHECK(other.err == "error: GRADC_ISA=x86-64-v3 is not among what this network was written for and this processor "
                     "has: x86-64-v2 scalar\n");
  REQUIRE(place.gradc({"build", "--binary", "tiny.nn", "--isa=scalar", "-o", "one"}).exit_code == 0);
  CHECK(run_program({(place.path() / "one").string()}, {place.path(), {}}).exit_code == 0);
}

TEST_CASE("files for several sets of instructions share nothing that a linker could mix up") {
  const Workplace place;
  REQUIRE(place.gradc({"build", "tiny.nn", "--isa=x86-64-v4,x86-64-v2", "-o", "out"}).exit_code == 0);
  CHECK(names_in(place.path() / "out") ==
        std::vector<std::string>{"tiny.cpp", "tiny.hpp", "tiny_x86_64_v2.cpp", "tiny_x86_64_v4.cpp"});
  // Without optimisation, so that nothing is inlined.
  for (const std::string isa : {"x86-64-v2", "x86-64-v4"}) {
    const std::string file = isa == "x86-64-v2" ? "out/tiny_x86_64_v2.cpp" : "out/tiny_x86_64_v4.cpp";
    const Finished compiled = run_program({"g++", "-std=c++17", "-O0", "-march=" + isa, "-Wall", "-Wextra", "-Werror",
                                           "-I", GRADC_SOURCE_DIR "/runtime", "-c", file, "-o", isa + ".o"},
                                          {place.path(), {}});
    INFO(compiled.err);
    REQUIRE(compiled.exit_code == 0);
  }
  const auto poor = weak_symbols(place.path(), "x86-64-v2.o"), rich = weak_symbols(place.path(), "x86-64-v4.o");
  CHECK(rich.size() > 3);  // gradc::avx512::…
  for (const std::string& name : rich) {
    INFO(name);
    // Atomic integers and threads of the standard library move no vectors and no floating-point numbers.
    const bool harmless = name.find("atomic") != std::string::npos || name.find("memory_order") != std::string::npos ||
                          name.find("this_thread") != std::string::npos || name == "std::__is_constant_evaluated()";
    CHECK((harmless || !poor.contains(name)));
  }
}

TEST_CASE("what --isa does not take") {
  const Workplace place;
  const Finished unknown = place.gradc({"build", "tiny.nn", "--isa=pentium"});
  CHECK(unknown.exit_code == 2);
  CHECK_THAT(unknown.err, contains("x86-64-v3"));
  for (const char* with : {"--emit=cpp", "--target=cuda"}) {
    const Finished refused = place.gradc({"build", "tiny.nn", "--isa=x86-64-v2,x86-64-v3", with});
    CHECK(refused.exit_code == 2);
    CHECK_THAT(refused.err, contains("--isa with several sets of instructions goes with files or a program"));
  }
  CHECK(place.gradc({"build", "tiny.nn", "--isa=x86-64-v2", "--emit=cpp"}).exit_code == 0);
}

// instructions.cpp: how many instructions a step of some networks takes, so that none takes more unnoticed. Times on
// shared machines lie; valgrind counts the same wherever it runs.
//
// counts.txt has a line a case: the count of one call, emitted for AVX2 (valgrind knows no AVX-512) and compiled by
// g++ 12, whose code the counts are about. GRADC_UPDATE_COUNTS=1 writes them anew; a count that fell is a gain to keep,
// one that rose wants its reason in the commit.
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "catch.h"
#include "process.h"

namespace {

using test::fs::path;

const path source = GRADC_SOURCE_DIR;
constexpr double tolerance = 0.02;  // of the count: the formatter and libc of a machine
constexpr int few = 1, many = 4;   // calls whose difference is counted

struct Case {
  std::string spec, function, dims;
  std::string key() const { return spec + " " + function + " " + dims; }
};
const Case cases[] = {{"tiny", "train", "B=1"},      {"tiny", "train", "B=256"},
                      {"fcnn", "train", "B=1"},      {"fcnn", "train", "B=8"},
                      {"fcnn", "train_adam", "B=8"}, {"lenet", "train", "B=16"},
                      {"gru", "train", "B=4"}};

std::map<std::string, double> stored() {
  std::map<std::string, double> counts;
  std::ifstream in(source / "tests/instructions/counts.txt");
  for (std::string spec, function, dims; in >> spec >> function >> dims;) in >> counts[spec + " " + function + " " + dims];
  return counts;
}

bool succeeds(const std::vector<std::string>& command, const path& folder) {
  test::RunOptions options{folder, {}, std::chrono::seconds(600)};
  const test::Finished done = test::run_program(command, options);
  INFO(done.out << done.err);
  return done.exit_code == 0;
}

// Instructions of `calls` calls and of all around them.
double instructions(const path& folder, const Case& c, int calls) {
  const std::string count = "count." + std::to_string(calls);
  const std::string command = "echo time " + std::to_string(calls) + " | valgrind --tool=callgrind --callgrind-out-file=" +
                              count + " ./program " + c.function + " . 1 " + c.dims;
  REQUIRE(succeeds({"bash", "-c", command}, folder));
  std::istringstream lines(test::read_text(folder / count));
  for (std::string word; lines >> word;) {
    double n = 0;
    if (word == "totals:" && lines >> n) return n;
  }
  FAIL("callgrind wrote no total");
  return 0;
}

std::string missing() {
  if (test::run_program({"valgrind", "--version"}).exit_code != 0) return "valgrind is not installed";
  const std::string version = test::run_program({"g++", "-dumpversion"}).out;
  if (version.substr(0, 2) != "12") return "the counts are of g++ 12 and this is " + version;
  return "";
}

}  // namespace

TEST_CASE("steps take no more instructions than they did") {
  if (const std::string why = missing(); !why.empty()) {
    WARN("not run: " << why);
    return;
  }
  const bool update = std::getenv("GRADC_UPDATE_COUNTS") != nullptr;
  std::map<std::string, double> counts = stored();
  std::string built;
  test::TemporaryFolder folder;
  std::ostringstream anew;
  for (const Case& c : cases) {
    if (c.spec != built) {
      const std::string spec = (source / "bench/specs" / (c.spec + ".nn")).string();
      REQUIRE(succeeds({GRADC_TOOL, "build", spec, "-o", folder.path().string()}, "."));
      REQUIRE(succeeds({"g++", "-std=c++17", "-O3", "-march=x86-64-v3", "-ffp-contract=fast", "-fno-math-errno",
                        "-fno-trapping-math", "-I" + (source / "runtime").string(), "-I.", "-include", c.spec + ".hpp",
                        "-DNETWORK=" + c.spec, (source / "bench/harness.cpp").string(), c.spec + ".cpp", "-o", "program"},
                       folder.path()));
      built = c.spec;
    }
    const double count =
        std::round((instructions(folder.path(), c, many) - instructions(folder.path(), c, few)) / (many - few));
    anew << c.key() << ' ' << static_cast<long long>(count) << '\n';
    if (update) continue;
    CAPTURE(c.key(), count, counts[c.key()]);
    CHECK(count <= counts[c.key()] * (1 + tolerance));
    if (count < counts[c.key()] * (1 - tolerance)) WARN("fewer than stored: write counts.txt anew to keep the gain");
  }
  if (update) test::write_text(source / "tests/instructions/counts.txt", anew.str());
}

// tune.cpp: --tune: what it finds is written for, kept, and found again.
#include "tool/tool_run.h"

using namespace test;

namespace {

// A product with rows of a run-time number, whose tiles show in the text.
constexpr const char* spec = R"(dim B <= 64

net guess(x: f32[B, 24]) -> y: f32[B, 32] { y = x |> dense(32) |> relu |> dense(32) }

step train(x: f32[B, 24], t: f32[B, 32]) {
  loss = mse(guess(x), t)
  minimize loss using sgd(lr = 0.1)
  report loss
}
)";

struct Tuning : Workplace {
  Tuning() { write_text(path() / "net.nn", spec); }
  Finished run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {GRADC_TOOL, "build", "net.nn", "--isa=native", "--force", "-o", "."});
    return run_program(arguments, {path(), {{"XDG_CACHE_HOME", (path() / "cache").string()}}});
  }
  std::string text() const { return read_text(path() / "net.cpp"); }
  fs::path kept() const {
    const fs::path folder = path() / "cache/gradc/tilings";
    const auto names = names_in(folder);
    REQUIRE(names.size() == 1);
    return folder / names[0];
  }
};

}  // namespace

TEST_CASE("a tiling is measured once, and after that it is known") {
  const Tuning tuning;
  const Finished first = tuning.run({"--tune"});
  INFO(first.err);
  REQUIRE(first.exit_code == 0);
  CHECK_THAT(first.err, contains("tuned: rows "));
  const std::string text = tuning.text(), kept = read_text(tuning.kept());
  CHECK("tuned: " + kept == first.err);
  const Finished second = tuning.run({"--tune"});
  CHECK(second.exit_code == 0);
  CHECK(second.err == "");  // nothing was measured
  CHECK(tuning.text() == text);

  // What is kept is what is written for, whatever it is.
  write_text(tuning.kept(), "rows 3, narrow_rows 3, terms 256, inner_rows 2, inner_columns 2\n");
  CHECK(tuning.run({"--tune"}).err == "");
  CHECK_THAT(tuning.text(), contains("m + 3 <= rows"));
  // Without --tune nothing is looked up.
  REQUIRE(tuning.run({}).exit_code == 0);
  CHECK(tuning.text().find("m + 3 <= rows") == std::string::npos);
}

TEST_CASE("what is kept and is not understood is measured again") {
  const Tuning tuning;
  REQUIRE(tuning.run({"--tune"}).exit_code == 0);
  for (const char* wrong : {"", "rows 0, narrow_rows 6, terms 256, inner_rows 2, inner_columns 2\n",
                            "rows 8, narrow_rows 8, terms 256, inner_rows 2, inner_columns 2\nmore\n"}) {
    write_text(tuning.kept(), wrong);
    const Finished again = tuning.run({"--tune"});
    INFO(wrong << again.err);
    CHECK(again.exit_code == 0);
    CHECK_THAT(again.err, contains("tuned: rows "));
    CHECK(read_text(tuning.kept()) != wrong);
  }
}

TEST_CASE("a tuned program computes what it did") {
  const Tuning tuning;
  write_text(tuning.path() / "d.csv", "1,2,3,4,0\n4,3,2,1,1\n0,1,0,1,0\n2,2,1,1,1\n");
  const auto trained = [&](std::vector<std::string> with) {
    with.insert(with.begin(), {GRADC_TOOL, "build", "--binary", "tiny.nn", "-o", "tiny"});
    const Finished built = run_program(with, {tuning.path(), {{"XDG_CACHE_HOME", (tuning.path() / "cache").string()}}});
    INFO(built.err);
    REQUIRE(built.exit_code == 0);
    const Finished run = run_program({"./tiny"}, {tuning.path(), {}});
    CHECK(run.exit_code == 0);
    const std::size_t at = run.out.find("test loss");
    REQUIRE(at != std::string::npos);
    return run.out.substr(at);
  };
  CHECK(trained({"--tune"}) == trained({}));
}

TEST_CASE("what --tune does not go with") {
  const Tuning tuning;
  for (const char* with : {"--target=cuda", "--isa=armv8-a", "--isa=x86-64-v2,scalar"}) {
    const Finished refused = run_program({GRADC_TOOL, "build", "net.nn", "--tune", with}, {tuning.path(), {}});
    CHECK(refused.exit_code == 2);
    CHECK_THAT(refused.err, contains("--tune measures on this machine"));
  }
  const Finished no_compiler =
      run_program({GRADC_TOOL, "build", "net.nn", "--tune"},
                  {tuning.path(), {{"CXX", "/nowhere/c++"}, {"XDG_CACHE_HOME", (tuning.path() / "cache").string()}}});
  CHECK(no_compiler.exit_code == 4);
  CHECK_THAT(no_compiler.err, contains("/nowhere/c++"));
  CHECK_FALSE(fs::exists(tuning.path() / "net.cpp"));
}

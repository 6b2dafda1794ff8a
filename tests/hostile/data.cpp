// data.cpp: programs that gradc made, fed files that are missing, malformed or made up.
#include "hostile/gradc_run.h"

using namespace test;

namespace {

const std::string good_csv = "0.5,1,0\n-1,2,1\n3,0.25,2\n1,1,0\n";

// One program, built once; each attempt runs it in a fresh folder.
class Program {
 public:
  explicit Program(const std::string& spec) : attempt_(spec) {
    const Finished built = attempt_.gradc({"build", "--binary", "spec.nn", "-o", "program"},
                                          std::chrono::seconds(300));
    INFO(built.err);
    REQUIRE(built.exit_code == 0);
  }

  Finished run(const fs::path& folder, std::vector<std::string> arguments = {}) const {
    arguments.insert(arguments.begin(), (attempt_.path() / "program").string());
    arguments.insert(arguments.end(), {"--data", folder.string()});
    return run_program(arguments, {folder, {}, std::chrono::seconds(60)});
  }

  // With d.csv of these contents: refused with `exit_code`, `what` in the message, nothing left
  // behind.
  void refuses(const std::string& csv, const std::string& what, int exit_code = 1) const {
    const TemporaryFolder folder;
    write_text(folder.path() / "d.csv", csv);
    const Finished finished = run(folder.path());
    INFO(csv.substr(0, 200) << "\n"
                            << finished.out.substr(0, 2000) << finished.err.substr(0, 2000));
    CHECK(finished.exit_code == exit_code);
    CHECK_THAT(finished.err.substr(0, 4000), contains(what));
    CHECK_THAT(finished.err.substr(0, 4000), contains("d.csv"));
    CHECK(finished.err.size() < 10000);
    CHECK(names_in(folder.path()) == std::vector<std::string>{"d.csv"});
  }

 private:
  Attempt attempt_;
};

}  // namespace

TEST_CASE("data a program can't use is refused with its place") {
  const Program program(small_spec(
      "  data d = csv(\"d.csv\", x = columns(0, 1), label = column(2))\n"
      "  fit train on d for 2 epochs batch 4\n  test train on d\n  save \"out.safetensors\""));
  {
    const TemporaryFolder folder;
    write_text(folder.path() / "d.csv", good_csv);
    const Finished finished = program.run(folder.path());
    INFO(finished.out << finished.err);
    CHECK(finished.exit_code == 0);
    CHECK(fs::exists(folder.path() / "out.safetensors"));
  }
  {
    const TemporaryFolder folder;
    const Finished finished = program.run(folder.path());
    INFO(finished.err);
    CHECK(finished.exit_code == 3);
    CHECK_THAT(finished.err, contains("d.csv"));
    CHECK(names_in(folder.path()).empty());
    fs::create_directory(folder.path() / "d.csv");
    CHECK(program.run(folder.path()).exit_code == 3);
  }
  program.refuses("", "no", 1);
  program.refuses("0.5,1\n", "d.csv:1");
  program.refuses("0.5,1,0\n0.5,1\n", "d.csv:2");
  program.refuses("0.5,1,0\n\n0.5,x,1\n", "d.csv");
  program.refuses("0.5,1,0\n1,2e,1\n", "d.csv:2");
  program.refuses("0.5,1,0\n1,0x10,1\n", "d.csv:2");
  program.refuses("0.5,1,0\n1,nan,1\n", "d.csv:2");
  program.refuses("0.5,1,0\n1,inf,1\n", "d.csv:2");
  program.refuses("0.5,1,0\n1,1e39,1\n", "d.csv:2");
  program.refuses("0.5,1,0\n1,1e999,1\n", "d.csv:2");
  program.refuses("0.5,1,0\n1,2,3\n", "d.csv:2");  // a class there isn't
  program.refuses("0.5,1,0\n1,2,-1\n", "d.csv:2");
  program.refuses("0.5,1,0\n1,2,1.5\n", "d.csv:2");
  program.refuses("0.5,1,0\n1,2,99999999999\n", "d.csv:2");
  program.refuses("0.5;1;0\n", "d.csv:1");
  program.refuses("x,y,label\n0.5,1,0\n", "d.csv:1");
  program.refuses(std::string("0.5,1,0\n1,\0,1\n", 14), "d.csv:2");
  program.refuses("0.5,1," + std::string(2'000'000, '9') + "\n", "d.csv:1");
  program.refuses(std::string(5'000'000, '\xff'), "d.csv");
  program.refuses("0.5,1,\x1b[31m\n", "d.csv:1");
}

TEST_CASE("a checkpoint that is not one is refused") {
  const Program program(small_spec(
      "  data d = csv(\"d.csv\", x = columns(0, 1), label = column(2))\n"
      "  fit train on d for 2 epochs batch 4\n  test train on d\n  save \"out.safetensors\""));
  const TemporaryFolder folder;
  write_text(folder.path() / "d.csv", good_csv);
  REQUIRE(program.run(folder.path(), {"train", "--checkpoint", "c.safetensors"}).exit_code == 0);
  const std::string whole = read_text(folder.path() / "c.safetensors");
  for (const std::string& contents :
       {std::string(), std::string("x"), std::string(8, '\xff'), whole.substr(0, 8),
        whole.substr(0, whole.size() / 2), whole.substr(0, whole.size() - 1), whole + "x",
        std::string(5'000'000, 'a'), std::string("\x02\0\0\0\0\0\0\0{}", 10)}) {
    write_text(folder.path() / "c.safetensors", contents);
    const Finished finished = program.run(folder.path(), {"eval", "--checkpoint", "c.safetensors"});
    INFO(contents.size() << " bytes: " << finished.err.substr(0, 1000));
    CHECK(finished.exit_code == 1);
    CHECK_THAT(finished.err.substr(0, 4000), contains("c.safetensors"));
    // Nor is it overwritten by a run that was to go on from it.
    CHECK(program.run(folder.path(), {"train", "--checkpoint", "c.safetensors", "--resume"})
              .exit_code == 1);
    CHECK(read_text(folder.path() / "c.safetensors") == contents);
  }
}

TEST_CASE("a program misused") {
  const Program program(small_spec(
      "  data d = csv(\"d.csv\", x = columns(0, 1), label = column(2))\n"
      "  fit train on d for 2 epochs batch 4\n  save \"missing/folder/out.safetensors\""));
  const TemporaryFolder folder;
  write_text(folder.path() / "d.csv", good_csv);
  CHECK(program.run(folder.path(), {"fly"}).exit_code != 0);
  CHECK(program.run(folder.path(), {"--epochs", "-1"}).exit_code == 2);
  CHECK(program.run(folder.path(), {"--epochs", "x"}).exit_code == 2);
  CHECK(program.run(folder.path(), {"--batch", "0"}).exit_code == 2);
  CHECK(program.run(folder.path(), {"--batch", "1000000"}).exit_code !=
        0);  // over the bound of the dim
  CHECK(program.run(folder.path(), {"--resume"}).exit_code == 2);
  CHECK(program.run(folder.path(), {"--data", "nothing=x.csv"}).exit_code == 2);
  const Finished unsaved = program.run(folder.path());
  INFO(unsaved.err);
  CHECK(unsaved.exit_code == 3);
  CHECK_THAT(unsaved.err, contains("missing/folder"));
  CHECK(names_in(folder.path()) == std::vector<std::string>{"d.csv"});
}

// gradc_run.h: gradc given a hostile spec, and what must hold of every refusal.
#pragma once

#include "catch.h"
#include "process.h"

namespace test {

// A folder with one spec, and gradc run in it.
class Attempt {
 public:
  explicit Attempt(const std::string& spec, const std::string& name = "spec.nn") : spec_(name) {
    write_text(folder_.path() / name, spec);
  }
  const fs::path& path() const { return folder_.path(); }

  Finished gradc(std::vector<std::string> arguments,
                 std::chrono::seconds limit = std::chrono::seconds(60)) const {
    arguments.insert(arguments.begin(), GRADC_TOOL);
    return run_program(arguments, {folder_.path(), {}, limit});
  }

  // `gradc build` into out/; refused, as every error in a spec must be.
  Finished refused() const {
    Finished finished = gradc({"build", spec_, "-o", "out"});
    INFO(finished.err.substr(0, 4000));
    CHECK(finished.exit_code == 1);
    CHECK(finished.out.empty());
    // A place comes first; where it is in the prelude, the notes lead back to the spec.
    CHECK((finished.err.rfind(spec_ + ":", 0) == 0 || finished.err.rfind("prelude.nn:", 0) == 0));
    CHECK(finished.err.find(spec_ + ":") != std::string::npos);
    CHECK(finished.err.find(": error: ") != std::string::npos);
    CHECK(finished.err.find("internal error") == std::string::npos);
    CHECK(finished.err.size() < 200000);      // readable, however large the spec
    CHECK_FALSE(fs::exists(path() / "out"));  // nothing half-written
    return finished;
  }

  // Refused, and the message says `what`.
  void refused_with(const std::string& what) const {
    const Finished finished = refused();
    CHECK_THAT(finished.err.substr(0, 4000), contains(what));
  }

 private:
  TemporaryFolder folder_;
  std::string spec_;
};

// A small spec that trains, with `program` as what its binary does.
std::string small_spec(const std::string& program);

}  // namespace test

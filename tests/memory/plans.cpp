// plans.cpp: how near the workspaces of all examples come to what is alive at once.
#include "catch.h"
#include "codegen/compile.h"
#include "codegen/verify_loops.h"
#include "dsl/check.h"
#include "process.h"
#include "tool/compile_spec.h"

using namespace test;

namespace {

const fs::path source = GRADC_SOURCE_DIR;

// The module of a spec with its memory planned; none if the spec is an example of errors.
std::optional<gradc::loops::Module> planned(const fs::path& path, const gradc::Target& target = gradc::cpp_target()) {
  gradc::Session session{{}, {}, {}, false};
  int code = 0;
  const auto spec = gradc::load(session, {path.string(), {}}, code);
  if (!spec) return std::nullopt;
  gradc::Compiled compiled =
      gradc::compile(gradc::compile_input(session, *spec), {"memory", {}, false, target}, session.diagnostics);
  if (session.diagnostics.has_errors()) return std::nullopt;
  return std::move(compiled.module);
}

}  // namespace

TEST_CASE("no workspace of an example or benchmark is 1.5 % larger than what is alive at once") {
  int plans = 0;
  for (const char* folder : {"examples", "bench/specs"}) {
    for (const std::string& name : names_in(source / folder)) {
      if (!name.ends_with(".nn")) continue;
      for (const gradc::Target& target : gradc::targets()) {
        const auto module = planned(source / folder / name, target);
        if (!module) continue;
        for (const gradc::loops::MemoryReport& m : module->memory) {
          INFO(name << " for " << target.name << ", " << m.function << ": " << m.peak << " bytes planned, "
                    << m.lower_bound << " alive at once");
          CHECK(m.peak >= m.lower_bound);
          CHECK(static_cast<double>(m.peak) <= 1.015 * static_cast<double>(m.lower_bound));
          ++plans;
        }
      }
    }
  }
  CHECK(plans > 200);
}

TEST_CASE("values of several types share memory where calls say so") {
  auto module = planned(source / "bench/specs/lenet.nn");
  REQUIRE(module);
  int retyping = 0;
  for (gradc::loops::Function& function : module->functions) {
    for (gradc::loops::Invocation& call : function.calls) {
      retyping += call.retypes;
      call.retypes = false;
    }
  }
  CHECK(retyping > 0);
  std::string said;
  try {
    gradc::verify(*module, true, "stage");
  } catch (const gradc::InternalError& error) {
    said = error.what();
  }
  CHECK(said.find("takes the memory of another type unsaid") != std::string::npos);
}

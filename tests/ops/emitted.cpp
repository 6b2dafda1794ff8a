// emitted.cpp: the prelude as emitted code, compiled and run, against the interpreter.
#include "tests/catch.h"
#include "tests/emitted_cases.h"
#include "tests/ops/samples.h"

using namespace gradc;

TEST_CASE("emitted code computes the prelude as the interpreter does") {
  for (const std::string& name : test::topic_names()) {
    DYNAMIC_SECTION(name) {
      const test::Topic topic = test::load_topic(name);
      test::EmittedCase all;
      all.name = topic.name;
      all.graph = topic.simplified;
      for (const test::Sample& s : topic.samples) {
        for (const auto& [key, value] : s.environment.values) all.environment.values[key] = value;
      }
      std::string problems;
      for (const std::string& p : test::run_emitted({all})) problems += p + "\n";
      CHECK(problems == "");
    }
  }
}

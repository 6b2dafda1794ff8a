// emitted.cpp: the prelude as emitted code, compiled and run, against the interpreter: values, gradients, and gradients of
// these.
#include <algorithm>

#include "dsl/round_otherwise.h"
#include "tests/catch.h"
#include "tests/emitted_cases.h"
#include "tests/ops/samples.h"

using namespace gradc;

namespace {

test::EmittedCase all_of(const test::Topic& topic) {
  test::EmittedCase all;
  all.name = topic.name;
  all.graph = topic.simplified;
  for (const test::Sample& s : topic.samples) {
    for (const auto& [key, value] : s.environment.values) all.environment.values[key] = value;
  }
  // The stored values are of the largest sizes; the smallest, and one between, are drawn.
  for (const bool smallest : {true, false}) {
    std::map<std::string, std::int64_t> sizes;
    for (const Dim& d : all.graph.dims()) sizes[d.name] = smallest ? 1 : std::max<std::int64_t>(d.bound - 1, 1);
    if (!sizes.empty()) all.more_dims.push_back(std::move(sizes));
  }
  return all;
}

bool varies(const std::string& topic) { return topic == "edges" || topic.ends_with("_varied"); }

std::string problems(const test::EmittedCase& c, const test::EmittedOptions& options) {
  std::string text;
  for (const std::string& p : test::run_emitted({c}, cpp_target(), options)) text += p + "\n";
  return text;
}

void compare(const test::Topic& topic, test::Builds builds) {
  test::EmittedCounts counts;
  const test::EmittedOptions options{builds, &counts};
  test::EmittedCase all = all_of(topic);
  const std::string off = problems(all, options);
  if (off.empty()) return;
  // Some are differences of what is nearly equal, of which single precision leaves little. These are few, and rounding
  // every operation otherwise moves them as far.
  INFO(off);
  CHECK(std::count(off.begin(), off.end(), '\n') <= static_cast<std::ptrdiff_t>(counts.tensors / 30 + 1));
  all.rounded = rounded_otherwise(all.graph);
  CHECK(problems(all, options) == "");
}

}  // namespace

TEST_CASE("emitted code computes the prelude as the interpreter does") {
  for (const std::string& name : test::topic_names()) {
    if (varies(name)) continue;
    DYNAMIC_SECTION(name) { compare(test::load_topic(name), test::Builds::all); }
  }
}

// One compiler is enough for other sizes of the same.
TEST_CASE("emitted code computes other shapes and edges of the prelude as the interpreter does") {
  for (const std::string& name : test::topic_names()) {
    if (!varies(name)) continue;
    DYNAMIC_SECTION(name) { compare(test::load_topic(name), test::Builds::sanitized); }
  }
}

TEST_CASE("emitted code computes gradients of gradients of the prelude as the interpreter does") {
  for (const std::string& name : test::topic_names()) {
    DYNAMIC_SECTION(name) {
      const test::Topic topic = test::second_order(test::load_topic(name));
      if (!topic.samples.empty()) compare(topic, test::Builds::quick);
    }
  }
}

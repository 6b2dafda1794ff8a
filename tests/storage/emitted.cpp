// emitted.cpp: emitted code that stores values as bf16 against the interpreter, as near as 8 bits allow.
#include "store_otherwise.h"
#include "tests/catch.h"
#include "tests/emitted_cases.h"
#include "tests/ops/samples.h"

using namespace gradc;

namespace {

Target with_bf16(Target target) {
  target.bf16 = true;
  return target;
}

test::EmittedCase case_of(const std::string& name, const Target& target) {
  const test::Topic topic = test::load_topic(name);
  test::EmittedCase c;
  c.name = name;
  c.graph = topic.simplified;
  for (const test::Sample& s : topic.samples)
    for (const auto& [key, value] : s.environment.values) c.environment.values[key] = value;
  c.stored = test::stored_otherwise(c.graph, target);
  return c;
}

std::string joined(const std::vector<std::string>& problems) {
  std::string text;
  for (const std::string& p : problems) text += p + "\n";
  return text;
}

}  // namespace

TEST_CASE("what is stored as bf16 moves results as far as its rounding does") {
  for (const std::string name : {"networks", "blocks", "convolutions", "training", "activations", "losses", "einsum", "recurrent"}) {
    DYNAMIC_SECTION(name) {
      const Target target = with_bf16(cpp_target());
      CHECK(joined(test::run_emitted({case_of(name, target)}, target, {test::Builds::quick})) == "");
    }
  }
}

TEST_CASE("kernels for a grid store bf16 as loops do") {
  for (const std::string name : {"networks", "convolutions"}) {
    DYNAMIC_SECTION(name) {
      const Target target = with_bf16(*target_named("cuda"));
      CHECK(joined(test::run_emitted({case_of(name, target)}, target, {test::Builds::quick})) == "");
    }
  }
}

TEST_CASE("half the precision there is, or one value more that is rounded, would be found") {
  const Target target = with_bf16(cpp_target());
  // Without what rounding moves, there are differences: values are rounded.
  test::EmittedCase exact = case_of("networks", target);
  exact.stored.clear();
  CHECK(joined(test::run_emitted({exact}, target, {test::Builds::quick})) != "");
  // Five bits instead of eight.
  const auto plant = [](std::string& source) {
    const std::string narrow = "gradc::narrow(";
    for (std::size_t at = source.find(narrow); at != std::string::npos; at = source.find(narrow, at + 1))
      source.replace(at, narrow.size(), "coarse(");
    source = "static gradc::bf16 coarse(float x) {\n  gradc::bf16 y = gradc::narrow(x);\n"
             "  y.bits = static_cast<std::uint16_t>(y.bits & 0xfff8u);\n  return y;\n}\n" + source;
  };
  CHECK(joined(test::run_emitted({case_of("networks", target)}, target, {test::Builds::quick, nullptr, plant})) != "");
}

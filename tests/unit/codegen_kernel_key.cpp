// codegen_kernel_key.cpp: kernels have one key if their loops are the same, and only then.
#include <map>
#include <utility>

#include "codegen/fuse.h"
#include "codegen/kernel_key.h"
#include "codegen/partition.h"
#include "codegen/schedule.h"
#include "tests/catch.h"
#include "tests/emitted_cases.h"

using namespace gradc;

namespace {

// The keys of the kernels of a net whose values have these formulas over i and j. All tensors go by
// one name.
std::vector<KernelKey> keys_of(const std::vector<std::string>& formulas) {
  std::string spec =
      "dim B <= 9\n"
      "net f(x: f32[B, 20] = \"x\", u: f32[B, 20] = \"u\", w: f32[20, 20] = \"w\", k: i32[B] = "
      "\"k\") -> ";
  for (std::size_t n = 0; n < formulas.size(); ++n)
    spec += (n > 0 ? ", y" : "y") + std::to_string(n) + ": f32[B, 20]";
  spec += " {\n";
  for (std::size_t n = 0; n < formulas.size(); ++n)
    spec += "  y" + std::to_string(n) + "[i in 0..B-1, j in 0..19] = " + formulas[n] + "\n";
  Graph g = test::graph_of(spec + "}\n");
  std::vector<FunctionPlan> plans = partition(g, cpp_target());
  schedule(g, plans, cpp_target());
  std::map<NodeId, std::uint32_t> buffers;
  LoopContext context{g, cpp_target().isa, {"B"}, {}, {}, {}, {}, {}, {}};
  context.buffer = [&](NodeId id) { return buffers.emplace(id, buffers.size()).first->second; };
  context.element = [](std::uint32_t) { return loops::Element{DType::f32, false}; };
  context.short_name = [&](NodeId) { return "t"; };
  std::vector<KernelKey> keys;
  for (const FunctionPlan& plan : plans) {
    // Each for itself, whatever would share loops.
    for (const StoredNode& s : plan.stored) {
      FunctionPlan one = plan;
      one.stored = {s};
      one.forward_count = 1;
      for (const KernelPlan& kernel : fuse(g, one)) keys.push_back(kernel_key(context, kernel, {}));
    }
  }
  return keys;
}

}  // namespace

TEST_CASE("kernels that differ in no more than their buffers have one key") {
  const auto keys = keys_of({"exp(x[i, j]) * x[i, 0]", "exp(u[i, j]) * u[i, 0]"});
  REQUIRE(keys.size() == 2);
  CHECK(keys[0].text == keys[1].text);
  CHECK(keys[0].buffers != keys[1].buffers);
}

TEST_CASE("kernels of different loops have different keys") {
  const std::vector<std::string> formulas = {
      "exp(x[i, j])",
      "exp(x[i, 19 - j])",
      "log(x[i, j])",
      "exp(x[i, j]) * u[i, j]",
      "exp(x[i, j]) * x[i, j]",
      "exp(x[i, j]) * x[0, j]",
      "exp(x[i, j]) * 2.0",
      "exp(x[i, j]) * 3.0",
      "select(k[i] > 1, exp(x[i, j]), 2.0)",
      "select(k[i] > 2, exp(x[i, j]), 2.0)",
      "sum[n in 0..19] x[i, n] * w[j, n]",
      "sum[n in 0..18] x[i, n] * w[j, n]",
      "max[n in 0..19] x[i, n] * w[j, n]",
  };
  std::map<std::string, std::string> formula_of;  // by key
  for (const std::string& formula : formulas) {
    const auto [same, added] = formula_of.emplace(keys_of({formula}).back().text, formula);
    INFO(same->second << " and " << formula);
    CHECK(added);
  }
}

// codegen_take_in_turn.cpp: large tensors that are handed on part by part: which calls, which memory, and numbers against
// the interpreter.
#include <algorithm>
#include <string>

#include "codegen/compile.h"
#include "tests/catch.h"
#include "tests/emitted_cases.h"

namespace {

using gradc::loops::Function;
using gradc::loops::Module;

// For which tensors of so many bytes are large, and no kernel has too little to do.
gradc::Target eager(std::int64_t far_bytes) {
  gradc::Target target = gradc::cpp_target();
  target.far_bytes = far_bytes;
  target.least_turn_work = 0;
  return target;
}

// Shares of 2 texts and 2 heads, between them a projection that is for all texts, after them what needs all of `mixed`.
const std::string attention =
    "net f(q: f32[2, 256, 2, 8] = \"q\", k: f32[2, 2, 8, 256] = \"k\", x: f32[2, 256, 3] = \"x\") -> y: f32[2, 256, 5] {\n"
    "  W = parameter(\"W\", f32[3, 2, 8])\n  P = parameter(\"P\", f32[2, 8, 5])\n"
    "  score[n in 0..1, h in 0..1, i in 0..255, j in 0..255] = sum[l in 0..7] q[n, i, h, l] * k[n, h, l, j]\n"
    "  e[n in 0..1, h in 0..1, i in 0..255, j in 0..255] = exp(score[n, h, i, j])\n"
    "  s[n in 0..1, h in 0..1, i in 0..255] = sum[j in 0..255] e[n, h, i, j]\n"
    "  share[n in 0..1, h in 0..1, i in 0..255, j in 0..255] = e[n, h, i, j] / s[n, h, i]\n"
    "  v[n in 0..1, j in 0..255, h in 0..1, l in 0..7] = sum[c in 0..2] x[n, j, c] * W[c, h, l]\n"
    "  mixed[n in 0..1, i in 0..255, h in 0..1, l in 0..7] = sum[j in 0..255] share[n, h, i, j] * v[n, j, h, l]\n"
    "  y[n in 0..1, i in 0..255, o in 0..4] = sum[h in 0..1, l in 0..7] mixed[n, i, h, l] * P[h, l, o]\n}\n";

constexpr std::int64_t of_scores = 4 * 2 * 2 * 256 * 256;  // bytes

// The same, with the other head's shares.
std::string crossed() {
  std::string text = attention;
  const std::string own = "share[n, h, i, j] * v";
  return text.replace(text.find(own), own.size(), "share[n, 1 - h, i, j] * v");
}

const Function& forward(const Module& module) {
  return *std::find_if(module.functions.begin(), module.functions.end(),
                       [](const Function& f) { return f.entry == gradc::loops::Entry::forward; });
}

// Names of the kernels that are called, those in a loop with a star.
std::string calls(const Module& module) {
  std::string names;
  for (const auto& call : forward(module).calls)
    names += (names.empty() ? "" : " ") + module.kernels[call.kernel].name + (call.loop > 0 ? "*" : "");
  return names;
}

std::size_t rank(const Module& module, const std::string& buffer) {
  for (const auto& b : module.buffers)
    if (b.name == buffer) return b.type.rank();
  return 99;
}

}  // namespace

TEST_CASE("texts and heads take turns, and what is handed on has room for one") {
  const Module apart = gradc::lower(test::graph_of(attention), "f");
  CHECK(forward(apart).loops.empty());
  CHECK(calls(apart) == "f_e f_share f_v f_mixed f_y");
  CHECK(rank(apart, "share") == 4);
  const Module module = gradc::lower(test::graph_of(attention), "f", eager(of_scores));
  REQUIRE(forward(module).loops.size() == 1);
  CHECK(forward(module).loops[0].indices.size() == 2);
  CHECK(calls(module) == "f_v f_e* f_share* f_mixed* f_y");
  CHECK(rank(module, "e") == 2);
  CHECK(rank(module, "share") == 2);
  CHECK(rank(module, "mixed") == 4);
  CHECK(2 * module.workspace_bytes < apart.workspace_bytes);
}

TEST_CASE("what is read of another part is there as a whole before") {
  const Module module = gradc::lower(test::graph_of(crossed()), "f", eager(of_scores));
  const Function& f = forward(module);
  for (const auto& call : f.calls) {
    if (module.kernels[call.kernel].name != "f_mixed") continue;
    // Both heads of a text, but not one after another.
    REQUIRE(call.loop > 0);
    CHECK(f.loops[call.loop - 1].indices.size() == 1);
  }
}

TEST_CASE("what is taken in turn is the interpreter's") {
  std::vector<test::EmittedCase> cases;
  cases.push_back({"attention", test::graph_of(attention), {}, 2});
  cases.push_back({"crossed", test::graph_of(crossed()), {}, 2});
  for (const std::int64_t far : {std::int64_t{1}, of_scores})
    for (const std::string& problem : test::run_emitted(cases, eager(far))) FAIL_CHECK(problem);
}

// codegen_verify.cpp: legal plans and loops pass, and each broken rule is named with the stage that
// broke it.
#include <algorithm>
#include <utility>

#include "codegen/compile.h"
#include "codegen/exprs.h"
#include "codegen/fuse.h"
#include "codegen/partition.h"
#include "codegen/schedule.h"
#include "codegen/verify_loops.h"
#include "codegen/verify_plans.h"
#include "dsl/check.h"
#include "tests/catch.h"
#include "tests/emitted_cases.h"

using namespace gradc;
using namespace gradc::loops;

namespace {

// A product with what follows it, two row reductions, and a value each needs of the other; updated,
// W is read too.
const char* const text =
    "dim B <= 9\n"
    "step f(x: f32[B, 20] = \"x\", y: f32[B, 7] = \"y\") {\n"
    "  W = parameter(\"W\", f32[20, 7])\n"
    "  z[i in 0..B-1, j in 0..6] = sum[k in 0..19] x[i, k] * W[k, j]\n"
    "  e[i in 0..B-1, j in 0..6] = exp(z[i, j])\n"
    "  n[i in 0..B-1] = sum[j in 0..6] e[i, j]\n"
    "  p[i in 0..B-1, j in 0..6] = e[i, j] / n[i] - y[i, j]\n"
    "  g[k in 0..19, j in 0..6] = sum[i in 0..B-1] x[i, k] * p[i, j]\n"
    "  V[k in 0..19, j in 0..6] = W[k, j] - g[k, j]\n"
    "  s = sum[i in 0..B-1] n[i]\n"
    "  report s\n  W' = V\n"
    "}\n";

template <class Check>
std::string complaint(Check check) {
  try {
    check();
  } catch (const InternalError& e) {
    return e.what();
  }
  return "";
}

// What verify says about the module of the text above once `fault` has been done to it.
template <class Fault>
std::string of_loops(Fault fault) {
  Module module = lower(test::graph_of(text), "m");
  fault(module);
  return complaint([&] { verify(module, true, "stage"); });
}

loops::Function& step_of(Module& module) {
  for (loops::Function& f : module.functions)
    if (f.entry == Entry::step) return f;
  FAIL("no step");
  return module.functions[0];
}

// The first statement of that kind in a block, wherever it stands.
template <class T>
T* find(Block& block) {
  for (Stmt& s : block) {
    if (T* found = std::get_if<T>(&s.it)) return found;
    Block* inner = nullptr;
    if (auto* loop = std::get_if<For>(&s.it)) inner = &loop->body;
    if (auto* choice = std::get_if<If>(&s.it)) inner = &choice->body;
    if (!inner) continue;
    if (T* found = find<T>(*inner)) return found;
  }
  return nullptr;
}
template <class T>
std::pair<Kernel*, T*> find(Module& module) {
  for (Kernel& kernel : module.kernels)
    if (T* found = find<T>(kernel.body)) return {&kernel, found};
  FAIL("no such statement");
  return {};
}

void check_says(const std::string& said, const char* what) {
  CHECK_THAT(said, test::contains(what));
  CHECK_THAT(said, test::contains("after stage"));
}

}  // namespace

TEST_CASE("legal loops pass, for every target") {
  CHECK(of_loops([](Module&) {}).empty());
  for (const Target& target : targets()) {
    const Module module = lower(test::graph_of(text), "m", target);
    CHECK(complaint([&] { verify(module, true, "stage"); }).empty());
  }
}

TEST_CASE("faults in a kernel are named") {
  check_says(of_loops([](Module& m) { find<Let>(m).second->name += "_"; }), "which is none");
  check_says(of_loops([](Module& m) { find<Store>(m).second->index = variable("m_", Type::integer); }),
             "is used and not declared");
  check_says(of_loops([](Module& m) {
               auto [kernel, let] = find<Let>(m);
               let->name = kernel->arguments[0].name;
             }),
             "hides another");
  check_says(of_loops([](Module& m) { find<Accumulate>(m).second->name = "nobody"; }),
             "no register that changes");
  check_says(of_loops([](Module& m) { find<Store>(m).second->buffer = "nobody"; }),
             "no buffer of its");
  check_says(of_loops([](Module& m) {
               for (Argument& a : find<Store>(m).first->arguments) a.written = false;
             }),
             "not to be written");
  check_says(of_loops([](Module& m) { find<Call>(m).second->args.pop_back(); }), "does not fit");
  check_says(of_loops([](Module& m) { find<Call>(m).second->kernel = find<Call>(m).first->name; }),
             "stand before it");
  check_says(of_loops([](Module& m) { m.kernels.push_back(m.kernels[0]); }),
             "another has its name");
}

TEST_CASE("faults in the memory of a function are named") {
  const auto swap_first_calls = [](Module& m) {
    std::swap(step_of(m).calls[0], step_of(m).calls[1]);
  };
  check_says(of_loops(swap_first_calls), "holds nothing yet");
  check_says(of_loops([](Module& m) { step_of(m).calls[0].buffers.pop_back(); }), "does not fit");
  check_says(of_loops([](Module& m) {
               m.buffers.push_back(m.buffers[step_of(m).outputs[0]]);
               step_of(m).outputs.push_back(static_cast<std::uint32_t>(m.buffers.size() - 1));
             }),
             "never written");
  check_says(of_loops([](Module& m) { m.buffers[m.parameters[0]].storage = Storage::constant; }),
             "not to be changed");
  check_says(of_loops([](Module& m) { m.buffers[step_of(m).inputs[0]].type.dtype = DType::f64; }),
             "another type");

  const auto workspace = [](Module& m) {
    std::vector<Buffer*> found;
    for (std::uint32_t b = 0; b < m.buffers.size(); ++b) {
      bool used = false;
      for (const Invocation& call : step_of(m).calls)
        used = used || std::count(call.buffers.begin(), call.buffers.end(), b) > 0;
      if (used && m.buffers[b].storage == Storage::workspace) found.push_back(&m.buffers[b]);
    }
    REQUIRE(found.size() >= 2);
    return found;
  };
  // All at one place: one of them is gone when it is read.
  const std::string shared = of_loops([&](Module& m) {
    for (Buffer* b : workspace(m)) b->offset = 0;
  });
  CHECK_THAT(shared, test::contains("holds nothing yet") || test::contains("while in use"));
  check_says(of_loops([&](Module& m) { workspace(m)[0]->offset = m.workspace_bytes; }),
             "no place of its own");
  check_says(of_loops([&](Module& m) { workspace(m)[0]->offset = -1; }), "no place of its own");
  check_says(of_loops([&](Module& m) { workspace(m)[0]->offset += 4; }), "no place of its own");
}

TEST_CASE("faults in plans are named") {
  Graph g = test::graph_of(text);
  LegalNodes legal;
  std::vector<FunctionPlan> plans = partition(g, cpp_target());
  schedule(g, plans, cpp_target());
  std::vector<std::vector<KernelPlan>> kernels;
  for (const FunctionPlan& plan : plans) kernels.push_back(fuse(g, plan));
  CHECK(complaint([&] { verify(g, plans, "stage", legal), verify(g, plans, kernels, "stage"); }).empty());

  std::size_t step = 0;
  while (plans[step].entry != Entry::step) ++step;
  auto broken = plans;
  std::reverse(broken[step].stored.begin(), broken[step].stored.end());
  check_says(complaint([&] { verify(g, broken, "stage", legal); }), "not computed yet");
  broken = plans;
  broken[step].stored.push_back(broken[step].stored[0]);
  check_says(complaint([&] { verify(g, broken, "stage", legal); }), "computed twice");

  auto wrong = kernels;
  wrong[step].pop_back();
  check_says(complaint([&] { verify(g, plans, wrong, "stage"); }), "in no kernel");
  // The first product takes the place of W, which its update still reads.
  wrong = kernels;
  wrong[step][0].members[0].home = wrong[step].back().members.back().home;
  REQUIRE(wrong[step][0].members[0].home.storage == Storage::parameter);
  check_says(complaint([&] { verify(g, plans, wrong, "stage"); }), "overwritten by then");
}

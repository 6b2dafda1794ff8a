// codegen_lay_out.cpp: which axes run over the batch, and steps with the batch last: text, and
// numbers against the interpreter.
#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "codegen/batch_axes.h"
#include "codegen/lay_out.h"
#include "dsl/interpret.h"
#include "dsl/scalar_to_text.h"
#include "gradc/philox.h"
#include "tests/catch.h"
#include "tests/emitted_cases.h"

namespace {

// The batch axis of each node that has a name.
std::map<std::string, std::uint32_t> axes_of(const std::string& spec, std::int64_t shortest = 16) {
  const gradc::Graph g = test::graph_of(spec);
  const auto order = gradc::topological_order(g, gradc::roots_of(g.functions.back()));
  std::map<std::string, std::uint32_t> named;
  for (const auto& [id, axis] : gradc::batch_axes(g, order, shortest)) {
    const std::string& name = g[id].name.empty() ? g.label(id).name : g[id].name;
    if (!name.empty()) named[name] = axis;
  }
  return named;
}

using Axes = std::map<std::string, std::uint32_t>;

// Two channels to three, bias and rectifier, the images as rows, and a layer; with all gradients.
// `B` is a number or a dim.
std::string narrow_step(const std::string& before, const std::string& B) {
  return before +
         fmt::format(
             "step f(x: f32[{0}, 2, 5, 3] = \"x\", t: f32[{0}, 4] = \"t\") {{\n"
             "  K = parameter(\"K\", f32[3, 2, 3, 3])\n  b = parameter(\"b\", f32[3])\n"
             "  W = parameter(\"W\", f32[45, 4])\n"
             "  s[n in 0..{0}-1, f in 0..2, i in 0..4, j in 0..2] = sum[c in 0..1, u in 0..2, v in "
             "0..2] x[n, c, i + u - 1, j + v - 1 pad 0] * K[f, c, u, v]\n"
             "  h[n in 0..{0}-1, f in 0..2, i in 0..4, j in 0..2] = max(s[n, f, i, j] + b[f], "
             "0.0)\n"
             "  rows = reshape(h, [{0}, 45])\n"
             "  y[n in 0..{0}-1, o in 0..3] = sum[k in 0..44] rows[n, k] * W[k, o]\n"
             "  dy[n in 0..{0}-1, o in 0..3] = y[n, o] - t[n, o]\n"
             "  loss = sum[n in 0..{0}-1, o in 0..3] dy[n, o] * dy[n, o]\n"
             "  dW[k in 0..44, o in 0..3] = sum[n in 0..{0}-1] rows[n, k] * dy[n, o]\n"
             "  drows[n in 0..{0}-1, k in 0..44] = sum[o in 0..3] dy[n, o] * W[k, o]\n"
             "  dh = reshape(drows, [{0}, 3, 5, 3])\n"
             "  ds[n in 0..{0}-1, f in 0..2, i in 0..4, j in 0..2] = select(h[n, f, i, j] > 0.0, "
             "dh[n, f, i, j], 0.0)\n"
             "  dK[f in 0..2, c in 0..1, u in 0..2, v in 0..2] = sum[n in 0..{0}-1, i in 0..4, j "
             "in 0..2] ds[n, f, i, j] * x[n, c, i + u - 1, j + v - 1 pad 0]\n"
             "  report loss\n  K' = dK\n  W' = dW\n}}\n",
             B);
}

// The graph after the stage, for a processor with vectors of 16.
gradc::Graph laid_out(const std::string& spec) {
  gradc::Graph g = test::graph_of(spec);
  gradc::Target target = gradc::cpp_target();
  target.isa = *gradc::isa_named("x86-64-v4");
  gradc::lay_out(g, target);
  return g;
}

std::string shape_of(const gradc::Graph& g, const std::string& name) {
  for (gradc::NodeId id : gradc::topological_order(g, gradc::roots_of(g.functions.back())))
    if (g.label(id).name == name) return gradc::shape_to_text(g, g[id].type.shape);
  return "";
}

gradc::Array drawn(const gradc::Shape& shape, std::uint32_t stream) {
  gradc::Array a;
  std::size_t count = 1;
  for (const gradc::Extent& e : shape)
    count *= static_cast<std::size_t>(e.offset), a.shape.push_back(e.offset);
  for (std::size_t i = 0; i < count; ++i) a.data.push_back(gradc::random_normal(1, 0, stream, i));
  return a;
}

}  // namespace

TEST_CASE("an index joins axes, and so do a reshape that leaves them and a recurrence") {
  const std::string spec =
      "net f(x: f32[20, 6, 4] = \"x\") -> y: f32[20, 3, 8], z: f32[20, 2] {\n"
      "  W = parameter(\"W\", f32[4, 4])\n"
      "  a[n in 0..19, t in 0..5, o in 0..3] = sum[k in 0..3] x[n, t, k] * W[k, o]\n"
      "  b = reshape(a, [20, 3, 8])\n  c = past(0, f32[20, 3, 8])\n"
      "  d[n in 0..19, t in 0..2, o in 0..7] = c[n, t - 1, o pad 0] + b[n, t, o]\n"
      "  y = recurrence(d, [[c, d, 1]])\n"
      "  z[n in 0..19, t in 0..1] = y[n, t + 1, 7]\n}\n";
  CHECK(axes_of(spec) ==
        Axes{{"x", 0}, {"a", 0}, {"b", 0}, {"c", 0}, {"d", 0}, {"y", 0}, {"z", 0}});
}

TEST_CASE("the batch is what an input has and no parameter, and what more inputs have") {
  const std::string positions =
      "net f(x: f32[24, 32, 3] = \"x\") -> y: f32[24, 32, 3] {\n  P = parameter(\"P\", f32[24, "
      "3])\n"
      "  y[t in 0..23, n in 0..31, k in 0..2] = x[t, n, k] + P[t, k]\n}\n";
  CHECK(axes_of(positions) == Axes{{"x", 1}, {"y", 1}});
  const std::string label =
      "net f(x: f32[24, 32, 3] = \"x\", label: f32[32] = \"label\") -> y: f32[24, 32, 3] {\n"
      "  y[t in 0..23, n in 0..31, k in 0..2] = x[t, n, k] + label[n]\n}\n";
  CHECK(axes_of(label) == Axes{{"x", 1}, {"label", 0}, {"y", 1}});
  CHECK(axes_of(label, 33).empty());
}

TEST_CASE("a run-time dim is the batch before a fixed one, and no node has it twice") {
  const std::string spec =
      "dim B <= 20\nnet f(x: f32[30, B] = \"x\") -> y: f32[B, B], z: f32[B, 30] {\n"
      "  y[i in 0..B-1, j in 0..B-1] = sum[k in 0..29] x[k, i] * x[k, j]\n"
      "  z[i in 0..B-1, j in 0..29] = exp(x[j, i])\n}\n";
  CHECK(axes_of(spec) == Axes{{"x", 1}, {"z", 0}});
}

TEST_CASE("what is drawn for a batch is part of it") {
  const std::string spec =
      "step f(x: f32[20, 3] = \"x\") {\n  e = normal(0, 1, 5) like f32[20, 2]\n"
      "  h[n in 0..19, k in 0..1] = exp(e[n, k])\n"
      "  a = sum[n in 0..19, k in 0..2] x[n, k]\n  b = sum[n in 0..19, k in 0..1] h[n, k]\n"
      "  report a, b\n}\n";
  CHECK(axes_of(spec) == Axes{{"x", 0}, {"e", 0}, {"h", 0}});
}

TEST_CASE("a batch comes last in narrow steps, whether its size is known or not") {
  CHECK(shape_of(laid_out(narrow_step("dim B <= 37\n", "B")), "h") == "[3, 5, 3, B]");
  CHECK(shape_of(laid_out(narrow_step("", "37")), "h") == "[3, 5, 3, 37]");
  CHECK(shape_of(laid_out(narrow_step("", "15")), "h") == "[15, 3, 5, 3]");
}

TEST_CASE("a step with the batch last computes what it did") {
  const std::string spec = narrow_step("", "37");
  const gradc::Graph before = test::graph_of(spec), after = laid_out(spec);
  gradc::Environment e, f;
  std::uint32_t stream = 0;
  for (gradc::NodeId id : gradc::topological_order(before, gradc::roots_of(before.functions[0])))
    if (!before[id].name.empty())
      e.values[before[id].name] = drawn(before[id].type.shape, stream++);
  f = e;
  const auto a = gradc::run(before, before.functions[0], e),
             b = gradc::run(after, after.functions[0], f);
  CHECK(a[0].data[0] == Approx(b[0].data[0]).epsilon(1e-12));
  for (const char* trained : {"K", "W"}) {
    REQUIRE(e.values[trained].shape == f.values[trained].shape);
    for (std::size_t i = 0; i < e.values[trained].data.size(); ++i)
      CHECK(e.values[trained].data[i] == Approx(f.values[trained].data[i]).margin(1e-9));
  }
}

TEST_CASE("steps with the batch last give what the interpreter gives") {
  std::vector<test::EmittedCase> cases;
  for (int batch : {16, 37, 48})
    cases.push_back(
        {fmt::format("{}", batch), laid_out(narrow_step("", fmt::format("{}", batch))), {}});
  gradc::Environment environment;
  environment.dims = {{"B", 37}};
  cases.push_back({"up to 48", laid_out(narrow_step("dim B <= 48\n", "B")), environment});
  gradc::Target target = gradc::cpp_target();
  target.isa = *gradc::isa_named("x86-64-v4");
  for (const std::string& problem : test::run_emitted(cases, target)) FAIL_CHECK(problem);
}

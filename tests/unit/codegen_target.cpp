// codegen_target.cpp: a target is its row in the table: whatever is emitted for it is in the words of that row.
#include "codegen/compile.h"
#include "codegen/target.h"
#include "tests/catch.h"
#include "tests/emitted_cases.h"

namespace {

// A product, folds of a row and of all, a gather with its scatter, random numbers, and updates that are joined.
const char* const text =
    "dim B <= 9\n"
    "step f(x: f32[B, 20] = \"x\", id: i32[B] = \"id\") {\n"
    "  W = parameter(\"W\", f32[20, 7])\n  E = parameter(\"E\", f32[5, 7])\n  b = parameter(\"b\", f32[7])\n"
    "  c = parameter(\"c\", f32[20])\n"
    "  z[i in 0..B-1, j in 0..6] = sum[k in 0..19] x[i, k] * W[k, j]\n"
    "  e[i in 0..B-1, j in 0..6] = exp(z[i, j] + E[id[i], j] + b[j])\n"
    "  n[i in 0..B-1] = sum[j in 0..6] e[i, j]\n"
    "  a[i in 0..B-1] = argmax[j in 0..6] e[i, j]\n"
    "  p[i in 0..B-1, j in 0..6] = e[i, j] / n[i] - f32(a[i])\n"
    "  g[k in 0..19, j in 0..6] = sum[i in 0..B-1] x[i, k] * p[i, j]\n"
    "  h[v in 0..4, j in 0..6] = sum[i in 0..B-1] select(id[i] == v, p[i, j], 0.0)\n"
    "  V[k in 0..19, j in 0..6] = W[k, j] - g[k, j]\n"
    "  F[v in 0..4, j in 0..6] = E[v, j] - h[v, j]\n"
    "  d[j in 0..6] = 0.5 * b[j]\n  q[k in 0..19] = 0.5 * c[k]\n"
    "  s = sum[i in 0..B-1] n[i]\n"
    "  report s\n  W' = V\n  E' = F\n  b' = d\n  c' = q\n"
    "}\n";

std::string emitted(const gradc::Target& target) {
  gradc::Diagnostics diagnostics;
  const auto compiled = gradc::compile({"made", test::graph_of(text), {}, {}, {}},
                                       {.emit = {}, .dump_after = {}, .format = false, .target = target}, diagnostics);
  return compiled.header + compiled.source;
}

}  // namespace

TEST_CASE("what is emitted for a target is in the words of its row") {
  gradc::Target target = *gradc::target_named("cuda");
  target.name = "abacus";
  target.extension = ".abacus";
  target.kernel = "launched void ";
  target.function = "called void ";
  target.table = "kept const ";
  target.table_address = "gradc::place_of({})";
  target.shared = "common ";
  target.barrier = "all_wait();";
  target.places[0] = "gradc::bead()";
  target.places[1] = "gradc::row()";
  target.places[2] = "gradc::bead_of_all()";
  target.header_includes = "#include \"gradc/abacus.h\"\n";
  target.source_includes = "#include \"gradc/beads.h\"\n";
  const std::string made_up = emitted(target);
  for (const char* word : {"launched void ", "common ", "all_wait();", "gradc::bead()", "gradc::row()",
                           "gradc::bead_of_all()", "gradc/abacus.h", "gradc/beads.h"})
    CHECK_THAT(made_up, test::contains(word));
  const std::string cuda = emitted(*gradc::target_named("cuda"));
  for (const char* word : {"cuda", "CUDA", "Cuda", "__global__", "__device__", "__shared__", "__syncthreads",
                           "gradc::thread", "gradc::block()", "gradc/grid.h"}) {
    INFO(word);
    CHECK(made_up.find(word) == std::string::npos);
  }
  CHECK_THAT(cuda, test::contains("__global__"));
  CHECK_THAT(cuda, test::contains("gradc::block()"));
}

TEST_CASE("no vector is longer than the processor's, and what a tile adds to fits in its registers") {
  for (const gradc::Isa& isa : gradc::isas()) {
    INFO(isa.name);
    gradc::Target target = gradc::cpp_target();
    target.isa = isa;
    const std::string cpp = emitted(target);
    std::size_t longest = 1;
    for (const std::size_t lanes : {2, 4, 8, 16})
      if (cpp.find("gradc::f32x" + std::to_string(lanes)) != std::string::npos) longest = lanes;
    CHECK(longest * 4 <= static_cast<std::size_t>(isa.vector_bytes));
    // The sums, elements and rows that a loop of a tile names.
    std::istringstream lines(cpp);
    std::set<std::string> names;
    std::size_t most = 0;
    for (std::string line; std::getline(lines, line);) {
      if (line.find(" c0_0 = ") != std::string::npos) names.clear();
      std::istringstream words(line);
      std::string word, name, sign;
      if (words >> word && word.rfind("gradc::f32x", 0) == 0 && words >> name >> sign && sign == "=") names.insert(name);
      most = std::max(most, names.size());
    }
    CHECK(most < static_cast<std::size_t>(isa.registers));
    if (isa.vectors()) CHECK(most > 0);
  }
}

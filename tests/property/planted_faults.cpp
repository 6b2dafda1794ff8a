// planted_faults.cpp: faults that the checks of random specs must find, and make small enough to understand.
#include <algorithm>
#include <cmath>

#include "dsl/interpret.h"
#include "dsl/rewrite_scalars.h"
#include "dsl/round_otherwise.h"
#include "dsl/simplify.h"
#include "tests/catch.h"
#include "tests/check_specs.h"
#include "tests/random_spec.h"
#include "tests/shrink_spec.h"

namespace {

using namespace gradc;

bool applies(const Graph& g, ScalarId id, Fn fn) { return g[id].kind == ScalarKind::apply && g[id].fn == fn; }

// d sin(x) = sin(x)
void wrong_derivative(Graph& g) {
  simplify(g);
  rewrite_scalars(g, [](Graph& graph, const ScalarPlace&, ScalarId id) {
    return applies(graph, id, Fn::cos) ? graph.apply(Fn::sin, graph[id].args) : id;
  });
}

// What is read at every second place gets its gradient at every place.
void every_place(Graph& g) {
  simplify(g);
  rewrite_scalars(g, [](Graph& graph, const ScalarPlace&, ScalarId id) {
    const bool divides = applies(graph, id, Fn::eq) && applies(graph, graph[id].args[0], Fn::mod);
    return divides ? graph.literal(1, DType::boolean) : id;
  });
}

// What is gathered gets its gradient one place further on.
void next_place(Graph& g) {
  simplify(g);
  rewrite_scalars(g, [](Graph& graph, const ScalarPlace&, ScalarId id) {
    if (!applies(graph, id, Fn::eq)) return id;
    const ScalarId a = graph[id].args[0], b = graph[id].args[1];
    if (graph[a].kind != ScalarKind::read || graph[b].kind != ScalarKind::index) return id;
    return graph.apply(Fn::eq, {graph.apply(Fn::add, {a, graph.literal(1, DType::i32)}), b});
  });
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, from.size(), to);
}
void wrong_function(std::string& source) { replace_all(source, "gradc::tanh(", "gradc::sin("); }
void last_one_wins(std::string& source) { replace_all(source, " += ", " = "); }

std::size_t lines_of(const std::string& text) {
  std::size_t lines = 0;
  for (std::size_t at = 0; at < text.size(); ++at) lines += text[at] == '\n' && at > 0 && text[at - 1] != '\n';
  return lines;
}

// If the spec fails it is shrunk to at most so many lines.
bool shrinks(const test::SeededSpec& spec, const test::SpecCheck& check, const std::string& kind, std::size_t lines) {
  test::SpecCounts counts;
  const test::SpecProblem problem = test::check_specs({spec}, check, counts)[0];
  if (problem.none()) return false;
  CHECK(problem.kind == kind);
  const test::SeededSpec small = test::shrink_spec(spec, problem, check);
  INFO("seed " << spec.seed << "\n" << spec.text << "\n" << small.text);
  CHECK(lines_of(small.text) <= lines);
  CHECK(test::check_specs({small}, check, counts)[0].kind == kind);
  CHECK(test::check_specs({small}, {}, counts)[0].none());
  return true;
}

// One spec finds it.
void check_found_by(const std::string& text, const test::SpecCheck& check, const std::string& kind) {
  test::SpecCounts counts;
  INFO(text);
  CHECK(test::check_specs({{1, text}}, check, counts)[0].kind == kind);
  CHECK(test::check_specs({{1, text}}, {}, counts)[0].none());
}

}  // namespace

TEST_CASE("a planted wrong derivative is found and shrunk") {
  test::SpecCheck check;
  check.run = false;
  check.break_gradients = wrong_derivative;
  bool found = false;
  for (std::uint64_t seed = 1; seed <= 100 && !found; ++seed) {
    found = shrinks({seed, test::random_spec(seed)}, check, "gradient", 6);
  }
  CHECK(found);
}

TEST_CASE("planted wrong emitted text is found and shrunk") {
  test::SpecCheck check;
  check.gradients = false;
  check.break_emitted = wrong_function;
  const char* const text =
      "net f(x: f32[3, 5]) -> y: f32[3], z: f32[] {\n"
      "  w[i] = max[j] x[i, j]\n"
      "  v[i] = w[i] * w[i] + 0.25\n"
      "  y[i] = v[i] + tanh(sum[j] x[i, j])\n"
      "  z = mean[i] y[i]\n"
      "}\n";
  CHECK(shrinks({1, text}, check, "emitted code", 4));
}

TEST_CASE("planted wrong transpositions are found") {
  test::SpecCheck check;
  check.run = false;
  const std::string strided = "net f(x: f32[7]) -> y: f32[4] { y[i in 0..3] = x[2 * i] ^ 2 }\n";
  const std::string gathered = "dim H = 5\nnet f(x: f32[H], at_H: i32[9]) -> y: f32[9] { y[i] = x[at_H[i]] ^ 2 }\n";
  check.break_gradients = every_place;
  check_found_by(strided, check, "gradient");
  check.break_gradients = next_place;
  check_found_by(gathered, check, "gradient");
  check.break_gradients = nullptr;
  check.run = true;
  check.break_emitted = last_one_wins;
  check_found_by(gathered, check, "emitted code");
}

// What is left of two sums that cancel is rounding, whichever two of a graph they are.
TEST_CASE("what sums that cancel lose is seen when they are rounded otherwise") {
  constexpr int terms = 400, sums = 12;
  Graph g;
  Node x;
  x.kind = NodeKind::input;
  x.name = "x";
  x.type.shape = {terms};
  const NodeId input = g.add(x);
  std::vector<ScalarId> values;
  for (int k = 1; k <= sums; ++k) {
    const ScalarId term = g.apply(Fn::mul, {g.read(input, {g.index(0)}), g.literal(k)});
    values.push_back(g.apply(Fn::div, {g.read(g.comprehension(0, {terms}, Reduction::sum, term), {}), g.literal(k)}));
  }
  Function f;
  f.name = "cancel";
  f.inputs = {input};
  for (std::size_t j = 0; j < values.size(); ++j) {
    for (std::size_t k = 0; k < j; ++k) {
      f.outputs.push_back({"", g.comprehension(0, {}, Reduction::none, g.apply(Fn::sub, {values[j], values[k]}))});
    }
  }
  g.functions.push_back(f);

  Environment e;
  e.values["x"] = {{terms}, std::vector<double>(terms, 1.0)};
  std::vector<double> most(f.outputs.size());
  for (const Graph& rounded : rounded_otherwise(g)) {
    for (std::size_t k = 0; k < most.size(); ++k) {
      const double value = interpret(rounded, {rounded.functions[0].outputs[k].node}, e)[0].data.at(0);
      most[k] = std::max(most[k], std::fabs(value));
    }
  }
  // 2.4e-6 of 400 where one is off upwards, the other downwards
  const auto unseen = std::count_if(most.begin(), most.end(), [](double moves) { return moves < 9e-4; });
  CHECK(unseen * 50 <= static_cast<std::ptrdiff_t>(most.size()));
}

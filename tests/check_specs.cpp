// check_specs.cpp: specs parsed, printed, elaborated, differentiated, simplified, emitted, run.
#include "tests/check_specs.h"

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "codegen/compile.h"
#include "codegen/lay_out.h"
#include "dsl/ast_to_graph.h"
#include "dsl/ast_to_text.h"
#include "dsl/check.h"
#include "dsl/differentiate.h"
#include "dsl/gradcheck.h"
#include "dsl/graph_to_text.h"
#include "dsl/round_otherwise.h"
#include "dsl/simplify.h"
#include "dsl/text_to_ast.h"
#include "dsl/verify.h"
#include "tests/emitted_cases.h"
#include "tests/process.h"
#include "tests/unit/ast_equal.h"

namespace test {
namespace {

using namespace gradc;

// A number in [0, 1) for a name and a place: other tensors of a spec don't change it.
double drawn(std::uint64_t seed, const std::string& name, std::uint64_t place) {
  std::uint64_t h = 14695981039346656037u ^ seed * 0x9e3779b97f4a7c15u;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211u;
  h += place * 0xbf58476d1ce4e5b9u;
  for (int k = 0; k < 3; ++k) h = (h ^ (h >> 29)) * 0x94d049bb133111ebu;
  return static_cast<double>((h ^ (h >> 32)) >> 11) * 0x1p-53;
}

// The sizes of fixed dims, and the bounds of others.
std::map<std::string, std::int64_t> sizes_of(const ast::File& file) {
  std::map<std::string, std::int64_t> sizes;
  for (const ast::Item& item : file.items) {
    if (const auto* dim = std::get_if<ast::DimDecl>(&item.what)) {
      sizes[dim->name.text] = static_cast<std::int64_t>(dim->size.number);
    }
  }
  return sizes;
}

class Drawn {
 public:
  Drawn(const Graph& graph, std::map<std::string, std::int64_t> sizes, std::uint64_t seed)
      : g(graph), sizes_(std::move(sizes)), seed_(seed) {
    environment.seed = seed;
    for (const Dim& d : g.dims()) {
      const std::int64_t n = 1 + static_cast<std::int64_t>(drawn(seed, d.name, 0) * static_cast<double>(d.bound));
      environment.dims[d.name] = sizes_[d.name] = n;
    }
    for (const Function& f : g.functions) {
      for (NodeId id : topological_order(g, roots_of(f))) draw(id);
      for (NodeId id : f.inputs) draw(id);
      for (NodeId id : f.cotangents) draw(id);
      for (const Update& u : f.updates) draw(u.target);
    }
  }

  Environment environment;

 private:
  void draw(NodeId id) {
    const Node& n = g[id];
    if (n.name.empty() || environment.values.contains(n.name)) return;
    Array a;
    std::uint64_t count = 1;
    for (const Extent& e : n.type.shape) {
      a.shape.push_back(e.is_fixed() ? e.offset : e.offset + e.scale * environment.dims.at(g.dim(e.dim).name));
      count *= static_cast<std::uint64_t>(a.shape.back());
    }
    for (std::uint64_t k = 0; k < count; ++k) a.data.push_back(value(n, drawn(seed_, n.name, k)));
    environment.values[n.name] = std::move(a);
  }
  double value(const Node& n, double u) const {
    if (n.type.dtype == DType::boolean) return u < 0.5 ? 0 : 1;
    if (n.type.dtype == DType::i32) return std::floor(u * static_cast<double>(positions(n.name)));
    // States are averages of gradients or of their squares.
    const double v = n.kind == NodeKind::state ? 0.1 * u : 2 * u - 1;
    return n.type.dtype == DType::f32 ? static_cast<double>(static_cast<float>(v)) : v;
  }
  // `f.at_H3` holds positions of H; counters are small.
  std::int64_t positions(const std::string& name) const {
    const std::size_t at = name.find("at_");
    if (at == std::string::npos) return 5;
    const std::size_t end = name.find_first_of("0123456789", at);
    const auto it = sizes_.find(name.substr(at + 3, end - at - 3));
    return it == sizes_.end() ? 1 : it->second;
  }

  const Graph& g;
  std::map<std::string, std::int64_t> sizes_;
  std::uint64_t seed_;
};

std::vector<Array> results(const Graph& g, const Function& f, const Environment& e) {
  std::vector<NodeId> roots;
  for (const Output& o : f.outputs) roots.push_back(o.node);
  for (const Output& o : f.gradients) roots.push_back(o.node);
  for (const Update& u : f.updates) roots.push_back(u.value);
  return interpret(g, roots, e);
}

double norm_of(const Array& a) {
  double norm = 1e-3;
  for (const double v : a.data) norm = std::max(norm, std::fabs(v));
  return norm;
}
double farthest(const Array& a, const Array& b) {
  double most = 0;
  for (std::size_t k = 0; k < a.data.size(); ++k) {
    const double off = std::fabs(a.data[k] - b.data[k]);
    most = off <= most ? most : std::isnan(off) ? HUGE_VAL : off;
  }
  return most;
}

SpecProblem printed_otherwise(const Sources& sources, std::uint32_t file, const ast::File& syntax) {
  const std::string text = ast_to_text(syntax);
  Sources printed;
  Diagnostics none;
  printed.add("prelude.nn", "");
  const std::uint32_t number = printed.add(sources.path(file), text);
  const ast::File again = text_to_ast(printed, number, none);
  if (none.has_errors()) return {"print", "what is printed is not accepted:\n" + render(none, printed)};
  if (!Syntax::equal(syntax, again) || ast_to_text(again) != text) return {"print", "reads back as another spec:\n" + text};
  return {};
}

SpecProblem graph_reads_otherwise(const Graph& g) {
  Sources sources;
  Diagnostics none;
  sources.add("prelude.nn", "");
  const std::uint32_t file = sources.add("graph.nn", graph_to_text(g));
  const Graph again = text_to_graph(sources, file, none);
  if (none.has_errors()) return {"graph text", render(none, sources)};
  if (!equal(g, again)) return {"graph text", "reads back as another graph:\n" + sources.text(file)};
  return {};
}

SpecProblem wrong_gradient(const Graph& g, std::uint64_t seed, const SpecCheck& check, SpecCounts& counts) {
  GradcheckOptions options;
  options.seed = seed;
  options.small = 12;
  options.samples = 6;
  options.directions = 2;
  options.work = 1e6;
  options.transform = simplify;
  if (check.break_gradients != nullptr) options.transform = check.break_gradients;
  const std::vector<GradientCheck> all = gradcheck(g, options);
  for (const GradientCheck& c : all) {
    counts.slopes += c.compared;
    counts.kinks += c.kinks;
    counts.gradients += c.verdict == GradientVerdict::right && c.norm > 0;
    if (c.verdict == GradientVerdict::wrong) return {"gradient", gradcheck_to_text(all)};
    if (c.verdict == GradientVerdict::not_finite) return {"not finite", gradcheck_to_text(all)};
  }
  return {};
}

SpecProblem changed(const Graph& before, const Graph& after, const char* stage, const Environment& e, SpecCounts& counts) {
  for (std::size_t k = 0; k < before.functions.size(); ++k) {
    const std::vector<Array> plain = results(before, before.functions[k], e);
    const std::vector<Array> simple = results(after, after.functions[k], e);
    if (plain.size() != simple.size()) return {stage, "another number of results"};
    for (std::size_t r = 0; r < plain.size(); ++r) {
      ++counts.changes;
      const double allowed = 1e-9 * norm_of(plain[r]);
      const double off = farthest(plain[r], simple[r]);
      if (off <= allowed) continue;
      bool steady = true;
      for (const Graph& rounded : rounded_otherwise(before)) {
        const double moves = farthest(plain[r], results(rounded, rounded.functions[k], e)[r]);
        steady = steady && moves <= 1e-3 * norm_of(plain[r]);
      }
      if (!steady) {
        ++counts.unsteady;
        continue;
      }
      return {stage, fmt::format("{}, result {}: {} off, {} is allowed", before.functions[k].name, r, off, allowed)};
    }
  }
  return {};
}

// Up to the graph code is emitted for.
SpecProblem check_front(const SeededSpec& given, const std::string& name, const SpecCheck& check, SpecCounts& counts,
                        EmittedCase& to_emit) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "spec.nn";
  write_text(path, given.text);
  Sources sources;
  Diagnostics diagnostics;
  const Spec spec = ast_to_graph(path.string(), {}, sources, diagnostics);
  if (!diagnostics.all().empty()) {
    return {"refused as " + std::string(diagnostics.all()[0].id), render(diagnostics, sources)};
  }
  verify(spec.graph, "ast_to_graph");
  std::uint32_t file = 0;
  while (sources.path(file) != path.string()) ++file;
  Diagnostics none;
  const ast::File syntax = text_to_ast(sources, file, none);
  if (SpecProblem p = printed_otherwise(sources, file, syntax); !p.none()) return p;
  if (SpecProblem p = graph_reads_otherwise(spec.graph); !p.none()) return p;
  if (check.gradients) {
    if (SpecProblem p = wrong_gradient(spec.graph, given.seed, check, counts); !p.none()) return p;
  }

  Graph plain = spec.graph;
  differentiate(plain);
  verify(plain, "differentiate");
  Graph prepared = spec.graph;
  prepare(prepared, diagnostics);
  if (!diagnostics.all().empty()) {
    return {"refused as " + std::string(diagnostics.all()[0].id), render(diagnostics, sources)};
  }
  verify(prepared, "prepare");
  const Environment e = Drawn(plain, sizes_of(syntax), given.seed).environment;
  if (SpecProblem p = changed(plain, prepared, "simplify", e, counts); !p.none()) return p;
  Graph laid_out = prepared;
  lay_out(laid_out, check.target);
  verify(laid_out, "lay_out");
  if (SpecProblem p = changed(prepared, laid_out, "lay_out", e, counts); !p.none()) return p;
  to_emit = {name, laid_out, e};
  return {};
}

std::string name_of(std::size_t k) { return fmt::format("spec {}", k); }

// One program of many cases; where it can't be said whose fault a failure is, of fewer.
void run_together(const std::vector<std::size_t>& numbers, const std::vector<EmittedCase>& cases, const SpecCheck& check,
                  SpecCounts& counts, std::vector<SpecProblem>& problems) {
  if (numbers.empty()) return;
  std::vector<EmittedCase> chosen;
  for (const std::size_t k : numbers) chosen.push_back(cases[k]);
  std::vector<std::string> said;
  EmittedCounts emitted;
  std::string kind = "emitted code";
  try {
    said = run_emitted(std::move(chosen), check.target, {Builds::quick, &emitted, check.break_emitted});
  } catch (const InternalError& e) {
    said = {e.what()};
    kind = "internal error of codegen";
  }
  bool all_named = true;
  for (const std::string& problem : said) {
    bool named = false;
    for (const std::size_t k : numbers) {
      if (problem.find(": " + name_of(k) + ": ") == std::string::npos) continue;
      problems[k] = {kind, problems[k].what + problem + "\n", true};
      named = true;
    }
    all_named = all_named && named;
  }
  if (all_named) {
    counts.tensors += emitted.not_compared == 0 ? emitted.tensors : 0;
    counts.not_compared += emitted.not_compared;
    return;
  }
  if (numbers.size() == 1) {
    const std::size_t end = said[0].find(" said:\n");  // "g++ said: …"
    problems[numbers[0]] = {end == std::string::npos ? kind : said[0].substr(0, end), said[0], true};
    return;
  }
  const auto middle = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
  run_together({numbers.begin(), middle}, cases, check, counts, problems);
  run_together({middle, numbers.end()}, cases, check, counts, problems);
}

}  // namespace

std::vector<SpecProblem> check_specs(const std::vector<SeededSpec>& specs, const SpecCheck& check, SpecCounts& counts) {
  std::vector<SpecProblem> problems(specs.size());
  std::vector<EmittedCase> cases(specs.size());
  std::vector<std::size_t> to_run;
  for (std::size_t k = 0; k < specs.size(); ++k) {
    try {
      problems[k] = check_front(specs[k], name_of(k), check, counts, cases[k]);
    } catch (const InternalError& e) {
      const std::string what = e.what();
      problems[k] = {"internal error", what};
    } catch (const EvaluationError& e) {
      problems[k] = {"evaluation", e.what()};
    }
    if (problems[k].none()) to_run.push_back(k);
  }
  if (!check.run) return problems;
  run_together(to_run, cases, check, counts, problems);
  for (const std::size_t k : to_run) {
    if (problems[k].kind != "emitted code") continue;
    problems[k] = {};
    cases[k].rounded = rounded_otherwise(cases[k].graph);
    run_together({k}, cases, check, counts, problems);
  }
  return problems;
}

}  // namespace test

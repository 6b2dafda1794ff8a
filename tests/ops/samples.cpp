// samples.cpp: reads the sample specs and the fixtures that belong to them.
#include "tests/ops/samples.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "dsl/ast_to_graph.h"
#include "dsl/differentiate.h"
#include "dsl/simplify.h"
#include "dsl/verify.h"

namespace test {
namespace {

using gradc::Array;
using json = nlohmann::json;
namespace fs = std::filesystem;

const fs::path written_specs = fs::path(GRADC_SOURCE_DIR) / "tests/ops/samples";
const fs::path specs_with_values = fs::path(GRADC_SOURCE_DIR) / "tests/data/ops";

double number(const json& v) {
  if (!v.is_string()) return v.get<double>();
  const auto word = v.get<std::string>();
  if (word == "inf") return HUGE_VAL;
  if (word == "-inf") return -HUGE_VAL;
  if (word == "nan") return NAN;
  throw std::runtime_error("no number: " + word);
}

Array array(const json& v) {
  Array a;
  a.shape = v.at("shape").get<std::vector<std::int64_t>>();
  for (const json& x : v.at("data")) a.data.push_back(number(x));
  return a;
}

std::map<std::string, Array> arrays(const json& by_name) {
  std::map<std::string, Array> result;
  for (const auto& [key, value] : by_name.items()) result[key] = array(value);
  return result;
}

Sample sample(const std::string& name, const json& entry) {
  Sample s;
  s.name = name;
  const json values = entry.value("values", json::object());
  const json expected = entry.value("expected", json::object());
  const json path = entry.value("path", json::array());
  s.environment.values = arrays(values);
  s.expected = arrays(expected);
  const json second = entry.value("second", json::object()), others = entry.value("others", json::object());
  s.along = arrays(second.value("along", json::object()));
  s.second = arrays(second.value("expected", json::object()));
  for (const auto& [who, told] : others.items()) s.others[who] = arrays(told);
  if (const auto d = entry.find("distribution"); d != entry.end()) {
    s.distribution.push_back({d->at("mean"), d->at("std"), d->contains("low"), d->value("low", 0.0),
                              d->value("high", 0.0)});
  }
  for (const json& values_then : path) {
    s.path.push_back(arrays(values_then));
  }
  s.losses = entry.value("losses", std::vector<double>());
  s.evaluated = entry.value("evaluated", std::vector<double>());
  return s;
}

// What the compiler makes of what is written.
void derive(Topic& t) {
  t.differentiated = t.written;
  differentiate(t.differentiated);
  gradc::verify(t.differentiated, "differentiate");
  t.simplified = t.written;
  simplify(t.simplified);
  differentiate(t.simplified);
  simplify(t.simplified);
  gradc::verify(t.simplified, "simplify");
}

using gradc::Function;
using gradc::Graph;
using gradc::Node;
using gradc::NodeId;
using gradc::NodeKind;

NodeId input(Graph& g, const std::string& name, const gradc::TensorType& type) {
  Node n;
  n.kind = NodeKind::input;
  n.type = type;
  n.name = name;
  return g.add(std::move(n));
}

// Σ a · b
NodeId inner_product(Graph& g, NodeId a, NodeId b) {
  std::vector<gradc::ScalarId> at;
  for (std::uint32_t k = 0; k < g[a].type.shape.size(); ++k) at.push_back(g.index(k));
  const gradc::ScalarId product = g.apply(gradc::Fn::mul, {g.read(a, at), g.read(b, at)});
  const auto reduction = at.empty() ? gradc::Reduction::none : gradc::Reduction::sum;
  return g.comprehension(0, g[a].type.shape, reduction, product);
}

// An argument's own name, or the path of a parameter, as a word.
std::string word(const std::string& path) {
  std::string result = path;
  std::replace(result.begin(), result.end(), '.', '_');
  return result;
}

}  // namespace

Topic second_order(const Topic& first) {
  Topic t;
  t.name = first.name + ", second order";
  t.written = first.written;
  t.written.functions.clear();
  Graph& g = t.written;
  for (const Sample& s : first.samples) {
    if (s.second.empty()) continue;
    const Function& f = function_of(first.written, s.name);
    Function again;
    again.name = "second_of_" + s.name;
    again.inputs = f.inputs;
    again.inputs.insert(again.inputs.end(), f.cotangents.begin(), f.cotangents.end());
    again.span = f.span;
    Sample sample;
    sample.name = again.name;
    sample.environment = s.environment;
    NodeId along;
    std::vector<std::pair<std::string, NodeId>> variables;
    for (const gradc::Output& gradient : f.gradients) {
      const NodeId direction = input(g, again.name + ".along_" + word(gradient.name), g[gradient.node].type);
      g.label(direction) = {"along_" + word(gradient.name), {}, f.span};
      again.inputs.push_back(direction);
      sample.environment.values[g[direction].name] = s.along.at(gradient.name);
      const NodeId product = inner_product(g, gradient.node, direction);
      along = !along.valid() ? product
                             : g.comprehension(0, {}, gradc::Reduction::none,
                                               g.apply(gradc::Fn::add, {g.read(along, {}), g.read(product, {})}));
      variables.emplace_back(gradient.name.substr(1), g[gradient.node].wrt);
    }
    for (NodeId c : f.cotangents) variables.emplace_back(g.label(c).name, c);
    for (const auto& [name, wrt] : variables) {
      Node n;
      n.kind = NodeKind::gradient;
      n.type = g[wrt].type;
      n.operand = along;
      n.wrt = wrt;
      again.outputs.push_back({"by_" + word(name), g.add(std::move(n))});
      sample.expected["by_" + word(name)] = s.second.at(name);
    }
    t.written.functions.push_back(std::move(again));
    t.samples.push_back(std::move(sample));
  }
  derive(t);
  return t;
}

std::vector<std::string> topic_names() {
  std::vector<std::string> names;
  for (const fs::path& folder : {written_specs, specs_with_values}) {
    for (const auto& file : fs::directory_iterator(folder)) {
      if (file.path().extension() == ".nn") names.push_back(file.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string spec_of(const std::string& topic) {
  const fs::path written = written_specs / (topic + ".nn");
  return (fs::exists(written) ? written : specs_with_values / (topic + ".nn")).string();
}

Topic load_topic(const std::string& name) {
  Topic t;
  t.name = name;
  gradc::Sources sources;
  gradc::Diagnostics diagnostics;
  auto check = [&] {
    if (diagnostics.has_errors()) throw std::runtime_error(render(diagnostics, sources));
  };
  gradc::Spec spec = ast_to_graph(spec_of(name), {}, sources, diagnostics);
  check();
  gradc::verify(spec.graph, "ast_to_graph");
  t.written = std::move(spec.graph);
  derive(t);

  std::ifstream in(specs_with_values / (name + ".json"));
  if (!in) throw std::runtime_error("no fixture for " + name + ".nn: run tests/data/references");
  const json entries = json::parse(in);
  for (const auto& [key, entry] : entries.items()) t.samples.push_back(sample(key, entry));
  return t;
}

const gradc::Function& function_of(const gradc::Graph& g, std::string_view name) {
  for (const gradc::Function& f : g.functions) {
    if (f.name == name) return f;
  }
  throw std::runtime_error("no net or step " + std::string(name));
}

}  // namespace test

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

Sample sample(const std::string& name, const json& entry) {
  Sample s;
  s.name = name;
  const json values = entry.value("values", json::object());
  const json expected = entry.value("expected", json::object());
  const json path = entry.value("path", json::array());
  for (const auto& [key, value] : values.items()) s.environment.values[key] = array(value);
  for (const auto& [key, value] : expected.items()) s.expected[key] = array(value);
  if (const auto d = entry.find("distribution"); d != entry.end()) {
    s.distribution.push_back({d->at("mean"), d->at("std"), d->contains("low"), d->value("low", 0.0),
                              d->value("high", 0.0)});
  }
  for (const json& values_then : path) {
    s.path.emplace_back();
    for (const auto& [key, value] : values_then.items()) s.path.back()[key] = array(value);
  }
  s.losses = entry.value("losses", std::vector<double>());
  s.evaluated = entry.value("evaluated", std::vector<double>());
  return s;
}

}  // namespace

std::vector<std::string> topic_names() {
  std::vector<std::string> names;
  for (const auto& file :
       fs::directory_iterator(fs::path(GRADC_SOURCE_DIR) / "tests/ops/samples")) {
    if (file.path().extension() == ".nn") names.push_back(file.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Topic load_topic(const std::string& name) {
  const fs::path root = fs::path(GRADC_SOURCE_DIR) / "tests";
  Topic t;
  t.name = name;
  gradc::Sources sources;
  gradc::Diagnostics diagnostics;
  auto check = [&] {
    if (diagnostics.has_errors()) throw std::runtime_error(render(diagnostics, sources));
  };
  gradc::Spec spec =
      ast_to_graph((root / "ops/samples" / (name + ".nn")).string(), {}, sources, diagnostics);
  check();
  gradc::verify(spec.graph, "ast_to_graph");
  t.written = spec.graph;
  t.differentiated = spec.graph;
  differentiate(t.differentiated);
  gradc::verify(t.differentiated, "differentiate");
  t.simplified = spec.graph;
  simplify(t.simplified);
  differentiate(t.simplified);
  simplify(t.simplified);
  gradc::verify(t.simplified, "simplify");

  std::ifstream in(root / "data/ops" / (name + ".json"));
  if (!in) throw std::runtime_error("no fixture for " + name + ".nn: run tests/data/ops.py");
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

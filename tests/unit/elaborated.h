// elaborated.h: specs given as text, elaborated and evaluated, for the tests of ast_to_graph.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "catch.h"
#include "dsl/ast_to_graph.h"
#include "dsl/differentiate.h"
#include "dsl/interpret.h"
#include "dsl/verify.h"

namespace test {

// A folder of its own that goes away with it.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "gradc_XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path write(const std::string& name, const std::string& text) const {
    const std::filesystem::path file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    return file;
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct Elaborated {
  gradc::Sources sources;
  gradc::Diagnostics diagnostics;
  gradc::Spec spec;

  std::vector<std::string> ids() const {
    std::vector<std::string> out;
    for (const gradc::Diagnostic& d : diagnostics.all()) out.emplace_back(d.id);
    return out;
  }
  std::string messages() const { return render(diagnostics, sources); }
};

inline void elaborate_file(Elaborated& e, const std::string& path,
                           const gradc::SpecOptions& options = {}) {
  e.spec = gradc::ast_to_graph(path, options, e.sources, e.diagnostics);
}

// `e` may hold errors afterwards.
inline void elaborate(Elaborated& e, const std::string& text,
                      const gradc::SpecOptions& options = {}) {
  const Folder folder;
  elaborate_file(e, folder.write("spec.nn", text).string(), options);
}

// Fails the test if there are errors; the graph is verified.
inline void elaborate_well(Elaborated& e, const std::string& text,
                           const gradc::SpecOptions& options = {}) {
  elaborate(e, text, options);
  INFO(e.messages());
  REQUIRE_FALSE(e.diagnostics.has_errors());
  gradc::verify(e.spec.graph, "ast_to_graph");
}

inline const gradc::Function& function(const Elaborated& e, std::string_view name) {
  for (const gradc::Function& f : e.spec.graph.functions) {
    if (f.name == name) return f;
  }
  FAIL("no function " << std::string(name));
  return e.spec.graph.functions.front();
}

// The outputs of a net, by name.
inline std::map<std::string, gradc::Array> outputs(const Elaborated& e, const std::string& net,
                                                   const gradc::Environment& environment) {
  const gradc::Function& f = function(e, net);
  std::vector<gradc::NodeId> roots;
  for (const gradc::Output& o : f.outputs) roots.push_back(o.node);
  const std::vector<gradc::Array> values = interpret(e.spec.graph, roots, environment);
  std::map<std::string, gradc::Array> out;
  for (std::size_t k = 0; k < roots.size(); ++k) out[f.outputs[k].name] = values[k];
  return out;
}

// The only output of net `f` in a spec.
inline std::vector<double> result(const std::string& text,
                                  const std::map<std::string, gradc::Array>& values = {},
                                  const std::map<std::string, std::int64_t>& dims = {}) {
  Elaborated e;
  elaborate_well(e, text);
  gradc::Environment environment;
  environment.values = values;
  environment.dims = dims;
  return outputs(e, "f", environment).begin()->second.data;
}

inline std::vector<double> counted(std::size_t n, double from = 0) {
  std::vector<double> out(n);
  for (std::size_t k = 0; k < n; ++k) out[k] = from + static_cast<double>(k);
  return out;
}

}  // namespace test

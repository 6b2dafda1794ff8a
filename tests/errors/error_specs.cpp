// error_specs.cpp: every spec in this folder is wrong; what is said about it is compared in full.
//
// A first line `// -D name=value …` overrides constants, `// --memory-limit bytes` limits memory. Each diagnostic id has a spec named after
// it, perhaps with a suffix after `_`. GRADC_UPDATE_GOLDEN=1 rewrites the expected outputs.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "catch.h"
#include "codegen/compile.h"
#include "dsl/ast_to_graph.h"
#include "dsl/differentiate.h"

using namespace gradc;

namespace {

namespace fs = std::filesystem;

const fs::path folder = fs::path(GRADC_SOURCE_DIR) / "tests/errors";

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<fs::path> specs() {
  std::vector<fs::path> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".nn") found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

SpecOptions options_of(const std::string& text) {
  SpecOptions options;
  std::istringstream words(text.substr(0, text.find('\n')));
  std::string word;
  if (!(words >> word) || word != "//") return options;
  while (words >> word) {
    if (word != "-D" || !(words >> word)) break;
    const std::size_t equals = word.find('=');
    options.constants[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return options;
}

// After `// --memory-limit`.
std::int64_t memory_limit_of(const std::string& text) {
  std::istringstream words(text.substr(0, text.find('\n')));
  std::string comment, option;
  std::int64_t limit = 0;
  return words >> comment >> option >> limit && option == "--memory-limit" ? limit : 0;
}

std::string id_of(const fs::path& spec) {
  const std::string stem = spec.stem().string();
  return stem.substr(0, stem.find('_'));
}

}  // namespace

TEST_CASE("wrong specs are told what is wrong with them") {
  fs::current_path(folder);  // so that messages name the files the same everywhere
  const char* update = std::getenv("GRADC_UPDATE_GOLDEN");
  for (const fs::path& spec : specs()) {
    INFO(spec.filename().string());
    Sources sources;
    Diagnostics diagnostics;
    Spec result =
        ast_to_graph(spec.filename().string(), options_of(read(spec)), sources, diagnostics);
    if (!diagnostics.has_errors()) check_gradients(result.graph, diagnostics);
    if (const std::int64_t limit = memory_limit_of(read(spec)); limit > 0 && !diagnostics.has_errors()) {
      CompileOptions options;
      options.memory_limit = limit;
      compile({"limited", result.graph, {}, {}, {}}, options, diagnostics);
    }
    CHECK(diagnostics.has_errors());
    const bool named = std::any_of(diagnostics.all().begin(), diagnostics.all().end(),
                                   [&](const Diagnostic& d) { return d.id == id_of(spec); });
    CHECK(named);
    const std::string actual = render(diagnostics, sources);
    const fs::path expected = fs::path(spec).replace_extension(".err");
    if (update != nullptr && std::string(update) == "1") {
      std::ofstream(expected, std::ios::binary) << actual;
    } else {
      CHECK(actual == read(expected));
    }
  }
}

TEST_CASE("every diagnostic has a spec that shows it, and every spec is of a diagnostic") {
  // Its spec would be 16 MB long; unit_syntax makes one.
  const std::string_view too_long = "text-too-long";
  std::vector<std::string> shown;
  for (const fs::path& spec : specs()) shown.push_back(id_of(spec));
  for (const DiagnosticId& d : diagnostic_ids()) {
    INFO(d.id);
    CHECK((d.id == too_long || std::find(shown.begin(), shown.end(), d.id) != shown.end()));
  }
  for (const std::string& id : shown) {
    INFO(id);
    CHECK(std::any_of(diagnostic_ids().begin(), diagnostic_ids().end(),
                      [&](const DiagnosticId& d) { return d.id == id; }));
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".err") continue;
    INFO(entry.path().filename().string());
    CHECK(fs::exists(fs::path(entry.path()).replace_extension(".nn")));
  }
}

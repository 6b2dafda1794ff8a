// edges.cpp: docs/edges.md says what the stored values say, which values.cpp compares with gradc, and what JAX and
// PyTorch say otherwise, and leaves out no definition of the prelude. GRADC_UPDATE_GOLDEN=1 writes its tables anew.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "dsl/ast.h"
#include "dsl/prelude.h"
#include "dsl/text_to_ast.h"
#include "tests/catch.h"
#include "tests/ops/samples.h"

using namespace gradc;

namespace {

constexpr std::string_view prefix = "try_edge_";

std::string number(double v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v > 0 ? "∞" : "-∞";
  if (v == 0) return std::signbit(v) ? "-0" : "0";
  return fmt::format("{:.4g}", v);
}

std::string row(const std::vector<double>& values, std::string_view between) {
  std::string text;
  for (std::size_t k = 0; k < values.size(); ++k) text += (k > 0 ? std::string(between) : "") + number(values[k]);
  return text;
}

// Rows of the last axis, with ; between.
std::string tensor(const Array& a) {
  const std::size_t width = a.shape.empty() ? 1 : static_cast<std::size_t>(a.shape.back());
  std::string text;
  for (std::size_t k = 0; k < a.data.size(); k += width) {
    const auto begin = a.data.begin() + static_cast<std::ptrdiff_t>(k);
    text += (k > 0 ? "; " : "") + row({begin, begin + static_cast<std::ptrdiff_t>(width)}, " ");
  }
  return text;
}

std::string named(const std::map<std::string, Array>& tensors) {
  std::string text;
  for (const auto& [key, value] : tensors)
    if (key.find('.') == std::string::npos) text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", key, tensor(value));
  return text;
}

std::string tables() {
  const test::Topic topic = test::load_topic("edges");
  std::string values, derivatives, others;
  std::string points;
  for (const test::Sample& s : topic.samples) {
    const std::string name = s.name.substr(prefix.size());
    const auto x = s.environment.values.find(s.name + ".x");
    const bool pointwise = x != s.environment.values.end() && x->second.shape == std::vector<std::int64_t>{9};
    if (pointwise) {
      points = row(x->second.data, " | ");
      values += fmt::format("| `{}` | {} |\n", name, row(s.expected.at("y").data, " | "));
      derivatives += fmt::format("| `{}` | {} |\n", name, row(s.expected.at("dx").data, " | "));
      for (const auto& [who, told] : s.others) {
        for (const auto& [key, value] : told)
          (key == "y" ? values : derivatives) += fmt::format("| … in {} | {} |\n", who, row(value.data, " | "));
      }
      continue;
    }
    std::string given, elsewhere;
    for (const auto& [key, value] : s.environment.values) {
      const std::string input = key.substr(s.name.size() + 1);
      const bool cotangent = input.starts_with("d") && s.expected.contains(input.substr(1));
      const bool parameter = input.find('.') != std::string::npos;
      if (!cotangent && !parameter) given += fmt::format("{}{} = {}", given.empty() ? "" : ", ", input, tensor(value));
    }
    for (const auto& [who, told] : s.others)
      if (const std::string text = named(told); !text.empty())
        elsewhere += fmt::format("{}{}: {}", elsewhere.empty() ? "" : "; ", who, text);
    others += fmt::format("| `{}` | {} | {} | {} |\n", name, given, named(s.expected), elsewhere);
  }
  const std::string head = "| | " + points + " |\n| --- |" + std::string(" ---: |") + " ---: | ---: | ---: | ---: | ---: "
                           "| ---: | ---: | ---: |\n";
  return "## Values\n\n" + head + values + "\n## Derivatives\n\n" + head + derivatives +
         "\n## Rows, ties, losses\n\n| | of | gives | elsewhere |\n| --- | --- | --- | --- |\n" + others;
}

std::string file_of_page() { return std::string(GRADC_SOURCE_DIR) + "/docs/edges.md"; }

std::string read_page() {
  std::ifstream in(file_of_page());
  return {std::istreambuf_iterator<char>(in), {}};
}

// In a line of a table, which may say more of the case behind the name, or in the text as a whole.
bool is_on(const std::string& page, const std::string& name) {
  return page.find("| `" + name + "_of_") != std::string::npos || page.find("`" + name + "`") != std::string::npos ||
         page.find("| `" + name + "_without_") != std::string::npos;
}

}  // namespace

TEST_CASE("the page of edges says of every definition of the prelude where it breaks") {
  Sources sources;
  Diagnostics diagnostics;
  sources.add("prelude.nn", std::string(prelude_text()));
  const ast::File prelude = text_to_ast(sources, 0, diagnostics);
  REQUIRE_FALSE(diagnostics.has_errors());
  const std::string page = read_page();
  std::size_t count = 0;
  for (const ast::Item& item : prelude.items) {
    const auto* d = std::get_if<ast::Definition>(&item.what);
    if (d == nullptr) continue;
    ++count;
    INFO(d->name.text);
    CHECK(is_on(page, d->name.text));
  }
  CHECK(count > 100);
  CHECK_FALSE(is_on(page, "conv"));  // a part of a name is none
}

TEST_CASE("the page of edges shows what was compared") {
  const std::string file = file_of_page();
  const std::string page = read_page();
  const auto at = page.find("## Values");
  REQUIRE(at != std::string::npos);
  const std::string expected = page.substr(0, at) + tables();
  if (std::getenv("GRADC_UPDATE_GOLDEN")) std::ofstream(file) << expected;
  else CHECK(page == expected);
}

// scaffold_main.cpp: <spec>_main.cpp: the program { } block as tables, and main.
#include <fmt/format.h>

#include <cmath>
#include <variant>

#include "codegen/fill.h"
#include "codegen/scaffold.h"
#include "codegen/scaffold_parts.h"
#include "dsl/check.h"

namespace gradc {
namespace {

constexpr std::string_view main_template = R"(
$banner$
#include "gradc/driver.h"
#include "$module$.hpp"

$version_check$
$other_model$// Where relative paths of the program's data start.
#ifndef GRADC_SPEC_DIRECTORY
#define GRADC_SPEC_DIRECTORY "."
#endif

namespace {

$tables$
}  // namespace

$training$int main(int argc, char** argv) {
$drive$
}
)";

constexpr std::string_view drive_one = R"(
  return gradc::drive(argc, argv, $module$::model(), the_program, GRADC_SPEC_DIRECTORY);)";

constexpr std::string_view drive_both = R"(
  const gradc::Model* const models[] = {&$device$::model(), &$module$::model()};
  return gradc::drive(argc, argv, gradc::Models{models, 2}, the_program, GRADC_SPEC_DIRECTORY);)";

// The shortest text that reads back as the same number.
std::string number(double value) {
  GRADC_CHECK(std::isfinite(value), "a data field is scaled by a finite number");
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

// Gradient descent in the words of a textbook, and who does what.
std::string training(const std::string& module, const Program& program) {
  std::string steps;
  for (const auto& what : program.actions) {
    const auto* fit = std::get_if<Fit>(&what);
    if (!fit) continue;
    const std::string part = fit->data.part.empty() ? "" : "." + fit->data.part;
    steps += fmt::format(
        "//   forward, loss, backward and update:  {}::{}, a batch of {}{}\n"
        "//   repeat:      for every batch, in {} epoch{}\n",
        module, comment_text(fit->step), comment_text(fit->data.data), comment_text(part),
        fit->epochs, fit->epochs == 1 ? "" : "s");
  }
  if (steps.empty()) return "";
  return fmt::format(
      "// How it trains; gradc::drive runs the loop:\n"
      "//   initialise:  {}::init, parameters and what optimizers keep\n{}",
      module, steps);
}

std::string optional_literal(const std::string& text) {
  return text.empty() ? "nullptr" : string_literal(text);
}

std::string table(const std::string& type, const std::string& name, const std::string& entries) {
  return entries.empty() ? "" : fmt::format("const {} {}[] = {{\n{}}};\n\n", type, name, entries);
}

std::string action(const std::variant<Fit, Test, Show, Score, Save, Load>& what, std::size_t k) {
  constexpr std::string_view entry =
      "    {{gradc::ActionKind::{}, {}, {}, {}, {}, {}, {}, {}, {}}},\n";
  constexpr std::string_view longer =
      "    {{gradc::ActionKind::{}, {}, {}, {}, 0, 0, false, 0u, {}, {}, {}, {}, {}, {}, {}}},\n";
  if (const auto* show = std::get_if<Show>(&what))
    return fmt::format(longer, "show", string_literal(show->net), string_literal(show->data.data),
                       optional_literal(show->data.part), optional_literal(show->path),
                       show->examples, "nullptr", "nullptr", "0.0", "nullptr", 0);
  if (const auto* score = std::get_if<Score>(&what))
    return fmt::format(longer, "score", string_literal(score->net),
                       string_literal(score->data.data), optional_literal(score->data.part),
                       "nullptr", 0, string_literal(score->output), string_literal(score->target),
                       number(score->threshold), fmt::format("metrics_{}", k),
                       score->metrics.size());
  if (const auto* load = std::get_if<Load>(&what))
    return fmt::format("    {{gradc::ActionKind::load, nullptr, nullptr, nullptr, 0, 0, false, 0u, {}, 0, nullptr, "
                       "nullptr, 0.0, nullptr, 0, {}, {}}},\n",
                       string_literal(load->path),
                       load->mappings.empty() ? "nullptr" : fmt::format("mappings_{}", k),
                       load->mappings.size());
  if (const auto* fit = std::get_if<Fit>(&what))
    return fmt::format(entry, "fit", string_literal(fit->step), string_literal(fit->data.data),
                       optional_literal(fit->data.part), fit->epochs, fit->batch, fit->shuffle,
                       fmt::format("{}u", fit->seed), "nullptr");
  if (const auto* test = std::get_if<Test>(&what))
    return fmt::format(entry, "test", string_literal(test->step), string_literal(test->data.data),
                       optional_literal(test->data.part), 0, 0, false, "0u", "nullptr");
  return fmt::format(entry, "save", "nullptr", "nullptr", "nullptr", 0, 0, false, "0u",
                     string_literal(std::get<Save>(what).path));
}

std::string tables(const Program& program) {
  static constexpr const char* formats[] = {"csv", "idx", "npy", "values", "random"};
  std::string text, sources, splits, actions;
  for (std::size_t k = 0; k < program.data.size(); ++k) {
    const DataSource& data = program.data[k];
    std::string fields;
    static constexpr const char* draws[] = {"none", "normal", "uniform"};
    for (std::size_t f = 0; f < data.fields.size(); ++f) {
      const DataField& field = data.fields[f];
      std::string values, more;
      for (const double value : field.values)
        values += (values.empty() ? "    " : ", ") + number(value);
      const std::string name = fmt::format("values_{}_{}", k, f);
      if (!values.empty()) {
        text += table("double", name, values + ",\n");
        more = fmt::format(", {}, {}", name, field.values.size());
      } else if (field.draw != Draw::none) {
        more = fmt::format(", nullptr, 0, gradc::Draw::{}",
                           draws[static_cast<std::size_t>(field.draw)]);
      }
      fields += fmt::format("    {{{}, {}, {}, {}, {}, {}{}}},\n", string_literal(field.name),
                            optional_literal(field.path), field.first, field.last,
                            number(field.scale), number(field.shift), more);
    }
    text += table("gradc::Field", fmt::format("fields_{}", k), fields);
    sources += fmt::format(
        "    {{{}, gradc::DataFormat::{}, {}, {}, {}, {}{}}},\n", string_literal(data.name),
        formats[static_cast<std::size_t>(data.format)], optional_literal(data.path), data.header,
        fields.empty() ? "nullptr" : fmt::format("fields_{}", k), data.fields.size(),
        data.rows == 0 ? "" : fmt::format(", {}, {}u", data.rows, data.seed));
  }
  for (std::size_t k = 0; k < program.splits.size(); ++k) {
    const Split& split = program.splits[k];
    std::string parts;
    for (const DataPart& part : split.parts)
      parts += fmt::format("    {{{}, {}}},\n", string_literal(part.name), number(part.fraction));
    text += table("gradc::Part", fmt::format("parts_{}", k), parts);
    splits += fmt::format("    {{{}, {}, {}, {}u}},\n", string_literal(split.data),
                          parts.empty() ? "nullptr" : fmt::format("parts_{}", k),
                          split.parts.size(), split.seed);
  }
  for (std::size_t k = 0; k < program.actions.size(); ++k) {
    if (const auto* score = std::get_if<Score>(&program.actions[k])) {
      std::string metrics;
      for (const std::string& metric : score->metrics)
        metrics += fmt::format("    {},\n", string_literal(metric));
      text += table("char* const", fmt::format("metrics_{}", k), metrics);
    }
    if (const auto* load = std::get_if<Load>(&program.actions[k])) {
      std::string mappings;
      for (const auto& [from, to] : load->mappings)
        mappings += fmt::format("    {}, {},\n", string_literal(from), string_literal(to));
      text += table("char* const", fmt::format("mappings_{}", k), mappings);
    }
    actions += action(program.actions[k], k);
  }
  text += table("gradc::DataSource", "the_data", sources) +
          table("gradc::Split", "the_splits", splits) +
          table("gradc::Action", "the_actions", actions);
  return text + fmt::format("const gradc::Program the_program = {{{}, {}, {}, {}, {}, {}}};\n",
                            sources.empty() ? "nullptr" : "the_data", program.data.size(),
                            splits.empty() ? "nullptr" : "the_splits", program.splits.size(),
                            actions.empty() ? "nullptr" : "the_actions", program.actions.size());
}

}  // namespace

std::string main_text(const ScaffoldInput& input) {
  const std::string& module = input.module.name;
  const std::string& device = input.device_module;
  const std::string drive = device.empty()
                                ? fill(drive_one, {{"module", module}})
                                : fill(drive_both, {{"module", module}, {"device", device}});
  const std::string other =
      device.empty() ? "" : fmt::format("namespace {} {{\nconst gradc::Model& model();\n}}\n\n", device);
  return fill(main_template, {{"banner", banner(input.provenance, module + "_main.cpp")},
                              {"module", module},
                              {"version_check", version_check()},
                              {"training", training(module, input.program)},
                              {"tables", tables(input.program)},
                              {"other_model", other},
                              {"drive", drive}});
}

// Two FNV-1a hashes of 64 bits from different starts, the second over the bytes in another guise.
std::string text_hash(const std::vector<std::string>& texts) {
  std::uint64_t a = 0xcbf29ce484222325u, b = 0x9e3779b97f4a7c15u;
  const auto add = [&](unsigned char byte) {
    a = (a ^ byte) * 0x100000001b3u;
    b = (b ^ static_cast<unsigned char>(byte * 167u + 13u)) * 0x100000001b3u;
    b ^= b >> 29;
  };
  for (const std::string& text : texts) {
    for (const char c : text) add(static_cast<unsigned char>(c));
    for (std::uint64_t size = text.size(), k = 0; k < 8; ++k)
      add(static_cast<unsigned char>(size >> (8 * k)));
  }
  return fmt::format("{:016x}{:016x}", a, b);
}

}  // namespace gradc

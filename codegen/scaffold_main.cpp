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

// An Action; what follows the last member that is set has its default.
struct Entry {
  std::string kind, function = "nullptr", data = "nullptr", part = "nullptr", epochs = "0", batch = "0",
                    shuffle = "false", seed = "0u", path = "nullptr", examples = "0", output = "nullptr",
                    target = "nullptr", threshold = "0.0", metrics = "nullptr", metric_count = "0",
                    mappings = "nullptr", mapping_count = "0", with = "nullptr", with_count = "0";

  std::string text() const {
    std::vector<std::string> members = {function, data,   part,      epochs,  batch,        shuffle,
                                        seed,     path,   examples,  output,  target,       threshold,
                                        metrics,  metric_count, mappings, mapping_count, with, with_count};
    const Entry none{};
    const std::vector<std::string> defaults = {none.examples, none.output,       none.target,
                                               none.threshold, none.metrics,     none.metric_count,
                                               none.mappings, none.mapping_count, none.with,
                                               none.with_count};
    const std::size_t always = members.size() - defaults.size();
    while (members.size() > always && members.back() == defaults[members.size() - always - 1]) members.pop_back();
    return fmt::format("    {{gradc::ActionKind::{}, {}}},\n", kind, fmt::join(members, ", "));
  }
};

std::string action(const std::variant<Fit, Test, Show, Score, Save, Load>& what, std::size_t k) {
  Entry entry;
  const auto on = [&](const DataReference& data) {
    entry.data = string_literal(data.data);
    entry.part = optional_literal(data.part);
  };
  const auto with = [&](const StandIns& pairs) {
    if (pairs.empty()) return;
    entry.with = fmt::format("with_{}", k);
    entry.with_count = fmt::format("{}", pairs.size());
  };
  if (const auto* show = std::get_if<Show>(&what)) {
    entry.kind = "show";
    entry.function = string_literal(show->net);
    on(show->data);
    entry.path = optional_literal(show->path);
    entry.examples = fmt::format("{}", show->examples);
    with(show->with);
  } else if (const auto* score = std::get_if<Score>(&what)) {
    entry.kind = "score";
    entry.function = string_literal(score->net);
    on(score->data);
    entry.output = string_literal(score->output);
    entry.target = string_literal(score->target);
    entry.threshold = number(score->threshold);
    entry.metrics = fmt::format("metrics_{}", k);
    entry.metric_count = fmt::format("{}", score->metrics.size());
    with(score->with);
  } else if (const auto* load = std::get_if<Load>(&what)) {
    entry.kind = "load";
    entry.path = string_literal(load->path);
    if (!load->mappings.empty()) {
      entry.mappings = fmt::format("mappings_{}", k);
      entry.mapping_count = fmt::format("{}", load->mappings.size());
    }
  } else if (const auto* fit = std::get_if<Fit>(&what)) {
    entry.kind = "fit";
    entry.function = string_literal(fit->step);
    on(fit->data);
    entry.epochs = fmt::format("{}", fit->epochs);
    entry.batch = fmt::format("{}", fit->batch);
    entry.shuffle = fmt::format("{}", fit->shuffle);
    entry.seed = fmt::format("{}u", fit->seed);
  } else if (const auto* test = std::get_if<Test>(&what)) {
    entry.kind = "test";
    entry.function = string_literal(test->step);
    on(test->data);
    with(test->with);
  } else {
    entry.kind = "save";
    entry.path = string_literal(std::get<Save>(what).path);
    with(std::get<Save>(what).with);
  }
  return entry.text();
}

const StandIns* stand_ins(const std::variant<Fit, Test, Show, Score, Save, Load>& what) {
  if (const auto* test = std::get_if<Test>(&what)) return &test->with;
  if (const auto* show = std::get_if<Show>(&what)) return &show->with;
  if (const auto* score = std::get_if<Score>(&what)) return &score->with;
  if (const auto* save = std::get_if<Save>(&what)) return &save->with;
  return nullptr;
}

std::string pairs_table(const std::string& name, const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string entries;
  for (const auto& [first, second] : pairs)
    entries += fmt::format("    {}, {},\n", string_literal(first), string_literal(second));
  return table("char* const", name, entries);
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
    if (const auto* load = std::get_if<Load>(&program.actions[k]))
      text += pairs_table(fmt::format("mappings_{}", k), load->mappings);
    if (const StandIns* with = stand_ins(program.actions[k]))
      text += pairs_table(fmt::format("with_{}", k), *with);
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

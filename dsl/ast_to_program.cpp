// ast_to_program.cpp: the program block, checked against the steps whose inputs it feeds.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "dsl/elaboration.h"

namespace gradc {
namespace {

struct Builder {
  Elaboration& e;
  Scope scope;
  Program program{};
  std::map<std::string, const ast::DataDecl*> data{};
  std::map<std::string, std::map<std::string, Span>>
      fields{};                                         // by data: where each field is written
  std::map<std::string, std::set<std::string>> used{};  // by data: fields some step takes
};

std::optional<std::int64_t> whole(Builder& b, const ast::Expr& x, std::int64_t low,
                                  std::int64_t high, std::string_view what) {
  const Value v = evaluate(b.e, b.scope, x, Position::integer);
  if (v.poisoned()) return std::nullopt;
  if (v.is(ValueKind::number) && v.integer && v.number >= static_cast<double>(low) &&
      v.number <= static_cast<double>(high)) {
    return static_cast<std::int64_t>(v.number);
  }
  b.e.error(
      "bad-program-value", x.span,
      fmt::format("{} is a whole number from {} to {}, not {}", what, low, high, describe(b.e, v)));
  return std::nullopt;
}

bool contains_source(const ast::Expr& x) {
  return x.kind == ast::ExprKind::string || x.kind == ast::ExprKind::call ||
         std::any_of(x.args.begin(), x.args.end(), contains_source);
}

// A field is a source scaled and shifted by numbers; gives the source.
const ast::Expr* affine_field(Builder& b, const ast::Expr& x, DataField& f) {
  if (x.kind == ast::ExprKind::call || x.kind == ast::ExprKind::string) return &x;
  if (x.kind == ast::ExprKind::unary && x.op == "-" && contains_source(x)) {
    const ast::Expr* source = affine_field(b, x.args[0], f);
    f.scale = -f.scale;
    f.shift = -f.shift;
    return source;
  }
  const bool binary =
      x.kind == ast::ExprKind::binary && (x.op == "+" || x.op == "-" || x.op == "*" || x.op == "/");
  const bool left = binary && contains_source(x.args[0]);
  const bool right = binary && contains_source(x.args[1]);
  if (left == right || (right && x.op == "/")) {
    b.e.error(
        "bad-field", x.span,
        "a field is a column or file, scaled and shifted by numbers, as in 'columns(0, 63) / 16'");
    return nullptr;
  }
  const ast::Expr* source = affine_field(b, x.args[left ? 0 : 1], f);
  const ast::Expr& other = x.args[left ? 1 : 0];
  const Value v = evaluate(b.e, b.scope, other);
  if (v.poisoned() || source == nullptr) return nullptr;
  const bool zero_division = x.op == "/" && v.number == 0;
  if (!v.constant() || !std::isfinite(v.number) || zero_division) {
    b.e.error("bad-field", other.span,
              fmt::format("a field is scaled by {}number known at compile time, not {}",
                          zero_division ? "a non-zero " : "a ", describe(b.e, v)));
    return nullptr;
  }
  const double n = v.number;
  if (x.op == "*" || x.op == "/") {
    const double factor = x.op == "*" ? n : 1 / n;
    f.scale *= factor;
    f.shift = x.op == "*" ? f.shift * n : f.shift / n;
  } else if (x.op == "+") {
    f.shift += n;
  } else {
    if (right) {
      f.scale = -f.scale;
      f.shift = -f.shift;
    }
    f.shift += left ? -n : n;
  }
  return source;
}

bool csv_columns(Builder& b, const ast::Expr& source, DataField& f) {
  const bool one = source.kind == ast::ExprKind::call && source.name.text == "column";
  const bool several = source.kind == ast::ExprKind::call && source.name.text == "columns";
  if ((!one && !several) || source.arguments.size() != (one ? 1u : 2u)) {
    b.e.error("bad-field", source.span,
              "a field of a csv is 'column(n)' or 'columns(first, last)'");
    return false;
  }
  constexpr std::int64_t last_column = 1'000'000;
  const auto first = whole(b, source.arguments[0].value, 0, last_column, "a column");
  const auto last = one ? first : whole(b, source.arguments[1].value, 0, last_column, "a column");
  if (!first || !last) return false;
  if (*last < *first) {
    b.e.error("bad-field", source.span,
              fmt::format("columns {} to {} are none; the first comes first", *first, *last));
    return false;
  }
  f.first = *first;
  f.last = *last;
  return true;
}

bool add_field(Builder& b, DataSource& source, const ast::Argument& a) {
  const ast::Name& name = *a.name;
  if (const auto [it, fresh] = b.fields[source.name].emplace(name.text, name.span); !fresh) {
    b.e.error("duplicate-name", name.span,
              fmt::format("field {} is given twice", in_quotes(name.text)),
              {{it->second, "first here"}});
    return false;
  }
  DataField f;
  f.name = name.text;
  const ast::Expr* core = affine_field(b, a.value, f);
  if (core == nullptr) return false;
  if (source.format == DataFormat::csv) {
    if (!csv_columns(b, *core, f)) return false;
  } else if (core->kind != ast::ExprKind::string) {
    b.e.error("bad-field", core->span, "a field of idx or npy is the name of a file, in quotes");
    return false;
  } else {
    f.path = core->name.text;
  }
  source.fields.push_back(std::move(f));
  return true;
}

void add_data(Builder& b, const ast::DataDecl& d, Span span) {
  if (const auto [it, fresh] = b.data.emplace(d.name.text, &d); !fresh) {
    b.e.error("duplicate-name", d.name.span,
              fmt::format("data {} is declared twice", in_quotes(d.name.text)),
              {{it->second->name.span, "first here"}});
    return;
  }
  DataSource s;
  s.name = d.name.text;
  s.span = span;
  const std::string& format = d.source.name.text;
  if (d.source.kind != ast::ExprKind::call ||
      (format != "csv" && format != "idx" && format != "npy")) {
    b.e.error("bad-data-source", d.source.span, "data is read by 'csv(…)', 'idx(…)' or 'npy(…)'");
    return;
  }
  s.format = format == "csv"   ? DataFormat::csv
             : format == "idx" ? DataFormat::idx
                               : DataFormat::npy;
  bool has_path = s.format != DataFormat::csv;
  for (const ast::Argument& a : d.source.arguments) {
    if (!a.name) {
      const bool path = !has_path && a.value.kind == ast::ExprKind::string;
      if (path)
        s.path = a.value.name.text;
      else
        b.e.error("bad-data-source", a.value.span, "fields are named, as in 'x = …'");
      has_path = true;
    } else if (s.format == DataFormat::csv && a.name->text == "header") {
      s.header = evaluate_condition(b.e, b.scope, a.value).value_or(false);
    } else {
      add_field(b, s, a);
    }
  }
  if (!has_path)
    b.e.error("bad-data-source", d.source.span, "'csv' needs the name of its file first");
  if (s.format == DataFormat::csv) {
    for (std::size_t k = 0; k < s.path.size() && has_path; ++k) {
      if (s.path[k] != '\0') continue;
      b.e.error("bad-data-source", d.source.span, "the name of a file holds no NUL");
      break;
    }
  }
  b.program.data.push_back(std::move(s));
}

std::vector<std::string> data_names(const Builder& b) {
  std::vector<std::string> names;
  for (const auto& [name, decl] : b.data) names.push_back(name);
  return names;
}

bool known_data(Builder& b, const ast::Name& name) {
  if (b.data.count(name.text) != 0) return true;
  unknown_name(b.e, b.scope, "unknown-data", name,
               fmt::format("there is no data {}", in_quotes(name.text)), data_names(b));
  return false;
}

void add_split(Builder& b, const ast::SplitDecl& d, Span span) {
  if (!known_data(b, d.data)) return;
  for (const Split& other : b.program.splits) {
    if (other.data != d.data.text) continue;
    b.e.error("bad-split", d.data.span, fmt::format("{} is split already", in_quotes(d.data.text)));
    return;
  }
  Split s;
  s.data = d.data.text;
  double total = 0;
  for (const ast::SplitDecl::Part& p : d.parts) {
    const bool twice = std::any_of(s.parts.begin(), s.parts.end(),
                                   [&](const DataPart& q) { return q.name == p.name.text; });
    if (twice) {
      b.e.error("duplicate-name", p.name.span,
                fmt::format("part {} is given twice", in_quotes(p.name.text)));
    }
    if (!(p.percent > 0 && p.percent <= 100)) {
      b.e.error("bad-split", p.name.span,
                fmt::format("part {} is {}%; a part is more than 0% and at most 100%",
                            in_quotes(p.name.text), p.percent));
    }
    total += p.percent;
    s.parts.push_back({p.name.text, p.percent / 100});
  }
  if (total > 100 + 1e-9) {
    b.e.error("bad-split", span, fmt::format("the parts add up to {}%, more than there is", total));
  }
  if (!d.seed.empty()) {
    s.seed = static_cast<std::uint64_t>(
        whole(b, d.seed.front(), 0, std::int64_t{1} << 53, "a seed").value_or(0));
  }
  b.program.splits.push_back(std::move(s));
}

std::optional<DataReference> data_reference(Builder& b, const ast::DataName& d) {
  if (!known_data(b, d.data)) return std::nullopt;
  if (!d.part) return DataReference{d.data.text, ""};
  std::vector<std::string> names;
  for (const Split& s : b.program.splits) {
    if (s.data != d.data.text) continue;
    for (const DataPart& p : s.parts) names.push_back(p.name);
  }
  if (std::find(names.begin(), names.end(), d.part->text) == names.end()) {
    unknown_name(b.e, b.scope, "unknown-data", *d.part,
                 fmt::format("{} has no part {}", in_quotes(d.data.text), in_quotes(d.part->text)),
                 names);
    return std::nullopt;
  }
  return DataReference{d.data.text, d.part->text};
}

// The step meant; a net stands for the one step that trains it. Empty if reported.
std::string step_meant(Builder& b, const ast::Name& name, bool net_allowed) {
  const auto it = b.e.user.definitions.find(name.text);
  const ast::Definition* d = it == b.e.user.definitions.end() ? nullptr : it->second;
  if (d != nullptr && d->kind == ast::DefinitionKind::step) return name.text;
  if (net_allowed && d != nullptr && d->kind == ast::DefinitionKind::net) {
    std::vector<std::string> steps;
    for (const auto& [step, nets] : b.e.trained_nets) {
      if (std::find(nets.begin(), nets.end(), name.text) != nets.end()) steps.push_back(step);
    }
    if (steps.size() == 1) return steps.front();
    if (!b.e.diagnostics.has_errors()) {
      b.e.error(
          "unknown-step", name.span,
          fmt::format("{} steps train net {}; name the step", steps.size(), in_quotes(name.text)));
    }
    return {};
  }
  std::vector<std::string> names;
  for (const ast::Definition* other : b.e.emitted) {
    if (net_allowed || other->kind == ast::DefinitionKind::step) names.push_back(other->name.text);
  }
  unknown_name(b.e, b.scope, "unknown-step", name,
               fmt::format("there is no step {}", in_quotes(name.text)), names);
  return {};
}

// Every input of the step has a field that fits it. Gives the leading dim, which is the batch.
std::optional<Extent> check_feeds(Builder& b, const std::string& step, const DataReference& from,
                                  Span span) {
  const Graph& g = b.e.graph;
  const auto f = std::find_if(g.functions.begin(), g.functions.end(),
                              [&](const Function& x) { return x.name == step; });
  const auto source = std::find_if(b.program.data.begin(), b.program.data.end(),
                                   [&](const DataSource& s) { return s.name == from.data; });
  if (f == g.functions.end() || source == b.program.data.end()) return std::nullopt;
  std::optional<Extent> batch;
  for (NodeId id : f->inputs) {
    const std::string name = g[id].name.substr(step.size() + 1);
    const Shape& shape = g[id].type.shape;
    b.used[from.data].insert(name);
    if (shape.empty()) {
      b.e.error(
          "bad-feed", span,
          fmt::format("input {} of {} is a scalar; data is fed along a leading dim, the batch",
                      in_quotes(name), in_quotes(step)),
          {{g.label(id).span, "declared here"}});
      return std::nullopt;
    }
    if (batch && *batch != shape[0]) {
      b.e.error(
          "bad-feed", span,
          fmt::format(
              "the inputs of {} have different leading dims, {} and {}; the batch must be one",
              in_quotes(step), text(g, *batch), text(g, shape[0])));
      return std::nullopt;
    }
    batch = shape[0];
    std::int64_t elements = 1;
    for (std::size_t k = 1; k < shape.size(); ++k) {
      if (!shape[k].is_fixed()) {
        b.e.error(
            "bad-feed", span,
            fmt::format("input {} of {} is {}; only its leading dim can vary when data is fed",
                        in_quotes(name), in_quotes(step), text(g, g[id].type)));
        return std::nullopt;
      }
      elements *= shape[k].offset;
    }
    const auto field = std::find_if(source->fields.begin(), source->fields.end(),
                                    [&](const DataField& x) { return x.name == name; });
    if (field == source->fields.end()) {
      if (b.fields[from.data].count(name) == 0) {
        b.e.error("bad-feed", span,
                  fmt::format("{} has no field {}, which step {} takes", in_quotes(from.data),
                              in_quotes(name), in_quotes(step)),
                  {{source->span, "the fields are named here"}});
      }
      continue;
    }
    const std::int64_t columns = field->last - field->first + 1;
    if (source->format == DataFormat::csv && columns != elements) {
      b.e.error("bad-feed", b.fields[from.data][name],
                fmt::format("field {} is {} column{}, but {} of step {} is {}: {} for each example",
                            in_quotes(name), columns, columns == 1 ? "" : "s", in_quotes(name),
                            in_quotes(step), text(g, g[id].type), elements),
                {{g.label(id).span, "declared here"}});
    }
  }
  return batch;
}

void add_fit(Builder& b, const ast::FitDecl& d) {
  Fit f;
  f.step = step_meant(b, d.step, false);
  const auto from = data_reference(b, d.on);
  f.shuffle = d.shuffle;
  constexpr std::int64_t many = 1'000'000'000;
  if (!d.epochs.empty())
    f.epochs = whole(b, d.epochs.front(), 1, many, "the number of epochs").value_or(1);
  if (!d.seed.empty()) {
    f.seed = static_cast<std::uint64_t>(
        whole(b, d.seed.front(), 0, std::int64_t{1} << 53, "a seed").value_or(0));
  }
  if (f.step.empty() || !from) return;
  f.data = *from;
  const auto leading = check_feeds(b, f.step, *from, d.step.span);
  const std::int64_t bound = leading ? max_extent(b.e.graph, *leading) : many;
  f.batch = bound;
  if (!d.batch.empty()) {
    f.batch = whole(b, d.batch.front(), 1, many, "the batch size").value_or(1);
    const bool fits = !leading || (leading->is_fixed() ? f.batch == bound : f.batch <= bound);
    if (!fits) {
      b.e.error("bad-program-value", d.batch.front().span,
                fmt::format("step {} takes {} {} examples at a time, not {}", in_quotes(f.step),
                            leading->is_fixed() ? "exactly" : "at most", bound, f.batch));
    }
  }
  b.program.actions.emplace_back(std::move(f));
}

void add_test(Builder& b, const ast::TestDecl& d) {
  Test t;
  t.step = step_meant(b, d.step, true);
  const auto from = data_reference(b, d.on);
  if (t.step.empty() || !from) return;
  t.data = *from;
  check_feeds(b, t.step, *from, d.step.span);
  b.program.actions.emplace_back(std::move(t));
}

void add_save(Builder& b, const ast::SaveDecl& d) {
  const Value v = evaluate(b.e, b.scope, d.path);
  if (v.poisoned()) return;
  if (!v.is(ValueKind::text) || v.text.empty() || v.text.find('\0') != std::string::npos) {
    b.e.error("bad-program-value", d.path.span, "'save' needs the name of a file, in quotes");
    return;
  }
  b.program.actions.emplace_back(Save{v.text});
}

// A field that no step takes is most likely misspelt.
void check_unused_fields(Builder& b) {
  for (const auto& [data, fields] : b.fields) {
    const auto used = b.used.find(data);
    if (used == b.used.end()) continue;
    const std::vector<std::string> names(used->second.begin(), used->second.end());
    for (const auto& [field, span] : fields) {
      if (used->second.count(field) != 0) continue;
      unknown_name(
          b.e, b.scope, "unknown-field", {field, span},
          fmt::format("no step fed from {} has an input {}", in_quotes(data), in_quotes(field)),
          names);
    }
  }
}

}  // namespace

Program ast_to_program(Elaboration& e, const ast::ProgramDecl& p, Span span) {
  Builder b{e, {}};
  b.program.span = span;
  b.program.present = true;
  for (const ast::ProgramStatement& s : p.statements) {
    if (std::holds_alternative<ast::Broken>(s.what)) b.scope.silent = true;
    if (const auto* d = std::get_if<ast::DataDecl>(&s.what)) add_data(b, *d, s.span);
    if (const auto* d = std::get_if<ast::SplitDecl>(&s.what)) add_split(b, *d, s.span);
    if (const auto* d = std::get_if<ast::FitDecl>(&s.what)) add_fit(b, *d);
    if (const auto* d = std::get_if<ast::TestDecl>(&s.what)) add_test(b, *d);
    if (const auto* d = std::get_if<ast::SaveDecl>(&s.what)) add_save(b, *d);
  }
  check_unused_fields(b);
  return std::move(b.program);
}

}  // namespace gradc

// program_data.cpp: the data of the program block: where values come from, and how they are split.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "dsl/program_builder.h"

namespace gradc {

std::optional<std::int64_t> whole(ProgramBuilder& b, const ast::Expr& x, std::int64_t low,
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

namespace {

bool contains_source(const ast::Expr& x) {
  return x.kind == ast::ExprKind::string || x.kind == ast::ExprKind::call ||
         std::any_of(x.args.begin(), x.args.end(), contains_source);
}

// A field is a source scaled and shifted by numbers; gives the source.
const ast::Expr* affine_field(ProgramBuilder& b, const ast::Expr& x, DataField& f) {
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

bool csv_columns(ProgramBuilder& b, const ast::Expr& source, DataField& f) {
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

// `x = [[…], …]`: the numbers of all examples.
bool listed_values(ProgramBuilder& b, const ast::Expr& x, DataSource& source, DataField& f) {
  const Value v = evaluate(b.e, b.scope, x);
  if (v.poisoned()) return false;
  const bool list = x.kind == ast::ExprKind::list && v.is(ValueKind::tensor);
  const NodeId id = list ? materialize(b.e, v) : NodeId{};
  if (!list || b.e.graph[id].kind != NodeKind::constant) {
    b.e.error("bad-field", x.span, "a field of values is a list, one entry for each example");
    return false;
  }
  const Node& n = b.e.graph[id];
  const std::int64_t rows = n.type.shape[0].offset;
  if (source.rows != 0 && rows != source.rows) {
    b.e.error("bad-field", x.span,
              fmt::format("field {} has {} example{}, the fields before it {}", in_quotes(f.name),
                          rows, rows == 1 ? "" : "s", source.rows));
    return false;
  }
  source.rows = rows;
  f.values = n.values;
  for (const double number : f.values) {
    if (std::isfinite(number)) continue;
    b.e.error("bad-field", x.span, "data are finite numbers");
    return false;
  }
  return true;
}

// `z = normal(mean, deviation)` or `uniform(low, high)`: every number drawn on its own.
bool drawn_values(ProgramBuilder& b, const ast::Expr& x, DataField& f) {
  const bool normal = x.kind == ast::ExprKind::call && x.name.text == "normal";
  const bool uniform = x.kind == ast::ExprKind::call && x.name.text == "uniform";
  double numbers[2] = {0, 0};
  bool good = (normal || uniform) && x.arguments.size() == 2;
  for (std::size_t k = 0; k < 2 && good; ++k) {
    const Value v = evaluate(b.e, b.scope, x.arguments[k].value);
    if (v.poisoned()) return false;
    good = v.is(ValueKind::number) && std::isfinite(v.number) && !x.arguments[k].name;
    numbers[k] = v.number;
  }
  if (!good) {
    b.e.error("bad-field", x.span,
              "a random field is 'normal(mean, deviation)' or 'uniform(low, high)', of numbers");
    return false;
  }
  f.draw = normal ? Draw::normal : Draw::uniform;
  f.shift = numbers[0];
  f.scale = normal ? numbers[1] : numbers[1] - numbers[0];
  return true;
}

bool add_field(ProgramBuilder& b, DataSource& source, const ast::Argument& a) {
  const ast::Name& name = *a.name;
  if (const auto [it, fresh] = b.fields[source.name].emplace(name.text, name.span); !fresh) {
    b.e.error("duplicate-name", name.span,
              fmt::format("field {} is given twice", in_quotes(name.text)),
              {{it->second, "first here"}});
    return false;
  }
  DataField f;
  f.name = name.text;
  if (source.format == DataFormat::values || source.format == DataFormat::random) {
    const bool good = source.format == DataFormat::values ? listed_values(b, a.value, source, f)
                                                          : drawn_values(b, a.value, f);
    if (good) source.fields.push_back(std::move(f));
    return good;
  }
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

std::vector<std::string> data_names(const ProgramBuilder& b) {
  std::vector<std::string> names;
  for (const auto& [name, decl] : b.data) names.push_back(name);
  return names;
}

bool known_data(ProgramBuilder& b, const ast::Name& name) {
  if (b.data.count(name.text) != 0) return true;
  unknown_name(b.e, b.scope, "unknown-data", name,
               fmt::format("there is no data {}", in_quotes(name.text)), data_names(b));
  return false;
}

constexpr std::pair<std::string_view, DataFormat> formats[] = {{"csv", DataFormat::csv},
                                                               {"idx", DataFormat::idx},
                                                               {"npy", DataFormat::npy},
                                                               {"values", DataFormat::values},
                                                               {"random", DataFormat::random}};

// What a data source is given besides its fields: a name of a file, or a number of examples.
void add_first_argument(ProgramBuilder& b, DataSource& s, const ast::Expr& x) {
  constexpr std::int64_t many = (std::int64_t{1} << 31) - 1;
  if (s.format == DataFormat::random) {
    s.rows = whole(b, x, 1, many, "the number of examples").value_or(1);
  } else if (s.format == DataFormat::csv && x.kind == ast::ExprKind::string) {
    s.path = x.name.text;
  } else {
    b.e.error("bad-data-source", x.span, "fields are named, as in 'x = …'");
  }
}

}  // namespace

void add_data(ProgramBuilder& b, const ast::DataDecl& d, Span span) {
  if (const auto [it, fresh] = b.data.emplace(d.name.text, &d); !fresh) {
    b.e.error("duplicate-name", d.name.span,
              fmt::format("data {} is declared twice", in_quotes(d.name.text)),
              {{it->second->name.span, "first here"}});
    return;
  }
  DataSource s;
  s.name = d.name.text;
  s.span = span;
  const auto format = std::find_if(std::begin(formats), std::end(formats), [&](const auto& f) {
    return f.first == d.source.name.text;
  });
  if (d.source.kind != ast::ExprKind::call || format == std::end(formats)) {
    b.e.error("bad-data-source", d.source.span,
              "data is read by 'csv(…)', 'idx(…)' or 'npy(…)', listed by 'values(…)' or drawn by "
              "'random(…)'");
    return;
  }
  s.format = format->second;
  const bool wants_first = s.format == DataFormat::csv || s.format == DataFormat::random;
  bool has_first = !wants_first;
  for (const ast::Argument& a : d.source.arguments) {
    if (!a.name && !has_first) {
      has_first = true;
      add_first_argument(b, s, a.value);
    } else if (!a.name) {
      b.e.error("bad-data-source", a.value.span, "fields are named, as in 'x = …'");
    } else if (s.format == DataFormat::csv && a.name->text == "header") {
      s.header = evaluate_condition(b.e, b.scope, a.value).value_or(false);
    } else if (s.format == DataFormat::random && a.name->text == "seed") {
      s.seed = static_cast<std::uint64_t>(
          whole(b, a.value, 0, std::int64_t{1} << 53, "a seed").value_or(0));
    } else {
      add_field(b, s, a);
    }
  }
  if (!has_first) {
    b.e.error("bad-data-source", d.source.span,
              s.format == DataFormat::csv
                  ? "'csv' needs the name of its file first"
                  : "'random' needs the number of its examples first, as in 'random(1000, x = …)'");
  }
  if (s.path.find('\0') != std::string::npos)
    b.e.error("bad-data-source", d.source.span, "the name of a file holds no NUL");
  b.program.data.push_back(std::move(s));
}

void add_split(ProgramBuilder& b, const ast::SplitDecl& d, Span span) {
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

std::optional<DataReference> data_reference(ProgramBuilder& b, const ast::DataName& d) {
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

}  // namespace gradc

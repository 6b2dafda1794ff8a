// ast_to_program.cpp: the program block, checked against the steps and nets whose inputs it feeds.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "dsl/program_builder.h"
#include "gradc/metrics.h"

namespace gradc {
namespace {

// The step meant; a net stands for the one step that trains it. Empty if reported.
std::string step_meant(ProgramBuilder& b, const ast::Name& name, bool net_allowed) {
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
std::optional<Extent> check_feeds(ProgramBuilder& b, const std::string& step, const DataReference& from,
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
                  fmt::format("{} has no field {}, which {} takes", in_quotes(from.data),
                              in_quotes(name), in_quotes(step)),
                  {{source->span, "the fields are named here"}});
      }
      continue;
    }
    const std::int64_t columns = field->last - field->first + 1;
    if (source->format == DataFormat::csv && columns != elements) {
      b.e.error("bad-feed", b.fields[from.data][name],
                fmt::format("field {} is {} column{}, but {} of {} is {}: {} for each example",
                            in_quotes(name), columns, columns == 1 ? "" : "s", in_quotes(name),
                            in_quotes(step), text(g, g[id].type), elements),
                {{g.label(id).span, "declared here"}});
    }
  }
  return batch;
}

void add_fit(ProgramBuilder& b, const ast::FitDecl& d) {
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

// The parameters that have a state of that name and their own type, kept by the optimizers of `step`, or of any if
// that is empty. A path may begin with the step and go on through optimizers within optimizers.
StandIns stand_ins(ProgramBuilder& b, const std::optional<ast::Name>& with, std::string step) {
  StandIns found;
  if (!with) return found;
  const Graph& g = b.e.graph;
  std::string wanted = with->text;
  for (const Function& f : g.functions) {
    if (f.kind != FunctionKind::step || wanted.rfind(f.name + ".", 0) != 0) continue;
    step = f.name;
    wanted.erase(0, f.name.size() + 1);
  }
  std::set<std::string> kept;  // last parts of the names
  for (const Function& f : g.functions) {
    if (f.kind != FunctionKind::step || (!step.empty() && f.name != step)) continue;
    for (const Minimize& m : f.minimizes) {
      for (NodeId p : m.parameters) {
        const std::string prefix = fmt::format("{}.{}.", f.name, g[p].name);
        for (const Update& u : f.updates) {
          const std::string& name = g[u.target].name;
          if (name.rfind(prefix, 0) != 0 || g[u.target].type != g[p].type) continue;
          const std::string rest = name.substr(prefix.size());
          kept.insert(rest.substr(rest.rfind('.') + 1));
          if (!("." + rest).ends_with("." + wanted)) continue;
          const auto other = std::find_if(found.begin(), found.end(),
                                          [&](const auto& pair) { return pair.first == g[p].name; });
          if (other != found.end()) {
            b.e.error("no-such-state", with->span,
                      fmt::format("{} is kept for {} more than once, as {} and {}; say which, as in 'with {}'",
                                  in_quotes(with->text), in_quotes(g[p].name), in_quotes(other->second),
                                  in_quotes(name), f.name + "." + rest));
            return {};
          }
          found.emplace_back(g[p].name, name);
        }
      }
    }
  }
  if (found.empty() && !b.e.diagnostics.has_errors()) {
    unknown_name(b.e, b.scope, "no-such-state", *with,
                 fmt::format("no optimizer{} keeps {} for a parameter; such states are {}",
                             step.empty() ? "" : " of step " + in_quotes(step), in_quotes(wanted),
                             kept.empty() ? "not there at all" : in_quotes(fmt::format("{}", fmt::join(kept, "', '")))),
                 {kept.begin(), kept.end()});
  }
  return found;
}

void add_test(ProgramBuilder& b, const ast::TestDecl& d) {
  Test t;
  t.step = step_meant(b, d.step, true);
  const auto from = data_reference(b, d.on);
  if (t.step.empty() || !from) return;
  t.data = *from;
  check_feeds(b, t.step, *from, d.step.span);
  t.with = stand_ins(b, d.with, t.step);
  b.program.actions.emplace_back(std::move(t));
}

const Function* net_meant(ProgramBuilder& b, const ast::Name& name) {
  for (const Function& f : b.e.graph.functions)
    if (f.kind == FunctionKind::net && f.name == name.text) return &f;
  std::vector<std::string> names;
  bool defined = false;
  for (const ast::Definition* d : b.e.emitted) {
    if (d->kind != ast::DefinitionKind::net) continue;
    names.push_back(d->name.text);
    defined |= d->name.text == name.text;
  }
  if (!defined)  // else it has an error of its own
    unknown_name(b.e, b.scope, "unknown-net", name,
                 fmt::format("there is no net {}", in_quotes(name.text)), names);
  return nullptr;
}

// The name of a file, in quotes; nothing if reported.
std::optional<std::string> file_name(ProgramBuilder& b, const ast::Expr& x, std::string_view what) {
  const Value v = evaluate(b.e, b.scope, x);
  if (v.poisoned()) return std::nullopt;
  if (v.is(ValueKind::text) && !v.text.empty() && v.text.find('\0') == std::string::npos)
    return v.text;
  b.e.error("bad-program-value", x.span,
            fmt::format("'{}' needs the name of a file, in quotes", what));
  return std::nullopt;
}

void add_show(ProgramBuilder& b, const ast::ShowDecl& d) {
  Show s;
  const Function* net = net_meant(b, d.net);
  const auto from = data_reference(b, d.on);
  if (!d.examples.empty())
    s.examples =
        whole(b, d.examples.front(), 1, 1'000'000'000, "the number of examples").value_or(1);
  if (!d.path.empty()) {
    s.path = file_name(b, d.path.front(), "as").value_or("");
    const bool known = s.path.ends_with(".png") || s.path.ends_with(".csv") ||
                       s.path.ends_with(".npy");
    if (!s.path.empty() && !known)
      b.e.error("bad-program-value", d.path.front().span,
                "the name ends in .png for a picture, in .csv or .npy for numbers");
  }
  if (net == nullptr || !from) return;
  s.net = net->name;
  s.data = *from;
  check_feeds(b, s.net, *from, d.net.span);
  s.with = stand_ins(b, d.with, "");
  b.program.actions.emplace_back(std::move(s));
}

// Numbers of an output for each example; nothing if it has none for each.
std::optional<std::int64_t> width_of(const Graph& g, NodeId output) {
  const Shape& shape = g[output].type.shape;
  if (shape.empty()) return std::nullopt;
  std::int64_t width = 1;
  for (std::size_t k = 1; k < shape.size(); ++k) {
    if (!shape[k].is_fixed()) return std::nullopt;
    width *= shape[k].offset;
  }
  return width;
}

void add_score(ProgramBuilder& b, const ast::ScoreDecl& d) {
  Score s;
  const Graph& g = b.e.graph;
  const Function* net = net_meant(b, d.net);
  const auto from = data_reference(b, d.on);
  if (!d.threshold.empty()) {
    const Value v = evaluate(b.e, b.scope, d.threshold.front());
    if (!v.poisoned() && !(v.is(ValueKind::number) && std::isfinite(v.number)))
      b.e.error("bad-program-value", d.threshold.front().span,
                fmt::format("the threshold is a number, not {}", describe(b.e, v)));
    s.threshold = v.number;
  }
  if (net == nullptr || !from) return;
  s.net = net->name;
  s.data = *from;
  check_feeds(b, s.net, *from, d.net.span);
  std::vector<std::string> names;
  for (const Output& output : net->outputs) names.push_back(output.name);
  const std::string wanted = d.output ? d.output->text : names.size() == 1 ? names[0] : "";
  const auto output = std::find(names.begin(), names.end(), wanted);
  if (output == names.end()) {
    if (d.output)
      unknown_name(b.e, b.scope, "bad-score", *d.output,
                   fmt::format("{} has no output {}", in_quotes(s.net), in_quotes(wanted)), names);
    else
      b.e.error("bad-score", d.net.span,
                fmt::format("{} has several outputs; say which, as in '{}.{}'", in_quotes(s.net),
                            s.net, names[0]));
    return;
  }
  s.output = wanted;
  const NodeId node = net->outputs[static_cast<std::size_t>(output - names.begin())].node;
  const auto width = width_of(g, node);
  if (!width) {
    b.e.error("bad-score", d.net.span,
              fmt::format("{} of {} is {}: it has no numbers for each example", in_quotes(wanted),
                          in_quotes(s.net), text(g, g[node].type)));
    return;
  }
  s.target = d.target.text;
  b.used[from->data].insert(s.target);
  if (b.fields[from->data].count(s.target) == 0) {
    std::vector<std::string> fields;
    for (const auto& [field, span] : b.fields[from->data]) fields.push_back(field);
    unknown_name(b.e, b.scope, "bad-score", d.target,
                 fmt::format("{} has no field {}", in_quotes(from->data), in_quotes(s.target)),
                 fields);
    return;
  }
  for (const ast::Name& name : d.metrics) {
    const auto metric = std::find_if(std::begin(metric_kinds), std::end(metric_kinds),
                                     [&](const MetricKind& m) { return m.name == name.text; });
    if (metric == std::end(metric_kinds)) {
      std::vector<std::string> known;
      for (const MetricKind& m : metric_kinds) known.emplace_back(m.name);
      unknown_name(b.e, b.scope, "bad-score", name,
                   fmt::format("there is no metric {}", in_quotes(name.text)), known);
      continue;
    }
    if (metric->of_one && *width != 1)
      b.e.error("bad-score", name.span,
                fmt::format("{} takes one number for each example; {} has {}", in_quotes(name.text),
                            in_quotes(wanted), *width));
    if (metric->of_classes && *width == 1 && d.threshold.empty())
      b.e.error("bad-score", name.span,
                fmt::format("{} is one number for each example: say above which it stands for the "
                            "second class, as in 'at 0.5'",
                            in_quotes(wanted)));
    s.metrics.push_back(name.text);
  }
  s.with = stand_ins(b, d.with, "");
  b.program.actions.emplace_back(std::move(s));
}

void add_save(ProgramBuilder& b, const ast::SaveDecl& d) {
  const auto path = file_name(b, d.path, "save");
  StandIns with = stand_ins(b, d.with, "");
  if (path) b.program.actions.emplace_back(Save{*path, std::move(with)});
}

void add_load(ProgramBuilder& b, const ast::LoadDecl& d) {
  const auto path = file_name(b, d.path, "load");
  Load load;
  for (const ast::LoadDecl::Mapping& m : d.mappings) {
    std::vector<std::string> names;
    bool found = false;
    for (const auto& [name, id] : b.e.parameters) {
      found = found || (name + ".").rfind(m.to.text + ".", 0) == 0;
      for (std::size_t at = name.find('.'); at != std::string::npos; at = name.find('.', at + 1)) {
        names.push_back(name.substr(0, at));
      }
      names.push_back(name);
    }
    if (!found) {
      unknown_name(b.e, b.scope, "unknown-parameter", m.to,
                   fmt::format("the spec has no parameters under {}", in_quotes(m.to.text)), names);
    }
    load.mappings.emplace_back(m.from.text, m.to.text);
  }
  if (!path) return;
  load.path = *path;
  b.program.actions.emplace_back(std::move(load));
}

// A field that no step takes is most likely misspelt.
void check_unused_fields(ProgramBuilder& b) {
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
  ProgramBuilder b{e, {}};
  b.program.span = span;
  b.program.present = true;
  for (const ast::ProgramStatement& s : p.statements) {
    if (std::holds_alternative<ast::Broken>(s.what)) b.scope.silent = true;
    if (const auto* d = std::get_if<ast::DataDecl>(&s.what)) add_data(b, *d, s.span);
    if (const auto* d = std::get_if<ast::SplitDecl>(&s.what)) add_split(b, *d, s.span);
    if (const auto* d = std::get_if<ast::FitDecl>(&s.what)) add_fit(b, *d);
    if (const auto* d = std::get_if<ast::TestDecl>(&s.what)) add_test(b, *d);
    if (const auto* d = std::get_if<ast::ShowDecl>(&s.what)) add_show(b, *d);
    if (const auto* d = std::get_if<ast::ScoreDecl>(&s.what)) add_score(b, *d);
    if (const auto* d = std::get_if<ast::SaveDecl>(&s.what)) add_save(b, *d);
    if (const auto* d = std::get_if<ast::LoadDecl>(&s.what)) add_load(b, *d);
  }
  check_unused_fields(b);
  return std::move(b.program);
}

}  // namespace gradc

// scope.cpp: what names mean: declarations of the files, constants, and the locals of a definition.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <utility>

#include "dsl/elaboration.h"

namespace gradc {
namespace {

constexpr std::string_view special_functions[] = {"grad", "reshape", "normal", "total", "uniform",
                                                  "f32",  "f64",     "i32",    "bool"};
constexpr std::string_view reserved_names[] = {"true", "false", "inf", "pi", "training"};

// Null: no body is being elaborated, so there is no saying whether it trains.
std::optional<Value> builtin_value(const std::string& name, const Unit* unit) {
  if (name == "training" && unit != nullptr) return boolean_value(unit->training);
  if (name == "true" || name == "false") return boolean_value(name == "true");
  if (name == "inf") return number_value(HUGE_VAL, false);
  if (name == "pi") return number_value(std::numbers::pi, false);
  return std::nullopt;
}

bool is_reserved(std::string_view name) {
  return std::find(std::begin(reserved_names), std::end(reserved_names), name) !=
         std::end(reserved_names);
}

bool has_required_parameters(const ast::Definition& d) {
  return std::any_of(d.parameters.begin(), d.parameters.end(),
                     [](const ast::Parameter& p) { return p.default_value.empty(); });
}

// The compile-time type a const is declared with or has by its value.
bool fits_const_type(const Value& v, std::string_view type) {
  if (type == "int") return v.is(ValueKind::number) && v.integer;
  if (type == "float") return v.is(ValueKind::number);
  if (type == "bool") return v.is(ValueKind::boolean);
  if (type == "string") return v.is(ValueKind::text);
  return v.constant() || v.is(ValueKind::text);
}

// Some value of the type of a const: by its annotation, so that nothing that depends on another
// override is computed too early, or else by its value.
Value declared_kind(Elaboration& e, GlobalValue& g) {
  const auto& type = g.constant->type.dtype;
  if (type && type->text == "int") return number_value(0, true);
  if (type && type->text == "float") return number_value(0, false);
  if (type && type->text == "bool") return boolean_value(false);
  if (type && type->text == "string") return text_value("");
  return global_value(e, g);
}

std::optional<Value> parse_override(const std::string& text, const Value& declared) {
  if (declared.is(ValueKind::text)) return text_value(text);
  if (declared.is(ValueKind::boolean)) {
    if (text == "true" || text == "1") return boolean_value(true);
    if (text == "false" || text == "0") return boolean_value(false);
    return std::nullopt;
  }
  double x = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), x);
  if (failure != std::errc() || end != text.data() + text.size() || !std::isfinite(x)) {
    return std::nullopt;
  }
  const bool integer = text.find_first_of(".eE") == std::string::npos;
  if (declared.integer && !(integer && std::fabs(x) <= 9007199254740992.0)) return std::nullopt;
  return number_value(x, declared.integer);
}

// A dim's size: of a bounded one a run-time number, unless -D fixes it.
Value dim_value(Elaboration& e, const ast::DimDecl& d, const Value& size) {
  if (size.poisoned()) return {};
  const auto extent = extent_of(size);
  if (!extent || !extent->is_fixed() || extent->offset < 1 || extent->offset > max_extent_value) {
    e.error("bad-extent", d.size.span,
            fmt::format("the size of dim {} must be a whole number from 1 to {}, not {}",
                        in_quotes(d.name.text), max_extent_value, describe(e, size)));
    return {};
  }
  if (const auto given = e.options.constants.find(d.name.text);
      given != e.options.constants.end()) {
    const auto n = parse_override(given->second, number_value(1, true));
    const std::int64_t most = d.bounded ? extent->offset : max_extent_value;
    if (n && n->number >= 1 && n->number <= static_cast<double>(most)) return *n;
    e.error("bad-override", d.name.span,
            fmt::format("-D {}={}: the size of this dim must be a whole number from 1 to {}",
                        d.name.text, given->second, most));
    return {};
  }
  if (!d.bounded) return size;
  return size_value(Extent(e.graph.add_dim({d.name.text, extent->offset})));
}

const ast::Name* value_name(const ast::Item& item) {
  if (const auto* dim = std::get_if<ast::DimDecl>(&item.what)) return &dim->name;
  if (const auto* constant = std::get_if<ast::ConstDecl>(&item.what)) return &constant->name;
  return nullptr;
}

GlobalValue& declare_value(std::map<std::string, GlobalValue>& values, const ast::Item& item) {
  const ast::Name& name = *value_name(item);
  GlobalValue value;
  value.dim = std::get_if<ast::DimDecl>(&item.what);
  value.constant = std::get_if<ast::ConstDecl>(&item.what);
  value.span = name.span;
  return values.emplace(name.text, std::move(value)).first->second;
}

void declare_name(Elaboration& e, Declarations& d, const ast::Name& name) {
  auto report = [&](Span first, std::string_view kind) {
    std::vector<Note> notes;
    if (first.valid()) notes.push_back({first, "first declared here"});
    e.error("duplicate-name", name.span, fmt::format("{} {}", in_quotes(name.text), kind),
            std::move(notes));
  };
  if (auto it = d.values.find(name.text); it != d.values.end()) {
    report(it->second.span, "is declared twice");
  } else if (auto at = d.definitions.find(name.text); at != d.definitions.end()) {
    report(at->second->name.span, "is declared twice");
  } else if (is_builtin_function(name.text) || is_reserved(name.text)) {
    report({}, "is part of the language and cannot be declared");
  }
}

}  // namespace

bool is_builtin_function(std::string_view name) {
  return function_named(name).has_value() ||
         std::find(std::begin(special_functions), std::end(special_functions), name) !=
             std::end(special_functions);
}

void declare(Elaboration& e, const ast::File& file) {
  Declarations& d = e.user;
  for (const ast::Item& item : file.items) {
    if (std::holds_alternative<ast::Broken>(item.what)) e.broken_items = true;
    if (const ast::Name* name = value_name(item)) {
      declare_name(e, d, *name);
      declare_value(d.values, item);
    }
    if (const auto* definition = std::get_if<ast::Definition>(&item.what)) {
      declare_name(e, d, definition->name);
      d.definitions.emplace(definition->name.text, definition);
    }
  }
}

void apply_overrides(Elaboration& e) {
  for (const auto& [name, text] : e.options.constants) {
    const auto it = e.user.values.find(name);
    if (it == e.user.values.end()) {
      std::vector<std::string_view> names;
      for (const auto& [key, value] : e.user.values) names.push_back(key);
      const auto near = nearest_name(name, names);
      e.error("unknown-constant", {},
              fmt::format("-D {0}={1}: the spec declares no const or dim '{0}'{2}", name, text,
                          near ? fmt::format("; did you mean '{}'?", *near) : std::string()));
      continue;
    }
    GlobalValue& g = it->second;
    if (g.dim != nullptr) continue;  // dim_value sees to it
    const Value declared = declared_kind(e, g);
    if (declared.poisoned()) continue;
    const auto value = parse_override(text, declared);
    if (!value) {
      e.error("bad-override", g.span,
              fmt::format("-D {}={}: not a value of the type of this const", name, text));
      continue;
    }
    g.value = *value;
    g.state = GlobalValue::done;
  }
  // What was computed from an old value is computed again.
  for (auto& [name, g] : e.user.values) {
    if (g.dim != nullptr || e.options.constants.count(name) == 0) g.state = GlobalValue::unseen;
  }
}

const Value& global_value(Elaboration& e, GlobalValue& g) {
  const ast::Name& name = g.dim != nullptr ? g.dim->name : g.constant->name;
  if (g.state == GlobalValue::done) return g.value;
  if (g.state == GlobalValue::visiting) {
    e.error("cyclic-constant", name.span,
            fmt::format("the value of {} depends on itself", in_quotes(name.text)));
    return g.value;
  }
  g.state = GlobalValue::visiting;
  Scope scope;
  scope.in_prelude = name.span.file == 0;
  scope.first_index = e.indices.size();
  scope.first_ellipsis = e.ellipses.size();
  const std::vector<CallFrame> calls = std::exchange(e.calls, {});
  const ast::Expr& expr = g.dim != nullptr ? g.dim->size : g.constant->value;
  const bool is_int =
      g.dim != nullptr || (g.constant->type.dtype && g.constant->type.dtype->text == "int");
  Value v = evaluate(e, scope, expr, is_int ? Position::integer : Position::real);
  e.calls = calls;
  if (g.dim != nullptr) {
    v = dim_value(e, *g.dim, v);
  } else if (!v.poisoned()) {
    const auto& type = g.constant->type.dtype;
    if (type && type->text != "int" && type->text != "float" && type->text != "bool" &&
        type->text != "string") {
      e.error(
          "unknown-type", type->span,
          fmt::format("a const is an int, float, bool or string, not {}", in_quotes(type->text)));
      v = {};
    } else if (!fits_const_type(v, type ? std::string_view(type->text) : std::string_view())) {
      e.error("not-compile-time", expr.span,
              fmt::format("const {} is {}, but this is {}", in_quotes(name.text),
                          type ? fmt::format("declared '{}'", type->text)
                               : std::string("to be known at compile time"),
                          describe(e, v)));
      v = {};
    } else if (type && type->text == "float") {
      v.integer = false;
    }
  }
  g.state = GlobalValue::done;
  g.value = std::move(v);
  return g.value;
}

const ast::Definition* find_definition(Elaboration& e, const Scope& scope,
                                       const std::string& name) {
  if (!scope.in_prelude) {
    if (auto it = e.user.definitions.find(name); it != e.user.definitions.end()) return it->second;
  }
  return e.prelude.definition(name);
}

std::optional<Value> find_value(Elaboration& e, const Scope& scope, const std::string& name) {
  for (std::size_t k = e.indices.size(); k > scope.first_index; --k) {
    if (e.indices[k - 1].name == name) return scalar_value(e.indices[k - 1].value);
  }
  if (auto it = scope.locals.find(name); it != scope.locals.end()) return it->second.value;
  const Unit* unit = scope.definition != nullptr ? &e.unit : nullptr;
  if (auto value = builtin_value(name, unit)) return value;
  if (!scope.in_prelude) {
    if (auto it = e.user.values.find(name); it != e.user.values.end()) {
      return global_value(e, it->second);
    }
  }
  const ast::Item* item = e.prelude.item(name);
  if (item != nullptr && value_name(*item) != nullptr)
    return global_value(e, declare_value(e.prelude_values, *item));
  return std::nullopt;
}

void unknown_name(Elaboration& e, const Scope& scope, std::string_view id, const ast::Name& name,
                  const std::string& message, const std::vector<std::string>& candidates) {
  if (scope.silent || e.broken_items) return;
  const std::vector<std::string_view> views(candidates.begin(), candidates.end());
  const auto near = nearest_name(name.text, views);
  Diagnostic& d =
      e.error(id, name.span,
              near ? fmt::format("{}; did you mean {}?", message, in_quotes(*near)) : message);
  if (near) d.fixit = FixIt{name.span, std::string(*near)};
}

std::optional<Value> parameter_at(Elaboration& e, const Scope& scope, const std::string& path) {
  const std::string own = scope.path.empty() ? path : scope.path + "." + path;
  auto given = e.replaced.find(own);
  if (given != e.replaced.end()) {
    given->second.used = true;
    return given->second.value;
  }
  auto found = e.parameters.find(own);
  if (found == e.parameters.end()) found = e.parameters.find(path);
  const bool learnt =
      found != e.parameters.end() && e.graph[found->second].kind == NodeKind::parameter;
  if (!learnt) return std::nullopt;
  const std::string net = found->first.substr(0, found->first.find('.'));
  std::vector<std::string>& nets = e.unit.nets;
  if (net != e.unit.name && std::find(nets.begin(), nets.end(), net) == nets.end()) {
    nets.push_back(net);
  }
  std::vector<NodeId>& met = e.unit.parameters;
  if (std::find(met.begin(), met.end(), found->second) == met.end()) met.push_back(found->second);
  return node_value(e, found->second);
}

namespace {

// A name with dots.
Value lookup_path(Elaboration& e, const Scope& scope, const ast::Name& name) {
  if (auto v = parameter_at(e, scope, name.text)) return *v;
  std::vector<std::string> names;
  for (const auto& [path, id] : e.parameters) {
    names.push_back(path);
    const std::string own = scope.path + ".";
    if (path.compare(0, own.size(), own) == 0) names.push_back(path.substr(own.size()));
  }
  unknown_name(
      e, scope, "unknown-parameter", name,
      fmt::format("there is no parameter {} by now; a path leads from a net, or from here, "
                  "through the names of layers used before",
                  in_quotes(name.text)),
      names);
  return {};
}

}  // namespace

Value lookup(Elaboration& e, Scope& scope, const ast::Name& name, bool in_subscript) {
  if (name.text.find('.') != std::string::npos) return lookup_path(e, scope, name);
  if (auto v = find_value(e, scope, name.text)) return *v;
  if (const ast::Definition* d = find_definition(e, scope, name.text)) {
    if (d->kind == ast::DefinitionKind::op && !has_required_parameters(*d)) {
      ast::Expr call;
      call.kind = ast::ExprKind::call;
      call.name = name;
      call.span = name.span;
      return evaluate_call(e, scope, call, Position::real);
    }
    e.error("not-a-value", name.span,
            fmt::format("{} is {}; call it: '{}(…)'", in_quotes(name.text),
                        word_with_article(d->kind), name.text));
    return {};
  }
  if (is_builtin_function(name.text)) {
    e.error("not-a-value", name.span,
            fmt::format("'{0}' is a function; call it: '{0}(…)'", name.text));
    return {};
  }
  if (name.text == "training") {
    e.error("unknown-name", name.span,
            "'training' is known in the bodies of ops, layers, nets and steps only");
    return {};
  }
  std::vector<std::string> names;
  for (std::size_t k = scope.first_index; k < e.indices.size(); ++k) {
    names.push_back(e.indices[k].name);
  }
  for (const auto& [key, binding] : scope.locals) {
    if (!in_subscript || !binding.value.is(ValueKind::tensor)) names.push_back(key);
  }
  for (const auto& [key, value] : e.user.values) {
    // An index is no misspelt dim: `b` is not `B`.
    if (!scope.in_prelude && !in_subscript) names.push_back(key);
  }
  std::erase(names, "..");
  const bool in_indices = e.indices.size() > scope.first_index;
  if (in_subscript) {
    unknown_name(
        e, scope, "unbound-index", name,
        fmt::format("'{0}' is no index here: bind it on the left of '=', or reduce over it with "
                    "'sum[{0}] …'",
                    name.text),
        names);
  } else {
    unknown_name(
        e, scope, "unknown-name", name,
        fmt::format("unknown name{} {}", in_indices ? " or index" : "", in_quotes(name.text)),
        names);
  }
  return {};
}

bool bind(Elaboration& e, Scope& scope, const ast::Name& name, Value value) {
  if (is_reserved(name.text)) {
    e.error("duplicate-name", name.span,
            fmt::format("{} is part of the language and cannot be assigned", in_quotes(name.text)));
    return false;
  }
  const auto [it, fresh] = scope.locals.try_emplace(name.text, Binding{value, name.span});
  if (fresh) return true;
  if (!scope.rounds.empty()) {
    Round& round = scope.rounds.back();
    if (round.outside.count(name.text) != 0 && round.given.insert(name.text).second) {
      it->second = Binding{std::move(value), name.span};
      return true;
    }
  }
  std::vector<Note> notes;
  if (it->second.span.valid()) notes.push_back({it->second.span, "first here"});
  e.error("duplicate-name", name.span,
          scope.rounds.empty()
              ? fmt::format("{} is assigned twice; a name keeps its value", in_quotes(name.text))
              : fmt::format("{} is assigned twice; a round of a loop gives a name one value",
                            in_quotes(name.text)),
          std::move(notes));
  return false;
}

}  // namespace gradc

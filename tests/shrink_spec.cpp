// shrink_spec.cpp: edits of the syntax of a spec, tried one after the other until none of them leaves the failure.
#include "tests/shrink_spec.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "dsl/ast_to_graph.h"
#include "dsl/ast_to_text.h"
#include "dsl/check.h"
#include "dsl/text_to_ast.h"
#include "tests/process.h"

namespace test {
namespace {

using namespace gradc;
using ast::Expr;
using ast::ExprKind;

ast::File parsed(const std::string& text) {
  Sources sources;
  Diagnostics none;
  sources.add("prelude.nn", "");
  const std::uint32_t file = sources.add("spec.nn", text);
  return text_to_ast(sources, file, none);
}

struct Elaborated {
  bool accepted = false;
  std::map<std::string, std::pair<std::string, std::vector<std::string>>> values;  // their dtypes and extents
};

// The types of named values; of an extent its number, or the name of its dim.
Elaborated elaborated(const std::string& text) {
  const TemporaryFolder folder;
  write_text(folder.path() / "spec.nn", text);
  Sources sources;
  Diagnostics diagnostics;
  Elaborated result;
  try {
    const Spec spec = ast_to_graph((folder.path() / "spec.nn").string(), {}, sources, diagnostics);
    result.accepted = diagnostics.all().empty();
    for (std::uint32_t k = 0; k < spec.graph.node_count() && result.accepted; ++k) {
      const std::string& name = spec.graph.label(NodeId{k}).name;
      const TensorType& type = spec.graph[NodeId{k}].type;
      std::vector<std::string> extents;
      bool plain = !name.empty();
      for (const Extent& e : type.shape) {
        plain = plain && (e.is_fixed() || (e.scale == 1 && e.offset == 0));
        if (plain) extents.push_back(e.is_fixed() ? std::to_string(e.offset) : spec.graph.dim(e.dim).name);
      }
      constexpr const char* dtypes[] = {"bool", "i32", "f32", "f64"};
      if (plain) result.values[name] = {dtypes[static_cast<std::size_t>(type.dtype)], std::move(extents)};
    }
  } catch (const InternalError&) {
    result.accepted = true;  // no word against it
  }
  return result;
}

Expr number(double value) {
  Expr e;
  e.kind = ExprKind::number;
  e.number = value;
  return e;
}
Expr named(const std::string& text) {
  Expr e;
  e.kind = ExprKind::name;
  e.name.text = text;
  return e;
}

// Counts the edits there are, and makes number `wanted`.
class Editor {
 public:
  Editor(ast::File& f, std::size_t wanted, const Elaborated& e) : file(f), wanted_(wanted), values_(e) {}

  bool run() {
    remove_from(file.items);
    for (ast::Item& item : file.items) {
      if (auto* d = std::get_if<ast::Definition>(&item.what)) definition(*d);
      if (auto* d = std::get_if<ast::DimDecl>(&item.what)) size(d->size, 1);
    }
    for (ast::Item& item : file.items) {
      if (auto* d = std::get_if<ast::Definition>(&item.what)) inside(*d);
    }
    return done_;
  }

 private:
  // True once: when it is the turn of this edit.
  bool turn() {
    if (done_ || count_++ != wanted_) return false;
    return done_ = true;
  }

  template <class T>
  void remove_from(std::vector<T>& list, std::size_t least = 0) {
    for (std::size_t k = list.size(); k-- > 0 && list.size() > least && !done_;) {
      if (turn()) list.erase(list.begin() + static_cast<std::ptrdiff_t>(k));
    }
  }

  // All definitions' expressions and statements.
  template <class Visit>
  void for_each_call(std::vector<ast::Statement>& body, const std::string& of, Visit&& visit) {
    for (ast::Statement& s : body) {
      if (auto* a = std::get_if<ast::Assign>(&s.what)) {
        if (a->value.kind == ExprKind::call && a->value.name.text == of) visit(*a);
      }
    }
  }
  template <class Visit>
  void for_each_call(const std::string& of, Visit&& visit) {
    for (ast::Item& item : file.items) {
      if (auto* d = std::get_if<ast::Definition>(&item.what)) for_each_call(d->body, of, visit);
    }
  }

  void definition(ast::Definition& d) {
    const bool emitted = d.kind == ast::DefinitionKind::net || d.kind == ast::DefinitionKind::step;
    // A result, and what calls take of it.
    for (std::size_t k = 0; k < d.results.size() && d.results.size() > 1 && !done_; ++k) {
      if (!turn()) continue;
      d.results.erase(d.results.begin() + static_cast<std::ptrdiff_t>(k));
      for_each_call(d.name.text, [&](ast::Assign& a) {
        if (a.targets.size() > k) a.targets.erase(a.targets.begin() + static_cast<std::ptrdiff_t>(k));
      });
    }
    // A parameter, and what calls give for it.
    for (std::size_t k = d.parameters.size(); emitted && k-- > 0 && !done_;) {
      if (!turn()) continue;
      d.parameters.erase(d.parameters.begin() + static_cast<std::ptrdiff_t>(k));
      for_each_call(d.name.text, [&](ast::Assign& a) {
        if (a.value.arguments.size() > k) a.value.arguments.erase(a.value.arguments.begin() + static_cast<std::ptrdiff_t>(k));
      });
    }
    remove_from(d.body);
    put_in_place(d);
    // An input in the place of a value.
    for (std::size_t k = d.body.size(); d.kind == ast::DefinitionKind::net && k-- > 0 && !done_;) {
      std::string name;
      if (auto* a = std::get_if<ast::Assign>(&d.body[k].what)) name = a->targets[0].name.text;
      if (auto* p = std::get_if<ast::Param>(&d.body[k].what)) name = p->name.text;
      if (std::holds_alternative<ast::Recur>(d.body[k].what)) {
        auto& block = std::get<ast::Recur>(d.body[k].what).body;
        if (!block.empty()) name = std::get<ast::Assign>(block.back().what).targets[0].name.text;
      }
      const auto it = values_.values.find(name);
      const bool result = std::any_of(d.results.begin(), d.results.end(), [&](const auto& r) { return r.name.text == name; });
      if (it == values_.values.end() || result || !turn()) continue;
      d.body.erase(d.body.begin() + static_cast<std::ptrdiff_t>(k));
      add_input(d, name, it->second.first, it->second.second);
    }
  }

  // A whole value in the place of its name, for which a loop may stand that gives it one value. (What a loop adds up is
  // another value then, which may fail as well.)
  void put_in_place(ast::Definition& d) {
    for (std::size_t k = 0; k < d.body.size() && !done_; ++k) {
      const auto* loop = std::get_if<ast::For>(&d.body[k].what);
      const bool single = loop != nullptr && loop->body.size() == 1;
      const auto* a = std::get_if<ast::Assign>(single ? &loop->body[0].what : &d.body[k].what);
      if (a == nullptr || a->targets.size() != 1 || a->targets[0].indexed) continue;
      const std::string name = a->targets[0].name.text;
      const bool result = std::any_of(d.results.begin(), d.results.end(), [&](const auto& r) { return r.name.text == name; });
      if (result || !turn()) continue;
      const Expr value = a->value;
      d.body.erase(d.body.begin() + static_cast<std::ptrdiff_t>(k));
      for (; k < d.body.size(); ++k) replace(d.body[k], name, value);
    }
  }
  static void replace(ast::Statement& s, const std::string& name, const Expr& by) {
    if (auto* a = std::get_if<ast::Assign>(&s.what)) replace(a->value, name, by);
    if (auto* loop = std::get_if<ast::For>(&s.what)) {
      for (ast::Statement& inner : loop->body) replace(inner, name, by);
    }
  }
  static void replace(Expr& e, const std::string& name, const Expr& by) {
    if (e.kind == ExprKind::name && e.name.text == name) {
      e = by;
      return;
    }
    for (Expr& a : e.args) replace(a, name, by);
    for (ast::Argument& a : e.arguments) replace(a.value, name, by);
  }

  void add_input(ast::Definition& net, const std::string& name, const std::string& dtype,
                 const std::vector<std::string>& extents) {
    ast::Parameter p;
    p.name.text = name;
    p.type.dtype = ast::Name{dtype, {}};
    p.type.has_shape = true;
    for (const std::string& e : extents) {
      Expr extent = named(e);
      if (e[0] >= '0' && e[0] <= '9') extent = number(std::stod(e)), extent.integer = true;
      p.type.shape.push_back(extent);
    }
    net.parameters.push_back(p);
    for (ast::Item& item : file.items) {
      auto* step = std::get_if<ast::Definition>(&item.what);
      if (step == nullptr || step->kind != ast::DefinitionKind::step) continue;
      step->parameters.push_back(p);
      for_each_call(step->body, net.name.text, [&](ast::Assign& a) {
        a.value.arguments.push_back({std::nullopt, named(name)});
      });
    }
  }

  void inside(ast::Definition& d) {
    for (Expr& e : d.value) expression(e);
    for (ast::Parameter& p : d.parameters) remove_from(p.type.shape);
    for (ast::Parameter& p : d.results) remove_from(p.type.shape);
    statements(d.body);
  }

  void statements(std::vector<ast::Statement>& body) {
    for (std::size_t k = 0; k < body.size() && !done_; ++k) {
      auto& what = body[k].what;
      if (auto* a = std::get_if<ast::Assign>(&what)) {
        for (ast::Target& t : a->targets) indices(t.indices);
        expression(a->value);
      } else if (auto* p = std::get_if<ast::Param>(&what)) {
        remove_from(p->type.shape);
        expression(p->initializer);
      } else if (auto* m = std::get_if<ast::Minimize>(&what)) {
        expression(m->loss);
        if (!m->optimizer.arguments.empty() && turn()) m->optimizer = parsed_optimizer();
      } else if (auto* loop = std::get_if<ast::For>(&what)) {
        if (turn()) unpack(body, k, loop->body);
        else statements(loop->body);
      } else if (auto* choice = std::get_if<ast::If>(&what)) {
        if (turn()) unpack(body, k, choice->body);
        else if (turn()) unpack(body, k, choice->otherwise);
      } else if (auto* recur = std::get_if<ast::Recur>(&what)) {
        remove_from(recur->body);
        statements(recur->body);
      } else if (auto* report = std::get_if<ast::Report>(&what)) {
        for (auto& item : report->items) {
          for (Expr& e : item.value) expression(e);
        }
      }
    }
  }
  static Expr parsed_optimizer() {
    Expr e;
    e.kind = ExprKind::call;
    e.name.text = "sgd";
    return e;
  }
  static void unpack(std::vector<ast::Statement>& body, std::size_t k, std::vector<ast::Statement> what) {
    body.erase(body.begin() + static_cast<std::ptrdiff_t>(k));
    body.insert(body.begin() + static_cast<std::ptrdiff_t>(k), what.begin(), what.end());
  }

  void indices(std::vector<ast::Index>& list) {
    remove_from(list);
    for (ast::Index& i : list) {
      if (i.range.size() == 2 && turn()) i.range.clear();
      if (i.range.size() == 2) size(i.range[1], 0);
    }
  }

  void size(Expr& e, double least) {
    if (e.kind != ExprKind::number || e.number <= least) return;
    for (const double smaller : {least, std::floor(e.number / 2), e.number - 1}) {
      if (smaller >= least && smaller < e.number && turn()) e.number = smaller;
    }
  }

  void expression(Expr& e) {
    if (done_) return;
    // The parts alone, from the largest; then a number.
    std::vector<Expr> parts = e.kind == ExprKind::subscript ? std::vector<Expr>{} : e.args;
    for (const ast::Argument& a : e.arguments) parts.push_back(a.value);
    for (const Expr& part : parts) {
      if (!turn()) continue;
      const Expr kept = part;
      e = kept;
      return;
    }
    const bool is_number = e.kind == ExprKind::number;
    if (!is_number && turn()) {
      e = number(1);
      return;
    }
    if (!is_number && turn()) {
      e = number(0);
      e.integer = true;
      return;
    }
    if (is_number && e.integer) size(e, 0);
    if (is_number && !e.integer && e.number != 1 && turn()) e.number = 1;
    if (!e.pad.empty() && turn()) e.pad.clear();
    if (e.kind == ExprKind::subscript) remove_from(e.args);
    indices(e.indices);
    for (Expr& a : e.args) expression(a);
    for (ast::Argument& a : e.arguments) expression(a.value);
  }

  ast::File& file;
  std::size_t wanted_, count_ = 0;
  bool done_ = false;
  const Elaborated& values_;
};

}  // namespace

SeededSpec shrink_spec(SeededSpec spec, const SpecProblem& problem, SpecCheck check) {
  const bool refused = problem.kind.starts_with("refused");
  check.run = problem.when_run;
  check.gradients = !problem.when_run;
  const std::size_t together = problem.when_run ? 24 : 1;  // in one program
  std::size_t first = 0;  // where the last edit was made, others are likely
  for (bool smaller = true; smaller;) {
    smaller = false;
    const ast::File file = parsed(spec.text);
    const Elaborated values = elaborated(spec.text);
    std::size_t all = 0;
    for (ast::File edited = file; Editor(edited, all, values).run(); edited = file) ++all;
    for (std::size_t tried = 0; tried < all && !smaller;) {
      std::vector<SeededSpec> candidates;
      std::vector<std::size_t> edits;
      for (; tried < all && candidates.size() < together; ++tried) {
        const std::size_t number = (first + tried) % all;
        ast::File edited = file;
        Editor(edited, number, values).run();
        std::string text = ast_to_text(edited);
        if (text == spec.text || (!refused && !elaborated(text).accepted)) continue;
        candidates.push_back({spec.seed, std::move(text)});
        edits.push_back(number);
      }
      SpecCounts ignored;
      const std::vector<SpecProblem> found = check_specs(candidates, check, ignored);
      std::size_t least = std::string::npos;
      for (std::size_t k = 0; k < found.size(); ++k) {
        if (found[k].kind != problem.kind || candidates[k].text.size() >= least) continue;
        least = candidates[k].text.size();
        spec = candidates[k];
        first = edits[k];
        smaller = true;
      }
    }
  }
  return spec;
}

}  // namespace test

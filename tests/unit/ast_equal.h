// ast_equal.h: equality of syntax, but for spans.
#pragma once

#include "dsl/ast.h"

namespace test {

namespace ast = gradc::ast;

// Overloads in one class, since each may call any other.
struct Syntax {
  template <class T, class Same>
  static bool all(const std::vector<T>& a, const std::vector<T>& b, Same same) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
      if (!same(a[i], b[i])) return false;
    return true;
  }
  template <class T>
  static bool equal(const std::vector<T>& a, const std::vector<T>& b) {
    return all(a, b, [](const T& x, const T& y) { return equal(x, y); });
  }
  template <class T>
  static bool equal(const std::optional<T>& a, const std::optional<T>& b) {
    return a.has_value() == b.has_value() && (!a || equal(*a, *b));
  }

  static bool equal(const ast::Name& a, const ast::Name& b) { return a.text == b.text; }
  static bool equal(const ast::Expr& a, const ast::Expr& b) {
    return a.kind == b.kind && a.height == b.height && a.op == b.op && a.number == b.number &&
           a.integer == b.integer && equal(a.name, b.name) && equal(a.label, b.label) &&
           a.piped == b.piped && equal(a.args, b.args) && equal(a.arguments, b.arguments) &&
           equal(a.indices, b.indices) && equal(a.pad, b.pad);
  }
  static bool equal(const ast::Argument& a, const ast::Argument& b) {
    return equal(a.name, b.name) && equal(a.value, b.value);
  }
  static bool equal(const ast::Index& a, const ast::Index& b) {
    return equal(a.name, b.name) && equal(a.range, b.range) && equal(a.position, b.position);
  }
  static bool equal(const ast::Type& a, const ast::Type& b) {
    return equal(a.dtype, b.dtype) && a.has_shape == b.has_shape && equal(a.shape, b.shape);
  }
  static bool equal(const ast::Parameter& a, const ast::Parameter& b) {
    return equal(a.name, b.name) && equal(a.type, b.type) &&
           equal(a.default_value, b.default_value);
  }
  static bool equal(const ast::Target& a, const ast::Target& b) {
    return equal(a.name, b.name) && a.indexed == b.indexed && equal(a.indices, b.indices);
  }

  static bool equal(const ast::Broken&, const ast::Broken&) { return false; }
  static bool equal(const ast::Assign& a, const ast::Assign& b) {
    return equal(a.targets, b.targets) && equal(a.value, b.value);
  }
  static bool equal(const ast::Param& a, const ast::Param& b) {
    return equal(a.name, b.name) && equal(a.type, b.type) && equal(a.initializer, b.initializer) &&
           equal(a.condition, b.condition);
  }
  static bool equal(const ast::State& a, const ast::State& b) {
    return equal(a.name, b.name) && equal(a.type, b.type) && equal(a.initial, b.initial) &&
           equal(a.condition, b.condition);
  }
  static bool equal(const ast::Minimize& a, const ast::Minimize& b) {
    return equal(a.loss, b.loss) && equal(a.over, b.over) && equal(a.except, b.except) &&
           equal(a.optimizer, b.optimizer);
  }
  static bool equal(const ast::Report& a, const ast::Report& b) {
    return all(a.items, b.items, [](const auto& x, const auto& y) {
      return equal(x.name, y.name) && equal(x.value, y.value);
    });
  }
  static bool equal(const ast::For& a, const ast::For& b) {
    return equal(a.index, b.index) && equal(a.body, b.body);
  }
  static bool equal(const ast::If& a, const ast::If& b) {
    return equal(a.condition, b.condition) && equal(a.body, b.body) &&
           equal(a.otherwise, b.otherwise);
  }
  static bool equal(const ast::LoadDecl& a, const ast::LoadDecl& b) {
    return equal(a.path, b.path) && all(a.mappings, b.mappings, [](const auto& x, const auto& y) {
             return equal(x.from, y.from) && equal(x.to, y.to);
           });
  }
  static bool equal(const ast::Recur& a, const ast::Recur& b) {
    return equal(a.time, b.time) && equal(a.body, b.body);
  }
  static bool equal(const ast::DataDecl& a, const ast::DataDecl& b) {
    return equal(a.name, b.name) && equal(a.source, b.source);
  }
  static bool equal(const ast::SplitDecl& a, const ast::SplitDecl& b) {
    return equal(a.data, b.data) && equal(a.seed, b.seed) &&
           all(a.parts, b.parts, [](const auto& x, const auto& y) {
             return equal(x.name, y.name) && x.percent == y.percent;
           });
  }
  static bool equal(const ast::DataName& a, const ast::DataName& b) {
    return equal(a.data, b.data) && equal(a.part, b.part);
  }
  static bool equal(const ast::FitDecl& a, const ast::FitDecl& b) {
    return equal(a.step, b.step) && equal(a.on, b.on) && equal(a.epochs, b.epochs) &&
           equal(a.batch, b.batch) && equal(a.seed, b.seed) && a.shuffle == b.shuffle;
  }
  static bool equal(const ast::TestDecl& a, const ast::TestDecl& b) {
    return equal(a.step, b.step) && equal(a.on, b.on) && equal(a.with, b.with);
  }
  static bool equal(const ast::ShowDecl& a, const ast::ShowDecl& b) {
    return equal(a.net, b.net) && equal(a.on, b.on) && equal(a.examples, b.examples) &&
           equal(a.path, b.path) && equal(a.with, b.with);
  }
  static bool equal(const ast::ScoreDecl& a, const ast::ScoreDecl& b) {
    return equal(a.metrics, b.metrics) && equal(a.net, b.net) && equal(a.output, b.output) &&
           equal(a.target, b.target) && equal(a.on, b.on) && equal(a.threshold, b.threshold) && equal(a.with, b.with);
  }
  static bool equal(const ast::SaveDecl& a, const ast::SaveDecl& b) {
    return equal(a.path, b.path) && equal(a.with, b.with);
  }
  template <class A>
  static bool same_variant(const A& a, const A& b) {
    if (a.index() != b.index()) return false;
    return std::visit(
        [&](const auto& x) { return equal(x, std::get<std::decay_t<decltype(x)>>(b)); }, a);
  }
  static bool equal(const ast::Statement& a, const ast::Statement& b) {
    return same_variant(a.what, b.what);
  }
  static bool equal(const ast::ProgramStatement& a, const ast::ProgramStatement& b) {
    return same_variant(a.what, b.what);
  }

  static bool equal(const ast::Import& a, const ast::Import& b) { return a.path == b.path; }
  static bool equal(const ast::DimDecl& a, const ast::DimDecl& b) {
    return equal(a.name, b.name) && a.bounded == b.bounded && equal(a.size, b.size);
  }
  static bool equal(const ast::ConstDecl& a, const ast::ConstDecl& b) {
    return equal(a.name, b.name) && equal(a.type, b.type) && equal(a.value, b.value);
  }
  static bool equal(const ast::Definition& a, const ast::Definition& b) {
    return a.kind == b.kind && equal(a.name, b.name) && equal(a.parameters, b.parameters) &&
           equal(a.results, b.results) && equal(a.body, b.body) && equal(a.value, b.value) &&
           a.custom == b.custom && equal(a.gradient, b.gradient);
  }
  static bool equal(const ast::ProgramDecl& a, const ast::ProgramDecl& b) {
    return equal(a.statements, b.statements);
  }
  static bool equal(const ast::Item& a, const ast::Item& b) { return same_variant(a.what, b.what); }
  static bool equal(const ast::File& a, const ast::File& b) { return equal(a.items, b.items); }
};

inline bool equal(const ast::File& a, const ast::File& b) {
  return Syntax::equal(a, b);
}

}  // namespace test

// ast_to_text.cpp: the canonical layout of a spec: one statement a line, parentheses only where
// needed.
#include "dsl/ast_to_text.h"

#include <fmt/format.h>

#include <cmath>

#include "dsl/check.h"
#include "dsl/expression_chain.h"

namespace gradc {
namespace {

using ast::Expr;
using ast::ExprKind;

constexpr int pipe_precedence = 0;
constexpr int like_precedence = power_precedence + 1;
constexpr int operand_precedence = like_precedence + 1;

template <class T, class Print>
std::string joined(const std::vector<T>& parts, Print print) {
  std::string s;
  for (const T& part : parts) s += (s.empty() ? "" : ", ") + print(part);
  return s;
}

std::string quoted(std::string_view text) {
  std::string s = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') s += '\\';
    s += c;
  }
  return s + '"';
}

std::string number_text(const Expr& e) {
  if (e.integer) return fmt::format("{:.0f}", e.number);
  std::string s = fmt::format("{}", e.number);
  return s.find_first_of(".e") == s.npos ? s + ".0" : s;
}

int precedence(const Expr& e) {
  switch (e.kind) {
    case ExprKind::unary:
      return e.op == "-" ? minus_precedence : not_precedence;
    case ExprKind::binary:
      return infix_precedence(token_kind(e.op));
    case ExprKind::reduce:
      return reduction_precedence;
    case ExprKind::choice:
      return pipe_precedence;
    case ExprKind::call:
      return e.piped ? pipe_precedence : operand_precedence;
    case ExprKind::like:
      return like_precedence;
    default:
      return operand_precedence;
  }
}

std::string print(const Expr&);

// Whether the text of e ends in a prefix operator's operand that would swallow an operator of
// precedence p written behind it: `2 * -x` before `^`, `a * sum[i] x` before `*`.
bool swallows(const Expr& e, int p) {
  const Expr* last = &e;
  for (;;) {
    const bool prefix = last->kind == ExprKind::unary || last->kind == ExprKind::reduce;
    if (prefix && precedence(*last) < p) return true;
    if (!prefix && last->kind != ExprKind::binary) return false;
    last = &last->args.back();
    if (precedence(*last) == pipe_precedence) return false;  // it stands in parentheses
  }
}

std::string in_parentheses(const Expr& e) {
  return fmt::format("({})", print(e));
}

std::string binary(const Expr& e) {
  const int p = precedence(e);
  const bool comparison = p == infix_precedence(token_kind("=="));
  const bool power = p == power_precedence;
  const Expr& left = e.args[0];
  const Expr& right = e.args[1];
  const int left_precedence = precedence(left);
  const bool wrap_left =
      left_precedence < p || (left_precedence == p && (comparison || power)) || swallows(left, p);
  // A prefix operator may stand to the right of a tighter one: its operand ends where it would
  // anyway.
  const bool prefix = right.kind == ExprKind::unary || right.kind == ExprKind::reduce;
  const bool wrap_right = prefix ? right.op == "not" && p > not_precedence
                                 : precedence(right) < p || (precedence(right) == p && !power);
  return fmt::format("{} {} {}", wrap_left ? in_parentheses(left) : print(left), e.op,
                     wrap_right ? in_parentheses(right) : print(right));
}

std::string index_text(const ast::Index& i) {
  if (!i.position.empty()) return print(i.position[0]);
  if (i.range.empty()) return i.name.text;
  return fmt::format("{} in {}..{}", i.name.text, print(i.range[0]), print(i.range[1]));
}

std::string call(const Expr& e) {
  std::string s;
  auto rest = e.arguments.begin();
  if (e.piped) {
    GRADC_CHECK(!e.arguments.empty(), "a piped call without its first argument");
    s = print(rest->value) + " |> ";
    ++rest;
  }
  if (e.label) s += e.label->text + ": ";
  s += e.name.text;
  if (e.piped && rest == e.arguments.end()) return s;
  return s + "(" +
         joined(
             std::vector<ast::Argument>(rest, e.arguments.end()),
             [](const auto& a) { return (a.name ? a.name->text + " = " : "") + print(a.value); }) +
         ")";
}

std::string operand(const Expr& e, int least) {
  return precedence(e) < least ? in_parentheses(e) : print(e);
}

std::string print(const Expr& e) {
  switch (e.kind) {
    case ExprKind::number:
      return number_text(e);
    case ExprKind::string:
      return quoted(e.name.text);
    case ExprKind::name:
      return e.name.text;
    case ExprKind::list:
      return "[" + joined(e.args, print) + "]";
    case ExprKind::unary: {
      const bool minus = e.op == "-";
      const bool prefix = e.args[0].kind == ExprKind::unary || e.args[0].kind == ExprKind::reduce;
      const bool bare = prefix && !(minus && e.args[0].op == "not");
      return e.op + (minus ? "" : " ") +
             (bare ? print(e.args[0]) : operand(e.args[0], precedence(e)));
    }
    case ExprKind::binary:
      return binary(e);
    case ExprKind::call:
      return call(e);
    case ExprKind::subscript: {
      const std::string pad = e.pad.empty() ? "" : " pad " + print(e.pad[0]);
      return e.name.text + "[" + joined(e.args, print) + pad + "]";
    }
    case ExprKind::reduce:
      return fmt::format("{}[{}] {}", e.op, joined(e.indices, index_text),
                         operand(e.args[0], reduction_precedence));
    case ExprKind::like:
      return operand(e.args[0], operand_precedence) + " like " +
             operand(e.args[1], operand_precedence);
    case ExprKind::choice:
      return fmt::format("if {} then {} else {}", print(e.args[0]), print(e.args[1]),
                         print(e.args[2]));
    case ExprKind::ellipsis:
      return "..";
  }
  GRADC_UNREACHABLE("an expression of no kind");
}

std::string type_text(const ast::Type& t) {
  return (t.dtype ? t.dtype->text : "") + (t.has_shape ? "[" + joined(t.shape, print) + "]" : "");
}

std::string parameter(const ast::Parameter& p) {
  const std::string type = type_text(p.type);
  const std::string value = p.default_value.empty() ? "" : " = " + print(p.default_value[0]);
  return p.name.text + (p.type.dtype ? ": " : "") + type + value;
}

std::string name_text(const ast::Name& n) {
  return n.text;
}

std::string condition(const std::vector<Expr>& c) {
  return c.empty() ? "" : " if " + print(c[0]);
}

std::string target(const ast::Target& t) {
  return t.name.text + (t.indexed ? "[" + joined(t.indices, index_text) + "]" : "");
}

// ---- One function for each kind of statement and declaration ----

std::string text(const ast::Broken&) {
  return "";
}
std::string text(const ast::Assign& a) {
  return joined(a.targets, target) + " = " + print(a.value);
}
std::string text(const ast::Param& p) {
  return fmt::format("param {}: {} ~ {}{}", p.name.text, type_text(p.type), print(p.initializer),
                     condition(p.condition));
}
std::string text(const ast::State& s) {
  const std::string type = type_text(s.type);
  return fmt::format("state {}{}{} = {}{}", s.name.text, type.empty() ? "" : ": ", type,
                     print(s.initial), condition(s.condition));
}
std::string text(const ast::Minimize& m) {
  const std::string over = m.over.empty() ? "" : " over " + joined(m.over, name_text);
  const std::string except = m.except.empty() ? "" : " except " + joined(m.except, name_text);
  return fmt::format("minimize {}{}{} using {}", print(m.loss), over, except, print(m.optimizer));
}
std::string text(const ast::Report& r) {
  return "report " + joined(r.items, [](const ast::Report::Item& i) {
           return i.name.text + (i.value.empty() ? "" : " = " + print(i.value[0]));
         });
}

template <class Statements>
std::string block(const Statements& statements);

std::string text(const ast::For& f) {
  return fmt::format("for {} {}", index_text(f.index), block(f.body));
}
std::string text(const ast::If& i) {
  const std::string s = fmt::format("if {} {}", print(i.condition), block(i.body));
  if (i.otherwise.empty()) return s;
  const auto* again = std::get_if<ast::If>(&i.otherwise.front().what);
  return s + " else " + (again != nullptr && i.otherwise.size() == 1 ? text(*again) : block(i.otherwise));
}
std::string text(const ast::Recur& r) {
  std::string s = "recur " + index_text(r.time) + " {\n";
  for (const ast::Statement& equation : r.body) {
    if (const auto* a = std::get_if<ast::Assign>(&equation.what)) s += "    " + text(*a) + "\n";
  }
  return s + "  }";
}

std::string text(const ast::DataDecl& d) {
  return fmt::format("data {} = {}", d.name.text, print(d.source));
}
std::string text(const ast::SplitDecl& s) {
  const std::string parts = joined(s.parts, [](const ast::SplitDecl::Part& part) {
    return fmt::format("{} {}%", part.name.text, part.percent);
  });
  return fmt::format("split {} into {}{}", s.data.text, parts,
                     s.seed.empty() ? "" : " seed " + print(s.seed[0]));
}
std::string data_name(const ast::DataName& d) {
  return d.data.text + (d.part ? "." + d.part->text : "");
}
std::string text(const ast::FitDecl& f) {
  std::string s = fmt::format("fit {} on {}", f.step.text, data_name(f.on));
  if (!f.epochs.empty()) s += " for " + print(f.epochs[0]) + " epochs";
  if (!f.batch.empty()) s += " batch " + print(f.batch[0]);
  if (f.shuffle) s += " shuffle";
  if (!f.seed.empty()) s += " seed " + print(f.seed[0]);
  return s;
}
std::string with(const std::optional<ast::Name>& state) {
  return state ? " with " + state->text : "";
}
std::string text(const ast::TestDecl& t) {
  return fmt::format("test {} on {}{}", t.step.text, data_name(t.on), with(t.with));
}
std::string text(const ast::ShowDecl& s) {
  std::string text = fmt::format("show {} on {}", s.net.text, data_name(s.on));
  if (!s.examples.empty()) text += " for " + print(s.examples[0]) + " examples";
  text += with(s.with);
  if (!s.path.empty()) text += " as " + print(s.path[0]);
  return text;
}
std::string text(const ast::ScoreDecl& s) {
  return fmt::format("score {} of {}{} against {} on {}{}{}", joined(s.metrics, name_text),
                     s.net.text, s.output ? "." + s.output->text : "", s.target.text,
                     data_name(s.on), s.threshold.empty() ? "" : " at " + print(s.threshold[0]),
                     with(s.with));
}
std::string text(const ast::SaveDecl& s) {
  return "save " + print(s.path) + with(s.with);
}

std::string text(const ast::LoadDecl& l) {
  const std::string with = joined(l.mappings, [](const ast::LoadDecl::Mapping& m) {
    return fmt::format("{} -> {}", m.from.text, m.to.text);
  });
  return "load " + print(l.path) + (with.empty() ? "" : " with " + with);
}

// The lines of a statement within another are indented with it.
std::string indented(const std::string& lines) {
  std::string s = "  ";
  for (const char c : lines) s += c == '\n' ? std::string("\n  ") : std::string(1, c);
  return s + "\n";
}

template <class Statements>
std::string block(const Statements& statements) {
  std::string s = "{\n";
  for (const auto& statement : statements) {
    const std::string lines = std::visit([](const auto& w) { return text(w); }, statement.what);
    if (!lines.empty()) s += indented(lines);
  }
  return s + "}";
}

std::string text(const ast::Import& i) {
  return "import " + quoted(i.path);
}
std::string text(const ast::DimDecl& d) {
  return fmt::format("dim {} {} {}", d.name.text, d.bounded ? "<=" : "=", print(d.size));
}
std::string text(const ast::ConstDecl& c) {
  return fmt::format("const {}: {} = {}", c.name.text, type_text(c.type), print(c.value));
}
std::string text(const ast::Definition& d) {
  constexpr std::string_view kinds[] = {"op", "layer", "net", "step", "optimizer"};
  std::string s = fmt::format("{}{} {}({})", d.custom ? "custom " : "", kinds[static_cast<int>(d.kind)],
                              d.name.text, joined(d.parameters, parameter));
  if (!d.results.empty()) s += " -> " + joined(d.results, parameter);
  s += " " + (d.value.empty() ? block(d.body) : "= " + print(d.value[0]));
  return s + (d.custom ? " gradient " + block(d.gradient) : "");
}
std::string text(const ast::ProgramDecl& p) {
  return "program " + block(p.statements);
}

}  // namespace

std::string ast_to_text(const Expr& e) {
  return print(e);
}

// Declarations of one line and the same kind stand together; a blank line sets off all others.
std::string ast_to_text(const ast::File& file) {
  std::string all;
  std::size_t kind_before = 0;
  bool line_before = false;
  for (const ast::Item& item : file.items) {
    const std::string s = std::visit([](const auto& w) { return text(w); }, item.what);
    if (s.empty()) continue;
    const bool line = s.find('\n') == s.npos;
    if (!all.empty() && !(line && line_before && item.what.index() == kind_before)) all += "\n";
    all += s + "\n";
    line_before = line;
    kind_before = item.what.index();
  }
  return all;
}

}  // namespace gradc

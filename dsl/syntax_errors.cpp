// syntax_errors.cpp: messages about syntax, and recovery from errors.
#include "dsl/syntax_errors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "dsl/expression_chain.h"

namespace gradc {
namespace {

constexpr std::array<TokenKind, 9> item_words = {
    token_kind("const"), token_kind("dim"),       token_kind("import"),
    token_kind("layer"), token_kind("net"),       token_kind("op"),
    token_kind("step"),  token_kind("optimizer"), token_kind("program")};
constexpr std::array<TokenKind, 5> statement_words = {token_kind("minimize"), token_kind("param"),
                                                      token_kind("recur"), token_kind("report"),
                                                      token_kind("state")};

template <std::size_t n>
bool one_of(const std::array<TokenKind, n>& kinds, TokenKind kind) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

std::vector<std::string_view> spellings(const auto& kinds) {
  std::vector<std::string_view> words;
  for (TokenKind kind : kinds) words.push_back(spelling(kind));
  return words;
}

bool is_opening(TokenKind k) {
  return k == token_kind("(") || k == token_kind("[") || k == token_kind("{");
}
bool is_closing(TokenKind k) {
  return k == token_kind(")") || k == token_kind("]") || k == token_kind("}");
}

// Words of other languages, and what stands for them here.
struct Foreign {
  std::string_view word;
  std::string_view here;
};
constexpr Foreign foreign_items[] = {{"class", "net"}, {"def", "op"},         {"fn", "op"},
                                     {"func", "op"},   {"function", "op"},    {"let", "const"},
                                     {"model", "net"}, {"module", "net"},     {"network", "net"},
                                     {"var", "const"}, {"include", "import"}, {"main", "program"}};
constexpr std::string_view program_words[] = {"data", "fit",  "load",  "save", "score",
                                              "show", "split", "test"};
constexpr Foreign foreign_program_words[] = {
    {"train", "fit"}, {"eval", "test"}, {"evaluate", "test"}, {"write", "save"},
    {"print", "show"}, {"plot", "show"}, {"picture", "show"}, {"predict", "show"}};
constexpr Foreign foreign_statements[] = {
    {"let", "a name needs no word before it: write 'y = …'"},
    {"var", "a name needs no word before it: write 'y = …'"},
    {"const", "a 'const' is declared outside of bodies; a value in a body is 'y = …'"},
    {"return", "a result is given by assigning to its name: 'y = …'"},
    {"for", "a loop over constants is written 'for i in low..high { … }'"},
    {"while",
     "there are no loops: write all elements at once, 'y[i] = …', or a reduction, 'sum[i] …'"},
    {"else", "'else' follows the '}' of an 'if': 'if condition { … } else { … }'"},
    {"print", "nothing is printed here: a step gives values back with 'report'"}};

std::optional<std::string_view> meant_word(std::string_view word, std::span<const Foreign> foreign,
                                           const std::vector<std::string_view>& words) {
  for (const Foreign& f : foreign)
    if (f.word == word) return f.here;
  return nearest_name(word, words);
}

}  // namespace

bool is_reduction_word(std::string_view word) {
  for (std::string_view w : {"sum", "max", "min", "mean", "prod", "argmax", "argmin"})
    if (word == w) return true;
  return false;
}

bool starts_item(const Token* t) {
  if (t->kind == TokenKind::end) return true;
  if (!one_of(item_words, t->kind)) return false;
  if (t->kind == token_kind("import")) return t[1].kind == TokenKind::string;
  if (t->kind == token_kind("program")) return t[1].kind == token_kind("{");
  if (t[1].kind == TokenKind::name) return true;
  constexpr std::array<TokenKind, 4> of_a_name = {token_kind("="), token_kind("["), token_kind(","),
                                                  token_kind(".")};
  return t->first_on_line && !one_of(of_a_name, t[1].kind);
}

std::string SyntaxErrors::describe(const Token* t) const {
  if (t->kind == TokenKind::end) return "the end of the file";
  if (t->kind == TokenKind::string) return "a string";
  if (is_reserved_word(t->kind)) return fmt::format("the word '{}'", text(t));
  std::string_view s = text(t);
  return fmt::format("'{}{}'", s.substr(0, 60), s.size() > 60 ? "…" : "");
}

const Token* SyntaxErrors::open_bracket(const Token* before) const {
  int closed = 0;
  for (const Token* t = before; t-- != begin();) {
    if (is_closing(t->kind)) ++closed;
    if (is_opening(t->kind) && closed-- == 0) return t;
  }
  return nullptr;
}

Diagnostic& SyntaxErrors::error(const Token* where, std::string message) {
  return diagnostics_.error("syntax", span(where), std::move(message));
}

void SyntaxErrors::expected(const Token* start, const Token* where, const std::string& what) {
  const Token* from = start == begin() || start->first_on_line ? start : start - 1;
  // A character that was left out is the likelier cause, and has been reported.
  for (const Diagnostic& d : diagnostics_.all()) {
    const bool left_out = d.id == "odd-character" || d.id == "bad-string" || d.id == "bad-number";
    if (left_out && d.span.begin >= from->begin && d.span.begin <= where->end) return;
  }
  if (reserved_name(where, what) || missing_operand(start, where, what) ||
      wrong_bracket(where, what) || mistaken_item(start, what) ||
      mistaken_program_statement(start, what) || mistaken_statement(start, where, what))
    return;
  const bool has_before = where != begin();
  const Token* before = has_before ? where - 1 : where;
  const std::string after =
      has_before && !before->first_on_line && before->kind >= TokenKind::first_fixed
          ? fmt::format(" after '{}'", text(before))
          : "";
  // What is missing at the end of a line is missed there, not at the next word.
  const bool at_line_end = has_before && (where->first_on_line || where->kind == TokenKind::end);
  if (at_line_end) {
    diagnostics_.error("syntax", {file_, before->end, before->end},
                       fmt::format("expected {}{} before the end of the {}", what, after,
                                   where->kind == TokenKind::end ? "file" : "line"));
  } else {
    error(where, fmt::format("expected {}{}, found {}", what, after, describe(where)));
  }
}

// ---- Mistakes people make ----

bool SyntaxErrors::reserved_name(const Token* where, const std::string& what) {
  if (!is_reserved_word(where->kind)) return false;
  const bool wants_name = what == "a name" || what.starts_with("the name") ||
                          what == "a parameter" || what == "a result" ||
                          what.starts_with("an index") || what == "a name to assign to";
  const bool stands_for_one = (what == "an expression" || what == "a statement") &&
                              one_of(item_words, where->kind) && !starts_item(where);
  const bool begins_list = (what == "')'" || what == "']'") && !starts_item(where) &&
                           (is_opening(where[-1].kind) || where[-1].kind == token_kind(","));
  if (!wants_name && !stands_for_one && !begins_list) return false;
  diagnostics_
      .error("reserved-word", span(where),
             fmt::format("'{}' is a word of the language and cannot be a name", text(where)))
      .fixit = FixIt{span(where), std::string(text(where)) + "_"};
  return true;
}

// `y = ` at the end of a line, which takes the name on the next line for its value.
bool SyntaxErrors::missing_operand(const Token* start, const Token* where,
                                   const std::string& what) {
  if (what == "an expression" && where->kind == token_kind("=") && where != begin() &&
      touching(where - 1) && infix_precedence(where[-1].kind) > 0) {
    diagnostics_.error("syntax", {file_, where[-1].begin, where->end},
                       "a name is assigned once: write a new name, '=' and the whole expression");
    return true;
  }
  if (start != where || where->kind != token_kind("=") || where == begin()) return false;
  const Token* name = where - 1;
  if (name->kind == token_kind("]")) name = open_bracket(name);
  if (name && name != where - 1) --name;
  if (!name || name->kind != TokenKind::name || !name->first_on_line || name == begin())
    return false;
  error(name - 1, fmt::format("expected an expression after '{}'; the next line begins a statement",
                              text(name - 1)));
  return true;
}

bool SyntaxErrors::wrong_bracket(const Token* where, const std::string& what) {
  const bool begins = what == "a statement" || what == "a declaration";
  if (begins && is_closing(where->kind)) {
    error(where, fmt::format("this '{}' closes nothing", text(where))).fixit =
        FixIt{span(where), ""};
    return true;
  }
  if (where != begin() && where[-1].kind == TokenKind::name && where->first_on_line &&
      (where->kind == token_kind("(") || where->kind == token_kind("["))) {
    error(where, fmt::format("the '{}' must stand on the line of '{}', which it belongs to",
                             text(where), text(where - 1)));
    return true;
  }
  if (where->kind == token_kind("[") && where != begin() && !where->first_on_line &&
      is_closing(where[-1].kind) && where[-1].kind != token_kind("}")) {
    error(where,
          "only a name takes subscripts, all in one pair of brackets: 'x[i, j]'; give other "
          "values a name first");
    return true;
  }
  if (what != "')'" && what != "']'" && what != "'}'") return false;
  const Token* open = open_bracket(where);
  if (!open) return false;
  const std::string_view closing = std::string_view(what).substr(1, 1);
  const bool lines_end = where->first_on_line || where->kind == TokenKind::end || what == "'}'";
  if (!lines_end && closing == "]" && open != begin()) {
    const std::string_view word = text(open - 1);
    const bool reduction = is_reduction_word(word);
    if (reduction || (open - 1)->first_on_line) {
      error(where,
            fmt::format("{} takes plain indices, 'i' or 'i in low..high'; found {}",
                        reduction ? fmt::format("'{}'", word) : "the left side", describe(where)))
          .ranges = {{file_, open->begin, open->end}};
      return true;
    }
  }
  const Span before_line_end = {file_, where[-1].end, where[-1].end};
  const bool of_call = open != begin() && open[-1].kind == TokenKind::name;
  Diagnostic& d =
      what == "'}'" ? diagnostics_.error("syntax", before_line_end,
                                         fmt::format("expected '}}' before {}", describe(where)))
      : lines_end   ? diagnostics_.error("syntax", before_line_end,
                                         fmt::format("expected {} before the end of the {}", what,
                                                   where->kind == TokenKind::end ? "file" : "line"))
                    : error(where, fmt::format("expected {} or {}, found {}",
                                             of_call || closing == "]" ? "','" : "an operator",
                                               what, describe(where)));
  if (is_closing(where->kind) && what != "'}'" && where->kind != token_kind("}"))
    d.fixit = FixIt{span(where), std::string(closing)};
  else if (lines_end && what != "'}'")
    d.fixit = FixIt{before_line_end, std::string(closing)};
  d.notes.push_back({span(open), fmt::format("to close this '{}'", text(open))});
  return true;
}

bool SyntaxErrors::mistaken_item(const Token* start, const std::string& what) {
  if (what != "a declaration") return false;
  const std::string_view word = text(start);
  const TokenKind next = start->kind == TokenKind::end ? TokenKind::end : start[1].kind;
  if (next == token_kind("=") || next == token_kind("[") || one_of(statement_words, start->kind)) {
    error(start, "a statement stands in the body of an op, layer, net, step or optimizer");
    return true;
  }
  Diagnostic& d = error(
      start,
      fmt::format("expected a declaration (import, dim, const, op, layer, net, step, optimizer "
                  "or program), found {}",
                  describe(start)));
  if (start->kind != TokenKind::name) return true;
  if (auto meant = meant_word(word, foreign_items, spellings(item_words)))
    d.fixit = FixIt{span(start), std::string(*meant)};
  return true;
}

bool SyntaxErrors::mistaken_statement(const Token* start, const Token* where,
                                      const std::string& what) {
  const bool begins = what == "a statement" || (what == "'='" && where == start + 1);
  if (!begins || start == begin()) return false;
  const std::string_view word = text(start);
  for (const auto& [foreign, advice] : foreign_statements) {
    if (word != foreign || !(start->first_on_line || start[-1].kind == token_kind("{"))) continue;
    error(start, std::string(advice));
    return true;
  }
  if (start->kind == TokenKind::name && what == "'='" && where->kind == token_kind("(") &&
      start->first_on_line) {
    error(start, fmt::format("the value of '{}(…)' is not used: write 'y = {}(…)'", word, word));
    return true;
  }
  if (where->kind != TokenKind::end && touching(where) && where[1].kind == token_kind("=") &&
      infix_precedence(where->kind) > 0) {
    diagnostics_.error("syntax", {file_, where->begin, where[1].end},
                       "a name is assigned once: write a new name, '=' and the whole expression");
    return true;
  }
  const bool continues = !start->first_on_line && start[-1].kind != token_kind("{") &&
                         start[-1].kind != token_kind("}");
  if (continues) {
    error(start, fmt::format("expected an operator or the end of the statement, found {}",
                             describe(start)))
        .ranges = {span(start - 1)};
    return true;
  }
  if (start->kind != TokenKind::name || where->kind != TokenKind::name) return false;
  if (auto meant = meant_word(word, {}, spellings(statement_words))) {
    error(start, fmt::format("no statement begins with '{}'; is '{}' meant?", word, *meant)).fixit =
        FixIt{span(start), std::string(*meant)};
    return true;
  }
  return false;
}

bool SyntaxErrors::mistaken_program_statement(const Token* start, const std::string& what) {
  if (!what.starts_with("data, ")) return false;
  Diagnostic& d = error(start, fmt::format("expected {}, found {}", what, describe(start)));
  if (auto meant = meant_word(text(start), foreign_program_words,
                              {std::begin(program_words), std::end(program_words)}))
    d.fixit = FixIt{span(start), std::string(*meant)};
  return true;
}

// ---- Errors the grammar itself recognises ----

void SyntaxErrors::too_deep(const Token* where) {
  diagnostics_.error("too-deep", span(where),
                     "brackets are nested more than 200 deep here; give a part a name of its own");
}

void SyntaxErrors::too_high(const Token* where) {
  diagnostics_.error("too-deep", span(where),
                     "this expression applies more than 500 operators one upon the other; give a "
                     "part a name of its own");
}

void SyntaxErrors::chained_comparison(Span op) {
  diagnostics_.error("chained-comparison", op,
                     "comparisons don't chain: write 'a < b and b < c', or parentheses");
}

void SyntaxErrors::check_type(const ast::Name& dtype) {
  static constexpr std::string_view types[] = {"f32", "f64",   "i32",   "bool",
                                               "int", "float", "string"};
  if (std::find(std::begin(types), std::end(types), dtype.text) != std::end(types)) return;
  Diagnostic& d = diagnostics_.error(
      "unknown-type", dtype.span,
      fmt::format("no type is called '{}': tensors are f32, f64, i32 or bool, values int, float, "
                  "bool or string",
                  dtype.text));
  if (auto near = nearest_name(dtype.text, {std::begin(types), std::end(types)}))
    d.fixit = FixIt{dtype.span, std::string(*near)};
}

void SyntaxErrors::check_definition(const ast::Definition& d) {
  if (!d.value.empty() && d.kind != ast::DefinitionKind::op)
    diagnostics_.error(
        "syntax", d.name.span,
        fmt::format("only an op is written with '='; '{}' needs a body in braces", d.name.text));
  if (d.custom && d.gradient.empty())
    diagnostics_.error("syntax", d.name.span,
                       "a custom op says after its body what its gradient is: 'gradient { dx = … }'");
  else if (d.custom && d.results.size() != 1)
    diagnostics_.error(
        "syntax", d.name.span,
        fmt::format("a custom op gives its one result a name, which its gradient needs: "
                    "'custom op {}(…) -> y {{ … }} gradient {{ … }}'",
                    d.name.text));
  else if (!d.custom && !d.gradient.empty())
    diagnostics_.error("syntax", d.name.span,
                       fmt::format("only a custom op has a gradient of its own: 'custom op {}(…) …'",
                                   d.name.text));
  const bool step = d.kind == ast::DefinitionKind::step;
  if ((step || d.kind == ast::DefinitionKind::optimizer) && !d.results.empty())
    diagnostics_.error("syntax", d.results[0].name.span,
                       step ? "a step has no results: it gives back what it reports"
                            : "an optimizer has no results: it gives p' and its states");
}

std::size_t SyntaxErrors::column(const Token* t) const {
  const std::string& all = sources_.text(file_);
  const std::size_t newline = t->begin == 0 ? all.npos : all.rfind('\n', t->begin - 1);
  return t->begin - (newline == all.npos ? 0 : newline + 1);
}

const Token* SyntaxErrors::next_statement(const Token* start, const Token* where) const {
  if (diagnostics_.errors() >= Diagnostics::limit) return end();
  const std::size_t indent = column(start);
  int open = 0;  // braces
  for (const Token* t = std::max(where, start + (start->kind == TokenKind::end ? 0 : 1));; ++t) {
    if (starts_item(t)) return t;
    if (t->kind == token_kind("{")) ++open;
    if (t->kind == token_kind("}") && --open < 0) return t;
    if (open > 0) continue;
    if (one_of(statement_words, t->kind)) return t;
    if (t->first_on_line && t->kind == TokenKind::name && column(t) <= indent) return t;
  }
}

const Token* SyntaxErrors::next_item(const Token* start, const Token* where) const {
  if (diagnostics_.errors() >= Diagnostics::limit) return end();
  const Token* t = std::max(where, start + 1);
  // Two names side by side at the left margin are a declaration with a misspelt first word.
  auto misspelt = [&] {
    return t->first_on_line && t->kind == TokenKind::name && t[1].kind == TokenKind::name &&
           column(t) == 0;
  };
  while (!starts_item(t) && !misspelt()) ++t;
  return t;
}

const Token* SyntaxErrors::body_after(const Token* where) const {
  if (diagnostics_.errors() >= Diagnostics::limit) return nullptr;
  for (const Token* t = where; t->kind != TokenKind::end; ++t) {
    if (t->kind == token_kind("{")) return t;
    if (t->kind == token_kind("}") || (t != where && starts_item(t))) return nullptr;
  }
  return nullptr;
}

void report_in_order(const Diagnostics& found, Diagnostics& diagnostics) {
  std::vector<std::pair<std::uint32_t, std::size_t>> order;  // place, and position in `found`
  for (const Diagnostic& d : found.all()) order.emplace_back(d.span.begin, order.size());
  std::sort(order.begin(), order.end());
  for (const auto& [place, i] : order) {
    const Diagnostic& d = found.all()[i];
    diagnostics.error(d.id, d.span, d.message) = d;
  }
}

}  // namespace gradc

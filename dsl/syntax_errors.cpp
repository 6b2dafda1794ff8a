// syntax_errors.cpp: messages about syntax, and recovery from errors.
#include "dsl/syntax_errors.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace gradc {
namespace {

constexpr std::array<TokenKind, 9> item_words = {
    token_kind("const"), token_kind("dim"),       token_kind("import"),
    token_kind("layer"), token_kind("net"),       token_kind("op"),
    token_kind("step"),  token_kind("optimizer"), token_kind("program")};
constexpr std::array<TokenKind, 4> statement_words = {token_kind("minimize"), token_kind("param"),
                                                      token_kind("report"), token_kind("state")};

template <std::size_t n>
bool one_of(const std::array<TokenKind, n>& kinds, TokenKind kind) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

}  // namespace

bool starts_item(const Token* t) {
  if (t->kind == TokenKind::end) return true;
  if (!one_of(item_words, t->kind)) return false;
  if (t->kind == token_kind("import")) return t[1].kind == TokenKind::string;
  if (t->kind == token_kind("program")) return t[1].kind == token_kind("{");
  return t[1].kind == TokenKind::name || t->first_on_line;
}

std::string SyntaxErrors::describe(const Token* t) const {
  if (t->kind == TokenKind::end) return "the end of the file";
  if (t->kind == TokenKind::string) return "a string";
  if (is_reserved_word(t->kind)) return fmt::format("the word '{}'", text(t));
  std::string_view s = text(t);
  return fmt::format("'{}{}'", s.substr(0, 60), s.size() > 60 ? "…" : "");
}

void SyntaxErrors::expected(const Token*, const Token* where, const std::string& what) {
  diagnostics_.error("syntax", span(where),
                     fmt::format("expected {}, found {}", what, describe(where)));
}

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
  static constexpr std::string_view types[] = {"f32", "f64", "i32", "bool", "int", "float", "string"};
  if (std::find(std::begin(types), std::end(types), dtype.text) != std::end(types)) return;
  Diagnostic& d = diagnostics_.error(
      "unknown-type", dtype.span,
      fmt::format("no type is called '{}': tensors are f32, f64, i32 or bool, values int, float, "
                  "bool or string",
                  dtype.text));
  if (auto near = nearest_name(dtype.text, {std::begin(types), std::end(types)}))
    d.fixit = FixIt{dtype.span, std::string(*near)};
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
  while (!starts_item(t)) ++t;
  return t;
}

void report_in_order(const Diagnostics& found, Diagnostics& diagnostics) {
  std::vector<const Diagnostic*> order;
  for (const Diagnostic& d : found.all()) order.push_back(&d);
  std::stable_sort(order.begin(), order.end(), [](const Diagnostic* a, const Diagnostic* b) {
    return a->span.begin < b->span.begin;
  });
  for (const Diagnostic* d : order) {
    Diagnostic& copy = diagnostics.error(d->id, d->span, d->message);
    copy = *d;
  }
}

}  // namespace gradc

// library.cpp: see library.h.
#include "dsl/library.h"

#include <algorithm>
#include <iterator>

#include "dsl/check.h"
#include "dsl/text_to_ast.h"

namespace gradc {
namespace {

template <std::size_t Count>
bool one_of(const TokenKind (&kinds)[Count], TokenKind kind) {
  return std::find(std::begin(kinds), std::end(kinds), kind) != std::end(kinds);
}
constexpr TokenKind values[] = {token_kind("const"), token_kind("dim")};
bool defines(const Token& t) {
  static constexpr TokenKind kinds[] = {token_kind("op"), token_kind("layer"), token_kind("net"), token_kind("step"),
                                        token_kind("optimizer")};
  return one_of(kinds, t.kind);
}

}  // namespace

Library::Library(const Sources& sources, std::uint32_t file) : sources_(sources), file_(file) {
  Diagnostics none;
  const std::optional<std::vector<Token>> tokens = text_to_tokens(sources, file, none);
  GRADC_CHECK(tokens && !none.has_errors(), "a library has no errors");
  Entry* entry = nullptr;
  for (const Token* t = tokens->data(); t->kind != TokenKind::end; ++t) {
    const bool custom = t->kind == TokenKind::name && defines(t[1]);
    const bool definition = custom || defines(*t);
    if (t->first_on_line && (definition || one_of(values, t->kind))) {
      const Token& name = t[custom ? 2 : 1];
      const std::string text(sources.text(Span{file, name.begin, name.end}));
      entry = &entries_.try_emplace(text, Entry{definition, {}, {}}).first->second;
    }
    GRADC_CHECK(entry != nullptr, "a library begins with a declaration");
    entry->tokens.push_back(*t);
  }
  for (auto& [name, it] : entries_) it.tokens.push_back(tokens->back());
}

const ast::Item* Library::item(const std::string& name) {
  const auto it = entries_.find(name);
  if (it == entries_.end()) return nullptr;
  Entry& entry = it->second;
  if (entry.parsed.items.empty()) {
    Diagnostics none;
    entry.parsed = tokens_to_ast(sources_, file_, entry.tokens, none);
    GRADC_CHECK(!none.has_errors() && entry.parsed.items.size() == 1, "a library has no errors");
  }
  return &entry.parsed.items.front();
}

const ast::Definition* Library::definition(const std::string& name) {
  const ast::Item* found = item(name);
  return found == nullptr ? nullptr : std::get_if<ast::Definition>(&found->what);
}

std::vector<std::string> Library::definitions() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_)
    if (entry.defines) names.push_back(name);
  return names;
}

}  // namespace gradc

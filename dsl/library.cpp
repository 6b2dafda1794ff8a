// library.cpp: see library.h.
#include "dsl/library.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>

#include "dsl/check.h"
#include "dsl/text_to_ast.h"

namespace gradc {
namespace {

constexpr std::string_view values[] = {"const", "dim"};
constexpr std::string_view definers[] = {"op", "layer", "net", "step", "optimizer"};

bool one_of(std::span<const std::string_view> words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// The word that begins there, or an empty one.
std::string_view word_at(std::string_view text, std::size_t at) {
  const auto end =
      std::find_if(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), [](char c) {
        return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '_');
      });
  return text.substr(at, static_cast<std::size_t>(end - text.begin()) - at);
}

}  // namespace

Library::Library(const Sources& sources, std::uint32_t file) : sources_(sources) {
  const std::string_view text = sources.text(file);
  Entry* open = nullptr;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    std::string_view word = word_at(text, at);
    std::size_t name = at + word.size() + 1;
    if (word == "custom") {
      word = word_at(text, name);
      name += word.size() + 1;
    }
    const bool defines = one_of(definers, word);
    if (defines || one_of(values, word)) {
      if (open) open->place.end = static_cast<std::uint32_t>(at);
      const Span place{file, static_cast<std::uint32_t>(at),
                       static_cast<std::uint32_t>(text.size())};
      open = &entries_.try_emplace(std::string(word_at(text, name)), Entry{defines, place, {}})
                  .first->second;
    }
    if (text.find('\n', at) == text.npos) break;
  }
}

const ast::Item* Library::item(const std::string& name) {
  const auto it = entries_.find(name);
  if (it == entries_.end()) return nullptr;
  Entry& entry = it->second;
  if (entry.parsed.items.empty()) {
    Diagnostics none;
    const std::optional<std::vector<Token>> tokens = text_to_tokens(sources_, entry.place, none);
    GRADC_CHECK(tokens && !none.has_errors(), "a library has no errors");
    entry.parsed = tokens_to_ast(sources_, entry.place.file, *tokens, none);
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

// tokens.h: the words of a spec with their places, as text_to_ast reads them.
#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/diagnostics.h"

namespace gradc {

// What a token is: one of the open classes below, or `first_fixed` + its place in fixed_tokens.
enum class TokenKind : std::uint8_t { end, name, integer, real, string, first_fixed };

// Symbols, and the words that cannot be names.
inline constexpr std::string_view fixed_tokens[] = {
    "(",      ")",     "[",       "]",      "{",        "}",    ",",     ":",     "=",         "->",
    "|>",     "..",    ".",       "+",      "-",        "*",    "/",     "%",     "^",         "~",
    "==",     "!=",    "<",       "<=",     ">",        ">=",   "and",   "const", "dim",       "if",
    "import", "in",    "layer",   "like",   "minimize", "net",  "not",   "op",    "optimizer", "or",
    "over",   "param", "program", "recur",  "report",   "state", "step", "using",
};

// The fixed tokens by what they begin with, as chains of places in fixed_tokens: nearly every word is none of them.
struct TokenChains {
  static constexpr std::uint8_t none = 255;
  std::array<std::uint8_t, 128> first{};
  std::array<std::uint8_t, std::size(fixed_tokens)> next{};
};
inline constexpr TokenChains token_chains = [] {
  TokenChains chains;
  chains.first.fill(TokenChains::none);
  for (std::size_t k = std::size(fixed_tokens); k-- > 0;) {
    std::uint8_t& first = chains.first[static_cast<std::size_t>(fixed_tokens[k][0])];
    chains.next[k] = first;
    first = static_cast<std::uint8_t>(k);
  }
  return chains;
}();

// The kind of a symbol or reserved word; `name` if it is neither.
constexpr TokenKind token_kind(std::string_view spelling) {
  const auto begin = static_cast<unsigned char>(spelling.empty() ? '\0' : spelling[0]);
  if (begin >= token_chains.first.size()) return TokenKind::name;
  for (std::uint8_t k = token_chains.first[begin]; k != TokenChains::none; k = token_chains.next[k])
    if (fixed_tokens[k] == spelling) return static_cast<TokenKind>(static_cast<int>(TokenKind::first_fixed) + k);
  return TokenKind::name;
}

struct Token {
  TokenKind kind = TokenKind::end;
  bool first_on_line = false;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

bool is_reserved_word(TokenKind);
std::string_view spelling(TokenKind);                  // of a symbol or reserved word
double number_value(std::string_view digits);          // of an integer or real token
std::string string_value(std::string_view in_quotes);  // of a string token: what its escapes mean

// The tokens of a file, the last one of kind `end`. What is no token of the language is reported
// and left out, or read as what was meant (`&&` as `and`). Nothing if the file is no text, or too
// long.
std::optional<std::vector<Token>> text_to_tokens(const Sources&, std::uint32_t file, Diagnostics&);
// Those of a part of a file.
std::optional<std::vector<Token>> text_to_tokens(const Sources&, Span, Diagnostics&);

}  // namespace gradc

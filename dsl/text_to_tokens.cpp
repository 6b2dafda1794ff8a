// text_to_tokens.cpp: text → words, and everything that can be wrong with a text before its grammar
// is.
#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "dsl/tokens.h"
#include "dsl/utf8.h"

namespace gradc {
namespace {

constexpr std::size_t max_bytes = std::size_t{16} << 20;
constexpr std::size_t max_tokens = 1'000'000;
constexpr std::size_t max_name = 255;

// What people write for a symbol of the language, in order of trial.
struct Mistake {
  std::string_view written;
  std::string_view meant;
};
constexpr Mistake mistakes[] = {
    {"&&", "and"}, {"||", "or"}, {"**", "^"},   {":=", "="},  {"===", "=="},
    {"!==", "!="}, {"=>", "->"}, {"...", ".."}, {"<>", "!="}, {"!", "not"},
    {"≤", "<="},   {"≥", ">="},  {"≠", "!="},   {"×", "*"},   {"·", "*"},
    {"÷", "/"},    {"−", "-"},   {"→", "->"},   {"…", ".."},
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_foreign(char c) {
  return static_cast<unsigned char>(c) >= 0x80;
}
bool is_name_char(char c) {
  return is_letter(c) || is_digit(c);
}

// Whether the text can be read at all from the part's beginning on; odd characters are reported,
// and reading goes on.
bool check_text(std::string_view text, Span part, Diagnostics& diagnostics) {
  auto span = [&](std::size_t begin, std::size_t end) {
    return Span{part.file, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
  };
  if (text.size() > max_bytes) {
    diagnostics.error("text-too-long", span(0, 0),
                      fmt::format("this file has {} bytes; a spec may have 16 MB", text.size()));
    return false;
  }
  for (std::size_t at = part.begin; at < text.size();) {
    if (text[at] >= 0x20 && text[at] < 0x7f) {  // holds for signed and unsigned char
      ++at;
      continue;
    }
    char32_t code = 0;
    const std::size_t length = utf8_sequence(text, at, code);
    if (length == 0 || code == 0) {
      diagnostics.error("not-text", span(at, at + 1),
                        fmt::format("this file is not UTF-8 text: byte 0x{:02x} at offset {}",
                                    static_cast<unsigned char>(text[at]), at));
      return false;
    }
    if (is_bidirectional(code)) {
      diagnostics.error("odd-character", span(at, at + length),
                        fmt::format("character U+{:04X} changes the direction of text, so that a "
                                    "spec could read otherwise than it runs; remove it",
                                    static_cast<std::uint32_t>(code)));
    } else if (is_control(code)) {
      diagnostics.error("odd-character", span(at, at + length),
                        fmt::format("control character U+{:04X} in a spec; remove it",
                                    static_cast<std::uint32_t>(code)));
    }
    if (diagnostics.errors() >= Diagnostics::limit) return false;
    at += length;
  }
  return true;
}

class Lexer {
 public:
  Lexer(std::string_view text, Span part, Diagnostics& diagnostics)
      : text_(text), file_(part.file), diagnostics_(diagnostics), at_(part.begin) {}

  std::optional<std::vector<Token>> tokens() {
    tokens_.reserve((text_.size() - at_) / 4);
    if (at_ == 0 && starts_with("\xef\xbb\xbf")) at_ = 3;  // a byte order mark
    while (skip_blanks(), at_ < text_.size()) {
      next();
      if (diagnostics_.errors() >= Diagnostics::limit) return std::nullopt;
      if (tokens_.size() > max_tokens) {
        error("text-too-long", at_, at_,
              fmt::format("a spec may have {} words and symbols; this one has more", max_tokens));
        return std::nullopt;
      }
    }
    begin_ = at_;
    add(TokenKind::end);
    return std::move(tokens_);
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool starts_with(std::string_view s) const { return text_.substr(at_, s.size()) == s; }
  std::string_view text_from(std::size_t begin) const { return text_.substr(begin, at_ - begin); }

  Diagnostic& error(std::string_view id, std::size_t begin, std::size_t end, std::string message) {
    return diagnostics_.error(id, span(begin, end), std::move(message));
  }
  Span span(std::size_t begin, std::size_t end) const {
    return {file_, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
  }
  void add(TokenKind kind) {
    tokens_.push_back({kind, first_on_line_, static_cast<std::uint32_t>(begin_),
                       static_cast<std::uint32_t>(at_)});
    first_on_line_ = false;
  }

  void skip_line() {
    while (at_ < text_.size() && text_[at_] != '\n') ++at_;
  }
  void skip_blanks() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') {
        first_on_line_ = true;
      } else if (c == '/' && peek(1) == '/') {
        skip_line();
        --at_;
      } else if (c == '/' && peek(1) == '*') {
        skip_comment();
        --at_;
      } else if (c > ' ' && c != 0x7f) {
        return;
      } else if (is_foreign(c)) {
        return;
      }
    }
  }
  void skip_comment() {
    const std::size_t close = text_.find("*/", at_ + 2);
    if (close == text_.npos) error("open-comment", at_, at_ + 2, "this comment has no '*/'");
    const std::size_t end = close == text_.npos ? text_.size() : close + 2;
    if (text_.substr(at_, end - at_).find('\n') != text_.npos) first_on_line_ = true;
    at_ = end;
  }

  void next() {
    begin_ = at_;
    if (mistaken_symbol()) return;
    const char c = peek();
    if (is_letter(c) || is_foreign(c)) return word();
    if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return number();
    if (c == '"') return string();
    for (std::size_t length : {2, 1}) {
      const std::string_view symbol = text_.substr(at_, length);
      const TokenKind kind = token_kind(symbol);
      if (kind == TokenKind::name) continue;
      at_ += symbol.size();
      return add(kind);
    }
    odd_symbol();
  }

  // Reported, and read as what was meant.
  bool mistaken_symbol() {
    constexpr std::string_view begin_none = "()[]{},+-/^";
    if (is_name_char(text_[at_]) || begin_none.find(text_[at_]) != std::string_view::npos)
      return false;
    if (starts_with("!=") && peek(2) != '=') return false;
    for (const Mistake& m : mistakes) {
      if (m.written[0] != text_[at_] || !starts_with(m.written)) continue;
      at_ += m.written.size();
      const bool spaced = !is_letter(m.meant[0]) || m.written != "!";
      error("foreign-symbol", begin_, at_, fmt::format("write '{}' for '{}'", m.meant, m.written))
          .fixit = FixIt{span(begin_, at_), std::string(m.meant) + (spaced ? "" : " ")};
      add(token_kind(m.meant));
      return true;
    }
    return false;
  }

  void odd_symbol() {
    const char c = text_[at_++];
    if (c == ';') {
      error("foreign-symbol", begin_, at_,
            "no ';' is needed: a statement ends where the next begins")
          .fixit = FixIt{span(begin_, at_), ""};
    } else if (c == '#') {
      error("foreign-symbol", begin_, at_, "a comment begins with '//'").fixit =
          FixIt{span(begin_, at_), "//"};
      skip_line();
    } else {
      const char* advice = c == '?' ? ": 'select(condition, a, b)' chooses"
                           : c == '@'
                               ? ": a product of matrices is 'c[i, j] = sum[k] a[i, k] * b[k, j]'"
                           : c == '\'' ? ": strings stand in double quotes"
                                       : "";
      error("odd-character", begin_, at_, fmt::format("'{}' means nothing here{}", c, advice));
    }
  }

  void word() {
    bool foreign = false;
    for (; is_name_char(peek()) || is_foreign(peek()); ++at_) foreign |= is_foreign(peek());
    const std::size_t end = at_;
    if (peek() == '\'') ++at_;
    const std::string_view name = text_from(begin_);
    if (foreign) {
      error(
          "odd-character", begin_, end,
          fmt::format("'{}' is no name: names are made of the letters a-z and A-Z, digits and '_'",
                      name.size() <= max_name ? name : "…"));
    } else if (end - begin_ > max_name) {
      error("name-too-long", begin_, end,
            fmt::format("this name has {} characters; {} are allowed", end - begin_, max_name));
    }
    add(token_kind(name));
  }

  void number() {
    TokenKind kind = TokenKind::integer;
    auto digits = [&] {
      while (is_digit(peek())) ++at_;
    };
    digits();
    const bool bare_point =
        peek() == '.' && peek(1) != '.' && !is_digit(peek(1)) && !is_letter(peek(1));
    if (at_ == begin_) {
      error("bad-number", begin_, begin_ + 1, "a number begins with a digit").fixit =
          FixIt{span(begin_, begin_), "0"};
    }
    if (bare_point) {
      ++at_;
      kind = TokenKind::real;
      error("bad-number", begin_, at_, "a digit must follow the point").fixit =
          FixIt{span(at_, at_), "0"};
    } else if (peek() == '.' && is_digit(peek(1))) {
      ++at_;
      digits();
      kind = TokenKind::real;
    }
    if (peek() == 'e' || peek() == 'E') {
      const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
      if (is_digit(peek(1 + sign))) {
        at_ += 1 + sign;
        digits();
        kind = TokenKind::real;
      }
    }
    check_number(kind);
    add(kind);
  }

  void check_number(TokenKind kind) {
    const std::size_t end = at_;
    while (is_name_char(peek()) || is_foreign(peek())) ++at_;
    if (at_ != end) {
      Diagnostic& d =
          error("bad-number", begin_, at_,
                fmt::format("'{}' is no number: numbers are written as in 64, 0.5 or 1e-3",
                            text_from(begin_).substr(0, 40)));
      if (is_letter(text_[end]) && text_[end] != '_' && text_.substr(begin_, 2) != "0x")
        d.notes.push_back({span(end, at_), fmt::format("a product needs its '*'")});
      return;
    }
    const double value = number_value(text_from(begin_));
    if (kind == TokenKind::integer ? value > 0x1p53 : !std::isfinite(value)) {
      error("number-range", begin_, at_,
            kind == TokenKind::integer ? "integers go up to 9007199254740992 (2^53)"
                                       : "this number is outside the range of f64");
    }
  }

  void string() {
    ++at_;
    for (; at_ < text_.size() && text_[at_] != '\n' && text_[at_] != '"'; ++at_) {
      if (text_[at_] != '\\') continue;
      if (peek(1) == '"' || peek(1) == '\\') {
        ++at_;
      } else {
        error("bad-string", at_, at_ + 1, "a string knows two escapes, \\\" and \\\\").fixit =
            FixIt{span(at_, at_), "\\"};
      }
    }
    if (peek() == '"') {
      ++at_;
    } else {
      error("bad-string", begin_, at_, "this string does not end on its line").fixit =
          FixIt{span(at_, at_), "\""};
    }
    add(TokenKind::string);
  }

  std::string_view text_;
  std::uint32_t file_;
  Diagnostics& diagnostics_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t begin_ = 0;
  bool first_on_line_ = true;
};

}  // namespace

bool is_reserved_word(TokenKind kind) {
  return kind >= TokenKind::first_fixed && is_letter(spelling(kind)[0]);
}

std::string_view spelling(TokenKind kind) {
  return fixed_tokens[static_cast<int>(kind) - static_cast<int>(TokenKind::first_fixed)];
}

double number_value(std::string_view digits) {
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc() ? value : std::numeric_limits<double>::infinity();
}

std::string string_value(std::string_view in_quotes) {
  std::string value;
  for (std::size_t i = 1; i < in_quotes.size(); ++i) {
    if (in_quotes[i] == '"') break;
    if (in_quotes[i] == '\\' && i + 1 < in_quotes.size()) ++i;
    value += in_quotes[i];
  }
  return value;
}

std::optional<std::vector<Token>> text_to_tokens(const Sources& sources, std::uint32_t file,
                                                 Diagnostics& diagnostics) {
  const auto end = static_cast<std::uint32_t>(sources.text(file).size());
  return text_to_tokens(sources, Span{file, 0, end}, diagnostics);
}

std::optional<std::vector<Token>> text_to_tokens(const Sources& sources, Span part,
                                                 Diagnostics& diagnostics) {
  const std::string_view text = std::string_view(sources.text(part.file)).substr(0, part.end);
  if (!check_text(text, part, diagnostics)) return std::nullopt;
  return Lexer(text, part, diagnostics).tokens();
}

}  // namespace gradc

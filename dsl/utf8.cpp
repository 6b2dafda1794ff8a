// utf8.cpp: decoding of UTF-8, and safe display of what was decoded.
#include "dsl/utf8.h"

#include <fmt/format.h>

#include <cstdint>

namespace gradc {

std::size_t utf8_sequence(std::string_view text, std::size_t at, char32_t& code) {
  auto byte = [&](std::size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0;
  };
  const unsigned lead = byte(0);
  code = lead;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  code = lead & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = (code << 6) | (byte(i) & 0x3f);
  }
  constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return 0;
  return length;
}

bool is_bidirectional(char32_t c) {
  return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069);
}

bool is_control(char32_t c) {
  return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || (c >= 0x7f && c <= 0x9f);
}

std::string printable_character(std::string_view text, std::size_t& at) {
  char32_t code = 0;
  const std::size_t length = utf8_sequence(text, at, code);
  if (length == 0) return fmt::format("<{:02X}>", static_cast<unsigned char>(text[at++]));
  const std::string_view bytes = text.substr(at, length);
  at += length;
  if (is_control(code) || is_bidirectional(code) || code == '\r')
    return fmt::format("<U+{:04X}>", static_cast<std::uint32_t>(code));
  return std::string(bytes);
}

std::string printable(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) result += printable_character(text, at);
  return result;
}

}  // namespace gradc

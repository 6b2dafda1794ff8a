// utf8.h: code points of a text, and those that must not reach a terminal or a reader unseen.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gradc {

// Length of the well-formed UTF-8 sequence at `at`, 0 if there is none; its code point in `code`.
std::size_t utf8_sequence(std::string_view text, std::size_t at, char32_t& code);

// Characters that make a text read in another order than it is stored.
bool is_bidirectional(char32_t);
// Control characters, but for the white space among them.
bool is_control(char32_t);

// The character at `at`, or, if it is one of the above or malformed, its code in angle brackets.
// `at` moves behind it.
std::string printable_character(std::string_view text, std::size_t& at);
std::string printable(std::string_view text);

}  // namespace gradc

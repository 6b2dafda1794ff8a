// code_line.cpp: scanned(), character by character.
#include "codegen/code_line.h"

#include <algorithm>
#include <utility>

namespace gradc {
namespace {

// The operators of two operands, and the parts of a choice.
constexpr std::pair<std::string_view, Tightness> operators[] = {
    {"+", Tightness::sum},         {"*", Tightness::product},     {"-", Tightness::sum},
    {"/", Tightness::product},     {"=", Tightness::assignment},  {"<", Tightness::less},
    {"?", Tightness::choice},      {":", Tightness::choice},      {"+=", Tightness::assignment},
    {"&&", Tightness::both},       {">=", Tightness::less},       {"==", Tightness::equal},
    {"<=", Tightness::less},       {">", Tightness::less},        {"||", Tightness::either},
    {"!=", Tightness::equal},      {"%", Tightness::product},     {"<<", Tightness::shift},
    {">>", Tightness::shift},      {"&", Tightness::bits},        {"|", Tightness::bits},
    {"^", Tightness::bits},        {"-=", Tightness::assignment}, {"*=", Tightness::assignment},
    {"/=", Tightness::assignment}, {"|=", Tightness::assignment}, {"&=", Tightness::assignment},
};

bool is_part_of_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

const Tightness* tightness_of(std::string_view word) {
  if (!word.empty() && is_part_of_word(word[0])) return nullptr;
  const auto found = std::find_if(std::begin(operators), std::end(operators),
                                  [&](const auto& o) { return o.first == word; });
  return found == std::end(operators) ? nullptr : &found->second;
}

}  // namespace

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::size_t indent_of(std::string_view line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

CodeLine scanned(std::string_view line) {
  CodeLine code{{}, line.size(), {}};
  std::string open;
  char quote = 0;
  for (std::size_t k = indent_of(line); k < line.size(); ++k) {
    if (quote == 0 && is_part_of_word(line[k])) continue;
    const char c = line[k], next = k + 1 < line.size() ? line[k + 1] : ' ';
    if (quote != 0) {
      if (c == '\\') ++k;
      if (c == quote) quote = 0;
      continue;
    }
    if (c == '/' && next == '/') {
      code.end = k;
      break;
    }
    // The printer puts spaces around a comparison, and none before arguments of a template.
    const bool of_template =
        c == '<' && k > 0 && line[k - 1] != ' ' && line[k - 1] != '<' && next != '<' && next != '=';
    if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '(' || c == '[' || c == '{' || of_template) {
      open += c == '(' ? ')' : c == '[' ? ']' : c == '{' ? '}' : '>';
      code.marks.push_back({k, Tightness::bracket, open.size(), true});
    } else if (!open.empty() && c == open.back()) {
      code.marks.push_back({k, Tightness::bracket, open.size()});
      open.pop_back();
    } else if (c == ',' || c == ';') {
      code.marks.push_back({k, c == ',' ? Tightness::comma : Tightness::semicolon, open.size()});
    } else if (c == ' ' && next != ' ') {
      const std::size_t end = std::min(line.find(' ', k + 1), line.size());
      const Tightness* tightness =
          end - k <= 3 ? tightness_of(line.substr(k + 1, end - k - 1)) : nullptr;
      if (!tightness) continue;
      code.marks.push_back({k + 1, *tightness, open.size(), false, end - k - 1});
      k = end - 1;
    }
  }
  code.closers.assign(open.rbegin(), open.rend());
  return code;
}

}  // namespace gradc

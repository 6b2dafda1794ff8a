// code_line.cpp: scanned(), character by character.
#include "codegen/code_line.h"

#include <algorithm>
#include <utility>

namespace gradc {
namespace {

// The operators of two operands, and the parts of a choice.
constexpr std::pair<std::string_view, Binding> operators[] = {
    {"+", Binding::sum},         {"*", Binding::product},     {"-", Binding::sum},
    {"/", Binding::product},     {"=", Binding::assignment},  {"<", Binding::less},
    {"?", Binding::choice},      {":", Binding::choice},      {"+=", Binding::assignment},
    {"&&", Binding::both},       {">=", Binding::less},       {"==", Binding::equal},
    {"<=", Binding::less},       {">", Binding::less},        {"||", Binding::either},
    {"!=", Binding::equal},      {"%", Binding::product},     {"<<", Binding::shift},
    {">>", Binding::shift},      {"&", Binding::bits},        {"|", Binding::bits},
    {"^", Binding::bits},        {"-=", Binding::assignment}, {"*=", Binding::assignment},
    {"/=", Binding::assignment}, {"|=", Binding::assignment}, {"&=", Binding::assignment},
};

const Binding* binding_of(std::string_view word) {
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
      code.marks.push_back({k, Binding::bracket, open.size(), true});
    } else if (!open.empty() && c == open.back()) {
      code.marks.push_back({k, Binding::bracket, open.size()});
      open.pop_back();
    } else if (c == ',' || c == ';') {
      code.marks.push_back({k, c == ',' ? Binding::comma : Binding::semicolon, open.size()});
    } else if (c == ' ' && next != ' ') {
      const std::size_t end = std::min(line.find(' ', k + 1), line.size());
      const Binding* binding = end - k <= 3 ? binding_of(line.substr(k + 1, end - k - 1)) : nullptr;
      if (!binding) continue;
      code.marks.push_back({k + 1, *binding, open.size(), false, end - k - 1});
      k = end - 1;
    }
  }
  code.closers.assign(open.rbegin(), open.rend());
  return code;
}

}  // namespace gradc

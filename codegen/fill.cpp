// fill.cpp: see fill.h.
#include "codegen/fill.h"

#include <fmt/format.h>

#include <set>

#include "dsl/check.h"

namespace gradc {

std::string fill(std::string_view text,
                 const std::vector<std::pair<std::string_view, std::string>>& values) {
  std::string out;
  std::set<std::string_view> used;
  if (!text.empty() && text.front() == '\n') text.remove_prefix(1);  // so that R"( may end its line
  while (!text.empty()) {
    const std::size_t open = text.find('$');
    out += text.substr(0, open);
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find('$', open + 1);
    GRADC_CHECK(close != std::string_view::npos, "a template has an unpaired $");
    const std::string_view name = text.substr(open + 1, close - open - 1);
    bool found = false;
    for (const auto& [key, value] : values) {
      if (key != name) continue;
      out += value;
      found = true;
    }
    GRADC_CHECK(found, fmt::format("a template wants ${}$", name));
    used.insert(name);
    text.remove_prefix(close + 1);
  }
  for (const auto& [key, value] : values)
    GRADC_CHECK(used.contains(key), fmt::format("a template has no ${}$", key));
  return out;
}

std::string string_literal(std::string_view bytes) {
  std::string out = "\"";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    // A `?` may begin a trigraph; three octal digits end an escape whatever follows.
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\' && c != '?')
      out += c;
    else
      out += fmt::format("\\{:03o}", byte);
  }
  return out + "\"";
}

std::string comment_text(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += c >= 0x20 && c < 0x7f && c != '\\' && c != '?' ? c : '_';
  return out;
}

}  // namespace gradc

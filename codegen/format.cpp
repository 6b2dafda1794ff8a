// format.cpp: format(): comments here, long statements by break_line(), else by break_statement().
#include "codegen/format.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "codegen/break_line.h"
#include "codegen/code_line.h"

namespace gradc {
namespace {

// Where the code ends behind which a comment stands, if one does.
std::optional<std::size_t> before_comment(std::string_view line) {
  // Most lines have no slash, and many spaces.
  std::size_t slashes = line.find("// ");
  while (slashes < 2 || (slashes != std::string_view::npos && line.substr(slashes - 2, 2) != "  "))
    slashes = line.find("// ", slashes + 1);
  if (slashes == std::string_view::npos) return std::nullopt;
  const std::size_t end = scanned(line).end;
  if (end == line.size() || end == indent_of(line)) return std::nullopt;
  return line.find_last_not_of(' ', end - 1) + 1;
}

// A comment in lines that fit, cut between words.
std::string wrapped(const std::string& line) {
  const std::string margin(indent_of(line), ' ');
  std::string out, rest = line.substr(margin.size() + 2);  // what follows the slashes
  while (true) {
    std::string piece = margin + "//" + rest;
    if (width(piece) <= column_limit) return out + piece;
    std::size_t cut = std::string::npos;
    std::size_t columns = margin.size() + 2;
    for (std::size_t k = 0; k < rest.size(); ++k) {
      if (rest[k] == ' ' && k > 0 && (columns <= column_limit || cut == std::string::npos) &&
          rest.find_first_not_of(' ') < k)
        cut = k;
      columns += (rest[k] & 0xC0) != 0x80;
    }
    if (cut == std::string::npos) return out + piece;
    out += margin + "//" + rest.substr(0, cut) + "\n";
    rest.erase(0, cut);
  }
}

// The comments behind a run of lines, below one another where they fit; one that has no room stands
// above.
void align_comments(std::vector<std::string>& lines) {
  std::vector<std::string> out;
  for (std::size_t begin = 0; begin < lines.size();) {
    std::size_t code = 0, comment = 0, end = begin;
    std::vector<std::size_t> ends;
    for (; end < lines.size(); ++end) {
      const std::optional<std::size_t> at = before_comment(lines[end]);
      if (!at || indent_of(lines[end]) != indent_of(lines[begin])) break;
      const std::size_t wider = std::max(code, width(std::string_view(lines[end]).substr(0, *at)));
      const std::size_t longer =
          std::max(comment, width(std::string_view(lines[end]).substr(lines[end].find("//", *at))));
      if (wider + 2 + longer > column_limit) break;
      code = wider;
      comment = longer;
      ends.push_back(*at);
    }
    for (const std::size_t at : ends) {
      const std::string& line = lines[begin++];
      const std::string_view before = std::string_view(line).substr(0, at);
      out.push_back(std::string(before) + std::string(code + 2 - width(before), ' ') +
                    line.substr(line.find("//", at)));
    }
    if (!ends.empty()) continue;
    std::string& line = lines[begin++];
    const std::optional<std::size_t> at = line.size() > column_limit && width(line) > column_limit
                                              ? before_comment(line)
                                              : std::nullopt;
    if (at) out.push_back(std::string(indent_of(line), ' ') + line.substr(line.find("//", *at)));
    if (at) line.resize(*at);
    out.push_back(std::move(line));
  }
  lines = std::move(out);
}

// No two of them empty one after the other.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end > at || lines.empty() || !lines.back().empty())
      lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::string text_of(const std::vector<std::string>& lines) {
  std::string text;
  std::size_t size = 0;
  for (const std::string& line : lines) size += line.size() + 1;
  text.reserve(size);
  for (const std::string& line : lines) (text += line) += '\n';
  return text;
}

// A whole statement, or one that opens a block, as Clang has it, where there is room for that.
std::string broken_by_formatter(const std::string& line) {
  const std::size_t indent = indent_of(line);
  if ((line.back() != ';' && line.back() != '{') || indent + 40 > column_limit) return line;
  const std::string statement = line.substr(indent);
  std::string indented;
  for (const std::string& piece :
       lines_of(break_statement(statement, scanned(statement).closers, column_limit - indent)))
    indented += (indented.empty() ? "" : "\n") + std::string(indent, ' ') + piece;
  return indented;
}

}  // namespace

std::string format(const std::string& text) {
  std::vector<std::string> lines = lines_of(text);
  align_comments(lines);
  for (std::string& line : lines) {
    if (line.size() <= column_limit || width(line) <= column_limit) continue;
    const std::size_t indent = indent_of(line);
    if (line.compare(indent, 2, "//") == 0) {
      line = wrapped(line);
    } else if (line[indent] != '#') {
      const std::optional<std::string> broken = break_line(line);
      line = broken ? *broken : broken_by_formatter(line);
    }
  }
  return text_of(lines);
}

}  // namespace gradc

// format.cpp: format(): comments and lists of arguments here, other long statements by break_statements().
#include "codegen/format.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

namespace gradc {
namespace {

constexpr std::size_t limit = 100;

// In columns: the bytes that follow the first of a character take none.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::size_t indent_of(std::string_view line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

// What matters of a line's code: brackets, commas and what is assigned to; not what strings hold.
struct Mark {
  std::size_t at = 0;
  char c = 0;             // an opening or closing bracket, ',' or '='
  std::size_t depth = 0;  // in how many brackets; of a bracket, what it encloses
};

struct Code {
  std::vector<Mark> marks;
  std::size_t end = 0;   // where a comment begins, if any
  std::string closers;   // of the brackets that are left open
};

Code scanned(std::string_view line) {
  Code code{{}, line.size(), {}};
  std::string open;
  char quote = 0;
  for (std::size_t k = 0; k < line.size(); ++k) {
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
    const bool of_template = c == '<' && k > 0 && line[k - 1] != ' ' && line[k - 1] != '<' && next != '<' && next != '=';
    if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '(' || c == '[' || c == '{' || of_template) {
      open += c == '(' ? ')' : c == '[' ? ']' : c == '{' ? '}' : '>';
      code.marks.push_back({k, c, open.size()});
    } else if (!open.empty() && c == open.back()) {
      code.marks.push_back({k, c, open.size()});
      open.pop_back();
    } else if (c == ',' || (c == '=' && next == ' ' && k > 0 && line[k - 1] == ' ')) {
      code.marks.push_back({k, c, open.size()});
    }
  }
  code.closers.assign(open.rbegin(), open.rend());
  return code;
}

// Where the code ends behind which a comment stands, if one does.
std::optional<std::size_t> before_comment(std::string_view line) {
  if (line.find("  // ") == std::string_view::npos) return std::nullopt;
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
    if (width(piece) <= limit) return out + piece;
    std::size_t cut = std::string::npos;
    std::size_t columns = margin.size() + 2;
    for (std::size_t k = 0; k < rest.size(); ++k) {
      if (rest[k] == ' ' && k > 0 && (columns <= limit || cut == std::string::npos) && rest.find_first_not_of(' ') < k) cut = k;
      columns += (rest[k] & 0xC0) != 0x80;
    }
    if (cut == std::string::npos) return out + piece;
    out += margin + "//" + rest.substr(0, cut) + "\n";
    rest.erase(0, cut);
  }
}

// A call, a head or a row of a table whose list takes the line to its end: the items below one another, as many
// as fit into each line. Nothing if that is not its form, or leaves the list too little room.
std::optional<std::string> filled(const std::string& line) {
  const std::vector<Mark> marks = scanned(line).marks;
  const auto opens = std::find_if(marks.begin(), marks.end(), [](const Mark& m) {
    return m.c == '=' || (m.depth == 1 && (m.c == '(' || m.c == '{'));
  });
  if (opens == marks.end() || opens->c == '=') return std::nullopt;
  const std::size_t column = width(std::string_view(line).substr(0, opens->at + 1));
  if (column > limit / 2) return std::nullopt;
  std::string out = line.substr(0, opens->at + 1);
  std::size_t at = opens->at + 1, used = column;
  for (auto m = opens + 1; m != marks.end(); ++m) {
    if (m->depth != 1 || m->c == '=') continue;
    const bool last = m->c != ',';
    if (last && line.size() - m->at > 4) return std::nullopt;  // more follows than `);`, `),` or `) {`
    at = line.find_first_not_of(' ', at);
    const std::string item = line.substr(at, last ? std::string::npos : m->at + 1 - at);
    at = m->at + 1;
    if (column + width(item) > limit) return std::nullopt;
    if (used == column || used + 1 + width(item) <= limit) {
      if (used > column) out += " ", ++used;
    } else {
      out += "\n" + std::string(column, ' ');
      used = column;
    }
    out += item;
    used += width(item);
    if (last) return out;
  }
  return std::nullopt;
}

// The comments behind a run of lines, below one another where they fit; one that has no room stands above.
void align_comments(std::vector<std::string>& lines) {
  std::vector<std::string> out;
  for (std::size_t begin = 0; begin < lines.size();) {
    std::size_t code = 0, comment = 0, end = begin;
    std::vector<std::size_t> ends;
    for (; end < lines.size(); ++end) {
      const std::optional<std::size_t> at = before_comment(lines[end]);
      if (!at || indent_of(lines[end]) != indent_of(lines[begin])) break;
      const std::size_t wider = std::max(code, width(std::string_view(lines[end]).substr(0, *at)));
      const std::size_t longer = std::max(comment, width(std::string_view(lines[end]).substr(lines[end].find("//", *at))));
      if (wider + 2 + longer > limit) break;
      code = wider;
      comment = longer;
      ends.push_back(*at);
    }
    for (const std::size_t at : ends) {
      const std::string& line = lines[begin++];
      const std::string_view before = std::string_view(line).substr(0, at);
      out.push_back(std::string(before) + std::string(code + 2 - width(before), ' ') + line.substr(line.find("//", at)));
    }
    if (!ends.empty()) continue;
    const std::string& line = lines[begin++];
    const std::optional<std::size_t> at = width(line) > limit ? before_comment(line) : std::nullopt;
    if (at) out.push_back(std::string(indent_of(line), ' ') + line.substr(line.find("//", *at)));
    out.push_back(at ? line.substr(0, *at) : line);
  }
  lines = std::move(out);
}

// No two of them empty one after the other.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end > at || lines.empty() || !lines.back().empty()) lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::string text_of(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

}  // namespace

std::string format(const std::string& text) {
  std::vector<std::string> lines = lines_of(text);
  align_comments(lines);
  std::map<std::size_t, std::map<std::string, std::vector<std::size_t>>> left;  // by indentation and statement
  for (std::size_t k = 0; k < lines.size(); ++k) {
    std::string& line = lines[k];
    if (line.size() <= limit || width(line) <= limit) continue;
    const std::size_t indent = indent_of(line);
    if (line.compare(indent, 2, "//") == 0) {
      line = wrapped(line);
    } else if (std::optional<std::string> list = filled(line)) {
      line = std::move(*list);
    } else if (line[indent] != '#' && (line.back() == ';' || line.back() == '{') && indent + 40 <= limit) {
      left[indent][line.substr(indent)].push_back(k);
    }
  }
  for (const auto& [indent, statements] : left) {
    std::vector<Statement> whole;
    for (const auto& [statement, places] : statements) whole.push_back({statement, scanned(statement).closers});
    const std::vector<std::string> broken = break_statements(whole, static_cast<int>(limit - indent));
    auto next = broken.begin();
    for (const auto& [statement, places] : statements) {
      std::string indented;
      for (const std::string& line : lines_of(*next)) indented += (indented.empty() ? "" : "\n") + std::string(indent, ' ') + line;
      for (const std::size_t place : places) lines[place] = indented;
      ++next;
    }
  }
  return text_of(lines);
}

}  // namespace gradc

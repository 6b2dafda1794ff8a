// render_diagnostics.cpp: messages as text, in Clang's manner: place, message, source line, caret,
// fix-it.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/diagnostics.h"
#include "dsl/utf8.h"

namespace gradc {
namespace {

constexpr std::size_t max_width = 100;  // of a source line, in columns
constexpr std::size_t tab_stop = 8;

struct Style {
  const char* bold = "";
  const char* error = "";
  const char* warning = "";
  const char* note = "";
  const char* mark = "";
  const char* off = "";
};
constexpr Style plain;
constexpr Style coloured = {"\x1b[1m",    "\x1b[1;31m", "\x1b[1;35m",
                            "\x1b[1;36m", "\x1b[1;32m", "\x1b[0m"};

// A source line as a terminal shows it: tabs expanded, nothing invisible.
struct Shown {
  std::vector<std::string> cells;   // one per column
  std::vector<std::size_t> column;  // of every byte, and of the end of the line
};
Shown show(std::string_view line) {
  Shown shown;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t begin = at;
    const std::size_t first = shown.cells.size();
    if (line[at] == '\t') {
      ++at;
      do shown.cells.push_back(" ");
      while (shown.cells.size() % tab_stop != 0);
    } else {
      const std::string c = printable_character(line, at);
      if (at - begin == c.size()) {
        shown.cells.push_back(c);
      } else {
        for (char part : c) shown.cells.push_back(std::string(1, part));
      }
    }
    shown.column.insert(shown.column.end(), at - begin, first);
  }
  shown.column.push_back(shown.cells.size());
  return shown;
}

std::string without_trailing_blanks(std::string s) {
  s.erase(s.find_last_not_of(' ') + 1);
  return s;
}

class Renderer {
 public:
  Renderer(const Sources& sources, bool color)
      : sources_(sources), style_(color ? coloured : plain) {}

  std::string text() && { return std::move(out_); }

  void diagnostic(const Diagnostic& d) {
    const bool is_error = d.severity == Severity::error;
    place(d.span);
    out_ += fmt::format("{}{}:{} {}{}{} [{}]\n", is_error ? style_.error : style_.warning,
                        is_error ? "error" : "warning", style_.off, style_.bold,
                        printable(d.message), style_.off, d.id);
    const bool fix_here = d.fixit && same_line(d.fixit->span, d.span);
    snippet(d.span, d.ranges, fix_here ? &*d.fixit : nullptr);
    for (const Note& n : d.notes) note(n.span, n.message, nullptr);
    if (d.fixit && !fix_here) note(d.fixit->span, fix_in_words(*d.fixit), &*d.fixit);
  }

 private:
  static std::string fix_in_words(const FixIt& fix) {
    if (fix.text.empty()) return "remove this";
    const bool insertion = fix.span.begin == fix.span.end;
    return fmt::format("{} '{}' here", insertion ? "insert" : "write", fix.text);
  }

  bool shown_in_source(Span span) const {
    return span.valid() && span.file < sources_.size() &&
           span.begin <= sources_.text(span.file).size();
  }
  bool same_line(Span a, Span b) const {
    return shown_in_source(a) && shown_in_source(b) && a.file == b.file &&
           sources_.line_column(a.file, a.begin).line == sources_.line_column(b.file, b.begin).line;
  }

  void note(Span span, const std::string& message, const FixIt* fix) {
    place(span);
    out_ += fmt::format("{}note:{} {}\n", style_.note, style_.off, printable(message));
    snippet(span, {}, fix);
  }

  void place(Span span) {
    if (!shown_in_source(span)) return;
    const LineColumn at = sources_.line_column(span.file, span.begin);
    out_ += fmt::format("{}{}:{}:{}:{} ", style_.bold, printable(sources_.path(span.file)), at.line,
                        at.column, style_.off);
  }

  // The line of the caret with everything on it marked; what lies on other lines is clipped.
  void snippet(Span span, const std::vector<Span>& ranges, const FixIt* fix) {
    if (!shown_in_source(span)) return;
    const LineColumn at = sources_.line_column(span.file, span.begin);
    std::string_view line = sources_.line(span.file, at.line);
    std::size_t line_begin = span.begin - (at.column - 1);
    const std::size_t cut = near_part(line, at.column - 1);
    line_begin += cut;
    const Shown shown = show(line);
    auto column = [&](std::size_t offset) {
      return shown.column[std::clamp(offset, line_begin, line_begin + line.size()) - line_begin];
    };

    std::string marks(shown.cells.size() + 1, ' ');
    auto underline = [&](Span s) {
      if (s.file != span.file || s.end <= line_begin) return;
      for (std::size_t c = column(s.begin); c < column(s.end); ++c) marks[c] = '~';
    };
    for (Span s : ranges) underline(s);
    underline(span);
    const std::size_t caret = column(span.begin);
    marks[caret] = '^';

    std::string fixed;
    std::size_t fix_column = 0;
    if (fix) {
      fix_column = column(fix->span.begin);
      fixed = fix->text.empty() ? std::string(column(fix->span.end) - fix_column, '-')
                                : printable(fix->text);
    }

    const auto [left, right] = window(shown.cells.size(), caret, column(span.end));
    std::string text = left + cut > 0 ? "..." : "";
    for (std::size_t c = left + text.size(); c < right; ++c) text += shown.cells[c];
    if (right < shown.cells.size()) text += "...";
    out_ += without_trailing_blanks(fmt::format("{:>5} | {}", at.line, text)) + "\n";
    out_ += fmt::format("      | {}{}{}\n", style_.mark,
                        without_trailing_blanks(marks.substr(left, right - left + 1)), style_.off);
    if (!fixed.empty() && fix_column >= left)
      out_ += fmt::format("      | {}{}{}{}\n", std::string(fix_column - left, ' '), style_.mark,
                          without_trailing_blanks(fixed), style_.off);
  }

  // Cuts a very long line (noise, generated text) to what is near `at`; how much was cut at its
  // left.
  static std::size_t near_part(std::string_view& line, std::size_t at) {
    constexpr std::size_t enough = 8 * max_width;
    if (line.size() <= enough) return 0;
    std::size_t left = at < enough / 2 ? 0 : std::min(at, line.size()) - enough / 2;
    while (left > 0 && (static_cast<unsigned char>(line[left]) & 0xc0) == 0x80) --left;
    line = line.substr(left, enough);
    return left;
  }

  // The columns to show of a line too long for one: the caret in their first third, or all its
  // range.
  static std::pair<std::size_t, std::size_t> window(std::size_t width, std::size_t begin,
                                                    std::size_t end) {
    if (width <= max_width) return {0, width};
    const std::size_t range = std::min(end - std::min(begin, end), max_width / 2);
    std::size_t left = begin + range < max_width - 3 ? 0 : begin - max_width / 3;
    left = std::min(left, width - max_width);
    return {left, left + max_width};
  }

  const Sources& sources_;
  Style style_;
  std::string out_;
};

}  // namespace

std::string render(const Diagnostics& diagnostics, const Sources& sources, bool color) {
  Renderer renderer(sources, color);
  for (const Diagnostic& d : diagnostics.all()) renderer.diagnostic(d);
  return std::move(renderer).text();
}

}  // namespace gradc

// break_line.cpp: break_line(): parts of an expression in lines, by how tightly they are bound.
#include "codegen/break_line.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "codegen/code_line.h"

namespace gradc {
namespace {

// A stretch of the line.
struct Part {
  std::size_t begin = 0, end = 0;
  std::size_t after = 0;  // columns that its last line must leave
};

struct Layout {
  std::string text;
  std::size_t lines = 1;
  std::size_t column = 0;  // where its last line ends
};

using Layouts = std::optional<Layout>;

// Of two ways the one of fewer lines, else the first.
Layouts shorter(Layouts a, Layouts b) {
  return !a || (b && b->lines < a->lines) ? std::move(b) : std::move(a);
}

bool closes(const Mark& m) {
  return m.tightness == Tightness::bracket && !m.opens;
}

// The width of all that stands before each byte of a line, and of the line.
std::vector<std::size_t> columns_of(std::string_view line) {
  std::vector<std::size_t> columns(line.size() + 1);
  const bool plain = width(line) == line.size();
  for (std::size_t k = 0; k < line.size(); ++k)
    columns[k + 1] = columns[k] + (plain ? 1 : width(line.substr(k, 1)));
  return columns;
}

struct Breaker {
  std::string_view line;
  std::vector<Mark> marks;
  std::vector<std::size_t> columns = columns_of(line);
  // What is known already: of calls in calls each could else be tried in as many ways as those
  // around it.
  using Place = std::tuple<std::size_t, std::size_t, std::size_t, std::size_t, std::size_t, bool>;
  std::map<Place, Layouts> broken = {};

  std::string_view text(const Part& p) const { return line.substr(p.begin, p.end - p.begin); }
  std::size_t width(const Part& p) const { return columns[p.end] - columns[p.begin]; }
  bool fits(const Part& p, std::size_t column) const {
    return column + width(p) + p.after <= column_limit;
  }

  // The marks within a part.
  std::pair<const Mark*, const Mark*> within(const Part& p) const {
    const auto before = [](const Mark& m, std::size_t at) { return m.at < at; };
    const Mark* first =
        std::lower_bound(marks.data(), marks.data() + marks.size(), p.begin, before);
    return {first, std::lower_bound(first, marks.data() + marks.size(), p.end, before)};
  }

  static const Mark* closing(const Mark& open, const Mark* last) {
    return std::find_if(&open, last,
                        [&](const Mark& m) { return closes(m) && m.depth == open.depth; });
  }

  // Whether a bracket holds arguments, not what is to be computed first.
  bool is_call(const Mark& m) const {
    return line[m.at] == '(' && m.at > 0 && line[m.at - 1] != ' ' && line[m.at - 1] != '(';
  }

  // The part from a column on; lines that follow begin there or further in, or four columns from
  // the indentation. An operand is part of a longer list or sum.
  Layouts at(const Part& p, std::size_t column, std::size_t indent, bool operand = false) {
    if (fits(p, column)) return Layout{std::string(text(p)), 1, column + width(p)};
    const Place place{p.begin, p.end, p.after, column, indent, operand};
    if (const auto found = broken.find(place); found != broken.end()) return found->second;
    return broken.emplace(place, weakest_broken(p, column, indent, operand)).first->second;
  }

  Layouts weakest_broken(const Part& p, std::size_t column, std::size_t indent, bool operand) {
    const auto [first, last] = within(p);
    std::size_t depth = std::string::npos;
    for (const Mark* m = first; m != last; ++m)
      depth = std::min(depth, m->depth - (m->tightness == Tightness::bracket ? 1 : 0));
    Tightness weakest = Tightness::bracket;
    for (const Mark* m = first; m != last; ++m)
      if (m->depth == depth && m->at + m->length < p.end) weakest = std::min(weakest, m->tightness);
    if (weakest == Tightness::assignment) return assignment(p, depth, column);
    if (weakest != Tightness::bracket)
      return parts(p, weakest, depth, column,
                   column + (operand || weakest == Tightness::choice ? 4 : 0));
    return list(p, depth + 1, column, indent);
  }

  // Broken at the operators of one kind: one ends its line, but what begins a branch of a choice
  // begins one.
  Layouts parts(const Part& p, Tightness tightness, std::size_t depth, std::size_t column,
                std::size_t next_column) {
    const bool choice = tightness == Tightness::choice;
    Layout out;
    bool several = false;  // lines of the part before
    const auto [first, last] = within(p);
    std::size_t begin = p.begin;
    for (const Mark* m = first;; ++m) {
      if (m != last &&
          (m->depth != depth || m->tightness != tightness || m->at + m->length >= p.end))
        continue;
      const std::size_t end = m == last ? p.end : choice ? m->at - 1 : m->at + m->length;
      const Part part{begin, end, m == last ? p.after : 0};
      const bool starts = begin == p.begin;
      if (!starts && !several && !choice && fits(part, out.column + 1)) {
        out.text += " " + std::string(text(part));
        out.column += 1 + width(part);
      } else {
        // What is between two parts is no place for at() to break.
        const std::size_t leading = choice && !starts ? 2 : 0;
        const std::size_t trailing =
            m == last || choice ? 0 : m->length + (tightness > Tightness::comma ? 1 : 0);
        const std::size_t from = (starts ? column : next_column) + leading;
        const Layouts inner =
            at({begin + leading, end - trailing, part.after + trailing}, from, from, true);
        if (!inner) return std::nullopt;
        if (!starts) out.text += "\n" + std::string(next_column, ' ');
        out.text += std::string(line.substr(begin, leading)) + inner->text +
                    std::string(line.substr(end - trailing, trailing));
        out.lines += inner->lines - (starts ? 1 : 0);
        out.column = inner->column + trailing;
        several = inner->lines > 1;
      }
      if (m == last) return out;
      begin = end + 1;
    }
  }

  // What stands before a part and after it, to `end`, with its layout, which begins in the same
  // line or, if it has a margin, in the next one.
  Layouts around(const Part& before, const Part& part, std::size_t end, Layouts layout,
                 std::size_t margin) const {
    if (!layout) return layout;
    layout->text = std::string(text(before)) + (margin > 0 ? "\n" + std::string(margin, ' ') : "") +
                   layout->text + std::string(line.substr(part.end, end - part.end));
    layout->lines += margin > 0 ? 1 : 0;
    layout->column += end - part.end;
    return layout;
  }

  // A call, an element or a list, broken in its widest brackets of this depth: below what follows
  // the opening one, or after it.
  Layouts list(const Part& p, std::size_t depth, std::size_t column, std::size_t indent) {
    const auto [first, last] = within(p);
    const Mark* open = nullptr;
    const Mark* close = nullptr;
    for (const Mark* m = first; m != last; ++m) {
      if (m->tightness != Tightness::bracket || !m->opens || m->depth != depth) continue;
      const Mark* end = closing(*m, last);
      if (end != last && (!open || end->at - m->at > close->at - open->at)) open = m, close = end;
    }
    if (!open || close->at == open->at + 1) return std::nullopt;
    const Part before{p.begin, open->at + 1},
        inside{open->at + 1, close->at, p.end - close->at + p.after};
    if (!fits(before, column)) return std::nullopt;
    const std::size_t below = column + width(before);
    Layouts next_line, aligned;
    if (is_call(*open))
      next_line = around(before, inside, p.end, at(inside, indent + 4, indent + 4), indent + 4);
    if (!next_line || below <= column_limit / 2)
      aligned = around(before, inside, p.end, at(inside, below, below), 0);
    // Arguments of a call that is the whole statement are worth another line.
    if (column == indent && aligned && next_line && aligned->lines == next_line->lines + 1)
      return aligned;
    return shorter(std::move(aligned), std::move(next_line));
  }

  // `a = b` with b in a line of its own, else the shortest of: b below a, b begun beside a, and
  // both in a line up to a call.
  Layouts assignment(const Part& p, std::size_t depth, std::size_t column) {
    const auto [first, last] = within(p);
    const Mark* sign = std::find_if(first, last, [&](const Mark& m) {
      return m.tightness == Tightness::assignment && m.depth == depth;
    });
    const Part left{p.begin, sign->at + sign->length}, right{left.end + 1, p.end, p.after};
    if (!fits(left, column)) return std::nullopt;
    Layouts below = around(left, right, p.end, at(right, column + 4, column + 4), column + 4);
    if (fits(right, column + 4)) return below;
    const std::size_t column_beside = column + width(left) + 1;
    Layouts beside;
    if (column_beside <= column_limit / 2)
      beside = around({left.begin, right.begin}, right, p.end, at(right, column_beside, column), 0);
    return shorter(shorter(std::move(below), std::move(beside)), last_list(p, column));
  }

  // Of the calls that end with the part, one's arguments from the next line on, four columns
  // further in.
  Layouts last_list(const Part& p, std::size_t column) {
    const auto [first, last] = within(p);
    const Mark* ending = last;  // the first of the brackets at the end
    while (ending != first && closes(*(ending - 1)) &&
           (ending - 1)->at + static_cast<std::size_t>(last - ending) + 1 == p.end)
      --ending;
    Layouts best;
    for (const Mark* m = first; m != last; ++m) {
      if (m->tightness != Tightness::bracket || !m->opens || !is_call(*m)) continue;
      const Mark* close = closing(*m, last);
      if (close < ending || close == last) continue;
      const Part before{p.begin, m->at + 1},
          inside{before.end, close->at, p.end - close->at + p.after};
      if (!fits(before, column)) break;
      best = shorter(std::move(best),
                     around(before, inside, p.end, at(inside, column + 4, column + 4), column + 4));
    }
    return best;
  }
};

}  // namespace

std::optional<std::string> break_line(const std::string& line) {
  CodeLine code = scanned(line);
  if (code.end != line.size()) return std::nullopt;
  const std::size_t indent = indent_of(line);
  const std::size_t begin = indent + (line.compare(indent, 7, "return ") == 0 ? 7 : 0);
  // What ends the statement, or opens its block, goes with what stands before it.
  const std::size_t end = line.back() == ';' || line.back() == ',' ? line.size() - 1
                          : line.ends_with(" {")                   ? line.size() - 2
                                                                   : line.size();
  std::erase_if(code.marks, [&](const Mark& m) { return m.at >= end; });
  Breaker breaker{line, std::move(code.marks)};
  const Layouts layout = breaker.at({begin, end, line.size() - end}, begin, indent);
  if (!layout) return std::nullopt;
  return line.substr(0, begin) + layout->text + line.substr(end);
}

}  // namespace gradc

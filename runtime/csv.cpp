// csv.cpp: RFC 4180 tables of numbers.
#include <charconv>
#include <cmath>
#include <cstring>
#include <string_view>

#include "runtime/failure.h"
#include "runtime/file.h"
#include "runtime/readers.h"

namespace gradc::driver {
namespace {

// Walks the fields of a text; `line` counts from 1, and quoted fields may span lines.
class Scanner {
 public:
  Scanner(const std::string& text, const std::string& path) : text_(text), path_(path) {
    if (text_.compare(0, 3, "\xef\xbb\xbf") == 0) at_ = 3;
    row_start_ = at_;
  }

  std::int64_t line() const { return line_; }
  bool at_end() const { return at_ == text_.size(); }

  // Only line ends remain.
  bool only_blank_lines_left() const {
    return text_.find_first_not_of("\r\n", at_) == std::string::npos;
  }

  // The next field; `last` says whether it ends its row. The view holds until the next call.
  std::string_view next(std::int64_t column, bool& last) {
    if (column >= max_csv_columns)
      refuse("{}:{}: more than {} columns", path_, line_, max_csv_columns);
    const std::string_view field =
        at_ < text_.size() && text_[at_] == '"' ? quoted(column) : plain(column);
    last = true;
    if (at_ < text_.size()) {
      last = text_[at_] != ',';
      if (text_[at_] == '\r') ++at_;  // plain() and quoted() stop there only before '\n'
      ++at_;
    }
    if (last) {
      line_ += lines_in_row_ + 1;
      lines_in_row_ = 0;
      row_start_ = at_;
    }
    return field;
  }

 private:
  bool at_line_end(std::size_t at) const {
    return text_[at] == '\n' ||
           (text_[at] == '\r' && at + 1 < text_.size() && text_[at + 1] == '\n');
  }
  void check_length() const {
    if (at_ - row_start_ > max_csv_line)
      refuse("{}:{}: the line is longer than {} bytes", path_, line_, max_csv_line);
  }

  std::string_view plain(std::int64_t column) {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != ',' && !at_line_end(at_)) {
      if (text_[at_] == '"')
        refuse("{}:{}: column {}: a quote inside a field that does not start with one", path_,
               line_, column);
      ++at_;
      check_length();
    }
    return std::string_view(text_).substr(begin, at_ - begin);
  }

  std::string_view quoted(std::int64_t column) {
    unquoted_.clear();
    for (++at_;; ++at_) {
      check_length();
      if (at_ >= text_.size())
        refuse("{}:{}: column {}: the quote is never closed", path_, line_, column);
      if (text_[at_] == '"') {
        if (at_ + 1 >= text_.size() || text_[at_ + 1] != '"') break;
        ++at_;
      }
      if (text_[at_] == '\n') ++lines_in_row_;
      unquoted_ += text_[at_];
    }
    ++at_;
    if (at_ < text_.size() && text_[at_] != ',' && !at_line_end(at_))
      refuse("{}:{}: column {}: text after the closing quote", path_, line_, column);
    return unquoted_;
  }

  const std::string& text_;
  const std::string& path_;
  std::string unquoted_;
  std::size_t at_ = 0, row_start_ = 0;
  std::int64_t line_ = 1, lines_in_row_ = 0;
};

// Control characters would garble a terminal.
std::string shown(std::string_view field) {
  std::string result;
  for (const char c : field.substr(0, 40)) result += c < ' ' || c == 127 ? '?' : c;
  return field.size() > 40 ? result + "…" : result;
}

bool parse_number(std::string_view field, double& value) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!field.empty() && blank(field.front())) field.remove_prefix(1);
  while (!field.empty() && blank(field.back())) field.remove_suffix(1);
  if (field.size() > 1 && field[0] == '+' && field[1] != '-') field.remove_prefix(1);
  const auto result = std::from_chars(field.data(), field.data() + field.size(), value);
  if (result.ptr != field.data() + field.size() || field.empty()) return false;
  if (result.ec == std::errc::result_out_of_range)  // too small is zero, too large is not a number
    return value = 0, field.find("e-") != field.npos || field.find("E-") != field.npos;
  return result.ec == std::errc();
}

}  // namespace

std::vector<Array> parse_csv(const std::string& text, const std::string& path, bool header,
                             const std::vector<Columns>& wanted) {
  std::vector<Array> arrays(wanted.size());
  std::int64_t rows = 0, width = -1;
  std::vector<std::int64_t> lines;
  std::vector<double> row;
  Scanner scanner(text, path);
  bool heading = header;
  while (!scanner.only_blank_lines_left()) {
    const std::int64_t line = scanner.line();
    row.clear();
    bool last = false;
    for (std::int64_t column = 0; !last; ++column) {
      const std::string_view field = scanner.next(column, last);
      if (width >= 0 && column >= width)
        refuse("{}:{}: more than the {} fields of the lines before it", path, line, width);
      bool used = false;
      for (const Columns& range : wanted) used |= range.first <= column && column <= range.last;
      double value = 0;
      if (used && !heading && !parse_number(field, value)) {
        if (field.empty()) refuse("{}:{}: column {} (counted from 0) is empty", path, line, column);
        refuse("{}:{}: column {} (counted from 0): '{}' is not a number{}", path, line, column,
               shown(field),
               line == 1 ? "; if line 1 holds names, the spec has to say so (header = true)" : "");
      }
      row.push_back(value);
    }
    const std::int64_t count = static_cast<std::int64_t>(row.size());
    if (width < 0) {
      width = count;
      for (const Columns& range : wanted)
        if (range.first < 0 || range.last < range.first || range.last >= width)
          refuse("{}:{}: columns {} to {} are wanted, but there are only columns 0 to {}", path,
                 line, range.first, range.last, width - 1);
    }
    if (count < width)
      refuse("{}:{}: {} fields; the lines before it have {}", path, line, count, width);
    if (heading) {
      heading = false;
      continue;
    }
    if (++rows > max_rows) refuse("{}:{}: more than {} rows", path, line, max_rows);
    lines.push_back(line);
    for (std::size_t i = 0; i < wanted.size(); ++i)
      arrays[i].bytes.append(
          reinterpret_cast<const char*>(row.data() + wanted[i].first),
          static_cast<std::size_t>(wanted[i].last - wanted[i].first + 1) * sizeof(double));
  }
  if (rows == 0) refuse("{}: no rows", path);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    arrays[i].path = path;
    arrays[i].shape = {rows};
    if (wanted[i].last > wanted[i].first)
      arrays[i].shape.push_back(wanted[i].last - wanted[i].first + 1);
    arrays[i].line_of_row = lines;
    arrays[i].first_column = wanted[i].first;
  }
  return arrays;
}

std::vector<Array> read_csv(const std::string& path, bool header,
                            const std::vector<Columns>& wanted) {
  return parse_csv(read_file(path), path, header, wanted);
}

}  // namespace gradc::driver

// diagnostics.h: source text, spans in it, and the one sink every message for the user goes through.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gradc {

// A half-open byte range of one source file. File 0 is always the prelude.
struct Span {
  static constexpr std::uint32_t no_file = 0xffffffff;
  std::uint32_t file = no_file;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;

  bool valid() const { return file != no_file; }
  friend bool operator==(Span, Span) = default;
};

struct LineColumn {
  std::size_t line = 1;    // from 1
  std::size_t column = 1;  // from 1, in bytes
};

// The texts a compilation has read. Files are never removed, so spans stay valid.
class Sources {
 public:
  std::uint32_t add(std::string path, std::string text);
  std::size_t size() const { return files_.size(); }
  const std::string& path(std::uint32_t file) const { return files_[file].path; }
  const std::string& text(std::uint32_t file) const { return files_[file].text; }
  std::string_view text(Span) const;
  LineColumn line_column(std::uint32_t file, std::uint32_t offset) const;
  std::string_view line(std::uint32_t file, std::size_t line) const;  // without its newline

 private:
  struct File {
    std::string path;
    std::string text;
    std::vector<std::uint32_t> line_starts;
  };
  std::deque<File> files_;  // a deque, so that references into it survive add()
};

enum class Severity : std::uint8_t { note, warning, error };

struct FixIt {
  Span span;  // empty: insertion
  std::string text;
};

struct Note {
  Span span;  // may be invalid: a note without a place
  std::string message;
};

// One message: what is wrong at `span`, why (`notes`, e.g. the call chain that led there), what to do.
struct Diagnostic {
  Severity severity = Severity::error;
  std::string_view id;  // stable, kebab-case, listed in diagnostic_ids()
  Span span;
  std::string message;
  std::vector<Span> ranges;  // further underlined ranges
  std::vector<Note> notes;
  std::optional<FixIt> fixit;
};

// Collects diagnostics; drops one that repeats id and span, and stops taking more after `limit` errors.
class Diagnostics {
 public:
  static constexpr std::size_t limit = 100;
  // `id` must be one of diagnostic_ids().
  Diagnostic& error(std::string_view id, Span, std::string message);
  Diagnostic& warning(std::string_view id, Span, std::string message);
  bool has_errors() const { return errors_ > 0; }
  std::size_t errors() const { return errors_; }
  const std::deque<Diagnostic>& all() const { return all_; }

 private:
  Diagnostic& add(Severity, std::string_view id, Span, std::string message);
  std::deque<Diagnostic> all_;  // in order of report; a deque, so that error() may return a reference
  Diagnostic dropped_;          // where writes to a repeated diagnostic go
  std::size_t errors_ = 0;
};

struct DiagnosticId {
  std::string_view id;
  std::string_view summary;  // one line, for the reference
};
// Every id there is, in alphabetical order; each has a spec in tests/errors.
const std::vector<DiagnosticId>& diagnostic_ids();

// Renders in Clang's manner: file:line:col: error: message [id], source line, caret and ranges, notes,
// fix-it. `color` adds ANSI colours.
std::string render(const Diagnostics&, const Sources&, bool color = false);

// The candidate nearest to `name` by edit distance, if near enough to be a likely misspelling.
std::optional<std::string_view> nearest_name(std::string_view name,
                                             const std::vector<std::string_view>& candidates);

}  // namespace gradc

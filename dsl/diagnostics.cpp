// diagnostics.cpp: source texts, and the sink for messages about them.
#include "dsl/diagnostics.h"

#include <algorithm>

#include "dsl/check.h"

namespace gradc {

std::uint32_t Sources::add(std::string path, std::string text) {
  File file{std::move(path), std::move(text), {0}};
  for (std::size_t at = file.text.find('\n'); at != file.text.npos;
       at = file.text.find('\n', at + 1))
    file.line_starts.push_back(static_cast<std::uint32_t>(at + 1));
  files_.push_back(std::move(file));
  return static_cast<std::uint32_t>(files_.size() - 1);
}

std::string_view Sources::text(Span span) const {
  GRADC_CHECK(span.file < files_.size(), "a span of no file");
  const std::string_view all = files_[span.file].text;
  if (span.begin >= all.size() || span.end <= span.begin) return {};
  return all.substr(span.begin, span.end - span.begin);
}

LineColumn Sources::line_column(std::uint32_t file, std::uint32_t offset) const {
  GRADC_CHECK(file < files_.size(), "a place in no file");
  const auto& starts = files_[file].line_starts;
  const auto after = std::upper_bound(starts.begin(), starts.end(), offset);
  return {static_cast<std::size_t>(after - starts.begin()), offset - *(after - 1) + 1u};
}

std::string_view Sources::line(std::uint32_t file, std::size_t line) const {
  GRADC_CHECK(file < files_.size(), "a line of no file");
  const File& f = files_[file];
  if (line == 0 || line > f.line_starts.size()) return {};
  const std::size_t begin = f.line_starts[line - 1];
  std::string_view text = std::string_view(f.text).substr(begin);
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

Diagnostic& Diagnostics::error(std::string_view id, Span span, std::string message) {
  return add(Severity::error, id, span, std::move(message));
}

Diagnostic& Diagnostics::warning(std::string_view id, Span span, std::string message) {
  return add(Severity::warning, id, span, std::move(message));
}

Diagnostic& Diagnostics::add(Severity severity, std::string_view id, Span span,
                             std::string message) {
  const auto& ids = diagnostic_ids();
  const auto known =
      std::lower_bound(ids.begin(), ids.end(), id,
                       [](const DiagnosticId& a, std::string_view b) { return a.id < b; });
  GRADC_CHECK(known != ids.end() && known->id == id,
              "the diagnostic id " + std::string(id) + " is not registered");
  const bool repeated = std::any_of(all_.begin(), all_.end(), [&](const Diagnostic& d) {
    return d.id == id && d.span == span && (span.valid() || d.message == message);
  });
  if (repeated || errors_ >= limit) {
    dropped_ = Diagnostic{};
    return dropped_;
  }
  if (severity == Severity::error) ++errors_;
  Diagnostic d;
  d.severity = severity;
  d.id = known->id;
  d.span = span;
  d.message = std::move(message);
  all_.push_back(std::move(d));
  return all_.back();
}

}  // namespace gradc

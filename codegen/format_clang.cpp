// format_clang.cpp: break_statements() through libFormat; the only file that includes Clang's headers.
#include <clang/Basic/Version.h>
#include <clang/Format/Format.h>
#include <clang/Tooling/Core/Replacement.h>
#include <llvm/Support/Error.h>

#include "codegen/format.h"

namespace gradc {
namespace {

// Stands between two statements, and in a block that one opens, so that it stays open.
constexpr std::string_view mark = "//~";

// What a statement leaves open.
std::string closers(const std::string& statement) {
  std::string open;
  char quote = 0;
  for (std::size_t k = 0; k < statement.size(); ++k) {
    const char c = statement[k];
    if (quote != 0) {
      if (c == '\\') ++k;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '(' || c == '[' || c == '{') {
      open += c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if (!open.empty() && c == open.back()) {
      open.pop_back();
    }
  }
  return {open.rbegin(), open.rend()};
}

bool is_mark(const std::string& line) {
  const std::size_t begin = line.find_first_not_of(' ');
  return begin != std::string::npos && line.compare(begin, std::string::npos, mark) == 0;
}

}  // namespace

std::string formatter() {
  return "libFormat " CLANG_VERSION_STRING;
}

std::vector<std::string> break_statements(std::vector<std::string> statements, int columns) {
  namespace tooling = clang::tooling;
  clang::format::FormatStyle style = clang::format::getGoogleStyle(clang::format::FormatStyle::LK_Cpp);
  style.ColumnLimit = static_cast<unsigned>(columns) + 2;  // two for the function around them
  style.DerivePointerAlignment = false;
  style.SortIncludes = {};
  const std::string between = std::string(mark) + "\n";
  std::string text = "void f() {\n";
  for (const std::string& statement : statements) {
    text += statement + "\n" + between;
    // Two marks for a block, so that what follows the first is what closes it.
    if (const std::string end = closers(statement); !end.empty()) text += end + ";\n" + between;
  }
  text += "}\n";
  const std::vector<tooling::Range> whole{tooling::Range(0, static_cast<unsigned>(text.size()))};
  clang::format::FormattingAttemptStatus status;
  const tooling::Replacements edits = clang::format::reformat(style, text, whole, "emitted.cpp", &status);
  if (!status.FormatComplete) return statements;
  llvm::Expected<std::string> result = tooling::applyAllReplacements(text, edits);
  if (!result) {
    llvm::consumeError(result.takeError());
    return statements;
  }

  std::vector<std::string> parts(1);
  std::size_t at = result->find('\n') + 1;  // after the function's head
  while (at < result->size()) {
    const std::size_t end = result->find('\n', at);
    const std::string line = result->substr(at, end - at);
    at = end == std::string::npos ? result->size() : end + 1;
    if (is_mark(line)) {
      parts.emplace_back();
    } else {
      parts.back() += (parts.back().empty() ? "" : "\n") + line.substr(std::min<std::size_t>(line.size(), 2));
    }
  }
  std::vector<std::string> broken;
  std::size_t part = 0;
  for (const std::string& statement : statements) {
    if (part >= parts.size()) return statements;
    broken.push_back(parts[part]);
    part += closers(statement).empty() ? 1 : 2;
  }
  return part + 1 == parts.size() ? broken : statements;
}

}  // namespace gradc

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

bool is_mark(const std::string& line) {
  const std::size_t begin = line.find_first_not_of(' ');
  return begin != std::string::npos && line.compare(begin, std::string::npos, mark) == 0;
}

}  // namespace

std::string formatter() {
  return "libFormat " CLANG_VERSION_STRING;
}

std::vector<std::string> break_statements(const std::vector<Statement>& statements, int columns) {
  std::vector<std::string> unbroken;
  for (const Statement& s : statements) unbroken.push_back(s.text);
  namespace tooling = clang::tooling;
  clang::format::FormatStyle style = clang::format::getGoogleStyle(clang::format::FormatStyle::LK_Cpp);
  style.ColumnLimit = static_cast<unsigned>(columns) + 2;  // two for the function around them
  style.DerivePointerAlignment = false;
  style.SortIncludes = {};
  // Each would be a pass over the text by itself, and find nothing.
  style.FixNamespaceComments = false;
  style.SortUsingDeclarations = clang::format::FormatStyle::SUD_Never;
  const std::string between = std::string(mark) + "\n";
  std::string text = "void f() {\n";
  for (const Statement& s : statements) {
    text += s.text + "\n" + between;
    // Two marks for a block, so that what follows the first is what closes it.
    if (!s.closers.empty()) text += s.closers + ";\n" + between;
  }
  text += "}\n";
  const std::vector<tooling::Range> whole{tooling::Range(0, static_cast<unsigned>(text.size()))};
  clang::format::FormattingAttemptStatus status;
  const tooling::Replacements edits = clang::format::reformat(style, text, whole, "emitted.cpp", &status);
  if (!status.FormatComplete) return unbroken;
  llvm::Expected<std::string> result = tooling::applyAllReplacements(text, edits);
  if (!result) {
    llvm::consumeError(result.takeError());
    return unbroken;
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
  for (const Statement& s : statements) {
    if (part >= parts.size()) return unbroken;
    broken.push_back(parts[part]);
    part += s.closers.empty() ? 1 : 2;
  }
  return part + 1 == parts.size() ? broken : unbroken;
}

}  // namespace gradc

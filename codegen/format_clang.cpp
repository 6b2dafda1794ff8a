// format_clang.cpp: break_statement() through libFormat; the only file that includes Clang's
// headers.
#include <clang/Basic/Version.h>
#include <clang/Format/Format.h>
#include <clang/Tooling/Core/Replacement.h>
#include <llvm/Support/Error.h>

#include <algorithm>

#include "codegen/format.h"

namespace gradc {
namespace {

// Stands behind the statement, in the block that it opens if it does, so that this stays open.
constexpr std::string_view mark = "//~";

bool is_mark(const std::string& line) {
  const std::size_t begin = line.find_first_not_of(' ');
  return begin != std::string::npos && line.compare(begin, std::string::npos, mark) == 0;
}

}  // namespace

std::string formatter() {
  return "libFormat " CLANG_VERSION_STRING;
}

std::string break_statement(const std::string& statement, const std::string& closers,
                            std::size_t columns) {
  namespace tooling = clang::tooling;
  clang::format::FormatStyle style =
      clang::format::getGoogleStyle(clang::format::FormatStyle::LK_Cpp);
  style.ColumnLimit = static_cast<unsigned>(columns) + 2;  // two for the function around it
  style.DerivePointerAlignment = false;
  style.SortIncludes = {};
  // Each would be a pass over the text by itself, and find nothing.
  style.FixNamespaceComments = false;
  style.SortUsingDeclarations = clang::format::FormatStyle::SUD_Never;
  const std::string text =
      "void f() {\n" + statement + "\n" + std::string(mark) + "\n" + closers + ";\n}\n";
  const std::vector<tooling::Range> whole{tooling::Range(0, static_cast<unsigned>(text.size()))};
  clang::format::FormattingAttemptStatus status;
  const tooling::Replacements edits =
      clang::format::reformat(style, text, whole, "emitted.cpp", &status);
  if (!status.FormatComplete) return statement;
  llvm::Expected<std::string> result = tooling::applyAllReplacements(text, edits);
  if (!result) {
    llvm::consumeError(result.takeError());
    return statement;
  }
  std::string broken;
  for (std::size_t at = result->find('\n') + 1;
       at < result->size();) {  // after the function's head
    const std::size_t end = std::min(result->find('\n', at), result->size());
    const std::string line = result->substr(at, end - at);
    if (is_mark(line)) return broken;
    broken += (broken.empty() ? "" : "\n") + line.substr(std::min<std::size_t>(line.size(), 2));
    at = end + 1;
  }
  return statement;
}

}  // namespace gradc

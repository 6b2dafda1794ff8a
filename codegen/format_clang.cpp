// format_clang.cpp: format() through libFormat; the only file that includes Clang's headers.
#include <clang/Basic/Version.h>
#include <clang/Format/Format.h>
#include <clang/Tooling/Core/Replacement.h>
#include <llvm/Support/Error.h>

#include "codegen/format.h"

namespace gradc {

std::string formatter() {
  return "libFormat " CLANG_VERSION_STRING;
}

std::string format(const std::string& text) {
  namespace tooling = clang::tooling;
  clang::format::FormatStyle style =
      clang::format::getGoogleStyle(clang::format::FormatStyle::LK_Cpp);
  style.ColumnLimit = 100;
  style.DerivePointerAlignment = false;
  style.SortIncludes = {};
  const std::vector<tooling::Range> whole{tooling::Range(0, static_cast<unsigned>(text.size()))};
  clang::format::FormattingAttemptStatus status;
  const tooling::Replacements edits =
      clang::format::reformat(style, text, whole, "emitted.cpp", &status);
  if (!status.FormatComplete) return text;
  llvm::Expected<std::string> result = tooling::applyAllReplacements(text, edits);
  if (!result) {
    llvm::consumeError(result.takeError());
    return text;
  }
  return *result;
}

}  // namespace gradc

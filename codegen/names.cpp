// names.cpp: names of the spec → identifiers that are safe in emitted code.
#include "codegen/names.h"

#include <algorithm>
#include <array>

namespace gradc {
namespace {

// Keywords up to C++26, alternative tokens, contextual words that read badly, common macros, and what
// emitted files use themselves. Sorted.
constexpr auto reserved = std::to_array<std::string_view>({
    "BUFSIZ", "CHAR_BIT", "DBL_MAX", "EDOM", "EOF", "ERANGE", "EXIT_FAILURE", "EXIT_SUCCESS",
    "FILE", "FLT_MAX", "HUGE_VAL", "HUGE_VALF", "I", "INFINITY", "INT_MAX", "INT_MIN", "M_E",
    "M_PI", "NAN", "NDEBUG", "NULL", "OVERFLOW", "Parameters", "RAND_MAX", "SIZE_MAX", "State",
    "UNDERFLOW", "Workspace", "alignas", "alignof", "and", "and_eq", "asm", "assert",
    "atomic_cancel", "atomic_commit", "atomic_noexcept", "auto", "bitand", "bitor", "bool", "break",
    "case", "catch", "char", "char16_t", "char32_t", "char8_t", "class", "co_await", "co_return",
    "co_yield", "compl", "complex", "concept", "const", "const_cast", "consteval", "constexpr",
    "constinit", "continue", "contract_assert", "data", "decltype", "default", "delete", "do",
    "double", "dynamic_cast", "else", "enum", "errno", "explicit", "export", "extern", "false",
    "final", "float", "for", "friend", "goto", "gradc", "gradients", "if", "import", "init",
    "inline", "int", "int16_t", "int32_t", "int64_t", "int8_t", "isfinite", "isinf", "isnan",
    "linux", "long", "main", "major", "math_errhandling", "minor", "model", "module", "mutable",
    "namespace", "new", "noexcept", "not", "not_eq", "nullptr", "offsetof", "operator", "or",
    "or_eq", "override", "parameters", "private", "protected", "public", "reflexpr", "register",
    "reinterpret_cast", "requires", "result", "return", "seed", "setjmp", "short", "signbit",
    "signed", "size_t", "sizeof", "state", "static", "static_assert", "static_cast", "std",
    "stderr", "stdin", "stdout", "step", "stream", "struct", "switch", "synchronized", "team", "template", "this", "thread",
    "thread_local", "throw", "true", "try", "typedef", "typeid", "typename", "uint16_t", "uint32_t",
    "uint64_t", "uint8_t", "union", "unix", "unsigned", "using", "va_arg", "va_end", "va_list",
    "va_start", "virtual", "void", "volatile", "wchar_t", "while", "workspace", "xor", "xor_eq",
});
static_assert(std::is_sorted(reserved.begin(), reserved.end()));

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr std::size_t longest = 200;

}  // namespace

std::string identifier(std::string_view spec_name) {
  std::string out;
  for (char c : spec_name) {
    if (is_letter(c) || is_digit(c)) {
      out += c;
    } else if (!out.empty() && out.back() != '_') {
      out += '_';
    }
    if (out.size() == longest) break;
  }
  while (!out.empty() && out.back() == '_') out.pop_back();
  if (out.empty() || is_digit(out.front())) out.insert(0, "v");
  if (std::binary_search(reserved.begin(), reserved.end(), std::string_view(out))) out += '_';
  return out;
}

std::string Names::fresh(std::string_view spec_name) {
  const std::string stem = identifier(spec_name);
  std::string name = stem;
  if (taken_.contains(name)) {
    const bool apart = is_digit(stem.back());
    int& number = next_.try_emplace(stem, 2).first->second;
    do {
      name = stem + (apart ? "_" : "") + std::to_string(number++);
    } while (taken_.contains(name));
  }
  taken_.insert(name);
  return name;
}

}  // namespace gradc

// nearest_name.cpp: which name was probably meant.
#include <algorithm>

#include "dsl/diagnostics.h"

namespace gradc {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Edits that turn a into b, twice over: insertions, deletions, replacements and exchanges of
// neighbours count 2, a change of case 1. Three rows of the usual table suffice.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = 2 * j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = 2 * i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1]                 ? 0
                                 : lower(a[i - 1]) == lower(b[j - 1]) ? 1
                                                                      : 2;
      row[j] = std::min({above[j] + 2, row[j - 1] + 2, above[j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 2);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

std::optional<std::string_view> nearest_name(std::string_view name,
                                             const std::vector<std::string_view>& candidates) {
  // One edit in three letters; single letters only by case.
  const std::size_t enough = name.size() < 2 ? 1 : 2 * ((name.size() + 2) / 3);
  std::optional<std::string_view> nearest;
  std::size_t least = enough + 1;
  for (std::string_view candidate : candidates) {
    if (candidate == name) continue;
    const std::size_t longer = std::max(name.size(), candidate.size());
    const std::size_t shorter = std::min(name.size(), candidate.size());
    if (2 * (longer - shorter) >= least) continue;
    const std::size_t d = distance(name, candidate);
    if (d >= least || d >= 2 * shorter) continue;
    least = d;
    nearest = candidate;
  }
  return nearest;
}

}  // namespace gradc

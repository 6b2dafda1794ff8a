// memory_limit.cpp: sizes as a command line has them.
#include "tool/memory_limit.h"

#include <charconv>
#include <cmath>

namespace gradc {

std::optional<std::int64_t> parse_bytes(std::string_view text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failed] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (failed != std::errc{}) return std::nullopt;
  std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  constexpr struct {
    std::string_view name;
    double bytes;
  } units[] = {{"", 1},       {"B", 1},      {"kB", 1e3},     {"KB", 1e3},        {"MB", 1e6},
               {"GB", 1e9},   {"KiB", 1024}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
  for (const auto& u : units) {
    if (u.name != unit) continue;
    const double bytes = std::floor(number * u.bytes);
    const bool whole = u.bytes > 1 || bytes == number;
    if (!whole || !(bytes >= 1) || bytes > 9e18) return std::nullopt;
    return static_cast<std::int64_t>(bytes);
  }
  return std::nullopt;
}

}  // namespace gradc

// memory_limit.h: sizes as a command line has them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace gradc {

// Bytes of "64MiB", "1.5 GB", "4096": a positive number and, unless it is a whole one of bytes, a unit. Nothing if it is
// something else.
std::optional<std::int64_t> parse_bytes(std::string_view);

}  // namespace gradc

// picture.h: numbers from 0 to 1 as pictures in grey, many of them in a grid, as PNG.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace gradc::driver {

struct Picture {
  std::int64_t width = 0, height = 0;
  std::string pixels;  // row-major, 0 black to 255 white
};

constexpr std::int64_t max_picture_side = 8192;

// `per_example` pictures of every example; value(i) of all of them, row-major.
struct Strip {
  std::int64_t per_example = 1;
  std::function<double(std::int64_t)> value;
};

// Every example is a column, its pictures one below the other; if each has but one, they fill a
// grid, row by row, that is about square. Small pictures are magnified by a whole number. Values
// are clipped to 0 … 1, NaN is black. Refuses what exceeds max_picture_side.
Picture tile(const std::vector<Strip>&, std::int64_t examples, std::int64_t height,
             std::int64_t width, const std::string& path);

// A PNG file: 8 bits of grey, not interlaced (W3C, Portable Network Graphics, 2nd edition).
std::string png(const Picture&);

}  // namespace gradc::driver

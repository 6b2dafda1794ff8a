// picture.cpp: see picture.h.
#include "runtime/picture.h"

#include <zlib.h>

#include <algorithm>

#include "runtime/failure.h"

namespace gradc::driver {
namespace {

constexpr std::int64_t gap = 2;                 // pixels between pictures
constexpr unsigned char between = 96;           // their grey
constexpr std::int64_t wanted_side = 48;        // small pictures are magnified to about this

void append_u32(std::string& bytes, std::uint32_t number) {
  for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(number >> shift & 0xff);
}

// Length, type, data and the CRC-32 of type and data.
void append_chunk(std::string& file, const char* type, const std::string& data) {
  append_u32(file, static_cast<std::uint32_t>(data.size()));
  const std::string covered = type + data;
  file += covered;
  append_u32(file,
             static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(covered.data()),
                                              static_cast<uInt>(covered.size()))));
}

unsigned char grey(double value) {
  if (!(value > 0)) return 0;
  return static_cast<unsigned char>(std::min(value, 1.0) * 255 + 0.5);
}

}  // namespace

Picture tile(const std::vector<Strip>& strips, std::int64_t examples, std::int64_t height,
             std::int64_t width, const std::string& path) {
  std::int64_t down = 0;
  for (const Strip& strip : strips) down += strip.per_example;
  if (examples < 1 || height < 1 || width < 1 || down < 1 || height > max_picture_side ||
      width > max_picture_side || down > max_picture_side || examples > (std::int64_t{1} << 31))
    refuse("{}: {} pictures of {} x {} are none that can be written", path, examples, width, height);
  std::int64_t across = examples;
  const bool grid = down == 1;
  if (grid) {
    across = 1;
    while (across * across < examples) ++across;
    down = (examples + across - 1) / across;
  }
  const std::int64_t zoom = std::max<std::int64_t>(1, wanted_side / std::max(height, width));
  Picture picture;
  picture.width = across * (width * zoom + gap) + gap;
  picture.height = down * (height * zoom + gap) + gap;
  if (picture.width > max_picture_side || picture.height > max_picture_side)
    refuse("{}: {} x {} pixels are more than {} a side; show fewer examples", path, picture.width,
           picture.height, max_picture_side);
  picture.pixels.assign(static_cast<std::size_t>(picture.width * picture.height),
                        static_cast<char>(between));
  const auto draw = [&](const Strip& strip, std::int64_t number, std::int64_t column,
                        std::int64_t row) {
    for (std::int64_t y = 0; y < height * zoom; ++y)
      for (std::int64_t x = 0; x < width * zoom; ++x) {
        const std::int64_t from = (number * height + y / zoom) * width + x / zoom;
        const std::int64_t at = (gap + row * (height * zoom + gap) + y) * picture.width + gap +
                                column * (width * zoom + gap) + x;
        picture.pixels[static_cast<std::size_t>(at)] = static_cast<char>(grey(strip.value(from)));
      }
  };
  for (std::int64_t example = 0; example < examples; ++example) {
    std::int64_t row = 0;
    for (const Strip& strip : strips)
      for (std::int64_t k = 0; k < strip.per_example; ++k, ++row)
        draw(strip, example * strip.per_example + k, grid ? example % across : example,
             grid ? example / across : row);
  }
  return picture;
}

std::string png(const Picture& picture) {
  std::string header;
  append_u32(header, static_cast<std::uint32_t>(picture.width));
  append_u32(header, static_cast<std::uint32_t>(picture.height));
  header += std::string("\x08\x00\x00\x00\x00", 5);  // 8 bits, grey; the one compression, filter
  std::string rows;
  for (std::int64_t y = 0; y < picture.height; ++y) {
    rows += '\0';  // filter: none
    rows.append(picture.pixels, static_cast<std::size_t>(y * picture.width),
                static_cast<std::size_t>(picture.width));
  }
  uLongf size = compressBound(static_cast<uLong>(rows.size()));
  std::string packed(size, '\0');
  if (compress2(reinterpret_cast<Bytef*>(packed.data()), &size,
                reinterpret_cast<const Bytef*>(rows.data()), static_cast<uLong>(rows.size()),
                Z_BEST_COMPRESSION) != Z_OK)
    fail(Exit::internal, "zlib does not pack a picture");
  packed.resize(size);
  std::string file = "\x89PNG\r\n\x1a\n";
  append_chunk(file, "IHDR", header);
  append_chunk(file, "IDAT", packed);
  append_chunk(file, "IEND", "");
  return file;
}

}  // namespace gradc::driver

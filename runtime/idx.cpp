// idx.cpp: the format of MNIST: 0, 0, element type, rank, big-endian extents, big-endian elements.
#include <algorithm>
#include <bit>

#include "runtime/buffer.h"
#include "runtime/failure.h"
#include "runtime/file.h"
#include "runtime/readers.h"

namespace gradc::driver {

std::size_t size_of(Element element) {
  switch (element) {
    case Element::u1:
    case Element::i1:
    case Element::b1:
      return 1;
    case Element::i2:
      return 2;
    case Element::i4:
    case Element::f4:
      return 4;
    case Element::i8:
    case Element::f8:
      return 8;
  }
  return 8;
}

std::int64_t Array::size() const {
  std::int64_t result = 1;
  for (const std::int64_t extent : shape) result *= extent;  // readers have checked the product
  return result;
}

std::string Array::place(std::int64_t index) const {
  if (line_of_row.empty())
    return fmt::format("{}: byte {}", path,
                       start + static_cast<std::size_t>(index) * size_of(element));
  const std::int64_t width = shape.size() > 1 ? shape[1] : 1;
  return fmt::format("{}:{}: column {}", path, line_of_row[static_cast<std::size_t>(index / width)],
                     first_column + index % width);
}

Array parse_idx(std::string bytes, const std::string& path) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (bytes.size() < 4) refuse("{}: {} bytes are too few for an IDX file", path, bytes.size());
  if (byte(0) != 0 || byte(1) != 0)
    refuse("{}: byte 0: not an IDX file: it starts with {:02x} {:02x}, not with two zero bytes",
           path, byte(0), byte(1));
  Array array;
  array.path = path;
  switch (byte(2)) {
    case 0x08:
      array.element = Element::u1;
      break;
    case 0x09:
      array.element = Element::i1;
      break;
    case 0x0b:
      array.element = Element::i2;
      break;
    case 0x0c:
      array.element = Element::i4;
      break;
    case 0x0d:
      array.element = Element::f4;
      break;
    case 0x0e:
      array.element = Element::f8;
      break;
    default:
      refuse("{}: byte 2: {:#04x} is no element type of IDX", path, byte(2));
  }
  const std::size_t rank = byte(3);
  if (rank < 1 || rank > 8) refuse("{}: byte 3: a rank of {}; 1 to 8 are read", path, rank);
  array.start = 4 + 4 * rank;
  if (bytes.size() < array.start)
    refuse("{}: the file ends in its header, at byte {}", path, bytes.size());
  std::int64_t total = static_cast<std::int64_t>(size_of(array.element));
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t at = 4 + 4 * i;
    const std::int64_t extent =
        (std::int64_t{byte(at)} << 24) | (byte(at + 1) << 16) | (byte(at + 2) << 8) | byte(at + 3);
    if (extent == 0 || extent > max_rows) refuse("{}: byte {}: an extent of {}", path, at, extent);
    if (!multiply(total, extent, total)) refuse("{}: byte {}: the extents are too large", path, at);
    array.shape.push_back(extent);
  }
  const std::uint64_t held = bytes.size() - array.start;
  if (static_cast<std::uint64_t>(total) != held)
    refuse("{}: the header promises {} bytes of data, but {} follow", path, total, held);
  if (const std::size_t size = size_of(array.element);
      size > 1 && std::endian::native == std::endian::little)
    for (std::size_t at = array.start; at < bytes.size(); at += size)
      std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                   bytes.begin() + static_cast<std::ptrdiff_t>(at + size));
  array.bytes = std::move(bytes);
  return array;
}

Array read_idx(const std::string& path) {
  return parse_idx(read_file(path), path);
}

}  // namespace gradc::driver

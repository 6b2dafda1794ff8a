// readers.h: CSV, IDX and .npy files as arrays of numbers. All of it is strict: what is not
// understood wholly is refused, with the line and column or the byte it is at.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gradc::driver {

// Element types of files, in this machine's byte order.
enum class Element : std::int32_t { u1, i1, i2, i4, i8, f4, f8, b1 };
std::size_t size_of(Element);

constexpr std::int64_t max_rows = (std::int64_t{1} << 31) - 1;

struct Array {
  std::string path;
  Element element = Element::f8;
  std::vector<std::int64_t> shape;  // rows first
  std::string bytes;                // the elements start at `start`
  std::size_t start = 0;
  std::vector<std::int64_t> line_of_row;  // CSV only
  std::int64_t first_column = 0;          // CSV only

  std::int64_t size() const;                    // elements
  std::string place(std::int64_t index) const;  // "digits.csv:3: column 7" or "x.npy: byte 80"
};

struct Columns {
  std::int64_t first = 0, last = 0;  // both included, from 0
};

constexpr std::size_t max_csv_line = 1 << 20;
constexpr std::int64_t max_csv_columns = 65536;

// One array per range, f8, of shape [rows] for a single column and [rows, columns] otherwise.
std::vector<Array> read_csv(const std::string& path, bool header, const std::vector<Columns>&);
std::vector<Array> parse_csv(const std::string& text, const std::string& path, bool header,
                             const std::vector<Columns>&);

Array read_idx(const std::string& path);
Array parse_idx(std::string bytes, const std::string& path);

constexpr std::size_t max_npy_header = 1 << 16;
Array read_npy(const std::string& path);
Array parse_npy(std::string bytes, const std::string& path);

// The bytes before the elements of a .npy file (version 1.0), a multiple of 64.
std::string npy_header(const char* descr, const std::vector<std::int64_t>& shape);

}  // namespace gradc::driver

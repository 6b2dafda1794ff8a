// npy.cpp: NumPy's array files, versions 1 to 3. The header is a Python literal; it is read by a
// small tokenizer for exactly the dictionary NumPy writes, never evaluated.
#include <bit>
#include <cstring>
#include <string_view>

#include "runtime/buffer.h"
#include "runtime/failure.h"
#include "runtime/file.h"
#include "runtime/readers.h"

namespace gradc::driver {
namespace {

static_assert(std::endian::native == std::endian::little,
              "npy and safetensors data is read in place");

class HeaderReader {
 public:
  HeaderReader(std::string_view text, std::size_t offset, const std::string& path)
      : text_(text), offset_(offset), path_(path) {}

  void read(std::string& descr, bool& fortran, std::vector<std::int64_t>& shape) {
    bool has_descr = false, has_order = false, has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr" && !has_descr) {
        has_descr = true;
        skip_blanks();
        if (at_ < text_.size() && text_[at_] == '[') wrong("structured arrays are not read");
        descr = string();
      } else if (key == "fortran_order" && !has_order) {
        has_order = true;
        fortran = boolean();
      } else if (key == "shape" && !has_shape) {
        has_shape = true;
        shape = tuple();
      } else {
        wrong("an unknown or repeated key");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (!has_descr || !has_order || !has_shape) wrong("descr, fortran_order or shape is missing");
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    if (at_ != text_.size()) wrong("text after the header");
  }

 private:
  [[noreturn]] void wrong(const char* what) {
    refuse("{}: byte {}: broken .npy header: {}", path_, offset_ + at_, what);
  }
  void skip_blanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool accept(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) wrong("another character is expected here");
  }
  std::string string() {
    skip_blanks();
    if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"'))
      wrong("a string is expected here");
    const std::size_t end = text_.find(text_[at_], at_ + 1);
    if (end == text_.npos || end - at_ > 64) wrong("a string that does not end");
    std::string result(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return result;
  }
  bool boolean() {
    skip_blanks();
    for (const std::string_view word : {"True", "False"})
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return word == "True";
      }
    wrong("True or False is expected here");
  }
  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> result;
    expect('(');
    while (!accept(')')) {
      if (result.size() == 8) wrong("more than 8 dims");
      skip_blanks();
      const std::size_t begin = at_;
      std::int64_t value = 0;
      while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
        if (at_ - begin >= 18) wrong("the extent is too large");
        value = value * 10 + (text_[at_++] - '0');
      }
      if (at_ == begin) wrong("an extent is expected here");
      result.push_back(value);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return result;
  }

  std::string_view text_;
  std::size_t offset_, at_ = 0;
  const std::string& path_;
};

Element element_of(const std::string& descr, const std::string& path) {
  static constexpr struct {
    const char* descr;
    Element element;
  } known[] = {{"|u1", Element::u1}, {"<u1", Element::u1}, {"|i1", Element::i1},
               {"<i1", Element::i1}, {"<i2", Element::i2}, {"<i4", Element::i4},
               {"<i8", Element::i8}, {"<f4", Element::f4}, {"<f8", Element::f8},
               {"|b1", Element::b1}};
  for (const auto& [name, element] : known)
    if (descr == name) return element;
  std::string shown;
  for (const char c : descr) shown += c < ' ' || c == 127 ? '?' : c;
  const bool object = descr.find('O') != descr.npos;
  refuse("{}: elements of type '{}' are not read{}", path, shown,
         object ? "; object arrays hold pickled Python code"
                : " (little-endian u1, i1, i2, i4, i8, f4, f8 and b1 are)");
}

}  // namespace

Array parse_npy(std::string bytes, const std::string& path) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i]));
  };
  if (bytes.compare(0, 6, "\x93NUMPY") != 0) refuse("{}: byte 0: not a .npy file", path);
  if (bytes.size() < 10) refuse("{}: the file ends in its header, at byte {}", path, bytes.size());
  const std::size_t major = byte(6);
  if (major < 1 || major > 3 || byte(7) != 0)
    refuse("{}: byte 6: version {}.{} is not read", path, major, byte(7));
  const std::size_t begin = major == 1 ? 10 : 12;
  if (bytes.size() < begin)
    refuse("{}: the file ends in its header, at byte {}", path, bytes.size());
  std::size_t length = byte(8) | byte(9) << 8;
  if (major > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (length > max_npy_header)
    refuse("{}: byte 8: a header of {} bytes; the limit is {}", path, length, max_npy_header);
  if (bytes.size() - begin < length)
    refuse("{}: the file ends in its header, at byte {}", path, bytes.size());

  Array array;
  array.path = path;
  std::string descr;
  bool fortran = false;
  HeaderReader(std::string_view(bytes).substr(begin, length), begin, path)
      .read(descr, fortran, array.shape);
  array.element = element_of(descr, path);
  if (fortran)
    refuse("{}: the array is in Fortran order; save it with numpy.ascontiguousarray", path);
  array.start = begin + length;
  std::int64_t total = static_cast<std::int64_t>(size_of(array.element));
  for (const std::int64_t extent : array.shape) {
    if (extent == 0 || extent > max_rows) refuse("{}: an extent of {}", path, extent);
    if (!multiply(total, extent, total)) refuse("{}: the extents are too large", path);
  }
  if (static_cast<std::uint64_t>(total) != bytes.size() - array.start)
    refuse("{}: the header promises {} bytes of data, but {} follow", path, total,
           bytes.size() - array.start);
  array.bytes = std::move(bytes);
  return array;
}

Array read_npy(const std::string& path) {
  return parse_npy(read_file(path), path);
}

std::string npy_header(const char* descr, const std::vector<std::int64_t>& shape) {
  std::string tuple;
  for (const std::int64_t extent : shape) tuple += fmt::format("{}, ", extent);
  if (shape.size() > 1) tuple.resize(tuple.size() - 2);
  if (shape.size() == 1) tuple.resize(tuple.size() - 1);
  std::string text =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr, tuple);
  while ((10 + text.size() + 1) % 64 != 0) text += ' ';
  text += '\n';
  std::string result = "\x93NUMPY";
  result +=
      {'\x01', '\x00', static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
  return result + text;
}

}  // namespace gradc::driver

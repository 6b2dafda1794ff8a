// safetensors_header.cpp: the grammar of the header, event by event, so that no depth or repetition
// in a hostile file costs memory before it is refused.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "runtime/failure.h"
#include "runtime/safetensors.h"

namespace gradc::driver {
namespace {

constexpr std::size_t header_start = 8;  // in the file, for messages
constexpr std::size_t max_rank_read = 64;

// Bits of each dtype of the format; 0: unknown.
std::uint64_t bits_of(const std::string& dtype) {
  static constexpr struct {
    const char* name;
    std::uint64_t bits;
  } known[] = {{"BOOL", 8}, {"U8", 8},   {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8},
               {"I16", 16}, {"U16", 16}, {"F16", 16}, {"BF16", 16},   {"I32", 32},
               {"U32", 32}, {"F32", 32}, {"F64", 64}, {"I64", 64},    {"U64", 64}};
  for (const auto& [name, bits] : known)
    if (dtype == name) return bits;
  return 0;
}

std::string shown(const std::string& name) {
  std::string result;
  for (const char c : name.substr(0, 200))
    result += static_cast<unsigned char>(c) < ' ' || c == 127 ? '?' : c;
  return result;
}

// Counts the bytes the parser has taken, for messages.
struct Place {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at;
  std::size_t* taken;

  const char& operator*() const { return *at; }
  Place& operator++() {
    ++at;
    ++*taken;
    return *this;
  }
  [[maybe_unused]] friend bool operator==(const Place& a, const Place& b) { return a.at == b.at; }
  [[maybe_unused]] friend bool operator!=(const Place& a, const Place& b) { return a.at != b.at; }
};

// nlohmann::json calls these; { name: { dtype: "", shape: [], data_offsets: [] }, "__metadata__": {
// "": "" } }.
struct Handler {
  const std::string& path;
  const std::size_t& taken;
  SafetensorsHeader header;

  int depth = 0;            // 0 outside, 1 in the header, 2 in one entry, 3 in one of its lists
  std::string name, field;  // of the entry, of its member
  bool in_metadata = false;
  std::set<std::string> names;
  unsigned fields = 0;  // of the entry: 1 dtype, 2 shape, 4 data_offsets
  std::vector<std::int64_t> list;

  [[noreturn]] void wrong(const std::string& what) {
    refuse("{}: near byte {}: broken safetensors header: {}", path, header_start + taken, what);
  }

  bool key(std::string& key) {
    if (depth == 1) {
      name = key;
      if (!names.insert(key).second) wrong(fmt::format("'{}' stands there twice", shown(key)));
      return true;
    }
    field = key;
    if (in_metadata) {
      if (header.metadata.count(key))
        wrong(fmt::format("metadata '{}' stands there twice", shown(key)));
      return true;
    }
    const unsigned bit = key == "dtype" ? 1 : key == "shape" ? 2 : key == "data_offsets" ? 4 : 0;
    if (bit == 0) wrong(fmt::format("'{}' of tensor '{}' is unknown", shown(key), shown(name)));
    if (fields & bit)
      wrong(fmt::format("'{}' of tensor '{}' stands there twice", shown(key), shown(name)));
    fields |= bit;
    return true;
  }
  bool start_object(std::size_t) {
    if (depth > 1) wrong("objects are nested too deeply");
    if (++depth == 2) {
      in_metadata = name == "__metadata__";
      fields = 0;
      if (!in_metadata) header.tensors.push_back({name, "", {}, 0, 0});
    }
    return true;
  }
  bool end_object() {
    if (depth-- == 2 && !in_metadata && fields != 7)
      wrong(fmt::format("tensor '{}' lacks dtype, shape or data_offsets", shown(name)));
    return true;
  }
  bool start_array(std::size_t) {
    if (depth != 2 || in_metadata || field == "dtype") wrong("a list where none belongs");
    depth = 3;
    list.clear();
    return true;
  }
  bool end_array() {
    depth = 2;
    StoredTensor& tensor = header.tensors.back();
    if (field == "shape") {
      tensor.shape = list;
    } else {
      if (list.size() != 2 || list[0] > list[1])
        wrong(fmt::format("data_offsets of tensor '{}' are not a range", shown(name)));
      tensor.begin = static_cast<std::uint64_t>(list[0]);
      tensor.end = static_cast<std::uint64_t>(list[1]);
    }
    return true;
  }
  bool string(std::string& value) {
    if (depth == 2 && in_metadata) {
      header.metadata[field] = value;
    } else if (depth == 2 && field == "dtype") {
      header.tensors.back().dtype = value;
      if (bits_of(value) == 0)
        wrong(fmt::format("dtype '{}' of tensor '{}' is unknown", shown(value), shown(name)));
    } else {
      wrong("a string where none belongs");
    }
    return true;
  }
  bool number_unsigned(std::uint64_t value) {
    if (depth != 3) wrong("a number where none belongs");
    if (value > INT64_MAX || list.size() >= max_rank_read) wrong("a number too large, or too many");
    list.push_back(static_cast<std::int64_t>(value));
    return true;
  }
  bool null() { wrong("null"); }
  bool boolean(bool) { wrong("true or false"); }
  bool number_integer(std::int64_t) { wrong("a negative number"); }
  bool number_float(double, const std::string&) { wrong("a number that is no integer"); }
  bool binary(nlohmann::json::binary_t&) { wrong("binary data"); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) {
    wrong("not JSON");
  }
};

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t data_bytes,
                                           const std::string& path) {
  if (json.empty() || json[0] != '{')
    refuse("{}: byte {}: the header does not start with '{{'", path, header_start);
  std::size_t taken = 0;
  Handler handler{path, taken, {}, 0, {}, {}, false, {}, 0, {}};
  const char* begin = json.data();
  nlohmann::json::sax_parse(Place{begin, &taken}, Place{begin + json.size(), &taken}, &handler);
  SafetensorsHeader header = std::move(handler.header);

  std::sort(header.tensors.begin(), header.tensors.end(),
            [](const StoredTensor& a, const StoredTensor& b) {
              return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
            });
  std::uint64_t expected = 0;
  for (const StoredTensor& tensor : header.tensors) {
    std::uint64_t bits = bits_of(tensor.dtype);
    for (const std::int64_t extent : tensor.shape)
      if (__builtin_mul_overflow(bits, static_cast<std::uint64_t>(extent), &bits))
        refuse("{}: the size of tensor '{}' overflows", path, shown(tensor.name));
    if (bits / 8 != tensor.end - tensor.begin)
      refuse("{}: tensor '{}' needs {} bytes, but its data_offsets hold {}", path,
             shown(tensor.name), bits / 8, tensor.end - tensor.begin);
    if (tensor.begin != expected)
      refuse(
          "{}: byte {}: the data of tensor '{}' starts at byte {} of the data; the one before it "
          "ends at {}",
          path, header_start + json.size() + tensor.begin, shown(tensor.name), tensor.begin,
          expected);
    expected = tensor.end;
  }
  if (expected != data_bytes)
    refuse("{}: the tensors take {} bytes, but the file holds {} after its header", path, expected,
           data_bytes);
  return header;
}

}  // namespace gradc::driver

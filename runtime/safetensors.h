// safetensors.h: the checkpoint format of huggingface/safetensors, read strictly.
//
// A file is a u64 little-endian header length, that many bytes of JSON, and the tensors' bytes.
// Ours hold a CRC-32 of everything under the metadata key "gradc.crc32", computed with the digits
// themselves as zeros.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/file.h"

namespace gradc::driver {

constexpr std::uint64_t max_safetensors_header = 100'000'000;

struct StoredTensor {
  std::string name;
  std::string dtype;  // "F32"
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes, counted from the end of the header
};

struct SafetensorsHeader {
  std::vector<StoredTensor> tensors;  // in the order of their data, without gaps
  std::map<std::string, std::string> metadata;
};

// Checks the JSON and that the tensors fill `data_bytes` bytes exactly. `path` is for messages.
SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t data_bytes,
                                           const std::string& path);

// Opens a file; its data is then read in order, and only where it is wanted.
class SafetensorsReader {
 public:
  explicit SafetensorsReader(const std::string& path);
  const SafetensorsHeader& header() const { return header_; }
  void read(void* to, std::size_t bytes);  // the next bytes of data
  void finish();                           // after all data: compares the checksum, if there is one

 private:
  std::string path_;
  InputFile file_;
  SafetensorsHeader header_;
  bool has_checksum_ = false;
  std::uint32_t checksum_ = 0;
};

struct TensorToStore {
  std::string name;
  const char* dtype;
  std::vector<std::int64_t> shape;
  const void* data;
  std::size_t bytes;
};

// Atomically; tensors of wider types come first, so that all are aligned.
void write_safetensors(const std::string& path, std::vector<TensorToStore>,
                       std::map<std::string, std::string> metadata);

}  // namespace gradc::driver

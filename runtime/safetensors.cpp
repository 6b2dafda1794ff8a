// safetensors.cpp: reads and writes the files; the header's grammar is in safetensors_header.cpp.
#include "runtime/safetensors.h"

#include <zlib.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "runtime/failure.h"

namespace gradc::driver {
namespace {

constexpr char checksum_key[] = "gradc.crc32";
constexpr char checksum_start[] = "\"gradc.crc32\":\"";
constexpr char no_checksum[] = "00000000";

std::uint32_t crc(std::uint32_t before, const void* data, std::size_t bytes) {
  return static_cast<std::uint32_t>(crc32_z(before, static_cast<const Bytef*>(data), bytes));
}

}  // namespace

SafetensorsReader::SafetensorsReader(const std::string& path) : path_(path), file_(path) {
  unsigned char length_bytes[8];
  if (file_.size() < sizeof length_bytes)
    refuse("{}: {} bytes are too few for a safetensors file", path, file_.size());
  file_.read(length_bytes, sizeof length_bytes);
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | length_bytes[i];
  if (length > max_safetensors_header)
    refuse("{}: byte 0: a header of {} bytes; the limit is {}", path, length,
           max_safetensors_header);
  if (length > file_.size() - 8)
    refuse("{}: byte 0: a header of {} bytes, but only {} follow", path, length, file_.size() - 8);
  std::string json(static_cast<std::size_t>(length), '\0');
  file_.read(json.data(), json.size());
  header_ = parse_safetensors_header(json, file_.size() - 8 - length, path);

  if (!header_.metadata.count(checksum_key)) return;
  has_checksum_ = true;
  if (const std::size_t at = json.find(checksum_start); at != json.npos)
    json.replace(at + std::strlen(checksum_start), 8, no_checksum);
  checksum_ = crc(crc(0, length_bytes, sizeof length_bytes), json.data(), json.size());
}

void SafetensorsReader::read(void* to, std::size_t bytes) {
  file_.read(to, bytes);
  if (has_checksum_) checksum_ = crc(checksum_, to, bytes);
}

void SafetensorsReader::finish() {
  if (!has_checksum_) return;
  const std::string& stored = header_.metadata.at(checksum_key);
  if (stored != fmt::format("{:08x}", checksum_))
    refuse(
        "{}: the checksum does not match: the file is damaged, or was edited without dropping the "
        "metadata key {}",
        path_, checksum_key);
}

void write_safetensors(const std::string& path, std::vector<TensorToStore> tensors,
                       std::map<std::string, std::string> metadata) {
  const auto width = [](const TensorToStore& t) {
    return std::strcmp(t.dtype, "F64") == 0 ? 8 : std::strcmp(t.dtype, "U8") == 0 ? 1 : 4;
  };
  std::vector<TensorToStore> sorted;
  for (const int wanted : {8, 4, 1})
    for (TensorToStore& tensor : tensors)
      if (width(tensor) == wanted) sorted.push_back(std::move(tensor));
  tensors = std::move(sorted);
  metadata[checksum_key] = no_checksum;
  nlohmann::ordered_json header;
  header["__metadata__"] = metadata;
  std::uint64_t begin = 0;
  for (const TensorToStore& tensor : tensors) {
    if (header.contains(tensor.name))
      fail(Exit::internal, "two tensors are named '{}'", tensor.name);
    header[tensor.name] = {{"dtype", tensor.dtype},
                           {"shape", tensor.shape},
                           {"data_offsets", {begin, begin + tensor.bytes}}};
    begin += tensor.bytes;
  }
  std::string json = header.dump();
  json.append((8 - json.size() % 8) % 8, ' ');
  if (json.size() > max_safetensors_header)
    fail(Exit::internal, "{}: a header of {} bytes is over the format's limit", path, json.size());
  unsigned char length[8];
  for (int i = 0; i < 8; ++i)
    length[i] = static_cast<unsigned char>(std::uint64_t{json.size()} >> (8 * i));

  std::uint32_t sum = crc(crc(0, length, sizeof length), json.data(), json.size());
  for (const TensorToStore& tensor : tensors) sum = crc(sum, tensor.data, tensor.bytes);
  json.replace(json.find(checksum_start) + std::strlen(checksum_start), 8,
               fmt::format("{:08x}", sum));

  AtomicFile file(path);
  file.write(length, sizeof length);
  file.write(json.data(), json.size());
  for (const TensorToStore& tensor : tensors) file.write(tensor.data, tensor.bytes);
  file.commit();
}

}  // namespace gradc::driver

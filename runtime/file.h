// file.h: whole files in, whole files out: limits on what is read, atomic replacement of what is
// written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace gradc::driver {

constexpr std::uint64_t max_file_bytes = std::uint64_t{64} << 30;
constexpr std::uint64_t max_gz_bytes = std::uint64_t{16} << 30;  // unpacked
constexpr std::uint64_t max_gz_ratio = 1000;  // unpacked over packed, above 1 MiB

// A regular file opened for reading; anything else (FIFO, device, folder) is refused.
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  std::uint64_t size() const { return size_; }
  // The next `bytes` bytes; fails if the file ends before.
  void read(void* to, std::size_t bytes);

 private:
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

// Fails now if a file could not be created at `path` later, after hours of training.
void check_writable(const std::string& path);

bool ends_with(const std::string& text, const std::string& end);

// The bytes of a file; a name that ends in ".gz" is unpacked.
std::string read_file(const std::string& path);
std::string unpack_gz(const std::string& packed, const std::string& path);

// Writes beside `path` and moves into place on commit(): whoever opens `path`, at whatever moment
// this process dies, finds the old file or the new one.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* from, std::size_t bytes);
  void commit();

 private:
  std::string path_, temporary_;
  int descriptor_ = -1;
};

}  // namespace gradc::driver

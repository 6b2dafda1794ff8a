// file.cpp: reading, unpacking and atomically replacing files.
#include "runtime/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "runtime/buffer.h"
#include "runtime/failure.h"

namespace gradc::driver {

Buffer::Buffer(std::uint64_t bytes, std::string_view what) {
  const std::uint64_t rounded = (std::max<std::uint64_t>(bytes, 1) + 63) / 64 * 64;
  const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGE_SIZE);
  const bool fits = pages <= 0 || page <= 0 ||
                    rounded / static_cast<std::uint64_t>(page) <= static_cast<std::uint64_t>(pages);
  if (rounded >= bytes && fits) data_ = allocate(static_cast<std::size_t>(rounded));
  if (!data_)
    fail(Exit::input_output, "out of memory: {} needs {:.1f} MiB", what,
         static_cast<double>(bytes) / (1 << 20));
  std::memset(data_.get(), 0, rounded);
  size_ = static_cast<std::size_t>(bytes);
}

namespace {

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

}  // namespace

InputFile::InputFile(const std::string& path) : path_(path) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer; it has no effect on regular files.
  descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) fail(Exit::input_output, "{}: cannot open: {}", path, std::strerror(errno));
  struct stat status = {};
  const bool known = fstat(descriptor_, &status) == 0;
  if (!known || !S_ISREG(status.st_mode)) {
    close(descriptor_);
    fail(Exit::input_output, "{}: not a regular file", path);
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile::~InputFile() {
  close(descriptor_);
}

void InputFile::read(void* to, std::size_t bytes) {
  auto* place = static_cast<unsigned char*>(to);
  while (bytes > 0) {
    const ssize_t got = ::read(descriptor_, place, std::min(bytes, std::size_t{1} << 30));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(Exit::input_output, "{}: cannot read: {}", path_, std::strerror(errno));
    if (got == 0) refuse("{}: the file ends {} bytes too early", path_, bytes);
    place += got;
    bytes -= static_cast<std::size_t>(got);
  }
}

void check_writable(const std::string& path) {
  const std::string folder = folder_of(path);
  if (access(folder.c_str(), W_OK | X_OK) != 0)
    fail(Exit::input_output, "{}: cannot create a file in {}: {}", path, folder,
         std::strerror(errno));
  struct stat status = {};
  if (stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode))
    fail(Exit::input_output, "{}: is a folder", path);
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::string read_file(const std::string& path) {
  InputFile file(path);
  if (file.size() > max_file_bytes)
    refuse("{}: {} bytes; the limit is {}", path, file.size(), max_file_bytes);
  std::string bytes(static_cast<std::size_t>(file.size()), '\0');
  file.read(bytes.data(), bytes.size());
  const bool packed = path.size() > 3 && path.compare(path.size() - 3, 3, ".gz") == 0;
  return packed ? unpack_gz(bytes, path) : bytes;
}

std::string unpack_gz(const std::string& packed, const std::string& path) {
  const std::uint64_t limit =
      std::min(max_gz_bytes, std::max<std::uint64_t>(1 << 20, max_gz_ratio * packed.size()));
  z_stream stream = {};
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) fail(Exit::internal, "zlib does not start");
  struct End {
    z_stream& s;
    ~End() { inflateEnd(&s); }
  } end{stream};
  std::string result, chunk(1 << 18, '\0');
  std::size_t given = 0;
  int status = Z_OK;
  while (true) {
    if (stream.avail_in == 0 && given < packed.size()) {
      const std::size_t piece = std::min(packed.size() - given, std::size_t{1} << 30);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data() + given));
      stream.avail_in = static_cast<uInt>(piece);
      given += piece;
    }
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    status = inflate(&stream, Z_NO_FLUSH);
    result.append(chunk, 0, chunk.size() - stream.avail_out);
    if (result.size() > limit)
      refuse("{}: unpacks to more than {} bytes, {} times its size or more; refused as a zip bomb",
             path, limit, max_gz_ratio);
    const std::uint64_t place = given - stream.avail_in;
    if (status == Z_STREAM_END) {
      if (place == packed.size()) return result;
      // A further member: gzip files may be concatenated.
      if (inflateReset(&stream) != Z_OK) fail(Exit::internal, "zlib does not restart");
      continue;
    }
    if (status == Z_BUF_ERROR ||
        (status == Z_OK && stream.avail_in == 0 && given == packed.size() && stream.avail_out != 0))
      refuse("{}: the gzip data ends too early, at byte {}", path, place);
    if (status != Z_OK)
      refuse("{}: byte {}: broken gzip data: {}", path, place, stream.msg ? stream.msg : "unknown");
  }
}

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  for (int attempt = 0; attempt < 1000 && descriptor_ < 0; ++attempt) {
    temporary_ = fmt::format("{}.tmp.{}.{}", path_, getpid(), attempt);
    descriptor_ =
        open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno != EEXIST) break;
  }
  if (descriptor_ < 0)
    fail(Exit::input_output, "{}: cannot create {}: {}", path_, temporary_, std::strerror(errno));
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  unlink(temporary_.c_str());
}

void AtomicFile::write(const void* from, std::size_t bytes) {
  const auto* place = static_cast<const unsigned char*>(from);
  while (bytes > 0) {
    const ssize_t put = ::write(descriptor_, place, std::min(bytes, std::size_t{1} << 30));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail(Exit::input_output, "{}: cannot write: {}", path_, std::strerror(errno));
    place += put;
    bytes -= static_cast<std::size_t>(put);
  }
}

void AtomicFile::commit() {
  const auto check = [&](bool good, const char* what) {
    if (!good) fail(Exit::input_output, "{}: cannot {}: {}", path_, what, std::strerror(errno));
  };
  check(fsync(descriptor_) == 0, "sync");
  check(rename(temporary_.c_str(), path_.c_str()) == 0, "replace");
  close(descriptor_);
  descriptor_ = -1;
  // The rename itself is on disk once the folder is. Some file systems cannot sync a folder; the
  // data is safe there too, so only a failure to open it is an error.
  const int directory = open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  check(directory >= 0, "open the folder");
  fsync(directory);
  close(directory);
}

}  // namespace gradc::driver

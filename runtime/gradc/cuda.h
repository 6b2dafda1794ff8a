// gradc/cuda.h: a CUDA device with one stream, as emitted functions and their callers use it.
//
// Calls are checked: an error is thrown as a gradc::CudaError that names the call, and of a kernel its place in the
// spec. Launches return before the kernel is done; `synchronize` and `download` wait. C++17.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace gradc {

// What kind of error it was, for callers in C.
enum CudaCode : int { cuda_failed = 1, cuda_no_device = 2, cuda_no_memory = 3 };

struct CudaError : std::runtime_error {
  explicit CudaError(const std::string& what, CudaCode kind = cuda_failed) : std::runtime_error(what), code(kind) {}
  CudaCode code;
};

// What an error message calls a kernel.
struct KernelName {
  const char* kernel;
  const char* place;  // "digits.nn:8", or empty
};

namespace cuda_detail {

inline std::string text(cudaError_t error) {
  return std::string(cudaGetErrorString(error)) + " (" + cudaGetErrorName(error) + ")";
}

inline void check(cudaError_t error, const char* call) {
  if (error != cudaSuccess) throw CudaError(std::string(call) + " failed: " + text(error));
}

inline std::string text(KernelName name) {
  std::string result = std::string("kernel ") + name.kernel;
  return *name.place == '\0' ? result : result + " of " + name.place;
}

}  // namespace cuda_detail

// What went wrong last in a function of a C interface that this thread called.
inline char* last_message() {
  static thread_local char message[1024] = "";
  return message;
}

// Runs `what` for a caller in C: 0, or the code of what went wrong, with a message kept.
template <class What>
int code_of(What what) noexcept {
  try {
    what();
    return 0;
  } catch (const std::exception& error) {
    std::snprintf(last_message(), 1024, "%s", error.what());
    const auto* const cuda = dynamic_cast<const CudaError*>(&error);
    return cuda != nullptr ? cuda->code : cuda_failed;
  }
}

// Where the device keeps a table of the source file.
template <class T, std::size_t count>
const T* address_of(const T (&table)[count]) {
  void* address = nullptr;
  cuda_detail::check(cudaGetSymbolAddress(&address, table), "cudaGetSymbolAddress");
  return static_cast<const T*>(address);
}

class Device {
 public:
  static constexpr const char* target = "cuda";  // as programs call it

  // The current device of this thread (cudaSetDevice chooses another).
  Device() {
    int count = 0;
    const cudaError_t found = cudaGetDeviceCount(&count);
    if (found == cudaErrorInsufficientDriver) {
      throw CudaError("CUDA cannot be used: there is no NVIDIA driver, or one older than this program needs",
                      cuda_no_device);
    }
    if (found == cudaErrorNoDevice || (found == cudaSuccess && count == 0)) {
      throw CudaError("CUDA cannot be used: this machine has no NVIDIA GPU", cuda_no_device);
    }
    cuda_detail::check(found, "cudaGetDeviceCount");
    cuda_detail::check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    try {
      scratch_ = allocate(scratch_bytes, "room for a call's results");
    } catch (...) {
      cudaStreamDestroy(stream_);
      throw;
    }
  }
  ~Device() {
    cudaFree(scratch_);
    cudaStreamDestroy(stream_);
  }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  cudaStream_t stream() const { return stream_; }
  // After every kernel the error is waited for, so that it is thrown where it belongs. For finding mistakes.
  void check_every_kernel(bool on) { waits_ = on; }

  template <class... Parameters, class... Arguments>
  void launch(KernelName name, std::int64_t blocks, int threads, void (*kernel)(Parameters...),
              Arguments... arguments) {
    if (blocks <= 0) return;
    if (blocks > 0x7fffffff) {
      throw CudaError(cuda_detail::text(name) + " needs " + std::to_string(blocks) +
                      " blocks; a grid has at most 2147483647");
    }
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(static_cast<unsigned>(blocks));
    config.blockDim = dim3(static_cast<unsigned>(threads));
    config.stream = stream_;
    const cudaError_t error =
        cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
    if (error != cudaSuccess) {
      throw CudaError(cuda_detail::text(name) + " could not be started: " + cuda_detail::text(error));
    }
    if (!waits_) {
      last_ = name;
      return;
    }
    const cudaError_t failed = cudaStreamSynchronize(stream_);
    if (failed != cudaSuccess) throw CudaError(cuda_detail::text(name) + " failed: " + cuda_detail::text(failed));
  }

  // A copy of a counter as it is now, which holds until the next one is made.
  const std::int32_t* copy_of(const std::int32_t* counter) {
    copy(scratch_, counter, sizeof *counter);
    return static_cast<const std::int32_t*>(scratch_);
  }
  // Device memory for the results of one call.
  template <class T>
  T* result() {
    static_assert(sizeof(T) <= scratch_bytes - 64, "more results than there is room for");
    return reinterpret_cast<T*>(static_cast<unsigned char*>(scratch_) + 64);
  }

  void* allocate(std::size_t bytes, const char* what) {
    void* memory = nullptr;
    const cudaError_t error = cudaMalloc(&memory, bytes == 0 ? 1 : bytes);
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // it is dealt with
      std::size_t left = 0, all = 0;
      cudaMemGetInfo(&left, &all);
      throw CudaError("out of device memory: " + std::string(what) + " needs " + std::to_string(bytes) +
                      " bytes, and " + std::to_string(left) + " of " + std::to_string(all) + " are free",
                      cuda_no_memory);
    }
    cuda_detail::check(error, "cudaMalloc");
    return memory;
  }

  void release(void* memory) noexcept { cudaFree(memory); }

  // Between host and device, or within one, in the order of the stream. Host memory must stay as it is until then.
  void copy(void* to, const void* from, std::size_t bytes) {
    if (bytes == 0) return;
    check_last(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_), "cudaMemcpyAsync");
  }
  void upload(void* to, const void* from, std::size_t bytes) {
    copy(to, from, bytes);
    synchronize();
  }
  void download(void* to, const void* from, std::size_t bytes) {
    copy(to, from, bytes);
    synchronize();
  }
  void fill(void* to, int byte, std::size_t bytes) {
    if (bytes == 0) return;
    check_last(cudaMemsetAsync(to, byte, bytes, stream_), "cudaMemsetAsync");
  }
  void synchronize() { check_last(cudaStreamSynchronize(stream_), "cudaStreamSynchronize"); }

 private:
  static constexpr std::size_t scratch_bytes = 4096;

  // An error of an earlier kernel shows at some later call.
  void check_last(cudaError_t error, const char* call) const {
    if (error == cudaSuccess) return;
    std::string message = std::string(call) + " failed: " + cuda_detail::text(error);
    if (last_.kernel != nullptr) message += "; the last kernel started was " + cuda_detail::text(last_);
    throw CudaError(message);
  }

  cudaStream_t stream_ = nullptr;
  void* scratch_ = nullptr;
  KernelName last_ = {nullptr, ""};
  bool waits_ = false;
};

// A struct in the memory of a device: what `->` and `*` give is only for handing to emitted functions and to
// `Device::copy`; the processor cannot read it.
template <class T>
class OnDevice {
 public:
  OnDevice(Device& device, const char* what)
      : device_(device), memory_(static_cast<T*>(device.allocate(sizeof(T), what))) {}
  ~OnDevice() { cudaFree(memory_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  T& operator*() const { return *memory_; }
  T* operator->() const { return memory_; }
  void upload(const T& from) { device_.upload(memory_, &from, sizeof(T)); }
  void download(T& to) const { device_.download(&to, memory_, sizeof(T)); }

 private:
  Device& device_;
  T* memory_;
};

// An array in the memory of a device.
template <class T>
class DeviceArray {
 public:
  DeviceArray(Device& device, std::size_t count, const char* what = "an array")
      : device_(device), count_(count),
        memory_(static_cast<T*>(device.allocate(count * sizeof(T), what))) {}
  ~DeviceArray() { cudaFree(memory_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* get() const { return memory_; }
  std::size_t size() const { return count_; }
  void upload(const T* from) { device_.upload(memory_, from, count_ * sizeof(T)); }
  void download(T* to) const { device_.download(to, memory_, count_ * sizeof(T)); }

 private:
  Device& device_;
  std::size_t count_;
  T* memory_;
};

}  // namespace gradc

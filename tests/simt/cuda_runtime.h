// cuda_runtime.h: stands in for CUDA's header of that name: emitted kernels run on the processor.
//
// Blocks run one after the other, in order, and so do the threads of a block, each until it waits at a barrier or a
// shuffle: then it is a fiber that goes on when all have come. So a run is the same every time, and sanitizers see plain C++.
// Checked: that all threads of a block reach the same barrier and all lanes of a warp the same shuffle; and, where
// compiled with -fsanitize=thread and linked with simt_races.cpp in the place of its library, that no two threads
// touch the same memory without a barrier between them unless both read, and that nobody reads shared memory that
// nobody wrote.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __constant__
// In a section of its own, so that its place is known.
#define __shared__ static __attribute__((section("simt_shared")))

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

namespace simt {

struct Index {
  unsigned x, y, z;
};

// What the threads see of themselves.
const Index& thread_index();
const Index& block_index();
const Index& block_size();
const Index& grid_size();

void run(dim3 grid, dim3 block, const std::function<void()>& kernel, const char* what);
void barrier(const void* where);
// Gives every lane the bytes that lane + `distance` put in; its own where there is no such lane.
void shuffle_down(void* value, std::size_t bytes, unsigned distance, const void* where);

// The flags of the lanes of the warp, a bit each.
unsigned ballot(bool flag, const void* where);

void* allocate(std::size_t);
void release(void*);

}  // namespace simt

inline const simt::Index& threadIdx = simt::thread_index();
inline const simt::Index& blockIdx = simt::block_index();
inline const simt::Index& blockDim = simt::block_size();
inline const simt::Index& gridDim = simt::grid_size();

__attribute__((noinline)) inline void __syncthreads() { ::simt::barrier(__builtin_return_address(0)); }

template <class T>
__attribute__((noinline)) T __shfl_down_sync(unsigned, T value, unsigned distance) {
  static_assert(sizeof(T) <= 8, "a shuffle moves 8 bytes at most");
  ::simt::shuffle_down(&value, sizeof value, distance, __builtin_return_address(0));
  return value;
}

__attribute__((noinline)) inline unsigned __ballot_sync(unsigned, int flag) {
  return ::simt::ballot(flag != 0, __builtin_return_address(0));
}
// Vectors, loaded and stored at once: at addresses that are multiples of their size, which -fsanitize=undefined holds
// them to, and by one access of as many bytes, which the check for races sees whole.
template <class T, int count>
struct alignas(sizeof(T) * count) SimtVector;
template <class T>
struct alignas(sizeof(T) * 2) SimtVector<T, 2> {
  T x, y;
};
template <class T>
struct alignas(sizeof(T) * 4) SimtVector<T, 4> {
  T x, y, z, w;
};
using float2 = SimtVector<float, 2>;
using float4 = SimtVector<float, 4>;
using int2 = SimtVector<int, 2>;
using int4 = SimtVector<int, 4>;
using double2 = SimtVector<double, 2>;

inline int __ffs(int bits) { return __builtin_ffs(bits); }

// ---- what of CUDA's runtime gradc/cuda.h calls

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorLaunchFailure = 719,
};
enum cudaMemcpyKind { cudaMemcpyDefault = 4 };
using cudaStream_t = struct simt_stream*;
constexpr unsigned cudaStreamNonBlocking = 1;
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes;
  cudaStream_t stream;
  void* attrs;
  unsigned numAttrs;
};

namespace simt {
// What a kernel that failed leaves for all later calls.
inline cudaError_t& failed() {
  static cudaError_t error = cudaSuccess;
  return error;
}
}  // namespace simt

// A kernel fails; unlike a device's, its threads still go on.
inline void __trap() { simt::failed() = cudaErrorLaunchFailure; }

inline const char* cudaGetErrorString(cudaError_t) { return "an error of the emulation"; }
inline const char* cudaGetErrorName(cudaError_t) { return "cudaErrorEmulated"; }
// Without a device, if $SIMT_DEVICES is 0.
inline cudaError_t cudaGetDeviceCount(int* count) {
  const char* devices = std::getenv("SIMT_DEVICES");
  *count = devices == nullptr ? 1 : std::atoi(devices);
  return *count == 0 ? cudaErrorNoDevice : cudaSuccess;
}
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) { return *stream = nullptr, cudaSuccess; }
inline cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return simt::failed(); }
inline cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  if (bytes > (std::size_t{1} << 36)) return cudaErrorMemoryAllocation;
  return *memory = simt::allocate(bytes), cudaSuccess;
}
inline cudaError_t cudaFree(void* memory) { return simt::release(memory), cudaSuccess; }
inline cudaError_t cudaMemGetInfo(std::size_t* left, std::size_t* all) {
  return *left = *all = std::size_t{1} << 36, cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t) {
  return std::memcpy(to, from, bytes), simt::failed();
}
inline cudaError_t cudaMemsetAsync(void* to, int byte, std::size_t bytes, cudaStream_t) {
  return std::memset(to, byte, bytes), simt::failed();
}
template <class T>
cudaError_t cudaGetSymbolAddress(void** address, const T& symbol) {
  return *address = const_cast<void*>(static_cast<const void*>(&symbol)), cudaSuccess;
}
template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments... arguments) {
  if (config->blockDim.x > 1024) return cudaErrorInvalidConfiguration;
  simt::run(config->gridDim, config->blockDim, [&] { kernel(arguments...); }, "kernel");
  return cudaSuccess;
}

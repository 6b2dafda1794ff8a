// probe.cpp: what this machine can do at most, on one core: multiply-adds and bytes read.
//
// Prints one line of JSON: fma_f32 (FLOP/s of f32, 2 a multiply-add, the best of many short windows) and read_l1,
// read_l2, read_l3, read_dram (bytes/s of sums over arrays of 16 KiB, 512 KiB, 8 MiB, 256 MiB).
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "gradc/vector.h"

namespace {

using gradc::f32x16;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Keeps a value that nothing reads.
template <class V>
void keep(const V& v) {
  asm volatile("" : : "m"(v) : "memory");
}

// Sixteen chains: enough to hide the latency of four cycles on two ports. Factors that are arguments stay in registers:
// those of a loop's own function were read from memory by each instruction, at two thirds of the speed.
[[gnu::noinline]] f32x16 multiply_add(f32x16 a, f32x16 b, int rounds) {
  f32x16 c0 = a, c1 = c0 + b, c2 = c1 + b, c3 = c2 + b, c4 = c3 + b, c5 = c4 + b, c6 = c5 + b, c7 = c6 + b, c8 = c7 + b,
         c9 = c8 + b, c10 = c9 + b, c11 = c10 + b, c12 = c11 + b, c13 = c12 + b, c14 = c13 + b, c15 = c14 + b;
  for (int i = 0; i < rounds; ++i) {
    c0 = c0 * a + b, c1 = c1 * a + b, c2 = c2 * a + b, c3 = c3 * a + b;
    c4 = c4 * a + b, c5 = c5 * a + b, c6 = c6 * a + b, c7 = c7 * a + b;
    c8 = c8 * a + b, c9 = c9 * a + b, c10 = c10 * a + b, c11 = c11 * a + b;
    c12 = c12 * a + b, c13 = c13 * a + b, c14 = c14 * a + b, c15 = c15 * a + b;
  }
  return c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9 + c10 + c11 + c12 + c13 + c14 + c15;
}

double fma_flops() {
  constexpr int rounds = 20000;
  float half = 0.5f;
  asm volatile("" : "+m"(half));  // not for the compiler to know
  f32x16 a = {}, b = {};
  a += half, b += half * half;
  double best = 0;
  for (int window = 0; window < 200; ++window) {
    const double begin = now();
    keep(multiply_add(a, b, rounds));
    best = std::max(best, 2.0 * 16 * 16 * rounds / (now() - begin));
  }
  return best;
}

// Eight chains: more than the latency of an addition times two loads.
[[gnu::noinline]] f32x16 sum(const float* data, std::size_t n) {
  f32x16 s0 = {}, s1 = {}, s2 = {}, s3 = {}, s4 = {}, s5 = {}, s6 = {}, s7 = {};
  for (std::size_t i = 0; i < n; i += 128) {
    s0 += gradc::load<f32x16>(data + i), s1 += gradc::load<f32x16>(data + i + 16);
    s2 += gradc::load<f32x16>(data + i + 32), s3 += gradc::load<f32x16>(data + i + 48);
    s4 += gradc::load<f32x16>(data + i + 64), s5 += gradc::load<f32x16>(data + i + 80);
    s6 += gradc::load<f32x16>(data + i + 96), s7 += gradc::load<f32x16>(data + i + 112);
  }
  return s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7;
}

double read_bytes(std::size_t bytes) {
  auto* data = static_cast<float*>(std::aligned_alloc(64, bytes));
  if (data == nullptr) std::abort();
  const std::size_t n = bytes / 4;
  for (std::size_t i = 0; i < n; ++i) data[i] = 1.0f;
  const std::size_t repeats = (std::size_t{1} << 28) / bytes;
  double best = 0;
  for (int window = 0; window < 5; ++window) {
    const double begin = now();
    for (std::size_t r = 0; r < repeats; ++r) {
      asm volatile("" : : : "memory");  // the next round reads again
      keep(sum(data, n));
    }
    const double rate = static_cast<double>(bytes) * static_cast<double>(repeats) / (now() - begin);
    best = std::max(best, rate);
  }
  std::free(data);
  return best;
}

}  // namespace

int main() {
  std::printf("{\"fma_f32\": %.4g, \"read_l1\": %.4g, \"read_l2\": %.4g, \"read_l3\": %.4g, \"read_dram\": %.4g}\n",
              fma_flops(), read_bytes(16 << 10), read_bytes(512 << 10), read_bytes(8 << 20), read_bytes(256 << 20));
}

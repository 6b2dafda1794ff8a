// machine.cpp: the emulation itself: what it computes, and that it finds what is planted.
#include "tests/catch.h"
#include "tests/emitted_cases.h"

namespace {

std::string program(const std::string& kernel, const std::string& launch) {
  return R"(#include <cstdio>
#include "gradc/cuda.h"
#include "gradc/grid.h"
)" + kernel + R"(
int main() {
  gradc::Device device;
  gradc::DeviceArray<int> a(device, 256);
  device.fill(a.get(), 0, 1024);
)" + launch + R"(
  int b[256];
  a.download(b);
  std::printf("%d %d %d\n", b[0], b[1], b[255]);
}
)";
}

test::Said races(const std::string& kernel, const std::string& launch) {
  return test::run_emulated(program(kernel, launch), true);
}

const std::string one_block = "device.launch({\"k\", \"\"}, 1, 64, k, a.get());";

}  // namespace

TEST_CASE("threads, blocks, barriers and shuffles are those of a device") {
  const auto said = test::run_emulated(
      program("static __global__ void k(int* a) {\n"
              "  __shared__ int s[64];\n  __shared__ gradc::Partial<float> p;\n"
              "  s[threadIdx.x] = int(threadIdx.x);\n  __syncthreads();\n"
              "  const float sum = gradc::block_sum(float(s[63 - threadIdx.x]), p);\n"
              "  float most = float(threadIdx.x % 40);\n  std::int64_t at = threadIdx.x;\n"
              "  __shared__ gradc::Partial<float> q;\n  gradc::block_most(most, at, q);\n"
              "  a[gradc::thread_of_all()] = int(sum) + 10000 * int(at) + int(gradc::block());\n}\n",
              "device.launch({\"k\", \"\"}, 4, 64, k, a.get());"),
      false);
  CHECK(said.exit_code == 0);
  CHECK(said.text == "392016 392016 392019\n");  // 63 * 64 / 2 = 2016; the first 39 is at 39
}

TEST_CASE("a race in shared memory is found, and a barrier ends it") {
  const auto kernel = [](const std::string& barrier) {
    return "static __global__ void k(int* a) {\n  __shared__ int s[64];\n  s[threadIdx.x] = 1;\n" + barrier +
           "  a[threadIdx.x] = s[63 - threadIdx.x];\n}\n";
  };
  const auto found = races(kernel(""), one_block);
  CHECK(found.exit_code == 8);
  CHECK_THAT(found.text, test::contains("race in shared memory"));
  const auto fine = races(kernel("  __syncthreads();\n"), one_block);
  CHECK(fine.exit_code == 0);
  CHECK(fine.text == "1 1 0\n");
}

TEST_CASE("races in global memory are found, in a block and between blocks") {
  const auto writers = races("static __global__ void k(int* a) { a[threadIdx.x / 2] = 1; }\n", one_block);
  CHECK_THAT(writers.text, test::contains("written by two threads"));
  const auto reader = races(
      "static __global__ void k(int* a) { a[threadIdx.x] = a[(threadIdx.x + 1) % 64] + 1; }\n", one_block);
  CHECK_THAT(reader.text, test::contains("race in global memory"));
  const auto blocks = races("static __global__ void k(int* a) { if (threadIdx.x == 0) a[0] += 1; }\n",
                            "device.launch({\"k\", \"\"}, 2, 32, k, a.get());");
  CHECK_THAT(blocks.text, test::contains("block 0 thread 0 and block 1 thread 0"));
}

TEST_CASE("shared memory that nobody wrote is not read") {
  const auto said = races("static __global__ void k(int* a) {\n  __shared__ int s[64];\n  a[threadIdx.x] = s[threadIdx.x];\n}\n",
                          one_block);
  CHECK_THAT(said.text, test::contains("nobody wrote it"));
}

TEST_CASE("a barrier that not all threads reach is found") {
  const auto said = test::run_emulated(
      program("static __global__ void k(int* a) {\n  if (threadIdx.x < 32) __syncthreads();\n  a[threadIdx.x] = 1;\n}\n",
              one_block), false);
  CHECK(said.exit_code == 9);
  CHECK_THAT(said.text, test::contains("others wait at a barrier"));
}

TEST_CASE("an error says what was asked for") {
  const auto said = test::run_emulated(
      "#include <cstdio>\n#include \"gradc/cuda.h\"\nint main() {\n  gradc::Device device;\n  try {\n"
      "    device.allocate(std::size_t{1} << 40, \"the workspace\");\n"
      "  } catch (const gradc::CudaError& error) {\n    std::puts(error.what());\n  }\n}\n", false);
  CHECK_THAT(said.text, test::contains("the workspace needs 1099511627776 bytes, and 68719476736 of 68719476736 are free"));
}

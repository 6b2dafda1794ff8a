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

TEST_CASE("vectors are loaded at once, from where they may") {
  const auto kernel = [](const std::string& from) {
    return program("static __global__ void k(int* a) {\n  const int4 v = *reinterpret_cast<const int4*>(" + from +
                       ");\n  a[64 + threadIdx.x] = v.x + v.y + v.z + v.w;\n"
                       "  if (threadIdx.x == 0) *reinterpret_cast<int2*>(a + 130) = int2{v.x + 5, 6};\n"
                       "  if (threadIdx.x == 1) a[0] = 5;\n}\n",
                   "device.launch({\"k\", \"\"}, 1, 32, k, a.get());");
  };
  CHECK(test::run_emulated(kernel("a + 4"), false).text == "5 0 0\n");
  CHECK(test::run_emulated(kernel("a + 4"), true).exit_code == 0);
  const auto astray = test::run_emulated(kernel("a + 3"), false);
  CHECK(astray.exit_code != 0);
  CHECK_THAT(astray.text, test::contains("misaligned address"));
  // Every byte of it counts: its last number is another thread's.
  CHECK_THAT(test::run_emulated(kernel("a + 128"), true).text, test::contains("race in global memory"));
}

TEST_CASE("bytes of one word are no race, and a word is one with each of its bytes") {
  const auto kernel = [](const std::string& body) {
    return "static __global__ void k(int* a) {\n  auto* const bytes = reinterpret_cast<unsigned char*>(a);\n" + body + "}\n";
  };
  CHECK(races(kernel("  bytes[threadIdx.x] = 1;\n"), one_block).exit_code == 0);
  CHECK_THAT(races(kernel("  if (threadIdx.x == 3) a[9] = 1;\n  if (threadIdx.x == 4) bytes[38] = 1;\n"), one_block).text,
             test::contains("written by two threads"));
  CHECK_THAT(races(kernel("  if (threadIdx.x == 3) bytes[38] = 1;\n  if (threadIdx.x == 4) a[20] = a[9];\n"), one_block).text,
             test::contains("read after another thread wrote it"));
}

TEST_CASE("what several threads or blocks have read, none of them may write") {
  CHECK_THAT(races("static __global__ void k(int* a) {\n  a[threadIdx.x + 64] = a[0];\n  if (threadIdx.x == 63) a[0] = 1;\n}\n",
                   one_block).text, test::contains("written after another thread read it"));
  CHECK_THAT(races("static __global__ void k(int* a) {\n  if (threadIdx.x == 0) a[64 + blockIdx.x] = a[0];\n"
                   "  __syncthreads();\n  if (threadIdx.x == 0 && blockIdx.x == 1) a[0] = 1;\n}\n",
                   "device.launch({\"k\", \"\"}, 2, 32, k, a.get());").text,
             test::contains("written after another thread read it"));
  // A barrier orders them in a block, and the end of a launch orders all.
  CHECK(races("static __global__ void k(int* a) {\n  const int b = a[0];\n  __syncthreads();\n"
              "  if (threadIdx.x == 0) a[0] = b + 1;\n}\n", one_block + one_block).exit_code == 0);
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

TEST_CASE("an error names the call, the kernel and its line in the spec") {
  const auto said = test::run_emulated(R"(#include <cstdio>
#include "gradc/cuda.h"
static __global__ void fine(int) {}
static __global__ void bad(int) { __trap(); }
template <class What>
void attempt(What what) {
  try {
    what();
  } catch (const gradc::CudaError& error) {
    std::puts(error.what());
  }
}
int main() {
  gradc::Device device;
  attempt([&] { device.launch({"relu", "digits.nn:8"}, 1, 2048, fine, 0); });
  attempt([&] { device.launch({"relu", "digits.nn:8"}, std::int64_t{1} << 32, 32, fine, 0); });
  device.launch({"softmax", "digits.nn:9"}, 1, 32, bad, 0);
  attempt([&] { device.synchronize(); });
  attempt([&] { device.fill(device.result<int>(), 0, 4); });
  device.check_every_kernel(true);
  attempt([&] { device.launch({"loss", "digits.nn:11"}, 1, 32, bad, 0); });
}
)", false);
  const std::string emulated = "an error of the emulation (cudaErrorEmulated)";
  CHECK(said.text ==
        "kernel relu of digits.nn:8 could not be started: " + emulated + "\n" +
        "kernel relu of digits.nn:8 needs 4294967296 blocks; a grid has at most 2147483647\n" +
        "cudaStreamSynchronize failed: " + emulated + "; the last kernel started was kernel softmax of digits.nn:9\n" +
        "cudaMemsetAsync failed: " + emulated + "; the last kernel started was kernel softmax of digits.nn:9\n" +
        "kernel loss of digits.nn:11 failed: " + emulated + "\n");
}

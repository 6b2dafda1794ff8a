// target.cpp: the targets.
#include "codegen/target.h"

namespace gradc {

const std::vector<Target>& targets() {
  static const std::vector<Target> all = {
      {
          .name = "cpp",
          .extension = ".cpp",
          .threads = 0,
          .kernel = "static void ",
          .table = "static constexpr ",
          .table_address = "{}",
          .result = "&result.{}",
          .shared = "",
          .barrier = "",
          .places = {"0", "0", "0"},
      },
      {
          .name = "cuda",
          .extension = ".cu",
          .threads = 256,
          .kernel = "static __global__ void ",
          .table = "static __device__ const ",
          .table_address = "gradc::address_of({})",
          .result = "&result->{}",
          .shared = "__shared__ ",
          .barrier = "__syncthreads();",
          .places = {"gradc::thread()", "gradc::block()", "gradc::thread_of_all()"},
      },
  };
  return all;
}

const Target* target_named(std::string_view name) {
  for (const Target& target : targets())
    if (target.name == name) return &target;
  return nullptr;
}

}  // namespace gradc

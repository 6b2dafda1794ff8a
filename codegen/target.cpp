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
          .function = "static void ",
          .table = "static constexpr ",
          .table_address = "{}",
          .result = "&result.{}",
          .shared = "",
          .barrier = "",
          .places = {"0", "0", "0"},
          .header_includes = "",
          .source_includes = "#include \"gradc/math.h\"\n#include \"gradc/philox.h\"\n#include \"gradc/vector.h\"\n",
      },
      {
          .name = "cuda",
          .extension = ".cu",
          .threads = 256,
          .kernel = "static __global__ void ",
          .function = "static __device__ void ",
          .table = "static __device__ const ",
          .table_address = "gradc::address_of({})",
          .result = "&result->{}",
          .shared = "__shared__ ",
          .barrier = "__syncthreads();",
          .places = {"gradc::thread()", "gradc::block()", "gradc::thread_of_all()"},
          .header_includes = "#include \"gradc/cuda.h\"\n",
          .source_includes = "#include \"gradc/cuda.h\"\n#include \"gradc/device_engine.h\"\n#include \"gradc/grid.h\"\n",
          .compiler = {.variable = "NVCC",
                       .program = "nvcc",
                       .usual_place = "/usr/local/cuda/bin/nvcc",
                       .flags = "-std=c++17 -O3",
                       .architecture_variable = "CUDAARCHS",
                       .architecture = "-arch=sm_",
                       .this_architecture = "-arch=native"},
          .cmake = {"CUDA", "CUDAToolkit", "CUDA::cudart"},
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

// compare_parts.cpp: emitted networks, run by 1 thread and by 2, 3 and 4: all bytes must be the same.
//
// "networks.h" lists their models as `the_networks`. With the argument `neighbour`, threads that never rest share the
// processors.
#include <atomic>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "gradc/threads.h"
#include "networks.h"
#include "record_model.h"

namespace {

// How many differences there are.
int compare(const gradc::Model& model) {
  int shared = 0, different = 0;
  for (std::int32_t f = 0; f < model.function_count; ++f) shared += model.functions[f].shared;
  for (const std::int64_t shrink : {1, 3, 1000}) {
    std::vector<std::int64_t> dims;
    for (std::int32_t k = 0; k < model.dim_count; ++k)
      dims.push_back(model.dims[k].bound < shrink ? 1 : model.dims[k].bound / shrink);
    const Bytes one = record(model, dims, nullptr);
    for (const int size : {2, 3, 4}) {
      gradc::Threads threads(size);
      threads.team()->least_work = 0;  // also where it is not worth it
      if (record(model, dims, threads.team()) == one) continue;
      std::printf("%s: %d threads do not compute what 1 does (dims / %d)\n", model.name, size, static_cast<int>(shrink));
      ++different;
    }
    if (dims.empty()) break;
  }
  std::printf("%s: %d shared functions, %d differences\n", model.name, shared, different);
  return different;
}

}  // namespace

int main(int argc, char** argv) {
  std::atomic<bool> busy{argc > 1 && std::strcmp(argv[1], "neighbour") == 0};
  std::vector<std::thread> neighbours;
  for (int k = 0; busy && k < 2; ++k)
    neighbours.emplace_back([&busy] {
      while (busy.load(std::memory_order_relaxed)) {
      }
    });
  int different = 0;
  for (const gradc::Model* model : the_networks) different += compare(*model);
  busy = false;
  for (std::thread& neighbour : neighbours) neighbour.join();
  return different != 0;
}

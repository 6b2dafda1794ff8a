// compare_limits.cpp: emitted networks, and the same within limits of memory: all bytes they compute must be the same.
//
// "networks.h" lists their models as `the_networks`, each with and without a limit. Argument: the most of a run-time dim.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "gradc/threads.h"
#include "networks.h"
#include "record_model.h"

int main(int, char** argv) {
  const std::int64_t most = std::atoll(argv[1]);
  int different = 0;
  for (const auto& [without, with] : the_networks) {
    std::vector<std::int64_t> dims;
    for (std::int32_t k = 0; k < without->dim_count; ++k) dims.push_back(std::min(without->dims[k].bound, most));
    const Bytes expected = record(*without, dims, nullptr);
    gradc::Threads threads(2);
    threads.team()->least_work = 0;
    const bool same = record(*with, dims, nullptr) == expected && record(*with, dims, threads.team()) == expected;
    std::printf("%s: %zu bytes in a workspace of %zu, %s in one of %zu\n", with->name, expected.size(),
                without->workspace_size, same ? "the same" : "others", with->workspace_size);
    different += !same;
  }
  return different;
}

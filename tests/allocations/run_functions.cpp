// run_functions.cpp: emitted networks whose every function is called a few times, by one thread and by two, while
// allocations are counted. "networks.h" lists their models as `the_networks`.
#include <cstdio>
#include <vector>

#include "gradc/model.h"
#include "gradc/threads.h"
#include "networks.h"
#include "record_model.h"

long long allocations();  // count_allocations.cpp

namespace {

// How often the model's functions allocated, on inputs of zeros.
long long count(const gradc::Model& model, gradc::Team* team, const char* threads) {
  std::vector<std::int64_t> dims;
  for (std::int32_t k = 0; k < model.dim_count; ++k) dims.push_back(model.dims[k].bound < 7 ? model.dims[k].bound : 7);
  Held held(model);
  long long all = 0;
  model.init(held.parameters.data(), held.state.data(), 7);
  for (std::int32_t f = 0; f < model.function_count; ++f) {
    const gradc::Function& function = model.functions[f];
    std::vector<Memory> in, out;
    for (std::int32_t k = 0; k < function.input_count; ++k) in.emplace_back(bytes_of(function.inputs[k], dims), 0);
    for (std::int32_t k = 0; k < function.output_count; ++k) out.emplace_back(bytes_of(function.outputs[k], dims), 0);
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
    const gradc::Call call = held.call(dims, in, out, inputs, outputs, team);
    const long long before = allocations();
    for (int k = 0; k < 3; ++k) function.run(call);
    const long long made = allocations() - before;
    if (made > 0) std::printf("%s.%s by %s: %lld allocations\n", model.name, function.name, threads, made);
    all += made;
  }
  return all;
}

}  // namespace

int main() {
  long long all = 0;
  int shared = 0;
  for (const gradc::Model* model : the_networks) {
    for (std::int32_t f = 0; f < model->function_count; ++f) shared += model->functions[f].shared;
    all += count(*model, nullptr, "one thread");
    gradc::Threads threads(2);
    threads.team()->least_work = 0;  // also where it is not worth it
    all += count(*model, threads.team(), "two threads");
  }
  std::printf("%d shared functions, %lld allocations\n", shared, all);
  return all != 0;
}

// run_functions.cpp: emitted networks whose every function is called a few times, by one thread and by two, while
// allocations are counted. "networks.h" lists their models as `the_networks`.
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "gradc/model.h"
#include "gradc/threads.h"
#include "networks.h"

long long allocations();  // count_allocations.cpp

namespace {

struct alignas(64) Line {
  unsigned char bytes[64] = {};
};
using Memory = std::vector<Line>;

Memory memory(std::size_t bytes) { return Memory(bytes / 64 + 1); }

std::size_t bytes_of(const gradc::Tensor& t, const std::vector<std::int64_t>& dims) {
  std::int64_t n = 1;
  for (std::int32_t k = 0; k < t.rank; ++k) {
    const gradc::Extent& e = t.shape[k];
    n *= e.offset + (e.dim < 0 ? 0 : e.scale * dims[static_cast<std::size_t>(e.dim)]);
  }
  return static_cast<std::size_t>(n) * gradc::size_of(t.dtype);
}

// How often the model's functions allocated, on inputs of zeros.
long long count(const gradc::Model& model, gradc::Team* team, const char* threads) {
  std::vector<std::int64_t> dims;
  for (std::int32_t k = 0; k < model.dim_count; ++k) dims.push_back(model.dims[k].bound < 7 ? model.dims[k].bound : 7);
  Memory parameters = memory(model.parameters_size), state = memory(model.state_size),
         gradients = memory(model.parameters_size), workspace = memory(model.workspace_size);
  long long all = 0;
  model.init(parameters.data(), state.data(), 7);
  for (std::int32_t f = 0; f < model.function_count; ++f) {
    const gradc::Function& function = model.functions[f];
    std::vector<Memory> tensors;
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
    for (std::int32_t k = 0; k < function.input_count; ++k) {
      tensors.push_back(memory(bytes_of(function.inputs[k], dims)));
      inputs.push_back(tensors.back().data());
    }
    for (std::int32_t k = 0; k < function.output_count; ++k) {
      tensors.push_back(memory(bytes_of(function.outputs[k], dims)));
      outputs.push_back(tensors.back().data());
    }
    gradc::Call call = {};
    call.parameters = parameters.data();
    call.state = state.data();
    call.workspace = workspace.data();
    call.gradients = gradients.data();
    call.dims = dims.data();
    call.inputs = inputs.data();
    call.outputs = outputs.data();
    call.seed = 5;
    call.team = team;
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

// Do not edit: edit the spec and run gradc again.
#include "lookup.hpp"

#include "gradc/cuda.h"
#include "gradc/device_engine.h"
#include "gradc/grid.h"

#if GRADC_RUNTIME_VERSION != 1
#error "this file was generated for version 1 of gradc's runtime headers: generate it again"
#endif

namespace lookup {

// E[i, j] = normal(0, 1)
// E: f32[5, 2]
// lookup.nn:5
static __global__ void init_f_words_E(std::uint64_t seed, const std::int32_t* counter,
                                      std::uint32_t stream, float* __restrict E) {
  const std::uint32_t step = gradc::step_of(counter);
  if (const std::int64_t element = gradc::thread_of_all(); element < 10) {
    E[element] = gradc::random_normal(seed, step, stream, static_cast<std::uint64_t>(element), 0.0f, 1.0f);
  }
}

// k[i] = 1
// k: f32[3]
// lookup.nn:10
static __global__ void init_f_smooth_k(float* __restrict k) {
  if (const std::int64_t i = gradc::thread_of_all(); i < 3) {
    k[i] = 1.0f;
  }
}

// step_ = 0
// lookup.nn:18
static __global__ void init_fit_step(std::int32_t* __restrict step_) {
  if (const std::int64_t element = gradc::block(); element < 1) {
    __syncthreads();
    if (gradc::thread() == 0) {
      step_[0] = 0;
    }
  }
}

// words[i, d] = E[ids[i], d]
// words: f32[T, 2], E: f32[5, 2], ids: i32[T]
// lookup.nn:6
static __global__ void f_words(std::int64_t T, const float* __restrict E,
                               const std::int32_t* __restrict ids, float* __restrict words) {
  if (const std::int64_t element = gradc::thread_of_all(); element < T * 2) {
    const std::int64_t i = element / 2;
    const std::int64_t d = element - i * 2;
    words[element] = E[ids[i] * 2 + d];
  }
}

// smooth[i, d] = sum[u] k[u] * words[i + u - 1, d pad 0]
// y2[i, d] = tanh(smooth[i, d])
// y[i, d] = y2[i, d]
// y2: f32[T, 2], y: f32[T, 2], k: f32[3], words: f32[T, 2]
// lookup.nn:11
static __global__ void f_y(std::int64_t T, const float* __restrict k, const float* __restrict words,
                           float* __restrict y, float* __restrict y2) {
  if (const std::int64_t element = gradc::thread_of_all(); element < T * 2) {
    const std::int64_t i = element / 2;
    const std::int64_t d = element - i * 2;
    float smooth = 0.0f;
    for (std::int64_t u = 0; u < 3; ++u) {
      smooth += k[u] * (i + u - 1 >= 0 && i + u - 1 < T ? words[(i + u - 1) * 2 + d] : 0.0f);
    }
    const float y3 = gradc::tanh(smooth);
    y2[element] = y3;
    y[element] = y3;
  }
}

// dsmooth[i, d] = dy[i, d] * (1 - y[i, d] * y[i, d])
// dsmooth: f32[T, 2], dy: f32[T, 2], y: f32[T, 2]
// lookup.nn:15
static __global__ void f_dsmooth(std::int64_t T, const float* __restrict dy,
                                 const float* __restrict y, float* __restrict dsmooth) {
  if (const std::int64_t element = gradc::thread_of_all(); element < T * 2) {
    const float y_i_d = y[element];
    dsmooth[element] = dy[element] * (1.0f - y_i_d * y_i_d);
  }
}

// dwords[t, i] = sum[j] dsmooth[t - j + 1, i pad 0] * k[j]
// dwords: f32[T, 2], dsmooth: f32[T, 2], k: f32[3]
// lookup.nn:11
static __global__ void f_dwords(std::int64_t T, const float* __restrict dsmooth,
                                const float* __restrict k, float* __restrict dwords) {
  if (const std::int64_t element = gradc::thread_of_all(); element < T * 2) {
    const std::int64_t t = element / 2;
    const std::int64_t i = element - t * 2;
    float dwords2 = 0.0f;
    for (std::int64_t j = 0; j < 3; ++j) {
      dwords2 += (t - j + 1 >= 0 && t - j + 1 < T ? dsmooth[(t - j + 1) * 2 + i] : 0.0f) * k[j];
    }
    dwords[element] = dwords2;
  }
}

// dE[i, j] = sum[t] select(ids[t] == i, dwords[t, j], 0)
// dE: f32[5, 2], ids: i32[T], dwords: f32[T, 2]
// lookup.nn:6
static __global__ void f_dE(std::int64_t T, const std::int32_t* __restrict ids,
                            const float* __restrict dwords, float* __restrict dE) {
  __shared__ gradc::Chosen chosen;
  if (const std::int64_t i = gradc::block(); i < 5) {
    float sum = 0.0f;
    for (std::int64_t first = 0; first < T; first += 32) {
      const std::int64_t t = first + gradc::thread();
      gradc::choose(t < T && ids[t] == i, chosen);
      if (const std::int64_t j = gradc::thread(); j < 2) {
        for (const std::int64_t t2 : gradc::chosen_from(first, chosen)) {
          sum += dwords[t2 * 2 + j];
        }
      }
    }
    if (const std::int64_t j = gradc::thread(); j < 2) {
      dE[i * 2 + j] = sum;
    }
  }
}

// dk[i] = sum[t, j] dsmooth[t, j] * words[i + t - 1, j pad 0]
// dk: f32[3], dsmooth: f32[T, 2], words: f32[T, 2]
// lookup.nn:11
static __global__ void f_dk(std::int64_t T, const float* __restrict dsmooth,
                            const float* __restrict words, float* __restrict dk) {
  __shared__ gradc::Partial<float> partial_f32;
  if (const std::int64_t i = gradc::block(); i < 3) {
    float dk2 = 0.0f;
    for (std::int64_t element = gradc::thread(); element < T * 2; element += 32) {
      const std::int64_t t = element / 2;
      const std::int64_t j = element - t * 2;
      dk2 += dsmooth[t * 2 + j] * (i + t - 1 >= 0 && i + t - 1 < T ? words[(i + t - 1) * 2 + j] : 0.0f);
    }
    dk2 = gradc::block_sum(dk2, partial_f32);
    if (gradc::thread() == 0) {
      dk[i] = dk2;
    }
  }
}

// smooth[i, d] = sum[u] k[u] * words[i + u - 1, d pad 0]
// dsmooth[i, d] = (tanh(smooth[i, d]) - t[i, d]) / T * (1 - tanh(smooth[i, d]) * tanh(smooth[i,
//     d]))
// smooth: f32[T, 2], dsmooth: f32[T, 2], k: f32[3], words: f32[T, 2], t: f32[T, 2]
// lookup.nn:11
static __global__ void fit_dsmooth(std::int64_t T, const float* __restrict k,
                                   const float* __restrict words, const float* __restrict t,
                                   float* __restrict dsmooth, float* __restrict smooth) {
  const float T_f32_inverse = 1.0f / static_cast<float>(T);
  if (const std::int64_t element = gradc::thread_of_all(); element < T * 2) {
    const std::int64_t i = element / 2;
    const std::int64_t d = element - i * 2;
    float smooth2 = 0.0f;
    for (std::int64_t u = 0; u < 3; ++u) {
      smooth2 += k[u] * (i + u - 1 >= 0 && i + u - 1 < T ? words[(i + u - 1) * 2 + d] : 0.0f);
    }
    smooth[element] = smooth2;
    const float tanh = gradc::tanh(smooth2);
    dsmooth[element] = (tanh - t[element]) * T_f32_inverse * (1.0f - tanh * tanh);
  }
}

// loss_sum = sum[j, i] (tanh(smooth[j, i]) - t[j, i]) * (tanh(smooth[j, i]) - t[j, i])
// loss = 0.5 * loss_sum / T
// smooth: f32[T, 2], t: f32[T, 2]
// lookup.nn:19
static __global__ void fit_loss(std::int64_t T, const float* __restrict smooth,
                                const float* __restrict t, float* __restrict loss) {
  __shared__ gradc::Partial<float> partial_f32;
  const float T_f32_inverse = 1.0f / static_cast<float>(T);
  if (const std::int64_t element = gradc::block(); element < 1) {
    float loss_sum = 0.0f;
    for (std::int64_t element2 = gradc::thread(); element2 < T * 2; element2 += 32) {
      const std::int64_t j = element2 / 2;
      const std::int64_t i = element2 - j * 2;
      const float t2 = gradc::tanh(smooth[j * 2 + i]) - t[j * 2 + i];
      loss_sum += t2 * t2;
    }
    loss_sum = gradc::block_sum(loss_sum, partial_f32);
    __syncthreads();
    const float loss2 = 0.5f * loss_sum * T_f32_inverse;
    __syncthreads();
    if (gradc::thread() == 0) {
      loss[0] = loss2;
    }
  }
}

// step_ = step_ + 1
// lookup.nn:18
static __global__ void fit_step(std::int32_t* __restrict step_) {
  const std::int64_t step_2 = step_[0];
  if (const std::int64_t element = gradc::block(); element < 1) {
    const std::int64_t step_next = step_2 + 1;
    __syncthreads();
    if (gradc::thread() == 0) {
      step_[0] = static_cast<std::int32_t>(step_next);
    }
  }
}

// E[i, j] = E[i, j] - 0.1 * dE[i, j]
// E: f32[5, 2], dE: f32[5, 2]
// lookup.nn:20
static __global__ void fit_f_words_E(const float* __restrict dE, float* __restrict E) {
  if (const std::int64_t element = gradc::thread_of_all(); element < 10) {
    E[element] = E[element] - 0.1f * dE[element];
  }
}

// dk[i] = sum[t, j] dsmooth[t, j] * words[i + t - 1, j pad 0]
// k[i] = k[i] - 0.1 * dk[i]
// k: f32[3], dsmooth: f32[T, 2], words: f32[T, 2]
// lookup.nn:11
static __global__ void fit_f_smooth_k(std::int64_t T, const float* __restrict dsmooth,
                                      const float* __restrict words, float* __restrict k) {
  __shared__ gradc::Partial<float> partial_f32;
  if (const std::int64_t i = gradc::block(); i < 3) {
    float dk = 0.0f;
    for (std::int64_t element = gradc::thread(); element < T * 2; element += 32) {
      const std::int64_t t = element / 2;
      const std::int64_t j = element - t * 2;
      dk += dsmooth[t * 2 + j] * (i + t - 1 >= 0 && i + t - 1 < T ? words[(i + t - 1) * 2 + j] : 0.0f);
    }
    dk = gradc::block_sum(dk, partial_f32);
    __syncthreads();
    const float p_next = k[i] - 0.1f * dk;
    __syncthreads();
    if (gradc::thread() == 0) {
      k[i] = p_next;
    }
  }
}

// smooth[i, d] = sum[u] k[u] * words[i + u - 1, d pad 0]
// smooth: f32[T, 2], k: f32[3], words: f32[T, 2]
// lookup.nn:11
static __global__ void fit_smooth(std::int64_t T, const float* __restrict k,
                                  const float* __restrict words, float* __restrict smooth) {
  if (const std::int64_t element = gradc::thread_of_all(); element < T * 2) {
    const std::int64_t i = element / 2;
    const std::int64_t d = element - i * 2;
    float smooth2 = 0.0f;
    for (std::int64_t u = 0; u < 3; ++u) {
      smooth2 += k[u] * (i + u - 1 >= 0 && i + u - 1 < T ? words[(i + u - 1) * 2 + d] : 0.0f);
    }
    smooth[element] = smooth2;
  }
}


void init(gradc::Device& device, Parameters& parameters, State& state, std::uint64_t seed) {
  const std::int32_t* const counter = nullptr;
  device.launch({"init_f_words_E", "lookup.nn:5"}, 1, 256, init_f_words_E, seed, counter, 3964311387u, parameters.f_words_E);
  device.launch({"init_fit_step", "lookup.nn:18"}, 1, 32, init_fit_step, state.fit_step);
  device.launch({"init_f_smooth_k", "lookup.nn:10"}, 1, 256, init_f_smooth_k, parameters.f_smooth_k);
}

void f_forward(gradc::Device& device, const Parameters& parameters, Workspace& workspace, std::int64_t T, const std::int32_t* ids, float* y) {
  auto* const words = gradc::place<float>(workspace.data, 0);  // f32[T, 2]
  auto* const y2 = gradc::place<float>(workspace.data, 64);  // f32[T, 2]
  device.launch({"f_words", "lookup.nn:6"}, (T * 2 + 255) / 256, 256, f_words, T, parameters.f_words_E, ids, words);
  device.launch({"f_y", "lookup.nn:11"}, (T * 2 + 255) / 256, 256, f_y, T, parameters.f_smooth_k, words, y, y2);
}

void f_backward(gradc::Device& device, const Parameters& parameters, Workspace& workspace, std::int64_t T, const std::int32_t* ids, const float* dy, Parameters& gradients) {
  auto* const y2 = gradc::place<float>(workspace.data, 64);  // f32[T, 2]
  auto* const dsmooth = gradc::place<float>(workspace.data, 128);  // f32[T, 2]
  auto* const dwords = gradc::place<float>(workspace.data, 64);  // f32[T, 2]
  auto* const words = gradc::place<float>(workspace.data, 0);  // f32[T, 2]
  device.launch({"f_dsmooth", "lookup.nn:15"}, (T * 2 + 255) / 256, 256, f_dsmooth, T, dy, y2, dsmooth);
  device.launch({"f_dwords", "lookup.nn:11"}, (T * 2 + 255) / 256, 256, f_dwords, T, dsmooth, parameters.f_smooth_k, dwords);
  device.launch({"f_dE", "lookup.nn:6"}, 5, 32, f_dE, T, ids, dwords, gradients.f_words_E);
  device.launch({"f_dk", "lookup.nn:11"}, 3, 32, f_dk, T, dsmooth, words, gradients.f_smooth_k);
}

void fit(gradc::Device& device, Parameters& parameters, State& state, Workspace& workspace, std::int64_t T, const std::int32_t* ids, const float* t, std::uint64_t /*seed*/, fit_result* result) {
  auto* const words = gradc::place<float>(workspace.data, 0);  // f32[T, 2]
  auto* const dsmooth = gradc::place<float>(workspace.data, 128);  // f32[T, 2]
  auto* const smooth = gradc::place<float>(workspace.data, 64);  // f32[T, 2]
  auto* const dwords = gradc::place<float>(workspace.data, 64);  // f32[T, 2]
  auto* const dE = gradc::place<float>(workspace.data, 192);  // f32[5, 2]

  // forward
  device.launch({"f_words", "lookup.nn:6"}, (T * 2 + 255) / 256, 256, f_words, T, parameters.f_words_E, ids, words);

  // loss
  device.launch({"fit_dsmooth", "lookup.nn:11"}, (T * 2 + 255) / 256, 256, fit_dsmooth, T, parameters.f_smooth_k, words, t, dsmooth, smooth);
  device.launch({"fit_loss", "lookup.nn:19"}, 1, 32, fit_loss, T, smooth, t, &result->loss);

  // backward and update
  device.launch({"fit_step", "lookup.nn:18"}, 1, 32, lookup::fit_step, state.fit_step);
  device.launch({"f_dwords", "lookup.nn:11"}, (T * 2 + 255) / 256, 256, f_dwords, T, dsmooth, parameters.f_smooth_k, dwords);
  device.launch({"f_dE", "lookup.nn:6"}, 5, 32, f_dE, T, ids, dwords, dE);
  device.launch({"fit_f_smooth_k", "lookup.nn:11"}, 3, 32, fit_f_smooth_k, T, dsmooth, words, parameters.f_smooth_k);
  device.launch({"fit_f_words_E", "lookup.nn:20"}, 1, 256, fit_f_words_E, dE, parameters.f_words_E);
}

void fit_evaluate(gradc::Device& device, const Parameters& parameters, const State& /*state*/, Workspace& workspace, std::int64_t T, const std::int32_t* ids, const float* t, fit_result* result) {
  auto* const words = gradc::place<float>(workspace.data, 0);  // f32[T, 2]
  auto* const smooth = gradc::place<float>(workspace.data, 64);  // f32[T, 2]
  device.launch({"f_words", "lookup.nn:6"}, (T * 2 + 255) / 256, 256, f_words, T, parameters.f_words_E, ids, words);
  device.launch({"fit_smooth", "lookup.nn:11"}, (T * 2 + 255) / 256, 256, fit_smooth, T, parameters.f_smooth_k, words, smooth);
  device.launch({"fit_loss", "lookup.nn:19"}, 1, 32, fit_loss, T, smooth, t, &result->loss);
}


// ---- the model as a table, for the runtime's driver and checkpoints

namespace {

const gradc::Dim the_dims[] = {
    {"T", 8},
};

const gradc::Tensor the_parameters[] = {
    {"f.words.E", gradc::DType::f32, 2, {{5, 0, -1}, {2, 0, -1}}, offsetof(Parameters, f_words_E), 0},
    {"f.smooth.k", gradc::DType::f32, 1, {{3, 0, -1}}, offsetof(Parameters, f_smooth_k), 0},
};

const gradc::Tensor the_state[] = {
    {"fit.step", gradc::DType::i32, 0, {}, offsetof(State, fit_step), 0},
};

const gradc::Tensor inputs_1[] = {
    {"ids", gradc::DType::i32, 1, {{0, 1, 0}}, 0, 5},
};

const gradc::Tensor outputs_1[] = {
    {"y", gradc::DType::f32, 2, {{0, 1, 0}, {2, 0, -1}}, 0, 0},
};

void run_1(const gradc::Call& call) {
  gradc::Device& device = *static_cast<gradc::Device*>(call.device);
  f_forward(device, *static_cast<const Parameters*>(call.parameters), *static_cast<Workspace*>(call.workspace), call.dims[0], static_cast<const std::int32_t*>(call.inputs[0]), static_cast<float*>(call.outputs[0]));
}

const gradc::Tensor inputs_2[] = {
    {"ids", gradc::DType::i32, 1, {{0, 1, 0}}, 0, 5},
    {"dy", gradc::DType::f32, 2, {{0, 1, 0}, {2, 0, -1}}, 0, 0},
};

void run_2(const gradc::Call& call) {
  gradc::Device& device = *static_cast<gradc::Device*>(call.device);
  f_backward(device, *static_cast<const Parameters*>(call.parameters), *static_cast<Workspace*>(call.workspace), call.dims[0], static_cast<const std::int32_t*>(call.inputs[0]), static_cast<const float*>(call.inputs[1]), *static_cast<Parameters*>(call.gradients));
}

const gradc::Tensor inputs_3[] = {
    {"ids", gradc::DType::i32, 1, {{0, 1, 0}}, 0, 5},
    {"t", gradc::DType::f32, 2, {{0, 1, 0}, {2, 0, -1}}, 0, 0},
};

const gradc::Tensor outputs_3[] = {
    {"loss", gradc::DType::f32, 0, {}, 0, 0},
};

void run_3(const gradc::Call& call) {
  gradc::Device& device = *static_cast<gradc::Device*>(call.device);
  auto* const result = device.result<fit_result>();
  fit(device, *static_cast<Parameters*>(call.parameters), *static_cast<State*>(call.state), *static_cast<Workspace*>(call.workspace), call.dims[0], static_cast<const std::int32_t*>(call.inputs[0]), static_cast<const float*>(call.inputs[1]), call.seed, result);
  device.copy(call.outputs[0], &result->loss, sizeof result->loss);
}

const gradc::Tensor inputs_4[] = {
    {"ids", gradc::DType::i32, 1, {{0, 1, 0}}, 0, 5},
    {"t", gradc::DType::f32, 2, {{0, 1, 0}, {2, 0, -1}}, 0, 0},
};

const gradc::Tensor outputs_4[] = {
    {"loss", gradc::DType::f32, 0, {}, 0, 0},
};

void run_4(const gradc::Call& call) {
  gradc::Device& device = *static_cast<gradc::Device*>(call.device);
  auto* const result = device.result<fit_result>();
  fit_evaluate(device, *static_cast<const Parameters*>(call.parameters), *static_cast<const State*>(call.state), *static_cast<Workspace*>(call.workspace), call.dims[0], static_cast<const std::int32_t*>(call.inputs[0]), static_cast<const float*>(call.inputs[1]), result);
  device.copy(call.outputs[0], &result->loss, sizeof result->loss);
}

const gradc::Function the_functions[] = {
    {"f", gradc::FunctionKind::forward, inputs_1, 1, outputs_1, 1, run_1},
    {"f", gradc::FunctionKind::backward, inputs_2, 2, nullptr, 0, run_2},
    {"fit", gradc::FunctionKind::step, inputs_3, 2, outputs_3, 1, run_3},
    {"fit", gradc::FunctionKind::evaluate, inputs_4, 2, outputs_4, 1, run_4},
};

void init_on_device(const gradc::Call& call) {
  init(*static_cast<gradc::Device*>(call.device), *static_cast<Parameters*>(call.parameters),
       *static_cast<State*>(call.state), call.seed);
}

const gradc::Model the_model = {
    "lookup", GRADC_RUNTIME_VERSION, "hash",
    the_dims, 1,
    the_parameters, 2, sizeof(Parameters),
    the_state, 1, sizeof(State),
    sizeof(Workspace),
    the_functions, 4,
    nullptr, &gradc::device_engine, init_on_device,
};

}  // namespace

const gradc::Model& model() { return the_model; }

}  // namespace lookup

// ---- the C interface

extern "C" {

std::size_t lookup_parameters_size(void) { return sizeof(lookup::Parameters); }
std::size_t lookup_state_size(void) { return sizeof(lookup::State); }
std::size_t lookup_workspace_size(void) { return sizeof(lookup::Workspace); }

const char* lookup_error(void) { return gradc::last_message(); }
int lookup_open(void** device) {
  return gradc::code_of([&] { *device = new gradc::Device; });
}
void lookup_close(void* device) { delete static_cast<gradc::Device*>(device); }
int lookup_allocate(void* device, std::size_t bytes, void** memory) {
  return gradc::code_of([&] { *memory = static_cast<gradc::Device*>(device)->allocate(bytes, "an array"); });
}
void lookup_release(void* device, void* memory) { static_cast<gradc::Device*>(device)->release(memory); }
int lookup_upload(void* device, void* to, const void* from, std::size_t bytes) {
  return gradc::code_of([&] { static_cast<gradc::Device*>(device)->upload(to, from, bytes); });
}
int lookup_download(void* device, void* to, const void* from, std::size_t bytes) {
  return gradc::code_of([&] { static_cast<gradc::Device*>(device)->download(to, from, bytes); });
}
int lookup_wait(void* device) {
  return gradc::code_of([&] { static_cast<gradc::Device*>(device)->synchronize(); });
}

int lookup_init(void* device, void* parameters, void* state, std::uint64_t seed) {
  return gradc::code_of([&] { lookup::init(*static_cast<gradc::Device*>(device), *static_cast<lookup::Parameters*>(parameters), *static_cast<lookup::State*>(state), seed); });
}

int lookup_f_forward(void* device, const void* parameters, void* workspace, std::int64_t T, const std::int32_t* ids, float* y) {
  return gradc::code_of([&] { lookup::f_forward(*static_cast<gradc::Device*>(device), *static_cast<const lookup::Parameters*>(parameters), *static_cast<lookup::Workspace*>(workspace), T, ids, y); });
}

int lookup_f_backward(void* device, const void* parameters, void* workspace, std::int64_t T, const std::int32_t* ids, const float* dy, void* gradients) {
  return gradc::code_of([&] { lookup::f_backward(*static_cast<gradc::Device*>(device), *static_cast<const lookup::Parameters*>(parameters), *static_cast<lookup::Workspace*>(workspace), T, ids, dy, *static_cast<lookup::Parameters*>(gradients)); });
}

int lookup_fit(void* device, void* parameters, void* state, void* workspace, std::int64_t T, const std::int32_t* ids, const float* t, std::uint64_t seed, float* loss) {
  return gradc::code_of([&] {
    auto* const reported = (*static_cast<gradc::Device*>(device)).result<lookup::fit_result>();
    lookup::fit(*static_cast<gradc::Device*>(device), *static_cast<lookup::Parameters*>(parameters), *static_cast<lookup::State*>(state), *static_cast<lookup::Workspace*>(workspace), T, ids, t, seed, reported);
    if (loss != nullptr) (*static_cast<gradc::Device*>(device)).download(loss, &reported->loss, sizeof *loss);
  });
}

int lookup_fit_evaluate(void* device, const void* parameters, const void* state, void* workspace, std::int64_t T, const std::int32_t* ids, const float* t, float* loss) {
  return gradc::code_of([&] {
    auto* const reported = (*static_cast<gradc::Device*>(device)).result<lookup::fit_result>();
    lookup::fit_evaluate(*static_cast<gradc::Device*>(device), *static_cast<const lookup::Parameters*>(parameters), *static_cast<const lookup::State*>(state), *static_cast<lookup::Workspace*>(workspace), T, ids, t, reported);
    if (loss != nullptr) (*static_cast<gradc::Device*>(device)).download(loss, &reported->loss, sizeof *loss);
  });
}


const void* lookup_model(void) { return &lookup::model(); }

}  // extern "C"

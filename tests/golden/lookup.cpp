// Do not edit: edit the spec and run gradc again.
#include "lookup.hpp"

#include "gradc/math.h"
#include "gradc/philox.h"
#include "gradc/vector.h"

#if GRADC_RUNTIME_VERSION != 1
#error "this file was generated for version 1 of gradc's runtime headers: generate it again"
#endif

namespace lookup {

// E[i, j] = normal(0, 1)
// E: f32[5, 2]
// lookup.nn:5
static void init_f_words_E(std::uint64_t seed, std::uint32_t step, std::uint32_t stream,
                           float* __restrict E) {
  for (std::int64_t i = 0; i < 5; ++i) {
    for (std::int64_t j = 0; j < 2; ++j) {
      E[i * 2 + j] = gradc::random_normal(seed, step, stream, static_cast<std::uint64_t>(i * 2 + j), 0.0f, 1.0f);
    }
  }
}

// k[i] = 1
// k: f32[3]
// lookup.nn:10
static void init_f_smooth_k(float* __restrict k) {
  for (std::int64_t i = 0; i < 3; ++i) {
    k[i] = 1.0f;
  }
}

// step_ = 0
// lookup.nn:18
static void init_fit_step(std::int32_t* __restrict step_) {
  step_[0] = 0;
}

// words[i, d] = E[ids[i], d]
// words: f32[T, 2], E: f32[5, 2], ids: i32[T]
// lookup.nn:6
static void f_words(std::int64_t T, const float* __restrict E, const std::int32_t* __restrict ids,
                    float* __restrict words) {
  for (std::int64_t i = 0; i < T; ++i) {
    const std::int64_t ids_i = ids[i];
    for (std::int64_t d = 0; d < 2; ++d) {
      words[i * 2 + d] = E[ids_i * 2 + d];
    }
  }
}

// smooth[i, d] = sum[u] k[u] * words[i + u - 1, d pad 0]
// y2[i, d] = tanh(smooth[i, d])
// y[i, d] = y2[i, d]
// y2: f32[T, 2], y: f32[T, 2], k: f32[3], words: f32[T, 2]
// lookup.nn:11
static void f_y(std::int64_t T, const float* __restrict k, const float* __restrict words,
                float* __restrict y, float* __restrict y2) {
  for (std::int64_t i = 0; i < T; ++i) {
    for (std::int64_t d = 0; d < 2; ++d) {
      float smooth = 0.0f;
      for (std::int64_t u = 0; u < 3; ++u) {
        smooth += k[u] * (i + u - 1 >= 0 && i + u - 1 < T ? words[(i + u - 1) * 2 + d] : 0.0f);
      }
      const float y3 = gradc::tanh(smooth);
      y2[i * 2 + d] = y3;
      y[i * 2 + d] = y3;
    }
  }
}

// dsmooth[i, d] = dy[i, d] * (1 - y[i, d] * y[i, d])
// dsmooth: f32[T, 2], dy: f32[T, 2], y: f32[T, 2]
// lookup.nn:15
static void f_dsmooth(std::int64_t T, const float* __restrict dy, const float* __restrict y,
                      float* __restrict dsmooth) {
  for (std::int64_t i = 0; i < T; ++i) {
    for (std::int64_t d = 0; d < 2; ++d) {
      const float y_i_d = y[i * 2 + d];
      dsmooth[i * 2 + d] = dy[i * 2 + d] * (1.0f - y_i_d * y_i_d);
    }
  }
}

// dwords[t, i] = sum[j] dsmooth[t - j + 1, i pad 0] * k[j]
// dwords: f32[T, 2], dsmooth: f32[T, 2], k: f32[3]
// lookup.nn:11
static void f_dwords(std::int64_t T, const float* __restrict dsmooth, const float* __restrict k,
                     float* __restrict dwords) {
  for (std::int64_t t = 0; t < T; ++t) {
    for (std::int64_t i = 0; i < 2; ++i) {
      float dwords2 = 0.0f;
      for (std::int64_t j = 0; j < 3; ++j) {
        dwords2 += (t - j + 1 >= 0 && t - j + 1 < T ? dsmooth[(t - j + 1) * 2 + i] : 0.0f) * k[j];
      }
      dwords[t * 2 + i] = dwords2;
    }
  }
}

// dE[i, j] = sum[t] select(ids[t] == i, dwords[t, j], 0)
// dE: f32[5, 2], ids: i32[T], dwords: f32[T, 2]
// lookup.nn:6
static void f_dE(std::int64_t T, const std::int32_t* __restrict ids, const float* __restrict dwords,
                 float* __restrict dE) {
  for (std::int64_t i = 0; i < 5; ++i) {
    for (std::int64_t j = 0; j < 2; ++j) {
      dE[i * 2 + j] = 0.0f;
    }
  }
  for (std::int64_t t = 0; t < T; ++t) {
    const std::int64_t ids_t = ids[t];
    for (std::int64_t j = 0; j < 2; ++j) {
      if (ids_t >= 0 && ids_t < 5) {
        dE[ids_t * 2 + j] += dwords[t * 2 + j];
      }
    }
  }
}

// dk[i] = sum[t, j] dsmooth[t, j] * words[i + t - 1, j pad 0]
// dk: f32[3], dsmooth: f32[T, 2], words: f32[T, 2]
// lookup.nn:11
static void f_dk(std::int64_t T, const float* __restrict dsmooth, const float* __restrict words,
                 float* __restrict dk) {
  for (std::int64_t i = 0; i < 3; ++i) {
    float dk2 = 0.0f;
    for (std::int64_t t = 0; t < T; ++t) {
      for (std::int64_t j = 0; j < 2; ++j) {
        dk2 += dsmooth[t * 2 + j] * (i + t - 1 >= 0 && i + t - 1 < T ? words[(i + t - 1) * 2 + j] : 0.0f);
      }
    }
    dk[i] = dk2;
  }
}

// smooth[i, d] = sum[u] k[u] * words[i + u - 1, d pad 0]
// dsmooth[i, d] = (tanh(smooth[i, d]) - t[i, d]) / T * (1 - tanh(smooth[i, d]) * tanh(smooth[i,
//     d]))
// smooth: f32[T, 2], dsmooth: f32[T, 2], k: f32[3], words: f32[T, 2], t: f32[T, 2]
// lookup.nn:11
static void fit_dsmooth(std::int64_t T, const float* __restrict k, const float* __restrict words,
                        const float* __restrict t, float* __restrict dsmooth,
                        float* __restrict smooth) {
  const float T_f32_inverse = 1.0f / static_cast<float>(T);
  for (std::int64_t i = 0; i < T; ++i) {
    for (std::int64_t d = 0; d < 2; ++d) {
      float smooth2 = 0.0f;
      for (std::int64_t u = 0; u < 3; ++u) {
        smooth2 += k[u] * (i + u - 1 >= 0 && i + u - 1 < T ? words[(i + u - 1) * 2 + d] : 0.0f);
      }
      smooth[i * 2 + d] = smooth2;
      const float tanh = gradc::tanh(smooth2);
      const float dsmooth2 = (tanh - t[i * 2 + d]) * T_f32_inverse * (1.0f - tanh * tanh);
      dsmooth[i * 2 + d] = dsmooth2;
    }
  }
}

// loss_sum = sum[j, i] (tanh(smooth[j, i]) - t[j, i]) * (tanh(smooth[j, i]) - t[j, i])
// loss = 0.5 * loss_sum / T
// smooth: f32[T, 2], t: f32[T, 2]
// lookup.nn:19
static void fit_loss(std::int64_t T, const float* __restrict smooth, const float* __restrict t,
                     float* __restrict loss) {
  gradc::Lanes<float, 16> loss_sum_lanes(0.0f);
  const std::int64_t whole = T * 2 - gradc::mod(T * 2, 16);
  for (std::int64_t i0 = 0; i0 < whole; i0 += 16) {
    for (std::int64_t lane = 0; lane < 16; ++lane) {
      const float t2 = gradc::tanh(smooth[i0 + lane]) - t[i0 + lane];
      loss_sum_lanes[lane] += t2 * t2;
    }
  }
  for (std::int64_t lane = 0; lane < T * 2 - whole; ++lane) {
    const float t2 = gradc::tanh(smooth[whole + lane]) - t[whole + lane];
    loss_sum_lanes[lane] += t2 * t2;
  }
  const float loss_sum = gradc::sum(loss_sum_lanes);
  const float loss2 = 0.5f * loss_sum / static_cast<float>(T);
  loss[0] = loss2;
}

// step_ = step_ + 1
// lookup.nn:18
static void fit_step(std::int32_t* __restrict step_) {
  step_[0] = static_cast<std::int32_t>(step_[0] + 1);
}

// E[i, j] = E[i, j] - 0.1 * dE[i, j]
// E: f32[5, 2], dE: f32[5, 2]
// lookup.nn:20
static void fit_f_words_E(const float* __restrict dE, float* __restrict E) {
  for (std::int64_t i = 0; i < 5; ++i) {
    for (std::int64_t j = 0; j < 2; ++j) {
      E[i * 2 + j] = E[i * 2 + j] - 0.1f * dE[i * 2 + j];
    }
  }
}

// dk[i] = sum[t, j] dsmooth[t, j] * words[i + t - 1, j pad 0]
// k[i] = k[i] - 0.1 * dk[i]
// k: f32[3], dsmooth: f32[T, 2], words: f32[T, 2]
// lookup.nn:11
static void fit_f_smooth_k(std::int64_t T, const float* __restrict dsmooth,
                           const float* __restrict words, float* __restrict k) {
  for (std::int64_t i = 0; i < 3; ++i) {
    float dk = 0.0f;
    for (std::int64_t t = 0; t < T; ++t) {
      for (std::int64_t j = 0; j < 2; ++j) {
        dk += dsmooth[t * 2 + j] * (i + t - 1 >= 0 && i + t - 1 < T ? words[(i + t - 1) * 2 + j] : 0.0f);
      }
    }
    const float p_next = k[i] - 0.1f * dk;
    k[i] = p_next;
  }
}

// smooth[i, d] = sum[u] k[u] * words[i + u - 1, d pad 0]
// smooth: f32[T, 2], k: f32[3], words: f32[T, 2]
// lookup.nn:11
static void fit_smooth(std::int64_t T, const float* __restrict k, const float* __restrict words,
                       float* __restrict smooth) {
  for (std::int64_t i = 0; i < T; ++i) {
    for (std::int64_t d = 0; d < 2; ++d) {
      float smooth2 = 0.0f;
      for (std::int64_t u = 0; u < 3; ++u) {
        smooth2 += k[u] * (i + u - 1 >= 0 && i + u - 1 < T ? words[(i + u - 1) * 2 + d] : 0.0f);
      }
      smooth[i * 2 + d] = smooth2;
    }
  }
}


void init(Parameters& parameters, State& state, std::uint64_t seed) {
  constexpr std::uint32_t step = 0;
  init_f_words_E(seed, step, 3964311387u, parameters.f_words_E);
  init_f_smooth_k(parameters.f_smooth_k);
  init_fit_step(state.fit_step);
}

void f_forward(const Parameters& parameters, Workspace& workspace, std::int64_t T, const std::int32_t* ids, float* y) {
  auto* const words = gradc::place<float>(workspace.data, 0);  // f32[T, 2]
  auto* const y2 = gradc::place<float>(workspace.data, 64);  // f32[T, 2]
  f_words(T, parameters.f_words_E, ids, words);
  f_y(T, parameters.f_smooth_k, words, y, y2);
}

void f_backward(const Parameters& parameters, Workspace& workspace, std::int64_t T, const std::int32_t* ids, const float* dy, Parameters& gradients) {
  auto* const y2 = gradc::place<float>(workspace.data, 64);  // f32[T, 2]
  auto* const dsmooth = gradc::place<float>(workspace.data, 128);  // f32[T, 2]
  auto* const dwords = gradc::place<float>(workspace.data, 64);  // f32[T, 2]
  auto* const words = gradc::place<float>(workspace.data, 0);  // f32[T, 2]
  f_dsmooth(T, dy, y2, dsmooth);
  f_dwords(T, dsmooth, parameters.f_smooth_k, dwords);
  f_dE(T, ids, dwords, gradients.f_words_E);
  f_dk(T, dsmooth, words, gradients.f_smooth_k);
}

fit_result fit(Parameters& parameters, State& state, Workspace& workspace, std::int64_t T, const std::int32_t* ids, const float* t, std::uint64_t /*seed*/) {
  fit_result result{};
  auto* const words = gradc::place<float>(workspace.data, 0);  // f32[T, 2]
  auto* const dsmooth = gradc::place<float>(workspace.data, 128);  // f32[T, 2]
  auto* const smooth = gradc::place<float>(workspace.data, 64);  // f32[T, 2]
  auto* const dwords = gradc::place<float>(workspace.data, 64);  // f32[T, 2]
  auto* const dE = gradc::place<float>(workspace.data, 192);  // f32[5, 2]

  // forward
  f_words(T, parameters.f_words_E, ids, words);

  // loss
  fit_dsmooth(T, parameters.f_smooth_k, words, t, dsmooth, smooth);
  fit_loss(T, smooth, t, &result.loss);

  // backward and update
  lookup::fit_step(state.fit_step);
  f_dwords(T, dsmooth, parameters.f_smooth_k, dwords);
  f_dE(T, ids, dwords, dE);
  fit_f_words_E(dE, parameters.f_words_E);
  fit_f_smooth_k(T, dsmooth, words, parameters.f_smooth_k);
  return result;
}

fit_result fit_evaluate(const Parameters& parameters, const State& /*state*/, Workspace& workspace, std::int64_t T, const std::int32_t* ids, const float* t) {
  fit_result result{};
  auto* const words = gradc::place<float>(workspace.data, 0);  // f32[T, 2]
  auto* const smooth = gradc::place<float>(workspace.data, 64);  // f32[T, 2]
  f_words(T, parameters.f_words_E, ids, words);
  fit_smooth(T, parameters.f_smooth_k, words, smooth);
  fit_loss(T, smooth, t, &result.loss);
  return result;
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
  f_forward(*static_cast<const Parameters*>(call.parameters), *static_cast<Workspace*>(call.workspace), call.dims[0], static_cast<const std::int32_t*>(call.inputs[0]), static_cast<float*>(call.outputs[0]));
}

const gradc::Tensor inputs_2[] = {
    {"ids", gradc::DType::i32, 1, {{0, 1, 0}}, 0, 5},
    {"dy", gradc::DType::f32, 2, {{0, 1, 0}, {2, 0, -1}}, 0, 0},
};

void run_2(const gradc::Call& call) {
  f_backward(*static_cast<const Parameters*>(call.parameters), *static_cast<Workspace*>(call.workspace), call.dims[0], static_cast<const std::int32_t*>(call.inputs[0]), static_cast<const float*>(call.inputs[1]), *static_cast<Parameters*>(call.gradients));
}

const gradc::Tensor inputs_3[] = {
    {"ids", gradc::DType::i32, 1, {{0, 1, 0}}, 0, 5},
    {"t", gradc::DType::f32, 2, {{0, 1, 0}, {2, 0, -1}}, 0, 0},
};

const gradc::Tensor outputs_3[] = {
    {"loss", gradc::DType::f32, 0, {}, 0, 0},
};

void run_3(const gradc::Call& call) {
  const fit_result result = fit(*static_cast<Parameters*>(call.parameters), *static_cast<State*>(call.state), *static_cast<Workspace*>(call.workspace), call.dims[0], static_cast<const std::int32_t*>(call.inputs[0]), static_cast<const float*>(call.inputs[1]), call.seed);
  *static_cast<float*>(call.outputs[0]) = result.loss;
}

const gradc::Tensor inputs_4[] = {
    {"ids", gradc::DType::i32, 1, {{0, 1, 0}}, 0, 5},
    {"t", gradc::DType::f32, 2, {{0, 1, 0}, {2, 0, -1}}, 0, 0},
};

const gradc::Tensor outputs_4[] = {
    {"loss", gradc::DType::f32, 0, {}, 0, 0},
};

void run_4(const gradc::Call& call) {
  const fit_result result = fit_evaluate(*static_cast<const Parameters*>(call.parameters), *static_cast<const State*>(call.state), *static_cast<Workspace*>(call.workspace), call.dims[0], static_cast<const std::int32_t*>(call.inputs[0]), static_cast<const float*>(call.inputs[1]));
  *static_cast<float*>(call.outputs[0]) = result.loss;
}

const gradc::Function the_functions[] = {
    {"f", gradc::FunctionKind::forward, inputs_1, 1, outputs_1, 1, run_1},
    {"f", gradc::FunctionKind::backward, inputs_2, 2, nullptr, 0, run_2},
    {"fit", gradc::FunctionKind::step, inputs_3, 2, outputs_3, 1, run_3},
    {"fit", gradc::FunctionKind::evaluate, inputs_4, 2, outputs_4, 1, run_4},
};

void run_init(void* parameters, void* state, std::uint64_t seed) {
  init(*static_cast<Parameters*>(parameters), *static_cast<State*>(state), seed);
}

const gradc::Model the_model = {
    "lookup", GRADC_RUNTIME_VERSION, "hash",
    the_dims, 1,
    the_parameters, 2, sizeof(Parameters),
    the_state, 1, sizeof(State),
    sizeof(Workspace),
    the_functions, 4,
    run_init,
};

}  // namespace

const gradc::Model& model() { return the_model; }

}  // namespace lookup

// ---- the C interface

extern "C" {

std::size_t lookup_parameters_size(void) { return sizeof(lookup::Parameters); }
std::size_t lookup_state_size(void) { return sizeof(lookup::State); }
std::size_t lookup_workspace_size(void) { return sizeof(lookup::Workspace); }

void lookup_init(void* parameters, void* state, std::uint64_t seed) {
  lookup::init(*static_cast<lookup::Parameters*>(parameters), *static_cast<lookup::State*>(state), seed);
}

void lookup_f_forward(const void* parameters, void* workspace, std::int64_t T, const std::int32_t* ids, float* y) {
  lookup::f_forward(*static_cast<const lookup::Parameters*>(parameters), *static_cast<lookup::Workspace*>(workspace), T, ids, y);
}

void lookup_f_backward(const void* parameters, void* workspace, std::int64_t T, const std::int32_t* ids, const float* dy, void* gradients) {
  lookup::f_backward(*static_cast<const lookup::Parameters*>(parameters), *static_cast<lookup::Workspace*>(workspace), T, ids, dy, *static_cast<lookup::Parameters*>(gradients));
}

void lookup_fit(void* parameters, void* state, void* workspace, std::int64_t T, const std::int32_t* ids, const float* t, std::uint64_t seed, float* loss) {
  const lookup::fit_result reported = lookup::fit(*static_cast<lookup::Parameters*>(parameters), *static_cast<lookup::State*>(state), *static_cast<lookup::Workspace*>(workspace), T, ids, t, seed);
  *loss = reported.loss;
}

void lookup_fit_evaluate(const void* parameters, const void* state, void* workspace, std::int64_t T, const std::int32_t* ids, const float* t, float* loss) {
  const lookup::fit_result reported = lookup::fit_evaluate(*static_cast<const lookup::Parameters*>(parameters), *static_cast<const lookup::State*>(state), *static_cast<lookup::Workspace*>(workspace), T, ids, t);
  *loss = reported.loss;
}


const void* lookup_model(void) { return &lookup::model(); }

}  // extern "C"

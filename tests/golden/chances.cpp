// Do not edit: edit the spec and run gradc again.
#include "chances.hpp"

#include "gradc/math.h"
#include "gradc/philox.h"
#include "gradc/vector.h"

#if GRADC_RUNTIME_VERSION != 1
#error "this file was generated for version 1 of gradc's runtime headers: generate it again"
#endif

namespace chances {

// W[i, j] = normal(0, 0.8164966)
// W: f32[3, 3]
// chances.nn:5
static void init_f_dense1_W(std::uint64_t seed, std::uint32_t step, std::uint32_t stream,
                            float* __restrict W) {
  for (std::int64_t i = 0; i < 3; ++i) {
    for (std::int64_t j = 0; j < 3; ++j) {
      W[i * 3 + j] = gradc::random_normal(seed, step, stream, static_cast<std::uint64_t>(i * 3 + j), 0.0f, 0.8164966f);
    }
  }
}

// step_ = 0
// chances.nn:8
static void init_fit_step(std::int32_t* __restrict step_) {
  step_[0] = 0;
}

// out[m, n] = sum[k] a[m, k] * b[k, n] in register tiles
// m < rows, k < 3, n < 3
static void product(std::int64_t rows, const float* __restrict a, const float* __restrict b,
                    float* __restrict out) {
  std::int64_t m = 0;
  for (; m + 6 <= rows; m += 6) {
    {
      gradc::f32x4 c0_0 = {};
      gradc::f32x4 c1_0 = {};
      gradc::f32x4 c2_0 = {};
      gradc::f32x4 c3_0 = {};
      gradc::f32x4 c4_0 = {};
      gradc::f32x4 c5_0 = {};
      for (std::int64_t k = 0; k < 3; ++k) {
        const gradc::f32x4 b0 = gradc::pinned(gradc::load_first<gradc::f32x4>(b + k * 3, 3));
        const float a0 = a[m * 3 + k];
        c0_0 += a0 * b0;
        const float a1 = a[(m + 1) * 3 + k];
        c1_0 += a1 * b0;
        const float a2 = a[(m + 2) * 3 + k];
        c2_0 += a2 * b0;
        const float a3 = a[(m + 3) * 3 + k];
        c3_0 += a3 * b0;
        const float a4 = a[(m + 4) * 3 + k];
        c4_0 += a4 * b0;
        const float a5 = a[(m + 5) * 3 + k];
        c5_0 += a5 * b0;
      }
      gradc::store_first(out + m * 3, 3, c0_0);
      gradc::store_first(out + (m + 1) * 3, 3, c1_0);
      gradc::store_first(out + (m + 2) * 3, 3, c2_0);
      gradc::store_first(out + (m + 3) * 3, 3, c3_0);
      gradc::store_first(out + (m + 4) * 3, 3, c4_0);
      gradc::store_first(out + (m + 5) * 3, 3, c5_0);
    }
  }
  for (; m + 2 <= rows; m += 2) {
    {
      gradc::f32x4 c0_0 = {};
      gradc::f32x4 c1_0 = {};
      for (std::int64_t k = 0; k < 3; ++k) {
        const gradc::f32x4 b0 = gradc::pinned(gradc::load_first<gradc::f32x4>(b + k * 3, 3));
        const float a0 = a[m * 3 + k];
        c0_0 += a0 * b0;
        const float a1 = a[(m + 1) * 3 + k];
        c1_0 += a1 * b0;
      }
      gradc::store_first(out + m * 3, 3, c0_0);
      gradc::store_first(out + (m + 1) * 3, 3, c1_0);
    }
  }
  for (; m < rows; ++m) {
    {
      gradc::f32x4 c0_0 = {};
      for (std::int64_t k = 0; k < 3; ++k) {
        const gradc::f32x4 b0 = gradc::pinned(gradc::load_first<gradc::f32x4>(b + k * 3, 3));
        const float a0 = a[m * 3 + k];
        c0_0 += a0 * b0;
      }
      gradc::store_first(out + m * 3, 3, c0_0);
    }
  }
}

// dense1[b, o] = sum[i] x[b, i] * W[i, o]
// dense1: f32[B, 3], x: f32[B, 3], W: f32[3, 3]
// chances.nn:5
static void f_dense1(std::int64_t B, const float* __restrict x, const float* __restrict W,
                     float* __restrict dense1) {
  product(B, x, W, dense1);
}

// m[b] = max[k] dense1[b, k]
// e[b, i] = exp(dense1[b, i] - m[b])
// s[b] = sum[i] e[b, i]
// p2[b, i] = e[b, i] / s[b]
// p[b, i] = p2[b, i]
// e: f32[B, 3], p2: f32[B, 3], p: f32[B, 3], dense1: f32[B, 3]
// chances.nn:5
static void f_p(std::int64_t B, const float* __restrict dense1, float* __restrict p,
                float* __restrict p2, float* __restrict e) {
  for (std::int64_t b = 0; b < B; ++b) {
    float m = -gradc::infinity<float>();
    for (std::int64_t k = 0; k < 3; ++k) {
      m = gradc::max(m, dense1[b * 3 + k]);
    }
    float s = 0.0f;
    for (std::int64_t i = 0; i < 3; ++i) {
      const float e2 = gradc::exp(dense1[b * 3 + i] - m);
      s += e2;
      e[b * 3 + i] = e2;
    }
    const float s_b_inverse = 1.0f / s;
    for (std::int64_t i = 0; i < 3; ++i) {
      const float p3 = e[b * 3 + i] * s_b_inverse;
      p2[b * 3 + i] = p3;
      p[b * 3 + i] = p3;
    }
  }
}

// dp_scaled_sum[b] = sum[i] dp[b, i] * p[b, i]
// dp_scaled[b, i] = (dp[b, i] - dp_scaled_sum[b]) * p[b, i]
// dp_scaled: f32[B, 3], dp: f32[B, 3], p: f32[B, 3]
static void f_dp_scaled(std::int64_t B, const float* __restrict dp, const float* __restrict p,
                        float* __restrict dp_scaled) {
  for (std::int64_t b = 0; b < B; ++b) {
    float dp_scaled_sum = 0.0f;
    for (std::int64_t i = 0; i < 3; ++i) {
      dp_scaled_sum += dp[b * 3 + i] * p[b * 3 + i];
    }
    for (std::int64_t i = 0; i < 3; ++i) {
      dp_scaled[b * 3 + i] = (dp[b * 3 + i] - dp_scaled_sum) * p[b * 3 + i];
    }
  }
}

// W_transposed[i, j] = W[j, i]
// W_transposed: f32[3, 3], W: f32[3, 3]
// chances.nn:5
static void f_W_transposed(const float* __restrict W, float* __restrict W_transposed) {
  for (std::int64_t i = 0; i < 3; ++i) {
    for (std::int64_t j = 0; j < 3; ++j) {
      W_transposed[i * 3 + j] = W[j * 3 + i];
    }
  }
}

// dx[b, i] = sum[j] dp_scaled[b, j] * W_transposed[j, i]
// dx: f32[B, 3], dp_scaled: f32[B, 3], W_transposed: f32[3, 3]
// chances.nn:5
static void f_dx(std::int64_t B, const float* __restrict dp_scaled,
                 const float* __restrict W_transposed, float* __restrict dx) {
  product(B, dp_scaled, W_transposed, dx);
}

// out[m, n] = sum[k] a[m, k] * b[k, n] in register tiles
// m < 3, k < B, n < 3
static void product2(std::int64_t B, const float* __restrict a, const float* __restrict b,
                     float* __restrict out) {
  {
    {
      gradc::f32x4 c0_0 = {};
      gradc::f32x4 c1_0 = {};
      gradc::f32x4 c2_0 = {};
      for (std::int64_t k = 0; k < B; ++k) {
        const gradc::f32x4 b0 = gradc::pinned(gradc::load_first<gradc::f32x4>(b + k * 3, 3));
        const float a0 = a[k * 3];
        c0_0 += a0 * b0;
        const float a1 = a[1 + k * 3];
        c1_0 += a1 * b0;
        const float a2 = a[2 + k * 3];
        c2_0 += a2 * b0;
      }
      gradc::store_first(out, 3, c0_0);
      gradc::store_first(out + 3, 3, c1_0);
      gradc::store_first(out + 6, 3, c2_0);
    }
  }
}

// dW[i, j] = sum[b] x[b, i] * dp_scaled[b, j]
// dW: f32[3, 3], x: f32[B, 3], dp_scaled: f32[B, 3]
// chances.nn:5
static void f_dW(std::int64_t B, const float* __restrict x, const float* __restrict dp_scaled,
                 float* __restrict dW) {
  product2(B, x, dp_scaled, dW);
}

// m[b] = max[k] dense1[b, k]
// s[b] = sum[k] exp(dense1[b, k] - m[b])
// m: f32[B], s: f32[B], dense1: f32[B, 3]
// chances.nn:5
static void fit_s(std::int64_t B, const float* __restrict dense1, float* __restrict s,
                  float* __restrict m) {
  for (std::int64_t b = 0; b < B; ++b) {
    float m2 = -gradc::infinity<float>();
    for (std::int64_t k = 0; k < 3; ++k) {
      m2 = gradc::max(m2, dense1[b * 3 + k]);
    }
    m[b] = m2;
    float s2 = 0.0f;
    for (std::int64_t k = 0; k < 3; ++k) {
      s2 += gradc::exp(dense1[b * 3 + k] - m2);
    }
    s[b] = s2;
  }
}

// loss_sum = sum[b, i] t[b, i] * (dense1[b, i] - m[b] - log(s[b]))
// loss = -(loss_sum / B)
// t: f32[B, 3], dense1: f32[B, 3], m: f32[B], s: f32[B]
// chances.nn:10
static void fit_loss(std::int64_t B, const float* __restrict t, const float* __restrict dense1,
                     const float* __restrict m, const float* __restrict s, float* __restrict loss) {
  float loss_sum = 0.0f;
  for (std::int64_t b = 0; b < B; ++b) {
    const float m_b = m[b];
    const float log = gradc::log(s[b]);
    for (std::int64_t i = 0; i < 3; ++i) {
      loss_sum += t[b * 3 + i] * (dense1[b * 3 + i] - m_b - log);
    }
  }
  const float loss2 = -(loss_sum / static_cast<float>(B));
  loss[0] = loss2;
}

// step_ = step_ + 1
// chances.nn:8
static void fit_step(std::int32_t* __restrict step_) {
  step_[0] = static_cast<std::int32_t>(step_[0] + 1);
}

// ddense1_sum[b] = sum[i] t[b, i]
// ddense1[b, o] = (exp(dense1[b, o] - m[b]) * ddense1_sum[b] / s[b] - t[b, o]) / B
// ddense1: f32[B, 3], t: f32[B, 3], dense1: f32[B, 3], m: f32[B], s: f32[B]
// chances.nn:5
static void fit_ddense1(std::int64_t B, const float* __restrict t, const float* __restrict dense1,
                        const float* __restrict m, const float* __restrict s,
                        float* __restrict ddense1) {
  const float B_f32_inverse = 1.0f / static_cast<float>(B);
  for (std::int64_t b = 0; b < B; ++b) {
    float ddense1_sum = 0.0f;
    for (std::int64_t i = 0; i < 3; ++i) {
      ddense1_sum += t[b * 3 + i];
    }
    const float s_b_inverse = 1.0f / s[b];
    const float m_b = m[b];
    for (std::int64_t o = 0; o < 3; ++o) {
      ddense1[b * 3 + o] = (gradc::exp(dense1[b * 3 + o] - m_b) * ddense1_sum * s_b_inverse - t[b * 3 + o]) * B_f32_inverse;
    }
  }
}

// dW[i, j] = sum[b] x[b, i] * ddense1[b, j]
// W[i, j] = W[i, j] - 0.5 * dW[i, j]
// W: f32[3, 3], x: f32[B, 3], ddense1: f32[B, 3]
// chances.nn:5
static void fit_f_dense1_W(std::int64_t B, const float* __restrict x,
                           const float* __restrict ddense1, float* __restrict W) {
  alignas(64) float dW[9];
  product2(B, x, ddense1, dW);
  for (std::int64_t i = 0; i < 3; ++i) {
    for (std::int64_t j = 0; j < 3; ++j) {
      const float dW_i_j = dW[i * 3 + j];
      W[i * 3 + j] = W[i * 3 + j] - 0.5f * dW_i_j;
    }
  }
}


void init(Parameters& parameters, State& state, std::uint64_t seed) {
  constexpr std::uint32_t step = 0;
  init_f_dense1_W(seed, step, 2008941984u, parameters.f_dense1_W);
  init_fit_step(state.fit_step);
}

void f_forward(const Parameters& parameters, Workspace& workspace, std::int64_t B, const float* x, float* p) {
  auto* const dense1 = gradc::place<float>(workspace.data, 0);  // f32[B, 3]
  auto* const p2 = gradc::place<float>(workspace.data, 128);  // f32[B, 3]
  auto* const e = gradc::place<float>(workspace.data, 64);  // f32[B, 3]
  f_dense1(B, x, parameters.f_dense1_W, dense1);
  f_p(B, dense1, p, p2, e);
}

void f_backward(const Parameters& parameters, Workspace& workspace, std::int64_t B, const float* x, const float* dp, Parameters& gradients, float* dx) {
  auto* const p2 = gradc::place<float>(workspace.data, 128);  // f32[B, 3]
  auto* const dp_scaled = gradc::place<float>(workspace.data, 0);  // f32[B, 3]
  auto* const W_transposed = gradc::place<float>(workspace.data, 64);  // f32[3, 3]
  f_dp_scaled(B, dp, p2, dp_scaled);
  f_W_transposed(parameters.f_dense1_W, W_transposed);
  f_dx(B, dp_scaled, W_transposed, dx);
  f_dW(B, x, dp_scaled, gradients.f_dense1_W);
}

fit_result fit(Parameters& parameters, State& state, Workspace& workspace, std::int64_t B, const float* x, const float* t, std::uint64_t /*seed*/) {
  fit_result result{};
  auto* const dense1 = gradc::place<float>(workspace.data, 0);  // f32[B, 3]
  auto* const s = gradc::place<float>(workspace.data, 128);  // f32[B]
  auto* const m = gradc::place<float>(workspace.data, 64);  // f32[B]
  auto* const ddense1 = gradc::place<float>(workspace.data, 192);  // f32[B, 3]

  // forward
  f_dense1(B, x, parameters.f_dense1_W, dense1);
  fit_s(B, dense1, s, m);

  // loss
  fit_loss(B, t, dense1, m, s, &result.loss);

  // backward and update
  chances::fit_step(state.fit_step);
  fit_ddense1(B, t, dense1, m, s, ddense1);
  fit_f_dense1_W(B, x, ddense1, parameters.f_dense1_W);
  return result;
}

fit_result fit_evaluate(const Parameters& parameters, const State& /*state*/, Workspace& workspace, std::int64_t B, const float* x, const float* t) {
  fit_result result{};
  auto* const dense1 = gradc::place<float>(workspace.data, 0);  // f32[B, 3]
  auto* const s = gradc::place<float>(workspace.data, 128);  // f32[B]
  auto* const m = gradc::place<float>(workspace.data, 64);  // f32[B]
  f_dense1(B, x, parameters.f_dense1_W, dense1);
  fit_s(B, dense1, s, m);
  fit_loss(B, t, dense1, m, s, &result.loss);
  return result;
}


// ---- the model as a table, for the runtime's driver and checkpoints

namespace {

const gradc::Dim the_dims[] = {
    {"B", 4},
};

const gradc::Tensor the_parameters[] = {
    {"f.dense1.W", gradc::DType::f32, 2, {{3, 0, -1}, {3, 0, -1}}, offsetof(Parameters, f_dense1_W), 0},
};

const gradc::Tensor the_state[] = {
    {"fit.step", gradc::DType::i32, 0, {}, offsetof(State, fit_step), 0},
};

const gradc::Tensor inputs_1[] = {
    {"x", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
};

const gradc::Tensor outputs_1[] = {
    {"p", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
};

void run_1(const gradc::Call& call) {
  f_forward(*static_cast<const Parameters*>(call.parameters), *static_cast<Workspace*>(call.workspace), call.dims[0], static_cast<const float*>(call.inputs[0]), static_cast<float*>(call.outputs[0]));
}

const gradc::Tensor inputs_2[] = {
    {"x", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
    {"dp", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
};

const gradc::Tensor outputs_2[] = {
    {"dx", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
};

void run_2(const gradc::Call& call) {
  f_backward(*static_cast<const Parameters*>(call.parameters), *static_cast<Workspace*>(call.workspace), call.dims[0], static_cast<const float*>(call.inputs[0]), static_cast<const float*>(call.inputs[1]), *static_cast<Parameters*>(call.gradients), static_cast<float*>(call.outputs[0]));
}

const gradc::Tensor inputs_3[] = {
    {"x", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
    {"t", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
};

const gradc::Tensor outputs_3[] = {
    {"loss", gradc::DType::f32, 0, {}, 0, 0},
};

void run_3(const gradc::Call& call) {
  const fit_result result = fit(*static_cast<Parameters*>(call.parameters), *static_cast<State*>(call.state), *static_cast<Workspace*>(call.workspace), call.dims[0], static_cast<const float*>(call.inputs[0]), static_cast<const float*>(call.inputs[1]), call.seed);
  *static_cast<float*>(call.outputs[0]) = result.loss;
}

const gradc::Tensor inputs_4[] = {
    {"x", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
    {"t", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
};

const gradc::Tensor outputs_4[] = {
    {"loss", gradc::DType::f32, 0, {}, 0, 0},
};

void run_4(const gradc::Call& call) {
  const fit_result result = fit_evaluate(*static_cast<const Parameters*>(call.parameters), *static_cast<const State*>(call.state), *static_cast<Workspace*>(call.workspace), call.dims[0], static_cast<const float*>(call.inputs[0]), static_cast<const float*>(call.inputs[1]));
  *static_cast<float*>(call.outputs[0]) = result.loss;
}

const gradc::Function the_functions[] = {
    {"f", gradc::FunctionKind::forward, inputs_1, 1, outputs_1, 1, run_1},
    {"f", gradc::FunctionKind::backward, inputs_2, 2, outputs_2, 1, run_2},
    {"fit", gradc::FunctionKind::step, inputs_3, 2, outputs_3, 1, run_3},
    {"fit", gradc::FunctionKind::evaluate, inputs_4, 2, outputs_4, 1, run_4},
};

void run_init(void* parameters, void* state, std::uint64_t seed) {
  init(*static_cast<Parameters*>(parameters), *static_cast<State*>(state), seed);
}

const gradc::Model the_model = {
    "chances", GRADC_RUNTIME_VERSION, "hash",
    the_dims, 1,
    the_parameters, 1, sizeof(Parameters),
    the_state, 1, sizeof(State),
    sizeof(Workspace),
    the_functions, 4,
    run_init,
};

}  // namespace

const gradc::Model& model() { return the_model; }

}  // namespace chances

// ---- the C interface

extern "C" {

std::size_t chances_parameters_size(void) { return sizeof(chances::Parameters); }
std::size_t chances_state_size(void) { return sizeof(chances::State); }
std::size_t chances_workspace_size(void) { return sizeof(chances::Workspace); }

void chances_init(void* parameters, void* state, std::uint64_t seed) {
  chances::init(*static_cast<chances::Parameters*>(parameters), *static_cast<chances::State*>(state), seed);
}

void chances_f_forward(const void* parameters, void* workspace, std::int64_t B, const float* x, float* p) {
  chances::f_forward(*static_cast<const chances::Parameters*>(parameters), *static_cast<chances::Workspace*>(workspace), B, x, p);
}

void chances_f_backward(const void* parameters, void* workspace, std::int64_t B, const float* x, const float* dp, void* gradients, float* dx) {
  chances::f_backward(*static_cast<const chances::Parameters*>(parameters), *static_cast<chances::Workspace*>(workspace), B, x, dp, *static_cast<chances::Parameters*>(gradients), dx);
}

void chances_fit(void* parameters, void* state, void* workspace, std::int64_t B, const float* x, const float* t, std::uint64_t seed, float* loss) {
  const chances::fit_result reported = chances::fit(*static_cast<chances::Parameters*>(parameters), *static_cast<chances::State*>(state), *static_cast<chances::Workspace*>(workspace), B, x, t, seed);
  *loss = reported.loss;
}

void chances_fit_evaluate(const void* parameters, const void* state, void* workspace, std::int64_t B, const float* x, const float* t, float* loss) {
  const chances::fit_result reported = chances::fit_evaluate(*static_cast<const chances::Parameters*>(parameters), *static_cast<const chances::State*>(state), *static_cast<chances::Workspace*>(workspace), B, x, t);
  *loss = reported.loss;
}


const void* chances_model(void) { return &chances::model(); }

}  // extern "C"

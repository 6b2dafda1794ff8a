// Do not edit: edit the spec and run gradc again.
#include "affine.hpp"

#include "gradc/math.h"
#include "gradc/philox.h"
#include "gradc/vector.h"

#if GRADC_RUNTIME_VERSION != 1
#error "this file was generated for version 1 of gradc's runtime headers: generate it again"
#endif

namespace affine {

// W[i, j] = normal(0, 0.8164966)
// W: f32[3, 2]
// affine.nn:5
static void init_f_only_W(std::uint64_t seed, std::uint32_t step, std::uint32_t stream,
                          float* __restrict W) {
  for (std::int64_t i = 0; i < 3; ++i) {
    for (std::int64_t j = 0; j < 2; ++j) {
      W[i * 2 + j] = gradc::random_normal(seed, step, stream, static_cast<std::uint64_t>(i * 2 + j), 0.0f, 0.8164966f);
    }
  }
}

// b[i] = 0
// b: f32[2]
// affine.nn:6
static void init_f_only_b(float* __restrict b) {
  for (std::int64_t i = 0; i < 2; ++i) {
    b[i] = 0.0f;
  }
}

// step_ = 0
// affine.nn:14
static void init_fit_step(std::int32_t* __restrict step_) {
  step_[0] = 0;
}

// out[m, n] = sum[k] a[m, k] * b[k, n] in register tiles
// m < rows, k < 3, n < 2
static void product(std::int64_t rows, const float* __restrict a, const float* __restrict b,
                    float* __restrict out) {
  std::int64_t m = 0;
  for (; m + 6 <= rows; m += 6) {
    {
      gradc::f32x2 c0_0 = {};
      gradc::f32x2 c1_0 = {};
      gradc::f32x2 c2_0 = {};
      gradc::f32x2 c3_0 = {};
      gradc::f32x2 c4_0 = {};
      gradc::f32x2 c5_0 = {};
      for (std::int64_t k = 0; k < 3; ++k) {
        const gradc::f32x2 b0 = gradc::pinned(gradc::load<gradc::f32x2>(b + k * 2));
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
      gradc::store(out + m * 2, c0_0);
      gradc::store(out + (m + 1) * 2, c1_0);
      gradc::store(out + (m + 2) * 2, c2_0);
      gradc::store(out + (m + 3) * 2, c3_0);
      gradc::store(out + (m + 4) * 2, c4_0);
      gradc::store(out + (m + 5) * 2, c5_0);
    }
  }
  for (; m + 2 <= rows; m += 2) {
    {
      gradc::f32x2 c0_0 = {};
      gradc::f32x2 c1_0 = {};
      for (std::int64_t k = 0; k < 3; ++k) {
        const gradc::f32x2 b0 = gradc::pinned(gradc::load<gradc::f32x2>(b + k * 2));
        const float a0 = a[m * 3 + k];
        c0_0 += a0 * b0;
        const float a1 = a[(m + 1) * 3 + k];
        c1_0 += a1 * b0;
      }
      gradc::store(out + m * 2, c0_0);
      gradc::store(out + (m + 1) * 2, c1_0);
    }
  }
  for (; m < rows; ++m) {
    {
      gradc::f32x2 c0_0 = {};
      for (std::int64_t k = 0; k < 3; ++k) {
        const gradc::f32x2 b0 = gradc::pinned(gradc::load<gradc::f32x2>(b + k * 2));
        const float a0 = a[m * 3 + k];
        c0_0 += a0 * b0;
      }
      gradc::store(out + m * 2, c0_0);
    }
  }
}

// y_sum[j, o] = sum[i] x[j, i] * W[i, o]
// y[j, o] = y_sum[j, o] + b[o]
// y: f32[B, 2], x: f32[B, 3], W: f32[3, 2], b: f32[2]
// affine.nn:7
static void f_y(std::int64_t B, const float* __restrict x, const float* __restrict W,
                const float* __restrict b, float* __restrict y) {
  for (std::int64_t j0 = 0; j0 < B; j0 += 6) {
    const std::int64_t rows = B - j0;
    product(rows, x + j0 * 3, W, y + j0 * 2);
    for (std::int64_t j = j0; j < j0 + rows; ++j) {
      for (std::int64_t o = 0; o < 2; ++o) {
        y[j * 2 + o] = y[j * 2 + o] + b[o];
      }
    }
  }
}

// W_transposed[i, j] = W[j, i]
// W_transposed: f32[2, 3], W: f32[3, 2]
// affine.nn:5
static void f_W_transposed(const float* __restrict W, float* __restrict W_transposed) {
  for (std::int64_t i = 0; i < 2; ++i) {
    for (std::int64_t j = 0; j < 3; ++j) {
      W_transposed[i * 3 + j] = W[j * 2 + i];
    }
  }
}

// out[m, n] = sum[k] a[m, k] * b[k, n] in register tiles
// m < rows, k < 2, n < 3
static void product2(std::int64_t rows, const float* __restrict a, const float* __restrict b,
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
      for (std::int64_t k = 0; k < 2; ++k) {
        const gradc::f32x4 b0 = gradc::pinned(gradc::load_first<gradc::f32x4>(b + k * 3, 3));
        const float a0 = a[m * 2 + k];
        c0_0 += a0 * b0;
        const float a1 = a[(m + 1) * 2 + k];
        c1_0 += a1 * b0;
        const float a2 = a[(m + 2) * 2 + k];
        c2_0 += a2 * b0;
        const float a3 = a[(m + 3) * 2 + k];
        c3_0 += a3 * b0;
        const float a4 = a[(m + 4) * 2 + k];
        c4_0 += a4 * b0;
        const float a5 = a[(m + 5) * 2 + k];
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
      for (std::int64_t k = 0; k < 2; ++k) {
        const gradc::f32x4 b0 = gradc::pinned(gradc::load_first<gradc::f32x4>(b + k * 3, 3));
        const float a0 = a[m * 2 + k];
        c0_0 += a0 * b0;
        const float a1 = a[(m + 1) * 2 + k];
        c1_0 += a1 * b0;
      }
      gradc::store_first(out + m * 3, 3, c0_0);
      gradc::store_first(out + (m + 1) * 3, 3, c1_0);
    }
  }
  for (; m < rows; ++m) {
    {
      gradc::f32x4 c0_0 = {};
      for (std::int64_t k = 0; k < 2; ++k) {
        const gradc::f32x4 b0 = gradc::pinned(gradc::load_first<gradc::f32x4>(b + k * 3, 3));
        const float a0 = a[m * 2 + k];
        c0_0 += a0 * b0;
      }
      gradc::store_first(out + m * 3, 3, c0_0);
    }
  }
}

// dx[b, i] = sum[j] dy[b, j] * W_transposed[j, i]
// dx: f32[B, 3], dy: f32[B, 2], W_transposed: f32[2, 3]
// affine.nn:7
static void f_dx(std::int64_t B, const float* __restrict dy, const float* __restrict W_transposed,
                 float* __restrict dx) {
  product2(B, dy, W_transposed, dx);
}

// out[m, n] = sum[k] a[m, k] * b[k, n] in register tiles
// m < 3, k < B, n < 2
static void product3(std::int64_t B, const float* __restrict a, const float* __restrict b,
                     float* __restrict out) {
  {
    {
      gradc::f32x2 c0_0 = {};
      gradc::f32x2 c1_0 = {};
      gradc::f32x2 c2_0 = {};
      for (std::int64_t k = 0; k < B; ++k) {
        const gradc::f32x2 b0 = gradc::pinned(gradc::load<gradc::f32x2>(b + k * 2));
        const float a0 = a[k * 3];
        c0_0 += a0 * b0;
        const float a1 = a[1 + k * 3];
        c1_0 += a1 * b0;
        const float a2 = a[2 + k * 3];
        c2_0 += a2 * b0;
      }
      gradc::store(out, c0_0);
      gradc::store(out + 2, c1_0);
      gradc::store(out + 4, c2_0);
    }
  }
}

// dW[i, j] = sum[b] x[b, i] * dy[b, j]
// dW: f32[3, 2], x: f32[B, 3], dy: f32[B, 2]
// affine.nn:7
static void f_dW(std::int64_t B, const float* __restrict x, const float* __restrict dy,
                 float* __restrict dW) {
  product3(B, x, dy, dW);
}

// db[i] = sum[b] dy[b, i]
// db: f32[2], dy: f32[B, 2]
// affine.nn:11
static void f_db(std::int64_t B, const float* __restrict dy, float* __restrict db) {
  for (std::int64_t i = 0; i < 2; ++i) {
    float db2 = 0.0f;
    for (std::int64_t b = 0; b < B; ++b) {
      db2 += dy[b * 2 + i];
    }
    db[i] = db2;
  }
}

// b_sum_sum[j, o] = sum[i] x[j, i] * W[i, o]
// dW_term[j, o] = (b_sum_sum[j, o] + b[o] - t[j, o]) / B
// b_sum_sum: f32[B, 2], dW_term: f32[B, 2], x: f32[B, 3], W: f32[3, 2], b: f32[2], t: f32[B, 2]
// affine.nn:7
static void fit_dW_term(std::int64_t B, const float* __restrict x, const float* __restrict W,
                        const float* __restrict b, const float* __restrict t,
                        float* __restrict dW_term, float* __restrict b_sum_sum) {
  const float B_f32_inverse = 1.0f / static_cast<float>(B);
  for (std::int64_t j0 = 0; j0 < B; j0 += 6) {
    const std::int64_t rows = B - j0;
    product(rows, x + j0 * 3, W, b_sum_sum + j0 * 2);
    for (std::int64_t j = j0; j < j0 + rows; ++j) {
      for (std::int64_t o = 0; o < 2; ++o) {
        dW_term[j * 2 + o] = (b_sum_sum[j * 2 + o] + b[o] - t[j * 2 + o]) * B_f32_inverse;
      }
    }
  }
}

// loss_sum = sum[i, o] (b_sum_sum[i, o] + b[o] - t[i, o]) * (b_sum_sum[i, o] + b[o] - t[i, o])
// loss = 0.5 * loss_sum / B
// b_sum_sum: f32[B, 2], b: f32[2], t: f32[B, 2]
// affine.nn:16
static void fit_loss(std::int64_t B, const float* __restrict b_sum_sum, const float* __restrict b,
                     const float* __restrict t, float* __restrict loss) {
  float loss_sum = 0.0f;
  for (std::int64_t i = 0; i < B; ++i) {
    for (std::int64_t o = 0; o < 2; ++o) {
      const float t2 = b_sum_sum[i * 2 + o] + b[o] - t[i * 2 + o];
      loss_sum += t2 * t2;
    }
  }
  const float loss2 = 0.5f * loss_sum / static_cast<float>(B);
  loss[0] = loss2;
}

// step_ = step_ + 1
// affine.nn:14
static void fit_step(std::int32_t* __restrict step_) {
  step_[0] = static_cast<std::int32_t>(step_[0] + 1);
}

// dW[i, j] = sum[b] x[b, i] * dW_term[b, j]
// W[i, j] = W[i, j] - 0.1 * dW[i, j]
// W: f32[3, 2], x: f32[B, 3], dW_term: f32[B, 2]
// affine.nn:7
static void fit_f_only_W(std::int64_t B, const float* __restrict x, const float* __restrict dW_term,
                         float* __restrict W) {
  alignas(64) float dW[6];
  product3(B, x, dW_term, dW);
  for (std::int64_t i = 0; i < 3; ++i) {
    for (std::int64_t j = 0; j < 2; ++j) {
      const float dW_i_j = dW[i * 2 + j];
      W[i * 2 + j] = W[i * 2 + j] - 0.1f * dW_i_j;
    }
  }
}

// b_sum[i] = sum[j] (b_sum_sum[j, i] - t[j, i])
// b[i] = 0.9 * b[i] - 0.1 * b_sum[i] / B
// b: f32[2], b_sum_sum: f32[B, 2], t: f32[B, 2]
// affine.nn:17
static void fit_f_only_b(std::int64_t B, const float* __restrict b_sum_sum,
                         const float* __restrict t, float* __restrict b) {
  const float B_f32_inverse = 1.0f / static_cast<float>(B);
  for (std::int64_t i = 0; i < 2; ++i) {
    float b_sum = 0.0f;
    for (std::int64_t j = 0; j < B; ++j) {
      b_sum += b_sum_sum[j * 2 + i] - t[j * 2 + i];
    }
    const float p_next = 0.9f * b[i] - 0.1f * b_sum * B_f32_inverse;
    b[i] = p_next;
  }
}

// b_sum_sum[b, o] = sum[i] x[b, i] * W[i, o]
// b_sum_sum: f32[B, 2], x: f32[B, 3], W: f32[3, 2]
// affine.nn:7
static void fit_b_sum_sum(std::int64_t B, const float* __restrict x, const float* __restrict W,
                          float* __restrict b_sum_sum) {
  product(B, x, W, b_sum_sum);
}


void init(Parameters& parameters, State& state, std::uint64_t seed) {
  constexpr std::uint32_t step = 0;
  init_f_only_W(seed, step, 2887886452u, parameters.f_only_W);
  init_f_only_b(parameters.f_only_b);
  init_fit_step(state.fit_step);
}

void f_forward(const Parameters& parameters, Workspace& /*workspace*/, std::int64_t B, const float* x, float* y) {
  f_y(B, x, parameters.f_only_W, parameters.f_only_b, y);
}

void f_backward(const Parameters& parameters, Workspace& workspace, std::int64_t B, const float* x, const float* dy, Parameters& gradients, float* dx) {
  auto* const W_transposed = gradc::place<float>(workspace.data, 0);  // f32[2, 3]
  f_W_transposed(parameters.f_only_W, W_transposed);
  f_dx(B, dy, W_transposed, dx);
  f_dW(B, x, dy, gradients.f_only_W);
  f_db(B, dy, gradients.f_only_b);
}

fit_result fit(Parameters& parameters, State& state, Workspace& workspace, std::int64_t B, const float* x, const float* t, std::uint64_t /*seed*/) {
  fit_result result{};
  auto* const dW_term = gradc::place<float>(workspace.data, 64);  // f32[B, 2]
  auto* const b_sum_sum = gradc::place<float>(workspace.data, 0);  // f32[B, 2]

  // loss
  fit_dW_term(B, x, parameters.f_only_W, parameters.f_only_b, t, dW_term, b_sum_sum);
  fit_loss(B, b_sum_sum, parameters.f_only_b, t, &result.loss);

  // backward and update
  affine::fit_step(state.fit_step);
  fit_f_only_W(B, x, dW_term, parameters.f_only_W);
  fit_f_only_b(B, b_sum_sum, t, parameters.f_only_b);
  return result;
}

fit_result fit_evaluate(const Parameters& parameters, const State& /*state*/, Workspace& workspace, std::int64_t B, const float* x, const float* t) {
  fit_result result{};
  auto* const b_sum_sum = gradc::place<float>(workspace.data, 0);  // f32[B, 2]
  fit_b_sum_sum(B, x, parameters.f_only_W, b_sum_sum);
  fit_loss(B, b_sum_sum, parameters.f_only_b, t, &result.loss);
  return result;
}


// ---- the model as a table, for the runtime's driver and checkpoints

namespace {

const gradc::Dim the_dims[] = {
    {"B", 4},
};

const gradc::Tensor the_parameters[] = {
    {"f.only.W", gradc::DType::f32, 2, {{3, 0, -1}, {2, 0, -1}}, offsetof(Parameters, f_only_W), 0},
    {"f.only.b", gradc::DType::f32, 1, {{2, 0, -1}}, offsetof(Parameters, f_only_b), 0},
};

const gradc::Tensor the_state[] = {
    {"fit.step", gradc::DType::i32, 0, {}, offsetof(State, fit_step), 0},
};

const gradc::Tensor inputs_1[] = {
    {"x", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
};

const gradc::Tensor outputs_1[] = {
    {"y", gradc::DType::f32, 2, {{0, 1, 0}, {2, 0, -1}}, 0, 0},
};

void run_1(const gradc::Call& call) {
  f_forward(*static_cast<const Parameters*>(call.parameters), *static_cast<Workspace*>(call.workspace), call.dims[0], static_cast<const float*>(call.inputs[0]), static_cast<float*>(call.outputs[0]));
}

const gradc::Tensor inputs_2[] = {
    {"x", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
    {"dy", gradc::DType::f32, 2, {{0, 1, 0}, {2, 0, -1}}, 0, 0},
};

const gradc::Tensor outputs_2[] = {
    {"dx", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
};

void run_2(const gradc::Call& call) {
  f_backward(*static_cast<const Parameters*>(call.parameters), *static_cast<Workspace*>(call.workspace), call.dims[0], static_cast<const float*>(call.inputs[0]), static_cast<const float*>(call.inputs[1]), *static_cast<Parameters*>(call.gradients), static_cast<float*>(call.outputs[0]));
}

const gradc::Tensor inputs_3[] = {
    {"x", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
    {"t", gradc::DType::f32, 2, {{0, 1, 0}, {2, 0, -1}}, 0, 0},
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
    {"t", gradc::DType::f32, 2, {{0, 1, 0}, {2, 0, -1}}, 0, 0},
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
    "affine", GRADC_RUNTIME_VERSION, "hash",
    the_dims, 1,
    the_parameters, 2, sizeof(Parameters),
    the_state, 1, sizeof(State),
    sizeof(Workspace),
    the_functions, 4,
    run_init,
};

}  // namespace

const gradc::Model& model() { return the_model; }

}  // namespace affine

// ---- the C interface

extern "C" {

std::size_t affine_parameters_size(void) { return sizeof(affine::Parameters); }
std::size_t affine_state_size(void) { return sizeof(affine::State); }
std::size_t affine_workspace_size(void) { return sizeof(affine::Workspace); }

void affine_init(void* parameters, void* state, std::uint64_t seed) {
  affine::init(*static_cast<affine::Parameters*>(parameters), *static_cast<affine::State*>(state), seed);
}

void affine_f_forward(const void* parameters, void* workspace, std::int64_t B, const float* x, float* y) {
  affine::f_forward(*static_cast<const affine::Parameters*>(parameters), *static_cast<affine::Workspace*>(workspace), B, x, y);
}

void affine_f_backward(const void* parameters, void* workspace, std::int64_t B, const float* x, const float* dy, void* gradients, float* dx) {
  affine::f_backward(*static_cast<const affine::Parameters*>(parameters), *static_cast<affine::Workspace*>(workspace), B, x, dy, *static_cast<affine::Parameters*>(gradients), dx);
}

void affine_fit(void* parameters, void* state, void* workspace, std::int64_t B, const float* x, const float* t, std::uint64_t seed, float* loss) {
  const affine::fit_result reported = affine::fit(*static_cast<affine::Parameters*>(parameters), *static_cast<affine::State*>(state), *static_cast<affine::Workspace*>(workspace), B, x, t, seed);
  *loss = reported.loss;
}

void affine_fit_evaluate(const void* parameters, const void* state, void* workspace, std::int64_t B, const float* x, const float* t, float* loss) {
  const affine::fit_result reported = affine::fit_evaluate(*static_cast<const affine::Parameters*>(parameters), *static_cast<const affine::State*>(state), *static_cast<affine::Workspace*>(workspace), B, x, t);
  *loss = reported.loss;
}


const void* affine_model(void) { return &affine::model(); }

}  // extern "C"

// Do not edit: edit the spec and run gradc again.
#include "chances.hpp"

#include "gradc/cuda.h"
#include "gradc/device_engine.h"
#include "gradc/grid.h"

#if GRADC_RUNTIME_VERSION != 1
#error "this file was generated for version 1 of gradc's runtime headers: generate it again"
#endif

namespace chances {

// W[i, j] = normal(0, 0.8164966)
// W: f32[3, 3]
// chances.nn:5
static __global__ void init_f_dense1_W(std::uint64_t seed, const std::int32_t* counter,
                                       std::uint32_t stream, float* __restrict W) {
  const std::uint32_t step = gradc::step_of(counter);
  if (const std::int64_t element = gradc::thread_of_all(); element < 9) {
    W[element] = gradc::random_normal(seed, step, stream, static_cast<std::uint64_t>(element), 0.0f, 0.8164966f);
  }
}

// step_ = 0
// chances.nn:8
static __global__ void init_fit_step(std::int32_t* __restrict step_) {
  if (const std::int64_t element = gradc::block(); element < 1) {
    __syncthreads();
    if (gradc::thread() == 0) {
      step_[0] = 0;
    }
  }
}

// dense1[b, o] = sum[i] x[b, i] * W[i, o]
// dense1: f32[B, 3], x: f32[B, 3], W: f32[3, 3]
// chances.nn:5
static __global__ void f_dense1(std::int64_t B, const float* __restrict x,
                                const float* __restrict W, float* __restrict dense1) {
  __shared__ float a_tile[1056];
  __shared__ float b_tile[1024];
  float sum[4];
  if (const std::int64_t tile = gradc::block(); tile < (B + 31) / 32) {
    const std::int64_t row0 = tile * 32;
    const std::int64_t warp = gradc::thread() / 32;
    const std::int64_t lane = gradc::thread() - warp * 32;
#pragma unroll
    for (std::int64_t r = 0; r < 4; ++r) {
      sum[r] = 0.0f;
    }
    for (std::int64_t depth0 = 0; depth0 < 3; depth0 += 32) {
      for (std::int64_t e = gradc::thread(); e < 1024; e += 256) {
        const std::int64_t slow = e / 32;
        const std::int64_t fast = e - slow * 32;
        const std::int64_t depth = depth0 + fast;
        const std::int64_t row = row0 + slow;
        a_tile[slow * 33 + fast] = row < B && depth < 3 ? x[row * 3 + depth] : 0.0f;
      }
      for (std::int64_t e = gradc::thread(); e < 1024; e += 256) {
        const std::int64_t slow2 = e / 32;
        const std::int64_t fast2 = e - slow2 * 32;
        const std::int64_t depth2 = depth0 + slow2;
        const std::int64_t column = fast2;
        b_tile[slow2 * 32 + fast2] = column < 3 && depth2 < 3 ? W[depth2 * 3 + column] : 0.0f;
      }
      __syncthreads();
      for (std::int64_t k = 0; k < 32; ++k) {
        const float b_k = b_tile[k * 32 + lane];
#pragma unroll
        for (std::int64_t r = 0; r < 4; ++r) {
          sum[r] += a_tile[(warp + r * 8) * 33 + k] * b_k;
        }
      }
      __syncthreads();
    }
#pragma unroll
    for (std::int64_t r = 0; r < 4; ++r) {
      if (const std::int64_t b = row0 + warp + r * 8; b < B) {
        if (const std::int64_t o = lane; o < 3) {
          dense1[b * 3 + o] = sum[r];
        }
      }
    }
  }
}

// m[b] = max[k] dense1[b, k]
// e[b, i] = exp(dense1[b, i] - m[b])
// s[b] = sum[i] e[b, i]
// p2[b, i] = e[b, i] / s[b]
// p[b, i] = p2[b, i]
// e: f32[B, 3], p2: f32[B, 3], p: f32[B, 3], dense1: f32[B, 3]
// chances.nn:5
static __global__ void f_p(std::int64_t B, const float* __restrict dense1, float* __restrict p,
                           float* __restrict p2, float* __restrict e) {
  if (const std::int64_t b = gradc::thread_of_all(); b < B) {
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
static __global__ void f_dp_scaled(std::int64_t B, const float* __restrict dp,
                                   const float* __restrict p, float* __restrict dp_scaled) {
  if (const std::int64_t b = gradc::thread_of_all(); b < B) {
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
static __global__ void f_W_transposed(const float* __restrict W, float* __restrict W_transposed) {
  if (const std::int64_t element = gradc::thread_of_all(); element < 9) {
    const std::int64_t i = element / 3;
    const std::int64_t j = element - i * 3;
    W_transposed[element] = W[j * 3 + i];
  }
}

// dx[b, i] = sum[j] dp_scaled[b, j] * W_transposed[j, i]
// dx: f32[B, 3], dp_scaled: f32[B, 3], W_transposed: f32[3, 3]
// chances.nn:5
static __global__ void f_dx(std::int64_t B, const float* __restrict dp_scaled,
                            const float* __restrict W_transposed, float* __restrict dx) {
  __shared__ float a_tile[1056];
  __shared__ float b_tile[1024];
  float sum[4];
  if (const std::int64_t tile = gradc::block(); tile < (B + 31) / 32) {
    const std::int64_t row0 = tile * 32;
    const std::int64_t warp = gradc::thread() / 32;
    const std::int64_t lane = gradc::thread() - warp * 32;
#pragma unroll
    for (std::int64_t r = 0; r < 4; ++r) {
      sum[r] = 0.0f;
    }
    for (std::int64_t depth0 = 0; depth0 < 3; depth0 += 32) {
      for (std::int64_t e = gradc::thread(); e < 1024; e += 256) {
        const std::int64_t slow = e / 32;
        const std::int64_t fast = e - slow * 32;
        const std::int64_t depth = depth0 + fast;
        const std::int64_t row = row0 + slow;
        a_tile[slow * 33 + fast] = row < B && depth < 3 ? dp_scaled[row * 3 + depth] : 0.0f;
      }
      for (std::int64_t e = gradc::thread(); e < 1024; e += 256) {
        const std::int64_t slow2 = e / 32;
        const std::int64_t fast2 = e - slow2 * 32;
        const std::int64_t depth2 = depth0 + slow2;
        const std::int64_t column = fast2;
        b_tile[slow2 * 32 + fast2] = column < 3 && depth2 < 3 ? W_transposed[depth2 * 3 + column] : 0.0f;
      }
      __syncthreads();
      for (std::int64_t k = 0; k < 32; ++k) {
        const float b_k = b_tile[k * 32 + lane];
#pragma unroll
        for (std::int64_t r = 0; r < 4; ++r) {
          sum[r] += a_tile[(warp + r * 8) * 33 + k] * b_k;
        }
      }
      __syncthreads();
    }
#pragma unroll
    for (std::int64_t r = 0; r < 4; ++r) {
      if (const std::int64_t b = row0 + warp + r * 8; b < B) {
        if (const std::int64_t i = lane; i < 3) {
          dx[b * 3 + i] = sum[r];
        }
      }
    }
  }
}

// dW[i, j] = sum[b] x[b, i] * dp_scaled[b, j]
// dW: f32[3, 3], x: f32[B, 3], dp_scaled: f32[B, 3]
// chances.nn:5
static __global__ void f_dW(std::int64_t B, const float* __restrict x,
                            const float* __restrict dp_scaled, float* __restrict dW) {
  __shared__ float a_tile[1056];
  __shared__ float b_tile[1024];
  float sum[4];
  if (const std::int64_t tile = gradc::block(); tile < 1) {
    const std::int64_t warp = gradc::thread() / 32;
    const std::int64_t lane = gradc::thread() - warp * 32;
#pragma unroll
    for (std::int64_t r = 0; r < 4; ++r) {
      sum[r] = 0.0f;
    }
    for (std::int64_t depth0 = 0; depth0 < B; depth0 += 32) {
      for (std::int64_t e = gradc::thread(); e < 1024; e += 256) {
        const std::int64_t slow = e / 32;
        const std::int64_t fast = e - slow * 32;
        const std::int64_t depth = depth0 + slow;
        const std::int64_t row = fast;
        a_tile[fast * 33 + slow] = row < 3 && depth < B ? x[depth * 3 + row] : 0.0f;
      }
      for (std::int64_t e = gradc::thread(); e < 1024; e += 256) {
        const std::int64_t slow2 = e / 32;
        const std::int64_t fast2 = e - slow2 * 32;
        const std::int64_t depth2 = depth0 + slow2;
        const std::int64_t column = fast2;
        b_tile[slow2 * 32 + fast2] = column < 3 && depth2 < B ? dp_scaled[depth2 * 3 + column] : 0.0f;
      }
      __syncthreads();
      for (std::int64_t k = 0; k < 32; ++k) {
        const float b_k = b_tile[k * 32 + lane];
#pragma unroll
        for (std::int64_t r = 0; r < 4; ++r) {
          sum[r] += a_tile[(warp + r * 8) * 33 + k] * b_k;
        }
      }
      __syncthreads();
    }
#pragma unroll
    for (std::int64_t r = 0; r < 4; ++r) {
      if (const std::int64_t i = warp + r * 8; i < 3) {
        if (const std::int64_t j = lane; j < 3) {
          dW[i * 3 + j] = sum[r];
        }
      }
    }
  }
}

// m[b] = max[k] dense1[b, k]
// s[b] = sum[k] exp(dense1[b, k] - m[b])
// m: f32[B], s: f32[B], dense1: f32[B, 3]
// chances.nn:5
static __global__ void fit_s(std::int64_t B, const float* __restrict dense1, float* __restrict s,
                             float* __restrict m) {
  if (const std::int64_t b = gradc::thread_of_all(); b < B) {
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
static __global__ void fit_loss(std::int64_t B, const float* __restrict t,
                                const float* __restrict dense1, const float* __restrict m,
                                const float* __restrict s, float* __restrict loss) {
  __shared__ gradc::Partial<float> partial_f32;
  const float B_f32_inverse = 1.0f / static_cast<float>(B);
  if (const std::int64_t element = gradc::block(); element < 1) {
    float loss_sum = 0.0f;
    for (std::int64_t element2 = gradc::thread(); element2 < B * 3; element2 += 32) {
      const std::int64_t b = element2 / 3;
      const std::int64_t i = element2 - b * 3;
      loss_sum += t[b * 3 + i] * (dense1[b * 3 + i] - m[b] - gradc::log(s[b]));
    }
    loss_sum = gradc::block_sum(loss_sum, partial_f32);
    __syncthreads();
    const float loss2 = -(loss_sum * B_f32_inverse);
    __syncthreads();
    if (gradc::thread() == 0) {
      loss[0] = loss2;
    }
  }
}

// step_ = step_ + 1
// chances.nn:8
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

// ddense1_sum[b] = sum[i] t[b, i]
// ddense1[b, o] = (exp(dense1[b, o] - m[b]) * ddense1_sum[b] / s[b] - t[b, o]) / B
// ddense1: f32[B, 3], t: f32[B, 3], dense1: f32[B, 3], m: f32[B], s: f32[B]
// chances.nn:5
static __global__ void fit_ddense1(std::int64_t B, const float* __restrict t,
                                   const float* __restrict dense1, const float* __restrict m,
                                   const float* __restrict s, float* __restrict ddense1) {
  const float B_f32_inverse = 1.0f / static_cast<float>(B);
  if (const std::int64_t b = gradc::thread_of_all(); b < B) {
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
static __global__ void fit_f_dense1_W(std::int64_t B, const float* __restrict x,
                                      const float* __restrict ddense1, float* __restrict W) {
  __shared__ float a_tile[1056];
  __shared__ float b_tile[1024];
  float sum[4];
  if (const std::int64_t tile = gradc::block(); tile < 1) {
    const std::int64_t warp = gradc::thread() / 32;
    const std::int64_t lane = gradc::thread() - warp * 32;
#pragma unroll
    for (std::int64_t r = 0; r < 4; ++r) {
      sum[r] = 0.0f;
    }
    for (std::int64_t depth0 = 0; depth0 < B; depth0 += 32) {
      for (std::int64_t e = gradc::thread(); e < 1024; e += 256) {
        const std::int64_t slow = e / 32;
        const std::int64_t fast = e - slow * 32;
        const std::int64_t depth = depth0 + slow;
        const std::int64_t row = fast;
        a_tile[fast * 33 + slow] = row < 3 && depth < B ? x[depth * 3 + row] : 0.0f;
      }
      for (std::int64_t e = gradc::thread(); e < 1024; e += 256) {
        const std::int64_t slow2 = e / 32;
        const std::int64_t fast2 = e - slow2 * 32;
        const std::int64_t depth2 = depth0 + slow2;
        const std::int64_t column = fast2;
        b_tile[slow2 * 32 + fast2] = column < 3 && depth2 < B ? ddense1[depth2 * 3 + column] : 0.0f;
      }
      __syncthreads();
      for (std::int64_t k = 0; k < 32; ++k) {
        const float b_k = b_tile[k * 32 + lane];
#pragma unroll
        for (std::int64_t r = 0; r < 4; ++r) {
          sum[r] += a_tile[(warp + r * 8) * 33 + k] * b_k;
        }
      }
      __syncthreads();
    }
#pragma unroll
    for (std::int64_t r = 0; r < 4; ++r) {
      if (const std::int64_t i = warp + r * 8; i < 3) {
        if (const std::int64_t j = lane; j < 3) {
          const float dW = sum[r];
          W[i * 3 + j] = W[i * 3 + j] - 0.5f * dW;
        }
      }
    }
  }
}


void init(gradc::Device& device, Parameters& parameters, State& state, std::uint64_t seed) {
  const std::int32_t* const counter = nullptr;
  device.launch({"init_f_dense1_W", "chances.nn:5"}, 1, 256, init_f_dense1_W, seed, counter, 2008941984u, parameters.f_dense1_W);
  device.launch({"init_fit_step", "chances.nn:8"}, 1, 32, init_fit_step, state.fit_step);
}

void f_forward(gradc::Device& device, const Parameters& parameters, Workspace& workspace, std::int64_t B, const float* x, float* p) {
  auto* const dense1 = gradc::place<float>(workspace.data, 0);  // f32[B, 3]
  auto* const p2 = gradc::place<float>(workspace.data, 128);  // f32[B, 3]
  auto* const e = gradc::place<float>(workspace.data, 64);  // f32[B, 3]
  device.launch({"f_dense1", "chances.nn:5"}, (B + 31) / 32, 256, f_dense1, B, x, parameters.f_dense1_W, dense1);
  device.launch({"f_p", "chances.nn:5"}, (B + 255) / 256, 256, f_p, B, dense1, p, p2, e);
}

void f_backward(gradc::Device& device, const Parameters& parameters, Workspace& workspace, std::int64_t B, const float* x, const float* dp, Parameters& gradients, float* dx) {
  auto* const p2 = gradc::place<float>(workspace.data, 128);  // f32[B, 3]
  auto* const dp_scaled = gradc::place<float>(workspace.data, 0);  // f32[B, 3]
  auto* const W_transposed = gradc::place<float>(workspace.data, 64);  // f32[3, 3]
  device.launch({"f_dp_scaled", ""}, (B + 255) / 256, 256, f_dp_scaled, B, dp, p2, dp_scaled);
  device.launch({"f_W_transposed", "chances.nn:5"}, 1, 256, f_W_transposed, parameters.f_dense1_W, W_transposed);
  device.launch({"f_dx", "chances.nn:5"}, (B + 31) / 32, 256, f_dx, B, dp_scaled, W_transposed, dx);
  device.launch({"f_dW", "chances.nn:5"}, 1, 256, f_dW, B, x, dp_scaled, gradients.f_dense1_W);
}

void fit(gradc::Device& device, Parameters& parameters, State& state, Workspace& workspace, std::int64_t B, const float* x, const float* t, std::uint64_t /*seed*/, fit_result* result) {
  auto* const dense1 = gradc::place<float>(workspace.data, 0);  // f32[B, 3]
  auto* const s = gradc::place<float>(workspace.data, 128);  // f32[B]
  auto* const m = gradc::place<float>(workspace.data, 64);  // f32[B]
  auto* const ddense1 = gradc::place<float>(workspace.data, 192);  // f32[B, 3]

  // forward
  device.launch({"f_dense1", "chances.nn:5"}, (B + 31) / 32, 256, f_dense1, B, x, parameters.f_dense1_W, dense1);
  device.launch({"fit_s", "chances.nn:5"}, (B + 255) / 256, 256, fit_s, B, dense1, s, m);

  // loss
  device.launch({"fit_loss", "chances.nn:10"}, 1, 32, fit_loss, B, t, dense1, m, s, &result->loss);

  // backward and update
  device.launch({"fit_step", "chances.nn:8"}, 1, 32, chances::fit_step, state.fit_step);
  device.launch({"fit_ddense1", "chances.nn:5"}, (B + 255) / 256, 256, fit_ddense1, B, t, dense1, m, s, ddense1);
  device.launch({"fit_f_dense1_W", "chances.nn:5"}, 1, 256, fit_f_dense1_W, B, x, ddense1, parameters.f_dense1_W);
}

void fit_evaluate(gradc::Device& device, const Parameters& parameters, const State& /*state*/, Workspace& workspace, std::int64_t B, const float* x, const float* t, fit_result* result) {
  auto* const dense1 = gradc::place<float>(workspace.data, 0);  // f32[B, 3]
  auto* const s = gradc::place<float>(workspace.data, 128);  // f32[B]
  auto* const m = gradc::place<float>(workspace.data, 64);  // f32[B]
  device.launch({"f_dense1", "chances.nn:5"}, (B + 31) / 32, 256, f_dense1, B, x, parameters.f_dense1_W, dense1);
  device.launch({"fit_s", "chances.nn:5"}, (B + 255) / 256, 256, fit_s, B, dense1, s, m);
  device.launch({"fit_loss", "chances.nn:10"}, 1, 32, fit_loss, B, t, dense1, m, s, &result->loss);
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
  gradc::Device& device = *static_cast<gradc::Device*>(call.device);
  f_forward(device, *static_cast<const Parameters*>(call.parameters), *static_cast<Workspace*>(call.workspace), call.dims[0], static_cast<const float*>(call.inputs[0]), static_cast<float*>(call.outputs[0]));
}

const gradc::Tensor inputs_2[] = {
    {"x", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
    {"dp", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
};

const gradc::Tensor outputs_2[] = {
    {"dx", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
};

void run_2(const gradc::Call& call) {
  gradc::Device& device = *static_cast<gradc::Device*>(call.device);
  f_backward(device, *static_cast<const Parameters*>(call.parameters), *static_cast<Workspace*>(call.workspace), call.dims[0], static_cast<const float*>(call.inputs[0]), static_cast<const float*>(call.inputs[1]), *static_cast<Parameters*>(call.gradients), static_cast<float*>(call.outputs[0]));
}

const gradc::Tensor inputs_3[] = {
    {"x", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
    {"t", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
};

const gradc::Tensor outputs_3[] = {
    {"loss", gradc::DType::f32, 0, {}, 0, 0},
};

void run_3(const gradc::Call& call) {
  gradc::Device& device = *static_cast<gradc::Device*>(call.device);
  auto* const result = device.result<fit_result>();
  fit(device, *static_cast<Parameters*>(call.parameters), *static_cast<State*>(call.state), *static_cast<Workspace*>(call.workspace), call.dims[0], static_cast<const float*>(call.inputs[0]), static_cast<const float*>(call.inputs[1]), call.seed, result);
  device.copy(call.outputs[0], &result->loss, sizeof result->loss);
}

const gradc::Tensor inputs_4[] = {
    {"x", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
    {"t", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
};

const gradc::Tensor outputs_4[] = {
    {"loss", gradc::DType::f32, 0, {}, 0, 0},
};

void run_4(const gradc::Call& call) {
  gradc::Device& device = *static_cast<gradc::Device*>(call.device);
  auto* const result = device.result<fit_result>();
  fit_evaluate(device, *static_cast<const Parameters*>(call.parameters), *static_cast<const State*>(call.state), *static_cast<Workspace*>(call.workspace), call.dims[0], static_cast<const float*>(call.inputs[0]), static_cast<const float*>(call.inputs[1]), result);
  device.copy(call.outputs[0], &result->loss, sizeof result->loss);
}

const gradc::Function the_functions[] = {
    {"f", gradc::FunctionKind::forward, inputs_1, 1, outputs_1, 1, run_1},
    {"f", gradc::FunctionKind::backward, inputs_2, 2, outputs_2, 1, run_2},
    {"fit", gradc::FunctionKind::step, inputs_3, 2, outputs_3, 1, run_3},
    {"fit", gradc::FunctionKind::evaluate, inputs_4, 2, outputs_4, 1, run_4},
};

void init_on_device(const gradc::Call& call) {
  init(*static_cast<gradc::Device*>(call.device), *static_cast<Parameters*>(call.parameters),
       *static_cast<State*>(call.state), call.seed);
}

const gradc::Model the_model = {
    "chances", GRADC_RUNTIME_VERSION, "hash",
    the_dims, 1,
    the_parameters, 1, sizeof(Parameters),
    the_state, 1, sizeof(State),
    sizeof(Workspace),
    the_functions, 4,
    nullptr, &gradc::device_engine, init_on_device,
};

}  // namespace

const gradc::Model& model() { return the_model; }

}  // namespace chances

// ---- the C interface

extern "C" {

std::size_t chances_parameters_size(void) { return sizeof(chances::Parameters); }
std::size_t chances_state_size(void) { return sizeof(chances::State); }
std::size_t chances_workspace_size(void) { return sizeof(chances::Workspace); }

const char* chances_error(void) { return gradc::last_message(); }
int chances_open(void** device) {
  return gradc::code_of([&] { *device = new gradc::Device; });
}
void chances_close(void* device) { delete static_cast<gradc::Device*>(device); }
int chances_allocate(void* device, std::size_t bytes, void** memory) {
  return gradc::code_of([&] { *memory = static_cast<gradc::Device*>(device)->allocate(bytes, "an array"); });
}
void chances_release(void* device, void* memory) { static_cast<gradc::Device*>(device)->release(memory); }
int chances_upload(void* device, void* to, const void* from, std::size_t bytes) {
  return gradc::code_of([&] { static_cast<gradc::Device*>(device)->upload(to, from, bytes); });
}
int chances_download(void* device, void* to, const void* from, std::size_t bytes) {
  return gradc::code_of([&] { static_cast<gradc::Device*>(device)->download(to, from, bytes); });
}
int chances_wait(void* device) {
  return gradc::code_of([&] { static_cast<gradc::Device*>(device)->synchronize(); });
}

int chances_init(void* device, void* parameters, void* state, std::uint64_t seed) {
  return gradc::code_of([&] { chances::init(*static_cast<gradc::Device*>(device), *static_cast<chances::Parameters*>(parameters), *static_cast<chances::State*>(state), seed); });
}

int chances_f_forward(void* device, const void* parameters, void* workspace, std::int64_t B, const float* x, float* p) {
  return gradc::code_of([&] { chances::f_forward(*static_cast<gradc::Device*>(device), *static_cast<const chances::Parameters*>(parameters), *static_cast<chances::Workspace*>(workspace), B, x, p); });
}

int chances_f_backward(void* device, const void* parameters, void* workspace, std::int64_t B, const float* x, const float* dp, void* gradients, float* dx) {
  return gradc::code_of([&] { chances::f_backward(*static_cast<gradc::Device*>(device), *static_cast<const chances::Parameters*>(parameters), *static_cast<chances::Workspace*>(workspace), B, x, dp, *static_cast<chances::Parameters*>(gradients), dx); });
}

int chances_fit(void* device, void* parameters, void* state, void* workspace, std::int64_t B, const float* x, const float* t, std::uint64_t seed, float* loss) {
  return gradc::code_of([&] {
    auto* const reported = (*static_cast<gradc::Device*>(device)).result<chances::fit_result>();
    chances::fit(*static_cast<gradc::Device*>(device), *static_cast<chances::Parameters*>(parameters), *static_cast<chances::State*>(state), *static_cast<chances::Workspace*>(workspace), B, x, t, seed, reported);
    if (loss != nullptr) (*static_cast<gradc::Device*>(device)).download(loss, &reported->loss, sizeof *loss);
  });
}

int chances_fit_evaluate(void* device, const void* parameters, const void* state, void* workspace, std::int64_t B, const float* x, const float* t, float* loss) {
  return gradc::code_of([&] {
    auto* const reported = (*static_cast<gradc::Device*>(device)).result<chances::fit_result>();
    chances::fit_evaluate(*static_cast<gradc::Device*>(device), *static_cast<const chances::Parameters*>(parameters), *static_cast<const chances::State*>(state), *static_cast<chances::Workspace*>(workspace), B, x, t, reported);
    if (loss != nullptr) (*static_cast<gradc::Device*>(device)).download(loss, &reported->loss, sizeof *loss);
  });
}


const void* chances_model(void) { return &chances::model(); }

}  // extern "C"

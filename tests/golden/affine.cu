// Do not edit: edit the spec and run gradc again.
#include "affine.hpp"

#include "gradc/cuda.h"
#include "gradc/device_engine.h"
#include "gradc/grid.h"

#if GRADC_RUNTIME_VERSION != 1
#error "this file was generated for version 1 of gradc's runtime headers: generate it again"
#endif

namespace affine {

// W[i, j] = normal(0, 0.8164966)
// W: f32[3, 2]
// affine.nn:5
static __global__ void init_f_only_W(std::uint64_t seed, const std::int32_t* counter,
                                     std::uint32_t stream, float* __restrict W) {
  const std::uint32_t step = gradc::step_of(counter);
  if (const std::int64_t element = gradc::thread_of_all(); element < 6) {
    W[element] = gradc::random_normal(seed, step, stream, static_cast<std::uint64_t>(element), 0.0f, 0.8164966f);
  }
}

// b[i] = 0
// b: f32[2]
// affine.nn:6
static __global__ void init_f_only_b(float* __restrict b) {
  if (const std::int64_t i = gradc::thread_of_all(); i < 2) {
    b[i] = 0.0f;
  }
}

// step_ = 0
// affine.nn:14
static __global__ void init_fit_step(std::int32_t* __restrict step_) {
  if (const std::int64_t element = gradc::block(); element < 1) {
    __syncthreads();
    if (gradc::thread() == 0) {
      step_[0] = 0;
    }
  }
}

// y_sum[j, o] = sum[i] x[j, i] * W[i, o]
// y[j, o] = y_sum[j, o] + b[o]
// y: f32[B, 2], x: f32[B, 3], W: f32[3, 2], b: f32[2]
// affine.nn:7
static __global__ void f_y(std::int64_t B, const float* __restrict x, const float* __restrict W,
                           const float* __restrict b, float* __restrict y) {
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
        b_tile[slow2 * 32 + fast2] = column < 2 && depth2 < 3 ? W[depth2 * 2 + column] : 0.0f;
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
      if (const std::int64_t j = row0 + warp + r * 8; j < B) {
        if (const std::int64_t o = lane; o < 2) {
          const float y_sum = sum[r];
          y[j * 2 + o] = y_sum + b[o];
        }
      }
    }
  }
}

// W_transposed[i, j] = W[j, i]
// W_transposed: f32[2, 3], W: f32[3, 2]
// affine.nn:5
static __global__ void f_W_transposed(const float* __restrict W, float* __restrict W_transposed) {
  if (const std::int64_t element = gradc::thread_of_all(); element < 6) {
    const std::int64_t i = element / 3;
    const std::int64_t j = element - i * 3;
    W_transposed[element] = W[j * 2 + i];
  }
}

// dx[b, i] = sum[j] dy[b, j] * W_transposed[j, i]
// dx: f32[B, 3], dy: f32[B, 2], W_transposed: f32[2, 3]
// affine.nn:7
static __global__ void f_dx(std::int64_t B, const float* __restrict dy,
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
    for (std::int64_t depth0 = 0; depth0 < 2; depth0 += 32) {
      for (std::int64_t e = gradc::thread(); e < 1024; e += 256) {
        const std::int64_t slow = e / 32;
        const std::int64_t fast = e - slow * 32;
        const std::int64_t depth = depth0 + fast;
        const std::int64_t row = row0 + slow;
        a_tile[slow * 33 + fast] = row < B && depth < 2 ? dy[row * 2 + depth] : 0.0f;
      }
      for (std::int64_t e = gradc::thread(); e < 1024; e += 256) {
        const std::int64_t slow2 = e / 32;
        const std::int64_t fast2 = e - slow2 * 32;
        const std::int64_t depth2 = depth0 + slow2;
        const std::int64_t column = fast2;
        b_tile[slow2 * 32 + fast2] = column < 3 && depth2 < 2 ? W_transposed[depth2 * 3 + column] : 0.0f;
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

// dW[i, j] = sum[b] x[b, i] * dy[b, j]
// dW: f32[3, 2], x: f32[B, 3], dy: f32[B, 2]
// affine.nn:7
static __global__ void f_dW(std::int64_t B, const float* __restrict x, const float* __restrict dy,
                            float* __restrict dW) {
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
        b_tile[slow2 * 32 + fast2] = column < 2 && depth2 < B ? dy[depth2 * 2 + column] : 0.0f;
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
        if (const std::int64_t j = lane; j < 2) {
          dW[i * 2 + j] = sum[r];
        }
      }
    }
  }
}

// db[i] = sum[b] dy[b, i]
// db: f32[2], dy: f32[B, 2]
// affine.nn:11
static __global__ void f_db(std::int64_t B, const float* __restrict dy, float* __restrict db) {
  if (const std::int64_t i = gradc::thread_of_all(); i < 2) {
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
static __global__ void fit_dW_term(std::int64_t B, const float* __restrict x,
                                   const float* __restrict W, const float* __restrict b,
                                   const float* __restrict t, float* __restrict dW_term,
                                   float* __restrict b_sum_sum) {
  __shared__ float a_tile[1056];
  __shared__ float b_tile[1024];
  float sum[4];
  const float B_f32_inverse = 1.0f / static_cast<float>(B);
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
        b_tile[slow2 * 32 + fast2] = column < 2 && depth2 < 3 ? W[depth2 * 2 + column] : 0.0f;
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
      if (const std::int64_t j = row0 + warp + r * 8; j < B) {
        if (const std::int64_t o = lane; o < 2) {
          const float b_sum_sum2 = sum[r];
          b_sum_sum[j * 2 + o] = b_sum_sum2;
          dW_term[j * 2 + o] = (b_sum_sum2 + b[o] - t[j * 2 + o]) * B_f32_inverse;
        }
      }
    }
  }
}

// loss_sum = sum[i, o] (b_sum_sum[i, o] + b[o] - t[i, o]) * (b_sum_sum[i, o] + b[o] - t[i, o])
// loss = 0.5 * loss_sum / B
// b_sum_sum: f32[B, 2], b: f32[2], t: f32[B, 2]
// affine.nn:16
static __global__ void fit_loss(std::int64_t B, const float* __restrict b_sum_sum,
                                const float* __restrict b, const float* __restrict t,
                                float* __restrict loss) {
  __shared__ gradc::Partial<float> partial_f32;
  const float B_f32_inverse = 1.0f / static_cast<float>(B);
  if (const std::int64_t element = gradc::block(); element < 1) {
    float loss_sum = 0.0f;
    for (std::int64_t element2 = gradc::thread(); element2 < B * 2; element2 += 32) {
      const std::int64_t i = element2 / 2;
      const std::int64_t o = element2 - i * 2;
      const float t2 = b_sum_sum[i * 2 + o] + b[o] - t[i * 2 + o];
      loss_sum += t2 * t2;
    }
    loss_sum = gradc::block_sum(loss_sum, partial_f32);
    __syncthreads();
    const float loss2 = 0.5f * loss_sum * B_f32_inverse;
    __syncthreads();
    if (gradc::thread() == 0) {
      loss[0] = loss2;
    }
  }
}

// step_ = step_ + 1
// affine.nn:14
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

// dW[i, j] = sum[b] x[b, i] * dW_term[b, j]
// W[i, j] = W[i, j] - 0.1 * dW[i, j]
// W: f32[3, 2], x: f32[B, 3], dW_term: f32[B, 2]
// affine.nn:7
static __global__ void fit_f_only_W(std::int64_t B, const float* __restrict x,
                                    const float* __restrict dW_term, float* __restrict W) {
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
        b_tile[slow2 * 32 + fast2] = column < 2 && depth2 < B ? dW_term[depth2 * 2 + column] : 0.0f;
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
        if (const std::int64_t j = lane; j < 2) {
          const float dW = sum[r];
          W[i * 2 + j] = W[i * 2 + j] - 0.1f * dW;
        }
      }
    }
  }
}

// b_sum[i] = sum[j] (b_sum_sum[j, i] - t[j, i])
// b[i] = 0.9 * b[i] - 0.1 * b_sum[i] / B
// b: f32[2], b_sum_sum: f32[B, 2], t: f32[B, 2]
// affine.nn:17
static __global__ void fit_f_only_b(std::int64_t B, const float* __restrict b_sum_sum,
                                    const float* __restrict t, float* __restrict b) {
  const float B_f32_inverse = 1.0f / static_cast<float>(B);
  if (const std::int64_t i = gradc::thread_of_all(); i < 2) {
    float b_sum = 0.0f;
    for (std::int64_t j = 0; j < B; ++j) {
      b_sum += b_sum_sum[j * 2 + i] - t[j * 2 + i];
    }
    b[i] = 0.9f * b[i] - 0.1f * b_sum * B_f32_inverse;
  }
}

// b_sum_sum[b, o] = sum[i] x[b, i] * W[i, o]
// b_sum_sum: f32[B, 2], x: f32[B, 3], W: f32[3, 2]
// affine.nn:7
static __global__ void fit_b_sum_sum(std::int64_t B, const float* __restrict x,
                                     const float* __restrict W, float* __restrict b_sum_sum) {
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
        b_tile[slow2 * 32 + fast2] = column < 2 && depth2 < 3 ? W[depth2 * 2 + column] : 0.0f;
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
        if (const std::int64_t o = lane; o < 2) {
          b_sum_sum[b * 2 + o] = sum[r];
        }
      }
    }
  }
}


void init(gradc::Device& device, Parameters& parameters, State& state, std::uint64_t seed) {
  const std::int32_t* const counter = nullptr;
  device.launch({"init_f_only_W", "affine.nn:5"}, 1, 256, init_f_only_W, seed, counter, 2887886452u, parameters.f_only_W);
  device.launch({"init_fit_step", "affine.nn:14"}, 1, 32, init_fit_step, state.fit_step);
  device.launch({"init_f_only_b", "affine.nn:6"}, 1, 256, init_f_only_b, parameters.f_only_b);
}

void f_forward(gradc::Device& device, const Parameters& parameters, Workspace& /*workspace*/, std::int64_t B, const float* x, float* y) {
  device.launch({"f_y", "affine.nn:7"}, (B + 31) / 32, 256, f_y, B, x, parameters.f_only_W, parameters.f_only_b, y);
}

void f_backward(gradc::Device& device, const Parameters& parameters, Workspace& workspace, std::int64_t B, const float* x, const float* dy, Parameters& gradients, float* dx) {
  auto* const W_transposed = gradc::place<float>(workspace.data, 0);  // f32[2, 3]
  device.launch({"f_W_transposed", "affine.nn:5"}, 1, 256, f_W_transposed, parameters.f_only_W, W_transposed);
  device.launch({"f_dx", "affine.nn:7"}, (B + 31) / 32, 256, f_dx, B, dy, W_transposed, dx);
  device.launch({"f_dW", "affine.nn:7"}, 1, 256, f_dW, B, x, dy, gradients.f_only_W);
  device.launch({"f_db", "affine.nn:11"}, 1, 256, f_db, B, dy, gradients.f_only_b);
}

void fit(gradc::Device& device, Parameters& parameters, State& state, Workspace& workspace, std::int64_t B, const float* x, const float* t, std::uint64_t /*seed*/, fit_result* result) {
  auto* const dW_term = gradc::place<float>(workspace.data, 64);  // f32[B, 2]
  auto* const b_sum_sum = gradc::place<float>(workspace.data, 0);  // f32[B, 2]

  // loss
  device.launch({"fit_dW_term", "affine.nn:7"}, (B + 31) / 32, 256, fit_dW_term, B, x, parameters.f_only_W, parameters.f_only_b, t, dW_term, b_sum_sum);
  device.launch({"fit_loss", "affine.nn:16"}, 1, 32, fit_loss, B, b_sum_sum, parameters.f_only_b, t, &result->loss);

  // backward and update
  device.launch({"fit_step", "affine.nn:14"}, 1, 32, affine::fit_step, state.fit_step);
  device.launch({"fit_f_only_W", "affine.nn:7"}, 1, 256, fit_f_only_W, B, x, dW_term, parameters.f_only_W);
  device.launch({"fit_f_only_b", "affine.nn:17"}, 1, 256, fit_f_only_b, B, b_sum_sum, t, parameters.f_only_b);
}

void fit_evaluate(gradc::Device& device, const Parameters& parameters, const State& /*state*/, Workspace& workspace, std::int64_t B, const float* x, const float* t, fit_result* result) {
  auto* const b_sum_sum = gradc::place<float>(workspace.data, 0);  // f32[B, 2]
  device.launch({"fit_b_sum_sum", "affine.nn:7"}, (B + 31) / 32, 256, fit_b_sum_sum, B, x, parameters.f_only_W, b_sum_sum);
  device.launch({"fit_loss", "affine.nn:16"}, 1, 32, fit_loss, B, b_sum_sum, parameters.f_only_b, t, &result->loss);
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
  gradc::Device& device = *static_cast<gradc::Device*>(call.device);
  f_forward(device, *static_cast<const Parameters*>(call.parameters), *static_cast<Workspace*>(call.workspace), call.dims[0], static_cast<const float*>(call.inputs[0]), static_cast<float*>(call.outputs[0]));
}

const gradc::Tensor inputs_2[] = {
    {"x", gradc::DType::f32, 2, {{0, 1, 0}, {3, 0, -1}}, 0, 0},
    {"dy", gradc::DType::f32, 2, {{0, 1, 0}, {2, 0, -1}}, 0, 0},
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
    {"t", gradc::DType::f32, 2, {{0, 1, 0}, {2, 0, -1}}, 0, 0},
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
    {"t", gradc::DType::f32, 2, {{0, 1, 0}, {2, 0, -1}}, 0, 0},
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
    "affine", GRADC_RUNTIME_VERSION, "hash",
    the_dims, 1,
    the_parameters, 2, sizeof(Parameters),
    the_state, 1, sizeof(State),
    sizeof(Workspace),
    the_functions, 4,
    nullptr, &gradc::device_engine, init_on_device,
};

}  // namespace

const gradc::Model& model() { return the_model; }

}  // namespace affine

// ---- the C interface

extern "C" {

std::size_t affine_parameters_size(void) { return sizeof(affine::Parameters); }
std::size_t affine_state_size(void) { return sizeof(affine::State); }
std::size_t affine_workspace_size(void) { return sizeof(affine::Workspace); }

const char* affine_error(void) { return gradc::last_message(); }
int affine_open(void** device) {
  return gradc::code_of([&] { *device = new gradc::Device; });
}
void affine_close(void* device) { delete static_cast<gradc::Device*>(device); }
int affine_allocate(void* device, std::size_t bytes, void** memory) {
  return gradc::code_of([&] { *memory = static_cast<gradc::Device*>(device)->allocate(bytes, "an array"); });
}
void affine_release(void* device, void* memory) { static_cast<gradc::Device*>(device)->release(memory); }
int affine_upload(void* device, void* to, const void* from, std::size_t bytes) {
  return gradc::code_of([&] { static_cast<gradc::Device*>(device)->upload(to, from, bytes); });
}
int affine_download(void* device, void* to, const void* from, std::size_t bytes) {
  return gradc::code_of([&] { static_cast<gradc::Device*>(device)->download(to, from, bytes); });
}
int affine_wait(void* device) {
  return gradc::code_of([&] { static_cast<gradc::Device*>(device)->synchronize(); });
}

int affine_init(void* device, void* parameters, void* state, std::uint64_t seed) {
  return gradc::code_of([&] { affine::init(*static_cast<gradc::Device*>(device), *static_cast<affine::Parameters*>(parameters), *static_cast<affine::State*>(state), seed); });
}

int affine_f_forward(void* device, const void* parameters, void* workspace, std::int64_t B, const float* x, float* y) {
  return gradc::code_of([&] { affine::f_forward(*static_cast<gradc::Device*>(device), *static_cast<const affine::Parameters*>(parameters), *static_cast<affine::Workspace*>(workspace), B, x, y); });
}

int affine_f_backward(void* device, const void* parameters, void* workspace, std::int64_t B, const float* x, const float* dy, void* gradients, float* dx) {
  return gradc::code_of([&] { affine::f_backward(*static_cast<gradc::Device*>(device), *static_cast<const affine::Parameters*>(parameters), *static_cast<affine::Workspace*>(workspace), B, x, dy, *static_cast<affine::Parameters*>(gradients), dx); });
}

int affine_fit(void* device, void* parameters, void* state, void* workspace, std::int64_t B, const float* x, const float* t, std::uint64_t seed, float* loss) {
  return gradc::code_of([&] {
    auto* const reported = (*static_cast<gradc::Device*>(device)).result<affine::fit_result>();
    affine::fit(*static_cast<gradc::Device*>(device), *static_cast<affine::Parameters*>(parameters), *static_cast<affine::State*>(state), *static_cast<affine::Workspace*>(workspace), B, x, t, seed, reported);
    if (loss != nullptr) (*static_cast<gradc::Device*>(device)).download(loss, &reported->loss, sizeof *loss);
  });
}

int affine_fit_evaluate(void* device, const void* parameters, const void* state, void* workspace, std::int64_t B, const float* x, const float* t, float* loss) {
  return gradc::code_of([&] {
    auto* const reported = (*static_cast<gradc::Device*>(device)).result<affine::fit_result>();
    affine::fit_evaluate(*static_cast<gradc::Device*>(device), *static_cast<const affine::Parameters*>(parameters), *static_cast<const affine::State*>(state), *static_cast<affine::Workspace*>(workspace), B, x, t, reported);
    if (loss != nullptr) (*static_cast<gradc::Device*>(device)).download(loss, &reported->loss, sizeof *loss);
  });
}


const void* affine_model(void) { return &affine::model(); }

}  // extern "C"

// by_hand.cpp: training steps as one would write them by hand, in plain loops that a compiler can
// turn into vectors: the honest limit of not having a compiler for networks. Compiled with -O3
// -march=native -ffast-math.
//
//   by_hand tiny|fcnn|lenet FOLDER EXAMPLES     spoken to as harness.cpp is, whose arrays in FOLDER
//   it starts from
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace {

using Floats = std::vector<float>;
constexpr float rate = 0.01f;

template <class T>
std::vector<T> read(const std::string& path, std::size_t n) {
  std::vector<T> values(n);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(n * sizeof(T)));
  if (!file) std::fprintf(stderr, "cannot read %s\n", path.c_str()), std::exit(1);
  return values;
}

// y = x w + b, for examples in rows
void dense(int rows, int in, int out, const float* x, const float* w, const float* b, float* y) {
  for (int r = 0; r < rows; ++r) {
    float* __restrict row = y + r * out;
    for (int j = 0; j < out; ++j) row[j] = b == nullptr ? 0.0f : b[j];
    for (int i = 0; i < in; ++i) {
      const float a = x[r * in + i];
      const float* __restrict weights = w + i * out;
      for (int j = 0; j < out; ++j) row[j] += a * weights[j];
    }
  }
}

// dx = dy wᵀ
void dense_input(int rows, int in, int out, const float* dy, const float* w, float* dx) {
  for (int r = 0; r < rows; ++r)
    for (int i = 0; i < in; ++i) {
      const float* __restrict a = dy + r * out, * __restrict weights = w + i * out;
      float sum = 0;
      for (int j = 0; j < out; ++j) sum += a[j] * weights[j];
      dx[r * in + i] = sum;
    }
}

// w -= rate xᵀ dy, b -= rate Σ dy
void dense_update(int rows, int in, int out, const float* x, const float* dy, float* w, float* b) {
  for (int i = 0; i < in; ++i) {
    float* __restrict weights = w + i * out;
    for (int r = 0; r < rows; ++r) {
      const float a = rate * x[r * in + i];
      const float* __restrict d = dy + r * out;
      for (int j = 0; j < out; ++j) weights[j] -= a * d[j];
    }
  }
  for (int r = 0; b != nullptr && r < rows; ++r)
    for (int j = 0; j < out; ++j) b[j] -= rate * dy[r * out + j];
}

void relu(Floats& x) {
  for (float& v : x) v = std::max(v, 0.0f);
}

void relu_gradient(const Floats& y, Floats& dy) {
  for (std::size_t i = 0; i < y.size(); ++i) dy[i] = y[i] > 0 ? dy[i] : 0.0f;
}

float sigmoid(float x) {
  return 1 / (1 + std::exp(-x));
}

// The mean of -log softmax(z)[label], and its gradient in place of z
float cross_entropy(int rows, int classes, Floats& z, const std::vector<std::int32_t>& label) {
  float loss = 0;
  for (int r = 0; r < rows; ++r) {
    float* row = z.data() + r * classes;
    const float largest = *std::max_element(row, row + classes),
                right = row[label[static_cast<std::size_t>(r)]];
    float sum = 0;
    for (int j = 0; j < classes; ++j) sum += row[j] = std::exp(row[j] - largest);
    loss += std::log(sum) + largest - right;
    for (int j = 0; j < classes; ++j) row[j] /= sum * static_cast<float>(rows);
    row[label[static_cast<std::size_t>(r)]] -= 1 / static_cast<float>(rows);
  }
  return loss / static_cast<float>(rows);
}

// One dense layer with what flows through it
struct Dense {
  int rows, in, out;
  bool bias;
  Floats w, b, y, dy;
  Dense(const std::string& path, int rows_, int in_, int out_, bool bias_ = true)
      : rows(rows_),
        in(in_),
        out(out_),
        bias(bias_),
        w(read<float>(path + ".W.bin", count(in, out))),
        b(bias ? read<float>(path + ".b.bin", count(1, out)) : Floats()),
        y(count(rows, out)),
        dy(count(rows, out)) {}
  static std::size_t count(int a, int c) {
    return static_cast<std::size_t>(a) * static_cast<std::size_t>(c);
  }
  void forward(const Floats& x) {
    dense(rows, in, out, x.data(), w.data(), bias ? b.data() : nullptr, y.data());
  }
  // The gradient of x, where it is wanted, comes before w changes.
  void backward(const Floats& x, Floats* dx) {
    if (dx != nullptr) dense_input(rows, in, out, dy.data(), w.data(), dx->data());
    dense_update(rows, in, out, x.data(), dy.data(), w.data(), bias ? b.data() : nullptr);
  }
};

struct Tiny {
  int rows;
  Floats x, t;
  Dense fc1, fc2, fc3;
  Tiny(const std::string& folder, int n)
      : rows(n),
        x(read<float>(folder + "/input.x.bin", Dense::count(n, 3))),
        t(read<float>(folder + "/input.t.bin", Dense::count(n, 5))),
        fc1(folder + "/answer.fc1", n, 3, 4),
        fc2(folder + "/answer.fc2", n, 4, 2, false),
        fc3(folder + "/answer.fc3", n, 2, 5) {}
  static void squash(Floats& y) {
    for (float& v : y) v = sigmoid(v);
  }
  static void squash_gradient(const Floats& y, Floats& dy) {
    for (std::size_t i = 0; i < y.size(); ++i) dy[i] *= y[i] * (1 - y[i]);
  }
  float step() {
    fc1.forward(x), squash(fc1.y);
    fc2.forward(fc1.y), squash(fc2.y);
    fc3.forward(fc2.y);
    float loss = 0;
    const float scale = 1 / static_cast<float>(t.size());
    for (std::size_t i = 0; i < t.size(); ++i) {
      const float apart = fc3.y[i] - t[i];
      loss += apart * apart;
      fc3.dy[i] = 2 * scale * apart;
    }
    fc3.backward(fc2.y, &fc2.dy), squash_gradient(fc2.y, fc2.dy);
    fc2.backward(fc1.y, &fc1.dy), squash_gradient(fc1.y, fc1.dy);
    fc1.backward(x, nullptr);
    return loss * scale;
  }
};

struct Fcnn {
  int rows;
  Floats x;
  std::vector<std::int32_t> label;
  Dense fc1, fc2, fc3;
  Fcnn(const std::string& folder, int n)
      : rows(n),
        x(read<float>(folder + "/input.x.bin", Dense::count(n, 300))),
        label(read<std::int32_t>(folder + "/input.label.bin", static_cast<std::size_t>(n))),
        fc1(folder + "/classify.fc1", n, 300, 512),
        fc2(folder + "/classify.fc2", n, 512, 256),
        fc3(folder + "/classify.fc3", n, 256, 5) {}
  float step() {
    fc1.forward(x), relu(fc1.y);
    fc2.forward(fc1.y), relu(fc2.y);
    fc3.forward(fc2.y);
    fc3.dy = fc3.y;
    const float loss = cross_entropy(rows, 5, fc3.dy, label);
    fc3.backward(fc2.y, &fc2.dy), relu_gradient(fc2.y, fc2.dy);
    fc2.backward(fc1.y, &fc1.dy), relu_gradient(fc1.y, fc1.dy);
    fc1.backward(x, nullptr);
    return loss;
  }
};

// A 5 x 5 convolution of C channels of S x S to F, padded by P, with relu and 2 x 2 max pooling
// behind it. Sizes are constants, so that the loops along a row become vectors of known length.
template <int C, int S, int F, int P>
struct Convolution {
  static constexpr int W = S + 2 * P, O = W - 4, H = O / 2;
  int rows;
  Floats k, b, padded, y, dy, pooled, dpooled, dpadded, dk, db;
  std::vector<std::uint8_t> from;  // which of the four was the largest
  Convolution(const std::string& path, int n)
      : rows(n),
        k(read<float>(path + ".K.bin", F * C * 25)),
        b(read<float>(path + ".b.bin", F)),
        padded(Dense::count(n, C * W * W)),
        y(F * O * O),
        dy(F * O * O),
        pooled(Dense::count(n, F * H * H)),
        dpooled(pooled.size()),
        dpadded(C * W * W),
        dk(k.size()),
        db(F),
        from(pooled.size()) {}

  void forward(const float* x) {
    for (int n = 0; n < rows; ++n) {
      float* image = padded.data() + n * C * W * W;
      for (int c = 0; c < C; ++c)
        for (int i = 0; i < S; ++i)
          std::copy_n(x + ((n * C + c) * S + i) * S, S, image + (c * W + i + P) * W + P);
      for (int f = 0; f < F; ++f) plane(image, f);
      for (int f = 0; f < F; ++f) pool(n, f);
    }
  }
  void plane(const float* image, int f) {
    for (int i = 0; i < O; ++i) {
      float sum[O];
      for (int j = 0; j < O; ++j) sum[j] = b[static_cast<std::size_t>(f)];
      for (int c = 0; c < C; ++c)
        for (int u = 0; u < 5; ++u)
          for (int v = 0; v < 5; ++v) {
            const float weight = k[static_cast<std::size_t>(((f * C + c) * 5 + u) * 5 + v)];
            const float* __restrict row = image + (c * W + i + u) * W + v;
            for (int j = 0; j < O; ++j) sum[j] += weight * row[j];
          }
      for (int j = 0; j < O; ++j)
        y[static_cast<std::size_t>((f * O + i) * O + j)] = std::max(sum[j], 0.0f);
    }
  }
  void pool(int n, int f) {
    for (int i = 0; i < H; ++i)
      for (int j = 0; j < H; ++j) {
        const float* at = y.data() + (f * O + 2 * i) * O + 2 * j;
        const float four[] = {at[0], at[1], at[O], at[O + 1]};
        const auto largest = std::max_element(four, four + 4);
        const auto to = static_cast<std::size_t>(((n * F + f) * H + i) * H + j);
        pooled[to] = *largest;
        from[to] = static_cast<std::uint8_t>(largest - four);
      }
  }
  // From dpooled; the gradient of what came in goes to dx, unless that is null. Then the update.
  void backward(float* dx) {
    std::fill(dk.begin(), dk.end(), 0.0f);
    std::fill(db.begin(), db.end(), 0.0f);
    for (int n = 0; n < rows; ++n) {
      std::fill(dy.begin(), dy.end(), 0.0f);
      for (int f = 0; f < F; ++f)
        for (int i = 0; i < H; ++i)
          for (int j = 0; j < H; ++j) {
            const auto at = static_cast<std::size_t>(((n * F + f) * H + i) * H + j);
            if (pooled[at] > 0)
              dy[static_cast<std::size_t>((f * O + 2 * i + from[at] / 2) * O + 2 * j +
                                          from[at] % 2)] = dpooled[at];
          }
      const float* image = padded.data() + n * C * W * W;
      for (int f = 0; f < F; ++f) {
        const float* d = dy.data() + f * O * O;
        for (int i = 0; i < O * O; ++i) db[static_cast<std::size_t>(f)] += d[i];
        for (int c = 0; c < C; ++c)
          for (int u = 0; u < 5; ++u)
            for (int v = 0; v < 5; ++v) {
              float sum = 0;
              for (int i = 0; i < O; ++i) {
                const float* __restrict row = image + (c * W + i + u) * W + v, * __restrict g =
                                                                                   d + i * O;
                for (int j = 0; j < O; ++j) sum += row[j] * g[j];
              }
              dk[static_cast<std::size_t>(((f * C + c) * 5 + u) * 5 + v)] += sum;
            }
      }
      if (dx != nullptr) input_gradient(dx + n * C * S * S);
    }
    for (std::size_t i = 0; i < k.size(); ++i) k[i] -= rate * dk[i];
    for (std::size_t i = 0; i < b.size(); ++i) b[i] -= rate * db[i];
  }
  void input_gradient(float* dx) {
    std::fill(dpadded.begin(), dpadded.end(), 0.0f);
    for (int f = 0; f < F; ++f)
      for (int c = 0; c < C; ++c)
        for (int i = 0; i < O; ++i)
          for (int u = 0; u < 5; ++u)
            for (int v = 0; v < 5; ++v) {
              const float weight = k[static_cast<std::size_t>(((f * C + c) * 5 + u) * 5 + v)];
              const float* __restrict g = dy.data() + (f * O + i) * O;
              float* __restrict row = dpadded.data() + (c * W + i + u) * W + v;
              for (int j = 0; j < O; ++j) row[j] += weight * g[j];
            }
    for (int c = 0; c < C; ++c)
      for (int i = 0; i < S; ++i)
        std::copy_n(dpadded.data() + (c * W + i + P) * W + P, S, dx + (c * S + i) * S);
  }
};

struct Lenet {
  int rows;
  Floats x;
  std::vector<std::int32_t> label;
  Convolution<1, 28, 6, 2> conv1;
  Convolution<6, 14, 16, 0> conv2;
  Dense fc1, fc2, fc3;
  Lenet(const std::string& folder, int n)
      : rows(n),
        x(read<float>(folder + "/input.x.bin", Dense::count(n, 784))),
        label(read<std::int32_t>(folder + "/input.label.bin", static_cast<std::size_t>(n))),
        conv1(folder + "/classify.conv1", n),
        conv2(folder + "/classify.conv2", n),
        fc1(folder + "/classify.fc1", n, 400, 120),
        fc2(folder + "/classify.fc2", n, 120, 84),
        fc3(folder + "/classify.fc3", n, 84, 10) {}
  float step() {
    conv1.forward(x.data());
    conv2.forward(conv1.pooled.data());
    fc1.forward(conv2.pooled), relu(fc1.y);
    fc2.forward(fc1.y), relu(fc2.y);
    fc3.forward(fc2.y);
    fc3.dy = fc3.y;
    const float loss = cross_entropy(rows, 10, fc3.dy, label);
    fc3.backward(fc2.y, &fc2.dy), relu_gradient(fc2.y, fc2.dy);
    fc2.backward(fc1.y, &fc1.dy), relu_gradient(fc1.y, fc1.dy);
    fc1.backward(conv2.pooled, &conv2.dpooled);
    conv2.backward(conv1.dpooled.data());
    conv1.backward(nullptr);
    return loss;
  }
};

template <class Network>
int serve(const std::string& folder, int rows) {
  Network network(folder, rows);
  std::printf("ready\n");
  std::fflush(stdout);
  std::string word;
  for (std::int64_t n = 0; std::cin >> word >> n;) {
    if (word == "losses") {
      network = Network(folder, rows);
      for (std::int64_t i = 0; i < n; ++i)
        std::printf("%s%.9g", i == 0 ? "" : " ", static_cast<double>(network.step()));
      std::printf("\n");
    } else {
      const auto begin = std::chrono::steady_clock::now();
      for (std::int64_t i = 0; i < n; ++i) network.step();
      std::printf("%.9g\n",
                  std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const std::string which = argv[1];
  const int rows = std::atoi(argv[3]);
  if (which == "tiny") return serve<Tiny>(argv[2], rows);
  if (which == "fcnn") return serve<Fcnn>(argv[2], rows);
  if (which == "lenet") return serve<Lenet>(argv[2], rows);
  std::fprintf(stderr, "by_hand: there is no %s\n", which.c_str());
  return 2;
}

// compare_models.cpp: networks as C++ and as CUDA, in the emulation or on a GPU: every function on the same values.
// Every run-time dim has the most it may, then a third of that, then 1.
#include "compare_models.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace {

using Bytes = std::vector<unsigned char>;

struct Draw {
  std::uint64_t state = 99;
  double next() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state >> 11) * 0x1p-53;
  }
};

std::size_t count(const gradc::Tensor& t, const std::vector<std::int64_t>& dims) {
  std::int64_t n = 1;
  for (std::int32_t k = 0; k < t.rank; ++k) {
    const gradc::Extent& e = t.shape[k];
    n *= e.offset + (e.dim < 0 ? 0 : e.scale * dims[static_cast<std::size_t>(e.dim)]);
  }
  return static_cast<std::size_t>(n);
}

template <class T>
void put(Bytes& bytes, std::size_t i, T value) {
  std::memcpy(bytes.data() + i * sizeof value, &value, sizeof value);
}
double get(const unsigned char* bytes, std::size_t i, gradc::DType type) {
  const auto read = [&](auto value) {
    std::memcpy(&value, bytes + i * sizeof value, sizeof value);
    return static_cast<double>(value);
  };
  switch (type) {
    case gradc::DType::f32: return read(float{});
    case gradc::DType::f64: return read(double{});
    case gradc::DType::i32: return read(std::int32_t{});
    case gradc::DType::boolean: return read(static_cast<unsigned char>(0));
  }
  return 0;
}

// Between 0.05 and 0.95: probabilities, whose logarithm exists.
Bytes values(const gradc::Tensor& t, std::size_t n, Draw& draw) {
  Bytes bytes(n * gradc::size_of(t.dtype));
  for (std::size_t i = 0; i < n; ++i) {
    const double u = draw.next(), x = 0.05 + 0.9 * u;
    switch (t.dtype) {
      case gradc::DType::f32: put(bytes, i, static_cast<float>(x)); break;
      case gradc::DType::f64: put(bytes, i, x); break;
      case gradc::DType::i32:
        put(bytes, i, static_cast<std::int32_t>(u * static_cast<double>(t.limit > 0 ? t.limit : 2)));
        break;
      case gradc::DType::boolean: put(bytes, i, static_cast<unsigned char>(u < 0.5)); break;
    }
  }
  return bytes;
}

int problems = 0;

void compare(const char* function, const char* name, gradc::DType type, const unsigned char* a, const unsigned char* b,
             std::size_t n, double tolerance) {
  double norm = 1e-3, worst = 0, of_a = 0, of_b = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double x = get(a, i, type), y = get(b, i, type);
    if (std::isfinite(x)) norm = std::fmax(norm, std::fabs(x));
    double difference = x == y || (std::isnan(x) && std::isnan(y)) ? 0 : std::fabs(x - y);
    if (std::isnan(difference)) difference = HUGE_VAL;
    if (difference > worst) worst = difference, of_a = x, of_b = y;
  }
  if (worst <= tolerance * norm) return;
  std::printf("%s: %s: C++ %.9g, CUDA %.9g (norm %.3g)\n", function, name, of_a, of_b, norm);
  ++problems;
}

struct Memory {
  Bytes parameters, state, workspace;
  explicit Memory(const gradc::Model& m)
      : parameters(m.parameters_size + 64), state(m.state_size + 64), workspace(m.workspace_size + 64) {}
  static unsigned char* aligned(Bytes& bytes) {
    const auto at = reinterpret_cast<std::uintptr_t>(bytes.data());
    return bytes.data() + (64 - at % 64) % 64;
  }
};

void compare_all(const char* what, const gradc::Model& m, Memory& a, Memory& b, double tolerance) {
  for (std::int32_t k = 0; k < m.parameter_count; ++k) {
    const auto& t = m.parameters[k];
    compare(what, t.name, t.dtype, Memory::aligned(a.parameters) + t.offset, Memory::aligned(b.parameters) + t.offset,
            count(t, {}), tolerance);
  }
  for (std::int32_t k = 0; k < m.state_count; ++k) {
    const auto& t = m.state[k];
    compare(what, t.name, t.dtype, Memory::aligned(a.state) + t.offset, Memory::aligned(b.state) + t.offset,
            count(t, {}), tolerance);
  }
}

bool said(const char* problem) {
  if (problem == nullptr) return false;
  std::printf("%s\n", problem);
  return ++problems;
}

void run_all(const gradc::Model& cpp, const gradc::Model& cuda, const std::vector<std::int64_t>& dims) {
  Memory a(cpp), b(cuda);
  void* session = nullptr;
  char message[1000];
  if (!cuda.engine->open(cuda, &session, message, sizeof message)) return static_cast<void>(said(message));
  const auto fetch = [&] { said(cuda.engine->download(session, Memory::aligned(b.parameters), Memory::aligned(b.state))); };
  cpp.init(Memory::aligned(a.parameters), Memory::aligned(a.state), 7);
  said(cuda.engine->init(session, 7));
  fetch();
  compare_all("init", cpp, a, b, 0);  // random numbers agree bit for bit
  Draw draw;
  for (std::int32_t f = 0; f < cpp.function_count; ++f) {
    const gradc::Function& function = cpp.functions[f];
    if (function.kind == gradc::FunctionKind::backward && f == 0) continue;
    std::vector<Bytes> inputs, from_a, from_b;
    std::vector<const void*> in;
    std::vector<void*> out_a, out_b;
    // A backward function follows its forward one: on the same inputs.
    static std::vector<Bytes> before;
    for (std::int32_t k = 0; k < function.input_count; ++k) {
      const bool same = function.kind == gradc::FunctionKind::backward && k < static_cast<std::int32_t>(before.size());
      inputs.push_back(same ? before[static_cast<std::size_t>(k)]
                            : values(function.inputs[k], count(function.inputs[k], dims), draw));
    }
    before = inputs;
    for (const Bytes& bytes : inputs) in.push_back(bytes.data());
    for (std::int32_t k = 0; k < function.output_count; ++k) {
      const std::size_t bytes = count(function.outputs[k], dims) * gradc::size_of(function.outputs[k].dtype);
      from_a.emplace_back(bytes);
      from_b.emplace_back(bytes);
    }
    for (Bytes& bytes : from_a) out_a.push_back(bytes.data());
    for (Bytes& bytes : from_b) out_b.push_back(bytes.data());
    Bytes gradients(cpp.parameters_size + 64);
    gradc::Call call = {};
    call.parameters = Memory::aligned(a.parameters);
    call.state = Memory::aligned(a.state);
    call.workspace = Memory::aligned(a.workspace);
    call.gradients = Memory::aligned(gradients);
    call.dims = dims.data();
    call.inputs = in.data();
    call.seed = 5;
    const int calls = function.kind == gradc::FunctionKind::step ? 3 : 1;
    for (int k = 0; k < calls; ++k) {
      call.outputs = out_a.data();
      function.run(call);
      call.outputs = out_b.data();
      said(cuda.engine->run(session, cuda.functions[f], call));
      for (std::int32_t o = 0; o < function.output_count; ++o) {
        compare(function.name, function.outputs[o].name, function.outputs[o].dtype, from_a[static_cast<std::size_t>(o)].data(),
                from_b[static_cast<std::size_t>(o)].data(), count(function.outputs[o], dims), 5e-4);
      }
    }
    fetch();
    compare_all(function.name, cpp, a, b, 5e-4);
    // What rounding made of them is not to grow from function to function.
    said(cuda.engine->upload(session, Memory::aligned(a.parameters), Memory::aligned(a.state)));
  }
  cuda.engine->close(session);
}

}  // namespace

int main() {
  for (const auto& [cpp, cuda, most] : networks()) {
    const int before = problems;
    std::vector<std::int64_t> last;
    for (const std::int64_t part : {std::int64_t{1}, std::int64_t{3}, INT64_MAX}) {
      std::vector<std::int64_t> dims;
      for (std::int32_t k = 0; k < cpp.dim_count; ++k)
        dims.push_back(std::max<std::int64_t>(1, std::min(most, cpp.dims[k].bound) / part));
      if (part == 1 || dims != last) run_all(cpp, cuda, dims);
      last = dims;
    }
    if (problems > before) std::printf("in %s\n", cpp.name);
  }
  std::printf("%d differences\n", problems);
  return problems != 0;
}

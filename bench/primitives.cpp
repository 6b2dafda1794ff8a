// primitives.cpp: what a library needs for the products and convolutions of a row alone: oneDNN,
// its best primitives.
//
//   primitives CHAIN     a file with a line each (words.py): product EXAMPLES M N K FORMS
//                                                 convolution B C H W F KH KW STRIDE PADH PADW
//                                                 GROUPS FORMS
//
// FORMS: y forward, x the gradient of the first factor, w that of the weights. Of each primitive
// the fastest of a few layouts is taken, and to bring tensors into these layouts costs nothing
// here. Speaks as harness.cpp does: `time N`.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

using dnnl::memory;
using Dims = memory::dims;
using Tag = memory::format_tag;
using Arguments = std::unordered_map<int, memory>;

struct Machine {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

struct Call {
  dnnl::primitive primitive;
  Arguments arguments;
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

memory filled(const Machine& machine, const memory::desc& description) {
  memory m(description, machine.engine);
  std::fill_n(static_cast<float*>(m.get_data_handle()), description.get_size() / 4, 0.5f);
  return m;
}

double seconds(Machine& machine, const Call& call) {
  double best = 1e30;
  for (int window = 0; window < 5; ++window) {
    const double begin = now();
    call.primitive.execute(machine.stream, call.arguments);
    machine.stream.wait();
    best = std::min(best, now() - begin);
  }
  return best;
}

// The fastest of those that the library has.
template <class Make>
Call best(Machine& machine, const std::vector<std::vector<Tag>>& layouts, const Make& make) {
  std::optional<Call> found;
  double least = 0;
  for (const std::vector<Tag>& tags : layouts) {
    try {
      Call call = make(tags);
      const double taken = seconds(machine, call);
      if (!found || taken < least) found = std::move(call), least = taken;
    } catch (const dnnl::error&) {
    }
  }
  if (!found) throw std::runtime_error("oneDNN has no primitive for it");
  return std::move(*found);
}

memory::desc plain(const Dims& dims, Tag tag) {
  return {dims, memory::data_type::f32, tag};
}

// c[e, m, n] = a[e, m, k] b[e, k, n]; a and b may lie transposed in memory.
Call product(Machine& machine, const Dims& dims, bool a_transposed, bool b_transposed) {
  const memory::dim e = dims[0], m = dims[1], n = dims[2], k = dims[3];
  const Tag a = a_transposed ? Tag::acb : Tag::abc, b = b_transposed ? Tag::acb : Tag::abc;
  return best(machine, {{a, b, Tag::abc}, {a, Tag::any, Tag::abc}, {Tag::any, Tag::any, Tag::any}},
              [&](const std::vector<Tag>& tags) {
                const dnnl::matmul::primitive_desc found(machine.engine, plain({e, m, k}, tags[0]),
                                                         plain({e, k, n}, tags[1]),
                                                         plain({e, m, n}, tags[2]));
                return Call{dnnl::matmul(found),
                            {{DNNL_ARG_SRC, filled(machine, found.src_desc())},
                             {DNNL_ARG_WEIGHTS, filled(machine, found.weights_desc())},
                             {DNNL_ARG_DST, filled(machine, found.dst_desc())}}};
              });
}

struct Convolution {
  Dims x, k, y, stride, pad;
};

Call convolution(Machine& machine, const Convolution& c, char form) {
  using dnnl::algorithm;
  const bool grouped = c.k.size() == 5;
  const auto make = [&](const std::vector<Tag>& tags) {
    const memory::desc x = plain(c.x, tags[0]), k = plain(c.k, tags[1]), y = plain(c.y, tags[2]);
    const auto direct = algorithm::convolution_direct;
    const dnnl::convolution_forward::primitive_desc forward(
        machine.engine, dnnl::prop_kind::forward_training, direct, x, k, y, c.stride, c.pad, c.pad);
    if (form == 'y')
      return Call{dnnl::convolution_forward(forward),
                  {{DNNL_ARG_SRC, filled(machine, forward.src_desc())},
                   {DNNL_ARG_WEIGHTS, filled(machine, forward.weights_desc())},
                   {DNNL_ARG_DST, filled(machine, forward.dst_desc())}}};
    if (form == 'x') {
      const dnnl::convolution_backward_data::primitive_desc found(machine.engine, direct, x, k, y,
                                                                  c.stride, c.pad, c.pad, forward);
      return Call{dnnl::convolution_backward_data(found),
                  {{DNNL_ARG_DIFF_DST, filled(machine, found.diff_dst_desc())},
                   {DNNL_ARG_WEIGHTS, filled(machine, found.weights_desc())},
                   {DNNL_ARG_DIFF_SRC, filled(machine, found.diff_src_desc())}}};
    }
    const dnnl::convolution_backward_weights::primitive_desc found(machine.engine, direct, x, k, y,
                                                                   c.stride, c.pad, c.pad, forward);
    return Call{dnnl::convolution_backward_weights(found),
                {{DNNL_ARG_SRC, filled(machine, found.src_desc())},
                 {DNNL_ARG_DIFF_DST, filled(machine, found.diff_dst_desc())},
                 {DNNL_ARG_DIFF_WEIGHTS, filled(machine, found.diff_weights_desc())}}};
  };
  return best(machine,
              {{Tag::any, Tag::any, Tag::any},
               {Tag::nchw, grouped ? Tag::goihw : Tag::oihw, Tag::nchw},
               {Tag::nhwc, Tag::any, Tag::nhwc}},
              make);
}

void add_product(Machine& machine, std::istream& line, std::vector<Call>& calls) {
  memory::dim e = 0, m = 0, n = 0, k = 0;
  std::string forms;
  line >> e >> m >> n >> k >> forms;
  for (const char form : forms) {
    if (form == 'y') calls.push_back(product(machine, {e, m, n, k}, false, false));
    if (form == 'x') calls.push_back(product(machine, {e, m, k, n}, false, true));
    if (form == 'w') calls.push_back(product(machine, {e, k, n, m}, true, false));
  }
}

void add_convolution(Machine& machine, std::istream& line, std::vector<Call>& calls) {
  memory::dim b = 0, c = 0, h = 0, w = 0, f = 0, u = 0, v = 0, stride = 0, p = 0, q = 0, groups = 0;
  std::string forms;
  line >> b >> c >> h >> w >> f >> u >> v >> stride >> p >> q >> groups >> forms;
  const Dims kernel = groups > 1 ? Dims{groups, f / groups, c / groups, u, v} : Dims{f, c, u, v};
  const Convolution shape{{b, c, h, w},
                          kernel,
                          {b, f, (h + 2 * p - u) / stride + 1, (w + 2 * q - v) / stride + 1},
                          {stride, stride},
                          {p, q}};
  for (const char form : forms) calls.push_back(convolution(machine, shape, form));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  Machine machine;
  std::vector<Call> calls;
  std::ifstream file(argv[1]);
  try {
    for (std::string text; std::getline(file, text);) {
      std::istringstream line(text);
      std::string kind;
      line >> kind;
      (kind == "product" ? add_product : add_convolution)(machine, line, calls);
    }
  } catch (const std::exception& why) {
    std::fprintf(stderr, "%s\n", why.what());
    return 1;
  }
  std::printf("ready\n");
  std::fflush(stdout);
  std::string word;
  for (std::int64_t n = 0; std::cin >> word >> n;) {
    const double begin = now();
    for (std::int64_t i = 0; i < n; ++i)
      for (const Call& call : calls) call.primitive.execute(machine.stream, call.arguments);
    machine.stream.wait();
    std::printf("%.9g\n", now() - begin);
    std::fflush(stdout);
  }
}

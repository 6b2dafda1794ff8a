// emitted_cases.cpp: graphs lowered, compiled, run and compared with the interpreter.
#include "tests/emitted_cases.h"

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "codegen/compile.h"
#include "codegen/loops_to_text.h"
#include "dsl/check.h"
#include "dsl/graph_to_text.h"
#include "tests/emitted_programs.h"

namespace test {
namespace {

using namespace gradc;
using loops::Entry;
using loops::Storage;

// Relative to the norm of a tensor. An f64 value may come from f32 ones.
double tolerance(const Graph& g, DType t) {
  if (!is_float(t)) return 0;
  for (std::uint32_t id = 0; id < g.node_count(); ++id) {
    if (g[NodeId{id}].type.dtype == DType::f32) return 2e-5;
  }
  return 1e-11;
}

std::int64_t size_at(const Graph& g, const Extent& e, const Environment& env) {
  if (e.is_fixed()) return e.offset;
  const Dim& dim = g.dim(e.dim);
  const auto it = env.dims.find(dim.name);
  return e.offset + e.scale * (it == env.dims.end() ? dim.bound : it->second);
}
std::vector<std::int64_t> shape_at(const Graph& g, const Shape& shape, const Environment& env) {
  std::vector<std::int64_t> result;
  for (const Extent& e : shape) result.push_back(size_at(g, e, env));
  return result;
}
std::size_t product(const std::vector<std::int64_t>& shape) {
  std::int64_t n = 1;
  for (std::int64_t e : shape) n *= e;
  return static_cast<std::size_t>(n);
}

struct Draw {
  std::uint64_t state = 12345;
  double next() {  // in [0, 1)
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state >> 11) * 0x1p-53;
  }
};

class Case {
 public:
  Case(EmittedCase& c, std::size_t number, const Target& target)
      : case_(c), g_(c.graph), number_(number), target_(target),
        module_(lower(c.graph, fmt::format("case{}", number), target)) {
    draw_values(c.environment);
    for (const auto& dims : c.more_dims) {
      Environment another;
      another.dims = dims;
      draw_values(another);
    }
  }

  std::size_t calls() const { return environments_.size(); }
  std::string source() const;
  void write_inputs(std::vector<double>& in) const {
    for (const Environment& environment : environments_) write_inputs(environment, in);
  }
  void expect(Expected& expected, EmittedCounts& counts) const {
    const std::size_t first = expected.tensors.size(), first_value = expected.values.size();
    for (const Environment& environment : environments_) expect(g_, environment, expected);
    counts.tensors += expected.tensors.size() - first;
    std::vector<double> more(expected.tensors.size() - first);
    // By how much each element of the k-th tensor moves with `other` in the place of the graph.
    const auto for_each_move = [&](const Graph& other, const auto& take) {
      Expected moved;
      for (const Environment& environment : environments_) expect(other, environment, moved);
      std::size_t at = 0;
      for (std::size_t k = 0; k < moved.tensors.size(); ++k) {
        for (std::size_t i = 0; i < moved.tensors[k].count; ++i, ++at)
          take(k, std::fabs(moved.values[at] - expected.values[first_value + at]));
      }
    };
    for (const Graph& stored : case_.stored) {
      for_each_move(stored, [&](std::size_t k, double moves) {
        if (!(moves <= more[k])) more[k] = moves;
      });
    }
    for (std::size_t k = 0; k < more.size(); ++k) expected.tensors[first + k].allowed += 3 * more[k];
    for (const Graph& rounded : case_.rounded) {
      for_each_move(rounded, [&](std::size_t k, double moves) {
        double& allowed = expected.tensors[first + k].allowed;
        if (std::isinf(allowed) || !(moves > allowed / 2)) return;
        ++counts.not_compared;
        allowed = HUGE_VAL;
      });
    }
  }

 private:
  void write_inputs(const Environment&, std::vector<double>& in) const;
  void expect(const Graph&, const Environment&, Expected&) const;

  void draw_values(Environment environment) {
    for (const auto& f : g_.functions) {
      for (NodeId id : topological_order(g_, roots_of(f))) draw(id, environment);
      for (NodeId id : f.inputs) draw(id, environment);
      for (NodeId id : f.cotangents) draw(id, environment);
      for (const Update& u : f.updates) draw(u.target, environment);
    }
    environments_.push_back(std::move(environment));
  }
  void draw(NodeId id, Environment& environment) {
    const Node& n = g_[id];
    if (n.name.empty() || environment.values.contains(n.name)) return;
    Array a{shape_at(g_, n.type.shape, environment), {}};
    for (std::size_t k = product(a.shape); k > 0; --k) {
      const double u = random_.next();
      switch (n.type.dtype) {
        case DType::boolean: a.data.push_back(u < 0.5 ? 0 : 1); break;
        case DType::i32: a.data.push_back(std::floor(u * static_cast<double>(case_.positions))); break;
        case DType::f32: a.data.push_back(static_cast<float>(2 * u - 1)); break;
        case DType::f64: a.data.push_back(2 * u - 1); break;
      }
    }
    environment.values[n.name] = std::move(a);
  }
  std::string struct_text(const char* name, const std::vector<std::uint32_t>& members) const;
  std::string count(const Shape& shape) const {
    std::string text = "1";
    for (const Extent& e : shape) {
      text += e.is_fixed() ? fmt::format(" * {}", e.offset)
                           : fmt::format(" * ({} * {} + {})", e.scale,
                                         module_.dims[e.dim.value].name, e.offset);
    }
    return fmt::format("static_cast<std::size_t>({})", text);
  }
  const gradc::Function& spec(const loops::Function& f) const { return spec(g_, f); }
  static const gradc::Function& spec(const Graph& g, const loops::Function& f) {
    for (const auto& s : g.functions) {
      if (s.name == f.spec_name) return s;
    }
    GRADC_UNREACHABLE("no such function");
  }
  std::string name_in_graph(const loops::Function& f, std::size_t input) const {
    const auto& s = spec(f);
    const NodeId id =
        input < s.inputs.size() ? s.inputs[input] : s.cotangents[input - s.inputs.size()];
    return g_[id].name;
  }

  EmittedCase& case_;
  const Graph& g_;
  std::size_t number_;
  const Target& target_;
  loops::Module module_;
  std::vector<Environment> environments_;
  Draw random_;
};

std::string Case::struct_text(const char* name, const std::vector<std::uint32_t>& members) const {
  std::string text = fmt::format("struct {} {{\n", name);
  for (std::uint32_t b : members) {
    const auto& buffer = module_.buffers[b];
    text += fmt::format("  alignas(64) {} {}[{}];\n", element_type(buffer.type.dtype), buffer.name,
                        std::max<std::int64_t>(buffer.elements, 1));
  }
  return text + "};\n";
}

// Values in and out are in the order of this text.
std::string Case::source() const {
  std::string text = fmt::format("namespace case{} {{\n", number_);
  text += struct_text("Parameters", module_.parameters) + struct_text("State", module_.state);
  text += fmt::format("struct Workspace {{\n  alignas(64) unsigned char data[{}];\n}};\n\n",
                      std::max<std::int64_t>(module_.workspace_bytes, 1));
  text += kernels_to_text(module_, target_) + "\n";
  for (std::size_t k = 0; k < module_.functions.size(); ++k) {
    const auto& f = module_.functions[k];
    const bool reports = f.entry == Entry::step || f.entry == Entry::evaluate;
    if (reports) {
      text += fmt::format("struct result_{} {{\n", k);
      for (std::uint32_t b : f.outputs) {
        text += fmt::format("  {} {};\n", element_type(module_.buffers[b].type.dtype),
                            module_.buffers[b].name);
      }
      text += "};\n";
    }
    const bool grid = target_.grid();
    text += fmt::format("{} function_{}(", reports && !grid ? fmt::format("result_{}", k) : "void", k);
    std::string args = grid ? "[[maybe_unused]] gradc::Device& device, " : "";
    args += "[[maybe_unused]] Parameters& parameters, [[maybe_unused]] State& state, "
                       "[[maybe_unused]] Workspace& workspace, [[maybe_unused]] Parameters& gradients";
    for (DimId d : f.dims) {
      args += fmt::format(", [[maybe_unused]] std::int64_t {}", module_.dims[d.value].name);
    }
    for (std::uint32_t b : f.inputs) {
      args += fmt::format(", [[maybe_unused]] const {}* {}", element_type(module_.buffers[b].type.dtype),
                          module_.buffers[b].name);
    }
    if (!reports) {
      for (std::uint32_t b : f.outputs) {
        args += fmt::format(", {}* {}", element_type(module_.buffers[b].type.dtype),
                            module_.buffers[b].name);
      }
    }
    args += ", [[maybe_unused]] std::uint64_t seed";
    if (reports && grid) args += fmt::format(", [[maybe_unused]] result_{}* result", k);
    if (!f.work.empty()) args += ", gradc::Team* team = nullptr";
    text += args + ") {\n";
    if (reports && !grid) text += fmt::format("  result_{} result{{}};\n", k);
    text += body_to_text(module_, f, target_);
    if (reports && !grid) text += "  return result;\n";
    text += "}\n\n";
  }
  text += "void run(Values& values) {\n";
  for (const Dim& d : module_.dims) {
    text += fmt::format("  [[maybe_unused]] const std::int64_t {} = values.count();\n", d.name);
  }
  text += "  auto given_parameters = std::make_unique<Parameters>();\n"
          "  auto given_state = std::make_unique<State>();\n";
  for (const auto* members : {&module_.parameters, &module_.state}) {
    for (std::uint32_t b : *members) {
      const auto& buffer = module_.buffers[b];
      text += fmt::format("  values.fill(given_{}->{}, {});\n",
                          buffer.storage == Storage::parameter ? "parameters" : "state", buffer.name,
                          buffer.elements);
    }
  }
  text += "  auto workspace = workspace_of_nan<Workspace>();\n";
  for (std::size_t k = 0; k < module_.functions.size(); ++k) {
    const auto& f = module_.functions[k];
    text += "  {\n";
    if (f.entry != Entry::backward) text += "    workspace = workspace_of_nan<Workspace>();\n";
    text += "    auto parameters = copy_of(*given_parameters);\n"
            "    auto state = copy_of(*given_state);\n"
            "    auto gradients = copy_of(*std::make_unique<Parameters>());\n";
    std::string args = target_.grid() ? "the_device(), " : "";
    args += "*parameters, *state, *workspace, *gradients";
    for (DimId d : f.dims) args += ", " + module_.dims[d.value].name;
    for (std::size_t i = 0; i < f.inputs.size(); ++i) {
      const auto& buffer = module_.buffers[f.inputs[i]];
      text += fmt::format("    auto in_{} = tensor<{}>(values, {});\n", i,
                          element_type(buffer.type.dtype), count(buffer.type.shape));
      args += fmt::format(", in_{}.get()", i);
    }
    const bool reports = f.entry == Entry::step || f.entry == Entry::evaluate;
    for (std::size_t i = 0; i < f.outputs.size() && !reports; ++i) {
      const auto& buffer = module_.buffers[f.outputs[i]];
      text += fmt::format("    auto out_{} = zeros<{}>({});\n", i,
                          element_type(buffer.type.dtype), count(buffer.type.shape));
      args += fmt::format(", out_{}.get()", i);
    }
    args += ", 77u";
    if (reports && target_.grid()) {
      text += fmt::format("    auto reported = copy_of(result_{0}{{}});\n    function_{0}({1}, &*reported);\n"
                          "    const auto result = *reported.operator->();\n", k, args);
    } else {
      text += fmt::format("    {}function_{}({});\n", reports ? "const auto result = " : "", k, args);
    }
    for (std::size_t i = 0; i < f.outputs.size(); ++i) {
      const auto& buffer = module_.buffers[f.outputs[i]];
      text += reports ? fmt::format("    values.write(&result.{}, 1);\n", buffer.name)
                      : fmt::format("    values.write(host(out_{}), {});\n", i,
                                    count(buffer.type.shape));
    }
    for (std::uint32_t b : f.gradients) {
      text += fmt::format("    values.write(gradients->{}, {});\n", module_.buffers[b].name,
                          module_.buffers[b].elements);
    }
    if (f.entry == Entry::init || f.entry == Entry::step) {
      for (const auto* members : {&module_.parameters, &module_.state}) {
        for (std::uint32_t b : *members) {
          text += fmt::format("    values.write({}->{}, {});\n",
                              module_.buffers[b].storage == Storage::parameter ? "parameters" : "state",
                              module_.buffers[b].name, module_.buffers[b].elements);
        }
      }
    }
    text += "  }\n";
  }
  return text + fmt::format("}}\n}}  // namespace case{}\n\n", number_);
}

void Case::write_inputs(const Environment& environment, std::vector<double>& in) const {
  for (const Dim& d : g_.dims()) {
    const auto it = environment.dims.find(d.name);
    in.push_back(static_cast<double>(it == environment.dims.end() ? d.bound : it->second));
  }
  auto add = [&](const std::string& name) {
    const auto& data = environment.values.at(name).data;
    in.insert(in.end(), data.begin(), data.end());
  };
  for (std::uint32_t b : module_.parameters) add(module_.buffers[b].spec_name);
  for (std::uint32_t b : module_.state) add(module_.buffers[b].spec_name);
  for (const auto& f : module_.functions) {
    for (std::size_t i = 0; i < f.inputs.size(); ++i) add(name_in_graph(f, i));
  }
}

void Case::expect(const Graph& g, const Environment& environment, Expected& expected) const {
  for (const auto& f : module_.functions) {
    Environment env = environment;
    env.seed = 77;
    env.step = 0;
    if (!f.counter.empty()) {
      const auto& counter = module_.buffers[f.counter[0]].spec_name;
      env.step = static_cast<std::uint32_t>(env.values.at(counter).data[0]);
    }
    const auto& s = spec(g, f);
    std::vector<std::pair<std::string, NodeId>> wanted;
    if (f.entry == Entry::backward) {
      std::vector<std::pair<std::string, NodeId>> parameters;
      for (std::size_t k = 0; k < s.gradients.size(); ++k) {
        bool input = false;
        for (std::uint32_t b : f.outputs) input = input || module_.buffers[b].spec_name == s.gradients[k].name;
        (input ? wanted : parameters).emplace_back(s.gradients[k].name, s.gradients[k].node);
      }
      wanted.insert(wanted.end(), parameters.begin(), parameters.end());
    } else {
      const bool evaluates = f.entry == loops::Entry::evaluate;
      for (const Output& o : evaluates ? evaluated(s) : s.outputs) wanted.emplace_back(o.name, o.node);
    }
    std::vector<NodeId> roots;
    for (const auto& [name, node] : wanted) roots.push_back(node);
    std::vector<Array> values = interpret(g, roots, env);
    if (f.entry == Entry::init || f.entry == Entry::step) {
      std::map<std::string, NodeId> news;
      for (const Update& u : s.updates) news[g[u.target].name] = u.value;
      for (const auto* members : {&module_.parameters, &module_.state}) {
        for (std::uint32_t b : *members) {
          const auto& name = module_.buffers[b].spec_name;
          const auto it = news.find(name);
          values.push_back(it == news.end() ? env.values.at(name) : interpret(g, {it->second}, env)[0]);
          wanted.emplace_back(name, it == news.end() ? NodeId{} : it->second);
        }
      }
    }
    for (std::size_t k = 0; k < values.size(); ++k) {
      const DType dtype = wanted[k].second.valid() ? g[wanted[k].second].type.dtype : DType::f64;
      double norm = 0;
      for (double v : values[k].data) norm = std::max(norm, std::isfinite(v) ? std::fabs(v) : 0);
      expected.tensors.push_back({fmt::format("{}: {} of {}", case_.name, wanted[k].first, f.spec_name),
                                  tolerance(g, dtype) * std::max(norm, 1e-3), values[k].data.size()});
      expected.values.insert(expected.values.end(), values[k].data.begin(), values[k].data.end());
    }
  }
}

}  // namespace

Graph graph_of(const std::string& text) {
  Sources sources;
  sources.add("prelude.nn", "");
  const std::uint32_t file = sources.add("graph.nn", text);
  Diagnostics diagnostics;
  Graph g = text_to_graph(sources, file, diagnostics);
  GRADC_CHECK(!diagnostics.has_errors(), render(diagnostics, sources));
  return g;
}

std::string products_of_layer(std::int64_t m, std::int64_t n, std::int64_t k, bool rectified) {
  return fmt::format(
      "net f(x: f32[{0}, {2}] = \"x\", dy: f32[{0}, {1}] = \"dy\") -> y: f32[{0}, {1}], dw: f32[{2}, {1}], "
      "dx: f32[{0}, {2}] {{\n"
      "  w = parameter(\"w\", f32[{2}, {1}])\n  b = parameter(\"b\", f32[{1}])\n"
      "{3}"
      "  z[i in 0..{0}-1, j in 0..{1}-1] = sum[k in 0..{2}-1] {4}[i, k] * w[k, j]\n"
      "  y[i in 0..{0}-1, j in 0..{1}-1] = max(z[i, j] + b[j], 0.0)\n"
      "  dw[k in 0..{2}-1, j in 0..{1}-1] = sum[i in 0..{0}-1] x[i, k] * dy[i, j]\n"
      "  dx[i in 0..{0}-1, k in 0..{2}-1] = sum[j in 0..{1}-1] dy[i, j] * w[k, j]\n}}\n",
      m, n, k, rectified ? fmt::format("  h[i in 0..{}-1, k in 0..{}-1] = max(x[i, k], 0.0)\n", m, k) : "", rectified ? "h" : "x");
}

std::vector<std::string> run_emitted(std::vector<EmittedCase> cases, const Target& target,
                                     const EmittedOptions& options) {
  EmittedCounts ignored;
  std::vector<Case> all;
  all.reserve(cases.size());
  std::string source, calls;
  std::vector<double> in;
  Expected expected;
  for (std::size_t k = 0; k < cases.size(); ++k) {
    all.emplace_back(cases[k], k, target);
    source += all[k].source();
    for (std::size_t call = 0; call < all[k].calls(); ++call) {
      calls += fmt::format("  case{}::run(values);\n", k);
    }
    all[k].write_inputs(in);
    all[k].expect(expected, options.counts ? *options.counts : ignored);
  }
  if (options.plant) options.plant(source);
  return run_programs(source, calls, in, expected, target, options.builds);
}

}  // namespace test

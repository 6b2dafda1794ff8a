// compare.cpp: see compare.h.
#include "tool/compare.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "dsl/check.h"
#include "dsl/random_environment.h"

namespace gradc {
namespace {

using Sizes = std::map<std::string, std::int64_t>;

// As emitted code holds it: gradients of rounded and unrounded inputs differ, so both sides get
// rounded ones.
double rounded(double value, DType type) {
  return type == DType::f32 ? static_cast<double>(static_cast<float>(value)) : value;
}

// A portable generator; std::normal_distribution is not the same everywhere.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : bits_(seed) {}
  double uniform() { return static_cast<double>(bits_() >> 11) * 0x1p-53; }
  double normal() {
    return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(6.283185307179586 * uniform());
  }

 private:
  std::mt19937_64 bits_;
};

class Comparer {
 public:
  Comparer(const Graph& graph, const Compiled& compiled, Emitted& emitted, std::uint64_t seed)
      : graph_(graph),
        module_(compiled.module),
        emitted_(emitted),
        seed_(seed) {}

  std::vector<Comparison> all() {
    for (const Function& function : graph_.functions)
      if (function.kind == FunctionKind::init) compare_init(function);
    for (const std::int64_t size : {std::int64_t{1}, std::int64_t{7}}) {
      bool differs = size == 1;
      Sizes sizes;
      for (const Dim& dim : graph_.dims()) {
        sizes[dim.name] = std::min(size, dim.bound);
        differs |= sizes[dim.name] > 1;
      }
      if (!differs) continue;
      sizes_ = sizes;
      integers_.clear();
      size_ = size;
      where_ = sizes.empty() ? "" : size == 1 ? ", dims 1" : ", dims 7";
      for (const Function& function : graph_.functions) {
        if (function.kind == FunctionKind::net) compare_net(function);
        if (function.kind == FunctionKind::step) compare_step(function);
      }
    }
    return std::move(comparisons_);
  }

 private:
  void add(const Function& function, const std::string& what, const std::string& value,
           const Array& expected, const Array& got) {
    GRADC_CHECK(expected.data.size() == got.data.size(),
                "both sides have as many elements: " + value);
    double difference = 0, norm = 0;
    for (std::size_t k = 0; k < expected.data.size(); ++k) {
      const double a = expected.data[k], b = got.data[k];
      if (std::isnan(a) && std::isnan(b)) continue;
      if (std::isinf(a) && a == b) continue;
      difference += (a - b) * (a - b);
      norm += a * a;
    }
    Comparison row{
        function.name, what + where_, value, static_cast<std::int64_t>(expected.data.size()), 0,
        false};
    // Values that are all but zero are held to an absolute measure: nothing is relative to nothing.
    row.error = std::sqrt(difference) / std::max(std::sqrt(norm), 1e-2);
    row.passed = row.error <= emitted_tolerance;  // false for NaN
    comparisons_.push_back(std::move(row));
  }

  std::vector<std::int64_t> shape_at_sizes(const Shape& shape) const {
    std::vector<std::int64_t> extents;
    for (const Extent& extent : shape)
      extents.push_back(
          extent.offset +
          (extent.is_fixed() ? 0 : extent.scale * sizes_.at(graph_.dim(extent.dim).name)));
    return extents;
  }

  const std::map<std::string, Array>& integers_of(const Function& function) {
    const auto [place, added] = integers_.try_emplace(function.name);
    if (added) {
      DrawOptions options;
      options.seed = seed_;
      options.largest_dim = size_;
      place->second = random_environment(graph_, function, options).values;
    }
    return place->second;
  }

  Array random_value(const Function& function, NodeId id, Draw& draw) {
    const Node& node = graph_[id];
    Array value{shape_at_sizes(node.type.shape), {}};
    std::int64_t count = 1;
    for (const std::int64_t extent : value.shape) count *= extent;
    // What subscripts a tensor lies inside at the sizes of this call.
    if (node.type.dtype == DType::i32) return integers_of(function).at(node.name);
    for (std::int64_t k = 0; k < count; ++k) switch (node.type.dtype) {
        case DType::boolean:
          value.data.push_back(draw.uniform() < 0.5);
          break;
        default:
          value.data.push_back(rounded(draw.normal(), node.type.dtype));
      }
    return value;
  }

  // The interpreter's environment: what the emitted program holds now, and the inputs.
  Environment environment(const Function& function, const std::vector<NodeId>& inputs,
                          const std::vector<Array>& values) const {
    Environment result;
    result.dims = sizes_;
    result.values = emitted_.parameters();
    for (auto& [name, value] : emitted_.state()) result.values.emplace(name, value);
    for (std::size_t k = 0; k < inputs.size(); ++k)
      result.values[graph_[inputs[k]].name] = values[k];
    for (const loops::Function& f : module_.functions)
      if (f.spec_name == function.name && f.entry == loops::Entry::step && !f.counter.empty())
        result.step = static_cast<std::uint32_t>(
            result.values.at(module_.buffers[f.counter[0]].spec_name).data.at(0));
    return result;
  }

  void compare_updates(const Function& function, const std::string& what,
                       const Environment& after) {
    std::map<std::string, Array> got = emitted_.parameters();
    got.merge(emitted_.state());
    for (const Update& update : function.updates) {
      const std::string& name = graph_[update.target].name;
      add(function, what, name, after.values.at(name), got.at(name));
    }
  }

  void compare_init(const Function& function) {
    emitted_.init(seed_);
    Environment environment;
    environment.seed = seed_;
    run(graph_, function, environment);
    compare_updates(function, "initial values", environment);
  }

  void compare_net(const Function& function) {
    emitted_.init(seed_);
    Draw draw(seed_ + 1);
    std::vector<NodeId> ids = function.inputs;
    std::vector<Array> values;
    for (const NodeId id : ids) values.push_back(random_value(function, id, draw));
    Environment before = environment(function, ids, values);
    before.seed = seed_;
    std::vector<NodeId> outputs, gradients;
    for (const Output& output : function.outputs) outputs.push_back(output.node);
    const std::vector<Array> expected = interpret(graph_, outputs, before);
    const EmittedResult forward =
        emitted_.call(function.name, EmittedKind::forward, sizes_, values, seed_);
    for (std::size_t k = 0; k < expected.size(); ++k)
      add(function, "forward", function.outputs[k].name, expected[k], forward.outputs[k]);
    if (function.gradients.empty()) return;

    for (const NodeId id : function.cotangents) {
      ids.push_back(id);
      values.push_back(random_value(function, id, draw));
      before.values[graph_[id].name] = values.back();
    }
    for (const Output& gradient : function.gradients) gradients.push_back(gradient.node);
    const std::vector<Array> expected_gradients = interpret(graph_, gradients, before);
    const EmittedResult backward =
        emitted_.call(function.name, EmittedKind::backward, sizes_, values, seed_);
    for (std::size_t k = 0; k < gradients.size(); ++k) {
      const std::string& name =
          function.gradients[k].name;  // "d" and a parameter's or an input's name
      const Array* got = nullptr;
      if (const auto found = backward.gradients.find(name.substr(1));
          found != backward.gradients.end())
        got = &found->second;
      for (std::size_t n = 0; n < backward.names.size(); ++n)
        if (ends_with_name(backward.names[n], name)) got = &backward.outputs[n];
      GRADC_CHECK(got != nullptr, "the emitted backward function gives " + name);
      add(function, "backward", name, expected_gradients[k], *got);
    }
  }

  static bool ends_with_name(const std::string& a, const std::string& b) {
    return a == b || a.ends_with("." + b) || b.ends_with("." + a);
  }

  void compare_step(const Function& function) {
    emitted_.init(seed_);
    Draw draw(seed_ + 2);
    for (const char* what : {"step", "second step"}) {
      std::vector<Array> values;
      for (const NodeId id : function.inputs) values.push_back(random_value(function, id, draw));
      Environment before = environment(function, function.inputs, values);
      before.seed = seed_;
      const std::vector<Array> reports = reports_of(function, before);
      const EmittedResult evaluated =
          emitted_.call(function.name, EmittedKind::evaluate, sizes_, values, seed_);
      for (std::size_t k = 0; k < reports.size(); ++k)
        add(function, "evaluate", function.outputs[k].name, reports[k], evaluated.outputs[k]);

      const std::vector<Array> expected = run(graph_, function, before);
      const EmittedResult got =
          emitted_.call(function.name, EmittedKind::step, sizes_, values, seed_);
      for (std::size_t k = 0; k < expected.size(); ++k)
        add(function, what, function.outputs[k].name, expected[k], got.outputs[k]);
      compare_updates(function, what, before);
    }
  }

  std::vector<Array> reports_of(const Function& function, const Environment& environment) const {
    std::vector<NodeId> outputs;
    for (const Output& output : evaluated(function)) outputs.push_back(output.node);
    return interpret(graph_, outputs, environment);
  }

  const Graph& graph_;
  const loops::Module& module_;
  Emitted& emitted_;
  std::uint64_t seed_;
  Sizes sizes_;
  std::int64_t size_ = 1;                                      // of run-time dims, where their bound allows
  std::map<std::string, std::map<std::string, Array>> integers_;  // by function: values of its inputs
  std::string where_;
  std::vector<Comparison> comparisons_;
};

}  // namespace

std::vector<Comparison> compare_emitted(const Graph& graph, const Compiled& compiled,
                                        Emitted& emitted, std::uint64_t seed) {
  return Comparer(graph, compiled, emitted, seed).all();
}

}  // namespace gradc

// compare.cpp: see compare.h.
#include "tool/compare.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "dsl/check.h"
#include "dsl/random_environment.h"
#include "dsl/round_otherwise.h"

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

// The norm of a difference, in which values that are no numbers on both sides alike are none.
double distance(const Array& a, const Array& b) {
  GRADC_CHECK(a.data.size() == b.data.size(), "both sides have as many elements");
  double sum = 0;
  for (std::size_t k = 0; k < a.data.size(); ++k) {
    if (a.data[k] == b.data[k] || (std::isnan(a.data[k]) && std::isnan(b.data[k]))) continue;
    sum += (a.data[k] - b.data[k]) * (a.data[k] - b.data[k]);
  }
  return std::sqrt(sum);
}

double norm_of(const Array& a) {
  double sum = 0;
  for (const double v : a.data) sum += std::isfinite(v) ? v * v : 0;
  return std::sqrt(sum);
}

// Nothing is no part of nothing.
double over(double part, double whole) { return part == 0 ? 0 : part / whole; }

std::vector<NodeId> nodes_of(const std::vector<Output>& outputs) {
  std::vector<NodeId> nodes;
  for (const Output& output : outputs) nodes.push_back(output.node);
  return nodes;
}
std::vector<std::string> names_of(const std::vector<Output>& outputs) {
  std::vector<std::string> names;
  for (const Output& output : outputs) names.push_back(output.name);
  return names;
}
std::vector<NodeId> outputs_of(const Function& f) { return nodes_of(f.outputs); }
std::vector<NodeId> evaluated_of(const Function& f) { return nodes_of(evaluated(f)); }
std::vector<NodeId> gradients_of(const Function& f) { return nodes_of(f.gradients); }
std::vector<NodeId> updates_of(const Function& f) {
  std::vector<NodeId> nodes;
  for (const Update& update : f.updates) nodes.push_back(update.value);
  return nodes;
}

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
  // What emitted code gave for the values of `roots`, which are named.
  void compare(const Function& function, const std::string& what, std::vector<NodeId> (*roots)(const Function&),
               const Environment& environment, const std::vector<std::string>& names, const std::vector<Array>& got) {
    const std::vector<Array> expected = interpret(graph_, roots(function), environment);
    GRADC_CHECK(expected.size() == got.size(), "both sides have as many values");
    std::vector<std::size_t> off;
    const std::size_t first = comparisons_.size();
    for (std::size_t k = 0; k < expected.size(); ++k) {
      Comparison row{function.name, what + where_, names[k], static_cast<std::int64_t>(expected[k].data.size())};
      row.error = over(distance(expected[k], got[k]), norm_of(expected[k]));
      if (!(row.error <= emitted_tolerance)) off.push_back(k);  // NaN too
      comparisons_.push_back(std::move(row));
    }
    if (off.empty()) return;
    const std::vector<double> moves = moved_by_rounding(function, roots, off, environment, expected);
    for (std::size_t n = 0; n < off.size(); ++n) {
      Comparison& row = comparisons_[first + off[n]];
      row.rounding = over(moves[n], norm_of(expected[off[n]]));
      const bool explained = distance(expected[off[n]], got[off[n]]) <= 3 * moves[n];
      row.agreement = !explained                       ? Agreement::differs
                      : row.rounding <= undecided_from ? Agreement::agrees
                                                       : Agreement::undecided;
    }
  }

  // How far those of the roots get from what is expected, at most, when every operation is rounded otherwise.
  std::vector<double> moved_by_rounding(const Function& function, std::vector<NodeId> (*roots)(const Function&),
                                        const std::vector<std::size_t>& which, const Environment& environment,
                                        const std::vector<Array>& expected) {
    if (rounded_.empty()) rounded_ = rounded_otherwise(graph_);
    const auto number = static_cast<std::size_t>(&function - graph_.functions.data());
    std::vector<double> moves(which.size());
    for (const Graph& other : rounded_) {
      const std::vector<NodeId> all = roots(other.functions[number]);
      std::vector<NodeId> chosen;
      for (const std::size_t k : which) chosen.push_back(all[k]);
      const std::vector<Array> values = interpret(other, chosen, environment);
      for (std::size_t n = 0; n < which.size(); ++n) {
        const double by = distance(expected[which[n]], values[n]);
        if (std::isfinite(by)) moves[n] = std::max(moves[n], by);
      }
    }
    return moves;
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

  void compare_updates(const Function& function, const std::string& what, const Environment& before) {
    std::map<std::string, Array> now = emitted_.parameters();
    now.merge(emitted_.state());
    std::vector<std::string> names;
    std::vector<Array> got;
    for (const Update& update : function.updates) {
      names.push_back(graph_[update.target].name);
      got.push_back(now.at(names.back()));
    }
    compare(function, what, updates_of, before, names, got);
  }

  void compare_init(const Function& function) {
    emitted_.init(seed_);
    Environment before;
    before.seed = seed_;
    compare_updates(function, "initial values", before);
  }

  void compare_net(const Function& function) {
    emitted_.init(seed_);
    Draw draw(seed_ + 1);
    std::vector<NodeId> ids = function.inputs;
    std::vector<Array> values;
    for (const NodeId id : ids) values.push_back(random_value(function, id, draw));
    Environment before = environment(function, ids, values);
    before.seed = seed_;
    const EmittedResult forward =
        emitted_.call(function.name, EmittedKind::forward, sizes_, values, seed_);
    compare(function, "forward", outputs_of, before, names_of(function.outputs), forward.outputs);
    if (function.gradients.empty()) return;

    for (const NodeId id : function.cotangents) {
      ids.push_back(id);
      values.push_back(random_value(function, id, draw));
      before.values[graph_[id].name] = values.back();
    }
    const EmittedResult backward =
        emitted_.call(function.name, EmittedKind::backward, sizes_, values, seed_);
    std::vector<Array> got;
    for (const Output& gradient : function.gradients) {
      const std::string& name = gradient.name;  // "d" and a parameter's or an input's name
      const Array* found = nullptr;
      if (const auto it = backward.gradients.find(name.substr(1)); it != backward.gradients.end()) found = &it->second;
      for (std::size_t n = 0; n < backward.names.size(); ++n)
        if (ends_with_name(backward.names[n], name)) found = &backward.outputs[n];
      GRADC_CHECK(found != nullptr, "the emitted backward function gives " + name);
      got.push_back(*found);
    }
    compare(function, "backward", gradients_of, before, names_of(function.gradients), got);
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
      const std::vector<std::string> names = names_of(function.outputs);
      const EmittedResult evaluation =
          emitted_.call(function.name, EmittedKind::evaluate, sizes_, values, seed_);
      compare(function, "evaluate", evaluated_of, before, names, evaluation.outputs);
      const EmittedResult got =
          emitted_.call(function.name, EmittedKind::step, sizes_, values, seed_);
      compare(function, what, outputs_of, before, names, got.outputs);
      compare_updates(function, what, before);
    }
  }

  const Graph& graph_;
  const loops::Module& module_;
  Emitted& emitted_;
  std::uint64_t seed_;
  Sizes sizes_;
  std::int64_t size_ = 1;                                      // of run-time dims, where their bound allows
  std::map<std::string, std::map<std::string, Array>> integers_;  // by function: values of its inputs
  std::string where_;
  std::vector<Graph> rounded_;  // once one was needed
  std::vector<Comparison> comparisons_;
};

}  // namespace

std::vector<Comparison> compare_emitted(const Graph& graph, const Compiled& compiled,
                                        Emitted& emitted, std::uint64_t seed) {
  return Comparer(graph, compiled, emitted, seed).all();
}

}  // namespace gradc

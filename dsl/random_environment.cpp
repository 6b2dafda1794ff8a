// random_environment.cpp: draws inputs that a function can be evaluated at.
#include "dsl/random_environment.h"

#include <algorithm>
#include <map>
#include <random>

namespace gradc {
namespace {

// The same numbers with every standard library.
struct Random {
  std::mt19937_64 bits;
  double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(bits() >> 11) * 0x1p-53;
  }
};

std::int64_t extent(const Graph& g, const Extent& e, const Environment& environment) {
  return e.is_fixed() ? e.offset : e.offset + e.scale * environment.dims.at(g.dim(e.dim).name);
}

// How many values an integer tensor may take, from 0 on: what its uses allow.
class IntegerRanges {
 public:
  IntegerRanges(const Graph& graph, const Environment& e, const std::vector<NodeId>& order)
      : g(graph), environment(e) {
    // Users first, so that what a copy of a tensor subscripts limits the tensor as well.
    for (auto it = order.rbegin(); it != order.rend(); ++it) {
      const Node& n = g[*it];
      if (n.kind == NodeKind::reshape) limit(n.operand, count(*it));
      if (n.kind != NodeKind::comprehension) continue;
      if (n.type.dtype == DType::i32 && limits_.contains(*it)) limit_reads(n.body, limits_[*it]);
      seen_.assign(g.scalar_count(), false);
      visit(n.body, n.ranges);
    }
  }

  std::int64_t count(NodeId id) const {
    if (auto it = limits_.find(id); it != limits_.end()) return it->second;
    if (auto it = compared_.find(id); it != compared_.end()) return it->second;
    return 10;
  }

 private:
  void limit(NodeId id, std::int64_t n) {
    const auto [it, added] = limits_.emplace(id, n);
    if (!added) it->second = std::min(it->second, n);
  }

  // A scalar that must be less than n: so must the tensors it is read from, or an offset less.
  void limit_reads(ScalarId id, std::int64_t n) {
    const Scalar& s = g[id];
    if (s.kind == ScalarKind::read && s.dtype == DType::i32)
      limit(s.tensor, std::max<std::int64_t>(n, 1));
    if (s.kind != ScalarKind::apply) return;
    if (s.fn == Fn::mod) return;
    for (ScalarId a : s.args) limit_reads(a, s.fn == Fn::add ? n - least_other(s, a) : n);
  }
  std::int64_t least_other(const Scalar& sum, ScalarId one) const {
    const Scalar& other = g[sum.args[0] == one ? sum.args[1] : sum.args[0]];
    return other.kind == ScalarKind::literal ? static_cast<std::int64_t>(other.value) : 0;
  }

  void compare(ScalarId tensor, ScalarId with, const Shape& ranges) {
    if (g[tensor].kind != ScalarKind::read || g[tensor].dtype != DType::i32) return;
    const Scalar& s = g[with];
    std::int64_t n = 0;
    if (s.kind == ScalarKind::index) n = extent(g, ranges[s.index], environment);
    if (s.kind == ScalarKind::literal) n = static_cast<std::int64_t>(s.value) + 1;
    if (n < 1) return;
    std::int64_t& known = compared_[g[tensor].tensor];
    known = std::max(known, n);
  }

  void visit(ScalarId id, const Shape& ranges) {
    if (seen_[id.value]) return;
    seen_[id.value] = true;
    const Scalar& s = g[id];
    if (s.kind == ScalarKind::read) {
      for (std::size_t k = 0; k < s.args.size(); ++k) {
        limit_reads(s.args[k], extent(g, g[s.tensor].type.shape[k], environment));
      }
    }
    if (s.kind == ScalarKind::apply && s.fn >= Fn::eq && s.fn <= Fn::ge) {
      compare(s.args[0], s.args[1], ranges);
      compare(s.args[1], s.args[0], ranges);
    }
    for (ScalarId a : s.args) visit(a, ranges);
  }

  const Graph& g;
  const Environment& environment;
  std::map<NodeId, std::int64_t> limits_;    // from subscripts: never more
  std::map<NodeId, std::int64_t> compared_;  // from comparisons: more would never be met
  std::vector<bool> seen_;
};

}  // namespace

Environment random_environment(const Graph& g, const Function& f, const DrawOptions& options) {
  Environment environment;
  environment.seed = options.seed;
  for (const Dim& d : g.dims()) environment.dims[d.name] = std::min(d.bound, options.largest_dim);

  std::vector<NodeId> roots = roots_of(f);
  for (const Minimize& m : f.minimizes) {
    roots.push_back(m.loss);
    roots.insert(roots.end(), m.parameters.begin(), m.parameters.end());
  }
  roots.insert(roots.end(), f.inputs.begin(), f.inputs.end());
  roots.insert(roots.end(), f.cotangents.begin(), f.cotangents.end());
  for (const Update& u : f.updates) roots.push_back(u.target);
  const std::vector<NodeId> order = topological_order(g, roots);
  const IntegerRanges integers(g, environment, order);

  Random random{std::mt19937_64(options.seed)};
  auto fill = [&](NodeId id, auto&& value) {
    Array a;
    std::int64_t count = 1;
    for (const Extent& e : g[id].type.shape) {
      a.shape.push_back(extent(g, e, environment));
      count *= a.shape.back();
    }
    for (std::int64_t k = 0; k < count; ++k) a.data.push_back(value());
    environment.values[g[id].name] = std::move(a);
  };
  for (NodeId id : order) {
    const Node& n = g[id];
    const bool initialised = n.kind == NodeKind::parameter || n.kind == NodeKind::state;
    if (n.kind == NodeKind::input) {
      if (is_float(n.type.dtype)) {
        fill(id, [&] { return random.uniform(options.low, options.high); });
      } else {
        const std::int64_t values = n.type.dtype == DType::boolean ? 2 : integers.count(id);
        fill(id, [&] {
          return static_cast<double>(random.bits() % static_cast<std::uint64_t>(values));
        });
      }
    } else if (initialised && n.operand.valid()) {
      Array a = interpret(g, {n.operand}, environment).at(0);
      for (double& v : a.data) {
        if (n.kind == NodeKind::parameter && is_float(n.type.dtype)) v += random.uniform(-0.1, 0.1);
      }
      environment.values[n.name] = std::move(a);
    } else if (initialised) {
      const double reach = n.kind == NodeKind::parameter ? 0.5 : 0;
      fill(id, [&] { return random.uniform(-reach, reach); });
    }
  }
  return environment;
}

}  // namespace gradc

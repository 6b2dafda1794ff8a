// calculus.h: small graphs with values, and derivatives by finite differences to hold against them.
#pragma once

#include <cmath>
#include <map>
#include <random>

#include "catch.h"
#include "dsl/differentiate.h"
#include "dsl/graph.h"
#include "dsl/interpret.h"
#include "dsl/verify.h"

namespace test {

using namespace gradc;

// A graph and the values of its inputs.
struct World {
  Graph g;
  Environment env;
  std::map<std::string, NodeId> leaves = {};
  std::mt19937 random{7};

  NodeId leaf(const std::string& name, Shape shape, DType dtype = DType::f64,
              NodeKind kind = NodeKind::input) {
    Node n;
    n.kind = kind;
    n.type = {dtype, std::move(shape)};
    n.name = name;
    return leaves[name] = g.add(std::move(n));
  }
  // An input with uniform values from low to high.
  NodeId input(const std::string& name, Shape shape, double low = -1, double high = 1,
               DType dtype = DType::f64) {
    const NodeId id = leaf(name, std::move(shape), dtype);
    Array a = blank(g[id].type.shape);
    for (double& v : a.data) v = std::uniform_real_distribution<>(low, high)(random);
    env.values[name] = std::move(a);
    return id;
  }
  NodeId integers(const std::string& name, Shape shape, int count) {
    const NodeId id = leaf(name, std::move(shape), DType::i32);
    Array a = blank(g[id].type.shape);
    for (double& v : a.data) v = std::uniform_int_distribution<>(0, count - 1)(random);
    env.values[name] = std::move(a);
    return id;
  }
  std::int64_t extent(const Extent& e) const {
    if (e.is_fixed()) return e.offset;
    const auto it = env.dims.find(g.dim(e.dim).name);
    return e.offset + e.scale * (it == env.dims.end() ? g.dim(e.dim).bound : it->second);
  }
  Array blank(const Shape& shape) const {
    Array a;
    std::size_t count = 1;
    for (const Extent& e : shape) {
      a.shape.push_back(extent(e));
      count *= static_cast<std::size_t>(a.shape.back());
    }
    a.data.resize(count);
    return a;
  }

  // Scalars, in short.
  ScalarId i(std::uint32_t k) { return g.index(k); }
  ScalarId n(double v) { return g.literal(v, DType::i32); }
  ScalarId real(double v, DType t = DType::f64) { return g.literal(v, t); }
  ScalarId at(NodeId t, std::vector<ScalarId> subscripts) {
    return g.read(t, std::move(subscripts));
  }
  ScalarId pad(NodeId t, std::vector<ScalarId> subscripts) {
    return g.read(t, std::move(subscripts), true);
  }
  ScalarId own(NodeId t) {
    std::vector<ScalarId> s;
    for (std::uint32_t k = 0; k < g[t].type.rank(); ++k) s.push_back(i(k));
    return g.read(t, s);
  }
  ScalarId f(Fn fn, ScalarId a) { return g.apply(fn, {a}); }
  ScalarId f(Fn fn, ScalarId a, ScalarId b) { return g.apply(fn, {a, b}); }
  ScalarId add(ScalarId a, ScalarId b) { return f(Fn::add, a, b); }
  ScalarId sub(ScalarId a, ScalarId b) { return f(Fn::sub, a, b); }
  ScalarId mul(ScalarId a, ScalarId b) { return f(Fn::mul, a, b); }
  ScalarId div(ScalarId a, ScalarId b) { return f(Fn::div, a, b); }
  ScalarId select(ScalarId c, ScalarId a, ScalarId b) { return g.apply(Fn::select, {c, a, b}); }
  NodeId each(Shape shape, ScalarId body) {
    const std::size_t rank = shape.size();
    return g.comprehension(rank, std::move(shape), Reduction::none, body);
  }
  NodeId reduce(Reduction r, std::size_t rank, Shape ranges, ScalarId body) {
    return g.comprehension(rank, std::move(ranges), r, body);
  }
  NodeId sum(std::size_t rank, Shape ranges, ScalarId body) {
    return reduce(Reduction::sum, rank, std::move(ranges), body);
  }
  // A scalar that depends on every element of `y` differently.
  NodeId weighted(NodeId y) {
    const Shape shape = g[y].type.shape;
    const NodeId w = input("weight" + std::to_string(y.value), shape, 0.5, 1.5, g[y].type.dtype);
    const ScalarId term = mul(own(w), own(y));
    return shape.empty() ? each({}, term) : sum(0, shape, term);
  }

  std::vector<double> value(NodeId id) const { return interpret(g, {id}, env)[0].data; }

  // d loss / d (values of the input `name`) by central differences.
  std::vector<double> numeric(NodeId loss, const std::string& name, double eps = 1e-6) {
    std::vector<double> result;
    for (double& x : env.values.at(name).data) {
      const double saved = x;
      x = saved + eps;
      const double above = value(loss).at(0);
      x = saved - eps;
      const double below = value(loss).at(0);
      x = saved;
      result.push_back((above - below) / (2 * eps));
    }
    return result;
  }
};

// Relative to the largest element: differences of sums cancel.
inline bool close(const std::vector<double>& a, const std::vector<double>& b, double rtol,
                  double atol = 1e-8) {
  if (a.size() != b.size()) return false;
  double scale = 0;
  for (double v : b) scale = std::max(scale, std::fabs(v));
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (!(std::fabs(a[k] - b[k]) <= rtol * scale + atol)) return false;
  }
  return true;
}

// An integer form of the indices.
inline ScalarId affine(World& w, std::int64_t constant,
                       const std::vector<std::int64_t>& coefficients) {
  Affine a;
  a.constant = constant;
  a.coefficients.assign(coefficients.begin(), coefficients.end());
  return from_affine(w.g, a);
}

// A dim of at most 5 with a value.
inline Extent batch(World& w, std::int64_t value) {
  const Extent B(w.g.add_dim({"B", 5}));
  w.env.dims["B"] = value;
  return B;
}

// The symbolic gradient of `loss` by each of `names` against central differences.
inline void check_gradient(World& w, NodeId loss, const std::vector<std::string>& names) {
  std::vector<NodeId> wrt;
  for (const std::string& name : names) wrt.push_back(w.leaves.at(name));
  const std::vector<NodeId> found = gradients(w.g, loss, wrt);
  for (std::size_t k = 0; k < names.size(); ++k) {
    Function f;
    f.name = "check";
    f.outputs = {{"d", found[k]}};
    w.g.functions = {f};
    verify(w.g, "differentiate");
    INFO("gradient by " << names[k]);
    const std::vector<double> symbolic = w.value(found[k]), numeric = w.numeric(loss, names[k]);
    CAPTURE(symbolic, numeric);
    CHECK(close(symbolic, numeric, 1e-5));
  }
}

}  // namespace test

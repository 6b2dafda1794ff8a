// interpret.cpp: the interpreter against numbers computed by hand.
#include "dsl/interpret.h"

#include <cmath>
#include <limits>

#include "dsl/check.h"
#include "gradc/philox.h"
#include "tests/catch.h"

namespace {

using namespace gradc;

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

NodeId input(Graph& g, const char* name, DType dtype, Shape shape) {
  Node n;
  n.kind = NodeKind::input;
  n.name = name;
  n.type = {dtype, std::move(shape)};
  return g.add(std::move(n));
}

Array value(const Graph& g, NodeId id, const Environment& e = {}) {
  return interpret(g, {id}, e).at(0);
}

// fn of literals, as a scalar tensor.
double value_of(Fn fn, std::vector<double> args, DType dtype = DType::f64) {
  Graph g;
  std::vector<ScalarId> literals;
  for (double x : args) literals.push_back(g.literal(x, dtype));
  if (fn == Fn::select) literals[0] = g.literal(args[0], DType::boolean);
  return value(g, g.comprehension(0, {}, Reduction::none, g.apply(fn, literals))).data.at(0);
}

bool is_nan(double x) {
  return std::isnan(x);
}

}  // namespace

TEST_CASE("a dense layer by hand") {
  Graph g;
  const DimId B = g.add_dim({"B", 8});
  const NodeId x = input(g, "x", DType::f32, {Extent(B), 2});
  const NodeId W = input(g, "W", DType::f32, {2, 3});
  const NodeId b = input(g, "b", DType::f32, {3});
  const NodeId z = g.comprehension(
      2, {Extent(B), 3, 2}, Reduction::sum,
      g.apply(Fn::mul, {g.read(x, {g.index(0), g.index(2)}), g.read(W, {g.index(2), g.index(1)})}));
  const NodeId y = g.comprehension(
      2, {Extent(B), 3}, Reduction::none,
      g.apply(Fn::max,
              {g.apply(Fn::add, {g.read(z, {g.index(0), g.index(1)}), g.read(b, {g.index(1)})}),
               g.literal(0)}));
  Environment e;
  e.dims["B"] = 2;
  e.values["x"] = {{2, 2}, {1, 2, 3, -4}};
  e.values["W"] = {{2, 3}, {1, 0, -1, 2, 1, 0.5}};
  e.values["b"] = {{3}, {0.5, 0, -1}};
  // z = [1+4, 2, -1+1; 3-8, -4, -3-2]
  CHECK(value(g, z, e).data == std::vector<double>{5, 2, 0, -5, -4, -5});
  CHECK(value(g, y, e).shape == std::vector<std::int64_t>{2, 3});
  CHECK(value(g, y, e).data == std::vector<double>{5.5, 2, 0, 0, 0, 0});
}

TEST_CASE("reductions by hand") {
  const std::vector<double> row = {2, -1, 4, 4, -1};
  auto reduced = [](Reduction r, const std::vector<double>& values) {
    Graph g;
    const NodeId x = input(g, "x", DType::f64, {static_cast<std::int64_t>(values.size())});
    const NodeId y = g.comprehension(0, g[x].type.shape, r, g.read(x, {g.index(0)}));
    Environment e;
    e.values["x"] = {{static_cast<std::int64_t>(values.size())}, values};
    const Array result = value(g, y, e);
    CHECK(result.shape.empty());
    return result.data.at(0);
  };
  CHECK(reduced(Reduction::sum, row) == 8);
  CHECK(reduced(Reduction::prod, row) == 32);
  CHECK(reduced(Reduction::max, row) == 4);
  CHECK(reduced(Reduction::min, row) == -1);
  CHECK(reduced(Reduction::argmax, row) == 2);
  CHECK(reduced(Reduction::argmin, row) == 1);
  CHECK(reduced(Reduction::argmax, {-infinity, -infinity}) == 0);
  for (const std::vector<double>& with_nan :
       {std::vector<double>{1, not_a_number, 5, not_a_number}, {not_a_number, 1, 0, 2}}) {
    CHECK(is_nan(reduced(Reduction::sum, with_nan)));
    CHECK(is_nan(reduced(Reduction::max, with_nan)));
    CHECK(is_nan(reduced(Reduction::min, with_nan)));
    CHECK(reduced(Reduction::argmax, with_nan) == (is_nan(with_nan[0]) ? 0 : 1));
    CHECK(reduced(Reduction::argmin, with_nan) == (is_nan(with_nan[0]) ? 0 : 1));
  }
}

TEST_CASE("argmax counts row-major positions of all reduced indices") {
  Graph g;
  const NodeId x = input(g, "x", DType::f32, {2, 2, 3});
  const NodeId y = g.comprehension(1, {2, 2, 3}, Reduction::argmax,
                                   g.read(x, {g.index(0), g.index(1), g.index(2)}));
  CHECK(g[y].type.dtype == DType::i32);
  Environment e;
  e.values["x"] = {{2, 2, 3}, {0, 1, 2, 3, 9, 5, 7, 1, 2, 7, 4, 5}};
  CHECK(value(g, y, e).data == std::vector<double>{4, 0});
}

TEST_CASE("scalar functions") {
  CHECK(value_of(Fn::neg, {2}) == -2);
  CHECK(value_of(Fn::sub, {2, 5}) == -3);
  CHECK(value_of(Fn::div, {1, 4}) == 0.25);
  CHECK(value_of(Fn::pow, {not_a_number, 0}) == 1);
  CHECK(value_of(Fn::pow, {2, -2}) == 0.25);
  CHECK(value_of(Fn::max, {2, 5}) == 5);
  CHECK(value_of(Fn::min, {2, 5}) == 2);
  for (Fn fn : {Fn::max, Fn::min}) {
    CHECK(is_nan(value_of(fn, {not_a_number, 1})));
    CHECK(is_nan(value_of(fn, {1, not_a_number})));
  }
  CHECK(value_of(Fn::lt, {1, 2}) == 1);
  CHECK(value_of(Fn::ge, {1, 2}) == 0);
  CHECK(value_of(Fn::eq, {not_a_number, not_a_number}) == 0);
  CHECK(value_of(Fn::ne, {not_a_number, not_a_number}) == 1);
  CHECK(value_of(Fn::logical_and, {1, 0}, DType::boolean) == 0);
  CHECK(value_of(Fn::logical_or, {1, 0}, DType::boolean) == 1);
  CHECK(value_of(Fn::logical_not, {0}, DType::boolean) == 1);
  CHECK(value_of(Fn::logistic, {0}) == 0.5);
  CHECK(value_of(Fn::logistic, {-800}) == 0);
  CHECK(value_of(Fn::logistic, {800}) == 1);
  CHECK(value_of(Fn::log1pexp, {0}) == test::Approx(std::log(2.0)).epsilon(1e-15));
  CHECK(value_of(Fn::log1pexp, {800}) == 800);
  CHECK(value_of(Fn::log1pexp, {-800}) == 0);
  CHECK(value_of(Fn::expm1, {1e-20}) == 1e-20);
  CHECK(value_of(Fn::log1p, {1e-20}) == 1e-20);
  CHECK(value_of(Fn::erf, {0.5}) == test::Approx(0.5204998778130465).epsilon(1e-15));
  CHECK(value_of(Fn::tanh, {1}) == test::Approx(0.7615941559557649).epsilon(1e-15));
  CHECK(value_of(Fn::sign, {-3}) == -1);
  CHECK(value_of(Fn::sign, {0}) == 0);
  CHECK(value_of(Fn::round, {2.5}) == 2);
  CHECK(value_of(Fn::round, {3.5}) == 4);
  CHECK(value_of(Fn::floor, {-0.5}) == -1);
  CHECK(value_of(Fn::ceil, {0.5}) == 1);
  CHECK(value_of(Fn::detach, {3}) == 3);
}

TEST_CASE("integers divide towards minus infinity and stay exact") {
  for (int n : {-7, -6, -1, 0, 1, 6, 7}) {
    CHECK(value_of(Fn::floor_div, {double(n), 3}, DType::i32) == std::floor(n / 3.0));
    CHECK(value_of(Fn::mod, {double(n), 3}, DType::i32) == (n % 3 + 3) % 3);
  }
  CHECK(value_of(Fn::mul, {46341, 46340}, DType::i32) == 2147441940);
  CHECK_THROWS_AS(value_of(Fn::mod, {1, 0}, DType::i32), EvaluationError);
}

TEST_CASE("casts") {
  Graph g;
  auto cast = [&](double x, DType from, DType to) {
    return value(g, g.comprehension(0, {}, Reduction::none, g.cast(g.literal(x, from), to)))
        .data[0];
  };
  CHECK(cast(2.9, DType::f32, DType::i32) == 2);
  CHECK(cast(-2.9, DType::f32, DType::i32) == -2);
  CHECK(cast(0.5, DType::f32, DType::boolean) == 1);
  CHECK(cast(1, DType::boolean, DType::f64) == 1);
  CHECK(cast(0.1, DType::f64, DType::f32) == 0.1);  // no rounding: this is double precision
}

TEST_CASE("select evaluates only what it chooses") {
  Graph g;
  const NodeId x = input(g, "x", DType::f32, {3});
  const ScalarId i = g.index(0);
  const ScalarId previous = g.apply(Fn::sub, {i, g.literal(1, DType::i32)});
  const NodeId y =
      g.comprehension(1, {3}, Reduction::none,
                      g.apply(Fn::select, {g.apply(Fn::gt, {i, g.literal(0, DType::i32)}),
                                           g.read(x, {previous}), g.literal(-1)}));
  Environment e;
  e.values["x"] = {{3}, {5, 6, 7}};
  CHECK(value(g, y, e).data == std::vector<double>{-1, 5, 6});
  CHECK(value_of(Fn::select, {1, 2, not_a_number}) == 2);
  CHECK(value_of(Fn::select, {0, not_a_number, 3}) == 3);
}

TEST_CASE("reads outside a tensor") {
  Graph g;
  const NodeId E = input(g, "embedding", DType::f32, {3, 2});
  const NodeId ids = input(g, "ids", DType::i32, {2});
  auto gather = [&](bool zero_outside) {
    return g.comprehension(2, {2, 2}, Reduction::none,
                           g.read(E, {g.read(ids, {g.index(0)}), g.index(1)}, zero_outside));
  };
  Environment e;
  e.values["embedding"] = {{3, 2}, {1, 2, 3, 4, 5, 6}};
  e.values["ids"] = {{2}, {2, 0}};
  CHECK(value(g, gather(false), e).data == std::vector<double>{5, 6, 1, 2});
  for (double bad : {3.0, -1.0}) {
    e.values["ids"].data[1] = bad;
    CHECK(value(g, gather(true), e).data == std::vector<double>{5, 6, 0, 0});
    CHECK_THROWS_WITH(value(g, gather(false), e), test::contains("embedding") &&
                                                      test::contains(bad < 0 ? "-1" : "3") &&
                                                      test::contains("0..2"));
  }
}

TEST_CASE("sizes and reshapes follow the run-time dim") {
  Graph g;
  const DimId B = g.add_dim({"B", 4});
  const NodeId x = input(g, "x", DType::f64, {Extent(B), 2});
  Extent twice;
  twice.scale = 2;
  twice.dim = B;
  Node reshape;
  reshape.kind = NodeKind::reshape;
  reshape.type = {DType::f64, {twice}};
  reshape.operand = x;
  const NodeId flat = g.add(reshape);
  const NodeId y = g.comprehension(
      1, {twice}, Reduction::none,
      g.apply(Fn::div, {g.read(flat, {g.index(0)}), g.cast(g.size(Extent(B)), DType::f64)}));
  Environment e;
  e.dims["B"] = 2;
  e.values["x"] = {{2, 2}, {1, 2, 3, 4}};
  CHECK(value(g, y, e).data == std::vector<double>{0.5, 1, 1.5, 2});
  CHECK(value(g, y, e).shape == std::vector<std::int64_t>{4});
  e.dims["B"] = 5;
  CHECK_THROWS_WITH(value(g, y, e), test::contains("dim B is 5"));
  e.dims.clear();  // the bound
  CHECK_THROWS_WITH(value(g, y, e), test::contains("x has shape [2, 2], not [4, 2]"));
  e.values.clear();
  CHECK_THROWS_WITH(value(g, y, e), test::contains("x has no value"));
}

TEST_CASE("random nodes follow seed, step and stream") {
  Graph g;
  Node n;
  n.kind = NodeKind::random;
  n.type = {DType::f32, {2, 3}};
  n.distribution = Distribution::normal;
  n.a = 1;
  n.b = 2;
  n.stream = 5;
  const NodeId z = g.add(n);
  n.distribution = Distribution::uniform;
  const NodeId u = g.add(n);
  Environment e;
  e.seed = 11;
  e.step = 4;
  for (int i = 0; i < 6; ++i) {
    CHECK(value(g, z, e).data[i] == random_normal(11, 4, 5, i, 1, 2));
    CHECK(value(g, u, e).data[i] == random_uniform(11, 4, 5, i, 1, 2));
  }
}

TEST_CASE("run computes every update from the old values") {
  Graph g;
  Node n;
  n.kind = NodeKind::parameter;
  n.type = {DType::f64, {}};
  n.name = std::string("p");
  const NodeId p = g.add(n);
  n.kind = NodeKind::state;
  n.name = std::string("q");
  const NodeId q = g.add(n);
  auto sum =
      g.comprehension(0, {}, Reduction::none, g.apply(Fn::add, {g.read(p, {}), g.read(q, {})}));
  auto copy = g.comprehension(0, {}, Reduction::none, g.read(p, {}));
  Function f;
  f.kind = FunctionKind::step;
  f.outputs = {{"s", sum}};
  f.updates = {{p, sum}, {q, copy}};
  Environment e;
  e.values["p"] = {{}, {1}};
  e.values["q"] = {{}, {1}};
  std::vector<double> sums;
  for (int i = 0; i < 5; ++i) sums.push_back(run(g, f, e).at(0).data.at(0));
  CHECK(sums == std::vector<double>{2, 3, 5, 8, 13});
}

TEST_CASE("a value shared by many expressions is computed once") {
  Graph g;
  ScalarId x = g.literal(1, DType::f64);
  for (int i = 0; i < 60; ++i) x = g.apply(Fn::add, {x, x});  // 2^60 paths
  CHECK(value(g, g.comprehension(0, {}, Reduction::none, x)).data[0] == std::ldexp(1.0, 60));
}

TEST_CASE("gradient nodes are refused") {
  Graph g;
  const NodeId x = input(g, "x", DType::f64, {});
  Node n;
  n.kind = NodeKind::gradient;
  n.type = {DType::f64, {}};
  n.operand = n.wrt = x;
  Environment e;
  e.values["x"] = {{}, {1}};
  CHECK_THROWS_AS(value(g, g.add(n), e), InternalError);
}

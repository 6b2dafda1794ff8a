// derivatives.cpp: every scalar function's derivative against central differences and dual numbers.
#include "dsl/derivatives.h"

#include <functional>

#include "calculus.h"

using namespace test;

namespace {

// A number and its derivative, carried through the textbook rules; shares nothing with the table.
struct Dual {
  double v = 0, d = 0;
};
double sigma(double x) {
  return 1 / (1 + std::exp(-x));
}

Dual forward(Fn fn, Dual a, Dual b) {
  switch (fn) {
    case Fn::neg:
      return {-a.v, -a.d};
    case Fn::add:
      return {a.v + b.v, a.d + b.d};
    case Fn::sub:
      return {a.v - b.v, a.d - b.d};
    case Fn::mul:
      return {a.v * b.v, a.d * b.v + a.v * b.d};
    case Fn::div:
      return {a.v / b.v, (a.d * b.v - a.v * b.d) / (b.v * b.v)};
    case Fn::pow: {
      const double y = std::pow(a.v, b.v);
      double d = b.v * std::pow(a.v, b.v - 1) * a.d;
      if (b.d != 0) d += y * std::log(a.v) * b.d;
      return {y, d};
    }
    case Fn::min:
      return a.v < b.v ? a : b;
    case Fn::max:
      return a.v > b.v ? a : b;
    case Fn::exp:
      return {std::exp(a.v), std::exp(a.v) * a.d};
    case Fn::expm1:
      return {std::expm1(a.v), std::exp(a.v) * a.d};
    case Fn::log:
      return {std::log(a.v), a.d / a.v};
    case Fn::log1p:
      return {std::log1p(a.v), a.d / (1 + a.v)};
    case Fn::sqrt:
      return {std::sqrt(a.v), a.d / (2 * std::sqrt(a.v))};
    case Fn::sin:
      return {std::sin(a.v), std::cos(a.v) * a.d};
    case Fn::cos:
      return {std::cos(a.v), -std::sin(a.v) * a.d};
    case Fn::tan:
      return {std::tan(a.v), a.d / (std::cos(a.v) * std::cos(a.v))};
    case Fn::atan:
      return {std::atan(a.v), a.d / (1 + a.v * a.v)};
    case Fn::tanh:
      return {std::tanh(a.v), a.d / (std::cosh(a.v) * std::cosh(a.v))};
    case Fn::erf:
      return {std::erf(a.v), 2 / std::sqrt(M_PI) * std::exp(-a.v * a.v) * a.d};
    case Fn::logistic:
      return {sigma(a.v), sigma(a.v) * sigma(-a.v) * a.d};
    case Fn::log1pexp:
      return {std::log(1 + std::exp(a.v)), sigma(a.v) * a.d};
    case Fn::abs:
      return {std::fabs(a.v), a.v < 0 ? -a.d : a.d};
    default:
      return {0, 0};  // piecewise constant, or cut on purpose
  }
}

struct Range {
  Fn fn;
  double low, high;    // of the first argument
  double low2, high2;  // of the second
};

const std::vector<Range> ranges = {
    {Fn::neg, -3, 3, 0, 0},     {Fn::add, -3, 3, -3, 3},     {Fn::sub, -3, 3, -3, 3},
    {Fn::mul, -3, 3, -3, 3},    {Fn::div, -3, 3, 0.3, 3},    {Fn::pow, 0.2, 3, -2, 3},
    {Fn::min, -3, 3, -3, 3},    {Fn::max, -3, 3, -3, 3},     {Fn::exp, -4, 4, 0, 0},
    {Fn::expm1, -4, 4, 0, 0},   {Fn::log, 0.1, 9, 0, 0},     {Fn::log1p, -0.9, 9, 0, 0},
    {Fn::sqrt, 0.1, 9, 0, 0},   {Fn::sin, -6, 6, 0, 0},      {Fn::cos, -6, 6, 0, 0},
    {Fn::tan, -1.3, 1.3, 0, 0}, {Fn::atan, -6, 6, 0, 0},     {Fn::tanh, -4, 4, 0, 0},
    {Fn::erf, -3, 3, 0, 0},     {Fn::logistic, -9, 9, 0, 0}, {Fn::log1pexp, -9, 9, 0, 0},
    {Fn::abs, -3, 3, 0, 0},     {Fn::sign, -3, 3, 0, 0},     {Fn::floor, -3, 3, 0, 0},
    {Fn::ceil, -3, 3, 0, 0},    {Fn::round, -3, 3, 0, 0},
};

// y[i] = fn(x[i]) or fn(x[i], z[i]), as the root of its comprehension and as a part of it.
NodeId applied(World& w, const Range& r, bool nested) {
  const NodeId x = w.input("x", {64}, r.low, r.high);
  std::vector<ScalarId> args{w.own(x)};
  if (info(r.fn).arity == 2) args.push_back(w.own(w.input("z", {64}, r.low2, r.high2)));
  const ScalarId y = w.g.apply(r.fn, args);
  return w.each({64}, nested ? w.mul(y, w.add(y, w.real(1))) : y);
}

}  // namespace

TEST_CASE("scalar derivatives agree with central differences") {
  for (const Range& r : ranges) {
    for (bool nested : {false, true}) {
      INFO(info(r.fn).name << (nested ? ", nested" : ""));
      World w;
      const NodeId loss = w.weighted(applied(w, r, nested));
      check_gradient(w, loss,
                     info(r.fn).arity == 2 ? std::vector<std::string>{"x", "z"}
                                           : std::vector<std::string>{"x"});
    }
  }
}

TEST_CASE("scalar derivatives agree with dual numbers") {
  for (const Range& r : ranges) {
    INFO(info(r.fn).name);
    World w;
    const NodeId y = applied(w, r, false);
    const NodeId loss = w.sum(0, {64}, w.own(y));
    const bool two = info(r.fn).arity == 2;
    const std::vector<double> x = w.env.values["x"].data;
    const std::vector<double> z = two ? w.env.values["z"].data : std::vector<double>(64);
    std::vector<double> dx, dz;
    for (std::size_t k = 0; k < 64; ++k) {
      dx.push_back(forward(r.fn, {x[k], 1}, {z[k], 0}).d);
      dz.push_back(forward(r.fn, {x[k], 0}, {z[k], 1}).d);
    }
    CHECK(close(w.value(gradients(w.g, loss, {w.leaves.at("x")})[0]), dx, 1e-12, 1e-12));
    if (two) CHECK(close(w.value(gradients(w.g, loss, {w.leaves.at("z")})[0]), dz, 1e-12, 1e-12));
  }
}

TEST_CASE("every float function is in the derivative test") {
  for (int k = 0; k <= static_cast<int>(Fn::detach); ++k) {
    const Fn fn = static_cast<Fn>(k);
    const bool listed =
        std::any_of(ranges.begin(), ranges.end(), [&](const Range& r) { return r.fn == fn; });
    const bool other = info(fn).result != FnResult::same || fn == Fn::select ||
                       fn == Fn::floor_div || fn == Fn::mod || fn == Fn::detach;
    INFO(info(fn).name);
    CHECK(listed != other);
  }
}

TEST_CASE("a planted wrong derivative is caught") {
  // d tanh = 1 - y, not 1 - y²; both tests must see it.
  World w;
  const NodeId x = w.input("x", {64}, -4, 4);
  const NodeId y = w.each({64}, w.f(Fn::tanh, w.own(x)));
  const NodeId loss = w.sum(0, {64}, w.own(y));
  const std::vector<double> wrong = w.value(w.each({64}, w.sub(w.real(1), w.own(y))));
  CHECK_FALSE(close(wrong, w.numeric(loss, "x"), 1e-5));
  CHECK(close(w.value(gradients(w.g, loss, {x})[0]), w.numeric(loss, "x"), 1e-5));
}

TEST_CASE("derivatives at corners") {
  World w;
  const NodeId x = w.leaf("x", {4});
  w.env.values["x"] = {{4}, {0, 0, -2, 3}};
  auto derivative = [&](ScalarId body) {
    const NodeId loss = w.sum(0, {4}, w.own(w.each({4}, body)));
    return w.value(gradients(w.g, loss, {x})[0]);
  };
  const ScalarId v = w.own(x), zero = w.real(0);
  CHECK(derivative(w.f(Fn::pow, v, w.real(0))) == std::vector<double>{0, 0, 0, 0});
  CHECK(derivative(w.f(Fn::pow, v, w.real(1))) == std::vector<double>{1, 1, 1, 1});
  CHECK(derivative(w.f(Fn::pow, v, w.real(2))) == std::vector<double>{0, 0, -4, 6});
  CHECK(derivative(w.f(Fn::pow, v, w.real(3))) == std::vector<double>{0, 0, 12, 27});
  CHECK(derivative(w.f(Fn::max, v, zero)) == std::vector<double>{0, 0, 0, 1});
  CHECK(derivative(w.f(Fn::abs, v)) == std::vector<double>{0, 0, -1, 1});
  // What is not chosen never leaks: log and 1/x are infinite at 0.
  const ScalarId positive = w.f(Fn::gt, v, zero);
  CHECK(derivative(w.select(positive, w.f(Fn::log, v), zero)) ==
        std::vector<double>{0, 0, 0, 1.0 / 3});
  CHECK(derivative(w.select(positive, w.f(Fn::sqrt, w.f(Fn::sqrt, v)), v))[0] == 1);
  CHECK(derivative(w.f(Fn::max, w.f(Fn::log, w.f(Fn::abs, v)), w.real(0.5)))[1] == 0);
  CHECK(derivative(w.f(Fn::detach, v)) == std::vector<double>{0, 0, 0, 0});
  // A variable exponent at base 0.
  const NodeId p = w.leaf("p", {4});
  w.env.values["p"] = {{4}, {0, 2, 2, 2}};
  const NodeId loss = w.sum(0, {4}, w.f(Fn::pow, v, w.own(p)));
  const std::vector<NodeId> both = gradients(w.g, loss, {x, p});
  CHECK(w.value(both[0])[0] == 0);
  CHECK(w.value(both[1])[0] == 0);
}

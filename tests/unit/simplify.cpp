// simplify.cpp: the algebra finds the gradients of the textbook, and changes no value.
#include "dsl/simplify.h"

#include <chrono>

#include "calculus.h"
#include "dsl/graph_to_text.h"
#include "dsl/simplify_scalar.h"

using namespace test;

namespace {

NodeId gradient_of(World& w, NodeId loss, NodeId wrt) {
  Node n;
  n.kind = NodeKind::gradient;
  n.type = w.g[wrt].type;
  n.operand = loss;
  n.wrt = wrt;
  return w.g.add(n);
}

// What a compilation does: simplify, differentiate, simplify; checked after every stage. Values
// before and after must agree, and the gradient with central differences.
struct Compiled {
  NodeId loss;
  std::vector<NodeId> gradients;
};
Compiled compile(World& w, NodeId loss, const std::vector<std::string>& wrt) {
  const std::vector<double> before = w.value(loss);
  Function f;
  f.name = "f";
  f.outputs = {{"loss", loss}};
  for (const std::string& name : wrt) {
    f.gradients.push_back({"d" + name, gradient_of(w, loss, w.leaves.at(name))});
  }
  w.g.functions = {f};
  verify(w.g, "ast_to_graph");
  simplify(w.g);
  verify(w.g, "simplify");
  differentiate(w.g);
  verify(w.g, "differentiate");
  simplify(w.g);
  verify(w.g, "simplify");
  const Function& done = w.g.functions[0];
  Compiled c{done.outputs[0].node, {}};
  CHECK(close(w.value(c.loss), before, 1e-12));
  UNSCOPED_INFO(graph_to_text(w.g));
  for (std::size_t k = 0; k < wrt.size(); ++k) {
    c.gradients.push_back(done.gradients[k].node);
    INFO("gradient by " << wrt[k]);
    CHECK(close(w.value(c.gradients.back()), w.numeric(c.loss, wrt[k]), 1e-5));
  }
  return c;
}

NodeId mean(World& w, const Shape& ranges, ScalarId body) {
  const NodeId s = w.sum(0, ranges, body);
  ScalarId count = w.g.cast(w.g.size(ranges[0]), DType::f64);
  for (std::size_t k = 1; k < ranges.size(); ++k) {
    count = w.mul(count, w.g.cast(w.g.size(ranges[k]), DType::f64));
  }
  return w.each({}, w.div(w.at(s, {}), count));
}

// The gradient of compile(…) must be exactly this node.
void check_is(World& w, const Compiled& c, NodeId expected, std::size_t which = 0) {
  CHECK(formula(w.g, c.gradients.at(which)) == formula(w.g, expected));
  CHECK(c.gradients.at(which) == expected);
}

// m[b] = max x, s[b] = sum exp(x - m) and exp(x - m), as every softmax has them.
struct Exponentials {
  NodeId m, s;
  ScalarId e;
};
Exponentials exponentials(World& w, NodeId x) {
  const Shape shape = w.g[x].type.shape;
  Exponentials r;
  r.m = w.reduce(Reduction::max, 1, shape, w.own(x));
  r.e = w.f(Fn::exp, w.sub(w.own(x), w.at(r.m, {w.i(0)})));
  r.s = w.sum(1, shape, r.e);
  return r;
}

NodeId log_softmax(World& w, NodeId x) {
  const Exponentials e = exponentials(w, x);
  const ScalarId shifted = w.sub(w.own(x), w.at(e.m, {w.i(0)}));
  return w.each(w.g[x].type.shape, w.sub(shifted, w.f(Fn::log, w.at(e.s, {w.i(0)}))));
}

NodeId negative(World& w, NodeId scalar) {
  return w.each({}, w.f(Fn::neg, w.at(scalar, {})));
}

struct Softmax {
  NodeId m, e, s, p;
};
Softmax softmax(World& w, NodeId x) {
  const Shape shape = w.g[x].type.shape;
  Softmax r;
  r.m = w.reduce(Reduction::max, 1, shape, w.own(x));
  r.e = w.each(shape, w.f(Fn::exp, w.sub(w.own(x), w.at(r.m, {w.i(0)}))));
  r.s = w.sum(1, shape, w.own(r.e));
  r.p = w.each(shape, w.div(w.own(r.e), w.at(r.s, {w.i(0)})));
  return r;
}

}  // namespace

TEST_CASE("softmax and cross entropy of classes give (p - y) / B") {
  World w;
  const Extent B(w.g.add_dim({"B", 6}));
  const NodeId x = w.input("x", {B, 4}, -3, 3);
  const NodeId label = w.integers("label", {B}, 4);
  const ScalarId class_of = w.at(label, {w.i(0)});
  NodeId loss;
  SECTION("log(softmax(x))") {
    const NodeId p = softmax(w, x).p;
    const NodeId logp = w.each({B, 4}, w.f(Fn::log, w.own(p)));
    loss = negative(w, mean(w, {B}, w.at(logp, {w.i(0), class_of})));
  }
  SECTION("log of the chosen probability") {
    const NodeId p = softmax(w, x).p;
    loss = negative(w, mean(w, {B}, w.f(Fn::log, w.at(p, {w.i(0), class_of}))));
  }
  SECTION("log_softmax") {
    loss = negative(w, mean(w, {B}, w.at(log_softmax(w, x), {w.i(0), class_of})));
  }
  const Compiled c = compile(w, loss, {"x"});
  const Exponentials e = exponentials(w, x);
  const ScalarId p = w.div(e.e, w.at(e.s, {w.i(0)}));
  const ScalarId y = w.select(w.f(Fn::eq, class_of, w.i(1)), w.real(1), w.real(0));
  const ScalarId size = w.g.cast(w.g.size(B), DType::f64);
  check_is(w, c, w.each({B, 4}, w.div(w.sub(p, y), size)));
}

TEST_CASE("a reported softmax is shared with its gradient") {
  World w;
  const NodeId x = w.input("x", {6, 4}, -3, 3);
  const NodeId label = w.integers("label", {6}, 4);
  const NodeId p = softmax(w, x).p;
  const NodeId loss = mean(w, {6}, w.f(Fn::log, w.at(p, {w.i(0), w.at(label, {w.i(0)})})));
  Function f;
  f.name = "f";
  f.outputs = {{"p", p}, {"loss", loss}};
  f.gradients = {{"dx", gradient_of(w, loss, x)}};
  w.g.functions = {f};
  simplify(w.g);
  differentiate(w.g);
  simplify(w.g);
  const Function& done = w.g.functions[0];
  const std::vector<NodeId> reads = w.g.operands(done.gradients[0].node);
  INFO(graph_to_text(w.g));
  CHECK(std::find(reads.begin(), reads.end(), done.outputs[0].node) != reads.end());
  int exponentials = 0;  // evaluated once
  for (NodeId id : topological_order(w.g, roots_of(done))) {
    if (w.g[id].body.valid() && !is_cheap(w.g, w.g[id].body)) ++exponentials;
  }
  CHECK(exponentials <= 2);  // one exp, one log
}

TEST_CASE("cross entropy of distributions gives p sum y - y") {
  World w;
  const Extent B(w.g.add_dim({"B", 6}));
  const NodeId x = w.input("x", {B, 4}, -3, 3);
  const NodeId q = w.input("q", {B, 4}, 0, 1);
  const NodeId logp = log_softmax(w, x);
  const NodeId h = w.sum(1, {B, 4}, w.mul(w.own(q), w.own(logp)));
  const Compiled c = compile(w, mean(w, {B}, w.f(Fn::neg, w.own(h))), {"x"});
  const Exponentials e = exponentials(w, x);
  const NodeId total = w.sum(1, {B, 4}, w.own(q));
  const ScalarId scaled = w.mul(e.e, w.at(total, {w.i(0)}));
  const ScalarId p = w.div(scaled, w.at(e.s, {w.i(0)}));
  const ScalarId size = w.g.cast(w.g.size(B), DType::f64);
  check_is(w, c, w.each({B, 4}, w.div(w.sub(p, w.own(q)), size)));
}

TEST_CASE("no gradient passes the maximum of a softmax, whatever follows") {
  World w;
  const NodeId x = w.input("x", {5, 4}, -3, 3);
  const NodeId loss = w.weighted(softmax(w, x).p);
  const Compiled c = compile(w, loss, {"x"});
  for (NodeId id : topological_order(w.g, c.gradients)) {
    CHECK(w.g[id].reduction != Reduction::argmax);
  }
}

TEST_CASE("sigmoid and binary cross entropy give (sigma - y) / n") {
  World w;
  const Extent B(w.g.add_dim({"B", 6}));
  const NodeId z = w.input("z", {B}, -3, 3), y = w.input("y", {B}, 0, 1);
  const ScalarId one = w.real(1), minus = w.f(Fn::neg, w.own(z));
  const NodeId p = w.each({B}, w.div(one, w.add(one, w.f(Fn::exp, minus))));
  const ScalarId term = w.add(w.mul(w.own(y), w.f(Fn::log, w.own(p))),
                              w.mul(w.sub(one, w.own(y)), w.f(Fn::log, w.sub(one, w.own(p)))));
  const Compiled c = compile(w, negative(w, mean(w, {B}, term)), {"z"});
  const ScalarId size = w.g.cast(w.g.size(B), DType::f64);
  check_is(w, c, w.each({B}, w.div(w.sub(w.f(Fn::logistic, w.own(z)), w.own(y)), size)));
}

TEST_CASE("binary cross entropy of logits gives (sigma - y) / n") {
  World w;
  const NodeId z = w.input("z", {8}, -3, 3), y = w.input("y", {8}, 0, 1);
  const NodeId plus = w.each({8}, w.f(Fn::log, w.add(w.real(1), w.f(Fn::exp, w.own(z)))));
  const Compiled c = compile(w, mean(w, {8}, w.sub(w.own(plus), w.mul(w.own(y), w.own(z)))), {"z"});
  const ScalarId difference = w.sub(w.f(Fn::logistic, w.own(z)), w.own(y));
  check_is(w, c, w.each({8}, w.mul(w.real(0.125), difference)));
}

TEST_CASE("the Gaussian KL gives mu and sigma - 1 / sigma") {
  World w;
  const NodeId mu = w.input("mu", {6}, -3, 3), sigma = w.input("sigma", {6}, 0.5, 2);
  const ScalarId one = w.real(1), two = w.real(2);
  auto square = [&](NodeId t) { return w.f(Fn::pow, w.own(t), two); };
  const ScalarId inner =
      w.sub(w.sub(w.add(square(mu), square(sigma)), one), w.mul(two, w.f(Fn::log, w.own(sigma))));
  const Compiled c = compile(w, w.sum(0, {6}, w.mul(w.real(0.5), inner)), {"mu", "sigma"});
  check_is(w, c, mu, 0);
  check_is(w, c, w.each({6}, w.sub(w.own(sigma), w.div(one, w.own(sigma)))), 1);
}

TEST_CASE("the mean squared error gives 2 (y - t) / n") {
  World w;
  const Extent B(w.g.add_dim({"B", 6}));
  const NodeId y = w.input("y", {B, 4}), t = w.input("t", {B, 4});
  const NodeId d = w.each({B, 4}, w.sub(w.own(y), w.own(t)));
  const Compiled c = compile(w, mean(w, {B, 4}, w.mul(w.own(d), w.own(d))), {"y"});
  const ScalarId difference = w.sub(w.own(y), w.own(t));
  const ScalarId size = w.g.cast(w.g.size(B), DType::f64);
  check_is(w, c, w.each({B, 4}, w.div(w.mul(w.real(0.5), difference), size)));
}

TEST_CASE("naive exponentials are shifted by their maximum") {
  World w;
  const NodeId x = w.leaf("x", {2, 3});
  w.env.values["x"] = {{2, 3}, {1, 2, 3, -1, 0.5, 2}};
  NodeId y;
  SECTION("log of a sum of exponentials") {
    const NodeId s = w.sum(1, {2, 3}, w.f(Fn::exp, w.own(x)));
    y = w.each({2}, w.f(Fn::log, w.own(s)));
  }
  SECTION("a quotient of exponentials") {
    const NodeId e = w.each({2, 3}, w.f(Fn::exp, w.own(x)));
    const NodeId s = w.sum(1, {2, 3}, w.own(e));
    y = w.each({2, 3}, w.div(w.own(e), w.at(s, {w.i(0)})));
  }
  const Compiled c = compile(w, w.weighted(y), {"x"});
  int maxima = 0;  // once is enough
  for (NodeId id : topological_order(w.g, roots_of(w.g.functions[0]))) maxima += w.g[id].reduction == Reduction::max;
  CHECK(maxima == 1);
  for (double& v : w.env.values["x"].data) v *= 1000;
  CHECK(std::isfinite(w.value(c.loss)[0]));
  for (double v : w.value(c.gradients[0])) CHECK(std::isfinite(v));
}

TEST_CASE("sums over a position are contracted") {
  World w;
  const NodeId x = w.input("x", {5, 4}), label = w.integers("label", {5}, 4);
  const ScalarId class_of = w.at(label, {w.i(0)});
  auto simple = [&](NodeId id, NodeId other) {
    Function f;
    f.name = "f";
    f.outputs = {{"y", id}, {"other", other}};
    w.g.functions = {f};
    const std::vector<double> before = w.value(id);
    simplify(w.g);
    verify(w.g, "simplify");
    const NodeId after = w.g.functions[0].outputs[0].node;
    CHECK(w.value(after) == before);
    return after;
  };
  const ScalarId hit = w.f(Fn::eq, class_of, w.i(1));
  const NodeId y = w.sum(1, {5, 4}, w.select(hit, w.own(x), w.real(0)));
  const ScalarId chosen = w.at(x, {w.i(0), class_of});
  SECTION("a position used as a subscript elsewhere is inside") {
    const NodeId gather = w.each({5}, w.f(Fn::exp, chosen));
    CHECK(simple(y, gather) == w.each({5}, chosen));
  }
  SECTION("any other is checked") {
    const NodeId after = simple(y, label);
    CHECK(w.g[after].reduction == Reduction::none);
    w.env.values["label"].data = {0, -1, 4, 3, 2};
    CHECK(w.value(after) == w.value(y));
  }
  SECTION("a guarded gather proves nothing") {
    const NodeId gather =
        w.each({5}, w.select(w.f(Fn::ge, class_of, w.n(0)), w.f(Fn::exp, chosen), w.real(0)));
    const NodeId after = simple(y, gather);
    w.env.values["label"].data = {0, -1, 1, 3, 2};
    CHECK(w.value(after) == w.value(y));
  }
  SECTION("of an index, shifted and reversed") {
    const ScalarId at = w.f(Fn::eq, w.add(w.i(1), w.n(1)), w.sub(w.n(4), w.i(0)));
    const NodeId z = w.sum(1, {5, 4}, w.select(at, w.own(x), w.real(0)));
    CHECK(w.g[simple(z, x)].reduction == Reduction::none);
  }
}

TEST_CASE("what does not depend on the indices of a sum leaves it") {
  World w;
  const Extent B(w.g.add_dim({"B", 6}));
  const NodeId x = w.input("x", {4}), z = w.input("z", {4, B});
  const ScalarId a = w.at(x, {w.i(0)});
  Function f;
  f.name = "f";
  f.outputs = {{"factor", w.sum(1, {4, B}, w.mul(a, w.own(z)))},
               {"idle", w.sum(1, {4, B}, w.f(Fn::exp, a))},
               {"both", w.sum(1, {4, B}, w.add(w.own(z), a))},
               {"one", w.sum(1, {4, 1}, w.mul(a, a))}};
  w.g.functions = {f};
  simplify(w.g);
  verify(w.g, "simplify");
  const Function& done = w.g.functions[0];
  const NodeId total = w.sum(1, {4, B}, w.own(z));
  const ScalarId size = w.g.cast(w.g.size(B), DType::f64);
  CHECK(done.outputs[0].node == w.each({4}, w.mul(w.own(total), a)));
  CHECK(done.outputs[1].node == w.each({4}, w.mul(size, w.f(Fn::exp, a))));
  CHECK(done.outputs[3].node == w.each({4}, w.mul(a, a)));
  for (std::size_t k = 0; k < 4; ++k) {
    CHECK(close(w.value(done.outputs[k].node), w.value(f.outputs[k].node), 1e-14));
  }
}

TEST_CASE("polynomials collect terms but lose no digits") {
  World w;
  const NodeId x = w.input("x", {5}, 0.1, 1), y = w.input("y", {5}, 0.1, 1);
  const NodeId f = w.input("f", {5}), h = w.input("h", {5});
  const ScalarContext context{{5}, [](ScalarId) { return std::nullopt; }, false};
  auto simple = [&](ScalarId s) { return simplify_scalar(w.g, s, context); };
  const ScalarId a = w.own(x), b = w.own(y), c = w.own(f), d = w.own(h), one = w.real(1);
  CHECK(simple(w.sub(w.add(a, b), a)) == b);
  CHECK(simple(w.div(w.mul(a, b), a)) == b);
  CHECK(simple(w.mul(w.div(a, b), b)) == a);
  CHECK(simple(w.add(w.mul(a, c), w.mul(b, c))) == w.mul(w.add(a, b), c));
  CHECK(simple(w.sub(w.sub(one, a), w.sub(one, b))) == w.sub(b, a));
  // (1 - a) c + a d would become c + a (d - c), which cancels where a is near 1.
  const ScalarId mix = w.add(w.mul(w.sub(one, a), c), w.mul(a, d));
  CHECK(simple(mix) == mix);
  const ScalarId square = w.mul(w.sub(a, b), w.sub(a, b));
  CHECK(simple(square) == square);
  // A guarded value stays guarded.
  const ScalarId positive = w.f(Fn::gt, c, w.real(0)), also = w.f(Fn::gt, d, w.real(0));
  const ScalarId root = w.f(Fn::log, c);
  const ScalarId guarded =
      w.add(w.select(positive, root, w.real(0)), w.select(also, w.mul(root, d), w.real(0)));
  w.env.values["f"].data[0] = -1;
  w.env.values["h"].data[0] = -1;
  CHECK(w.value(w.each({5}, simple(guarded)))[0] == 0);
}

TEST_CASE("subscripts and conditions are decided by the ranges of indices") {
  World w;
  const Extent B(w.g.add_dim({"B", 6}));
  const ScalarContext context{{B, 4, 3}, [](ScalarId) { return std::nullopt; }, false};
  auto simple = [&](ScalarId s) { return simplify_scalar(w.g, s, context); };
  const ScalarId i = w.i(0), j = w.i(1), k = w.i(2);
  const ScalarId flat = w.add(w.mul(w.n(3), j), k);
  CHECK(simple(w.f(Fn::floor_div, flat, w.n(3))) == j);
  CHECK(simple(w.f(Fn::mod, flat, w.n(3))) == k);
  CHECK(simple(w.f(Fn::lt, i, w.g.size(B))) == w.g.literal(1, DType::boolean));
  CHECK(simple(w.f(Fn::ge, w.sub(i, w.g.size(B)), w.n(0))) == w.g.literal(0, DType::boolean));
  CHECK(simple(w.f(Fn::eq, j, w.n(4))) == w.g.literal(0, DType::boolean));
  CHECK(simple(w.f(Fn::lt, j, k)) == w.f(Fn::lt, j, k));
  CHECK(simple(w.sub(w.add(i, w.n(2)), w.n(2))) == i);
  const NodeId x = w.input("x", {B, 4});
  CHECK(simple(w.pad(x, {i, j})) == w.at(x, {i, j}));
  CHECK(simple(w.pad(x, {i, w.add(j, w.n(1))})) == w.pad(x, {i, w.add(j, w.n(1))}));
}

TEST_CASE("detach lasts until the gradients are taken") {
  World w;
  const NodeId x = w.input("x", {4});
  const NodeId loss = w.sum(0, {4}, w.mul(w.own(x), w.f(Fn::detach, w.own(x))));
  Function f;
  f.name = "f";
  f.gradients = {{"dx", gradient_of(w, loss, x)}};
  w.g.functions = {f};
  simplify(w.g);
  differentiate(w.g);
  simplify(w.g);
  CHECK(w.g.functions[0].gradients[0].node == x);  // not 2 x
}

TEST_CASE("a value differentiated by is kept whole") {
  World w;
  const NodeId x = w.input("x", {4});
  const NodeId h = w.each({4}, w.f(Fn::neg, w.own(x)));
  const NodeId loss = w.sum(0, {4}, w.f(Fn::exp, w.own(h)));
  Function f;
  f.name = "f";
  f.gradients = {{"dh", gradient_of(w, loss, h)}};
  w.g.functions = {f};
  simplify(w.g);
  differentiate(w.g);
  simplify(w.g);
  std::vector<double> expected;
  for (double v : w.env.values["x"].data) expected.push_back(std::exp(-v));
  CHECK(close(w.value(w.g.functions[0].gradients[0].node), expected, 1e-14));
}

TEST_CASE("what is costly is computed once, and only over its own indices") {
  World w;
  const Extent B(w.g.add_dim({"B", 6}));
  const NodeId t = w.input("t", {}, 1, 9), s = w.input("s", {B}, 1, 2), z = w.input("z", {B, 4});
  const ScalarId power = w.sub(w.real(1), w.f(Fn::pow, w.real(0.9), w.at(t, {})));
  const ScalarId log_s = w.f(Fn::log, w.at(s, {w.i(0)}));
  const NodeId y = w.each({B, 4}, w.sub(w.div(w.own(z), power), log_s));
  const NodeId total = w.sum(1, {B, 4}, w.mul(w.own(z), w.f(Fn::exp, w.own(z))));
  const NodeId e = w.each({B, 4}, w.mul(w.own(z), w.f(Fn::exp, w.own(z))));
  Function f;
  f.name = "f";
  f.outputs = {{"y", y}, {"total", total}, {"e", e}};
  w.g.functions = {f};
  simplify(w.g);
  verify(w.g, "simplify");
  INFO(graph_to_text(w.g));
  for (NodeId id : topological_order(w.g, roots_of(w.g.functions[0]))) {
    if (!w.g[id].body.valid() || is_cheap(w.g, w.g[id].body)) continue;
    for (std::uint32_t k = 0; k < w.g[id].ranges.size(); ++k) {
      CHECK(uses_index(w.g, w.g[id].body, k, k + 1));
    }
  }
  const std::vector<Output>& done = w.g.functions[0].outputs;
  CHECK(done[1].node == w.sum(1, {B, 4}, w.own(done[2].node)));
  for (std::size_t k = 0; k < 3; ++k) {
    CHECK(close(w.value(done[k].node), w.value(f.outputs[k].node), 1e-14));
  }
}

TEST_CASE("a guarded part is not computed outside its guard") {
  World w;
  const NodeId x = w.leaf("x", {4});
  w.env.values["x"] = {{4}, {1, 2, 3, 4}};
  const ScalarId at = w.sub(w.i(0), w.n(2));
  const ScalarId inside = w.f(Fn::ge, at, w.n(0));
  const NodeId y = w.each({6, 3}, w.select(inside, w.f(Fn::exp, w.at(x, {at})), w.real(0)));
  Function f;
  f.name = "f";
  f.outputs = {{"y", y}};
  w.g.functions = {f};
  simplify(w.g);
  verify(w.g, "simplify");
  CHECK(w.value(w.g.functions[0].outputs[0].node) == w.value(y));
}

TEST_CASE("labels survive") {
  World w;
  const NodeId x = w.input("x", {4});
  const NodeId y = w.each({4}, w.add(w.f(Fn::exp, w.own(x)), w.real(0)));
  w.g.label(y).name = "y";
  Function f;
  f.name = "f";
  f.outputs = {{"y", y}};
  w.g.functions = {f};
  simplify(w.g);
  const NodeId after = w.g.functions[0].outputs[0].node;
  CHECK(after == w.each({4}, w.f(Fn::exp, w.own(x))));
  CHECK(w.g.label(after).name == "y");
}

TEST_CASE("a large graph is simplified quickly") {
  // Residual blocks of a product, a normalisation and an activation.
  World w;
  const Shape wide{Extent(w.g.add_dim({"B", 8})), 16};
  NodeId h = w.leaf("x", wide);
  std::vector<Output> gradients;
  for (int layer = 0; layer < 150; ++layer) {
    const NodeId W = w.leaf("W" + std::to_string(layer), {16, 16}, DType::f64, NodeKind::parameter);
    const NodeId mean_of = w.sum(1, wide, w.own(h));
    const NodeId n = w.each(wide, w.sub(w.own(h), w.div(w.at(mean_of, {w.i(0)}), w.real(16))));
    const NodeId v = w.sum(1, wide, w.mul(w.own(n), w.own(n)));
    const ScalarId root = w.f(Fn::sqrt, w.add(w.at(v, {w.i(0)}), w.real(1e-5)));
    const NodeId u = w.each(wide, w.div(w.own(n), root));
    const NodeId z =
        w.sum(2, {wide[0], 16, 16}, w.mul(w.at(u, {w.i(0), w.i(2)}), w.at(W, {w.i(2), w.i(1)})));
    h = w.each(wide, w.add(w.own(h), w.f(Fn::tanh, w.own(z))));
  }
  const NodeId loss = w.sum(0, wide, w.mul(w.own(h), w.own(h)));
  Function f;
  f.name = "f";
  f.outputs = {{"loss", loss}};
  for (int layer = 0; layer < 150; ++layer) {
    const std::string name = "W" + std::to_string(layer);
    f.gradients.push_back({"d" + name, gradient_of(w, loss, w.leaves.at(name))});
  }
  w.g.functions = {f};
  const auto start = std::chrono::steady_clock::now();
  simplify(w.g);
  differentiate(w.g);
  simplify(w.g);
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  verify(w.g, "simplify");
  const std::size_t nodes = topological_order(w.g, roots_of(w.g.functions[0])).size();
  CAPTURE(nodes, spent.count());
  CHECK(nodes > 1000);
  CHECK(nodes < 4000);
  CHECK(spent.count() < 5);  // generous: an unoptimised build on a busy machine
}

// transpose_read.cpp: what the access rule makes of plain, padded and strided reads.
#include "dsl/transpose_read.h"

#include <algorithm>
#include <cmath>

#include "calculus.h"

using namespace test;

TEST_CASE("plain reads make no guards and no sums") {
  World w;
  const Extent B = batch(w, 3);
  const NodeId x = w.leaf("x", {B, 4}, DType::f32);
  const NodeId y = w.each({B, 4}, w.f(Fn::sin, w.own(x)));
  const NodeId dy = w.leaf("dy", {B, 4}, DType::f32);
  const NodeId dx = transpose_read(w.g, {y, w.own(x), w.own(dy), w.own(dy)});
  CHECK(dx == w.each({B, 4}, w.own(dy)));
}

TEST_CASE("a padded convolution reads its cotangent padded, over the kernel") {
  World w;
  const NodeId x = w.leaf("x", {28}), K = w.leaf("K", {3}), dy = w.leaf("dy", {28});
  const ScalarId read = w.pad(x, {affine(w, -1, {1, 1})});
  const NodeId y = w.sum(1, {28, 3}, w.mul(read, w.at(K, {w.i(1)})));
  const ScalarId g = w.at(dy, {w.i(0)});
  const NodeId dx = transpose_read(w.g, {y, read, w.mul(g, w.at(K, {w.i(1)})), g});
  CHECK(dx == w.sum(1, {28, 3}, w.mul(w.pad(dy, {affine(w, 1, {1, -1})}), w.at(K, {w.i(1)}))));
}

TEST_CASE("a strided read has a gradient in phases, without divisions") {
  // y[i] = Σ_u x[2i + u - 1] K[u]: element a of x is element q of phase r, a + 1 = 2q + r.
  World w;
  const NodeId x = w.leaf("x", {8}), K = w.leaf("K", {4}), dy = w.leaf("dy", {4});
  const ScalarId read = w.pad(x, {affine(w, -1, {2, 1})});
  const NodeId y = w.sum(1, {4, 4}, w.mul(read, w.at(K, {w.i(1)})));
  const ScalarId g = w.at(dy, {w.i(0)});
  const NodeId dx = transpose_read(w.g, {y, read, w.mul(g, w.at(K, {w.i(1)})), g});
  const NodeId rows = w.g[w.g[dx].body].kind == ScalarKind::read ? w.g[w.g[dx].body].tensor : NodeId{};
  REQUIRE(rows.valid());
  REQUIRE(w.g[rows].kind == NodeKind::reshape);
  // phases[q, r] = Σ_v dy[q - v] K[2v + r]
  CHECK(w.g[rows].operand ==
        w.sum(2, {5, 2, 2}, w.mul(w.pad(dy, {affine(w, 0, {1, 0, -1})}), w.at(K, {affine(w, 0, {0, 1, 2})}))));
  CHECK(dx == w.each({8}, w.at(rows, {affine(w, 1, {1})})));
}

TEST_CASE("a strided read without a window has a gradient in one phase, and zeros between") {
  // y[i, f] = Σ_c x[2i + 1, c] K[c, f]: element a of x is element q of the phase, a + 1 = 2q + 2.
  World w;
  const NodeId x = w.leaf("x", {8, 3}), K = w.leaf("K", {3, 5}), dy = w.leaf("dy", {4, 5});
  const ScalarId read = w.at(x, {affine(w, 1, {2}), w.i(2)});
  const NodeId y = w.sum(2, {4, 5, 3}, w.mul(read, w.at(K, {w.i(2), w.i(1)})));
  const ScalarId g = w.at(dy, {w.i(0), w.i(1)});
  const NodeId dx = transpose_read(w.g, {y, read, w.mul(g, w.at(K, {w.i(2), w.i(1)})), g});
  const ScalarId a = affine(w, 1, {1}), two = w.g.literal(2, DType::i32);
  const ScalarId in_phase = w.f(Fn::eq, w.f(Fn::mod, a, two), w.g.literal(0, DType::i32));
  const Scalar chosen = w.g[w.g[dx].body];
  REQUIRE(chosen.fn == Fn::select);
  CHECK(chosen.args[0] == in_phase);
  const NodeId phase = w.g[chosen.args[1]].tensor;
  REQUIRE(phase.valid());
  CHECK(phase == w.sum(2, {5, 3, 5}, w.mul(w.pad(dy, {affine(w, -1, {1}), w.i(2)}), w.at(K, {w.i(1), w.i(2)}))));
  CHECK(dx == w.each({8, 3}, w.select(in_phase, w.at(phase, {w.f(Fn::floor_div, a, two), w.i(1)}), w.real(0))));
}

TEST_CASE("gradients of strided windows of every size are those of the sum written out") {
  for (std::int64_t stride = 2; stride <= 4; ++stride) {
    for (std::int64_t window = 1; window <= 7; ++window) {
      for (std::int64_t pad = 0; pad <= 3; ++pad) {
        for (std::int64_t length = window; length <= window + 5; ++length) {
          const std::int64_t count = (length + 2 * pad - window) / stride + 1;
          World w;
          const NodeId x = w.leaf("x", {length}), K = w.leaf("K", {window}), t = w.leaf("t", {count});
          const ScalarId read = w.pad(x, {affine(w, -pad, {stride, 1})});
          const NodeId y = w.sum(1, {count, window}, w.mul(read, w.at(K, {w.i(1)})));
          const NodeId loss = w.sum(0, {count}, w.mul(w.own(y), w.own(t)));
          const NodeId most = w.reduce(Reduction::max, 1, {count, window}, read);
          const NodeId loss_of_most = w.sum(0, {count}, w.mul(w.own(most), w.own(t)));
          std::vector<double> xs, ks, ts;
          for (std::int64_t k = 0; k < length; ++k) xs.push_back(std::sin(3.0 + 7.0 * static_cast<double>(k)));
          for (std::int64_t k = 0; k < window; ++k) ks.push_back(1.0 + static_cast<double>(k));
          for (std::int64_t k = 0; k < count; ++k) ts.push_back(0.5 + static_cast<double>(k));
          w.env.values["x"] = {{length}, xs};
          w.env.values["K"] = {{window}, ks};
          w.env.values["t"] = {{count}, ts};
          std::vector<double> expected(xs.size()), expected_of_most(xs.size());
          for (std::int64_t i = 0; i < count; ++i) {
            const auto element = [&](std::int64_t u) { return stride * i + u - pad; };
            const auto inside = [&](std::int64_t u) { return element(u) >= 0 && element(u) < length; };
            const auto value = [&](std::int64_t u) { return inside(u) ? xs[static_cast<std::size_t>(element(u))] : 0; };
            std::int64_t best = 0;
            for (std::int64_t u = 0; u < window; ++u) {
              if (value(u) > value(best)) best = u;
              if (inside(u)) {
                expected[static_cast<std::size_t>(element(u))] +=
                    ks[static_cast<std::size_t>(u)] * ts[static_cast<std::size_t>(i)];
              }
            }
            if (inside(best)) expected_of_most[static_cast<std::size_t>(element(best))] += ts[static_cast<std::size_t>(i)];
          }
          CAPTURE(stride, window, pad, length);
          const auto near = [](const std::vector<double>& a, const std::vector<double>& b) {
            return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                              [](double p, double q) { return std::fabs(p - q) < 1e-12; });
          };
          CHECK(near(w.value(gradients(w.g, loss, {x})[0]), expected));
          CHECK(near(w.value(gradients(w.g, loss_of_most, {x})[0]), expected_of_most));
        }
      }
    }
  }
}

TEST_CASE("a gather becomes a sum under an equality") {
  World w;
  const NodeId E = w.leaf("E", {50, 8}), ids = w.leaf("ids", {6}, DType::i32);
  const NodeId dy = w.leaf("dy", {6, 8});
  const ScalarId read = w.at(E, {w.at(ids, {w.i(0)}), w.i(1)});
  const NodeId y = w.each({6, 8}, read);
  const NodeId dE = transpose_read(w.g, {y, read, w.own(dy), w.own(dy)});
  const ScalarId hit = w.f(Fn::eq, w.at(ids, {w.i(2)}), w.i(0));
  CHECK(dE == w.sum(2, {50, 8, 6}, w.select(hit, w.at(dy, {w.i(2), w.i(1)}), w.real(0))));
}

// elaborate_shapes.cpp: shapes that follow from others: `-1` and `..` in a new shape, `..` among
// indices; rates that follow from the number of the update.
#include "elaborated.h"

using namespace gradc;
using namespace test;

namespace {

using Numbers = std::vector<double>;

std::vector<std::string> errors_of(const std::string& text) {
  Elaborated e;
  elaborate(e, text);
  return e.ids();
}

std::string shape_of(const std::string& text) {
  Elaborated e;
  elaborate_well(e, text);
  const Graph& g = e.spec.graph;
  std::string s;
  for (const Extent& x : g[function(e, "f").outputs[0].node].type.shape) {
    if (x.scale != 0) s += std::to_string(x.scale) + g.dim(x.dim).name + "+";
    s += std::to_string(x.offset) + " ";
  }
  return s;
}

std::string step_of(const std::string& optimizer, const std::string& before = "") {
  return "net n(x: f32[2]) -> y: f32[2] { param w: f32[2] ~ zeros\n y = w - x }\n"
         "step train(x: f32[2]) {\n" +
         before + "  y = n(x)\n  loss = sum[i] y[i] * y[i]\n  minimize loss using " + optimizer +
         "\n}\n";
}

// w after some updates from 0 towards x = [1, 2].
Numbers after(int updates, const std::string& text) {
  Elaborated e;
  elaborate_well(e, text);
  differentiate(e.spec.graph);
  Environment env;
  run(e.spec.graph, function(e, "init"), env);
  env.values["train.x"] = {{2}, {1, 2}};
  for (int k = 0; k < updates; ++k) run(e.spec.graph, function(e, "train"), env);
  return env.values["n.w"].data;
}

}  // namespace

TEST_CASE("one extent of a new shape may follow from the others") {
  const std::string dim = "dim B <= 8\n";
  CHECK(shape_of(dim + "net f(x: f32[B, 3, 4]) -> y: f32[B, 12] { y = reshape(x, [B, -1]) }") ==
        "1B+0 12 ");
  CHECK(shape_of(dim + "net f(x: f32[B, 3, 4]) -> y: f32[3*B, 4] { y = reshape(x, [-1, 4]) }") ==
        "3B+0 4 ");
  CHECK(shape_of(dim + "net f(x: f32[B, 6]) -> y: f32[2, 3*B] { y = reshape(x, [2, -1]) }") ==
        "2 3B+0 ");
  CHECK(shape_of("net f(x: f32[3, 4]) -> y: f32[12] { y = reshape(x, [-1]) }") == "12 ");
  CHECK(errors_of(dim + "net f(x: f32[B, 3]) -> y: f32[B, 3] { y = reshape(x, [2, -1]) }") ==
        std::vector<std::string>{"bad-reshape"});
  CHECK(errors_of(dim + "net f(x: f32[B, B]) -> y: f32[B] { y = reshape(x, [-1]) }") ==
        std::vector<std::string>{"bad-reshape"});
  CHECK(errors_of("net f(x: f32[12]) -> y: f32[12] { y = reshape(x, [-1, -1]) }") ==
        std::vector<std::string>{"bad-reshape"});
  CHECK(errors_of("net f(x: f32[12]) -> y: f32[12] { y = reshape(x, [5, -1]) }") ==
        std::vector<std::string>{"bad-reshape"});
}

TEST_CASE("'..' in a new shape is what it is in the signature") {
  const std::string op =
      "op pairs(x[.., n]) -> y[.., n / 2, 2] { y = reshape(x, [.., n / 2, 2]) }\n";
  CHECK(shape_of(op + "net f(x: f32[3, 5, 4]) -> y: f32[3, 5, 2, 2] { y = pairs(x) }") ==
        "3 5 2 2 ");
  CHECK(shape_of(op + "net f(x: f32[4]) -> y: f32[2, 2] { y = pairs(x) }") == "2 2 ");
  CHECK(errors_of("net f(x: f32[4]) -> y: f32[4] { y = reshape(x, [.., 4]) }") ==
        std::vector<std::string>{"misplaced-ellipsis"});
}

TEST_CASE("a declared result gives the ranges of indices before and after '..'") {
  const std::string op =
      "op join(a[B, m, ..], b[B, n, ..]) -> y[B, m + n, ..] {\n"
      "  y[i, c, ..] = select(c < m, a[i, c, .. pad 0], b[i, c - m, .. pad 0])\n}\n";
  CHECK(result(op + "net f(a: f32[2, 1, 2], b: f32[2, 2, 2]) -> y: f32[2, 3, 2] { y = join(a, b) }",
               {{"f.a", {{2, 1, 2}, counted(4)}}, {"f.b", {{2, 2, 2}, counted(8, 10)}}}) ==
        Numbers{0, 1, 10, 11, 12, 13, 2, 3, 14, 15, 16, 17});
  CHECK(result(op + "net f(a: f32[2, 1], b: f32[2, 2]) -> y: f32[2, 3] { y = join(a, b) }",
               {{"f.a", {{2, 1}, counted(2)}}, {"f.b", {{2, 2}, counted(4, 10)}}}) ==
        Numbers{0, 10, 11, 1, 12, 13});
}

TEST_CASE("the arguments of an optimizer may depend on the number of the update") {
  const std::string plain =
      "optimizer plain(lr: float = 0.5) { p' = p - lr * g }\n"
      "optimizer heavy(lr: float, momentum: float = 0.0) {\n"
      "  state v = 0 if momentum != 0\n  v' = momentum * v + g\n  p' = p - lr * v'\n}\n";
  // The gradient at 0 is -2 x, so an lr of t / 4 goes half of the way first and all of it then.
  CHECK(after(1, plain + step_of("plain(lr = t / 4)")) == Numbers{0.5, 1});
  CHECK(after(2, plain + step_of("plain(lr = t / 4)")) == Numbers{1, 2});
  CHECK(after(1, plain + step_of("heavy(lr = t / 4)")) == Numbers{0.5, 1});
  CHECK(after(1, plain + step_of("plain(lr = t)", "  t = 0.25\n")) == Numbers{0.5, 1});
  CHECK(errors_of(plain + step_of("heavy(lr = 0.1, momentum = 1 / t)")) ==
        std::vector<std::string>{"not-compile-time"});
  CHECK(errors_of(plain + step_of("plain(lr = x)")) ==
        std::vector<std::string>{"not-compile-time"});
}

// verify.cpp: a legal graph passes, and each broken rule is named with the stage that broke it.
#include "dsl/verify.h"

#include "calculus.h"
#include "dsl/check.h"

using namespace test;

namespace {

// What verify says about a graph with this output; empty if nothing.
std::string complaint(World& w, NodeId root) {
  Function f;
  f.name = "f";
  f.outputs = {{"y", root}};
  w.g.functions = {f};
  try {
    verify(w.g, "stage");
  } catch (const InternalError& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a legal graph passes") {
  World w;
  const Extent B(w.g.add_dim({"B", 9}));
  const NodeId x = w.leaf("x", {B, 4}), W = w.leaf("W", {4, 3});
  const NodeId y = w.sum(2, {B, 3, 4}, w.mul(w.at(x, {w.i(0), w.i(2)}), w.at(W, {w.i(2), w.i(1)})));
  CHECK(complaint(w, y).empty());
}

TEST_CASE("broken rules are named") {
  World w;
  const NodeId x = w.leaf("x", {4}), k = w.leaf("k", {4}, DType::i32);
  const ScalarId v = w.own(x), one = w.add(w.i(0), w.n(1));
  auto says = [&](ScalarId body, const char* what) {
    const std::string said = complaint(w, w.each({4}, body));
    CHECK_THAT(said, contains(what));
    CHECK_THAT(said, contains("after stage"));
  };
  says(w.add(v, w.own(k)), "differ in dtype");
  says(w.at(x, {w.i(1)}), "not bound");
  says(w.at(x, {one}), "may lie outside");
  says(w.at(x, {v}), "not i32");
  says(w.at(x, {}), "one subscript per axis");
  says(w.select(v, v, v), "not bool");
  says(w.select(w.f(Fn::gt, v, v), v, w.real(0, DType::f32)), "branches");
  says(w.f(Fn::logical_and, v, v), "not bool");
  says(w.f(Fn::mod, v, v), "not an integer");
  CHECK(complaint(w, w.each({4}, w.pad(x, {one}))).empty());
  const ScalarId guard = w.f(Fn::lt, one, w.n(4));
  CHECK(complaint(w, w.each({4}, w.select(guard, w.at(x, {one}), w.real(0)))).empty());
  CHECK(complaint(w, w.each({3}, w.at(x, {one}))).empty());
}

TEST_CASE("a guarded read does not excuse the same read without guard") {
  World w;
  const NodeId x = w.leaf("x", {4});
  const ScalarId one = w.add(w.i(0), w.n(1)), read = w.at(x, {one});
  const ScalarId guarded = w.select(w.f(Fn::lt, one, w.n(4)), read, w.real(0));
  CHECK_THAT(complaint(w, w.each({4}, w.add(guarded, read))), contains("may lie outside"));
}

TEST_CASE("updates must fit and losses must be scalars") {
  World w;
  const NodeId W = w.leaf("W", {4}, DType::f64, NodeKind::parameter);
  Function f;
  f.name = "step";
  f.updates = {{W, w.each({3}, w.real(0))}};
  w.g.functions = {f};
  CHECK_THROWS_AS(verify(w.g, "s"), InternalError);
  f.updates = {{W, w.each({4}, w.real(0))}};
  w.g.functions = {f};
  CHECK_NOTHROW(verify(w.g, "s"));
  f.minimizes = {{W, {W}, Span{}}};
  w.g.functions = {f};
  CHECK_THROWS_AS(verify(w.g, "s"), InternalError);
}

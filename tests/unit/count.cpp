// count.cpp: operations counted by gradc stats, against counts made by hand.
#include "tool/count.h"

#include "catch.h"
#include "tool/cut.h"

using namespace gradc;

namespace {

NodeId leaf(Graph& graph, NodeKind kind, const std::string& name, Shape shape,
            DType type = DType::f32) {
  Node node;
  node.kind = kind;
  node.name = name;
  node.type = {type, std::move(shape)};
  const NodeId id = graph.add(std::move(node));
  graph.label(id).name = name;
  return id;
}

// y[b, o] = sum[i] x[b, i] W[i, o]
NodeId product(Graph& graph, NodeId x, NodeId w) {
  const Shape left = graph[x].type.shape, right = graph[w].type.shape;
  const ScalarId body = graph.apply(Fn::mul, {graph.read(x, {graph.index(0), graph.index(2)}),
                                              graph.read(w, {graph.index(2), graph.index(1)})});
  return graph.comprehension(2, {left[0], right[1], left[1]}, Reduction::sum, body);
}

NodeId elementwise(Graph& graph, Fn fn, NodeId x) {
  const ScalarId body = graph.apply(fn, {graph.read(x, {graph.index(0), graph.index(1)})});
  return graph.comprehension(2, graph[x].type.shape, Reduction::none, body);
}

}  // namespace

TEST_CASE("a dense layer of 128 → 64 without bias takes 8,192 MACs and 16,320 FLOPs") {
  Graph graph;
  const DimId dim = graph.add_dim({"B", 32});
  const NodeId x = leaf(graph, NodeKind::input, "x", {Extent(dim), 128});
  const NodeId w = leaf(graph, NodeKind::parameter, "W", {128, 64});
  const NodeId y = product(graph, x, w);
  CHECK(count(graph, {y}, {}).macs == 8192);
  CHECK(count(graph, {y}, {}).flops == 16320);  // 64 (128 + 127)
  CHECK(count(graph, {y}, {{"B", 10}}).flops == 163200);
  CHECK(count(graph, {y, y}, {}).flops == 16320);  // a node counts once
}

TEST_CASE("products with zeros around a tensor are counted apart") {
  // y[i, j] = sum[k, l] x[i + k - 1, 2 j + l - 1 pad 0] K[k, l] over 4 × 6, windows of 3 × 3, 4 × 3 places.
  Graph graph;
  const NodeId x = leaf(graph, NodeKind::input, "x", {4, 6}), kernel = leaf(graph, NodeKind::parameter, "K", {3, 3});
  Affine row, column;
  row.constant = column.constant = -1;
  row.coefficients = {1, 0, 1};
  column.coefficients = {0, 2, 0, 1};
  const ScalarId around = graph.read(x, {from_affine(graph, row), from_affine(graph, column)}, true);
  const ScalarId body = graph.apply(Fn::mul, {around, graph.read(kernel, {graph.index(2), graph.index(3)})});
  const NodeId y = graph.comprehension(2, {4, 3, 3, 3}, Reduction::sum, body);
  CHECK(count(graph, {y}, {}).macs == 108);
  CHECK(count(graph, {y}, {}).padding == 108 - 10 * 8);  // rows 2 + 3 + 3 + 2, columns 2 + 3 + 3
}

TEST_CASE("products with what a condition makes 0 are counted apart") {
  // y[i, j] = sum[k] select(k > i, 0, x[i, k]) W[k, j], of 5 × 5 and 5 × 7
  Graph graph;
  const NodeId x = leaf(graph, NodeKind::input, "x", {5, 5}),
               w = leaf(graph, NodeKind::parameter, "W", {5, 7});
  const ScalarId later = graph.apply(Fn::gt, {graph.index(1), graph.index(0)});
  const ScalarId masked = graph.apply(
      Fn::select, {later, graph.literal(0), graph.read(x, {graph.index(0), graph.index(1)})});
  const NodeId y = product(graph, graph.comprehension(2, {5, 5}, Reduction::none, masked), w);
  CHECK(count(graph, {y}, {}).macs == 5 * 5 * 7);
  CHECK(count(graph, {y}, {}).padding == (4 + 3 + 2 + 1) * 7);
}

TEST_CASE("choosing and converting are not operations") {
  Graph graph;
  const NodeId x = leaf(graph, NodeKind::input, "x", {3, 5});
  CHECK(count(graph, {elementwise(graph, Fn::neg, x)}, {}).flops == 0);
  CHECK(count(graph, {elementwise(graph, Fn::exp, x)}, {}).flops == 15);
  CHECK(count(graph, {elementwise(graph, Fn::exp, elementwise(graph, Fn::tanh, x))}, {}).flops ==
        30);
}

TEST_CASE("a cut hides what lies behind it") {
  Graph graph;
  const NodeId x = leaf(graph, NodeKind::input, "x", {3, 5});
  const NodeId h = elementwise(graph, Fn::tanh, x);
  graph.label(h).name = "x";  // a name that is taken
  const NodeId y = elementwise(graph, Fn::exp, h);
  const NodeId seen = cut(graph, {y}, {h})[0];
  CHECK(seen != y);
  const std::vector<NodeId> order = topological_order(graph, {seen});
  REQUIRE(order.size() == 2);
  CHECK(graph[order[0]].kind == NodeKind::input);
  CHECK(graph[order[0]].name == "x2");
  CHECK(count(graph, {seen}, {}).flops == 15);
  CHECK(graph[cut(graph, {h}, {h})[0]].kind == NodeKind::input);
  CHECK(cut(graph, {y}, {})[0] == y);   // nothing cut: the same node
  CHECK(cut(graph, {y}, {x})[0] == y);  // inputs stay themselves
}

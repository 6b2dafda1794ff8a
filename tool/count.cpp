// count.cpp: see count.h.
#include "tool/count.h"

#include <algorithm>
#include <set>

#include "codegen/known_zeros.h"
#include "dsl/bounds.h"
#include "dsl/simplify.h"
#include "tool/cut.h"

namespace gradc {
namespace {

// Whether computing it is an operation on numbers, as opposed to choosing, comparing or converting
// them.
bool is_operation(const Scalar& scalar) {
  if (scalar.kind != ScalarKind::apply || !is_float(scalar.dtype)) return false;
  switch (scalar.fn) {
    case Fn::neg:
    case Fn::select:
    case Fn::abs:
    case Fn::sign:
    case Fn::cast:
    case Fn::detach:
      return false;
    default:
      return true;
  }
}

// Operations of one evaluation; subscripts are addresses, not arithmetic.
std::int64_t body_operations(const Graph& graph, ScalarId body) {
  std::int64_t operations = 0;
  std::set<ScalarId> seen;
  std::vector<ScalarId> todo{body};
  while (!todo.empty()) {
    const ScalarId id = todo.back();
    todo.pop_back();
    const Scalar& scalar = graph[id];
    if (scalar.kind != ScalarKind::apply || !seen.insert(id).second) continue;
    operations += is_operation(scalar);
    todo.insert(todo.end(), scalar.args.begin(), scalar.args.end());
  }
  return operations;
}

bool has_read(const Graph& graph, ScalarId id) {
  const Scalar& scalar = graph[id];
  if (scalar.kind == ScalarKind::read) return true;
  return scalar.kind == ScalarKind::apply &&
         std::any_of(scalar.args.begin(), scalar.args.end(),
                     [&](ScalarId arg) { return has_read(graph, arg); });
}

bool is_product(const Graph& graph, ScalarId id) {
  const Scalar& scalar = graph[id];
  if (scalar.kind == ScalarKind::apply && scalar.fn == Fn::cast)
    return is_product(graph, scalar.args[0]);
  return scalar.kind == ScalarKind::apply && scalar.fn == Fn::mul &&
         has_read(graph, scalar.args[0]) && has_read(graph, scalar.args[1]);
}

// Of the points of the node's index space, those where no factor reads outside its tensor or an
// element known to be 0. Axes that share an index with one before them count as inside, which is
// rare; so do those that are read at more places than are worth trying.
std::int64_t terms_inside(const Graph& graph, const Node& node, const DimSizes& dims) {
  constexpr std::int64_t most_tries = 1 << 20, largest = std::int64_t{1} << 60;
  std::int64_t inside = 1;
  std::set<std::size_t> counted;
  const auto count_inside = [&](Affine position, std::int64_t extent) {
    for (const auto& [dim, times] : position.sizes)
      position.constant += times * extent_at(graph, Extent(dim), dims);
    std::int64_t tries = 1;
    std::vector<std::size_t> indices;
    std::vector<std::int64_t> extents(position.coefficients.size(), 1);  // of the indices it has
    for (std::size_t k = 0; k < position.coefficients.size(); ++k) {
      if (position.coefficients[k] == 0) continue;
      indices.push_back(k);
      tries *= extents[k] = extent_at(graph, node.ranges[k], dims);
    }
    if (tries > most_tries ||
        std::any_of(indices.begin(), indices.end(), [&](auto k) { return counted.contains(k); }))
      return;
    inside *= points_inside(position, extents, extent);
    counted.insert(indices.begin(), indices.end());
  };
  for (const ScalarId factor : graph[node.body].args) {
    const Scalar& read = graph[factor];
    if (read.kind != ScalarKind::read) continue;
    std::vector<Affine> subscripts(read.args.size());
    bool affine = true;
    for (std::size_t axis = 0; axis < read.args.size(); ++axis) {
      const bool known = as_affine(graph, read.args[axis], subscripts[axis]);
      affine = affine && known;
      if (known && read.zero_outside)
        count_inside(subscripts[axis], extent_at(graph, graph[read.tensor].type.shape[axis], dims));
    }
    if (!affine || read.zero_outside) continue;
    for (const Affine& zero : known_zeros(graph, read.tensor, subscripts))  // above 0
      count_inside(plus({}, zero, -1), largest);
  }
  for (std::size_t k = 0; k < node.ranges.size(); ++k)
    if (!counted.contains(k)) inside *= extent_at(graph, node.ranges[k], dims);
  return inside;
}

// What `results` take from `leaves`, after simplification: an absent bias costs nothing.
Operations count_piece(const Graph& whole, const std::vector<NodeId>& results,
                       const std::vector<NodeId>& leaves, const DimSizes& dims) {
  Graph graph = whole;
  keep_only(graph, cut(graph, results, leaves));
  simplify(graph);
  return count(graph, roots_of(graph.functions[0]), dims);
}

// A layer used inside another counts for itself, even if its result is also that of the outer one.
bool is_within(const LayerUse& inner, const LayerUse& outer) {
  return inner.path.starts_with(outer.path + ".");
}

bool share_results(const LayerUse& a, const LayerUse& b) {
  return std::any_of(a.results.begin(), a.results.end(), [&](NodeId result) {
    return std::find(b.results.begin(), b.results.end(), result) != b.results.end();
  });
}

std::string net_of(const std::string& path) {
  return path.substr(0, path.find('.'));
}

}  // namespace

std::int64_t extent_at(const Graph& graph, const Extent& extent, const DimSizes& dims) {
  if (extent.is_fixed()) return extent.offset;
  const auto found = dims.find(graph.dim(extent.dim).name);
  return extent.offset + extent.scale * (found == dims.end() ? 1 : found->second);
}

std::int64_t elements_at(const Graph& graph, const Shape& shape, const DimSizes& dims) {
  std::int64_t count = 1;
  for (const Extent& extent : shape) count *= extent_at(graph, extent, dims);
  return count;
}

Operations count_node(const Graph& graph, NodeId id, const DimSizes& dims) {
  const Node& node = graph[id];
  Operations result;
  if (node.kind != NodeKind::comprehension) return result;
  const std::size_t rank = node.type.rank();
  std::int64_t free = 1, reduced = 1;
  for (std::size_t k = 0; k < node.ranges.size(); ++k)
    (k < rank ? free : reduced) *= extent_at(graph, node.ranges[k], dims);
  result.flops = free * reduced * body_operations(graph, node.body);
  if (node.reduction != Reduction::none && is_float(graph[node.body].dtype))
    result.flops += free * (reduced - 1);
  if (node.reduction == Reduction::sum && is_product(graph, node.body)) {
    result.macs = free * reduced;
    result.padding = result.macs - terms_inside(graph, node, dims);
  }
  return result;
}

Operations count(const Graph& graph, const std::vector<NodeId>& roots, const DimSizes& dims) {
  Operations sum;
  for (const NodeId id : topological_order(graph, roots)) sum += count_node(graph, id, dims);
  return sum;
}

std::string type_text(const Graph& graph, const TensorType& type) {
  std::string text(name(type.dtype));
  text += "[";
  for (std::size_t k = 0; k < type.shape.size(); ++k) {
    const Extent& extent = type.shape[k];
    if (k > 0) text += ", ";
    if (!extent.is_fixed()) {
      if (extent.scale != 1) text += std::to_string(extent.scale) + "*";
      text += graph.dim(extent.dim).name;
      if (extent.offset != 0)
        text += (extent.offset > 0 ? "+" : "-") + std::to_string(std::abs(extent.offset));
    } else {
      text += std::to_string(extent.offset);
    }
  }
  return text + "]";
}

std::vector<LayerCount> count_layers(const Spec& spec, const DimSizes& dims) {
  const Graph& graph = spec.graph;
  // A net that a step calls may have been expanded there again: the first use of a path counts.
  std::vector<const LayerUse*> uses;
  std::set<std::string> paths;
  for (const LayerUse& use : spec.layers)
    if (use.path.find('.') != std::string::npos && paths.insert(use.path).second)
      uses.push_back(&use);

  std::vector<LayerCount> rows;
  for (const Function& function : graph.functions) {
    if (function.kind == FunctionKind::init) continue;
    // Between the layers: from their results, and the net's inputs, to its outputs and their
    // inputs.
    std::vector<NodeId> between_roots, between_leaves;
    for (const Output& output : function.outputs) between_roots.push_back(output.node);
    bool any = false;
    for (const LayerUse* use : uses) {
      if (net_of(use->path) != function.name) continue;
      any = true;
      LayerCount row{use->path, use->definition, "", use->constants, 0, {}};
      for (const NodeId result : use->results)
        row.shapes += (row.shapes.empty() ? "" : ", ") + type_text(graph, graph[result].type);
      for (const NodeId parameter : use->parameters)
        row.parameters += elements_at(graph, graph[parameter].type.shape, dims);
      std::vector<NodeId> leaves = use->inputs;
      for (const LayerUse* other : uses)
        if (other != use && (is_within(*other, *use) || !share_results(*other, *use)))
          leaves.insert(leaves.end(), other->results.begin(), other->results.end());
      row.operations = count_piece(graph, use->results, leaves, dims);
      between_roots.insert(between_roots.end(), use->inputs.begin(), use->inputs.end());
      between_leaves.insert(between_leaves.end(), use->results.begin(), use->results.end());
      rows.push_back(std::move(row));
    }
    if (function.kind == FunctionKind::step && !any) continue;
    LayerCount rest{function.name, "", "", {}, 0,
                    count_piece(graph, between_roots, between_leaves, dims)};
    for (const Output& output : function.outputs)
      rest.shapes += (rest.shapes.empty() ? "" : ", ") + type_text(graph, graph[output.node].type);
    for (const LayerUse& use : spec.layers)  // a net may own parameters, apart from its layers
      if (use.path == function.name)
        for (const NodeId parameter : use.parameters)
          rest.parameters += elements_at(graph, graph[parameter].type.shape, dims);
    rows.push_back(std::move(rest));
  }
  return rows;
}

}  // namespace gradc

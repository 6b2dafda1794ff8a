// count.h: operations of a graph, counted as its formulas state them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "dsl/ast_to_graph.h"
#include "dsl/graph.h"

namespace gradc {

struct Operations {
  std::int64_t macs = 0;     // terms of sums of products
  std::int64_t padding = 0;  // of these, products with a zero around a tensor or a known one, which
                             // emitted code may leave out
  std::int64_t flops = 0;    // additions, multiplications, …, elementary functions: one each

  Operations& operator+=(Operations o) {
    macs += o.macs;
    padding += o.padding;
    flops += o.flops;
    return *this;
  }
};

using DimSizes = std::map<std::string, std::int64_t>;  // dims not in it count 1

std::int64_t extent_at(const Graph&, const Extent&, const DimSizes&);
std::int64_t elements_at(const Graph&, const Shape&, const DimSizes&);

Operations count_node(const Graph&, NodeId, const DimSizes&);
// What computing `roots` takes, each node once.
Operations count(const Graph&, const std::vector<NodeId>& roots, const DimSizes&);

// One row of a table of layers.
struct LayerCount {
  std::string path;  // "classify.dense1"; of a row for what lies between the layers, the net's name
  std::string definition;  // "dense"; "" for what lies between
  std::string shapes;      // of the results
  std::vector<std::pair<std::string, std::string>> constants;  // LayerUse::constants
  std::int64_t parameters = 0;
  Operations operations;
};

// The layers of each net in the order of the spec, each followed at the end by what lies between
// its layers.
std::vector<LayerCount> count_layers(const Spec&, const DimSizes&);

// "f32[B, 10]"
std::string type_text(const Graph&, const TensorType&);

}  // namespace gradc

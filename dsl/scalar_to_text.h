// scalar_to_text.h: scalar expressions of the graph in the notation of the language.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "dsl/graph.h"
#include "dsl/graph_names.h"

namespace gradc {

enum class Notation : std::uint8_t {
  exact,  // reads back to the same expression: every cast and the dtype of every literal is seen
  brief,  // for people: 1 rather than 1.0, no casts from integers
};

// An expression and how tightly it binds (FnInfo::precedence; `atom` for names, numbers and calls).
struct ScalarText {
  static constexpr int atom = 100;
  std::string text;
  int precedence = atom;
  // In parentheses if it binds less tightly than its place demands.
  std::string at_least(int place) const { return precedence < place ? "(" + text + ")" : text; }
};

struct ScalarToText {
  const Graph& g;
  const NodeNames& names;  // of the tensors read
  Notation notation = Notation::exact;
  // Tensors whose element is shown as its definition rather than by name; none if empty.
  std::function<bool(NodeId)> shown_inline = {};
  bool values_only = false;  // leaves out detach, which changes no value

  // `indices`: what stands for each bound index.
  ScalarText operator()(ScalarId, const std::vector<ScalarText>& indices) const;
};

std::string extent_to_text(const Graph&, const Extent&);  // B, 2*B + 1, 64
std::string range_to_text(const Graph&, const Extent&);   // 0..B-1
std::string shape_to_text(const Graph&, const Shape&);    // [B, 64]
std::string number_to_text(double, DType, Notation = Notation::exact);

}  // namespace gradc

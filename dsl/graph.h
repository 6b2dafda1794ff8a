// graph.h: the tensor graph: immutable, hash-consed nodes in an arena, addressed by typed ids.
//
// A tensor node is a leaf, a comprehension or one of three small kinds. A comprehension
//
//     out[i0, …, in-1] = reduce[in, …, im-1] body(i0, …, im-1)
//
// holds its bound indices as numbers 0 … m-1 (the first rank(out) are free), each running from 0 to
// the extent in `ranges`. The body is a scalar expression; it contains no reduction of its own. Because bound
// indices are numbers, two comprehensions that differ only in index names are the same node.
#pragma once

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/arguments.h"
#include "dsl/diagnostics.h"
#include "dsl/functions.h"
#include "dsl/id_map.h"
#include "dsl/id_table.h"
#include "dsl/ids.h"
#include "dsl/stable_list.h"

namespace gradc {

// The size of one axis: offset + scale * dim, or just offset when there is no dim.
struct Extent {
  std::int64_t offset = 0;
  std::int64_t scale = 0;
  DimId dim;

  Extent() = default;
  Extent(std::int64_t fixed) : offset(fixed) {}  // NOLINT: a number is an extent
  explicit Extent(DimId d) : scale(1), dim(d) {}
  bool is_fixed() const { return !dim.valid(); }
  friend auto operator<=>(const Extent&, const Extent&) = default;
};

using Shape = std::vector<Extent>;

struct TensorType {
  DType dtype = DType::f32;
  Shape shape;
  std::size_t rank() const { return shape.size(); }
  friend bool operator==(const TensorType&, const TensorType&) = default;
};

// A run-time dim: any value from 1 to bound; or, from 0 on, the time at which a loop of codegen is.
struct Dim {
  std::string name;
  std::int64_t bound = 1;
  std::int64_t least = 1;
};

enum class ScalarKind : std::uint8_t {
  literal,  // value
  index,    // bound index number `index`, as an i32
  size,     // `extent`, as an i32
  read,     // element of `tensor` at subscripts `args` (i32 scalars)
  apply,    // fn(args)
};

struct Scalar {
  ScalarKind kind = ScalarKind::literal;
  DType dtype = DType::f32;
  Fn fn = Fn::neg;             // apply
  double value = 0;            // literal; integers are exact
  std::uint32_t index = 0;     // index
  Extent extent;               // size
  NodeId tensor;               // read
  bool zero_outside = false;   // read: outside the tensor the value is 0; otherwise it never is outside
  Arguments args;              // apply, read
};

// What holds of a scalar and all that it is made of, subscripts included.
struct ScalarFacts {
  // Scalars if it is written out, shared ones as often as they are named; at most 2^30.
  std::uint32_t written = 1;
  bool reads = false;         // some tensor
  bool costly = false;        // it evaluates a costly function
  bool compares = false;      // integers
  std::uint64_t indices = 0;  // bit k: it names index k; bit 63: one from 63 on
};

enum class Reduction : std::uint8_t { none, sum, prod, max, min, argmax, argmin };
std::string_view name(Reduction);

enum class NodeKind : std::uint8_t {
  input,          // an argument of the function that reads it
  parameter,      // learnt; initial value `operand`
  state,          // kept between calls (optimizer moments, counters); initial value `operand`
  constant,       // `values`, row-major
  random,         // fresh at every run of a step: `distribution(a, b)`, stream `stream`
  comprehension,  // `reduction` over `ranges` of `body`
  reshape,        // `operand`, same elements in row-major order
  past,           // of a recurrence: what one of its equations has given so far; told apart by `stream`
  recurrence,     // all of `operand` once every past is what its equation gives
  custom,         // `operand`, with a gradient of its own: what reaches it is passed on as `pulls` say
  gradient,       // d operand / d wrt, operand a scalar; differentiate replaces it
};

enum class Distribution : std::uint8_t { normal, uniform };  // (mean, std), (low, high)

// One of the equations that define each other along time: `past` stands in them for `body`, the tensor
// defined, wherever that is read at an earlier time (backwards: a later one). Time is an axis of both.
struct Equation {
  NodeId past, body;
  std::uint32_t time = 0;
  friend bool operator==(const Equation&, const Equation&) = default;
};

// What a custom node passes on to `to`: `value`, in which two inputs stand for the node itself (`result`)
// and for what reaches it (`cotangent`).
struct Pull {
  NodeId to, value;
  friend bool operator==(const Pull&, const Pull&) = default;
};

struct Node {
  NodeKind kind = NodeKind::comprehension;
  TensorType type;
  std::string name;            // input, parameter, state: unique in the graph, a path of the spec
  std::vector<double> values;  // constant
  Distribution distribution = Distribution::normal;  // random
  double a = 0, b = 1;                               // random
  std::uint32_t stream = 0;    // random: distinct streams are independent; past
  NodeId operand;              // reshape, recurrence, custom, gradient; initial value of a parameter or state
  NodeId wrt;                  // gradient
  Reduction reduction = Reduction::none;  // comprehension
  Shape ranges;                // comprehension: extents of all indices, free ones first
  ScalarId body;               // comprehension
  std::vector<Equation> equations;  // recurrence
  bool backwards = false;           // recurrence: time runs from the last position to the first
  std::vector<Pull> pulls;          // custom
  NodeId result, cotangent;         // custom: inputs that nothing else has, named op.… for people
};

// What a person should see of a node; never influences meaning or identity.
struct Label {
  std::string name;                        // of the value in the spec: "logits"
  std::vector<std::string> index_names;    // of a comprehension's indices
  Span span;                               // the first place it came from
};

struct Output {
  std::string name;
  NodeId node;
};

// target becomes value when the function ends. All values are computed from the old targets.
struct Update {
  NodeId target;  // parameter or state
  NodeId value;
};

struct Minimize {
  NodeId loss;
  std::vector<NodeId> parameters;
  Span span;
};

enum class FunctionKind : std::uint8_t {
  init,  // gives every parameter and state its initial value (as updates)
  net,   // outputs; `gradients` are the cotangents of inputs and parameters
  step,  // outputs are its reports; updates parameters and states
};

// What is emitted: a named set of roots.
struct Function {
  std::string name;
  FunctionKind kind = FunctionKind::net;
  std::vector<NodeId> inputs;       // in order of the signature
  std::vector<Output> outputs;      // results of a net, reports of a step
  std::vector<Output> evaluation;   // step: its reports without training; none: they are the same
  std::vector<NodeId> cotangents;   // net: one input per float output, "d" + its name
  std::vector<Output> gradients;    // net: "d" + name of each float input and parameter it reads
  std::vector<Update> updates;      // init, step
  std::vector<Minimize> minimizes;  // step, for diagnostics and reports
  Span span;
};

class Graph {
 public:
  // Adds unless an equal one exists; returns its id. Inputs, parameters, states are equal by name.
  NodeId add(Node);
  ScalarId add(Scalar);

  const Node& operator[](NodeId id) const { return nodes_[id.value]; }
  const Scalar& operator[](ScalarId id) const { return scalars_[id.value]; }
  const ScalarFacts& facts(ScalarId id) const { return facts_[id.value]; }
  // Tensors read by a node's body, or what a node of another kind links to; of a leaf none: an
  // initial value is a root of the init function.
  const std::vector<NodeId>& operands(NodeId id) const { return operands_[id.value]; }
  std::size_t node_count() const { return nodes_.size(); }
  std::size_t scalar_count() const { return scalars_.size(); }
  Label& label(NodeId id) { return labels_[id.value]; }
  const Label& label(NodeId id) const { return labels_[id.value]; }

  DimId add_dim(Dim);   // by name
  DimId add_time(Dim);  // one of its own, whatever its name
  const Dim& dim(DimId id) const { return dims_[id.value]; }
  const std::vector<Dim>& dims() const { return dims_; }

  std::vector<Function> functions;  // init first, then in the order of the spec

  // Builders. Operands must exist; dtypes are checked by verify, not here.
  ScalarId literal(double value, DType = DType::f32);
  ScalarId index(std::uint32_t number);
  ScalarId size(Extent);
  ScalarId read(NodeId tensor, Arguments subscripts, bool zero_outside = false);
  ScalarId apply(Fn, Arguments args);              // dtype: see FnResult; operands of one dtype
  ScalarId cast(ScalarId, DType);                  // the same scalar if it has that dtype already
  // Result shape: the first `rank` ranges. Reduction result dtype: that of the body (i32 for arg…).
  NodeId comprehension(std::size_t rank, Shape ranges, Reduction, ScalarId body);
  NodeId new_past(TensorType);  // one that differs from all others

 private:
  StableList<Node> nodes_;
  StableList<Scalar> scalars_;
  StableList<ScalarFacts> facts_;
  StableList<std::vector<NodeId>> operands_;
  StableList<Label> labels_;
  std::vector<Dim> dims_;
  std::uint32_t pasts_ = 0;  // above all streams of pasts
  IdTable<NodeId> node_ids_;
  IdTable<ScalarId> scalar_ids_;
  std::vector<ScalarId> indices_;  // by number, those that were asked for
};

// The largest value of an extent: its value when its dim is at its bound.
std::int64_t max_extent(const Graph&, const Extent&);

// Linear form of an integer scalar: constant + Σ coefficients[k] · index k + Σ size terms.
struct Affine {
  std::int64_t constant = 0;
  // By index number; as long as needed.
  boost::container::small_vector<std::int64_t, 6> coefficients;
  // Run-time dims, sorted, non-zero factors.
  boost::container::small_vector<std::pair<DimId, std::int64_t>, 2> sizes;
};
// False if the scalar is not affine (it has a floor_div, a mod, a read, …).
bool as_affine(const Graph&, ScalarId, Affine& out);
ScalarId from_affine(Graph&, const Affine&);

// The scalar with map(a) for each of its arguments a, and of `tensor` if that is given; itself if
// nothing changes.
template <class Map>
ScalarId with_arguments(Graph& g, ScalarId id, Map&& map, NodeId tensor = {}) {
  const Scalar& s = g[id];  // stays where it is while the arguments are made
  if (!tensor.valid()) tensor = s.tensor;
  bool same = tensor == s.tensor;
  Arguments args = s.args;
  for (ScalarId& a : args) {
    const ScalarId now = map(a);
    same = same && now == a;
    a = now;
  }
  if (same) return id;
  Scalar changed = s;
  changed.tensor = tensor;
  changed.args = std::move(args);
  return g.add(std::move(changed));
}

// The scalar of tensors.at(t) for every tensor t that it reads. `done`: what was asked for before,
// with the same tensors.
ScalarId with_tensors(Graph&, ScalarId, const IdMap<NodeId, NodeId>& tensors,
                      IdMap<ScalarId, ScalarId>& done);

// The scalar with bound index k replaced by replacements[k] (invalid ids: unchanged).
ScalarId substitute(Graph&, ScalarId, std::span<const ScalarId> replacements);

// Tensors that a body reads, in order of first occurrence.
std::vector<NodeId> reads_of(const Graph&, ScalarId);
// True if `id` names an index numbered in first … last-1.
bool uses_index(const Graph&, ScalarId, std::uint32_t first, std::uint32_t last);

// Calls visit(NodeId&) for each operand that is no read in a body, and no leaf's initial value.
template <class Visit>
void for_each_link(Node& n, Visit&& visit) {
  if (n.kind == NodeKind::reshape || n.kind == NodeKind::recurrence || n.kind == NodeKind::custom ||
      n.kind == NodeKind::gradient) {
    visit(n.operand);
  }
  if (n.kind == NodeKind::custom) {
    visit(n.result);
    visit(n.cotangent);
  }
  for (Pull& p : n.pulls) {
    visit(p.to);
    visit(p.value);
  }
  if (n.kind == NodeKind::gradient) visit(n.wrt);
  for (Equation& e : n.equations) visit(e.body);
}

// The nodes that `roots` need, operands before users, in a fixed order.
std::vector<NodeId> topological_order(const Graph&, const std::vector<NodeId>& roots);
std::vector<NodeId> roots_of(const Function&);
// What a step computes when it trains: all but its evaluation.
std::vector<NodeId> training_roots(const Function&);
// What a step reports when it is evaluated.
const std::vector<Output>& evaluated(const Function&);

}  // namespace gradc

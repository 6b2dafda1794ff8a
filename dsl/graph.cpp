// graph.cpp: the arena, hash-consing, and the small questions every pass asks.
#include "dsl/graph.h"

#include <algorithm>
#include <bit>

#include "dsl/check.h"
#include "dsl/seen_scalars.h"

namespace gradc {
namespace {

class Hash {
 public:
  Hash& operator<<(std::uint64_t v) {
    state_ = (std::rotl(state_, 5) ^ v) * 0x9e3779b97f4a7c15ull;
    return *this;
  }
  Hash& operator<<(std::string_view s) {
    for (char c : s) *this << static_cast<unsigned char>(c);
    return *this << s.size();
  }
  Hash& operator<<(const Extent& e) {
    *this << static_cast<std::uint64_t>(e.offset);
    return e.is_fixed() ? *this : *this << static_cast<std::uint64_t>(e.scale) << e.dim.value;
  }
  std::size_t value() const { return state_ ^ (state_ >> 29); }

 private:
  std::uint64_t state_ = 0x243f6a8885a308d3ull;
};

template <class E>
std::uint64_t code(E e) {
  return static_cast<std::uint64_t>(e);
}

// Bits, so that -0.0 differs from 0.0 and a NaN equals itself.
std::uint64_t bits(double v) { return std::bit_cast<std::uint64_t>(v); }

bool is_named(NodeKind k) {
  return k == NodeKind::input || k == NodeKind::parameter || k == NodeKind::state;
}

std::size_t hash(const Node& n) {
  Hash h;
  h << (code(n.kind) | code(n.type.dtype) << 8 | std::uint64_t{n.type.rank()} << 16) << n.name;
  if (is_named(n.kind)) return h.value();
  if (n.ranges.empty())  // else they begin with the shape
    for (const Extent& e : n.type.shape) h << e;
  for (double v : n.values) h << bits(v);
  for (const Extent& e : n.ranges) h << e;
  if (n.kind == NodeKind::random) h << code(n.distribution) << bits(n.a) << bits(n.b);
  h << (n.stream | std::uint64_t{n.operand.value} << 32)
    << (n.wrt.value | std::uint64_t{n.body.value} << 32)
    << (code(n.reduction) | code(n.backwards) << 8);
  for (const Equation& e : n.equations) h << e.past.value << e.body.value << e.time;
  h << n.result.value << n.cotangent.value;
  for (const Pull& p : n.pulls) h << p.to.value << p.value.value;
  return h.value();
}

bool same(const Node& x, const Node& y) {
  if (x.kind != y.kind || x.name != y.name) return false;
  if (is_named(x.kind)) return true;
  auto same_bits = [](double p, double q) { return bits(p) == bits(q); };
  return x.type == y.type && x.distribution == y.distribution && same_bits(x.a, y.a) &&
         same_bits(x.b, y.b) && x.stream == y.stream && x.operand == y.operand && x.wrt == y.wrt &&
         x.reduction == y.reduction && x.ranges == y.ranges && x.body == y.body &&
         x.equations == y.equations && x.backwards == y.backwards && x.pulls == y.pulls &&
         x.result == y.result && x.cotangent == y.cotangent &&
         std::equal(x.values.begin(), x.values.end(), y.values.begin(), y.values.end(), same_bits);
}

std::size_t hash(const Scalar& s) {
  Hash h;
  h << (code(s.kind) | code(s.dtype) << 8 | code(s.fn) << 16 | code(s.zero_outside) << 24 |
        std::uint64_t{s.index} << 32);
  if (s.kind == ScalarKind::literal) h << bits(s.value);
  if (s.kind == ScalarKind::size) h << s.extent;
  if (s.kind == ScalarKind::read) h << s.tensor.value;
  for (ScalarId a : s.args) h << a.value;
  return h.value();
}

bool same(const Scalar& x, const Scalar& y) {
  return x.kind == y.kind && x.dtype == y.dtype && x.fn == y.fn && bits(x.value) == bits(y.value) &&
         x.index == y.index && x.extent == y.extent && x.tensor == y.tensor &&
         x.zero_outside == y.zero_outside && x.args == y.args;
}

constexpr std::uint32_t last_index_bit = 63;

ScalarFacts facts_of(const Graph& g, const Scalar& s) {
  constexpr std::uint32_t huge = 1u << 30;
  ScalarFacts facts;
  if (s.kind == ScalarKind::index)
    facts.indices = std::uint64_t{1} << std::min(s.index, last_index_bit);
  facts.reads = s.kind == ScalarKind::read;
  facts.costly = s.kind == ScalarKind::apply && info(s.fn).costly;
  facts.compares = s.kind == ScalarKind::apply && info(s.fn).result == FnResult::boolean &&
                   g[s.args[0]].dtype == DType::i32;
  for (ScalarId a : s.args) {
    const ScalarFacts& part = g.facts(a);
    facts.compares |= part.compares;
    facts.written = std::min(facts.written + part.written, huge);
    facts.reads |= part.reads;
    facts.costly |= part.costly;
    facts.indices |= part.indices;
  }
  return facts;
}

std::vector<NodeId> linked_by(const Graph& g, const Node& n) {
  switch (n.kind) {
    case NodeKind::comprehension:
      return reads_of(g, n.body);
    case NodeKind::reshape:
      return {n.operand};
    case NodeKind::gradient:
      return {n.operand, n.wrt};
    case NodeKind::custom: {
      std::vector<NodeId> operands;
      Node links = n;
      for_each_link(links, [&](NodeId& operand) {
        if (std::find(operands.begin(), operands.end(), operand) == operands.end()) {
          operands.push_back(operand);
        }
      });
      return operands;
    }
    case NodeKind::recurrence: {
      std::vector<NodeId> operands;
      for (const Equation& e : n.equations) operands.push_back(e.body);
      if (std::find(operands.begin(), operands.end(), n.operand) == operands.end()) {
        operands.push_back(n.operand);
      }
      return operands;
    }
    default:
      return {};
  }
}

}  // namespace

std::string_view name(Reduction r) {
  switch (r) {
    case Reduction::none: return "none";
    case Reduction::sum: return "sum";
    case Reduction::prod: return "prod";
    case Reduction::max: return "max";
    case Reduction::min: return "min";
    case Reduction::argmax: return "argmax";
    case Reduction::argmin: return "argmin";
  }
  GRADC_UNREACHABLE("reduction");
}

NodeId Graph::add(Node n) {
  const std::size_t h = hash(n);
  if (const NodeId existing = node_ids_.find(h, [&](NodeId id) { return same((*this)[id], n); });
      existing.valid()) {
    GRADC_CHECK((*this)[existing].type == n.type,
                "two nodes named " + n.name + " of different type");
    return existing;
  }
  if (n.kind == NodeKind::past) pasts_ = std::max(pasts_, n.stream + 1);
  const NodeId id{static_cast<std::uint32_t>(nodes_.size())};
  operands_.push_back(linked_by(*this, n));
  nodes_.push_back(std::move(n));
  labels_.push_back({});
  node_ids_.add(h, id);
  return id;
}

ScalarId Graph::add(Scalar s) {
  const std::size_t h = hash(s);
  if (const ScalarId existing =
          scalar_ids_.find(h, [&](ScalarId id) { return same((*this)[id], s); });
      existing.valid()) {
    return existing;
  }
  const ScalarId id{static_cast<std::uint32_t>(scalars_.size())};
  facts_.push_back(facts_of(*this, s));
  scalars_.push_back(std::move(s));
  scalar_ids_.add(h, id);
  return id;
}

DimId Graph::add_dim(Dim d) {
  for (std::uint32_t i = 0; i < dims_.size(); ++i) {
    if (dims_[i].name == d.name) return DimId{i};
  }
  dims_.push_back(std::move(d));
  return DimId{static_cast<std::uint32_t>(dims_.size() - 1)};
}

DimId Graph::add_time(Dim d) {
  dims_.push_back(std::move(d));
  return DimId{static_cast<std::uint32_t>(dims_.size() - 1)};
}

ScalarId Graph::literal(double value, DType dtype) {
  Scalar s;
  s.kind = ScalarKind::literal;
  s.dtype = dtype;
  s.value = value;
  return add(std::move(s));
}

ScalarId Graph::index(std::uint32_t number) {
  if (number < indices_.size() && indices_[number].valid()) return indices_[number];
  Scalar s;
  s.kind = ScalarKind::index;
  s.dtype = DType::i32;
  s.index = number;
  if (number >= indices_.size()) indices_.resize(number + 1);
  return indices_[number] = add(std::move(s));
}

ScalarId Graph::size(Extent e) {
  if (e.is_fixed()) return literal(static_cast<double>(e.offset), DType::i32);
  Scalar s;
  s.kind = ScalarKind::size;
  s.dtype = DType::i32;
  s.extent = e;
  return add(std::move(s));
}

ScalarId Graph::read(NodeId tensor, Arguments subscripts, bool zero_outside) {
  Scalar s;
  s.kind = ScalarKind::read;
  s.dtype = (*this)[tensor].type.dtype;
  s.tensor = tensor;
  s.zero_outside = zero_outside;
  s.args = std::move(subscripts);
  return add(std::move(s));
}

ScalarId Graph::apply(Fn fn, Arguments args) {
  GRADC_CHECK(fn != Fn::cast, "use Graph::cast");
  Scalar s;
  s.kind = ScalarKind::apply;
  s.fn = fn;
  const ScalarId typed = fn == Fn::select ? args[1] : args[0];
  s.dtype = info(fn).result == FnResult::boolean ? DType::boolean : (*this)[typed].dtype;
  s.args = std::move(args);
  return add(std::move(s));
}

ScalarId Graph::cast(ScalarId x, DType to) {
  if ((*this)[x].dtype == to) return x;
  Scalar s;
  s.kind = ScalarKind::apply;
  s.fn = Fn::cast;
  s.dtype = to;
  s.args = {x};
  return add(std::move(s));
}

NodeId Graph::comprehension(std::size_t rank, Shape ranges, Reduction reduction, ScalarId body) {
  GRADC_CHECK(rank <= ranges.size(), "more free indices than indices");
  GRADC_CHECK((reduction == Reduction::none) == (rank == ranges.size()),
              "a comprehension reduces exactly when it has reduction indices");
  Node n;
  n.kind = NodeKind::comprehension;
  const bool position = reduction == Reduction::argmax || reduction == Reduction::argmin;
  n.type.dtype = position ? DType::i32 : (*this)[body].dtype;
  n.type.shape.assign(ranges.begin(), ranges.begin() + static_cast<std::ptrdiff_t>(rank));
  n.ranges = std::move(ranges);
  n.reduction = reduction;
  n.body = body;
  return add(std::move(n));
}

NodeId Graph::new_past(TensorType type) {
  Node n;
  n.kind = NodeKind::past;
  n.type = std::move(type);
  n.stream = pasts_;
  return add(std::move(n));
}

std::int64_t max_extent(const Graph& g, const Extent& e) {
  return e.is_fixed() ? e.offset : e.offset + e.scale * g.dim(e.dim).bound;
}

namespace {

void add_scaled(Affine& out, const Affine& x, std::int64_t factor) {
  out.constant += factor * x.constant;
  if (out.coefficients.size() < x.coefficients.size()) out.coefficients.resize(x.coefficients.size());
  for (std::size_t k = 0; k < x.coefficients.size(); ++k) {
    out.coefficients[k] += factor * x.coefficients[k];
  }
  for (auto [dim, coefficient] : x.sizes) {
    auto at = std::lower_bound(out.sizes.begin(), out.sizes.end(), dim,
                               [](const auto& entry, DimId d) { return entry.first < d; });
    if (at != out.sizes.end() && at->first == dim) {
      at->second += factor * coefficient;
      if (at->second == 0) out.sizes.erase(at);
    } else if (factor * coefficient != 0) {
      out.sizes.insert(at, {dim, factor * coefficient});
    }
  }
}

bool is_constant(const Affine& a) {
  return a.sizes.empty() &&
         std::all_of(a.coefficients.begin(), a.coefficients.end(), [](auto c) { return c == 0; });
}

}  // namespace

bool as_affine(const Graph& g, ScalarId id, Affine& out) {
  const Scalar& s = g[id];
  out = Affine{};
  switch (s.kind) {
    case ScalarKind::literal:
      if (s.dtype != DType::i32) return false;
      out.constant = static_cast<std::int64_t>(s.value);
      return true;
    case ScalarKind::index:
      out.coefficients.resize(s.index + 1);
      out.coefficients[s.index] = 1;
      return true;
    case ScalarKind::size:
      out.constant = s.extent.offset;
      out.sizes.emplace_back(s.extent.dim, s.extent.scale);
      return true;
    case ScalarKind::read: return false;
    case ScalarKind::apply: break;
  }
  if (s.dtype != DType::i32) return false;
  Affine x, y;
  switch (s.fn) {
    case Fn::neg:
      if (!as_affine(g, s.args[0], x)) return false;
      add_scaled(out, x, -1);
      return true;
    case Fn::add:
    case Fn::sub:
      if (!as_affine(g, s.args[0], x) || !as_affine(g, s.args[1], y)) return false;
      add_scaled(out, x, 1);
      add_scaled(out, y, s.fn == Fn::add ? 1 : -1);
      return true;
    case Fn::mul:
      if (!as_affine(g, s.args[0], x) || !as_affine(g, s.args[1], y)) return false;
      if (!is_constant(x)) std::swap(x, y);
      if (!is_constant(x)) return false;
      add_scaled(out, y, x.constant);
      return true;
    default: return false;
  }
}

ScalarId from_affine(Graph& g, const Affine& a) {
  ScalarId sum;
  auto add = [&](ScalarId term, std::int64_t factor) {
    if (factor == 0) return;
    const std::int64_t magnitude = factor < 0 ? -factor : factor;
    if (magnitude != 1) {
      term = g.apply(Fn::mul, {g.literal(static_cast<double>(magnitude), DType::i32), term});
    }
    if (!sum.valid()) {
      sum = factor < 0 ? g.apply(Fn::neg, {term}) : term;
    } else {
      sum = g.apply(factor < 0 ? Fn::sub : Fn::add, {sum, term});
    }
  };
  for (std::uint32_t k = 0; k < a.coefficients.size(); ++k) add(g.index(k), a.coefficients[k]);
  for (auto [dim, factor] : a.sizes) add(g.size(Extent(dim)), factor);
  if (!sum.valid()) return g.literal(static_cast<double>(a.constant), DType::i32);
  if (a.constant != 0) {
    const std::int64_t magnitude = a.constant < 0 ? -a.constant : a.constant;
    sum = g.apply(a.constant < 0 ? Fn::sub : Fn::add,
                  {sum, g.literal(static_cast<double>(magnitude), DType::i32)});
  }
  return sum;
}

bool uses_index(const Graph& g, ScalarId id, std::uint32_t first, std::uint32_t last) {
  const std::uint64_t used = g.facts(id).indices;
  for (std::uint32_t k = first; k < std::min(last, last_index_bit); ++k)
    if (used >> k & 1) return true;
  if (last <= last_index_bit || !(used >> last_index_bit)) return false;
  const Scalar& s = g[id];
  if (s.kind == ScalarKind::index) return s.index >= first && s.index < last;
  return std::any_of(s.args.begin(), s.args.end(),
                     [&](ScalarId a) { return uses_index(g, a, first, last); });
}

ScalarId with_tensors(Graph& g, ScalarId id, const IdMap<NodeId, NodeId>& tensors,
                      IdMap<ScalarId, ScalarId>& done) {
  if (!g.facts(id).reads) return id;
  if (const auto it = done.find(id); it != done.end()) return it->second;
  const auto part = [&](ScalarId a) { return with_tensors(g, a, tensors, done); };
  const NodeId tensor = g[id].tensor.valid() ? tensors.at(g[id].tensor) : NodeId{};
  const ScalarId result = with_arguments(g, id, part, tensor);
  done.emplace(id, result);
  return result;
}

ScalarId substitute(Graph& g, ScalarId root, std::span<const ScalarId> replacements) {
  std::uint64_t replaced = 0;  // as in ScalarFacts
  for (std::uint32_t k = 0; k < replacements.size(); ++k)
    if (replacements[k].valid()) replaced |= std::uint64_t{1} << std::min(k, last_index_bit);
  IdMap<ScalarId, ScalarId> done;
  auto visit = [&](auto&& self, ScalarId id) -> ScalarId {
    if ((g.facts(id).indices & replaced) == 0) return id;
    if (const Scalar& s = g[id]; s.kind == ScalarKind::index) {
      return s.index < replacements.size() && replacements[s.index].valid() ? replacements[s.index]
                                                                            : id;
    }
    if (auto it = done.find(id); it != done.end()) return it->second;
    const ScalarId result = with_arguments(g, id, [&](ScalarId a) { return self(self, a); });
    done.emplace(id, result);
    return result;
  };
  return visit(visit, root);
}

std::vector<NodeId> reads_of(const Graph& g, ScalarId root) {
  std::vector<NodeId> found;
  SeenScalars seen;
  auto visit = [&](auto&& self, ScalarId id) -> void {
    const Scalar& s = g[id];
    if (!g.facts(id).reads || !seen.insert(id)) return;
    if (s.kind == ScalarKind::read &&
        std::find(found.begin(), found.end(), s.tensor) == found.end()) {
      found.push_back(s.tensor);
    }
    for (ScalarId a : s.args) self(self, a);
  };
  if (root.valid()) visit(visit, root);
  return found;
}

std::vector<NodeId> topological_order(const Graph& g, const std::vector<NodeId>& roots) {
  std::vector<NodeId> order;
  std::vector<bool> seen(g.node_count());
  // An explicit stack: graphs are deep.
  struct Frame {
    NodeId id;
    const std::vector<NodeId>* operands;
    std::size_t next = 0;
  };
  std::vector<Frame> stack;
  auto push = [&](NodeId id) {
    if (seen[id.value]) return;
    seen[id.value] = true;
    stack.push_back({id, &g.operands(id)});
  };
  for (NodeId root : roots) {
    push(root);
    while (!stack.empty()) {
      Frame& top = stack.back();
      if (top.next < top.operands->size()) {
        push((*top.operands)[top.next++]);
      } else {
        order.push_back(top.id);
        stack.pop_back();
      }
    }
  }
  return order;
}

std::vector<NodeId> training_roots(const Function& f) {
  std::vector<NodeId> roots;
  for (const Output& o : f.outputs) roots.push_back(o.node);
  for (const Output& o : f.gradients) roots.push_back(o.node);
  for (const Update& u : f.updates) roots.push_back(u.value);
  return roots;
}

std::vector<NodeId> roots_of(const Function& f) {
  std::vector<NodeId> roots = training_roots(f);
  for (const Output& o : f.evaluation) roots.push_back(o.node);
  return roots;
}

const std::vector<Output>& evaluated(const Function& f) {
  return f.evaluation.empty() ? f.outputs : f.evaluation;
}

}  // namespace gradc

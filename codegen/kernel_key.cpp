// kernel_key.cpp: kernel_key(): the members of a kernel and their bodies as a string of numbers, in
// which tensors and scalars go by the order in which they occur.
#include "codegen/kernel_key.h"

#include <algorithm>
#include <bit>
#include <string_view>
#include <type_traits>
#include <utility>

#include "codegen/kernel_writer.h"
#include "codegen/product_forms.h"
#include "codegen/product_to_loops.h"

namespace gradc {
namespace {

class KeyWriter {
 public:
  KeyWriter(const LoopContext& c, const KernelPlan& plan, const std::set<NodeId>& registers)
      : c_(c),
        g_(c.graph),
        plan_(plan),
        registers_(registers),
        bound_(nodes_to_bind(g_, plan, registers)) {}

  KernelKey key() {
    add(plan_.form, plan_.shared, plan_.runs.size(), plan_.members.size(), c_.reserved.size());
    add(c_.time);
    for (const auto& [node, written] : bound_) argument(node, written);
    for (const StoredNode& s : plan_.members) member(s);
    for (const Run& run : plan_.runs) {
      add(run.rank, run.members.size());
      add(run.ranges);
      for (const StoredNode& s : run.members) add(member_number(s.node));
    }
    draws();
    if (plan_.form == Form::product || plan_.form == Form::inner) product();
    return std::move(key_);
  }

 private:
  template <class... Numbers>
  requires((std::is_integral_v<Numbers> ||
            std::is_enum_v<Numbers>)&&...) void add(Numbers... numbers) {
    (append(static_cast<std::uint64_t>(numbers)), ...);
  }
  void append(std::uint64_t number) {
    // Few are large.
    while (number >= 0x80) {
      key_.text += static_cast<char>(0x80 | (number & 0x7F));
      number >>= 7;
    }
    key_.text += static_cast<char>(number);
  }
  void add(std::string_view text) {
    append(text.size());
    key_.text += text;
  }
  // Numbered from 1 on, 0 is none: a short one.
  void add(const Extent& e) { add(e.offset, e.scale, e.dim.value + 1); }
  void add(const Shape& shape) {
    append(shape.size());
    for (const Extent& e : shape) add(e);
  }
  void add(const Affine& a) {
    add(a.constant, a.coefficients.size(), a.sizes.size());
    for (const std::int64_t factor : a.coefficients) add(factor);
    for (const auto& [dim, factor] : a.sizes) add(dim.value, factor);
  }

  std::size_t member_number(NodeId id) const {
    const auto at = std::find_if(plan_.members.begin(), plan_.members.end(),
                                 [&](const StoredNode& s) { return s.node == id; });
    return static_cast<std::size_t>(at - plan_.members.begin());
  }

  // Which arguments are one buffer, and what kernel_writer.cpp asks of it.
  void argument(NodeId id, bool written) {
    const std::uint32_t buffer = c_.buffer(id);
    const auto same = std::find(key_.buffers.begin(), key_.buffers.end(), buffer);
    add(written, same - key_.buffers.begin());
    if (same == key_.buffers.end()) {
      const loops::Element element = c_.element(buffer);
      add(c_.short_name(id));
      add(element.dtype, element.bf16);
    }
    key_.buffers.push_back(buffer);
  }

  void member(const StoredNode& s) {
    const Node& n = g_[s.node];
    add(n.kind, n.type.dtype, n.reduction, registers_.contains(s.node), s.alone, s.whole.valid(),
        s.axis);
    add(n.type.shape);
    if (s.whole.valid()) add(g_[s.whole].type.shape);
    add(c_.short_name(s.node));
    const std::vector<std::string>& indices = g_.label(s.node).index_names;
    append(indices.size());
    for (const std::string& name : indices) add(name);
    if (n.kind == NodeKind::random) {
      add(n.distribution, std::bit_cast<std::uint64_t>(n.a), std::bit_cast<std::uint64_t>(n.b));
    } else if (n.kind == NodeKind::comprehension) {
      add(n.ranges);
      scalar(n.body);
    }
  }

  // Numbers of those that were met, from 1 on; 0 stands before a new one.
  template <class Id>
  bool known(IdMap<Id, std::uint64_t>& numbers, Id id) {
    const auto [at, added] = numbers.try_emplace(id, numbers.size() + 1);
    append(added ? 0 : at->second);
    return !added;
  }

  void scalar(ScalarId id) {
    if (known(scalars_, id)) return;
    const Scalar& s = g_[id];
    add(s.kind, s.dtype);
    switch (s.kind) {
      case ScalarKind::literal:
        append(std::bit_cast<std::uint64_t>(s.value));
        break;
      case ScalarKind::index:
        append(s.index);
        break;
      case ScalarKind::size:
        add(s.extent);
        break;
      case ScalarKind::apply:
        add(s.fn, s.args.size());
        break;
      case ScalarKind::read:
        append(s.zero_outside);
        tensor(s.tensor);
        break;
    }
    for (const ScalarId a : s.args) scalar(a);
  }

  void tensor(NodeId id) {
    if (known(tensors_, id)) return;
    const Node& n = g_[id];
    const bool position = n.reduction == Reduction::argmax || n.reduction == Reduction::argmin;
    add(n.type.dtype, position);
    add(n.type.shape);
    if (position) add(n.ranges);  // which it lies in
    const NodeId owner = storage_of(g_, id);
    const auto at =
        std::find_if(bound_.begin(), bound_.end(), [&](const auto& b) { return b.first == owner; });
    add(owner == id, member_number(owner), at - bound_.begin());
    if (owner != id) add(g_.label(id).name);
    if (at == bound_.end() && g_[owner].kind == NodeKind::constant)
      append(std::bit_cast<std::uint64_t>(g_[owner].values[0]));
  }

  // A single stream is said by who calls the kernel (graph_to_loops.cpp).
  void draws() {
    std::set<std::uint32_t> streams;
    for (const StoredNode& s : plan_.members)
      if (g_[s.node].kind == NodeKind::random) streams.insert(g_[s.node].stream);
    if (streams.size() < 2) return;
    for (const StoredNode& s : plan_.members)
      if (g_[s.node].kind == NodeKind::random) append(g_[s.node].stream);
  }

  // What is known of its factors from how they are computed.
  void product() {
    const NodeId id = plan_.members[0].node;
    const auto form =
        plan_.form == Form::inner ? inner_form(g_, id, c_.isa) : product_form(g_, id, c_.isa);
    add(form->pairs, shares_tiles(g_, plan_, *form));
    const std::vector<ZeroTerms> zeros = zero_terms(g_, *form);
    append(zeros.size());
    for (const ZeroTerms& zero : zeros) {
      append(zero.sum);
      add(zero.at);
    }
  }

  const LoopContext& c_;
  const Graph& g_;
  const KernelPlan& plan_;
  const std::set<NodeId>& registers_;
  std::vector<std::pair<NodeId, bool>> bound_;
  IdMap<ScalarId, std::uint64_t> scalars_;
  IdMap<NodeId, std::uint64_t> tensors_;
  KernelKey key_;
};

}  // namespace

KernelKey kernel_key(const LoopContext& context, const KernelPlan& plan,
                     const std::set<NodeId>& in_registers) {
  return KeyWriter(context, plan, in_registers).key();
}

bool same_loops(const loops::Kernel& x, const loops::Kernel& y) {
  return x.arguments == y.arguments && x.counts == y.counts && x.draws == y.draws &&
         x.one_stream == y.one_stream && x.launch == y.launch && x.arrays == y.arrays &&
         x.body == y.body;
}

}  // namespace gradc

// kernel_formulas.cpp: what a kernel computes, as mathematics in the words of its own code.
#include "codegen/kernel_formulas.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "codegen/index_roles.h"
#include "codegen/kernel_writer.h"
#include "dsl/scalar_to_text.h"

namespace gradc {
namespace {

constexpr std::size_t width = 96;
constexpr std::uint32_t longest_formula = 1024;  // scalars

// Breaks at spaces, those after `before` if there is one; what goes on is indented.
void append_wrapped(std::vector<std::string>& lines, std::string text, std::string_view before = "") {
  std::string indent;
  while (indent.size() + text.size() > width) {
    std::size_t at = text.rfind(std::string(before) + " ", width - indent.size() - before.size());
    if (at != std::string::npos) at += before.size();
    if (at == std::string::npos || at == 0) at = text.find(' ', 1);
    if (at == std::string::npos) break;
    lines.push_back(indent + text.substr(0, at));
    text.erase(0, at + 1);
    indent = "    ";
  }
  lines.push_back(indent + text);
}

class Formulas {
 public:
  explicit Formulas(const KernelWriter& k) : k_(k), g_(k.g) {}

  std::vector<std::string> lines() {
    for (const StoredNode& s : k_.plan.members) name(s.node);
    for (const StoredNode& s : k_.plan.members) {
      for (NodeId read : g_.operands(s.node)) name(read);
    }
    std::vector<std::string> result;
    for (const StoredNode& s : k_.plan.members) append_wrapped(result, formula(s.node));
    append_wrapped(result, shapes(), "],");
    if (result.back().empty()) result.pop_back();
    return result;
  }

 private:
  void name(NodeId id) {
    if (names_.contains(id)) return;
    const NodeId owner = storage_of(g_, id);
    const Node& n = g_[owner];
    if (n.kind == NodeKind::constant && n.values.size() == 1) {
      names_[id] = number_to_text(n.values[0], n.type.dtype, Notation::brief);
    } else if (k_.nest.bound(owner) && !lodges(owner)) {
      names_[id] = k_.nest.argument(owner);
      taken_.insert(names_[id]);
    } else {
      const std::string stem = k_.context.short_name(owner);
      std::string fresh = stem;
      for (int i = 2; taken_.contains(fresh); ++i) fresh = stem + std::to_string(i);
      taken_.insert(fresh);
      names_[id] = fresh;
    }
  }
  // A product that lives in its follower's buffer keeps a name of its own here.
  bool lodges(NodeId id) const {
    const auto& members = k_.plan.members;
    return (k_.plan.form == Form::product || k_.plan.form == Form::inner) && members.size() > 1 && members[0].node == id &&
           k_.nest.argument(id) == k_.nest.argument(members[1].node);
  }

  std::string formula(NodeId id) const {
    const Node& n = g_[id];
    std::vector<ScalarText> indices;
    std::string free, bound;
    const std::vector<std::string>& words = k_.index_names(id);
    for (std::uint32_t i = 0; i < words.size(); ++i) {
      const std::string& index = words[i];
      indices.push_back({index});
      std::string& list = i < n.type.rank() ? free : bound;
      list += (list.empty() ? "" : ", ") + index;
    }
    if (const auto* place = k_.nest.place(id)) free = with_time(id, *place);
    std::string out = names_.at(id) + (free.empty() ? "" : "[" + free + "]") + " = ";
    if (n.kind == NodeKind::random) {
      return out + fmt::format("{}({}, {})",
                               n.distribution == Distribution::normal ? "normal" : "uniform",
                               number_to_text(n.a, DType::f32, Notation::brief),
                               number_to_text(n.b, DType::f32, Notation::brief));
    }
    // A value that others are copies of is shown in their place if it is a number.
    const auto is_number = [&](NodeId read) {
      const bool member = std::any_of(k_.plan.members.begin(), k_.plan.members.end(),
                                      [&](const StoredNode& s) { return s.node == read; });
      return member && g_[read].kind == NodeKind::comprehension && g_[g_[read].body].kind == ScalarKind::literal;
    };
    // What is shared is written wherever it stands.
    if (g_.facts(n.body).written > longest_formula)
      return out + fmt::format("… ({} operations and values)", size_of(g_, n.body));
    const ScalarToText text{g_, names_, Notation::brief, is_number, true};
    const ScalarText body = text(n.body, indices);
    if (n.reduction == Reduction::none) return out + body.text;
    return out + fmt::format("{}[{}] {}", gradc::name(n.reduction), bound, body.at_least(7));
  }

  // The indices of the whole that the node is a slice of.
  std::string with_time(NodeId id, const NestWriter::Place& place) const {
    std::string list;
    for (std::uint32_t axis = 0, k = 0; axis < place.whole.size(); ++axis) {
      const std::string index = axis == place.axis ? g_.dim(place.time.dim).name : k_.index_name(id, k++);
      list += (list.empty() ? "" : ", ") + index;
    }
    return list;
  }

  std::string shapes() const {
    std::string out;
    std::set<std::string> done;
    auto mention = [&](NodeId id) {
      const NodeId owner = storage_of(g_, id);
      if (!k_.nest.bound(owner) || lodges(owner) || g_[id].type.rank() == 0) return;
      if (!done.insert(names_.at(id)).second) return;
      out += fmt::format("{}{}: {}{}", out.empty() ? "" : ", ", names_.at(id),
                         k_.stores_bf16(owner) ? "bf16" : gradc::name(g_[id].type.dtype),
                         shape_to_text(g_, k_.nest.place(id) ? k_.nest.place(id)->whole : g_[id].type.shape));
    };
    for (const StoredNode& s : k_.plan.members) mention(s.node);
    for (const StoredNode& s : k_.plan.members) {
      for (NodeId read : g_.operands(s.node)) mention(read);
    }
    return out;
  }

  const KernelWriter& k_;
  const Graph& g_;
  NodeNames names_;
  std::set<std::string> taken_;
};

}  // namespace

std::vector<std::string> kernel_formulas(const LoopContext& context, const KernelPlan& plan,
                                         const std::set<NodeId>& in_registers) {
  return Formulas(KernelWriter(context, plan, in_registers)).lines();
}

}  // namespace gradc

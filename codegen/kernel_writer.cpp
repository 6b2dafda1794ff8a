// kernel_writer.cpp: what all writers of a kernel's loops do alike: its arguments, the names of its
// indices, its stores.
#include "codegen/kernel_writer.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "codegen/exprs.h"
#include "dsl/check.h"
#include "dsl/graph_names.h"

namespace gradc {

using namespace loops;

std::vector<std::pair<NodeId, bool>> nodes_to_bind(const Graph& g, const KernelPlan& plan,
                                                   const std::set<NodeId>& in_registers) {
  std::vector<std::pair<NodeId, bool>> nodes;
  for (const StoredNode& s : plan.members) {
    if (g[s.node].kind != NodeKind::comprehension) continue;
    for (NodeId read : g.operands(s.node)) {
      const NodeId id = storage_of(g, read);
      const bool number = g[id].kind == NodeKind::constant && g[id].values.size() == 1;
      const bool member = std::any_of(plan.members.begin(), plan.members.end(),
                                      [&](const StoredNode& other) { return other.node == id; });
      if (!number && !member) nodes.emplace_back(id, false);
    }
  }
  // A product that lodges with its follower goes by the follower's name.
  for (std::size_t m = plan.members.size(); m-- > 0;)
    if (!in_registers.contains(plan.members[m].node))
      nodes.emplace_back(plan.members[m].node, true);
  return nodes;
}

KernelWriter::KernelWriter(const LoopContext& c, const KernelPlan& p,
                           const std::set<NodeId>& in_registers)
    : context(c),
      g(c.graph),
      plan(p),
      registers(in_registers),
      nest(c.graph, c.dim_names, c.reserved) {
  for (const StoredNode& s : plan.members) {
    if (s.whole.valid()) nest.embed(s.node, {g[s.whole].type.shape, s.axis, context.time});
  }
  for (const auto& [node, written] : nodes_to_bind(g, plan, registers)) bind(node, written);
  std::stable_partition(arguments.begin(), arguments.end(),
                        [](const Bound& b) { return !b.argument.written; });
}

void KernelWriter::bind(NodeId id, bool written) {
  const std::uint32_t buffer = context.buffer(id);
  auto at = std::find_if(arguments.begin(), arguments.end(),
                         [&](const Bound& b) { return b.buffer == buffer; });
  if (at == arguments.end()) {
    const std::string name = nest.names().fresh(context.short_name(id));
    at = arguments.insert(
        arguments.end(),
        {buffer, {name, context.element(buffer).dtype, false, context.element(buffer).bf16}});
  }
  at->argument.written = at->argument.written || written;
  nest.bind(id, at->argument.name, at->argument.dtype);
}

bool KernelWriter::stores_bf16(NodeId id) const {
  return !registers.contains(id) && context.element(context.buffer(id)).bf16;
}

Expr KernelWriter::as_stored(NodeId id, Expr value) const {
  if (!stores_bf16(id)) return value;
  const auto reads = [&](const StoredNode& s) {
    const std::vector<NodeId> operands = g.operands(s.node);
    return std::any_of(operands.begin(), operands.end(),
                       [&](NodeId o) { return storage_of(g, o) == id; });
  };
  const bool read_here = std::any_of(plan.members.begin(), plan.members.end(), reads);
  return read_here ? rounded(std::move(value)) : value;
}

namespace {

std::string letter(std::size_t k) {
  constexpr std::string_view letters = "ijklmnpqrsuvw";
  return k < letters.size() ? std::string(1, letters[k]) : "i" + std::to_string(k);
}

std::vector<std::string> own_index_names(const Graph& g, NodeId id) {
  if (g[id].kind == NodeKind::comprehension) return name_indices(g, id, {});
  std::vector<std::string> names;
  for (std::size_t k = 0; k < g[id].type.rank(); ++k) names.push_back(letter(k));
  return names;
}

}  // namespace

const std::vector<std::string>& KernelWriter::index_names(NodeId id) const {
  const auto known = index_names_.find(id);
  return known != index_names_.end() ? known->second
                                     : index_names_.emplace(id, make_index_names(id)).first->second;
}

std::vector<std::string> KernelWriter::make_index_names(NodeId id) const {
  // The first member names the loops that all share, the first of a run the others.
  const NodeId first = plan.members[0].node;
  const std::size_t shared = plan.runs.empty() ? g[first].type.rank() : plan.shared;
  NodeId leader = id;
  for (const Run& run : plan.runs) {
    for (const StoredNode& s : run.members) {
      if (s.node == id) leader = run.members[0].node;
    }
  }
  std::vector<std::string> names = own_index_names(g, leader);
  std::vector<bool> settled(names.size());
  // No index goes by the name of a tensor or of a dim.
  if (member_names_.empty())
    for (const StoredNode& s : plan.members) member_names_.push_back(context.short_name(s.node));
  const auto is_other = [&](const std::string& name) {
    return std::find(context.dim_names.begin(), context.dim_names.end(), name) != context.dim_names.end() ||
           std::find(member_names_.begin(), member_names_.end(), name) != member_names_.end() ||
           std::any_of(arguments.begin(), arguments.end(), [&](const Bound& b) { return b.argument.name == name; });
  };
  std::set<std::string> own;
  const auto take = [&](const std::string& name) { return !is_other(name) && own.insert(name).second; };
  if (leader != first) {
    const std::vector<std::string>& outer = index_names(first);
    for (std::size_t k = 0; k < std::min({shared, names.size(), outer.size()}); ++k) {
      own.insert(names[k] = outer[k]);
      settled[k] = true;
    }
  }
  for (std::size_t k = 0; k < names.size(); ++k) settled[k] = settled[k] || take(names[k]);
  std::size_t next = 0;
  for (std::size_t k = 0; k < names.size(); ++k) {
    while (!settled[k]) {
      names[k] = letter(next++);
      settled[k] = take(names[k]);
    }
  }
  return names;
}

void KernelWriter::store(NodeId id, Expr value) {
  nest.emit(Store{nest.argument(id), nest.own_position(id), std::move(value), false, Fn::add});
}

Expr KernelWriter::draw(NodeId id) {
  const Node& n = g[id];
  draws = true;
  Expr e;
  e.kind = ExprKind::random;
  e.type = type_of(n.type.dtype);
  e.distribution = n.distribution;
  e.stream = n.stream;
  e.args = {nest.own_position(id), number(n.a, Type::f32), number(n.b, Type::f32)};
  return e;
}

WrittenKernel KernelWriter::finish() {
  WrittenKernel result;
  result.kernel.body = nest.take();
  for (const std::string& dim : context.dim_names) {
    auto& counts = result.kernel.counts;  // the times of several loops may have one name
    const bool known = std::find(counts.begin(), counts.end(), dim) != counts.end();
    if (nest.counts().contains(dim) && !known) counts.push_back(dim);
  }
  result.kernel.draws = draws;
  result.kernel.arrays = arrays;
  for (const Bound& b : arguments) {
    result.kernel.arguments.push_back(b.argument);
    result.buffers.push_back(b.buffer);
  }
  return result;
}

}  // namespace gradc

// plans_to_text.cpp: what the stages between the graph and its loops decided, for people.
#include "codegen/plans_to_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "codegen/loops_to_text.h"
#include "codegen/schedule.h"
#include "dsl/graph_names.h"
#include "dsl/graph_to_text.h"
#include "dsl/scalar_to_text.h"

namespace gradc {
namespace {

using loops::Entry;
using loops::Storage;

std::string_view entry_name(Entry entry) {
  constexpr std::string_view names[] = {"init", "net", "net", "step", "evaluation of"};
  return names[static_cast<std::size_t>(entry)];
}

// One plan with a name for each tensor in it.
struct PlanText {
  PlanText(const Graph& graph, const FunctionPlan& p) : g(graph), plan(p) {
    std::vector<NodeId> nodes;
    for (const StoredNode& s : plan.stored) {
      nodes.push_back(s.node);
      for (NodeId read : g.operands(s.node)) nodes.push_back(read);
    }
    names = name_nodes(g, nodes);
  }

  std::string title() const {
    const Function& f = g.functions[plan.function];
    std::string text{entry_name(plan.entry)};
    if (plan.entry != Entry::init) text += " " + f.name;
    return text + "\n";
  }

  std::string type(NodeId id) const {
    return std::string(gradc::name(g[id].type.dtype)) + shape_to_text(g, g[id].type.shape);
  }

  std::string home(const StoredNode& s) const {
    const Function& f = g.functions[plan.function];
    switch (s.home.storage) {
      case Storage::output:
        if (s.home.target.valid()) return "output d" + g[s.home.target].name;
        return "output " + f.outputs[s.home.result].name;
      case Storage::parameter:
        return "parameter " + g[s.home.target].name;
      case Storage::state:
        return "state " + g[s.home.target].name;
      case Storage::gradient:
        return "gradient of " + g[s.home.target].name;
      default:
        return fmt::format("workspace: {}", s.why);
    }
  }

  std::string index_list(NodeId id, const std::vector<std::uint32_t>& indices) const {
    const std::vector<std::string> words = name_indices(g, id, names);
    std::string text;
    for (std::uint32_t k : indices) {
      text += fmt::format("{}{} < {}", text.empty() ? "" : ", ", words[k],
                          extent_to_text(g, g[id].ranges[k]));
    }
    return text.empty() ? "none" : text;
  }

  // The roles of a product's indices.
  std::string roles(NodeId id) const {
    Isa any = default_isa();
    any.pairs = true;  // the roles are the same
    std::optional<ProductForm> form = product_form(g, id, any);
    if (!form) form = inner_form(g, id, any);
    if (!form) return "";
    return fmt::format(" of {} and {}: column {}; rows {}; sum over {}; others {}",
                       names.at(g[form->a].tensor), names.at(g[form->b].tensor),
                       index_list(id, {form->column}), index_list(id, form->rows),
                       index_list(id, form->sums), index_list(id, form->others));
  }

  // Which indices of a scatter the others determine.
  std::string positions(NodeId id) const {
    Graph copy = g;  // positions are new scalars
    const std::optional<ScatterForm> form = scatter_form(copy, id);
    if (!form) return "";
    const std::vector<std::string> words = name_indices(g, id, names);
    const std::vector<ScalarText> indices(words.begin(), words.end());
    std::string text;
    for (const ScatterForm::Solved& s : form->solved) {
      text += fmt::format("{}{} = {}", text.empty() ? " to " : ", ", words[s.index],
                          ScalarToText{copy, names, Notation::brief}(s.position, indices).text);
    }
    return text;
  }

  const Graph& g;
  const FunctionPlan& plan;
  NodeNames names;
};

// From the first to the last call of its function, or of both halves of its net, that touches a
// buffer.
struct Life {
  std::size_t first = 0, last = 0;
};

std::string lives_to_text(const loops::Module& module,
                          const std::vector<const loops::Function*>& parts) {
  std::string calls, text;
  std::map<std::uint32_t, Life> lives;
  std::size_t time = 0;
  for (const loops::Function* part : parts) {
    for (const loops::Invocation& call : part->calls) {
      for (std::uint32_t b : call.buffers) {
        if (module.buffers[b].storage == Storage::workspace)
          lives.try_emplace(b, Life{time, time}).first->second.last = time;
      }
      calls += fmt::format("  call {}: {}\n", time++, module.kernels[call.kernel].name);
    }
  }
  std::vector<std::uint32_t> buffers;
  for (const auto& [b, life] : lives) buffers.push_back(b);
  std::stable_sort(buffers.begin(), buffers.end(), [&](std::uint32_t a, std::uint32_t b) {
    return module.buffers[a].offset < module.buffers[b].offset;
  });
  for (std::uint32_t b : buffers) {
    const loops::Buffer& buffer = module.buffers[b];
    text += fmt::format("  bytes {} to {}, calls {} to {}: {}: {}\n", buffer.offset,
                        buffer.offset + std::max<std::int64_t>(buffer.bytes, 1) - 1, lives[b].first,
                        lives[b].last, buffer.name, shape_text(module, buffer));
  }
  std::string title{entry_name(parts[0]->entry)};
  if (parts[0]->entry != Entry::init) title += " " + parts[0]->spec_name;
  return title + "\n" + calls + text;
}

}  // namespace

std::string stored_to_text(const Graph& g, const std::vector<FunctionPlan>& plans) {
  std::string text;
  for (const FunctionPlan& plan : plans) {
    const PlanText p(g, plan);
    text += p.title();
    for (std::size_t k = 0; k < plan.stored.size(); ++k) {
      const StoredNode& s = plan.stored[k];
      if (k == plan.forward_count && plan.entry != Entry::init) {
        text += plan.entry == Entry::step ? "  --- gradients and updates\n" : "  --- backward\n";
      }
      text += fmt::format("  {}\n      {}, {}\n", equation(g, s.node, p.names), p.type(s.node),
                          p.home(s));
    }
  }
  return text;
}

std::string forms_to_text(const Graph& g, const std::vector<FunctionPlan>& plans) {
  std::string text;
  for (const FunctionPlan& plan : plans) {
    const PlanText p(g, plan);
    text += p.title();
    for (const StoredNode& s : plan.stored) {
      text += fmt::format("  {}: {}", p.names.at(s.node), name(s.form));
      if (s.form == Form::product || s.form == Form::inner) text += p.roles(s.node);
      if (s.form == Form::scatter) text += p.positions(s.node);
      if (s.bf16) text += "; stored as bf16";
      text += '\n';
    }
  }
  return text;
}

std::string kernels_to_text(const Graph& g, const std::vector<FunctionPlan>& plans,
                            const std::vector<std::vector<KernelPlan>>& kernels) {
  std::string text;
  for (std::size_t k = 0; k < plans.size(); ++k) {
    const PlanText p(g, plans[k]);
    text += p.title();
    const auto members = [&](const std::vector<StoredNode>& stored) {
      std::string list;
      for (const StoredNode& s : stored) list += (list.empty() ? "" : ", ") + p.names.at(s.node);
      return list;
    };
    for (const KernelPlan& kernel : kernels[k]) {
      text += fmt::format("  {}: {}", name(kernel.form), members(kernel.members));
      const Shape& ranges = ranges_of(g[kernel.members[0].node]);
      if (kernel.runs.size() > 1 && kernel.shared == 0) text += "; no loops in common";
      if (kernel.runs.size() > 1 && kernel.shared > 0) {
        const auto end = ranges.begin() + static_cast<std::ptrdiff_t>(kernel.shared);
        text += fmt::format("; in common the loops over {}",
                            shape_to_text(g, Shape(ranges.begin(), end)));
      }
      text += '\n';
      for (const Run& run : kernel.runs) {
        text +=
            fmt::format("      over {}: {}\n", shape_to_text(g, run.ranges), members(run.members));
      }
    }
  }
  return text;
}

std::string memory_to_text(const loops::Module& module) {
  std::string text = fmt::format("workspace: {} bytes\n", module.workspace_bytes);
  for (std::size_t k = 0; k < module.functions.size(); ++k) {
    std::vector<const loops::Function*> parts{&module.functions[k]};
    if (k + 1 < module.functions.size() && module.functions[k + 1].entry == Entry::backward) {
      parts.push_back(&module.functions[++k]);
    }
    text += lives_to_text(module, parts);
  }
  for (const loops::MemoryReport& m : module.memory) {
    text += fmt::format("memory {}: {} bytes, at least {} alive at once, {} saved for gradients\n",
                        m.function, m.peak, m.lower_bound, m.saved);
  }
  return text;
}

}  // namespace gradc

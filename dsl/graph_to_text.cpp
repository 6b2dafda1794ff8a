// graph_to_text.cpp: the graph in the grammar of the language, one statement a node, so that
// text_to_graph reads it back. An `op` is the init function; a `net` and a `step` are themselves.
#include "dsl/graph_to_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "dsl/check.h"
#include "dsl/graph_names.h"
#include "dsl/scalar_to_text.h"

namespace gradc {
namespace {

std::string join(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, ", "));
}

// A string literal; names of the graph are paths of identifiers, but what is printed must read
// back.
std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

class Printer {
 public:
  explicit Printer(const Graph& graph) : g(graph) {}

  std::string print() {
    std::string text;
    for (const Dim& d : g.dims()) text += fmt::format("dim {} <= {}\n", d.name, d.bound);
    for (const Function& f : g.functions) {
      if (!text.empty()) text += '\n';
      text += function(f);
    }
    return text;
  }

 private:
  // Everything the function mentions, operands first. The initial value of a parameter or state
  // stands before the first mention of it in the text.
  std::vector<NodeId> nodes_of(const Function& f) {
    std::vector<NodeId> roots = f.inputs;
    roots.insert(roots.end(), f.cotangents.begin(), f.cotangents.end());
    for (NodeId id : roots_of(f)) roots.push_back(id);
    for (const Update& u : f.updates) roots.push_back(u.target);
    std::vector<bool> known(g.node_count());
    for (NodeId id : topological_order(g, roots)) known[id.value] = true;
    for (const Minimize& m : f.minimizes) {
      if (!known[m.loss.value]) continue;  // optimised away; nothing of it is left to show
      roots.insert(roots.end(), m.parameters.begin(), m.parameters.end());
    }
    return with_initial_values(roots);
  }

  std::vector<NodeId> with_initial_values(const std::vector<NodeId>& roots) {
    std::vector<NodeId> all;
    std::vector<bool> placed(g.node_count());
    const std::vector<NodeId> order = topological_order(g, roots);
    std::vector<NodeId> todo(order.rbegin(), order.rend());
    while (!todo.empty()) {
      const NodeId id = todo.back();
      if (placed[id.value]) {
        todo.pop_back();
        continue;
      }
      const Node& n = g[id];
      const bool initialised = n.kind == NodeKind::parameter || n.kind == NodeKind::state;
      if (initialised && n.operand.valid() && declared_.insert({id, false}).second) {
        const std::vector<NodeId> before = topological_order(g, {n.operand});
        todo.insert(todo.end(), before.rbegin(), before.rend());
        continue;
      }
      for (const Equation& e : n.equations) {  // a past that nothing reads has its line as well
        if (!placed[e.past.value]) all.push_back(e.past);
        placed[e.past.value] = true;
      }
      placed[id.value] = true;
      all.push_back(id);
      todo.pop_back();
    }
    return all;
  }

  std::string function(const Function& f) {
    const std::vector<NodeId> nodes = nodes_of(f);
    std::vector<std::pair<NodeId, std::string>> wishes;
    for (NodeId id : f.inputs) wishes.emplace_back(id, g[id].name);
    for (NodeId id : f.cotangents) wishes.emplace_back(id, g[id].name);
    for (const Output& o : f.outputs) wishes.emplace_back(o.node, o.name);
    for (const Output& o : f.evaluation) wishes.emplace_back(o.node, o.name);
    names_ = name_nodes(g, nodes, wishes);

    std::string text = header(f);
    for (NodeId id : nodes) text += statement(f, id);
    text += ends(f);
    return text + "}\n";
  }

  std::string typed(const TensorType& t) const {
    return std::string(name(t.dtype)) + (t.rank() == 0 ? "" : shape_to_text(g, t.shape));
  }

  std::string header(const Function& f) const {
    std::vector<std::string> parameters, results;
    std::vector<NodeId> inputs = f.inputs;
    inputs.insert(inputs.end(), f.cotangents.begin(), f.cotangents.end());
    for (NodeId id : inputs) {
      const Node& n = g[id];
      std::string text = fmt::format("{}: {}{}", names_.at(id), name(n.type.dtype),
                                     shape_to_text(g, n.type.shape));
      if (names_.at(id) != n.name) text += " = " + quoted(n.name);
      parameters.push_back(std::move(text));
    }
    for (const Output& o : f.outputs) {
      const TensorType& t = g[o.node].type;
      results.push_back(fmt::format("{}: {}{}", o.name, name(t.dtype), shape_to_text(g, t.shape)));
    }
    const char* kind = f.kind == FunctionKind::init  ? "op"
                       : f.kind == FunctionKind::net ? "net"
                                                     : "step";
    std::string text = fmt::format("{} {}({})", kind, f.name, join(parameters));
    if (f.kind == FunctionKind::net && !results.empty()) text += " -> " + join(results);
    return text + " {\n";
  }

  std::string statement(const Function& f, NodeId id) {
    const Node& n = g[id];
    const std::string& local = names_.at(id);
    auto line = [&](const std::string& value) { return fmt::format("  {} = {}\n", local, value); };
    switch (n.kind) {
      case NodeKind::input: {
        auto listed = [&](const std::vector<NodeId>& v) {
          return std::find(v.begin(), v.end(), id) != v.end();
        };
        if (listed(f.inputs) || listed(f.cotangents)) return "";  // it stands in the header
        return line(fmt::format("input({}, {})", quoted(n.name), typed(n.type)));
      }
      case NodeKind::parameter:
      case NodeKind::state: {
        std::string text =
            fmt::format("{}({}, {}", n.kind == NodeKind::parameter ? "parameter" : "state_value",
                        quoted(n.name), typed(n.type));
        if (auto it = declared_.find(id); it != declared_.end() && !it->second) {
          it->second = true;
          text += ", " + names_.at(n.operand);
        }
        return line(text + ")");
      }
      case NodeKind::constant: {
        std::vector<std::string> values;
        for (double v : n.values) {
          values.push_back(number_to_text(v, n.type.dtype == DType::i32 ? DType::i32 : DType::f32));
        }
        return line(fmt::format("constant({}, [{}])", typed(n.type), join(values)));
      }
      case NodeKind::random:
        return line(fmt::format("{}({}, {}, {}) like {}",
                                n.distribution == Distribution::normal ? "normal" : "uniform",
                                number_to_text(n.a, DType::f32), number_to_text(n.b, DType::f32),
                                n.stream, typed(n.type)));
      case NodeKind::reshape:
        if (n.type.rank() == 0) return line(fmt::format("reshape({})", names_.at(n.operand)));
        return line(
            fmt::format("reshape({}, {})", names_.at(n.operand), shape_to_text(g, n.type.shape)));
      case NodeKind::past:
        return line(fmt::format("past({}, {})", n.stream, typed(n.type)));
      case NodeKind::recurrence: {
        std::vector<std::string> equations;
        for (const Equation& e : n.equations) {
          equations.push_back(
              fmt::format("[{}, {}, {}]", names_.at(e.past), names_.at(e.body), e.time));
        }
        return line(fmt::format("{}({}, [{}])", n.backwards ? "recurrence_back" : "recurrence",
                                names_.at(n.operand), join(equations)));
      }
      case NodeKind::custom: {
        std::vector<std::string> pulls;
        for (const Pull& p : n.pulls) {
          pulls.push_back(fmt::format("[{}, {}]", names_.at(p.to), names_.at(p.value)));
        }
        return line(fmt::format("custom({}, {}, {}, [{}])", names_.at(n.operand), names_.at(n.result),
                                names_.at(n.cotangent), join(pulls)));
      }
      case NodeKind::gradient:
        return line(fmt::format("grad({}, {})", names_.at(n.operand), names_.at(n.wrt)));
      case NodeKind::comprehension:
        return comprehension(id);
    }
    GRADC_UNREACHABLE("node kind");
  }

  std::string comprehension(NodeId id) const {
    const Node& n = g[id];
    const std::vector<std::string> indices = name_indices(g, id, names_);
    std::vector<ScalarText> index_texts;
    std::vector<std::string> free, bound;
    for (std::size_t k = 0; k < indices.size(); ++k) {
      index_texts.push_back({indices[k]});
      (k < n.type.rank() ? free : bound)
          .push_back(fmt::format("{} in {}", indices[k], range_to_text(g, n.ranges[k])));
    }
    std::string text = "  " + names_.at(id);
    if (!free.empty()) text += fmt::format("[{}]", join(free));
    text += " = ";
    const ScalarText body = ScalarToText{g, names_}(n.body, index_texts);
    if (bound.empty()) return text + body.text + "\n";
    return fmt::format("{}{}[{}] {}\n", text, name(n.reduction), join(bound), body.at_least(7));
  }

  // What a node is called in a list of outputs: its local name, or `named("…", local)`.
  std::string entry(const Output& o) const {
    const std::string& local = names_.at(o.node);
    return local == o.name ? local : fmt::format("named({}, {})", quoted(o.name), local);
  }

  std::string ends(const Function& f) const {
    std::string text;
    for (const Minimize& m : f.minimizes) {
      if (!names_.contains(m.loss)) continue;
      std::vector<std::string> over;
      for (NodeId id : m.parameters) over.push_back(names_.at(id));
      text += fmt::format("  minimize {}{}{} using gradient()\n", names_.at(m.loss),
                          over.empty() ? "" : " over ", join(over));
    }
    for (const Update& u : f.updates) {
      text += fmt::format("  {}' = {}\n", names_.at(u.target), names_.at(u.value));
    }
    if (!f.cotangents.empty()) {
      std::vector<std::string> entries;
      for (NodeId id : f.cotangents) entries.push_back(names_.at(id));
      text += fmt::format("  cotangents = [{}]\n", join(entries));
    }
    auto list = [&](const char* what, const std::vector<Output>& outputs) {
      std::vector<std::string> entries;
      for (const Output& o : outputs) entries.push_back(entry(o));
      if (!entries.empty()) text += fmt::format("  {} = [{}]\n", what, join(entries));
    };
    list("gradients", f.gradients);
    list("evaluation", f.evaluation);
    std::vector<std::string> reports;
    for (const Output& o : f.outputs) {
      const std::string& local = names_.at(o.node);
      if (local != o.name) {
        reports.push_back(o.name + " = " + local);
      } else if (f.kind != FunctionKind::net) {
        reports.push_back(o.name);
      }
    }
    if (!reports.empty()) text += fmt::format("  report {}\n", join(reports));
    return text;
  }

  const Graph& g;
  NodeNames names_;  // of the function being printed
  std::unordered_map<NodeId, bool>
      declared_;  // parameters and states; true: its initial value is shown
};

}  // namespace

std::string graph_to_text(const Graph& g) {
  return Printer(g).print();
}

}  // namespace gradc

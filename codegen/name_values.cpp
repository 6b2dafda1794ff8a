// name_values.cpp: names for stored values, from what they are made of or, failing that, made for.
#include "codegen/name_values.h"

#include <string>


namespace gradc {
namespace {

// The end of a path, the mark of a gradient kept: d classify.dense1.W is dW.
std::string last_word(const Graph& g, NodeId id) {
  const Node& n = g[id];
  const std::string& path = n.name.empty() ? g.label(id).name : n.name;
  const std::size_t dot = path.rfind('.');
  if (dot == std::string::npos) return path;
  const bool gradient = n.name.empty() && path[0] == 'd';
  return (gradient ? "d" : "") + path.substr(dot + 1);
}

// A single read: the same elements elsewhere.
std::string copy_name(const Graph& g, const Node& n) {
  const Scalar& read = g[n.body];
  if (read.kind != ScalarKind::read || n.reduction != Reduction::none) return "";
  const std::string of = last_word(g, read.tensor);
  if (of.empty()) return "";
  if (read.zero_outside) return of + "_padded";
  for (std::uint32_t k = 0; k < read.args.size(); ++k) {
    const Scalar& subscript = g[read.args[k]];
    if (subscript.kind == ScalarKind::index && subscript.index != k) return of + "_transposed";
  }
  return of + "_copy";
}

// An elementwise function of one gradient among other things: what that gradient becomes further back.
std::string gradient_name(const Graph& g, const Node& n) {
  if (n.reduction != Reduction::none || g[n.body].kind != ScalarKind::apply) return "";
  for (NodeId read : reads_of(g, n.body)) {
    const std::string of = last_word(g, read);
    if (of.size() < 2 || of[0] != 'd' || g[read].type.shape != n.type.shape) continue;
    return of + (g[n.body].fn == Fn::select ? "_masked" : "_scaled");
  }
  return "";
}

std::string suffix(const Node& n) {
  if (n.kind == NodeKind::random) return "_noise";
  return n.reduction == Reduction::none ? "_term" : "_" + std::string(name(n.reduction));
}

void name_function(Graph& g, const FunctionPlan& plan) {
  auto rename = [&](NodeId id, const std::string& to) {
    if (!to.empty() && g.label(id).name.empty()) g.label(id).name = to;
  };
  auto overwrites = [](const StoredNode& s) {
    return s.home.storage == loops::Storage::parameter || s.home.storage == loops::Storage::state;
  };
  for (const StoredNode& s : plan.stored) {
    if (overwrites(s)) rename(s.node, last_word(g, s.home.target));
    const Node& n = g[s.node];
    if (n.kind != NodeKind::comprehension || !g.label(s.node).name.empty()) continue;
    rename(s.node, copy_name(g, n));
    rename(s.node, gradient_name(g, n));
  }
  // Users first, so that a name reaches through several values.
  for (auto user = plan.stored.rbegin(); user != plan.stored.rend(); ++user) {
    const std::string word = last_word(g, overwrites(*user) ? user->home.target : user->node);
    if (word.empty()) continue;
    for (NodeId read : g.operands(user->node)) {
      const NodeId made = storage_of(g, read);
      const NodeKind kind = g[made].kind;
      if (kind == NodeKind::comprehension || kind == NodeKind::random) {
        rename(made, word + suffix(g[made]));
      }
    }
  }
}

}  // namespace

void name_values(Graph& g, const std::vector<FunctionPlan>& plans) {
  for (const FunctionPlan& plan : plans) name_function(g, plan);
}

}  // namespace gradc

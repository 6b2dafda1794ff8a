// blocked_gradient.cpp: the path from a loss to a parameter and the operator on it that has no
// derivative.
#include "dsl/blocked_gradient.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <unordered_set>

#include "dsl/adjoints.h"
#include "dsl/derivatives.h"
#include "dsl/gradient_advice.h"

namespace gradc {
namespace {

// An operator no gradient passes, and how good an explanation it is (larger is better).
struct Blocker {
  std::string name;       // for people
  int weight = 0;
  std::string operation{};  // as it is written, where that tells what may stand in its place
};

Blocker blocker_named(Fn fn) {
  switch (fn) {
    case Fn::detach:
      return {"detach", 4, "detach"};
    case Fn::floor:
    case Fn::ceil:
    case Fn::round:
    case Fn::sign:
      return {std::string(info(fn).name), 3, std::string(info(fn).name)};
    default:
      return {fmt::format("the comparison `{}`", info(fn).infix), 1};
  }
}

bool reads_tensor(const Graph& g, ScalarId id, NodeId tensor) {
  const std::vector<NodeId> tensors = reads_of(g, id);
  return std::find(tensors.begin(), tensors.end(), tensor) != tensors.end();
}

// The first blocking function above the reads of `operand` in an expression.
Blocker blocker_in(const Graph& g, ScalarId id, NodeId operand) {
  const Scalar& s = g[id];
  if (s.kind == ScalarKind::read)
    return s.tensor == operand ? Blocker{} : Blocker{"a subscript", 2};
  if (s.kind == ScalarKind::apply) {
    if (blocks_gradient(s.fn)) {
      // A comparison of positions is explained by what made them.
      return blocker_named(s.fn);
    }
    if (s.fn == Fn::cast && !is_float(s.dtype)) {
      return {fmt::format("the conversion to {}", name(s.dtype)), 3};
    }
    for (ScalarId a : s.args) {
      if (reads_tensor(g, a, operand)) return blocker_in(g, a, operand);
    }
  }
  return {};
}

Blocker blocker_between(const Graph& g, NodeId node, NodeId operand) {
  const Node& n = g[node];
  if (n.reduction == Reduction::argmax || n.reduction == Reduction::argmin) {
    return {std::string(name(n.reduction)), 5, std::string(name(n.reduction))};
  }
  if (n.kind == NodeKind::custom) return {"a custom gradient", 4, "custom"};
  return n.body.valid() ? blocker_in(g, n.body, operand) : Blocker{};
}

// A shortest path of operands from `from` to `to`; empty if there is none.
std::vector<NodeId> path_between(const Graph& g, NodeId from, NodeId to) {
  std::unordered_map<NodeId, NodeId> user{{from, NodeId{}}};
  std::vector<NodeId> queue{from};
  for (std::size_t k = 0; k < queue.size(); ++k) {
    const NodeId id = queue[k];
    if (id == to) break;
    for (NodeId operand : g.operands(id)) {
      if (user.emplace(operand, id).second) queue.push_back(operand);
    }
  }
  std::vector<NodeId> path;
  if (!user.contains(to)) return path;
  for (NodeId id = to; id.valid(); id = user.at(id)) path.push_back(id);
  std::reverse(path.begin(), path.end());
  return path;
}

std::string shown(const Graph& g, NodeId id) {
  return g[id].name.empty() ? g.label(id).name : g[id].name;
}

// The values on the path that have a name and a place: from the loss to the blocking operator, and from there to the
// parameter. Of a long path, those around the operator.
std::vector<Note> places(const Graph& g, const std::vector<NodeId>& path, NodeId blocking,
                         const Blocker& blocker) {
  std::vector<Note> before, notes, behind;
  for (NodeId id : path) {
    const Span span = g.label(id).span;
    const std::string name = shown(g, id);
    if (id == blocking) {
      if (span.valid()) notes.push_back({span, fmt::format("{} blocks it here", blocker.name)});
    } else if (span.valid() && !name.empty() && id != path.front()) {
      const bool blocked = !notes.empty();
      (blocked ? behind : before)
          .push_back({span, fmt::format("{} '{}'", blocked ? "behind it lies" : "the loss depends on",
                                        name)});
    }
  }
  constexpr std::ptrdiff_t most = 3;  // to each side
  if (std::ssize(before) > most) before.erase(before.begin(), before.end() - most);
  if (std::ssize(behind) > most) behind.erase(behind.begin() + most - 1, behind.end() - 1);
  notes.insert(notes.begin(), before.begin(), before.end());
  notes.insert(notes.end(), behind.begin(), behind.end());
  return notes;
}

}  // namespace

void report_no_gradient(const Graph& g, NodeId loss, NodeId parameter, Span minimize,
                        Diagnostics& diagnostics) {
  const std::string& name = g[parameter].name;
  const std::vector<NodeId> path = path_between(g, loss, parameter);
  if (path.empty()) {
    Diagnostic& d = diagnostics.error(
        "no-gradient", minimize,
        fmt::format("parameter '{}' cannot be learnt: the loss does not depend on it", name));
    d.notes.push_back({{}, "use it in the loss, or leave its net out of `over`"});
    return;
  }
  Blocker worst;
  NodeId where = loss;
  std::string route;
  for (std::size_t k = 0; k < path.size(); ++k) {
    const bool unnamed_operator = k + 1 < path.size() && shown(g, path[k]).empty() &&
                                  !passes_gradient(g, path[k], path[k + 1]);
    if (const std::string step =
            unnamed_operator ? blocker_between(g, path[k], path[k + 1]).name : shown(g, path[k]);
        !step.empty()) {
      route += (route.empty() ? "" : " <- ") + step;
    }
    if (k + 1 == path.size() || passes_gradient(g, path[k], path[k + 1])) continue;
    const Blocker b = blocker_between(g, path[k], path[k + 1]);
    if (b.weight > worst.weight) {
      worst = b;
      where = path[k];
    }
  }
  const Span place = g.label(where).span;
  Diagnostic& d =
      diagnostics.error("no-gradient", place.valid() ? place : minimize,
                        fmt::format("parameter '{}' cannot be learnt: no gradient passes {}", name,
                                    worst.name.empty() ? "its only path to the loss" : worst.name));
  if (place.valid()) d.notes.push_back({minimize, "the loss is minimized here"});
  for (Note& note : places(g, path, where, worst)) {
    d.notes.push_back(std::move(note));
  }
  d.notes.push_back({{}, "the path from the loss: " + route});
  d.notes.push_back({{}, gradient_advice(worst.operation)});
}

}  // namespace gradc

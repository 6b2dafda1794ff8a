// repeated_parts.cpp: what a formula would compute again and again for elements that share it.
#include "codegen/repeated_parts.h"

#include <algorithm>
#include <unordered_map>

#include "codegen/index_roles.h"

namespace gradc {
namespace {

constexpr double fewest_repeats = 16;

class Taker {
 public:
  Taker(Graph& graph, NodeId label_of, const Shape& ranges)
      : g(graph), label_(g.label(label_of)), ranges_(ranges) {}

  ScalarId run(ScalarId id) {
    const Scalar& s = g[id];
    // What a condition guards may not be there without it.
    if (s.kind != ScalarKind::apply || !is_float(s.dtype) || s.fn == Fn::select) return id;
    if (const auto it = done_.find(id); it != done_.end()) return it->second;
    const ScalarId result =
        is_repeated(id) ? part(id) : with_arguments(g, id, [&](ScalarId a) { return run(a); });
    done_.emplace(id, result);
    return result;
  }

  std::vector<NodeId> parts;

 private:
  bool is_repeated(ScalarId id) const {
    const auto indices = indices_of(g, id);
    if (indices.empty() || indices.back() + 1 != ranges_.size()) return false;
    double repeats = 1;
    for (std::uint32_t k = 0; k < ranges_.size(); ++k) {
      if (!std::binary_search(indices.begin(), indices.end(), k))
        repeats *= static_cast<double>(max_extent(g, ranges_[k]));
    }
    return repeats >= fewest_repeats && takes_long(id);
  }

  bool takes_long(ScalarId id) const {
    bool found = false;
    for_each_scalar(g, id, [&](ScalarId part) {
      const Scalar& s = g[part];
      if (found || s.kind != ScalarKind::apply || !is_float(s.dtype)) return;
      found = info(s.fn).costly || s.fn == Fn::sqrt || (s.fn == Fn::div && !indices_of(g, s.args[1]).empty());
    });
    return found;
  }

  ScalarId part(ScalarId id) {
    std::vector<ScalarId> now(ranges_.size()), subscripts;
    Shape shape;
    Label label;
    for (std::uint32_t k : indices_of(g, id)) {
      now[k] = g.index(static_cast<std::uint32_t>(shape.size()));
      shape.push_back(ranges_[k]);
      subscripts.push_back(g.index(k));
      label.index_names.push_back(k < label_.index_names.size() ? label_.index_names[k] : "");
    }
    const NodeId node =
        g.comprehension(shape.size(), shape, Reduction::none, substitute(g, id, now));
    if (!label_.name.empty()) label.name = label_.name + "_part";
    label.span = label_.span;
    if (g.label(node).name.empty() && g.label(node).index_names.empty()) g.label(node) = label;
    parts.push_back(node);
    return g.read(node, std::move(subscripts));
  }

  Graph& g;
  const Label label_;
  const Shape& ranges_;
  IdMap<ScalarId, ScalarId> done_;
};

}  // namespace

RepeatedParts take_out_repeated(Graph& g, NodeId label_of, const Shape& ranges, ScalarId body) {
  Taker taker(g, label_of, ranges);
  const ScalarId now = taker.run(body);
  return {now, std::move(taker.parts)};
}

}  // namespace gradc

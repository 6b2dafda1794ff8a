// elaborate_custom.cpp: a custom op: its body gives the value; its gradient says what reaches its inputs.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/elaboration.h"

namespace gradc {
namespace {

struct Input {
  std::string name;
  NodeId node;
};

class CustomCall {
 public:
  CustomCall(Elaboration& e, Scope& scope) : e_(e), scope_(scope), d_(*scope.definition) {}

  Value run(BodyEffects& effects) {
    if (!find_inputs()) return {};
    const Value value = run_body(e_, scope_, effects);
    if (value.poisoned() || inputs_.empty()) return value;
    const ast::Name& name = d_.results[0].name;
    Node n;
    n.kind = NodeKind::custom;
    n.operand = node_of(value, name.span);
    if (!n.operand.valid()) return {};
    n.type = e_.graph[n.operand].type;
    if (!is_float(n.type.dtype)) {
      e_.error("bad-gradient", name.span,
               fmt::format("a custom op has a float result, as nothing else has a gradient; {} is {}",
                           in_quotes(name.text), text(e_.graph, n.type)));
      return {};
    }
    n.result = stand_in(n.operand, name.text);
    n.cotangent = stand_in(n.operand, "d" + name.text);
    scope_.locals[name.text].value = value_of(n.result);
    if (!bind(e_, scope_, {"d" + name.text, name.span}, value_of(n.cotangent))) return {};
    execute(e_, scope_, d_.gradient, effects);
    for (const Input& input : inputs_) {
      const NodeId passed_on = cotangent_of(input);
      if (!passed_on.valid()) return {};
      n.pulls.push_back({input.node, passed_on});
    }
    const NodeId id = e_.graph.add(n);
    e_.graph.label(id) = {name.text, e_.graph.label(n.operand).index_names, place_in_spec(e_, name.span)};
    return value_of(id);
  }

 private:
  // The float tensors it is called with, each as a node; of single elements, one for all of them.
  bool find_inputs() {
    std::vector<const ast::Parameter*> given;
    for (const ast::Parameter& p : d_.parameters) {
      const Value& v = scope_.locals.at(p.name.text).value;
      if (!(v.is(ValueKind::tensor) || v.is(ValueKind::scalar)) || !is_float(dtype_of(e_, v))) continue;
      given.push_back(&p);
      if (!v.is(ValueKind::scalar)) continue;
      for (std::uint32_t k : indices_in(e_.graph, v.body, e_.indices.size())) at_.push_back(k);
    }
    std::sort(at_.begin(), at_.end());
    at_.erase(std::unique(at_.begin(), at_.end()), at_.end());
    Shape shape;
    for (std::uint32_t k : at_) shape.push_back(e_.indices[k].extent);
    if (!check_shape(e_, shape, e_.calls.back().span)) return false;
    for (const ast::Parameter* p : given) {
      Binding& local = scope_.locals.at(p->name.text);
      if (!at_.empty() && local.value.is(ValueKind::tensor) && !local.value.type.shape.empty()) {
        e_.error("element-needs-tensor", p->name.span,
                 fmt::format("{} was called with single elements, but {} is the whole tensor {}; give "
                             "single elements of all of them, or whole tensors",
                             in_quotes(d_.name.text), in_quotes(p->name.text), describe(e_, local.value)));
        return false;
      }
      const NodeId node = node_of(local.value, p->name.span);
      if (!node.valid()) return false;
      Label& label = e_.graph.label(node);
      if (label.name.empty()) label.name = p->name.text;
      local.value = value_of(node);
      scope_.cotangents["d" + p->name.text] = at_.empty() ? e_.graph[node].type.shape : Shape{};
      inputs_.push_back({p->name.text, node});
    }
    return true;
  }

  // All elements of a value as a node: those of a tensor, or those at the indices of the call.
  NodeId node_of(const Value& v, Span span) {
    if (at_.empty()) {
      const Value tensor = runtime_value(e_, v, span);
      return tensor.is(ValueKind::tensor) ? materialize(e_, tensor) : NodeId{};
    }
    const ScalarId body = element(e_, v, span);
    if (!body.valid()) return {};
    std::vector<ScalarId> renumbered(e_.indices.size());
    Shape shape;
    std::vector<std::string> names;
    for (std::uint32_t k : at_) {
      renumbered[k] = e_.graph.index(static_cast<std::uint32_t>(shape.size()));
      shape.push_back(e_.indices[k].extent);
      names.push_back(e_.indices[k].name == ".." ? "" : e_.indices[k].name);
    }
    const NodeId node = e_.graph.comprehension(shape.size(), shape, Reduction::none,
                                               substitute(e_.graph, body, renumbered));
    Label& label = e_.graph.label(node);
    if (label.index_names.empty()) label.index_names = std::move(names);
    if (!label.span.valid()) label.span = place_in_spec(e_, span);
    return node;
  }

  // The node as the body sees it: whole, or its element at the indices of the call.
  Value value_of(NodeId node) const {
    if (at_.empty()) return node_value(e_, node);
    std::vector<ScalarId> subscripts;
    for (std::uint32_t k : at_) subscripts.push_back(e_.graph.index(k));
    return scalar_value(e_.graph.read(node, std::move(subscripts)));
  }

  // Stands for what is known only where a gradient is taken. Equal calls have equal ones; a call within
  // the gradient of another never has those of that one, as it is of another op or has other inputs.
  NodeId stand_in(NodeId value, const std::string& what) {
    Node n;
    n.kind = NodeKind::input;
    n.type = e_.graph[value].type;
    n.name = fmt::format("{}.{}@{}:{} {}", d_.name.text, what, d_.span.file, d_.span.begin, value.value);
    for (const Input& input : inputs_) n.name += fmt::format(" {}", input.node.value);
    const NodeId id = e_.graph.add(std::move(n));
    e_.graph.label(id) = {what, e_.graph.label(value).index_names, place_in_spec(e_, d_.name.span)};
    return id;
  }

  NodeId cotangent_of(const Input& input) {
    const std::string name = "d" + input.name;
    const auto local = scope_.locals.find(name);
    if (local == scope_.locals.end()) {
      if (!scope_.silent) {
        e_.error("missing-result", d_.name.span,
                 fmt::format("the gradient of {} never gives {}, what is passed on to {}; if nothing is, say so: "
                             "'{} = 0'",
                             in_quotes(d_.name.text), in_quotes(name), in_quotes(input.name), name));
      }
      return {};
    }
    const TensorType& type = e_.graph[input.node].type;
    const Span span = local->second.span;
    if (local->second.value.poisoned()) return {};
    const std::string what = fmt::format("{}, the gradient for {},", in_quotes(name), in_quotes(input.name));
    if (at_.empty()) {
      const Value v = spread(e_, local->second.value, type, span, what);
      return v.poisoned() ? NodeId{} : materialize(e_, v);
    }
    const ScalarId value = element(e_, local->second.value, span);
    if (!value.valid()) return {};
    const Value v = cast_to(e_, scalar_value(value), type.dtype, span);
    return v.poisoned() ? NodeId{} : node_of(v, span);
  }

  Elaboration& e_;
  Scope& scope_;
  const ast::Definition& d_;
  std::vector<std::uint32_t> at_;  // the indices of the elements it is called with; none: whole tensors
  std::vector<Input> inputs_;
};

}  // namespace

Value run_custom(Elaboration& e, Scope& callee, BodyEffects& effects) {
  return CustomCall(e, callee).run(effects);
}

}  // namespace gradc

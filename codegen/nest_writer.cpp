// nest_writer.cpp: writes the loops of one kernel.
#include "codegen/nest_writer.h"

#include <algorithm>

#include "codegen/index_roles.h"
#include "codegen/partition.h"
#include "dsl/check.h"

namespace gradc {

using namespace loops;

NestWriter::NestWriter(const Graph& g, std::vector<std::string> dim_names,
                       const std::set<std::string>& reserved)
    : g_(g), dim_names_(std::move(dim_names)) {
  for (std::size_t d = 0; d < dim_names_.size(); ++d) {
    if (g.dims()[d].least > 0) names_.reserve(dim_names_[d]);
  }
  for (const std::string& name : reserved) names_.reserve(name);
  scopes_.emplace_back();
}

void NestWriter::bind(NodeId id, const std::string& argument, DType dtype) {
  arguments_[id] = {argument, dtype};
}

const std::string& NestWriter::argument(NodeId id) const {
  const auto it = arguments_.find(id);
  GRADC_CHECK(it != arguments_.end(), "a tensor without a buffer is read");
  return it->second.first;
}

Expr NestWriter::extent(const Extent& e) {
  if (e.is_fixed()) return integer(e.offset);
  const std::string& name = dim_names_.at(e.dim.value);
  counts_.insert(name);
  return loops::add(loops::mul(variable(name, Type::integer), integer(e.scale)), integer(e.offset));
}

void NestWriter::open(const std::string& name, std::uint32_t number, const Extent& e,
                      LoopKind kind) {
  const std::string variable_name = names_.fresh(name);
  open(variable_name, integer(0), extent(e), 1, kind);
  bind_index(number, variable(variable_name, Type::integer), depth());
}

void NestWriter::open(const std::string& name, Expr begin, Expr end, std::int64_t step,
                      LoopKind kind, bool partial, std::int64_t granule) {
  loop_names_.insert(name);
  Scope scope;
  scope.loop = {name, {std::move(begin)}, std::move(end), step, kind, {}, partial, granule};
  scopes_.push_back(std::move(scope));
}

void NestWriter::close() {
  Scope scope = std::move(scopes_.back());
  scopes_.pop_back();
  scope.loop.body = std::move(scope.block);
  names_.release(scope.loop.variable);
  // While a loop around this one is open, a register may still be moved out of it, to before this one: it must not
  // have the name of a register in here.
  for (const std::string& name : scope.lets) {
    if (depth() == 0) {
      names_.release(name);
    } else {
      scopes_.back().lets.push_back(name);
    }
  }
  std::erase_if(indices_, [&](const auto& entry) { return entry.second.level > depth(); });
  levels_.clear();
  scopes_.back().block.push_back({std::move(scope.loop)});
}

void NestWriter::bind_index(std::uint32_t number, Expr value, std::size_t level) {
  indices_[number] = {std::move(value), level};
  levels_.clear();
}

void NestWriter::unbind_index(std::uint32_t number) {
  indices_.erase(number);
  levels_.clear();
}

Block NestWriter::take() {
  GRADC_CHECK(scopes_.size() == 1, "a loop is still open");
  return std::move(scopes_.back().block);
}

void NestWriter::emit(decltype(Stmt::it) statement) {
  scopes_.back().block.push_back({std::move(statement)});
}

std::string NestWriter::register_name(const std::string& name) {
  std::string fresh = names_.fresh(name);
  while (loop_names_.contains(fresh)) fresh = names_.fresh(name);
  scopes_.back().lets.push_back(fresh);
  return fresh;
}

Expr NestWriter::let(const std::string& name, Expr value, bool changes) {
  const std::string fresh = register_name(name);
  Expr result = variable(fresh, value.type, value.lanes);
  emit(Let{fresh, std::move(value), changes});
  return result;
}

Expr NestWriter::lanes(const std::string& name, Expr value) {
  const std::string fresh = register_name(name);
  Expr result = variable(fresh, value.type, value.lanes);
  emit(Lanes{fresh, std::move(value)});
  return result;
}

void NestWriter::keep(NodeId node, Expr value) {
  scopes_.back().nodes.insert_or_assign(node, std::move(value));
  levels_.clear();
}

void NestWriter::set_ranges(const Shape& ranges) {
  ranges_ = ranges;
  safe_.clear();
}

void NestWriter::count_uses(const std::vector<ScalarId>& bodies) {
  uses_.clear();
  std::vector<ScalarId> stack = bodies;
  for (ScalarId body : bodies) ++uses_[body];
  while (!stack.empty()) {
    const Scalar& s = g_[stack.back()];
    stack.pop_back();
    for (ScalarId a : s.args) {
      if (uses_[a]++ == 0) stack.push_back(a);
    }
  }
}

std::size_t NestWriter::level(ScalarId id) {
  if (auto it = levels_.find(id); it != levels_.end()) return it->second;
  const Scalar& s = g_[id];
  std::size_t result = 0;
  std::size_t scope = 0;
  if (s.kind == ScalarKind::index) {
    const auto it = indices_.find(s.index);
    GRADC_CHECK(it != indices_.end(), "an index is read outside its loop");
    result = it->second.level;
  } else if (s.kind == ScalarKind::read && in_register(s, &scope)) {
    result = scope;
  } else {
    for (ScalarId a : s.args) result = std::max(result, level(a));
  }
  levels_.emplace(id, result);
  return result;
}

bool NestWriter::in_register(const Scalar& read, std::size_t* scope) const {
  for (std::size_t k = scopes_.size(); k-- > 0;) {
    if (!scopes_[k].nodes.contains(read.tensor)) continue;
    for (std::uint32_t a = 0; a < read.args.size(); ++a) {
      const Scalar& subscript = g_[read.args[a]];
      if (subscript.kind != ScalarKind::index || subscript.index != a) return false;
    }
    *scope = k;
    return true;
  }
  return false;
}

bool NestWriter::is_safe(ScalarId id) {
  if (auto it = safe_.find(id); it != safe_.end()) return it->second;
  const Scalar& s = g_[id];
  bool safe = true;
  if (s.kind == ScalarKind::read && !s.zero_outside) {
    const Shape& shape = g_[s.tensor].type.shape;
    for (std::size_t k = 0; safe && k < s.args.size(); ++k) {
      safe = stays_inside(g_, s.args[k], shape[k], ranges_);
    }
  }
  // What a select chooses may be read only where some select around it holds: its own condition proves nothing.
  for (std::size_t k = 0; safe && k < s.args.size(); ++k) safe = is_safe(s.args[k]);
  safe_.emplace(id, safe);
  return safe;
}

bool NestWriter::deserves_name(ScalarId id) const {
  const Scalar& s = g_[id];
  if (s.kind == ScalarKind::read) return true;
  return s.kind == ScalarKind::apply && s.dtype != DType::i32;
}

std::string NestWriter::name_for(ScalarId id) const {
  const Scalar& s = g_[id];
  if (s.kind == ScalarKind::read) {
    const auto it = arguments_.find(s.tensor);
    std::string name = it == arguments_.end() ? g_.label(s.tensor).name : it->second.first;
    for (ScalarId a : s.args) {
      if (g_[a].kind != ScalarKind::index) break;
      const auto at = indices_.find(g_[a].index);
      if (at != indices_.end() && at->second.value.kind == ExprKind::variable) {
        name += "_" + at->second.value.name;
      }
    }
    return name;
  }
  if (s.kind == ScalarKind::size) return s.extent.is_fixed() ? "size" : dim_names_[s.extent.dim.value];
  if (s.kind == ScalarKind::index) {
    const auto at = indices_.find(s.index);
    return at != indices_.end() && at->second.value.kind == ExprKind::variable ? at->second.value.name : "index";
  }
  if (s.kind == ScalarKind::apply && s.fn == Fn::detach) return name_for(s.args[0]);
  if (s.kind == ScalarKind::apply && s.fn == Fn::cast) {
    return name_for(s.args[0]) + "_" + std::string(gradc::name(s.dtype));
  }
  return info(s.fn).infix.empty() ? std::string(info(s.fn).name) + "_" : "t";
}

Expr NestWriter::value(ScalarId id) { return value(id, false); }
Expr NestWriter::guarded_value(ScalarId id) { return value(id, true); }

Expr NestWriter::named_value(ScalarId id, const std::string& name) {
  Expr e = value(id, false);
  return e.kind == ExprKind::variable || e.kind == ExprKind::literal ? e : let(name, std::move(e));
}

Expr NestWriter::value(ScalarId id, bool guarded) {
  for (std::size_t k = scopes_.size(); k-- > 0;) {
    if (auto it = scopes_[k].values.find(id); it != scopes_[k].values.end()) return it->second;
  }
  std::size_t register_scope = 0;
  if (g_[id].kind == ScalarKind::read && in_register(g_[id], &register_scope)) {
    return scopes_[register_scope].nodes.at(g_[id].tensor);
  }
  const auto use = uses_.find(id);
  const std::size_t home = level(id);
  const bool wanted = home < depth() || (use != uses_.end() && use->second > 1);
  if (!wanted || !deserves_name(id) || (guarded && !is_safe(id))) return build(id, guarded);
  return at_level(home, [&] {
    Expr e = build(id, false);
    if (e.kind != ExprKind::variable && e.kind != ExprKind::literal)
      e = let(name_for(id), std::move(e));
    scopes_.back().values.emplace(id, e);
    return e;
  });
}

Expr NestWriter::at_level(std::size_t level, const std::function<Expr()>& make) {
  std::deque<Scope> inner;
  while (scopes_.size() > level + 1) {
    inner.push_front(std::move(scopes_.back()));
    scopes_.pop_back();
  }
  Expr e = make();
  for (Scope& scope : inner) scopes_.push_back(std::move(scope));
  return e;
}

std::optional<Expr> NestWriter::inverse_outside(ScalarId id, bool guarded) {
  const std::size_t home = level(id);
  if (home >= depth() || g_[id].kind == ScalarKind::literal || (guarded && !is_safe(id)))
    return std::nullopt;
  for (const Scope& scope : scopes_)
    if (const auto it = scope.inverses.find(id); it != scope.inverses.end()) return it->second;
  return at_level(home, [&] {
    const Type type = type_of(g_[id].dtype);
    Expr e =
        let(name_for(id) + "_inverse", apply(Fn::div, {number(1, type), value(id, false)}, type));
    scopes_.back().inverses.emplace(id, e);
    return e;
  });
}

Expr NestWriter::build(ScalarId id, bool guarded) {
  const Scalar& s = g_[id];
  switch (s.kind) {
    case ScalarKind::literal: return number(s.value, type_of(s.dtype));
    case ScalarKind::index: return indices_.at(s.index).value;
    case ScalarKind::size: return extent(s.extent);
    case ScalarKind::read: return build_read(s, guarded);
    case ScalarKind::apply: return build_apply(s, guarded);
  }
  GRADC_UNREACHABLE("scalar");
}

Expr NestWriter::build_apply(const Scalar& s, bool guarded) {
  // A division takes as long as some ten multiplications.
  if (s.fn == Fn::div && is_float(s.dtype))
    if (auto inverse = inverse_outside(s.args[1], guarded))
      return apply(Fn::mul, {value(s.args[0], guarded), std::move(*inverse)}, type_of(s.dtype));
  std::vector<Expr> args;
  for (std::size_t k = 0; k < s.args.size(); ++k) {
    const bool branch = s.fn == Fn::select && k > 0;
    Expr arg = value(s.args[k], guarded || branch);
    // A value that is computed anyway leaves the host compiler a plain choice, which it can vectorise.
    if (branch && is_float(s.dtype) && !guarded && is_safe(s.args[k]) &&
        (arg.kind == ExprKind::apply || arg.kind == ExprKind::load)) {
      arg = let(name_for(s.args[k]), std::move(arg));
      scopes_.back().values.emplace(s.args[k], arg);
    }
    args.push_back(std::move(arg));
  }
  if (s.dtype == DType::i32) {
    switch (s.fn) {
      case Fn::add: return loops::add(args[0], args[1]);
      case Fn::sub: return loops::sub(args[0], args[1]);
      case Fn::mul: return loops::mul(args[0], args[1]);
      default: break;
    }
  }
  if (s.fn == Fn::detach) return args[0];
  return apply(s.fn, std::move(args), type_of(s.dtype));
}

Expr NestWriter::build_read(const Scalar& s, bool guarded) {
  const Node& n = g_[s.tensor];
  const NodeId owner = storage_of(g_, s.tensor);
  const Shape& shape = n.type.shape;
  if (g_[owner].kind == NodeKind::constant && g_[owner].values.size() == 1) {
    return number(g_[owner].values[0], type_of(s.dtype));
  }
  Expr inside;
  bool tests = false;
  if (s.zero_outside) {
    auto require = [&](Expr condition) {
      inside = tests ? apply(Fn::logical_and, {inside, std::move(condition)}, Type::boolean)
                     : std::move(condition);
      tests = true;
    };
    for (std::size_t k = 0; k < s.args.size(); ++k) {
      if (stays_inside(g_, s.args[k], shape[k], ranges_)) continue;
      const Expr at = value(s.args[k], guarded);
      if (!never_negative(g_, s.args[k], ranges_)) {
        require(apply(Fn::ge, {at, integer(0)}, Type::boolean));
      }
      if (!never_beyond(g_, s.args[k], shape[k], ranges_)) {
        require(apply(Fn::lt, {at, extent(shape[k])}, Type::boolean));
      }
    }
  }
  Expr at = position(shape, s.args);
  Expr element = load(argument(owner), arguments_.at(owner).second, std::move(at));
  if (!tests) return element;
  const Type type = element.type;
  return apply(Fn::select, {std::move(inside), std::move(element), number(0, type)}, type);
}

void NestWriter::set_flat(const Shape& shape) {
  flat_shape_ = shape;
  flat_ = variable(scopes_.back().loop.variable, Type::integer);
}

Expr NestWriter::position(const Shape& shape, const std::vector<ScalarId>& subscripts) {
  bool flat = !shape.empty() && shape == flat_shape_;
  for (std::uint32_t k = 0; flat && k < subscripts.size(); ++k) {
    flat = g_[subscripts[k]].kind == ScalarKind::index && g_[subscripts[k]].index == k;
  }
  if (flat) return flat_;
  Expr at = integer(0);
  for (std::size_t k = 0; k < subscripts.size(); ++k) {
    // Data inside a subscript may be read only where the whole read is.
    at = next_position(std::move(at), shape[k], value(subscripts[k], true));
  }
  return at;
}

Expr NestWriter::next_position(Expr at, const Extent& e, Expr subscript) {
  if (is_integer(at, 0)) return subscript;
  return loops::add(loops::mul(std::move(at), extent(e)), std::move(subscript));
}

Expr NestWriter::own_position(NodeId id) {
  const Place* const place = this->place(id);
  const Shape& shape = place ? place->whole : g_[id].type.shape;
  if (!place && !shape.empty() && shape == flat_shape_) return flat_;
  Expr at = integer(0);
  for (std::uint32_t axis = 0, k = 0; axis < shape.size(); ++axis) {
    const bool time = place && axis == place->axis;
    at = next_position(std::move(at), shape[axis], time ? extent(place->time) : indices_.at(k).value);
    if (!time) ++k;
  }
  return at;
}

}  // namespace gradc

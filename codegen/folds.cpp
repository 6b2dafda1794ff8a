// folds.cpp: reductions in registers.
#include "codegen/folds.h"

#include <limits>

#include "dsl/check.h"

namespace gradc {

using namespace loops;

bool is_position(Reduction r) { return r == Reduction::argmax || r == Reduction::argmin; }
bool is_greatest(Reduction r) { return r == Reduction::max || r == Reduction::argmax; }

Fn combining(Reduction r) {
  switch (r) {
    case Reduction::sum: return Fn::add;
    case Reduction::prod: return Fn::mul;
    case Reduction::max: return Fn::max;
    case Reduction::min: return Fn::min;
    default: GRADC_UNREACHABLE("not a fold with one register");
  }
}

double neutral(Reduction r) {
  if (r == Reduction::sum) return 0;
  if (r == Reduction::prod) return 1;
  const double infinity = std::numeric_limits<double>::infinity();
  return is_greatest(r) ? -infinity : infinity;
}

namespace {

// Booleans are folded as numbers.
Type register_type(DType t) { return t == DType::boolean ? Type::integer : type_of(t); }

Expr as_number(Expr e) {
  return e.type == Type::boolean ? apply(Fn::cast, {std::move(e)}, Type::integer) : e;
}

}  // namespace

Fold start_fold(KernelWriter& k, NodeId id, int lanes) {
  const Node& n = k.g[id];
  const Type type = register_type(k.g[n.body].dtype);
  const std::string name = k.context.short_name(id);
  Fold fold{id, {}, {}};
  if (lanes > 1) {
    Expr start = number(neutral(n.reduction), type);
    start.lanes = lanes;
    fold.value = k.nest.lanes(name + "_lanes", std::move(start));
    return fold;
  }
  const std::string best = is_position(n.reduction) ? (is_greatest(n.reduction) ? "most" : "least") : name;
  fold.value = k.nest.let(best, number(neutral(n.reduction), type), true);
  if (is_position(n.reduction)) fold.position = k.nest.let(name, integer(0), true);
  return fold;
}

void step_fold(KernelWriter& k, const Fold& fold, std::size_t rank) {
  const Node& n = k.g[fold.node];
  if (!is_position(n.reduction)) {
    k.nest.emit(Accumulate{fold.value.name, combining(n.reduction), as_number(k.nest.value(n.body))});
    return;
  }
  Expr candidate = as_number(k.nest.value(n.body));
  if (candidate.kind != ExprKind::variable) candidate = k.nest.let("candidate", std::move(candidate));
  Expr better =
      apply(is_greatest(n.reduction) ? Fn::gt : Fn::lt, {candidate, fold.value}, Type::boolean);
  if (candidate.type != Type::integer) {
    // The first NaN wins and stays.
    Expr first_nan = apply(Fn::logical_and,
                           {apply(Fn::ne, {candidate, candidate}, Type::boolean),
                            apply(Fn::eq, {fold.value, fold.value}, Type::boolean)},
                           Type::boolean);
    better = apply(Fn::logical_or, {std::move(better), std::move(first_nan)}, Type::boolean);
  }
  Expr position = integer(0);
  for (std::size_t i = rank; i < n.ranges.size(); ++i) {
    position = k.nest.next_position(std::move(position), n.ranges[i],
                                    k.nest.index_value(static_cast<std::uint32_t>(i)));
  }
  Block body;
  body.push_back({Assign{fold.value.name, candidate}});
  body.push_back({Assign{fold.position.name, std::move(position)}});
  k.nest.emit(If{std::move(better), std::move(body)});
}

void step_lane(KernelWriter& k, const Fold& fold, const Expr& lane) {
  const Node& n = k.g[fold.node];
  k.nest.emit(Accumulate{fold.value.name, combining(n.reduction), k.nest.value(n.body), {lane}});
}

void join_lanes(KernelWriter& k, Fold& fold) {
  const Fn fn = combining(k.g[fold.node].reduction);
  fold.value = k.nest.let(k.context.short_name(fold.node), lane_fold(fn, fold.value));
}

}  // namespace gradc

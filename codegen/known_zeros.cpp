// known_zeros.cpp: elements of a tensor that are 0 whatever is computed.
//
//     score[i, j] = select(j > i, -inf, x[i, j])      -inf where j - i > 0
//     e[i, j] = exp(score[i, j] - m[i])               so 0 there,
//     share[i, j] = e[i, j] / s[i]                    and here
//
// Half-spaces of indices are found in the conditions of a formula and of what it reads. In each,
// the formula is evaluated with what is known of its parts there; what is not known is taken to be
// finite and, where something is divided by it, not 0. If it is not, what is computed with these
// elements is NaN, and may become what is left without them.
#include "codegen/known_zeros.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "codegen/index_roles.h"
#include "dsl/bounds.h"
#include "dsl/functions.h"

namespace gradc {

namespace {

// So many formulas, each reading the next, are followed: a masked softmax and its gradient are
// four.
constexpr int most_steps = 8;

// Where `at` is above 0, the value is this. Over the indices of a node.
struct Known {
  Affine at;
  double value;
};

// `at`, of the indices of a tensor, at these subscripts.
Affine at_subscripts(const Affine& at, const std::vector<Affine>& subscripts) {
  Affine result;
  result.constant = at.constant;
  result.sizes = at.sizes;
  for (std::size_t k = 0; k < at.coefficients.size(); ++k)
    if (at.coefficients[k] != 0) result = plus(result, subscripts[k], at.coefficients[k]);
  return result;
}

// A comparison of integers as the form that is above 0 where it holds.
std::optional<Affine> above_zero(const Graph& g, const Scalar& s) {
  if (s.kind != ScalarKind::apply) return std::nullopt;
  const bool less = s.fn == Fn::lt || s.fn == Fn::le, equal = s.fn == Fn::le || s.fn == Fn::ge;
  if (!less && s.fn != Fn::gt && s.fn != Fn::ge) return std::nullopt;
  Affine x, y;
  if (g[s.args[0]].dtype != DType::i32 || !as_affine(g, s.args[0], x) ||
      !as_affine(g, s.args[1], y))
    return std::nullopt;
  Affine form = less ? plus(y, x, -1) : plus(x, y, -1);
  form.constant += equal ? 1 : 0;
  return form;
}

// Where it is not above 0.
Affine negated(const Affine& at) {
  Affine result = plus({}, at, -1);
  result.constant += 1;
  return result;
}

class Finder {
 public:
  explicit Finder(const Graph& g) : g_(g) {}

  const std::vector<Known>& of_node(NodeId id, int steps) {
    const auto [it, is_new] = found_.try_emplace(id);
    std::vector<Known>& found = it->second;  // references into a map stay
    const Node& n = g_[id];
    if (!is_new || steps == 0 || n.kind != NodeKind::comprehension ||
        n.reduction != Reduction::none)
      return found;
    std::vector<Affine> places;
    for_each_read(g_, n.body, [&](const Scalar& s) {
      for (Known& known : of_read(s, steps)) places.push_back(std::move(known.at));
    });
    find_conditions(n.body, places);
    for (const Affine& at : places) {
      const auto same = [&](const Known& k) {
        return implies(at, k.at, n.ranges) && implies(k.at, at, n.ranges);
      };
      if (std::any_of(found.begin(), found.end(), same)) continue;
      Place place{at, n.ranges, steps};
      if (const auto value = value_of(n.body, place)) found.push_back({at, *value});
    }
    return found;
  }

 private:
  // Where a formula is evaluated.
  struct Place {
    const Affine& at;  // is above 0
    const Shape& ranges;
    int steps;
    std::map<ScalarId, std::optional<double>> values = {};
  };

  bool implies(const Affine& at, const Affine& other, const Shape& ranges) const {
    return never_negative(g_, plus(other, at, -1), ranges);
  }

  std::vector<Known> of_read(const Scalar& read, int steps) {
    if (read.zero_outside) return {};
    const std::vector<Known>& known = of_node(read.tensor, steps - 1);
    if (known.empty()) return {};
    const auto subscripts = affine_subscripts(g_, read);
    if (!subscripts) return {};
    std::vector<Known> result;
    for (const Known& k : known) result.push_back({at_subscripts(k.at, *subscripts), k.value});
    return result;
  }

  void find_conditions(ScalarId body, std::vector<Affine>& places) const {
    const auto compares = [&](ScalarId id) { return g_.facts(id).compares; };
    for_each_scalar(g_, body, compares, [&](ScalarId id) {
      const auto form = above_zero(g_, g_[id]);
      if (!form || !has_indices(*form)) return;
      places.push_back(*form);
      places.push_back(negated(*form));
    });
  }

  std::optional<double> value_of(ScalarId id, Place& place) {
    const auto it = place.values.find(id);
    if (it != place.values.end()) return it->second;
    return place.values[id] = computed(g_[id], place);
  }

  std::optional<double> computed(const Scalar& s, Place& place) {
    if (s.kind == ScalarKind::literal) return s.value;
    if (s.kind == ScalarKind::read) {
      for (const Known& k : of_read(s, place.steps))
        if (implies(place.at, k.at, place.ranges)) return k.value;
      return std::nullopt;
    }
    if (s.kind != ScalarKind::apply) return std::nullopt;
    if (const auto form = above_zero(g_, s)) {
      if (implies(place.at, *form, place.ranges)) return 1;
      if (implies(place.at, negated(*form), place.ranges)) return 0;
      return std::nullopt;
    }
    std::vector<std::optional<double>> args;
    for (const ScalarId a : s.args) args.push_back(value_of(a, place));
    const auto value = applied(s.fn, args);
    return value && std::isnan(*value) ? std::nullopt : value;
  }

  // With what is not known of the arguments finite.
  static std::optional<double> applied(Fn fn, const std::vector<std::optional<double>>& args) {
    const auto is = [&](std::size_t k, double value) { return args[k] == value; };
    const auto infinite = [&](std::size_t k) { return args[k] && std::isinf(*args[k]); };
    if (fn == Fn::select) return args[0] ? args[*args[0] != 0 ? 1 : 2] : std::nullopt;
    if (fn == Fn::cast || fn == Fn::detach) return args[0];
    if (std::all_of(args.begin(), args.end(), [](const auto& a) { return a.has_value(); }))
      return evaluate(fn, *args[0], args.size() > 1 ? *args[1] : 0);
    switch (fn) {
      case Fn::mul:
        return is(0, 0) || is(1, 0) ? std::optional(0.0) : std::nullopt;
      case Fn::div:
        return is(0, 0) ? std::optional(0.0) : std::nullopt;
      case Fn::logical_and:
        return is(0, 0) || is(1, 0) ? std::optional(0.0) : std::nullopt;
      case Fn::logical_or:
        return is(0, 1) || is(1, 1) ? std::optional(1.0) : std::nullopt;
      case Fn::add:
        return infinite(0) ? args[0] : infinite(1) ? args[1] : std::nullopt;
      case Fn::sub:
        return infinite(0) ? args[0] : infinite(1) ? std::optional(-*args[1]) : std::nullopt;
      default:
        return std::nullopt;
    }
  }

  const Graph& g_;
  std::map<NodeId, std::vector<Known>> found_;
};

}  // namespace

std::vector<Affine> known_zeros(const Graph& g, NodeId id) {
  std::vector<Affine> zeros;
  Finder finder(g);
  for (const auto& [at, value] : finder.of_node(id, most_steps))
    if (value == 0) zeros.push_back(at);
  return zeros;
}

std::vector<Affine> known_zeros(const Graph& g, NodeId id, const std::vector<Affine>& subscripts) {
  std::vector<Affine> zeros = known_zeros(g, id);
  for (Affine& at : zeros) at = at_subscripts(at, subscripts);
  return zeros;
}

}  // namespace gradc

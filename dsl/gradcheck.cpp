// gradcheck.cpp: perturbs variables one element, or one direction, at a time and watches the loss.
#include "dsl/gradcheck.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>

#include "dsl/custom_gradients.h"
#include "dsl/detached.h"
#include "dsl/differentiate.h"
#include "dsl/interpret.h"
#include "dsl/random_environment.h"
#include "dsl/round_otherwise.h"

namespace gradc {
namespace {

// A scalar, and what it is differentiated by.
struct Subject {
  std::string function, name;
  NodeId loss;
  std::vector<NodeId> variables;
  std::vector<NodeId> given{};  // the gradients, where they are not derived
};

// The sum of all float outputs, each element times a random weight (inputs of the names given
// here).
NodeId weighted_sum(Graph& g, const std::string& function, const std::vector<Output>& outputs) {
  ScalarId total;
  for (const Output& o : outputs) {
    const TensorType type = g[o.node].type;
    if (!is_float(type.dtype)) continue;
    Node weights;
    weights.kind = NodeKind::input;
    weights.name = "weight of " + function + "." + o.name;
    weights.type = {DType::f64, type.shape};
    std::vector<ScalarId> at;
    for (std::uint32_t k = 0; k < type.rank(); ++k) at.push_back(g.index(k));
    const ScalarId weight = g.read(g.add(std::move(weights)), at);
    const ScalarId product = g.apply(Fn::mul, {weight, g.cast(g.read(o.node, at), DType::f64)});
    const Reduction reduction = type.rank() == 0 ? Reduction::none : Reduction::sum;
    const ScalarId term = g.read(g.comprehension(0, type.shape, reduction, product), {});
    total = total.valid() ? g.apply(Fn::add, {total, term}) : term;
  }
  return total.valid() ? g.comprehension(0, {}, Reduction::none, total) : NodeId{};
}

// Losses of a graph without gradient nodes.
std::vector<Subject> subjects(Graph& g, const std::string& only) {
  std::vector<Subject> result;
  std::vector<NodeId> roots;
  for (const Function& f : g.functions) {
    if (!only.empty() && f.name != only) continue;
    for (const Minimize& m : f.minimizes) {
      const std::string& name = g.label(m.loss).name;
      result.push_back({f.name, name.empty() ? "loss" : name, m.loss, m.parameters});
      roots.push_back(m.loss);
    }
    if (f.kind != FunctionKind::net) continue;
    Subject s{f.name, "", weighted_sum(g, f.name, f.outputs), {}};
    if (!s.loss.valid()) continue;
    for (const Output& o : f.outputs) s.name += (s.name.empty() ? "" : ", ") + o.name;
    for (NodeId id : f.inputs) {
      if (is_float(g[id].type.dtype)) s.variables.push_back(id);
    }
    for (NodeId id : topological_order(g, {s.loss})) {
      if (g[id].kind == NodeKind::parameter) s.variables.push_back(id);
    }
    roots.push_back(s.loss);
    result.push_back(std::move(s));
  }
  for (GivenGradient& given : given_gradients(g, roots)) {
    result.push_back({"custom op " + given.op, given.result, given.loss, given.inputs, given.gradients});
  }
  return result;
}

double root_mean_square(const std::vector<double>& v) {
  double sum = 0;
  for (double x : v) sum += x * x;
  return v.empty() ? 0 : std::sqrt(sum / static_cast<double>(v.size()));
}

bool all_finite(const std::vector<Array>& arrays) {
  for (const Array& a : arrays) {
    if (!std::all_of(a.data.begin(), a.data.end(), [](double v) { return std::isfinite(v); }))
      return false;
  }
  return true;
}

std::string place_of(std::int64_t element, const std::vector<std::int64_t>& shape) {
  std::string text;
  for (std::size_t k = shape.size(); k-- > 0;) {
    text = fmt::format("{}{}{}", element % shape[k], text.empty() ? "" : ", ", text);
    element /= shape[k];
  }
  return "[" + text + "]";
}

// By how much rounding moves the root of mean square of each of `roots`, at most, in double precision: so much as it moves in
// single precision, where that is much more than what the interpreter itself rounds, times the units of the one over those
// of the other. Sums that cancel inside count with what they add up.
class Rounding {
 public:
  Rounding(const Graph& g, std::vector<NodeId> roots, const Environment& environment)
      : g_(g), roots_(std::move(roots)), environment_(environment) {}

  double of(std::size_t root) {
    if (moves_.empty()) compute();
    return moves_[root];
  }

 private:
  void compute() {
    Graph g = g_;
    Function f;
    for (NodeId id : roots_) f.outputs.push_back({"", id});
    g.functions = {f};
    const std::vector<Array> values = interpret(g, roots_, environment_);
    for (const Array& value : values) moves_.push_back(0x1p-24 * root_mean_square(value.data));
    for (const Graph& other : rounded_otherwise(g)) {
      std::vector<NodeId> roots;
      for (const Output& o : other.functions[0].outputs) roots.push_back(o.node);
      std::vector<Array> moved = interpret(other, roots, environment_);
      for (std::size_t k = 0; k < moved.size(); ++k) {
        for (std::size_t e = 0; e < moved[k].data.size(); ++e) moved[k].data[e] -= values[k].data[e];
        const double by = root_mean_square(moved[k].data);
        if (std::isfinite(by)) moves_[k] = std::max(moves_[k], by);
      }
    }
    for (double& moves : moves_) moves *= 0x1p-29;
  }

  const Graph& g_;
  std::vector<NodeId> roots_;
  const Environment& environment_;
  std::vector<double> moves_;  // once one was asked for
};

// The loss as a function of one variable, all else fixed.
struct Slope {
  const Graph& g;
  NodeId loss;
  Environment environment;
  std::string variable;
  Rounding& rounding;  // of the loss
  std::vector<double> start = environment.values.at(variable).data;
  double base = at({}, 0);

  // The loss where the variable has moved by `distance` along `direction` (all its elements).
  double at(const std::vector<double>& direction, double distance) {
    std::vector<double>& values = environment.values.at(variable).data;
    for (std::size_t k = 0; k < direction.size(); ++k)
      values[k] = start[k] + distance * direction[k];
    const double result = interpret(g, {loss}, environment).at(0).data.at(0);
    values = start;
    return result;
  }
};

constexpr double farther = 100;  // times the step: where differences are taken if those nearest don't decide

// What differences say of a slope, and by how much that may be off.
struct Estimate {
  double slope = 0, blur = 0;
};

class Comparison {
 public:
  Comparison(const GradcheckOptions& o, GradientCheck& r, Slope& s)
      : options(o), result(r), slope(s) {}

  void compare(const std::vector<double>& direction, double symbolic, const std::string& place) {
    ++result.compared;
    // Nothing is relative to nothing, but to a number so small that any error is large.
    const double scale = std::max({std::abs(symbolic), result.norm, 1e-300});
    const double h = options.step;
    const double ahead = slope.at(direction, h), behind = slope.at(direction, -h);
    double numeric = (ahead - behind) / (2 * h);
    double error = std::abs(symbolic - numeric) / scale;
    if (!(error <= options.tolerance)) {
      const double lost = slope.rounding.of(0);
      const Estimate best = sharpest(direction, {numeric, lost / h});
      numeric = best.slope;
      error = std::max(0.0, std::abs(symbolic - numeric) - best.blur) / scale;
      if (!(error <= options.tolerance)) {
        const double right = (ahead - slope.base) / h, left = (slope.base - behind) / h;
        const double bend = std::max(0.0, std::abs(right - left) - 4 * lost / h);
        const double steepest = std::max({std::abs(right), std::abs(left), scale});
        if (bend > 1e-3 * steepest) {  // a smooth loss bends by its curvature times 1e-6
          ++result.kinks;
          return;
        }
      }
      result.blur = std::max(result.blur, best.blur);
    }
    if (!(error <= result.error)) {
      result.error = error;
      result.place = place;
      result.symbolic = symbolic;
      result.numeric = numeric;
    }
  }

 private:
  // The sharper of `near` and what is seen farther apart, where the loss rounds away less and bends more. Two distances cancel
  // what the curve bends, up to its fourth power; by how much the next two say something else is what remains of that, or
  // a kink on the way.
  Estimate sharpest(const std::vector<double>& direction, const Estimate& near) {
    const double far = farther * options.step;
    double differences[3];
    for (int k = 0; k < 3; ++k) {
      const double distance = far * (1 << k);
      differences[k] = (slope.at(direction, distance) - slope.at(direction, -distance)) / (2 * distance);
    }
    const double first = (4 * differences[0] - differences[1]) / 3, second = (4 * differences[1] - differences[2]) / 3;
    const double blur = 1.5 * slope.rounding.of(0) / far + std::abs(first - second);
    return blur < near.blur ? Estimate{first, blur} : near;
  }

  const GradcheckOptions& options;
  GradientCheck& result;
  Slope& slope;
};

// How many terms of how many elements a loss takes to compute, with run-time dims of `largest`.
double terms(const Graph& g, NodeId loss, std::int64_t largest) {
  double total = 0;
  for (NodeId id : topological_order(g, {loss})) {
    if (g[id].kind != NodeKind::comprehension) continue;
    double points = 1;
    for (const Extent& e : g[id].ranges) {
      const std::int64_t size = e.is_fixed() ? 0 : std::min(largest, g.dim(e.dim).bound);
      points *= static_cast<double>(e.offset + e.scale * size);
    }
    total += points;
  }
  return total;
}

// What one variable may take of the work: of comparisons, each of which computes the loss twice.
GradcheckOptions affordable(GradcheckOptions options, double comparisons) {
  if (comparisons >= static_cast<double>(options.small)) return options;
  // A direction moves all elements, so that one says most about a gradient.
  options.directions = std::clamp<std::int64_t>(static_cast<std::int64_t>(comparisons / 2), 1, 3);
  options.samples = std::clamp<std::int64_t>(
      static_cast<std::int64_t>(comparisons) - options.directions, 1, options.samples);
  options.small = options.samples + options.directions;
  return options;
}

void check_variable(GradientCheck& result, const Array& gradient, Slope slope,
                    const GradcheckOptions& options, std::uint64_t seed) {
  const std::size_t n = gradient.data.size();
  result.elements = static_cast<std::int64_t>(n);
  result.norm = root_mean_square(gradient.data);
  result.compared = result.kinks = 0;
  result.error = result.blur = 0;
  Comparison comparison(options, result, slope);
  std::mt19937_64 random(seed);
  std::vector<double> direction(n);
  const bool all = result.elements <= options.small;
  const std::int64_t count = all ? result.elements : options.samples;
  for (std::int64_t k = 0; k < count; ++k) {
    const std::size_t element = all ? static_cast<std::size_t>(k) : random() % n;
    direction[element] = 1;
    comparison.compare(direction, gradient.data[element],
                       place_of(static_cast<std::int64_t>(element), gradient.shape));
    direction[element] = 0;
  }
  for (std::int64_t k = 0; !all && k < options.directions; ++k) {
    double symbolic = 0;
    for (std::size_t e = 0; e < n; ++e) {
      direction[e] = (random() % 2 == 0 ? 1 : -1) / std::sqrt(static_cast<double>(n));
      symbolic += direction[e] * gradient.data[e];
    }
    comparison.compare(direction, symbolic, "along a direction");
  }
  result.verdict = result.kinks == result.compared        ? GradientVerdict::no_slope
                   : !(result.error <= options.tolerance) ? GradientVerdict::wrong
                                                          : GradientVerdict::right;
}

bool is_decided(GradientVerdict v) {
  return v == GradientVerdict::right || v == GradientVerdict::wrong || v == GradientVerdict::differs;
}

// Of all the work of `options`, this subject has a share.
std::vector<GradientCheck> check(const Graph& plain, const Subject& subject,
                                 const GradcheckOptions& options, double share) {
  Graph with_gradients = plain;
  Function f;
  f.name = subject.function;
  f.kind = FunctionKind::step;
  f.outputs = {{"loss", subject.loss}};
  const std::vector<NodeId> symbolic =
      subject.given.empty() ? gradients(with_gradients, subject.loss, subject.variables) : subject.given;
  for (NodeId id : symbolic) {
    f.outputs.push_back({"d" + plain[subject.variables[f.outputs.size() - 1]].name, id});
  }
  with_gradients.functions = {f};
  if (options.transform != nullptr) options.transform(with_gradients);
  std::vector<NodeId> roots;
  for (const Output& o : with_gradients.functions[0].outputs) roots.push_back(o.node);

  // What values are drawn for: the variables too, should the loss not depend on one.
  Function reads;
  reads.outputs = {{"loss", subject.loss}};
  reads.inputs = subject.variables;

  std::vector<GradientCheck> results;
  for (NodeId id : subject.variables) {
    GradientCheck r;
    r.function = subject.function;
    r.loss = subject.name;
    r.variable = plain[id].name;
    r.verdict = GradientVerdict::not_finite;
    results.push_back(std::move(r));
  }
  const double once = terms(plain, subject.loss, DrawOptions{}.largest_dim);
  const GradcheckOptions limited = affordable(
      options, share / (2 * once * static_cast<double>(subject.variables.size() + 1)));
  constexpr int attempts = 6;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    DrawOptions draw;
    draw.seed = options.seed + static_cast<std::uint64_t>(attempt) * 1000;
    // Probabilities and other arguments of a logarithm are positive.
    if (attempt % 2 == 1) draw.low = 0.1, draw.high = 0.9;
    Environment environment = random_environment(plain, reads, draw);
    Graph frozen = plain;
    NodeId loss;
    std::vector<Array> values;
    try {
      values = interpret(with_gradients, roots, environment);
      loss = freeze_detached(frozen, freeze_custom(frozen, subject.loss, environment), environment);
    } catch (const EvaluationError& error) {
      for (GradientCheck& r : results) r.message = error.what();
      continue;
    }
    if (!all_finite(values)) continue;
    bool done = true;
    Rounding of_loss(frozen, {loss}, environment), of_gradients(with_gradients, roots, environment);
    for (std::size_t k = 0; k < results.size(); ++k) {
      GradientCheck& r = results[k];
      if (is_decided(r.verdict)) continue;
      if (r.verdict == GradientVerdict::hidden) {
        // Not again all differences, where none could tell.
        const double norm = root_mean_square(values[k + 1].data);
        if (norm <= of_loss.of(0) / (farther * options.step) && norm > 3 * of_gradients.of(k + 1)) {
          done = false;
          continue;
        }
      }
      check_variable(r, values[k + 1], Slope{frozen, loss, environment, r.variable, of_loss}, limited,
                     draw.seed);
      r.message.clear();
      // What a difference can't tell from 0 is 0 where the formulas of the gradient can't either.
      if (r.verdict == GradientVerdict::right && r.norm <= r.blur) {
        r.is_zero = r.norm == 0 || r.norm <= 3 * of_gradients.of(k + 1);
        if (!r.is_zero) r.verdict = GradientVerdict::hidden;
      }
      if (r.verdict == GradientVerdict::wrong && !subject.given.empty()) r.verdict = GradientVerdict::differs;
      done = done && is_decided(r.verdict);
    }
    if (done) break;
  }
  for (std::size_t k = 0; k < results.size() && !subject.given.empty(); ++k) {
    results[k].variable = plain.label(subject.variables[k]).name;
  }
  return results;
}

}  // namespace

std::vector<GradientCheck> gradcheck(const Graph& g, const GradcheckOptions& options) {
  Graph copy = g;
  differentiate(copy);
  std::vector<GradientCheck> results;
  const std::vector<Subject> all = subjects(copy, options.function);
  for (const Subject& subject : all) {
    const double share = options.work / static_cast<double>(all.size());
    for (GradientCheck& r : check(copy, subject, options, share)) results.push_back(std::move(r));
  }
  return results;
}

std::string gradcheck_to_text(const std::vector<GradientCheck>& results) {
  std::vector<std::string> gradients;
  std::size_t width = 8;
  for (const GradientCheck& r : results) {
    gradients.push_back(fmt::format("{}: d({})/d({})", r.function, r.loss, r.variable));
    width = std::max(width, gradients.back().size());
  }
  std::string text = fmt::format("{:<{}}  {:>8}  {:>8}  {:>9}  {}\n", "gradient", width, "elements",
                                 "compared", "error", "verdict");
  for (std::size_t k = 0; k < results.size(); ++k) {
    const GradientCheck& r = results[k];
    std::string verdict = "right";
    if (r.verdict == GradientVerdict::differs) {
      verdict = fmt::format("not the derivative at {}: given {:.6g}, difference {:.6g}", r.place, r.symbolic,
                            r.numeric);
    } else if (r.verdict == GradientVerdict::wrong) {
      verdict = fmt::format("WRONG at {}: symbolic {:.6g}, difference {:.6g}", r.place, r.symbolic,
                            r.numeric);
    } else if (r.verdict == GradientVerdict::not_finite) {
      verdict = "not checked: " +
                (r.message.empty() ? "the loss or its gradient is not finite" : r.message);
    } else if (r.verdict == GradientVerdict::no_slope) {
      verdict = "not checked: the loss has a kink or a jump there";
    } else if (r.verdict == GradientVerdict::hidden) {
      verdict = "not checked: the loss is rounded by more than it changes";
    } else {
      if (r.is_zero)
        verdict += r.norm > 0 ? ": 0 up to rounding" : ": 0";
      else if (r.blur > 1e-3 * r.norm)
        verdict += fmt::format(", within {:.0e}", r.blur / r.norm);
      if (r.kinks > 0) verdict += fmt::format(", {} kinks left out", r.kinks);
    }
    text += fmt::format("{:<{}}  {:>8}  {:>8}  {:>9.1e}  {}\n", gradients[k], width, r.elements,
                        r.compared - r.kinks, r.error, verdict);
  }
  const bool differs = std::any_of(results.begin(), results.end(), [](const GradientCheck& r) {
    return r.verdict == GradientVerdict::differs;
  });
  if (differs) {
    text += "A custom op may pass on something else than the derivative: see that what differs is meant to. The other "
            "rows\ntake what it passes on for right.\n";
  }
  return text;
}

}  // namespace gradc

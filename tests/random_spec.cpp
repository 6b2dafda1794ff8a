// random_spec.cpp: random well-typed specs: dims, ops, layers, a net, a step.
#include "tests/random_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tests/random_spec_scope.h"

namespace test {
namespace {

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : scope(seed) {}

  std::string generate() {
    make_dims();
    for (std::int64_t k = choices.number(0, 2); k > 0; --k) make_op();
    make_inputs();
    for (std::int64_t k = choices.number(0, 3); k > 0; --k) make_parameter();
    for (std::int64_t k = choices.number(1, 7); k > 0; --k) make_statement();
    make_results();
    std::string text;
    for (const SpecDim& d : scope.dims) {
      if (!d.name.starts_with("R")) text += fmt::format("dim {} {} {}\n", d.name, d.bounded ? "<=" : "=", d.size);
    }
    text += declarations_;
    text += fmt::format("net f({}) -> {} {{\n{}}}\n", inputs_, results_, body_);
    if (!trained_.empty()) text += make_step();
    return text;
  }

 private:
  std::int64_t number(std::int64_t low, std::int64_t high) { return choices.number(low, high); }
  std::size_t any(std::size_t count) {
    return static_cast<std::size_t>(number(0, static_cast<std::int64_t>(count) - 1));
  }
  std::string fresh(const char* prefix) { return prefix + std::to_string(values_++); }
  std::string shape(const std::vector<std::size_t>& axes) const {
    std::string text;
    for (std::size_t a : axes) text += (text.empty() ? "" : ", ") + scope.dims[a].name;
    return "[" + text + "]";
  }
  void line(const std::string& text) { body_ += "  " + text + "\n"; }

  // ---- declarations ----

  void make_dims() {
    constexpr std::array sizes = {1, 2, 3, 3, 4, 5, 5, 6, 7, 8, 9, 11, 13, 17, 33};
    scope.dims.push_back({"B", number(1, 5), choices.chance(80)});
    if (choices.chance(30)) scope.dims.push_back({"T", number(1, 6), true});
    for (const char* name : {"H", "K", "M"}) {
      // One larger than a vector or two, not all of them.
      const std::size_t last = *name == 'H' ? sizes.size() : 8;
      scope.dims.push_back({name, sizes[any(last)], false});
    }
    fixed_ = scope.dims.size() - 3;
  }

  std::vector<std::size_t> axes(std::int64_t most_rank, std::int64_t most_points, bool only_fixed = false) {
    std::vector<std::size_t> result;
    const std::size_t count = scope.dims.size();
    for (std::int64_t rank = number(0, most_rank); rank > 0; --rank) {
      const std::size_t a = only_fixed ? fixed_ + any(3) : any(std::min<std::size_t>(count, 5));
      result.push_back(a);
      if (scope.points(result) > most_points) result.pop_back();
    }
    return result;
  }

  void make_op() {
    const std::string name = "op" + std::to_string(scope.ops.size());
    scope.letters = {"x", "y", "c"};
    // With both in it: a number would fit no shape.
    const Text e = scope.scaled(scope.expression(2), 4);
    const Text body{fmt::format("{} + 0.125 * x * y", e.text), e.bound + 0.5};
    scope.letters.clear();
    declarations_ += fmt::format("op {}(x, y, c: float = {}) = {}\n", name, scope.number(-1, 1), body.text);
    scope.ops.push_back({name, body.bound});
  }

  void add_input(const std::string& name, const char* dtype, const std::vector<std::size_t>& a) {
    inputs_ += fmt::format("{}{}: {}{}", inputs_.empty() ? "" : ", ", name, dtype, shape(a));
    arguments_ += (arguments_.empty() ? "" : ", ") + name;
  }

  void make_inputs() {
    doubles_ = choices.chance(10);
    for (std::int64_t k = number(1, 3); k > 0; --k) {
      const SpecTensor t{fresh("x"), axes(4, 300), 1, 0};
      add_input(t.name, doubles_ ? "f64" : "f32", t.axes);
      scope.floats.push_back(t);
    }
    for (std::int64_t k = number(0, 2); k > 0; --k) {
      const std::size_t to = any(scope.dims.size());
      const SpecTensor t{fresh(("at_" + scope.dims[to].name).c_str()), axes(2, 40), 0, to};
      add_input(t.name, "i32", t.axes);
      scope.integers.push_back(t);
    }
    if (choices.chance(30)) {
      const SpecTensor t{fresh("m"), axes(2, 40), 1, 0};
      add_input(t.name, "bool", t.axes);
      scope.booleans.push_back(t);
    }
  }

  void make_parameter() {
    constexpr std::array initial = {"normal(0, 0.5)", "uniform(-0.5, 0.5)", "ones", "constant(0.25)"};
    const SpecTensor t{fresh("w"), axes(3, 300, true), 1, 0};
    line(fmt::format("param {}: f32{} ~ {}", t.name, shape(t.axes), choices.one_of(initial)));
    scope.floats.push_back(t);
    trained_.push_back(t.name);
    live_.push_back(t);
  }

  // ---- statements ----

  void make_statement() {
    const std::int64_t which = number(1, 100);
    if (which <= 52) return elements();
    if (which <= 64) return whole();
    if (which <= 71) return position();
    if (which <= 76) return truth();
    if (which <= 81) return loop();
    if (which <= 85) return branch();
    if (which <= 90) return recurrence();
    if (which <= 93) return drawn();
    if (which <= 96) return flat();
    layer();
  }

  // name[i, j] for axes, of indices that are in the scope now.
  std::string left(const std::string& name, std::size_t rank) const {
    std::string text;
    for (std::size_t k = 0; k < rank; ++k) text += (k == 0 ? "" : ", ") + scope.declared(scope.indices[k]);
    return rank == 0 ? name : fmt::format("{}[{}]", name, text);
  }
  void begin(const std::vector<std::size_t>& a) {
    scope.indices.clear();
    for (std::size_t axis : a) scope.indices.push_back(scope.index_of(axis));
  }
  void keep(SpecTensor t) {
    t.bound = std::max(t.bound, 1e-3);
    scope.floats.push_back(t);
    live_.push_back(std::move(t));
  }

  void elements() {
    const std::vector<std::size_t> a = axes(5, 400);
    begin(a);
    const Text e = scope.scaled(scope.expression(static_cast<int>(number(1, 4))), 4);
    const std::string name = fresh("v");
    line(fmt::format("{} = {}", left(name, a.size()), with_tensor(e.text)));
    scope.indices.clear();
    keep({name, a, e.bound, 0});
  }
  // Without indices a body of numbers alone would be a number, not a tensor.
  std::string with_tensor(const std::string& text) {
    return scope.indices.empty() ? fmt::format("{} + 0.0 * {}", text, scope.element(scope.floats[0])) : text;
  }

  // A tensor whose dims are found in those of `t` in one way.
  std::vector<const SpecTensor*> beside(const SpecTensor& t) const {
    std::vector<const SpecTensor*> result;
    for (const SpecTensor& u : scope.floats) {
      std::vector<std::int64_t> ways(u.axes.size() + 1, 0);
      ways[0] = 1;
      for (std::size_t a : t.axes) {
        for (std::size_t k = u.axes.size(); k-- > 0;) {
          if (scope.same(u.axes[k], a)) ways[k + 1] += ways[k];
        }
      }
      if (ways.back() == 1) result.push_back(&u);
    }
    return result;
  }
  Text whole_expression(const SpecTensor& a, int depth) {
    Text x{a.name, a.bound};
    for (int k = 0; k <= depth; ++k) {
      const SpecTensor& b = *choices.one_of(beside(a));
      x = scope.scaled(x, 4);
      switch (number(0, 9)) {
        case 0: x = {fmt::format("({} + {})", x.text, b.name), x.bound + b.bound}; break;
        case 1: x = {fmt::format("({} * {})", b.name, x.text), x.bound * b.bound}; break;
        case 2: x = {fmt::format("({} - {})", x.text, b.name), x.bound + b.bound}; break;
        case 3: x = {fmt::format("max({}, {})", x.text, b.name), std::max(x.bound, b.bound)}; break;
        case 4: x = {fmt::format("({} |> tanh)", x.text), 1}; break;
        case 5: x = {fmt::format("({} |> leaky_relu(slope = 0.25))", x.text), x.bound}; break;
        case 6: x = {fmt::format("sin({} * 2)", x.text), 1}; break;
        case 7:
          x = a.axes.empty() ? x : Text{fmt::format("softmax({})", x.text), 1};
          break;
        case 8: {
          if (scope.ops.empty()) break;
          const SpecOp& op = choices.one_of(scope.ops);
          const Text other = scope.scaled({b.name, b.bound}, 2);
          x = scope.scaled(x, 2);
          x = {fmt::format("({} |> {}(y = {}))", x.text, op.name, other.text), op.bound};
          break;
        }
        default: x = {fmt::format("({} / 2 + 0.5)", x.text), x.bound}; break;
      }
    }
    return scope.scaled(x, 4);
  }
  void whole() {
    const SpecTensor a = choices.one_of(scope.floats);
    const Text x = whole_expression(a, static_cast<int>(number(0, 2)));
    const std::string name = fresh("v");
    line(fmt::format("{} = {}", name, x.text));
    keep({name, a.axes, x.bound, 0});
  }

  void position() {
    const std::vector<std::size_t> a = axes(2, 40);
    begin(a);
    const std::size_t to = any(scope.dims.size());
    SpecIndex r = scope.index_of(to);
    scope.indices.push_back(r);
    const Text e = scope.expression(2);
    const std::string over = scope.declared(scope.indices.back());
    scope.indices.pop_back();
    const std::string name = fresh("a");
    const bool most = choices.chance(50);
    line(fmt::format("{} = {}[{}] {}", left(name, a.size()), most ? "argmax" : "argmin", over, e.text));
    scope.indices.clear();
    scope.integers.push_back({name, a, 0, to});
  }

  void truth() {
    const std::vector<std::size_t> a = axes(2, 60);
    if (a.empty()) return;
    begin(a);
    const std::string c = scope.condition(1);
    const std::string name = fresh("m");
    line(fmt::format("{} = {}", left(name, a.size()), c));
    scope.indices.clear();
    scope.booleans.push_back({name, a, 1, 0});
  }

  void loop() {
    const SpecTensor a = choices.one_of(scope.floats);
    if (a.name[0] == 'w') return whole();
    const Text x = scope.scaled(whole_expression(a, 1), 2);
    const std::string name = fresh("v");
    const std::int64_t rounds = number(1, 3);
    line(fmt::format("{} = {} * 0.5", name, a.name));
    line(fmt::format("for r in 1..{} {{ {} = tanh({} + 0.25 * r * {}) }}", rounds, name, name, x.text));
    keep({name, a.axes, 1, 0});
  }

  void branch() {
    const std::string flag = fresh("deep");
    declarations_ += fmt::format("const {}: bool = {}\n", flag, choices.chance(50) ? "true" : "false");
    const SpecTensor a = choices.one_of(scope.floats);
    const Text x = whole_expression(a, 1);
    const Text y = whole_expression(a, 0);
    const std::string name = fresh("v");
    if (choices.chance(50)) {
      line(fmt::format("{} = if {} then {} else {}", name, flag, x.text, y.text));
    } else {
      line(fmt::format("if {} {{ {} = {} }} else {{ {} = {} }}", flag, name, x.text, name, y.text));
    }
    keep({name, a.axes, std::max(x.bound, y.bound), 0});
  }

  void recurrence() {
    const std::size_t time = any(scope.dims.size());
    std::vector<std::size_t> a = axes(2, 40);
    a.erase(std::remove(a.begin(), a.end(), time), a.end());
    const std::size_t at = any(a.size() + 1);
    a.insert(a.begin() + static_cast<std::ptrdiff_t>(at), time);
    const std::string name = fresh("h");
    begin(a);
    scope.indices[at].name = "t";
    const Text e = scope.scaled(scope.expression(2), 2);
    // At a moment; with the range of every index, for nothing else may say it.
    const auto at_time = [&](const std::string& moment, bool declares, const std::string& last = "") {
      std::string text;
      for (std::size_t k = 0; k < a.size(); ++k) {
        const std::string& i = scope.indices[k].name;
        text += k == 0 ? "" : ", ";
        if (k == at) {
          text += moment;
        } else if (declares) {
          text += fmt::format("{} in 0..{} - 1", i, scope.dims[a[k]].name);
        } else {
          text += !last.empty() && k + 1 == a.size() ? last : i;
        }
      }
      return fmt::format("{}[{}]", name, text);
    };
    const bool backwards = choices.chance(30);
    const std::string start = at_time(backwards ? scope.dims[time].name : "-1", true);
    const std::string before = backwards ? "t + 1" : "t - 1";
    const bool sums = at + 1 != a.size() && choices.chance(50);
    const std::string past = sums ? fmt::format("(mean[s] {})", at_time(before, false, "s")) : at_time(before, false);
    const std::string now = at_time("t", true);
    scope.indices.clear();
    line(fmt::format("recur t in 0..{} - 1 {{", scope.dims[time].name));
    line(fmt::format("  {} = {}", start, scope.number(-1, 1)));
    line(fmt::format("  {} = tanh({} * {} + {})", now, scope.number(-1, 1), past, e.text));
    line("}");
    keep({name, a, 1, 0});
  }

  void drawn() {
    const SpecTensor a = choices.one_of(scope.floats);
    const std::string name = fresh("v");
    line(fmt::format("{} = {} like {}", name, choices.chance(50) ? "normal(0, 0.25)" : "uniform(-1, 1)", a.name));
    keep({name, a.axes, 2, 0});
  }

  void flat() {
    const SpecTensor a = choices.one_of(scope.floats);
    if (a.axes.size() < 2) return elements();
    std::string extents;
    std::int64_t bounded = 0;
    for (std::size_t k : a.axes) bounded += scope.dims[k].bounded;
    const std::size_t kept = bounded == 0 ? 0 : 1;
    if (bounded > 1 || (bounded == 1 && !scope.dims[a.axes[0]].bounded) || a.axes.size() - kept < 2) return whole();
    std::vector<std::size_t> rest(a.axes.begin() + static_cast<std::ptrdiff_t>(kept), a.axes.end());
    for (std::size_t k : rest) extents += (extents.empty() ? "" : " * ") + scope.dims[k].name;
    const std::string dim = "R" + std::to_string(scope.dims.size());
    declarations_ += fmt::format("dim {} = {}\n", dim, extents);
    scope.dims.push_back({dim, scope.points(rest), false});
    std::vector<std::size_t> result(a.axes.begin(), a.axes.begin() + static_cast<std::ptrdiff_t>(kept));
    result.push_back(scope.dims.size() - 1);
    const std::string name = fresh("v");
    line(fmt::format("{} = reshape({}, {})", name, a.name, shape(result)));
    keep({name, result, a.bound, 0});
  }

  void layer() {
    const SpecTensor a = choices.one_of(scope.floats);
    if (a.axes.empty() || scope.dims[a.axes.back()].bounded || scope.points(a.axes) > 200) return elements();
    const std::string name = fresh("v");
    const std::string path = fresh("fc");
    std::vector<std::size_t> result = a.axes;
    if (choices.chance(70)) {
      result.back() = fixed_ + any(3);
      line(fmt::format("{} = {} |> {}: dense({}) |> tanh", name, a.name, path, scope.dims[result.back()].name));
      trained_.push_back(path + ".W");
    } else {
      line(fmt::format("{} = tanh({}: layer_norm({}))", name, path, a.name));
      trained_.push_back(path + ".g");
    }
    keep({name, result, 1, 0});
  }

  // ---- results, and the step ----

  std::string mean_of(const SpecTensor& t, const char* how) {
    return t.axes.empty() ? fmt::format("({} * {})", how, t.name) : fmt::format("(mean[..] {} * {}[..])", how, t.name);
  }
  // Of all that nothing else might use, so that everything has a gradient.
  void make_results() {
    const SpecTensor& last = scope.floats.back();
    std::string all;
    constexpr std::array weights = {"0.5", "1.5", "-1.0", "0.75"};
    for (const SpecTensor& t : live_) {
      if (!all.empty()) all += " + ";
      all += mean_of(t, choices.one_of(weights));
    }
    if (all.empty()) all = mean_of(last, "1.0");
    for (const SpecTensor& t : scope.integers) {
      if (t.name[0] != 'a' || t.name[1] == 't') continue;
      all += " + 0.0 * " + (t.axes.empty() ? fmt::format("f32({})", t.name) : fmt::format("(mean[..] f32({}[..]))", t.name));
    }
    line(fmt::format("y = {}", doubles_ ? fmt::format("f32({})", last.name) : last.name + " * 1.0"));
    line(fmt::format("z = {}", doubles_ ? fmt::format("f32({})", all) : all));
    y_ = last;
    results_ = fmt::format("y: f32{}, z: f32[]", shape(last.axes));
  }

  std::string make_step() {
    constexpr std::array optimizers = {"sgd(lr = 0.1)", "sgd(lr = 0.1, momentum = 0.9)", "adam(lr = 0.01, eps = 0.1)",
                                       "clip_norm(sgd(lr = 0.5), 1.0)"};
    std::string text = fmt::format("step train({}) {{\n  y, z = f({})\n", inputs_, arguments_);
    std::string loss = y_.axes.empty() ? "y * y" : "(mean[..] y[..] * y[..])";
    if (choices.chance(20)) {
      // The gradient of a gradient.
      text += fmt::format("  g = grad(z, {})\n", first_input());
      loss += first_axes().empty() ? " + 0.1 * g * g" : " + 0.1 * (mean[..] g[..] * g[..])";
    }
    text += fmt::format("  loss = {} + 0.5 * z\n  minimize loss using {}\n  report loss\n}}\n", loss, choices.one_of(optimizers));
    return text;
  }
  std::string first_input() const { return scope.floats[0].name; }
  const std::vector<std::size_t>& first_axes() const { return scope.floats[0].axes; }

  SpecScope scope;
  Choices& choices = scope.choices;
  std::size_t fixed_ = 0;  // the first of three fixed dims
  int values_ = 0;
  std::string declarations_, inputs_, arguments_, results_, body_;
  bool doubles_ = false;
  std::vector<std::string> trained_;
  std::vector<SpecTensor> live_;
  SpecTensor y_;
};

}  // namespace

std::string random_spec(std::uint64_t seed) { return Generator(seed).generate(); }

}  // namespace test

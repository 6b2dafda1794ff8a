// random_net.cpp: the statements of a random net.
#include "tests/random_net.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace test {
namespace {

class NetWriter {
 public:
  NetWriter(SpecDraft& d, std::string name) : draft(d), scope(d.scope), choices(d.scope.choices) {
    net_.name = std::move(name);
    scope.floats.clear();
    scope.integers.clear();
    scope.booleans.clear();
  }

  RandomNet run(std::int64_t statements) {
    make_inputs();
    for (std::int64_t k = number(0, 3); k > 0; --k) make_parameter();
    for (; statements > 0; --statements) make_statement();
    make_results();
    std::string inputs;
    for (const RandomInput& i : net_.inputs) {
      inputs += fmt::format("{}{}: {}{}", inputs.empty() ? "" : ", ", i.tensor.name, i.dtype, shape(i.tensor.axes));
    }
    net_.text = fmt::format("net {}({}) -> y: f32{}, z: f32[] {{\n{}}}\n", net_.name, inputs, shape(net_.y.axes), body_);
    if (learns_) net_.trains.insert(net_.name);
    return std::move(net_);
  }

 private:
  std::int64_t number(std::int64_t low, std::int64_t high) { return choices.number(low, high); }
  std::size_t any(std::size_t count) {
    return static_cast<std::size_t>(number(0, static_cast<std::int64_t>(count) - 1));
  }
  std::string fresh(const std::string& prefix) { return prefix + std::to_string(draft.values++); }
  std::string shape(const std::vector<std::size_t>& axes) const { return scope.shape(axes); }
  void line(const std::string& text) { body_ += "  " + text + "\n"; }

  std::vector<std::size_t> axes(std::int64_t most_rank, std::int64_t most_points, bool only_fixed = false) {
    std::vector<std::size_t> result;
    const std::size_t count = scope.dims.size();
    for (std::int64_t rank = number(0, most_rank); rank > 0; --rank) {
      const std::size_t a = only_fixed ? draft.fixed + any(3) : any(std::min<std::size_t>(count, 5));
      result.push_back(a);
      if (scope.points(result) > most_points) result.pop_back();
    }
    return result;
  }

  void make_inputs() {
    for (std::int64_t k = number(1, 3); k > 0; --k) {
      const SpecTensor t{fresh("x"), axes(4, 300), 1, 0};
      net_.inputs.push_back({t, draft.doubles ? "f64" : "f32"});
      scope.floats.push_back(t);
    }
    for (std::int64_t k = number(0, 2); k > 0; --k) {
      const std::size_t to = any(draft.fixed + 3);
      const SpecTensor t{fresh("at_" + scope.dims[to].name), axes(2, 40), 0, to};
      net_.inputs.push_back({t, "i32"});
      scope.integers.push_back(t);
    }
    if (choices.chance(30)) {
      SpecTensor t{fresh("m"), axes(2, 40), 1, 0};
      if (t.axes.empty()) t.axes.push_back(draft.fixed);
      net_.inputs.push_back({t, "bool"});
      scope.booleans.push_back(t);
    }
  }

  void make_parameter() {
    constexpr std::array initial = {"normal(0, 0.5)", "uniform(-0.5, 0.5)", "ones", "constant(0.25)"};
    const SpecTensor t{fresh("w"), axes(3, 300, true), 1, 0};
    line(fmt::format("param {}: f32{} ~ {}", t.name, shape(t.axes), choices.one_of(initial)));
    scope.floats.push_back(t);
    learns_ = true;
    live_.push_back(t);
  }

  // ---- statements ----

  void make_statement() {
    if (!draft.nets.empty() && choices.chance(20)) return call();
    const std::int64_t which = number(1, 100);
    if (which <= 47) return elements();
    if (which <= 57) return whole();
    if (which <= 62) return position();
    if (which <= 66) return truth();
    if (which <= 71) return loop();
    if (which <= 76) return branch();
    if (which <= 83) return recurrence();
    if (which <= 86) return drawn();
    if (which <= 89) return flat();
    if (which <= 92) return state();
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

  void elements() { elements_of(axes(5, 400), static_cast<int>(number(1, 4)), 4); }
  std::string elements_of(const std::vector<std::size_t>& a, int depth, double bound) {
    begin(a);
    const Text e = scope.scaled(scope.expression(depth), bound);
    const std::string name = fresh("v");
    line(fmt::format("{} = {}", left(name, a.size()), with_tensor(e.text)));
    scope.indices.clear();
    keep({name, a, e.bound, 0});
    return name;
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
    position_of(a, any(scope.dims.size()));
  }
  std::string position_of(const std::vector<std::size_t>& a, std::size_t to) {
    begin(a);
    scope.indices.push_back(scope.index_of(to));
    const Text e = scope.expression(2);
    const std::string over = scope.declared(scope.indices.back());
    scope.indices.pop_back();
    const std::string name = fresh("a");
    const bool most = choices.chance(50);
    line(fmt::format("{} = {}[{}] {}", left(name, a.size()), most ? "argmax" : "argmin", over, e.text));
    scope.indices.clear();
    scope.integers.push_back({name, a, 0, to});
    return name;
  }

  void truth() {
    const std::vector<std::size_t> a = axes(2, 60);
    if (!a.empty()) truth_of(a);
  }
  std::string truth_of(const std::vector<std::size_t>& a) {
    begin(a);
    const std::string c = scope.condition(1);
    const std::string name = fresh("m");
    line(fmt::format("{} = {}", left(name, a.size()), c));
    scope.indices.clear();
    scope.booleans.push_back({name, a, 1, 0});
    return name;
  }

  void loop() {
    const SpecTensor a = choices.one_of(scope.floats);
    if (a.name[0] == 'w') return whole();
    const Text x = scope.scaled(whole_expression(a, 1), 2);
    const std::string name = fresh("v");
    std::string rounds = std::to_string(number(1, 3));
    if (choices.chance(30)) {
      const std::string value = rounds;
      rounds = fresh("rounds");
      draft.declarations += fmt::format("const {}: int = {}\n", rounds, value);
    }
    std::string body = fmt::format("{} = tanh({} + 0.25 * r * {})", name, name, x.text);
    if (choices.chance(30)) body = fmt::format("if r % 2 == {} {{ {} }} else {{ {} = 0.5 * {} }}", number(0, 1), body, name, name);
    if (choices.chance(15)) body = fmt::format("for q in 0..1 {{ {} }}", body);
    line(fmt::format("{} = {} * 0.5", name, a.name));
    line(fmt::format("for r in 1..{} {{ {} }}", rounds, body));
    keep({name, a.axes, std::max(1.0, a.bound), 0});
  }

  void branch() {
    std::string flag = "training";
    if (choices.chance(80)) {
      flag = fresh("deep");
      draft.declarations += fmt::format("const {}: bool = {}\n", flag, choices.chance(50) ? "true" : "false");
    }
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

  // c may be another tensor that is defined together with h.
  void recurrence() {
    const std::size_t time = any(scope.dims.size());
    std::vector<std::size_t> a = axes(2, 40);
    a.erase(std::remove(a.begin(), a.end(), time), a.end());
    const std::size_t at = any(a.size() + 1);
    a.insert(a.begin() + static_cast<std::ptrdiff_t>(at), time);
    begin(a);
    scope.indices[at].name = "t";
    const Text e = scope.scaled(scope.expression(2), 2);
    const std::vector<SpecIndex> indices = std::exchange(scope.indices, {});
    // At a moment; with the range of every index where nothing else may say it.
    enum Form : std::uint8_t { plain, declared, padded, summed };
    const auto at_time = [&](const std::string& name, const std::string& moment, Form form) {
      std::string text;
      for (std::size_t k = 0; k < a.size(); ++k) {
        const std::string& i = indices[k].name;
        text += k == 0 ? "" : ", ";
        if (k == at) {
          text += moment;
        } else if (form == declared) {
          text += fmt::format("{} in 0..{} - 1", i, scope.dims[a[k]].name);
        } else {
          text += form == summed && k + 1 == a.size() ? "s" : i;
        }
      }
      return fmt::format("{}[{}{}]", name, text, form == padded ? " pad 0" : "");
    };
    const bool backwards = choices.chance(30);
    const std::string& size = scope.dims[time].name;
    const std::string starts[] = {backwards ? size : "-1", backwards ? size + " + 1" : "-2"};
    const std::string before[] = {backwards ? "t + 1" : "t - 1", backwards ? "t + 2" : "t - 2"};
    const std::string h = fresh("h"), now = at_time(h, "t", declared);
    const bool sums = at + 1 != a.size() && choices.chance(50);
    std::string past = at_time(h, before[0], sums ? summed : plain);
    if (sums) past = fmt::format("(mean[s] {})", past);
    const std::string u = scope.number(-1, 1), v = scope.number(-1, 1);
    std::vector<std::string> lines = {fmt::format("{} = {}", at_time(h, starts[0], declared), scope.number(-1, 1))};
    std::string c;
    switch (number(0, 7)) {
      case 0:  // two steps back
        lines.push_back(fmt::format("{} = {}", at_time(h, starts[1], declared), scope.number(-1, 1)));
        lines.push_back(fmt::format("{} = tanh({} * {} + {} * {} + {})", now, u, past, v, at_time(h, before[1], plain), e.text));
        break;
      case 1:  // padded: without starts time runs forwards
        lines = {fmt::format("{} = tanh({} * {} + {})", now, u, at_time(h, "t - 1", padded), e.text)};
        break;
      case 2:  // gated
        lines.push_back(fmt::format("{} = (1 - sigmoid({})) * {} + sigmoid({}) * tanh({} * {})", now, e.text, past, e.text, u, past));
        break;
      case 3: {  // two that define each other
        c = fresh("c");
        lines.push_back(fmt::format("{} = {}", at_time(c, starts[0], declared), scope.number(-1, 1)));
        const std::string first = fmt::format("{} = 0.5 * {} + 0.25 * {} + 0.125 * {}", at_time(c, "t", declared),
                                              at_time(c, before[0], plain), past, e.text);
        const std::string second = fmt::format("{} = tanh({} * {})", now, u, at_time(c, "t", plain));
        const bool swapped = choices.chance(50);
        lines.push_back(swapped ? second : first);
        lines.push_back(swapped ? first : second);
        break;
      }
      default:
        lines.push_back(fmt::format("{} = tanh({} * {} + {})", now, u, past, e.text));
    }
    line(fmt::format("recur t in 0..{} - 1 {{", size));
    for (const std::string& l : lines) line("  " + l);
    line("}");
    if (!c.empty()) keep({c, a, 1, 0});
    keep({h, a, 1, 0});
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
    draft.declarations += fmt::format("dim {} = {}\n", dim, extents);
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
      result.back() = draft.fixed + any(3);
      line(fmt::format("{} = {} |> {}: dense({}) |> tanh", name, a.name, path, scope.dims[result.back()].name));
      learns_ = true;
    } else {
      line(fmt::format("{} = tanh({}: layer_norm({}))", name, path, a.name));
      learns_ = true;
    }
    keep({name, result, 1, 0});
  }

  void state() {
    const SpecTensor t{fresh("s"), axes(2, 40, true), 1, 0};
    begin(t.axes);
    const Text e = scope.scaled(scope.expression(2), 1);
    std::string own;
    for (const SpecIndex& i : scope.indices) own += (own.empty() ? "" : ", ") + i.name;
    const std::string value = draft.doubles ? fmt::format("f32({})", e.text) : e.text;
    line(fmt::format("state {}: f32{} = {}", t.name, shape(t.axes), choices.chance(50) ? "0" : "0.5"));
    line(fmt::format("{} = 0.75 * {} + 0.25 * {}", left(t.name + "'", t.axes.size()),
                     own.empty() ? t.name : fmt::format("{}[{}]", t.name, own), value));
    scope.indices.clear();
    scope.floats.push_back(t);
  }

  // Of the same extents.
  std::vector<const SpecTensor*> alike(const std::vector<SpecTensor>& tensors, const SpecTensor& t) const {
    std::vector<const SpecTensor*> result;
    for (const SpecTensor& u : tensors) {
      const bool same = u.positions == t.positions && std::equal(u.axes.begin(), u.axes.end(), t.axes.begin(), t.axes.end(),
                                                                 [&](std::size_t x, std::size_t y) { return scope.same(x, y); });
      if (same) result.push_back(&u);
    }
    return result;
  }
  // A value of this net for an input of another.
  std::string argument(const RandomInput& input) {
    const SpecTensor& t = input.tensor;
    const bool any_alike = choices.chance(80);
    if (input.dtype == "i32") {
      const auto found = alike(scope.integers, t);
      return any_alike && !found.empty() ? choices.one_of(found)->name : position_of(t.axes, t.positions);
    }
    if (input.dtype == "bool") {
      const auto found = alike(scope.booleans, t);
      return any_alike && !found.empty() ? choices.one_of(found)->name : truth_of(t.axes);
    }
    const auto found = alike(scope.floats, t);
    Text x;
    if (any_alike && !found.empty()) {
      const SpecTensor* u = choices.one_of(found);
      x = scope.scaled({u->name, u->bound}, 1);
    } else {
      x.text = elements_of(t.axes, 2, 1);
    }
    return fmt::format("{}({})", input.dtype, x.text);
  }
  void call() {
    const RandomNet& net = choices.one_of(draft.nets);
    std::string arguments;
    for (const RandomInput& input : net.inputs) arguments += (arguments.empty() ? "" : ", ") + argument(input);
    const std::string y = fresh("v"), z = fresh("v");
    line(fmt::format("{}, {} = {}({})", y, z, net.name, arguments));
    keep({z, {}, net.z_bound, 0});
    keep({y, net.y.axes, net.y.bound, 0});
    net_.trains.insert(net.trains.begin(), net.trains.end());
  }

  // ---- results ----

  // Of all that nothing else might use, so that everything has a gradient.
  void make_results() {
    const SpecTensor& last = scope.floats.back();
    std::string all;
    constexpr std::array weights = {"0.5", "1.5", "-1.0", "0.75"};
    const auto add = [&](const SpecTensor& t, const char* weight) {
      all += all.empty() ? "" : " + ";
      all += t.axes.empty() ? fmt::format("({} * {})", weight, t.name) : fmt::format("(mean[..] {} * {}[..])", weight, t.name);
      net_.z_bound += 1.5 * t.bound;
    };
    for (const SpecTensor& t : live_) add(t, choices.one_of(weights));
    if (all.empty()) add(last, "1.0");
    for (const SpecTensor& t : scope.integers) {
      if (t.name[0] != 'a' || t.name[1] == 't') continue;
      all += " + 0.0 * " + (t.axes.empty() ? fmt::format("f32({})", t.name) : fmt::format("(mean[..] f32({}[..]))", t.name));
    }
    line(fmt::format("y = {}", draft.doubles ? fmt::format("f32({})", last.name) : last.name + " * 1.0"));
    line(fmt::format("z = {}", draft.doubles ? fmt::format("f32({})", all) : all));
    net_.y = last;
  }

  SpecDraft& draft;
  SpecScope& scope;
  Choices& choices;
  RandomNet net_;
  std::string body_;
  bool learns_ = false;
  std::vector<SpecTensor> live_;
};

}  // namespace

RandomNet random_net(SpecDraft& draft, std::string name, std::int64_t statements) {
  return NetWriter(draft, std::move(name)).run(statements);
}

}  // namespace test

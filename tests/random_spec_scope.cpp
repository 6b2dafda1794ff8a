// random_spec_scope.cpp: random expressions in index notation.
#include "tests/random_spec_scope.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace test {
namespace {

constexpr std::int64_t most_points = 3000;  // of a comprehension: the interpreter is slow

}  // namespace

std::int64_t SpecScope::points(const std::vector<std::size_t>& axes) const {
  std::int64_t n = 1;
  for (std::size_t a : axes) n *= dims[a].size;
  return n;
}

std::string SpecScope::shape(const std::vector<std::size_t>& axes) const {
  std::string text;
  for (const std::size_t a : axes) text += (text.empty() ? "" : ", ") + dims[a].name;
  return "[" + text + "]";
}

bool SpecScope::same(std::size_t a, std::size_t b) const {
  if (dims[a].bounded || dims[b].bounded) return a == b;
  return dims[a].size == dims[b].size;
}

std::string SpecScope::number(double low, double high) {
  constexpr std::array round = {0.5, 1.0, -1.0, 2.0, 0.25, -0.5, 3.0};
  double v = choices.chance(60) ? choices.one_of(round) : choices.real(low, high);
  if (v < low || v > high) v = high;
  const std::string text = fmt::format("{:.3g}", v);
  const std::string full = text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
  return v < 0 ? "(" + full + ")" : full;  // -1.0 ^ 2 is -1
}

// ---- indices ----

std::string SpecScope::fresh_index() {
  constexpr std::string_view letters_for_indices = "ijklnopqr";
  const auto k = static_cast<std::size_t>(names_++);
  const std::string letter(1, letters_for_indices[k % letters_for_indices.size()]);
  return k < letters_for_indices.size() ? letter : letter + std::to_string(k / letters_for_indices.size());
}

SpecIndex SpecScope::index_of(std::size_t dim) {
  if (indices.empty()) names_ = 0;
  return {fresh_index(), 0, dims[dim].size - 1, true, dim, false, false};
}

std::string SpecScope::declared(const SpecIndex& i) const {
  if (!i.of_dim) return fmt::format("{} in {}..{}", i.name, i.low, i.high);
  if (i.alone && !i.clashes) return i.name;
  return fmt::format("{} in 0..{} - 1", i.name, dims[i.dim].name);
}

// Inside the dim wherever the indices are; empty if this try gave nothing.
std::string SpecScope::subscript_by_chance(std::size_t dim, bool deep) {
  const SpecDim& d = dims[dim];
  if (choices.chance(30) && !integers.empty() && !deep) {
    for (int attempt = 0; attempt < 3; ++attempt) {
      const SpecTensor& t = choices.one_of(integers);
      if (t.positions == dim) return element(t, nullptr, true);
    }
  }
  if (indices.empty()) return "";
  SpecIndex& i = indices[static_cast<std::size_t>(choices.number(0, static_cast<int>(indices.size()) - 1))];
  const bool over_it = i.of_dim && i.dim == dim;
  if (over_it && choices.chance(40)) {
    switch (choices.number(0, 2)) {
      case 0: return fmt::format("{} - 1 - {}", d.name, i.name);
      case 1: return fmt::format("max({} - {}, 0)", i.name, choices.number(1, 2));
      default: return fmt::format("min({} + {}, {} - 1)", i.name, choices.number(1, 2), d.name);
    }
  }
  if (d.bounded || (i.of_dim && dims[i.dim].bounded)) return "";
  const std::int64_t size = d.size;
  switch (choices.number(0, 4)) {
    case 0: {  // strided
      const std::int64_t stride = choices.number(1, 3);
      const std::int64_t first = i.low * stride, last = i.high * stride;
      if (last - first >= size) return "";
      const std::int64_t offset = choices.number(-first, size - 1 - last);
      if (stride == 1 && offset == 0 && !over_it) i.clashes = true;
      const std::string product = stride == 1 ? i.name : fmt::format("{} * {}", stride, i.name);
      if (offset == 0) return product;
      return fmt::format("{} {} {}", product, offset < 0 ? '-' : '+', std::abs(offset));
    }
    case 1: {  // two together
      const SpecIndex& j = indices[static_cast<std::size_t>(choices.number(0, static_cast<int>(indices.size()) - 1))];
      if (j.name == i.name || (j.of_dim && dims[j.dim].bounded)) return "";
      const std::int64_t low = i.low + j.low, high = i.high + j.high;
      if (high - low >= size) return "";
      const std::int64_t offset = choices.number(-low, size - 1 - high);
      return fmt::format("{} + {} {} {}", i.name, j.name, offset < 0 ? '-' : '+', std::abs(offset));
    }
    case 2: {
      const std::int64_t by = choices.number(2, 3);
      return i.low >= 0 && i.high / by < size ? fmt::format("{} / {}", i.name, by) : "";
    }
    case 3: return fmt::format("({} + {}) % {}", i.name, choices.number(0, 3), d.name);
    default: {
      if (i.high - i.low >= size) return "";
      return fmt::format("{} - {}", choices.number(i.high, size - 1 + i.low), i.name);
    }
  }
}

std::string SpecScope::subscript(std::size_t dim, bool deep) {
  std::vector<SpecIndex*> over_it;
  for (SpecIndex& i : indices) {
    if (i.of_dim && i.dim == dim) over_it.push_back(&i);
  }
  if (!over_it.empty() && choices.chance(75)) {
    SpecIndex& i = *choices.one_of(over_it);
    i.alone = true;
    return i.name;
  }
  for (int attempt = 0; attempt < 6; ++attempt) {
    const std::string s = subscript_by_chance(dim, deep);
    if (!s.empty()) return s;
  }
  if (dims[dim].bounded || choices.chance(50)) return "0";
  return choices.chance(30) ? dims[dim].name + " - 1" : std::to_string(choices.number(0, dims[dim].size - 1));
}

// Inside or not.
std::string SpecScope::anywhere(std::size_t dim) {
  if (indices.empty()) return dims[dim].name;
  SpecIndex& i = indices[static_cast<std::size_t>(choices.number(0, static_cast<int>(indices.size()) - 1))];
  const SpecIndex& j = indices[static_cast<std::size_t>(choices.number(0, static_cast<int>(indices.size()) - 1))];
  switch (choices.number(0, 4)) {
    case 0: return fmt::format("{} - {}", i.name, choices.number(1, 2));
    case 1: return fmt::format("{} + {}", i.name, choices.number(1, 2));
    case 2: {
      const std::int64_t stride = choices.number(2, 3);
      return fmt::format("{} * {} - {}", stride, i.name, choices.number(0, 2));
    }
    case 3: return i.name == j.name ? i.name + " - 1" : fmt::format("{} + {}", i.name, j.name);
    default: return i.name == j.name ? i.name + " + 1" : fmt::format("{} - {}", i.name, j.name);
  }
}

std::string SpecScope::element(const SpecTensor& t, bool* padded, bool deep) {
  if (t.axes.empty()) return t.name;
  std::size_t outside = t.axes.size();
  if (padded != nullptr && choices.chance(15)) {
    *padded = true;
    outside = static_cast<std::size_t>(choices.number(0, static_cast<int>(t.axes.size()) - 1));
  }
  const bool pads = outside < t.axes.size();
  const std::vector<SpecIndex> before = indices;
  std::string text = t.name + "[";
  for (std::size_t k = 0; k < t.axes.size(); ++k) {
    if (k > 0) text += ", ";
    text += k == outside ? anywhere(t.axes[k]) : subscript(t.axes[k], deep);
  }
  if (pads) {
    // A padded read gives no index its range.
    for (std::size_t k = 0; k < indices.size(); ++k) indices[k].alone = before[k].alone;
    text += choices.chance(80) ? " pad 0" : " pad 0.5";
  }
  return text + "]";
}

// ---- expressions ----

Text SpecScope::scaled(Text e, double bound) {
  if (e.bound <= bound) return e;
  const double factor = std::exp2(std::floor(std::log2(bound / e.bound)));
  return {fmt::format("({} * {})", factor, e.text), e.bound * factor};
}

const SpecTensor& SpecScope::recent() {
  const auto last = static_cast<std::int64_t>(floats.size()) - 1;
  const std::int64_t from = choices.chance(50) ? std::max<std::int64_t>(0, last - 3) : 0;
  return floats[static_cast<std::size_t>(choices.number(from, last))];
}

Text SpecScope::leaf() {
  if (!letters.empty()) {
    if (choices.chance(20)) return {number(-2, 2), 3};
    return {choices.one_of(letters), 2};
  }
  if (choices.chance(78)) {
    const SpecTensor& t = recent();
    bool padded = false;
    std::string text = element(t, &padded);
    return {std::move(text), padded ? std::max(t.bound, 0.5) : t.bound};
  }
  switch (choices.number(0, 3)) {
    case 0: {
      if (indices.empty()) break;
      const SpecIndex& i = choices.one_of(indices);
      return {fmt::format("f32({})", i.name), static_cast<double>(std::max(std::abs(i.low), std::abs(i.high))) + 1e-9};
    }
    case 1: {
      if (integers.empty()) break;
      const SpecTensor& t = choices.one_of(integers);
      const auto top = static_cast<double>(dims[t.positions].size);
      return {fmt::format("f32({})", element(t, nullptr, true)), top};
    }
    case 2: return {fmt::format("f32({})", condition(0)), 1};
    default: break;
  }
  return {number(-2, 2), 3};
}

std::string SpecScope::condition(int depth) {
  constexpr std::array comparisons = {"<", "<=", ">", ">=", "==", "!="};
  if (depth > 0 && choices.chance(25)) {
    const std::string a = condition(0);
    const std::string b = condition(0);
    return fmt::format("({} {} {})", a, choices.chance(50) ? "and" : "or", b);
  }
  if (depth > 0 && choices.chance(10)) return fmt::format("(not {})", condition(0));
  if (!letters.empty()) {
    const std::string letter = choices.one_of(letters);
    return fmt::format("({} > {})", letter, number(-1, 1));
  }
  switch (choices.number(0, 2)) {
    case 0: {
      if (indices.empty()) break;
      const std::string i = choices.one_of(indices).name;
      const char* how = choices.one_of(comparisons);
      const std::string j = choices.chance(50) ? choices.one_of(indices).name : std::to_string(choices.number(0, 3));
      return fmt::format("({} {} {})", i, how, j);
    }
    case 1: {
      if (booleans.empty()) break;
      return element(choices.one_of(booleans), nullptr, true);
    }
    default: break;
  }
  const SpecTensor& t = recent();
  const std::string x = element(t);
  const bool above = choices.chance(50);
  return fmt::format("({} {} {})", x, above ? ">" : "<=", number(-1, 1));
}

Text SpecScope::reduction(int depth) {
  std::int64_t room = most_points;
  for (const SpecIndex& i : indices) room /= i.high - i.low + 1;
  const std::size_t outer = indices.size();
  std::int64_t count = 1;
  for (std::int64_t k = choices.chance(25) ? 2 : 1; k > 0; --k) {
    SpecIndex i;
    if (choices.chance(20)) {
      const std::int64_t low = choices.number(-2, 0);
      i = {fresh_index(), low, low + choices.number(1, 3), false, 0, false, false};
    } else {
      i = index_of(static_cast<std::size_t>(choices.number(0, static_cast<int>(dims.size()) - 1)));
    }
    const std::int64_t n = i.high - i.low + 1;
    if (count * n > room) continue;
    count *= n;
    indices.push_back(i);
  }
  if (indices.size() == outer) return leaf();
  constexpr std::array reductions = {"sum", "sum", "sum", "mean", "max", "min", "prod"};
  std::string how = choices.one_of(reductions);
  if (how == "prod" && count > 9) how = "sum";
  Text body = expression(depth - 1);
  double bound = body.bound;
  if (how == "prod") {
    body = scaled(body, 1);
    bound = 1;
  } else if (how == "sum") {
    bound = body.bound * static_cast<double>(count);
  }
  std::string names;
  for (std::size_t k = outer; k < indices.size(); ++k) {
    names += (names.empty() ? "" : ", ") + declared(indices[k]);
  }
  indices.resize(outer);
  return {fmt::format("({}[{}] {})", how, names, body.text), bound};
}

Text SpecScope::of_two(Text x, Text y) {
  switch (choices.number(0, 10)) {
    case 0:
    case 1: return {fmt::format("({} + {})", x.text, y.text), x.bound + y.bound};
    case 2: return {fmt::format("({} - {})", x.text, y.text), x.bound + y.bound};
    case 3:
    case 4:
    case 5: return {fmt::format("({} * {})", x.text, y.text), x.bound * y.bound};
    case 6: return {fmt::format("({} / (1.0 + {} ^ 2))", x.text, y.text), x.bound};
    case 7: return {fmt::format("max({}, {})", x.text, y.text), std::max(x.bound, y.bound)};
    case 8: return {fmt::format("min({}, {})", x.text, y.text), std::max(x.bound, y.bound)};
    case 9: return {fmt::format("select({}, {}, {})", condition(1), x.text, y.text), std::max(x.bound, y.bound)};
    default: {
      x = scaled(x, 1), y = scaled(y, 1);
      return {fmt::format("((0.5 + {} ^ 2) ^ {})", x.text, y.text), 2};
    }
  }
}

Text SpecScope::of_one(Text x) {
  const auto call = [&](const char* name, double bound) {
    return Text{fmt::format("{}({})", name, x.text), bound};
  };
  switch (choices.number(0, 22)) {
    case 0: return {fmt::format("(-{})", x.text), x.bound};
    case 1: return call("exp", std::exp(x.bound));
    case 2: return call("expm1", std::exp(x.bound));
    case 3: return {fmt::format("log(0.25 + {} ^ 2)", x.text), 4};
    case 4: return {fmt::format("log1p({} ^ 2)", x.text), 4};
    case 5: return {fmt::format("sqrt(0.25 + {} ^ 2)", x.text), x.bound + 1};
    case 6: return call("sin", 1);
    case 7: return call("cos", 1);
    case 8: x = scaled(x, 1); return call("tan", 1.6);
    case 9: return call("atan", 1.6);
    case 10: return call("tanh", 1);
    case 11: return call("erf", 1);
    case 12: return call("sigmoid", 1);
    case 13: return call("softplus", x.bound + 1);
    case 14: return call("abs", x.bound);
    case 15: return call("relu", x.bound);
    case 16: return choices.chance(50) ? call("sign", 1) : call("floor", x.bound + 1);
    case 17: return call("gelu", x.bound);
    case 18: return choices.chance(50) ? call("round", x.bound + 1) : call("ceil", x.bound + 1);
    case 19: return call("silu", x.bound);
    case 20: return {fmt::format("leaky_relu({}, slope = {})", x.text, number(0, 1)), x.bound};
    case 21: return call("detach", x.bound);
    default: {
      x = scaled(x, 2);
      return choices.chance(50) ? Text{fmt::format("({} ^ 2)", x.text), 4} : Text{fmt::format("({} ^ 3)", x.text), 8};
    }
  }
}

Text SpecScope::expression(int depth) {
  if (depth <= 0 || choices.chance(12)) return leaf();
  if (letters.empty() && choices.chance(22)) return reduction(depth);
  const Text x = scaled(expression(depth - 1), 4);
  if (letters.empty() && !ops.empty() && choices.chance(10)) {
    const SpecOp op = choices.one_of(ops);
    const Text a = scaled(x, 2);
    const Text b = scaled(expression(depth - 1), 2);
    return {choices.chance(50) ? fmt::format("{}({}, {})", op.name, a.text, b.text)
                               : fmt::format("{}(y = {}, x = {}, c = {})", op.name, b.text, a.text, number(-1, 1)),
            op.bound};
  }
  if (choices.chance(60)) {
    const Text y = choices.chance(15) ? x : scaled(expression(depth - 1), 4);
    return of_two(x, y);
  }
  return of_one(x);
}

}  // namespace test

// scalar_to_text.cpp: scalar expressions → text with as few parentheses as the grammar allows.
#include "dsl/scalar_to_text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "dsl/check.h"

namespace gradc {
namespace {

constexpr int unary_precedence = 8;

// Shortest decimal that reads back as the same number, in the language's spelling of numbers.
template <class Float>
std::string shortest(Float v) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, v).ptr;
  std::string digits(buffer, end);
  const std::size_t e = digits.find('e');
  if (e == std::string::npos) return digits;
  // 1e-05 → 1e-5, 1e+20 → 1e20
  std::string exponent = digits.substr(e + 1);
  const bool negative = exponent.front() == '-';
  const std::size_t first = exponent.find_first_not_of("+-0");
  return digits.substr(0, e) + (negative ? "e-" : "e") + exponent.substr(first);
}

std::string magnitude_to_text(double v, DType dtype, Notation notation) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return "inf";
  // 1 - 0.9 is 0.1 to a person, and in the f32 the program computes with.
  const bool as_float = notation == Notation::brief && dtype == DType::f32;
  std::string text = as_float ? shortest(static_cast<float>(v)) : shortest(v);
  if (dtype == DType::i32 || notation == Notation::brief) return text;
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

}  // namespace

std::string number_to_text(double v, DType dtype, Notation notation) {
  if (notation == Notation::exact && dtype == DType::boolean) return v != 0 ? "bool(1)" : "bool(0)";
  const bool negative = std::signbit(v) && !std::isnan(v);
  const std::string text = fmt::format("{}{}", negative ? "-" : "",
                                       magnitude_to_text(negative ? -v : v, dtype, notation));
  return notation == Notation::exact && dtype == DType::f64 ? fmt::format("f64({})", text) : text;
}

std::string extent_to_text(const Graph& g, const Extent& e) {
  if (e.is_fixed()) return std::to_string(e.offset);
  std::string text = g.dim(e.dim).name;
  if (e.scale != 1) text = fmt::format("{}*{}", e.scale, text);
  if (e.offset > 0) text += fmt::format(" + {}", e.offset);
  if (e.offset < 0) text += fmt::format(" - {}", -e.offset);
  return text;
}

std::string range_to_text(const Graph& g, const Extent& e) {
  Extent last = e;
  last.offset -= 1;
  std::string text = extent_to_text(g, last);
  std::erase(text, ' ');
  return "0.." + text;
}

std::string shape_to_text(const Graph& g, const Shape& shape) {
  std::string text;
  for (const Extent& e : shape) text += (text.empty() ? "" : ", ") + extent_to_text(g, e);
  return "[" + text + "]";
}

namespace {

struct Printer {
  const ScalarToText& how;
  const Graph& g;

  bool exact() const { return how.notation == Notation::exact; }

  ScalarText call(std::string_view name, const Scalar& s, const std::vector<ScalarText>& indices) {
    std::string text;
    for (ScalarId a : s.args) text += (text.empty() ? "" : ", ") + print(a, indices).text;
    return {fmt::format("{}({})", name, text)};
  }

  ScalarText literal(const Scalar& s) {
    std::string text = number_to_text(s.value, s.dtype, how.notation);
    const int precedence = text.front() == '-' ? unary_precedence : ScalarText::atom;
    return {std::move(text), precedence};
  }

  ScalarText size(const Scalar& s) {
    std::string text = extent_to_text(g, s.extent);
    if (s.extent == Extent(s.extent.dim)) return {std::move(text)};
    if (exact()) return {"size(" + text + ")"};
    return {std::move(text),
            s.extent.offset == 0 ? info(Fn::mul).precedence : info(Fn::add).precedence};
  }

  ScalarText read(const Scalar& s, const std::vector<ScalarText>& indices) {
    if (how.shown_inline && how.shown_inline(s.tensor)) {
      std::vector<ScalarText> subscripts;
      for (ScalarId a : s.args) subscripts.push_back(print(a, indices));
      return print(g[s.tensor].body, subscripts);
    }
    std::string text;
    for (ScalarId a : s.args) text += (text.empty() ? "" : ", ") + print(a, indices).text;
    const std::string& name = how.names.at(s.tensor);
    if (s.args.empty()) return {s.zero_outside && exact() ? "padded(" + name + ")" : name};
    return {fmt::format("{}[{}{}]", name, text, s.zero_outside ? " pad 0" : "")};
  }

  ScalarText cast(const Scalar& s, const std::vector<ScalarText>& indices) {
    const Scalar& from = g[s.args[0]];
    if (!exact() && is_float(s.dtype)) return print(s.args[0], indices);
    // A literal in a cast's parentheses would be taken for a literal of that dtype.
    if (exact() && from.kind == ScalarKind::literal) {
      return {fmt::format("cast({}, {})", print(s.args[0], indices).text, name(s.dtype))};
    }
    return call(name(s.dtype), s, indices);
  }

  ScalarText apply(const Scalar& s, const std::vector<ScalarText>& indices) {
    if (s.fn == Fn::cast) return cast(s, indices);
    if (s.fn == Fn::detach && how.values_only) return print(s.args[0], indices);
    const FnInfo& fn = info(s.fn);
    if (fn.infix.empty()) return call(fn.name, s, indices);
    if (s.fn == Fn::add && !exact()) {
      for (const std::size_t k : {1, 0})
        if (takes_away(s.args[k])) {
          const ScalarText from = print(s.args[1 - k], indices);
          const Scalar& choice = g[s.args[k]];
          return {fmt::format("{} - select({}, {}, 0)", from.at_least(fn.precedence),
                              print(choice.args[0], indices).text,
                              number_to_text(-g[choice.args[1]].value, choice.dtype, how.notation)),
                  fn.precedence};
        }
    }
    const ScalarText x = print(s.args[0], indices);
    if (s.fn == Fn::neg) {
      // A minus before a number would be part of the number.
      if (g[s.args[0]].kind == ScalarKind::literal) return {fmt::format("neg({})", x.text)};
      return {fmt::format("-{}", x.at_least(fn.precedence + 1)), fn.precedence};
    }
    if (s.fn == Fn::logical_not)
      return {fmt::format("not {}", x.at_least(fn.precedence + 1)), fn.precedence};
    const ScalarText y = print(s.args[1], indices);
    const bool comparison = fn.precedence == info(Fn::eq).precedence;
    const bool right = s.fn == Fn::pow;  // the only operator that groups to the right
    std::string left_text = x.at_least(comparison || right ? fn.precedence + 1 : fn.precedence);
    std::string right_text = y.at_least(right ? fn.precedence : fn.precedence + 1);
    const char* space = s.fn == Fn::pow ? "" : " ";
    return {left_text + space + std::string(fn.infix) + space + right_text, fn.precedence};
  }

  // select(c, -1, 0): added, it is 1 less where c holds.
  bool takes_away(ScalarId id) const {
    const Scalar& s = g[id];
    if (s.kind != ScalarKind::apply || s.fn != Fn::select) return false;
    const Scalar &yes = g[s.args[1]], &no = g[s.args[2]];
    return yes.kind == ScalarKind::literal && yes.value < 0 && no.kind == ScalarKind::literal &&
           no.value == 0;
  }

  ScalarText print(ScalarId id, const std::vector<ScalarText>& indices) {
    const Scalar& s = g[id];
    switch (s.kind) {
      case ScalarKind::literal:
        return literal(s);
      case ScalarKind::index:
        return indices.at(s.index);
      case ScalarKind::size:
        return size(s);
      case ScalarKind::read:
        return read(s, indices);
      case ScalarKind::apply:
        return apply(s, indices);
    }
    GRADC_UNREACHABLE("scalar kind");
  }
};

}  // namespace

ScalarText ScalarToText::operator()(ScalarId id, const std::vector<ScalarText>& indices) const {
  return Printer{*this, g}.print(id, indices);
}

}  // namespace gradc

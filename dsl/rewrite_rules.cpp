// rewrite_rules.cpp: the identities. Each is tested as it stands, over the whole range of floats.
#include "dsl/rewrite_rules.h"

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>
#include <tuple>

#include "dsl/check.h"

namespace gradc {

const std::vector<RewriteRule>& rewrite_rules() {
  constexpr bool through = true;
  static const std::vector<RewriteRule> rules = {
      // Neutral and absorbing elements.
      {"x + 0", "x"},
      {"x - 0", "x"},
      {"0 - x", "-x"},
      {"x * 1", "x"},
      {"x * 0", "0"},
      {"x * -1", "-x"},
      {"x / 1", "x"},
      {"x / -1", "-x"},
      {"0 / x", "0"},
      {"x - x", "0"},
      {"x / x", "1"},
      {"x + x", "2 * x"},
      // Signs move outwards and meet.
      {"-(-x)", "x"},
      {"-(x - y)", "y - x"},
      {"x + -y", "x - y"},
      {"x - -y", "x + y"},
      {"-x - y", "-(x + y)"},
      {"-x * y", "-(x * y)"},
      {"-x / y", "-(x / y)"},
      {"x / -y", "-(x / y)"},
      {"-(k * x)", "(-k) * x"},
      {"-(k / x)", "(-k) / x"},
      {"-(k * x / y)", "(-k) * x / y"},
      // Literals meet.
      {"k * (j * x)", "(k * j) * x"},
      {"k * (j / x)", "(k * j) / x"},
      {"k * (x / j)", "(k / j) * x"},
      {"(k * x) / j", "(k / j) * x"},
      {"k / (j * x)", "(k / j) / x"},
      {"(1 / x) * y", "y / x"},
      {"(k / x) * y", "k * y / x"},
      {"k * (x / y)", "k * x / y"},
      {"(x + k) + j", "x + (k + j)"},
      {"(x - k) + j", "x + (j - k)"},
      {"(k - x) + j", "(k + j) - x"},
      {"(x + k) - j", "x + (k - j)"},
      {"(x - k) - j", "x - (k + j)"},
      {"k - (x + j)", "(k - j) - x"},
      {"k - (j - x)", "x + (k - j)"},
      {"(k * x) * y", "k * (x * y)"},
      // Powers.
      {"x ^ 1", "x"},
      {"x ^ 2", "x * x"},
      {"x ^ 3", "x * x * x"},
      {"x ^ -1", "1 / x"},
      {"1 ^ x", "1"},
      {"sqrt(x) * sqrt(x)", "x"},
      {"x / sqrt(x)", "sqrt(x)"},
      {"1 / (1 / x)", "x"},
      // Logarithms of what was made by exp: no overflow, no lost digits.
      {"log(exp(x))", "x", through},
      {"log(exp(x) / y)", "x - log(y)", through},
      {"log(y / exp(x))", "log(y) - x", through},
      {"log(exp(x) * y)", "x + log(y)", through},
      {"log(logistic(x))", "-log1pexp(-x)", through},
      {"log(1 - logistic(x))", "-log1pexp(x)", through},
      {"log1p(-logistic(x))", "-log1pexp(x)", through},
      {"log(1 + exp(x))", "log1pexp(x)", through},
      {"log1p(exp(x))", "log1pexp(x)", through},
      {"log(1 + x)", "log1p(x)"},
      {"log(1 - x)", "log1p(-x)"},
      {"log(expm1(x) + 1)", "x"},
      {"exp(x) - 1", "expm1(x)"},
      {"1 - exp(x)", "-expm1(x)"},
      {"expm1(x) + 1", "exp(x)"},
      {"exp(log(x))", "x"},
      // The logistic function in its other spellings, which overflow.
      {"1 / (1 + exp(-x))", "logistic(x)"},
      {"1 / (1 + exp(x))", "logistic(-x)"},
      {"exp(x) / (1 + exp(x))", "logistic(x)"},
      {"y / (1 + exp(-x))", "y * logistic(x)"},
      {"y / (1 + exp(x))", "y * logistic(-x)"},
      {"1 - logistic(x)", "logistic(-x)"},
      // Absolute values, extremes.
      {"abs(-x)", "abs(x)"},
      {"abs(abs(x))", "abs(x)"},
      {"max(x, x)", "x"},
      {"min(x, x)", "x"},
      {"max(max(x, k), j)", "max(x, max(k, j))"},
      {"min(min(x, k), j)", "min(x, min(k, j))"},
      {"max(x, y) > y", "x > y"},
      {"min(x, y) < y", "x < y"},
      // Conditions.
      {"not (not p)", "p"},
      {"not (x == y)", "x != y"},
      {"not (x != y)", "x == y"},
      {"p and p", "p"},
      {"p or p", "p"},
      {"select(p, x, x)", "x"},
      {"select(not p, x, y)", "select(p, y, x)"},
      {"select(x == y, 0, z)", "select(x != y, z, 0)"},
      {"select(x != 0, x, 0)", "x"},
      {"select(p, select(p, x, y), z)", "select(p, x, z)"},
      {"select(p, x, select(p, y, z))", "select(p, x, z)"},
      // What is 0 unless p holds is computed only where p holds.
      {"y * select(p, x, 0)", "select(p, y * x, 0)"},
      {"y * select(p, 0, x)", "select(p, 0, y * x)"},
      {"select(p, x, 0) / y", "select(p, x / y, 0)"},
      {"select(p, 0, x) / y", "select(p, 0, x / y)"},
      {"-select(p, x, 0)", "select(p, -x, 0)"},
      {"-select(p, 0, x)", "select(p, 0, -x)"},
      {"select(p, x, 0) + select(p, y, 0)", "select(p, x + y, 0)"},
      {"select(p, x, 0) + select(p, 0, y)", "select(p, x, y)"},
      // Cuts of the gradient.
      {"detach(detach(x))", "detach(x)"},
  };
  return rules;
}

namespace {

// A Pratt parser over the table of scalar functions. The text is ours, so faults are internal
// errors.
class PatternParser {
 public:
  explicit PatternParser(std::string_view text) : text_(text) {}

  Pattern run() {
    Pattern p = expression(0);
    skip();
    GRADC_CHECK(at_ == text_.size(), "a rewrite rule goes on after its end: " + std::string(text_));
    return p;
  }

 private:
  void skip() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool take(std::string_view word) {
    skip();
    if (text_.substr(at_, word.size()) != word) return false;
    const std::size_t end = at_ + word.size();
    if (std::isalpha(static_cast<unsigned char>(word[0])) && end < text_.size() &&
        std::isalnum(static_cast<unsigned char>(text_[end]))) {
      return false;
    }
    at_ = end;
    return true;
  }
  void expect(std::string_view word) {
    GRADC_CHECK(take(word), "a rewrite rule lacks " + std::string(word));
  }

  static Pattern call(Fn fn, std::vector<Pattern> args) {
    Pattern p;
    p.kind = Pattern::function;
    p.fn = fn;
    p.args = std::move(args);
    return p;
  }

  Pattern expression(int loosest) {
    static constexpr std::array infix = {Fn::logical_or, Fn::logical_and, Fn::eq, Fn::ne,  Fn::le,
                                         Fn::lt,         Fn::ge,          Fn::gt, Fn::add, Fn::sub,
                                         Fn::mul,        Fn::div,         Fn::pow};
    Pattern left = operand();
    for (bool found = true; found;) {
      found = false;
      for (Fn fn : infix) {
        const FnInfo& row = info(fn);
        if (row.precedence <= loosest || !take(row.infix)) continue;
        Pattern right = expression(row.precedence);
        left = call(fn, {std::move(left), std::move(right)});
        found = true;
        break;
      }
    }
    return left;
  }

  Pattern operand() {
    skip();
    GRADC_CHECK(at_ < text_.size(), "a rewrite rule ends early: " + std::string(text_));
    if (std::isdigit(static_cast<unsigned char>(text_[at_]))) {
      Pattern p;
      const char* end = text_.data() + text_.size();
      at_ = static_cast<std::size_t>(std::from_chars(text_.data() + at_, end, p.value).ptr -
                                     text_.data());
      return p;
    }
    if (take("(")) {
      Pattern p = expression(0);
      expect(")");
      return p;
    }
    if (take("-")) {
      Pattern p = expression(info(Fn::neg).precedence);
      if (p.kind != Pattern::number) return call(Fn::neg, {std::move(p)});
      p.value = -p.value;
      return p;
    }
    if (take("not")) return call(Fn::logical_not, {expression(info(Fn::logical_not).precedence)});
    std::size_t end = at_;
    while (end < text_.size() && std::isalnum(static_cast<unsigned char>(text_[end]))) ++end;
    const std::string_view word = text_.substr(at_, end - at_);
    at_ = end;
    if (word.size() == 1) {
      Pattern p;
      p.kind = Pattern::letter;
      p.name = word[0];
      return p;
    }
    const std::optional<Fn> fn = function_named(word);
    GRADC_CHECK(fn.has_value(), "a rewrite rule names no function: " + std::string(word));
    std::vector<Pattern> args;
    expect("(");
    do args.push_back(expression(0));
    while (take(","));
    expect(")");
    return call(*fn, std::move(args));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// The top of a pattern's argument: nearly all rules fail there.
struct Top {
  Pattern::Kind kind = Pattern::letter;
  double value = 0;
  Fn fn = Fn::neg;
};

struct Compiled {
  Pattern pattern, result;
  bool through_reads = false;
  std::array<Top, 3> tops = {};  // of the pattern's arguments
};

Compiled compiled(const RewriteRule& r) {
  Compiled c{parse_pattern(r.pattern), parse_pattern(r.result), r.through_reads};
  for (std::size_t k = 0; k < c.pattern.args.size(); ++k) {
    const Pattern& part = c.pattern.args[k];
    c.tops.at(k) = {part.kind, part.value, part.fn};
  }
  return c;
}

// By the function at the root of the pattern, in the order of the table.
const std::vector<Compiled>& rules_for(Fn fn) {
  static const auto table = [] {
    std::vector<std::vector<Compiled>> by_function(static_cast<std::size_t>(Fn::detach) + 1);
    for (const RewriteRule& r : rewrite_rules()) {
      Compiled c = compiled(r);
      by_function[static_cast<std::size_t>(c.pattern.fn)].push_back(std::move(c));
    }
    return by_function;
  }();
  return table[static_cast<std::size_t>(fn)];
}

bool commutes(Fn fn) {
  return fn == Fn::add || fn == Fn::mul || fn == Fn::max || fn == Fn::min || fn == Fn::eq ||
         fn == Fn::ne || fn == Fn::logical_and || fn == Fn::logical_or;
}

bool may_be(const Top& top, const Scalar& s, bool through_reads) {
  switch (top.kind) {
    case Pattern::number:
      return s.kind == ScalarKind::literal && s.value == top.value;
    case Pattern::letter:
      return true;
    case Pattern::function:
      return s.kind == ScalarKind::apply ? s.fn == top.fn
                                         : through_reads && s.kind == ScalarKind::read;
  }
  return false;
}

// False if the tops of these arguments of `fn` are not what they have to be, in no order that they
// may have.
bool may_match(const Compiled& rule, Fn fn, std::span<const Scalar* const> args) {
  const auto in_order = [&](bool swapped) {
    for (std::size_t k = 0; k < args.size(); ++k)
      if (!may_be(rule.tops[k], *args[swapped ? 1 - k : k], rule.through_reads)) return false;
    return true;
  };
  return in_order(false) || (commutes(fn) && in_order(true));
}

class Matcher {
 public:
  Matcher(Graph& graph, const Peek* peek) : g(graph), peek_(peek) {}

  bool match(const Pattern& p, ScalarId id) {
    const Scalar& s = g[id];
    switch (p.kind) {
      case Pattern::number:
        return s.kind == ScalarKind::literal && s.value == p.value;
      case Pattern::letter:
        return bind(p.name, id, s);
      case Pattern::function:
        break;
    }
    if (s.kind == ScalarKind::read && peek_) {
      const std::optional<ScalarId> body = (*peek_)(id);
      return body && g[*body].kind == ScalarKind::apply && match(p, *body);
    }
    if (s.kind != ScalarKind::apply || s.fn != p.fn) return false;
    const bool either = commutes(p.fn);
    for (const bool swapped : {false, true}) {
      if (swapped && !either) continue;
      const auto saved = letters_;
      if (match_all(p, s, swapped)) return true;
      letters_ = saved;
    }
    return false;
  }

  // Numbers in the result take the dtype of their neighbours: the pattern's root, or in a
  // comparison the operands.
  ScalarId build(const Pattern& p, DType dtype) {
    if (p.kind == Pattern::letter) return letter(p.name);
    if (p.kind == Pattern::number) return g.literal(p.value, dtype);
    std::vector<ScalarId> args;
    for (const Pattern& a : p.args) {
      args.push_back(build(a, dtype == DType::boolean ? operand_dtype(p, dtype) : dtype));
    }
    if (args.size() == 2 && is_literal(args[0]) && is_literal(args[1])) {
      safe_ = safe_ && combines_safely(p.fn, g[args[0]].value, g[args[1]].value, g[args[0]].dtype);
    }
    return g.apply(p.fn, std::move(args));
  }

  // What was built combines no literals that had better stay apart.
  bool safe() const { return safe_; }

 private:
  bool is_literal(ScalarId id) const { return g[id].kind == ScalarKind::literal; }

  bool match_all(const Pattern& p, const Scalar& s, bool swapped) {
    for (std::size_t k = 0; k < p.args.size(); ++k) {
      if (!match(p.args[k], s.args[swapped ? 1 - k : k])) return false;
    }
    return true;
  }

  bool bind(char name, ScalarId id, const Scalar& s) {
    if ((name == 'k' || name == 'j') && s.kind != ScalarKind::literal) return false;
    ScalarId& bound = this->letter(name);
    if (!bound.valid()) bound = id;
    return bound == id;
  }

  DType operand_dtype(const Pattern& p, DType otherwise) const {
    for (const Pattern& a : p.args) {
      if (a.kind == Pattern::letter)
        return g[letters_[static_cast<std::size_t>(a.name - 'a')]].dtype;
    }
    return otherwise;
  }

  Graph& g;
  const Peek* peek_;
  ScalarId& letter(char name) { return letters_[static_cast<std::size_t>(name - 'a')]; }

  std::array<ScalarId, 26> letters_;
  bool safe_ = true;
};

}  // namespace

Pattern parse_pattern(std::string_view text) {
  return PatternParser(text).run();
}

bool combines_safely(Fn fn, double a, double b, DType dtype) {
  if (!is_float(dtype)) return true;
  const bool single = dtype == DType::f32;
  const auto rounded = [&](double x) { return single ? static_cast<double>(static_cast<float>(x)) : x; };
  a = rounded(a);
  b = rounded(b);
  // No literal is made of what is no number, so the two would stay two, and be moved about for ever.
  if (std::isnan(evaluate(fn, a, b))) return false;
  if (!std::isfinite(a) || !std::isfinite(b)) return true;
  if (fn == Fn::mul || fn == Fn::div) {
    const double value = rounded(fn == Fn::mul ? a * b : a / b);
    const double least = single ? std::numeric_limits<float>::min() : std::numeric_limits<double>::min();
    return a == 0 || (fn == Fn::mul && b == 0) || (std::isfinite(value) && std::fabs(value) >= least);
  }
  if (fn != Fn::add && fn != Fn::sub) return true;
  if (fn == Fn::sub) b = -b;
  const double value = rounded(a + b);
  const double digits = 8 * (single ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon());
  // What of the two is not in their sum, exactly (Knuth).
  const double b_in_it = value - a, lost = (a - (value - b_in_it)) + (b - b_in_it);
  return std::isfinite(value) && std::fabs(lost) <= digits * std::min(std::fabs(a), std::fabs(b));
}

std::optional<ScalarId> apply_rules(Graph& g, ScalarId id, const Peek& peek) {
  const Scalar& s = g[id];
  if (s.kind != ScalarKind::apply) return std::nullopt;
  std::array<const Scalar*, std::tuple_size_v<decltype(Compiled::tops)>> args = {};
  for (std::size_t k = 0; k < s.args.size(); ++k) args.at(k) = &g[s.args[k]];
  for (const Compiled& rule : rules_for(s.fn)) {
    if (!may_match(rule, s.fn, std::span(args).first(s.args.size()))) continue;
    Matcher matcher(g, rule.through_reads ? &peek : nullptr);
    if (!matcher.match(rule.pattern, id)) continue;
    const ScalarId result = matcher.build(rule.result, s.dtype);
    // Other rules would only move the two about.
    if (!matcher.safe()) return std::nullopt;
    if (result != id) return result;
  }
  return std::nullopt;
}

}  // namespace gradc

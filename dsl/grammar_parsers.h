// grammar_parsers.h: what X3 lacks for text_to_ast.cpp, the only file to include it and to see Spirit:
// parsers of tokens, spans, a guard against nesting, recovery from errors.
#pragma once

#include <boost/spirit/home/x3.hpp>
#include <string>
#include <string_view>
#include <type_traits>

#include "dsl/ast.h"
#include "dsl/syntax_errors.h"
#include "dsl/tokens.h"

namespace gradc::grammar {

namespace x3 = boost::spirit::x3;
using Iterator = const Token*;
inline constexpr int max_nesting = 200;

// What the parsers below need to know besides the tokens.
struct State {
  const Sources& sources;
  std::uint32_t file;
  SyntaxErrors& errors;
  int nesting = 0;
  bool broken_header = false;  // of the definition being read

  Span span(const Token& t) const { return {file, t.begin, t.end}; }
  std::string_view text(const Token& t) const { return sources.text(span(t)); }
};
struct StateTag {};
template <class Context>
State& state(const Context& context) {
  return x3::get<StateTag>(context).get();
}

// A token that `accepts`, with what `value` makes of it as the attribute.
template <class Attribute, class Accepts, class Value>
struct Terminal : x3::parser<Terminal<Attribute, Accepts, Value>> {
  using attribute_type = Attribute;
  static constexpr bool has_attribute = true;
  const char* what;
  Accepts accepts;
  Value value;
  int length = 1;  // tokens consumed

  template <class It, class Context, class RuleContext, class A>
  bool parse(It& first, const It&, const Context& context, RuleContext&, A& attribute) const {
    if (!accepts(first, state(context))) return false;
    if constexpr (!std::is_same_v<std::remove_const_t<A>, x3::unused_type>)
      x3::traits::move_to(value(*first, state(context)), attribute);
    first += length;
    return true;
  }
};
template <class Attribute, class Accepts, class Value>
auto terminal(const char* what, Accepts accepts, Value value, int length = 1) {
  return Terminal<Attribute, Accepts, Value>{{}, what, accepts, value, length};
}

// A symbol or reserved word; `same_line`: on the line of the token before it.
struct Fixed : x3::parser<Fixed> {
  using attribute_type = x3::unused_type;
  static constexpr bool has_attribute = false;
  TokenKind kind;
  bool same_line = false;

  template <class It, class Context, class RuleContext, class A>
  bool parse(It& first, const It&, const Context&, RuleContext&, A&) const {
    if (first->kind != kind || (same_line && first->first_on_line)) return false;
    ++first;
    return true;
  }
};
inline Fixed tok(std::string_view spelling) {
  return {{}, token_kind(spelling), false};
}
inline Fixed attached(std::string_view spelling) {
  return {{}, token_kind(spelling), true};
}

// A word that means something only where the grammar asks for it, and is a name elsewhere.
struct Word : x3::parser<Word> {
  using attribute_type = x3::unused_type;
  static constexpr bool has_attribute = false;
  std::string_view spelling;

  template <class It, class Context, class RuleContext, class A>
  bool parse(It& first, const It&, const Context& context, RuleContext&, A&) const {
    if (first->kind != TokenKind::name || state(context).text(*first) != spelling) return false;
    ++first;
    return true;
  }
};
inline Word word(std::string_view spelling) {
  return {{}, spelling};
}

// Thrown where parsing of a statement ends with an error that has been reported already.
struct Abandoned {
  Iterator where;
};

// subject, at most max_nesting deep in itself.
template <class Subject>
struct Guarded : x3::unary_parser<Subject, Guarded<Subject>> {
  static constexpr bool is_pass_through_unary = true;
  explicit Guarded(const Subject& s) : x3::unary_parser<Subject, Guarded<Subject>>(s) {}

  template <class It, class Context, class RuleContext, class A>
  bool parse(It& first, const It& last, const Context& context, RuleContext& r, A& a) const {
    State& s = state(context);
    struct Level {
      int& depth;
      ~Level() { --depth; }
    } level{++s.nesting};
    if (s.nesting > max_nesting) {
      s.errors.too_deep(first);
      throw Abandoned{first};
    }
    return this->subject.parse(first, last, context, r, a);
  }
};
struct GuardedGenerator {
  template <class Subject>
  auto operator[](const Subject& s) const {
    return Guarded<typename x3::extension::as_parser<Subject>::value_type>(x3::as_parser(s));
  }
};
inline constexpr GuardedGenerator guarded;

// subject, whose tokens are the span of the value of the rule. (An on_success handler of the rule
// cannot see that value, as semantic actions make it.)
template <class Subject>
struct Spanned : x3::unary_parser<Subject, Spanned<Subject>> {
  static constexpr bool is_pass_through_unary = true;
  explicit Spanned(const Subject& s) : x3::unary_parser<Subject, Spanned<Subject>>(s) {}

  template <class It, class Context, class RuleContext, class A>
  bool parse(It& first, const It& last, const Context& context, RuleContext& r, A& a) const {
    const It start = first;
    if (!this->subject.parse(first, last, context, r, a)) return false;
    r.span = {state(context).file, start->begin, (first - 1)->end};
    return true;
  }
};
struct SpannedGenerator {
  template <class Subject>
  auto operator[](const Subject& s) const {
    return Spanned<typename x3::extension::as_parser<Subject>::value_type>(x3::as_parser(s));
  }
};
inline constexpr SpannedGenerator spanned;

// subject, the header of a definition; if it is wrong, parsing goes on with the body all the same,
// and the whole is Broken at its end.
template <class Subject>
struct Header : x3::unary_parser<Subject, Header<Subject>> {
  static constexpr bool is_pass_through_unary = true;
  explicit Header(const Subject& s) : x3::unary_parser<Subject, Header<Subject>>(s) {}

  template <class It, class Context, class RuleContext, class A>
  bool parse(It& first, const It& last, const Context& context, RuleContext& r, A& a) const {
    State& s = state(context);
    const It start = first;
    try {
      return this->subject.parse(first, last, context, r, a);
    } catch (const x3::expectation_failure<It>& failure) {
      const It brace = s.errors.body_after(failure.where());
      if (!brace) throw;
      s.errors.expected(start - 1, failure.where(), failure.which());
      s.nesting = 0;
      s.broken_header = true;
      first = brace;
      return true;
    }
  }
};
struct HeaderGenerator {
  template <class Subject>
  auto operator[](const Subject& s) const {
    return Header<typename x3::extension::as_parser<Subject>::value_type>(x3::as_parser(s));
  }
};
inline constexpr HeaderGenerator header;

// subject, or a Broken and an error, with parsing going on at the next statement or declaration.
enum class Level { statement, item };
template <class Subject>
struct Recovering : x3::unary_parser<Subject, Recovering<Subject>> {
  static constexpr bool is_pass_through_unary = true;
  Level level;
  Recovering(const Subject& s, Level l)
      : x3::unary_parser<Subject, Recovering<Subject>>(s), level(l) {}

  template <class It, class Context, class RuleContext, class A>
  bool parse(It& first, const It& last, const Context& context, RuleContext& r, A& a) const {
    State& s = state(context);
    const It start = first;
    It where = first;
    const int nesting = s.nesting;
    try {
      if (this->subject.parse(first, last, context, r, a)) return true;
      s.errors.expected(start, start, x3::what(this->subject));
    } catch (const x3::expectation_failure<It>& failure) {
      where = failure.where();
      s.errors.expected(start, where, failure.which());
    } catch (const Abandoned& abandoned) {
      where = abandoned.where;
    }
    s.nesting = nesting;
    s.broken_header = false;
    first = level == Level::statement ? s.errors.next_statement(start, where)
                                      : s.errors.next_item(start, where);
    a.what = ast::Broken{};
    a.span = {s.file, start->begin, (first == start ? first : first - 1)->end};
    return true;
  }
};
struct RecoveringGenerator {
  Level level;
  template <class Subject>
  auto operator[](const Subject& s) const {
    return Recovering<typename x3::extension::as_parser<Subject>::value_type>(x3::as_parser(s),
                                                                              level);
  }
};
inline constexpr RecoveringGenerator recovering_statement{Level::statement};
inline constexpr RecoveringGenerator recovering_item{Level::item};

}  // namespace gradc::grammar

// What an expectation says it expected.
namespace boost::spirit::x3 {
template <class A, class B, class C>
struct get_info<gradc::grammar::Terminal<A, B, C>> {
  using result_type = std::string;
  std::string operator()(const gradc::grammar::Terminal<A, B, C>& t) const { return t.what; }
};
template <>
struct get_info<gradc::grammar::Fixed> {
  using result_type = std::string;
  std::string operator()(const gradc::grammar::Fixed& f) const {
    return "'" + std::string(gradc::spelling(f.kind)) + "'";
  }
};
template <>
struct get_info<gradc::grammar::Word> {
  using result_type = std::string;
  std::string operator()(const gradc::grammar::Word& w) const {
    return "'" + std::string(w.spelling) + "'";
  }
};
// X3 names rules and terminals only; a compound is called after what it begins with.
template <class Subject, class Action>
struct get_info<action<Subject, Action>> {
  using result_type = std::string;
  std::string operator()(const action<Subject, Action>& a) const { return what(a.subject); }
};
template <class Subject>
struct get_info<gradc::grammar::Spanned<Subject>> {
  using result_type = std::string;
  std::string operator()(const gradc::grammar::Spanned<Subject>& s) const {
    return what(s.subject);
  }
};
template <class Left, class Right>
struct get_info<sequence<Left, Right>> {
  using result_type = std::string;
  std::string operator()(const sequence<Left, Right>& s) const { return what(s.left); }
};
template <class Left, class Right>
struct get_info<alternative<Left, Right>> {
  using result_type = std::string;
  std::string operator()(const alternative<Left, Right>& a) const {
    return what(a.left) + " or " + what(a.right);
  }
};
}  // namespace boost::spirit::x3

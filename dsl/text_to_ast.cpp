// text_to_ast.cpp: the grammar of specs, in Boost.Spirit X3 over tokens.
#include "dsl/text_to_ast.h"

#include "dsl/expression_chain.h"
#include "dsl/grammar_parsers.h"
#include "dsl/syntax_errors.h"
#include "dsl/tokens.h"

namespace gradc {
namespace {

using namespace grammar;
using ast::Expr;
using ast::ExprKind;
using ast::Name;

// ---- Terminals ----

Name to_name(const Token& t, State& s) {
  return {std::string(s.text(t)), s.span(t)};
}

bool is_plain_name(Iterator it, State& s) {
  return it->kind == TokenKind::name && s.sources.text(s.file)[it->end - 1] != '\'';
}
const auto name = terminal<Name>("a name", is_plain_name, to_name);
const auto primed_name = terminal<Name>(
    "a name", [](Iterator it, State&) { return it->kind == TokenKind::name; }, to_name);
const auto labelled = terminal<Name>(
    "a label",
    [](Iterator it, State& s) { return is_plain_name(it, s) && it[1].kind == token_kind(":"); },
    to_name, 2);
// `a.b.c` on one line, before `=`.
const auto argument_name = terminal<Name>(
    "an argument's name",
    [](Iterator it, State& s) {
      while (is_plain_name(it, s) && it[1].kind == token_kind(".")) it += 2;
      return is_plain_name(it, s) && it[1].kind == token_kind("=");
    },
    to_name);
const auto number = terminal<Expr>(
    "a number",
    [](Iterator it, State&) {
      return it->kind == TokenKind::integer || it->kind == TokenKind::real;
    },
    [](const Token& t, State& s) {
      Expr e;
      e.kind = ExprKind::number;
      e.number = number_value(s.text(t));
      e.integer = t.kind == TokenKind::integer;
      return e;
    });
const auto string = terminal<Name>(
    "a string in quotes", [](Iterator it, State&) { return it->kind == TokenKind::string; },
    [](const Token& t, State& s) { return Name{string_value(s.text(t)), s.span(t)}; });

Operator to_operator(const Token& t, State& s, int precedence, bool prefix) {
  Operator op;
  op.precedence = precedence;
  op.prefix = prefix;
  op.op = s.text(t);
  op.span = s.span(t);
  return op;
}
const auto infix = terminal<Operator>(
    "an operator", [](Iterator it, State&) { return infix_precedence(it->kind) > 0; },
    [](const Token& t, State& s) { return to_operator(t, s, infix_precedence(t.kind), false); });
const auto sign = terminal<Operator>(
    "an operator",
    [](Iterator it, State&) {
      return it->kind == token_kind("-") || it->kind == token_kind("not");
    },
    [](const Token& t, State& s) {
      return to_operator(t, s, t.kind == token_kind("-") ? minus_precedence : not_precedence, true);
    });
// `max[…` is a reduction, `max(…` a call.
const auto reduction_word = terminal<Operator>(
    "a reduction",
    [](Iterator it, State& s) {
      if (it->kind != TokenKind::name || it[1].kind != token_kind("[") || it[1].first_on_line)
        return false;
      return is_reduction_word(s.text(*it));
    },
    [](const Token& t, State& s) { return to_operator(t, s, reduction_precedence, true); });
const auto for_word = terminal<x3::unused_type>(
    "'for'",
    [](Iterator it, State& s) {
      return it->kind == TokenKind::name && s.text(*it) == "for" && is_plain_name(it + 1, s) &&
             !it[1].first_on_line;
    },
    [](const Token&, State&) { return x3::unused; });
// A name elsewhere, and a word where `next` follows.
auto word_before(const char* what, std::string_view spelling, std::string_view next) {
  return terminal<x3::unused_type>(
      what,
      [=](Iterator it, State& s) {
        return it->kind == TokenKind::name && s.text(*it) == spelling && it[1].kind == token_kind(next);
      },
      [](const Token&, State&) { return x3::unused; });
}
const auto custom_word = word_before("'custom'", "custom", "op");
const auto gradient_word = word_before("'gradient'", "gradient", "{");
const auto else_word = word_before("'else'", "else", "{") | word_before("'else'", "else", "if");
const auto optimizer_word = terminal<Name>(
    "'optimizer'", [](Iterator it, State&) { return it->kind == token_kind("optimizer"); }, to_name);
// Where a body ends: at its brace, or where that is missing, before the next declaration.
const auto body_end = terminal<x3::unused_type>(
    "'}'", [](Iterator it, State&) { return it->kind == token_kind("}") || starts_item(it); },
    [](const Token&, State&) { return x3::unused; }, 0);

// ---- Semantic actions: where a parsed part goes in the value of its rule ----

template <class Member>
auto into(Member member) {
  return [member](auto& c) { x3::_val(c).*member = std::move(x3::_attr(c)); };
}
template <class Member>
auto push(Member member) {
  return [member](auto& c) { (x3::_val(c).*member).push_back(std::move(x3::_attr(c))); };
}
template <class Member, class Value>
auto set(Member member, Value value) {
  return [member, value](auto& c) { x3::_val(c).*member = value; };
}
Name& name_in(Name& n) { return n; }
Name& name_in(std::optional<Name>& n) { return *n; }
const auto whole = [](auto& c) { x3::_val(c) = std::move(x3::_attr(c)); };
const auto what = [](auto& c) { x3::_val(c).what = std::move(x3::_attr(c)); };

// One more name of a path.
template <class Member>
auto extend(Member member) {
  return [member](auto& c) {
    Name& path = name_in(x3::_val(c).*member);
    path.text += "." + x3::_attr(c).text;
    path.span.end = x3::_attr(c).span.end;
  };
}

template <class P>
auto list_of(P p) {
  return p >> *(tok(",") > p);
}

// ---- Expressions ----

const x3::rule<struct ExprRule, Expr> expr = "an expression";
const x3::rule<struct ChainRule, ExpressionChain> chain = "an expression";
const x3::rule<struct PrimaryRule, Expr> primary = "an expression";
const x3::rule<struct ReferenceRule, Expr> reference = "a name";
const x3::rule<struct NamedCallRule, Expr> labelled_call = "a call";
const x3::rule<struct CallRule, Expr> piped_call = "the name of an op, a layer or a net";
const x3::rule<struct ListRule, Expr> list = "a list";
const x3::rule<struct ArgumentRule, ast::Argument> argument = "an argument";
const x3::rule<struct SubscriptRule, Expr> subscript = "a subscript";
const x3::rule<struct EllipsisRule, Expr> ellipsis = "'..'";
const x3::rule<struct ChoiceRule, Expr> choice = "a choice";
const x3::rule<struct PathRule, Name> path_name = "a name";
const x3::rule<struct ElementRule, Expr> element = "an expression";  // or `..`, in a shape
const x3::rule<struct IndexRule, ast::Index> index = "an index ('i', 'i in low..high' or '..')";
const x3::rule<struct ReductionRule, Operator> reduction = "a reduction";

const auto limit_height = [](auto& c) {
  if (!x3::_val(c).too_high()) return;
  const Iterator where = x3::_where(c).begin();
  state(c).errors.too_high(where);
  throw Abandoned{where};
};
const auto add_operator = [](auto& c) {
  x3::_val(c).add_operator(std::move(x3::_attr(c)));
  limit_height(c);
};
const auto add_operand = [](auto& c) { x3::_val(c).add_operand(std::move(x3::_attr(c))); };
const auto add_like = [](auto& c) {
  x3::_val(c).liken(std::move(x3::_attr(c)));
  limit_height(c);
};
const auto pipe = [](auto& c) {
  x3::_val(c).pipe_into(std::move(x3::_attr(c)));
  limit_height(c);
};
const auto finish = [](auto& c) {
  ExpressionChain& parts = x3::_attr(c);
  x3::_val(c) = parts.finish();
  if (parts.chained_comparison().valid())
    state(c).errors.chained_comparison(parts.chained_comparison());
};

const auto prefix = sign[add_operator] | reduction[add_operator];
const auto like = -(tok("like") > primary[add_like]);
const auto operand = ((+prefix > primary[add_operand]) | primary[add_operand]) >> like;
const auto next_operand = *prefix > (primary[add_operand] >> like);
const auto chain_def = operand >> *(infix[add_operator] > next_operand) >>
                       *(tok("|>") > piped_call[pipe]);
const auto expr_def = guarded[chain[finish]];

const auto reduction_def = reduction_word[whole] >>
                           attached("[") > index[push(&Operator::indices)] >
                           *(tok(",") > index[push(&Operator::indices)]) > tok("]");

const auto as_string = [](auto& c) {
  x3::_val(c).kind = ExprKind::string;
  x3::_val(c).name = std::move(x3::_attr(c));
};
// The span of `(a)` has the parentheses, so that marking it marks what was written.
const auto measured = [](auto& c) {
  Expr& e = x3::_val(c);
  measure(e);
  if (e.height <= max_expression_height) return;
  const Iterator where = x3::_where(c).begin();
  state(c).errors.too_high(where - 1);
  throw Abandoned{where};
};
const auto primary_def =
    spanned[number[whole] | string[as_string] | (tok("(") > expr[whole] > tok(")")) | list[whole] |
            choice[whole] | labelled_call[whole] | reference[whole]] >>
    x3::eps[measured];

// `if` begins no other expression; what stands before `then` and `else` ends there by itself.
const auto choice_def = tok("if")[set(&Expr::kind, ExprKind::choice)] > expr[push(&Expr::args)] >
                        word("then") > expr[push(&Expr::args)] >
                        word("else") > expr[push(&Expr::args)];

const auto list_def = tok("[")[set(&Expr::kind, ExprKind::list)] >>
                      -list_of(element[push(&Expr::args)]) > tok("]");

const auto arguments = attached("(")[set(&Expr::kind, ExprKind::call)] >>
                       -list_of(argument[push(&Expr::arguments)]) > tok(")");
const auto subscripts = attached("[")[set(&Expr::kind, ExprKind::subscript)] >>
                        -(list_of(subscript[push(&Expr::args)]) >>
                          -(word("pad") > expr[push(&Expr::pad)])) > tok("]");
const auto named = set(&Expr::kind, ExprKind::name);
const auto append = [](auto& c) {
  x3::_val(c).text += "." + x3::_attr(c).text;
  x3::_val(c).span.end = x3::_attr(c).span.end;
};
const auto path_name_def = name[whole] >> *(attached(".") > name[append]);
const auto reference_def = primed_name[into(&Expr::name)] >> x3::eps[named] >>
                           *(attached(".") > name[extend(&Expr::name)]) >>
                           -(arguments | subscripts);
const auto labelled_call_def = labelled[into(&Expr::label)] > name[into(&Expr::name)] > arguments;
const auto piped_call_def = spanned[-labelled[into(&Expr::label)] >> name[into(&Expr::name)] >>
                                    x3::eps[set(&Expr::kind, ExprKind::call)] >> -arguments];
const auto argument_def =
    -(argument_name[into(&ast::Argument::name)] >>
      *(tok(".") > name[extend(&ast::Argument::name)]) > tok("=")) >> expr[into(&ast::Argument::value)];
const auto ellipsis_def = spanned[tok("..")[set(&Expr::kind, ExprKind::ellipsis)]];
const auto subscript_def = ellipsis[whole] | expr[whole];
const auto element_def = ellipsis[whole] | expr[whole];

const auto all_dims = terminal<Name>(
    "'..'", [](Iterator it, State&) { return it->kind == token_kind(".."); }, to_name);
const auto index_def =
    all_dims[into(&ast::Index::name)] |
    (name[into(&ast::Index::name)] >>
     -(tok("in") > expr[push(&ast::Index::range)] > tok("..") > expr[push(&ast::Index::range)]));

BOOST_SPIRIT_DEFINE(expr, chain, primary, reference, labelled_call, piped_call, list, argument,
                    subscript, ellipsis, element, index, reduction, choice, path_name)

// ---- Types and parameters ----

const x3::rule<struct DtypeRule, Name> dtype = "a type";
const x3::rule<struct TypeRule, ast::Type> type = "a type";
const x3::rule<struct ShapeRule, ast::Type> shape = "a shape in brackets";
const x3::rule<struct ParameterRule, ast::Parameter> parameter = "a parameter";
const x3::rule<struct ResultRule, ast::Parameter> result = "a result";

const auto check_dtype = [](auto& c) {
  state(c).errors.check_type(x3::_attr(c));
  x3::_val(c) = std::move(x3::_attr(c));
};
const auto dtype_def = name[check_dtype];
const auto extents = attached("[")[set(&ast::Type::has_shape, true)] >>
                     -list_of(subscript[push(&ast::Type::shape)]) > tok("]");
const auto type_def = spanned[optimizer_word[into(&ast::Type::dtype)] |
                              (dtype[into(&ast::Type::dtype)] >> -extents) | extents];
const auto shape_def = spanned[extents];
const auto named_and_typed = name[into(&ast::Parameter::name)] >>
                             -((tok(":") > type[into(&ast::Parameter::type)]) |
                               shape[into(&ast::Parameter::type)]);
const auto parameter_def = named_and_typed >>
                           -(tok("=") > expr[push(&ast::Parameter::default_value)]);
const auto result_def = named_and_typed >> x3::eps;

BOOST_SPIRIT_DEFINE(dtype, type, shape, parameter, result)

// ---- Statements ----

const x3::rule<struct TargetRule, ast::Target> target = "a name to assign to";
const x3::rule<struct AssignRule, ast::Assign> assign = "an assignment";
const x3::rule<struct ParamRule, ast::Param> param = "a parameter";
const x3::rule<struct StateRule, ast::State> state_decl = "a state";
const x3::rule<struct MinimizeRule, ast::Minimize> minimize = "a minimize statement";
const x3::rule<struct ReportItemRule, ast::Report::Item> report_item = "the name of a value";
const x3::rule<struct ReportRule, ast::Report> report = "a report statement";
const x3::rule<struct RoundsRule, ast::Index> rounds = "the name of a loop's index";
const x3::rule<struct ForRule, ast::For> for_loop = "a loop";
const x3::rule<struct IfRule, ast::If> conditional = "a condition";
const x3::rule<struct ElseIfRule, ast::Statement> else_if = "a condition";
const x3::rule<struct TimedRule, ast::Index> timed = "an index or a time";
const x3::rule<struct ElementTargetRule, ast::Target> element_target = "an element to define";
const x3::rule<struct ElementAssignRule, ast::Assign> element_assign = "the definition of an element";
const x3::rule<struct EquationRule, ast::Statement> equation = "the definition of an element";
const x3::rule<struct RecurRule, ast::Recur> recur = "a recurrence";
const x3::rule<struct StatementRule, ast::Statement> statement = "a statement";

const auto target_def = primed_name[into(&ast::Target::name)] >>
                        -(attached("[")[set(&ast::Target::indexed, true)] >>
                          -list_of(index[push(&ast::Target::indices)]) > tok("]"));
const auto assign_def = list_of(target[push(&ast::Assign::targets)]) >
                        tok("=") > expr[into(&ast::Assign::value)];
const auto param_def = tok("param") > name[into(&ast::Param::name)] >
                       tok(":") > type[into(&ast::Param::type)] >
                       tok("~") > expr[into(&ast::Param::initializer)] >
                       -(attached("if") > expr[push(&ast::Param::condition)]);
const auto state_decl_def = tok("state") > name[into(&ast::State::name)] >
                            -(tok(":") > type[into(&ast::State::type)]) >
                            tok("=") > expr[into(&ast::State::initial)] >
                            -(attached("if") > expr[push(&ast::State::condition)]);
const auto minimize_def = tok("minimize") > expr[into(&ast::Minimize::loss)] >
                          -(tok("over") > list_of(path_name[push(&ast::Minimize::over)])) >
                          -(word("except") > list_of(path_name[push(&ast::Minimize::except)])) >
                          tok("using") > expr[into(&ast::Minimize::optimizer)];
const auto report_item_def = name[into(&ast::Report::Item::name)] >>
                             -(tok("=") > expr[push(&ast::Report::Item::value)]);
const auto report_def = tok("report") > list_of(report_item[push(&ast::Report::items)]);
template <class Member>
auto statements(Member member) {
  return tok("{") > *(!body_end >> recovering_statement[statement][push(member)]) > tok("}");
}
const auto rounds_def = name[into(&ast::Index::name)] > tok("in") >
                        expr[push(&ast::Index::range)] > tok("..") >
                        expr[push(&ast::Index::range)];
const auto for_loop_def =
    guarded[for_word > rounds[into(&ast::For::index)] > statements(&ast::For::body)];
const auto else_if_def = spanned[conditional[what]];
const auto conditional_def =
    guarded[tok("if") > expr[into(&ast::If::condition)] > statements(&ast::If::body) >
            -(else_word > (else_if[push(&ast::If::otherwise)] | statements(&ast::If::otherwise)))];
// In a recurrence a time may stand in place of its index: h[b, -1, k].
const auto timed_def = (index[whole] >> &(tok(",") | tok("]"))) |
                       expr[push(&ast::Index::position)];
const auto element_target_def = name[into(&ast::Target::name)] >>
                                attached("[")[set(&ast::Target::indexed, true)] >
                                list_of(timed[push(&ast::Target::indices)]) > tok("]");
const auto element_assign_def = element_target[push(&ast::Assign::targets)] >
                                tok("=") > expr[into(&ast::Assign::value)];
const auto equation_def = spanned[element_assign[what]];
const auto recur_def = tok("recur") > index[into(&ast::Recur::time)] > tok("{") >
                       *(!body_end >> recovering_statement[equation][push(&ast::Recur::body)]) >
                       tok("}");
const auto statement_def =
    spanned[param[what] | state_decl[what] | minimize[what] | report[what] | for_loop[what] |
            conditional[what] | recur[what] | assign[what]];

BOOST_SPIRIT_DEFINE(target, assign, param, state_decl, minimize, report_item, report, rounds,
                    for_loop, conditional, else_if, timed, element_target, element_assign, equation,
                    recur, statement)

// ---- Definitions ----

const x3::rule<struct KindRule, ast::DefinitionKind> kind = "op, layer, net, step or optimizer";
const x3::rule<struct DefinitionRule, ast::Definition> definition = "a definition";

const auto kind_def = (tok("op") >> x3::attr(ast::DefinitionKind::op)) |
                      (tok("layer") >> x3::attr(ast::DefinitionKind::layer)) |
                      (tok("net") >> x3::attr(ast::DefinitionKind::net)) |
                      (tok("step") >> x3::attr(ast::DefinitionKind::step)) |
                      (tok("optimizer") >> x3::attr(ast::DefinitionKind::optimizer));
const auto body = statements(&ast::Definition::body);
const auto signature = name[into(&ast::Definition::name)] > tok("(") >
                       -list_of(parameter[push(&ast::Definition::parameters)]) > tok(")") >
                       -(tok("->") > list_of(result[push(&ast::Definition::results)]));
const auto check_definition = [](auto& c) {
  State& s = state(c);
  const Iterator where = x3::_where(c).begin();
  if (std::exchange(s.broken_header, false)) throw Abandoned{where};
  s.errors.check_definition(x3::_val(c));
};
const auto definition_def =
    spanned[-custom_word[set(&ast::Definition::custom, true)] >>
            kind[into(&ast::Definition::kind)] > header[signature] >
            (body | (tok("=") > expr[push(&ast::Definition::value)])) >
            -(gradient_word > statements(&ast::Definition::gradient)) > x3::eps[check_definition]];

BOOST_SPIRIT_DEFINE(kind, definition)

// ---- Programs ----

const x3::rule<struct DataRule, ast::DataDecl> data = "a data statement";
const x3::rule<struct PartRule, ast::SplitDecl::Part> part = "the name of a part";
const x3::rule<struct SplitRule, ast::SplitDecl> split = "a split statement";
const x3::rule<struct DataNameRule, ast::DataName> data_name = "the name of data";
const x3::rule<struct FitRule, ast::FitDecl> fit = "a fit statement";
const x3::rule<struct TestRule, ast::TestDecl> test = "a test statement";
const x3::rule<struct ShowRule, ast::ShowDecl> show = "a show statement";
const x3::rule<struct ScoreRule, ast::ScoreDecl> score = "a score statement";
const x3::rule<struct SaveRule, ast::SaveDecl> save = "a save statement";
const x3::rule<struct MappingRule, ast::LoadDecl::Mapping> mapping = "a name in the file";
const x3::rule<struct LoadRule, ast::LoadDecl> load = "a load statement";
const x3::rule<struct ProgramStatementRule, ast::ProgramStatement> program_statement =
    "data, split, fit, test, show, score, save or load";
const x3::rule<struct ProgramRule, ast::ProgramDecl> program = "a program";

const auto data_def = word("data") > name[into(&ast::DataDecl::name)] >
                      tok("=") > expr[into(&ast::DataDecl::source)];
const auto percent = [](auto& c) { x3::_val(c).percent = x3::_attr(c).number; };
const auto part_def = name[into(&ast::SplitDecl::Part::name)] > number[percent] > tok("%");
const auto split_def = word("split") > name[into(&ast::SplitDecl::data)] > word("into") >
                       list_of(part[push(&ast::SplitDecl::parts)]) >
                       -(word("seed") > expr[push(&ast::SplitDecl::seed)]);
const auto data_name_def = name[into(&ast::DataName::data)] >>
                           -(tok(".") > name[into(&ast::DataName::part)]);
const auto fit_clause = (word("for") > expr[push(&ast::FitDecl::epochs)] > word("epochs")) |
                        (word("batch") > expr[push(&ast::FitDecl::batch)]) |
                        word("shuffle")[set(&ast::FitDecl::shuffle, true)] |
                        (word("seed") > expr[push(&ast::FitDecl::seed)]);
const auto fit_def = word("fit") > name[into(&ast::FitDecl::step)] >
                     word("on") > data_name[into(&ast::FitDecl::on)] > *fit_clause;
const auto test_def = word("test") > name[into(&ast::TestDecl::step)] >
                      word("on") > data_name[into(&ast::TestDecl::on)] >
                      -(word("with") > path_name[into(&ast::TestDecl::with)]);
const auto show_def = word("show") > name[into(&ast::ShowDecl::net)] >
                      word("on") > data_name[into(&ast::ShowDecl::on)] >
                      -(word("for") > expr[push(&ast::ShowDecl::examples)] > word("examples")) >
                      -(word("with") > path_name[into(&ast::ShowDecl::with)]) >
                      -(word("as") > expr[push(&ast::ShowDecl::path)]);
const auto score_def = word("score") > list_of(name[push(&ast::ScoreDecl::metrics)]) >
                       word("of") > name[into(&ast::ScoreDecl::net)] >
                       -(tok(".") > name[into(&ast::ScoreDecl::output)]) >
                       word("against") > name[into(&ast::ScoreDecl::target)] >
                       word("on") > data_name[into(&ast::ScoreDecl::on)] >
                       -(word("at") > expr[push(&ast::ScoreDecl::threshold)]) >
                       -(word("with") > path_name[into(&ast::ScoreDecl::with)]);
const auto save_def = word("save") > expr[into(&ast::SaveDecl::path)] >
                      -(word("with") > path_name[into(&ast::SaveDecl::with)]);
const auto mapping_def = path_name[into(&ast::LoadDecl::Mapping::from)] > tok("->") >
                         path_name[into(&ast::LoadDecl::Mapping::to)];
const auto load_def = word("load") > expr[into(&ast::LoadDecl::path)] >
                      -(word("with") > list_of(mapping[push(&ast::LoadDecl::mappings)]));
const auto program_statement_def =
    spanned[data[what] | split[what] | fit[what] | test[what] | show[what] | score[what] |
            save[what] | load[what]];
const auto program_def =
    tok("program") > tok("{") >
    *(!body_end >> recovering_statement[program_statement][push(&ast::ProgramDecl::statements)]) >
    tok("}");

BOOST_SPIRIT_DEFINE(data, part, split, data_name, fit, test, show, score, save, mapping, load, program_statement,
                    program)

// ---- Files ----

const x3::rule<struct ImportRule, ast::Import> import = "an import";
const x3::rule<struct DimRule, ast::DimDecl> dim = "a dim";
const x3::rule<struct ConstRule, ast::ConstDecl> constant = "a const";
const x3::rule<struct ItemRule, ast::Item> item = "a declaration";
const x3::rule<struct FileRule, ast::File> file = "a spec";

const auto path = [](auto& c) {
  x3::_val(c).path = x3::_attr(c).text;
  x3::_val(c).path_span = x3::_attr(c).span;
};
const auto import_def = tok("import") > string[path];
const auto dim_def = tok("dim") > name[into(&ast::DimDecl::name)] >
                     (tok("<=")[set(&ast::DimDecl::bounded, true)] |
                      tok("=")) > expr[into(&ast::DimDecl::size)];
const auto constant_def = tok("const") > name[into(&ast::ConstDecl::name)] >
                          tok(":") > type[into(&ast::ConstDecl::type)] >
                          tok("=") > expr[into(&ast::ConstDecl::value)];
const auto item_def = spanned[definition[what] | import[what] | dim[what] | constant[what] | program[what]];
const auto end_of_file = terminal<x3::unused_type>(
    "the end of the file", [](Iterator it, State&) { return it->kind == TokenKind::end; },
    [](const Token&, State&) { return x3::unused; }, 0);
const auto file_def = *(!end_of_file >> recovering_item[item][push(&ast::File::items)]) >> x3::eps;

BOOST_SPIRIT_DEFINE(import, dim, constant, item, file)

}  // namespace

ast::File text_to_ast(const Sources& sources, std::uint32_t file_id, Diagnostics& diagnostics) {
  ast::File parsed;
  Diagnostics found;
  if (const auto tokens = text_to_tokens(sources, file_id, found))
    parsed = tokens_to_ast(sources, file_id, *tokens, found);
  report_in_order(found, diagnostics);
  return parsed;
}

ast::File tokens_to_ast(const Sources& sources, std::uint32_t file_id, const std::vector<Token>& tokens,
                        Diagnostics& diagnostics) {
  ast::File parsed;
  SyntaxErrors errors(sources, file_id, tokens, diagnostics);
  State s{sources, file_id, errors};
  x3::parse(tokens.data(), tokens.data() + tokens.size(), x3::with<StateTag>(std::ref(s))[file], parsed);
  return parsed;
}

}  // namespace gradc

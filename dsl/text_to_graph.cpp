// text_to_graph.cpp: reads what graph_to_text printed: the grammar of the language, with every
// node, range and cast written out, so that nothing needs to be inferred.
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <map>

#include "dsl/ast.h"
#include "dsl/graph_to_text.h"
#include "dsl/text_to_ast.h"

namespace gradc {
namespace {

using ast::Expr;
using ast::ExprKind;

struct Refused {};  // what is wrong has been reported

class Reader {
 public:
  Reader(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  Graph read(const ast::File& file) {
    try {
      for (const ast::Item& item : file.items) {
        if (const auto* dim = std::get_if<ast::DimDecl>(&item.what)) {
          dims_[dim->name.text] = g.add_dim({dim->name.text, integer(dim->size)});
        } else if (const auto* definition = std::get_if<ast::Definition>(&item.what)) {
          function(*definition);
        } else {
          refuse(item.span, "a printed graph has only dims and functions");
        }
      }
    } catch (const Refused&) {
    }
    return std::move(g);
  }

 private:
  [[noreturn]] void refuse(Span span, const std::string& what) {
    diagnostics_.error("syntax", span, what);
    throw Refused{};
  }
  void require(bool condition, Span span, const char* what) {
    if (!condition) refuse(span, what);
  }

  // ---- sizes and types ----

  std::int64_t integer(const Expr& e) {
    if (e.kind == ExprKind::unary && e.op == "-") return -integer(e.args[0]);
    require(e.kind == ExprKind::number && e.integer && e.number < 0x1p53, e.span,
            "expected an integer");
    return static_cast<std::int64_t>(e.number);
  }

  // B, 2*B, 2*B + 1, 64
  Extent extent(const Expr& e) {
    if (e.kind == ExprKind::name) {
      const auto it = dims_.find(e.name.text);
      if (it == dims_.end()) refuse(e.span, "no dim is called " + e.name.text);
      return Extent(it->second);
    }
    if (e.kind != ExprKind::binary) return Extent(integer(e));
    if (e.op == "*") {
      Extent result = extent(e.args[1]);
      result.scale = integer(e.args[0]);
      return result;
    }
    Extent result = extent(e.args[0]);
    const std::int64_t more = integer(e.args[1]);
    result.offset += e.op == "-" ? -more : more;
    return result;
  }

  Extent range(const ast::Index& index) {
    require(index.range.size() == 2, index.name.span, "an index needs its range");
    Extent result = extent(index.range[1]);
    result.offset += 1;
    return result;
  }

  Shape shape(const std::vector<Expr>& extents) {
    Shape result;
    for (const Expr& e : extents) result.push_back(extent(e));
    return result;
  }

  DType dtype(const ast::Name& word) {
    for (DType t : {DType::boolean, DType::i32, DType::f32, DType::f64}) {
      if (name(t) == word.text) return t;
    }
    refuse(word.span, "expected bool, i32, f32 or f64");
  }

  // f32[B, 20], or f32 for a scalar
  TensorType type(const Expr& e) {
    require(e.kind == ExprKind::name || e.kind == ExprKind::subscript, e.span, "expected a type");
    return {dtype(e.name), shape(e.args)};
  }
  TensorType type(const ast::Parameter& p) {
    require(p.type.dtype.has_value(), p.name.span, "an input needs its type");
    return {dtype(*p.type.dtype), shape(p.type.shape)};
  }

  // ---- functions ----

  NodeId local(const ast::Name& word) {
    const auto it = locals_.find(word.text);
    if (it == locals_.end()) refuse(word.span, "no value is called " + word.text);
    return it->second;
  }
  NodeId local(const Expr& e) {
    require(e.kind == ExprKind::name, e.span, "expected the name of a value");
    return local(e.name);
  }

  void define(const ast::Name& word, NodeId id) {
    locals_[word.text] = id;
    // t1, t2, … are the printer's names for what has none.
    const bool is_made_up = word.text.size() > 1 && word.text[0] == 't' &&
                            word.text.find_first_not_of("0123456789", 1) == std::string::npos;
    if (g.label(id).name.empty() && !is_made_up) g.label(id).name = word.text;
  }

  NodeId named(NodeKind kind, const std::string& path, TensorType t, NodeId initial = {}) {
    Node n;
    n.kind = kind;
    n.name = path;
    n.type = std::move(t);
    n.operand = initial;
    return g.add(std::move(n));
  }

  void function(const ast::Definition& d) {
    Function f;
    f.name = d.name.text;
    f.span = d.span;
    switch (d.kind) {
      case ast::DefinitionKind::op:
        f.kind = FunctionKind::init;
        break;
      case ast::DefinitionKind::net:
        f.kind = FunctionKind::net;
        break;
      case ast::DefinitionKind::step:
        f.kind = FunctionKind::step;
        break;
      default:
        refuse(d.span, "expected an op, a net or a step");
    }
    locals_.clear();
    reports_.clear();
    for (const ast::Parameter& p : d.parameters) {
      const bool has_path = !p.default_value.empty();
      const std::string path = has_path ? text(p.default_value[0]) : p.name.text;
      const NodeId id = named(NodeKind::input, path, type(p));
      define(p.name, id);
      f.inputs.push_back(id);
    }
    for (const ast::Statement& s : d.body) statement(f, s);
    for (const ast::Parameter& r : d.results) {
      const auto it = reports_.find(r.name.text);
      f.outputs.push_back({r.name.text, it != reports_.end() ? it->second : local(r.name)});
    }
    g.functions.push_back(std::move(f));
  }

  void statement(Function& f, const ast::Statement& s) {
    if (const auto* a = std::get_if<ast::Assign>(&s.what)) return assign(f, *a, s.span);
    if (const auto* m = std::get_if<ast::Minimize>(&s.what)) {
      Minimize minimize{local(m->loss), {}, s.span};
      for (const ast::Name& over : m->over) minimize.parameters.push_back(local(over));
      f.minimizes.push_back(std::move(minimize));
      return;
    }
    const auto* r = std::get_if<ast::Report>(&s.what);
    require(r != nullptr, s.span, "a printed graph has no such statement");
    for (const ast::Report::Item& item : r->items) {
      const NodeId id = item.value.empty() ? local(item.name) : local(item.value[0]);
      if (f.kind == FunctionKind::net) {
        reports_[item.name.text] = id;
      } else {
        f.outputs.push_back({item.name.text, id});
      }
    }
  }

  void assign(Function& f, const ast::Assign& a, Span span) {
    require(a.targets.size() == 1, span, "one value is defined at a time");
    const ast::Target& target = a.targets[0];
    const std::string& word = target.name.text;
    if (word == "cotangents" || word == "gradients" || word == "evaluation")
      return lists(f, word, a.value);
    if (word.back() == '\'') {
      const ast::Name old{word.substr(0, word.size() - 1), target.name.span};
      f.updates.push_back({local(old), local(a.value)});
      return;
    }
    NodeId id = target.indexed ? NodeId{} : special(a.value);
    if (!id.valid()) id = comprehension(target, a.value);
    define(target.name, id);
  }

  void lists(Function& f, const std::string& which, const Expr& list) {
    require(list.kind == ExprKind::list, list.span, "expected a list");
    std::vector<Output>& outputs = which == "evaluation" ? f.evaluation : f.gradients;
    for (const Expr& e : list.args) {
      if (which == "cotangents") {
        const NodeId id = local(e);
        std::erase(f.inputs, id);
        f.cotangents.push_back(id);
      } else if (is_call(e, "named", 2)) {
        outputs.push_back({text(argument(e, 0)), local(argument(e, 1))});
      } else {
        outputs.push_back({e.name.text, local(e)});
      }
    }
  }

  // ---- nodes ----

  static bool is_call(const Expr& e, std::string_view word, std::size_t arity) {
    return e.kind == ExprKind::call && e.name.text == word && e.arguments.size() == arity;
  }
  const Expr& argument(const Expr& call, std::size_t k) { return call.arguments[k].value; }

  std::string text(const Expr& e) {
    require(e.kind == ExprKind::string, e.span, "expected a name in quotes");
    return e.name.text;
  }
  double number(const Expr& e) {
    if (e.kind == ExprKind::unary && e.op == "-") return -number(e.args[0]);
    if (e.kind == ExprKind::name && e.name.text == "inf")
      return std::numeric_limits<double>::infinity();
    if (e.kind == ExprKind::name && e.name.text == "nan")
      return std::numeric_limits<double>::quiet_NaN();
    require(e.kind == ExprKind::number, e.span, "expected a number");
    return e.number;
  }

  // The node of a value that is not a formula; invalid if it is one.
  NodeId special(const Expr& e) {
    if (e.kind == ExprKind::like) return random(e);
    if (is_call(e, "input", 2))
      return named(NodeKind::input, text(argument(e, 0)), type(argument(e, 1)));
    for (NodeKind kind : {NodeKind::parameter, NodeKind::state}) {
      const char* word = kind == NodeKind::parameter ? "parameter" : "state_value";
      if (is_call(e, word, 2)) return named(kind, text(argument(e, 0)), type(argument(e, 1)));
      if (is_call(e, word, 3)) {
        return named(kind, text(argument(e, 0)), type(argument(e, 1)), local(argument(e, 2)));
      }
    }
    Node n;
    if (is_call(e, "constant", 2)) {
      n.kind = NodeKind::constant;
      n.type = type(argument(e, 0));
      const Expr& values = argument(e, 1);
      require(values.kind == ExprKind::list, values.span, "expected a list");
      for (const Expr& value : values.args) n.values.push_back(number(value));
      return g.add(std::move(n));
    }
    if (is_call(e, "reshape", 1) || is_call(e, "reshape", 2)) {
      n.kind = NodeKind::reshape;
      n.operand = local(argument(e, 0));
      n.type.dtype = g[n.operand].type.dtype;
      if (e.arguments.size() == 2) n.type.shape = shape(argument(e, 1).args);
      return g.add(std::move(n));
    }
    if (is_call(e, "past", 2)) {
      n.kind = NodeKind::past;
      n.stream = static_cast<std::uint32_t>(integer(argument(e, 0)));
      n.type = type(argument(e, 1));
      return g.add(std::move(n));
    }
    if (is_call(e, "recurrence", 2) || is_call(e, "recurrence_back", 2)) {
      n.kind = NodeKind::recurrence;
      n.backwards = e.name.text == "recurrence_back";
      n.operand = local(argument(e, 0));
      n.type = g[n.operand].type;
      for (const Expr& equation : argument(e, 1).args) {
        require(equation.args.size() == 3, equation.span, "expected a past, a value and an axis");
        n.equations.push_back({local(equation.args[0]), local(equation.args[1]),
                               static_cast<std::uint32_t>(integer(equation.args[2]))});
      }
      require(!n.equations.empty(), e.span, "a recurrence has equations");
      return g.add(std::move(n));
    }
    if (is_call(e, "custom", 4)) {
      n.kind = NodeKind::custom;
      n.operand = local(argument(e, 0));
      n.type = g[n.operand].type;
      n.result = local(argument(e, 1));
      n.cotangent = local(argument(e, 2));
      for (const Expr& pull : argument(e, 3).args) {
        require(pull.args.size() == 2, pull.span, "expected a tensor and what reaches it");
        n.pulls.push_back({local(pull.args[0]), local(pull.args[1])});
      }
      return g.add(std::move(n));
    }
    if (is_call(e, "grad", 2)) {
      n.kind = NodeKind::gradient;
      n.operand = local(argument(e, 0));
      n.wrt = local(argument(e, 1));
      n.type = g[n.wrt].type;
      return g.add(std::move(n));
    }
    return {};
  }

  // normal(mean, deviation, stream) like f32[B, 20]
  NodeId random(const Expr& e) {
    const Expr& call = e.args[0];
    const bool normal = is_call(call, "normal", 3);
    require(normal || is_call(call, "uniform", 3), e.span, "expected normal(…) or uniform(…)");
    Node n;
    n.kind = NodeKind::random;
    n.distribution = normal ? Distribution::normal : Distribution::uniform;
    n.a = number(argument(call, 0));
    n.b = number(argument(call, 1));
    n.stream = static_cast<std::uint32_t>(integer(argument(call, 2)));
    n.type = type(e.args[1]);
    return g.add(std::move(n));
  }

  NodeId comprehension(const ast::Target& target, const Expr& value) {
    indices_.clear();
    Shape ranges;
    std::vector<std::string> words;
    auto bind = [&](const std::vector<ast::Index>& list) {
      for (const ast::Index& index : list) {
        indices_[index.name.text] = static_cast<std::uint32_t>(ranges.size());
        words.push_back(index.name.text);
        ranges.push_back(range(index));
      }
    };
    bind(target.indices);
    const std::size_t rank = ranges.size();
    Reduction reduction = Reduction::none;
    const Expr* body = &value;
    if (value.kind == ExprKind::reduce) {
      for (Reduction r : {Reduction::sum, Reduction::prod, Reduction::max, Reduction::min,
                          Reduction::argmax, Reduction::argmin}) {
        if (name(r) == value.op) reduction = r;
      }
      require(reduction != Reduction::none, value.span, "a printed graph has no such reduction");
      bind(value.indices);
      body = &value.args[0];
    }
    const NodeId id = g.comprehension(rank, std::move(ranges), reduction, scalar(*body));
    if (g.label(id).index_names.empty()) g.label(id).index_names = std::move(words);
    return id;
  }

  // ---- scalars ----

  ScalarId scalar(const Expr& e) {
    switch (e.kind) {
      case ExprKind::number:
        return g.literal(e.number, e.integer ? DType::i32 : DType::f32);
      case ExprKind::name:
        return word(e);
      case ExprKind::subscript: {
        std::vector<ScalarId> subscripts;
        for (const Expr& s : e.args) subscripts.push_back(scalar(s));
        return g.read(local(e.name), std::move(subscripts), !e.pad.empty());
      }
      case ExprKind::unary: {
        if (e.op == "not") return g.apply(Fn::logical_not, {scalar(e.args[0])});
        const ScalarId x = scalar(e.args[0]);
        // A minus before a number is part of the number.
        if (is_number(e.args[0])) return g.literal(-g[x].value, g[x].dtype);
        return g.apply(Fn::neg, {x});
      }
      case ExprKind::binary:
        return binary(e);
      case ExprKind::call:
        return call(e);
      default:
        refuse(e.span, "not an expression of a printed graph");
    }
  }

  static bool is_number(const Expr& e) {
    return e.kind == ExprKind::number ||
           (e.kind == ExprKind::name && (e.name.text == "inf" || e.name.text == "nan"));
  }

  ScalarId word(const Expr& e) {
    const std::string& word = e.name.text;
    if (const auto it = indices_.find(word); it != indices_.end()) return g.index(it->second);
    if (word == "inf" || word == "nan") return g.literal(number(e), DType::f32);
    if (dims_.contains(word)) return g.size(extent(e));
    return g.read(local(e), {});
  }

  ScalarId binary(const Expr& e) {
    const ScalarId x = scalar(e.args[0]), y = scalar(e.args[1]);
    for (int k = 0; k <= static_cast<int>(Fn::detach); ++k) {
      const FnInfo& fn = info(static_cast<Fn>(k));
      if (fn.infix != e.op || fn.arity != 2) continue;
      // `/` is two functions, told apart by the dtype.
      if (fn.fn == Fn::div && g[x].dtype == DType::i32) continue;
      return g.apply(fn.fn, {x, y});
    }
    refuse(e.op_span, "a printed graph has no such operator");
  }

  ScalarId call(const Expr& e) {
    const std::string& word = e.name.text;
    if (is_call(e, "neg", 1)) return g.apply(Fn::neg, {scalar(argument(e, 0))});
    if (is_call(e, "size", 1)) {
      Scalar s;
      s.kind = ScalarKind::size;
      s.dtype = DType::i32;
      s.extent = extent(argument(e, 0));
      return g.add(std::move(s));
    }
    if (is_call(e, "padded", 1)) return g.read(local(argument(e, 0)), {}, true);
    if (is_call(e, "cast", 2)) return g.cast(scalar(argument(e, 0)), dtype(argument(e, 1).name));
    for (DType t : {DType::boolean, DType::i32, DType::f32, DType::f64}) {
      if (!is_call(e, name(t), 1)) continue;
      const Expr& x = argument(e, 0);
      const bool minus = x.kind == ExprKind::unary && x.op == "-" && is_number(x.args[0]);
      if (is_number(x) || minus) return g.literal(number(x), t);
      return g.cast(scalar(x), t);
    }
    const std::optional<Fn> fn = function_named(word);
    if (!fn || static_cast<std::size_t>(info(*fn).arity) != e.arguments.size()) {
      refuse(e.span, "no scalar function is called " + word + " with so many arguments");
    }
    std::vector<ScalarId> args;
    for (const ast::Argument& a : e.arguments) args.push_back(scalar(a.value));
    return g.apply(*fn, std::move(args));
  }

  Graph g;
  Diagnostics& diagnostics_;
  std::map<std::string, DimId> dims_;
  std::map<std::string, NodeId> locals_;          // of the function being read
  std::map<std::string, NodeId> reports_;         // results of a net that have another local name
  std::map<std::string, std::uint32_t> indices_;  // of the comprehension being read
};

}  // namespace

Graph text_to_graph(const Sources& sources, std::uint32_t file, Diagnostics& diagnostics) {
  const ast::File syntax = text_to_ast(sources, file, diagnostics);
  if (diagnostics.has_errors()) return {};
  return Reader(diagnostics).read(syntax);
}

}  // namespace gradc

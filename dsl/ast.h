// ast.h: the syntax of a spec: plain values with a span each. Meaning is given by ast_to_graph.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "dsl/diagnostics.h"

namespace gradc::ast {

struct Name {
  std::string text;  // a trailing ' (next value, in optimizers) is part of it, and so are dots in a path
  Span span;
};

enum class ExprKind : std::uint8_t {
  number,     // number, integer
  string,     // name.text is the contents
  name,       // name
  list,       // [args…]
  unary,      // op args[0];        op: "-" "not"
  binary,     // args[0] op args[1]; op: "+ - * / % ^ == != < <= > >= and or"
  call,       // name(arguments…); a pipe `x |> f(a)` is the call f(x, a) with `piped`
  subscript,  // name[subscripts…]
  reduce,     // op[indices] args[0]; op: "sum max min mean prod argmax argmin"
  like,       // args[0] like args[1]
  choice,     // if args[0] then args[1] else args[2]
  ellipsis,   // `..`, only as a subscript
};

struct Expr;

// An argument of a call: name = value, or just value.
struct Argument;

// i, or i in low..high (both included), or `..`; in a recurrence also a position of time
struct Index;

struct Expr {
  ExprKind kind = ExprKind::number;
  std::uint32_t height = 1;    // of this tree; text_to_ast keeps it within 500, which bounds recursion over it
  Span span;
  std::string op;              // unary, binary, reduce
  Span op_span;                // of the operator or reduction word
  double number = 0;
  bool integer = false;        // number: written without point or exponent
  Name name;                   // name, call, subscript, string
  std::optional<Name> label;   // call: the name its use is given, `first: f(64)`
  bool piped = false;          // call: the first argument came through |>
  std::vector<Expr> args;      // list, unary, binary, reduce, like, choice; subscript: the subscripts
  std::vector<Argument> arguments;  // call
  std::vector<Index> indices;  // reduce
  std::vector<Expr> pad;       // subscript: what an outside read gives (none or one)
};

struct Argument {
  std::optional<Name> name;  // of a parameter of what is called, or the path of one its net or layer owns
  Expr value;
};

struct Index {
  Name name;                // text ".." for all dims
  std::vector<Expr> range;  // none, or low and high
  std::vector<Expr> position;  // in the targets of a recurrence: a time, in place of an index
};

// A type or shape annotation: `f32[B, 64]`, `[.., I]`, `int`. Extents are expressions; `..` an ellipsis.
struct Type {
  Span span;
  std::optional<Name> dtype;  // f32 f64 i32 bool int float string
  bool has_shape = false;
  std::vector<Expr> shape;
};

struct Parameter {  // of an op, layer, net, step or optimizer; also a result
  Name name;
  Type type;
  std::vector<Expr> default_value;  // none or one
};

// y = e;  y[b, o] = e;  a, b = e;  p' = e
struct Target {
  Name name;
  bool indexed = false;
  std::vector<Index> indices;
};
struct Assign {
  std::vector<Target> targets;
  Expr value;
};
struct Param {
  Name name;
  Type type;
  Expr initializer;
  std::vector<Expr> condition;  // none or one
};
struct State {
  Name name;
  Type type;  // empty, in an optimizer: like p
  Expr initial;
  std::vector<Expr> condition;
};
struct Minimize {
  Expr loss;
  std::vector<Name> over, except;  // paths
  Expr optimizer;  // a call
};
struct Report {
  struct Item {
    Name name;
    std::vector<Expr> value;  // none: the value of that name
  };
  std::vector<Item> items;
};
struct Statement;
struct For {  // for i in low..high { … }
  Index index;
  std::vector<Statement> body;
};
struct If {  // if c { … } else { … }
  Expr condition;
  std::vector<Statement> body;
  std::vector<Statement> otherwise;  // of `else if`, one If
};
struct Recur {               // recur t { h[b, -1, k] = 0  h[b, t, k] = … }
  Index time;
  std::vector<Statement> body;  // assignments of elements
};
struct Broken {};  // a statement that did not parse; already reported

struct Statement {
  Span span;
  std::variant<Broken, Assign, Param, State, Minimize, Report, For, If, Recur> what;
};

enum class DefinitionKind : std::uint8_t { op, layer, net, step, optimizer };

struct Definition {
  DefinitionKind kind = DefinitionKind::op;
  Span span;
  Name name;
  std::vector<Parameter> parameters;
  std::vector<Parameter> results;
  std::vector<Statement> body;
  std::vector<Expr> value;  // `op f(x) = e`: one expression, and no body
  bool custom = false;      // `custom op … gradient { … }`
  std::vector<Statement> gradient;
};

struct DimDecl {
  Name name;
  bool bounded = false;  // <= rather than =
  Expr size;
};
struct ConstDecl {
  Name name;
  Type type;
  Expr value;
};
struct Import {
  std::string path;
  Span path_span;
};

// program { … }: words and expressions as written; ast_to_graph checks them against the steps.
struct DataDecl {
  Name name;
  Expr source;  // a call: csv(…), idx(…), npy(…), values(…), random(…)
};
struct SplitDecl {
  struct Part {
    Name name;
    double percent = 0;
  };
  Name data;
  std::vector<Part> parts;
  std::vector<Expr> seed;
};
struct DataName {
  Name data;
  std::optional<Name> part;
};
struct FitDecl {
  Name step;
  DataName on;
  std::vector<Expr> epochs, batch, seed;  // none or one each
  bool shuffle = false;
};
struct TestDecl {
  Name step;
  DataName on;
  std::optional<Name> with;  // here and below: a state of an optimizer in the place of its parameters, a path
};
// Runs a net on data and prints what it gives, or writes it to a file.
struct ShowDecl {
  Name net;
  DataName on;
  std::vector<Expr> examples, path;  // none or one each
  std::optional<Name> with;
};
// What is measured over all of the data at once: `score f1 of classify against label on d`
struct ScoreDecl {
  std::vector<Name> metrics;
  Name net;
  std::optional<Name> output;  // of the net, if it has several
  Name target;                 // a field of the data
  DataName on;
  std::vector<Expr> threshold;  // none or one
  std::optional<Name> with;
};
struct SaveDecl {
  Expr path;
  std::optional<Name> with;
};
struct LoadDecl {
  struct Mapping {
    Name from, to;  // paths
  };
  Expr path;
  std::vector<Mapping> mappings;  // none: every name as it is
};
struct ProgramStatement {
  Span span;
  std::variant<Broken, DataDecl, SplitDecl, FitDecl, TestDecl, ShowDecl, ScoreDecl, SaveDecl, LoadDecl>
      what;
};
struct ProgramDecl {
  std::vector<ProgramStatement> statements;
};

struct Item {
  Span span;
  std::variant<Broken, Import, DimDecl, ConstDecl, Definition, ProgramDecl> what;
};

struct File {
  std::vector<Item> items;
};

}  // namespace gradc::ast

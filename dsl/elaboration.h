// elaboration.h: what the files of ast_to_graph share: values, scopes, and the state of one
// elaboration.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/ast.h"
#include "dsl/ast_to_graph.h"
#include "dsl/graph.h"
#include "dsl/library.h"

namespace gradc {

constexpr std::int64_t max_extent_value = 0x7fffffff;           // subscripts are i32
constexpr std::int64_t max_elements = std::int64_t{1} << 40;    // of one tensor
constexpr std::int64_t max_iterations = std::int64_t{1} << 50;  // of one reduction
constexpr std::size_t max_rank = 8;
constexpr std::size_t max_nodes = 1'000'000;
constexpr std::size_t max_calls = 100'000;
constexpr std::size_t max_rounds = 10'000;  // of one loop
constexpr std::size_t max_evaluations = 20'000'000;
constexpr std::size_t max_call_depth = 64;
constexpr std::size_t max_expression_depth = 1'000;

enum class ValueKind : std::uint8_t {
  poison,   // an error already reported; silences what follows from it
  number,   // compile time: number, integer
  boolean,  // compile time: number is 0 or 1
  text,     // compile time: text
  size,     // extent: a size with a run-time dim
  tensor,   // type; body, over the indices 0 … rank-1
  scalar,   // body: one element, over the active indices
  tuple,    // parts: the results of a call
  absent,   // a param whose condition is false; reads as 0
  updater,  // an optimizer with its arguments: definition, parts (of those not given, poison)
};

struct Value {
  ValueKind kind = ValueKind::poison;
  double number = 0;
  bool integer = false;
  std::string text;
  Extent extent;
  TensorType type;
  ScalarId body;
  std::vector<Value> parts;
  const ast::Definition* definition = nullptr;
  Span span;  // updater: the call

  bool is(ValueKind k) const { return kind == k; }
  bool poisoned() const { return kind == ValueKind::poison; }
  // Known at compile time and usable in arithmetic.
  bool constant() const { return is(ValueKind::number) || is(ValueKind::boolean); }
};

Value number_value(double, bool integer);
Value boolean_value(bool);
Value text_value(std::string);
Value size_value(const Extent&);  // a number if it is fixed
Value scalar_value(ScalarId);
Value tensor_value(const Graph&, TensorType, ScalarId body);

// `/` rounds down in an integer position, else it is real division.
enum class Position : std::uint8_t { real, integer };

struct Binding {
  Value value;
  Span span;
};

struct GlobalValue {
  const ast::DimDecl* dim = nullptr;
  const ast::ConstDecl* constant = nullptr;
  enum State : std::uint8_t { unseen, visiting, done } state = unseen;
  Value value;
  Span span;
};

// What the spec and the files it imports declare.
struct Declarations {
  std::map<std::string, GlobalValue> values;
  std::map<std::string, const ast::Definition*> definitions;
};

// Where the value of a name in a signature came from, for messages.
struct DimOrigin {
  std::string parameter;
  std::string type;
};

// One pass through the body of a `for`.
struct Round {
  std::int64_t number = 0;
  std::set<std::string> outside;  // names from before the loop: each may get one new value a round
  std::set<std::string> given;    // those that have theirs
};

// The names of one definition while its body is elaborated.
struct Scope {
  const ast::Definition* definition = nullptr;  // null: outside of any
  bool in_prelude = false;
  bool silent = false;          // part of the body did not parse
  std::string path;             // prefix of parameters made here; empty: none
  std::size_t first_index = 0;  // active indices below this are the caller's
  std::size_t first_ellipsis = 0;
  std::map<std::string, Binding> locals;
  std::map<std::string, DimOrigin> origins;  // of dims bound by the signature
  std::optional<Shape> leading;              // what `..` of the signature stands for
  std::string leading_origin;
  std::map<std::string, int> layer_counts;
  std::map<std::string, Span> layer_labels;
  std::vector<NodeId> own_parameters;  // in order, for LayerUse
  // Of parameters whose extents were inferred: where the subscripts of each dim begin.
  std::map<std::string, std::vector<std::int64_t>> first_subscripts;
  std::vector<Round> rounds;           // of the loops around the statement, outermost first
  std::map<std::string, Shape> cotangents;  // of a custom op: the shapes of what its gradient defines
};

struct ActiveIndex {
  std::string name;  // anonymous ones, of `..`, are named ".."
  ScalarId value;    // index(position) + low
  Extent extent;
  Span span;
};

struct EllipsisGroup {
  std::size_t first = 0, count = 0;
};

struct CallFrame {
  const ast::Definition* definition;
  Span span;
};

// A value a call gives in place of a parameter.
struct Replacement {
  Value value;
  Span span;
  bool used = false;
};

// The updates of a minimize, while its optimizer is run for one parameter after another.
struct Updating {
  NodeId parameter{};
  std::string state_path{};        // prefix of the states of the optimizer that is run
  std::vector<Update> updates{};   // of the states of optimizers within it
  std::size_t total_count = 0;   // totals met for this parameter
  std::vector<NodeId> totals{};    // placeholders, by the order in which a run meets them
  std::vector<std::vector<NodeId>> terms{};  // of each total, one for each parameter
};

// What is being emitted: the net or step at the root of the current calls.
struct Unit {
  std::string name;
  std::vector<NodeId> parameters;  // met on the way, in order, once each
  std::vector<std::string> nets;   // called, in order, once each
  bool training = false;           // the value of `training`
  std::map<NodeId, NodeId> next{};  // what calls have left so far of the states of nets and layers
};

struct Recurrence;  // elaborate_recurrence.cpp

struct Elaboration {
  Spec& spec;
  Graph& graph;
  Sources& sources;
  Diagnostics& diagnostics;
  const SpecOptions& options;

  Library prelude;
  std::map<std::string, GlobalValue> prelude_values{};  // those asked for
  Declarations user{};
  bool broken_items = false;  // a declaration did not parse
  std::vector<CallFrame> calls{};
  std::vector<ActiveIndex> indices{};
  std::vector<EllipsisGroup> ellipses{};
  Unit unit{};
  std::map<std::string, NodeId> parameters{};  // and states of nets and layers, by path
  std::map<std::string, Replacement> replaced{};  // by path, in the calls of this moment
  std::map<std::string, std::vector<NodeId>> net_parameters{};
  std::map<std::string, std::vector<std::string>> trained_nets{};  // by step
  Updating* updating = nullptr;  // while an optimizer is run
  std::vector<const ast::Definition*> emitted{};  // nets and steps, in the order of the spec
  std::vector<Update> initial{};                  // of parameters and states, in order
  std::optional<TensorType>
      random_shape{};  // of normal() and uniform() where the context gives one
  std::string random_path{};
  std::map<std::string, std::uint32_t> random_counts{};
  // By the path and the number of the draw there; one elaborated again gets the same again.
  std::map<std::pair<std::string, std::uint32_t>, std::uint32_t> streams{};
  std::set<std::uint32_t> used_streams{};
  std::set<std::string> totals{};      // names of placeholders
  std::set<std::string> untyped{};     // names of a recurrence whose shapes are not known yet
  Recurrence* recurrence = nullptr;    // the one whose equations are elaborated
  std::optional<std::pair<std::string, Extent>> time{};  // its index of time, once its range is known
  std::size_t call_count = 0;
  std::size_t evaluations = 0;
  std::size_t depth = 0;
  bool exhausted = false;

  // Adds `notes` and, after them, the chain of calls that led here.
  Diagnostic& error(std::string_view id, Span, std::string message, std::vector<Note> notes = {});
};

// ---- values (values.cpp) ----

// The place itself, or, if it is in the prelude, the place in the spec whose call led there.
Span place_in_spec(const Elaboration&, Span);

std::string text(const Graph&, const Extent&);
std::string text(const Graph&, const TensorType&);        // "f32[B, 64]"
std::string text(const Graph&, const Shape&);             // "[B, 64]"
std::string describe(const Elaboration&, const Value&);   // "f32[B, 64]", "the number 3"
std::string_view word(ast::DefinitionKind);               // "layer"
std::string_view word_with_article(ast::DefinitionKind);  // "a layer"
std::string in_quotes(std::string_view);                  // in single quotes

DType dtype_of(const Elaboration&, const Value&);  // of a run-time value or a literal left alone
Value node_value(const Elaboration&, NodeId);      // all elements of a node
// A name may be read many times, so what it stands for becomes a node.
NodeId materialize(Elaboration&, const Value& tensor);
NodeId materialize(Elaboration&, const Value& tensor, const std::string& label, Span);
// Numbers and sizes become tensors without dims; poison where it is no such thing.
Value runtime_value(Elaboration&, const Value&, Span);
ScalarId cast_literal(Elaboration&, const Value& constant, DType, Span);
Value cast_to(Elaboration&, const Value&, DType, Span);
std::optional<Extent> extent_of(const Value&);       // of an integer number or a size
bool check_shape(Elaboration&, const Shape&, Span);  // extents, rank, elements; reports
// A number, boolean or smaller tensor spread over `type`; poison (reported) where it does not fit.
Value spread(Elaboration&, const Value&, const TensorType&, Span, const std::string& what);
// Indices below `limit` that occur, in order.
std::vector<std::uint32_t> indices_in(const Graph&, ScalarId, std::size_t limit);
// A comprehension of `body` whose free indices are the active ones that occur in it; an element of
// it.
ScalarId nested(Elaboration&, ScalarId body, std::size_t active, Reduction, Span);

// ---- arithmetic (elaborate_arithmetic.cpp) ----

struct Operands {
  Span span;                // of the operation
  std::vector<Span> spans;  // of the operands
  std::string word;         // what the spec writes: "+", "max"
  Position position = Position::real;
};
Value apply(Elaboration&, Fn, std::vector<Value>, const Operands&);
Value divide(Elaboration&, std::vector<Value>, const Operands&);

// ---- names and constants (scope.cpp) ----

bool is_builtin_function(std::string_view);
// A declaration's value, computed at first use.
const Value& global_value(Elaboration&, GlobalValue&);
const ast::Definition* find_definition(Elaboration&, const Scope&, const std::string& name);
// The value of a name, or nothing; no error.
std::optional<Value> find_value(Elaboration&, const Scope&, const std::string& name);
Value lookup(Elaboration&, Scope&, const ast::Name&, bool in_subscript);
void unknown_name(Elaboration&, const Scope&, std::string_view id, const ast::Name&,
                  const std::string& message, const std::vector<std::string>& candidates);
bool bind(Elaboration&, Scope&, const ast::Name&, Value);
// The parameter at a path, `fc1.W` of what is elaborated or `classify.fc1.W` of a net; nothing if there is none.
std::optional<Value> parameter_at(Elaboration&, const Scope&, const std::string& path);
void declare(Elaboration&, const ast::File&);
void apply_overrides(Elaboration&);

// ---- expressions ----

Value evaluate(Elaboration&, Scope&, const ast::Expr&, Position = Position::real);
// A compile-time condition.
std::optional<bool> evaluate_condition(Elaboration&, Scope&, const ast::Expr&);
std::optional<Extent> evaluate_extent(Elaboration&, Scope&, const ast::Expr&);
Value evaluate_builtin(Elaboration&, Scope&, const ast::Expr& call, Position);
Value evaluate_like(Elaboration&, Scope&, const ast::Expr&);
// Elements (values with no free index) become tensors without dims.
Value close(Elaboration&, const Value&);
// What an argument or a name stands for may be read many times, so a long formula becomes a node.
Value share(Elaboration&, const Value&, const std::string& label, Span);

// ---- index notation (elaborate_indices.cpp, infer_ranges.cpp, check_reads.cpp) ----

Value evaluate_subscript(Elaboration&, Scope&, const ast::Expr&);
void wrong_rank(Elaboration&, const ast::Expr& subscript, const TensorType&, std::size_t given,
                const std::string& explanation);
Value evaluate_reduce(Elaboration&, Scope&, const ast::Expr&);
// y[b, o] = value
Value evaluate_indexed(Elaboration&, Scope&, const ast::Target&, const ast::Expr& value);

// recur t { … }: its names are bound when it ends.
void recur(Elaboration&, Scope&, const ast::Recur&, Span);
// An element of one of its names, while its equations are elaborated.
Value read_past(Elaboration&, Scope&, const ast::Expr& subscript, NodeId past,
                std::vector<ScalarId> subscripts, const std::vector<Span>&);
// The value as one element; an invalid id if it is none (reported).
ScalarId element(Elaboration&, const Value&, Span);
// `inner`, 0 outside, or what the read's `pad` says where one of those subscripts is outside.
Value padded(Elaboration&, Scope&, const ast::Expr& read, NodeId tensor,
             const std::vector<ScalarId>& subscripts, const std::vector<bool>& outside, ScalarId inner);
// Indices made active for as long as it lives.
class ActiveScope {
 public:
  ActiveScope(Elaboration&, const std::vector<ActiveIndex>&, const std::optional<EllipsisGroup>&);
  ~ActiveScope();
  ActiveScope(const ActiveScope&) = delete;
  ActiveScope& operator=(const ActiveScope&) = delete;
  std::size_t first() const { return indices_; }

 private:
  Elaboration& e_;
  std::size_t indices_, ellipses_;
};

// One entry per index, `..` expanded to as many as it stands for (their names are "..").
struct IndexRanges {
  std::vector<ActiveIndex> indices;
  std::optional<EllipsisGroup> ellipsis;  // relative to the first
  bool ok = true;
};
IndexRanges infer_ranges(Elaboration&, Scope&, const std::vector<ast::Index>&,
                         const ast::Expr& body, const std::optional<Shape>& declared);
// `param W: f32[_, _]`: its type with what the ranges of its subscripts say in place of each `_`, and
// where they begin; nothing if reported (infer_extents.cpp).
bool has_open_extents(const ast::Type&);
std::optional<ast::Type> close_extents(Elaboration&, Scope&, const ast::Name&, const ast::Type&,
                                       std::vector<std::int64_t>& first_subscripts);
// False (reported) if subscript k of a read of `tensor` can leave it. `padded` gets true where it
// can and a pad says what stands there.
struct ReadCheck {
  bool ok = true;
  std::vector<bool> outside;  // by subscript: can it leave
};
ReadCheck check_read(Elaboration&, NodeId tensor, const std::vector<ScalarId>& subscripts,
                     const std::vector<Span>& spans, const std::string& name, bool padded);

// ---- calls and bodies (elaborate_call.cpp, unify.cpp, elaborate_body.cpp, elaborate_control.cpp) ----

Value evaluate_call(Elaboration&, Scope&, const ast::Expr& call, Position);

struct CallArgument {
  Value value;
  Span span;
  bool given = false;
};
// Arguments by parameter; false if reported or poison.
// Named arguments that are none of its parameters replace what a net or layer owns, where `replaced` is given.
bool match_arguments(Elaboration&, Scope&, const ast::Definition&, const ast::Expr& call,
                     std::vector<CallArgument>&, std::map<std::string, Replacement>* replaced = nullptr);
// Binds the parameters of `callee`'s definition to the arguments.
bool bind_parameters(Elaboration&, Scope& callee, std::vector<CallArgument>&, Span call);
// The declared shape of a result, if all its names are known by now.
std::optional<Shape> declared_shape(Elaboration&, Scope&, const ast::Type&);
std::optional<DType> dtype_named(std::string_view);
bool is_compile_time(const ast::Type&);  // int, float, bool, string: without a shape
// The type of a net's or step's parameter, a param or a state: every extent is known.
std::optional<TensorType> declared_type(Elaboration&, Scope&, const ast::Type&, const ast::Name&);
Value check_result(Elaboration&, Scope&, const ast::Parameter&, const Value&, Span);

// What the statements of steps and optimizers leave for their caller.
struct BodyEffects {
  std::vector<const ast::Minimize*> minimizes{};
  std::vector<const ast::Report*> reports{};
  // Names that have a next value, and the nodes they are of; in an optimizer p first.
  std::vector<std::pair<std::string, NodeId>> states{};
  std::string state_path{};  // optimizer: prefix of state names
};
// A name for the node, better than the one it got inside what was called to make it.
void relabel(Elaboration&, NodeId, std::size_t node_count, const ast::Name&, bool in_prelude);
void execute(Elaboration&, Scope&, const std::vector<ast::Statement>&, BodyEffects&);
void run_loop(Elaboration&, Scope&, const ast::For&, BodyEffects&);    // elaborate_control.cpp
void run_branch(Elaboration&, Scope&, const ast::If&, BodyEffects&);
std::string loop_suffix(const Scope&);  // the numbers of the loops around a statement: "", "3", "3_0"
// Runs a body and gives its results: one value, or a tuple.
Value run_body(Elaboration&, Scope&, BodyEffects&);
// The same of a custom op, with its gradient (elaborate_custom.cpp).
Value run_custom(Elaboration&, Scope& callee, BodyEffects&);
Scope scope_of(Elaboration&, const ast::Definition&);
bool too_deep(Elaboration&, const ast::Definition&, Span call);

// ---- what is emitted (elaborate_net.cpp, elaborate_step.cpp, ast_to_program.cpp) ----

// The inputs of the function a net or step becomes; false if reported.
bool bind_inputs(Elaboration&, Scope&, Function&);
void elaborate_net(Elaboration&, const ast::Definition&);
void elaborate_step(Elaboration&, const ast::Definition&);
// ---- optimizers (elaborate_optimizer.cpp) ----

Value optimizer_value(Elaboration&, Scope&, const ast::Expr& call);  // a call or name of one
// The updates of `parameters`, all from the values before the step, and of what their optimizers keep.
std::vector<Update> optimize(Elaboration&, const Value& updater, const std::string& step, NodeId loss,
                             const std::vector<NodeId>& parameters, const Value& t);
// inner(p, g): what an optimizer given as a parameter makes of p.
Value evaluate_inner(Elaboration&, Scope&, const Value& updater, const ast::Expr& call);
// total(e): the sum of e over all parameters of the minimize.
Value evaluate_total(Elaboration&, Scope&, const ast::Expr& call);

NodeId add_state(Elaboration&, const std::string& path, const TensorType&, const Value& initial,
                 Span);
Program ast_to_program(Elaboration&, const ast::ProgramDecl&, Span);

}  // namespace gradc

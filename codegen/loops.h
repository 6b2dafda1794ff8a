// loops.h: loop nests over flat buffers, and the module they live in: what remains of a spec once
// every tensor has a place in memory and every sum an order.
//
// Nothing here is C++: a target prints the same statements with its own spelling. All names are
// already identifiers (see names.h), unique in their kernel, function or module.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "dsl/graph.h"

namespace gradc::loops {

// ---------------------------------------------------------------- expressions

// Types of registers. Integers are 64 bits wide in registers whatever the buffer holds.
enum class Type : std::uint8_t { boolean, integer, f32, f64 };

enum class ExprKind : std::uint8_t {
  literal,   // value
  variable,  // name: a loop index, let, accumulator, dim or scalar argument
  load,      // element args[0] of buffer argument `name`; `lanes` consecutive ones if lanes > 1, of which only the
             // first args[1] are read, and 0 stands for the others, if there is a second argument
  apply,     // fn(args); Fn::cast converts to `type`; a scalar operand among vectors is spread
  random,    // draw number args[0] with parameters args[1] and args[2], of `stream` or, if there is one, of args[3]
  lane_fold, // fn of the lanes of args[0], in an order that their number alone determines; fn: add, mul, max, min.
             // Of several args (add alone) a vector that holds the sum of each
  pointer,   // address of element args[0] of buffer argument `name` (arguments of calls and transpositions only)
  place,     // `place` of the thread that runs this: kernels with a launch only
  rounded,   // args[0], an f32, as bf16 has it
  pairs,     // as many neighbouring pairs as there are lanes, from element args[0] of buffer argument `name` on, as bf16
  spread_pair,  // the pair from element args[0] on in all lanes, as bf16
  dot,       // args[0] and, of each lane, both products of the pairs args[1] and args[2]
};

// Numbers that tell the threads of a launch apart, from 0.
enum class Place : std::uint8_t {
  thread,  // of the thread in its block
  block,   // of the block in the launch
  global,  // of the thread in the launch
};

struct Expr {
  ExprKind kind = ExprKind::literal;
  Type type = Type::f32;
  int lanes = 1;
  Fn fn = Fn::neg;
  double value = 0;
  std::string name;
  Distribution distribution = Distribution::normal;
  std::uint32_t stream = 0;
  std::vector<Expr> args;
  Place place = Place::thread;
  friend bool operator==(const Expr&, const Expr&) = default;
};

// ---------------------------------------------------------------- statements

enum class LoopKind : std::uint8_t {
  serial,    // in order
  parallel,  // iterations are independent; order and thread do not influence the result
  vector,    // as parallel, and accesses are contiguous: for SIMD lanes
  unrolled,  // a few iterations, each with its own registers
  once,      // variable = begin, if that is less than end: one iteration at most
  chosen,    // those positions from begin on, in order, that the block's last Choose chose
};

struct Stmt;
using Block = std::vector<Stmt>;

// for (variable = begin; variable + step <= end; variable += step), or, if the last step may be `partial`,
// for (variable = begin; variable < end; variable += step). An empty begin goes on where the loop before it in the
// block, over the same variable, stopped.
struct For {
  std::string variable;
  std::vector<Expr> begin;  // one or none
  Expr end;
  std::int64_t step = 1;
  LoopKind kind = LoopKind::serial;
  std::vector<Stmt> body;
  bool partial = false;
  std::int64_t granule = 0;  // a part of a partial step may begin at any multiple of it; 0: at a step
  friend bool operator==(const For&, const For&) = default;
};
struct Let {  // a register; `changes`: it is an accumulator
  std::string name;
  Expr value;
  bool changes = false;
  friend bool operator==(const Let&, const Let&) = default;
};
// Accumulators name[0], name[1], …, as many as the value has lanes; it is what each of them holds at first. For loops
// of scalar arithmetic in which each iteration has its own: the host compiler makes vectors of them.
struct Lanes {
  std::string name;
  Expr value;
  friend bool operator==(const Lanes&, const Lanes&) = default;
};
struct Accumulate {  // name = fn(name, value), or name[lane] where there is a lane; fn: add, mul, max, min
  std::string name;
  Fn fn = Fn::add;
  Expr value;
  std::vector<Expr> lane = {};  // one or none
  friend bool operator==(const Accumulate&, const Accumulate&) = default;
};
struct Assign {  // name = value
  std::string name;
  Expr value;
  friend bool operator==(const Assign&, const Assign&) = default;
};
struct Store {  // buffer[index] = value, or fn(buffer[index], value) if `accumulates`
  std::string buffer;
  Expr index;
  Expr value;
  bool accumulates = false;
  Fn fn = Fn::add;
  std::vector<Expr> first = {};  // one or none: only so many of the value's lanes are stored
  friend bool operator==(const Store&, const Store&) = default;
};
struct If {  // the literal true: just a scope for registers
  Expr condition;
  std::vector<Stmt> body;
  friend bool operator==(const If&, const If&) = default;
};
struct Call {  // another kernel of the module
  std::string kernel;
  std::vector<Expr> args;
  friend bool operator==(const Call&, const Call&) = default;
};
// to[c · to_stride + r] = from[r · from_stride + c] for r < rows, c < columns; `from` and `to` are pointers.
struct Transpose {
  Expr from, from_stride, rows, columns, to, to_stride;
  friend bool operator==(const Transpose&, const Transpose&) = default;
};
struct Prefetch {  // buffer[index], which may be outside, is wanted soon
  std::string buffer;
  Expr index;
  friend bool operator==(const Prefetch&, const Prefetch&) = default;
};
struct Barrier {  // what the threads of a block wrote before it, all of them read after it
  friend bool operator==(const Barrier&, const Barrier&) = default;
};
struct Comment {
  std::string text;
  friend bool operator==(const Comment&, const Comment&) = default;
};
// Register `name` of every thread of the block becomes fn of those of all, in an order that the block's
// size alone determines. gt and lt choose the largest or least, and with it the `position` (the first of equals).
struct Combine {
  std::string name;
  Fn fn = Fn::add;
  std::string position;
  loops::Type type = loops::Type::f32;  // of the register
  friend bool operator==(const Combine&, const Combine&) = default;
};
// Each thread of the block says whether its number is chosen; afterwards all know. For loops over the chosen.
struct Choose {
  Expr condition;
  friend bool operator==(const Choose&, const Choose&) = default;
};
struct Stmt {
  std::variant<For, Let, Lanes, Accumulate, Assign, Store, If, Call, Transpose, Prefetch, Barrier, Comment, Combine, Choose> it;
  friend bool operator==(const Stmt&, const Stmt&) = default;
};

// ---------------------------------------------------------------- the module

enum class Storage : std::uint8_t {
  input,      // argument `name` of the function
  output,     // argument `name` of the function; of a step: member `name` of its result
  parameter,  // member `name` of Parameters
  state,      // member `name` of State
  gradient,   // member `name` of the second Parameters of a backward function
  workspace,  // `offset` bytes into the workspace; `name` is a local pointer
  constant,   // table `name` of the source file
};

// What memory holds: f32 values may be stored as bf16.
struct Element {
  DType dtype = DType::f32;
  bool bf16 = false;
  friend bool operator==(const Element&, const Element&) = default;
};
constexpr std::int64_t bytes_of(Element e) {
  return e.bf16 ? 2 : e.dtype == DType::f64 ? 8 : e.dtype == DType::boolean ? 1 : 4;
}
constexpr std::int64_t bytes_of(DType t) { return bytes_of(Element{t}); }

struct Buffer {
  std::string name;       // identifier
  std::string spec_name;  // in the spec ("classify.dense1.W"); of a workspace buffer its label
  Storage storage = Storage::workspace;
  TensorType type;
  bool bf16 = false;             // workspace: its f32 values are stored as bf16
  std::int64_t elements = 0;     // with every dim at its bound
  std::int64_t bytes = 0;
  std::int64_t offset = -1;      // workspace; before plan_memory: -1
  std::vector<double> values;    // constant

  Element element() const { return {type.dtype, bf16}; }
};

struct Argument {
  std::string name;
  DType dtype = DType::f32;
  bool written = false;
  bool bf16 = false;  // its f32 values are

  Element element() const { return {dtype, bf16}; }
  friend bool operator==(const Argument&, const Argument&) = default;
};

// Memory of a kernel's own: of each thread, or `shared` by the threads of a block. Its contents are not set.
struct Array {
  std::string name;
  DType dtype = DType::f32;
  std::int64_t elements = 1;
  bool shared = false;
  friend bool operator==(const Array&, const Array&) = default;
};

// How many threads run a kernel: `threads` in each of `blocks` blocks. None at all: it is called as a function.
struct Launch {
  int threads = 0;
  std::vector<Expr> blocks;  // one, of the kernel's counts
  friend bool operator==(const Launch&, const Launch&) = default;
};

// What of a kernel one call computes: positions from its first count up to, and without, its second, of `extent` in
// all. Whatever the parts, each position is computed by the same instructions, if every part but the last ends at a
// multiple of `granule`.
struct Parts {
  Expr extent;  // of the kernel's other counts
  std::int64_t granule = 1;
};

// One function of its own in the emitted source. Scalars come first in its signature: `counts` (64-bit),
// then seed and step if it draws, then the buffers.
struct Kernel {
  std::string name;
  std::vector<std::string> comment;  // lines: formula, shapes, where in the spec
  std::vector<std::string> counts;   // run-time dims, or row counts of a tile
  bool draws = false;                // takes `std::uint64_t seed, std::uint32_t step` …
  bool one_stream = false;           // … and `std::uint32_t stream`: it draws from one alone, which its calls say
  std::vector<Argument> arguments;
  Block body;
  Launch launch;
  std::vector<Array> arrays;
  std::vector<Parts> parts;          // one or none: then it is computed as a whole
  std::string place;                 // in the spec: "digits.nn:8", or empty
  bool apart = false;                // its registers are allocated best where loops of no caller stand around it
};

// What a call of a step is for: values on the way to the reports; a report, and what shares a pass with
// it; gradients and updates.
enum class Part : std::uint8_t { forward, report, backward };

struct Invocation {
  std::uint32_t kernel = 0;            // index into Module::kernels
  std::vector<std::uint32_t> buffers;  // index into Module::buffers, one per argument
  Part part = Part::forward;
  std::uint32_t loop = 0;              // it is in loop number `loop` of its function, from 1 on; 0: in none
  bool waits = false;                  // until all threads have done what stands before it
  bool retypes = false;                // it writes where values of another type were
  std::uint32_t stream = 0;            // of a kernel that draws from one
};

// Invocations next to each other that run for each value of the indices, the last of which changes fastest: from 0 to
// count - 1, or from there to 0.
struct Iteration {
  struct Index {
    std::string variable;
    Extent count;
  };
  std::vector<Index> indices;
  bool backwards = false;
};

enum class Entry : std::uint8_t { init, forward, backward, step, evaluate };

// One emitted function. Signature order: structs, dims, inputs, (backward: cotangents), outputs.
struct Function {
  std::string name;       // identifier: "classify"; the scaffold adds _forward, …
  std::string spec_name;
  Entry entry = Entry::forward;
  Span span;
  std::vector<DimId> dims;             // run-time dims of its arguments, ascending
  std::vector<std::uint32_t> inputs;   // buffers; backward: inputs, then cotangents
  std::vector<std::uint32_t> outputs;  // forward: outputs; backward: gradients of inputs; step, evaluate: reports
  std::vector<std::uint32_t> gradients;  // backward: buffers of storage gradient
  std::vector<Invocation> calls;       // in order
  std::vector<Iteration> loops;
  std::size_t forward_calls = 0;       // the first so many are what its outputs need
  bool draws = false;                  // some kernel needs the seed
  bool reads_state = false;            // forward, backward: the net has state
  std::vector<Expr> work;              // one: threads share it, this much (see work.h) of its dims; or none
  // Number of runs so far, for random numbers: a state buffer, or none (0 is used).
  std::vector<std::uint32_t> counter;
};

struct MemoryReport {            // of one net (forward + backward) or step, bytes at the dims' bounds
  std::string function;          // spec name
  std::int64_t peak = 0;         // of the plan
  std::int64_t lower_bound = 0;  // most bytes alive at once
  std::int64_t saved = 0;        // nets and steps: forward values that a gradient reads later
};

struct Module {
  std::string name;                        // of the spec, an identifier; the namespace
  std::vector<Dim> dims;                   // run-time dims by DimId, `name` an identifier
  std::vector<Buffer> buffers;
  std::vector<std::uint32_t> parameters;   // buffers, in the order of struct Parameters
  std::vector<std::uint32_t> state;        // buffers, in the order of struct State
  std::vector<std::uint32_t> constants;    // buffers with tables
  std::vector<Kernel> kernels;
  std::vector<Function> functions;         // init, then each net (forward, backward), step (step, evaluate)
  std::int64_t workspace_bytes = 0;
  std::vector<MemoryReport> memory;
};

}  // namespace gradc::loops

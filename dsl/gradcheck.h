// gradcheck.h: the symbolic gradients of a graph against finite differences of its values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dsl/graph.h"

namespace gradc {

struct GradcheckOptions {
  std::uint64_t seed = 1;       // of the inputs, and of which elements of large tensors are checked
  double step = 1e-6;           // of the differences
  double tolerance = 1e-5;      // of the error, relative to the gradient
  std::int64_t small = 64;      // tensors up to this size are checked in every element,
  std::int64_t samples = 16;    // larger ones in so many elements
  std::int64_t directions = 3;  // and along so many random directions of all their elements;
  double work = 5e7;            // fewer, where the terms computed for all comparisons would be more
  std::string function;         // only this one; empty: all
  void (*transform)(Graph&) =
      nullptr;  // applied to the gradients before they are evaluated: simplify
};

enum class GradientVerdict : std::uint8_t {
  right,
  wrong,
  not_finite,  // the loss or its gradient is no finite number at any of the inputs tried
  no_slope,    // the loss has a kink or a jump wherever it was looked at
  hidden,      // it is no 0, but less than what rounding leaves of differences, wherever it was looked at
  differs,     // that of a custom op is not the derivative of its value, as it need not be
};

// One gradient: of a loss of a step; for a net of the sum of its outputs with random weights, for a custom op
// of its result with such. In those of nets and steps what a custom op gives is taken for right.
struct GradientCheck {
  std::string function;
  std::string loss;           // name of the loss; for a net its outputs
  std::string variable;       // the parameter, or the input of a net
  std::int64_t elements = 0;  // of the variable
  std::int64_t compared = 0;  // differences taken
  std::int64_t kinks = 0;     // and not compared, because the two sides of the point disagree
  double norm = 0;            // of the gradient, root of mean square
  double error = 0;           // the largest, relative: as a multiple of the norm or of the element; less what the
                              // difference may be off by itself, because the loss is rounded and bends
  double blur = 0;            // the most that was, where the error would be too large without
  bool is_zero = false;       // up to rounding
  std::string place;          // where that is: "[3, 4]", or "along a direction"
  double symbolic = 0, numeric = 0;  // there
  GradientVerdict verdict = GradientVerdict::right;
  std::string message;  // why the loss could not be evaluated
};

// Takes the graph as ast_to_graph makes it or as differentiate leaves it; differentiates a copy.
std::vector<GradientCheck> gradcheck(const Graph&, const GradcheckOptions& = {});

// The results as a table for a terminal, one line each.
std::string gradcheck_to_text(const std::vector<GradientCheck>&);

}  // namespace gradc

// random_spec_scope.h: expressions of random specs: what can be read, and random text that reads it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tests/random_graph.h"

namespace test {

// An expression, with a bound of its absolute value from which it is scaled.
struct Text {
  std::string text;
  double bound = 0;
};

struct SpecDim {
  std::string name;
  std::int64_t size = 1;
  bool bounded = false;
};

struct SpecTensor {
  std::string name;
  std::vector<std::size_t> axes;  // numbers of dims
  double bound = 1;               // floats: of the absolute value
  std::size_t positions = 0;      // integers: they are positions of this dim
};

struct SpecIndex {
  std::string name;
  std::int64_t low = 0, high = 0;
  bool of_dim = false;
  std::size_t dim = 0;
  bool alone = false;   // it alone subscripts a tensor somewhere, which gives its range
  bool clashes = false;  // and somewhere another extent than that
};

struct SpecOp {  // op name(x, y, c = …)
  std::string name;
  double bound = 1;  // of what it gives for arguments of at most 2
};

class SpecScope {
 public:
  explicit SpecScope(std::uint64_t seed) : choices(seed) {}

  Choices choices;
  std::vector<SpecDim> dims;
  std::vector<SpecTensor> floats, integers, booleans;
  std::vector<SpecOp> ops;
  std::vector<SpecIndex> indices;  // of the expression being made
  std::vector<std::string> letters;  // in an op: what it may name instead of tensors

  std::int64_t points(const std::vector<std::size_t>& axes) const;
  std::string shape(const std::vector<std::size_t>& axes) const;  // "[B, H]"
  // Of the same extent, whatever it is at run time.
  bool same(std::size_t a, std::size_t b) const;

  SpecIndex index_of(std::size_t dim);
  // As it stands on the left or in a reduction; call after everything that uses it.
  std::string declared(const SpecIndex&) const;

  std::string element(const SpecTensor&, bool* padded = nullptr, bool deep = false);
  Text expression(int depth);
  Text scaled(Text, double bound);
  std::string condition(int depth);
  std::string number(double low, double high);

 private:
  std::string subscript(std::size_t dim, bool deep);
  std::string subscript_by_chance(std::size_t dim, bool deep);
  std::string anywhere(std::size_t dim);
  Text leaf();
  Text reduction(int depth);
  Text of_two(Text x, Text y);
  Text of_one(Text x);
  const SpecTensor& recent();
  std::string fresh_index();
  int names_ = 0;
};

}  // namespace test

// work.h: how long loops take, roughly, as a polynomial in their counts.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/loops.h"

namespace gradc {

// Factors by name, sorted → coefficient. One unit is about one operation on one lane of a vector: some 100 of them
// take a nanosecond.
using Work = std::map<std::vector<std::string>, double>;

Work sum(Work, const Work&);
Work product(const Work&, const Work&);
Work of_number(double);

// An integer expression of counts. What is neither sum nor product of them counts as its first argument that is known.
Work extent_of(const loops::Expr&);

// What one operation counts, on one lane.
struct Prices {
  double operation = 1, division = 4, function = 20, draw = 60, access = 2;
  double alone = 4;  // times that, for what is neither in a loop for vectors nor a vector
};

// Of one call of the kernel; `called` are those it may call, by name.
Work work_of(const loops::Kernel&, const std::map<std::string, Work>& called, const Prices& = {});

// With values for names; those without count as 1.
double at(const Work&, const std::map<std::string, double>& values);

// The work as an expression, coefficients to two digits.
loops::Expr to_expr(const Work&);

// Floating-point operations of one call of each kernel, and of a function, with every dim at its bound. An elementary
// function is one.
std::vector<double> flops_of_kernels(const loops::Module&);
double flops_of(const loops::Module&, const loops::Function&);

// An extent with its dim at the bound, and how often what stands in a loop runs then.
std::int64_t largest(const loops::Module&, const Extent&);
double times_of(const loops::Module&, const loops::Iteration&);

// With the kernel's counts named by their numbers, "0", "1", …: as work_of wants those that may be called.
Work by_position(const Work&, const std::vector<std::string>& counts);

}  // namespace gradc

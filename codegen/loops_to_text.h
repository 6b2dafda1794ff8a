// loops_to_text.h: loops → C++17 or what a target makes of it, already indented.
#pragma once

#include <string>

#include "codegen/loops.h"
#include "codegen/target.h"

namespace gradc {

// Tables and kernels, each `static` with its formula above it, in an order in which every name is
// declared before its use. Needs "gradc/vector.h", "gradc/math.h" and "gradc/philox.h" included before it.
std::string kernels_to_text(const loops::Module&, const Target& = cpp_target());
std::string kernel_to_text(const loops::Kernel&, const Target& = cpp_target());

// The statements between the braces of one emitted function. They use, by these names, what of it they need:
// `parameters`, `state`, `workspace`, `gradients`, `seed` (not in forward, backward, evaluate: those draw with seed 0),
// the dims, inputs and outputs by their buffer names, and for a step's reports `result.<name>`, a local the
// scaffold declares before the body and returns after it.
// Of a target with a grid they also use `device`, and `result` is a pointer; of functions that threads share, `team`.
std::string body_to_text(const loops::Module&, const loops::Function&, const Target& = cpp_target());

// "float", "double", "std::int32_t", "unsigned char", "gradc::bf16".
std::string_view element_type(loops::Element);
inline std::string_view element_type(DType t) { return element_type(loops::Element{t}); }

// A number of that type that reads back as the same value: "0.5f", "gradc::infinity<float>()".
std::string number_to_text(double, loops::Type);

// "B", "2 * B - 1", with the names of the module's dims.
std::string extent_text(const loops::Module&, const Extent&);

// "f32[B, 64]", with the names of the module's dims.
std::string shape_text(const loops::Module&, const TensorType&);

// The same of what a buffer holds: "bf16[B, 64]".
std::string shape_text(const loops::Module&, const loops::Buffer&);

// For people (--emit=loops): every kernel with its loops, every function with its calls.
std::string loops_to_listing(const loops::Module&, const Target& = cpp_target());

}  // namespace gradc

// expr_to_text.h: one loop expression → C++.
#pragma once

#include <functional>
#include <string>

#include "codegen/loops.h"
#include "codegen/target.h"

namespace gradc {

// `element_of`: what a buffer holds. In parentheses if it binds less tightly than `at_least`, which
// counts as C++ does: 2 ?:, 3 ||, 4 &&, 8 ==, 9 <, 12 + -, 13 * /, 15 unary, 100 names and calls.
std::string expr_to_text(const loops::Expr&,
                         const std::function<loops::Element(const std::string& buffer)>& element_of,
                         int at_least = 0, const Target& = cpp_target());
void append_expr(std::string& out, const loops::Expr&,
                 const std::function<loops::Element(const std::string& buffer)>& element_of,
                 int at_least, const Target&);

// "float", "std::int64_t", "gradc::f32x16".
std::string register_type(loops::Type, int lanes = 1);

}  // namespace gradc

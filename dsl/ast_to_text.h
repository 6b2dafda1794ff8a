// ast_to_text.h: syntax → spec text in canonical layout; text_to_ast of it gives the same syntax.
// What did not parse (Broken) is left out, as are comments.
#pragma once

#include <string>

#include "dsl/ast.h"

namespace gradc {

std::string ast_to_text(const ast::File&);
std::string ast_to_text(const ast::Expr&);

}  // namespace gradc

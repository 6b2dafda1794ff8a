// text_to_ast.h: text → syntax.
#pragma once

#include <vector>

#include "dsl/ast.h"
#include "dsl/tokens.h"

namespace gradc {

// Parses source file `file`. Every syntax error is reported, with recovery at the next statement; what
// could not be parsed is a Broken. Nesting beyond 200 levels is an error, as are control and bidirectional
// characters, invalid UTF-8 and texts over 16 MB.
ast::File text_to_ast(const Sources&, std::uint32_t file, Diagnostics&);

// The same from its tokens, or from some of its declarations, before a token of kind `end`.
ast::File tokens_to_ast(const Sources&, std::uint32_t file, const std::vector<Token>&, Diagnostics&);

}  // namespace gradc

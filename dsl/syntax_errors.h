// syntax_errors.h: what to say where the grammar does not match, and where to read on.
#pragma once

#include <vector>

#include "dsl/ast.h"
#include "dsl/tokens.h"

namespace gradc {

// Whether a declaration begins here: `net name`, `import "…"`, `program {`. Reserved words alone may
// also be names that someone took by mistake.
bool starts_item(const Token*);

class SyntaxErrors {
 public:
  SyntaxErrors(const Sources& sources, std::uint32_t file, const std::vector<Token>& tokens,
               Diagnostics& diagnostics)
      : sources_(sources), file_(file), tokens_(tokens), diagnostics_(diagnostics) {}

  // In the statement or declaration that begins at `start`, `what` was expected at `where`.
  void expected(const Token* start, const Token* where, const std::string& what);
  void too_deep(const Token* where);
  void too_high(const Token* where);
  void chained_comparison(Span op);
  void check_type(const ast::Name& dtype);

  // Where the next statement or declaration begins after an error at `where`; the end of the file if
  // there have been errors enough.
  const Token* next_statement(const Token* start, const Token* where) const;
  const Token* next_item(const Token* start, const Token* where) const;

 private:
  Span span(const Token* t) const { return {file_, t->begin, t->end}; }
  std::string_view text(const Token* t) const { return sources_.text(span(t)); }
  std::string describe(const Token*) const;
  const Token* end() const { return &tokens_.back(); }
  std::size_t column(const Token*) const;

  const Sources& sources_;
  std::uint32_t file_;
  const std::vector<Token>& tokens_;
  Diagnostics& diagnostics_;
};

// Reports what was found in a file in the order of the text.
void report_in_order(const Diagnostics& found, Diagnostics&);

}  // namespace gradc

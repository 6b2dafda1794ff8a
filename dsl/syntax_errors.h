// syntax_errors.h: what to say where the grammar does not match, and where to read on.
#pragma once

#include <string>
#include <vector>

#include "dsl/ast.h"
#include "dsl/tokens.h"

namespace gradc {

// Whether a declaration begins here: `net name`, `import "…"`, `program {`. Reserved words alone
// may also be names that someone took by mistake.
bool starts_item(const Token*);

bool is_reduction_word(std::string_view);

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
  void check_definition(const ast::Definition&);

  // Where the next statement or declaration begins after an error at `where`; the end of the file
  // if there have been errors enough.
  const Token* next_statement(const Token* start, const Token* where) const;
  const Token* next_item(const Token* start, const Token* where) const;
  // The brace of the body after an error at `where` in a header; null if there is none.
  const Token* body_after(const Token* where) const;

 private:
  Span span(const Token* t) const { return {file_, t->begin, t->end}; }
  std::string_view text(const Token* t) const { return sources_.text(span(t)); }
  std::string describe(const Token*) const;
  const Token* begin() const { return tokens_.data(); }
  const Token* end() const { return &tokens_.back(); }
  bool touching(const Token* left) const { return left->end == left[1].begin; }
  const Token* open_bracket(const Token* before) const;

  Diagnostic& error(const Token*, std::string message);
  // Each of these recognises a mistake people make, and reports it.
  bool reserved_name(const Token* where, const std::string& what);
  bool mistaken_statement(const Token* start, const Token* where, const std::string& what);
  bool mistaken_item(const Token* start, const std::string& what);
  bool mistaken_program_statement(const Token* start, const std::string& what);
  bool missing_operand(const Token* start, const Token* where, const std::string& what);
  bool wrong_bracket(const Token* where, const std::string& what);
  std::size_t column(const Token*) const;

  const Sources& sources_;
  std::uint32_t file_;
  const std::vector<Token>& tokens_;
  Diagnostics& diagnostics_;
};

// Reports what was found in a file in the order of the text.
void report_in_order(const Diagnostics& found, Diagnostics&);

}  // namespace gradc

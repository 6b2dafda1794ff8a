// program_builder.h: the program block while it is checked; private to ast_to_program and
// program_data.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "dsl/elaboration.h"

namespace gradc {

struct ProgramBuilder {
  Elaboration& e;
  Scope scope;
  Program program{};
  std::map<std::string, const ast::DataDecl*> data{};
  std::map<std::string, std::map<std::string, Span>>
      fields{};  // by data: where each field is written
  std::map<std::string, std::set<std::string>> used{};  // by data: fields some step takes
};

// The value of an expression that has to be a whole number within limits; nothing if reported.
std::optional<std::int64_t> whole(ProgramBuilder&, const ast::Expr&, std::int64_t low,
                                  std::int64_t high, std::string_view what);

void add_data(ProgramBuilder&, const ast::DataDecl&, Span);
void add_split(ProgramBuilder&, const ast::SplitDecl&, Span);
std::optional<DataReference> data_reference(ProgramBuilder&, const ast::DataName&);

}  // namespace gradc

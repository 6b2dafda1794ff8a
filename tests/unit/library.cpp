// library.cpp: the prelude, parsed one definition at a time, is what it is when parsed as a whole.
#include "dsl/library.h"

#include <algorithm>

#include "dsl/ast_to_text.h"
#include "dsl/prelude.h"
#include "dsl/text_to_ast.h"
#include "tests/catch.h"

using namespace gradc;

TEST_CASE("each declaration of the prelude is the same parsed alone") {
  Sources sources;
  Diagnostics diagnostics;
  const std::uint32_t file = sources.add("prelude.nn", std::string(prelude_text()));
  const ast::File whole = text_to_ast(sources, file, diagnostics);
  REQUIRE_FALSE(diagnostics.has_errors());
  Library library(sources, file);
  std::vector<std::string> definitions;
  for (const ast::Item& item : whole.items) {
    const auto* definition = std::get_if<ast::Definition>(&item.what);
    const auto* constant = std::get_if<ast::ConstDecl>(&item.what);
    REQUIRE((definition || constant));
    const std::string& name = definition ? definition->name.text : constant->name.text;
    INFO(name);
    if (definition) definitions.push_back(name);
    CHECK((library.definition(name) != nullptr) == (definition != nullptr));
    const ast::Item* alone = library.item(name);
    REQUIRE(alone);
    CHECK(alone == library.item(name));  // parsed once
    CHECK(alone->span == item.span);
    CHECK(ast_to_text(ast::File{{*alone}}) == ast_to_text(ast::File{{item}}));
  }
  std::sort(definitions.begin(), definitions.end());
  CHECK(library.definitions() == definitions);
  CHECK(library.item("no_such_name") == nullptr);
}

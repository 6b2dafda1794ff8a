// covered.cpp: no definition of the prelude without a sample, no sample without a fixture.
#include <set>

#include "dsl/ast.h"
#include "dsl/prelude.h"
#include "dsl/text_to_ast.h"
#include "tests/catch.h"
#include "tests/ops/samples.h"

using namespace gradc;

TEST_CASE("every definition of the prelude is tried") {
  std::set<std::string> tried, described;
  for (const std::string& name : test::topic_names()) {
    const test::Topic topic = test::load_topic(name);
    for (const Function& f : topic.written.functions) {
      if (f.name.starts_with("try_")) tried.insert(f.name);
    }
    for (const test::Sample& s : topic.samples) described.insert(s.name);
  }
  CHECK(tried == described);

  Sources sources;
  Diagnostics diagnostics;
  sources.add("prelude.nn", std::string(prelude_text()));
  const ast::File prelude = text_to_ast(sources, 0, diagnostics);
  REQUIRE_FALSE(diagnostics.has_errors());
  std::size_t count = 0;
  for (const ast::Item& item : prelude.items) {
    const auto* d = std::get_if<ast::Definition>(&item.what);
    if (d == nullptr) continue;
    ++count;
    INFO("tests/ops/samples needs a net or step try_" << d->name.text);
    CHECK(tried.contains("try_" + d->name.text));
  }
  CHECK(count > 30);
}

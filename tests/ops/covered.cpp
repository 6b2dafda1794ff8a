// covered.cpp: no definition of the prelude without samples enough, no sample without a fixture.
#include <map>
#include <set>

#include "dsl/ast.h"
#include "dsl/prelude.h"
#include "dsl/text_to_ast.h"
#include "dsl/tokens.h"
#include "tests/catch.h"
#include "tests/ops/samples.h"
#include "tests/process.h"

using namespace gradc;

namespace {

constexpr std::size_t enough = 3;

// Why one or two samples say all.
const std::map<std::string, std::string> few = [] {
  std::map<std::string, std::string> result;
  for (const char* name : {"zeros", "ones", "constant", "he_normal", "he_uniform", "glorot_normal", "glorot_uniform",
                           "lecun_normal", "lecun_uniform"})
    result[name] = "an initialiser is told by the distribution of thousands of draws";
  for (const char* name : {"step_decay", "exponential_decay", "cosine", "warm_up", "one_cycle"})
    result[name] = "a schedule has no shape: it is followed for six updates";
  for (const char* name : {"always_dropout", "always_channel_dropout"})
    result[name] = "what is drawn by chance is measured in dropout.cpp";
  return result;
}();

// The nets and steps in which a name stands: their texts from the signature on, so that no two count as one.
void add_uses(const std::string& topic, std::map<std::string, std::set<std::string>>& uses) {
  const std::string path = test::spec_of(topic);
  const std::string text = test::read_text(path);
  Sources sources;
  Diagnostics diagnostics;
  const auto tokens = text_to_tokens(sources, sources.add(path, text), diagnostics);
  REQUIRE(tokens.has_value());
  auto begins = [](const Token& t) {
    const auto word = spelling(t.kind);
    return t.first_on_line && (word == "net" || word == "step" || word == "op");
  };
  for (std::size_t k = 0; k < tokens->size(); ++k) {
    if (!begins((*tokens)[k]) || spelling((*tokens)[k].kind) == "op") continue;
    const std::size_t name = k + 1;
    std::size_t end = name + 1;
    while (end + 1 < tokens->size() && !begins((*tokens)[end])) ++end;
    const std::uint32_t from = (*tokens)[name].end;
    const std::string what = text.substr(from, (*tokens)[end].begin - from);
    for (std::size_t i = name + 1; i < end; ++i) {
      const Token& t = (*tokens)[i];
      if (t.kind == TokenKind::name) uses[text.substr(t.begin, t.end - t.begin)].insert(what);
    }
  }
}

ast::File prelude() {
  Sources sources;
  Diagnostics diagnostics;
  sources.add("prelude.nn", std::string(prelude_text()));
  ast::File file = text_to_ast(sources, 0, diagnostics);
  REQUIRE_FALSE(diagnostics.has_errors());
  return file;
}

}  // namespace

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

  std::size_t count = 0;
  const ast::File file = prelude();
  for (const ast::Item& item : file.items) {
    const auto* d = std::get_if<ast::Definition>(&item.what);
    if (d == nullptr) continue;
    ++count;
    INFO("tests/ops/samples needs a net or step try_" << d->name.text);
    CHECK(tried.contains("try_" + d->name.text));
  }
  CHECK(count > 30);
}

TEST_CASE("every definition of the prelude is tried in several shapes") {
  std::map<std::string, std::set<std::string>> uses;
  for (const std::string& name : test::topic_names()) {
    if (name != "edges") add_uses(name, uses);
  }
  std::set<std::string> unexcused;
  for (const auto& [name, reason] : few) unexcused.insert(name);
  const ast::File file = prelude();
  for (const ast::Item& item : file.items) {
    const auto* d = std::get_if<ast::Definition>(&item.what);
    // A path of six updates tells more of an optimizer, which sees elements alone, than another shape.
    if (d == nullptr || d->kind == ast::DefinitionKind::optimizer) continue;
    if (unexcused.erase(d->name.text) != 0) continue;
    INFO(d->name.text << " stands in " << uses[d->name.text].size() << " nets of tests/ops/samples");
    CHECK(uses[d->name.text].size() >= enough);
  }
  INFO("the prelude has no such definition");
  CHECK(unexcused.empty());
}

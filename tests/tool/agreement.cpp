// agreement.cpp: emitted code beside the interpreter, as gradcheck compares them: wrong gradients are found, small ones beside
// large ones and those whose true value is 0 too, and what is only rounding is none.
#include "catch.h"
#include "dsl/check.h"
#include "process.h"
#include "tool/compare.h"
#include "tool/compile_spec.h"

using namespace test;

namespace {

// `db` is what the op passes on to its bias; `small` what its result counts.
std::string spec_of(const std::string& db, const std::string& norm, const std::string& small) {
  return "dim B <= 8\n"
         "custom op shifted(x[.., k], b[k]) -> y[.., k] { y[.., k] = x[.., k] + b[k] }\n"
         "gradient { dx = dy  db[k] = " + db + " }\n"
         "net f(x: f32[B, 6]) -> y: f32[B, 3] {\n"
         "  param b: f32[5] ~ normal(0, 1)\n"
         "  h = x |> dense(5)\n"
         "  y = h + " + small + " * shifted(h, b) |> " + norm + " |> tanh |> dense(3)\n"
         "}\n"
         "step train(x: f32[B, 6], label: i32[B]) {\n"
         "  loss = cross_entropy(f(x), label)\n"
         "  minimize loss using adam\n"
         "  report loss\n"
         "}\n";
}

struct Loaded {
  TemporaryFolder folder;
  gradc::Session session{{}, {}, {}, false};
  std::optional<gradc::Spec> spec;

  explicit Loaded(const std::string& text) {
    write_text(folder.path() / "spec.nn", text);
    int code = 0;
    spec = gradc::load(session, {(folder.path() / "spec.nn").string(), {}}, code);
    INFO(gradc::render(session.diagnostics, session.sources));
    REQUIRE(spec);
  }
};

// The code of one spec beside the formulas of another.
std::vector<gradc::Comparison> compared(const std::string& emitted_text, const std::string& formulas_text) {
  Loaded emitted_of(emitted_text), formulas_of(formulas_text);
  gradc::Graph graph = formulas_of.spec->graph;
  gradc::prepare(graph, formulas_of.session.diagnostics);
  gradc::CompileOptions options;
  options.format = false;
  const gradc::Compiled compiled =
      gradc::compile(gradc::compile_input(emitted_of.session, *emitted_of.spec), options, emitted_of.session.diagnostics);
  int code = 0;
  std::optional<gradc::Emitted> emitted = gradc::Emitted::load(emitted_of.session, compiled, code);
  REQUIRE(emitted);
  return gradc::compare_emitted(graph, compiled, *emitted, 1);
}

// The values of the calls of one kind that compare so, each once.
std::set<std::string> values(const std::vector<gradc::Comparison>& all, const std::string& what, gradc::Agreement agreement) {
  std::set<std::string> found;
  for (const gradc::Comparison& row : all)
    if (row.agreement == agreement && row.what.starts_with(what)) found.insert(row.value);
  return found;
}

using Names = std::set<std::string>;
constexpr auto agrees = gradc::Agreement::agrees, differs = gradc::Agreement::differs, undecided = gradc::Agreement::undecided;

}  // namespace

TEST_CASE("a small gradient that is wrong by a hundredth is found beside large ones") {
  for (const char* small : {"1.0", "1e-4", "1e-8"}) {
    INFO("a bias that counts " << small);
    const std::string right = spec_of("sum[..] dy[.., k]", "sigmoid", small);
    const auto same = compared(right, right);
    CHECK(values(same, "", differs).empty());
    CHECK(values(same, "", undecided).empty());
    const auto off = compared(spec_of("sum[..] 1.01 * dy[.., k]", "sigmoid", small), right);
    CHECK(values(off, "backward", differs) == Names{"df.b"});
    CHECK(values(off, "step", differs).contains("train.f.b.m"));
    CHECK(values(off, "", undecided).empty());
  }
}

TEST_CASE("what is only rounding does not count, and what is not does") {
  const std::string right = spec_of("sum[..] dy[.., k]", "batch_norm", "1.0");
  const auto same = compared(right, right);
  CHECK(values(same, "", differs).empty());
  CHECK(values(same, "step, dims 7", undecided).contains("f.b"));
  CHECK(values(same, "step, dims 7", undecided).contains("train.f.b.m"));
  CHECK_FALSE(values(same, "step, dims 7", undecided).contains("train.f.batch_norm1.gain.m"));
  // Off by a hundredth, and by a ten thousandth, of what is added up to 0; not in proportion to x, as a norm takes that away
  for (const char* by : {"0.01", "1e-4"}) {
    INFO(by);
    const auto off = compared(spec_of("sum[..] (1 + " + std::string(by) + " * x[.., k] * x[.., k]) * dy[.., k]", "batch_norm", "1.0"), right);
    CHECK(values(off, "step, dims 7", differs).contains("train.f.b.m"));
    CHECK(values(off, "second step, dims 7", differs).contains("train.f.b.m"));
  }
}

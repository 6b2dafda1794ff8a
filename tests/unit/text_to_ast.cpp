// text_to_ast.cpp: what parses, to which tree, with which spans; and that nothing breaks the
// parser.
#include "dsl/text_to_ast.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "catch.h"
#include "dsl/ast_to_text.h"
#include "dsl/tokens.h"
#include "unit/ast_equal.h"

using namespace gradc;

namespace {

struct Parsed {
  Sources sources;
  Diagnostics diagnostics;
  ast::File file;

  std::string errors() const { return render(diagnostics, sources); }
};
Parsed parse(std::string text) {
  Parsed p;
  const std::uint32_t file = p.sources.add("test.nn", std::move(text));
  p.file = text_to_ast(p.sources, file, p.diagnostics);
  return p;
}

// With every operation in parentheses, so that the shape of the tree shows.
std::string tree(const ast::Expr& e);
std::string tree_of_index(const ast::Index& i) {
  if (i.range.empty()) return i.name.text;
  return fmt::format("{}:{}..{}", i.name.text, tree(i.range[0]), tree(i.range[1]));
}
std::string tree_of_argument(const ast::Argument& a) {
  return fmt::format("{}{}{}", a.name ? a.name->text : "", a.name ? "=" : "", tree(a.value));
}
template <class T, class Print>
std::string trees(const std::vector<T>& parts, Print print) {
  std::string s;
  for (const T& part : parts) s += fmt::format("{}{}", s.empty() ? "" : " ", print(part));
  return s;
}
std::string tree(const ast::Expr& e) {
  switch (e.kind) {
    case ast::ExprKind::unary:
      return fmt::format("({} {})", e.op, tree(e.args[0]));
    case ast::ExprKind::binary:
      return fmt::format("({} {} {})", tree(e.args[0]), e.op, tree(e.args[1]));
    case ast::ExprKind::like:
      return fmt::format("({} like {})", tree(e.args[0]), tree(e.args[1]));
    case ast::ExprKind::list:
      return fmt::format("[{}]", trees(e.args, tree));
    case ast::ExprKind::subscript:
      return fmt::format("{}[{}{}{}]", e.name.text, trees(e.args, tree),
                         e.pad.empty() ? "" : " pad ", trees(e.pad, tree));
    case ast::ExprKind::reduce:
      return fmt::format("({}[{}] {})", e.op, trees(e.indices, tree_of_index), tree(e.args[0]));
    case ast::ExprKind::call:
      return fmt::format("{}{}{}{}({})", e.label ? e.label->text : "", e.label ? ":" : "",
                         e.name.text, e.piped ? "|" : "", trees(e.arguments, tree_of_argument));
    default:
      return ast_to_text(e);
  }
}

// The tree of one expression.
std::string tree_of(const std::string& expression) {
  const Parsed p = parse("op f() = " + expression);
  if (p.diagnostics.has_errors() || p.file.items.size() != 1) return p.errors();
  return tree(std::get<ast::Definition>(p.file.items[0].what).value.at(0));
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Every construct of the language at least once.
const std::string everything = R"(import "blocks.nn"
dim B <= 128
dim H = 4 * 7
const hidden: int = 128
op relu(x) = max(x, 0)
op stats(x: f32[B, H], eps: float = 1e-5, name: string = "a \"b\" \\") -> m[B], v: f32[B] {
  m[b] = mean[h] x[b, h]
  v[b] = (mean[h] (x[b, h] - m[b]) ^ 2) + eps / 2.0
}
custom op limited(x[..], limit: float = 1.0) -> y[..] {
  custom = x
  gradient = custom
  y = gradient
} gradient {
  l = -limit
  dx[..] = max(dy[..], l)
}
layer conv(x[B, C, I, J], F: int, k: int = 3, pad: int = k / 2) -> y {
  param K: f32[F, C, k, k] ~ he_normal(C * k * k)
  param c: f32[F] ~ zeros if F > 1 and not k == 2 or pad != 0
  m, v = stats(x)
  y[b, f, i, j] = sum[n, u in -1..k % 2, w] x[b, n, 2*i + u - pad, j / 2 + w - 1 pad 0] * K[f, n, u, w] + c[f]
}
net sample(x: f32[B, 3]) -> z: f32[B, 2], s[] {
  h = x |> fc1: dense(64, bias = false) |> relu |> dense(2)
  eps = normal(0, 1) like h
  z = h + 0.5 * eps
  recur t in 0..T - 1 {
    r[.., T, k] = 0
    r[.., -1 + T, k] = h[.., k]
    r[.., t, k in 0..7] = r[.., t + 1, k] + z[.., t]
  }
  t = fc2: dense(h, 3)
  s = max[..] -z[..] * [[1, 2], [0.5, inf]][0]
}
optimizer sgd(lr: float = 0.1) {
  state m = 0
  state v: f32[] = 0 if lr > 0
  m' = 0.9 * m + g
  p' = p - lr * m'
}
step train(x: f32[B, 3], label: i32[B]) {
  z, s = sample(x)
  loss = -mean[b, .., i in 0..9] z[b, label[b]]
  minimize loss over sample, other using sgd(lr = 1e-3)
  minimize loss using sgd()
  report loss, accuracy = mean[b] (argmax[c] z[b, c])
}
program {
  data d = csv("a.csv", x = columns(0, 63) / 16, label = column(64))
  split d into train 80%, test 20% seed 7
  fit train on d.train for 20 epochs batch 64 shuffle seed 1
  test train on d with average
  show sample on d.test for 16 examples as "d.png"
  show sample on d
  score f1, roc_auc of sample.z against label on d.test at 0.5
  score confusion of sample against label on d
  save "d.safetensors" with train.inner.average
}
)";
std::string without_mistake() {
  std::string s = everything;
  return s.replace(s.find("[[1, 2], [0.5, inf]][0]"), 23, "[[1, 2], [0.5, inf]]");
}

void check_spans(const Parsed& p) {
  for (const Diagnostic& d : p.diagnostics.all()) {
    REQUIRE(d.span.file == 0);
    REQUIRE(d.span.begin <= d.span.end);
    REQUIRE(d.span.end <= p.sources.text(0).size());
  }
}

bool is_whole(const ast::File& file) {
  auto broken = [](const auto& x) { return std::holds_alternative<ast::Broken>(x.what); };
  for (const ast::Item& item : file.items) {
    if (broken(item)) return false;
    if (const auto* d = std::get_if<ast::Definition>(&item.what))
      for (const auto& s : d->body)
        if (broken(s)) return false;
    if (const auto* d = std::get_if<ast::ProgramDecl>(&item.what))
      for (const auto& s : d->statements)
        if (broken(s)) return false;
  }
  return true;
}

// A text gives errors with places in it, or a whole tree which survives printing.
void check_robust(const std::string& text) {
  INFO(text);
  const Parsed p = parse(text);
  check_spans(p);
  REQUIRE(p.errors().empty() == !p.diagnostics.has_errors());
  if (p.diagnostics.has_errors()) return;
  REQUIRE(is_whole(p.file));
  const Parsed again = parse(ast_to_text(p.file));
  REQUIRE(again.errors() == "");
  REQUIRE(test::equal(again.file, p.file));
}

}  // namespace

TEST_CASE("operators bind as the language says") {
  CHECK(tree_of("a + b * c - d") == "((a + (b * c)) - d)");
  CHECK(tree_of("a / b / c % d") == "(((a / b) / c) % d)");
  CHECK(tree_of("2 ^ 3 ^ 4") == "(2 ^ (3 ^ 4))");
  CHECK(tree_of("-x ^ 2") == "(- (x ^ 2))");
  CHECK(tree_of("2 ^ -x * 3") == "((2 ^ (- x)) * 3)");
  CHECK(tree_of("a * -b") == "(a * (- b))");
  CHECK(tree_of("not a == b and c or d") == "(((not (a == b)) and c) or d)");
  CHECK(tree_of("a or not b and c") == "(a or ((not b) and c))");
  CHECK(tree_of("a + 1 <= b * 2") == "((a + 1) <= (b * 2))");
  CHECK(tree_of("x |> f |> g(1, k = 2)") == "g|(f|(x) 1 k=2)");
  CHECK(tree_of("a + b |> f") == "f|((a + b))");
  CHECK(tree_of("x |> fc: dense(3)") == "fc:dense|(x 3)");
  CHECK(tree_of("m + s * normal(0, 1) like m ^ 2") == "(m + (s * ((normal(0 1) like m) ^ 2)))");
}

TEST_CASE("a reduction extends over products") {
  CHECK(tree_of("sum[i] x[i] * y[i] + c") == "((sum[i] (x[i] * y[i])) + c)");
  CHECK(tree_of("a * sum[i] x[i] * b") == "(a * (sum[i] (x[i] * b)))");
  CHECK(tree_of("-sum[i] x[i] * b - c") == "((- (sum[i] (x[i] * b))) - c)");
  CHECK(tree_of("(sum[i] x[i]) * b") == "((sum[i] x[i]) * b)");
  CHECK(tree_of("mean[b] (argmax[c] z[b, c] == l[b])") == "(mean[b] ((argmax[c] z[b c]) == l[b]))");
  CHECK(tree_of("mean[b] argmax[c] z[b, c] == l") == "((mean[b] (argmax[c] z[b c])) == l)");
  CHECK(tree_of("e[n] / sum[k] e[k]") == "(e[n] / (sum[k] e[k]))");
  CHECK(tree_of("sum[i in -3..3, j, ..] x[i]") == "(sum[i:(- 3)..3 j ..] x[i])");
  CHECK(tree_of("max(x, 0) + max[i] x[i]") == "(max(x 0) + (max[i] x[i]))");
}

TEST_CASE("subscripts, lists, numbers and strings") {
  CHECK(tree_of("x[.., 2*i + u - 1, ids[b, t] pad -inf]") ==
        "x[.. (((2 * i) + u) - 1) ids[b t] pad (- inf)]");
  CHECK(tree_of("x[i + u - pad pad 0]") == "x[((i + u) - pad) pad 0]");
  CHECK(tree_of("x[]") == "x[]");
  CHECK(tree_of("[[1, 2.50], []]") == "[[1 2.5] []]");
  CHECK(tree_of("1e-3 + 0.5E+2 + 9007199254740992") == "((0.001 + 50.0) + 9007199254740992)");
  CHECK(tree_of(R"(f("a \"b\" \\ ü"))") == R"(f("a \"b\" \\ ü"))");
  CHECK(tree_of("m' + v'") == "(m' + v')");
  CHECK(tree_of("/* a */ x // b\n + /* c\n */ y") == "(x + y)");
}

TEST_CASE("statements need no separator, and never swallow the next") {
  const Parsed p = parse("op f(x) -> y {\n  a = x b = a\n  y = b\n  c\n  = 3\n}\n");
  REQUIRE(p.errors() == "");
  CHECK(std::get<ast::Definition>(p.file.items[0].what).body.size() == 4);
  // A bracket on the next line belongs to no name before it.
  CHECK(parse("op f(x) = x\n(3)").diagnostics.errors() == 1);
  CHECK(parse("op f(x) = x\n[3]").diagnostics.errors() == 1);
}

TEST_CASE("words of programs and `pad` remain names elsewhere") {
  const Parsed p = parse(
      "net train(x: f32[4], pad: int, data: int, test: f32[2]) -> y { batch = x split = batch y = "
      "split[pad - seed] }");
  CHECK(p.errors() == "");
}

TEST_CASE("spans are exact") {
  const Parsed p = parse("// first\nop f( x ) -> y {\n  y  =  ( a + b )  * sum[i]  z[i]\n}\n");
  REQUIRE(p.errors() == "");
  const auto& item = p.file.items[0];
  const auto& d = std::get<ast::Definition>(item.what);
  const auto& assign = std::get<ast::Assign>(d.body[0].what);
  auto text = [&](Span s) { return std::string(p.sources.text(s)); };
  CHECK(text(item.span) == text(d.span));
  CHECK(text(d.span).substr(0, 8) == "op f( x ");
  CHECK(text(d.span).back() == '}');
  CHECK(text(d.body[0].span) == "y  =  ( a + b )  * sum[i]  z[i]");
  CHECK(text(assign.targets[0].name.span) == "y");
  CHECK(text(assign.value.span) == "( a + b )  * sum[i]  z[i]");
  CHECK(text(assign.value.op_span) == "*");
  CHECK(text(assign.value.args[0].span) == "( a + b )");
  CHECK(text(assign.value.args[0].args[1].span) == "b");
  CHECK(text(assign.value.args[1].span) == "sum[i]  z[i]");
  CHECK(text(assign.value.args[1].op_span) == "sum");
  CHECK(text(assign.value.args[1].args[0].span) == "z[i]");
  const Parsed q = parse("net f(x: f32[B, 2]) -> y { y = x |> a: g(1) |> h\n }");
  const auto& pipe =
      std::get<ast::Assign>(std::get<ast::Definition>(q.file.items[0].what).body[0].what).value;
  CHECK(q.sources.text(pipe.span) == "x |> a: g(1) |> h");
  CHECK(q.sources.text(pipe.arguments[0].value.span) == "x |> a: g(1)");
  CHECK(q.sources.text(std::get<ast::Definition>(q.file.items[0].what).parameters[0].type.span) ==
        "f32[B, 2]");
}

TEST_CASE("everything parses and prints to the same syntax") {
  check_robust(without_mistake());
  const Parsed p = parse(without_mistake());
  REQUIRE(p.errors() == "");
  CHECK(p.file.items.size() == 12);
  // Printing is canonical: a second time changes nothing.
  const std::string once = ast_to_text(p.file);
  CHECK(ast_to_text(parse(once).file) == once);
  CHECK(parse(everything).diagnostics.errors() == 1);
}

TEST_CASE("the prelude and every example print to the same syntax") {
  const std::filesystem::path root = GRADC_SOURCE_DIR;
  std::vector<std::filesystem::path> specs = {root / "dsl" / "prelude.nn"};
  for (const char* folder : {"dsl/prelude", "examples", "tests/ops/samples"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder))
      if (entry.path().extension() == ".nn") specs.push_back(entry.path());
  CHECK(specs.size() >= 10);
  for (const auto& spec : specs) {
    INFO(spec.string());
    const std::string text = read(spec);
    CHECK(parse(text).errors() == "");
    check_robust(text);
  }
}

TEST_CASE("parentheses are printed where they matter, and only there") {
  const char* canonical[] = {"(a * sum[i] x[i]) * b",
                             "a * sum[i] x[i] * b",
                             "(-sum[i] x[i]) * b",
                             "-(sum[i] x[i] + b)",
                             "sum[i] (x[i] + b)",
                             "(2 ^ 3) ^ 4",
                             "2 ^ 3 ^ 4",
                             "2 ^ -x * 3",
                             "(-x) ^ 2",
                             "-x ^ 2",
                             "a - (b - c)",
                             "a - b - c",
                             "not a == b and (c or d)",
                             "(x |> f) + 1",
                             "x + 1 |> f",
                             "(a < b) == c",
                             "(a like b) like c",
                             "(a + b) like c",
                             "a * (not b)",
                             "--x",
                             "f(x |> g, k = not y)",
                             "if a == b then x |> f else if c then y + 1 else -z",
                             "1 + (if a then x else y)",
                             "f(x, fc1.W = n.fc1.W * 2) + n.fc1.b[i]"};
  for (const std::string text : canonical) {
    INFO(text);
    const Parsed p = parse("op f() = " + text);
    REQUIRE(p.errors() == "");
    CHECK(ast_to_text(p.file) == "op f() = " + text + "\n");
  }
}

TEST_CASE("statements within statements print to the same syntax") {
  const std::string text =
      "net f(x) -> y {\n  for i in 0..n - 1 {\n    x = x |> b: dense(4)\n    if i % 2 == 0 {\n"
      "      x = relu(x)\n    } else if i == 1 {\n      h = x\n    } else {\n      h = 2 * x\n    }\n  }\n"
      "  y = x\n}\n\nstep s(x) {\n  minimize f(x) over f.b0, f.c except f.b0.W using sgd(0.1)\n}\n";
  const Parsed p = parse(text);
  REQUIRE(p.errors() == "");
  CHECK(ast_to_text(p.file) == text);
  // `if` on the line of a param is its condition, on the next line a statement.
  const Parsed q = parse("net f(x) -> y {\n  param W: f32[2] ~ zeros if c\n  param V: f32[2] ~ zeros\n"
                         "  if c { y = x }\n  else = 2\n}\n");
  CHECK(q.errors() == "");
  CHECK(std::get<ast::Definition>(q.file.items[0].what).body.size() == 4);
}

TEST_CASE("random expressions print to the same syntax") {
  std::mt19937 random(1);
  auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  auto make = [&](auto& self, int depth) -> std::string {
    auto sub = [&] { return self(self, depth - 1); };
    const char* infix[] = {"+", "-", "*", "/", "%", "^", "and", "or"};
    if (depth == 0) return std::vector<std::string>{"a", "b'", "2", "0.5", "x[i, ..]"}[pick(5)];
    switch (pick(18)) {
      case 0:
        return "(" + sub() + ")";
      case 1:
        return "-" + sub();
      case 2:
        return "not " + sub();
      case 3:
        return "sum[i, j in 0.." + sub() + "] " + sub();
      case 4:
        return "f(" + sub() + ", k = " + sub() + ")";
      case 5:
        return "[" + sub() + ", " + sub() + "]";
      case 6:
        return "(" + sub() + ") |> g: h";
      case 7:
        return "(" + sub() + ") < (" + sub() + ")";
      case 8:
        return "x[" + sub() + " pad " + sub() + "]";
      default:
        return sub() + " " + infix[pick(8)] + " " + sub();
    }
  };
  int good = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string text = "op f(x) = " + make(make, 1 + i % 5);
    good += !parse(text).diagnostics.has_errors();
    check_robust(text);
  }
  CHECK(good > 900);
}

TEST_CASE("a spec cut off anywhere") {
  const std::string text = without_mistake();
  for (std::size_t n = 0; n <= text.size(); ++n) check_robust(text.substr(0, n));
}

TEST_CASE("a spec with any token left out, doubled or exchanged with the next") {
  const std::string text = without_mistake();
  Sources sources;
  Diagnostics diagnostics;
  const auto tokens = text_to_tokens(sources, sources.add("test.nn", text), diagnostics);
  REQUIRE(tokens);
  for (std::size_t i = 0; i + 2 < tokens->size(); ++i) {
    const Token& t = (*tokens)[i];
    const Token& next = (*tokens)[i + 1];
    const std::string word = text.substr(t.begin, t.end - t.begin);
    const std::string second = text.substr(next.begin, next.end - next.begin);
    check_robust(text.substr(0, t.begin) + text.substr(t.end));
    check_robust(text.substr(0, t.end) + " " + text.substr(t.begin));
    check_robust(text.substr(0, t.begin) + second + " " + word + text.substr(next.end));
  }
}

TEST_CASE("nesting and chains beyond the limit are errors with a place") {
  auto times = [](const std::string& s, int n) {
    std::string all;
    for (int i = 0; i < n; ++i) all += s;
    return all;
  };
  const int n = 100'000;
  const std::string bombs[] = {times("(", n) + "x" + times(")", n),
                               times("(", n),
                               times("-", n) + "x",
                               times("not ", n) + "x",
                               times("[", n) + times("]", n),
                               times("f(", n) + "x" + times(")", n),
                               times("f[", n) + "x",
                               times("a[0 pad ", n),
                               times("sum[i] ", n) + "x",
                               times("sum[i in ", n),
                               times("a + ", n) + "x",
                               times("a ^ ", n) + "x",
                               times("a < ", n) + "x",
                               "x" + times(" |> f", n),
                               times("a and ", n) + "x",
                               times("f(x = -[a + (b ^ ", n),
                               times("(", 190) + "x" + times(times(" + a", 100) + ")", 190)};
  for (const std::string& bomb : bombs) {
    INFO(bomb.substr(0, 40));
    const Parsed p = parse("op f(x) = " + bomb + "\ndim B = 3\n");
    check_spans(p);
    REQUIRE(p.diagnostics.errors() >= 1);
    CHECK(std::any_of(p.diagnostics.all().begin(), p.diagnostics.all().end(), [](const auto& d) {
      return d.id == "too-deep" || d.id == "text-too-long" || d.id == "chained-comparison";
    }));
    if (p.file.items.empty()) continue;  // too long to be read at all
    CHECK(std::holds_alternative<ast::DimDecl>(p.file.items.back().what));
  }
  check_robust("op f(x) = " + times("(", 190) + "x" + times(")", 190));
  check_robust("op f(x) = a" + times(" + a", 400));
  CHECK(parse("op f(x) = " + times("(", 190) + "x" + times(")", 190)).errors() == "");
  CHECK(parse("op f(x) = a" + times(" + a", 400)).errors() == "");
}

TEST_CASE("10 MB of noise end soon and with at most 100 errors") {
  std::mt19937 random(2);
  const std::size_t size = 10 << 20;
  const std::string words[] = {
      "a", "(",   ")",  "[", "]", "{",  "}",    "net",   "op f(x) = ", "\n", "=",
      "+", "1.5", "..", ",", "-", "|>", "sum[", "param", "\"s\"",      ";",  "program {"};
  auto check = [&](const std::string& text) {
    const auto start = std::chrono::steady_clock::now();
    const Parsed p = parse(text);
    const std::string message = p.errors();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    check_spans(p);
    CHECK(p.diagnostics.errors() >= 1);
    CHECK(p.diagnostics.errors() <= 100);
    CHECK(message.size() < 1 << 20);
#ifdef NDEBUG
    CHECK(taken.count() < 5);
#else
    CHECK(taken.count() < 60);
#endif
  };
  std::string bytes, letters, tokens, statements, numbers;
  while (bytes.size() < size) bytes += static_cast<char>(random());
  while (letters.size() < size) letters += static_cast<char>(' ' + random() % 95);
  while (tokens.size() < size) tokens += words[random() % std::size(words)] + " ";
  while (statements.size() < size / 4) statements += "op f(x) { y = x + }\n";
  while (numbers.size() < size) numbers += "1234567890";
  check(bytes);
  check(letters);
  check(tokens);
  check(tokens.substr(0, 2 << 20));
  check(statements);
  check(numbers);
  check(std::string(size, 'a'));
  check(std::string(size, '('));
  check(std::string(size, '"'));
  check("/*" + std::string(size, '*'));
  check(std::string(17 << 20, ' '));
}

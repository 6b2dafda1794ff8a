// recompute.cpp: networks within limits of memory: what they compute, and what they say where there is no way.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "catch.h"
#include "codegen/compile.h"
#include "process.h"
#include "tool/compile_spec.h"
#include "tool/memory_limit.h"

using namespace test;

namespace {

const fs::path source = GRADC_SOURCE_DIR;

// Masks drawn anew, loops along time, and a value that skips most of the rest.
constexpr const char* drawn = R"(
dim B <= 24
net deep(x: f32[B, 40]) -> y: f32[B, 7] {
  a = x |> dense(96) |> dropout(0.3) |> gelu
  b = a |> dense(96) |> layer_norm |> dropout(0.3) |> gelu
  c = b |> dense(96) |> dropout(0.3) |> gelu
  d = c |> dense(96) |> layer_norm |> gelu
  y = a + d |> dense(7)
}
step fit(x: f32[B, 40], label: i32[B]) {
  loss = cross_entropy(deep(x), label)
  minimize loss using adam(lr = 1e-3)
  report loss
}
net remember(x: f32[B, 9, 5]) -> y: f32[B, 9, 3] {
  y = x |> lstm(20) |> lstm(20) |> gru(20) |> dense(3)
}
step learn(x: f32[B, 9, 5], t: f32[B, 9, 3]) {
  y = remember(x)
  loss = mean[b, s, k] (y[b, s, k] - t[b, s, k])^2
  minimize loss using sgd(lr = 0.1)
  report loss
}
)";

gradc::Compiled compiled(const fs::path& spec, const std::string& suffix, std::int64_t limit,
                         const std::vector<std::string>& constants, std::string* said = nullptr) {
  gradc::Session session{{}, {}, {}, false};
  int code = 0;
  const auto loaded = gradc::load(session, {spec.string(), constants}, code);
  REQUIRE(loaded);
  gradc::CompileInput input = gradc::compile_input(session, *loaded);
  input.name += suffix;
  gradc::CompileOptions options;
  options.format = false;
  options.memory_limit = limit;
  gradc::Compiled result = gradc::compile(std::move(input), options, session.diagnostics);
  if (said) *said = gradc::render(session.diagnostics, session.sources);
  if (!said) REQUIRE_FALSE(session.diagnostics.has_errors());
  return result;
}

std::size_t calls(const gradc::loops::Module& module) {
  std::size_t count = 0;
  for (const auto& function : module.functions) count += function.calls.size();
  return count;
}

struct Case {
  fs::path spec;
  double share;  // of the memory without a limit
  std::vector<std::string> constants = {};
};

// Writes networks with and without limits, compiles and runs what compares them.
Finished compare(const std::vector<Case>& cases, const std::string& most, const fs::path& folder,
                 void (*plant)(std::string&) = nullptr) {
  std::string headers, rows;
  std::vector<std::string> command = {"g++", "-std=c++17", "-O2", "-march=native", "-ffp-contract=fast", "-w", "-pthread",
                                      "-I.", "-I" + (source / "runtime").string(), "-I" + (source / "tests").string(),
                                      (source / "tests/memory/compare_limits.cpp").string(), "-o", "compare"};
  for (const Case& c : cases) {
    const gradc::Compiled without = compiled(c.spec, "_whole", 0, c.constants);
    const auto limit = static_cast<std::int64_t>(c.share * static_cast<double>(without.module.workspace_bytes));
    const gradc::Compiled with = compiled(c.spec, "_limited", limit, c.constants);
    INFO(c.spec << " in " << limit << " of " << without.module.workspace_bytes << " bytes");
    CHECK(with.module.workspace_bytes <= limit);
    CHECK(calls(with.module) > calls(without.module));
    for (const gradc::Compiled* one : {&without, &with}) {
      std::string text = one->source;
      if (plant && one == &with) plant(text);
      write_text(folder / (one->module.name + ".hpp"), one->header);
      write_text(folder / (one->module.name + ".cpp"), text);
      headers += "#include \"" + one->module.name + ".hpp\"\n";
      command.push_back(one->module.name + ".cpp");
    }
    rows += "{&" + without.module.name + "::model(), &" + with.module.name + "::model()}, ";
  }
  write_text(folder / "networks.h", "#include \"gradc/model.h\"\n" + headers +
                                        "struct Pair { const gradc::Model *without, *with; };\n"
                                        "static const Pair the_networks[] = {" + rows + "};\n");
  RunOptions options{folder, {}, std::chrono::seconds(900)};
  const Finished built = run_program(command, options);
  INFO(built.err.substr(0, 4000));
  REQUIRE(built.exit_code == 0);
  return run_program({"./compare", most}, options);
}

fs::path write_drawn(const TemporaryFolder& folder) {
  write_text(folder.path() / "drawn.nn", drawn);
  return folder.path() / "drawn.nn";
}

}  // namespace

TEST_CASE("within limits of memory networks compute the same, bit for bit") {
  const TemporaryFolder folder;
  const Finished finished = compare({{write_drawn(folder), 0.8},
                                     {source / "examples/convolutional/autoencoder.nn", 0.9},
                                     {source / "examples/cs671/vae.nn", 0.9},
                                     {source / "examples/lenet/lenet.nn", 0.9},
                                     {source / "examples/resnet/resnet.nn", 0.6},
                                     {source / "examples/characters/characters.nn", 0.45}},
                                    "6", folder.path());
  INFO(finished.out << finished.err);
  CHECK(finished.exit_code == 0);
  CHECK(finished.out.find("the same in one of") != std::string::npos);
}

TEST_CASE("a value that is not computed again where it must be is a difference that is found") {
  const TemporaryFolder folder;
  const auto forget = [](std::string& text) {
    const std::size_t end = text.find("_again);\n"), line = text.rfind('\n', end);
    REQUIRE(end != std::string::npos);
    text.erase(line, text.find('\n', end) - line);
  };
  const Finished finished = compare({{write_drawn(folder), 0.8}}, "6", folder.path(), forget);
  INFO(finished.out << finished.err);
  CHECK(finished.exit_code == 1);
  CHECK(finished.out.find("others in one of") != std::string::npos);
}

TEST_CASE("within a limit emitted code does what the interpreter does, and stats shows what that takes") {
  const TemporaryFolder folder;
  const std::string spec = write_drawn(folder).string();
  const auto gradc = [&](std::vector<std::string> words) {
    words.insert(words.begin(), GRADC_TOOL);
    return run_program(words, {folder.path(), {}, std::chrono::seconds(600)});
  };
  const Finished checked = gradc({"gradcheck", "--memory-limit=450kB", spec});
  INFO(checked.out << checked.err);
  CHECK(checked.exit_code == 0);
  CHECK(checked.out.find("values agree") != std::string::npos);

  const Finished shown = gradc({"stats", "--json", "--memory-limit=450kB", spec});
  REQUIRE(shown.exit_code == 0);
  const auto json = nlohmann::json::parse(shown.out);
  CHECK(json["workspace_bytes"] <= 450000);
  REQUIRE(json["limited"].size() == json["memory"].size());
  int repeated = 0;
  for (const auto& row : json["limited"]) {
    INFO(row.dump());
    CHECK(row["peak"] <= row["peak_without"]);
    CHECK((row["flops_added"] > 0) == (row["peak_without"] > 450000));
    CHECK(row["flops_added"] < row["flops_without"]);
    double cost = 0;
    std::set<std::size_t> written;
    for (const auto& task : row["tasks"]) {
      if (task["cost"] > 1) cost += task["cost"].get<double>();
      for (const std::size_t value : task["reads"]) CHECK(written.contains(value));
      for (const std::size_t value : task["writes"]) written.insert(value);
    }
    CHECK(std::llround(cost) == row["flops_without"]);
    CHECK(written.size() == row["values"].size());
    repeated += row["flops_added"] > 0;
  }
  CHECK(repeated > 0);
  CHECK_FALSE(nlohmann::json::parse(gradc({"stats", "--json", spec}).out).contains("limited"));
}

TEST_CASE("what is no size is no limit of memory") {
  using gradc::parse_bytes;
  CHECK(parse_bytes("65536") == 65536);
  CHECK(parse_bytes("64MiB") == 64 << 20);
  CHECK(parse_bytes("1.5 GB") == 1500000000);
  CHECK(parse_bytes("0.5KiB") == 512);
  CHECK(parse_bytes("2kB") == 2000);
  for (const char* wrong : {"", "MiB", "0", "-1MiB", "64mib", "64 MiB ", "1.5", "0x10", "1e3", "nan", "inf", "1e300GiB",
                            "99999999999999999999", "64MiB64"}) {
    INFO(wrong);
    CHECK_FALSE(parse_bytes(wrong));
  }
  const Finished finished = run_program({GRADC_TOOL, "build", "--memory-limit=much", "x.nn"});
  CHECK(finished.exit_code == 2);
  CHECK(finished.err.find("takes a size like 64MiB, 1.5GB or 65536, not 'much'") != std::string::npos);
}

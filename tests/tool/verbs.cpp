// verbs.cpp: check, stats and explain as a user runs them.
#include <nlohmann/json.hpp>

#include "tool/tool_run.h"

using namespace test;

TEST_CASE("gradc says what it is") {
  const Workplace place;
  const Finished version = place.gradc({"--version"});
  CHECK(version.exit_code == 0);
  CHECK_THAT(version.out, contains("gradc 0."));
  CHECK_THAT(version.out, contains("formatter: "));
  CHECK(place.gradc({"--help"}).exit_code == 0);
  CHECK_THAT(place.gradc({"--help"}).out, contains("Exit codes"));
  for (const char* verb : {"build", "check", "stats", "gradcheck", "explain"})
    CHECK_THAT(place.gradc({verb, "--help"}).out, contains("spec"));
}

TEST_CASE("check is one line") {
  const Workplace place;
  const Finished checked = place.gradc({"check", "tiny.nn"});
  CHECK(checked.exit_code == 0);
  CHECK(checked.err.empty());
  CHECK(checked.out == "tiny: 1 net, 1 step, 23 parameters.\n");
}

TEST_CASE("output that can't be written is exit code 3") {
  const Workplace place;
  const Finished full = run_program(
      {"sh", "-c", "'" GRADC_TOOL "' build tiny.nn --emit=cpp >/dev/full"}, {place.path(), {}});
  CHECK(full.exit_code == 3);
  CHECK_THAT(full.err, contains("standard output"));
}

TEST_CASE("errors are counted at the end") {
  const Workplace place;
  write_text(place.path() / "wrong.nn",
             "dim B <= 4\nnet f(x: f32[B]) -> y: f32[B] { y = rellu(x) }\n"
             "net g(x: f32[B]) -> y: f32[B] { y = tahn(x) }\n");
  const Finished checked = place.gradc({"check", "wrong.nn"});
  CHECK(checked.exit_code == 1);
  CHECK(checked.out.empty());
  CHECK_THAT(checked.err, contains("wrong.nn:2:"));
  CHECK_THAT(checked.err, contains("wrong.nn:3:"));
  CHECK(checked.err.substr(checked.err.size() - 10) == "2 errors.\n");
  CHECK(checked.err.find('\033') == std::string::npos);
  CHECK(place.gradc({"check", "wrong.nn", "--color=always"}).err.find('\033') != std::string::npos);
}

TEST_CASE("stats counts what can be counted by hand") {
  const Workplace place;
  const Finished printed = place.gradc({"stats", "tiny.nn", "--json"});
  INFO(printed.err);
  REQUIRE(printed.exit_code == 0);
  const auto json = nlohmann::json::parse(printed.out);
  CHECK(json["total"]["parameters"] == 23);
  const auto& layers = json["layers"];
  REQUIRE(layers.size() == 3);
  CHECK(layers[0]["path"] == "guess.dense1");
  CHECK(layers[0]["output"] == "f32[B, 3]");
  CHECK(layers[0]["parameters"] == 15);  // 4·3 + 3
  CHECK(layers[0]["macs"] == 12);
  CHECK(layers[0]["flops"] == 24);  // 3 (4 + 3) and 3 biases
  CHECK(layers[1]["path"] == "guess.out");
  CHECK(layers[1]["parameters"] == 8);  // 3·2 + 2
  CHECK(layers[2]["kind"] == "between layers");
  CHECK(layers[2]["flops"] == 3);  // the relu
  const Finished larger = place.gradc({"stats", "tiny.nn", "--json", "--dim", "B=5"});
  CHECK(nlohmann::json::parse(larger.out)["layers"][0]["macs"] == 60);
  CHECK(place.gradc({"stats", "tiny.nn", "--dim", "C=5"}).exit_code == 2);
  CHECK(place.gradc({"stats", "tiny.nn", "--dim", "B=9"}).exit_code == 2);
  CHECK(place.gradc({"stats", "tiny.nn", "--dim", "B=0"}).exit_code == 2);
  const Finished text = place.gradc({"stats", "tiny.nn"});
  CHECK_THAT(text.out, contains("FLOPs:"));
  CHECK_THAT(text.out, contains("B = 1"));
}

TEST_CASE("stats shows that what is frozen costs no backward work") {
  const Workplace place;
  write_text(place.path() / "frozen.nn", R"(dim B <= 8
net encode(x: f32[B, 6]) -> z: f32[B, 4] { z = x |> dense(4) |> relu }
net head(z: f32[B, 4]) -> y: f32[B, 2] { y = z |> dense(2) }
step whole(x: f32[B, 6], t: f32[B, 2]) {
  loss = mse(head(encode(x)), t)
  minimize loss using sgd(lr = 0.1)
  report loss
}
step last(x: f32[B, 6], t: f32[B, 2]) {
  loss = mse(head(encode(x)), t)
  minimize loss over head using sgd(lr = 0.1)
  report loss
}
)");
  const Finished printed = place.gradc({"stats", "frozen.nn", "--json", "--dim", "B=5"});
  INFO(printed.err);
  REQUIRE(printed.exit_code == 0);
  const auto steps = nlohmann::json::parse(printed.out)["steps"];
  REQUIRE(steps.size() == 2);
  const auto &whole = steps[0], &last = steps[1];
  CHECK(whole["trained"] == 38);  // 6·4 + 4 and 4·2 + 2
  CHECK(whole["frozen"] == 0);
  CHECK(last["trained"] == 10);
  CHECK(last["frozen"] == 28);
  CHECK(last["frozen_parameters"] == nlohmann::json({"encode.dense1.W", "encode.dense1.b"}));
  // 5 (6·4 + 4·2) and the 10 squares of the loss.
  CHECK(whole["forward_macs"] == 170);
  CHECK(last["forward_macs"] == 170);
  // The gradients of the two matrices and of what the second one is applied to; then of the second alone.
  CHECK(whole["backward_macs"] == 5 * (6 * 4 + 4 * 2 + 4 * 2));
  CHECK(last["backward_macs"] == 5 * (4 * 2));
  CHECK(last["gradient_bytes"] < whole["gradient_bytes"]);
  const Finished text = place.gradc({"stats", "frozen.nn"});
  CHECK_THAT(text.out, contains("last leaves as they are: encode.dense1.W, encode.dense1.b"));
}

TEST_CASE("explain finds values, and says which it does not find") {
  const Workplace place;
  const Finished loss = place.gradc({"explain", "tiny.nn", "train.loss"});
  INFO(loss.err);
  CHECK(loss.exit_code == 0);
  const Finished gradient = place.gradc({"explain", "tiny.nn", "train.loss", "--wrt", "z"});
  INFO(gradient.err);
  CHECK(gradient.exit_code == 0);
  CHECK_THAT(gradient.out, contains("d train.loss / d z"));
  const Finished unknown = place.gradc({"explain", "tiny.nn", "train.los"});
  CHECK(unknown.exit_code == 2);
  CHECK_THAT(unknown.err, contains("did you mean 'train.loss'?"));
  CHECK(place.gradc({"explain", "tiny.nn", "train.label"}).exit_code == 0);
  CHECK(place.gradc({"explain", "tiny.nn", "train.loss", "--wrt", "label"}).exit_code ==
        2);  // an integer
}

TEST_CASE("gradcheck draws as the emitted code does, in a step and in its evaluation") {
  const Workplace place;
  write_text(place.path() / "noisy.nn",
             "dim B <= 4\n"
             "net f(x: f32[B, 2]) -> y: f32[B, 2] { y = x |> dense(2) }\n"
             "step train(x: f32[B, 2]) {\n"
             "  y = f(x + (normal(0, 1) like x))\n"
             "  loss = mse(y, x)\n"
             "  minimize loss using sgd\n"
             "  report loss\n"
             "}\n");
  const Finished checked = place.gradc({"gradcheck", "noisy.nn"});
  INFO(checked.out << checked.err);
  CHECK(checked.exit_code == 0);
}

// A bias before a norm changes nothing, so that its gradient is 0; of what rounding leaves of that adam makes steps as long as
// any.
TEST_CASE("gradcheck does not take for wrong what is 0 up to rounding") {
  const Workplace place;
  const auto checked = [&](const std::string& net, const std::string& optimizer) {
    write_text(place.path() / "shifted.nn", "dim B <= 4\n" + net +
                                                "step train(x: f32[B, 1, 6, 6], label: i32[B]) {\n"
                                                "  loss = cross_entropy(f(x), label)\n"
                                                "  minimize loss using " + optimizer + "\n"
                                                "  report loss\n"
                                                "}\n");
    return place.gradc({"gradcheck", "shifted.nn"});
  };
  const std::string net = "net f(x: f32[B, 1, 6, 6]) -> y: f32[B, 3] { y = x |> ";
  for (const char* before : {"conv2d(4) |> instance_norm", "conv2d(4) |> batch_norm", "flatten |> dense(5) |> batch_norm"}) {
    for (const char* optimizer : {"adam", "sgd(lr = 0.1)"}) {
      const Finished said = checked(net + before + " |> relu |> flatten |> dense(3) }\n", optimizer);
      INFO(said.out << said.err);
      CHECK(said.exit_code == 0);
      CHECK_THAT(said.out, contains("right: 0 up to rounding"));
      CHECK_THAT(said.out, contains("not compared: its true value is 0 up to rounding"));
      CHECK_THAT(said.out, contains("could not be compared"));
    }
  }
}

TEST_CASE("gradcheck finds a small gradient that is wrong beside large ones, and one that should be 0") {
  const Workplace place;
  const auto checked = [&](const std::string& db, const std::string& rest) {
    write_text(place.path() / "shifted.nn",
               "dim B <= 4\n"
               "custom op shifted(x[.., k], b[k]) -> y[.., k] { y[.., k] = 1000 * x[.., k] + 1e-4 * b[k] }\n"
               "gradient { dx = 1000 * dy  db[k] = " + db + " }\n"
               "net f(x: f32[B, 6]) -> y: f32[B, 3] {\n"
               "  param b: f32[5] ~ normal(0, 1)\n"
               "  y = shifted(x |> dense(5), b) |> " + rest + "dense(3)\n"
               "}\n");
    return place.gradc({"gradcheck", "shifted.nn", "--strict"});
  };
  for (const char* rest : {"", "batch_norm |> relu |> "}) {
    CHECK(checked("1e-4 * (sum[..] dy[.., k])", rest).exit_code == 0);
    const Finished off = checked("1.01e-4 * (sum[..] dy[.., k])", rest);
    INFO(off.out << off.err);
    CHECK(off.exit_code == 1);
    CHECK_THAT(off.out, contains("not the derivative"));
  }
}

TEST_CASE("gradcheck passes, and says so") {
  const Workplace place;
  const Finished checked = place.gradc({"gradcheck", "tiny.nn"});
  INFO(checked.out << checked.err);
  CHECK(checked.exit_code == 0);
  CHECK_THAT(checked.out, contains("ok"));
  CHECK_THAT(checked.out, contains("Emitted code"));
  CHECK(run_program({GRADC_TOOL, "gradcheck", "tiny.nn"}, {place.path(), {{"CXX", "false"}}})
            .exit_code == 4);
}

TEST_CASE("a word of the command line that is not known is named, with what was meant") {
  const Workplace place;
  const auto said = [&](std::vector<std::string> arguments) {
    const Finished wrong = place.gradc(std::move(arguments));
    CHECK(wrong.exit_code == 2);
    CHECK(wrong.out == "");
    return wrong.err;
  };
  CHECK(said({"build", "tiny.nn", "--tarhet", "cuda"}) ==
        "gradc: error: gradc build has no option '--tarhet'; did you mean '--target'?\n");
  CHECK(said({"build", "--tarhet=cuda", "tiny.nn"}) ==
        "gradc: error: gradc build has no option '--tarhet'; did you mean '--target'?\n");
  CHECK(said({"check", "tiny.nn", "--colour", "never"}) ==
        "gradc: error: gradc check has no option '--colour'; did you mean '--color'?\n");
  CHECK(said({"check", "tiny.nn", "-x"}) ==
        "gradc: error: gradc check has no option '-x'; 'gradc check --help' lists what it takes\n");
  CHECK(said({"check", "tiny.nn", "other.nn"}) ==
        "gradc: error: gradc check does not take 'other.nn'; 'gradc check --help' lists what it takes\n");
  CHECK(said({"bild", "tiny.nn"}) == "gradc: error: gradc has no verb 'bild'; did you mean 'build'?\n");
  CHECK(said({}) == "gradc: error: say what to do; 'gradc --help' lists what it takes\n");
  CHECK(said({"check"}) == "gradc: error: spec is required; 'gradc check --help' lists what it takes\n");
}

TEST_CASE("a spec without a net or step is no error, but nothing is built of it") {
  const Workplace place;
  write_text(place.path() / "ops.nn", "op half(x) = x / 2\n");
  CHECK(place.gradc({"check", "ops.nn"}).exit_code == 0);
  const Finished built = place.gradc({"build", "ops.nn"});
  CHECK(built.exit_code == 1);
  CHECK(built.err == "gradc: error: 'ops.nn' has neither a net nor a step, so there is nothing to build\n");
  CHECK_FALSE(fs::exists(place.path() / "ops.hpp"));
  CHECK_FALSE(fs::exists(place.path() / "ops.cpp"));
}

TEST_CASE("gradcheck draws positions that lie inside at every size") {
  const Workplace place;
  write_text(place.path() / "chosen.nn",
             "dim B <= 16\nnet f(x: f32[B], id: i32[2]) -> y: f32[2] { y[k] = x[id[k]] }\n");
  const Finished checked = place.gradc({"gradcheck", "chosen.nn"});
  INFO(checked.out << checked.err);
  CHECK(checked.exit_code == 0);
  CHECK_THAT(checked.out, contains("dims 1") && contains("dims 7"));
}

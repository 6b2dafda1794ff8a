// runtime_driver.cpp: the driver trains, stops, resumes, tests and predicts; with a hand-written
// network.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/checkpoint.h"
#include "runtime_support.h"
#include "tests/catch.h"

namespace {

using test::drive;
using test::Folder;
using test::line::log;
using test::line::model;
using test::line::program;

struct Points : Folder {
  Points() { test::write(*this / "points.csv", test::line::csv()); }
  test::Run run(std::vector<std::string> arguments) {
    return drive(model, program, path.string(), std::move(arguments));
  }
};

// The stored place is compared through the file, whose bytes hold all there is.
std::string bytes_of_uninterrupted(Points& points, std::vector<std::string> arguments = {}) {
  arguments.insert(arguments.end(), {"--checkpoint", points / "whole.st"});
  REQUIRE(points.run(arguments).code == 0);
  return test::read(points / "whole.st");
}

}  // namespace

TEST_CASE("training learns the line and prints what it did", "[driver]") {
  Points points;
  log() = {};
  const test::Run run =
      points.run({"--epochs", "60", "--progress", "none", "--checkpoint", points / "c.st"});
  INFO(run.err);
  REQUIRE(run.code == 0);
  CHECK(run.err.empty());
  CHECK_THAT(run.out, test::contains("line: 4 parameters, seed 1\n"));
  CHECK_THAT(
      run.out,
      test::contains(
          "fit train on points.train: 23 examples, batch 4, 6 steps per epoch, 60 epochs\n"));
  CHECK_THAT(
      run.out,
      test::contains("fit train on points: 29 examples, batch 8, 4 steps per epoch, 60 epochs\n"));
  CHECK_THAT(run.out, test::contains("epoch 60/60 loss "));
  CHECK_THAT(run.out, test::contains("\ntest loss "));
  CHECK_THAT(run.out, test::contains("(6 examples)\n"));
  test::line::Parameters p;
  test::line::State s;
  std::string warning;
  gradc::driver::load_checkpoint(points / "c.st", model, &p, &s, gradc::driver::Purpose::resume,
                                 warning);
  CHECK(p.w[0] == test::Approx(1).margin(0.02));
  CHECK(p.w[1] == test::Approx(-2).margin(0.02));
  CHECK(p.w[2] == test::Approx(0.5).margin(0.02));
  CHECK(p.b[0] == test::Approx(0.25).margin(0.02));
  CHECK(s.steps[0] == 60 * 6 + 60 * 4);
  CHECK(s.started[0] == 1);
}

TEST_CASE("the last batch of an epoch is the rest", "[driver]") {
  Points points;
  log() = {};
  REQUIRE(points.run({"--epochs", "1"}).code == 0);
  CHECK(log().batches == std::vector<std::int64_t>{4, 4, 4, 4, 4, 3, 8, 8, 8, 5});
  log() = {};
  REQUIRE(points.run({"--epochs", "1", "--batch", "6"}).code == 0);
  CHECK(log().batches == std::vector<std::int64_t>{6, 6, 6, 5, 6, 6, 6, 6, 5});
}

TEST_CASE("every epoch sees each example once, in an order of its own", "[driver]") {
  Points points;
  log() = {};
  REQUIRE(points.run({}).code == 0);
  REQUIRE(log().targets.size() == 3 * 23 + 2 * 29);
  std::vector<std::vector<float>> orders;
  for (const std::size_t start : {0, 23, 46}) {
    const auto first = log().targets.begin() + static_cast<std::ptrdiff_t>(start);
    orders.emplace_back(first, first + 23);
  }
  CHECK(orders[0] != orders[1]);
  CHECK(orders[1] != orders[2]);
  for (std::vector<float>& order : orders) std::sort(order.begin(), order.end());
  CHECK(orders[0] == orders[1]);
  CHECK(orders[1] == orders[2]);
  // The second fit takes all examples.
  std::vector<float> all(log().targets.begin() + 69, log().targets.begin() + 69 + 29);
  std::sort(all.begin(), all.end());
  CHECK(std::includes(all.begin(), all.end(), orders[0].begin(), orders[0].end()));
}

TEST_CASE("reports are averaged over examples, not batches", "[driver]") {
  Points points;
  REQUIRE(
      points
          .run({"--epochs", "1", "--metrics", points / "m.jsonl", "--checkpoint", points / "c.st"})
          .code == 0);
  // `positive` of evaluate is the batch size: over 6 examples in one batch 6, in batches of 4 and 2
  // (4 * 4 + 2 * 2) / 6; the loss is the same however it is cut.
  const test::Run one = points.run({"eval", "--checkpoint", points / "c.st"});
  const test::Run two = points.run({"eval", "--checkpoint", points / "c.st", "--batch", "4"});
  INFO(one.err);
  REQUIRE(one.code == 0);
  CHECK_THAT(one.out, test::contains(" positive 6 (6 examples)"));
  CHECK_THAT(two.out, test::contains(" positive 3.333 (6 examples)"));
  CHECK(one.out.substr(0, one.out.find(" positive")) ==
        two.out.substr(0, two.out.find(" positive")));
}

TEST_CASE("the same seed gives the same bits, another one others", "[driver]") {
  Points points;
  const std::string first = bytes_of_uninterrupted(points);
  CHECK(bytes_of_uninterrupted(points) == first);
  CHECK(bytes_of_uninterrupted(points, {"--seed", "1"}) == first);  // the program's own
  const std::string other = bytes_of_uninterrupted(points, {"--seed", "2"});
  CHECK(other != first);
  CHECK(bytes_of_uninterrupted(points, {"--seed", "2"}) == other);
}

TEST_CASE("resuming after any step gives the bits of an uninterrupted run", "[driver]") {
  Points points;
  const std::vector<std::string> options =
      GENERATE(std::vector<std::string>{}, std::vector<std::string>{"--seed", "99"},
               std::vector<std::string>{"--batch", "5", "--epochs", "2"});
  const std::string whole = bytes_of_uninterrupted(points, options);
  log() = {};
  REQUIRE(points.run(options).code == 0);
  const int steps = log().calls;
  REQUIRE(steps >= 22);
  for (int stop = 1; stop < steps; ++stop) {
    INFO("stopped after " << stop << " steps");
    std::vector<std::string> first = options;
    const std::string file = points / "part.st";
    first.insert(first.end(), {"--checkpoint", file, "--max-steps", std::to_string(stop)});
    REQUIRE(points.run(first).code == 0);
    REQUIRE(test::read(file) != whole);
    const test::Run rest = points.run({"--checkpoint", file, "--resume"});
    INFO(rest.err);
    REQUIRE(rest.code == 0);
    REQUIRE(test::read(file) == whole);
  }
}

TEST_CASE("a run that died is resumed from what --save-every left", "[driver]") {
  Points points;
  const std::string whole = bytes_of_uninterrupted(points);
  // The checkpoint after every step of one run, each of which a kill could have left.
  const std::string file = points / "c.st";
  for (const int stop : {2, 5, 7, 20}) {
    REQUIRE(
        points.run({"--checkpoint", file, "--save-every", "1", "--max-steps", std::to_string(stop)})
            .code == 0);
    for (int more = 0; more < 3; ++more)  // interrupted again and again
      REQUIRE(points.run({"--checkpoint", file, "--resume", "--max-steps", "1"}).code == 0);
    REQUIRE(points.run({"--checkpoint", file, "--resume"}).code == 0);
    CHECK(test::read(file) == whole);
  }
}

TEST_CASE("an interrupt ends after its step, saves, and says how to go on", "[driver]") {
  Points points;
  const std::string whole = bytes_of_uninterrupted(points);
  for (const int at : {0, 3, 5, 17, 18, 25}) {
    log() = {};
    log().raise_at = at;
    const test::Run run = points.run({"--checkpoint", points / "c.st"});
    CHECK(run.code == 130);
    CHECK(log().calls == at + 1);
    CHECK_THAT(run.out, test::contains("--resume continues"));
    REQUIRE(points.run({"--checkpoint", points / "c.st", "--resume"}).code == 0);
    CHECK(test::read(points / "c.st") == whole);
  }
  log() = {};
  log().raise_at = 2;
  const test::Run run = points.run({});
  CHECK(run.code == 130);
  CHECK_THAT(run.out, test::contains("nothing is saved without --checkpoint"));
  log() = {};
}

TEST_CASE("resuming with more epochs goes on", "[driver]") {
  Points points;
  // Only the first stage, so that its end is the end of the file.
  const gradc::Program one = {test::line::data, 1, test::line::splits, 1, test::line::actions, 1};
  const auto run = [&](std::vector<std::string> arguments) {
    return drive(model, one, points.path.string(), std::move(arguments)).code;
  };
  REQUIRE(run({"--epochs", "5", "--checkpoint", points / "five.st"}) == 0);
  REQUIRE(run({"--checkpoint", points / "three.st"}) == 0);
  REQUIRE(run({"--epochs", "5", "--checkpoint", points / "three.st", "--resume"}) == 0);
  CHECK(test::read(points / "three.st") == test::read(points / "five.st"));
}

TEST_CASE("an epoch that was interrupted reports what it would have without", "[driver]") {
  Points points;
  const auto epochs = [&](const std::string& file) {
    std::string result;
    std::istringstream lines(test::read(points / file));
    for (std::string text; std::getline(lines, text);) {
      nlohmann::json record = nlohmann::json::parse(text);
      if (record["type"] == "run") continue;
      record.erase("seconds");
      result += record.dump() + "\n";
    }
    return result;
  };
  REQUIRE(points.run({"--metrics", points / "whole"}).code == 0);
  for (const std::string stop : {"1", "6", "9", "19", "24"}) {
    const std::string checkpoint = points / "c.st", metrics = points / "parts";
    REQUIRE(
        points.run({"--checkpoint", checkpoint, "--metrics", metrics, "--max-steps", stop}).code ==
        0);
    REQUIRE(points.run({"--checkpoint", checkpoint, "--metrics", metrics, "--resume"}).code == 0);
    CHECK(epochs("parts") == epochs("whole"));
  }
}

TEST_CASE("metrics are one JSON object per line", "[driver]") {
  Points points;
  REQUIRE(points.run({"--metrics", points / "m.jsonl"}).code == 0);
  std::istringstream lines(test::read(points / "m.jsonl"));
  std::vector<nlohmann::json> records;
  for (std::string text; std::getline(lines, text);) records.push_back(nlohmann::json::parse(text));
  REQUIRE(records.size() == 1 + 3 + 2 + 1);
  CHECK(records[0]["type"] == "run");
  CHECK(records[0]["schema"] == 1);
  CHECK(records[0]["spec_hash"] == "0123abcd");
  CHECK(records[0]["seed"] == 1);
  CHECK(records[0]["parameters"] == 4);
  CHECK(records[3]["type"] == "epoch");
  CHECK(records[3]["epoch"] == 3);
  CHECK(records[3]["data"] == "points.train");
  CHECK(records[3]["examples"] == 23);
  CHECK(records[3]["reports"]["loss"].is_number());
  CHECK(records[5]["data"] == "points");
  CHECK(records[6]["type"] == "test");
  CHECK(records[6]["examples"] == 6);
}

TEST_CASE("predict writes outputs in the order of the file", "[driver]") {
  Points points;
  REQUIRE(points.run({"--epochs", "100", "--checkpoint", points / "c.st"}).code == 0);
  const test::Run text = points.run({"predict", "--checkpoint", points / "c.st"});
  INFO(text.err);
  REQUIRE(text.code == 0);
  std::istringstream predicted(text.out), truth(test::line::csv());
  std::string prediction, row;
  std::getline(truth, row);
  std::getline(predicted, prediction);
  CHECK(prediction == "out");
  int rows = 0;
  while (std::getline(truth, row)) {
    REQUIRE(std::getline(predicted, prediction));
    CHECK(std::stod(prediction) ==
          test::Approx(std::stod(row.substr(row.rfind(',') + 1))).margin(0.05));
    ++rows;
  }
  CHECK(rows == 29);
  REQUIRE(points
              .run({"predict", "--checkpoint", points / "c.st", "--on", "points.test", "--output",
                    points / "p.npy"})
              .code == 0);
  const gradc::driver::Array array = gradc::driver::read_npy(points / "p.npy");
  CHECK(array.shape == std::vector<std::int64_t>{6});
  CHECK(array.element == gradc::driver::Element::f4);
}

TEST_CASE("data is found where the user says", "[driver]") {
  Points points;
  Folder empty;
  const auto run = [&](std::vector<std::string> arguments) {
    return drive(model, program, empty.path.string(), std::move(arguments));
  };
  CHECK(run({}).code == 3);
  CHECK_THAT(run({}).err, test::contains("points.csv: cannot open"));
  CHECK(run({"--data", points.path.string()}).code == 0);
  CHECK(run({points.path.string()}).code == 0);
  CHECK(run({points / "points.csv"}).code == 0);
  CHECK(run({"--data", "points=" + (points / "points.csv")}).code == 0);
  CHECK(run({"--data", "pints=" + (points / "points.csv")}).code == 2);
  CHECK(run({points / "points.csv", points / "points.csv"}).code == 2);
}

TEST_CASE("exit codes and messages of what goes wrong", "[driver]") {
  Points points;
  const auto check = [&](std::vector<std::string> arguments, int code, const std::string& message) {
    const test::Run run = points.run(std::move(arguments));
    CHECK(run.code == code);
    CHECK_THAT(run.err, test::contains(message));
    CHECK(run.err.substr(0, 13) == "line: error: ");
  };
  check({"--epochs", "many"}, 2, "many");
  check({"--threads", "0"}, 2, "--threads: must be a whole number from 1 on, not '0'");
  check({"--threads", "100000"}, 2, "--threads: must be 1024 at most, not '100000'");
  check({"--epochs", "-1"}, 2, "--epochs: must be a whole number from 0 on, not '-1'");
  check({"--batch", "0"}, 2, "--batch: must be a whole number from 1 on, not '0'");
  check({"--batch", "9"}, 2, "'train' takes at most 8 (dim B <= 8)");
  check({"--frobnicate"}, 2, "--frobnicate");
  check({"--resume"}, 2, "--resume needs --checkpoint FILE");
  check({"--resume", "--checkpoint", points / "none.st"}, 3, "none.st: cannot open");
  check({"--checkpoint", points / "no/such/folder.st"}, 3, "cannot create a file in ");
  check({"--checkpoint", points.path.string()}, 3, "is a folder");
  check({"--metrics", points / "no/such/folder"}, 3, "cannot write");
  check({"eval"}, 2, "--checkpoint FILE");
  check({"eval", "--checkpoint", points / "points.csv"}, 1, "points.csv");
  check({"predict", "--checkpoint", points / "c.st", "--output", "x.txt"}, 2, ".npy, .csv or .png");
  REQUIRE(points.run({"--checkpoint", points / "c.st"}).code == 0);
  check({"predict", "--checkpoint", points / "c.st", "--on", "nothing"}, 2, "there is points");
  check({"predict", "--checkpoint", points / "c.st", "--on", "points.nothing"}, 2,
        "there is no part points.nothing");
  check({"predict", "--checkpoint", points / "c.st", "--net", "nothing"}, 2, "there is fit");
  check({"--checkpoint", points / "c.st", "--resume", "--seed", "5"}, 2, "was trained with seed 1");
  REQUIRE(points.run({"--checkpoint", points / "c.st", "--max-steps", "2"}).code == 0);
  check({"--checkpoint", points / "c.st", "--resume", "--batch", "3"}, 1,
        "within an epoch of 23 examples in batches of 4");
  test::write(points / "points.csv", "a,b,c,target\n1,2,3,nan\n");
  check({}, 1, "points.csv:2: column 3: the value nan of 'y' is no number to learn from");
  test::write(points / "points.csv", "a,b,c,target\n1,2,3\n");
  check({}, 1, "points.csv:2: 3 fields; the lines before it have 4");
}

TEST_CASE("help is printed for every verb", "[driver]") {
  Points points;
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--help"},
                                                    {"train", "--help"},
                                                    {"eval", "--help"},
                                                    {"predict", "--help"}}) {
    const test::Run run = points.run(arguments);
    CHECK(run.code == 0);
    CHECK(run.err.empty());
    CHECK_THAT(run.out, test::contains("--checkpoint"));
    CHECK_THAT(run.out, test::contains("--batch"));
  }
  CHECK_THAT(points.run({"--help"}).out, test::contains("predict"));
}

TEST_CASE("a program for another runtime, or with tables that lie, is an internal error",
          "[driver]") {
  Points points;
  gradc::Model other = model;
  other.runtime_version = 99;
  CHECK(drive(other, program, points.path.string(), {}).code == 5);
  other = model;
  other.parameters_size = 8;
  CHECK(drive(other, program, points.path.string(), {}).code == 5);
  other = model;
  other.workspace_size = std::size_t{1} << 60;
  const test::Run run = drive(other, program, points.path.string(), {});
  CHECK(run.code == 3);
  CHECK_THAT(run.err, test::contains("out of memory: the workspace needs"));
}

// runtime_outputs.cpp: what programs show and score: listings, pictures as PNG, measures of a whole
// set, against numbers from paper.
#include <zlib.h>

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "runtime/picture.h"
#include "runtime/score.h"
#include "runtime_support.h"
#include "tests/catch.h"

using namespace gradc::driver;
using test::Approx;

namespace {

std::uint32_t u32(const std::string& bytes, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t k = 0; k < 4; ++k)
    number = number << 8 | static_cast<unsigned char>(bytes.at(at + k));
  return number;
}

// A PNG of 8 bits of grey read by the letter of its specification, each chunk's sum included.
Picture read_png(const std::string& file) {
  REQUIRE(file.substr(0, 8) == "\x89PNG\r\n\x1a\n");
  Picture picture;
  std::string packed;
  std::vector<std::string> types;
  for (std::size_t at = 8; at < file.size();) {
    const std::uint32_t size = u32(file, at);
    const std::string type = file.substr(at + 4, 4), data = file.substr(at + 8, size);
    REQUIRE(u32(file, at + 8 + size) ==
            crc32(0, reinterpret_cast<const Bytef*>(file.data() + at + 4), size + 4));
    if (type == "IHDR") {
      picture.width = u32(data, 0);
      picture.height = u32(data, 4);
      REQUIRE(data.substr(8) == std::string("\x08\0\0\0\0", 5));
    }
    if (type == "IDAT") packed += data;
    types.push_back(type);
    at += 12 + size;
  }
  REQUIRE(types == std::vector<std::string>{"IHDR", "IDAT", "IEND"});
  std::string rows(static_cast<std::size_t>(picture.height * (picture.width + 1)), '\0');
  uLongf size = rows.size();
  REQUIRE(uncompress(reinterpret_cast<Bytef*>(rows.data()), &size,
                     reinterpret_cast<const Bytef*>(packed.data()), packed.size()) == Z_OK);
  REQUIRE(size == rows.size());
  for (std::int64_t y = 0; y < picture.height; ++y) {
    const auto at = static_cast<std::size_t>(y * (picture.width + 1));
    REQUIRE(rows[at] == '\0');
    picture.pixels += rows.substr(at + 1, static_cast<std::size_t>(picture.width));
  }
  return picture;
}

unsigned char pixel(const Picture& picture, std::int64_t x, std::int64_t y) {
  return static_cast<unsigned char>(picture.pixels.at(static_cast<std::size_t>(y * picture.width + x)));
}

}  // namespace

TEST_CASE("scores of classes are those of paper", "[score]") {
  // answers 0 0 1 1 1 2, guesses 0 1 1 1 1 2, and a class 3 that never occurs
  const Confusion counts = confusion_matrix({0, 1, 1, 1, 1, 2}, {0, 0, 1, 1, 1, 2}, 4);
  CHECK(counts == Confusion{{1, 1, 0, 0}, {0, 3, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 0}});
  const ClassScores all = class_scores(counts, false);
  CHECK(all.accuracy == Approx(5.0 / 6));
  CHECK(all.precision == Approx(11.0 / 12));  // (1/1 + 3/4 + 1/1) / 3
  CHECK(all.recall == Approx(5.0 / 6));       // (1/2 + 3/3 + 1/1) / 3
  CHECK(all.f1 == Approx(53.0 / 63));         // (2/3 + 6/7 + 1) / 3
  // Two classes: what matters is class 1. 3 of 4 guesses right, 3 of 5 found.
  const ClassScores one = class_scores({{2, 1}, {2, 3}}, true);
  CHECK(one.accuracy == Approx(5.0 / 8));
  CHECK(one.precision == Approx(3.0 / 4));
  CHECK(one.recall == Approx(3.0 / 5));
  CHECK(one.f1 == Approx(2.0 / 3));  // 2 * 3 / (4 + 5)
  CHECK(class_scores({{3, 0}, {0, 0}}, true).precision == 0);  // none was guessed
}

TEST_CASE("the area under the ROC counts a tie half", "[score]") {
  // Pairs of a positive with a negative: 2 > 1, 2 = 2, 3 > 1, 3 > 2.
  CHECK(roc_auc({1, 2, 2, 3}, {false, false, true, true}) == Approx(3.5 / 4));
  CHECK(roc_auc({3, 2, 2, 1}, {true, true, false, false}) == Approx(3.5 / 4));
  CHECK(roc_auc({7, 7, 7}, {false, true, true}) == Approx(0.5));
  CHECK(roc_auc({0.1, 0.4, 0.35, 0.8}, {false, false, true, true}) == Approx(0.75));
  CHECK(std::isnan(roc_auc({1, 2}, {true, true})));
  CHECK(std::isnan(roc_auc({1, NAN, 3}, {true, false, false})));
}

TEST_CASE("R squared is what a mean leaves unexplained", "[score]") {
  // mean 5/2, spread 9/4 + 1/4 + 1/4 + 9/4 = 5, missed 1
  CHECK(r_squared({1, 2, 3, 5}, {1, 2, 3, 4}, 0, 1) == Approx(4.0 / 5));
  // every second number: t = 1 3, y = 2 3: spread 2, missed 1
  CHECK(r_squared({2, 0, 3, 0}, {1, 9, 3, 9}, 0, 2) == Approx(0.5));
  CHECK(std::isnan(r_squared({1, 2}, {3, 3}, 0, 1)));
}

TEST_CASE("scores are those of scikit-learn", "[score]") {
  const auto stored = nlohmann::json::parse(test::read(GRADC_SOURCE_DIR "/tests/data/scores.json"));
  for (const auto& one : stored["cases"]) {
    const Confusion counts =
        confusion_matrix(one["guess"].get<std::vector<std::int64_t>>(),
                         one["answer"].get<std::vector<std::int64_t>>(), one["classes"]);
    CHECK(counts == one["confusion"].get<Confusion>());
    const ClassScores scores = class_scores(counts, false);
    CHECK(scores.accuracy == Approx(one["accuracy"].get<double>()));
    CHECK(scores.precision == Approx(one["precision"].get<double>()));
    CHECK(scores.recall == Approx(one["recall"].get<double>()));
    CHECK(scores.f1 == Approx(one["f1"].get<double>()));
  }
  for (const auto& one : stored["ranked"])
    CHECK(roc_auc(one["score"].get<std::vector<double>>(),
                  one["positive"].get<std::vector<bool>>()) ==
          Approx(one["roc_auc"].get<double>()));
  for (const auto& one : stored["fitted"]) {
    const auto y = one["y"].get<std::vector<double>>(), t = one["t"].get<std::vector<double>>();
    const std::size_t columns = one["columns"];
    double sum = 0;  // over columns, as a score of the program
    for (std::size_t k = 0; k < columns; ++k) sum += r_squared(y, t, k, columns);
    CHECK(sum / static_cast<double>(columns) == Approx(one["r_squared"].get<double>()));
  }
}

TEST_CASE("pictures stand in a grid, or in a column for each example", "[picture]") {
  // Five pictures of 2 x 3 that are 0, 1/4, 1/2, 3/4 and 1 all over: three columns, two rows;
  // magnified 48 / 3 = 16 times, 2 pixels apart.
  const Strip strip{1, [](std::int64_t i) { return static_cast<double>(i / 6) / 4; }};
  const Picture grid = read_png(png(tile({strip}, 5, 2, 3, "p.png")));
  CHECK(grid.width == 3 * (3 * 16 + 2) + 2);
  CHECK(grid.height == 2 * (2 * 16 + 2) + 2);
  CHECK(pixel(grid, 0, 0) == 96);                // between
  CHECK(pixel(grid, 2, 2) == 0);                 // the first
  CHECK(pixel(grid, 2 + 50, 2) == 64);           // 255 / 4, rounded
  CHECK(pixel(grid, 2 + 100 + 47, 2 + 31) == 128);
  CHECK(pixel(grid, 2, 2 + 34) == 191);
  CHECK(pixel(grid, 2 + 50, 2 + 34) == 255);
  CHECK(pixel(grid, 2 + 100, 2 + 34) == 96);     // there is no sixth
  // Two strips of one picture and of two: three rows, a column for each of two examples.
  const Strip pair{2, [](std::int64_t i) { return i == 0 ? -1.0 : i == 3 ? 7.0 : std::nan(""); }};
  const Picture columns = read_png(png(tile({{1, [](std::int64_t) { return 0.5; }}, pair}, 2, 1, 1, "p.png")));
  CHECK(columns.width == 2 * 50 + 2);
  CHECK(columns.height == 3 * 50 + 2);
  CHECK(pixel(columns, 2, 2) == 128);
  CHECK(pixel(columns, 2, 52) == 0);     // -1 is clipped
  CHECK(pixel(columns, 52, 102) == 255);  // 7 is, too: picture 2 of example 2
  CHECK(pixel(columns, 52, 52) == 0);    // NaN
  CHECK_THAT(test::refusal([&] { tile({strip}, 40000, 64, 64, "p.png"); }),
             test::contains("show fewer examples"));
  CHECK_THAT(test::refusal([&] { tile({strip}, 0, 2, 3, "p.png"); }), test::contains("none"));
}

TEST_CASE("a program shows and scores its net on what it lists or draws", "[driver]") {
  using namespace test::line;
  static const double x[] = {1, 0, 0, 0, 1, 0}, y[] = {1, 3};
  static const gradc::Field listed[] = {{"x", nullptr, 0, 0, 1, 0, x, 6},
                                        {"y", nullptr, 0, 0, 1, 0, y, 2}};
  static const gradc::Field drawn[] = {
      {"x", nullptr, 0, 0, 2, 10, nullptr, 0, gradc::Draw::normal},
      {"y", nullptr, 0, 0, 1, 0, nullptr, 0, gradc::Draw::uniform}};
  static const gradc::DataSource sources[] = {
      {"given", gradc::DataFormat::values, nullptr, false, listed, 2, 2},
      {"noise", gradc::DataFormat::random, nullptr, false, drawn, 2, 1000, 3}};
  static const char* const metrics[] = {"r_squared"};
  static const gradc::Action steps[] = {
      {gradc::ActionKind::show, "fit", "given", nullptr, 0, 0, false, 0, nullptr},
      {gradc::ActionKind::show, "fit", "noise", nullptr, 0, 0, false, 0, "noise.csv", 20},
      {gradc::ActionKind::score, "fit", "given", nullptr, 0, 0, false, 0, nullptr, 0, "out", "y", 0,
       metrics, 1},
      {gradc::ActionKind::test, "train", "noise", nullptr, 0, 0, false, 0, nullptr},
      {gradc::ActionKind::show, "fit", "noise", nullptr, 0, 0, false, 0, "no.png"}};
  static const gradc::Program shows = {sources, 2, nullptr, 0, steps, 5};
  test::Folder folder;
  const auto here = std::filesystem::current_path();
  std::filesystem::current_path(folder.path);
  const test::Run run = test::drive(model, shows, folder.path.string(), {});
  std::filesystem::current_path(here);
  INFO(run.out << run.err);
  CHECK(run.code == 1);  // the last action: numbers are no picture
  CHECK_THAT(run.err, test::contains("no.png: output 'out' [1000] is no picture"));
  CHECK_FALSE(std::filesystem::exists(folder.path / "no.png"));
  CHECK_THAT(run.out, test::contains("show fit on given (2 examples)\n  out [2]\n    "));
  CHECK_THAT(run.out, test::contains("show fit on noise (20 examples) as noise.csv\n"));
  CHECK_THAT(run.out, test::contains("score r_squared "));
  CHECK_THAT(run.out, test::contains("(1000 examples)"));
  const std::string csv = test::read(folder / "noise.csv");
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 21);
}

// runtime_progress.cpp: the text of the progress bar, with a clock and a width of the test's own.
#include "runtime/metrics.h"
#include "runtime/progress.h"
#include "runtime_support.h"
#include "tests/catch.h"

namespace {

using namespace gradc::driver;

ProgressPoint point(std::int64_t done, double seconds,
                    std::string reports = "loss 0.123 accuracy 0.98") {
  return {"epoch 3/20", done, 23, 0, seconds, std::move(reports)};
}

// Columns on a terminal: every character of a bar is one wide.
std::size_t columns(const std::string& text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return count;
}

struct Screen {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* stream = open_memstream(&text, &size);
  ~Screen() {
    std::fclose(stream);
    std::free(text);
  }
  std::string read() {
    std::fflush(stream);
    return std::string(text, size);
  }
};

}  // namespace

TEST_CASE("the bar reads like tqdm's", "[progress]") {
  CHECK(progress_bar(point(17, 17.0), 80, true) ==
        "epoch 3/20  73%|█████▉  | 17/23 [00:17<00:06, 1.0 it/s] loss 0.123 accuracy 0.98");
  CHECK(progress_bar(point(17, 17.0), 80, false) ==
        "epoch 3/20  73%|#####   | 17/23 [00:17<00:06, 1.0 it/s] loss 0.123 accuracy 0.98");
  CHECK(progress_bar(point(0, 0), 70, true) ==
        "epoch 3/20   0%|     | 0/23 [00:00<?, ? it/s] loss 0.123 accuracy 0.98");
  CHECK(progress_bar(point(23, 0.1, ""), 60, true) ==
        "epoch 3/20 100%|███████████| 23/23 [00:00<00:00, 230.0 it/s]");
  CHECK(progress_bar(point(1, 7200, ""), 60, true) ==
        "epoch 3/20   4%|▎     | 1/23 [2:00:00<44:00:00, 7200.0 s/it]");
  CHECK(progress_text(point(17, 17.0)) ==
        "epoch 3/20  73% 17/23 [00:17<00:06, 1.0 it/s] loss 0.123 accuracy 0.98");
}

TEST_CASE("the bar is exactly as wide as it may be, at every width", "[progress]") {
  for (const std::int64_t done : {0, 1, 11, 22, 23})
    for (int width = 0; width < 200; ++width)
      for (const bool utf8 : {false, true}) {
        const std::string bar = progress_bar(point(done, 2.0), width, utf8);
        CHECK(columns(bar) <= static_cast<std::size_t>(width));
        if (width > 90) CHECK(columns(bar) == static_cast<std::size_t>(width));
      }
}

TEST_CASE("a bar fills by eighths of a column", "[progress]") {
  std::string last;
  for (std::int64_t done = 0; done <= 800; ++done) {
    const ProgressPoint p = {"e", done, 800, 0, 0, ""};
    const std::string bar = progress_bar(p, 60, true);
    const std::size_t begin = bar.find('|') + 1;
    const std::string cells = bar.substr(begin, bar.rfind("| ") - begin);
    std::int64_t eighths = 0, width = 0;
    for (std::size_t i = 0; i < cells.size(); ++width)
      if (cells[i] == ' ') {
        ++i;
      } else {
        eighths += 0x90 - static_cast<unsigned char>(cells[i + 2]);
        i += 3;
      }
    CHECK(eighths == done * width * 8 / 800);
  }
}

TEST_CASE("a resumed epoch's speed counts only its own steps", "[progress]") {
  ProgressPoint p = point(20, 2.0, "");
  p.done_before = 10;
  CHECK_THAT(progress_bar(p, 70, true), test::contains("20/23 [00:02<00:00, 5.0 it/s]"));
}

TEST_CASE("a bar is redrawn at most ten times a second, and cleared for lines", "[progress]") {
  Screen screen;
  double time = 100;
  Progress progress(ProgressMode::bar, screen.stream, [&] { return time; }, 60, true);
  int draws = 0;
  for (int epoch = 0; epoch < 4; ++epoch) {
    progress.start("epoch", 250, 0);
    for (int step = 1; step <= 250; ++step) {
      time += 0.001;
      if (progress.due()) progress.draw(step, ""), ++draws;
    }
    progress.clear();
  }
  CHECK(draws >= 9);
  CHECK(draws <= 11);
  const std::string text = screen.read();
  CHECK(text.substr(0, 7) == "\repoch ");
  CHECK(text.substr(text.size() - 4) == "\r\x1b[K");
  CHECK(text.find('\n') == text.npos);
}

TEST_CASE("plain lines come every ten seconds, and none means none", "[progress]") {
  for (const ProgressMode mode :
       {ProgressMode::automatic, ProgressMode::plain, ProgressMode::none}) {
    test::Folder folder;
    std::FILE* stream = std::fopen((folder / "log").c_str(), "w");
    double time = 0;
    Progress progress(mode, stream, [&] { return time; }, 0, true);
    progress.start("epoch 1/1", 35, 0);
    for (int step = 1; step <= 35; ++step) {
      time += 1;
      if (progress.due()) progress.draw(step, "loss 1");
    }
    progress.clear();
    std::fclose(stream);
    CHECK(test::read(folder / "log") ==
          (mode == ProgressMode::none ? ""
                                      : "epoch 1/1  28% 10/35 [00:10<00:25, 1.0 it/s] loss 1\n"
                                        "epoch 1/1  57% 20/35 [00:20<00:15, 1.0 it/s] loss 1\n"
                                        "epoch 1/1  85% 30/35 [00:30<00:05, 1.0 it/s] loss 1\n"));
  }
}

TEST_CASE("reports are short in lines and null in JSON where they are no numbers", "[progress]") {
  const Reports reports = {{"loss", 0.081034}, {"accuracy", 0.97777}, {"worst", std::stod("inf")}};
  CHECK(reports_text(reports) == "loss 0.08103 accuracy 0.9778 worst inf");
  test::Folder folder;
  {
    Metrics metrics(folder / "m.jsonl", false);
    metrics.test({"train", "digits.test", 0, 0, 0, 360, 0.5, reports});
  }
  CHECK(test::read(folder / "m.jsonl") ==
        R"({"type":"test","test":"train","data":"digits.test","examples":360,"seconds":0.5,)"
        R"("reports":{"loss":0.081034,"accuracy":0.97777,"worst":null}})"
        "\n");
}

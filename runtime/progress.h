// progress.h: the progress bar, in tqdm's manner.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>

namespace gradc::driver {

struct ProgressPoint {
  std::string label;  // "epoch 3/20"
  std::int64_t done = 0, total = 0;
  std::int64_t done_before = 0;  // of `done`, steps made before the clock started
  double seconds = 0;            // since it started
  std::string reports;           // "loss 0.123 accuracy 0.98"
};

// "epoch 3/20  76%|███▌ | 17/23 [00:33<00:10, 229.0 it/s] loss 0.123", at most `width` columns
// wide.
std::string progress_bar(const ProgressPoint&, int width, bool utf8);
// The same without a bar, for logs.
std::string progress_text(const ProgressPoint&);

enum class ProgressMode : std::int32_t { automatic, bar, plain, none };

// What --progress=auto means for this stream: a bar on a terminal, plain lines otherwise.
ProgressMode resolve_progress(ProgressMode, std::FILE*);
bool terminal_speaks_utf8();

class Progress {
 public:
  using Clock = std::function<double()>;  // seconds
  // width 0: ask the terminal at every redraw.
  Progress(ProgressMode, std::FILE*, Clock, int width, bool utf8);

  void start(std::string label, std::int64_t total, std::int64_t done);
  // Whether it is time to draw: ten times a second for a bar, every ten seconds for plain lines.
  bool due();
  void draw(std::int64_t done, std::string reports);
  // Removes the bar, so that a line may be printed in its place.
  void clear();

 private:
  ProgressMode mode_;
  std::FILE* stream_;
  Clock clock_;
  int width_;
  bool utf8_, drawn_ = false;
  ProgressPoint point_;
  double started_ = 0, last_ = -1e9;
};

}  // namespace gradc::driver

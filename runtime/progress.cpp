// progress.cpp: the progress bar, in tqdm's manner.
#include "runtime/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace gradc::driver {
namespace {

std::string clock_text(double seconds) {
  if (!(seconds >= 0 && seconds < 1e9)) return "?";
  const auto whole = static_cast<std::int64_t>(seconds);
  const std::int64_t hours = whole / 3600, minutes = whole / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60)
                   : fmt::format("{:02}:{:02}", minutes, whole % 60);
}

std::string meter(const ProgressPoint& p) {
  const double made = static_cast<double>(p.done - p.done_before);
  const double rate = p.seconds > 0 ? made / p.seconds : 0;
  if (rate <= 0) return fmt::format("{}/{} [{}<?, ? it/s]", p.done, p.total, clock_text(p.seconds));
  return fmt::format(
      "{}/{} [{}<{}, {}]", p.done, p.total, clock_text(p.seconds),
      clock_text(static_cast<double>(p.total - p.done) / rate),
      rate >= 1 ? fmt::format("{:.1f} it/s", rate) : fmt::format("{:.1f} s/it", 1 / rate));
}

double fraction_of(const ProgressPoint& p) {
  return p.total > 0
             ? std::clamp(static_cast<double>(p.done) / static_cast<double>(p.total), 0.0, 1.0)
             : 1.0;
}

int terminal_width(std::FILE* stream) {
  struct winsize size = {};
  if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

}  // namespace

std::string progress_bar(const ProgressPoint& p, int width, bool utf8) {
  const double fraction = fraction_of(p);
  const std::string left =
      fmt::format("{} {:3}%|", p.label, static_cast<int>(std::floor(fraction * 100)));
  std::string right = fmt::format("| {} {}", meter(p), p.reports);
  while (!right.empty() && right.back() == ' ') right.pop_back();
  const int room = width - static_cast<int>(left.size() + right.size());
  if (room < 1) {  // no bar at all: what fits of the numbers
    std::string text = left + right.substr(1);
    return text.substr(0, static_cast<std::size_t>(std::max(width, 0)));
  }
  const int parts = utf8 ? 8 : 1;  // a column is drawn in eighths
  const int filled = static_cast<int>(std::floor(fraction * room * parts));
  std::string bar;
  for (int column = 0; column < room; ++column) {
    const int eighths = std::clamp(filled - column * parts, 0, parts);
    if (eighths == 0) {
      bar += ' ';
    } else if (utf8) {
      bar += "\xe2\x96";  // U+2588 is the full block, U+258F one eighth
      bar += static_cast<char>(0x90 - eighths);
    } else {
      bar += '#';
    }
  }
  return left + bar + right;
}

std::string progress_text(const ProgressPoint& p) {
  std::string text =
      fmt::format("{} {:3}% {} {}", p.label, static_cast<int>(std::floor(fraction_of(p) * 100)),
                  meter(p), p.reports);
  while (text.back() == ' ') text.pop_back();
  return text;
}

ProgressMode resolve_progress(ProgressMode mode, std::FILE* stream) {
  if (mode != ProgressMode::automatic) return mode;
  const char* term = std::getenv("TERM");
  const bool dumb = term != nullptr && std::strcmp(term, "dumb") == 0;
  return isatty(fileno(stream)) && !dumb ? ProgressMode::bar : ProgressMode::plain;
}

// Today's terminals do; only a locale that is set and says otherwise counts against it.
bool terminal_speaks_utf8() {
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(variable);
    if (value == nullptr || *value == '\0') continue;
    const std::string text = value;
    return text.find("UTF-8") != text.npos || text.find("utf8") != text.npos ||
           text.find("UTF8") != text.npos || text.find("utf-8") != text.npos;
  }
  return true;
}

Progress::Progress(ProgressMode mode, std::FILE* stream, Clock clock, int width, bool utf8)
    : mode_(resolve_progress(mode, stream)),
      stream_(stream),
      clock_(std::move(clock)),
      width_(width),
      utf8_(utf8) {}

void Progress::start(std::string label, std::int64_t total, std::int64_t done) {
  point_ = {std::move(label), done, total, done, 0, ""};
  started_ = clock_();
  // A bar may show at once, but short epochs don't make it flicker; a plain line shows only where
  // an epoch takes long.
  if (mode_ == ProgressMode::plain) last_ = started_;
}

bool Progress::due() {
  if (mode_ == ProgressMode::none) return false;
  return clock_() - last_ >= (mode_ == ProgressMode::bar ? 0.1 : 10.0);
}

void Progress::draw(std::int64_t done, std::string reports) {
  if (mode_ == ProgressMode::none) return;
  last_ = clock_();
  point_.done = done;
  point_.seconds = last_ - started_;
  point_.reports = std::move(reports);
  std::string text;
  if (mode_ == ProgressMode::bar) {
    // One column stays free: a full line would wrap on some terminals.
    const int width = width_ > 0 ? width_ : terminal_width(stream_);
    text = "\r" + progress_bar(point_, width - 1, utf8_) + "\x1b[K";
  } else {
    text = progress_text(point_) + "\n";
  }
  std::fwrite(text.data(), 1, text.size(), stream_);
  std::fflush(stream_);
  drawn_ = true;
}

void Progress::clear() {
  if (mode_ != ProgressMode::bar || !drawn_) return;
  std::fputs("\r\x1b[K", stream_);
  std::fflush(stream_);
  drawn_ = false;
}

}  // namespace gradc::driver

// gradc/pace.h: whether several threads make a function faster, by measuring. C++17, nothing allocates.
//
// No count of operations tells what it costs to wait for each other, to fetch what another core has just computed, or to share
// a processor with another program. Any number of threads computes the same bits, so a team may try both ways: it keeps to
// the one whose calls took less time, and tries the other again and again, the more seldom the longer nothing changes.
#pragma once

namespace gradc {

class Pace {
 public:
  // The next call's: several threads, or one alone.
  bool several() const { return several_; }

  // How long that call took, in any unit.
  void took(double time) {
    sum_ += time;
    if (time > slowest_) slowest_ = time;
    if (++calls_ < (trying_ ? trial : round_)) return;
    // Without the slowest: threads that slept have to wake, and memory may be touched for the first time.
    const double mean = (sum_ - slowest_) / (calls_ - 1);
    sum_ = slowest_ = 0;
    calls_ = 0;
    if (!trying_) {
      kept_ = mean;
    } else if (mean < kept_) {  // what was tried is kept
      round_ = shortest;
      trying_ = false;
      return;
    } else {
      round_ = 2 * round_ < longest ? 2 * round_ : longest;
    }
    trying_ = !trying_;
    several_ = !several_;
  }

 private:
  // Calls one way before as many of a trial. At the longest, one that takes twice as long costs 0.6 %.
  static constexpr int trial = 3, shortest = 8, longest = 512;

  bool several_ = true, trying_ = false;
  int round_ = shortest, calls_ = 0;
  double sum_ = 0, slowest_ = 0, kept_ = 0;  // of the calls since the last change; the mean of those before a trial
};

}  // namespace gradc

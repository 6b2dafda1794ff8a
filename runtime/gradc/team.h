// gradc/team.h: how threads run an emitted function together. Starts none: gradc/threads.h does, or whoever fills a Team.
//
// Each thread runs the whole function, computes its part of the kernels that are in parts, and waits where the
// function says so. Which thread computes what follows from the number of threads alone, and every element is computed
// by the same instructions whatever that number is: so are all results, bit for bit.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gradc/pace.h"
#include "gradc/qualify.h"

#if defined(__linux__)
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <thread>
#endif

namespace gradc {
inline namespace GRADC_PROCESSOR {

// Tells a processor that a thread waits for another.
inline void spin_once() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Lets other threads run. (<thread> takes longer to read than many a network to compile.)
inline void yield() {
#if defined(__linux__)
  sched_yield();
#else
  std::this_thread::yield();
#endif
}

// Tries of a wait before the thread lets others run: some ten microseconds.
constexpr int spins_before_yield = 400;

// And before it sleeps: with more threads than processors they would else take turns at waiting.
constexpr int yields_before_sleep = 50;

// Where all threads of a function wait for each other. With the compilers' builtins, for <atomic> takes long to read, too.
class Barrier {
 public:
  explicit Barrier(int count) : count_(count) {}

  void wait() {
    const std::uint32_t round = __atomic_load_n(&round_, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&arrived_, 1, __ATOMIC_ACQ_REL) == count_) {
      __atomic_store_n(&arrived_, 0, __ATOMIC_RELAXED);
      // Either this sees a sleeper, or the sleeper sees the new round before it sleeps.
      __atomic_store_n(&round_, round + 1, __ATOMIC_SEQ_CST);
      if (__atomic_load_n(&sleeping_, __ATOMIC_SEQ_CST) > 0) wake();
      return;
    }
    for (int tries = 0; __atomic_load_n(&round_, __ATOMIC_ACQUIRE) == round; ++tries) {
      if (tries < spins_before_yield) {
        spin_once();
      } else if (tries < spins_before_yield + yields_before_sleep) {
        yield();
      } else {
        __atomic_add_fetch(&sleeping_, 1, __ATOMIC_SEQ_CST);
        sleep(round);
        __atomic_sub_fetch(&sleeping_, 1, __ATOMIC_RELAXED);
      }
    }
  }

 private:
#if defined(__linux__)
  // Until another round, or for no reason.
  void sleep(std::uint32_t round) { syscall(SYS_futex, &round_, FUTEX_WAIT_PRIVATE, round, nullptr, nullptr, 0); }
  void wake() { syscall(SYS_futex, &round_, FUTEX_WAKE_PRIVATE, count_, nullptr, nullptr, 0); }
#else
  void sleep(std::uint32_t) { yield(); }
  void wake() {}
#endif

  const int count_;
  alignas(64) int arrived_ = 0;
  alignas(64) std::uint32_t round_ = 0;
  int sleeping_ = 0;
};

// One of the threads that run a function. What a function asks of it for each of its kernels is a call, not code of its own.
class Thread {
 public:
  Thread() = default;  // the only one
  Thread(int number, int count, Barrier& barrier) : number_(number), count_(count), barrier_(&barrier) {}

  bool first() const { return number_ == 0; }

  // Its positions of 0 … extent - 1: from a multiple of `granule` up to, and without, another or the end.
  [[gnu::noinline]] std::int64_t begin(std::int64_t extent, std::int64_t granule) const {
    return cut(extent, granule, number_);
  }
  [[gnu::noinline]] std::int64_t end(std::int64_t extent, std::int64_t granule) const {
    return cut(extent, granule, number_ + 1);
  }

  // Until all threads are here: each then sees what the others wrote.
  [[gnu::noinline]] void wait() const {
    if (barrier_ != nullptr) barrier_->wait();
  }

 private:
  std::int64_t cut(std::int64_t extent, std::int64_t granule, int number) const {
    const std::int64_t at = (extent + granule - 1) / granule * number / count_ * granule;
    return at < extent ? at : extent;
  }

  int number_ = 0, count_ = 1;
  Barrier* barrier_ = nullptr;
};

}  // namespace GRADC_PROCESSOR

// Threads at the disposal of one caller. `run` calls work(context, k) for k from 0 to parts - 1, each on a thread of its
// own and all at the same time (they wait for each other), one of them may be the caller's; it returns when all have
// returned.
struct Team {
  using Part = void (*)(const void* context, int part);

  int size = 1;
  void (*run)(Team&, int parts, Part work, const void* context) = nullptr;
  // Work that is worth a thread: some ten microseconds of it, in the units in which functions count theirs. 0: any is, and
  // nothing is measured.
  std::int64_t least_work = 1000000;
  // A clock in any unit; with one, a function that takes longer with several threads than with one is run by one.
  double (*now)() = nullptr;

  // The pace of a function with so much work; one that was long unused makes room.
  Pace& pace(void (*function)(), std::int64_t work) {
    for (Site& site : sites) {
      if (site.function == function && site.work == work) return site.pace;
    }
    next_site = (next_site + 1) % (sizeof sites / sizeof sites[0]);
    sites[next_site] = {function, work, {}};
    return sites[next_site].pace;
  }
  struct Site {
    void (*function)() = nullptr;
    std::int64_t work = 0;
    Pace pace = {};
  };
  Site sites[16] = {};
  std::size_t next_site = 0;
};

inline namespace GRADC_PROCESSOR {

// Runs a function with as many threads of the team as its work is worth, and as make it faster; without a team on this one.
[[gnu::noinline]] inline void together(Team* team, std::int64_t work, const void* context,
                                       void (*function)(const void* context, const Thread&)) {
  std::int64_t parts = 1;
  if (team != nullptr && team->run != nullptr) {
    parts = team->least_work > 0 ? work / team->least_work : team->size;
    if (parts > team->size) parts = team->size;
  }
  if (parts <= 1) {
    function(context, Thread());
    return;
  }
  struct Shared {
    const void* context;
    void (*function)(const void* context, const Thread&);
    Barrier barrier;
    int count;
  };
  const int count = static_cast<int>(parts);
  Shared shared{context, function, Barrier(count), count};
  const auto one = [](const void* all, int number) {
    auto& of_all = *const_cast<Shared*>(static_cast<const Shared*>(all));
    of_all.function(of_all.context, Thread(number, of_all.count, of_all.barrier));
  };
  if (team->now == nullptr || team->least_work <= 0) {
    team->run(*team, count, one, &shared);
    return;
  }
  Pace& pace = team->pace(reinterpret_cast<void (*)()>(function), work);
  const double begin = team->now();
  if (pace.several()) {
    team->run(*team, count, one, &shared);
  } else {
    function(context, Thread());
  }
  pace.took(team->now() - begin);
}
template <class Function>
void together(Team* team, std::int64_t work, const Function& function) {
  void (*call)(const void*, const Thread&) = [](const void* context, const Thread& thread) {
    (*static_cast<const Function*>(context))(thread);
  };
  // Not known to compilers, which would else copy what runs a function, with all of the function, for each of them.
  asm("" : "+r"(call));
  together(team, work, &function, call);
}

}  // namespace GRADC_PROCESSOR
}  // namespace gradc

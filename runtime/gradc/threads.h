// gradc/threads.h: a team of threads of this process, for whoever wants emitted functions to use several.
//
//   gradc::Threads threads(4);                       // 4 with the caller's; 0: as many as this process may use
//   digits::train(parameters, state, workspace, …, seed, threads.team());
//
// Emitted code does not include this: a program that brings threads of its own fills a gradc::Team with them. A team
// serves one caller at a time. Its threads wait for work spinning, then yielding, then asleep, and end with it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

#include "gradc/team.h"

namespace gradc {

// Processors that this process may use, at least 1.
inline int allowed_processors() {
#if defined(__linux__)
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return CPU_COUNT(&allowed);
#endif
  const unsigned count = std::thread::hardware_concurrency();
  return count == 0 ? 1 : static_cast<int>(count);
}

class Threads {
 public:
  // Throws std::system_error where the system has no more threads.
  explicit Threads(int size = 0) {
    const int all = allowed_processors();
    team_.size = size > 0 ? size : all;
    team_.run = run;
    team_.now = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); };
    team_.threads = this;
    for (int k = 1; k < team_.size; ++k) workers_.push_back(std::make_unique<Worker>());
    try {
      for (std::size_t k = 0; k < workers_.size(); ++k) {
        Worker& worker = *workers_[k];
        worker.thread = std::thread([this, &worker, k] { serve(worker, static_cast<int>(k) + 1); });
      }
      // Fewer threads than processors are the scheduler's to place: another program may have taken some.
      if (team_.size == all && all > 1) pin();
    } catch (...) {
      stop();
      throw;
    }
  }
  ~Threads() { stop(); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  int size() const { return team_.size; }
  Team* team() { return &team_; }

 private:
  struct OwnTeam : Team {
    Threads* threads = nullptr;
  };

  // A thread, and the number of the last work it was given.
  struct alignas(64) Worker {
    std::atomic<unsigned> given{0};
    std::atomic<bool> asleep{false};
    std::mutex mutex;
    std::condition_variable wake;
    std::thread thread;
  };

  // Tries of a wait before a thread yields, and then before it sleeps: the time between two steps of a training.
  static constexpr int spins = 4000, yields = 200;

  static void run(Team& team, int parts, Team::Part work, const void* context) {
    Threads& self = *static_cast<OwnTeam&>(team).threads;
    self.work_ = work;
    self.context_ = context;
    self.running_.store(parts - 1, std::memory_order_relaxed);
    for (int k = 1; k < parts; ++k) give(*self.workers_[static_cast<std::size_t>(k) - 1]);
    work(context, 0);
    for (int tries = 0; self.running_.load(std::memory_order_acquire) > 0; ++tries) {
      if (tries < spins_before_yield) {
        spin_once();
      } else {
        yield();
      }
    }
  }

  static void give(Worker& worker) {
    // Either this sees that the thread sleeps, or the thread sees that it was given work before it does.
    worker.given.fetch_add(1, std::memory_order_seq_cst);
    if (!worker.asleep.load(std::memory_order_seq_cst)) return;
    { const std::lock_guard<std::mutex> lock(worker.mutex); }
    worker.wake.notify_one();
  }

  void serve(Worker& worker, int number) {
    for (unsigned done = 0;; ++done) {
      const auto waits = [&] { return worker.given.load(std::memory_order_seq_cst) == done; };
      for (int tries = 0; waits() && tries < spins; ++tries) spin_once();
      for (int tries = 0; waits() && tries < yields; ++tries) yield();
      if (waits()) {
        std::unique_lock<std::mutex> lock(worker.mutex);
        worker.asleep.store(true, std::memory_order_seq_cst);
        worker.wake.wait(lock, [&] { return !waits(); });
        worker.asleep.store(false, std::memory_order_relaxed);
      }
      if (stopping_.load(std::memory_order_relaxed)) return;
      work_(context_, number);
      running_.fetch_sub(1, std::memory_order_release);
    }
  }

  void stop() {
    stopping_.store(true, std::memory_order_relaxed);
    for (const auto& worker : workers_) {
      if (!worker->thread.joinable()) continue;
      give(*worker);
      worker->thread.join();
    }
  }

  // Each thread but the caller's to a processor of its own, as far as the system lets it.
  void pin() {
#if defined(__linux__)
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    std::size_t next = 0;
    bool first = true;
    for (int cpu = 0; cpu < CPU_SETSIZE && next < workers_.size(); ++cpu) {
      if (!CPU_ISSET(cpu, &allowed)) continue;
      if (std::exchange(first, false)) continue;  // left to the caller
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      pthread_setaffinity_np(workers_[next++]->thread.native_handle(), sizeof one, &one);
    }
#endif
  }

  OwnTeam team_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Team::Part work_ = nullptr;
  const void* context_ = nullptr;
  alignas(64) std::atomic<int> running_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace gradc

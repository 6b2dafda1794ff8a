// simt.cpp: runs the threads of a block as fibers; see cuda_runtime.h. Compiled without -fsanitize=thread.
//
// A fiber takes one thread after the other until one of them waits, so threads that never wait are a plain loop. It
// is made once and kept: changing to another saves two addresses and asks nothing of the kernel or the sanitizer's
// shadow memory, of which swapcontext would clear a stack's worth each time.
#include <ucontext.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "cuda_runtime.h"
#include "simt_races.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define SIMT_ASAN 1
#else
#define SIMT_ASAN 0
#endif

// The bounds of the section of shared memory; without any, they are not defined.
extern "C" unsigned char __start_simt_shared[] __attribute__((weak));
extern "C" unsigned char __stop_simt_shared[] __attribute__((weak));

namespace simt {
namespace {

constexpr std::size_t stack_bytes = 256 * 1024;
constexpr unsigned warp = 32;

using Place = void* [5];  // where something was left, as __builtin_setjmp keeps it
using Given = std::array<unsigned char, 8>;  // to a shuffle

struct Fiber {
  ucontext_t start = {};
  std::unique_ptr<unsigned char[]> stack;
  Place left = {};
  bool begun = false;
  void* fake_stack = nullptr;
};

enum class Waits { no, barrier, shuffle, done };

struct Thread {
  Waits waits = Waits::no;
  const void* where = nullptr;  // of the barrier or shuffle
  Fiber* fiber = nullptr;
  Given given = {};
};

struct Machine {
  std::vector<Thread> threads;
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<Fiber*> idle;
  std::vector<std::array<Given, warp>> exchanged;  // by warp: what its last shuffle was given
  Fiber* fiber = nullptr;                          // that runs
  Place scheduler = {};
  void* scheduler_fake_stack = nullptr;
  const void* scheduler_stack = nullptr;
  std::size_t scheduler_stack_bytes = 0;
  const std::function<void()>* kernel = nullptr;
  Index thread = {}, block = {}, block_size = {}, grid_size = {};
  unsigned started = 0;  // threads of the block
  bool running = false;
};

Machine& machine() {
  static Machine m;
  return m;
}

[[noreturn]] void fault(const char* message) {
  const Machine& m = machine();
  std::fprintf(stderr, "simt: block %u, thread %u: %s\n", m.block.x, m.thread.x, message);
  std::_Exit(9);
}

// The sanitizer takes a jump for the end of every frame of the stack; these go to another stack and come back.
#define SIMT_JUMPS __attribute__((noinline, no_sanitize("address")))

[[noreturn]] SIMT_JUMPS void jump(Place& to) { __builtin_longjmp(to, 1); }

// From here on that thread runs.
void become(unsigned number) {
  Machine& m = machine();
  m.thread = {number, 0, 0};
  m.threads[number].waits = Waits::no;
  races_thread(number, m.fiber->stack.get(), stack_bytes);
}

SIMT_JUMPS void to_scheduler() {
  Machine& m = machine();
#if SIMT_ASAN
  __sanitizer_start_switch_fiber(&m.fiber->fake_stack, m.scheduler_stack, m.scheduler_stack_bytes);
#endif
  if (__builtin_setjmp(m.fiber->left) == 0) jump(m.scheduler);
#if SIMT_ASAN
  __sanitizer_finish_switch_fiber(machine().fiber->fake_stack, nullptr, nullptr);
#endif
}

void fiber_main() {
  Machine& m = machine();
#if SIMT_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &m.scheduler_stack, &m.scheduler_stack_bytes);
#endif
  while (true) {
    while (m.started < m.block_size.x) {
      const unsigned number = m.started++;
      m.threads[number].fiber = m.fiber;
      become(number);
      (*m.kernel)();
      m.threads[m.thread.x].waits = Waits::done;
    }
    m.idle.push_back(m.fiber);
    to_scheduler();
  }
}

// Runs a fiber until what it runs waits, or there is nothing left to start.
SIMT_JUMPS void run_fiber(Fiber& fiber) {
  Machine& m = machine();
  m.fiber = &fiber;
#if SIMT_ASAN
  __sanitizer_start_switch_fiber(&m.scheduler_fake_stack, fiber.stack.get(), stack_bytes);
#endif
  if (__builtin_setjmp(m.scheduler) == 0) {
    if (fiber.begun) jump(fiber.left);
    fiber.begun = true;
    setcontext(&fiber.start);
  }
#if SIMT_ASAN
  __sanitizer_finish_switch_fiber(machine().scheduler_fake_stack, nullptr, nullptr);
#endif
  races_no_thread();
}

void resume(unsigned number) {
  Machine& m = machine();
  m.fiber = m.threads[number].fiber;
  become(number);
  run_fiber(*m.fiber);
}

Fiber& idle_fiber() {
  Machine& m = machine();
  if (m.idle.empty()) {
    m.fibers.push_back(std::make_unique<Fiber>());
    Fiber& fiber = *m.fibers.back();
    fiber.stack = std::make_unique<unsigned char[]>(stack_bytes);
    getcontext(&fiber.start);
    fiber.start.uc_stack.ss_sp = fiber.stack.get();
    fiber.start.uc_stack.ss_size = stack_bytes;
    fiber.start.uc_link = nullptr;
    makecontext(&fiber.start, fiber_main, 0);
    m.idle.push_back(&fiber);
  }
  Fiber& fiber = *m.idle.back();
  m.idle.pop_back();
  return fiber;
}

// True if there was something to do: a whole warp waits at a shuffle.
bool run_shuffles(unsigned threads) {
  Machine& m = machine();
  bool any = false;
  for (unsigned first = 0; first < threads; first += warp) {
    unsigned waiting = 0;
    for (unsigned t = first; t < first + warp; ++t) waiting += m.threads[t].waits == Waits::shuffle;
    if (waiting == 0) continue;
    any = true;
    for (unsigned t = first; t < first + warp; ++t) {
      m.thread.x = t;
      if (m.threads[t].waits != Waits::shuffle) fault("some lanes of its warp wait at a shuffle, this one does not");
      if (m.threads[t].where != m.threads[first].where) fault("the lanes of its warp are at different shuffles");
      m.exchanged[first / warp][t - first] = m.threads[t].given;
    }
    for (unsigned t = first; t < first + warp; ++t) resume(t);
  }
  return any;
}

void run_block(unsigned threads) {
  Machine& m = machine();
  races_new_block(m.block.x);
  if (__start_simt_shared != nullptr) {
    std::memset(__start_simt_shared, 0xff, static_cast<std::size_t>(__stop_simt_shared - __start_simt_shared));
    races_new_shared(__start_simt_shared, __stop_simt_shared);
  }
  m.started = 0;
  while (m.started < threads) run_fiber(idle_fiber());
  while (true) {
    if (run_shuffles(threads)) continue;
    unsigned done = 0;
    for (unsigned t = 0; t < threads; ++t) done += m.threads[t].waits == Waits::done;
    if (done == threads) return;
    // On some devices a thread that has ended counts as waiting, on others it does not: neither is relied on.
    for (unsigned t = 0; t < threads; ++t) {
      m.thread.x = t;
      if (m.threads[t].waits == Waits::done) fault("it has ended, and others wait at a barrier");
      if (m.threads[t].where != m.threads[0].where) fault("the threads of its block are at different barriers");
    }
    races_barrier();
    for (unsigned t = 0; t < threads; ++t) resume(t);
  }
}

// The thread that runs waits.
void wait(Waits how, const void* where) {
  Machine& m = machine();
  Thread& thread = m.threads[m.thread.x];
  thread.waits = how;
  thread.where = where;
  to_scheduler();
}

// All lanes of the warp give something; what they gave.
const std::array<Given, warp>& exchange(const void* given, std::size_t bytes, const void* where) {
  Machine& m = machine();
  const unsigned me = m.thread.x;
  std::memcpy(m.threads[me].given.data(), given, bytes);
  wait(Waits::shuffle, where);
  return m.exchanged[me / warp];
}

}  // namespace

const Index& thread_index() { return machine().thread; }
const Index& block_index() { return machine().block; }
const Index& block_size() { return machine().block_size; }
const Index& grid_size() { return machine().grid_size; }

void run(dim3 grid, dim3 block, const std::function<void()>& kernel, const char*) {
  Machine& m = machine();
  if (m.running) fault("a kernel starts another");
  if (block.x == 0 || block.x % warp != 0 || block.x > 1024 || grid.x == 0) fault("such a launch is not possible");
  m.running = true;
  m.kernel = &kernel;
  m.block_size = {block.x, 1, 1};
  m.grid_size = {grid.x, 1, 1};
  if (m.threads.size() < block.x) {
    m.threads.resize(block.x);
    m.exchanged.resize(block.x / warp);
  }
  races_new_launch();
  for (unsigned b = 0; b < grid.x; ++b) {
    m.block = {b, 0, 0};
    run_block(block.x);
  }
  m.running = false;
}

void barrier(const void* where) { wait(Waits::barrier, where); }

void shuffle_down(void* value, std::size_t bytes, unsigned distance, const void* where) {
  const std::array<Given, warp>& given = exchange(value, bytes, where);
  const unsigned lane = machine().thread.x % warp;
  if (lane + distance < warp) std::memcpy(value, given[lane + distance].data(), bytes);
}

unsigned ballot(bool flag, const void* where) {
  const unsigned char mine = flag;
  const std::array<Given, warp>& given = exchange(&mine, 1, where);
  unsigned all = 0;
  for (unsigned lane = 0; lane < warp; ++lane) all |= unsigned{given[lane][0]} << lane;
  return all;
}

void* allocate(std::size_t bytes) {
  void* memory = nullptr;  // aligned as a device's, and of exactly its size
  if (posix_memalign(&memory, 256, bytes == 0 ? 1 : bytes) != 0) fault("out of memory");
  std::memset(memory, 0xff, bytes);
  return memory;
}
void release(void* memory) { std::free(memory); }

}  // namespace simt

// simt.cpp: runs the threads of a block as fibers; see cuda_runtime.h. Compiled without -fsanitize=thread.
#include <ucontext.h>

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

enum class Waits { no, barrier, shuffle, done };

struct Fiber {
  ucontext_t context = {};
  std::unique_ptr<unsigned char[]> stack;
  Waits waits = Waits::no;
  const void* where = nullptr;  // of the barrier or shuffle
  unsigned char given[8] = {};  // to a shuffle
  void* fake_stack = nullptr;
};

struct Machine {
  std::vector<Fiber> fibers;
  ucontext_t scheduler = {};
  void* scheduler_fake_stack = nullptr;
  const void* scheduler_stack = nullptr;
  std::size_t scheduler_stack_bytes = 0;
  const std::function<void()>* kernel = nullptr;
  Index thread = {}, block = {}, block_size = {}, grid_size = {};
  unsigned current = 0, epoch = 0;
  bool running = false;
};

Machine& machine() {
  static Machine m;
  return m;
}

[[noreturn]] void fault(const char* message) {
  const Machine& m = machine();
  std::fprintf(stderr, "simt: block %u, thread %u: %s\n", m.block.x, m.current, message);
  std::_Exit(9);
}

void to_scheduler() {
  Machine& m = machine();
  Fiber& fiber = m.fibers[m.current];
#if SIMT_ASAN
  __sanitizer_start_switch_fiber(fiber.waits == Waits::done ? nullptr : &fiber.fake_stack, m.scheduler_stack,
                                 m.scheduler_stack_bytes);
#endif
  swapcontext(&fiber.context, &m.scheduler);
#if SIMT_ASAN
  __sanitizer_finish_switch_fiber(machine().fibers[machine().current].fake_stack, nullptr, nullptr);
#endif
}

void fiber_main() {
  Machine& m = machine();
#if SIMT_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &m.scheduler_stack, &m.scheduler_stack_bytes);
#endif
  (*m.kernel)();
  m.fibers[m.current].waits = Waits::done;
  to_scheduler();
}

void resume(unsigned number) {
  Machine& m = machine();
  m.current = number;
  m.thread = {number, 0, 0};
  Fiber& fiber = m.fibers[number];
  races_at(m.block.x, number, m.epoch, fiber.stack.get(), stack_bytes);
  fiber.waits = Waits::no;
#if SIMT_ASAN
  __sanitizer_start_switch_fiber(&m.scheduler_fake_stack, fiber.stack.get(), stack_bytes);
#endif
  swapcontext(&m.scheduler, &fiber.context);
#if SIMT_ASAN
  __sanitizer_finish_switch_fiber(m.scheduler_fake_stack, nullptr, nullptr);
#endif
  races_at(m.block.x, nobody, m.epoch, nullptr, 0);
}

// True if there was something to do: a whole warp waits at a shuffle.
bool run_shuffles(unsigned threads) {
  Machine& m = machine();
  bool any = false;
  for (unsigned first = 0; first < threads; first += warp) {
    unsigned waiting = 0;
    for (unsigned t = first; t < first + warp; ++t) waiting += m.fibers[t].waits == Waits::shuffle;
    if (waiting == 0) continue;
    for (unsigned t = first; t < first + warp; ++t) {
      m.current = t;
      if (m.fibers[t].waits != Waits::shuffle) fault("some lanes of its warp wait at a shuffle, this one does not");
      if (m.fibers[t].where != m.fibers[first].where) fault("the lanes of its warp are at different shuffles");
    }
    any = true;
    // Each lane reads what it wants before any of them can be at the next shuffle.
    for (unsigned t = first; t < first + warp; ++t) resume(t);
    for (unsigned t = first; t < first + warp; ++t) resume(t);
  }
  return any;
}

void run_block(unsigned threads) {
  Machine& m = machine();
  m.epoch = 0;
  if (__start_simt_shared != nullptr) {
    std::memset(__start_simt_shared, 0xff, static_cast<std::size_t>(__stop_simt_shared - __start_simt_shared));
    races_new_shared(__start_simt_shared, __stop_simt_shared);
  }
  for (unsigned t = 0; t < threads; ++t) {
    Fiber& fiber = m.fibers[t];
    if (!fiber.stack) fiber.stack = std::make_unique<unsigned char[]>(stack_bytes);
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = stack_bytes;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, fiber_main, 0);
    resume(t);
  }
  while (true) {
    if (run_shuffles(threads)) continue;
    unsigned done = 0;
    for (unsigned t = 0; t < threads; ++t) done += m.fibers[t].waits == Waits::done;
    if (done == threads) return;
    // On some devices a thread that has ended counts as waiting, on others it does not: neither is relied on.
    for (unsigned t = 0; t < threads; ++t) {
      m.current = t;
      if (m.fibers[t].waits == Waits::done) fault("it has ended, and others wait at a barrier");
      if (m.fibers[t].where != m.fibers[0].where) fault("the threads of its block are at different barriers");
    }
    ++m.epoch;
    for (unsigned t = 0; t < threads; ++t) resume(t);
  }
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
  if (m.fibers.size() < block.x) m.fibers.resize(block.x);
  races_new_launch();
  for (unsigned b = 0; b < grid.x; ++b) {
    m.block = {b, 0, 0};
    run_block(block.x);
  }
  m.running = false;
}

void barrier(const void* where) {
  Fiber& fiber = machine().fibers[machine().current];
  fiber.waits = Waits::barrier;
  fiber.where = where;
  to_scheduler();
}

namespace {

// All lanes of the warp give something, then each takes what it wants of it.
template <class Take>
void exchange(const void* given, std::size_t bytes, const void* where, Take take) {
  Machine& m = machine();
  const unsigned me = m.current;
  const auto wait = [&] {
    m.fibers[me].waits = Waits::shuffle;
    m.fibers[me].where = where;
    to_scheduler();
  };
  std::memcpy(m.fibers[me].given, given, bytes);
  wait();
  take(me);
  wait();
}

}  // namespace

void shuffle_down(void* value, std::size_t bytes, unsigned distance, const void* where) {
  exchange(value, bytes, where, [&](unsigned me) {
    if (me % warp + distance < warp) std::memcpy(value, machine().fibers[me + distance].given, bytes);
  });
}

unsigned ballot(bool flag, const void* where) {
  const unsigned char mine = flag;
  unsigned all = 0;
  exchange(&mine, 1, where, [&](unsigned me) {
    for (unsigned lane = 0; lane < warp; ++lane) {
      all |= unsigned{machine().fibers[me - me % warp + lane].given[0]} << lane;
    }
  });
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

// simt_races.cpp: finds accesses of different threads that no barrier orders.
//
// Kernels are compiled with -fsanitize=thread, which calls the functions below at every access; they stand in the
// place of its library. For every word of memory it is remembered who wrote it last and who read it since, and when;
// for every byte of a page where anything smaller than a word was touched. Time is counted in stretches: what a
// block does between two barriers is one, and none is counted twice. Compiled without -fsanitize=thread.
#include "simt_races.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <unordered_map>
#include <vector>

namespace simt {
namespace {

struct Access {
  std::uint32_t stretch = 0;  // 0: nobody yet
  std::uint16_t thread = 0;
};
struct Cell {
  Access written, read;
  bool read_by_several = false;  // in the stretch of `read`
  bool read_by_blocks = false;   // of the launch of `read`
};

constexpr unsigned page_bits = 12, word_bits = 2;

// The cells of 4096 bytes, one for each `1 << bits` of them.
struct Page {
  unsigned bits = word_bits;
  std::vector<Cell> cells = std::vector<Cell>(std::size_t{1} << (page_bits - word_bits));

  void split() {
    std::vector<Cell> of_bytes;
    for (const Cell& cell : cells) of_bytes.insert(of_bytes.end(), std::size_t{1} << word_bits, cell);
    cells = std::move(of_bytes);
    bits = 0;
  }
};

struct State {
  std::unordered_map<std::uintptr_t, Page> pages;
  struct Found {
    std::uintptr_t number = 0;
    Page* page = nullptr;
  };
  std::array<Found, 256> found;  // some of them, by the last digits of their numbers
  std::uintptr_t shared_begin = 0, shared_end = 0, stack_begin = 0, stack_end = 0;
  Access now;
  std::uint32_t stretch = 0, of_block = 0, of_launch = 0;  // now, the first of this block, of this launch
  struct Begun {
    std::uint32_t stretch;
    unsigned block;
  };
  std::vector<Begun> blocks;  // of this launch
};

inline State& state() {
  static State s;
  return s;
}

void next_stretch() {
  if (++state().stretch == 0) {
    std::fprintf(stderr, "simt: too many barriers to tell races\n");
    std::_Exit(9);
  }
}

// An access to global memory in this launch, or to the shared memory of this block, that nothing orders before now.
bool conflicts(const State& s, const Access& a, bool shared) {
  if (a.stretch < (shared ? s.of_block : s.of_launch) || a.stretch == 0) return false;
  return a.stretch < s.of_block || (a.stretch == s.now.stretch && a.thread != s.now.thread);
}

[[noreturn]] void report(const State& s, const char* what, const Access& a, std::uintptr_t at, bool shared) {
  const auto block = [&](const Access& access) {
    const auto after = std::upper_bound(s.blocks.begin(), s.blocks.end(), access.stretch,
                                        [](std::uint32_t stretch, const State::Begun& b) { return stretch < b.stretch; });
    return (after - 1)->block;
  };
  std::fprintf(stderr, "simt: race in %s memory at %#zx: %s: block %u thread %u and block %u thread %u\n",
               shared ? "shared" : "global", static_cast<std::size_t>(at), what, block(a), a.thread, block(s.now),
               s.now.thread);
  std::_Exit(8);  // not by way of destructors, whose accesses come here
}

inline void touch(State& s, Cell& cell, std::uintptr_t at, bool writes, bool shared) {
  if (conflicts(s, cell.written, shared)) {
    report(s, writes ? "written by two threads" : "read after another thread wrote it", cell.written, at, shared);
  }
  const bool same_launch = cell.read.stretch >= (shared ? s.of_block : s.of_launch) && cell.read.stretch != 0;
  const bool same_stretch = cell.read.stretch == s.now.stretch;
  if (writes) {
    if (conflicts(s, cell.read, shared) || (cell.read_by_several && same_stretch) ||
        (cell.read_by_blocks && same_launch)) {
      report(s, "written after another thread read it", cell.read, at, shared);
    }
    cell = {s.now, {}, false, false};
    return;
  }
  if (shared && cell.written.stretch < s.of_block) report(s, "read, and nobody wrote it", s.now, at, shared);
  cell.read_by_blocks = same_launch && (cell.read_by_blocks || cell.read.stretch < s.of_block);
  cell.read_by_several = same_stretch && (cell.read_by_several || cell.read.thread != s.now.thread);
  cell.read = s.now;
}

inline Page& page_of(State& s, std::uintptr_t at) {
  const std::uintptr_t number = at >> page_bits;
  State::Found& found = s.found[number % s.found.size()];
  if (found.page == nullptr || found.number != number) found = {number, &s.pages[number]};
  return *found.page;
}

void touch(const void* address, std::size_t bytes, bool writes) {
  State& s = state();
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  if (s.now.stretch == 0 || (begin >= s.stack_begin && begin < s.stack_end)) return;  // no thread, or its own
  const bool small = ((begin | bytes) & ((1u << word_bits) - 1)) != 0;
  const bool shared = begin >= s.shared_begin && begin < s.shared_end;
  for (std::uintptr_t at = begin; at < begin + bytes;) {
    Page& page = page_of(s, at);
    if (small && page.bits > 0) page.split();
    const std::uintptr_t offset = at & ((std::uintptr_t{1} << page_bits) - 1);
    touch(s, page.cells[offset >> page.bits], at, writes, shared);
    at += std::uintptr_t{1} << page.bits;
  }
}

}  // namespace

void races_new_launch() {
  State& s = state();
  s.of_launch = s.stretch + 1;
  s.blocks.clear();
}
void races_new_block(unsigned number) {
  State& s = state();
  next_stretch();
  s.of_block = s.stretch;
  s.blocks.push_back({s.stretch, number});
}
void races_new_shared(const unsigned char* begin, const unsigned char* end) {
  state().shared_begin = reinterpret_cast<std::uintptr_t>(begin);
  state().shared_end = reinterpret_cast<std::uintptr_t>(end);
}
void races_barrier() { next_stretch(); }
void races_thread(unsigned number, const unsigned char* stack, std::size_t bytes) {
  State& s = state();
  s.stack_begin = reinterpret_cast<std::uintptr_t>(stack);
  s.stack_end = s.stack_begin + bytes;
  s.now = {s.stretch, static_cast<std::uint16_t>(number)};
}
void races_no_thread() { state().now = {}; }

}  // namespace simt

extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
#define SIMT_ACCESS(bytes)                                                        \
  void __tsan_read##bytes(void* at) { simt::touch(at, bytes, false); }            \
  void __tsan_write##bytes(void* at) { simt::touch(at, bytes, true); }            \
  void __tsan_unaligned_read##bytes(void* at) { simt::touch(at, bytes, false); }  \
  void __tsan_unaligned_write##bytes(void* at) { simt::touch(at, bytes, true); }
SIMT_ACCESS(1)
SIMT_ACCESS(2)
SIMT_ACCESS(4)
SIMT_ACCESS(8)
SIMT_ACCESS(16)
#undef SIMT_ACCESS
void __tsan_read_range(void* at, std::size_t bytes) { simt::touch(at, bytes, false); }
void __tsan_write_range(void* at, std::size_t bytes) { simt::touch(at, bytes, true); }
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
}

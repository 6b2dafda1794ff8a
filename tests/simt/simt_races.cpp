// simt_races.cpp: finds accesses of different threads that no barrier orders.
//
// Kernels are compiled with -fsanitize=thread, which calls the functions below at every access; they stand in the
// place of its library. For every byte it is remembered who wrote it last and who read it since, and when: in which
// launch, block and stretch between barriers. Compiled without -fsanitize=thread.
#include "simt_races.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <unordered_map>

namespace simt {
namespace {

struct Access {
  unsigned launch = 0, block = 0, epoch = 0, thread = nobody;
};
struct Byte {
  Access written, read;
  bool read_by_several = false;  // since the last barrier
  bool read_by_blocks = false;   // several, in this launch
};

struct State {
  std::unordered_map<std::uintptr_t, Byte> bytes;
  const unsigned char *shared_begin = nullptr, *shared_end = nullptr;
  Access now;
  unsigned shared_block = 0;  // counts blocks over all launches
  const unsigned char* stack = nullptr;
  std::size_t stack_bytes = 0;
};

State& state() {
  static State s;
  return s;
}

// Of two accesses to global memory in one launch, or to the shared memory of one block.
bool conflicts(const Access& a, const Access& now, bool shared) {
  if (a.thread == nobody || a.launch != now.launch) return false;
  if (a.block != now.block) return !shared;
  return a.thread != now.thread && a.epoch == now.epoch;
}

[[noreturn]] void report(const char* what, const Access& a, const Access& now, std::uintptr_t at, bool shared) {
  std::fprintf(stderr, "simt: race in %s memory at %#zx: %s: block %u thread %u and block %u thread %u\n",
               shared ? "shared" : "global", static_cast<std::size_t>(at), what, a.block, a.thread, now.block,
               now.thread);
  std::_Exit(8);  // not by way of destructors, whose accesses come here
}

void touch(const void* address, std::size_t bytes, bool writes) {
  State& s = state();
  if (s.now.thread == nobody) return;
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  const auto* const first = static_cast<const unsigned char*>(address);
  if (first >= s.stack && first < s.stack + s.stack_bytes) return;  // its own
  for (std::uintptr_t at = begin; at < begin + bytes; ++at) {
    const auto* p = reinterpret_cast<const unsigned char*>(at);
    const bool shared = p >= s.shared_begin && p < s.shared_end;
    Access now = s.now;
    if (shared) now.launch = s.shared_block;
    Byte& byte = s.bytes[at];
    if (conflicts(byte.written, now, shared)) {
      report(writes ? "written by two threads" : "read after another thread wrote it", byte.written, now, at, shared);
    }
    if (writes) {
      const bool same = byte.read.launch == now.launch && byte.read.block == now.block && byte.read.epoch == now.epoch;
      const bool elsewhere = byte.read_by_blocks && byte.read.launch == now.launch && !shared;
      if (conflicts(byte.read, now, shared) || (byte.read_by_several && same) || elsewhere) {
        report("written after another thread read it", byte.read, now, at, shared);
      }
      byte.written = now;
      byte.read_by_several = byte.read_by_blocks = false;
      byte.read = Access();
    } else {
      if (shared && (byte.written.thread == nobody || byte.written.launch != now.launch)) {
        report("read, and nobody wrote it", now, now, at, shared);
      }
      const bool again = byte.read.thread != nobody && byte.read.launch == now.launch;
      byte.read_by_blocks = again && (byte.read_by_blocks || byte.read.block != now.block);
      byte.read_by_several = again && byte.read.block == now.block && byte.read.epoch == now.epoch &&
                             (byte.read_by_several || byte.read.thread != now.thread);
      byte.read = now;
    }
  }
}

}  // namespace

void races_new_launch() { ++state().now.launch; }
void races_new_shared(const unsigned char* begin, const unsigned char* end) {
  state().shared_begin = begin;
  state().shared_end = end;
  ++state().shared_block;
}
void races_at(unsigned block, unsigned thread, unsigned epoch, const unsigned char* stack, std::size_t bytes) {
  State& s = state();
  s.stack = stack;
  s.stack_bytes = bytes;
  s.now.block = block;
  s.now.thread = thread;
  s.now.epoch = epoch;
}

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

// repeats.cpp: where a function calls the same kernels again and again.
#include "codegen/repeats.h"

namespace gradc {

using namespace loops;

namespace {

// Fewer calls saved than this are not worth a table.
constexpr std::size_t least_saved = 8;

bool alike(const Buffer& a, const Buffer& b) {
  switch (a.storage) {
    case Storage::workspace: return b.storage == a.storage && a.offset >= 0 && b.offset >= 0;
    case Storage::parameter:
    case Storage::state:
    case Storage::gradient: return b.storage == a.storage && a.elements == b.elements && a.type.dtype == b.type.dtype;
    default: return &a == &b;
  }
}

bool alike(const Module& module, const Invocation& a, const Invocation& b) {
  if (a.kernel != b.kernel || a.part != b.part || a.loop != 0 || b.loop != 0) return false;
  for (std::size_t k = 0; k < a.buffers.size(); ++k)
    if (!alike(module.buffers[a.buffers[k]], module.buffers[b.buffers[k]])) return false;
  return true;
}

}  // namespace

std::vector<Repeat> find_repeats(const Module& module, const std::vector<Invocation>& calls) {
  const auto repeats = [&](std::size_t call, std::size_t length) {
    return call + length < calls.size() && alike(module, calls[call], calls[call + length]);
  };
  std::vector<Repeat> found;
  for (std::size_t first = 0; first < calls.size();) {
    Repeat best;
    std::size_t saved = 0;
    // A table is of one part of a step.
    for (std::size_t length = 1; first + 3 * length <= calls.size() && calls[first + length - 1].part == calls[first].part;
         ++length) {
      std::size_t same = 0;
      while (repeats(first + same, length)) ++same;
      const std::size_t times = 1 + same / length;
      if (times < 3 || (times - 1) * length <= saved) continue;
      best = {first, length, times};
      saved = (times - 1) * length;
    }
    if (saved < least_saved) {
      ++first;
      continue;
    }
    found.push_back(best);
    first += best.length * best.times;
  }
  return found;
}

}  // namespace gradc

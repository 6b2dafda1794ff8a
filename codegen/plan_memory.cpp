// plan_memory.cpp: a place for every workspace buffer.
#include "codegen/plan_memory.h"

#include <algorithm>
#include <map>

#include "dsl/check.h"

namespace gradc {

using namespace loops;

namespace {

constexpr std::int64_t alignment = 64;

// From the first to the last call that touches it, both included.
struct Life {
  std::uint32_t buffer = 0;
  std::size_t first = 0, last = 0;
  std::int64_t bytes = 0;
};

// Whether the two must not share memory. Those of different types never do: a C++ compiler may assume that a store
// of one type does not change what is read as another, and move it before the last read of its predecessor.
bool conflict(const Module& module, const Life& a, const Life& b) {
  return (a.first <= b.last && b.first <= a.last) ||
         module.buffers[a.buffer].type.dtype != module.buffers[b.buffer].type.dtype;
}

// The largest first, each at the lowest place that is free for it.
std::int64_t place(Module& module, std::vector<Life> lives) {
  std::stable_sort(lives.begin(), lives.end(), [](const Life& a, const Life& b) {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.first < b.first;
  });
  std::int64_t peak = 0;
  std::vector<Life> placed;
  for (const Life& life : lives) {
    std::vector<std::pair<std::int64_t, std::int64_t>> taken;
    for (const Life& other : placed) {
      if (!conflict(module, life, other)) continue;
      const std::int64_t offset = module.buffers[other.buffer].offset;
      taken.emplace_back(offset, offset + other.bytes);
    }
    std::sort(taken.begin(), taken.end());
    std::int64_t at = 0;
    for (auto [begin, end] : taken) {
      if (begin - at >= life.bytes) break;
      at = std::max(at, end);
    }
    module.buffers[life.buffer].offset = at;
    peak = std::max(peak, at + life.bytes);
    placed.push_back(life);
  }
  return peak;
}

// The calls of one function, or of both halves of a net, as one schedule.
void plan(Module& module, const std::vector<const loops::Function*>& parts) {
  std::map<std::uint32_t, Life> lives;
  std::size_t time = 0, cut = 0;
  for (const loops::Function* part : parts) {
    cut = parts.size() == 2 ? time : part->forward_calls;
    for (std::size_t c = 0; c < part->calls.size(); ++c) {
      const Invocation& call = part->calls[c];
      // What a loop touches lives through all its iterations.
      std::size_t first = c, last = c;
      while (call.loop > 0 && first > 0 && part->calls[first - 1].loop == call.loop) --first;
      while (call.loop > 0 && last + 1 < part->calls.size() && part->calls[last + 1].loop == call.loop) ++last;
      for (std::uint32_t b : call.buffers) {
        if (module.buffers[b].storage != Storage::workspace) continue;
        const std::int64_t bytes =
            (std::max<std::int64_t>(module.buffers[b].bytes, 1) + alignment - 1) / alignment * alignment;
        auto [it, added] = lives.try_emplace(b, Life{b, time - (c - first), time, bytes});
        it->second.last = time + (last - c);
      }
      ++time;
    }
  }
  MemoryReport report;
  report.function = parts[0]->spec_name;
  std::vector<std::int64_t> alive(time);
  std::vector<Life> all;
  for (const auto& [b, life] : lives) {
    all.push_back(life);
    for (std::size_t t = life.first; t <= life.last; ++t) alive[t] += life.bytes;
    if (life.first < cut && life.last >= cut) report.saved += life.bytes;
  }
  for (std::int64_t bytes : alive) report.lower_bound = std::max(report.lower_bound, bytes);
  report.peak = place(module, std::move(all));
  module.workspace_bytes = std::max(module.workspace_bytes, report.peak);
  if (parts[0]->entry == Entry::forward || parts[0]->entry == Entry::step) {
    module.memory.push_back(report);
  }
}

}  // namespace

void plan_memory(Module& module) {
  for (std::size_t k = 0; k < module.functions.size(); ++k) {
    std::vector<const loops::Function*> parts{&module.functions[k]};
    if (k + 1 < module.functions.size() && module.functions[k + 1].entry == Entry::backward) {
      parts.push_back(&module.functions[++k]);
    }
    plan(module, parts);
  }
}

}  // namespace gradc

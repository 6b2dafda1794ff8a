// plan_memory.cpp: a place for every workspace buffer.
#include "codegen/plan_memory.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "dsl/check.h"

namespace gradc {

using namespace loops;

namespace {

constexpr std::int64_t alignment = 64;

// Of looking for a better plan, which ends where one takes this much more than the least there could be.
constexpr int rounds = 30;
constexpr std::size_t most_exchanges = 3000, most_comparisons = 10'000'000;  // the latter of lives with one another
constexpr double enough = 1.005;

// From the first to the last call that touches it, both included.
struct Life {
  std::uint32_t buffer = 0;
  std::size_t first = 0, last = 0;
  std::int64_t bytes = 0;
};

bool together(const Life& a, const Life& b) { return a.first <= b.last && b.first <= a.last; }

// A place for each of `lives`, and the end of the last one.
struct Places {
  std::vector<std::int64_t> offsets;
  std::int64_t peak = 0;
};

// In this order, each at the lowest place that is free for it.
Places place(const std::vector<Life>& lives, const std::vector<std::size_t>& order) {
  Places places;
  places.offsets.resize(lives.size());
  std::vector<std::size_t> placed;  // by offset
  for (const std::size_t k : order) {
    std::int64_t at = 0;
    for (const std::size_t other : placed) {
      if (!together(lives[k], lives[other])) continue;
      if (places.offsets[other] - at >= lives[k].bytes) break;
      at = std::max(at, places.offsets[other] + lives[other].bytes);
    }
    places.offsets[k] = at;
    places.peak = std::max(places.peak, at + lives[k].bytes);
    const auto above = [&](std::int64_t offset, std::size_t other) {
      return offset < places.offsets[other];
    };
    placed.insert(std::upper_bound(placed.begin(), placed.end(), at, above), k);
  }
  return places;
}

// In orders that differ from the last one which was no worse in the place of one buffer: of those that end highest, or any.
// Deterministic.
Places exchanged(const std::vector<Life>& lives, std::vector<std::size_t> order, Places best, std::int64_t least) {
  std::mt19937 random(1);
  const auto any = [&](std::size_t count) { return static_cast<std::ptrdiff_t>(random() % count); };
  const std::size_t count = std::min(most_exchanges, most_comparisons / (lives.size() * lives.size()));
  for (std::size_t n = 0; n < count && best.peak > least; ++n) {
    std::vector<std::size_t> next = order, highest;
    for (std::size_t k = 0; k < lives.size(); ++k)
      if (best.offsets[k] + lives[k].bytes == best.peak) highest.push_back(k);
    const auto moved = n % 2 == 0 ? next.begin() + any(next.size())
                                  : std::find(next.begin(), next.end(), highest[static_cast<std::size_t>(any(highest.size()))]);
    const std::size_t buffer = *moved;
    next.erase(moved);
    next.insert(next.begin() + any(order.size()), buffer);
    Places places = place(lives, next);
    if (places.peak > best.peak) continue;
    best = std::move(places);
    order = std::move(next);
  }
  return best;
}

// The largest first; where that leaves gaps, other orders are tried, and what ends highest is moved to the front, round
// after round; then single buffers are moved in the best of these orders.
Places best_places(const std::vector<Life>& lives, std::int64_t lower_bound) {
  std::vector<std::size_t> order(lives.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto sorted = [&](auto key) {
    std::vector<std::size_t> result = order;
    std::stable_sort(result.begin(), result.end(), [&](std::size_t a, std::size_t b) {
      const auto x = key(lives[a]), y = key(lives[b]);
      return x != y ? x > y : lives[a].first < lives[b].first;
    });
    return result;
  };
  const auto length = [](const Life& life) { return static_cast<std::int64_t>(life.last - life.first + 1); };
  const std::vector<std::vector<std::size_t>> starts = {
      sorted([](const Life& life) { return life.bytes; }),
      sorted([&](const Life& life) { return life.bytes * length(life); }),
      sorted([&](const Life& life) { return length(life); }),
  };
  const auto least = static_cast<std::int64_t>(enough * static_cast<double>(lower_bound));
  Places best;
  for (std::vector<std::size_t> next : starts) {
    for (int round = 0; round < rounds; ++round) {
      Places places = place(lives, next);
      const std::int64_t peak = places.peak;
      const auto ends_highest = [&](std::size_t k) { return places.offsets[k] + lives[k].bytes == peak; };
      std::vector<std::size_t> after = next;
      std::stable_partition(after.begin(), after.end(), ends_highest);
      if (best.peak == 0 || peak < best.peak) {
        best = std::move(places);
        order = next;
      }
      if (best.peak <= least) return best;
      next = std::move(after);
    }
  }
  return exchanged(lives, order, std::move(best), least);
}

// Marks the calls that are the first to write a buffer where another type is at other times.
void mark_retyping(Module& module, const std::vector<loops::Function*>& parts, const std::vector<Life>& lives) {
  std::set<std::uint32_t> mixed;
  for (const Life& life : lives) {
    const Buffer& b = module.buffers[life.buffer];
    const bool mixes = std::any_of(lives.begin(), lives.end(), [&](const Life& other) {
      const Buffer& o = module.buffers[other.buffer];
      return o.element() != b.element() && o.offset < b.offset + life.bytes && b.offset < o.offset + other.bytes;
    });
    if (mixes) mixed.insert(life.buffer);
  }
  for (loops::Function* part : parts) {
    for (Invocation& call : part->calls) {
      call.retypes = false;
      for (std::size_t k = 0; k < call.buffers.size(); ++k) {
        const bool written = module.kernels[call.kernel].arguments[k].written;
        if (written && mixed.erase(call.buffers[k]) > 0) call.retypes = true;
      }
    }
  }
}

}  // namespace

std::int64_t aligned_bytes(const Buffer& b) {
  return (std::max<std::int64_t>(b.bytes, 1) + alignment - 1) / alignment * alignment;
}

// Its calls as one schedule.
MemoryReport plan_memory(Module& module, const std::vector<loops::Function*>& parts) {
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
        auto [it, added] = lives.try_emplace(b, Life{b, time - (c - first), time, aligned_bytes(module.buffers[b])});
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
  const Places places = best_places(all, report.lower_bound);
  for (std::size_t k = 0; k < all.size(); ++k) module.buffers[all[k].buffer].offset = places.offsets[k];
  mark_retyping(module, parts, all);
  report.peak = places.peak;
  return report;
}

void plan_memory(Module& module) {
  for (std::size_t k = 0; k < module.functions.size(); ++k) {
    std::vector<loops::Function*> parts{&module.functions[k]};
    if (k + 1 < module.functions.size() && module.functions[k + 1].entry == Entry::backward) {
      parts.push_back(&module.functions[++k]);
    }
    const MemoryReport report = plan_memory(module, parts);
    module.workspace_bytes = std::max(module.workspace_bytes, report.peak);
    const Entry entry = parts[0]->entry;
    if (entry == Entry::forward || entry == Entry::step) module.memory.push_back(report);
  }
}

}  // namespace gradc

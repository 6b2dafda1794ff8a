// recompute.cpp: the calls of a function as tasks, and the schedule found for them as calls again.
#include "codegen/recompute.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "codegen/loops_to_text.h"
#include "codegen/plan_memory.h"
#include "codegen/tasks_in_memory.h"
#include "codegen/verify_loops.h"
#include "codegen/work.h"

namespace gradc {

using namespace loops;
using namespace tasks;

namespace {

// So often a schedule is looked for whose plan fits as well.
constexpr int attempts = 8;

// Of what an error says takes most.
constexpr std::size_t most_named = 6;

// A call, or those of a loop.
struct Unit {
  std::size_t part = 0, first = 0, last = 0;  // calls [first, last) of that half
};

// A function, or both halves of a net, as tasks.
struct Tasks {
  std::vector<Unit> units;
  std::vector<std::uint32_t> buffers;  // by value
  std::vector<Value> values;
  std::vector<Task> tasks;             // by unit
};

std::string bytes_text(std::int64_t bytes) {
  if (bytes < 10 * 1024) return fmt::format("{} bytes", bytes);
  const double kib = static_cast<double>(bytes) / 1024;
  return kib < 10 * 1024 ? fmt::format("{:.1f} KiB", kib) : fmt::format("{:.1f} MiB", kib / 1024);
}

class Recomputing {
 public:
  Recomputing(Module& module, std::vector<std::uint32_t> parts)
      : m_(module), parts_(std::move(parts)), accesses_(accesses(module)), flops_(flops_of_kernels(module)) {
    for (const std::uint32_t f : parts_) originals_.push_back(m_.functions[f]);
    buffer_count_ = m_.buffers.size();
    make_units();
    for (std::size_t u = 0; u < t_.units.size(); ++u) make_task(u);
    for (std::size_t u = 0; u < t_.units.size(); ++u) t_.tasks[u].repeatable_before = repeatable_before(u);
  }

  FunctionTasks tasks() const {
    FunctionTasks result{originals_[0].spec_name, {}, t_.values, t_.tasks};
    for (const Unit& unit : t_.units) result.names.push_back(m_.kernels[call(unit, unit.first).kernel].name);
    return result;
  }

  // Whether its workspace fits now.
  bool fit(std::int64_t limit) {
    if (planned() <= limit) return true;
    std::int64_t wanted = limit;
    for (int k = 0; k < attempts && wanted > 0; ++k) {
      std::int64_t next = 0;
      for (const Schedule& schedule : schedules_within(t_.values, t_.tasks, wanted)) {
        if (schedule.peak > wanted) break;
        apply(schedule);
        const std::int64_t peak = planned();
        if (peak <= limit) return true;
        undo();
        next = std::max(next, schedule.peak - (peak - limit));
      }
      wanted = next;
    }
    return false;
  }

  // The smallest workspace that is found, to a hundredth, and what takes most of it.
  struct Least {
    std::int64_t bytes = 0;
    std::string alive;
  };
  Least least() {
    Least found{planned(), largest_alive()};
    std::int64_t too_little = 0;  // less than some call needs
    for (const Task& task : t_.tasks) {
      std::int64_t bytes = 0;
      for (const auto* touched : {&task.reads, &task.writes})
        for (const std::size_t v : *touched) bytes += t_.values[v].original;
      too_little = std::max(too_little, bytes - 1);
    }
    while (found.bytes - too_little > found.bytes / 100) {
      const std::int64_t middle = too_little + (found.bytes - too_little) / 2;
      if (fit(middle)) {
        found = {planned(), largest_alive()};
        undo();
      } else {
        too_little = middle;
      }
    }
    return found;
  }

 private:
  std::int64_t planned() {
    std::vector<loops::Function*> parts;
    for (const std::uint32_t f : parts_) parts.push_back(&m_.functions[f]);
    return plan_memory(m_, parts).peak;
  }

  // What takes most where most is alive, as the calls are now.
  std::string largest_alive() const {
    std::map<std::uint32_t, std::pair<std::size_t, std::size_t>> lives;
    std::size_t time = 0;
    for (const std::uint32_t f : parts_) {
      std::uint32_t loop = 0;
      for (const Invocation& it : m_.functions[f].calls) {
        if (it.loop == 0 || it.loop != loop) ++time;
        loop = it.loop;
        for (const std::uint32_t b : it.buffers) {
          if (m_.buffers[b].storage == Storage::workspace) lives.try_emplace(b, time, time).first->second.second = time;
        }
      }
    }
    std::vector<std::uint32_t> largest;
    std::int64_t peak = 0;
    for (std::size_t t = 1; t <= time; ++t) {
      std::int64_t bytes = 0;
      std::vector<std::uint32_t> alive;
      for (const auto& [b, life] : lives) {
        if (life.first > t || life.second < t) continue;
        bytes += m_.buffers[b].bytes;
        alive.push_back(b);
      }
      if (bytes <= peak) continue;
      peak = bytes;
      largest = std::move(alive);
    }
    std::stable_sort(largest.begin(), largest.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return m_.buffers[a].bytes > m_.buffers[b].bytes; });
    std::string text;
    for (std::size_t k = 0; k < std::min(largest.size(), most_named); ++k) {
      const Buffer& b = m_.buffers[largest[k]];
      text += fmt::format("{}'{}' {} of {}", k == 0 ? "" : ", ", b.spec_name.empty() ? b.name : b.spec_name,
                          shape_text(m_, b), bytes_text(b.bytes));
    }
    return largest.size() > most_named ? fmt::format("{} and {} more", text, largest.size() - most_named) : text;
  }

  const Invocation& call(const Unit& unit, std::size_t c) const { return originals_[unit.part].calls[c]; }

  template <class Visit>
  void for_each_buffer(const Unit& unit, Visit visit) const {
    for (std::size_t c = unit.first; c < unit.last; ++c) {
      const Invocation& it = call(unit, c);
      for (std::size_t k = 0; k < it.buffers.size(); ++k) visit(it.buffers[k], accesses_[it.kernel][k]);
    }
  }

  void make_units() {
    for (std::size_t part = 0; part < originals_.size(); ++part) {
      const auto& calls = originals_[part].calls;
      for (std::size_t c = 0; c < calls.size();) {
        std::size_t last = c + 1;
        while (calls[c].loop > 0 && last < calls.size() && calls[last].loop == calls[c].loop) ++last;
        t_.units.push_back({part, c, last});
        c = last;
      }
    }
  }

  std::size_t value_of(std::uint32_t buffer) {
    const auto [it, added] = numbers_.emplace(buffer, t_.values.size());
    if (added) {
      const std::int64_t bytes = aligned_bytes(m_.buffers[buffer]);
      t_.values.push_back({bytes, m_.buffers[buffer].storage == Storage::workspace ? bytes : 0});
      t_.buffers.push_back(buffer);
    }
    return it->second;
  }

  void make_task(std::size_t u) {
    const Unit& unit = t_.units[u];
    Task task;
    std::set<std::uint32_t> written, read;
    for_each_buffer(unit, [&](std::uint32_t b, const Access& access) {
      if (access.writes) written.insert(b);
      if (access.reads) read.insert(b);
    });
    for (const std::uint32_t b : written) {
      task.writes.push_back(value_of(b));
      writers_[b].push_back(u);
    }
    for (const std::uint32_t b : read) {
      if (m_.buffers[b].storage == Storage::workspace && !written.contains(b)) task.reads.push_back(value_of(b));
    }
    for (std::size_t c = unit.first; c < unit.last; ++c) task.cost += flops_[call(unit, c).kernel];
    const std::uint32_t loop = call(unit, unit.first).loop;
    if (loop > 0) task.cost *= times_of(m_, originals_[unit.part].loops[loop - 1]);
    task.cost = std::max(task.cost, 1.0);
    t_.tasks.push_back(std::move(task));
  }

  // Where the unit would no longer compute what it did.
  std::size_t repeatable_before(std::size_t u) const {
    const Unit& unit = t_.units[u];
    std::size_t before = t_.units.size();
    const bool once = call(unit, unit.first).loop == 0;
    bool forward_only = false;
    for_each_buffer(unit, [&](std::uint32_t b, const Access& access) {
      const Storage storage = m_.buffers[b].storage;
      const auto it = writers_.find(b);
      if (access.writes) {
        const bool kept = storage == Storage::parameter || storage == Storage::state;
        if (kept || it->second.size() > 1 || (once && access.reads)) before = 0;
      } else if (it != writers_.end()) {
        for (const std::size_t writer : it->second)
          if (writer > u) before = std::min(before, writer);
      }
      forward_only = forward_only || storage == Storage::output;
    });
    if (parts_.size() < 2 || unit.part == 1) return before;
    // The backward half has no seed, none of the outputs, and no dims but those of its arguments.
    for (std::size_t c = unit.first; c < unit.last; ++c) {
      const Kernel& kernel = m_.kernels[call(unit, c).kernel];
      forward_only = forward_only || kernel.draws;
      for (const std::string& count : kernel.counts) {
        for (std::size_t d = 0; d < m_.dims.size(); ++d) {
          const auto& dims = originals_[1].dims;
          forward_only = forward_only || (m_.dims[d].name == count &&
                         std::none_of(dims.begin(), dims.end(), [&](DimId id) { return id.value == d; }));
        }
      }
    }
    if (!forward_only) return before;
    const auto backward = std::find_if(t_.units.begin(), t_.units.end(), [](const Unit& other) { return other.part == 1; });
    return std::min(before, static_cast<std::size_t>(backward - t_.units.begin()));
  }

  // "h" becomes "h_again", then "h_again2", …
  std::string name_again(const std::string& name) const {
    std::set<std::string> taken;
    for (const Buffer& b : m_.buffers) taken.insert(b.name);
    for (const Dim& dim : m_.dims) taken.insert(dim.name);
    std::string again = name + "_again";
    for (int k = 2; taken.contains(again); ++k) again = fmt::format("{}_again{}", name, k);
    return again;
  }

  void apply(const Schedule& schedule) {
    std::vector<std::uint32_t> buffers = t_.buffers;  // by instance
    for (std::size_t k = buffers.size(); k < schedule.value_of.size(); ++k) {
      buffers.push_back(buffer_count_);  // made where it is written
    }
    for (std::size_t part = 0; part < parts_.size(); ++part) {
      loops::Function& f = m_.functions[parts_[part]];
      f.calls.clear();
      f.forward_calls = 0;
    }
    for (std::size_t r = 0; r < schedule.runs.size(); ++r) {
      const Run& run = schedule.runs[r];
      std::size_t next = r;
      while (schedule.runs[next].again) ++next;
      add(run, t_.units[schedule.runs[next].task], schedule.value_of, buffers);
    }
  }

  // `place`: the unit of its own that it runs as or before.
  void add(const Run& run, const Unit& place, const std::vector<std::size_t>& value_of,
           std::vector<std::uint32_t>& buffers) {
    const Unit& unit = t_.units[run.task];
    loops::Function& f = m_.functions[parts_[place.part]];
    std::map<std::uint32_t, std::uint32_t> now;
    for (const std::size_t k : run.writes) {
      const std::uint32_t original = t_.buffers[value_of[k]];
      if (run.again) {
        Buffer copy = m_.buffers[original];
        copy.name = name_again(copy.name);
        copy.storage = Storage::workspace;
        copy.offset = -1;
        buffers[k] = static_cast<std::uint32_t>(m_.buffers.size());
        m_.buffers.push_back(std::move(copy));
      }
      now[original] = buffers[k];
    }
    for (const std::size_t k : run.reads) now[t_.buffers[value_of[k]]] = buffers[k];
    std::uint32_t loop = call(unit, unit.first).loop;
    if (loop > 0 && run.again) {
      f.loops.push_back(originals_[unit.part].loops[loop - 1]);
      loop = static_cast<std::uint32_t>(f.loops.size());
    }
    for (std::size_t c = unit.first; c < unit.last; ++c) {
      Invocation it = call(unit, c);
      for (std::uint32_t& b : it.buffers) {
        if (const auto found = now.find(b); found != now.end()) b = found->second;
      }
      it.loop = loop;
      if (run.again) it.part = call(place, place.first).part;
      f.draws = f.draws || m_.kernels[it.kernel].draws;
      f.calls.push_back(std::move(it));
      if (!run.again && c < originals_[unit.part].forward_calls) f.forward_calls = f.calls.size();
    }
  }

  void undo() {
    for (std::size_t part = 0; part < parts_.size(); ++part) m_.functions[parts_[part]] = originals_[part];
    m_.buffers.resize(buffer_count_);
  }

  Module& m_;
  const std::vector<std::uint32_t> parts_;
  const std::vector<std::vector<Access>> accesses_;  // by kernel
  const std::vector<double> flops_;                  // by kernel
  std::vector<loops::Function> originals_;           // by part
  std::size_t buffer_count_ = 0;
  Tasks t_;
  std::map<std::uint32_t, std::size_t> numbers_;               // buffer → value
  std::map<std::uint32_t, std::vector<std::size_t>> writers_;  // buffer → units
};

void report(const Module& module, const loops::Function& f, Recomputing& recomputing, std::int64_t limit,
            Diagnostics& diagnostics) {
  const auto least = recomputing.least();
  Diagnostic& d = diagnostics.error(
      "memory-limit", f.span,
      fmt::format("'{}' needs a workspace of {}, and --memory-limit allows {}", f.spec_name, bytes_text(least.bytes),
                  bytes_text(limit)));
  d.notes.push_back({{}, "that is the least found, with values computed again rather than kept; there at once are " + least.alive});
  std::string dims;
  for (const DimId dim : f.dims)
    dims += fmt::format("{}dim {} <= {}", dims.empty() ? "" : ", ", module.dims[dim.value].name, module.dims[dim.value].bound);
  d.notes.push_back({{}, dims.empty() ? "smaller tensors take less"
                                      : fmt::format("memory is planned for {}: with a smaller bound it takes less", dims)});
}

// Each function, or both halves of a net.
std::vector<std::vector<std::uint32_t>> schedules_of(const Module& module) {
  std::vector<std::vector<std::uint32_t>> result;
  for (std::uint32_t k = 0; k < module.functions.size(); ++k) {
    if (module.functions[k].entry == Entry::backward) {
      result.back().push_back(k);
    } else {
      result.push_back({k});
    }
  }
  return result;
}

}  // namespace

std::vector<FunctionTasks> tasks_of(const Module& module) {
  Module copy = module;
  std::vector<FunctionTasks> result;
  for (const auto& parts : schedules_of(module)) {
    const Entry entry = module.functions[parts[0]].entry;
    if (entry == Entry::forward || entry == Entry::step) result.push_back(Recomputing(copy, parts).tasks());
  }
  return result;
}

void recompute(Module& module, std::int64_t limit, Diagnostics& diagnostics) {
  if (limit == 0) return;
  for (const auto& parts : schedules_of(module)) {
    Recomputing recomputing(module, parts);
    if (!recomputing.fit(limit)) report(module, module.functions[parts[0]], recomputing, limit, diagnostics);
  }
  for (Buffer& b : module.buffers) b.offset = -1;  // plan_memory has the last word
}

}  // namespace gradc

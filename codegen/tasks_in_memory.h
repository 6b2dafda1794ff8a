// tasks_in_memory.h: tasks in less memory: what would be kept for long is computed again. Knows no kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gradc::tasks {

// A value is written by one task; those that several write are not to be computed again, nor is what needs them early.
struct Value {
  std::int64_t bytes = 0;     // of a copy
  std::int64_t original = 0;  // of itself: 0 if it is kept elsewhere
};

struct Task {
  std::vector<std::size_t> reads, writes;  // values; what is there in any case is not listed
  double cost = 0;
  std::size_t repeatable_before = 0;       // the task with this number: later, what it needs has changed. 0: never
};

// One running of a task. Instance v is value v as the task itself makes it; those beyond are copies.
struct Run {
  std::size_t task = 0;
  std::vector<std::size_t> reads, writes;  // instances, as in the task
  bool again = false;
};

struct Schedule {
  std::vector<Run> runs;
  std::vector<std::size_t> value_of;  // by instance
  std::int64_t peak = 0;              // bytes alive at once
  double added = 0;                   // cost of what runs again
};

// The tasks in their order, with as cheap repetitions as several searches find for the peak to stay within the limit: the
// cheapest first; those that do not get there last, by the peak they got to. Never none. Deterministic.
std::vector<Schedule> schedules_within(const std::vector<Value>&, const std::vector<Task>&, std::int64_t limit);

}  // namespace gradc::tasks

// schedules.cpp: tasks in less memory, beside the cheapest way there is: found by looking at all of them.
//
// The goal is at most 1.05 times the cost of the best in the mean and in 19 of 20 problems; what is found today stands at
// the end. Problems are chains of layers as training has them, with and without values that skip layers.
#include <algorithm>
#include <queue>
#include <random>

#include "catch.h"
#include "codegen/tasks_in_memory.h"

using namespace gradc::tasks;

namespace {

struct Problem {
  std::vector<Value> values;
  std::vector<Task> tasks;
};

// Forwards a value of each layer from that before, backwards the gradient of each from that after and the value.
Problem chain(int layers, std::mt19937& random, bool uniform, bool skips) {
  Problem p;
  const auto any = [&](int most) { return 1 + static_cast<int>(random() % static_cast<unsigned>(most)); };
  const auto count = static_cast<std::size_t>(layers);
  const auto value = [&](std::int64_t bytes) {
    p.values.push_back({bytes, bytes});
    return p.values.size() - 1;
  };
  for (std::size_t k = 0; k < count; ++k) {
    Task task;
    if (k > 0) task.reads = {k - 1};
    if (k > 1 && skips && any(3) == 1) task.reads.push_back(random() % (k - 1));
    task.writes = {value(uniform ? 4 : any(8))};
    task.cost = uniform ? 1 : any(10);
    task.repeatable_before = 2 * count;
    p.tasks.push_back(task);
  }
  for (std::size_t k = count; k-- > 0;) {
    Task task;
    task.reads = {k};
    if (k + 1 < count) task.reads.push_back(p.values.size() - 1);
    if (k > 0 && any(2) == 1) task.reads.push_back(k - 1);
    task.writes = {value(p.values[k].bytes)};
    task.cost = uniform ? 2 : any(10);
    task.repeatable_before = 2 * count;
    p.tasks.push_back(task);
  }
  return p;
}

// The least cost of repetitions, over all that can be computed again and let go of at any time; negative if there is no
// way. Dijkstra's algorithm over which values are there, and how many tasks are done.
double least_cost(const Problem& p, std::int64_t limit) {
  const std::size_t count = p.tasks.size(), sets = std::size_t{1} << p.values.size();
  std::vector<std::int64_t> bytes(sets);
  for (std::size_t set = 1; set < sets; ++set) {
    std::size_t k = 0;
    while ((set >> k & 1) == 0) ++k;
    bytes[set] = bytes[set & (set - 1)] + p.values[k].bytes;
  }
  std::vector<std::size_t> reads(count), writes(count);
  for (std::size_t t = 0; t < count; ++t) {
    for (const std::size_t v : p.tasks[t].reads) reads[t] |= std::size_t{1} << v;
    for (const std::size_t v : p.tasks[t].writes) writes[t] |= std::size_t{1} << v;
  }
  std::vector<double> cost((count + 1) * sets, 1e300);
  using Entry = std::pair<double, std::size_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
  const auto reach = [&](double c, std::size_t done, std::size_t set) {
    if (c >= cost[done * sets + set]) return;
    cost[done * sets + set] = c;
    open.emplace(c, done * sets + set);
  };
  reach(0, 0, 0);
  while (!open.empty()) {
    const auto [c, at] = open.top();
    open.pop();
    if (c > cost[at]) continue;
    const std::size_t done = at / sets, set = at % sets;
    if (done == count) return c;
    for (std::size_t k = 0; k < p.values.size(); ++k) {
      if (set >> k & 1) reach(c, done, set & ~(std::size_t{1} << k));
    }
    for (std::size_t t = 0; t <= done; ++t) {
      if ((reads[t] & set) != reads[t] || bytes[set | writes[t]] > limit) continue;
      reach(t == done ? c : c + p.tasks[t].cost, t == done ? done + 1 : done, set | writes[t]);
    }
  }
  return -1;
}

// What a schedule takes, read off anew: cost and peak. Everything that is read must have been made.
std::pair<double, std::int64_t> taken(const Problem& p, const Schedule& s) {
  const std::size_t never = s.runs.size();
  std::vector<std::size_t> first(s.value_of.size(), never), last(s.value_of.size(), 0);
  double cost = 0;
  std::size_t next = 0;
  for (std::size_t r = 0; r < s.runs.size(); ++r) {
    const Run& run = s.runs[r];
    const Task& task = p.tasks[run.task];
    if (run.again) {
      cost += task.cost;
      CHECK(run.task < next);
    } else {
      CHECK(run.task == next++);
    }
    REQUIRE(run.reads.size() == task.reads.size());
    REQUIRE(run.writes.size() == task.writes.size());
    for (std::size_t k = 0; k < run.reads.size(); ++k) {
      CHECK(first[run.reads[k]] < r);
      CHECK(s.value_of[run.reads[k]] == task.reads[k]);
      last[run.reads[k]] = r;
    }
    for (std::size_t k = 0; k < run.writes.size(); ++k) {
      CHECK(first[run.writes[k]] == never);
      CHECK(s.value_of[run.writes[k]] == task.writes[k]);
      first[run.writes[k]] = last[run.writes[k]] = r;
    }
  }
  CHECK(next == p.tasks.size());
  std::int64_t peak = 0;
  for (std::size_t r = 0; r < s.runs.size(); ++r) {
    std::int64_t bytes = 0;
    for (std::size_t k = 0; k < first.size(); ++k)
      if (first[k] <= r && r <= last[k]) bytes += p.values[s.value_of[k]].bytes;
    peak = std::max(peak, bytes);
  }
  return {cost, peak};
}

}  // namespace

TEST_CASE("tasks run again cost hardly more than they must") {
  std::mt19937 random(1);
  int problems = 0, missed = 0, near = 0;
  double sum = 0, worst = 0, found_in_all = 0, best_in_all = 0;
  for (int trial = 0; trial < 60; ++trial) {
    const Problem p = chain(4 + trial % 5, random, trial % 3 == 0, trial % 2 == 0);
    const std::int64_t without = schedules_within(p.values, p.tasks, std::int64_t{1} << 40)[0].peak;
    for (std::int64_t limit = without - 1; limit > 0; limit -= std::max<std::int64_t>(1, without / 10)) {
      const double best = least_cost(p, limit);
      if (best < 0) break;
      ++problems;
      const Schedule s = schedules_within(p.values, p.tasks, limit)[0];
      const auto [cost, peak] = taken(p, s);
      CHECK(cost == s.added);
      CHECK(peak == s.peak);
      if (peak > limit) {
        ++missed;
        continue;
      }
      CHECK(cost >= best);
      const double ratio = best > 0 ? cost / best : cost > 0 ? 1e9 : 1;
      near += ratio <= 1.05;
      sum += ratio;
      worst = std::max(worst, ratio);
      found_in_all += cost;
      best_in_all += best;
    }
  }
  const int solved = problems - missed;
  WARN(problems << " problems, " << missed << " not solved; of those that were, " << near << " within 1.05 of the best, mean "
                << sum / solved << ", worst " << worst << ", all together " << found_in_all / best_in_all);
  CHECK(problems > 250);
  CHECK(missed <= problems / 100);
  CHECK(near >= solved * 95 / 100);
  CHECK(sum / solved <= 1.05);
}

TEST_CASE("a task that overwrites what another reads ends its repetitions") {
  // a is needed first and last; what makes it can no longer be repeated once b is written over its operand.
  const std::vector<Value> values = {{8, 8}, {8, 8}, {8, 8}, {8, 8}};
  std::vector<Task> tasks = {{{}, {0}, 1, 4}, {{}, {1}, 1, 4}, {{1}, {2}, 1, 4}, {{2, 0}, {3}, 1, 4}};
  CHECK(schedules_within(values, tasks, 24)[0].added == 0);
  tasks = {{{}, {0}, 1, 5}, {{}, {1}, 1, 5}, {{1}, {2}, 1, 5}, {{2}, {3}, 1, 5}, {{3, 0}, {}, 1, 5}};
  CHECK(schedules_within(values, tasks, 16)[0].peak == 16);
  CHECK(schedules_within(values, tasks, 16)[0].added == 1);
  tasks[0].repeatable_before = 3;
  CHECK(schedules_within(values, tasks, 16)[0].peak == 24);
  CHECK(schedules_within(values, tasks, 16)[0].added == 0);
}

TEST_CASE("a value is made again early where that is no longer possible when it is read") {
  // Gone while the third task runs; what makes it can't be repeated after the fourth, and the fifth reads it.
  const std::vector<Value> values = {{8, 8}, {16, 16}, {8, 8}, {8, 8}};
  const std::vector<Task> tasks = {{{}, {0}, 1, 3}, {{}, {1}, 1, 5}, {{1}, {2}, 1, 5}, {{2}, {3}, 1, 5}, {{0, 3}, {}, 1, 5}};
  CHECK(schedules_within(values, tasks, 24)[0].peak == 24);
  CHECK(schedules_within(values, tasks, 24)[0].added == 1);
  // Gone while the fourth task runs; the fifth leaves no room for what it is made of, and the sixth reads it.
  const std::vector<Value> others = {{16, 16}, {8, 8}, {8, 8}, {8, 8}, {16, 16}};
  const std::vector<Task> later = {{{}, {0}, 1, 6},     {{0}, {1}, 1, 6}, {{}, {2}, 1, 6},
                                   {{0, 2}, {3}, 1, 6}, {{3}, {4}, 1, 6}, {{1, 4}, {}, 1, 6}};
  CHECK(schedules_within(others, later, 32)[0].peak == 32);
  CHECK(schedules_within(others, later, 32)[0].added == 1);
}

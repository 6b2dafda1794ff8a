// tasks_in_memory.cpp: tasks in less memory: what would be kept for long is computed again.
//
// A move lets go of one instance between two of its uses, and computes it again before the second: from what is alive
// there, from what is kept for longer, or from what is computed again in its turn. The move that takes most off the
// excess for its cost is made, until there is none; then repetitions that turned out not to be needed are taken back.
#include "codegen/tasks_in_memory.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

namespace gradc::tasks {
namespace {

constexpr std::size_t nowhere = static_cast<std::size_t>(-1);

// Moves that help nothing at once, in one search.
constexpr int most_leaps = 6;

// When each instance is touched first and last, and how many bytes are alive at each run.
struct Lives {
  std::vector<std::size_t> first, last;
  std::vector<std::int64_t> alive;
  std::int64_t peak = 0;
  double excess = 0;  // over the limit, over all runs
};

// What a move does with inputs that are gone when it needs them.
struct Way {
  std::size_t depth = 0;  // computes them again so many levels deep, and keeps those beyond for longer
  bool fits = false;      // keeps whatever has room to stay
  bool share = false;     // later readers of anything it computes read that
};

class Search {
 public:
  Search(const std::vector<Value>& values, const std::vector<Task>& tasks, std::int64_t limit, double power, bool early)
      : values_(values), tasks_(tasks), limit_(limit), power_(power), early_(early), producer_(values.size(), nowhere) {
    std::vector<int> writers(values.size());
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      for (std::size_t v : tasks[t].writes) {
        ++writers[v];
        producer_[v] = t;
      }
    }
    for (std::size_t v = 0; v < values.size(); ++v) {
      if (writers[v] != 1) producer_[v] = nowhere;
    }
  }

  Schedule run() {
    Schedule now;
    for (std::size_t v = 0; v < values_.size(); ++v) now.value_of.push_back(v);
    for (std::size_t t = 0; t < tasks_.size(); ++t) now.runs.push_back({t, tasks_[t].reads, tasks_[t].writes});
    Lives lives = lives_of(now);
    Schedule least = now;
    std::int64_t least_peak = lives.peak;
    int leaps = 0;
    for (std::size_t moves = 0; lives.excess > 0 && moves < 20 * tasks_.size(); ++moves) {
      if (!improve(now, lives, false) && (leaps++ == most_leaps || !improve(now, lives, true))) break;
      if (lives.peak < least_peak) {
        least = now;
        least_peak = lives.peak;
      }
    }
    if (lives.excess > 0) now = least;
    take_back(now, std::max(limit_, lives_of(now).peak));
    now.peak = lives_of(now).peak;
    now.added = added(now);
    return now;
  }

 private:
  std::int64_t bytes(const Schedule& s, std::size_t instance) const {
    return instance < values_.size() ? values_[instance].original : values_[s.value_of[instance]].bytes;
  }

  double added(const Schedule& s) const {
    double cost = 0;
    for (const Run& run : s.runs) cost += run.again ? tasks_[run.task].cost : 0;
    return cost;
  }

  Lives lives_of(const Schedule& s) const {
    Lives lives;
    lives.first.assign(s.value_of.size(), nowhere);
    lives.last.assign(s.value_of.size(), 0);
    for (std::size_t t = 0; t < s.runs.size(); ++t) {
      for (const auto* touched : {&s.runs[t].reads, &s.runs[t].writes}) {
        for (std::size_t k : *touched) {
          lives.first[k] = std::min(lives.first[k], t);
          lives.last[k] = t;
        }
      }
    }
    std::vector<std::int64_t> change(s.runs.size() + 1);
    for (std::size_t k = 0; k < s.value_of.size(); ++k) {
      if (lives.first[k] == nowhere) continue;
      change[lives.first[k]] += bytes(s, k);
      change[lives.last[k] + 1] -= bytes(s, k);
    }
    lives.alive.resize(s.runs.size());
    std::int64_t sum = 0;
    for (std::size_t t = 0; t < s.runs.size(); ++t) {
      lives.alive[t] = sum += change[t];
      lives.peak = std::max(lives.peak, sum);
      lives.excess += static_cast<double>(std::max<std::int64_t>(0, sum - limit_));
    }
    return lives;
  }

  // A schedule with what moves look up in it.
  struct View {
    const Schedule& s;
    const Lives& lives;
    std::vector<std::vector<std::size_t>> touches;       // by instance: runs
    std::vector<std::vector<std::size_t>> instances_of;  // by value
    std::vector<std::int64_t> begins;                    // by run: bytes of what is touched there first
    std::vector<std::size_t> full;                       // by run: how many before it are over the limit
  };

  View view_of(const Schedule& s, const Lives& lives) const {
    View view{s, lives, {}, {}, {}, {}};
    view.touches.resize(s.value_of.size());
    view.instances_of.resize(values_.size());
    view.begins.resize(s.runs.size());
    view.full.resize(s.runs.size() + 1);
    for (std::size_t t = 0; t < s.runs.size(); ++t) {
      view.full[t + 1] = view.full[t] + (lives.alive[t] > limit_ ? 1 : 0);
      for (const auto* touched : {&s.runs[t].writes, &s.runs[t].reads}) {
        for (std::size_t k : *touched) {
          if (view.touches[k].empty() || view.touches[k].back() != t) view.touches[k].push_back(t);
        }
      }
    }
    for (std::size_t k = 0; k < s.value_of.size(); ++k) {
      view.instances_of[s.value_of[k]].push_back(k);
      if (lives.first[k] != nowhere) view.begins[lives.first[k]] += bytes(s, k);
    }
    return view;
  }

  // What runs before the run `at`, so that an instance is there anew.
  struct Chain {
    std::size_t instance = 0, from = 0, at = 0;  // it is let go of between these two runs
    Way way;
    std::size_t task = 0;                        // the next of the original ones
    std::map<std::size_t, std::size_t> made;     // value → new instance
    std::vector<std::size_t> value_of;           // by new instance
    std::vector<std::size_t> kept;               // instances that are needed longer than they are there
    std::vector<Run> runs;
    bool cut = false;                            // at the depth of its way
  };

  // The best of all moves that help; with `leap`, where none does, the one that harms least and may let others help.
  bool improve(Schedule& now, Lives& lives, bool leap) const {
    const View view = view_of(now, lives);
    const double cost = added(now);
    double best_score = 0;
    std::optional<Chain> best;
    const auto consider = [&](Chain& chain, double gain, double more) {
      if (gain <= 0 && !leap) return;
      const double score = leap        ? 1 / (1 - gain)
                           : more <= 0 ? std::numeric_limits<double>::infinity()
                                       : std::pow(gain, power_) / more;
      if (score <= best_score) return;
      best_score = score;
      best = std::move(chain);
    };
    for (std::size_t k = 0; k < view.touches.size(); ++k) {
      if (bytes(now, k) == 0) continue;
      for (std::size_t n = 0; n + 1 < view.touches[k].size(); ++n) {
        const std::size_t from = view.touches[k][n], to = view.touches[k][n + 1];
        for (const std::size_t at : places_for(view, k, from, to)) {
          for (const bool fits : {false, true}) {
            for (std::size_t depth : {0, 1, 2, 3, 5, 8, 13, 1000}) {
              auto chain = chain_for(view, k, from, at, {depth, fits, false});
              if (!chain) break;
              const bool deeper = chain->cut;
              double more = 0;
              for (const Run& run : chain->runs) more += tasks_[run.task].cost;
              if (would_share(view, *chain)) {
                Chain sharing = *chain;
                sharing.way.share = true;
                const Schedule then = applied(now, sharing);
                consider(sharing, lives.excess - lives_of(then).excess, added(then) - cost);
              }
              const double gain = lives.excess - excess_with(view, *chain);
              consider(*chain, gain, more);
              if (!deeper) break;
            }
          }
        }
      }
    }
    if (!best) return false;
    now = applied(now, *best);
    lives = lives_of(now);
    return true;
  }

  // Runs before which an instance that is let go of after `from` may be made again for `to`: that itself, and earlier ones,
  // where there is room again, an input is about to go or what makes it can be repeated for the last time.
  std::vector<std::size_t> places_for(const View& view, std::size_t instance, std::size_t from, std::size_t to) const {
    const auto full = [&](std::size_t t) { return view.full[t + 1] > view.full[t]; };
    std::vector<std::size_t> places = {to};
    const std::size_t producer = producer_[view.s.value_of[instance]];
    if (producer == nowhere) return {};
    for (std::size_t t = from + 2; early_ && t < to; ++t) {
      const Run& run = view.s.runs[t];
      const bool last_time = !run.again && run.task == tasks_[producer].repeatable_before;
      if (last_time || (full(t - 1) && !full(t))) places.push_back(t);
    }
    for (const std::size_t v : tasks_[producer].reads) {
      for (const std::size_t k : view.instances_of[v]) {
        const std::size_t last = view.lives.last[k];
        if (early_ && view.lives.first[k] != nowhere && last > from && last + 1 < to) places.push_back(last + 1);
      }
    }
    std::sort(places.begin(), places.end(), std::greater<>());  // of equal moves the first counts
    places.erase(std::unique(places.begin(), places.end()), places.end());
    std::erase_if(places, [&](std::size_t at) { return view.full[at] == view.full[from + 1]; });
    return places;
  }

  std::optional<Chain> chain_for(const View& view, std::size_t instance, std::size_t from, std::size_t at,
                                 const Way& way) const {
    Chain chain{instance, from, at, way, original_at(view.s, at), {}, {}, {}, {}};
    if (!compute(view, chain, view.s.value_of[instance], 0)) return std::nullopt;
    return chain;
  }

  // Whether a later run reads a value that the chain makes on its way.
  bool would_share(const View& view, const Chain& chain) const {
    for (const auto& [value, made] : chain.made) {
      for (std::size_t k : view.instances_of[value]) {
        if (k != chain.instance && view.lives.first[k] != nowhere && view.lives.last[k] >= chain.at) return true;
      }
    }
    return false;
  }

  // The excess there would be if later runs read of the chain's instances only the one that it is for.
  double excess_with(const View& view, const Chain& chain) const {
    double excess = view.lives.excess;
    const auto over = [&](std::int64_t bytes) { return static_cast<double>(std::max<std::int64_t>(0, bytes - limit_)); };
    std::size_t least = chain.from + 1;
    for (std::size_t k : chain.kept) least = std::min(least, view.lives.last[k] + 1);
    std::vector<std::int64_t> change(chain.at - least + 1);
    change[chain.from + 1 - least] -= bytes(view.s, chain.instance);
    for (std::size_t k : chain.kept) change[view.lives.last[k] + 1 - least] += bytes(view.s, k);
    std::int64_t sum = 0;
    for (std::size_t t = least; t < chain.at; ++t) {
      sum += change[t - least];
      excess += over(view.lives.alive[t] + sum) - over(view.lives.alive[t]);
    }
    // In the chain itself: what is alive around it, what is kept for it, and what it makes.
    const std::int64_t around = view.lives.alive[chain.at] - view.begins[chain.at] - bytes(view.s, chain.instance);
    const std::size_t old = view.s.value_of.size();
    std::map<std::size_t, std::size_t> last;
    for (std::size_t r = 0; r < chain.runs.size(); ++r) {
      for (const auto* touched : {&chain.runs[r].reads, &chain.runs[r].writes})
        for (std::size_t k : *touched) last[k] = r;
    }
    last[chain.made.at(view.s.value_of[chain.instance])] = chain.runs.size();
    std::vector<std::int64_t> chained(chain.runs.size() + 2);
    for (std::size_t k : chain.kept) {
      chained[0] += bytes(view.s, k);
      chained[last[k] + 1] -= bytes(view.s, k);
    }
    for (std::size_t r = 0; r < chain.runs.size(); ++r) {
      for (std::size_t k : chain.runs[r].writes) {
        chained[r] += values_[chain.value_of[k - old]].bytes;
        chained[last[k] + 1] -= values_[chain.value_of[k - old]].bytes;
      }
    }
    sum = around;
    for (std::size_t r = 0; r < chain.runs.size(); ++r) excess += over(sum += chained[r]);
    return excess;
  }

  // The schedule with the chain in it.
  Schedule applied(const Schedule& s, const Chain& chain) const {
    Schedule result = s;
    result.value_of.insert(result.value_of.end(), chain.value_of.begin(), chain.value_of.end());
    for (std::size_t t = chain.at; t < result.runs.size(); ++t) {
      for (std::size_t& read : result.runs[t].reads) {
        if (read != chain.instance && !chain.way.share) continue;
        const auto it = chain.made.find(result.value_of[read]);
        if (it != chain.made.end()) read = it->second;
      }
    }
    result.runs.insert(result.runs.begin() + static_cast<std::ptrdiff_t>(chain.at), chain.runs.begin(), chain.runs.end());
    drop_useless(result);
    return result;
  }

  std::size_t original_at(const Schedule& s, std::size_t t) const {
    while (t < s.runs.size() && s.runs[t].again) ++t;
    return t < s.runs.size() ? s.runs[t].task : tasks_.size();
  }

  bool repeatable(const Chain& c, std::size_t value) const {
    return producer_[value] != nowhere && tasks_[producer_[value]].repeatable_before >= c.task;
  }

  bool compute(const View& view, Chain& c, std::size_t value, std::size_t depth) const {
    if (!repeatable(c, value)) return false;
    const std::size_t t = producer_[value];
    Run run{t, {}, {}, true};
    for (std::size_t v : tasks_[t].reads) {
      const std::size_t instance = available(view, c, v, depth);
      if (instance == nowhere) return false;
      run.reads.push_back(instance);
    }
    for (std::size_t v : tasks_[t].writes) {
      c.made[v] = view.s.value_of.size() + c.value_of.size();
      run.writes.push_back(c.made[v]);
      c.value_of.push_back(v);
    }
    c.runs.push_back(std::move(run));
    return true;
  }

  // An instance of the value that the chain may read.
  std::size_t available(const View& view, Chain& c, std::size_t value, std::size_t depth) const {
    if (const auto it = c.made.find(value); it != c.made.end()) return it->second;
    const std::size_t latest = latest_before(view.instances_of[value], view.lives, c.at);
    if (latest == nowhere) return nowhere;
    if (view.lives.last[latest] >= c.at || bytes(view.s, latest) == 0) return latest;
    if (std::find(c.kept.begin(), c.kept.end(), latest) != c.kept.end()) return latest;
    const auto gap_begin = view.lives.alive.begin() + static_cast<std::ptrdiff_t>(view.lives.last[latest]) + 1;
    const auto gap_end = view.lives.alive.begin() + static_cast<std::ptrdiff_t>(c.at);
    const bool room = c.way.fits && (gap_begin >= gap_end ||
                                     *std::max_element(gap_begin, gap_end) + bytes(view.s, latest) <= limit_);
    const bool may = !room && repeatable(c, value);
    if (may && depth < c.way.depth) return compute(view, c, value, depth + 1) ? c.made.at(value) : nowhere;
    c.cut = c.cut || may;
    c.kept.push_back(latest);
    return latest;
  }

  // That of some instances of a value which is there longest of those made before a run.
  static std::size_t latest_before(const std::vector<std::size_t>& instances, const Lives& lives, std::size_t at) {
    std::size_t latest = nowhere;
    for (std::size_t k : instances) {
      if (lives.first[k] >= at) continue;
      if (latest == nowhere || lives.last[k] > lives.last[latest]) latest = k;
    }
    return latest;
  }

  // Repetitions of which nobody reads anything.
  void drop_useless(Schedule& s) const {
    std::vector<int> readers(s.value_of.size());
    for (const Run& run : s.runs)
      for (std::size_t k : run.reads) ++readers[k];
    for (std::size_t t = s.runs.size(); t-- > 0;) {
      Run& run = s.runs[t];
      if (!run.again || std::any_of(run.writes.begin(), run.writes.end(), [&](std::size_t k) { return readers[k] > 0; }))
        continue;
      for (std::size_t k : run.reads) --readers[k];
      run.task = nowhere;
    }
    std::erase_if(s.runs, [](const Run& run) { return run.task == nowhere; });
  }

  // Repetitions whose values may as well be kept, the dearest first.
  void take_back(Schedule& now, std::int64_t limit) const {
    for (bool changed = true; changed;) {
      changed = false;
      const Lives lives = lives_of(now);
      const View view = view_of(now, lives);
      std::vector<std::size_t> order;
      for (std::size_t t = 0; t < now.runs.size(); ++t) {
        if (now.runs[t].again) order.push_back(t);
      }
      std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return tasks_[now.runs[a].task].cost > tasks_[now.runs[b].task].cost;
      });
      for (std::size_t t : order) {
        std::map<std::size_t, std::size_t> instead;
        std::int64_t freed = 0;
        for (std::size_t k : now.runs[t].reads) freed += lives.last[k] == t ? bytes(now, k) : 0;
        bool possible = true;
        for (std::size_t k : now.runs[t].writes) {
          const std::size_t before = latest_before(view.instances_of[now.value_of[k]], lives, t);
          possible = possible && before != nowhere;
          if (!possible || view.touches[k].size() < 2) continue;
          instead[k] = before;
          for (std::size_t at = lives.last[before] + 1; at < t && possible; ++at)
            possible = lives.alive[at] + bytes(now, before) - freed <= limit;
        }
        if (!possible) continue;
        Schedule without = now;
        for (Run& run : without.runs) {
          for (std::size_t& read : run.reads) {
            if (const auto it = instead.find(read); it != instead.end()) read = it->second;
          }
        }
        drop_useless(without);
        if (lives_of(without).peak > limit) continue;
        now = std::move(without);
        changed = true;
        break;
      }
    }
  }

  const std::vector<Value>& values_;
  const std::vector<Task>& tasks_;
  const std::int64_t limit_;
  const double power_;  // of what a move gains, beside what it costs
  const bool early_;    // also makes values again earlier than just before they are read
  std::vector<std::size_t> producer_;
};

}  // namespace

std::vector<Schedule> schedules_within(const std::vector<Value>& values, const std::vector<Task>& tasks, std::int64_t limit) {
  std::vector<Schedule> found;
  for (const bool early : {false, true}) {
    for (const double power : {1.0, 0.5, 2.0}) {
      found.push_back(Search(values, tasks, limit, power, early).run());
      if (found.back().added == 0 && found.back().peak <= limit) break;
    }
  }
  std::stable_sort(found.begin(), found.end(), [&](const Schedule& a, const Schedule& b) {
    const bool fits = a.peak <= limit, other = b.peak <= limit;
    return fits != other ? fits : fits ? a.added < b.added : a.peak < b.peak;
  });
  return found;
}

}  // namespace gradc::tasks

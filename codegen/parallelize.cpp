// parallelize.cpp: which kernels threads share, and where they wait for each other.
#include "codegen/parallelize.h"

#include <algorithm>
#include <map>
#include <set>

#include "codegen/cut_kernel.h"
#include "codegen/exprs.h"
#include "codegen/work.h"
#include "dsl/check.h"

namespace gradc {

using namespace loops;

namespace {

class Parallelizer {
 public:
  Parallelizer(Module& module, const Target& target) : m_(module), target_(target) {
    for (const Dim& dim : module.dims) bounds_[dim.name] = static_cast<double>(dim.bound);
    for (std::uint32_t k = 0; k < module.kernels.size(); ++k) numbers_[module.kernels[k].name] = k;
    std::map<std::string, Work> called;
    for (const Kernel& kernel : module.kernels) {
      work_.push_back(work_of(kernel, called));
      called[kernel.name] = by_position(work_.back(), kernel.counts);
    }
  }

  void run() {
    std::set<std::uint32_t> wanted;
    for (loops::Function& f : m_.functions) {
      if (f.entry == Entry::init) continue;
      Work shared;
      std::set<std::uint32_t> kernels;
      for (const Invocation& call : f.calls) {
        if (!may_be_cut(call.kernel)) continue;
        Work w = work_[call.kernel];
        if (call.loop > 0)
          for (const Iteration::Index& index : f.loops[call.loop - 1].indices) w = product(w, extent(index.count));
        shared = sum(std::move(shared), w);
        kernels.insert(call.kernel);
      }
      for (const Iteration& loop : f.loops)
        for (const Iteration::Index& index : loop.indices) shared = without(shared, index.variable);
      if (at(shared, bounds_) < target_.least_shared_work) continue;
      f.work = {to_expr(shared)};
      wanted.insert(kernels.begin(), kernels.end());
    }
    for (const std::uint32_t k : wanted) cut(k);
    for (loops::Function& f : m_.functions) {
      if (!f.work.empty()) synchronize(f);
    }
  }

 private:
  Work extent(const Extent& e) const {
    Work w = of_number(static_cast<double>(e.offset));
    if (!e.is_fixed()) w = sum(w, {{{m_.dims[e.dim.value].name}, static_cast<double>(e.scale)}});
    return w;
  }
  // An index of a loop is no argument of its function.
  static Work without(const Work& w, const std::string& name) {
    Work result;
    for (const auto& [all, coefficient] : w) {
      std::vector<std::string> factors = all;
      std::erase(factors, name);
      result[factors] += coefficient;
    }
    return result;
  }

  bool may_be_cut(std::uint32_t k) {
    if (const auto it = possible_.find(k); it != possible_.end()) return it->second;
    bool possible = at(work_[k], bounds_) >= target_.least_part_work;
    if (possible) {
      Kernel copy = m_.kernels[k];
      const std::string callee = called_alone(copy);
      if (callee.empty()) {
        possible = cut_kernel(copy, bounds_);
      } else {
        Kernel called = m_.kernels[numbers_.at(callee)];
        const auto before = called.counts;
        possible = cut_kernel(called, bounds_);
        if (possible) {
          call_whole(copy.body, called, before);
          cut_caller(copy);
          copy.parts[0].granule = called.parts[0].granule;
        }
      }
      // Two parts at least.
      possible = possible && at(extent_of(copy.parts[0].extent), bounds_) > static_cast<double>(copy.parts[0].granule);
    }
    return possible_[k] = possible;
  }

  void cut(std::uint32_t k) {
    const std::string callee = called_alone(m_.kernels[k]);
    if (callee.empty()) {
      GRADC_CHECK(cut_kernel(m_.kernels[k], bounds_), "a kernel can be cut or it cannot");
    } else {
      Kernel& called = m_.kernels[numbers_.at(callee)];
      if (called.parts.empty()) {
        const auto before = called.counts;
        GRADC_CHECK(cut_kernel(called, bounds_), "a kernel can be cut or it cannot");
        for (Kernel& other : m_.kernels) call_whole(other.body, called, before);
      }
      cut_caller(m_.kernels[k]);
      m_.kernels[k].parts[0].granule = called.parts[0].granule;
    }
  }

  // ---- where threads wait

  bool in_parts(const Invocation& call) const { return !m_.kernels[call.kernel].parts.empty(); }

  bool same_memory(std::uint32_t a, std::uint32_t b) const {
    if (a == b) return true;
    const Buffer &x = m_.buffers[a], &y = m_.buffers[b];
    if (x.storage != Storage::workspace || y.storage != Storage::workspace) return false;
    return x.offset < y.offset + y.bytes && y.offset < x.offset + x.bytes;
  }

  bool conflict(const Invocation& a, const Invocation& b) const {
    if (!in_parts(a) && !in_parts(b)) return false;  // the first thread runs both
    for (std::size_t i = 0; i < a.buffers.size(); ++i) {
      for (std::size_t j = 0; j < b.buffers.size(); ++j) {
        const bool written = m_.kernels[a.kernel].arguments[i].written || m_.kernels[b.kernel].arguments[j].written;
        if (written && same_memory(a.buffers[i], b.buffers[j])) return true;
      }
    }
    return false;
  }

  void synchronize(loops::Function& f) const {
    std::vector<std::size_t> since;  // calls that some thread may still be busy with
    const auto visit = [&](std::size_t c) {
      Invocation& call = f.calls[c];
      call.waits = call.waits || std::any_of(since.begin(), since.end(),
                                             [&](std::size_t before) { return conflict(f.calls[before], call); });
      if (call.waits) since.clear();
      since.push_back(c);
    };
    for (std::size_t c = 0; c < f.calls.size();) {
      std::size_t last = c + 1;
      while (f.calls[c].loop > 0 && last < f.calls.size() && f.calls[last].loop == f.calls[c].loop) ++last;
      // In a loop, what comes later comes before the next iteration as well: twice is enough to see all of it.
      for (int round = 0; round < (f.calls[c].loop > 0 ? 2 : 1); ++round) {
        for (std::size_t k = c; k < last; ++k) visit(k);
      }
      // A loop that the first thread runs waits as a whole.
      const auto begin = f.calls.begin() + static_cast<std::ptrdiff_t>(c), end = f.calls.begin() + static_cast<std::ptrdiff_t>(last);
      if (std::none_of(begin, end, [&](const Invocation& call) { return in_parts(call); })) {
        const bool any = std::any_of(begin, end, [](const Invocation& call) { return call.waits; });
        for (auto call = begin; call != end; ++call) call->waits = any && call == begin;
      }
      c = last;
    }
  }

  Module& m_;
  const Target& target_;
  Bounds bounds_;
  std::map<std::string, std::uint32_t> numbers_;
  std::vector<Work> work_;  // by kernel
  std::map<std::uint32_t, bool> possible_;
};

}  // namespace

void parallelize(Module& module, const Target& target) {
  if (!target.grid()) Parallelizer(module, target).run();
}

}  // namespace gradc

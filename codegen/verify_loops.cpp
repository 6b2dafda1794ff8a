// verify_loops.cpp: the rules of legal loops: names in kernels, then the memory of functions.
#include "codegen/verify_loops.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "codegen/exprs.h"
#include "dsl/check.h"

namespace gradc {

using namespace loops;

namespace {

struct Checker {
  const Module& module;
  const char* stage;
  std::string place = {};

  // Puts words together only where the condition does not hold: nearly all do.
  template <class... Args>
  void require(bool condition, fmt::format_string<Args...> what, Args&&... args) const {
    GRADC_CHECK(condition, fmt::format("after {}: {}: {}", stage, place, fmt::format(what, std::forward<Args>(args)...)));
  }
};

// ---------------------------------------------------------------- names

class KernelWalk {
 public:
  KernelWalk(const Checker& c, const Kernel& kernel,
             const std::map<std::string, const Kernel*>& known,
             const std::map<std::string, std::vector<Access>>& accesses)
      : c_(c), kernel_(kernel), known_(known), called_(accesses) {
    for (const std::string& count : kernel.counts) declare(count, false);
    if (kernel.one_stream) declare("stream", false);
    for (std::size_t k = 0; k < kernel.arguments.size(); ++k) {
      declare(kernel.arguments[k].name, false).argument = k;
    }
    for (const Array& a : kernel.arrays) declare(a.name, false);
    accesses_.resize(kernel.arguments.size());
  }

  std::vector<Access> run() {
    for (const Launch& l = kernel_.launch; const Expr& e : l.blocks) expr(e);
    block(kernel_.body);
    return accesses_;
  }

 private:
  template <class... Args>
  void require(bool condition, fmt::format_string<Args...> what, Args&&... args) const {
    c_.require(condition, what, std::forward<Args>(args)...);
  }

  // What is known of a name in scope.
  struct Name {
    bool changes = false, lanes = false;
    std::size_t argument = none;  // its number, of a buffer
  };
  static constexpr std::size_t none = std::string_view::npos;

  Name& declare(std::string_view name, bool changes) {
    const auto [it, added] = names_.emplace(name, Name{changes});
    require(added, "'{}' hides another of its name", name);
    declared_.push_back(name);
    return it->second;
  }
  const Name* find(const std::string& name) const {
    const auto it = names_.find(name);
    return it == names_.end() ? nullptr : &it->second;
  }
  bool changes(const std::string& name) const {
    const Name* const known = find(name);
    return known && known->changes;
  }

  // What has been declared since there were `outer` names is out of scope.
  void leave(std::size_t outer) {
    for (; declared_.size() > outer; declared_.pop_back()) names_.erase(declared_.back());
  }

  void block(const Block& statements) {
    const std::size_t outer = declared_.size();
    for (const Stmt& s : statements) std::visit([&](const auto& it) { statement(it); }, s.it);
    leave(outer);
  }

  void statement(const For& s) {
    for (const Expr& e : s.begin) expr(e);
    expr(s.end);
    require(s.step > 0, "a loop does not advance");
    if (s.begin.empty())
      require(changes(s.variable),
              "a loop goes on over '{}', which is none", s.variable);
    const std::size_t outer = declared_.size();
    if (!s.begin.empty()) declare(s.variable, false);
    block(s.body);
    leave(outer);
  }
  void statement(const Let& s) {
    expr(s.value);
    declare(s.name, s.changes);
  }
  void statement(const Lanes& s) {
    expr(s.value);
    declare(s.name, true).lanes = true;
  }
  void statement(const Accumulate& s) {
    for (const Expr& e : s.lane) expr(e);
    const Name* const known = find(s.name);
    require((known && known->lanes) == !s.lane.empty(), "'{}' is changed and not one lane of it", s.name);
    change(s.name, s.value);
  }
  void statement(const Assign& s) { change(s.name, s.value); }
  void change(const std::string& name, const Expr& value) {
    expr(value);
    require(changes(name), "'{}' is changed and no register that changes", name);
  }
  void statement(const Store& s) {
    expr(s.index);
    expr(s.value);
    for (const Expr& e : s.first) expr(e);
    require(s.first.empty() || (s.value.lanes > 1 && !s.accumulates), "'{}' takes lanes of what has none", s.buffer);
    if (s.accumulates) {
      touch(s.buffer, false);
      require(!bf16(s.buffer), "it adds to '{}', which would be rounded each time", s.buffer);
    }
    touch(s.buffer, true);
  }
  void statement(const If& s) {
    expr(s.condition);
    block(s.body);
  }
  void statement(const Call& s) {
    const auto it = known_.find(s.kernel);
    require(it != known_.end(),
            "it calls '{}', which does not stand before it", s.kernel);
    const Kernel& called = *it->second;
    const std::vector<Access>& accesses = called_.at(s.kernel);
    require(!called.draws && s.args.size() == called.counts.size() + called.arguments.size(),
            "its call does not fit '{}'", s.kernel);
    for (std::size_t k = 0; k < s.args.size(); ++k) {
      const Expr& arg = s.args[k];
      if (k < called.counts.size()) {
        expr(arg);
        continue;
      }
      require(arg.kind == ExprKind::pointer, "a buffer is passed as a number");
      for (const Expr& a : arg.args) expr(a);
      require(bf16(arg.name) == called.arguments[k - called.counts.size()].bf16,
              "it passes '{}' as another type", arg.name);
      const Access& access = accesses[k - called.counts.size()];
      if (access.reads) touch(arg.name, false);
      if (access.writes) touch(arg.name, true);
    }
  }
  void statement(const Transpose& s) {
    require(s.from.kind == ExprKind::pointer && s.to.kind == ExprKind::pointer && s.from.name != s.to.name,
            "it transposes what is no buffer, or in place");
    for (const Expr* at : {&s.from, &s.to}) {
      for (const Expr& a : at->args) expr(a);
    }
    for (const Expr* e : {&s.from_stride, &s.rows, &s.columns, &s.to_stride}) expr(*e);
    touch(s.from.name, false);
    touch(s.to.name, true);
  }
  void statement(const Prefetch& s) {
    expr(s.index);
    touch(s.buffer, false);
  }
  void statement(const Barrier&) {}
  void statement(const Choose& s) { expr(s.condition); }
  void statement(const Comment&) {}
  void statement(const Combine& s) {
    require(changes(s.name), "'{}' is combined and no register that changes", s.name);
    if (s.fn == Fn::gt || s.fn == Fn::lt)
      require(changes(s.position),
              "'{}' is combined and no register that changes", s.position);
  }

  void expr(const Expr& e) {
    for (const Expr& a : e.args) expr(a);
    if (e.kind == ExprKind::variable) {
      const Name* const known = find(e.name);
      require(known && known->argument == none, "'{}' is used and not declared", e.name);
    }
    if (reads_memory(e)) touch(e.name, false);
    if (e.kind == ExprKind::random) require(kernel_.draws, "it draws without a seed");
  }

  bool bf16(const std::string& buffer) const {
    const Name* const known = find(buffer);
    return known && known->argument != none && kernel_.arguments[known->argument].bf16;
  }
  void touch(const std::string& buffer, bool writes) {
    const Name* const known = find(buffer);
    if (!known || known->argument == none) {
      const bool own = std::any_of(kernel_.arrays.begin(), kernel_.arrays.end(),
                                   [&](const Array& a) { return a.name == buffer; });
      return require(own, "'{}' is no buffer of its", buffer);
    }
    Access& access = accesses_[known->argument];
    if (writes) {
      require(kernel_.arguments[known->argument].written,
              "it writes '{}', which is not to be written", buffer);
      access.writes = true;
    } else if (!access.writes) {
      access.reads = true;
    }
  }

  const Checker& c_;
  const Kernel& kernel_;
  const std::map<std::string, const Kernel*>& known_;
  const std::map<std::string, std::vector<Access>>& called_;
  std::unordered_map<std::string_view, Name> names_;  // in scope
  std::vector<std::string_view> declared_;            // those, in order
  std::vector<Access> accesses_;
};

// ---------------------------------------------------------------- memory

// What holds a value while the calls of a function run, and after its forward half those of its
// backward half.
class FunctionWalk {
 public:
  FunctionWalk(Checker& c, bool placed, const Accesses& accesses)
      : c_(c),
        module_(c.module),
        placed_(placed),
        accesses_(accesses),
        held_(c.module.buffers.size()) {}

  void run(const loops::Function& f) {
    c_.place = fmt::format("function '{}'", f.name);
    init_ = f.entry == Entry::init;
    updates_ = init_ || f.entry == Entry::step;
    inputs_ = std::set<std::uint32_t>(f.inputs.begin(), f.inputs.end());
    std::uint32_t loop = 0;
    for (const Invocation& call : f.calls) {
      if (call.loop > 0 && call.loop != loop) enter(f, call.loop);
      loop = call.loop;
      invoke(call);
    }
    for (const auto* results : {&f.outputs, &f.gradients})
      for (std::uint32_t b : *results) require(holds(b), b, "is a result and never written");
  }

 private:
  void require(bool condition, std::uint32_t b, const char* what) const {
    c_.require(condition, "'{}' {}", module_.buffers[b].name, what);
  }

  bool given(std::uint32_t b) const {
    switch (module_.buffers[b].storage) {
      case Storage::input:
        return inputs_.contains(b);
      case Storage::constant:
        return true;
      case Storage::parameter:
      case Storage::state:
        return !init_;
      default:
        return false;
    }
  }
  bool may_be_written(std::uint32_t b) const {
    switch (module_.buffers[b].storage) {
      case Storage::input:
      case Storage::constant:
        return false;
      case Storage::parameter:
      case Storage::state:
        return updates_;
      default:
        return true;
    }
  }

  // What the iterations of a loop write is read in later ones, or not at all.
  void enter(const loops::Function& f, std::uint32_t loop) {
    for (const Invocation& call : f.calls) {
      if (call.loop != loop) continue;
      const std::vector<Access>& accesses = accesses_.at(call.kernel);
      for (std::size_t k = 0; k < call.buffers.size(); ++k) {
        if (accesses[k].writes) write(call.buffers[k], call.retypes);
      }
    }
  }

  void invoke(const Invocation& call) {
    c_.require(call.kernel < module_.kernels.size(), "it calls a kernel that does not exist");
    const Kernel& kernel = module_.kernels[call.kernel];
    c_.require(call.buffers.size() == kernel.arguments.size(),
               "its call does not fit '{}'", kernel.name);
    const std::vector<Access>& accesses = accesses_.at(call.kernel);
    for (std::size_t k = 0; k < call.buffers.size(); ++k) {
      const std::uint32_t b = call.buffers[k];
      require(module_.buffers[b].element() == kernel.arguments[k].element(), b,
              "is passed as another type");
      require(std::count(call.buffers.begin(), call.buffers.end(), b) == 1, b, "is passed twice");
      if (accesses[k].reads) require(given(b) || holds(b), b, "is read and holds nothing yet");
    }
    for (std::size_t k = 0; k < call.buffers.size(); ++k) {
      const std::uint32_t b = call.buffers[k];
      if (!accesses[k].writes) continue;
      require(may_be_written(b), b, "is written and not to be changed");
      write(b, call.retypes);
    }
    // What the kernel reads or writes is still there when it ends.
    for (std::size_t k = 0; k < call.buffers.size(); ++k) {
      const bool used = accesses[k].reads || accesses[k].writes;
      if (used)
        require(given(call.buffers[k]) || holds(call.buffers[k]), call.buffers[k],
                "is overwritten while in use");
    }
  }

  // A value in the workspace ends those whose memory it takes.
  void write(std::uint32_t b, bool retypes) {
    const Buffer& buffer = module_.buffers[b];
    if (placed_ && buffer.storage == Storage::workspace) {
      require(buffer.offset >= 0 && buffer.offset % 64 == 0 &&
                  buffer.offset + buffer.bytes <= module_.workspace_bytes,
              b, "has no place of its own in the workspace");
      if (buffer.bytes > 0) {
        // None of those that are there reach into the next.
        auto at = in_workspace_.lower_bound(buffer.offset);
        while (at != in_workspace_.begin() && end_of(std::prev(at)->second) > buffer.offset) --at;
        while (at != in_workspace_.end() && at->first < buffer.offset + buffer.bytes) {
          const Buffer& other = module_.buffers[at->second];
          require(at->second == b || other.element() == buffer.element() || retypes, b,
                  "takes the memory of another type unsaid");
          held_[at->second] = false;
          at = in_workspace_.erase(at);
        }
        in_workspace_.emplace(buffer.offset, b);
      }
    }
    held_[b] = true;
  }
  std::int64_t end_of(std::uint32_t b) const {
    return module_.buffers[b].offset + module_.buffers[b].bytes;
  }
  bool holds(std::uint32_t b) const { return held_[b]; }

  Checker& c_;
  const Module& module_;
  bool placed_;
  const Accesses& accesses_;
  bool init_ = false, updates_ = false;
  std::set<std::uint32_t> inputs_;
  std::vector<bool> held_;                              // whether a buffer has a value
  std::map<std::int64_t, std::uint32_t> in_workspace_;  // those with one that have a place, by that
};

}  // namespace

Accesses accesses(const Module& module) {
  return verify_kernels(module, "accesses");
}

Accesses verify_kernels(const Module& module, const char* stage) {
  Checker checker{module, stage};
  std::map<std::string, const Kernel*> known;
  std::map<std::string, std::vector<Access>> by_name;
  Accesses result;
  for (const Kernel& kernel : module.kernels) {
    checker.place = fmt::format("kernel '{}'", kernel.name);
    checker.require(!known.contains(kernel.name), "another has its name");
    result.push_back(KernelWalk(checker, kernel, known, by_name).run());
    by_name[kernel.name] = result.back();
    known[kernel.name] = &kernel;
  }
  return result;
}

void verify_calls(const Module& module, const Accesses& accesses, bool placed, const char* stage) {
  Checker checker{module, stage};
  GRADC_CHECK(accesses.size() == module.kernels.size(),
              "a stage that leaves kernels as they are made one");
  for (std::size_t k = 0; k < module.functions.size(); ++k) {
    FunctionWalk walk(checker, placed, accesses);
    walk.run(module.functions[k]);
    const bool two =
        k + 1 < module.functions.size() && module.functions[k + 1].entry == Entry::backward;
    if (two) walk.run(module.functions[++k]);
  }
}

void verify(const Module& module, bool placed, const char* stage) {
  verify_calls(module, verify_kernels(module, stage), placed, stage);
}

}  // namespace gradc

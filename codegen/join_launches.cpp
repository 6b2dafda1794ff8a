// join_launches.cpp: elementwise kernels of one form, and nothing to wait for, become one launch.
//
//     update_each(first, count, g, p)     if (i = thread - first; i < count)  p[i] = …
//     updates(g, p, g2, p2)               blocks 0 to 7:   update_each(0, 2000, g, p)
//                                         block 8:         update_each(2048, 10, g2, p2)
#include "codegen/join_launches.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "codegen/exprs.h"
#include "codegen/grid_nest.h"
#include "codegen/loops_to_text.h"
#include "codegen/names.h"

namespace gradc {

using namespace loops;

namespace {

// A launch has 4096 bytes for its arguments, and each of these takes eight.
constexpr std::size_t most_arguments = 500;

// Calls `rename` on every name of the block, in the order in which they stand in the text.
template <class Rename>
class NamesOf {
 public:
  explicit NamesOf(Rename rename) : rename_(std::move(rename)) {}
  void visit(Block& block) {
    for (Stmt& s : block) std::visit([this](auto& it) { visit(it); }, s.it);
  }

 private:
  void visit(Expr& e) {
    if (!e.name.empty()) rename_(e.name);
    for (Expr& a : e.args) visit(a);
  }
  void visit(For& s) {
    for (Expr& e : s.begin) visit(e);
    rename_(s.variable);
    visit(s.end);
    visit(s.body);
  }
  void visit(Let& s) { visit(s.value), rename_(s.name); }
  void visit(Lanes& s) { visit(s.value), rename_(s.name); }
  void visit(Accumulate& s) {
    rename_(s.name), visit(s.value);
    for (Expr& e : s.lane) visit(e);
  }
  void visit(Assign& s) { rename_(s.name), visit(s.value); }
  void visit(Store& s) {
    rename_(s.buffer), visit(s.index), visit(s.value);
    for (Expr& e : s.first) visit(e);
  }
  void visit(If& s) { visit(s.condition), visit(s.body); }
  void visit(Call& s) {
    for (Expr& e : s.args) visit(e);
  }
  void visit(Transpose& s) {
    for (Expr* e : {&s.from, &s.from_stride, &s.rows, &s.columns, &s.to, &s.to_stride}) visit(*e);
  }
  void visit(Prefetch& s) { rename_(s.buffer), visit(s.index); }
  void visit(Combine& s) {
    rename_(s.name);
    if (!s.position.empty()) rename_(s.position);
  }
  void visit(Choose& s) { visit(s.condition); }
  void visit(Barrier&) {}
  void visit(Comment&) {}

  Rename rename_;
};

bool needs_block(const Block& block) {
  return std::any_of(block.begin(), block.end(), [](const Stmt& s) {
    const auto* loop = std::get_if<For>(&s.it);
    const auto* choice = std::get_if<If>(&s.it);
    return std::holds_alternative<Barrier>(s.it) || std::holds_alternative<Combine>(s.it) ||
           std::holds_alternative<Choose>(s.it) || std::holds_alternative<Call>(s.it) ||
           (loop && needs_block(loop->body)) || (choice && needs_block(choice->body));
  });
}

// A kernel as a function of how many elements there are and which thread has the first.
struct Form {
  Kernel each;
  std::int64_t count = 0;
  std::string text;  // equal for equal forms
};

std::optional<Form> form_of(const Kernel& kernel, const Target& target) {
  if (kernel.launch.threads != target.threads || kernel.draws || !kernel.arrays.empty()) return std::nullopt;
  if (!kernel.counts.empty() || kernel.body.empty() || needs_block(kernel.body)) return std::nullopt;
  // Nothing but constants stands before the loop over the elements: see level 0 of a nest.
  Form form{kernel, 0, ""};
  auto* const loop = std::get_if<For>(&form.each.body.back().it);
  if (!loop || loop->kind != LoopKind::once || loop->end.kind != ExprKind::literal) return std::nullopt;
  if (loop->begin[0].kind != ExprKind::place || loop->begin[0].place != Place::global) return std::nullopt;
  form.count = static_cast<std::int64_t>(loop->end.value);
  Names taken;
  for (const Argument& a : kernel.arguments) taken.reserve(a.name);
  NamesOf([&](std::string& name) { taken.reserve(name); }).visit(form.each.body);
  const std::string first = taken.fresh("first"), count = taken.fresh("count");
  loop->begin[0] = loops::sub(place_of(Place::global), variable(first, Type::integer));
  loop->end = variable(count, Type::integer);
  form.each.counts = {first, count};
  form.each.launch = {};

  Kernel plain = form.each;
  plain.comment.clear();
  plain.name = "each";
  std::map<std::string, std::string> numbers;
  const auto rename = [&](std::string& name) {
    name = numbers.try_emplace(name, fmt::format("v{}", numbers.size())).first->second;
  };
  for (std::string& name : plain.counts) rename(name);
  for (Argument& a : plain.arguments) rename(a.name);
  NamesOf(rename).visit(plain.body);
  form.text = kernel_to_text(plain, target);
  return form;
}

class Joiner {
 public:
  Joiner(Module& module, const Target& target) : module_(module), target_(target) {
    for (const Kernel& kernel : module.kernels) {
      names_.reserve(kernel.name);
      forms_.push_back(form_of(kernel, target));
    }
    // Whatever else the file calls something.
    for (const Buffer& b : module.buffers) names_.reserve(b.name);
    for (const Dim& dim : module.dims) names_.reserve(dim.name);
    for (const loops::Function& f : module.functions) {
      for (const char* end : {"", "_forward", "_backward", "_evaluate", "_result"}) names_.reserve(f.name + end);
    }
  }

  void join(loops::Function& f) {
    const std::vector<Invocation> calls = std::exchange(f.calls, {});
    const std::size_t forward = f.forward_calls;
    waiting_.clear();
    for (std::size_t k = 0; k < calls.size(); ++k) {
      // What a function's outputs need stays before the rest, and no part of it reaches into the next.
      if (k == forward) release_all(f), f.forward_calls = f.calls.size();
      // A loop along time runs its calls in their order, after all that stands before it.
      const bool in_loop = calls[k].loop != 0;
      if (in_loop) release_all(f);
      const std::optional<Form>& form = forms_[calls[k].kernel];
      for (std::size_t w = 0; w < waiting_.size();) {
        const Part part = waiting_[w].calls[0].part;
        const bool ends = part != calls[k].part && part != Part::backward;
        if (ends || conflict(waiting_[w].calls, calls[k])) {
          release(f, w);
        } else {
          ++w;
        }
      }
      if (!form || in_loop) {
        f.calls.push_back(calls[k]);
        continue;
      }
      auto same = std::find_if(waiting_.begin(), waiting_.end(), [&](const Group& g) {
        return g.form == form->text && g.calls[0].part == calls[k].part;
      });
      if (same == waiting_.end()) same = waiting_.insert(waiting_.end(), {form->text, {}});
      same->calls.push_back(calls[k]);
    }
    release_all(f);
    if (forward >= calls.size()) f.forward_calls = f.calls.size();
  }

 private:
  struct Group {
    std::string form;
    std::vector<Invocation> calls;
  };

  // True if the order of the two matters.
  bool conflict(const std::vector<Invocation>& earlier, const Invocation& later) const {
    const Kernel& b = module_.kernels[later.kernel];
    return std::any_of(earlier.begin(), earlier.end(), [&](const Invocation& call) {
      const Kernel& a = module_.kernels[call.kernel];
      for (std::size_t i = 0; i < call.buffers.size(); ++i) {
        for (std::size_t j = 0; j < later.buffers.size(); ++j) {
          if (call.buffers[i] == later.buffers[j] && (a.arguments[i].written || b.arguments[j].written)) return true;
        }
      }
      return false;
    });
  }

  void release(loops::Function& f, std::size_t number) {
    const Group group = std::move(waiting_[number]);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(number));
    std::vector<Invocation> together;
    std::set<std::uint32_t> buffers;
    const auto start = [&] {
      f.calls.push_back(together.size() == 1 ? together[0] : joined(f, group.form, together));
      together.clear();
      buffers.clear();
    };
    for (const Invocation& call : group.calls) {
      std::set<std::uint32_t> with = buffers;
      with.insert(call.buffers.begin(), call.buffers.end());
      if (!together.empty() && with.size() > most_arguments) start();
      together.push_back(call);
      buffers.insert(call.buffers.begin(), call.buffers.end());
    }
    start();
  }
  void release_all(loops::Function& f) {
    while (!waiting_.empty()) release(f, 0);
  }

  // The function of the form, written once.
  const std::string& each_of(const loops::Function& f, const std::string& form, std::uint32_t kernel) {
    std::string& name = each_[form];
    if (!name.empty()) return name;
    Kernel each = forms_[kernel]->each;
    each.comment.insert(each.comment.begin(), "For each of several tensors, here of the first:");
    name = each.name = names_.fresh(f.name + "_each");
    module_.kernels.push_back(std::move(each));
    forms_.emplace_back();
    return name;
  }

  Invocation joined(const loops::Function& f, const std::string& form, const std::vector<Invocation>& calls) {
    const std::string each = each_of(f, form, calls[0].kernel);
    Invocation result;
    result.part = calls[0].part;
    Kernel kernel;
    kernel.place = module_.kernels[calls[0].kernel].place;
    Names names;
    for (const std::string& name : {each, std::string("block")}) names.reserve(name);
    const Expr block = variable("block", Type::integer);
    kernel.body.push_back({Let{"block", place_of(Place::block), false}});
    std::int64_t begin = 0;
    std::string tensors;
    for (std::size_t k = 0; k < calls.size(); ++k) {
      const Kernel& own = module_.kernels[calls[k].kernel];
      const std::int64_t count = forms_[calls[k].kernel]->count;
      const std::int64_t end = begin + (count + target_.threads - 1) / target_.threads;
      Call call{each, {integer(begin * target_.threads), integer(count)}};
      for (std::size_t i = 0; i < calls[k].buffers.size(); ++i) {
        const std::uint32_t buffer = calls[k].buffers[i];
        const auto known = std::find(result.buffers.begin(), result.buffers.end(), buffer);
        const auto at = static_cast<std::size_t>(known - result.buffers.begin());
        if (known == result.buffers.end()) {
          result.buffers.push_back(buffer);
          kernel.arguments.push_back({names.fresh(module_.buffers[buffer].name), own.arguments[i].dtype, false, own.arguments[i].bf16});
        }
        Argument& argument = kernel.arguments[at];
        argument.written = argument.written || own.arguments[i].written;
        call.args.push_back(pointer(argument.name, integer(0)));
      }
      const Expr from = apply(Fn::ge, {block, integer(begin)}, Type::boolean);
      const Expr to = apply(Fn::lt, {block, integer(end)}, Type::boolean);
      Block body;
      body.push_back({std::move(call)});
      kernel.body.push_back({If{k == 0                  ? to
                                : k + 1 == calls.size() ? from
                                                        : apply(Fn::logical_and, {from, to}, Type::boolean),
                                std::move(body)}});
      begin = end;
      if (!own.place.empty() && own.place != kernel.place && tensors.find(own.place) == std::string::npos) {
        tensors += ", " + own.place;
      }
    }
    kernel.comment.push_back(fmt::format("{} tensors in one launch, each in blocks of its own.", calls.size()));
    if (!kernel.place.empty()) kernel.comment.push_back(kernel.place + tensors);
    kernel.launch = {target_.threads, {integer(begin)}};
    kernel.name = "joined";
    const std::string text = kernel_to_text(kernel, target_);
    const auto [known, added] = joined_.try_emplace(text, static_cast<std::uint32_t>(module_.kernels.size()));
    result.kernel = known->second;
    if (added) {
      kernel.name = names_.fresh(each + "_of_all");
      module_.kernels.push_back(std::move(kernel));
      forms_.emplace_back();
    }
    return result;
  }

  Module& module_;
  const Target& target_;
  Names names_;
  std::vector<std::optional<Form>> forms_;     // by kernel
  std::map<std::string, std::string> each_;    // form → name of its function
  std::map<std::string, std::uint32_t> joined_;
  std::vector<Group> waiting_;
};

// Kernels that nobody calls any more.
void drop_kernels(Module& module) {
  std::set<std::string> called;
  for (const loops::Function& f : module.functions) {
    for (const Invocation& call : f.calls) called.insert(module.kernels[call.kernel].name);
  }
  for (std::size_t k = module.kernels.size(); k-- > 0;) {
    if (!called.contains(module.kernels[k].name)) continue;
    for (const Stmt& s : module.kernels[k].body) {
      const auto* choice = std::get_if<If>(&s.it);
      if (!choice) continue;
      for (const Stmt& inner : choice->body) {
        if (const auto* call = std::get_if<Call>(&inner.it)) called.insert(call->kernel);
      }
    }
  }
  std::vector<std::uint32_t> number(module.kernels.size());
  std::vector<Kernel> kept;
  for (std::size_t k = 0; k < module.kernels.size(); ++k) {
    number[k] = static_cast<std::uint32_t>(kept.size());
    if (called.contains(module.kernels[k].name)) kept.push_back(std::move(module.kernels[k]));
  }
  module.kernels = std::move(kept);
  for (loops::Function& f : module.functions) {
    for (Invocation& call : f.calls) call.kernel = number[call.kernel];
  }
}

}  // namespace

void join_launches(Module& module, const Target& target) {
  if (!target.grid()) return;
  Joiner joiner(module, target);
  for (loops::Function& f : module.functions) joiner.join(f);
  drop_kernels(module);
}

}  // namespace gradc

// take_in_turn.cpp: large tensors that kernels hand on to one another, a part at a time.
#include "codegen/take_in_turn.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "codegen/drop_unused.h"
#include "codegen/each_expr.h"
#include "codegen/exprs.h"
#include "codegen/loops_to_text.h"
#include "codegen/names.h"
#include "codegen/part_positions.h"
#include "codegen/work.h"

namespace gradc {

using namespace loops;

namespace {

constexpr std::size_t most_loops = 2;  // of which one after another is taken
// How far ahead calls are looked for that may come earlier.
constexpr std::size_t window = 32;

// Calls that take parts in turn.
struct Group {
  Shape extents;                                          // of the loops around each of their kernels
  std::map<std::size_t, std::set<std::uint32_t>> calls;  // and what each meets at a part's own elements alone
  std::vector<std::size_t> after;                         // calls between them that must wait for them
};

class Turns {
 public:
  Turns(Module& module, const Target& target) : m_(module), target_(target), known_(module.kernels.size()) {
    std::map<std::string, double> bounds;
    std::map<std::string, Work> called;
    for (const Dim& dim : module.dims) bounds[dim.name] = static_cast<double>(dim.bound);
    for (const Kernel& kernel : module.kernels) {
      const Work work = work_of(kernel, called);
      called[kernel.name] = by_position(work, kernel.counts);
      work_.push_back(at(work, bounds));
    }
  }

  bool run() {
    for (loops::Function& f : m_.functions) {
      if (f.entry == Entry::init || !hands_on(f)) continue;
      for (std::size_t first = 0; first < f.calls.size(); ++first) {
        for (std::size_t depth = most_loops; depth > 0; --depth) {
          const Group group = largest_group(f, first, depth);
          if (group.calls.empty()) continue;
          first = take(f, group);
          break;
        }
      }
    }
    if (made_.empty()) return false;
    drop_replaced();
    return true;
  }

 private:
  // Whether any tensor is large enough.
  bool hands_on(const loops::Function& f) const {
    return std::any_of(f.calls.begin(), f.calls.end(), [&](const Invocation& call) {
      return std::any_of(call.buffers.begin(), call.buffers.end(), [&](std::uint32_t b) {
        return m_.buffers[b].storage == Storage::workspace && m_.buffers[b].bytes >= target_.far_bytes;
      });
    });
  }

  const Kernel& kernel(const Invocation& call) const { return m_.kernels[call.kernel]; }

  std::optional<Extent> extent(const Expr& e) const {
    if (e.kind == ExprKind::literal) return Extent(static_cast<std::int64_t>(e.value));
    if (e.kind != ExprKind::variable) return std::nullopt;
    for (std::uint32_t d = 0; d < m_.dims.size(); ++d)
      if (m_.dims[d].name == e.name) return Extent(DimId{d});
    return std::nullopt;
  }
  std::int64_t parts(const Shape& extents) const {
    std::int64_t result = 1;
    for (const Extent& e : extents) result *= largest(m_, e);
    return result;
  }

  Shape extents_around(const Kernel& kernel, std::size_t depth) const {
    Shape result;
    for (const For* loop : loops_around(kernel, most_loops)) {
      const auto size = extent(loop->end);
      if (!size || result.size() == depth) break;
      result.push_back(*size);
    }
    return result;
  }

  // Buffers that the call meets at a part's own elements alone; none if it is no call to be taken in parts.
  std::optional<std::set<std::uint32_t>> own(const Invocation& call, const Shape& extents) {
    const Kernel& k = kernel(call);
    if (extents_around(k, extents.size()) != extents) return std::nullopt;
    if (work_[call.kernel] < static_cast<double>(parts(extents)) * target_.least_turn_work) return std::nullopt;
    const PartPositions& positions = positions_in(call.kernel, extents.size());
    if (!positions.alone()) return std::nullopt;
    std::set<std::uint32_t> result;
    for (std::size_t a = 0; a < call.buffers.size(); ++a) {
      const auto factors = positions.factors(k.arguments[a].name);
      if (factors && factors == strides(m_.buffers[call.buffers[a]], extents)) result.insert(call.buffers[a]);
    }
    return result;
  }
  const PartPositions& positions_in(std::uint32_t kernel, std::size_t depth) {
    const auto known = positions_.find({kernel, depth});
    if (known != positions_.end()) return known->second;
    std::vector<std::string> variables;
    const Block* body = nullptr;
    for (const For* loop : loops_around(m_.kernels[kernel], depth)) {
      variables.push_back(loop->variable);
      body = &loop->body;
    }
    return positions_.try_emplace({kernel, depth}, *body, std::move(variables)).first->second;
  }

  // Elements from one part to the next; none if the first axes are not the parts.
  std::optional<std::vector<std::int64_t>> strides(const Buffer& b, const Shape& extents) const {
    const Shape& shape = b.type.shape;
    if (shape.size() < extents.size() || !std::equal(extents.begin(), extents.end(), shape.begin())) return std::nullopt;
    std::vector<std::int64_t> result(extents.size(), 1);
    for (std::size_t k = 0; k < extents.size(); ++k)
      for (std::size_t later = k + 1; later < shape.size(); ++later) {
        if (!shape[later].is_fixed()) return std::nullopt;
        result[k] *= shape[later].offset;
      }
    return result;
  }

  bool writes(const Invocation& call, std::uint32_t b) const {
    for (std::size_t a = 0; a < call.buffers.size(); ++a)
      if (call.buffers[a] == b && kernel(call).arguments[a].written) return true;
    return false;
  }
  static bool touches(const Invocation& call, std::uint32_t b) {
    return std::find(call.buffers.begin(), call.buffers.end(), b) != call.buffers.end();
  }
  // One writes what the other reads or writes, but for `shared`.
  bool conflict(const Invocation& a, const Invocation& b, const std::set<std::uint32_t>& shared = {}) const {
    return std::any_of(a.buffers.begin(), a.buffers.end(), [&](std::uint32_t buffer) {
      return touches(b, buffer) && (writes(a, buffer) || writes(b, buffer)) && !shared.contains(buffer);
    });
  }

  // From the first call on, those that large tensors are handed on by; none if there are no two of them.
  Group largest_group(const loops::Function& f, std::size_t first, std::size_t depth) {
    Group group{extents_around(kernel(f.calls[first]), depth), {}, {}};
    if (f.calls[first].loop > 0 || group.extents.size() != depth || parts(group.extents) < 2) return {};
    for (std::size_t c = first; c < std::min(f.calls.size(), first + window); ++c) {
      const Invocation& call = f.calls[c];
      if (call.loop > 0 || call.part != f.calls[first].part || (c == f.forward_calls && c > first)) break;
      if (auto own_now = own(call, group.extents)) group.calls.emplace(c, std::move(*own_now));
      if (group.calls.empty()) return {};
    }
    // What has no large tensor in common with the rest, or must wait for others, stays where it is; others may then have to
    // do so too.
    for (std::size_t before = 0; before != group.calls.size();) {
      before = group.calls.size();
      keep_connected(first, group.calls);
      keep_movable(f, group);
    }
    return group.calls.size() > 1 ? group : Group{};
  }

  // Those that need nothing which must wait for others of them.
  void keep_movable(const loops::Function& f, Group& group) const {
    auto& taken = group.calls;
    auto& after = group.after;
    after.clear();
    for (std::size_t c = taken.empty() ? f.calls.size() : taken.begin()->first; !taken.empty() && c <= taken.rbegin()->first; ++c) {
      const Invocation& call = f.calls[c];
      const auto known = taken.find(c);
      const auto blocks = [&](const auto& one) {
        if (one.first >= c) return false;
        if (known == taken.end()) return conflict(f.calls[one.first], call);
        std::set<std::uint32_t> shared;
        std::set_intersection(one.second.begin(), one.second.end(), known->second.begin(), known->second.end(),
                              std::inserter(shared, shared.end()));
        return conflict(f.calls[one.first], call, shared);
      };
      const bool waits = std::any_of(after.begin(), after.end(), [&](std::size_t a) { return conflict(f.calls[a], call); }) ||
                         std::any_of(taken.begin(), taken.end(), blocks);
      if (waits && known != taken.end()) taken.erase(known);
      if (waits) after.push_back(c);
    }
  }

  // Those that meet a large tensor that the first one meets, or one that such a call meets, and so on.
  void keep_connected(std::size_t first, std::map<std::size_t, std::set<std::uint32_t>>& taken) const {
    if (!taken.contains(first)) return taken.clear();
    std::set<std::uint32_t> reached;
    std::set<std::size_t> connected;
    const auto reach = [&](std::size_t c) {
      connected.insert(c);
      for (const std::uint32_t b : taken.at(c))
        if (m_.buffers[b].bytes >= target_.far_bytes) reached.insert(b);
    };
    reach(first);
    for (std::size_t before = 0; before != connected.size();) {
      before = connected.size();
      for (const auto& [c, own_then] : taken)
        if (std::any_of(own_then.begin(), own_then.end(), [&](std::uint32_t b) { return reached.contains(b); })) reach(c);
    }
    std::erase_if(taken, [&](const auto& one) { return !connected.contains(one.first); });
  }

  // Moves the calls of the group together, after those between them that need not wait for it. The last of them.
  std::size_t take(loops::Function& f, const Group& group) {
    const std::size_t first = group.calls.begin()->first, last = group.calls.rbegin()->first;
    std::vector<Invocation> before, inside, after;
    const std::set<std::uint32_t> once = rooms(group);
    const std::vector<std::string> names = variables(f, group);
    Iteration loop;
    for (std::size_t k = 0; k < names.size(); ++k) loop.indices.push_back({names[k], group.extents[k]});
    f.loops.push_back(std::move(loop));
    for (std::size_t c = first; c <= last; ++c) {
      Invocation& call = f.calls[c];
      const bool waits = std::binary_search(group.after.begin(), group.after.end(), c);
      if (group.calls.contains(c)) {
        call.kernel = in_parts(call, group.extents, names, once);
        call.loop = static_cast<std::uint32_t>(f.loops.size());
        inside.push_back(std::move(call));
      } else {
        (waits ? after : before).push_back(std::move(call));
      }
    }
    for (const std::uint32_t b : once) shrink(m_.buffers[b], group.extents);
    auto to = f.calls.begin() + static_cast<std::ptrdiff_t>(first);
    for (auto* calls : {&before, &inside, &after}) to = std::move(calls->begin(), calls->end(), to);
    return first + before.size() + inside.size() - 1;
  }

  // Buffers that nothing else needs: room for one part is enough.
  std::set<std::uint32_t> rooms(const Group& group) const {
    std::map<std::uint32_t, std::size_t> inside, users;
    for (const auto& [c, own_then] : group.calls)
      for (const std::uint32_t b : own_then) ++inside[b];
    for (const loops::Function& f : m_.functions)
      for (const Invocation& call : f.calls)
        for (const std::uint32_t b : call.buffers) ++users[b];
    std::set<std::uint32_t> result;
    for (const auto& [b, count] : inside)
      if (m_.buffers[b].storage == Storage::workspace && users.at(b) == count) result.insert(b);
    return result;
  }
  void shrink(Buffer& b, const Shape& extents) const {
    b.type.shape.erase(b.type.shape.begin(), b.type.shape.begin() + static_cast<std::ptrdiff_t>(extents.size()));
    b.elements /= parts(extents);
    b.bytes /= parts(extents);
  }

  // Names for the parts that mean nothing else in the function and in the kernels.
  std::vector<std::string> variables(const loops::Function& f, const Group& group) const {
    Names taken;
    for (const Dim& dim : m_.dims) taken.reserve(dim.name);
    for (const Kernel& k : m_.kernels) taken.reserve(k.name);
    for (const Invocation& call : f.calls)
      for (const std::uint32_t b : call.buffers) taken.reserve(m_.buffers[b].name);
    for (const auto& [c, own_then] : group.calls) {
      const Kernel& k = kernel(f.calls[c]);
      for (const Argument& a : k.arguments) taken.reserve(a.name);
      for (const std::string& name : declared_names(loops_around(k, group.extents.size()).back()->body)) taken.reserve(name);
    }
    std::vector<std::string> result;
    for (const For* loop : loops_around(kernel(f.calls[group.calls.begin()->first]), group.extents.size()))
      result.push_back(taken.fresh(loop->variable));
    return result;
  }
  // The kernel for one part, which its counts say.
  std::uint32_t in_parts(const Invocation& call, const Shape& extents, const std::vector<std::string>& names,
                         const std::set<std::uint32_t>& rooms) {
    std::vector<bool> room;
    for (const std::uint32_t b : call.buffers) room.push_back(rooms.contains(b));
    const auto [it, added] = made_.try_emplace({call.kernel, names, room}, static_cast<std::uint32_t>(m_.kernels.size()));
    if (!added) return it->second;
    Kernel part = kernel(call);
    std::map<std::string, Expr> rename, first;
    std::set<std::string> at_first;
    for (std::size_t k = 0; k < extents.size(); ++k) {
      For loop = std::get<For>(std::find_if(part.body.begin(), part.body.end(), [](const Stmt& s) {
                                 return std::holds_alternative<For>(s.it);
                               })->it);
      rename[loop.variable] = variable(names[k], Type::integer);
      first[loop.variable] = integer(0);
      part.body = std::move(loop.body);
    }
    std::string kept;
    for (std::size_t a = 0; a < room.size(); ++a) {
      if (!room[a]) continue;
      at_first.insert(part.arguments[a].name);
      kept += (kept.empty() ? "" : ", ") + part.arguments[a].name;
    }
    reach(part.body, at_first, first);
    const auto renamed = [&](Expr& e) { e = with(std::move(e), rename); };
    Roots<decltype(renamed)>{renamed}.block(part.body);
    std::string which;
    for (std::size_t k = 0; k < names.size(); ++k)
      which += fmt::format("{}{} < {}", k > 0 ? ", " : "", names[k], extent_text(m_, extents[k]));
    part.comment.insert(part.comment.begin() + static_cast<std::ptrdiff_t>(part.comment.size() - (part.place.empty() ? 0 : 1)),
                        kept.empty() ? fmt::format("for one part: {}", which)
                                     : fmt::format("for one part: {}; no other part is kept of {}", which, kept));
    const UsedNames used = used_names(part.body);
    for (const std::string& name : names) part.counts.push_back(name);
    std::erase_if(part.counts, [&](const std::string& count) { return !used.contains(count); });
    m_.kernels.push_back(std::move(part));
    work_.push_back(0);
    return it->second;
  }
  // Positions in the buffers as if the part were the first.
  static void reach(Block& block, const std::set<std::string>& buffers, const std::map<std::string, Expr>& first) {
    for_each_expr(block, [&](Expr& e) {
      if ((reads_memory(e) || e.kind == ExprKind::pointer) && buffers.contains(e.name))
        e.args[0] = with(std::move(e.args[0]), first);
    });
    reach_stored(block, buffers, first);
  }
  static void reach_stored(Block& block, const std::set<std::string>& buffers, const std::map<std::string, Expr>& first) {
    for (Stmt& s : block) {
      if (auto* loop = std::get_if<For>(&s.it)) reach_stored(loop->body, buffers, first);
      if (auto* choice = std::get_if<If>(&s.it)) reach_stored(choice->body, buffers, first);
      if (auto* store = std::get_if<Store>(&s.it); store && buffers.contains(store->buffer))
        store->index = with(std::move(store->index), first);
      if (auto* fetch = std::get_if<Prefetch>(&s.it); fetch && buffers.contains(fetch->buffer))
        fetch->index = with(std::move(fetch->index), first);
    }
  }

  // Kernels of which only parts are called any more, and in their places those for parts, with names of their own.
  void drop_replaced() {
    std::set<std::uint32_t> replaced, called;
    for (const auto& [key, number] : made_) replaced.insert(std::get<0>(key));
    for (const loops::Function& f : m_.functions)
      for (const Invocation& call : f.calls) called.insert(call.kernel);
    Names names;
    for (const Kernel& k : m_.kernels) names.reserve(k.name);
    std::vector<Kernel> kernels;
    std::map<std::uint32_t, std::uint32_t> now;
    for (std::uint32_t k = 0; k < m_.kernels.size(); ++k) {
      const bool stays = called.contains(k) || !replaced.contains(k);
      bool name_is_free = !stays;
      if (k < known_ && stays) {
        now[k] = static_cast<std::uint32_t>(kernels.size());
        kernels.push_back(m_.kernels[k]);
      }
      for (const auto& [key, number] : made_) {
        if (std::get<0>(key) != k) continue;
        now[number] = static_cast<std::uint32_t>(kernels.size());
        kernels.push_back(m_.kernels[number]);
        if (!std::exchange(name_is_free, false)) kernels.back().name = names.fresh(kernels.back().name);
      }
    }
    m_.kernels = std::move(kernels);
    for (loops::Function& f : m_.functions)
      for (Invocation& call : f.calls) call.kernel = now.at(call.kernel);
  }

  Module& m_;
  const Target& target_;
  const std::size_t known_;                                              // kernels, before any was made for parts
  std::vector<double> work_;                                             // by kernel
  std::map<std::pair<std::uint32_t, std::size_t>, PartPositions> positions_;  // by kernel, and how many loops are around
  // By kernel, names of the parts, and whether an argument is a room.
  std::map<std::tuple<std::uint32_t, std::vector<std::string>, std::vector<bool>>, std::uint32_t> made_;
};

}  // namespace

bool take_in_turn(Module& module, const Target& target) {
  return !target.grid() && Turns(module, target).run();
}

}  // namespace gradc

// part_positions.cpp: what a kernel's loops around all it does have to do with where it reads and writes.
#include "codegen/part_positions.h"

#include <algorithm>
#include <utility>

#include "codegen/each_expr.h"
#include "codegen/exprs.h"
#include "codegen/linear_forms.h"

namespace gradc {

using namespace loops;

std::vector<const For*> loops_around(const Kernel& kernel, std::size_t most) {
  std::vector<const For*> result;
  for (const Block* block = &kernel.body; result.size() < most;) {
    const Stmt* only = nullptr;
    for (const Stmt& s : *block) {
      if (std::holds_alternative<Comment>(s.it)) continue;
      if (only) return result;
      only = &s;
    }
    const auto* loop = only ? std::get_if<For>(&only->it) : nullptr;
    if (!loop || loop->kind != LoopKind::parallel || loop->step != 1 || loop->begin.size() != 1 ||
        !is_integer(loop->begin[0], 0))
      break;
    result.push_back(loop);
    block = &loop->body;
  }
  return result;
}

PartPositions::PartPositions(const Block& body, std::vector<std::string> variables) : variables_(std::move(variables)) {
  block(body);
}

std::optional<std::vector<std::int64_t>> PartPositions::factors(const std::string& buffer) const {
  const auto it = factors_.find(buffer);
  return it == factors_.end() ? std::nullopt : it->second;
}

void PartPositions::block(const Block& statements) {
  for (const Stmt& s : statements) {
    if (const auto* loop = std::get_if<For>(&s.it)) {
      for (const Expr& e : loop->begin) expr(e);
      expr(loop->end);
      block(loop->body);
    } else if (const auto* choice = std::get_if<If>(&s.it)) {
      expr(choice->condition);
      block(choice->body);
    } else if (const auto* store = std::get_if<Store>(&s.it)) {
      position(store->buffer, store->index);
      expr(store->value);
      for (const Expr& e : store->first) expr(e);
    } else if (const auto* fetch = std::get_if<Prefetch>(&s.it)) {
      expr(fetch->index);
    } else {
      const auto visit = [this](const Expr& e) { expr(e); };
      Stmt copy = s;
      std::visit(Roots<decltype(visit)>{visit}, copy.it);
    }
  }
}

void PartPositions::expr(const Expr& e) {
  if (e.kind == ExprKind::variable)
    alone_ = alone_ && std::find(variables_.begin(), variables_.end(), e.name) == variables_.end();
  const bool at = reads_memory(e) || e.kind == ExprKind::pointer;
  if (at) position(e.name, e.args[0]);
  for (std::size_t k = at || e.kind == ExprKind::random ? 1 : 0; k < e.args.size(); ++k) expr(e.args[k]);
}

void PartPositions::position(const std::string& buffer, const Expr& index) {
  std::optional<std::vector<std::int64_t>> now;
  if (const auto form = linear(index)) {
    now.emplace();
    for (const std::string& v : variables_) now->push_back(form->factor(v));
  }
  const auto [it, added] = factors_.try_emplace(buffer, now);
  if (!added && it->second != now) it->second.reset();
}

}  // namespace gradc

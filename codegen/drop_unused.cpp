// drop_unused.cpp: names in loops that something depends on.
#include "codegen/drop_unused.h"

#include <vector>

namespace gradc {

using namespace loops;

namespace {

class Names {
 public:
  void add(const Expr& e) {
    if (!e.name.empty()) used.insert(e.name);
    for (const Expr& a : e.args) add(a);
  }
  void add(const Block& block) {
    for (const Stmt& s : block) {
      std::visit([this](const auto& it) { add(it); }, s.it);
    }
  }
  void add(const For& s) {
    add_head(s);
    add(s.body);
  }
  void add_head(const For& s) {
    for (const Expr& e : s.begin) add(e);
    if (s.begin.empty()) used.insert(s.variable);  // goes on with what was declared before
    add(s.end);
  }
  void add(const Let& s) { add(s.value); }
  void add(const Lanes& s) { add(s.value); }
  // What changes a register depends on the register.
  void add(const Accumulate& s) {
    used.insert(s.name);
    add(s.value);
    for (const Expr& e : s.lane) add(e);
  }
  void add(const Assign& s) {
    used.insert(s.name);
    add(s.value);
  }
  void add(const Store& s) {
    used.insert(s.buffer);
    add(s.index);
    add(s.value);
    for (const Expr& e : s.first) add(e);
  }
  void add(const If& s) {
    add(s.condition);
    add(s.body);
  }
  void add(const Call& s) {
    for (const Expr& e : s.args) add(e);
  }
  void add(const Transpose& s) {
    for (const Expr* e : {&s.from, &s.from_stride, &s.rows, &s.columns, &s.to, &s.to_stride}) add(*e);
  }
  void add(const Prefetch& s) {
    used.insert(s.buffer);
    add(s.index);
  }
  void add(const Barrier&) {}
  void add(const Comment&) {}
  void add(const Choose& s) { add(s.condition); }
  void add(const Combine& s) {
    used.insert(s.name);
    if (!s.position.empty()) used.insert(s.position);
  }

  UsedNames used;
};

}  // namespace

UsedNames used_names(const Block& block) {
  Names names;
  names.add(block);
  return names.used;
}

std::set<std::string> declared_names(const Block& block) {
  std::set<std::string> names;
  for (const Stmt& s : block) {
    if (const auto* let = std::get_if<Let>(&s.it)) names.insert(let->name);
    if (const auto* lanes = std::get_if<Lanes>(&s.it)) names.insert(lanes->name);
    if (const auto* choice = std::get_if<If>(&s.it)) names.merge(declared_names(choice->body));
    if (const auto* loop = std::get_if<For>(&s.it)) {
      names.insert(loop->variable);
      names.merge(declared_names(loop->body));
    }
  }
  return names;
}

namespace {

// From the last statement to the first, since what reads a register stands after it. A name stands
// in its own block alone; another of that name may be used in the block beside it.
UsedNames drop(Block& block) {
  Names names;
  std::vector<bool> dropped(block.size());
  for (std::size_t k = block.size(); k-- > 0;) {
    Stmt& s = block[k];
    if (auto* loop = std::get_if<For>(&s.it)) {
      names.used.merge(drop(loop->body));
      names.add_head(*loop);
    } else if (auto* choice = std::get_if<If>(&s.it)) {
      names.used.merge(drop(choice->body));
      names.add(choice->condition);
    } else {
      const auto* let = std::get_if<Let>(&s.it);
      dropped[k] = let && !let->changes && !names.used.contains(let->name);
      if (!dropped[k]) std::visit([&](const auto& it) { names.add(it); }, s.it);
    }
  }
  std::size_t k = 0;
  if (std::erase_if(block, [&](const Stmt&) { return dropped[k++]; }) == 0) return std::move(names.used);
  return used_names(block);  // names have moved
}

}  // namespace

void drop_unused(Block& block) { drop(block); }

}  // namespace gradc

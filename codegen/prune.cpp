// prune.cpp: removes registers that nothing reads.
#include "codegen/prune.h"

#include <algorithm>

namespace gradc {

using namespace loops;

namespace {

bool reads(const Expr& e, const std::string& name) {
  return (e.kind == ExprKind::variable && e.name == name) ||
         std::any_of(e.args.begin(), e.args.end(), [&](const Expr& a) { return reads(a, name); });
}

bool reads(const Block& block, std::size_t from, const std::string& name);

struct Reads {
  const std::string& name;
  bool any(const std::vector<Expr>& es) const {
    return std::any_of(es.begin(), es.end(), [&](const Expr& e) { return reads(e, name); });
  }
  bool operator()(const For& s) const {
    return any(s.begin) || reads(s.end, name) || reads(s.body, 0, name) || s.variable == name;
  }
  bool operator()(const Let& s) const { return reads(s.value, name); }
  bool operator()(const Accumulate& s) const { return s.name == name || reads(s.value, name); }
  bool operator()(const Assign& s) const { return s.name == name || reads(s.value, name); }
  bool operator()(const Store& s) const { return reads(s.index, name) || reads(s.value, name); }
  bool operator()(const If& s) const { return reads(s.condition, name) || reads(s.body, 0, name); }
  bool operator()(const Call& s) const { return any(s.args); }
  bool operator()(const Barrier&) const { return false; }
  bool operator()(const Comment&) const { return false; }
  bool operator()(const Combine& s) const { return s.name == name || s.position == name; }
};

bool reads(const Block& block, std::size_t from, const std::string& name) {
  for (std::size_t k = from; k < block.size(); ++k) {
    if (std::visit(Reads{name}, block[k].it)) return true;
  }
  return false;
}

}  // namespace

void prune(Block& block) {
  for (Stmt& s : block) {
    if (auto* loop = std::get_if<For>(&s.it)) prune(loop->body);
    if (auto* choice = std::get_if<If>(&s.it)) prune(choice->body);
  }
  for (std::size_t k = block.size(); k-- > 0;) {
    const auto* let = std::get_if<Let>(&block[k].it);
    if (let && !reads(block, k + 1, let->name)) block.erase(block.begin() + static_cast<std::ptrdiff_t>(k));
  }
}

}  // namespace gradc

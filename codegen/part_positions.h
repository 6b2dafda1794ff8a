// part_positions.h: what a kernel's loops around all it does have to do with where it reads and writes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "codegen/loops.h"

namespace gradc {

// The loops around all that a kernel does, outermost first, as many as are asked for: each with independent iterations from
// 0 on.
std::vector<const loops::For*> loops_around(const loops::Kernel&, std::size_t most);

// How positions in a block depend on variables of loops around it.
class PartPositions {
 public:
  PartPositions(const loops::Block&, std::vector<std::string> variables);

  // Nothing but positions, and numbers that are drawn, depends on the variables.
  bool alone() const { return alone_; }

  // Factors of the variables in all positions in the buffer; none if they differ or are no linear forms.
  std::optional<std::vector<std::int64_t>> factors(const std::string& buffer) const;

 private:
  void block(const loops::Block&);
  void expr(const loops::Expr&);
  void position(const std::string& buffer, const loops::Expr& index);

  const std::vector<std::string> variables_;
  bool alone_ = true;
  std::map<std::string, std::optional<std::vector<std::int64_t>>> factors_;
};

}  // namespace gradc

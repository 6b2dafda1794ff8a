// kernel_writer.h: what the writers of the several forms of kernels work on.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "codegen/kernel_to_loops.h"
#include "codegen/nest_writer.h"

namespace gradc {

// Whose buffers are arguments of a kernel, and whether it writes them: what is read comes first in
// the signature, what is written last.
std::vector<std::pair<NodeId, bool>> nodes_to_bind(const Graph&, const KernelPlan&,
                                                   const std::set<NodeId>& in_registers);

struct KernelWriter {
  KernelWriter(const LoopContext&, const KernelPlan&, const std::set<NodeId>& in_registers);

  // One argument per buffer, whichever nodes live in it.
  struct Bound {
    std::uint32_t buffer = 0;
    loops::Argument argument;
  };

  void bind(NodeId, bool written);
  // A name for each index of a member: what its loop is called, so that members in the same loop agree.
  const std::vector<std::string>& index_names(NodeId) const;
  std::string index_name(NodeId id, std::uint32_t index) const { return index_names(id)[index]; }
  void store(NodeId, loops::Expr value);  // at the node's own indices
  bool stores_bf16(NodeId) const;
  // The value of a member, rounded if others of the kernel read it that are to see what all do.
  loops::Expr as_stored(NodeId, loops::Expr value) const;
  loops::Expr draw(NodeId);
  WrittenKernel finish();

  const LoopContext& context;
  Graph& g;
  const KernelPlan& plan;
  const std::set<NodeId>& registers;  // members without a buffer
  NestWriter nest;
  std::vector<Bound> arguments;
  std::vector<loops::Array> arrays;
  bool draws = false;

 private:
  std::vector<std::string> make_index_names(NodeId) const;
  mutable std::map<NodeId, std::vector<std::string>> index_names_;  // those that were asked for
  mutable std::vector<std::string> member_names_;                   // once they are
};

}  // namespace gradc

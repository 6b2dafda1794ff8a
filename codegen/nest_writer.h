// nest_writer.h: writes the loops of one kernel: open loops, and values in the outermost of them that they allow.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "codegen/exprs.h"
#include "codegen/loops.h"
#include "codegen/names.h"
#include "dsl/graph.h"

namespace gradc {

class NestWriter {
 public:
  // `dim_names` by DimId.
  NestWriter(const Graph&, std::vector<std::string> dim_names, const std::set<std::string>& reserved);

  // ---- buffers: several nodes may share one argument (what overwrites what)
  void bind(NodeId, const std::string& argument, DType);
  // The node is the slice of something larger, of that shape, at `time` of that axis.
  struct Place {
    Shape whole;
    std::uint32_t axis = 0;
    Extent time;
  };
  void embed(NodeId id, Place place) { places_[id] = std::move(place); }
  const Place* place(NodeId id) const {
    const auto it = places_.find(id);
    return it == places_.end() ? nullptr : &it->second;
  }
  bool bound(NodeId id) const { return arguments_.contains(id); }
  const std::string& argument(NodeId) const;
  Names& names() { return names_; }
  const std::set<std::string>& counts() const { return counts_; }  // dims that were needed
  bool draws() const { return draws_; }

  // ---- loops
  // Opens a loop from 0 to the extent and binds index `number` to its variable.
  void open(const std::string& name, std::uint32_t number, const Extent&, loops::LoopKind);
  void open(const std::string& variable, loops::Expr begin, loops::Expr end, std::int64_t step,
            loops::LoopKind, bool partial = false, std::int64_t granule = 0);
  void close();
  std::size_t depth() const { return scopes_.size() - 1; }
  loops::Expr extent(const Extent&);
  void bind_index(std::uint32_t number, loops::Expr value, std::size_t level);
  void unbind_index(std::uint32_t number);
  loops::Expr index_value(std::uint32_t number) const { return indices_.at(number).value; }

  // ---- values
  // Extents of the indices in the bodies that come next.
  void set_ranges(const Shape&);
  // Announces the bodies that are computed in the loops open next, so that what they share gets a name.
  void count_uses(const std::vector<ScalarId>& bodies);
  // The value of a scalar here; parts of it may be computed further out, or named.
  loops::Expr value(ScalarId);
  // The same where it stands behind a condition: nothing unsafe is moved out.
  loops::Expr guarded_value(ScalarId);
  // The value as an operand that can be used several times.
  loops::Expr named_value(ScalarId, const std::string& name);
  loops::Expr let(const std::string& name, loops::Expr value, bool changes = false);
  loops::Expr lanes(const std::string& name, loops::Expr value);
  // From now on reads of `node` at the indices of the open loops give this register.
  void keep(NodeId node, loops::Expr value);
  // Element of a buffer at subscripts given as scalars, or at the indices 0 … rank-1 of the node.
  loops::Expr position(const Shape&, const std::vector<ScalarId>& subscripts);
  loops::Expr own_position(NodeId);
  // The variable of the loop open last is the row-major position of the first indices in a tensor of this shape.
  void set_flat(const Shape&);
  // Row-major: at · extent + subscript.
  loops::Expr next_position(loops::Expr at, const Extent&, loops::Expr subscript);
  void emit(decltype(loops::Stmt::it) statement);

  loops::Block take();  // all loops are closed

 private:
  struct Scope {
    loops::Block block;
    loops::For loop;
    std::vector<std::string> lets;
    std::unordered_map<ScalarId, loops::Expr> values, inverses;
    std::unordered_map<NodeId, loops::Expr> nodes;
  };
  struct Index {
    loops::Expr value;
    std::size_t level = 0;
  };

  std::size_t level(ScalarId);
  bool in_register(const Scalar& read, std::size_t* scope) const;
  bool is_safe(ScalarId);  // may be computed even where a select would not
  bool deserves_name(ScalarId) const;
  loops::Expr build(ScalarId, bool guarded);
  loops::Expr build_read(const Scalar&, bool guarded);
  loops::Expr build_apply(const Scalar&, bool guarded);
  loops::Expr value(ScalarId, bool guarded);
  // 1 / the value, if that stands outside of some loop that is open.
  std::optional<loops::Expr> inverse_outside(ScalarId, bool guarded);
  // Calls `make` in the scope of a level; what is opened further in can't be seen there.
  loops::Expr at_level(std::size_t level, const std::function<loops::Expr()>& make);
  loops::Expr integer_value(ScalarId);
  std::string name_for(ScalarId) const;
  std::string register_name(const std::string& name);

  const Graph& g_;
  std::vector<std::string> dim_names_;
  Names names_;
  std::set<std::string> loop_names_;  // loops may share one, but no register hides one or is hidden
  std::set<std::string> counts_;
  bool draws_ = false;
  std::deque<Scope> scopes_;
  std::map<std::uint32_t, Index> indices_;
  Shape flat_shape_;   // set_flat
  loops::Expr flat_;
  Shape ranges_;                                   // of the indices, as far as known
  std::map<NodeId, std::pair<std::string, DType>> arguments_;
  std::map<NodeId, Place> places_;
  IdMap<ScalarId, std::uint32_t> uses_;
  IdMap<ScalarId, std::size_t> levels_;  // while the indices stay bound as they are
  IdMap<ScalarId, bool> safe_;
};

}  // namespace gradc

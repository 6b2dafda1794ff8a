// graph_to_loops.cpp: kernels of the graph → the module.
#include "codegen/graph_to_loops.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "codegen/each_expr.h"
#include "codegen/exprs.h"
#include "codegen/kernel_formulas.h"
#include "codegen/kernel_key.h"
#include "codegen/kernel_to_grid.h"
#include "codegen/kernel_to_loops.h"
#include "codegen/names.h"
#include "codegen/product_to_loops.h"
#include "dsl/check.h"

namespace gradc {

using namespace loops;

namespace {

std::string last_part(const std::string& path) {
  return path.substr(path.rfind('.') + 1);  // npos + 1 is 0
}

std::int64_t elements(const Graph& g, const Shape& shape) {
  std::int64_t n = 1;
  for (const Extent& e : shape) n *= max_extent(g, e);
  return n;
}

// The one stream that a kernel draws from, if it's one, is rather said by who calls it: kernels that differ in no more
// are the same.
std::optional<std::uint32_t> take_stream(Kernel& kernel) {
  std::set<std::uint32_t> streams;
  for_each_expr(kernel.body, [&](const Expr& e) {
    if (e.kind == ExprKind::random) streams.insert(e.stream);
  });
  if (streams.size() != 1) return std::nullopt;
  kernel.one_stream = true;
  for_each_expr(kernel.body, [](Expr& e) {
    if (e.kind != ExprKind::random) return;
    e.stream = 0;
    e.args.push_back(variable("stream", Type::integer));
  });
  return *streams.begin();
}

class ModuleBuilder {
 public:
  ModuleBuilder(Graph& g, const ModuleOptions& options) : g_(g), options_(options) {
    module_.name = options.module_name;
    Names dims;
    for (const Dim& dim : g.dims()) {
      const bool time = dim.least == 0;  // its loop declares it
      dim_names_.push_back(time ? identifier(dim.name) : dims.fresh(dim.name));
      names_.reserve(dim_names_.back());
      if (!time) module_.dims.push_back({dim_names_.back(), dim.bound});
    }
    for (std::size_t k = 0; k < g.functions.size(); ++k) {
      const std::string function = identifier(g.functions[k].name);
      names_.reserve(identifier(options.module_name + "_" + g.functions[k].name));
      for (const char* end : {"", "_forward", "_backward", "_evaluate", "_result"}) {
        names_.reserve(function + end);
        names_.reserve(identifier(options.module_name + "_" + function + end));
      }
      for (std::size_t n : {2 * k, 2 * k + 1}) {  // tables of the scaffold, one per emitted function
        for (const char* table : {"run_", "inputs_", "outputs_"}) {
          names_.reserve(table + std::to_string(n));
        }
      }
    }
    for (const char* table : {"the_dims", "the_parameters", "the_state", "the_functions", "the_model",
                              "run_init"}) {
      names_.reserve(table);
    }
    add_parameters();
  }

  void add(const FunctionPlan& plan, const std::vector<KernelPlan>& kernels);
  Module take() { return std::move(module_); }

 private:
  void add_parameters();
  std::uint32_t add_buffer(const std::string& name, const std::string& spec_name, Storage storage,
                           const TensorType& type);
  std::uint32_t constant(NodeId);
  std::string kernel_name(const FunctionPlan&, const KernelPlan&, const std::set<NodeId>& registers);
  std::optional<std::string> place(const KernelPlan&) const;
  const std::string& short_name(NodeId);
  struct KnownKernel {
    std::uint32_t kernel = 0;
    std::vector<std::size_t> slots;  // its arguments, by their place among the buffers of the key
    std::optional<std::size_t> drawing;  // the member whose stream is an argument
  };
  KnownKernel write(const LoopContext&, const FunctionPlan&, const KernelPlan&,
                    const std::set<NodeId>& registers, const KernelKey&);
  std::uint32_t share(Kernel, const std::function<void(Kernel&)>& describe);
  const Kernel& micro_kernel(const ProductTiles&, std::optional<std::int64_t> rows);
  void set_dims(loops::Function&) const;

  Graph& g_;
  const ModuleOptions& options_;
  Module module_;
  std::vector<std::string> dim_names_;  // by DimId: those of the module, then the times of loops
  Names names_;  // of the emitted namespace: kernels and tables
  std::map<NodeId, std::uint32_t> leaves_;  // parameters, states, constants
  std::unordered_map<NodeId, std::string> short_names_;  // those that were asked for
  std::unordered_map<std::string, KnownKernel> known_;  // text of a key → what was made of it
  struct MicroKernel {
    ProductTiles tiles;  // without its functions, which are those of whoever asked first
    std::optional<std::int64_t> rows;
    std::uint32_t kernel = 0;
  };
  std::vector<MicroKernel> micro_kernels_;
};

std::uint32_t ModuleBuilder::add_buffer(const std::string& name, const std::string& spec_name,
                                        Storage storage, const TensorType& type) {
  Buffer b;
  b.name = name;
  b.spec_name = spec_name;
  b.storage = storage;
  b.type = type;
  b.elements = elements(g_, type.shape);
  b.bytes = b.elements * bytes_of(type.dtype);
  module_.buffers.push_back(std::move(b));
  return static_cast<std::uint32_t>(module_.buffers.size() - 1);
}

// In the order in which init sets them, which is that of the spec.
void ModuleBuilder::add_parameters() {
  Names members[2];
  auto add = [&](NodeId id) {
    const Node& n = g_[id];
    const bool state = n.kind == NodeKind::state;
    if ((n.kind != NodeKind::parameter && !state) || leaves_.contains(id)) return;
    const auto b = add_buffer(members[state].fresh(n.name), n.name,
                              state ? Storage::state : Storage::parameter, n.type);
    leaves_[id] = b;
    (state ? module_.state : module_.parameters).push_back(b);
  };
  for (const auto& f : g_.functions) {
    for (const Update& u : f.updates) add(u.target);
  }
  for (const auto& f : g_.functions) {
    for (NodeId id : topological_order(g_, roots_of(f))) {
      add(id);
      if (g_[id].kind == NodeKind::constant && g_[id].values.size() > 1) constant(id);
    }
  }
}

std::uint32_t ModuleBuilder::constant(NodeId id) {
  const auto it = leaves_.find(id);
  if (it != leaves_.end()) return it->second;
  const std::string& label = g_.label(id).name;
  const auto b = add_buffer(names_.fresh(label.empty() ? "table" : label), label, Storage::constant,
                            g_[id].type);
  module_.buffers[b].values = g_[id].values;
  module_.constants.push_back(b);
  return leaves_[id] = b;
}

const std::string& ModuleBuilder::short_name(NodeId id) {
  std::string& known = short_names_[id];
  if (!known.empty()) return known;
  const Node& n = g_[id];
  std::string name = n.name.empty() ? g_.label(id).name : n.name;
  if (name.empty()) name = n.kind == NodeKind::constant ? "table" : "t";
  // The gradient of a.b is da.b.
  const bool gradient = n.name.empty() && name.size() > 1 && name[0] == 'd' && last_part(name) != name;
  return known = identifier((gradient ? "d" : "") + last_part(name));
}

ModuleBuilder::KnownKernel ModuleBuilder::write(const LoopContext& context,
                                                const FunctionPlan& plan, const KernelPlan& kernel,
                                                const std::set<NodeId>& registers,
                                                const KernelKey& key) {
  const Target& target = options_.target;
  WrittenKernel written = target.grid() ? kernel_to_grid(context, kernel, registers, target)
                                        : kernel_to_loops(context, kernel, registers);
  const auto where = place(kernel);
  if (where) written.kernel.place = *where;
  KnownKernel known;
  if (const auto stream = take_stream(written.kernel)) {
    known.drawing = 0;
    while (g_[kernel.members.at(*known.drawing).node].stream != *stream) ++*known.drawing;
  }
  for (const std::uint32_t b : written.buffers)
    known.slots.push_back(static_cast<std::size_t>(
        std::find(key.buffers.begin(), key.buffers.end(), b) - key.buffers.begin()));
  known.kernel = share(std::move(written.kernel), [&](Kernel& made) {
    made.name = kernel_name(plan, kernel, registers);
    made.comment = kernel_formulas(context, kernel, registers);
    if (where) made.comment.push_back(*where);
  });
  return known;
}

// A kernel of the same loops, if there is one, else this one once it is described: by a name and a
// comment.
std::uint32_t ModuleBuilder::share(Kernel kernel, const std::function<void(Kernel&)>& describe) {
  const auto same = std::find_if(module_.kernels.begin(), module_.kernels.end(),
                                 [&](const Kernel& other) { return same_loops(kernel, other); });
  const auto number = static_cast<std::uint32_t>(same - module_.kernels.begin());
  if (same != module_.kernels.end()) return number;
  describe(kernel);
  module_.kernels.push_back(std::move(kernel));
  return number;
}

const Kernel& ModuleBuilder::micro_kernel(const ProductTiles& tiles, std::optional<std::int64_t> rows) {
  for (const MicroKernel& known : micro_kernels_)
    if (known.rows == rows && same_kernel(known.tiles, tiles)) return module_.kernels[known.kernel];
  Kernel kernel = product_tiles(tiles, rows);
  const std::string name = std::exchange(kernel.name, {});
  const std::vector<std::string> comment = std::exchange(kernel.comment, {});
  const std::uint32_t number = share(std::move(kernel), [&](Kernel& made) {
    made.name = names_.fresh(name);
    made.comment = comment;
  });
  micro_kernels_.push_back({tiles, rows, number});
  micro_kernels_.back().tiles.extent = nullptr;
  micro_kernels_.back().tiles.most = nullptr;
  return module_.kernels[number];
}

std::string ModuleBuilder::kernel_name(const FunctionPlan& plan, const KernelPlan& kernel,
                                       const std::set<NodeId>& registers) {
  NodeId main = kernel.members.back().node;
  for (const StoredNode& s : kernel.members) {
    if (registers.contains(s.node)) continue;
    main = s.node;
    if (s.home.storage != Storage::workspace) break;
  }
  for (const StoredNode& s : kernel.members) {  // an update goes by its parameter
    if (s.home.storage == Storage::parameter) main = s.node;
  }
  std::string name = short_name(main);
  for (const StoredNode& s : kernel.members) {
    if (s.node != main || s.home.storage == Storage::workspace || s.home.storage == Storage::output) continue;
    name = g_[s.home.target].name;
    if (s.home.storage == Storage::gradient) name = "d" + last_part(name);
  }
  const std::string& function = g_.functions[plan.function].name;
  if (name.starts_with(function + ".")) name.erase(0, function.size() + 1);
  return names_.fresh(function + "_" + name);
}

// Where in the spec the kernel's first named value stands.
std::optional<std::string> ModuleBuilder::place(const KernelPlan& kernel) const {
  if (!options_.place) return std::nullopt;
  for (const StoredNode& s : kernel.members) {
    if (g_.label(s.node).span.valid()) return options_.place(g_.label(s.node).span);
  }
  for (const StoredNode& s : kernel.members) {  // what a parameter begins with stands where it is declared
    const NodeId target = s.home.target;
    if (target.valid() && g_.label(target).span.valid()) return options_.place(g_.label(target).span);
  }
  return std::nullopt;
}

void ModuleBuilder::set_dims(loops::Function& f) const {
  std::set<DimId> dims;
  for (const auto* buffers : {&f.inputs, &f.outputs, &f.gradients}) {
    for (std::uint32_t b : *buffers) {
      for (const Extent& e : module_.buffers[b].type.shape) {
        if (!e.is_fixed()) dims.insert(e.dim);
      }
    }
  }
  // A size may matter without any argument having it.
  for (const Invocation& call : f.calls) {
    const auto& counts = module_.kernels[call.kernel].counts;
    for (std::uint32_t d = 0; d < module_.dims.size(); ++d) {
      if (std::find(counts.begin(), counts.end(), module_.dims[d].name) != counts.end()) {
        dims.insert(DimId{d});
      }
    }
  }
  f.dims.assign(dims.begin(), dims.end());
}

void ModuleBuilder::add(const FunctionPlan& plan, const std::vector<KernelPlan>& kernels) {
  const gradc::Function& spec = g_.functions[plan.function];
  const bool net = plan.entry == Entry::forward;
  const bool two = net && (!spec.gradients.empty() || !spec.cotangents.empty());
  Names locals, results;
  for (const std::string& dim : dim_names_) locals.reserve(dim);
  std::map<NodeId, std::uint32_t> places = leaves_;

  loops::Function forward;
  forward.name = identifier(spec.name);
  forward.spec_name = spec.name;
  forward.entry = plan.entry;
  forward.span = spec.span;
  auto add_input = [&](NodeId id) {
    std::string name = g_[id].name;
    if (name.starts_with(spec.name + ".")) name.erase(0, spec.name.size() + 1);
    return places[id] = add_buffer(locals.fresh(name), name, Storage::input, g_[id].type);
  };
  for (NodeId id : spec.inputs) forward.inputs.push_back(add_input(id));
  for (NodeId id : topological_order(g_, roots_of(spec))) {
    forward.reads_state = forward.reads_state || g_[id].kind == NodeKind::state;
  }
  loops::Function backward = forward;
  backward.entry = Entry::backward;
  for (const Output& o : spec.outputs) {
    Names& scope = net ? locals : results;
    forward.outputs.push_back(
        add_buffer(scope.fresh(o.name), o.name, Storage::output, g_[o.node].type));
  }
  if (two) {
    for (NodeId id : spec.cotangents) backward.inputs.push_back(add_input(id));
    for (std::size_t k = 0; k < spec.gradients.size(); ++k) {
      const NodeId of = gradient_target(g_, spec, k);
      const Output& o = spec.gradients[k];
      if (g_[of].kind == NodeKind::parameter) {
        const auto b = add_buffer(module_.buffers[leaves_.at(of)].name, o.name, Storage::gradient,
                                  g_[of].type);
        backward.gradients.push_back(b);
      } else {
        backward.outputs.push_back(
            add_buffer(locals.fresh(o.name), o.name, Storage::output, g_[of].type));
      }
    }
  }

  std::map<NodeId, std::uint32_t> gradient_buffers;
  if (two) {
    std::size_t next = 0;
    for (std::size_t k = 0; k < spec.gradients.size(); ++k) {
      const NodeId of = gradient_target(g_, spec, k);
      if (g_[of].kind == NodeKind::parameter) gradient_buffers[of] = backward.gradients[next++];
    }
  }
  auto home_buffer = [&](const StoredNode& s, bool in_forward) -> std::uint32_t {
    switch (s.home.storage) {
      case Storage::output:
        return (in_forward ? forward : backward).outputs.at(s.home.result);
      case Storage::parameter:
      case Storage::state: return leaves_.at(s.home.target);
      case Storage::gradient: return gradient_buffers.at(s.home.target);
      default: break;
    }
    const auto b = add_buffer(locals.fresh(short_name(s.node)), g_.label(s.node).name, Storage::workspace,
                              g_[s.node].type);
    if (s.bf16) {
      Buffer& buffer = module_.buffers[b];
      buffer.bf16 = true;
      buffer.bytes = buffer.elements * bytes_of(buffer.element());
    }
    return b;
  };

  std::map<NodeId, std::set<std::size_t>> readers;  // kernels
  for (std::size_t k = 0; k < kernels.size(); ++k) {
    for (const StoredNode& s : kernels[k].members) {
      for (NodeId read : g_.operands(s.node)) readers[storage_of(g_, read)].insert(k);
    }
  }
  auto memory_of_past = [&](NodeId past) {
    for (const TimeLoop& loop : plan.loops) {
      for (const auto& [id, memory] : loop.pasts) {
        if (id == past) return memory;
      }
    }
    return past;
  };
  // The loops of a function have numbers of their own.
  std::map<std::pair<bool, std::uint32_t>, std::uint32_t> loop_numbers;
  auto loop_number = [&](loops::Function& f, bool in_forward, std::uint32_t loop) -> std::uint32_t {
    if (loop == 0) return 0;
    const auto [it, added] =
        loop_numbers.emplace(std::pair(in_forward, loop), static_cast<std::uint32_t>(f.loops.size() + 1));
    const TimeLoop& time = plan.loops[loop - 1];
    if (added) f.loops.push_back({{{dim_names_.at(time.time.value), time.count}}, time.backwards});
    return it->second;
  };
  const auto forward_count = static_cast<std::ptrdiff_t>(plan.forward_count);
  std::set<std::string> reserved;  // a kernel's own names hide no table
  for (std::uint32_t b : module_.constants) reserved.insert(module_.buffers[b].name);
  for (std::size_t k = 0; k < kernels.size(); ++k) {
    const KernelPlan& kernel = kernels[k];
    std::set<NodeId> elsewhere;
    for (const StoredNode& s : kernel.members) {
      for (std::size_t reader : readers[s.node]) {
        if (reader != k) elsewhere.insert(s.node);
      }
    }
    const bool grid = options_.target.grid();
    // A product is added up where it lodges, which bf16 is no place for.
    const bool in_rows = kernel.members.size() > 1 && kernel.members[1].bf16 &&
                         product_in_rows(g_, kernel, elsewhere, options_.target.isa);
    const NodeId lodger = grid || in_rows ? NodeId{} : product_in_follower(g_, kernel, elsewhere);
    if (lodger.valid()) elsewhere.insert(lodger);
    const auto registers =
        grid ? grid_registers(g_, kernel, elsewhere, options_.target.isa)
             : register_members(g_, kernel, elsewhere, options_.target.isa);
    for (const StoredNode& s : kernel.members) {
      if (s.whole.valid()) {
        StoredNode whole = s;
        whole.node = s.whole;
        if (!places.contains(s.whole)) places[s.whole] = home_buffer(whole, kernel.forward);
        places[s.node] = places.at(s.whole);
      } else if (s.node != lodger && !registers.contains(s.node)) {
        StoredNode kept = s;
        kept.bf16 = s.bf16 && !(lodger.valid() && s.node == kernel.members[1].node);
        places[s.node] = home_buffer(kept, kernel.forward);
      }
    }
    if (lodger.valid()) places[lodger] = places.at(kernel.members[1].node);
    std::set<std::string> taken = reserved;
    Extent time;
    if (kernel.loop > 0) {
      time = Extent(plan.loops[kernel.loop - 1].time);
      taken.insert(dim_names_[time.dim.value]);
    }
    const LoopContext context{
        g_,
        options_.target.isa,
        dim_names_,
        taken,
        time,
        [&](NodeId id) {
          if (g_[id].kind == NodeKind::past) {
            const NodeId memory = memory_of_past(id);
            for (const KernelPlan& other : kernels) {  // it may be written only later in the loop
              for (const StoredNode& s : other.members) {
                if (s.whole != memory || places.contains(memory)) continue;
                StoredNode whole = s;
                whole.node = memory;
                places[memory] = home_buffer(whole, other.forward);
              }
            }
            return places.at(memory);
          }
          if (g_[id].kind == NodeKind::constant) return constant(id);
          const auto it = places.find(id);
          GRADC_CHECK(it != places.end(), "a tensor that is read is stored nowhere");
          return it->second;
        },
        [&](std::uint32_t b) { return module_.buffers[b].element(); },
        [&](NodeId id) { return short_name(id); },
        [&](const ProductTiles& tiles, std::optional<std::int64_t> rows) -> const Kernel& {
          return micro_kernel(tiles, rows);
        }};
    const KernelKey key = kernel_key(context, kernel, registers);
    const auto [same, added] = known_.try_emplace(key.text);
    if (added) same->second = write(context, plan, kernel, registers, key);
    const KnownKernel& known = same->second;
    std::vector<std::uint32_t> buffers;
    for (const std::size_t slot : known.slots) buffers.push_back(key.buffers[slot]);
    loops::Function& f = kernel.forward || !two ? forward : backward;
    f.draws = f.draws || module_.kernels[known.kernel].draws;
    const auto needed = std::count_if(kernel.members.begin(), kernel.members.end(), [&](auto& m) {
      return std::any_of(plan.stored.begin(), plan.stored.begin() + forward_count,
                         [&](auto& stored) { return stored.node == m.node; });
    });
    const bool reported = needed == std::ssize(kernel.members);
    const bool gives = std::any_of(kernel.members.begin(), kernel.members.end(),
                                   [](auto& m) { return m.home.storage == Storage::output; });
    using loops::Part;
    f.calls.push_back({known.kernel, std::move(buffers),
                       gives || (needed > 0 && !reported) ? Part::report
                       : reported                         ? Part::forward
                                                          : Part::backward,
                       loop_number(f, kernel.forward || !two, kernel.loop)});
    if (known.drawing) f.calls.back().stream = g_[kernel.members[*known.drawing].node].stream;
    if (reported && f.forward_calls + 1 == f.calls.size()) ++f.forward_calls;
  }
  if (plan.entry == Entry::step || plan.entry == Entry::evaluate) {
    for (const auto& [id, buffer] : leaves_) {
      if (g_[id].name == spec.name + ".step") forward.counter = {buffer};
    }
  }
  set_dims(forward);
  set_dims(backward);
  module_.functions.push_back(std::move(forward));
  if (two) module_.functions.push_back(std::move(backward));
}

}  // namespace

Module graph_to_loops(Graph& g, const std::vector<FunctionPlan>& plans,
                      const std::vector<std::vector<KernelPlan>>& kernels,
                      const ModuleOptions& options) {
  ModuleBuilder builder(g, options);
  for (std::size_t k = 0; k < plans.size(); ++k) builder.add(plans[k], kernels[k]);
  return builder.take();
}

}  // namespace gradc

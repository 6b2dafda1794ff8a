// function_to_text.cpp: the calls of one emitted function, and who makes them.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "codegen/expr_to_text.h"
#include "codegen/loops_to_text.h"
#include "codegen/names.h"
#include "codegen/repeats.h"
#include "dsl/check.h"

namespace gradc {

using namespace loops;

namespace {

std::string loop_head(const Module& module, const Iteration::Index& index, bool backwards) {
  const std::string count = extent_text(module, index.count);
  const std::string& v = index.variable;
  return backwards ? fmt::format("for (std::int64_t {0} = {1} - 1; {0} >= 0; --{0}) {{\n", v, count)
                   : fmt::format("for (std::int64_t {0} = 0; {0} < {1}; ++{0}) {{\n", v, count);
}

std::string count_text(const Expr& e, int at_least = 0, const Target& target = cpp_target()) {
  const auto no_buffer = [](const std::string&) -> Element { GRADC_UNREACHABLE("a count is read from memory"); };
  return expr_to_text(e, no_buffer, at_least, target);
}

// A kernel's start: in how many blocks of how many threads, and what an error is to name.
std::string launch_text(const Kernel& kernel, const std::string& name, const std::string& args,
                        const Target& target) {
  std::string place;  // printable, and no more than a line
  for (const char c : kernel.place) place += c >= ' ' && c < 127 && c != '"' && c != '\\' ? c : '_';
  return fmt::format("device.launch({{\"{}\", \"{}\"}}, {}, {}, {}, {});\n", kernel.name, place,
                     count_text(kernel.launch.blocks[0], 0, target), kernel.launch.threads, name, args);
}

class FunctionText {
 public:
  FunctionText(const Module& module, const loops::Function& f, const Target& target)
      : module_(module), f_(f), target_(target), shared_(!f.work.empty()) {
    if (!target.grid()) repeats_ = find_repeats(module, f.calls);
  }

  std::string text() {
    declare_counter();
    if (shared_) {
      line(fmt::format("gradc::together(team, {}, [&](const gradc::Thread& thread) {{", count_text(f_.work[0])));
      indent_ += "  ";
    }
    declare_workspace();
    calls();
    if (shared_) {
      indent_.resize(indent_.size() - 2);
      line("});");
    }
    return out_;
  }

 private:
  void line(const std::string& text) { out_ += indent_ + text + "\n"; }
  void open(const std::string& head) {
    out_ += indent_ + head;
    indent_ += "  ";
  }
  void close() {
    indent_.resize(indent_.size() - 2);
    line("}");
  }

  void declare_counter() {
    if (!f_.draws) return;
    if (target_.grid()) {
      // A copy, since the counter may be counted up before the last number is drawn.
      line(f_.counter.empty() ? "const std::int32_t* const counter = nullptr;"
                              : fmt::format("const std::int32_t* const counter = device.copy_of(state.{});",
                                            module_.buffers[f_.counter[0]].name));
    } else if (f_.counter.empty()) {
      line("constexpr std::uint32_t step = 0;");
    } else {
      line(fmt::format("const auto step = static_cast<std::uint32_t>(state.{}[0]);",
                       module_.buffers[f_.counter[0]].name));
    }
  }

  // Collects on the way what may hide a kernel of the same name: locals and arguments.
  void declare_workspace() {
    for (const DimId dim : f_.dims) locals_.reserve(module_.dims[dim.value].name);
    for (const auto* buffers : {&f_.inputs, &f_.outputs})
      for (std::uint32_t b : *buffers) locals_.reserve(module_.buffers[b].name);
    for (const Iteration& loop : f_.loops)
      for (const Iteration::Index& index : loop.indices) locals_.reserve(index.variable);
    const std::set<std::uint32_t> called = by_name();
    std::set<std::uint32_t> declared;
    for (const Invocation& call : f_.calls) {
      for (std::uint32_t b : call.buffers) {
        const Buffer& buffer = module_.buffers[b];
        locals_.reserve(buffer.name);
        if (buffer.storage != Storage::workspace || !called.contains(b) || !declared.insert(b).second) continue;
        const std::string shape = shape_text(module_, buffer);
        line(buffer.offset < 0 ? fmt::format("workspace {}: {}", buffer.name, shape)
                               : fmt::format("auto* const {} = gradc::place<{}>(workspace.data, {});  // {}", buffer.name,
                                             element_type(buffer.element()), buffer.offset, shape));
      }
    }
  }

  // Buffers that are not only found in the tables of what repeats.
  std::set<std::uint32_t> by_name() const {
    std::set<std::uint32_t> called;
    std::size_t next = 0;
    const auto up_to = [&](std::size_t end) {
      for (; next < end; ++next) called.insert(f_.calls[next].buffers.begin(), f_.calls[next].buffers.end());
    };
    for (const Repeat& repeat : repeats_) {
      up_to(repeat.first);
      for (std::size_t k = 0; k < repeat.length; ++k)
        for (std::size_t argument = 0; argument < f_.calls[next + k].buffers.size(); ++argument) {
          const std::vector<std::uint32_t> buffers = at_all_times(repeat, k, argument);
          if (all_same(buffers)) called.insert(buffers[0]);
        }
      next += repeat.length * repeat.times;
    }
    up_to(f_.calls.size());
    return called;
  }
  std::vector<std::uint32_t> at_all_times(const Repeat& repeat, std::size_t k, std::size_t argument) const {
    std::vector<std::uint32_t> buffers;
    for (std::size_t time = 0; time < repeat.times; ++time)
      buffers.push_back(f_.calls[repeat.first + time * repeat.length + k].buffers[argument]);
    return buffers;
  }
  template <class T>
  static bool all_same(const std::vector<T>& values) {
    return std::adjacent_find(values.begin(), values.end(), std::not_equal_to<>()) == values.end();
  }

  bool alone(const Invocation& call) const { return module_.kernels[call.kernel].parts.empty(); }
  bool alone(std::uint32_t loop) const {
    return std::all_of(f_.calls.begin(), f_.calls.end(),
                       [&](const Invocation& call) { return call.loop != loop || alone(call); });
  }

  void calls() {
    std::size_t next = 0;
    const auto up_to = [&](std::size_t end) {
      for (; next < end; ++next) write(f_.calls[next], call_text(f_.calls[next], arguments(f_.calls[next])));
    };
    for (const Repeat& repeat : repeats_) {
      up_to(repeat.first);
      write(repeat);
      next += repeat.length * repeat.times;
    }
    up_to(f_.calls.size());
    end_loop();
    end_first();
  }

  void end_first() {
    if (first_only_) close();
    first_only_ = false;
  }
  void begin_loop(std::uint32_t loop) {
    const Iteration& it = f_.loops[loop - 1];
    for (const Iteration::Index& index : it.indices) open(loop_head(module_, index, it.backwards));
    in_ = loop;
  }
  void end_loop() {
    if (in_ == 0) return;
    if (opened_in_ == in_) end_first();
    for (std::size_t k = 0; k < f_.loops[in_ - 1].indices.size(); ++k) close();
    in_ = 0;
  }

  bool begins_part(const Invocation& call) const {
    return f_.entry == Entry::step && (!before_ || before_->part != call.part);
  }
  void begin_part(const Invocation& call) {
    constexpr std::string_view parts[] = {"forward", "loss", "backward and update"};
    if (!out_.empty() && !out_.ends_with("{\n")) out_ += "\n";
    out_ += indent_ + fmt::format("// {}\n", parts[static_cast<std::size_t>(call.part)]);
  }

  void write(const Invocation& call, const std::string& text) {
    const bool enters = call.loop > 0 && call.loop != in_;
    // A loop of which the first thread runs all stands where only that is.
    const bool whole = shared_ && call.loop > 0 && alone(call.loop);
    if (call.loop != in_) end_loop();
    const bool changes = begins_part(call);
    const bool outside = call.loop == 0 || (enters && whole);
    if (shared_ && first_only_ && (call.waits || !alone(call) || (outside && changes) || (enters && !whole))) end_first();
    if (changes) begin_part(call);
    before_ = &call;
    if (enters && !whole) {
      begin_loop(call.loop);
    }
    if (call.waits) line("thread.wait();");
    if (shared_ && alone(call) && !first_only_) {
      open("if (thread.first()) {\n");
      first_only_ = true;
      opened_in_ = in_;
    }
    if (enters && whole) {
      begin_loop(call.loop);
    }
    if (call.retypes && !target_.grid()) line("gradc::retype();");
    out_ += indent_ + text;
  }

  // A table of what differs, a row for each time, and a loop over it. A wait that one of the times needs is in all.
  void write(const Repeat& repeat) {
    end_loop();
    end_first();
    const Invocation* const begin = &f_.calls[repeat.first];
    if (begins_part(*begin)) begin_part(*begin);
    before_ = begin;
    Varied varied{locals_.fresh("each"), {}, {}};
    std::vector<Invocation> once(begin, begin + repeat.length);
    std::vector<std::string> texts;
    for (std::size_t k = 0; k < repeat.length; ++k) {
      for (std::size_t time = 1; time < repeat.times; ++time) {
        once[k].waits |= begin[time * repeat.length + k].waits;
        once[k].retypes |= begin[time * repeat.length + k].retypes;
      }
      texts.push_back(call_text(once[k], arguments(repeat, k, varied)));
    }
    const std::string table = locals_.fresh("repeated");
    line(fmt::format("// What is below it runs {} times, each with a row of these.", repeat.times));
    open("static constexpr struct {\n");
    for (const Varied::Column& column : varied.columns) line(column.declaration);
    indent_.resize(indent_.size() - 2);
    line("} " + table + "[] = {");
    for (std::size_t time = 0; time < repeat.times; ++time) {
      std::string row;
      for (const Varied::Column& column : varied.columns) row += (row.empty() ? "" : ", ") + column.values[time];
      line("    {" + row + "},");
    }
    line("};");
    open(fmt::format("for (const auto& {} : {}) {{\n", varied.each, table));
    for (std::size_t k = 0; k < repeat.length; ++k) write(once[k], texts[k]);
    end_first();
    close();
    before_ = begin;
    locals_.release(varied.each);
  }

  // What is passed to a kernel besides counts.
  struct Arguments {
    std::string stream;
    std::vector<std::string> buffers;
  };
  Arguments arguments(const Invocation& call) const {
    Arguments all{fmt::format("{}u", call.stream), {}};
    for (const std::uint32_t b : call.buffers) all.buffers.push_back(argument(module_.buffers[b]));
    return all;
  }

  // What differs between the times of what repeats, as members of the loop's variable.
  struct Varied {
    struct Column {
      std::string name, declaration;
      std::vector<std::string> values;  // by time
    };
    std::string each;
    std::vector<Column> columns;
    Names names;

    // The member with these values; `declaration` of it by its name.
    template <class Declaration>
    std::string member(const std::vector<std::string>& values, const std::string& name, const Declaration& declaration) {
      auto known = std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return c.values == values; });
      if (known == columns.end()) {
        const std::string fresh = names.fresh(name);
        known = columns.insert(known, {fresh, declaration(fresh), values});
      }
      return each + "." + known->name;
    }
  };
  // Of call `k` at all times.
  Arguments arguments(const Repeat& repeat, std::size_t k, Varied& varied) const {
    const Invocation* const call = &f_.calls[repeat.first + k];
    const Kernel& kernel = module_.kernels[call->kernel];
    Arguments result = arguments(*call);
    if (kernel.one_stream) {
      std::vector<std::string> streams;
      for (std::size_t time = 0; time < repeat.times; ++time)
        streams.push_back(fmt::format("{}u", call[time * repeat.length].stream));
      const auto declaration = [](const std::string& name) { return "std::uint32_t " + name + ";"; };
      if (!all_same(streams)) result.stream = varied.member(streams, "stream", declaration);
    }
    for (std::size_t a = 0; a < result.buffers.size(); ++a) {
      const std::vector<std::uint32_t> buffers = at_all_times(repeat, k, a);
      if (all_same(buffers)) continue;
      const Buffer& first = module_.buffers[buffers[0]];
      const bool in_workspace = first.storage == Storage::workspace;
      const char* const owner = first.storage == Storage::state ? "State" : "Parameters";
      std::vector<std::string> names, values, shapes;
      for (const std::uint32_t b : buffers) {
        const Buffer& buffer = module_.buffers[b];
        names.push_back(buffer.name);
        values.push_back(in_workspace ? std::to_string(buffer.offset) : fmt::format("&{}::{}", owner, buffer.name));
        shapes.push_back("  // " + shape_text(module_, buffer));
      }
      const std::string shape = all_same(shapes) ? shapes[0] : "";
      const std::string member = varied.member(values, common_name(names), [&](const std::string& name) {
        return in_workspace ? "std::size_t " + name + ";" + shape
                            : fmt::format("{} ({}::*{})[{}];{}", element_type(first.element()), owner, name, first.elements, shape);
      });
      result.buffers[a] = in_workspace
                              ? fmt::format("gradc::place<{}>(workspace.data, {})", element_type(first.element()), member)
                              : fmt::format("{}.*{}", owner_text(first.storage), member);
    }
    return result;
  }
  static std::string_view owner_text(Storage storage) {
    return storage == Storage::parameter ? "parameters" : storage == Storage::state ? "state" : "gradients";
  }
  // "up_W" of "blocks_block2_up_W", "blocks_block3_up_W"…, "query" of "query", "query2"….
  static std::string common_name(const std::vector<std::string>& names) {
    std::size_t end = names[0].size();
    for (const std::string& name : names) {
      std::size_t same = 0;
      while (same < end && same < name.size() && name[name.size() - 1 - same] == names[0][names[0].size() - 1 - same]) ++same;
      end = same;
    }
    const std::string ending = names[0].substr(names[0].size() - end);
    const std::size_t word = ending.find_first_not_of("0123456789") == std::string::npos ? std::string::npos : ending.find('_');
    if (word != std::string::npos && word + 1 < ending.size()) return ending.substr(word + 1);
    const std::size_t digits = names[0].find_last_not_of("0123456789_");
    return names[0].substr(0, digits + 1);
  }

  std::string call_text(const Invocation& call, const Arguments& passed) const {
    const Kernel& kernel = module_.kernels[call.kernel];
    std::string args;
    const auto add = [&](const std::string& arg) { args += (args.empty() ? "" : ", ") + arg; };
    for (const Parts& parts : kernel.parts) {
      const std::string extent = count_text(parts.extent);
      if (shared_) {
        add(fmt::format("thread.begin({}, {})", extent, parts.granule));
        add(fmt::format("thread.end({}, {})", extent, parts.granule));
      } else {
        add("0");
        add(extent);
      }
    }
    for (std::size_t k = kernel.parts.empty() ? 0 : 2; k < kernel.counts.size(); ++k) add(kernel.counts[k]);
    if (kernel.draws) {
      add("seed");
      add(target_.grid() ? "counter" : "step");
      if (kernel.one_stream) add(passed.stream);
    }
    for (const std::string& buffer : passed.buffers) add(buffer);
    const std::string name = (locals_.taken(kernel.name) ? module_.name + "::" : "") + kernel.name;
    return kernel.launch.threads > 0 ? launch_text(kernel, name, args, target_)
                                     : fmt::format("{}({});\n", name, args);
  }

  std::string argument(const Buffer& buffer) const {
    switch (buffer.storage) {
      case Storage::parameter: return "parameters." + buffer.name;
      case Storage::state: return "state." + buffer.name;
      case Storage::gradient: return "gradients." + buffer.name;
      case Storage::output: {
        const bool report = f_.entry == Entry::step || f_.entry == Entry::evaluate;
        return report ? fmt::format(fmt::runtime(target_.result), buffer.name) : buffer.name;
      }
      case Storage::constant: return fmt::format(fmt::runtime(target_.table_address), buffer.name);
      default: return buffer.name;
    }
  }

  const Module& module_;
  const loops::Function& f_;
  const Target& target_;
  const bool shared_;
  std::string out_, indent_ = "  ";
  std::vector<Repeat> repeats_;
  Names locals_;
  // How far the calls are.
  std::uint32_t in_ = 0;         // the loop that is open
  bool first_only_ = false;      // `if (thread.first()) {` is open …
  std::uint32_t opened_in_ = 0;  // … and stands in that loop
  const Invocation* before_ = nullptr;
};

}  // namespace

std::string body_to_text(const Module& module, const loops::Function& f, const Target& target) {
  return FunctionText(module, f, target).text();
}

}  // namespace gradc

// function_to_text.cpp: the calls of one emitted function, and who makes them.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "codegen/expr_to_text.h"
#include "codegen/loops_to_text.h"
#include "dsl/check.h"

namespace gradc {

using namespace loops;

namespace {

std::string loop_head(const Module& module, const Iteration& loop) {
  const std::string count = extent_text(module, loop.count);
  const std::string& v = loop.variable;
  return loop.backwards ? fmt::format("for (std::int64_t {0} = {1} - 1; {0} >= 0; --{0}) {{\n", v, count)
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
      : module_(module), f_(f), target_(target), shared_(!f.work.empty()) {}

  std::string text() {
    declare_counter();
    declare_workspace();
    if (shared_) {
      line(fmt::format("gradc::together(team, {}, [&](const gradc::Thread& thread) {{", count_text(f_.work[0])));
      indent_ += "  ";
    }
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
    for (const DimId dim : f_.dims) locals_.insert(module_.dims[dim.value].name);
    for (const auto* buffers : {&f_.inputs, &f_.outputs})
      for (std::uint32_t b : *buffers) locals_.insert(module_.buffers[b].name);
    for (const Iteration& loop : f_.loops) locals_.insert(loop.variable);
    std::set<std::uint32_t> declared;
    for (const Invocation& call : f_.calls) {
      for (std::uint32_t b : call.buffers) {
        const Buffer& buffer = module_.buffers[b];
        locals_.insert(buffer.name);
        if (buffer.storage != Storage::workspace || !declared.insert(b).second) continue;
        const std::string shape = shape_text(module_, buffer);
        line(buffer.offset < 0 ? fmt::format("workspace {}: {}", buffer.name, shape)
                               : fmt::format("auto* const {} = gradc::place<{}>(workspace.data, {});  // {}", buffer.name,
                                             element_type(buffer.element()), buffer.offset, shape));
      }
    }
  }

  bool alone(const Invocation& call) const { return module_.kernels[call.kernel].parts.empty(); }
  bool alone(std::uint32_t loop) const {
    return std::all_of(f_.calls.begin(), f_.calls.end(),
                       [&](const Invocation& call) { return call.loop != loop || alone(call); });
  }

  void calls() {
    std::uint32_t in = 0;        // the loop that is open
    bool first_only = false;     // `if (thread.first()) {` is open …
    std::uint32_t opened_in = 0; // … and stands in that loop
    const auto end_first = [&] {
      if (first_only) close();
      first_only = false;
    };
    const auto end_loop = [&] {
      if (in == 0) return;
      if (opened_in == in) end_first();
      close();
      in = 0;
    };
    const Invocation* before = nullptr;
    for (const Invocation& call : f_.calls) {
      const bool enters = call.loop > 0 && call.loop != in;
      // A loop of which the first thread runs all stands where only that is.
      const bool whole = shared_ && call.loop > 0 && alone(call.loop);
      if (call.loop != in) end_loop();
      const bool changes = f_.entry == Entry::step && (!before || before->part != call.part);
      const bool outside = call.loop == 0 || (enters && whole);
      if (shared_ && first_only && (call.waits || !alone(call) || (outside && changes) || (enters && !whole))) end_first();
      if (changes) {
        constexpr std::string_view parts[] = {"forward", "loss", "backward and update"};
        if (!out_.empty() && !out_.ends_with("{\n")) out_ += "\n";
        out_ += indent_ + fmt::format("// {}\n", parts[static_cast<std::size_t>(call.part)]);
      }
      before = &call;
      if (enters && !whole) {
        open(loop_head(module_, f_.loops[call.loop - 1]));
        in = call.loop;
      }
      if (call.waits) line("thread.wait();");
      if (shared_ && alone(call) && !first_only) {
        open("if (thread.first()) {\n");
        first_only = true;
        opened_in = in;
      }
      if (enters && whole) {
        open(loop_head(module_, f_.loops[call.loop - 1]));
        in = call.loop;
      }
      if (call.retypes && !target_.grid()) line("gradc::retype();");
      out_ += indent_ + call_text(call);
    }
    end_loop();
    end_first();
  }

  std::string call_text(const Invocation& call) const {
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
    }
    for (std::uint32_t b : call.buffers) add(argument(module_.buffers[b]));
    const std::string name = (locals_.contains(kernel.name) ? module_.name + "::" : "") + kernel.name;
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
  std::set<std::string> locals_;
};

}  // namespace

std::string body_to_text(const Module& module, const loops::Function& f, const Target& target) {
  return FunctionText(module, f, target).text();
}

}  // namespace gradc

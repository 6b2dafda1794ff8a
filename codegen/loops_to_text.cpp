// loops_to_text.cpp: loops → C++17.
#include "codegen/loops_to_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "codegen/drop_unused.h"
#include "codegen/expr_to_text.h"
#include "codegen/exprs.h"
#include "dsl/check.h"

namespace gradc {

using namespace loops;

namespace {

// What stands in a comment can end neither it nor its line.
std::string comment_line(const std::string& indent, std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 32) c = ' ';
  }
  while (!text.empty() && (text.back() == '\\' || text.back() == ' ')) text.pop_back();
  return indent + "// " + text + "\n";
}

class KernelText {
 public:
  KernelText(const Kernel& kernel, const Target& target, bool apart)
      : kernel_(kernel), target_(target), apart_(apart) {}

  std::string definition() {
    for (const std::string& line : kernel_.comment) out_ += comment_line("", line);
    if (apart_) out_ += "[[gnu::noinline]] ";
    out_ += std::string(launched() ? target_.kernel : target_.function) + kernel_.name + "(";
    const std::string margin(out_.size() - out_.rfind('\n') - 1, ' ');
    std::vector<std::string> parameters;
    std::string declared = std::exchange(out_, {});
    declare_arrays();
    block(kernel_.body, "  ");
    const std::string body = std::exchange(out_, std::move(declared));
    for (const std::string& count : kernel_.counts) parameters.push_back("std::int64_t " + named(count, body));
    if (kernel_.draws) {
      parameters.push_back("std::uint64_t seed");
      parameters.push_back(launched() ? "const std::int32_t* counter" : "std::uint32_t step");
      if (kernel_.one_stream) parameters.push_back("std::uint32_t stream");
    }
    for (const Argument& a : kernel_.arguments) {
      parameters.push_back(fmt::format("{}{}* __restrict {}", a.written ? "" : "const ",
                                       element_type(a.element()), named(a.name, body)));
    }
    std::size_t column = margin.size();
    for (std::size_t k = 0; k < parameters.size(); ++k) {
      const bool last = k + 1 == parameters.size();
      if (k > 0 && column + 1 + parameters[k].size() + (last ? 3 : 1) > 100) {
        out_ += "\n" + margin;
        column = margin.size();
      } else if (k > 0) {
        out_ += " ";
        ++column;
      }
      out_ += parameters[k] + (last ? "" : ",");
      column += parameters[k].size() + 1;
    }
    return out_ + ") {\n" + body + "}\n";
  }

 private:
  bool launched() const { return kernel_.launch.threads > 0; }

  // A parameter that only the launch needs has no name, so that no compiler warns of it.
  static std::string named(const std::string& name, const std::string& body) {
    const auto in_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
    for (std::size_t at = body.find(name); at != std::string::npos; at = body.find(name, at + 1)) {
      const std::size_t end = at + name.size();
      if ((at == 0 || !in_word(body[at - 1])) && (end == body.size() || !in_word(body[end]))) return name;
    }
    return "/*" + name + "*/";
  }

  // What a kernel has of its own besides its registers.
  void declare_arrays() {
    for (const Array& a : kernel_.arrays) {
      const std::string_view prefix = a.shared ? target_.shared : launched() ? "" : "alignas(64) ";
      out_ += fmt::format("  {}{} {}[{}];\n", prefix, element_type(a.dtype), a.name, a.elements);
    }
    std::set<std::string_view> partial;
    find_combined(kernel_.body, partial);
    for (std::string_view type : partial) {
      out_ += fmt::format("  {}gradc::Partial<{}> partial_{};\n", target_.shared, type, suffix(type));
    }
    if (chooses(kernel_.body)) out_ += fmt::format("  {}gradc::Chosen chosen;\n", target_.shared);
    if (kernel_.draws && launched()) out_ += "  const std::uint32_t step = gradc::step_of(counter);\n";
  }
  static std::string suffix(std::string_view type) {
    return type == "float" ? "f32" : type == "double" ? "f64" : "integer";
  }
  static std::string_view combined_type(Type t) {
    return t == Type::f32 ? "float" : t == Type::f64 ? "double" : "std::int64_t";
  }
  static void find_combined(const Block& statements, std::set<std::string_view>& types) {
    for (const Stmt& s : statements) {
      if (const auto* c = std::get_if<Combine>(&s.it)) types.insert(combined_type(c->type));
      if (const auto* loop = std::get_if<For>(&s.it)) find_combined(loop->body, types);
      if (const auto* choice = std::get_if<If>(&s.it)) find_combined(choice->body, types);
    }
  }

  static bool chooses(const Block& statements) {
    return std::any_of(statements.begin(), statements.end(), [](const Stmt& s) {
      const auto* loop = std::get_if<For>(&s.it);
      const auto* choice = std::get_if<If>(&s.it);
      return std::holds_alternative<Choose>(s.it) || (loop && chooses(loop->body)) ||
             (choice && chooses(choice->body));
    });
  }

  void block(const Block& statements, const std::string& indent) {
    for (const Stmt& s : statements) {
      std::visit([&](const auto& it) { statement(it, indent); }, s.it);
    }
  }

  // A loop as long as some vector shorter than a register, run a few times: GCC would unroll it with the loops around it and
  // make vectors across these, whose elements it stores one by one; a load of several that are just stored waits for their
  // way to the cache.
  bool short_vector(const For& s) const {
    if (launched() || s.kind != LoopKind::vector || times_ > few) return false;
    const std::int64_t length = iterations(s);
    return std::has_single_bit(static_cast<std::uint64_t>(length)) && length >= 4 && length < target_.isa.lanes(DType::f32);
  }
  // Of a loop from 0 in steps of 1; 0: not known.
  static std::int64_t iterations(const For& s) {
    const bool known = s.step == 1 && s.begin.size() == 1 && is_integer(s.begin[0], 0) && s.end.kind == ExprKind::literal;
    return known ? static_cast<std::int64_t>(s.end.value) : 0;
  }

  void statement(const For& s, const std::string& indent) {
    const std::string& v = s.variable;
    const auto begin = [&] {
      if (!s.begin.empty()) put("std::int64_t ", v, " = ", s.begin[0]);
    };
    const auto inside = [&] {
      block(s.body, indent + "  ");
      put(indent, "}\n");
    };
    if (s.kind == LoopKind::once) {
      put(indent, "if (const ");
      begin();
      put("; ", v, " < ", Operand{s.end, 12}, ") {\n");
      return inside();
    }
    if (s.kind == LoopKind::chosen) {
      const char* const unread = used_names(s.body).contains(v) ? "" : "[[maybe_unused]] ";
      put(indent, "for (", unread, "const std::int64_t ", v, " : gradc::chosen_from(", s.begin[0],
          ", chosen)) {\n");
      return inside();
    }
    if (s.kind == LoopKind::unrolled && launched()) put("#pragma unroll\n");
    if (short_vector(s)) put(indent, "#pragma GCC unroll 1\n");
    const std::int64_t times = times_, own = iterations(s);
    times_ = own > 0 ? std::min(times * std::min(own, few + 1), few + 1) : few + 1;
    const std::string step = std::to_string(s.step);
    put(indent, "for (");
    begin();
    put("; ", v);
    if (s.step != 1 && !s.partial) put(" + ", step);
    put(s.partial || s.step == 1 ? " < " : " <= ", Operand{s.end, 12}, "; ");
    s.step == 1 && !s.partial ? put("++", v) : put(v, " += ", step);
    put(") {\n");
    inside();
    times_ = times;
  }
  void statement(const Let& s, const std::string& indent) {
    const Expr& e = s.value;
    const bool pairs = e.kind == ExprKind::pairs || e.kind == ExprKind::spread_pair;
    put(indent, s.changes ? "" : "const ",
        pairs ? "gradc::pairs" + std::to_string(e.lanes) : register_type(e.type, e.lanes), " ",
        s.name, " = ");
    const bool zero = e.kind == ExprKind::literal && e.lanes > 1 && e.value == 0;
    // A vector that several products use stays in its register.
    if (zero)
      put("{};\n");
    else if (reads_memory(e) && e.lanes > 1 && !s.changes)
      put("gradc::pinned(", e, ");\n");
    else
      put(e, ";\n");
  }
  void statement(const Lanes& s, const std::string& indent) {
    put(indent, "gradc::Lanes<", register_type(s.value.type), ", ", std::to_string(s.value.lanes),
        "> ", s.name, "(", s.value, ");\n");
  }
  void statement(const Accumulate& s, const std::string& indent) {
    combined(indent, s.lane.empty() ? s.name : s.name + "[" + text(s.lane[0]) + "]", s.fn, s.value);
  }
  void statement(const Assign& s, const std::string& indent) {
    put(indent, s.name, " = ", s.value, ";\n");
  }
  void statement(const Store& s, const std::string& indent) {
    if (s.value.lanes > 1) {
      put(indent, s.first.empty() ? "gradc::store(" : "gradc::store_first(",
          pointer(s.buffer, s.index), ", ");
      if (!s.first.empty()) put(s.first[0], ", ");
      if (s.accumulates) {
        Expr old = load(s.buffer, DType::f32, s.index, s.value.lanes);
        old.type = s.value.type;
        put(apply(s.fn, {std::move(old), s.value}, s.value.type), ");\n");
      } else {
        put(s.value, ");\n");
      }
      return;
    }
    if (s.accumulates) {
      combined(indent, s.buffer + "[" + text(s.index) + "]", s.fn, s.value);
    } else {
      put(indent, s.buffer, "[", s.index, "] = ");
      converted(s.value, element(s.buffer));
      put(";\n");
    }
  }
  void statement(const If& s, const std::string& indent) {
    const bool scope = s.condition.kind == ExprKind::literal && s.condition.value != 0;
    scope ? put(indent, "{\n") : put(indent, "if (", s.condition, ") {\n");
    block(s.body, indent + "  ");
    put(indent, "}\n");
  }
  void statement(const Call& s, const std::string& indent) {
    put(indent, s.kernel, "(");
    for (const Expr& a : s.args) put(&a == s.args.data() ? "" : ", ", a);
    put(");\n");
  }
  void statement(const Transpose& s, const std::string& indent) {
    put(indent, "gradc::transpose(", s.from, ", ", s.from_stride, ", ", s.rows, ", ", s.columns,
        ", ", s.to, ", ", s.to_stride, ");\n");
  }
  void statement(const Prefetch& s, const std::string& indent) {
    put(indent, "gradc::prefetch(", s.buffer, ", ", s.index, ");\n");
  }
  void statement(const Barrier&, const std::string& indent) { put(indent, target_.barrier, "\n"); }
  void statement(const Combine& s, const std::string& indent) {
    const std::string_view type = combined_type(s.type);
    const bool best = s.fn == Fn::gt || s.fn == Fn::lt;
    const char* how = s.fn == Fn::gt ? "most" : s.fn == Fn::lt ? "least" : s.fn == Fn::add ? "sum" : info(s.fn).name.data();
    if (best) {
      put(indent, "gradc::block_", how, "(", s.name, ", ", s.position, ", partial_", suffix(type),
          ");\n");
    } else {
      put(indent, s.name, " = gradc::block_", s.fn == Fn::mul ? "product" : how, "(", s.name,
          ", partial_", suffix(type), ");\n");
    }
  }
  void statement(const Choose& s, const std::string& indent) {
    put(indent, "gradc::choose(", s.condition, ", chosen);\n");
  }
  void statement(const Comment& s, const std::string& indent) {
    out_ += comment_line(indent, s.text);
  }

  void combined(const std::string& indent, const std::string& place, Fn fn, const Expr& value) {
    put(indent, place);
    switch (fn) {
      case Fn::add:
        return put(" += ", value, ";\n");
      case Fn::mul:
        return put(" *= ", Operand{value, 13}, ";\n");
      case Fn::max:
        return put(" = gradc::max(", place, ", ", value, ");\n");
      case Fn::min:
        return put(" = gradc::min(", place, ", ", value, ");\n");
      default: GRADC_UNREACHABLE("nothing accumulates with this function");
    }
  }

  void converted(const Expr& value, Element as) {
    if (as.bf16) return put("gradc::narrow(", value, ")");
    const bool small = value.kind == ExprKind::literal && std::abs(value.value) < 2e9;
    if (as.dtype == DType::i32 && !small) return put("static_cast<std::int32_t>(", value, ")");
    if (as.dtype != DType::boolean) return put(value);
    value.type == Type::boolean ? put(Operand{value, 3}, " ? 1 : 0")
                                : put(Operand{value, 9}, " != 0 ? 1 : 0");
  }

  // An expression that binds at least so tightly, or stands in parentheses.
  struct Operand {
    const Expr& e;
    int at_least;
  };
  template <class... Parts>
  void put(const Parts&... parts) {
    (append(parts), ...);
  }
  void append(std::string_view text) { out_ += text; }
  void append(const Expr& e) { append(Operand{e, 0}); }
  void append(const Operand& o) { append_expr(out_, o.e, element_of_, o.at_least, target_); }
  std::string text(const Expr& e) const { return expr_to_text(e, element_of_, 0, target_); }

  Element element(const std::string& buffer) const {
    for (const Argument& a : kernel_.arguments) {
      if (a.name == buffer) return a.element();
    }
    for (const Array& a : kernel_.arrays) {
      if (a.name == buffer) return {a.dtype};
    }
    GRADC_UNREACHABLE("no buffer " + buffer);
  }

  const Kernel& kernel_;
  const Target& target_;
  const bool apart_;
  const std::function<Element(const std::string&)> element_of_ = [this](const std::string& b) {
    return element(b);
  };
  std::string out_;
  static constexpr std::int64_t few = 8;
  std::int64_t times_ = 1;  // that the open loops run what is in them; few + 1: more, or not known
};

// Kernels that say so; and those that only functions with work for threads call: a call costs these nothing, and each
// copy of a kernel takes time to compile and memory.
std::set<std::uint32_t> kept_apart(const Module& module) {
  std::set<std::uint32_t> apart;
  for (const loops::Function& f : module.functions)
    for (const Invocation& call : f.calls)
      if (!f.work.empty()) apart.insert(call.kernel);
  for (const loops::Function& f : module.functions)
    for (const Invocation& call : f.calls)
      if (f.work.empty()) apart.erase(call.kernel);
  for (std::uint32_t k = 0; k < module.kernels.size(); ++k)
    if (module.kernels[k].apart) apart.insert(k);
  return apart;
}

std::string table_text(const Buffer& b, const Target& target) {
  std::string out = fmt::format("{}{} {}[{}] = {{", target.table, element_type(b.type.dtype), b.name,
                                std::max<std::size_t>(b.values.size(), 1));
  std::string line;
  for (double v : b.values) {
    std::string item;
    switch (b.type.dtype) {
      case DType::boolean: item = v != 0 ? "1" : "0"; break;
      case DType::i32: item = number_to_text(v, Type::integer); break;
      case DType::f32: item = number_to_text(v, Type::f32); break;
      case DType::f64: item = number_to_text(v, Type::f64); break;
    }
    if (line.size() + item.size() > 92) {
      out += "\n    " + line;
      line.clear();
    }
    line += (line.empty() ? "" : " ") + item + ",";
  }
  return out + "\n    " + line + "\n};\n";
}

}  // namespace

std::string_view element_type(Element e) {
  if (e.bf16) return "gradc::bf16";
  switch (e.dtype) {
    case DType::boolean: return "unsigned char";
    case DType::i32: return "std::int32_t";
    case DType::f32: return "float";
    case DType::f64: return "double";
  }
  GRADC_UNREACHABLE("dtype");
}

std::string extent_text(const Module& module, const Extent& e) {
  if (e.is_fixed()) return std::to_string(e.offset);
  const std::string& dim = module.dims[e.dim.value].name;
  std::string out = e.scale == 1 ? dim : fmt::format("{} * {}", e.scale, dim);
  if (e.offset != 0) out += fmt::format(" {} {}", e.offset < 0 ? '-' : '+', std::abs(e.offset));
  return out;
}

std::string shape_text(const Module& module, const TensorType& type) {
  std::string out{name(type.dtype)};
  out += "[";
  for (std::size_t k = 0; k < type.shape.size(); ++k) {
    out += (k > 0 ? ", " : "") + extent_text(module, type.shape[k]);
  }
  return out + "]";
}

std::string shape_text(const Module& module, const Buffer& buffer) {
  std::string text = shape_text(module, buffer.type);
  return buffer.bf16 ? "bf16" + text.substr(text.find('[')) : text;
}

std::string kernel_to_text(const Kernel& kernel, const Target& target) {
  return KernelText(kernel, target, false).definition();
}

std::string kernels_to_text(const Module& module, const Target& target) {
  std::string out;
  std::set<std::uint32_t> used;
  for (const loops::Function& f : module.functions) {
    for (const Invocation& call : f.calls) used.insert(call.buffers.begin(), call.buffers.end());
  }
  for (std::uint32_t b : module.constants) {
    if (used.contains(b)) out += table_text(module.buffers[b], target) + "\n";
  }
  const std::set<std::uint32_t> apart = kept_apart(module);
  for (std::uint32_t k = 0; k < module.kernels.size(); ++k)
    out += KernelText(module.kernels[k], target, apart.contains(k)).definition() + "\n";
  return out;
}

std::string loops_to_listing(const Module& module, const Target& target) {
  std::string out = kernels_to_text(module, target);
  static constexpr const char* entries[] = {"init", "forward", "backward", "step", "evaluate"};
  for (const loops::Function& f : module.functions) {
    out += fmt::format("{} {} {{\n{}}}\n\n", entries[static_cast<int>(f.entry)], f.name,
                       body_to_text(module, f, target));
  }
  return out;
}

}  // namespace gradc

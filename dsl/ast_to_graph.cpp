// ast_to_graph.cpp: syntax → typed graph: reads a spec and what it imports, then elaborates every
// net and step it declares.
#include "dsl/ast_to_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <deque>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "dsl/elaboration.h"
#include "dsl/prelude.h"
#include "dsl/text_to_ast.h"

namespace gradc {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_text = (std::size_t{16} << 20) + 1;  // one more than the parser takes
constexpr std::size_t max_import_depth = 32;
constexpr std::size_t max_files = 1024;

struct Reader {
  Elaboration& e;
  fs::path root;                  // canonical folder of the spec
  std::deque<ast::File> files{};  // those of the spec, imported ones first
  std::set<fs::path> seen{};      // canonical
};

std::optional<std::string> read_text(const fs::path& path, std::string& failure) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (code || !fs::is_regular_file(status)) {
    failure = !fs::exists(status) ? "there is no such file" : "it is not a regular file";
    return std::nullopt;
  }
  std::ifstream in(path, std::ios::binary);
  std::string text;
  // In pieces: memory for the longest there may be takes as long to clear as the rest of reading a spec.
  while (in && text.size() < max_text) {
    const std::size_t begin = text.size();
    text.resize(std::min(max_text, begin + (std::size_t{1} << 16)));
    in.read(text.data() + begin, static_cast<std::streamsize>(text.size() - begin));
    text.resize(begin + static_cast<std::size_t>(in.gcount()));
  }
  if (!in.eof() && !in) {
    failure = "it cannot be read";
    return std::nullopt;
  }
  return text;
}

bool is_within(const fs::path& path, const fs::path& root) {
  return std::mismatch(root.begin(), root.end(), path.begin(), path.end()).first == root.end();
}

void read_file(Reader& r, const fs::path& path, std::size_t depth, Span from);

void read_import(Reader& r, const fs::path& importer, const ast::Import& import,
                 std::size_t depth) {
  for (const Diagnostic& d : r.e.diagnostics.all()) {
    if (d.span == import.path_span) return;  // the string itself is wrong
  }
  const fs::path wanted(import.path);
  auto refuse = [&](std::string_view why) {
    r.e.error("bad-import", import.path_span,
              fmt::format("cannot import {}: {}", in_quotes(import.path), why));
  };
  if (import.path.empty() || import.path.find('\0') != std::string::npos)
    return refuse("no file name");
  if (wanted.is_absolute()) return refuse("the path must be relative to the importing file");
  const fs::path path = (importer.parent_path() / wanted).lexically_normal();
  std::error_code code;
  const fs::path canonical = fs::weakly_canonical(fs::absolute(path), code);
  if (code) return refuse(code.message());
  // Links are followed before the check, so none leads outside.
  if (!is_within(canonical, r.root)) return refuse("it lies outside the folder of the spec");
  if (depth >= max_import_depth) return refuse("imports are nested more than 32 deep");
  if (r.seen.size() >= max_files) return refuse("the spec reads more than 1024 files");
  read_file(r, path, depth, import.path_span);
}

void read_file(Reader& r, const fs::path& path, std::size_t depth, Span from) {
  std::error_code code;
  const fs::path canonical = fs::weakly_canonical(fs::absolute(path), code);
  if (!code && !r.seen.insert(canonical).second) return;
  std::string failure;
  const auto text = read_text(path, failure);
  if (!text) {
    r.e.error("cannot-read", from,
              fmt::format("cannot read {}: {}", in_quotes(path.string()), failure));
    return;
  }
  r.e.spec.files.push_back(path.string());
  const std::uint32_t file = r.e.sources.add(path.string(), *text);
  ast::File parsed = text_to_ast(r.e.sources, file, r.e.diagnostics);
  for (const ast::Item& item : parsed.items) {
    if (const auto* import = std::get_if<ast::Import>(&item.what)) {
      read_import(r, path, *import, depth + 1);
    }
  }
  r.files.push_back(std::move(parsed));
}

std::string identifier(const std::string& stem) {
  std::string name;
  for (const char c : stem) {
    const bool plain =
        std::isalnum(static_cast<unsigned char>(c)) != 0 && static_cast<unsigned char>(c) < 128;
    name += plain ? c : '_';
  }
  if (name.empty()) return "spec";
  return std::isdigit(static_cast<unsigned char>(name[0])) != 0 ? "_" + name : name;
}

void check_emitted_name(Elaboration& e, const ast::Definition& d) {
  if (d.name.text != "init") return;
  e.error(
      "duplicate-name", d.name.span,
      "'init' names the function that gives parameters their first values; choose another name");
}

// Every net, then every step; in the graph they stand in the order of the spec, after init.
void elaborate_all(Elaboration& e) {
  for (const ast::Definition* d : e.emitted) {
    check_emitted_name(e, *d);
    if (d->kind == ast::DefinitionKind::net) elaborate_net(e, *d);
  }
  for (const ast::Definition* d : e.emitted) {
    if (d->kind == ast::DefinitionKind::step) elaborate_step(e, *d);
  }
  std::vector<Function> in_order;
  Function init;
  init.name = "init";
  init.kind = FunctionKind::init;
  init.updates = e.initial;
  in_order.push_back(std::move(init));
  for (const ast::Definition* d : e.emitted) {
    for (Function& f : e.graph.functions) {
      if (f.name == d->name.text) in_order.push_back(std::move(f));
    }
  }
  e.graph.functions = std::move(in_order);
}

void elaborate_program(Elaboration& e, const std::deque<ast::File>& files) {
  // Only the spec's own, read last, runs; a library may carry one for its own trial.
  for (const ast::Item& item : files.back().items) {
    const auto* program = std::get_if<ast::ProgramDecl>(&item.what);
    if (program == nullptr) continue;
    if (e.spec.program.present) {
      e.error("duplicate-name", item.span, "a spec has one program block",
              {{e.spec.program.span, "first here"}});
      continue;
    }
    e.spec.program = ast_to_program(e, *program, item.span);
  }
}

}  // namespace

Spec ast_to_graph(const std::string& path, const SpecOptions& options, Sources& sources,
                  Diagnostics& diagnostics) {
  if (sources.size() == 0) sources.add("prelude.nn", std::string(prelude_text()));
  Spec spec;
  Elaboration e{spec, spec.graph, sources, diagnostics, options, Library(sources, 0)};
  const fs::path top(path);
  spec.name = identifier(top.stem().string());

  std::error_code code;
  Reader reader{e, fs::weakly_canonical(fs::absolute(top), code).parent_path()};
  read_file(reader, top, 0, Span{});
  if (reader.files.empty()) return spec;
  for (const ast::File& file : reader.files) {
    declare(e, file);
    for (const ast::Item& item : file.items) {
      const auto* d = std::get_if<ast::Definition>(&item.what);
      const bool emitted = d != nullptr && (d->kind == ast::DefinitionKind::net ||
                                            d->kind == ast::DefinitionKind::step);
      if (emitted && e.user.definitions[d->name.text] == d) e.emitted.push_back(d);
    }
  }
  apply_overrides(e);
  for (const ast::File& file : reader.files) {
    for (const ast::Item& item : file.items) {
      const auto* dim = std::get_if<ast::DimDecl>(&item.what);
      const auto* constant = std::get_if<ast::ConstDecl>(&item.what);
      if (dim != nullptr) global_value(e, e.user.values.at(dim->name.text));
      if (constant != nullptr) global_value(e, e.user.values.at(constant->name.text));
    }
  }
  elaborate_all(e);
  elaborate_program(e, reader.files);
  return spec;
}

}  // namespace gradc

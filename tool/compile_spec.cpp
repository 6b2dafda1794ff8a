// compile_spec.cpp: see compile_spec.h.
#include "tool/compile_spec.h"

#include <fmt/format.h>

#include "codegen/names.h"
#include "codegen/scaffold_parts.h"

namespace gradc {

CompileInput compile_input(const Session& session, const Spec& spec) {
  const Sources& sources = session.sources;
  std::vector<std::string> texts;
  for (std::uint32_t file = 0; file < sources.size(); ++file) texts.push_back(sources.text(file));
  CompileInput input{
      identifier(spec.name), spec.graph, spec.program, {GRADC_VERSION, {}, text_hash(texts)}, {}};
  for (const std::string& file : spec.files) input.provenance.files.push_back(base_name(file));
  input.place = [&sources](Span span) -> std::string {
    if (!span.valid()) return "";
    // File 0 is the prelude, whatever path it was given.
    const std::string name = span.file == 0 ? "prelude.nn" : base_name(sources.path(span.file));
    return fmt::format("{}:{}", name, sources.line_column(span.file, span.begin).line);
  };
  return input;
}

}  // namespace gradc

// scaffold.h: the files around the loops: header, source with its tables and C interface, and main.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "codegen/loops.h"
#include "codegen/target.h"
#include "dsl/program.h"

namespace gradc {

// Where emitted files come from, as their first lines say it.
struct Provenance {
  std::string version;             // of gradc
  std::vector<std::string> files;  // base names of the specs, the spec itself first
  std::string hash;                // of their texts, hexadecimal
};

// The same network as written for one of several sets of instructions.
struct Variant {
  Isa isa;
  loops::Module module;
};

struct ScaffoldInput {
  const loops::Module& module;
  const Provenance& provenance;
  const Program& program;
  // The spec names of i32 inputs that are used as positions, with the number of positions there
  // are, by function.
  std::map<std::string, std::map<std::string, std::int64_t>> limits;
  std::map<std::string, std::string> places;  // by function's spec name: "digits.nn:8"
  const Target& target = cpp_target();
  std::string model_name;     // as programs and checkpoints know it; empty: the module's
  std::string device_module;  // the module of the same network for a device, if main is to offer it too
  std::span<const Variant> variants = {};  // the source chooses among them, each of which has a source of its own
};

std::string header_text(const ScaffoldInput&);
std::string source_text(const ScaffoldInput&);
std::string variant_text(const ScaffoldInput&, const Variant&);
std::string main_text(const ScaffoldInput&);

// 128 bits of a text, hexadecimal; the same on every machine. For telling specs apart, not against
// forgery.
std::string text_hash(const std::vector<std::string>& texts);

}  // namespace gradc

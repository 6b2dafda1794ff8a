// target.h: what gradc emits code for: one row each of one table.
//
// A target is how the printer spells what loops say, and what the scheduler may assume of the machine. Nothing
// above the loops knows of it. How its files look around the kernels is its scaffold's concern.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codegen/isa.h"

namespace gradc {

// The compiler that makes programs of a target's source, if that is not the machine's own.
struct DeviceCompiler {
  std::string_view variable;               // of the environment: names another
  std::string_view program, usual_place;   // on the PATH, or there
  std::string_view flags;                  // cut at blanks
  std::string_view architecture_variable;  // of the environment: the architecture's number
  std::string_view architecture;           // the flag before that number
  std::string_view this_architecture;      // the flag without one
};

struct Target {
  std::string_view name;       // the word of --target, and of --emit for its text
  std::string_view extension;  // of the source file

  // ---- scheduling: kernels run on a grid of blocks of so many threads (a multiple of 32), or in loops: 0
  int threads = 0;
  bool grid() const { return threads > 0; }
  // In loops: what the processor is taken for.
  Isa isa = default_isa();
  // Values that kernels hand on to one another are stored as bf16 (see narrow.h).
  bool bf16 = false;
  // Threads of the processor share a function from so much work on (see work.h), and in it each kernel with so
  // much.
  double least_shared_work = 2e6, least_part_work = 2e5;
  // Kernels hand on a tensor of so many bytes part by part (see take_in_turn.h), each of them with so much work a part.
  std::int64_t far_bytes = std::int64_t{8} << 20;
  double least_turn_work = 2e6;

  // ---- spellings
  std::string_view kernel;        // before the name of a kernel that is launched
  std::string_view function;      // before that of one that is called
  std::string_view table;         // before the type of a constant table
  std::string_view table_address; // how a kernel's argument names one, `{}` being its name
  std::string_view result;        // how an argument names a report of a step, `{}` being its name
  std::string_view shared;        // before the type of an array that the threads of a block share
  std::string_view barrier;
  std::string_view places[3];     // by loops::Place

  // ---- scaffold
  std::string_view header_includes;  // lines
  std::string_view source_includes;
  DeviceCompiler compiler = {};      // with a grid
  // What a project needs to build such sources, if not C++ alone: CMake's language, the package to find, and its
  // library. cmake/GradcTargets.cmake reads this and the words above from the text of the table.
  std::string_view cmake[3] = {};
};

const std::vector<Target>& targets();  // the first is the default
const Target* target_named(std::string_view);

inline const Target& cpp_target() { return targets()[0]; }

}  // namespace gradc

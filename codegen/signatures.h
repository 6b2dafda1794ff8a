// signatures.h: how the functions of a module are called, in C++ and in C: one list for the header,
// the definitions, the model's table and the C interface.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/loops.h"
#include "codegen/target.h"

namespace gradc {

enum class Role : std::uint8_t {
  parameters,
  state,
  workspace,
  gradients,
  dim,
  input,
  output,
  seed,
  team,    // of a function that threads may share: those that do
  device,  // of a target with a grid: where the rest is
  result   // of such a target: where a step's reports go
};

struct SignatureArgument {
  Role role = Role::input;
  std::string type;  // C++
  std::string c_type;
  std::string name;
  std::string c_name;        // differs where a report has the name of an input
  std::uint32_t number = 0;  // input, output: a buffer of the module; dim: a DimId
};

struct Signature {
  const loops::Function* function = nullptr;
  std::string name;  // C++, in the module's namespace
  std::string c_name;
  std::string c_together;                    // of the same with a team, or empty
  std::string result;                        // "void", or the struct a step returns
  std::string c_result;                      // "void", or "int": 0 or the code of an error
  std::string reports;                       // step, evaluate: that struct
  std::vector<SignatureArgument> arguments;  // C++; in C the results of a step follow as pointers
  std::vector<SignatureArgument> results;    // step, evaluate: members of the struct
  std::string c_local;                       // a name that none of them has in C
};

struct Signatures {
  std::vector<Signature> functions;  // as in the module
  std::string c_model, c_parameters_size, c_state_size, c_workspace_size;
  // Of a target with a grid: its device and memory there.
  std::string c_error, c_open, c_close, c_allocate, c_release, c_upload, c_download, c_wait;
};

// Whether threads may share some function.
bool any_shared(const loops::Module&);

Signatures signatures(const loops::Module&, const Target& = cpp_target());

// 286725 → "286,725".
std::string grouped(std::int64_t);

}  // namespace gradc

// emitted.h: emitted code as a callable thing: compiled to a shared object, loaded, run on doubles.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "codegen/compile.h"
#include "dsl/interpret.h"
#include "tool/verbs.h"

namespace gradc {

enum class EmittedKind : std::uint8_t { forward, backward, step, evaluate };

// What one call gave: results in the order of the function, and for backward the gradients of
// parameters.
struct EmittedResult {
  std::vector<std::string> names;
  std::vector<Array> outputs;
  std::map<std::string, Array> gradients;
};

// The loaded program with one set of parameters, state and workspace.
class Emitted {
 public:
  // Compiles with the host compiler; nothing with `code` set and everything said if that fails.
  static std::optional<Emitted> load(Session&, const Compiled&, int& code);
  Emitted(Emitted&&) noexcept;
  ~Emitted();

  void init(std::uint64_t seed);
  // Parameters and state by name. Values are rounded to the tensor's type.
  std::map<std::string, Array> parameters() const;
  std::map<std::string, Array> state() const;
  void set(const std::string& name, const Array&);

  // Runs a function of that spec name and kind. `inputs` in its order; `dims` by name.
  EmittedResult call(const std::string& function, EmittedKind,
                     const std::map<std::string, std::int64_t>& dims,
                     const std::vector<Array>& inputs, std::uint64_t seed);

 private:
  struct Program;
  explicit Emitted(std::unique_ptr<Program>);
  std::unique_ptr<Program> program_;
};

}  // namespace gradc

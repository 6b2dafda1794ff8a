// library.h: a file without errors, of whose declarations few are used: each is read when it is
// asked for. Each begins a line, at its first character.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "dsl/ast.h"
#include "dsl/diagnostics.h"

namespace gradc {

class Library {
 public:
  Library(const Sources&, std::uint32_t file);

  const ast::Item* item(const std::string& name);              // null if there is none
  const ast::Definition* definition(const std::string& name);  // null if it is none
  std::vector<std::string> definitions() const;                // their names

 private:
  struct Entry {
    bool defines;  // an op, a layer, …; otherwise a dim or const
    Span place;
    ast::File parsed;  // nothing yet, or one item
  };
  const Sources& sources_;
  std::map<std::string, Entry> entries_;
};

}  // namespace gradc

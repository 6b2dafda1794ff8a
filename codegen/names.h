// names.h: names of the spec → identifiers that are safe in emitted code.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

namespace gradc {

// Dots and foreign characters become `_`, runs of `_` one, a leading digit gets a letter before it, C++ keywords
// (alternative tokens included), macros and names the emitted file uses itself a trailing `_`.
// Never empty, never holds `__`, never starts with `_`, at most 200 characters.
std::string identifier(std::string_view spec_name);

// One scope of the emitted code: hands out each identifier once.
class Names {
 public:
  // identifier(spec_name), with the smallest number (2, 3, …) after it that makes it new here.
  std::string fresh(std::string_view spec_name);
  // Takes a name as it is; nobody gets it any more.
  void reserve(std::string_view name) { taken_.emplace(name); }
  void release(std::string_view name) {
    if (auto it = taken_.find(name); it != taken_.end()) taken_.erase(it);
    next_.clear();
  }
  bool taken(std::string_view name) const { return taken_.contains(name); }

 private:
  std::set<std::string, std::less<>> taken_;
  // By identifier: all numbers from 2 to before this one are taken.
  std::unordered_map<std::string, int> next_;
};

}  // namespace gradc

// partial_load.h: parameters of another model's checkpoint, by name, in place of some of this one's.
#pragma once

#include <string>
#include <vector>

#include "gradc/model.h"

namespace gradc::driver {

// What lies under `from` in the file goes to the same place under `to`; both are paths, "encode.fc1".
struct Mapping {
  std::string from, to;
};

struct PartialLoad {
  std::vector<std::string> loaded;  // parameters, by their names in the spec
  std::vector<std::string> unused;  // tensors of the file
  std::vector<std::string> kept;    // parameters that keep their values
};

// Without mappings, whatever has one name in both. Everything is checked before anything changes: a mapping
// must find tensors, each a parameter of its type and shape, and every parameter under `to` must get one.
PartialLoad load_parts(const std::string& path, const Model&, void* parameters,
                       const std::vector<Mapping>&);

// One line for people.
std::string load_text(const std::string& path, const std::vector<Mapping>&, const PartialLoad&);

}  // namespace gradc::driver

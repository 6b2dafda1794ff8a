// gradc/driver.h: the command line of a standalone binary: train, eval, predict.
#pragma once

#include "gradc/model.h"
#include "gradc/program.h"

namespace gradc {

// `spec_directory`: where relative data paths of the program start, unless the user gives --data.
// Exit codes: 0 ok, 1 refused input (data, checkpoint), 2 usage, 3 input/output, 5 internal error.
int drive(int argc, char** argv, const Model&, const Program&, const char* spec_directory);

// The same network for several devices, of which --device chooses one; the first if it is not given.
struct Models {
  const Model* const* models;
  std::int32_t count;
};
int drive(int argc, char** argv, const Models&, const Program&, const char* spec_directory);

}  // namespace gradc

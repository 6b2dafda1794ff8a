// checkpoint.h: parameters, state and the place in training, in one safetensors file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gradc/model.h"

namespace gradc::driver {

// Where training stands. A fit that is done stands at (action, its epochs, 0).
struct Position {
  std::int64_t action = 0;           // of the program
  std::int64_t epoch = 0, step = 0;  // done so far: epochs of the action, steps of the epoch
  std::uint64_t seed = 0;            // of initialisation, random numbers and orders of examples
  std::int64_t batch = 0, rows = 0;  // of the running fit: within an epoch they may not change
  std::int64_t epochs_option = -1,
               batch_option = 0;  // as given on the command line; -1 and 0: not given
  std::int64_t examples = 0;      // of this epoch
  std::vector<double> sums;       // reports times examples, of this epoch
};

// State tensors are stored as "state/<name>", bool as U8.
void save_checkpoint(const std::string& path, const Model&, const void* parameters,
                     const void* state, const Position&);

enum class Purpose {
  resume,  // everything must be there and come from the same spec
  use,     // parameters suffice; state that is not there keeps its initial values
};

// Fills parameters and state. Refuses what does not fit, naming the tensor and both shapes.
// `warning` is set, for `use`, where the file comes from another version of the spec.
Position load_checkpoint(const std::string& path, const Model&, void* parameters, void* state,
                         Purpose, std::string& warning);

}  // namespace gradc::driver

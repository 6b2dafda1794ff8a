// elaborate_recurrence.h: what is known of the recurrence whose equations are being elaborated.
#pragma once

#include "dsl/elaboration.h"

namespace gradc {

// A name that a recurrence defines.
struct Defined {
  std::string name;
  const ast::Assign* equation = nullptr;
  std::vector<const ast::Assign*> starts = {};  // what it is at times before the first
  std::size_t time = 0;                         // axis
  std::vector<ActiveIndex> indices = {};        // of the equation
  std::vector<NodeId> before = {};              // starts, the nearest first, without the axis of time
  NodeId past = {}, body = {};
  bool failed = false;

  const ast::Target& target() const { return equation->targets[0]; }
};

struct Recurrence {
  std::string time;  // the index
  bool backwards = false;
  std::vector<Defined> defined = {};
};

}  // namespace gradc

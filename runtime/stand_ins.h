// stand_ins.h: states of optimizers in the place of parameters, for as long as it lives.
#pragma once

#include <string>

#include "runtime/session.h"

namespace gradc::driver {

// Puts them there if the action asks for it (`with average`), and the parameters back at its end. Refuses what a step
// that has not run yet would have kept.
class StandIns {
 public:
  StandIns(Session&, const Action&);
  ~StandIns();
  StandIns(const StandIns&) = delete;
  StandIns& operator=(const StandIns&) = delete;

 private:
  Session& session_;
  Buffer parameters_;  // as they were; empty: nothing was done
};

// " with average", or nothing.
std::string stand_ins_text(const Action&);

}  // namespace gradc::driver

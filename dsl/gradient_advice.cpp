// gradient_advice.cpp: advice for people. The one file of the compiler that names ops of the prelude, as
// what it says is of no use without their names; nothing is looked up by them.
#include "dsl/gradient_advice.h"

#include <fmt/format.h>

namespace gradc {

std::string gradient_advice(std::string_view operation) {
  if (operation == "detach") {
    return "detach is there to stop the gradient: take it away, or leave the parameter out of 'over'";
  }
  if (operation == "custom") {
    return "it passes nothing on to this input: let its 'gradient' do so, or leave the parameter out of 'over'";
  }
  for (std::string_view rounding : {"floor", "ceil", "round", "sign"}) {
    if (operation != rounding) continue;
    return fmt::format(
        "its derivative is 0 everywhere; 'straight_through({0}(x), x)' has its value and the gradient "
        "of x",
        rounding);
  }
  return "its derivative is 0 everywhere; 'straight_through(hard, soft)' has the value of this and the "
         "gradient of a smooth stand-in, 'gumbel_softmax(z, hard = true)' chooses at random and learns";
}

}  // namespace gradc

// small_spec.cpp: a spec that trains, around a program block of the test's choosing.
#include "hostile/gradc_run.h"

namespace test {

std::string small_spec(const std::string& program) {
  return "dim B <= 8\n"
         "net guess(x: f32[B, 2]) -> z: f32[B, 3] { z = x |> dense(3) }\n"
         "step train(x: f32[B, 2], label: i32[B]) {\n"
         "  loss = cross_entropy(guess(x), label)\n"
         "  minimize loss using sgd(lr = 0.1)\n"
         "  report loss\n"
         "}\n"
         "program {\n" +
         program + "\n}\n";
}

}  // namespace test

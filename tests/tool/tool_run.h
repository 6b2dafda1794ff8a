// tool_run.h: gradc as a user runs it, in a folder with a tiny spec.
#pragma once

#include "catch.h"
#include "process.h"

namespace test {

// 4·3 + 3 parameters, then 3·2 + 2: 23.
inline constexpr const char* tiny_spec = R"(dim B <= 8

net guess(x: f32[B, 4]) -> z: f32[B, 2] {
  h = x |> dense(3) |> relu
  z = h |> out: dense(2)
}

step train(x: f32[B, 4], label: i32[B]) {
  z    = guess(x)
  loss = cross_entropy(z, label)
  minimize loss using sgd(lr = 0.1)
  report loss
}

program {
  data d = csv("d.csv", x = columns(0, 3), label = column(4))
  fit train on d for 2 epochs batch 3 seed 1
  test train on d
}
)";

class Workplace {
 public:
  Workplace() { write_text(path() / "tiny.nn", tiny_spec); }
  const fs::path& path() const { return folder_.path(); }

  Finished gradc(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), GRADC_TOOL);
    return run_program(arguments, {path(), {}, std::chrono::seconds(120)});
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace test

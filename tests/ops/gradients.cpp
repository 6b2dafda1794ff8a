// gradients.cpp: the gradients of the prelude, simplified, against finite differences.
#include <map>
#include <set>

#include "dsl/gradcheck.h"
#include "dsl/simplify.h"
#include "tests/catch.h"
#include "tests/ops/samples.h"

using namespace gradc;

TEST_CASE("gradients of the prelude are those of finite differences") {
  GradcheckOptions options;
  options.transform = &simplify;
  // Of one value there is no variance to explain; attention to nothing is NaN (lengths are drawn, 0 among them).
  const std::set<std::string> never_finite = {"try_edge_r_squared_of_one", "try_edge_multi_head_attention_of_none"};
  for (const std::string& name : test::topic_names()) {
    const test::Topic topic = test::load_topic(name);
    std::set<std::string> checked;
    for (const GradientCheck& row : gradcheck(topic.written, options)) {
      INFO(name << ".nn: d(" << row.loss << ")/d(" << row.variable << ") of " << row.function
                << " at " << row.place << ": " << row.symbolic << ", by differences " << row.numeric
                << ", error " << row.error << " " << row.message);
      // One op is there to have another gradient.
      const bool other = row.function == "custom op gradient_reversal";
      CHECK((row.verdict == GradientVerdict::differs) == other);
      CHECK((row.verdict == GradientVerdict::not_finite) == never_finite.contains(row.function));
      if (row.verdict == GradientVerdict::not_finite) continue;
      CHECK((other || row.verdict == GradientVerdict::right || row.verdict == GradientVerdict::no_slope));
      if (row.compared > row.kinks) checked.insert(row.function);
    }
    // A net with a gradient is one whose gradient was compared somewhere.
    for (const Function& f : topic.written.functions) {
      INFO(f.name);
      if (!f.gradients.empty() && !never_finite.contains(f.name)) CHECK(checked.contains(f.name));
    }
  }
}

// random_spec.cpp: random well-typed specs: dims, ops, nets, steps.
#include "tests/random_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tests/random_net.h"

namespace test {
namespace {

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : draft(seed) {}

  std::string generate() {
    make_dims();
    for (std::int64_t k = choices.number(0, 2); k > 0; --k) make_op();
    draft.doubles = choices.chance(10);
    while (draft.nets.size() < 2 && choices.chance(20)) {
      draft.nets.push_back(random_net(draft, fmt::format("f{}", draft.nets.size() + 2), choices.number(1, 2)));
    }
    draft.nets.push_back(random_net(draft, "f", choices.number(1, draft.nets.empty() ? 5 : 3)));
    std::string text;
    for (const SpecDim& d : scope.dims) {
      if (!d.name.starts_with("R")) text += fmt::format("dim {} {} {}\n", d.name, d.bounded ? "<=" : "=", d.size);
    }
    text += draft.declarations;
    for (const RandomNet& net : draft.nets) text += net.text;
    if (!draft.nets.back().trains.empty()) text += make_step("train", draft.nets.back());
    const RandomNet& other = choices.one_of(draft.nets);
    if (!other.trains.empty() && choices.chance(20)) text += make_step("tune", other);
    return text;
  }

 private:
  void make_dims() {
    constexpr std::array sizes = {1, 2, 3, 3, 4, 5, 5, 6, 7, 8, 9, 11, 13, 17, 33};
    scope.dims.push_back({"B", number(1, 5), choices.chance(80)});
    if (choices.chance(30)) scope.dims.push_back({"T", number(1, 6), true});
    for (const char* name : {"H", "K", "M"}) {
      // One larger than a vector or two, not all of them.
      const std::size_t last = *name == 'H' ? sizes.size() : 8;
      scope.dims.push_back({name, sizes[static_cast<std::size_t>(number(0, static_cast<std::int64_t>(last) - 1))], false});
    }
    draft.fixed = scope.dims.size() - 3;
  }

  void make_op() {
    const std::string name = "op" + std::to_string(scope.ops.size());
    scope.letters = {"x", "y", "c"};
    // With both in it: a number would fit no shape.
    const Text e = scope.scaled(scope.expression(2), 4);
    const Text body{fmt::format("{} + 0.125 * x * y", e.text), e.bound + 0.5};
    scope.letters.clear();
    draft.declarations += fmt::format("op {}(x, y, c: float = {}) = {}\n", name, scope.number(-1, 1), body.text);
    scope.ops.push_back({name, body.bound});
  }

  // ---- steps ----

  // y0, z0 = f(x0, at_H1): what the net is given is what the step is given, or what another net gave in this step.
  struct Call {
    const RandomNet* net;
    std::string text, y, z;
    std::string slope_of;  // the first input of the net, if the step has it
  };
  Call make_call(const RandomNet& net, const std::vector<Call>& before, std::vector<RandomInput>& inputs) {
    const std::string number = std::to_string(before.size());
    Call call{&net, "", "y" + number, "z" + number, ""};
    for (const RandomInput& input : net.inputs) {
      std::string given = input.tensor.name;
      for (const Call& b : before) {
        const bool fits = input.dtype[0] == 'f' && std::equal(b.net->y.axes.begin(), b.net->y.axes.end(), input.tensor.axes.begin(),
                                                              input.tensor.axes.end(), [&](auto x, auto y) { return scope.same(x, y); });
        if (fits && choices.chance(60)) given = fmt::format("{}(tanh({}))", input.dtype, b.y);
      }
      if (given == input.tensor.name) {
        if (std::none_of(inputs.begin(), inputs.end(), [&](const auto& i) { return i.tensor.name == given; })) inputs.push_back(input);
        if (call.text.empty()) call.slope_of = given;
      }
      call.text += (call.text.empty() ? "" : ", ") + given;
    }
    call.text = fmt::format("{}, {} = {}({})", call.y, call.z, net.name, call.text);
    return call;
  }

  // A number made of the whole of y.
  std::string loss_of(const Call& call) {
    constexpr std::array forms = {"{0} * {0}", "{0} * {0}", "softplus({0})", "({0} - detach(tanh({0}))) ^ 2", "log1p({0} ^ 2)"};
    const bool number = call.net->y.axes.empty();
    const std::string y = number ? call.y : call.y + "[..]";
    const std::string form = fmt::format(fmt::runtime(choices.one_of(forms)), y);
    return fmt::format("{} + 0.5 * {}", number ? form : "(mean[..] " + form + ")", call.z);
  }

  std::string make_step(const std::string& name, const RandomNet& net) {
    constexpr std::array optimizers = {"sgd(lr = 0.1)",
                                       "sgd(lr = 0.1, momentum = 0.9)",
                                       "adam(lr = 0.01, eps = 0.1)",
                                       "clip_norm(sgd(lr = 0.5), 1.0)",
                                       "rmsprop(lr = 0.01, eps = 0.1, momentum = 0.5)",
                                       "nesterov(lr = 0.1)",
                                       "adagrad(lr = 0.1, eps = 0.1)",
                                       "average_weights(sgd(lr = 0.1 / t))",
                                       "accumulate_gradients(sgd(lr = 0.1), every = 2)"};
    std::vector<RandomInput> inputs;
    std::vector<Call> calls = {make_call(net, {}, inputs)};
    if (choices.chance(draft.nets.size() > 1 ? 50 : 8)) calls.push_back(make_call(choices.one_of(draft.nets), calls, inputs));
    std::string head, body;
    for (const RandomInput& i : inputs) {
      head += fmt::format("{}{}: {}{}", head.empty() ? "" : ", ", i.tensor.name, i.dtype, scope.shape(i.tensor.axes));
    }
    for (const Call& c : calls) body += fmt::format("  {}\n", c.text);
    std::string loss = loss_of(calls[0]);
    if (!calls[0].slope_of.empty() && choices.chance(20)) {
      // The gradient of a gradient.
      body += fmt::format("  slope = grad({}, {})\n", calls[0].z, calls[0].slope_of);
      loss += calls[0].net->inputs[0].tensor.axes.empty() ? " + 0.1 * slope * slope" : " + 0.1 * (mean[..] slope[..] * slope[..])";
    }
    const auto& first = calls.front().net->trains;
    const auto& second = calls.back().net->trains;
    const bool apart = !second.empty() && std::none_of(first.begin(), first.end(), [&](const auto& n) { return second.contains(n); });
    if (apart && choices.chance(70)) {
      // Each net has a loss of its own.
      const std::string other = fmt::format("{} - 0.25 * {}", loss_of(calls[1]), calls[0].z);
      body += fmt::format("  loss = {}\n  other = {}\n", loss, other);
      body += fmt::format("  minimize loss over {} using {}\n", calls[0].net->name, choices.one_of(optimizers));
      body += fmt::format("  minimize other over {} using {}\n  report loss, other\n", calls[1].net->name, choices.one_of(optimizers));
    } else {
      if (calls.size() == 2) loss += " + " + loss_of(calls[1]);
      body += fmt::format("  loss = {}\n  minimize loss using {}\n  report loss\n", loss, choices.one_of(optimizers));
    }
    return fmt::format("step {}({}) {{\n{}}}\n", name, head, body);
  }

  std::int64_t number(std::int64_t low, std::int64_t high) { return choices.number(low, high); }

  SpecDraft draft;
  SpecScope& scope = draft.scope;
  Choices& choices = draft.scope.choices;
};

}  // namespace

std::string random_spec(std::uint64_t seed) { return Generator(seed).generate(); }

}  // namespace test

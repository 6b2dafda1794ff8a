// failure.h: how the driver's parts give up: an exit code and a message for the user.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

namespace gradc::driver {

enum class Exit : int {
  ok = 0,
  refused = 1,
  usage = 2,
  input_output = 3,
  internal = 5,
  interrupted = 130
};

// Thrown where something from outside is refused; drive() prints the message and returns the code.
struct Failure {
  Exit exit;
  std::string message;
};

template <class... Arguments>
[[noreturn]] void fail(Exit exit, fmt::format_string<Arguments...> format,
                       Arguments&&... arguments) {
  throw Failure{exit, fmt::format(format, std::forward<Arguments>(arguments)...)};
}

template <class... Arguments>
[[noreturn]] void refuse(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  throw Failure{Exit::refused, fmt::format(format, std::forward<Arguments>(arguments)...)};
}

}  // namespace gradc::driver

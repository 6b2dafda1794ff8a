// gradient_advice.h: what stands in for an operator that passes no gradient, in words of the prelude.
#pragma once

#include <string>
#include <string_view>

namespace gradc {

// `operation` as the language writes it, "argmax" or "floor"; "" where it is not known.
std::string gradient_advice(std::string_view operation);

}  // namespace gradc

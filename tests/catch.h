// catch.h: Catch2 2.13 and 3.x under one set of names.
#pragma once

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers_all.hpp>
namespace test {
using Approx = Catch::Approx;
inline auto contains(const std::string& s) { return Catch::Matchers::ContainsSubstring(s); }
}  // namespace test
#else
#include <catch2/catch.hpp>
namespace test {
using Approx = Catch::Detail::Approx;
inline auto contains(const std::string& s) { return Catch::Matchers::Contains(s); }
}  // namespace test
#endif

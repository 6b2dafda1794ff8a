// runtime_math.cpp: the scalar functions of emitted code against the C library in f64. The bounds are those of
// docs/math.md, which must be what was measured over every float: GRADC_MATH_STRIDE=1 walks over them all.
#include "gradc/math.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "math_functions.h"
#include "process.h"
#include "tests/catch.h"

using namespace test;

namespace {

// In units in the last place of the true value, the smallest step below 2^-126; infinite for a wrong infinity, NaN,
// zero or sign of a zero. At most 0.5 where it is the nearest float.
double error_of(float got, double want) {
  const auto rounded = static_cast<float>(want);
  if (std::bit_cast<std::uint32_t>(got) == std::bit_cast<std::uint32_t>(rounded)) return 0.5;
  if (std::isnan(want) || std::isnan(got)) return std::isnan(want) && std::isnan(got) ? 0 : HUGE_VAL;
  if (std::isinf(rounded) || std::isinf(got) || want == 0 || got * rounded < 0) return HUGE_VAL;
  std::uint64_t bits = 0;
  std::memcpy(&bits, &want, sizeof bits);
  const int exponent = std::max(static_cast<int>((bits >> 52) & 0x7ff) - 1023, -126);
  bits = static_cast<std::uint64_t>(23 - exponent + 1023) << 52;  // 2^(23 - exponent)
  double steps = 0;
  std::memcpy(&steps, &bits, sizeof steps);
  return std::fabs(static_cast<double>(got) - want) * steps;
}

struct Worst {
  double error = 0;
  float at = 0, exponent = 0;
};

// Both signs of what is special, and of the places where a function here or elsewhere goes over to another formula.
const float special[] = {0.0f,
                         1e-45f,
                         1.17549435e-38f,
                         1e-7f,
                         0.414213562f,
                         0.5f,
                         0.693147f,
                         0.785398163f,
                         0.927734375f,
                         1.0f,
                         1.41421356f,
                         1.57079633f,
                         2.0f,
                         2.35619449f,
                         2.41421356f,
                         3.14159265f,
                         4.0f,
                         6.28318531f,
                         9.0f,
                         10.0f,
                         17.0f,
                         30.0f,
                         60.0f,
                         87.3365f,
                         88.7228f,
                         89.0f,
                         103.972f,
                         104.0f,
                         127.0f,
                         8388608.0f,
                         16777216.0f,
                         2147483648.0f,
                         3.40282347e38f,
                         std::numeric_limits<float>::infinity()};

std::uint64_t stride() {
  const char* text = std::getenv("GRADC_MATH_STRIDE");
  return text ? std::max(std::strtoull(text, nullptr, 10), 1ULL) : 1999;
}

std::vector<MathBuild> builds() {
  std::vector<MathBuild> all = {math_without_fma()};
#ifdef GRADC_TEST_FMA
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) all.push_back(math_with_fma());
#endif
  return all;
}

// The worst of each build for their function number k.
template <class Exact>
std::vector<Worst> walk(const std::vector<MathBuild>& builds, std::size_t number, Exact exact) {
  std::vector<Worst> worst(builds.size());
  std::vector<float> x, y(std::size_t{1} << 16);
  std::vector<double> want(y.size());
  const auto compare = [&] {
    for (std::size_t k = 0; k < x.size(); ++k) want[k] = exact(static_cast<double>(x[k]));
    for (std::size_t b = 0; b < builds.size(); ++b) {
      builds[b].functions[number].run(x.size(), x.data(), y.data());
      for (std::size_t k = 0; k < x.size(); ++k) {
        const double error = error_of(y[k], want[k]);
        if (error > worst[b].error) worst[b] = {error, x[k], 0};
      }
    }
    x.clear();
  };
  for (const float s : special) {
    const std::int64_t around = std::bit_cast<std::uint32_t>(s);
    for (std::int64_t bits = std::max<std::int64_t>(around - 500, 0); bits <= around + 500; ++bits)
      for (const std::uint32_t sign : {0u, 0x80000000u}) x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits) | sign));
    compare();
  }
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += stride()) {
    x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    if (x.size() == 4096) compare();
  }
  compare();
  return worst;
}

double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

const std::map<std::string, double (*)(double)> exact_functions = {
    {"exp", std::exp}, {"expm1", std::expm1}, {"log", std::log},     {"log1p", std::log1p}, {"sqrt", std::sqrt},
    {"sin", std::sin}, {"cos", std::cos},     {"tan", std::tan},     {"atan", std::atan},   {"tanh", std::tanh},
    {"erf", std::erf}, {"logistic", sigmoid}, {"log1pexp", softplus}};

// The rows of docs/math.md: `name` | without FMA | with FMA.
std::map<std::string, std::vector<double>> stated_errors() {
  std::ifstream file(std::string(GRADC_SOURCE_DIR) + "/docs/math.md");
  std::map<std::string, std::vector<double>> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("| `", 0) != 0) continue;
    const std::size_t end = line.find('`', 3);
    std::vector<double>& row = rows[line.substr(3, end - 3)];
    for (std::size_t at = line.find('|', end); at != std::string::npos && row.size() < 2; at = line.find('|', at + 1))
      row.push_back(std::atof(line.c_str() + at + 1));
  }
  return rows;
}

void check(const std::string& function, const MathBuild& build, std::size_t column, const Worst& worst) {
  const auto stated = stated_errors();
  INFO(function << ", " << build.name << ", at " << worst.at << " " << worst.exponent << ": " << worst.error << " ULP");
  REQUIRE(stated.count(function) == 1);
  REQUIRE(stated.at(function).size() == 2);
  const double bound = stated.at(function)[column];
  CHECK(bound <= 2.5);
  CHECK(worst.error <= bound);
  // Over all floats it is the number itself.
  if (stride() == 1) CHECK(worst.error > bound - 0.02);
  if (std::getenv("GRADC_MATH_STRIDE"))
    WARN(function << ", " << build.name << ": " << worst.error << " ULP at " << worst.at);
}

// The function under test alone, if one is named.
bool is_wanted(const std::string& function) {
  const char* text = std::getenv("GRADC_MATH_FUNCTION");
  return !text || function == text;
}

}  // namespace

TEST_CASE("scalar functions keep the accuracy that the documentation states") {
  const std::vector<MathBuild> all = builds();
  for (std::size_t number = 0; number < all[0].functions.size(); ++number) {
    const std::string function = all[0].functions[number].name;
    if (!is_wanted(function)) continue;
    const std::vector<Worst> worst = walk(all, number, exact_functions.at(function));
    for (std::size_t b = 0; b < all.size(); ++b) check(function, all[b], b, worst[b]);
  }
  CHECK(all[0].functions.size() == exact_functions.size());
}

TEST_CASE("powers keep the accuracy that the documentation states") {
  if (!is_wanted("pow")) return;
  // Special values with each other, small numbers, and pairs of any floats, of which most overflow.
  std::vector<float> bases, exponents;
  std::vector<float> values = {0.5f,        0.333333f,   1.5f,        3.0f,
                               0.99999994f, 1.00000012f, 16777215.0f, 8388607.0f,
                               8388607.5f,  1e12f,       2e12f,       std::numeric_limits<float>::quiet_NaN()};
  values.insert(values.end(), std::begin(special), std::end(special));
  for (const float x : values)
    for (const float y : values)
      for (const float s : {1.0f, -1.0f})
        for (const float t : {1.0f, -1.0f}) bases.push_back(s * x), exponents.push_back(t * y);
  std::mt19937 random(7);
  const std::size_t count = (std::size_t{1} << 32) / stride();
  const std::vector<MathBuild> all = builds();
  std::vector<Worst> worst(all.size());
  std::vector<float> x = bases, y = exponents;
  for (std::size_t done = 0; done < count; done += x.size()) {
    std::vector<double> want(x.size());
    for (std::size_t k = 0; k < x.size(); ++k) want[k] = std::pow(static_cast<double>(x[k]), static_cast<double>(y[k]));
    std::vector<float> power(x.size());
    for (std::size_t b = 0; b < all.size(); ++b) {
      all[b].power(x.size(), x.data(), y.data(), power.data());
      for (std::size_t k = 0; k < x.size(); ++k) {
        const double error = error_of(power[k], want[k]);
        if (error > worst[b].error) worst[b] = {error, x[k], y[k]};
      }
    }
    x.resize(4096), y.resize(4096);
    for (std::size_t k = 0; k < x.size(); ++k) {
      const auto any = static_cast<std::uint32_t>(random()), other = static_cast<std::uint32_t>(random());
      x[k] = std::bit_cast<float>(any);
      // Mostly one that keeps the power finite.
      const double part = static_cast<double>(other) / 2147483648.0 - 1.0;
      const double log2 = std::max(std::fabs(std::log2(std::fabs(static_cast<double>(x[k])))), 1e-3);
      y[k] = k % 4 != 0 ? static_cast<float>(part * 150.0 / log2) : std::bit_cast<float>(other);
      if (k % 3 == 0) y[k] = std::round(y[k]);
    }
  }
  for (std::size_t b = 0; b < all.size(); ++b) check("pow", all[b], b, worst[b]);
}

TEST_CASE("both compilers turn loops of every scalar function into vector code") {
  // One loop a line; the compilers name the lines of the loops that they vectorised.
  std::string source = "#include \"gradc/math.h\"\n";
  std::vector<std::string> names;
  for (const auto& [name, exact] : exact_functions) names.push_back(name);
  for (const char* name : {"pow", "max", "floor", "ceil", "round", "abs", "sign"}) names.push_back(name);
  for (const std::string& name : names) {
    const std::string second = name == "pow" || name == "max" ? ", z[k]" : "";
    source += "void over_" + name + "(long n, const float* __restrict x, [[maybe_unused]] const float* __restrict z, " +
              "float* __restrict y) { for (long k = 0; k < n; ++k) y[k] = gradc::" + name + "(x[k]" + second + "); }\n";
  }
  // Windows of a pooling, as they are emitted.
  for (const char* name : {"max", "min"}) {
    names.push_back(std::string("windows of ") + name);
    source += std::string("void windows_") + name + "(long n, const float* __restrict x, float* __restrict y) { " +
              "for (long k = 0; k < n; ++k) { float best = x[2 * k]; for (long u = 0; u < 2; ++u) " +
              "for (long v = 0; v < 2; ++v) best = gradc::" + name + "(best, x[u * 2 * n + 2 * k + v]); y[k] = best; } }\n";
  }
  const TemporaryFolder folder;
  write_text(folder.path() / "loops.cpp", source);
  RunOptions options;
  options.directory = folder.path();
  const std::vector<std::vector<std::string>> compilers = {{"g++", "-fopt-info-vec-optimized"},
                                                           {"clang++-19", "-Rpass=loop-vectorize"}};
  for (std::vector<std::string> command : compilers) {
    for (const char* argument : {"-std=c++17", "-O3", "-march=x86-64-v3", "-ffp-contract=fast", "-fno-math-errno",
                                 "-fno-trapping-math", "-I" GRADC_SOURCE_DIR "/runtime", "-c", "loops.cpp"})
      command.emplace_back(argument);
    const Finished compiled = run_program(command, options);
    INFO(compiled.err);
    REQUIRE(compiled.exit_code == 0);
    for (std::size_t k = 0; k < names.size(); ++k) {
      INFO(command[0] << ": " << names[k]);
      CHECK(compiled.err.find("loops.cpp:" + std::to_string(k + 2) + ":") != std::string::npos);
    }
  }
}

TEST_CASE("maximum, minimum, integer division as the language says") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(gradc::max(nan, 1.0f)));
  CHECK(std::isnan(gradc::max(1.0f, nan)));
  CHECK(std::isnan(gradc::min(nan, 1.0f)));
  CHECK(std::isnan(gradc::min(1.0f, nan)));
  // Of equal ones the second, which 0 and -0 tell.
  const float infinity = std::numeric_limits<float>::infinity();
  const float values[] = {-infinity, -1.0f, -0.0f, 0.0f, 1.0f, infinity, nan};
  for (const float x : values) {
    for (const float y : values) {
      CAPTURE(x, y);
      const float most = std::isnan(x) || x > y ? x : y, least = std::isnan(x) || x < y ? x : y;
      CHECK(std::bit_cast<std::uint32_t>(gradc::max(x, y)) == std::bit_cast<std::uint32_t>(most));
      CHECK(std::bit_cast<std::uint32_t>(gradc::min(x, y)) == std::bit_cast<std::uint32_t>(least));
    }
  }
  CHECK(gradc::max(1.0f, 2.0f) == 2.0f);
  CHECK(gradc::min(1.0f, 2.0f) == 1.0f);
  CHECK(gradc::floor_div(-1, 3) == -1);
  CHECK(gradc::floor_div(7, -2) == -4);
  CHECK(gradc::mod(-1, 3) == 2);
  CHECK(gradc::mod(7, 3) == 1);
  CHECK(gradc::round(2.5f) == 2.0f);
  CHECK(gradc::sign(-3.0f) == -1.0f);
  CHECK(std::signbit(gradc::sign(-0.0f)));
}

// runtime_pace.cpp: one thread or several, by a clock of the test's own.
#include "gradc/pace.h"
#include "gradc/team.h"
#include "tests/catch.h"

namespace {

// Of so many calls, those that several threads ran, where these take `together` and one alone takes `alone`.
int several_of(gradc::Pace& pace, int calls, double together, double alone) {
  int several = 0;
  for (int k = 0; k < calls; ++k) {
    several += pace.several() ? 1 : 0;
    pace.took(pace.several() ? together : alone);
  }
  return several;
}

double clock_now = 0;

}  // namespace

TEST_CASE("several threads run what they make faster, but for a few trials", "[pace]") {
  gradc::Pace pace;
  CHECK(several_of(pace, 10000, 1.0, 1.9) >= 9900);
}

TEST_CASE("one thread runs what several make slower, but for a few trials", "[pace]") {
  gradc::Pace pace;
  CHECK(several_of(pace, 10000, 1.1, 1.0) <= 100);
}

TEST_CASE("a slow first call decides for a few calls alone", "[pace]") {
  gradc::Pace pace;
  pace.took(1000.0);  // memory that is touched for the first time
  CHECK(several_of(pace, 10000, 1.0, 1.9) >= 9900);
}

TEST_CASE("a pace changes with what slows it, both ways", "[pace]") {
  gradc::Pace pace;
  several_of(pace, 5000, 1.0, 1.9);
  several_of(pace, 1500, 3.0, 1.9);  // another program came
  CHECK(several_of(pace, 5000, 3.0, 1.9) <= 100);
  several_of(pace, 1500, 1.0, 1.9);  // and went
  CHECK(several_of(pace, 5000, 1.0, 1.9) >= 4900);
}

TEST_CASE("a team runs each function, of each size, at its own pace", "[pace]") {
  gradc::Team team;
  team.size = 2;
  team.now = [] { return clock_now; };
  team.run = [](gradc::Team&, int parts, gradc::Team::Part work, const void* context) {
    gradc::Barrier none(1);
    for (int k = 0; k < parts; ++k) work(context, k);
  };
  // Two parts take what each of them says; one alone takes 1.
  const auto parts_of = [&](std::int64_t work, double both, int calls) {
    int several = 0;
    for (int k = 0; k < calls; ++k) {
      gradc::together(&team, work, [&](const gradc::Thread& thread) {
        const bool alone = thread.end(2, 1) - thread.begin(2, 1) == 2;
        if (!alone && thread.first()) ++several;
        clock_now += alone ? 1.0 : both / 2;
      });
    }
    return several;
  };
  CHECK(parts_of(10'000'000, 0.6, 2000) >= 1900);
  CHECK(parts_of(20'000'000, 1.5, 2000) <= 100);
  CHECK(parts_of(10'000'000, 0.6, 2000) >= 1980);  // it is known already
  CHECK(parts_of(1'000'000, 0.6, 10) == 0);        // not worth a second thread
  team.least_work = 0;
  CHECK(parts_of(20'000'000, 1.5, 100) == 100);    // nothing is measured
}

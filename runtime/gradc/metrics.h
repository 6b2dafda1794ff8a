// gradc/metrics.h: what a `score` of a program can measure; the compiler checks against this list what the driver
// computes (runtime/score.cpp). C++17, constants only.
#pragma once

namespace gradc {

struct MetricKind {
  const char* name;
  bool of_classes;   // compares a guessed class with the right one
  bool of_one;       // takes one number for each example
};

constexpr MetricKind metric_kinds[] = {
    {"accuracy", true, false},  {"precision", true, false}, {"recall", true, false},
    {"f1", true, false},        {"confusion", true, false}, {"roc_auc", false, true},
    {"r_squared", false, false}};

}  // namespace gradc

// score.h: measures of all guesses against all answers, which no mean over batches gives.
#pragma once

#include <cstdint>
#include <vector>

namespace gradc::driver {

// counts[answer][guess]; both from 0 to classes - 1.
using Confusion = std::vector<std::vector<std::int64_t>>;
Confusion confusion_matrix(const std::vector<std::int64_t>& guess,
                           const std::vector<std::int64_t>& answer, std::int64_t classes);

struct ClassScores {
  double accuracy = 0, precision = 0, recall = 0, f1 = 0;
};

// precision = right / guessed, recall = right / there were, f1 = 2 right / (guessed + there were),
// where none is 0. Of two classes by a threshold: those of class 1. Otherwise: their means over the
// classes that occur, as guess or as answer.
ClassScores class_scores(const Confusion&, bool of_class_1);

// How often a positive has a larger score than a negative, a tie counting half (Mann and Whitney
// 1947), by ranks: n log n. NaN if there are not both, or a score is NaN.
double roc_auc(const std::vector<double>& score, const std::vector<bool>& positive);

// 1 - sum (t - y)² / sum (t - mean t)², of values `stride` apart. NaN where all t are equal.
double r_squared(const std::vector<double>& y, const std::vector<double>& t, std::size_t first,
                 std::size_t stride);

}  // namespace gradc::driver

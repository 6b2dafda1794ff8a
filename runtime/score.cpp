// score.cpp: the measures of score.h, and the action that gathers what they are of.
#include "runtime/score.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "runtime/outputs.h"
#include "runtime/stand_ins.h"

namespace gradc::driver {

Confusion confusion_matrix(const std::vector<std::int64_t>& guess,
                           const std::vector<std::int64_t>& answer, std::int64_t classes) {
  Confusion counts(static_cast<std::size_t>(classes),
                   std::vector<std::int64_t>(static_cast<std::size_t>(classes), 0));
  for (std::size_t i = 0; i < guess.size(); ++i)
    ++counts[static_cast<std::size_t>(answer[i])][static_cast<std::size_t>(guess[i])];
  return counts;
}

ClassScores class_scores(const Confusion& counts, bool of_class_1) {
  const auto ratio = [](double a, double b) { return b == 0 ? 0 : a / b; };
  ClassScores scores;
  double all = 0, right = 0, classes = 0;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    double there = 0, guessed = 0;
    for (std::size_t j = 0; j < counts.size(); ++j) {
      there += static_cast<double>(counts[k][j]);
      guessed += static_cast<double>(counts[j][k]);
    }
    const auto hits = static_cast<double>(counts[k][k]);
    all += there;
    right += hits;
    if ((of_class_1 && k != 1) || (!of_class_1 && there + guessed == 0)) continue;
    ++classes;
    scores.precision += ratio(hits, guessed);
    scores.recall += ratio(hits, there);
    scores.f1 += ratio(2 * hits, guessed + there);
  }
  scores.accuracy = ratio(right, all);
  scores.precision = ratio(scores.precision, classes);
  scores.recall = ratio(scores.recall, classes);
  scores.f1 = ratio(scores.f1, classes);
  return scores;
}

double roc_auc(const std::vector<double>& score, const std::vector<bool>& positive) {
  const bool nan = std::any_of(score.begin(), score.end(), [](double s) { return std::isnan(s); });
  std::vector<std::size_t> order(score.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (!nan)
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return score[a] < score[b]; });
  // Among equals every rank, from 1, is the mean of theirs.
  double ranks = 0, positives = 0;
  for (std::size_t first = 0; first < order.size();) {
    std::size_t end = first;
    double here = 0;
    for (; end < order.size() && score[order[end]] == score[order[first]]; ++end)
      here += positive[order[end]] ? 1 : 0;
    if (nan) end = first + 1;
    ranks += here * (static_cast<double>(first + 1) + static_cast<double>(end)) / 2;
    positives += here;
    first = end;
  }
  const double negatives = static_cast<double>(score.size()) - positives;
  if (nan || positives == 0 || negatives == 0) return std::numeric_limits<double>::quiet_NaN();
  return (ranks - positives * (positives + 1) / 2) / (positives * negatives);
}

double r_squared(const std::vector<double>& y, const std::vector<double>& t, std::size_t first,
                 std::size_t stride) {
  double mean = 0, count = 0, missed = 0, spread = 0;
  for (std::size_t i = first; i < t.size(); i += stride, ++count) mean += t[i];
  mean /= count;
  for (std::size_t i = first; i < t.size(); i += stride) {
    missed += (t[i] - y[i]) * (t[i] - y[i]);
    spread += (t[i] - mean) * (t[i] - mean);
  }
  return spread == 0 ? std::numeric_limits<double>::quiet_NaN() : 1 - missed / spread;
}

namespace {

// The numbers of a field for these rows, and how many each has.
struct Targets {
  std::vector<double> numbers;
  std::int64_t width = 1;
};

Targets targets_of(Session& session, const Action& action, const std::vector<std::int64_t>& rows) {
  // As if a function took the field as f64.
  Tensor input = {};
  input.name = action.target;
  input.dtype = DType::f64;
  input.rank = 1;
  Function taker = {};
  taker.name = action.function;
  taker.inputs = &input;
  taker.input_count = 1;
  const Column& column = find_data(session, action.data, taker).columns[0];
  Targets targets;
  for (std::size_t k = 1; k < column.shape.size(); ++k) targets.width *= column.shape[k];
  const auto* const values = reinterpret_cast<const double*>(column.data.data());
  for (const std::int64_t row : rows) {
    if (row >= column.shape[0])
      refuse("data {}: '{}' has {} examples, fewer than what it is compared with", action.data,
             action.target, column.shape[0]);
    targets.numbers.insert(targets.numbers.end(), values + row * targets.width,
                           values + (row + 1) * targets.width);
  }
  return targets;
}

// The class of every example: the place of its largest number, or whether its one number is above
// the threshold.
std::vector<std::int64_t> guesses(const std::vector<double>& y, std::size_t width,
                                  double threshold) {
  std::vector<std::int64_t> result;
  for (std::size_t i = 0; i < y.size(); i += width) {
    const auto first = y.begin() + static_cast<std::ptrdiff_t>(i);
    result.push_back(width == 1 ? (*first > threshold ? 1 : 0)
                                : std::max_element(first, first + static_cast<std::ptrdiff_t>(width)) - first);
  }
  return result;
}

std::vector<std::int64_t> answers(const Action& action, const Targets& targets,
                                  std::int64_t classes) {
  std::vector<std::int64_t> result;
  for (const double t : targets.numbers) {
    if (!(t >= 0 && t < static_cast<double>(classes) && t == std::floor(t)))
      refuse("data {}: {} of '{}' is none of the classes 0 … {}", action.data, t, action.target,
             classes - 1);
    result.push_back(static_cast<std::int64_t>(t));
  }
  return result;
}

std::string matrix_text(const Confusion& counts) {
  std::size_t digits = 1;
  for (const auto& row : counts)
    for (const std::int64_t n : row) digits = std::max(digits, std::to_string(n).size());
  digits = std::max(digits, std::to_string(counts.size() - 1).size());
  std::string text = "  rows: what it is; columns: what it was taken for\n  ";
  const std::size_t label = std::to_string(counts.size() - 1).size();
  text += std::string(label, ' ');
  for (std::size_t k = 0; k < counts.size(); ++k) text += fmt::format("  {:>{}}", k, digits);
  for (std::size_t k = 0; k < counts.size(); ++k) {
    text += fmt::format("\n  {:>{}}", k, label);
    for (const std::int64_t n : counts[k]) text += fmt::format("  {:>{}}", n, digits);
  }
  return text;
}

}  // namespace

Exit run_score(Session& session, const Action& action, const char* data, const char* part) {
  const Function& net = find_function(session.model, action.function, FunctionKind::forward);
  const std::vector<std::int64_t> rows = rows_in_order(session, net, data, part, 0);
  const double started = now_seconds();
  const StandIns with(session, action);
  const auto outputs = run_net(session, net, data, rows, 0);
  if (!outputs) return Exit::interrupted;
  const auto output = std::find_if(outputs->begin(), outputs->end(), [&](const Output& o) {
    return std::strcmp(o.tensor->name, action.output) == 0;
  });
  if (output == outputs->end() || !output->per_example)
    fail(Exit::internal, "'{}' has no output '{}' for each example", action.function,
         action.output);
  Action on = action;
  on.data = data;
  const Targets targets = targets_of(session, on, rows);
  std::vector<double> y(output->bytes.size() / size_of(output->tensor->dtype));
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = output->number(i);
  const std::size_t width = y.size() / rows.size();

  Reports reports;
  std::string matrix;
  for (std::int32_t i = 0; i < action.metric_count; ++i) {
    const std::string metric = action.metrics[i];
    const auto wrong_width = [&](std::int64_t wanted) {
      if (targets.width != wanted)
        refuse("data {}: '{}' has {} numbers for each example; this score wants {}", data,
               action.target, targets.width, wanted);
    };
    if (metric == "r_squared") {
      wrong_width(static_cast<std::int64_t>(width));
      double sum = 0;
      for (std::size_t k = 0; k < width; ++k) sum += r_squared(y, targets.numbers, k, width);
      reports.emplace_back("r_squared", sum / static_cast<double>(width));
      continue;
    }
    wrong_width(1);
    const std::int64_t classes = width == 1 ? 2 : static_cast<std::int64_t>(width);
    const std::vector<std::int64_t> answer = answers(on, targets, classes);
    if (metric == "roc_auc") {
      std::vector<bool> positive(answer.begin(), answer.end());
      reports.emplace_back("roc_auc", roc_auc(y, positive));
      continue;
    }
    const Confusion counts = confusion_matrix(guesses(y, width, action.threshold), answer, classes);
    const ClassScores scores = class_scores(counts, width == 1);
    if (metric == "accuracy") reports.emplace_back("accuracy", scores.accuracy);
    if (metric == "precision") reports.emplace_back("precision", scores.precision);
    if (metric == "recall") reports.emplace_back("recall", scores.recall);
    if (metric == "f1") reports.emplace_back("f1", scores.f1);
    if (metric == "confusion") matrix = "\n" + matrix_text(counts);
  }
  const std::string name = data_name(data, part) + stand_ins_text(action);
  print_line(session, fmt::format("score {}{}({} examples of {}){}", reports_text(reports),
                                  reports.empty() ? "" : " ", rows.size(), name, matrix));
  session.metrics.score({net.name, name, 0, 0, 0, static_cast<std::int64_t>(rows.size()),
                         now_seconds() - started, reports});
  return Exit::ok;
}

}  // namespace gradc::driver

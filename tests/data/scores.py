#!/usr/bin/env python3
"""Writes scores.json: measures of whole sets by scikit-learn, for tests/unit/runtime_outputs.cpp.

Needs numpy and scikit-learn; the tests read only what it wrote. Run it here: python3 scores.py
"""
import json

import numpy as np
import sklearn
from sklearn import metrics

random = np.random.default_rng(671)
cases = []
for rows, classes in [(1, 2), (7, 3), (40, 5), (200, 10)]:
    answer = random.integers(0, max(classes - 1, 1), rows)  # the last class is never an answer
    guess = np.where(random.random(rows) < 0.6, answer, random.integers(0, classes, rows))
    macro = dict(average="macro", zero_division=0)
    cases.append({
        "classes": classes,
        "answer": answer.tolist(),
        "guess": guess.tolist(),
        "confusion": metrics.confusion_matrix(answer, guess, labels=range(classes)).tolist(),
        "accuracy": float(metrics.accuracy_score(answer, guess)),
        "precision": float(metrics.precision_score(answer, guess, **macro)),
        "recall": float(metrics.recall_score(answer, guess, **macro)),
        "f1": float(metrics.f1_score(answer, guess, **macro)),
    })
ranked = []
for rows, decimals in [(10, 0), (50, 1), (300, 1), (300, 6)]:
    positive = np.arange(rows) % 3 == 0
    score = np.round(random.normal(0, 1, rows) + positive, decimals)
    ranked.append({
        "score": score.tolist(),
        "positive": positive.tolist(),
        "roc_auc": float(metrics.roc_auc_score(positive, score)),
    })
fitted = []
for rows, columns in [(3, 1), (60, 1), (60, 3)]:
    t = np.round(random.normal(2, 3, (rows, columns)), 4)
    y = np.round(t + random.normal(0, 1, (rows, columns)), 4)
    fitted.append({
        "columns": columns,
        "t": t.ravel().tolist(),
        "y": y.ravel().tolist(),
        "r_squared": float(metrics.r2_score(t, y)),
    })
with open("scores.json", "w", encoding="utf-8") as file:
    json.dump({"by": f"scikit-learn {sklearn.__version__}", "cases": cases, "ranked": ranked,
               "fitted": fitted}, file)
    file.write("\n")

#!/usr/bin/env python3
"""Measures the usual classifiers on the folds that moderato uses, for a table that compares like with like.

    python3 -m venv v && v/bin/pip install numpy scikit-learn
    moderato evaluate --protocol publication --data train/*.jsonl --export-folds folds.jsonl
    v/bin/python tests/oracle/baseline_svm.py folds.jsonl train/*.jsonl

The files must be the same, in the same order. Prints one line a classifier: MCC at the classifier's own cut (pooled),
ROC-AUC, spam caught at the cut that blocks 0.1 % and 1 % of ham, and the calibration error over 15 bins where the
classifier gives a probability.
"""
import json
import sys
import time

import numpy as np
from sklearn import metrics
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

CLASSIFIERS = {
    "multinomial NB, words": lambda: make_pipeline(CountVectorizer(), MultinomialNB()),
    "logistic regression, tf-idf 1-2-grams": lambda: make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(max_iter=2000)),
    "linear SVM, characters 3-5": lambda: make_pipeline(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True), LinearSVC()),
}


def read(paths):
    rows = []
    for path in paths:
        with open(path, encoding="utf-8") as lines:
            rows += [row for row in map(json.loads, filter(str.strip, lines)) if (row.get("content") or "").strip()]
    return rows


def ece(spam, p, bins=15):
    b = np.minimum((p * bins).astype(int), bins - 1)
    return sum(abs(p[b == k].mean() - spam[b == k].mean()) * (b == k).mean() for k in range(bins) if (b == k).any())


def caught_at(spam, score, rate):
    fpr, tpr, _ = metrics.roc_curve(spam, score, drop_intermediate=False)
    return tpr[fpr <= rate * (1 + 1e-12)].max()


def main(folds_path, data_paths):
    rows = read(data_paths)
    if any(row["source"].startswith("youtube") for row in rows) and "--videos" in sys.argv:
        rows = [row for row in rows if row["source"].startswith("youtube")]
    with open(folds_path, encoding="utf-8") as lines:
        folds = [json.loads(line) for line in lines]
    text = np.array([row["content"] for row in rows], dtype=object)
    spam = np.array([row["label"] == "spam" for row in rows])
    assert max(max(fold["train"] + fold["test"]) for fold in folds) < len(rows), "other files than the folds were made for"
    for name, make in CLASSIFIERS.items():
        start, truth, score, hard, has_probability = time.time(), [], [], [], True
        for fold in folds:
            model = make().fit(text[fold["train"]], spam[fold["train"]])
            has_probability = hasattr(model, "predict_proba")
            truth.append(spam[fold["test"]])
            hard.append(model.predict(text[fold["test"]]))
            test = text[fold["test"]]
            score.append(model.predict_proba(test)[:, 1] if has_probability else model.decision_function(test))
        truth, score, hard = map(np.concatenate, (truth, score, hard))
        error = f"{ece(truth, score):.4f}" if has_probability else "-"
        print(f"{name:40s} n {len(truth)}  MCC {metrics.matthews_corrcoef(truth, hard):.4f}  ROC-AUC {metrics.roc_auc_score(truth, score):.4f}"
              f"  caught at 0.1 % {100 * caught_at(truth, score, 0.001):.2f} %  at 1 % {100 * caught_at(truth, score, 0.01):.2f} %"
              f"  calibration error {error}  {time.time() - start:.0f} s", flush=True)


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--videos"]
    main(arguments[0], arguments[1:])

#!/usr/bin/env python3
"""Writes metrics.json: what scikit-learn, scipy and textbook formulas say of fixed inputs. src/eval is held to it.

    python3 -m venv v && v/bin/pip install numpy scipy scikit-learn && v/bin/python tests/oracle/metrics.py
"""
import json
import os

import numpy as np
import scipy
import sklearn
from scipy.stats import binom, binomtest
from sklearn import metrics

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "metrics.json")


def ece(spam, p, bins=15):
    """Expected calibration error over equal-width bins (Naeini et al. 2015; Guo et al. 2017), binary form."""
    b = np.minimum((p * bins).astype(int), bins - 1)
    return float(sum(abs(p[b == k].mean() - spam[b == k].mean()) * (b == k).mean() for k in range(bins) if (b == k).any()))


def caught_at(spam, p, rate):
    fpr, tpr, _ = metrics.roc_curve(spam, p, drop_intermediate=False)
    return float(tpr[fpr <= rate].max())


def delong_variance(spam, p):
    """DeLong, DeLong & Clarke-Pearson 1988, straight from the definition in O(m·n)."""
    x, y = p[spam == 1], p[spam == 0]
    psi = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    return float(psi.mean(1).var(ddof=1) / len(x) + psi.mean(0).var(ddof=1) / len(y))


def sample(seed, n, share, decimals):
    r = np.random.default_rng(seed)
    spam = (r.random(n) < share).astype(int)
    p = 1 / (1 + np.exp(-(3.0 * spam - 1.5 + r.normal(0, 1.6, n))))
    return spam, np.round(p, decimals)


def measures(spam, p):
    hard = (p >= 0.5).astype(int)
    return {
        "spam": spam.tolist(), "probability": p.tolist(),
        "accuracy": metrics.accuracy_score(spam, hard),
        "spam_caught": metrics.recall_score(spam, hard),
        "ham_blocked": 1 - metrics.recall_score(1 - spam, 1 - hard),
        "precision": metrics.precision_score(spam, hard),
        "mcc": metrics.matthews_corrcoef(spam, hard),
        "roc_auc": metrics.roc_auc_score(spam, p),
        "pr_auc": metrics.average_precision_score(spam, p),
        "brier": metrics.brier_score_loss(spam, p),
        "log_loss": metrics.log_loss(spam, p),
        "calibration_error": ece(spam, p),
        "caught_at_0_1_percent": caught_at(spam, p, 0.001),
        "caught_at_1_percent": caught_at(spam, p, 0.01),
        "caught_at_10_percent": caught_at(spam, p, 0.1),
        "roc_auc_variance": delong_variance(spam, p),
    }


def interval(k, n, c):
    ci = binomtest(k, n).proportion_ci(c, method="exact")
    return [k, n, c, float(ci.low), float(ci.high)]


def main():
    result = {
        "made_by": f"tests/oracle/metrics.py with numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}",
        "binomial_cdf": [[k, n, p, float(binom.cdf(k, n, p))] for k, n, p in [
            (0, 2995, 0.001), (1, 4742, 0.001), (3, 10, 0.5), (0, 1, 0.25), (7, 20, 0.3), (19, 20, 0.9),
            (500, 100_000, 0.0052), (2000, 1_000_000, 0.00195), (4999, 10_000, 0.499), (12, 4000, 0.001), (99, 100, 0.999)]],
        "clopper_pearson": [interval(k, n, c) for k, n, c in [
            (0, 10, 0.95), (10, 10, 0.95), (1, 4742, 0.9), (4, 4000, 0.95), (951, 1956, 0.95), (7, 12, 0.99), (850, 1000, 0.95), (3, 100_000, 0.95)]],
        "mcnemar": [[b, c, float(binomtest(min(b, c), b + c, 0.5).pvalue)] for b, c in [(10, 2), (5, 5), (0, 6), (41, 60), (1, 0)]],
        # Three decimals: no ties to speak of. One decimal: nearly all are tied. Few spam: a small positive class.
        "measures": [measures(*sample(*s)) for s in [(1, 200, 0.5, 3), (2, 200, 0.4, 1), (3, 400, 0.05, 4)]],
    }
    with open(OUT, "w", encoding="utf-8") as f:
        f.write(json.dumps(result, separators=(",", ":")).replace('],"', '],\n"').replace("},{", "},\n{") + "\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Makes the expected numbers of src/train/fit_tests.rs: scikit-learn's MultinomialNB on the same counts.

    python3 -m venv v && v/bin/pip install numpy scikit-learn && v/bin/python multinomial_nb.py

One row of summed counts a kind, three kinds, five terms, alpha 0.5; prints ln P(term | kind), and the joint
log-likelihoods (with uniform priors left out) of two documents.
"""
import numpy as np
from sklearn.naive_bayes import MultinomialNB

counts = np.array([[3, 0, 1, 7, 2], [0, 5, 2, 1, 1], [4, 4, 0, 0, 9]])
model = MultinomialNB(alpha=0.5, fit_prior=False).fit(counts, [0, 1, 2])
np.set_printoptions(precision=15, floatmode="fixed")
print(repr(model.feature_log_prob_))
for document in ([1, 0, 1, 1, 0], [0, 2, 0, 0, 1]):
    print(document, repr(model.feature_log_prob_ @ np.array(document)))

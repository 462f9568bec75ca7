//! A tiny model, for the tests of those who store and serve models.

use super::{Card, CardThresholds, Evidence, Metrics, Parts, Round, Term, Training};
use crate::text::N_VIEWS;

/// A model of three terms that mean nothing.
pub(crate) fn parts() -> Parts {
    Parts {
        card: Card {
            name: "tiny".to_owned(),
            made_at: None,
            made_by: "a test".to_owned(),
            reading: crate::text::READING_VERSION,
            training: Training {
                seed: 1,
                smoothing_alpha: 1.0,
                ridge: 1.0,
                n_folds: 2,
                n_clusters_spam: 1,
                n_clusters_ham: 1,
                n_examples: 40,
                n_spam: 20,
                n_groups: 40,
                views: Vec::new(),
            },
            data: Vec::new(),
            certified_on: Vec::new(),
            metrics: Metrics::default(),
            thresholds: CardThresholds {
                hold_at: 0.25,
                reject_at: Some(0.99),
                evidence_min: 0.5,
            },
            promise: None,
            self_test: Vec::new(),
            from: None,
        },
        base_log_odds: -1.5,
        weight_step: 0.125,
        terms: vec![
            Term {
                hash: 0,
                weight: 0.5,
                in_ham: true,
            },
            Term {
                hash: 70_000,
                weight: -1.25,
                in_ham: false,
            },
            Term {
                hash: u32::MAX,
                weight: 3.0,
                in_ham: true,
            },
        ],
        evidence: Some(Evidence {
            as_of: Some(20_000),
            view_of: vec![0, 6, 3],
            rounds: vec![Round {
                is_spam: vec![false, true],
                base_log_odds: -1.5,
                factors: vec![0.25; 2 * N_VIEWS],
                counts: vec![1.0, 0.0, 0.0, 0.25, 12.0, 3.0],
            }],
        }),
    }
}

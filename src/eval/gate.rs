//! Whether a new model may take the place of the current one: the one verdict of `train --from` and `evaluate --gate`.

use serde::Serialize;

use super::metrics::Measure;
use super::report::Report;

/// How much worse than the current model a new one may be, on the comments that both judged. Chance alone moves each of
/// these a little; none may move more.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tolerance {
    /// Matthews' correlation may fall by this.
    pub mcc: f64,
    /// The calibration error may rise by this.
    pub calibration: f64,
    /// The share of readers that is rejected may rise by this.
    pub ham_rejected: f64,
    /// The share of readers that is held or rejected may rise by this.
    pub ham_stopped: f64,
    /// The share of spam that is held or rejected may fall by this.
    pub spam_stopped: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self {
            mcc: 0.01,
            calibration: 0.02,
            ham_rejected: 0.001,
            ham_stopped: 0.01,
            spam_stopped: 0.02,
        }
    }
}

/// What is worse than may be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Breach {
    /// What was measured.
    pub measure: &'static str,
    /// The current model's value.
    pub current: f64,
    /// The new one's.
    pub new: f64,
    /// By how much it may be worse.
    pub tolerance: f64,
}

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            measure,
            current,
            new,
            tolerance,
        } = self;
        write!(
            f,
            "{measure}: {new:.4} instead of {current:.4}, {tolerance} worse is tolerated"
        )
    }
}

/// What the new model is worse in than may be; nothing if it may be promoted. The report must compare it with the current
/// one as its baseline, or there is nothing to be worse than.
pub fn judge(report: &Report, tolerance: &Tolerance) -> Vec<Breach> {
    let Some(comparison) = &report.comparison else {
        return Vec::new();
    };
    let of = |wanted: Measure| {
        let change = comparison.measures.0.iter().find(|(measure, _)| *measure == wanted);
        change.and_then(|(_, change)| change.map(|change| (change.baseline, change.value)))
    };
    let mut breaches = Vec::new();
    let mut check = |measure, pair: Option<(f64, f64)>, tolerance: f64, higher_is_better: bool| {
        if let Some((current, new)) = pair {
            let worse_by = if higher_is_better { current - new } else { new - current };
            // What is equal but for rounding is not worse.
            if worse_by > tolerance + 1e-9 {
                breaches.push(Breach {
                    measure,
                    current,
                    new,
                    tolerance,
                });
            }
        }
    };
    check("Matthews' correlation", of(Measure::Mcc), tolerance.mcc, true);
    check(
        "calibration error",
        of(Measure::CalibrationError),
        tolerance.calibration,
        false,
    );
    for (line, n, tolerance, higher_is_better) in [
        ("ham rejected", report.n_ham, tolerance.ham_rejected, false),
        ("ham held or rejected", report.n_ham, tolerance.ham_stopped, false),
        ("spam held or rejected", report.n_spam, tolerance.spam_stopped, true),
    ] {
        let counts = if line.starts_with("ham") {
            &report.verdicts.ham
        } else {
            &report.verdicts.spam
        };
        let new = if line == "ham rejected" {
            counts.reject
        } else {
            counts.reject + counts.hold
        };
        let flips = comparison.verdicts.iter().find(|flips| flips.line == line);
        let shares = flips.filter(|_| n > 0).map(|flips| {
            #[expect(clippy::cast_precision_loss, reason = "counts of comments")]
            let share = |count: usize| count as f64 / n as f64;
            (share(new + flips.before - flips.now), share(new))
        });
        check(line, shares, tolerance, higher_is_better);
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comment::Label;
    use crate::eval::report::ThresholdsUsed;
    use crate::eval::{Context, Scored, evaluate, verdict};

    /// Fifty readers and fifty spammers, as a model with these probabilities for the first of each would judge them.
    fn scored(ham: &[f64], spam: &[f64]) -> Vec<Scored<'static>> {
        let thresholds = ThresholdsUsed {
            hold_at: 0.5,
            reject_at: Some(0.9),
        };
        let one = |label, probability, group| Scored {
            id: None,
            label,
            source: "test",
            text: "a text",
            named: false,
            probability,
            thin: false,
            verdict: verdict(probability, false, thresholds),
            group,
        };
        let filled = |own: &[f64], rest| {
            own.iter()
                .copied()
                .chain(std::iter::repeat(rest))
                .take(50)
                .collect::<Vec<_>>()
        };
        let ham = filled(ham, 0.01).into_iter().map(|p| (Label::Ham, p));
        let spam = filled(spam, 0.95).into_iter().map(|p| (Label::Spam, p));
        ham.chain(spam)
            .zip(0..)
            .map(|((label, p), i)| one(label, p, i))
            .collect()
    }

    fn check(new: (&[f64], &[f64]), current: (&[f64], &[f64]), expected: &[&str]) {
        let (new, current) = (scored(new.0, new.1), scored(current.0, current.1));
        let context = Context {
            baseline: Some(("current".to_owned(), &current)),
            ..Context::default()
        };
        let breaches = judge(&evaluate(&new, context), &Tolerance::default());
        let measures: Vec<&str> = breaches.iter().map(|breach| breach.measure).collect();
        assert_eq!(measures, expected);
    }

    #[test]
    fn what_is_not_worse_may_pass() {
        check((&[], &[]), (&[], &[]), &[]);
        check((&[], &[]), (&[0.95, 0.7], &[0.1]), &[]);
        check((&[0.3], &[0.92]), (&[], &[]), &[]);
    }

    #[test]
    fn what_is_worse_is_named() {
        check(
            (&[0.95], &[]),
            (&[], &[]),
            &["Matthews' correlation", "ham rejected", "ham held or rejected"],
        );
        check((&[0.95], &[]), (&[0.6], &[]), &["ham rejected"]);
        check(
            (&[], &[0.1, 0.1]),
            (&[], &[]),
            &["Matthews' correlation", "spam held or rejected"],
        );
    }

    #[test]
    fn without_a_baseline_there_is_nothing_to_be_worse_than() {
        let report = evaluate(&scored(&[0.99; 50], &[]), Context::default());
        assert!(judge(&report, &Tolerance::default()).is_empty());
    }
}

//! The gate before a promotion: is a new model worse than the current one on the same comments, by more than is
//! allowed?
//!
//! [`judge`] is pure: answers of both models in, verdict out. A share (of readers rejected, of spam caught …) fails if
//! it is worse by more than its tolerance and more than one group of near-duplicates makes the difference, for one
//! comment more or less is chance. The calibration error fails if it is worse by more than its tolerance and the 95 %
//! interval of the difference lies on the worse side. What passes although its interval reaches beyond the tolerance is
//! marked: the comments are too few to be sure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::flips::{self, FlipList};
use super::interval::{self, Estimate};
use super::metrics::{Measure, Ranked};
use super::{Scored, outcomes};
use crate::comment::Label;
use crate::verdict::Verdict;

/// The tolerances for a new model, as differences of shares in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tolerances {
    /// The tolerated rise of the share of readers' comments that are rejected.
    pub ham_rejected: f64,
    /// The tolerated rise of the share of readers' comments that are held or rejected.
    pub ham_held: f64,
    /// The tolerated fall of the share of spam that is rejected.
    pub spam_rejected: f64,
    /// The tolerated fall of the share of spam that is rejected or held.
    pub spam_caught: f64,
    /// The tolerated rise of the calibration error.
    pub calibration_error: f64,
}

impl Default for Tolerances {
    /// A reader who is wrongly rejected weighs most, spam that a person has to look at instead of nobody least.
    fn default() -> Self {
        Self {
            ham_rejected: 0.0005,
            ham_held: 0.005,
            spam_rejected: 0.03,
            spam_caught: 0.01,
            calibration_error: 0.01,
        }
    }
}

/// A model's promise about readers' comments.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Promised {
    /// At most this share is rejected.
    pub target: f64,
    /// The confidence of the promise, in [0, 1].
    pub confidence: f64,
}

/// Comments with both models' answers, in the same order.
#[derive(Debug, Clone, Copy)]
pub struct Set<'a> {
    /// The set's name for people: `held out`, `newest`.
    pub name: &'a str,
    /// The new model's answers.
    pub new: &'a [Scored<'a>],
    /// The current model's answers.
    pub old: &'a [Scored<'a>],
}

/// A criterion of the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// The share of readers' comments rejected.
    HamRejected,
    /// The share of readers' comments held or rejected.
    HamHeld,
    /// The share of spam rejected.
    SpamRejected,
    /// The share of spam rejected or held.
    SpamCaught,
    /// The calibration error.
    CalibrationError,
    /// The new model promises what the current one does.
    PromiseMade,
    /// The rejects of these comments agree with the new model's promise.
    PromiseKept,
}

impl Criterion {
    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::HamRejected => "ham rejected",
            Self::HamHeld => "ham held or rejected",
            Self::SpamRejected => "spam rejected",
            Self::SpamCaught => "spam rejected or held",
            Self::CalibrationError => "calibration error",
            Self::PromiseMade => "promise of rejects made",
            Self::PromiseKept => "promise of rejects kept here",
        }
    }
}

/// The outcome of a criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Not worse than allowed.
    Passed,
    /// Not worse than allowed here, but the comments are too few to exclude it.
    NotCertain,
    /// Worse than allowed.
    Failed,
}

/// One criterion on one set of comments.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// The set.
    pub set: String,
    /// The criterion.
    pub criterion: Criterion,
    /// The current model's value.
    pub baseline: Option<f64>,
    /// The new model's.
    pub value: Option<f64>,
    /// The new one's less the current one's, with its interval, resampled in pairs by groups.
    pub difference: Option<Estimate>,
    /// The tolerance; for a promise, its target.
    pub tolerance: Option<f64>,
    /// The outcome.
    pub outcome: Outcome,
}

/// The gate's verdict, with its grounds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gate {
    /// True if the new model may take the current one's place.
    pub passed: bool,
    /// Every criterion on every set.
    pub checks: Vec<Check>,
    /// The comments whose verdicts would change.
    pub flips: Vec<FlipList>,
}

/// Judges a new model against the current one on every set. `promised` is what the current and the new one promise;
/// `show_text` shows comments as they are instead of their shape.
pub fn judge(
    sets: &[Set<'_>],
    promised: [Option<Promised>; 2],
    tolerances: &Tolerances,
    seed: u64,
    show_text: bool,
) -> Gate {
    let mut checks = vec![promise_made(promised)];
    let mut flips = Vec::new();
    for set in sets {
        checks.extend(shares(set, tolerances, seed));
        checks.extend(calibration(set, tolerances, seed));
        checks.extend(promised[1].and_then(|promised| promise_kept(set, promised)));
        flips.extend(flips::lists(set, show_text));
    }
    Gate {
        passed: checks.iter().all(|check| check.outcome != Outcome::Failed),
        checks,
        flips,
    }
}

fn shares(set: &Set<'_>, tolerances: &Tolerances, seed: u64) -> Vec<Check> {
    let rows = [
        (
            Criterion::HamRejected,
            Label::Ham,
            Verdict::Reject,
            tolerances.ham_rejected,
        ),
        (Criterion::HamHeld, Label::Ham, Verdict::Hold, tolerances.ham_held),
        (
            Criterion::SpamRejected,
            Label::Spam,
            Verdict::Reject,
            tolerances.spam_rejected,
        ),
        (
            Criterion::SpamCaught,
            Label::Spam,
            Verdict::Hold,
            tolerances.spam_caught,
        ),
    ];
    let check = |(criterion, label, from, tolerance)| {
        let moved = Moved::count(set, label, from)?;
        // For spam, less is worse.
        let sign = if label == Label::Ham { 1.0 } else { -1.0 };
        let difference = moved.difference(seed);
        let worst = if label == Label::Ham {
            difference.high
        } else {
            -difference.low
        };
        let net_groups = (moved.groups_now as f64 - moved.groups_before as f64) * sign;
        let outcome = if sign * difference.value > tolerance && net_groups > 1.0 {
            Outcome::Failed
        } else if worst > tolerance {
            Outcome::NotCertain
        } else {
            Outcome::Passed
        };
        Some(Check {
            set: set.name.to_owned(),
            criterion,
            baseline: Some(moved.n_old as f64 / moved.n as f64),
            value: Some(moved.n_new as f64 / moved.n as f64),
            difference: Some(difference),
            tolerance: Some(tolerance),
            outcome,
        })
    };
    rows.into_iter().filter_map(check).collect()
}

/// The moves of one label's comments over a line between two models.
struct Moved {
    n: usize,
    /// Beyond the line with the new model, with the current one.
    n_new: usize,
    n_old: usize,
    /// Groups with a comment that is beyond it now only, before only.
    groups_now: usize,
    groups_before: usize,
    /// Each group's comments, and those beyond the line now less those before.
    groups: Vec<(u32, i32)>,
}

impl Moved {
    /// `None` of no comments.
    fn count(set: &Set<'_>, label: Label, from: Verdict) -> Option<Self> {
        let mut groups: BTreeMap<u32, (u32, i32)> = BTreeMap::new();
        let (mut now, mut before) = (BTreeSet::new(), BTreeSet::new());
        let (mut n, mut n_new, mut n_old) = (0, 0, 0);
        for (new, old) in set.new.iter().zip(set.old).filter(|(new, _)| new.label == label) {
            let (is_new, is_old) = (new.verdict >= from, old.verdict >= from);
            n += 1;
            n_new += usize::from(is_new);
            n_old += usize::from(is_old);
            let (size, moved) = groups.entry(new.group).or_default();
            *size += 1;
            *moved += i32::from(is_new) - i32::from(is_old);
            if is_new && !is_old {
                now.insert(new.group);
            } else if is_old && !is_new {
                before.insert(new.group);
            }
        }
        (n > 0).then(|| Self {
            n,
            n_new,
            n_old,
            groups_now: now.len(),
            groups_before: before.len(),
            groups: groups.into_values().collect(),
        })
    }

    /// The share beyond the line now less that before.
    fn difference(&self, seed: u64) -> Estimate {
        let value = (self.n_new as f64 - self.n_old as f64) / self.n as f64;
        let draws = interval::draw(self.groups.len(), seed, |times| {
            let mut sum = (0.0, 0.0);
            for (&times, &(size, moved)) in times.iter().zip(&self.groups) {
                sum.0 += f64::from(times) * f64::from(size);
                sum.1 += f64::from(times) * f64::from(moved);
            }
            sum.1 / f64::max(sum.0, 1.0)
        });
        let (low, high) = interval::spread(draws, interval::TAIL).unwrap_or((value, value));
        Estimate { value, low, high }
    }
}

fn calibration(set: &Set<'_>, tolerances: &Tolerances, seed: u64) -> Option<Check> {
    let (new, old) = (Ranked::new(&outcomes(set.new)), Ranked::new(&outcomes(set.old)));
    let measure = Measure::CalibrationError;
    let difference = interval::differences(&new, &old, seed)
        .into_iter()
        .find_map(|(found, difference)| difference.filter(|_| found == measure))?;
    let tolerance = tolerances.calibration_error;
    let outcome = if difference.value > tolerance && difference.low > 0.0 {
        Outcome::Failed
    } else if difference.high > tolerance {
        Outcome::NotCertain
    } else {
        Outcome::Passed
    };
    Some(Check {
        set: set.name.to_owned(),
        criterion: Criterion::CalibrationError,
        baseline: old.values().get(measure),
        value: new.values().get(measure),
        difference: Some(difference),
        tolerance: Some(tolerance),
        outcome,
    })
}

/// A promise may be kept or made stronger, and never given up for a weaker one or none.
fn promise_made([old, new]: [Option<Promised>; 2]) -> Check {
    let is_kept = match (old, new) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(old), Some(new)) => new.target <= old.target && new.confidence >= old.confidence,
    };
    Check {
        set: "cards".to_owned(),
        criterion: Criterion::PromiseMade,
        baseline: old.map(|promised| promised.target),
        value: new.map(|promised| promised.target),
        difference: None,
        tolerance: None,
        outcome: if is_kept { Outcome::Passed } else { Outcome::Failed },
    }
}

/// Returns true if these comments contradict the promise, by an exact interval, and more than under the current model.
fn promise_kept(set: &Set<'_>, promised: Promised) -> Option<Check> {
    let rejected = |answers: &[Scored<'_>]| {
        let ham = answers.iter().filter(|item| item.label == Label::Ham);
        let (mut n, mut rejected) = (0, 0);
        for item in ham {
            n += 1;
            rejected += usize::from(item.verdict == Verdict::Reject);
        }
        Estimate::share(rejected, n)
    };
    let (new, old) = (rejected(set.new)?, rejected(set.old)?);
    let outcome = if new.low > promised.target && new.value > old.value {
        Outcome::Failed
    } else if new.high > promised.target {
        Outcome::NotCertain
    } else {
        Outcome::Passed
    };
    Some(Check {
        set: set.name.to_owned(),
        criterion: Criterion::PromiseKept,
        baseline: Some(old.value),
        value: Some(new.value),
        difference: None,
        tolerance: Some(promised.target),
        outcome,
    })
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;

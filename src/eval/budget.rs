//! Quality budgets: what an evaluation must reach for a build or a release to go on.

use serde::Serialize;

use super::metrics::Measure;
use super::report::{Measures, Verdicts};

/// The quantity that a budget bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// At most this share of ham is rejected.
    MaxHamRejected,
    /// At most this share of ham is held.
    MaxHamHeld,
    /// At least this share of spam is rejected.
    MinSpamRejected,
    /// At least this share of spam is rejected or held.
    MinSpamCaught,
    /// At least this MCC at probability 0.5.
    MinMcc,
    /// At most this calibration error.
    MaxCalibrationError,
}

impl Budget {
    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::MaxHamRejected => "ham rejected at most",
            Self::MaxHamHeld => "ham held at most",
            Self::MinSpamRejected => "spam rejected at least",
            Self::MinSpamCaught => "spam rejected or held at least",
            Self::MinMcc => "MCC at least",
            Self::MaxCalibrationError => "calibration error at most",
        }
    }

    const fn is_maximum(self) -> bool {
        matches!(
            self,
            Self::MaxHamRejected | Self::MaxHamHeld | Self::MaxCalibrationError
        )
    }
}

/// A budget against what was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BudgetCheck {
    /// The subject.
    pub budget: Budget,
    /// The stated limit.
    pub limit: f64,
    /// The measured value; `None` where the comments cannot say, which misses the budget.
    pub value: Option<f64>,
    /// True if it is met.
    pub met: bool,
}

/// Holds what was measured against each budget. The point value counts, not the interval: a budget is about these
/// comments.
pub(super) fn check(verdicts: &Verdicts, measures: &Measures, budgets: &[(Budget, f64)]) -> Vec<BudgetCheck> {
    let measured = |budget| match budget {
        Budget::MaxHamRejected => verdicts.ham_rejected,
        Budget::MaxHamHeld => verdicts.ham_held,
        Budget::MinSpamRejected => verdicts.spam_rejected,
        Budget::MinSpamCaught => verdicts.spam_rejected_or_held,
        Budget::MinMcc => measures.get(Measure::Mcc),
        Budget::MaxCalibrationError => measures.get(Measure::CalibrationError),
    };
    let check = |&(budget, limit): &(Budget, f64)| {
        let value = measured(budget).map(|estimate| estimate.value);
        let met = value.is_some_and(|value| {
            if budget.is_maximum() {
                value <= limit
            } else {
                value >= limit
            }
        });
        BudgetCheck {
            budget,
            limit,
            value,
            met,
        }
    };
    budgets.iter().map(check).collect()
}

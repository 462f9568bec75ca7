//! The thresholds in force for an author whom the site knows well, or not at all.

use crate::model::Thresholds;
use crate::signals::History;
use crate::site::HistoryPolicy;
use crate::verdict::{Handling, Reason, ReasonCode};

/// The thresholds that an author of this standing is judged by: both milder for one who is known; for a new one only
/// `hold_at` stricter, so that no reader is rejected for being new.
pub(super) fn in_force(thresholds: &Thresholds, history: History, policy: &HistoryPolicy) -> Thresholds {
    match history {
        History::Unremarkable => *thresholds,
        History::Known => {
            let reject_at = thresholds.reject_at.map(|at| at.shifted(policy.known_shift));
            let hold_at = thresholds.hold_at.shifted(policy.known_shift);
            // Rounding must not put holding above rejecting.
            let hold_at = reject_at.filter(|reject_at| *reject_at < hold_at).unwrap_or(hold_at);
            Thresholds { hold_at, reject_at }
        }
        History::New => Thresholds {
            hold_at: thresholds.hold_at.shifted(-policy.new_shift),
            ..*thresholds
        },
    }
}

/// Tells which thresholds are in force, for information.
pub(super) fn reason(history: History, policy: &HistoryPolicy) -> Option<Reason> {
    let (code, params) = match history {
        History::Unremarkable => return None,
        History::Known => (
            ReasonCode::AuthorKnown,
            vec![("approved_min", policy.known_count.to_string())],
        ),
        History::New => (
            ReasonCode::AuthorNew,
            vec![("account_age_max_s", policy.new_account_age.as_secs().to_string())],
        ),
    };
    Some(Reason {
        params,
        ..super::reason(code, None, Handling::Publish)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::in_force;
    use crate::model::{SpamProbability, Thresholds};
    use crate::signals::History;
    use crate::site::HistoryPolicy;

    proptest! {
        #[test]
        fn thresholds_move_one_way_and_stay_in_order(
            a in 0.0..=1.0f64,
            b in 0.0..=1.0f64,
            rejects: bool,
            known_shift in 0.0..=10.0f64,
            new_shift in 0.0..=10.0f64,
        ) {
            let policy = HistoryPolicy {
                known_count: 3,
                known_shift,
                new_account_age: Duration::from_secs(1),
                new_shift,
                previous_labels: true,
            };
            let before = Thresholds {
                hold_at: SpamProbability::new(a.min(b)),
                reject_at: rejects.then(|| SpamProbability::new(a.max(b))),
            };
            prop_assert_eq!(in_force(&before, History::Unremarkable, &policy), before);
            for history in History::ALL {
                let after = in_force(&before, history, &policy);
                prop_assert!(after.reject_at.is_none_or(|reject_at| after.hold_at <= reject_at));
                // A threshold that passed through log-odds and back may have lost its last digits.
                let slack = 1e-12;
                if history == History::Known {
                    prop_assert!(after.hold_at.get() >= before.hold_at.get() - slack);
                    let get = |thresholds: &Thresholds| thresholds.reject_at.map_or(2.0, SpamProbability::get);
                    prop_assert!(get(&after) >= get(&before) - slack);
                } else {
                    prop_assert!(after.hold_at.get() <= before.hold_at.get() + slack);
                    prop_assert_eq!(after.reject_at, before.reject_at);
                }
            }
        }
    }

    #[test]
    fn even_odds_move_by_the_shift() {
        let policy = HistoryPolicy {
            known_count: 3,
            known_shift: 1.0,
            new_account_age: Duration::from_secs(1),
            new_shift: 0.7,
            previous_labels: true,
        };
        let before = Thresholds {
            hold_at: SpamProbability::new(0.5),
            reject_at: Some(SpamProbability::new(0.99)),
        };
        let known = in_force(&before, History::Known, &policy);
        assert!((known.hold_at.get() - 0.731_06).abs() < 1e-5, "{known:?}");
        assert!((known.reject_at.unwrap().get() - 0.996_30).abs() < 1e-5, "{known:?}");
        let new = in_force(&before, History::New, &policy);
        assert!((new.hold_at.get() - 0.331_81).abs() < 1e-5, "{new:?}");
    }
}

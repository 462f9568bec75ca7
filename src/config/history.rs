//! `[defaults.history]`: how the past of an author and of a comment counts.

use serde::Deserialize;

use super::raw;
use crate::site::HistoryPolicy;

/// The largest shift, in log-odds: it makes 0.5 to 0.99995, beyond which no threshold would be left.
const SHIFT_MAX: f64 = 10.0;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHistory {
    known_count: u32,
    known_shift: f64,
    new_account_age: String,
    new_shift: f64,
    previous_labels: bool,
}

impl RawHistory {
    /// Checks the section; `problems` says what is wrong with it.
    pub(super) fn resolve(&self, path: &str, problems: &mut Vec<String>) -> HistoryPolicy {
        if self.known_count == 0 {
            let what = "is 0; at least 1 is needed, and known_shift = 0.0 switches it off";
            problems.push(format!("{path}.known_count: {what}"));
        }
        for (name, shift) in [("known_shift", self.known_shift), ("new_shift", self.new_shift)] {
            if !(0.0..=SHIFT_MAX).contains(&shift) {
                problems.push(format!("{path}.{name}: {shift} is not between 0 and {SHIFT_MAX}"));
            }
        }
        let new_account_age = raw::duration(&format!("{path}.new_account_age"), &self.new_account_age, problems);
        HistoryPolicy {
            known_count: self.known_count,
            known_shift: self.known_shift,
            new_account_age: new_account_age.unwrap_or_default(),
            new_shift: self.new_shift,
            previous_labels: self.previous_labels,
        }
    }
}

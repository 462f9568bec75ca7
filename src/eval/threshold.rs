//! The choice of thresholds: `reject_at` as a promise that the data carries, `hold_at` as a stated share of work.
//!
//! **The promise.** "Of readers like those in the certification data, at most `target` are rejected" is tested for one
//! candidate threshold after another, from the strictest down, and stops at the first that the data does not carry.
//! Each test is exact: if the true rate were above the target, so few misses would come up with probability P(Bin(n,
//! target) ≤ misses), the p-value of Clopper & Pearson (Biometrika 26, 1934). Testing in an order that was fixed
//! beforehand and stopping at the first failure keeps the probability of *any* false certificate at 1 − confidence
//! without a correction for the number of candidates (fixed-sequence testing: Maurer, Hothorn & Lehmacher 1995; in the
//! words of Angelopoulos, Bates, Candès, Jordan & Lei, "Learn then Test", 2021, family-wise error over a fixed
//! sequence). That is why the candidates must never depend on the data.
//!
//! It holds for comments like the certifying ones, drawn independently: near-duplicates among them claim more support
//! than there is, and comments that training, fusion or calibration saw claim a lower rate than there is.

use super::binomial;

/// A `reject_at` that the data carries, with what it was promised on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Certified {
    /// The lowest certified spam probability from which a comment may be rejected.
    pub threshold: f64,
    /// The promised share of readers rejected, at most.
    pub target: f64,
    /// The probability that the promise is kept, over draws of the certification data.
    pub confidence: f64,
    /// The number of readers' comments certified it.
    pub support: usize,
    /// The number of those would be rejected.
    pub misses: usize,
    /// The Clopper–Pearson bound on the true share rejected, at `confidence`: at most `target`.
    pub upper_bound: f64,
}

/// The work that a desk can do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HoldBudget {
    /// Comments that people can look at in a day.
    pub holds_per_day: f64,
    /// Comments expected in a day.
    pub comments_per_day: f64,
    /// The share of those that is spam, in [0, 1]; what is not rejected of it takes the desk's time too.
    pub spam_share: f64,
}

/// The candidates for `reject_at`, strictest first: even steps of log-odds from 0.999999 down to 0.5.
/// Fixed here, once, so that no data can have a say in them.
pub fn reject_candidates() -> Vec<f64> {
    log_odds_grid(0, 276).rev().collect()
}

/// Certifies the lowest candidate at which at most `target` of readers are rejected, with `confidence`.
///
/// `ham` holds the spam probabilities of readers' comments that nothing else saw; one that may not be rejected at all
/// (thin evidence) counts as 0. `candidates` must be in falling order and independent of `ham`:
/// [`reject_candidates`]. `None` if not even the strictest is carried; [`support_needed`] says what it would take.
///
/// ```
/// use moderato::eval::threshold::{certify_reject, reject_candidates, support_needed};
///
/// let mut ham = vec![0.02; 2_994];
/// assert_eq!(certify_reject(&ham, 0.001, 0.95, &reject_candidates()), None);
/// assert_eq!(support_needed(0, 0.001, 0.95), 2_995);
/// ham.push(0.7);
/// let promise = certify_reject(&ham, 0.001, 0.95, &reject_candidates()).expect("2,995 without a miss");
/// assert!(promise.threshold > 0.7 && promise.misses == 0);
/// ```
pub fn certify_reject(ham: &[f64], target: f64, confidence: f64, candidates: &[f64]) -> Option<Certified> {
    let mut sorted = ham.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let n = sorted.len();
    let mut certified = None;
    for &threshold in candidates {
        let misses = sorted.partition_point(|&p| p >= threshold);
        if binomial::at_most(misses as u64, n as u64, target) > 1.0 - confidence {
            break;
        }
        certified = Some((threshold, misses));
    }
    certified.map(|(threshold, misses)| Certified {
        threshold,
        target,
        confidence,
        support: n,
        misses,
        upper_bound: binomial::upper_bound(misses as u64, n as u64, confidence),
    })
}

/// The number of readers' comments that it takes to promise `target` at `confidence` when `misses` of them are
/// rejected: 2,995 without a miss for 1 in 1,000 at 95 %, 4,742 with one.
pub fn support_needed(misses: usize, target: f64, confidence: f64) -> usize {
    let carried = |n: usize| binomial::at_most(misses as u64, n as u64, target) <= 1.0 - confidence;
    let mut high = misses + 1;
    while !carried(high) && high < usize::MAX / 4 {
        high *= 2;
    }
    let mut low = high / 2;
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if carried(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// The probability at which spam and ham are as likely.
const EVEN_ODDS: f64 = 0.5;

/// The lowest threshold at which at most `share` of readers' comments are held or rejected. `ham` holds the spam
/// probabilities of readers' comments that the model did not learn from. So few of them that not one may be held say
/// where these readers end and nothing of others: then nothing below even odds is held.
pub fn hold_at_share(ham: &[f64], share: f64) -> f64 {
    let allowed = share * ham.len() as f64;
    let threshold = lowest(|threshold| count_from(ham, threshold) as f64 <= allowed);
    if allowed < 1.0 {
        threshold.max(EVEN_ODDS)
    } else {
        threshold
    }
}

/// The lowest threshold whose holds a desk can read, for comments like these in the mix that the budget states.
/// Comments from `reject_at` up are rejected and take no time.
pub fn hold_at_budget(ham: &[f64], spam: &[f64], reject_at: Option<f64>, budget: &HoldBudget) -> f64 {
    let held = |of: &[f64], threshold: f64| {
        let rejected = reject_at.map_or(0, |reject| count_from(of, reject));
        count_from(of, threshold).saturating_sub(rejected) as f64 / of.len().max(1) as f64
    };
    lowest(|threshold| {
        let share = (1.0 - budget.spam_share) * held(ham, threshold) + budget.spam_share * held(spam, threshold);
        share * budget.comments_per_day <= budget.holds_per_day
    })
}

fn count_from(probabilities: &[f64], threshold: f64) -> usize {
    probabilities.iter().filter(|&&p| p >= threshold).count()
}

/// The lowest threshold from which on all stricter ones are affordable: even steps of log-odds from 0.001 up. If even
/// the strictest is not, that one.
fn lowest(affordable: impl Fn(f64) -> bool) -> f64 {
    let mut chosen = None;
    for threshold in log_odds_grid(-138, 276).rev() {
        if chosen.is_some() && !affordable(threshold) {
            break;
        }
        chosen = Some(threshold);
    }
    chosen.unwrap_or(1.0)
}

/// Probabilities at even steps of 0.05 in log-odds: fine enough that neighbors differ by 5 % of the odds.
fn log_odds_grid(from: i32, to: i32) -> impl DoubleEndedIterator<Item = f64> {
    (from..=to).map(|step| 1.0 / (1.0 + (-0.05 * f64::from(step)).exp()))
}

#[cfg(test)]
mod tests;

//! Intervals of measures by resampling whole groups of near-duplicates, for one model or for two at once.
//!
//! The percentile bootstrap (B. Efron 1979) over groups: a spam campaign's hundred copies are one observation, and
//! drawing them one by one would make every interval too narrow. A share counted over comments gets the wider of that
//! and the exact Clopper–Pearson interval, so that "none of 4,000" does not claim to be none for ever. Two known
//! limits: a ranking measure at its very end (ROC-AUC 1.0) gets an interval of no width, and the calibration error can
//! only grow by noise, so that its draws lie too high: their interval is moved down by what their median exceeds the
//! value.

use serde::Serialize;

use super::binomial;
use super::metrics::{Measure, Ranked, Values};
use super::random::SplitMix64;

/// The confidence of every interval in a report.
pub const CONFIDENCE: f64 = 0.95;
/// The probability that an interval leaves out on either side.
pub(super) const TAIL: f64 = (1.0 - CONFIDENCE) / 2.0;

/// A value with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

impl Estimate {
    /// A share of `k` in `n` with its exact interval. `None` of nothing.
    pub fn share(k: usize, n: usize) -> Option<Self> {
        let (low, high) = binomial::interval(k as u64, n as u64, CONFIDENCE);
        (n > 0).then(|| Self {
            value: k as f64 / n as f64,
            low,
            high,
        })
    }
}

/// Every measure with its interval, in the order of [`Measure::ALL`]; `None` where the comments cannot say.
pub fn estimates(ranked: &Ranked, seed: u64) -> Vec<(Measure, Option<Estimate>)> {
    let draws: Vec<Values> = draw(ranked.n_groups(), seed, |times| ranked.resampled(times));
    let point = ranked.values();
    let estimate = |measure| {
        let value = point.get(measure)?;
        let (mut low, mut high) = spread(draws.iter().filter_map(|values| values.get(measure)).collect(), TAIL)?;
        if measure == Measure::CalibrationError {
            let (middle, _) = spread(draws.iter().filter_map(|values| values.get(measure)).collect(), 0.5)?;
            (low, high) = (
                (low + value - middle).clamp(0.0, value),
                (high + value - middle).max(value),
            );
        }
        let exact = ranked.counts(measure).and_then(|(k, n)| Estimate::share(k, n));
        let (low, high) = exact.map_or((low, high), |exact| (low.min(exact.low), high.max(exact.high)));
        Some(Estimate { value, low, high })
    };
    Measure::ALL
        .iter()
        .map(|&measure| (measure, estimate(measure)))
        .collect()
}

/// The differences between two models on the same comments: new − old, resampled in pairs.
pub fn differences(new: &Ranked, old: &Ranked, seed: u64) -> Vec<(Measure, Option<Estimate>)> {
    let n_groups = new.n_groups().max(old.n_groups());
    let draws: Vec<(Values, Values)> = draw(n_groups, seed, |times| (new.resampled(times), old.resampled(times)));
    let minus = |new: &Values, old: &Values, measure| Some(new.get(measure)? - old.get(measure)?);
    let point = (new.values(), old.values());
    let estimate = |measure| {
        let value = minus(&point.0, &point.1, measure)?;
        let (low, high) = spread(
            draws.iter().filter_map(|(new, old)| minus(new, old, measure)).collect(),
            TAIL,
        )?;
        Some(Estimate { value, low, high })
    };
    Measure::ALL
        .iter()
        .map(|&measure| (measure, estimate(measure)))
        .collect()
}

/// Draws as many groups as there are, with repetition, again and again, and measures each draw.
pub(super) fn draw<T>(n_groups: usize, seed: u64, measure: impl Fn(&[u32]) -> T) -> Vec<T> {
    // A thousand draws place the 2.5 % ends well; large sets have narrow intervals and need fewer.
    let n_draws = (20_000_000 / n_groups.max(1)).clamp(200, 1000);
    let mut random = SplitMix64::new(seed);
    let mut times = vec![0_u32; n_groups];
    (0..n_draws)
        .map(|_| {
            times.fill(0);
            for _ in 0..n_groups {
                times[random.below(n_groups)] += 1;
            }
            measure(&times)
        })
        .collect()
}

/// The interval between a tail of the draws below and as large a one above.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index into a thousand draws, not negative"
)]
pub(super) fn spread(mut draws: Vec<f64>, tail: f64) -> Option<(f64, f64)> {
    draws.sort_by(f64::total_cmp);
    let last = draws.len().checked_sub(1)?;
    let tail = (tail * last as f64).round() as usize;
    Some((draws[tail], draws[last - tail]))
}

/// McNemar's exact test: how likely a split of changed verdicts as uneven as this is, if neither model is better.
pub fn mcnemar(gained: usize, lost: usize) -> f64 {
    let (fewer, all) = (gained.min(lost) as u64, (gained + lost) as u64);
    (2.0 * binomial::at_most(fewer, all, 0.5)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::super::metrics::Outcome;
    use super::*;

    fn noisy(seed: u64, n: u32, copies: u32) -> Vec<Outcome> {
        let mut random = SplitMix64::new(seed);
        let mut all = Vec::new();
        for group in 0..n {
            let spam = random.unit() < 0.5;
            let probability = (0.5 * random.unit() + if spam { 0.35 } else { 0.15 }).clamp(0.0, 1.0);
            all.extend((0..copies).map(|_| Outcome {
                spam,
                probability,
                group,
            }));
        }
        all
    }

    fn auc(outcomes: &[Outcome]) -> Estimate {
        estimates(&Ranked::new(outcomes), 1)[Measure::RocAuc as usize]
            .1
            .unwrap()
    }

    #[test]
    fn mcnemar_is_scipys() {
        for case in crate::eval::oracle::expected()["mcnemar"].as_array().unwrap() {
            let count = |i: usize| usize::try_from(case[i].as_u64().unwrap()).unwrap();
            assert!(
                (mcnemar(count(0), count(1)) - case[2].as_f64().unwrap()).abs() < 1e-12,
                "{case}"
            );
        }
    }

    /// The bootstrap's width against the closed form that DeLong and others found in 1988.
    #[test]
    fn the_auc_interval_is_as_wide_as_delongs() {
        for case in crate::eval::oracle::expected()["measures"].as_array().unwrap() {
            let numbers = |name: &str| case[name].as_array().unwrap().iter().map(|v| v.as_f64().unwrap());
            let outcomes: Vec<Outcome> = (0..)
                .zip(numbers("spam").zip(numbers("probability")))
                .map(|(group, (spam, probability))| Outcome {
                    spam: spam == 1.0,
                    probability,
                    group,
                })
                .collect();
            let width = 2.0 * 1.96 * case["roc_auc_variance"].as_f64().unwrap().sqrt();
            let found = auc(&outcomes);
            assert!(
                ((found.high - found.low) / width - 1.0).abs() < 0.2,
                "{found:?} is not {width} wide"
            );
        }
    }

    #[test]
    fn a_calibration_error_is_inside_its_interval() {
        for seed in 0..5 {
            let found = estimates(&Ranked::new(&noisy(seed, 60, 1)), 1)[Measure::CalibrationError as usize]
                .1
                .unwrap();
            assert!(found.low < found.value && found.value < found.high, "{found:?}");
        }
    }

    #[test]
    fn copies_add_no_certainty() {
        let (once, copied) = (auc(&noisy(3, 150, 1)), auc(&noisy(3, 150, 10)));
        assert!((once.value - copied.value).abs() < 1e-12);
        assert!((once.low - copied.low).abs() < 1e-12 && (once.high - copied.high).abs() < 1e-12);
    }

    #[test]
    fn none_of_few_is_not_none_for_ever() {
        let outcomes: Vec<Outcome> = (0..100)
            .map(|group| Outcome {
                spam: false,
                probability: 0.1,
                group,
            })
            .collect();
        let blocked = estimates(&Ranked::new(&outcomes), 1)[Measure::HamBlocked as usize]
            .1
            .unwrap();
        assert!(
            blocked.value == 0.0 && blocked.high > 0.036 && blocked.high < 0.037,
            "{blocked:?}"
        );
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let ranked = Ranked::new(&noisy(5, 100, 1));
        assert_eq!(estimates(&ranked, 9), estimates(&ranked, 9));
    }

    #[test]
    fn a_model_does_not_differ_from_itself() {
        let ranked = Ranked::new(&noisy(5, 100, 1));
        for (measure, difference) in differences(&ranked, &ranked, 1) {
            assert_eq!(
                difference,
                Some(Estimate {
                    value: 0.0,
                    low: 0.0,
                    high: 0.0
                }),
                "{measure:?}"
            );
        }
    }
}

use proptest::prelude::*;

use super::*;
use crate::eval::random::SplitMix64;

#[test]
fn the_promise_costs_what_the_binomial_says() {
    assert_eq!(support_needed(0, 0.001, 0.95), 2995);
    assert_eq!(support_needed(1, 0.001, 0.95), 4742);
    assert!(certify_reject(&vec![0.0; 2994], 0.001, 0.95, &reject_candidates()).is_none());
    let found = certify_reject(&vec![0.0; 2995], 0.001, 0.95, &reject_candidates()).unwrap();
    assert_eq!((found.threshold, found.misses, found.support), (0.5, 0, 2995));
}

#[test]
fn one_miss_costs_the_thresholds_below_it_or_more_support() {
    let mut ham = vec![0.01; 2999];
    ham.push(0.97);
    let found = certify_reject(&ham, 0.001, 0.95, &reject_candidates()).unwrap();
    assert!(found.threshold > 0.97 && found.threshold < 0.98, "{found:?}");
    ham.extend(vec![0.01; 1742]);
    assert_eq!(ham.len(), 4742);
    assert_eq!(
        certify_reject(&ham, 0.001, 0.95, &reject_candidates()).unwrap().misses,
        1
    );
}

#[test]
fn no_data_carries_no_promise() {
    assert!(certify_reject(&[], 0.001, 0.95, &reject_candidates()).is_none());
}

#[test]
fn candidates_fall_from_near_certain_to_even() {
    let candidates = reject_candidates();
    assert!(candidates.windows(2).all(|pair| pair[0] > pair[1]));
    assert!(candidates[0] > 0.999_998 && *candidates.last().unwrap() == 0.5);
}

#[test]
fn few_readers_say_nothing_of_others() {
    let few = vec![0.001; 50];
    assert!((hold_at_share(&few, 0.01) - 0.5).abs() < 1e-12);
    let enough = vec![0.001; 100];
    assert!(hold_at_share(&enough, 0.01) < 0.002);
}

#[test]
fn holds_stay_within_their_share() {
    let ham: Vec<f64> = (0..1000).map(|i| f64::from(i) / 1000.0).collect();
    let at = hold_at_share(&ham, 0.01);
    assert!(at > 0.989 && at < 0.991, "{at}");
    assert!(
        hold_at_share(&[1.0; 50], 0.01) > 0.999,
        "the strictest, where nothing is affordable"
    );
}

#[test]
fn a_desk_reads_the_spam_that_is_not_rejected_too() {
    let ham: Vec<f64> = (0..1000).map(|i| f64::from(i) / 1000.0).collect();
    let spam = [vec![0.8; 50], vec![0.999; 50]].concat();
    let budget = HoldBudget {
        holds_per_day: 40.0,
        comments_per_day: 6600.0,
        spam_share: 0.0,
    };
    let at = hold_at_budget(&ham, &spam, None, &budget);
    assert!(
        ham.iter().filter(|&&p| p >= at).count() <= 6,
        "40 in 6,600 are 6 in 1,000: {at}"
    );
    let with_spam = hold_at_budget(
        &ham,
        &spam,
        None,
        &HoldBudget {
            spam_share: 0.1,
            ..budget
        },
    );
    assert!(with_spam > at);
    let with_rejects = hold_at_budget(
        &ham,
        &spam,
        Some(0.998),
        &HoldBudget {
            spam_share: 0.1,
            ..budget
        },
    );
    assert!(with_rejects < with_spam, "what is rejected takes nobody's time");
}

/// The guarantee itself: over many draws of certification data, the certified threshold's true rate of rejected
/// readers exceeds the target in at most 5 % of them.
#[test]
fn the_promise_is_kept_as_often_as_stated() {
    let (target, confidence, draws, n) = (0.01, 0.95, 400_u32, 600);
    let mut random = SplitMix64::new(7);
    let mut broken = 0;
    for _ in 0..draws {
        // Readers' probabilities of spam: uniform to the power of 4, so P(p ≥ t) = 1 − t^(1/4) is known exactly.
        let ham: Vec<f64> = (0..n).map(|_| random.unit().powi(4)).collect();
        if let Some(found) = certify_reject(&ham, target, confidence, &reject_candidates()) {
            broken += u64::from(1.0 - found.threshold.powf(0.25) > target);
        }
    }
    // Fails by chance once in a thousand seeds if the rate is exactly the 5 % that is allowed; this seed is fixed.
    assert!(
        binomial::at_least(broken, u64::from(draws), 0.05) > 0.001,
        "{broken} of {draws} promises broken"
    );
    assert!(broken > 0, "an exact test at 5 % that never errs gives threshold away");
}

proptest! {
    #[test]
    fn nothing_is_certified_above_its_target(
        ham in prop::collection::vec(0.0f64..=1.0, 0..400),
        target in 0.001f64..0.2,
        confidence in 0.5f64..0.999,
    ) {
        let squared: Vec<f64> = ham.iter().map(|p| p.powi(6)).collect();
        if let Some(found) = certify_reject(&squared, target, confidence, &reject_candidates()) {
            prop_assert!(found.upper_bound <= target * (1.0 + 1e-9));
            prop_assert_eq!(found.misses, squared.iter().filter(|&&p| p >= found.threshold).count());
            prop_assert!(support_needed(found.misses, target, confidence) <= found.support);
        } else {
            // The strictest candidate was refused, so the data is too small for its misses.
            let misses = squared.iter().filter(|&&p| p >= reject_candidates()[0]).count();
            prop_assert!(support_needed(misses, target, confidence) > squared.len());
        }
    }

    #[test]
    fn a_larger_share_never_holds_less(ham in prop::collection::vec(0.0f64..=1.0, 1..300), share in 0.0f64..0.5) {
        let at = hold_at_share(&ham, share);
        prop_assert!(hold_at_share(&ham, share * 1.5) <= at);
    }
}

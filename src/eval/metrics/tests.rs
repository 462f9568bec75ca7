use proptest::prelude::*;

use super::*;

fn ranked(pairs: &[(bool, f64)]) -> Ranked {
    let outcomes: Vec<Outcome> = pairs
        .iter()
        .zip(0..)
        .map(|(&(spam, probability), group)| Outcome {
            spam,
            probability,
            group,
        })
        .collect();
    Ranked::new(&outcomes)
}

/// scikit-learn's numbers: tests/oracle/metrics.py.
#[test]
fn measures_are_scikit_learns() {
    for case in crate::eval::oracle::expected()["measures"].as_array().unwrap() {
        let numbers = |name: &str| case[name].as_array().unwrap().iter().map(|v| v.as_f64().unwrap());
        let pairs: Vec<(bool, f64)> = numbers("spam")
            .map(|spam| spam == 1.0)
            .zip(numbers("probability"))
            .collect();
        let ranked = ranked(&pairs);
        for measure in Measure::ALL {
            let name = serde_json::to_value(measure).unwrap();
            let (found, expected) = (
                ranked.values().get(measure).unwrap(),
                case[name.as_str().unwrap()].as_f64(),
            );
            assert!(
                (found - expected.unwrap()).abs() < 1e-12,
                "{name}: {found} is not {expected:?}"
            );
        }
        let at_tenth = ranked.caught_at(0.1).unwrap();
        assert!((at_tenth - case["caught_at_10_percent"].as_f64().unwrap()).abs() < 1e-12);
    }
}

#[test]
fn what_one_label_cannot_say_is_left_out() {
    let values = ranked(&[(false, 0.1), (false, 0.6)]).values();
    for measure in [
        Measure::Mcc,
        Measure::RocAuc,
        Measure::PrAuc,
        Measure::SpamCaught,
        Measure::CaughtAtOne,
    ] {
        assert_eq!(values.get(measure), None, "{measure:?}");
    }
    assert_eq!(values.get(Measure::HamBlocked), Some(0.5));
    assert!(
        Measure::ALL
            .iter()
            .all(|&measure| ranked(&[]).values().get(measure).is_none())
    );
}

#[test]
fn the_last_bin_holds_certainty() {
    assert_eq!(
        (calibration_bin(0.0), calibration_bin(0.0667), calibration_bin(1.0)),
        (0, 1, 14)
    );
}

#[test]
fn a_perfect_and_a_constant_classifier() {
    let perfect = ranked(&[(true, 1.0), (true, 0.9), (false, 0.0)]).values();
    assert_eq!(
        (perfect.get(Measure::Mcc), perfect.get(Measure::RocAuc)),
        (Some(1.0), Some(1.0))
    );
    let constant = ranked(&[(true, 0.5), (false, 0.5), (false, 0.5), (true, 0.5)]).values();
    assert_eq!(
        (constant.get(Measure::RocAuc), constant.get(Measure::Mcc)),
        (Some(0.5), Some(0.0))
    );
    assert_eq!(constant.get(Measure::CalibrationError), Some(0.0));
}

fn scored() -> impl Strategy<Value = Vec<(bool, f64)>> {
    // Tenths, so that ties are common.
    prop::collection::vec(
        (any::<bool>(), (0u8..=10).prop_map(|tenth| f64::from(tenth) / 10.0)),
        1..80,
    )
}

proptest! {
    #[test]
    fn every_measure_is_in_its_range(pairs in scored()) {
        let values = ranked(&pairs).values();
        for measure in Measure::ALL {
            let Some(value) = values.get(measure) else { continue };
            let (low, high) = match measure {
                Measure::Mcc => (-1.0, 1.0),
                Measure::LogLoss => (0.0, 37.0),
                _ => (0.0, 1.0),
            };
            prop_assert!(value >= low - 1e-12 && value <= high + 1e-12, "{:?} {}", measure, value);
        }
    }

    #[test]
    fn ranking_measures_survive_monotone_maps(pairs in scored()) {
        let mapped: Vec<(bool, f64)> = pairs.iter().map(|&(spam, p)| (spam, p * p * 0.9 + 0.05)).collect();
        let (before, after) = (ranked(&pairs).values(), ranked(&mapped).values());
        for measure in [Measure::RocAuc, Measure::PrAuc, Measure::CaughtAtTenth, Measure::CaughtAtOne] {
            prop_assert_eq!(before.get(measure), after.get(measure));
        }
    }

    #[test]
    fn turning_the_labels_round_turns_the_measures_round(pairs in scored()) {
        // 0.5 itself is spam on both sides, so it is moved.
        let pairs: Vec<(bool, f64)> = pairs.into_iter().map(|(spam, p)| (spam, 0.93 * p + 0.01)).collect();
        let turned: Vec<(bool, f64)> = pairs.iter().map(|&(spam, p)| (!spam, 1.0 - p)).collect();
        let (values, turned) = (ranked(&pairs).values(), ranked(&turned).values());
        for measure in [Measure::Accuracy, Measure::Mcc, Measure::RocAuc, Measure::Brier, Measure::LogLoss] {
            let (a, b) = (values.get(measure), turned.get(measure));
            prop_assert!(a.is_some() == b.is_some() && (a.unwrap_or(0.0) - b.unwrap_or(0.0)).abs() < 1e-12);
        }
    }

    #[test]
    fn order_and_repetition_change_nothing(pairs in scored()) {
        let twice: Vec<(bool, f64)> = pairs.iter().rev().chain(&pairs).copied().collect();
        let (once, twice) = (ranked(&pairs).values(), ranked(&twice).values());
        for measure in Measure::ALL {
            let (a, b) = (once.get(measure), twice.get(measure));
            prop_assert!(a.is_some() == b.is_some() && (a.unwrap_or(0.0) - b.unwrap_or(0.0)).abs() < 1e-9);
        }
    }
}

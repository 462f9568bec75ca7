use proptest::prelude::*;

use super::*;
use crate::eval::report::ThresholdsUsed;
use crate::eval::verdict;

const USED: ThresholdsUsed = ThresholdsUsed {
    hold_at: 0.4,
    reject_at: Some(0.9),
};
const PROMISED: Option<Promised> = Some(Promised {
    target: 0.001,
    confidence: 0.95,
});

fn scored(label: Label, probability: f64, group: u32) -> Scored<'static> {
    Scored {
        id: None,
        label,
        source: "gazette",
        text: "Meet me at 12, Ann",
        named: false,
        probability,
        thin: false,
        verdict: verdict(probability, false, USED),
        group,
    }
}

/// 1,000 ham and 200 spam, of which the first `ham` and `spam` get these probabilities instead of 0.1 and 0.95.
fn answers(ham: (u32, f64), spam: (u32, f64)) -> Vec<Scored<'static>> {
    let of = |label, n: u32, usual: f64, (changed, to): (u32, f64), from: u32| {
        (0..n).map(move |i| scored(label, if i < changed { to } else { usual }, from + i))
    };
    of(Label::Ham, 1000, 0.1, ham, 0)
        .chain(of(Label::Spam, 200, 0.95, spam, 1000))
        .collect()
}

fn gate(new: &[Scored<'_>], old: &[Scored<'_>]) -> Gate {
    let set = Set {
        name: "held out",
        new,
        old,
    };
    judge(&[set], [PROMISED, PROMISED], &Tolerances::default(), 1, false)
}

fn outcome(gate: &Gate, criterion: Criterion) -> Outcome {
    gate.checks
        .iter()
        .find(|check| check.criterion == criterion)
        .unwrap()
        .outcome
}

const NONE: (u32, f64) = (0, 0.0);

#[test]
fn a_model_may_replace_itself() {
    let same = answers((3, 0.5), (5, 0.1));
    let gate = gate(&same, &same);
    assert!(gate.passed && gate.flips.is_empty());
    assert!(
        gate.checks
            .iter()
            .filter(|c| c.criterion != Criterion::PromiseKept)
            .all(|c| c.outcome == Outcome::Passed)
    );
}

#[test]
fn more_readers_rejected_than_allowed_fails_and_one_is_chance() {
    let old = answers(NONE, NONE);
    let worse = gate(&answers((2, 0.99), NONE), &old);
    assert!(!worse.passed);
    assert_eq!(outcome(&worse, Criterion::HamRejected), Outcome::Failed);
    assert_eq!((worse.flips[0].kind, worse.flips[0].n), ("ham newly rejected", 2));
    let chance = gate(&answers((1, 0.99), NONE), &old);
    assert!(chance.passed);
    assert_eq!(outcome(&chance, Criterion::HamRejected), Outcome::NotCertain);
}

#[test]
fn near_duplicates_are_one_observation() {
    let old = answers(NONE, NONE);
    let mut new = answers((30, 0.5), NONE);
    assert!(!gate(&new, &old).passed);
    let mut old = old;
    for item in new.iter_mut().take(30).chain(old.iter_mut().take(30)) {
        item.group = 0;
    }
    let gate = gate(&new, &old);
    assert_eq!(outcome(&gate, Criterion::HamHeld), Outcome::NotCertain);
    assert_eq!((gate.flips[0].n, gate.flips[0].n_groups), (30, 1));
}

#[test]
fn less_spam_caught_than_allowed_fails_and_more_does_not() {
    let (old, new) = (answers(NONE, NONE), answers(NONE, (10, 0.2)));
    let worse = gate(&new, &old);
    assert_eq!(outcome(&worse, Criterion::SpamCaught), Outcome::Failed);
    assert_eq!(worse.flips[0].kind, "spam no longer caught");
    assert!(gate(&old, &new).passed);
}

#[test]
fn spam_held_instead_of_rejected_is_allowed_more_of() {
    let old = answers(NONE, NONE);
    let a_little = gate(&answers(NONE, (5, 0.6)), &old);
    assert_ne!(outcome(&a_little, Criterion::SpamRejected), Outcome::Failed);
    assert_eq!(
        outcome(&gate(&answers(NONE, (20, 0.6)), &old), Criterion::SpamRejected),
        Outcome::Failed
    );
}

#[test]
fn a_promise_is_not_given_up() {
    let same = answers(NONE, NONE);
    let set = Set {
        name: "held out",
        new: &same,
        old: &same,
    };
    let passes = |old, new| judge(&[set], [old, new], &Tolerances::default(), 1, false).passed;
    let weaker = Some(Promised {
        target: 0.01,
        confidence: 0.95,
    });
    assert!(passes(None, None) && passes(None, PROMISED) && passes(weaker, PROMISED));
    assert!(!passes(PROMISED, None) && !passes(PROMISED, weaker));
}

#[test]
fn every_set_must_pass() {
    let (good, bad) = (answers(NONE, NONE), answers((20, 0.99), NONE));
    let sets = [("held out", &good), ("newest", &bad)].map(|(name, new)| Set { name, new, old: &good });
    let gate = judge(&sets, [None, None], &Tolerances::default(), 1, false);
    let failed: Vec<&str> = gate
        .checks
        .iter()
        .filter(|check| check.outcome == Outcome::Failed)
        .map(|check| check.set.as_str())
        .collect();
    assert!(!gate.passed && !failed.is_empty() && failed.iter().all(|set| *set == "newest"));
}

#[test]
fn texts_are_shapes_unless_asked_for() {
    let (old, new) = (answers(NONE, NONE), answers((20, 0.99), NONE));
    let set = Set {
        name: "held out",
        new: &new,
        old: &old,
    };
    let text = |show| {
        let gate = judge(&[set], [None, None], &Tolerances::default(), 1, show);
        gate.flips[0].strongest[0].text.clone()
    };
    assert!(!text(false).contains("Ann") && text(true).contains("Ann"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    /// A model that gives readers less and spammers more spam probability never fails.
    #[test]
    fn better_answers_never_fail(usual in 0.41_f64..1.0, ham in 0_u32..40, spam in 0_u32..40) {
        let old = answers((ham, usual), (spam, 0.3));
        let new = answers(NONE, NONE);
        let set = Set { name: "held out", new: &new, old: &old };
        for check in shares(&set, &Tolerances::default(), 1) {
            prop_assert_ne!(check.outcome, Outcome::Failed);
        }
    }
}

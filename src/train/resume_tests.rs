use super::*;
use crate::train::testing::{example, kept, sample};
use crate::train::{TrainParams, train};

fn base() -> Parts {
    let examples: Vec<Example> = sample(100);
    train(&examples, &[], &TrainParams::default(), &mut |_| ())
        .unwrap()
        .parts
}

fn resume(parts: &Parts) -> Resume<'_> {
    Resume {
        parts,
        version: "before",
        half_life_days: None,
        reviewer_cap: 100,
        choose_hold: false,
    }
}

fn go_on(resume: Resume<'_>, examples: &[Example]) -> Resumed {
    train_from(resume, examples, &[], &TrainParams::default(), &mut |_| ()).unwrap()
}

/// Spam of a cluster that the base has not seen, no two alike.
fn new_spam(n: usize) -> Vec<Example> {
    let who = ["Grandmaster Olu", "the temple healer", "Doctor Zara", "Mama Odede"];
    let what = [
        "brought my husband back",
        "cured my herpes with herbs",
        "cast a love spell for me",
        "broke the curse",
    ];
    let then = [
        "text him on whatsapp today",
        "his powers are real, contact him",
        "thank you great spell caster",
    ];
    (0..n)
        .map(|i| {
            let text = format!("{} {} in {} days, {}", who[i % 4], what[i / 4 % 4], i + 2, then[i % 3]);
            example(Label::Spam, &text)
        })
        .collect()
}

fn probability(parts: &Parts, text: &str) -> f64 {
    let model = crate::model::SpamModel::new(parts.clone(), String::new()).unwrap();
    model.assess(&crate::model::Reading::of(text)).probability.get()
}

#[test]
fn a_few_labels_teach_a_new_kind_of_spam() {
    let base = base();
    let text = "Mama Odede cast a love spell for me, contact him on whatsapp";
    let ham = "the mayor should answer the school question in public";
    let next = go_on(resume(&base), &new_spam(10)).trained.parts;
    let (before, after) = (probability(&base, text), probability(&next, text));
    assert!(after > before && after > 0.8, "{before} to {after}");
    assert!(probability(&next, ham) < 0.2);
    let from = next.card.from.unwrap();
    assert_eq!((from.version.as_str(), from.n_new, from.n_new_spam), ("before", 10, 10));
}

#[test]
fn what_is_not_new_stays_as_it_was() {
    let base = base();
    let next = go_on(resume(&base), &[example(Label::Ham, "zzz")]).trained.parts;
    let weights = |parts: &Parts| -> std::collections::BTreeMap<u32, f32> {
        parts.terms.iter().map(|term| (term.hash, term.weight)).collect()
    };
    let (before, after) = (weights(&base), weights(&next));
    assert!(before.iter().all(|(hash, weight)| (after[hash] - weight).abs() < 0.05));
    assert_eq!(next.card.thresholds.hold_at, base.card.thresholds.hold_at);
}

#[test]
fn features_teach_as_texts_do() {
    let base = base();
    let texts = new_spam(8);
    let kept: Vec<Example> = texts
        .iter()
        .map(|example| kept(Label::Spam, example.content.expose()))
        .collect();
    let terms = |examples: &[Example]| go_on(resume(&base), examples).trained.parts.terms;
    assert_eq!(terms(&texts), terms(&kept));
}

#[test]
fn old_evidence_fades() {
    let mut base = base();
    base.evidence.as_mut().unwrap().as_of = decay::day("2026-01-01");
    let labeled = |day: &str| Example {
        labeled_at: Some(format!("{day}T12:00:00Z")),
        ..example(Label::Spam, "the mayor should answer the school question in public")
    };
    let aged = Resume {
        half_life_days: Some(30.0),
        ..resume(&base)
    };
    let resumed = go_on(aged, &[labeled("2026-01-31")]);
    assert!((resumed.decay - 0.5).abs() < 1e-9);
    let resumed = go_on(aged, &[labeled("2028-01-31")]);
    let parts = resumed.trained.parts;
    assert!(parts.terms.len() < base.terms.len(), "what has faded away is gone");
    assert_eq!(parts.evidence.unwrap().as_of, decay::day("2028-01-31"));
    assert!((go_on(resume(&base), &[labeled("2028-01-31")]).decay - 1.0).abs() < 1e-9);
}

#[test]
fn nothing_to_go_on_from_or_with_is_an_error() {
    let mut base = base();
    let nothing = train_from(resume(&base), &[], &[], &TrainParams::default(), &mut |_| ());
    assert!(matches!(nothing, Err(TrainError::Nothing)));
    base.evidence = None;
    let error = train_from(resume(&base), &new_spam(3), &[], &TrainParams::default(), &mut |_| ());
    assert!(matches!(error, Err(TrainError::NoEvidence)));
}

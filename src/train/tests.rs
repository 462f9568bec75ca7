use super::testing::{example, sample};
use super::*;
use crate::artifact;
use crate::model::Reading;

fn learn_from(examples: &[Example], certify: &[Example], params: &TrainParams) -> Trained {
    train(examples, certify, params, &mut |_| ()).unwrap()
}

#[test]
fn learns_what_it_is_shown() {
    let trained = learn_from(&sample(60), &[], &TrainParams::default());
    let model = trained.model().unwrap();
    let probability = |text: &str| model.assess(&Reading::of(text)).probability.get();
    assert!(probability("cheap pills, click here http://pills.example/buy") > 0.8);
    assert!(probability("the mayor should read this article, well said") < 0.2);
    assert!(trained.parts.card.metrics.mcc > 0.9);
}

#[test]
fn the_same_data_and_seed_give_the_same_bytes() {
    let bytes = |seed| {
        let params = TrainParams {
            seed,
            ..TrainParams::default()
        };
        artifact::encode(&learn_from(&sample(50), &[], &params).parts).unwrap()
    };
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

#[test]
fn features_teach_what_their_texts_teach() {
    let texts = sample(50);
    let kept: Vec<Example> = texts
        .iter()
        .map(|example| testing::kept(example.label, example.content.expose()))
        .collect();
    let of_texts = learn_from(&texts, &[], &TrainParams::default()).parts;
    let of_features = learn_from(&kept, &[], &TrainParams::default()).parts;
    let hashes = |parts: &Parts| {
        parts
            .terms
            .iter()
            .map(|term| (term.hash, term.in_ham))
            .collect::<Vec<_>>()
    };
    assert_eq!(hashes(&of_texts), hashes(&of_features));
    // Near-duplicates are found in another way, so that the folds differ.
    assert!((of_texts.base_log_odds - of_features.base_log_odds).abs() < 1.0);
}

#[test]
fn few_comments_carry_no_promise() {
    let trained = learn_from(&sample(50), &[], &TrainParams::default());
    assert_eq!(trained.parts.card.thresholds.reject_at, None);
    let why = trained.report.no_promise.unwrap();
    assert_eq!((why.support, why.needed), (0, 2995));
    assert!(why.to_string().contains("2995"));
}

/// Thirty readers' comments, no two of them alike.
fn readers() -> Vec<Example> {
    let who = [
        "my neighbor",
        "a teacher in town",
        "everybody here",
        "the reporter",
        "our doctor",
        "nobody I know",
    ];
    let what = [
        "walked across the bridge yesterday",
        "asked the mayor about taxes",
        "should read that book again",
        "told the same story in public",
        "was late for school this morning",
    ];
    (0..30)
        .map(|i| example(Label::Ham, &format!("{} {}", who[i % 6], what[i % 5])))
        .collect()
}

/// Parameters with a promise that thirty comments can carry.
fn one_in_ten() -> TrainParams {
    TrainParams {
        reject_target: 0.1,
        ..TrainParams::default()
    }
}

#[test]
fn copies_certify_once() {
    let mut certify: Vec<Example> = (0..3_000).map(|_| example(Label::Ham, "Thank you!")).collect();
    let trained = learn_from(&sample(50), &certify, &TrainParams::default());
    assert_eq!(trained.parts.card.thresholds.reject_at, None);
    assert_eq!(trained.report.no_promise.unwrap().support, 1);
    let certifying = trained.report.certifying;
    assert_eq!(
        (certifying.n_used, certifying.n_copies, certifying.n_seen),
        (1, 2_999, 0)
    );

    certify.extend(readers());
    let promise = learn_from(&sample(50), &certify, &one_in_ten())
        .parts
        .card
        .promise
        .unwrap();
    assert_eq!(promise.support, 31);
}

#[test]
fn what_training_saw_does_not_certify() {
    let data = sample(50);
    let trained = learn_from(&data, &data, &one_in_ten());
    assert_eq!(trained.parts.card.promise, None);
    let certifying = trained.report.certifying;
    assert_eq!((certifying.n_used, certifying.n_copies, certifying.n_seen), (0, 0, 50));
}

#[test]
fn certifying_comments_have_no_say_in_training() {
    let terms = |certify: &[Example]| learn_from(&sample(50), certify, &TrainParams::default()).parts.terms;
    assert_eq!(terms(&[]), terms(&sample(30)));
}

#[test]
fn enough_certifying_comments_carry_one() {
    let trained = learn_from(&sample(50), &readers(), &one_in_ten());
    let promise = trained.parts.card.promise.unwrap();
    assert_eq!((promise.support, promise.missed), (30, 0));
    assert!(promise.upper_bound <= 0.1);
    assert!(trained.parts.card.thresholds.reject_at.unwrap() >= 0.95);
}

#[test]
fn too_few_of_one_label_is_an_error_that_says_how_many() {
    let ham: Vec<Example> = sample(40)
        .into_iter()
        .filter(|example| example.label == Label::Ham)
        .collect();
    let error = train(&ham, &[], &TrainParams::default(), &mut |_| ())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("0 comments labeled spam") && error.contains("20 more"),
        "{error}"
    );
}

#[test]
fn a_stated_share_of_holds_is_taken_at_its_word() {
    let held = |share: f64| {
        let params = TrainParams {
            hold: Hold::Share(share),
            ..TrainParams::default()
        };
        let card = learn_from(&sample(60), &[], &params).parts.card;
        assert_eq!(card.thresholds.reject_at, None);
        card.metrics.ham_held
    };
    // Of 60 readers 12 may be held; ties may leave one or two less.
    let held = held(0.2);
    assert!(held > 0.15 && held <= 0.2, "{held}");
}

#[test]
fn copies_of_one_comment_teach_nothing() {
    let copies = |label| (0..25).map(move |_| example(label, "hello there"));
    let refusal = |examples: &[Example]| {
        train(examples, &[], &TrainParams::default(), &mut |_| ())
            .unwrap_err()
            .to_string()
    };
    let alike: Vec<Example> = copies(Label::Ham).chain(copies(Label::Spam)).collect();
    let error = refusal(&alike);
    assert!(
        error.contains("25 comments labeled ham") && error.contains("at least 2 groups"),
        "{error}"
    );
    let ham = sample(25).into_iter().filter(|example| example.label == Label::Ham);
    let error = refusal(&ham.chain(copies(Label::Spam)).collect::<Vec<_>>());
    assert!(error.contains("labeled spam"), "{error}");
}

#[test]
fn views_that_see_no_difference_are_an_error() {
    let numbers = ["one", "two", "three", "four", "five", "six", "seven"];
    let examples: Vec<Example> = (0..50)
        .map(|i| {
            let label = if i % 2 == 0 { Label::Ham } else { Label::Spam };
            example(label, &format!("{} {}", numbers[i % 7], numbers[i % 5]))
        })
        .collect();
    let params = TrainParams {
        views: vec![crate::text::View::Links],
        ..TrainParams::default()
    };
    let error = train(&examples, &[], &params, &mut |_| ()).unwrap_err();
    assert!(matches!(error, TrainError::Indistinct { n: 50 }), "{error}");
}

#[test]
fn a_parameter_out_of_range_is_named() {
    let params = TrainParams {
        smoothing_alpha: 0.0,
        ..TrainParams::default()
    };
    let error = train(&sample(40), &[], &params, &mut |_| ()).unwrap_err().to_string();
    assert!(
        error.contains("smoothing_alpha is 0") && error.contains("above 0"),
        "{error}"
    );
}

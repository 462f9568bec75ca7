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
fn few_comments_carry_no_promise() {
    let trained = learn_from(&sample(50), &[], &TrainParams::default());
    assert_eq!(trained.parts.card.thresholds.reject_at, None);
    let why = trained.report.no_promise.unwrap();
    assert_eq!((why.support, why.needed), (0, 2995));
    assert!(why.to_string().contains("2995"));
}

#[test]
fn enough_certifying_comments_carry_one() {
    let readers: Vec<Example> = (0..30)
        .map(|i| example(Label::Ham, &format!("the mayor and the old bridge, part {i}")))
        .collect();
    let params = TrainParams {
        reject_target: 0.1,
        ..TrainParams::default()
    };
    let trained = learn_from(&sample(50), &readers, &params);
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
        error.contains("0 comments labelled spam") && error.contains("20 more"),
        "{error}"
    );
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

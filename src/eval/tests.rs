use crate::report as render;

use super::random::SplitMix64;
use super::report::ThresholdsUsed;
use super::*;

const THRESHOLDS: ThresholdsUsed = ThresholdsUsed {
    hold_at: 0.4,
    reject_at: Some(0.9),
};

/// Comments with probabilities that lean the right way, the same on every run.
fn comments(n: u32, seed: u64) -> Vec<(String, f64, Label)> {
    let mut random = SplitMix64::new(seed);
    let comment = |nth| {
        let label = if random.unit() < 0.4 { Label::Spam } else { Label::Ham };
        let lean = if label == Label::Spam { 3.2 } else { -3.2 };
        let noise: f64 = (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
        let text = match label {
            Label::Spam => format!("Visit <b>shop{nth}.example.com</b> & win"),
            Label::Ham => format!("I disagree with paragraph {nth} of this."),
        };
        (text, 1.0 / (1.0 + (-(lean + 2.0 * noise)).exp()), label)
    };
    (0..n).map(comment).collect()
}

fn scored<'a>(comments: &'a [(String, f64, Label)]) -> Vec<Scored<'a>> {
    let one = |((text, probability, label), group): (&'a (String, f64, Label), u32)| Scored {
        id: None,
        label: *label,
        source: if group.is_multiple_of(3) { "blog" } else { "news" },
        text,
        named: group.is_multiple_of(2),
        probability: *probability,
        thin: group.is_multiple_of(50),
        verdict: verdict(*probability, group.is_multiple_of(50), THRESHOLDS),
        group,
    };
    comments.iter().zip(0..).map(one).collect()
}

fn context<'a>() -> Context<'a> {
    Context {
        title: "a test".into(),
        thresholds: vec![THRESHOLDS],
        seed: 1,
        ..Context::default()
    }
}

#[test]
fn thin_evidence_turns_a_reject_into_a_hold_and_nothing_else() {
    for (probability, thin, expected) in [
        (0.39, false, Verdict::Approve),
        (0.39, true, Verdict::Approve),
        (0.4, true, Verdict::Hold),
        (0.9, false, Verdict::Reject),
        (0.9, true, Verdict::Hold),
    ] {
        assert_eq!(verdict(probability, thin, THRESHOLDS), expected);
    }
    let holds_only = ThresholdsUsed {
        reject_at: None,
        ..THRESHOLDS
    };
    assert_eq!(verdict(1.0, false, holds_only), Verdict::Hold);
}

#[test]
fn every_slicing_holds_every_comment() {
    let comments = comments(300, 2);
    let report = evaluate(&scored(&comments), context());
    for slices in &report.slices {
        let n: usize = slices
            .rows
            .iter()
            .map(|row| row.verdicts.ham.total() + row.verdicts.spam.total())
            .sum();
        assert_eq!(n, 300, "{}", slices.by);
    }
    assert_eq!(
        report.histogram.iter().map(|bin| bin.ham + bin.spam).sum::<usize>(),
        300
    );
    assert_eq!(report.reliability.iter().map(|bin| bin.n).sum::<usize>(), 300);
}

/// Programs read these names: adding one is fine, changing one needs a new schema.
#[test]
fn the_field_names_of_the_document_are_stable() {
    let comments = comments(200, 3);
    let json: serde_json::Value =
        serde_json::from_str(&render::json(&evaluate(&scored(&comments), context())).unwrap()).unwrap();
    let names = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        names(&json),
        "schema title about trained_on n_ham n_spam thresholds verdicts measures budgets gate comparison places slices reliability \
         histogram roc precision_recall trade_off terms worst_ham worst_spam"
    );
    assert_eq!(
        names(&json["measures"]),
        "accuracy spam_caught ham_blocked precision mcc roc_auc pr_auc brier calibration_error log_loss \
         caught_at_0_1_percent caught_at_1_percent"
    );
    assert_eq!(names(&json["measures"]["mcc"]), "value low high");
    assert_eq!(
        names(&json["verdicts"]),
        "ham spam ham_rejected ham_held spam_rejected spam_rejected_or_held"
    );
    assert_eq!(names(&json["verdicts"]["ham"]), "approve hold reject hold_thin");
    assert_eq!(names(&json["slices"][0]["rows"][0]), "name verdicts measures");
    assert_eq!(json["schema"], "moderato.evaluation.v1");
}

#[test]
fn a_model_that_was_trained_on_the_data_is_said_to_flatter_itself() {
    let comments = comments(200, 4);
    let seen = Context {
        trained_on: vec!["mine.jsonl".to_owned()],
        ..context()
    };
    let report = evaluate(&scored(&comments), seen);
    let warning = "trained on mine.jsonl";
    assert!(render::text(&report, render::Color::Never).contains(warning));
    assert!(render::html(&report).contains(warning));
    assert!(!render::text(&evaluate(&scored(&comments), context()), render::Color::Never).contains("trained on"));
}

#[test]
fn the_page_needs_nothing_but_itself_and_runs_nothing() {
    let comments = comments(200, 4);
    let page = render::html(&evaluate(
        &scored(&comments),
        Context {
            show_text: true,
            ..context()
        },
    ));
    for needle in ["<script", "http://", "https://", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(needle), "the page holds {needle}");
    }
    assert!(
        page.contains("Visit &lt;b&gt;shop"),
        "authors' markup is shown, not run"
    );
}

#[test]
fn no_report_tells_what_people_wrote_unless_asked() {
    let comments = comments(200, 5);
    let report = evaluate(&scored(&comments), context());
    let all = [
        render::json(&report).unwrap(),
        render::html(&report),
        render::text(&report, render::Color::Never),
    ];
    assert!(!report.worst_spam.is_empty());
    for rendering in all {
        assert!(!rendering.contains("paragraph") && !rendering.contains("shop"));
    }
}

#[test]
fn a_set_of_one_label_is_reported_as_far_as_it_goes() {
    let mut comments = comments(100, 6);
    comments.retain(|(_, _, label)| *label == Label::Ham);
    let report = evaluate(&scored(&comments), context());
    assert_eq!(
        (report.n_spam, report.verdicts.spam_rejected, report.roc.len()),
        (0, None, 0)
    );
    assert!(report.verdicts.ham_held.is_some());
    let page = render::html(&report);
    assert!(!page.contains("NaN") && page.contains("Reliability"));
    let empty = evaluate(&[], context());
    assert!(!render::html(&empty).contains("NaN"));
}

#[test]
fn a_missed_budget_is_said_and_an_unknown_one_is_missed() {
    let comments = comments(300, 7);
    let budgets = vec![
        (Budget::MinMcc, 0.2),
        (Budget::MinMcc, 0.9999),
        (Budget::MaxHamHeld, 0.0),
    ];
    let report = evaluate(
        &scored(&comments),
        Context {
            budgets: budgets.clone(),
            ..context()
        },
    );
    assert_eq!(
        report.budgets.iter().map(|check| check.met).collect::<Vec<_>>(),
        [true, false, false]
    );
    assert!(
        evaluate(&[], Context { budgets, ..context() })
            .budgets
            .iter()
            .all(|check| !check.met)
    );
}

#[test]
fn a_better_model_is_called_better() {
    let good = comments(400, 8);
    let mut bad = good.clone();
    let mut random = SplitMix64::new(1);
    bad.iter_mut()
        .for_each(|(_, probability, _)| *probability = 0.5 * *probability + 0.5 * random.unit());
    let (good, bad) = (scored(&good), scored(&bad));
    let compared = |a: &[Scored<'_>], b: &[Scored<'_>]| compare::compare("old", a, b, 1);
    let judgement = |comparison: &compare::Comparison, measure| {
        comparison
            .measures
            .0
            .iter()
            .find(|(known, _)| *known == measure)
            .unwrap()
            .1
            .unwrap()
            .judgement
    };
    for measure in [metrics::Measure::RocAuc, metrics::Measure::Brier] {
        assert_eq!(judgement(&compared(&good, &bad), measure), compare::Judgement::Better);
        assert_eq!(judgement(&compared(&bad, &good), measure), compare::Judgement::Worse);
        assert_eq!(
            judgement(&compared(&good, &good), measure),
            compare::Judgement::NotClear
        );
    }
}

use std::sync::OnceLock;

use proptest::prelude::*;

use super::*;
use crate::train::testing::sample;
use crate::train::{TrainParams, train};

fn model() -> &'static SpamModel {
    static MODEL: OnceLock<SpamModel> = OnceLock::new();
    MODEL.get_or_init(|| {
        let trained = train(&sample(60), &[], &TrainParams::default(), &mut |_| ()).unwrap();
        let mut parts = trained.parts;
        parts.card.thresholds.reject_at = Some(0.95);
        SpamModel::new(parts, "test".to_owned()).unwrap()
    })
}

fn assess(content: &str) -> Assessment {
    model().assess(&Reading::of(content))
}

/// The explanation adds up, agrees with the assessment, and points into the text.
fn check(reading: &Reading<'_>) {
    let content = reading.content;
    let explanation = model().explain(reading);
    let sum: f64 = explanation.contributions.iter().map(|c| c.log_odds).sum::<f64>() + explanation.base_log_odds;
    assert!(
        (sum - explanation.log_odds).abs() < 1e-9,
        "{sum} {}",
        explanation.log_odds
    );
    let assessment = model().assess(reading);
    assert_eq!(
        assessment.probability,
        SpamProbability::from_log_odds(explanation.log_odds)
    );
    assert_eq!(assessment.evidence.to_bits(), explanation.evidence.to_bits());
    assert!((0.0..=1.0).contains(&assessment.evidence));
    for contribution in &explanation.contributions {
        if let Some(span) = &contribution.span {
            assert!(
                content.get(span.clone()).is_some_and(|text| !text.is_empty()),
                "{span:?} in {content:?}"
            );
        }
    }
}

#[test]
fn explanations_add_up_and_point_into_the_text() {
    for content in [
        "buy cheap pills now http://red-pills.example/buy",
        "frее vіdео &amp; c\u{200b}heap p.i.l.l.s ｆｕｌｌ wídth 水を飲む s u b s c r i b e",
        "<a href=\"http://x.example\">cheap &lt;b&gt;</a> me@example.org [url=http://b.example]x[/url]",
        "",
        "👍👍👍",
        "café Ünïcode ﬁne ㎏ İstanbul",
    ] {
        check(&Reading::of(content));
    }
}

#[test]
fn a_word_is_found_where_it_stands() {
    let content = "Hello – please SUBSCRIBE now";
    let explanation = model().explain(&Reading::of(content));
    let word = explanation
        .contributions
        .iter()
        .find(|c| c.view == "words" && c.term == "subscribe")
        .unwrap();
    assert_eq!(&content[word.span.clone().unwrap()], "SUBSCRIBE");
    assert!(word.log_odds > 0.0);
}

#[test]
fn what_is_unknown_adds_exactly_nothing() {
    let explanation = model().explain(&Reading::of("zzqj"));
    let of_words = |c: &&Contribution| c.view == "words" || c.view == "pairs";
    assert_eq!(explanation.contributions.iter().filter(of_words).count(), 0);
    // Nor beside what is known.
    let explanation = model().explain(&Reading::of("please subscribe zzqj"));
    let has = |term: &str| {
        explanation
            .contributions
            .iter()
            .any(|c| c.view == "words" && c.term == term)
    };
    assert!(has("subscribe") && !has("zzqj"));
}

#[test]
fn a_long_comment_scores_finite() {
    let content = "cheap pills and the mayor ".repeat(1_000);
    let explanation = model().explain(&Reading::of(&content));
    assert!(explanation.log_odds.is_finite() && explanation.evidence.is_finite());
    check(&Reading::of(&content));
    let probability = assess(&content).probability.get();
    assert!(probability > 0.0 && probability < 1.0, "{probability}");
}

#[test]
fn the_article_and_the_parent_are_no_evidence_against_the_author() {
    let content = "see http://red-pills.example/buy for cheap pills";
    let alone = assess(content).probability;
    let hosts = ["red-pills.example".to_owned()];
    let with = |article_hosts, parent_content| {
        let reading = Reading {
            article_hosts,
            parent_content,
            ..Reading::of(content)
        };
        check(&reading);
        model().assess(&reading).probability
    };
    assert!(with(&hosts[..], None) < alone);
    assert!(with(&[], Some("who wants cheap pills from http://red-pills.example/buy ?")) < alone);
    assert_eq!(with(&[], Some("")), alone);
    assert_eq!(with(&[], Some("something else")), alone);
}

#[test]
fn what_a_reply_quotes_has_no_shape_either() {
    let parent =
        "BUY NOW!!! <b>cheap</b> [url=http://a.example]pills[/url] http://b.example http://c.example 555 123 456!";
    let reply = "well said, thank you";
    let quoting = format!("> {parent} {reply}");
    let reading = Reading {
        parent_content: Some(parent),
        ..Reading::of(&quoting)
    };
    check(&reading);
    assert_eq!(model().assess(&reading), assess(reply));
    assert_ne!(assess(&quoting), assess(reply));
}

#[test]
fn thin_evidence_is_named() {
    assert!(assess("https://www.newspaper.example/2017/03/05/politics.html").thin);
    assert!(assess("Совершенно согласен с автором").thin);
    assert!(!assess("well said, thank you").thin);
}

#[test]
fn an_element_around_foreign_words_is_explained() {
    check(&Reading::of("<a>য়ൔ"));
    check(&Reading::of("<a name=x>Совершенно согласен</a> с автором"));
}

#[test]
fn the_model_can_be_shared() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<SpamModel>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_explained(content in "\\PC{0,120}") {
        check(&Reading::of(&content));
    }

    #[test]
    fn any_text_is_explained_as_a_reply(content in "\\PC{0,80}", parent in "\\PC{0,80}") {
        let reply = format!("{parent} {content} see http://red-pills.example/buy for cheap pills");
        check(&Reading {
            article_hosts: &["red-pills.example".to_owned()],
            parent_content: Some(&parent),
            ..Reading::of(&reply)
        });
    }

    #[test]
    fn any_markup_is_explained(content in "([a-zA-Z0-9 .@$!<>&;\\[\\]/:='\"\n\u{430}\u{435}\u{200b}\u{301}\u{ff41}水-]|http://|&amp;|<a href=|\\[url){0,60}") {
        check(&Reading::of(&content));
    }

    #[test]
    fn cleaning_twice_is_cleaning_once(content in "([a-z &;#x0-9]|&amp;|&lt;|\\PC|[а-яα-ω]){0,60}") {
        let once = crate::text::clean::clean(&content).text.into_owned();
        let twice = crate::text::clean::clean(&once).text.into_owned();
        prop_assert_eq!(once, twice);
    }
}

use proptest::prelude::*;

use super::*;

fn one(view: &'static str, term: &str, log_odds: f64) -> Contribution {
    Contribution {
        view,
        term: term.to_owned(),
        log_odds,
        span: None,
    }
}

/// A term that stands in the content.
fn at(content: &str, view: &'static str, term: &str, log_odds: f64) -> Contribution {
    let start = content.find(term).unwrap();
    Contribution {
        span: Some(start..start + term.len()),
        ..one(view, term, log_odds)
    }
}

fn explained(base_log_odds: f64, evidence: f64, contributions: Vec<Contribution>) -> Explanation {
    let log_odds = base_log_odds + contributions.iter().map(|one| one.log_odds).sum::<f64>();
    Explanation {
        base_log_odds,
        log_odds,
        contributions,
        evidence,
    }
}

fn reading<'a>(content: &'a str, name: Option<&'a str>, website: Option<&'a str>) -> Reading<'a> {
    let mut reading = Reading::of(content);
    (reading.form.name, reading.form.website) = (name, website);
    reading
}

#[test]
fn a_name_and_a_website_are_quoted() {
    let content = "Nice post!";
    let explanation = explained(
        -1.0,
        1.0,
        vec![
            one("name", "name words cheap jerseys", 1.5),
            one("name", "name word jerseys", 1.0),
            one("name", "name letters chea", 0.5),
            one("website", "website's word jerseys", 1.4),
            one("website", "website's hyphens 1", 0.6),
            one("offer", "offer jerseys", 0.5),
            at(content, "words", "!", 0.3),
            at(content, "chars3", "Nic", -0.1),
        ],
    );
    let reading = reading(
        content,
        Some("Cheap Jerseys"),
        Some("http://www.jerseys-shop.example/buy"),
    );
    let summary = summarize(&explanation, &reading);
    assert_eq!(
        summary.sentence,
        "Reads like spam, mostly because of “Cheap Jerseys” in the name and the website “jerseys-shop.example”; \
         the text itself says little (the model knows most of these words)."
    );
    let kinds: Vec<_> = summary.parts.iter().map(|part| part.kind).collect();
    assert_eq!(kinds, [PartKind::Name, PartKind::Website, PartKind::Text]);
    assert_eq!(summary.parts[1].shapes, ["one hyphen in the website's name"]);
    assert!(summary.parts[2].phrases.is_empty());
}

#[test]
fn a_text_is_quoted_in_whole_words() {
    let content = "Please SUBSCRIBE to my channel!!! http://win.example";
    let link = at(content, "words", "http://win.example", 0.4);
    let explanation = explained(
        -1.0,
        0.5,
        vec![
            at(content, "chars3", "UBS", 1.0),
            at(content, "chars3", "CRI", 0.8),
            at(content, "pairs", "my channel", 2.0),
            Contribution {
                term: "host win.example".to_owned(),
                view: "links",
                ..link
            },
            one("shape", "words a link 5", 0.6),
        ],
    );
    let summary = summarize(&explanation, &reading(content, None, None));
    assert_eq!(
        summary.sentence,
        "Reads like spam, mostly because of “my channel” and “SUBSCRIBE” in the text \
         (the model knows some of these words)."
    );
    assert_eq!(summary.parts[1].shapes, ["one link in about five words"]);
    assert_eq!(summary.parts[2].phrases, ["win.example"]);
}

#[test]
fn below_one_half_the_sentence_says_what_speaks_for_the_reader() {
    let content = "I disagree with the mayor";
    let explanation = explained(
        -0.5,
        0.9,
        vec![
            at(content, "words", "mayor", -2.0),
            one("shape", "words a link 99", -1.0),
            one("website", "website's hyphens 3", 1.5),
        ],
    );
    let summary = summarize(&explanation, &reading(content, None, Some("http://a-b-c-d.example")));
    assert_eq!(
        summary.sentence,
        "Reads like a reader's comment, mostly because of “mayor” in the text and no links; the website alone would be \
         spam (the model knows most of these words)."
    );
}

#[test]
fn the_reader_is_spoken_for_where_the_base_outweighs_the_text() {
    let explanation = explained(-4.7, 0.9, vec![at("well said", "words", "well", -1.0)]);
    let summary = summarize(&explanation, &Reading::of("well said"));
    assert_eq!(
        summary.sentence,
        "Reads like a reader's comment, helped by “well” in the text (the model knows most of these words)."
    );
}

#[test]
fn nothing_is_made_up_where_nothing_speaks() {
    let summary = summarize(&explained(-0.5, 0.0, Vec::new()), &Reading::of("zzqj"));
    assert_eq!(
        summary.sentence,
        "Leans towards a reader's comment, though little in it says so (the model has read little like this)."
    );
    assert!(summary.parts.is_empty());
}

#[test]
fn words_of_both_fields_are_counted_where_they_stand() {
    for (name, website, expected) in [
        (Some("Cheap"), Some("http://cheap.example"), PartKind::Name),
        (Some("Ann"), Some("http://cheap.example"), PartKind::Website),
        (None, Some("http://cheap.example"), PartKind::Website),
        (Some("Chéap"), None, PartKind::Name),
    ] {
        let explanation = explained(0.0, 0.0, vec![one("offer", "offer cheap", 1.0)]);
        let summary = summarize(&explanation, &reading("x", name, website));
        assert_eq!(summary.parts[0].kind, expected, "{name:?} {website:?}");
        let quote = if expected == PartKind::Name {
            "cheap"
        } else {
            "cheap.example"
        };
        assert_eq!(summary.parts[0].phrases[0].to_lowercase(), quote);
    }
}

#[test]
fn a_summary_is_not_logged() {
    let explanation = explained(0.0, 0.0, vec![at("secret", "words", "secret", 1.0)]);
    let summary = summarize(&explanation, &Reading::of("secret"));
    assert_eq!(summary.parts[0].phrases, ["secret"]);
    assert!(!format!("{summary:?}").contains("secret"));
}

/// Terms as the model hands them out, anywhere in a text.
fn any_contribution(content: &str) -> impl Strategy<Value = Contribution> + use<> {
    let bounds: Vec<usize> = content
        .char_indices()
        .map(|(at, _)| at)
        .chain([content.len()])
        .collect();
    let content = content.to_owned();
    const VIEWS: [&str; 6] = ["words", "pairs", "triples", "chars3", "letters", "links"];
    let n = bounds.len();
    let in_text =
        (prop::sample::select(&VIEWS[..]), 0..n, 0..n, -3.0..3.0_f64).prop_map(move |(view, a, b, log_odds)| {
            let span = bounds[a.min(b)]..bounds[a.max(b)];
            Contribution {
                view,
                term: content[span.clone()].to_lowercase(),
                log_odds,
                span: (!span.is_empty()).then_some(span),
            }
        });
    const SHAPES: [&str; 7] = [
        "links 1",
        "words a link 6",
        "words a link 99",
        "capitals 8",
        "exclaims 5",
        "script 2",
        "markup 9",
    ];
    let of_shape = (prop::sample::select(&SHAPES[..]), -3.0..3.0_f64);
    prop_oneof![3 => in_text, 1 => of_shape.prop_map(|(term, log_odds)| one("shape", term, log_odds))]
}

prop_compose! {
    fn any_explained()(
        content in prop_oneof!["\\PC{0,60}", "([a-zA-Z !?.,<>'-]|http://a.example/b|水|\u{202e}){0,60}"],
    )(
        contributions in prop::collection::vec(any_contribution(&content), 0..24),
        content in Just(content),
        base in -4.0..4.0_f64,
        evidence in 0.0..=1.0_f64,
    ) -> (String, Explanation) {
        (content, explained(base, evidence, contributions))
    }
}

proptest! {
    #[test]
    fn parts_add_up_and_quote_words((content, explanation) in any_explained()) {
        let reading = Reading::of(&content);
        let summary = summarize(&explanation, &reading);
        let sum = explanation.base_log_odds + summary.parts.iter().map(|part| part.log_odds).sum::<f64>();
        prop_assert!((sum - explanation.log_odds).abs() < 1e-9);
        let shares: f64 = summary.parts.iter().map(|part| part.share).sum();
        let side = Side::of(explanation.log_odds);
        let pulls = summary.parts.iter().any(|part| side.pull(part.log_odds) > 0.0);
        prop_assert!((shares - f64::from(u8::from(pulls))).abs() < 1e-9);
        prop_assert!(summary.sentence.chars().count() <= 240, "{}", summary.sentence);
        prop_assert!(!summary.sentence.contains(char::is_control));
        for part in &summary.parts {
            prop_assert!((0.0..=1.0).contains(&part.share));
            prop_assert!(part.phrases.len() <= LISTED_MAX && part.shapes.len() <= LISTED_MAX);
            for phrase in &part.phrases {
                prop_assert!(phrase.contains(char::is_alphanumeric), "{:?}", phrase);
            }
        }
        // Nothing was sent but the text.
        for field in ["name", "website", "e-mail domain", "article"] {
            let said = summary.sentence.split('\u{201c}').flat_map(|quote| quote.rsplit('\u{201d}').next());
            prop_assert!(said.into_iter().all(|said| !said.contains(field)), "{}", summary.sentence);
        }
        prop_assert_eq!(&summary.sentence, &summarize(&explanation, &reading).sentence);
    }
}

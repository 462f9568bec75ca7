//! The one sentence.

use std::fmt::Write as _;

use super::{Part, PartKind, Side};
use crate::model::Explanation;

/// Parts are named until they have this share of the pull together.
const NAMED_UNTIL: f64 = 0.75;
/// A part with less is not named beside another.
const NAMED_FROM: f64 = 0.15;
/// Parts that are named.
const NAMED_MAX: usize = 2;
/// A part with less than this share "says little".
const LITTLE_BELOW: f64 = 0.15;
/// A part that pulls the other way is named from these log-odds on: odds of e to one.
const AGAINST_FROM: f64 = 1.0;
/// A score with less is a leaning: probabilities between .27 and .73.
const LEANS_BELOW: f64 = 1.0;
/// Characters of two phrases that are quoted of one part.
const BOTH_CHARS_MAX: usize = 36;

/// Says what a score comes from: its heaviest parts, what speaks against it, and how well the model knows such texts.
pub(super) fn sentence(explanation: &Explanation, side: Side, parts: &[Part]) -> String {
    let verb = if explanation.log_odds.abs() < LEANS_BELOW {
        "Leans towards"
    } else {
        "Reads like"
    };
    let whose = match side {
        Side::Spam => "spam",
        Side::Reader => "a reader's comment",
    };
    let mut sentence = format!("{verb} {whose}");
    let total: f64 = parts.iter().map(|part| side.pull(part.log_odds).max(0.0)).sum();
    let named = named(parts);
    let causes: Vec<String> = named.iter().map(|part| cause(part)).collect();
    // The base may weigh more than everything that was read.
    let how = match named.first() {
        None => ", though little in it says so",
        Some(_) if side.pull(explanation.base_log_odds) > total => ", helped by ",
        Some(first) if first.share < 1.0 => ", mostly because of ",
        Some(_) => ", because of ",
    };
    let _ = write!(sentence, "{how}{}", causes.join(" and "));
    let against = parts
        .iter()
        .rev()
        .find(|part| side.pull(part.log_odds) <= -AGAINST_FROM);
    let text = parts.iter().find(|part| part.kind == PartKind::Text);
    let says_little = |text: &Part| text.share < LITTLE_BELOW && named.iter().all(|part| part.kind != PartKind::Text);
    if let Some(part) = against {
        let whose = match side {
            Side::Spam => "a reader's",
            Side::Reader => "spam",
        };
        let _ = write!(sentence, "; {} would be {whose}", itself(part.kind));
    } else if !named.is_empty() && text.is_none_or(says_little) {
        sentence.push_str("; the text itself says little");
    }
    let _ = write!(sentence, " ({}).", knowledge(explanation.evidence));
    sentence
}

/// The parts that the sentence names.
fn named(parts: &[Part]) -> Vec<&Part> {
    let mut named: Vec<&Part> = Vec::new();
    let mut share = 0.0;
    for part in parts.iter().filter(|part| part.share > 0.0).take(NAMED_MAX) {
        if share >= NAMED_UNTIL || (share > 0.0 && part.share < NAMED_FROM) {
            break;
        }
        share += part.share;
        named.push(part);
    }
    named
}

/// A part as what a score comes from.
fn cause(part: &Part) -> String {
    let shape = part.shapes.first();
    let Some(quoted) = quoted(&part.phrases) else {
        return shape.map_or_else(|| unquoted(part.kind).to_owned(), Clone::clone);
    };
    match part.kind {
        PartKind::Text => format!("{quoted} in the text"),
        PartKind::Name => format!("{quoted} in the name"),
        PartKind::Website => format!("the website {quoted}"),
        PartKind::Email => format!("the e-mail domain {quoted}"),
        PartKind::Links => format!("the link to {quoted}"),
        PartKind::Shape | PartKind::Article => quoted,
    }
}

/// The first phrase, or the first two if they are short.
fn quoted(phrases: &[String]) -> Option<String> {
    let chars = |phrase: &String| phrase.chars().count();
    match phrases {
        [] => None,
        [first, second, ..] if chars(first) + chars(second) <= BOTH_CHARS_MAX => {
            Some(format!("\u{201c}{first}\u{201d} and \u{201c}{second}\u{201d}"))
        }
        [first, ..] => Some(format!("\u{201c}{first}\u{201d}")),
    }
}

/// A part of which nothing can be quoted.
const fn unquoted(kind: PartKind) -> &'static str {
    match kind {
        PartKind::Text => "the wording of the text",
        PartKind::Name => "the author's name",
        PartKind::Website => "the author's website",
        PartKind::Email => "the author's e-mail domain",
        PartKind::Links => "what it links to",
        PartKind::Shape => "the look of the text",
        PartKind::Article => "the words it shares with the article",
    }
}

/// A part by itself.
const fn itself(kind: PartKind) -> &'static str {
    match kind {
        PartKind::Text => "the text itself",
        PartKind::Name => "the name alone",
        PartKind::Website => "the website alone",
        PartKind::Email => "the e-mail domain alone",
        PartKind::Links => "what it links to",
        PartKind::Shape => "the look of the text",
        PartKind::Article => "what it shares with the article",
    }
}

/// The words for how well the model knows such texts, by the share of the words that training saw readers write.
const fn knowledge(evidence: f64) -> &'static str {
    match evidence {
        share if share >= 0.7 => "the model knows most of these words",
        share if share >= 0.35 => "the model knows some of these words",
        _ => "the model has read little like this",
    }
}

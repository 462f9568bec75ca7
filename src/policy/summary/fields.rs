//! Quotes of the form: the author's name, website and e-mail domain.

use std::ops::Range;

use super::PartKind;
use super::phrases::{host, merged, quote, words};
use crate::model::{Contribution, Reading};

/// The field that a word of [`crate::model`]'s view `offer` stands in: the name if both have it.
pub(super) fn offered_in(term: &str, reading: &Reading<'_>) -> PartKind {
    let word = term.strip_prefix("offer ").unwrap_or(term);
    let has = |field: Option<&str>| field.is_some_and(|field| field.to_lowercase().contains(word));
    let form = reading.form;
    let is_name = form.website.is_none() || has(form.name) || (form.name.is_some() && !has(form.website));
    if is_name { PartKind::Name } else { PartKind::Website }
}

/// Phrases of the author's name. Where a word is spelled otherwise than the model reads it, the model's spelling.
pub(super) fn of_name(name: &str, pulls: &[(&Contribution, f64)]) -> Vec<String> {
    let words = words(name);
    let lower: Vec<String> = words.iter().map(|word| name[word.clone()].to_lowercase()).collect();
    let mut spans: Vec<(Range<usize>, f64)> = Vec::new();
    let mut read: Option<(&str, f64)> = None;
    for (one, pull) in pulls {
        let Some(term) = words_of_name(one) else { continue };
        let found = place(term, &words, &lower);
        if found.is_none() && *pull > read.map_or(0.0, |(_, most)| most) && !one.term.starts_with("name letters ") {
            read = Some((term, *pull));
        }
        spans.extend(found.map(|span| (span, *pull)));
    }
    let phrases = merged(name, &words, spans.into_iter());
    match read {
        Some((term, _)) if phrases.is_empty() => vec![quote(term)],
        _ => phrases,
    }
}

/// The words or letters that a term of the name is of, if it is no shape.
fn words_of_name(contribution: &Contribution) -> Option<&str> {
    let term = contribution.term.as_str();
    let is_shape = |rest: &&str| rest.rsplit(' ').next().is_some_and(|last| last.parse::<u32>().is_ok());
    let of = |kind: &str| term.strip_prefix(kind);
    of("name word ")
        .or_else(|| of("name words ").filter(|rest| !is_shape(rest)))
        .or_else(|| of("name letters "))
        .or_else(|| of("offer "))
        .map(str::trim)
}

/// The place of words or letters: the name's words in a row that hold them.
fn place(term: &str, words: &[Range<usize>], lower: &[String]) -> Option<Range<usize>> {
    let mut pieces = term.split(' ');
    let first = pieces.next().filter(|piece| !piece.is_empty())?;
    let last = pieces.next_back().unwrap_or(first);
    let start = lower.iter().position(|word| word.contains(first))?;
    let end = start + lower[start..].iter().position(|word| word.contains(last))?;
    Some(words[start].start..words[end].end)
}

/// The host of the author's website, if any of its words or letters pull.
pub(super) fn of_website(website: &str, pulls: &[(&Contribution, f64)]) -> Vec<String> {
    let is_quoted = |(one, _): &&(&Contribution, f64)| {
        let kinds = [
            "website letters ",
            "website's path ",
            "website's word ",
            "offer ",
            "website at ",
        ];
        kinds.iter().any(|kind| one.term.starts_with(kind)) || is_domain(&one.term)
    };
    let pull: f64 = pulls.iter().filter(is_quoted).map(|(_, pull)| pull).sum();
    let host = host(website.trim());
    if pull > 0.0 && host.contains('.') {
        vec![quote(host)]
    } else {
        Vec::new()
    }
}

/// Returns true if it is `website` and a registered domain.
fn is_domain(term: &str) -> bool {
    term.strip_prefix("website ")
        .is_some_and(|rest| rest.contains('.') && !rest.contains(' '))
}

/// The domain of the author's e-mail address, if it pulls.
pub(super) fn of_email(pulls: &[(&Contribution, f64)]) -> Vec<String> {
    let pulling = pulls.iter().filter(|(_, pull)| *pull > 0.0);
    pulling
        .filter_map(|(one, _)| one.term.strip_prefix("e-mail at "))
        .filter(|domain| domain.contains(char::is_alphanumeric) && !domain.contains(' '))
        .map(quote)
        .take(1)
        .collect()
}

//! Quotes of whole words: the spans of overlapping terms are merged into the words that they stand in.

use std::ops::Range;

use super::LISTED_MAX;
use crate::model::Contribution;

/// Words of the longest phrase.
const WORDS_MAX: usize = 4;
/// Characters of the longest quote; what is longer ends in an ellipsis.
const CHARS_MAX: usize = 32;
/// A word belongs to a phrase if it pulls at least this share of what the heaviest word does.
const PICKED_FROM: f64 = 0.3;

/// Phrases of the comment's text. Links are no phrases: they are a part of their own.
pub(super) fn of_content(content: &str, pulls: &[(&Contribution, f64)]) -> Vec<String> {
    let words: Vec<_> = words(content)
        .into_iter()
        .filter(|word| !is_link(&content[word.clone()]))
        .collect();
    let spans = pulls
        .iter()
        .filter_map(|(one, pull)| one.span.clone().map(|span| (span, *pull)));
    merged(content, &words, spans)
}

/// The hosts that the text links to, and the domains of addresses in it.
pub(super) fn of_links(content: &str, pulls: &[(&Contribution, f64)]) -> Vec<String> {
    let mut hosts: Vec<(&str, f64)> = Vec::new();
    for (one, pull) in pulls {
        let Some(link) = one.span.clone().and_then(|span| content.get(span)) else {
            continue;
        };
        let host = host(link);
        match hosts.iter_mut().find(|(other, _)| *other == host) {
            Some((_, sum)) => *sum += pull,
            None => hosts.push((host, *pull)),
        }
    }
    hosts.retain(|(host, pull)| *pull > 0.0 && is_worth_quoting(host));
    hosts.sort_by(|a, b| b.1.total_cmp(&a.1));
    hosts
        .into_iter()
        .take(LISTED_MAX)
        .map(|(host, _)| quote(host))
        .collect()
}

/// The host of a link, or the domain of an address, as typed.
pub(super) fn host(link: &str) -> &str {
    let rest = link.split_once("://").map_or(link, |(_, rest)| rest);
    let rest = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    // Behind an @ of an address; in front of one in a link stands a password.
    let rest = rest.rsplit('@').next().unwrap_or(rest);
    rest.strip_prefix("www.").unwrap_or(rest)
}

/// The words of a text, in order: what stands between blanks, brackets and quotation marks, without the signs around
/// it. A sign of a script that sets no blanks between words is a word.
pub(super) fn words(text: &str) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut chunk: Option<Range<usize>> = None;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        let is_alone = is_ideograph(c);
        if (is_alone || is_between(c))
            && let Some(chunk) = chunk.take()
        {
            words.push(chunk);
        }
        if is_alone {
            words.push(at..end);
        } else if c.is_alphanumeric() {
            chunk = Some(chunk.map_or(at, |chunk| chunk.start)..end);
        }
    }
    words.extend(chunk);
    words
}

fn is_between(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(
            c,
            '<' | '>' | '"' | '[' | ']' | '(' | ')' | '{' | '}' | '|' | '!' | ',' | ';'
        )
        || matches!(c, '“' | '”' | '„' | '«' | '»' | '…' | '—')
}

/// Signs of Han and Kana.
fn is_ideograph(c: char) -> bool {
    c.is_alphanumeric()
        && matches!(c, '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Returns true if it is a link or an address.
fn is_link(word: &str) -> bool {
    let ends_in_label = |(_, end): (&str, &str)| end.len() > 1 && end.chars().all(char::is_alphabetic);
    word.contains(['@', '/'])
        || word.to_ascii_lowercase().starts_with("www.")
        || word.rsplit_once('.').is_some_and(ends_in_label)
}

/// Merges spans into phrases: every span is spread over the words that it touches, the words that pull most are picked,
/// and picked neighbors are one phrase. The heaviest phrases, heaviest first.
pub(super) fn merged(
    text: &str,
    words: &[Range<usize>],
    spans: impl Iterator<Item = (Range<usize>, f64)>,
) -> Vec<String> {
    let mut pulls = vec![0.0_f64; words.len()];
    for (span, pull) in spans {
        let first = words.partition_point(|word| word.end <= span.start);
        let behind = words.partition_point(|word| word.start < span.end);
        let touched = pulls.get_mut(first..behind).unwrap_or_default();
        let n = u32::try_from(touched.len()).map_or(f64::INFINITY, f64::from);
        touched.iter_mut().for_each(|sum| *sum += pull / n);
    }
    let heaviest = pulls.iter().fold(0.0, |max: f64, pull| max.max(*pull));
    let is_picked = |at: usize| pulls[at] > 0.0 && pulls[at] >= PICKED_FROM * heaviest;
    let mut groups: Vec<Range<usize>> = Vec::new();
    for at in (0..words.len()).filter(|at| is_picked(*at)) {
        match groups.last_mut() {
            Some(group) if group.end == at && are_neighbors(&text[words[at - 1].end..words[at].start]) => {
                group.end = at + 1;
            }
            _ => groups.push(at..at + 1),
        }
    }
    let mut phrases: Vec<(String, f64)> = groups
        .into_iter()
        .map(|group| heaviest_stretch(&pulls, group))
        .map(|(group, pull)| (&text[words[group.start].start..words[group.end - 1].end], pull))
        .filter(|(phrase, _)| is_worth_quoting(phrase))
        .map(|(phrase, pull)| (quote(phrase), pull))
        .collect();
    // Stable: of equally heavy ones the first in the text.
    phrases.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut listed: Vec<String> = Vec::new();
    for (phrase, _) in phrases {
        if listed.len() < LISTED_MAX && !listed.contains(&phrase) {
            listed.push(phrase);
        }
    }
    listed
}

/// Returns true if words with this between them are neighbors in one line.
fn are_neighbors(gap: &str) -> bool {
    gap.chars().count() <= 3 && gap.chars().all(|c| matches!(c, ' ' | '\u{a0}' | '-'))
}

/// The words in a row, at most [`WORDS_MAX`] of the group, that pull most, and their pull.
fn heaviest_stretch(pulls: &[f64], group: Range<usize>) -> (Range<usize>, f64) {
    let n = group.len().min(WORDS_MAX);
    let sum = |start: usize| pulls[start..start + n].iter().sum::<f64>();
    (group.start + 1..=group.end - n).fold((group.start..group.start + n, sum(group.start)), |best, start| {
        let pull = sum(start);
        if pull > best.1 { (start..start + n, pull) } else { best }
    })
}

/// A single letter or sign tells nobody anything; a sign of a script without letters is a word.
fn is_worth_quoting(phrase: &str) -> bool {
    phrase.chars().filter(|c| c.is_alphanumeric()).count() > 1 || phrase.chars().any(is_ideograph)
}

/// A quote for a line of text: on one line, of visible characters, and not too long.
pub(super) fn quote(phrase: &str) -> String {
    let mut quote = String::new();
    for (n, c) in phrase.chars().filter(|c| !is_invisible(*c)).enumerate() {
        if n == CHARS_MAX {
            quote.push('…');
            break;
        }
        quote.push(if c.is_whitespace() { ' ' } else { c });
    }
    quote
}

/// Characters that show nothing, or turn around what follows.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_words(text: &str, expected: &[&str]) {
        let found: Vec<&str> = words(text).into_iter().map(|word| &text[word]).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn words_are_whole_and_without_signs() {
        check_words("Don't STOP!!! «ça» (x-ray)", &["Don't", "STOP", "ça", "x-ray"]);
        check_words(
            "<a href=\"http://a.example/x\">go</a>",
            &["a", "href", "http://a.example/x", "go", "a"],
        );
        check_words("水を 飲", &["水", "を", "飲"]);
        check_words("!?! 👍", &[]);
    }

    #[test]
    fn spans_are_merged_into_words() {
        let check = |text: &str, spans: &[(Range<usize>, f64)], expected: &[&str]| {
            assert_eq!(merged(text, &words(text), spans.iter().cloned()), expected, "{text}");
        };
        // Overlapping runs within words, and one across both.
        let text = "buy cheap jerseys, now";
        check(
            text,
            &[(4..7, 1.0), (6..9, 1.0), (10..13, 1.0), (4..17, 1.0)],
            &["cheap jerseys"],
        );
        // Signs are between the words; light words are no phrase.
        check(text, &[(4..9, 1.0), (19..22, 0.9), (0..3, 0.1)], &["cheap", "now"]);
        // What pulls the other way counts against it.
        check(text, &[(4..9, 1.0), (4..9, -2.0)], &[]);
        check("! ! !", &[(0..1, 3.0), (0..5, 1.0)], &[]);
        check(
            "one two three four five six",
            &[(0..18, 1.0), (8..27, 1.5)],
            &["three four five six"],
        );
    }

    #[test]
    fn hosts_of_links() {
        for (link, expected) in [
            ("http://www.shop.example:80/x?y", "shop.example:80"),
            ("shop.example", "shop.example"),
            ("mailto@shop.example", "shop.example"),
            ("http://me:secret@shop.example/x", "shop.example"),
        ] {
            assert_eq!(host(link), expected);
        }
    }

    #[test]
    fn quotes_are_short_and_on_one_line() {
        assert_eq!(quote("a\u{202e}b\u{a0}c"), "ab c");
        assert_eq!(quote(&"x".repeat(40)), "x".repeat(32) + "…");
    }
}

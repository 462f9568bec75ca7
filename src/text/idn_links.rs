//! Links that linkify does not know, because their top-level domain is not written in Latin letters: `пример.рф`.
//!
//! They are for those who look where a link leads. The model reads them as words, as it did when it was trained.

use std::borrow::Cow;

use super::letters::is_alphanumeric;
use super::links::Span;

/// Top-level domains that are also common words: "люблю внуков.дети" is no link.
const ALSO_WORDS: &[&str] = &["дети", "我爱你", "健康", "八卦"];

/// Adds the links of that kind to those that linkify found, in order.
pub(super) fn add(text: &str, spans: &mut Vec<Span>) {
    if text.is_ascii() || !text.contains('.') {
        return;
    }
    let mut found: Vec<Span> = Vec::new();
    let mut known = spans.iter().peekable();
    for (at, b) in text.bytes().enumerate() {
        if !matches!(b, b'.' | b':') || found.last().is_some_and(|last| at < last.end) {
            continue;
        }
        while known.next_if(|span| span.end <= at).is_some() {}
        if known.peek().is_some_and(|span| span.start <= at) {
            continue;
        }
        let from = found.last().map_or(0, |last| last.end);
        let span = if b == b'.' {
            bare(text, from, at)
        } else {
            with_scheme(text, from, at)
        };
        found.extend(span);
    }
    if !found.is_empty() {
        merge(spans, found);
    }
}

/// The link without a scheme whose last dot is `dot`.
fn bare(text: &str, from: usize, dot: usize) -> Option<Span> {
    let rest = &text[dot + 1..];
    if rest.is_empty() || rest.as_bytes()[0].is_ascii() {
        return None;
    }
    let label = &rest[..run(rest, may_be_label)];
    let host_end = dot + 1 + label.len();
    let mut next = text[host_end..].chars();
    if next.next() == Some('.') && next.next().is_some_and(may_be_label) {
        // Not the last dot.
        return None;
    }
    let host_len: usize = text[from..dot]
        .chars()
        .rev()
        .take_while(|&c| c == '.' || may_be_label(c))
        .map(char::len_utf8)
        .sum();
    let before = &text[dot - host_len..dot];
    let before = before.rsplit_once("..").map_or(before, |(_, last)| last);
    let before = before.trim_start_matches(['.', '-']);
    let start = dot - before.len();
    if before.is_empty() || before.ends_with(['.', '-']) || text[..start].ends_with(['@', '/']) {
        return None;
    }
    let end = rest_end(text, host_end);
    let certain = end > host_end || before.starts_with("www.");
    is_top_level(label, before, certain).then_some(Span {
        start,
        end,
        is_email: false,
        has_scheme: false,
        is_neutral: false,
    })
}

/// The link whose scheme ends at `colon`.
fn with_scheme(text: &str, from: usize, colon: usize) -> Option<Span> {
    let rest = text[colon..].strip_prefix("://")?;
    let scheme_len = text[from..colon]
        .bytes()
        .rev()
        .take_while(u8::is_ascii_alphabetic)
        .count();
    let scheme = &text[colon - scheme_len..colon];
    let n = ["https", "http"].into_iter().find_map(|known| {
        let at = scheme.len().checked_sub(known.len())?;
        scheme.get(at..)?.eq_ignore_ascii_case(known).then_some(known.len())
    })?;
    let authority = &rest[..run(rest, |c| c != '/' && may_be_rest(c))];
    let authority = authority.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '\'']);
    if authority.is_ascii() {
        return None;
    }
    Some(Span {
        start: colon - n,
        end: rest_end(text, colon + "://".len() + authority.len()),
        is_email: false,
        has_scheme: true,
        is_neutral: false,
    })
}

/// Returns true if the character may stand in a part of a host between dots.
fn may_be_label(c: char) -> bool {
    // The vowel signs of India, Sri Lanka, Thailand and Laos, and the marks of Arabic, are no letters to Unicode.
    c == '-' || is_alphanumeric(c) || matches!(c, '\u{900}'..='\u{eff}' | '\u{64b}'..='\u{65f}')
}

/// Returns true if the character may stand in a path or a query.
fn may_be_rest(c: char) -> bool {
    !c.is_whitespace()
        && !matches!(
            c,
            '<' | '>'
                | '"'
                | '['
                | ']'
                | '{'
                | '}'
                | '|'
                | '\\'
                | '^'
                | '`'
                | '«'
                | '»'
                | '“'
                | '”'
                | '„'
                | '。'
                | '、'
                | '，'
        )
}

/// Bytes at the beginning of a text that are so.
fn run(text: &str, is_so: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is_so(c)).unwrap_or(text.len())
}

/// The end of the link whose host ends at `host_end`: behind its port, its path and its query.
fn rest_end(text: &str, host_end: usize) -> usize {
    let mut end = host_end;
    if let Some(port) = text[end..].strip_prefix(':') {
        let n = run(port, |c| c.is_ascii_digit());
        end += if n > 0 { 1 + n } else { 0 };
    }
    if text[end..].starts_with(['/', '?', '#']) {
        let rest = &text[end..][..run(&text[end..], may_be_rest)];
        end += rest.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '\'']).len();
    }
    end
}

/// Returns true if this is a top-level domain behind `before`, and no sentence that begins without a space.
fn is_top_level(label: &str, before: &str, certain: bool) -> bool {
    let lower = if label.chars().any(char::is_uppercase) {
        // A name in capitals is one throughout; "по закону.РФ приняла" is none.
        if !certain && before.chars().any(char::is_lowercase) {
            return false;
        }
        Cow::Owned(label.to_lowercase())
    } else {
        Cow::Borrowed(label)
    };
    psl::suffix(lower.as_bytes()).is_some_and(|suffix| suffix.is_known())
        && (certain || !ALSO_WORDS.contains(&lower.as_ref()))
}

/// Puts two ascending lists together. What begins inside another link is a part of that.
fn merge(spans: &mut Vec<Span>, found: Vec<Span>) {
    spans.extend(found);
    spans.sort_by_key(|span| span.start);
    let mut end = 0;
    spans.retain(|span| {
        let is_apart = span.start >= end;
        if is_apart {
            end = span.end;
        }
        is_apart
    });
}

#[cfg(test)]
mod tests {
    use super::super::links;
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &[&str]) {
        let mut spans = Vec::new();
        links::find(text, &mut spans);
        add(text, &mut spans);
        let found: Vec<&str> = spans.iter().map(|span| &text[span.start..span.end]).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn links_are_found_in_any_script_and_sentences_are_not() {
        check("заходи на пример.рф, там дёшево", &["пример.рф"]);
        check("(www.пример.рф/купить?a=1)", &["www.пример.рф/купить?a=1"]);
        check(
            "ПРИМЕР.РФ и a.com и b.пример.укр:8080",
            &["ПРИМЕР.РФ", "a.com", "b.пример.укр:8080"],
        );
        check(
            "看 食狮.中国 或 http://例え.テスト/あ 。",
            &["食狮.中国", "http://例え.テスト/あ"],
        );
        check("δες το παράδειγμα.ελ.", &["παράδειγμα.ελ"]);
        check("यहाँ उदाहरण.भारत देखें", &["उदाहरण.भारत"]);
        check("(HTTPS://u:p@пример.рф:80/x!)", &["HTTPS://u:p@пример.рф:80/x"]);
        check(
            "http://пример.рф/http://b.com c.com",
            &["http://пример.рф/http://b.com", "c.com"],
        );
        check("http://b.com/пример.рф", &["http://b.com/пример.рф"]);
        check(
            "Я пошёл домой.Она осталась. Нарушили закон.РФ молчит. Люблю внуков.дети лучше. И т.д. Вот...рф",
            &[],
        );
        check("я@пример.рф пример.неттакого .рф -.рф а..рф", &[]);
    }

    proptest! {
        #[test]
        fn any_text_has_links_in_order(text in "[a.:/@рфП中国。 \\-]{0,60}(http://)?[a.:/@рфП中国 ]{0,40}") {
            let mut spans = Vec::new();
            links::find(&text, &mut spans);
            add(&text, &mut spans);
            for (span, next) in spans.iter().zip(spans.iter().skip(1)) {
                prop_assert!(span.end <= next.start);
            }
            for span in spans {
                prop_assert!(!text[span.start..span.end].is_empty());
            }
        }
    }
}

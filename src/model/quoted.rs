//! Takes out what a reply quotes of the comment that it replies to: its author did not write that, so nothing of it is
//! read, not as words, not as links, and not as shape.
//!
//! Four words in a row that stand so in the parent are a quotation, and so is a link or an address that stands there.
//! What is shorter may be the author's own; that it is no evidence against them is the score's business.

use std::borrow::Cow;
use std::collections::HashSet;

/// So many words in a row are no accident.
const N_WORDS: usize = 4;

/// The content with spaces where it quotes the parent: every other byte stays where it was.
pub(super) fn without_quoted<'a>(content: &'a str, parent: Option<&str>) -> Cow<'a, str> {
    let Some(parent) = parent else {
        return Cow::Borrowed(content);
    };
    let words: Vec<&str> = parent.split_whitespace().filter_map(own).collect();
    let runs: HashSet<&[&str]> = words.windows(N_WORDS).collect();
    let links: HashSet<&str> = words.iter().copied().filter(|word| is_link(word)).collect();
    if runs.is_empty() && links.is_empty() {
        return Cow::Borrowed(content);
    }
    // The words of the content, with the place of each and of the marks before it.
    let mut places = Vec::new();
    let mut own_words = Vec::new();
    let mut marked_from = None;
    for word in content.split_whitespace() {
        let start = word.as_ptr() as usize - content.as_ptr() as usize;
        let from = marked_from.take().unwrap_or(start);
        match own(word) {
            Some(plain) => {
                own_words.push(plain);
                places.push(from..start + word.len());
            }
            None => marked_from = Some(from),
        }
    }
    let mut is_quoted: Vec<bool> = own_words.iter().map(|word| links.contains(word)).collect();
    for (i, run) in own_words.windows(N_WORDS).enumerate() {
        if runs.contains(run) {
            is_quoted[i..i + N_WORDS].fill(true);
        }
    }
    if !is_quoted.contains(&true) {
        return Cow::Borrowed(content);
    }
    let mut masked = String::with_capacity(content.len());
    for (place, _) in places.into_iter().zip(is_quoted).filter(|(_, quoted)| *quoted) {
        masked.push_str(&content[masked.len()..place.start]);
        masked.extend(std::iter::repeat_n(' ', place.len()));
    }
    masked.push_str(&content[masked.len()..]);
    Cow::Owned(masked)
}

/// The word without the marks that quoting puts before it; `None` if it is nothing but those.
fn own(word: &str) -> Option<&str> {
    let word = word.trim_start_matches(['>', '|', '"', '\u{201c}', '\u{201e}', '\u{ab}']);
    let word = word.trim_end_matches(['"', '\u{201d}', '\u{201c}', '\u{bb}']);
    (!word.is_empty()).then_some(word)
}

fn is_link(word: &str) -> bool {
    word.contains("://") || word.contains("www.") || word.contains('@')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARENT: &str = "Buy cheap pills here now: https://pills.example/buy and be happy for ever";

    fn check(content: &str, expected: &str) {
        let read = without_quoted(content, Some(PARENT));
        assert_eq!(read.len(), content.len());
        assert_eq!(read.split_whitespace().collect::<Vec<_>>().join(" "), expected);
    }

    #[test]
    fn what_is_quoted_is_not_read() {
        check(
            "> Buy cheap pills here now:\n> https://pills.example/buy\nNo, thanks.",
            "No, thanks.",
        );
        check("\"be happy for ever\" sounds like a threat", "sounds like a threat");
        check("Who else saw https://pills.example/buy ?", "Who else saw ?");
        check("I buy cheap pills elsewhere", "I buy cheap pills elsewhere");
        check("> https://other.example/buy", "> https://other.example/buy");
        check("", "");
    }

    #[test]
    fn without_a_parent_everything_is_read() {
        for parent in [None, Some(""), Some("one two three")] {
            assert!(matches!(
                without_quoted("> one two three", parent),
                Cow::Borrowed("> one two three")
            ));
        }
    }

    proptest! {
        #[test]
        fn bytes_stay_in_their_place(content in ".{0,60}", parent in ".{0,60}", cut in 0_usize..60) {
            let quoting = format!("{content} {} {parent}", parent.chars().skip(cut).collect::<String>());
            let read = without_quoted(&quoting, Some(&parent));
            prop_assert_eq!(read.len(), quoting.len());
            for (i, (was, is)) in quoting.bytes().zip(read.bytes()).enumerate() {
                prop_assert!(was == is || is == b' ', "byte {}", i);
            }
        }
    }
}

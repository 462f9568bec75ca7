//! The terms of each view of a text.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use super::clean::Clean;
use super::hash::{BASE, POWERS, fill_prefix, mix, stretch, stretches};
use super::letters::is_alphabetic;
use super::links;
use super::signs::emit_signs;
use super::stream::{ANCHOR, EMAIL, LINK, SPACE, Scratch, Token, is_letter};
use super::view::{Sink, View};

/// Characters a term of [`View::Chars3`].
const N_CHARS: usize = 3;
/// Letters a term of [`View::Letters`].
const N_LETTERS: usize = 6;
/// Reads a comment and hands every term of every view to the sink. Links to `article_hosts` are passed over.
pub fn emit<S: Sink>(content: &str, article_hosts: &[String], scratch: &mut Scratch, sink: &mut S) {
    emit_with_places(content, article_hosts, scratch, sink);
}

/// As [`emit`], and returns what leads from terms back to their places in the content.
pub fn emit_with_places<'a, S: Sink>(
    content: &'a str,
    article_hosts: &[String],
    scratch: &mut Scratch,
    sink: &mut S,
) -> Places<'a> {
    let cleaned = scratch.read(content, article_hosts);
    fill_prefix(&scratch.codes, &mut scratch.prefix);
    words(scratch, sink);
    chars(scratch, sink);
    letters(scratch, sink);
    emit_signs(&cleaned.text, scratch, sink);
    for link in scratch.links.iter().take(links::TAKEN_APART_MAX) {
        if !link.is_neutral {
            link_terms(&cleaned.text[link.start..link.end], *link, sink);
        }
    }
    scratch.shape.observe(&mut |what, value| {
        let raw = xxh3_64(what.as_bytes()).wrapping_add(u64::from(value) << 8);
        sink.fact(View::Shape, mix(View::Shape, raw), None, || format!("{what} {value}"));
    });
    Places { content, cleaned }
}

/// Leads from terms back to their places in the content.
#[derive(Debug)]
pub struct Places<'a> {
    content: &'a str,
    cleaned: Clean<'a>,
}

impl Places<'_> {
    /// The text of the stream's characters from `start` to `end`, and their place in the content.
    pub fn piece(&self, scratch: &Scratch, start: u32, end: u32) -> (String, Option<Range<usize>>) {
        let (start, end) = (start as usize, end as usize);
        let term = scratch.codes[start..end]
            .iter()
            .map(|&code| match code {
                LINK => "<link>".to_owned(),
                EMAIL => "<address>".to_owned(),
                ANCHOR => "<a>".to_owned(),
                _ => char::from_u32(code).unwrap_or(' ').to_string(),
            })
            .collect::<String>();
        // The spaces of the stream are nobody's: the place is from the first character to the last.
        let own = |i: &usize| scratch.codes[*i] != u32::from(b' ');
        let place = (start..end)
            .find(own)
            .zip((start..end).rfind(own))
            .map(|(first, last)| {
                let from = scratch.at[first] as usize;
                let to = scratch.at[last] as usize;
                match scratch
                    .links
                    .iter()
                    .find(|link| link.start == to && matches!(scratch.codes[last], LINK | EMAIL))
                {
                    Some(link) => self.range(from, link.end),
                    None => self.range(
                        from,
                        to + self.cleaned.text[to..].chars().next().map_or(0, char::len_utf8),
                    ),
                }
            });
        (term, place)
    }

    /// The place in the content of bytes of the cleaned text, on character boundaries.
    pub fn range(&self, start: usize, end: usize) -> Range<usize> {
        self.cleaned.range(self.content, start, end)
    }
}

/// Words, pairs and triples. The text's beginning and end are words for the pairs.
fn words<S: Sink>(scratch: &Scratch, sink: &mut S) {
    const EDGE: Token = Token { start: 0, end: 0 };
    let (mut before, mut last) = ((0_u64, EDGE), (1_u64, EDGE));
    for (i, &token) in scratch.tokens.iter().enumerate() {
        let word = stretch(&scratch.prefix, token.start as usize, token.end as usize);
        let hash = mix(View::Words, word);
        sink.piece(View::Words, hash, token.start, token.end);
        match scratch.codes[token.start as usize] {
            LINK | EMAIL => sink.linked(),
            ANCHOR => sink.anchored(),
            code if is_letter(code) => sink.spoken(hash),
            _ => {}
        }
        let pair = last.0.wrapping_mul(0xa076_1d64_78bd_642f).wrapping_add(word);
        let from = if i > 0 { last.1.start } else { token.start };
        sink.piece(View::Pairs, mix(View::Pairs, pair), from, token.end);
        if i > 1 {
            let triple = before.0.wrapping_mul(0xe703_7ed1_a0b4_28db).wrapping_add(pair);
            sink.piece(View::Triples, mix(View::Triples, triple), before.1.start, token.end);
        }
        before = last;
        last = (word, token);
    }
    if last.1.end > 0 {
        let pair = last.0.wrapping_mul(0xa076_1d64_78bd_642f).wrapping_add(2);
        sink.piece(View::Pairs, mix(View::Pairs, pair), last.1.start, last.1.end);
    }
}

/// Characters in a row within tokens, with the space before and after. Tokens that stand side by side are one.
///
/// Which are all but those with a space in the middle: there is one before the first token, one behind the last, and
/// never more than one between two.
fn chars<S: Sink>(scratch: &mut Scratch, sink: &mut S) {
    let Scratch {
        codes, prefix, hashes, ..
    } = scratch;
    let n = codes.len().saturating_sub(N_CHARS - 1);
    hashes.resize(n, 0);
    let raws = stretches(&prefix[..n], &prefix[prefix.len() - n..], POWERS[N_CHARS]);
    let middles = || codes.iter().skip(1);
    // Each is written, and overwritten by the next one if it is none: no branch that the processor would have to guess.
    let written = hashes.as_mut_slice();
    let mut n = 0;
    for (raw, &middle) in raws.zip(middles()) {
        written[n] = mix(View::Chars3, raw);
        n += usize::from(middle != SPACE);
    }
    let starts = (0..).zip(middles()).filter(|(_, middle)| **middle != SPACE);
    sink.row(View::Chars3, &hashes[..n], starts.map(|(start, _)| (start, start + 3)));
}

/// Letters in a row, whatever stands between them: what spacing, dots and hyphens cannot hide.
fn letters<S: Sink>(scratch: &mut Scratch, sink: &mut S) {
    let Scratch {
        codes,
        squash,
        squash_codes,
        hashes,
        ..
    } = scratch;
    squash_codes.resize(codes.len(), 0);
    let written = squash_codes.as_mut_slice();
    let mut n = 0;
    for &code in codes.iter() {
        written[n] = code;
        n += usize::from(is_letter(code));
    }
    squash_codes.truncate(n);
    fill_prefix(squash_codes, squash);
    if n < N_LETTERS {
        return;
    }
    let raws = stretches(
        &squash[..squash.len() - N_LETTERS],
        &squash[N_LETTERS..],
        POWERS[N_LETTERS],
    );
    hashes.clear();
    hashes.extend(raws.map(|raw| mix(View::Letters, raw)));
    let places = || (0..).zip(codes.iter()).filter(|(_, code)| is_letter(**code));
    let lasts = places().skip(N_LETTERS - 1);
    sink.row(
        View::Letters,
        hashes,
        places().zip(lasts).map(|((first, _), (last, _))| (first, last + 1)),
    );
}

/// Hands out the terms of a link's destination: host, registered domain, top-level domain, words of the path.
fn link_terms<S: Sink>(text: &str, link: links::Span, sink: &mut S) {
    let mut fact = |kind: &str, value: &str| {
        let raw = xxh3_64(kind.as_bytes()).wrapping_mul(BASE) ^ xxh3_64(value.as_bytes());
        sink.fact(View::Links, mix(View::Links, raw), Some((link.start, link.end)), || {
            format!("{kind} {value}")
        });
    };
    if link.is_email {
        let domain = text.rsplit('@').next().unwrap_or(text).to_ascii_lowercase();
        fact("mail at", &domain);
        return;
    }
    let Some(parts) = links::parse(text, link.has_scheme) else {
        return;
    };
    fact("host", &parts.host);
    fact("domain", &parts.domain);
    fact("suffix", &parts.suffix);
    for word in parts
        .domain
        .split(|c: char| !is_alphabetic(c))
        .filter(|word| word.len() > 2)
        .take(8)
    {
        fact("domain word", word);
    }
    for word in parts
        .rest
        .split(|c: char| !is_alphabetic(c))
        .filter(|word| word.len() > 2)
        .take(16)
    {
        fact("path word", word);
    }
    fact("path", if parts.rest.len() > 1 { "long" } else { "none" });
    fact("scheme", if link.has_scheme { "stated" } else { "none" });
}

#[cfg(test)]
mod tests {
    use super::super::view::Sort;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn prefixes_are_hashed_as_one_after_another(codes in prop::collection::vec(0..0x11_0000_u32, 0..14)) {
            let mut prefix = vec![7; 3];
            fill_prefix(&codes, &mut prefix);
            let mut expected = vec![0_u64];
            for &code in &codes {
                let last = expected[expected.len() - 1];
                expected.push(last.wrapping_mul(BASE).wrapping_add(u64::from(code) + 1));
            }
            prop_assert_eq!(prefix, expected);
        }
    }

    /// As the view is defined, token by token.
    fn chars_by_token(scratch: &Scratch) -> Vec<(View, u32, u32)> {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for token in &scratch.tokens {
            match runs.last_mut() {
                Some(run) if run.1 == token.start => run.1 = token.end,
                _ => runs.push((token.start, token.end)),
            }
        }
        let windows = |(start, end): (u32, u32)| start - 1..end - 1;
        runs.into_iter()
            .flat_map(windows)
            .map(|start| (View::Chars3, start, start + 3))
            .collect()
    }

    proptest! {
        #[test]
        fn characters_in_a_row_are_those_of_tokens(
            content in prop_oneof![any::<String>(), "([a-c. !水晶1<>&’]|\\pL|<br>|http://a.bc ){0,60}"],
        ) {
            let (mut scratch, mut names) = (Scratch::default(), Names::default());
            emit(&content, &[], &mut scratch, &mut names);
            names.codes.retain(|(view, ..)| *view == View::Chars3);
            prop_assert_eq!(names.codes, chars_by_token(&scratch));
        }
    }

    #[derive(Default)]
    struct Names {
        codes: Vec<(View, u32, u32)>,
        facts: Vec<String>,
    }

    impl Sink for Names {
        fn piece(&mut self, view: View, _hash: u32, start: u32, end: u32) {
            self.codes.push((view, start, end));
        }

        fn fact(&mut self, _view: View, _hash: u32, _place: Option<(usize, usize)>, name: impl FnOnce() -> String) {
            self.facts.push(name());
        }

        fn field(&mut self, _view: View, _hash: u32, _sort: Sort, name: impl FnOnce() -> String) {
            self.facts.push(name());
        }

        fn spoken(&mut self, _hash: u32) {}

        fn linked(&mut self) {}

        fn anchored(&mut self) {}
    }

    fn read(content: &str) -> (Vec<String>, Vec<String>) {
        let (mut scratch, mut names) = (Scratch::default(), Names::default());
        emit(content, &[], &mut scratch, &mut names);
        let word = |&(_, start, end): &(View, u32, u32)| {
            scratch.codes[start as usize..end as usize]
                .iter()
                .filter_map(|&code| char::from_u32(code))
                .collect()
        };
        let words = names
            .codes
            .iter()
            .filter(|(view, ..)| *view == View::Words)
            .map(word)
            .collect();
        (words, names.facts)
    }

    fn check(content: &str, expected: &str) {
        assert_eq!(read(content).0.join("|"), expected, "{content}");
    }

    #[test]
    fn words_as_people_write_them() {
        check("Don't STOP, it's 2015!!!!", "don't|stop|,|it's|0000|!!!");
        check("see http://a.example/x?y now", "see|\u{e000}|now");
        check("<b>bold</b><br />next &amp; x", "bold|next|&|x");
        check("<a href=\"http://a.com\">cheap</a>", "\u{e002}|cheap");
        check("I <3 this :-) soooooo much", "i|<|0|this|:-)|sooo|much");
        check("für 水晶 привет", "fur|水|晶|привет");
    }

    #[test]
    fn disguised_words_are_read_plainly() {
        check("s u b s c r i b e now", "subscribe|now");
        check("f.r.e.e. stuff x a-b-c-d e f g h", "free|stuff|x|abcd|efgh");
        check("ch3ck my ch@nnel p-l-e-a-s-e", "check|my|channel|please");
        check("the U.S.A. is", "the|u|.|s|.|a|.|is");
        check("I a m b", "iamb");
    }

    #[test]
    fn links_are_taken_apart() {
        let facts = read("http://shop.cheap-pills.co.uk/buy").1;
        for fact in [
            "host shop.cheap-pills.co.uk",
            "domain cheap-pills.co.uk",
            "suffix co.uk",
            "path word buy",
            "links 1",
        ] {
            assert!(facts.iter().any(|other| other == fact), "{fact} not in {facts:?}");
        }
    }

    #[test]
    fn links_of_the_article_are_passed_over() {
        let hosts = ["example.org".to_owned()];
        let (mut scratch, mut names) = (Scratch::default(), Names::default());
        emit("see https://www.example.org/story ok", &hosts, &mut scratch, &mut names);
        assert!(names.facts.iter().any(|fact| fact == "links 0"), "{:?}", names.facts);
        let (plain, marked) = ("see ok", "see <a href=\"https://example.org/story\">ok</a>");
        let features = |content| crate::text::Features::read(content, &hosts, &mut Scratch::default());
        assert_eq!(features(marked).n_anchored, 0);
        assert_eq!(features(marked).terms[0], features(plain).terms[0]);
    }
}

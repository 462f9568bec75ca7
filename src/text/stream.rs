//! One pass over a cleaned text: words, signs, links and markup as one stream of characters.
//!
//! The stream holds every token in lower case between single spaces, digits as `0`, links and addresses as one
//! character each. Views cut their terms from it; each of its characters knows its place in the original.

use super::clean::{Clean, clean};
use super::deobfuscate::{DOTTED_CAPITALS_FROM, SPACED_FROM, is_leet, is_leet_sign, leet_letter};
use super::letters::{Script, is_alphabetic, is_alphanumeric};
use super::links::{self, Hosts, Span};
use super::markup::{self, Tag, Tags};
use super::shape::Shape;

/// Stands in the stream for a link.
pub(super) const LINK: u32 = 0xe000;
/// Stands in the stream for an e-mail address.
pub(super) const EMAIL: u32 = 0xe001;
/// Stands in the stream for the opening of a link in HTML or BBCode.
pub(super) const ANCHOR: u32 = 0xe002;
/// Stands in the stream before and behind each word.
pub(super) const SPACE: u32 = 0x20;

/// Bytes of a text beyond these are not read: a comment is at most 65,525 bytes long.
const TEXT_BYTES_MAX: usize = 65_536;
/// A word's characters beyond this many are not read.
const WORD_CHARS_MAX: usize = 40;
/// Signs in a row beyond this many are not read.
const SIGNS_MAX: usize = 4;
/// The same character in a row beyond this many is not read.
const REPEATS_MAX: usize = 3;

/// The same byte eight times.
const fn each(byte: u8) -> u64 {
    byte as u64 * 0x0101_0101_0101_0101
}

/// The number of ASCII letters that eight bytes begin with. All bytes are looked at together (Warren, Hacker's Delight,
/// 6-1).
const fn letters(bytes: [u8; 8]) -> usize {
    let bytes = u64::from_le_bytes(bytes);
    // Lower case, seven bits: then no sum carries into the next byte.
    let low = (bytes | each(0x20)) & each(0x7f);
    let from_a = low + each(0x80 - b'a');
    let behind_z = low + each(0x7f - b'z');
    let others = !(from_a & !behind_z & !bytes) & each(0x80);
    (others.trailing_zeros() / 8) as usize
}

/// The bits of the first `n` of eight bytes.
const fn lowest(n: usize) -> u64 {
    if n < 8 { (1 << (8 * n)) - 1 } else { u64::MAX }
}

/// Returns true if one of the first `n` of eight bytes comes more than [`REPEATS_MAX`] times in a row.
const fn repeats(bytes: [u8; 8], n: usize) -> bool {
    let bytes = u64::from_le_bytes(bytes);
    let differences = bytes ^ (bytes >> 8);
    // The highest bit of each byte that is 0: one that is like the next one.
    let like_next = !(((differences & each(0x7f)) + each(0x7f)) | differences) & each(0x80);
    let like_next = like_next & lowest(n.saturating_sub(1));
    like_next & (like_next >> 8) & (like_next >> 16) != 0
}

/// Letters, links and addresses; no digits, no signs.
#[inline]
pub(super) fn is_letter(code: u32) -> bool {
    let is_other = |code| matches!(code, LINK | EMAIL | ANCHOR) || char::from_u32(code).is_some_and(is_alphabetic);
    (0x61..=0x7a).contains(&code) || (code > 0x7f && is_other(code))
}

/// A token's place in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// Memory for reading one comment, to be used again for the next.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The stream, as code points.
    pub(super) codes: Vec<u32>,
    /// The place of each in the cleaned text.
    pub(super) at: Vec<u32>,
    pub(super) tokens: Vec<Token>,
    pub(super) links: Vec<Span>,
    pub(super) shape: Shape,
    /// Rolling hashes of the stream and of its letters alone; `terms` fills them.
    pub(super) prefix: Vec<u64>,
    pub(super) squash: Vec<u64>,
    pub(super) squash_codes: Vec<u32>,
    /// Terms of one view.
    pub(super) hashes: Vec<u32>,
    /// The stream as a string; `signs` fills it.
    pub(super) spelled: String,
    singles: Singles,
}

/// A run of single letters, which may turn out to be a word in disguise.
#[derive(Debug, Default)]
struct Singles {
    first_token: usize,
    last_token: usize,
    n: usize,
    /// The sign between them.
    sign: Option<char>,
    /// The end of the last one in the cleaned text.
    end: usize,
    /// The number of capitals among them, and whether the last one is one.
    n_upper: usize,
    last_upper: bool,
}

impl Scratch {
    /// Reads a text. Links to `article_hosts` are passed over as if they were not there.
    pub(super) fn read<'a>(&mut self, content: &'a str, article_hosts: &[String]) -> Clean<'a> {
        let cleaned = clean(beginning(content));
        self.clear();
        self.shape.undone = cleaned.undone;
        links::find(&cleaned.text, &mut self.links);
        if !article_hosts.is_empty() {
            let text = &cleaned.text;
            let hosts = Hosts::new(article_hosts);
            for link in self.links.iter_mut().take(links::TAKEN_APART_MAX) {
                let parts = links::parse(&text[link.start..link.end], link.has_scheme);
                link.is_neutral = !link.is_email && parts.is_some_and(|parts| hosts.have(&parts.host));
            }
        }
        self.scan(&cleaned.text);
        self.close_singles();
        self.push(SPACE, cleaned.text.len());
        cleaned
    }

    /// Forgets what was read.
    pub(super) fn clear(&mut self) {
        self.codes.clear();
        self.at.clear();
        self.tokens.clear();
        self.links.clear();
        self.singles = Singles::default();
        self.shape = Shape::default();
    }

    /// Appends a word between spaces, as it is.
    pub(super) fn push_word(&mut self, word: &str) {
        self.push(SPACE, 0);
        let first = self.len();
        word.chars().for_each(|c| self.push(u32::from(c), 0));
        self.token(first);
        self.push(SPACE, 0);
    }

    /// Returns true if most letters of what was read last are of a script other than Latin.
    pub(crate) fn is_foreign(&self) -> bool {
        self.shape.is_foreign()
    }

    fn scan(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut tags = Tags::new(text);
        let mut pos = 0;
        let mut link = 0;
        while pos < bytes.len() {
            while self.links.get(link).is_some_and(|span| span.start < pos) {
                link += 1;
            }
            // Most of most texts are plain words with single spaces between them.
            let limit = self.links.get(link).map_or(bytes.len(), |span| span.start);
            while let Some(end) = self.plain_word(bytes, pos, limit) {
                pos = end + usize::from(end < limit && bytes[end] == b' ');
            }
            if pos >= bytes.len() {
                break;
            }
            if let Some(&span) = self.links.get(link)
                && span.start == pos
            {
                self.link(span);
                pos = span.end;
                continue;
            }
            let b = bytes[pos];
            if b.is_ascii_whitespace() {
                self.shape.n_lines += u32::from(b == b'\n');
                pos += 1;
            } else if matches!(b, b'<' | b'[')
                && let Some((tag, n)) = tags.at(pos)
            {
                if !self.leads_nowhere_new(link, tag, (pos, &text[pos..pos + n])) {
                    self.tag(tag, pos, bytes[pos + 1] == b'/');
                }
                // Links inside the tag count, but are not part of what is read.
                while let Some(span) = self.links.get(link).filter(|span| span.start < pos + n) {
                    self.shape.n_links += u32::from(!span.is_neutral && !span.is_email);
                    link += 1;
                }
                let within = link.checked_sub(1).and_then(|last| self.links.get(last));
                pos = within.map_or(pos + n, |span| span.end.max(pos + n));
            } else {
                let c = text[pos..].chars().next().unwrap_or(' ');
                pos = if !c.is_ascii() && is_alphanumeric(c) && Script::of(c).is_unspaced() {
                    self.unspaced(text, pos, limit)
                } else if is_alphanumeric(c) {
                    self.word(text, pos, limit)
                } else if c.is_whitespace() || c.is_control() {
                    pos + c.len_utf8()
                } else {
                    self.signs(text, pos, limit)
                };
            }
        }
    }

    /// Reads the word that begins at `start`, if it needs no second look, and returns its end: two to forty ASCII
    /// letters and nothing behind them that could belong to them. What it does is what [`Scratch::word`] does, at a
    /// quarter of the cost.
    fn plain_word(&mut self, bytes: &[u8], start: usize, limit: usize) -> Option<usize> {
        let rest = bytes.get(start..limit)?;
        if let Some(&first) = rest.first_chunk::<8>() {
            let n = letters(first);
            if n < first.len() {
                return self.short_word(first, n, rest.get(n + 1).copied(), start);
            }
        }
        let n = rest.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        let (word, behind) = rest.split_at(n);
        let ends = match *behind {
            [] | [b' ' | b'.' | b',', ..] => true,
            [b, ..] if b.is_ascii_digit() || !b.is_ascii() => false,
            [_, next, ..] => !next.is_ascii_alphabetic(),
            [_] => true,
        };
        let repeats = |w: &[u8]| w[0] == w[1] && w[1] == w[2] && w[2] == w[3];
        if !ends || !(2..=WORD_CHARS_MAX).contains(&n) || word.windows(REPEATS_MAX + 1).any(repeats) {
            return None;
        }
        if self.singles.n > 0 {
            self.close_singles();
        }
        let n_upper: u32 = word.iter().map(|b| u32::from(b & 0x20 == 0)).sum();
        #[expect(clippy::cast_possible_truncation, reason = "texts are far below 4 GiB")]
        let (at, end) = (start as u32, (start + n) as u32);
        self.shape.word(end - at, n_upper, 0);
        self.push(SPACE, start);
        let first = self.len();
        self.codes.extend(word.iter().map(|b| u32::from(b | 0x20)));
        self.at.extend(at..end);
        self.token(first);
        Some(start + n)
    }

    /// As [`Scratch::plain_word`], for one that ends within eight bytes, after `n`; `next` stands behind what ends it.
    /// Eight at a time are written, and those that were too many taken back.
    #[expect(clippy::cast_possible_truncation, reason = "texts are far below 4 GiB")]
    fn short_word(&mut self, bytes: [u8; 8], n: usize, next: Option<u8>, start: usize) -> Option<usize> {
        let ends = match bytes[n] {
            b' ' | b'.' | b',' => true,
            b if b.is_ascii_digit() || !b.is_ascii() => false,
            _ => !next.is_some_and(|next| next.is_ascii_alphabetic()),
        };
        if !ends || n < 2 || repeats(bytes, n) {
            return None;
        }
        if self.singles.n > 0 {
            self.close_singles();
        }
        let upper = !u64::from_le_bytes(bytes) & each(0x20) & lowest(n);
        // A one in each byte that is a capital; the product's first byte is their sum.
        let n_upper = ((upper >> 5).wrapping_mul(each(1)) >> 56) as u32;
        self.shape.word(n as u32, n_upper, 0);
        self.push(SPACE, start);
        let first = self.codes.len();
        self.codes.extend_from_slice(&bytes.map(|b| u32::from(b | 0x20)));
        self.codes.truncate(first + n);
        let at = start as u32;
        self.at
            .extend_from_slice(&[at, at + 1, at + 2, at + 3, at + 4, at + 5, at + 6, at + 7]);
        self.at.truncate(first + n);
        self.token(first as u32);
        Some(start + n)
    }

    fn push(&mut self, code: u32, at: usize) {
        self.codes.push(code);
        #[expect(clippy::cast_possible_truncation, reason = "texts are far below 4 GiB")]
        self.at.push(at as u32);
    }

    #[expect(clippy::cast_possible_truncation, reason = "texts are far below 4 GiB")]
    fn len(&self) -> u32 {
        self.codes.len() as u32
    }

    /// Makes a token of what was pushed since `start`.
    fn token(&mut self, start: u32) {
        let end = self.len();
        self.tokens.push(Token { start, end });
    }

    fn whole(&mut self, code: u32, at: usize) {
        self.close_singles();
        self.push(SPACE, at);
        let start = self.len();
        self.push(code, at);
        self.token(start);
    }

    fn link(&mut self, span: Span) {
        if span.is_email {
            self.shape.n_emails += 1;
            self.whole(EMAIL, span.start);
        } else if !span.is_neutral {
            self.shape.n_links += 1;
            self.shape.n_link_bytes += u32::try_from(span.end - span.start).unwrap_or(u32::MAX);
            self.whole(LINK, span.start);
        }
    }

    /// Returns true for a tag that is read as if it were not there: it has links (those from `first` on), all of them
    /// neutral, or is an anchor that leads to no other host.
    fn leads_nowhere_new(&self, first: usize, tag: Tag, (at, written): (usize, &str)) -> bool {
        let within = || {
            let rest = self.links.iter().skip(first);
            rest.take_while(|span| span.start < at + written.len())
        };
        if within().next().is_some() && within().all(|span| span.is_neutral) {
            return true;
        }
        // One that never ends is what a cut-off advertisement leaves.
        let opens = tag == Tag::Anchor && !written.starts_with("</") && written.ends_with('>');
        opens && within().all(|span| span.is_neutral || span.is_email) && markup::leads_to_no_host(written)
    }

    fn tag(&mut self, tag: Tag, at: usize, closes: bool) {
        self.close_singles();
        match tag {
            Tag::Break => self.shape.n_lines += u32::from(!closes),
            Tag::Html => self.shape.n_html += 1,
            Tag::BbCode => self.shape.n_bbcode += 1,
            Tag::Anchor | Tag::BbLink if closes => {}
            Tag::Anchor => {
                self.shape.n_anchors += 1;
                self.whole(ANCHOR, at);
            }
            Tag::BbLink => {
                self.shape.n_bblinks += 1;
                self.whole(ANCHOR, at);
            }
        }
    }

    /// Reads the word that begins at `start` and returns its end.
    fn word(&mut self, text: &str, start: usize, limit: usize) -> usize {
        let end = word_end(text, start, limit);
        let word = &text[start..end];
        let (mut n_letters, mut n_upper, mut n_digits, mut n_signs) = (0, 0, 0, 0);
        for c in word.chars() {
            if c.is_ascii_digit() {
                n_digits += 1;
            } else if is_alphanumeric(c) {
                n_letters += 1;
                n_upper += u32::from(c.is_uppercase());
                if !c.is_ascii() {
                    self.shape.scripts[Script::of(c) as usize] += 1;
                }
            } else {
                n_signs += u32::from(is_leet_sign(c));
            }
        }
        let leet = n_letters > 0 && n_digits + n_signs > 0 && is_leet(word);
        self.shape.n_leet += u32::from(leet);
        self.shape.word(n_letters, n_upper, n_digits);
        let is_single = n_letters == 1 && n_digits == 0;
        let sign = self.sign_before(text, start).filter(|_| is_single);
        if sign.is_none() {
            self.close_singles();
        } else if self.singles.n > 1 && self.singles.sign != sign {
            // Another sign: the last letter may begin another run.
            let (last_token, end) = (self.singles.last_token, self.singles.end);
            let last_upper = self.singles.last_upper;
            if !self.close_singles() {
                (self.singles.first_token, self.singles.end) = (last_token, end);
                self.singles.n = 1;
                self.singles.n_upper = usize::from(last_upper);
            }
        }
        self.push(SPACE, start);
        let first = self.len();
        let mut at = start;
        let (mut last, mut n_same) = (None, 0);
        for c in word.chars() {
            let c_at = at;
            at += c.len_utf8();
            let c = if leet { leet_letter(c).unwrap_or(c) } else { c };
            n_same = if last == Some(c) { n_same + 1 } else { 1 };
            last = Some(c);
            self.shape.n_repeats += u32::from(n_same == REPEATS_MAX + 1);
            if n_same > REPEATS_MAX || self.codes.len() - first as usize >= WORD_CHARS_MAX {
                continue;
            }
            match c {
                'a'..='z' => self.push(c as u32, c_at),
                'A'..='Z' => self.push(c as u32 | 0x20, c_at),
                '0'..='9' => self.push('0' as u32, c_at),
                '’' => self.push('\'' as u32, c_at),
                _ if c.is_ascii() => self.push(c as u32, c_at),
                _ => c.to_lowercase().for_each(|c| self.push(c as u32, c_at)),
            }
        }
        self.token(first);
        if is_single {
            if self.singles.n == 0 {
                self.singles.first_token = self.tokens.len() - 1;
            }
            self.singles.n += 1;
            self.singles.last_upper = n_upper > 0;
            self.singles.n_upper += usize::from(n_upper > 0);
            self.singles.sign = sign;
            self.singles.last_token = self.tokens.len() - 1;
            self.singles.end = end;
        }
        end
    }

    /// Reads characters of a script without spaces: each is a token, and those of a run stand side by side.
    fn unspaced(&mut self, text: &str, start: usize, limit: usize) -> usize {
        self.close_singles();
        self.push(SPACE, start);
        let mut at = start;
        for c in text[start..limit].chars() {
            let script = Script::of(c);
            if !(script.is_unspaced() && (is_alphanumeric(c) || is_spoken_mark(c))) {
                break;
            }
            self.shape.scripts[script as usize] += 1;
            self.shape.n_letters += 1;
            self.shape.n_words += 1;
            let first = self.len();
            self.push(c as u32, at);
            self.token(first);
            at += c.len_utf8();
        }
        at
    }

    /// Reads signs in a row: ASCII ones together, others one by one.
    fn signs(&mut self, text: &str, start: usize, limit: usize) -> usize {
        let first_char = text[start..].chars().next().unwrap_or(' ');
        let mut end = start + first_char.len_utf8();
        if first_char.is_ascii() {
            let is_sign = |&b: &u8| b.is_ascii_punctuation() && !matches!(b, b'<' | b'[');
            end += text.as_bytes()[end..limit].iter().take_while(|b| is_sign(b)).count();
        }
        if end - start > first_char.len_utf8() {
            self.close_singles();
        }
        self.push(SPACE, start);
        let first = self.len();
        if first_char.is_ascii() {
            let (mut last, mut n_same) = (0, 0);
            for (i, &b) in text.as_bytes()[start..end].iter().enumerate() {
                n_same = if last == b { n_same + 1 } else { 1 };
                last = b;
                self.shape.n_exclaims += u32::from(b == b'!');
                self.shape.n_questions += u32::from(b == b'?');
                self.shape.n_repeats += u32::from(n_same == REPEATS_MAX + 1);
                if n_same <= REPEATS_MAX && self.codes.len() - (first as usize) < SIGNS_MAX {
                    self.push(u32::from(b), start + i);
                }
            }
        } else {
            self.push(first_char as u32, start);
        }
        self.shape.n_signs += u32::try_from(end - start).unwrap_or(u32::MAX);
        self.token(first);
        end
    }

    /// The character between the last single letter and `start`, if there is exactly one.
    fn sign_before(&self, text: &str, start: usize) -> Option<char> {
        let mut between = text[self.singles.end.min(start)..start].chars();
        between
            .next()
            .filter(|_| self.singles.n > 0 && between.next().is_none())
    }

    /// Joins single letters in a row into the word that they spell, if there are enough of them, and says whether.
    fn close_singles(&mut self) -> bool {
        let run = std::mem::take(&mut self.singles);
        let is_abbreviation = run.sign == Some('.') && run.n_upper == run.n;
        if run.n
            < if is_abbreviation {
                DOTTED_CAPITALS_FROM
            } else {
                SPACED_FROM
            }
        {
            return false;
        }
        self.shape.n_spaced += 1;
        let tokens = self.tokens.split_off(run.first_token);
        let Some(first) = tokens.first().map(|token| token.start) else {
            return false;
        };
        let mut kept = first as usize;
        let mut end = kept;
        for token in &tokens {
            let at = token.start as usize;
            if token.end - token.start == 1
                && char::from_u32(self.codes[at]).is_some_and(is_alphabetic)
                && end - kept < run.n
            {
                self.codes[end] = self.codes[at];
                self.at[end] = self.at[at];
                end += 1;
            }
        }
        kept = end.min(kept + WORD_CHARS_MAX);
        self.codes.truncate(kept);
        self.at.truncate(kept);
        self.token(first);
        true
    }
}

/// The end of the word that begins at `start`.
fn word_end(text: &str, start: usize, limit: usize) -> usize {
    let bytes = text.as_bytes();
    let mut pos = start;
    while pos < limit {
        let b = bytes[pos];
        if b.is_ascii_alphanumeric() {
            pos += 1;
        } else if b.is_ascii() {
            // `cl!ck`, but not `article!Thanks`; never in front, where `@robert` and `$AAPL` have their signs.
            let is_inside = |fits: fn(&u8) -> bool| pos > start && fits(&bytes[pos - 1]) && fits(&bytes[pos + 1]);
            let joins = match b {
                b'\'' => pos > start,
                b'!' | b'|' => pos + 1 < limit && is_inside(u8::is_ascii_lowercase),
                _ => pos > start && is_leet_sign(char::from(b)),
            };
            if !(joins && pos + 1 < limit && bytes[pos + 1].is_ascii_alphabetic()) {
                break;
            }
            pos += 1;
        } else {
            let mut rest = text[pos..limit].chars();
            let Some(c) = rest.next() else { break };
            let goes_on = if c == '’' || c == '€' {
                rest.next().is_some_and(is_alphabetic)
            } else {
                (is_alphanumeric(c) || is_spoken_mark(c)) && !Script::of(c).is_unspaced()
            };
            if !goes_on {
                break;
            }
            pos += c.len_utf8();
        }
    }
    pos
}

/// The beginning of a text, which is read.
fn beginning(text: &str) -> &str {
    let end = (0..=TEXT_BYTES_MAX.min(text.len()))
        .rev()
        .find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

/// Vowel signs and the like: no letters, but parts of words.
fn is_spoken_mark(c: char) -> bool {
    matches!(c, '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{65f}' | '\u{900}'..='\u{dff}' | '\u{e00}'..='\u{eff}'
        | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3099}'..='\u{309c}' | '\u{30fc}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Near the end of a text they are read one by one.
        #[test]
        fn short_words_are_read_eight_bytes_at_once_as_one_by_one(
            text in "[a-zA-Z]{0,7}[a-zA-Z .,!0-9@`{\\[é-]{0,2}|a{1,7}|[aA]{1,7}|(aaaa|xaaaa|aaaax|aaabbb|aabaaa)[ .]?",
        ) {
            prop_assume!(text.len() < 8);
            let padded = format!("{text}        ");
            let read = |text: &str| {
                let mut scratch = Scratch::default();
                let end = scratch.plain_word(text.as_bytes(), 0, text.len());
                (end, scratch.codes, scratch.at, scratch.tokens, format!("{:?}", scratch.shape))
            };
            prop_assert_eq!(read(&text), read(&padded));
        }

        #[test]
        fn leading_letters_are_counted(bytes in prop::array::uniform8(prop_oneof![any::<u8>(), 0x40..0x80_u8])) {
            let n = bytes.iter().take_while(|b| b.is_ascii_alphabetic()).count();
            prop_assert_eq!(letters(bytes), n);
        }

        #[test]
        fn repeats_are_seen(bytes in prop::array::uniform8(0x61..0x63_u8), n in 0..=8_usize) {
            let is_one = |w: &[u8]| w.iter().all(|b| *b == w[0]);
            prop_assert_eq!(repeats(bytes, n), bytes[..n].windows(REPEATS_MAX + 1).any(is_one));
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(beginning("воля"), "воля");
        let long = format!("x{}", "я".repeat(TEXT_BYTES_MAX));
        assert_eq!(beginning(&long).len(), TEXT_BYTES_MAX - 1);
    }

    #[test]
    fn an_anchor_that_leads_to_no_other_host_is_read_as_its_words() {
        let read = |text: &str, hosts: &[String]| {
            let mut scratch = Scratch::default();
            scratch.read(text, hosts);
            (scratch.codes, format!("{:?}", scratch.shape))
        };
        let own = ["gazette.example".to_owned()];
        for target in [
            "href=\"/u/ann\"",
            "href='#comment-7'",
            "href=?page=2",
            "class=\"mention\" href=\"\"",
            "name=top",
            "href=\"mailto:ann@gazette.example\"",
            "href=\"tel:+15550104477\"",
            "href=\"page/two\"",
            "HREF = \"https://gazette.example/@ann\"",
        ] {
            let marked = format!("<a {target}>ann</a>, where can I buy it?");
            assert_eq!(read(&marked, &own), read("ann, where can I buy it?", &own), "{marked}");
        }
        for target in [
            "href=\"//cheap-pills.com/x\"",
            "href=\"https://cheap-pills.com\"",
            "href=\"/\\cheap-pills.com\"",
            "href=\"cheap-pills.com\"",
            "href=\"http:cheap-pills\"",
            "href=\"\\\\cheap-pills\"",
        ] {
            let marked = format!("<a {target}>ann</a>");
            let codes = read(&marked, &own).0;
            assert!(codes.contains(&ANCHOR), "{marked}");
        }
        assert!(read("<a href=\"/x", &[]).0.contains(&ANCHOR), "one that never ends");
    }

    #[test]
    fn ordinary_marks_are_no_disguise() {
        for content in [
            "@Robert and @amanda are right",
            "I hold $AAPL and $tsla",
            "Good article!Thanks. What now?Yes|No",
            "H1N1, B2B, P2P and k8s, R2D2",
            "the U.S.S.R. and the U.S.A.",
        ] {
            let mut scratch = Scratch::default();
            scratch.read(content, &[]);
            assert_eq!((scratch.shape.n_leet, scratch.shape.n_spaced), (0, 0), "{content}");
        }
    }
}

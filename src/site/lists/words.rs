//! Words and phrases that match whole words only, and parts of words, which match anywhere.
//!
//! A look-up of a word is one step in a hash table, however long the list. Scripts that put no spaces between words
//! have no whole words: their entries are searched as parts, all in one pass.

use std::collections::HashMap;
use std::fmt;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, Input, MatchKind, StartKind};
use foldhash::fast::RandomState;

use super::InvalidEntry;
use crate::text::{fold, has_unspaced};

/// Phrases have at most this many words.
pub(super) const PHRASE_WORDS_MAX: usize = 8;
/// Parts have at least this many characters, unless their script has no spaces.
const PART_CHARS_MIN: usize = 3;
/// Bytes that every part has at least: three letters, or one of a script without spaces.
const PART_BYTES_MIN: usize = 3;
/// Bits of a [`Gate`].
const GATE_BITS: u32 = 16;
const GATE_WORDS: usize = 1 << (GATE_BITS - 6);
/// The bit of a word that is an entry by itself; bit n says that a phrase of n words begins with it.
const ALONE: u16 = 1 << 1;

/// A list of words.
#[derive(Clone, Default)]
pub struct Words {
    /// Folded words and phrases, without the spaces around; what begins here.
    whole: HashMap<Box<str>, u16, RandomState>,
    sieve: Sieve,
    parts: Option<AhoCorasick>,
    gate: Gate,
    part_texts: Vec<Box<str>>,
    n: usize,
}

/// Entries on their way to a [`Words`].
#[derive(Debug, Default)]
pub struct WordsBuilder {
    words: Words,
    folded: String,
}

impl WordsBuilder {
    /// Adds a word or a phrase.
    ///
    /// # Errors
    /// It can match nothing, or it is too long.
    pub fn word(&mut self, entry: &str) -> Result<(), InvalidEntry> {
        fold(entry, &mut self.folded);
        let folded = self.folded.trim();
        let n_words = folded.split(' ').count();
        if folded.is_empty() {
            return Err(InvalidEntry::NoWord(entry.to_owned()));
        }
        if n_words > PHRASE_WORDS_MAX {
            return Err(InvalidEntry::LongPhrase(entry.to_owned()));
        }
        self.words.n += 1;
        if has_unspaced(folded) {
            self.words.part_texts.push(folded.into());
            return Ok(());
        }
        if n_words > 1 {
            let first = folded.split(' ').next().unwrap_or(folded);
            *self.words.whole.entry(first.into()).or_default() |= 1 << n_words;
        }
        *self.words.whole.entry(folded.into()).or_default() |= ALONE;
        Ok(())
    }

    /// Adds a part of a word.
    ///
    /// # Errors
    /// It would match nearly everything, or nothing.
    pub fn part(&mut self, entry: &str) -> Result<(), InvalidEntry> {
        fold(entry, &mut self.folded);
        let folded = self.folded.trim();
        if folded.is_empty() {
            return Err(InvalidEntry::NoWord(entry.to_owned()));
        }
        if folded.contains(' ') {
            return Err(InvalidEntry::PartWithGap(entry.to_owned()));
        }
        if folded.chars().count() < PART_CHARS_MIN && !has_unspaced(folded) {
            return Err(InvalidEntry::ShortPart(entry.to_owned()));
        }
        self.words.n += 1;
        self.words.part_texts.push(folded.into());
        Ok(())
    }

    /// The list, ready to be asked. An automaton that cannot be built (beyond 2³¹ states) is left out; the limit on the
    /// size of lists comes first.
    pub fn build(mut self) -> Words {
        self.words.sieve = Sieve::of(self.words.whole.keys().map(|entry| &**entry));
        if !self.words.part_texts.is_empty() {
            self.words.part_texts.sort_unstable();
            self.words.part_texts.dedup();
            self.words.gate = Gate::of(&self.words.part_texts);
            self.words.parts = AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .start_kind(StartKind::Anchored)
                .build(self.words.part_texts.iter().map(|part| part.as_bytes()))
                .ok();
        }
        self.words
    }
}

impl Words {
    /// The first entry that stands in `folded`, which [`fold`] wrote.
    pub fn find(&self, folded: &str) -> Option<&str> {
        self.find_whole(folded).or_else(|| self.find_part(folded))
    }

    fn find_whole(&self, folded: &str) -> Option<&str> {
        if self.whole.is_empty() {
            return None;
        }
        let text = folded.as_bytes();
        // Behind the first space there are words, each with a space behind it.
        let mut start = 1;
        while let Some((end, mark)) = Sieve::word(text, start) {
            if self.sieve.may_hold(mark)
                && let Some((entry, &begins)) = self.whole.get_key_value(&folded[start..end])
            {
                if begins & ALONE != 0 {
                    return Some(entry);
                }
                if let Some(phrase) = self.phrase(&folded[start..], begins) {
                    return Some(phrase);
                }
            }
            start = end + 1;
        }
        None
    }

    /// A phrase at the beginning of `text`; `begins` says how many words there may be.
    fn phrase(&self, text: &str, begins: u16) -> Option<&str> {
        let spaces = text.match_indices(' ').take(PHRASE_WORDS_MAX).map(|(at, _)| at);
        spaces
            .enumerate()
            .filter(|(n, _)| begins & 1 << (n + 1) != 0)
            .find_map(|(_, end)| {
                let (entry, begins) = self.whole.get_key_value(&text[..end])?;
                (begins & ALONE != 0).then_some(&**entry)
            })
    }

    fn find_part(&self, folded: &str) -> Option<&str> {
        let (parts, text) = (self.parts.as_ref()?, folded.as_bytes());
        let mut at = 0;
        let found = loop {
            at = self.gate.next_place(text, at)?;
            let here = Input::new(text).range(at..).anchored(Anchored::Yes);
            if let Some(found) = parts.find(here) {
                break found;
            }
            at += 1;
        };
        self.part_texts.get(found.pattern().as_usize()).map(|part| &**part)
    }

    /// The number of entries.
    pub const fn len(&self) -> usize {
        self.n
    }

    /// Returns true if there are none.
    pub const fn is_empty(&self) -> bool {
        self.n == 0
    }
}

/// The length and the first eight bytes of the words that entries begin with, as a set that may have others in it. It
/// is small enough to stay near the processor, where the table with the entries does not.
#[derive(Clone, Default)]
struct Sieve {
    bits: Vec<u64>,
}

/// A space in each byte, a one, and the highest bit.
const SPACES: u64 = u64::from_le_bytes([b' '; 8]);
const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGHEST: u64 = u64::from_le_bytes([0x80; 8]);

impl Sieve {
    /// Sixteen bits for each: one word in sixteen that is in no list passes.
    fn of<'a>(entries: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let mut sieve = Self {
            bits: vec![0; (entries.len() * 16).next_power_of_two().max(64) / 64],
        };
        for entry in entries {
            // The first word is an entry as well.
            let first = format!("{} ", entry.split(' ').next().unwrap_or(entry));
            if let Some((_, mark)) = Self::word(first.as_bytes(), 0) {
                let (word, bit) = sieve.place(mark);
                sieve.bits[word] |= bit;
            }
        }
        sieve
    }

    /// The word that begins at `start`: where its space stands, and what is looked at of it. `None` at the end of the
    /// text.
    fn word(text: &[u8], start: usize) -> Option<(usize, u64)> {
        let rest = text.get(start..)?;
        let Some(chunk) = rest.first_chunk() else {
            let end = rest.iter().position(|&b| b == b' ')?;
            let mut first = [b' '; 8];
            first[..end].copy_from_slice(&rest[..end]);
            return Some((start + end, Self::mark(first, end)));
        };
        // The lowest of the bytes that are spaces (Warren, Hacker's Delight, 6-1: it is exact up to the first one).
        let others = u64::from_le_bytes(*chunk) ^ SPACES;
        let found = others.wrapping_sub(ONES) & !others & HIGHEST;
        let end = if found == 0 {
            8 + rest[8..].iter().position(|&b| b == b' ')?
        } else {
            found.trailing_zeros() as usize / 8
        };
        Some((start + end, Self::mark(*chunk, end)))
    }

    /// The first bytes of a word of this length, mixed with it (Knuth, The Art of Computer Programming 3, 6.4).
    const fn mark(first: [u8; 8], length: usize) -> u64 {
        let first = u64::from_le_bytes(first);
        // What stands behind the word does not count.
        let kept = if length < 8 {
            first & ((1 << (8 * length)) - 1)
        } else {
            first
        };
        (kept ^ (length as u64) << 58).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// The place of the bit. The number of bits is a power of two, 64 at least.
    fn place(&self, mark: u64) -> (usize, u64) {
        let place = mark >> (u64::BITS - (self.bits.len() * 64).trailing_zeros());
        (usize::try_from(place / 64).unwrap_or(usize::MAX), 1 << (place % 64))
    }

    fn may_hold(&self, mark: u64) -> bool {
        let (word, bit) = self.place(mark);
        self.bits.get(word).is_some_and(|bits| bits & bit != 0)
    }
}

/// The first three bytes of all parts, as a set that may have others in it. It stays in the processor's nearest memory,
/// and hardly a place in a text has to be looked at in the automaton, which does not.
#[derive(Clone, Default)]
struct Gate {
    bits: Option<Box<[u64; GATE_WORDS]>>,
}

impl Gate {
    fn of(parts: &[Box<str>]) -> Self {
        let mut bits = Box::new([0; GATE_WORDS]);
        for part in parts {
            match part.as_bytes().first_chunk::<PART_BYTES_MIN>() {
                Some(&[a, b, c]) => {
                    let place = Self::place(u32::from_be_bytes([0, a, b, c]));
                    bits[place / 64] |= 1 << (place % 64);
                }
                // It cannot be; but if it were, every place would have to be looked at.
                None => bits.fill(u64::MAX),
            }
        }
        Self { bits: Some(bits) }
    }

    /// The first place from `start` on where a part may begin.
    fn next_place(&self, text: &[u8], start: usize) -> Option<usize> {
        let bits = self.bits.as_deref()?;
        let (&[first, second], rest) = text.get(start..)?.split_first_chunk()?;
        let mut last = u32::from_be_bytes([0, 0, first, second]);
        let found = rest.iter().position(|&byte| {
            last = last << 8 | u32::from(byte);
            let place = Self::place(last);
            bits[place / 64] & 1 << (place % 64) != 0
        })?;
        Some(start + found)
    }

    /// The place of the bit of the last three of these bytes: a multiplicative hash (Knuth, The Art of Computer
    /// Programming 3, 6.4).
    const fn place(bytes: u32) -> usize {
        ((bytes << 8).wrapping_mul(0x9e37_79b1) >> (32 - GATE_BITS)) as usize
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Words({} entries)", self.n)
    }
}

#[cfg(test)]
mod tests {
    use super::{Sieve, Words, WordsBuilder};
    use crate::text::fold;
    use proptest::prelude::*;

    fn list(words: &[&str], parts: &[&str]) -> Words {
        let mut builder = WordsBuilder::default();
        words.iter().for_each(|word| builder.word(word).unwrap());
        parts.iter().for_each(|part| builder.part(part).unwrap());
        builder.build()
    }

    fn found(words: &Words, text: &str) -> Option<String> {
        let mut folded = String::new();
        fold(text, &mut folded);
        words.find(&folded).map(str::to_owned)
    }

    #[test]
    fn whole_words_and_no_scunthorpe() {
        let words = list(
            &[
                "cunt",
                "ass",
                "ano",
                "казино",
                "賭場",
                "buy now",
                "buy it now",
                "now",
                "don't",
                "카지노",
            ],
            &[],
        );
        for (text, entry) in [
            ("Scunthorpe, classic, assassin, bass", None),
            ("You ASS!", Some("ass")),
            ("feliz año nuevo", None),
            ("казиношник", None),
            ("Играй в КАЗИНО сегодня", Some("казино")),
            ("歡迎來到賭場玩", Some("賭場")),
            ("please buy it, now", Some("buy it now")),
            ("buy nowhere", None),
            ("buy   NOW", Some("buy now")),
            ("I don\u{2019}t", Some("don t")),
            ("카지노 추천", Some("카지노")),
            ("카지노를", None),
            ("", None),
        ] {
            assert_eq!(found(&words, text).as_deref(), entry, "{text}");
        }
    }

    #[test]
    fn a_phrase_does_not_list_its_first_word() {
        let words = list(&["cheap pills"], &[]);
        assert_eq!(found(&words, "cheap and cheerful"), None);
        assert_eq!(found(&words, "cheap"), None);
        assert_eq!(found(&words, "CHEAP-pills").as_deref(), Some("cheap pills"));
    }

    #[test]
    fn parts_match_anywhere_when_asked() {
        let words = list(&[], &["viagra", "casino"]);
        assert_eq!(found(&words, "buyviagraonline").as_deref(), Some("viagra"));
        assert_eq!(found(&words, "via grape"), None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let mut builder = WordsBuilder::default();
        assert!(
            builder
                .word("!!!")
                .unwrap_err()
                .to_string()
                .contains("no letter or digit")
        );
        assert!(
            builder
                .word("a b c d e f g h i")
                .unwrap_err()
                .to_string()
                .contains("more than 8 words")
        );
        assert!(builder.part("as").unwrap_err().to_string().contains("at least 3"));
        assert!(builder.part("buy now").unwrap_err().to_string().contains("among words"));
        assert!(builder.build().is_empty());
    }

    proptest! {
        /// The first place counts, and there the longest.
        #[test]
        fn a_part_is_found_wherever_it_stands(
            parts in prop::collection::vec("[ab]{3,5}|賭[場ab]?", 1..6),
            text in "[ab賭場 ]{0,24}",
        ) {
            let words = list(&[], &parts.iter().map(String::as_str).collect::<Vec<_>>());
            let mut folded = String::new();
            fold(&text, &mut folded);
            let expected = (0..folded.len()).filter(|&at| folded.is_char_boundary(at)).find_map(|at| {
                let here = parts.iter().filter(|part| folded[at..].starts_with(part.as_str()));
                here.max_by_key(|part| part.len()).map(String::as_str)
            });
            prop_assert_eq!(words.find(&folded), expected);
        }

        #[test]
        fn words_are_cut_at_their_spaces(words in prop::collection::vec("[a-zß-ü]{1,20}", 0..6)) {
            let text = format!(" {}", words.iter().map(|word| format!("{word} ")).collect::<String>());
            let (mut start, mut cut) = (1, Vec::new());
            while let Some((end, mark)) = Sieve::word(text.as_bytes(), start) {
                let alone = format!("{} ", &text[start..end]);
                prop_assert_eq!(Sieve::word(alone.as_bytes(), 0), Some((end - start, mark)), "wherever it stands");
                cut.push(text[start..end].to_owned());
                start = end + 1;
            }
            prop_assert_eq!(&cut, &words);
            let sieve = Sieve::of(words.iter().map(String::as_str));
            for word in &words {
                let (_, mark) = Sieve::word(format!("{word} ").as_bytes(), 0).unwrap();
                prop_assert!(sieve.may_hold(mark));
            }
        }

        #[test]
        fn a_word_is_found_where_it_stands_whole(word in "[a-z]{2,6}", before in "([a-z]{1,5} ){0,4}", after in "( [a-z]{1,5}){0,4}") {
            let words = list(&[&word], &[]);
            prop_assert_eq!(found(&words, &format!("{before}{word}{after}")), Some(word.clone()));
            let stuck: String = format!("{word}x");
            prop_assert_eq!(found(&words, &stuck), None);
        }
    }
}

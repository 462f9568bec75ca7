//! A comment as what the model reads of it, kept without the comment: the hashes of its distinct terms, view by view, and
//! what else a score is made of. Whoever keeps them can train and score later, and has no text to lose.
//!
//! A hash of 32 bits is not a secret: somebody with the bytes can guess at words. So features are made of redacted text
//! ([`super::redact`]), and forgotten like text.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::{N_VIEWS, READING_VERSION, Scratch, Sink, VIEWS, View, emit};

/// Names of terms that may name a person begin so.
const NAMING: [&str; 3] = ["mail at ", "host ", "domain "];

/// The layout of the bytes.
const FORMAT: u8 = 1;

/// A comment as the model reads it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Features {
    /// The version of the reading that made them: [`READING_VERSION`] then.
    pub reading: u32,
    /// The distinct terms of each view, in the order of [`VIEWS`], each ascending. A hash stands in one view only.
    pub terms: Vec<Vec<u32>>,
    /// For each term of [`View::Words`], in its order: how often it came as a word with a letter in it.
    pub spoken: Vec<u32>,
    /// Terms of [`View::Links`] that may name a person, ascending: such a term is learnt from three groups only.
    pub naming: Vec<u32>,
    /// Links and addresses.
    pub n_linked: u32,
    /// Are most letters of a script other than Latin?
    pub is_foreign: bool,
    /// How long the text was, in characters.
    pub n_chars: u32,
}

/// Why bytes are no features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FeaturesError {
    /// Not base64.
    #[error("are not base64")]
    Base64,
    /// Of a layout that this program does not know.
    #[error("are of layout {0}, and this program reads layout {FORMAT}")]
    Format(u8),
    /// Cut off, or not features at all.
    #[error("are damaged")]
    Damaged,
}

impl Features {
    /// Reads a comment; links to `article_hosts` are passed over, as they are when it is judged.
    pub fn of(content: &str, article_hosts: &[String], scratch: &mut Scratch) -> Self {
        let mut sink = Collector::default();
        emit(content, article_hosts, scratch, &mut sink);
        let mut seen = std::mem::take(&mut sink.seen);
        // A hash that came in two views counts where it came first, as it does in a score.
        seen.sort_by_key(|&(hash, _, at)| (hash, at));
        seen.dedup_by_key(|(hash, ..)| *hash);
        let mut terms = vec![Vec::new(); N_VIEWS];
        for (hash, view, _) in seen {
            terms[usize::from(view)].push(hash);
        }
        let words = &terms[View::Words as usize];
        let mut spoken = vec![0_u32; words.len()];
        for hash in sink.spoken {
            if let Ok(at) = words.binary_search(&hash) {
                spoken[at] += 1;
            }
        }
        sink.naming.sort_unstable();
        sink.naming.dedup();
        sink.naming
            .retain(|hash| terms[View::Links as usize].binary_search(hash).is_ok());
        Self {
            reading: READING_VERSION,
            terms,
            spoken,
            naming: sink.naming,
            n_linked: sink.n_linked,
            is_foreign: scratch.is_foreign(),
            n_chars: u32::try_from(content.chars().count()).unwrap_or(u32::MAX),
        }
    }

    /// Hands everything to the sink as reading the text would, but for the places: terms in the order of their hashes,
    /// each once, those that may name a person with the name `host ` and nothing behind it.
    pub fn replay<S: Sink>(&self, sink: &mut S) {
        for (view, hashes) in VIEWS.iter().zip(&self.terms) {
            for (i, &hash) in hashes.iter().enumerate() {
                match view {
                    View::Links | View::Shape => {
                        let naming = self.naming.binary_search(&hash).is_ok();
                        let name = || if naming { "host " } else { "" }.to_owned();
                        sink.fact(*view, hash, None, name);
                    }
                    _ => sink.piece(*view, hash, 0, 0),
                }
                if *view == View::Words {
                    (0..self.spoken.get(i).copied().unwrap_or(0)).for_each(|_| sink.spoken(hash));
                }
            }
        }
        (0..self.n_linked).for_each(|_| sink.linked());
    }

    /// The features as bytes: about four for each term.
    pub fn encode(&self) -> Vec<u8> {
        let n_terms: usize = self.terms.iter().map(Vec::len).sum();
        let mut bytes = Vec::with_capacity(32 + 5 * n_terms);
        bytes.push(FORMAT);
        for number in [self.reading, u32::from(self.is_foreign), self.n_linked, self.n_chars] {
            put(number, &mut bytes);
        }
        put(length(&self.terms), &mut bytes);
        for hashes in self.terms.iter().chain([&self.naming]) {
            put(length(hashes), &mut bytes);
            let mut last = 0;
            for &hash in hashes {
                put(hash.wrapping_sub(last), &mut bytes);
                last = hash;
            }
        }
        self.spoken.iter().for_each(|&n| put(n, &mut bytes));
        bytes
    }

    /// The features in these bytes.
    ///
    /// # Errors
    /// [`FeaturesError`] if there are none in them.
    pub fn decode(bytes: &[u8]) -> Result<Self, FeaturesError> {
        match bytes.split_first() {
            Some((&FORMAT, rest)) => decode(&mut { rest }).ok_or(FeaturesError::Damaged),
            Some((&other, _)) => Err(FeaturesError::Format(other)),
            None => Err(FeaturesError::Damaged),
        }
    }

    /// The features as text: base64 of [`Features::encode`], for JSON.
    pub fn to_text(&self) -> String {
        STANDARD_NO_PAD.encode(self.encode())
    }

    /// As [`Features::decode`], from [`Features::to_text`].
    ///
    /// # Errors
    /// [`FeaturesError`] if there are none in it.
    pub fn from_text(text: &str) -> Result<Self, FeaturesError> {
        let bytes = STANDARD_NO_PAD
            .decode(text.trim_end_matches('='))
            .map_err(|_| FeaturesError::Base64)?;
        Self::decode(&bytes)
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_terms: usize = self.terms.iter().map(Vec::len).sum();
        write!(f, "Features({n_terms} terms)")
    }
}

fn length<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn put(mut number: u32, bytes: &mut Vec<u8>) {
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push((number & 0x7f) as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0_u64;
    for shift in [0, 7, 14, 21, 28] {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return u32::try_from(number).ok();
        }
    }
    None
}

fn list(bytes: &mut &[u8]) -> Option<Vec<u32>> {
    let n = take(bytes)? as usize;
    // Each takes at least a byte: what claims more is damaged, and must not take memory first.
    let mut out = Vec::with_capacity(n.min(bytes.len()));
    let mut last = 0_u32;
    for i in 0..n {
        let step = take(bytes)?;
        last = last.checked_add(step).filter(|_| step > 0 || i == 0)?;
        out.push(last);
    }
    Some(out)
}

fn decode(bytes: &mut &[u8]) -> Option<Features> {
    let [reading, is_foreign, n_linked, n_chars] = [take(bytes)?, take(bytes)?, take(bytes)?, take(bytes)?];
    let n_views = take(bytes).filter(|&n| n <= 64)?;
    let mut terms = Vec::new();
    for _ in 0..n_views {
        terms.push(list(bytes)?);
    }
    let naming = list(bytes)?;
    let n_words = terms.get(View::Words as usize).map_or(0, Vec::len);
    let mut spoken = Vec::new();
    for _ in 0..n_words {
        spoken.push(take(bytes)?);
    }
    bytes.is_empty().then_some(Features {
        reading,
        terms,
        spoken,
        naming,
        n_linked,
        is_foreign: is_foreign != 0,
        n_chars,
    })
}

#[derive(Default)]
struct Collector {
    /// Hash, view, and the number of the term as it came.
    seen: Vec<(u32, u8, u32)>,
    spoken: Vec<u32>,
    naming: Vec<u32>,
    n_linked: u32,
}

impl Collector {
    fn add(&mut self, view: View, hash: u32) {
        self.seen.push((hash, view as u8, length(&self.seen)));
    }
}

impl Sink for Collector {
    fn piece(&mut self, view: View, hash: u32, _start: u32, _end: u32) {
        self.add(view, hash);
    }

    fn fact(&mut self, view: View, hash: u32, _place: Option<(usize, usize)>, name: impl FnOnce() -> String) {
        self.add(view, hash);
        if view == View::Links {
            let name = name();
            if NAMING.iter().any(|naming| name.starts_with(naming)) {
                self.naming.push(hash);
            }
        }
    }

    fn spoken(&mut self, hash: u32) {
        self.spoken.push(hash);
    }

    fn linked(&mut self) {
        self.n_linked += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn of(content: &str) -> Features {
        Features::of(content, &[], &mut Scratch::default())
    }

    /// What a score is made of, in an order of its own.
    #[derive(Default, PartialEq, Debug)]
    struct Sum {
        terms: BTreeSet<(u8, u32)>,
        spoken: Vec<u32>,
        n_linked: u32,
    }

    impl Sink for Sum {
        fn piece(&mut self, view: View, hash: u32, _start: u32, _end: u32) {
            self.terms.insert((view as u8, hash));
        }

        fn fact(&mut self, view: View, hash: u32, _place: Option<(usize, usize)>, _name: impl FnOnce() -> String) {
            self.terms.insert((view as u8, hash));
        }

        fn spoken(&mut self, hash: u32) {
            self.spoken.push(hash);
        }

        fn linked(&mut self) {
            self.n_linked += 1;
        }
    }

    #[test]
    fn they_hold_what_reading_gives() {
        let text = "Buy cheap pills at http://shop.example.com/buy or write to me@mail.example, buy buy!";
        let (mut read, mut replayed, mut scratch) = (Sum::default(), Sum::default(), Scratch::default());
        emit(text, &[], &mut scratch, &mut read);
        of(text).replay(&mut replayed);
        read.spoken.sort_unstable();
        replayed.spoken.sort_unstable();
        assert_eq!(read, replayed);
        // A host, its domain, the two words of that, and the domain of an address.
        assert_eq!(of(text).naming.len(), 5);
    }

    #[test]
    fn damage_is_told() {
        let bytes = of("hello there").encode();
        for n in 0..bytes.len() {
            assert!(Features::decode(&bytes[..n]).is_err(), "{n}");
        }
        assert_eq!(Features::decode(&[9]), Err(FeaturesError::Format(9)));
        assert_eq!(Features::from_text("§"), Err(FeaturesError::Base64));
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(text in "\\PC{0,300}") {
            let features = of(&text);
            prop_assert_eq!(Features::from_text(&features.to_text()), Ok(features.clone()));
            prop_assert!(features.terms.iter().all(|terms| terms.is_sorted_by(|a, b| a < b)));
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(mut bytes: Vec<u8>) {
            if let Some(first) = bytes.first_mut() {
                *first = FORMAT;
            }
            let _ = Features::decode(&bytes);
        }
    }
}

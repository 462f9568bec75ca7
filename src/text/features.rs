//! The features of a comment, without the comment: enough to learn from it and to judge it again.
//!
//! The terms are hashed without a key: whoever holds features can test whether a word or a phrase of three words stood
//! in the comment. They are to be kept as the comment would be kept, and not as long.

use super::stream::Scratch;
use super::terms::emit;
use super::view::{N_VIEWS, Sink, Sort, TEXT_VIEWS, View};

/// A comment's distinct terms, view by view, and what else the model wants to know of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Features {
    /// The hashes of each view's distinct terms, ascending; none of the form's and the article's. A hash stands in one
    /// view only: the first that came.
    pub terms: [Vec<u32>; N_VIEWS],
    /// The terms of links and addresses among them that may name a person, ascending.
    pub naming: Vec<u32>,
    /// Words with a letter in them, by hash, ascending, and how often each came.
    pub spoken: Vec<(u32, u32)>,
    /// Links and addresses that stand in the text.
    pub n_linked: u32,
    /// Links that are written as markup.
    pub n_anchored: u32,
    /// True if most letters are of a script other than Latin.
    pub is_foreign: bool,
}

/// The reason why bytes are no features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFeatures {
    /// They were read by other rules.
    #[error(
        "the features were read by version {found} of the rules, this program reads by version {}: send the comment again in full",
        FEATURES_VERSION
    )]
    Reading {
        /// Their version.
        found: u32,
    },
    /// They are cut short, too long, or out of order.
    #[error("the features are damaged at byte {at}")]
    Damaged {
        /// The place of the damage, in bytes from the beginning.
        at: usize,
    },
}

/// The version of these bytes.
const FEATURES_VERSION: u32 = 3;
/// The version before it, without [`View::Signs`]: what it says is unknown, and adds nothing.
const WITHOUT_SIGNS: u32 = 2;

/// Room for terms, for each byte of a text: one of 300 bytes has some 700. It grows where that is too little.
const TERMS_PER_BYTE: usize = 3;

/// Names of link terms that may name a person begin so: domains of addresses, hosts and domains of links.
const NAMING: [&str; 3] = ["mail at ", "host ", "domain "];

/// Returns true if a term of [`View::Links`] with this name may be somebody's.
pub(crate) fn may_name_a_person(name: &str) -> bool {
    NAMING.iter().any(|naming| name.starts_with(naming))
}

impl Features {
    /// Reads a comment. Links to `article_hosts` are passed over, as they are when it is scored.
    pub fn read(content: &str, article_hosts: &[String], scratch: &mut Scratch) -> Self {
        let mut collector = Collector {
            terms: Vec::with_capacity(TERMS_PER_BYTE * content.len()),
            ..Collector::default()
        };
        emit(content, article_hosts, scratch, &mut collector);
        let Collector {
            mut terms,
            mut naming,
            mut spoken,
            n_linked,
            n_anchored,
        } = collector;
        // The first view that a hash came in keeps it: each term is one number, hash, place and view from the highest
        // bit on, so that a plain sort of numbers does what a stable sort of pairs did.
        terms.sort_unstable();
        terms.dedup_by_key(|term| *term >> 32);
        let mut out = Self {
            n_linked,
            n_anchored,
            is_foreign: scratch.is_foreign(),
            ..Self::default()
        };
        for (view, hashes) in out.terms.iter_mut().enumerate() {
            hashes.extend(
                terms
                    .iter()
                    .filter(|&&term| view_of(term) == view)
                    .map(|&term| hash_of(term)),
            );
        }
        naming.sort_unstable();
        naming.dedup();
        out.naming = naming;
        spoken.sort_unstable();
        for hash in spoken {
            match out.spoken.last_mut() {
                Some((last, n)) if *last == hash => *n += 1,
                _ => out.spoken.push((hash, 1)),
            }
        }
        out
    }

    /// The number of distinct terms each view has.
    pub fn n_distinct(&self) -> [u32; N_VIEWS] {
        std::array::from_fn(|view| u32::try_from(self.terms[view].len()).unwrap_or(u32::MAX))
    }

    /// Returns true if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.spoken.is_empty() && self.n_linked + self.n_anchored == 0 && self.terms[View::Words as usize].is_empty()
    }

    /// As bytes: some three for each term. The same features give the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let n_numbers = self.terms.iter().map(Vec::len).sum::<usize>() + self.naming.len() + 2 * self.spoken.len();
        let mut out = Vec::with_capacity(4 * (n_numbers + N_VIEWS + 6));
        put(&mut out, FEATURES_VERSION);
        put(&mut out, u32::from(self.is_foreign));
        put(&mut out, self.n_linked);
        put(&mut out, self.n_anchored);
        let text_terms = TEXT_VIEWS.map(|view| &self.terms[view as usize]);
        for hashes in text_terms.into_iter().chain([&self.naming]) {
            put_ascending(&mut out, hashes.iter().copied());
        }
        put_ascending(&mut out, self.spoken.iter().map(|&(hash, _)| hash));
        self.spoken.iter().for_each(|&(_, n)| put(&mut out, n));
        out
    }

    /// Reads what [`Features::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`InvalidFeatures`], if the bytes are of another version, or no features at all.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidFeatures> {
        let mut input = Input { bytes, at: 0 };
        let found = input.number()?;
        if !matches!(found, FEATURES_VERSION | WITHOUT_SIGNS) {
            return Err(InvalidFeatures::Reading { found });
        }
        let mut out = Self {
            is_foreign: input.number()? == 1,
            n_linked: input.number()?,
            n_anchored: input.number()?,
            ..Self::default()
        };
        for view in TEXT_VIEWS
            .into_iter()
            .filter(|&view| found == FEATURES_VERSION || view != View::Signs)
        {
            out.terms[view as usize] = input.ascending()?;
        }
        out.naming = input.ascending()?;
        for hash in input.ascending()? {
            out.spoken.push((hash, 0));
        }
        for (_, n) in &mut out.spoken {
            *n = input.number()?;
        }
        if input.at == bytes.len() {
            Ok(out)
        } else {
            Err(InvalidFeatures::Damaged { at: input.at })
        }
    }
}

/// Bits of a term for its view.
const VIEW_BITS: u32 = 4;
/// Views fit into them.
const _: () = assert!(N_VIEWS <= 1 << VIEW_BITS);

const fn hash_of(term: u64) -> u32 {
    (term >> 32) as u32
}

const fn view_of(term: u64) -> usize {
    (term & ((1 << VIEW_BITS) - 1)) as usize
}

/// Takes everything in the order in which it comes.
#[derive(Default)]
struct Collector {
    /// The terms. From a term's highest bit: the hash, the place among the terms, the view.
    terms: Vec<u64>,
    naming: Vec<u32>,
    spoken: Vec<u32>,
    n_linked: u32,
    n_anchored: u32,
}

impl Collector {
    fn push(&mut self, view: View, hash: u32) {
        // A text of so many terms that the place runs over has gigabytes; of its last ones any view may keep a hash.
        let place = (self.terms.len() as u64) << VIEW_BITS & u64::from(u32::MAX);
        self.terms.push(u64::from(hash) << 32 | place | view as u64);
    }
}

impl Sink for Collector {
    fn piece(&mut self, view: View, hash: u32, _start: u32, _end: u32) {
        self.push(view, hash);
    }

    fn fact(&mut self, view: View, hash: u32, _place: Option<(usize, usize)>, name: impl FnOnce() -> String) {
        self.push(view, hash);
        if view == View::Links && may_name_a_person(&name()) {
            self.naming.push(hash);
        }
    }

    /// Features outlive the comment, and nothing of its author may.
    fn field(&mut self, _view: View, _hash: u32, _sort: Sort, _name: impl FnOnce() -> String) {}

    fn spoken(&mut self, hash: u32) {
        self.spoken.push(hash);
    }

    fn linked(&mut self) {
        self.n_linked += 1;
    }

    fn anchored(&mut self) {
        self.n_anchored += 1;
    }
}

/// A number, 7 bits a byte, low bits first.
fn put(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 128")]
    out.push(value as u8);
}

/// Writes how many there are, then each less the one before.
fn put_ascending(out: &mut Vec<u8>, values: impl ExactSizeIterator<Item = u32>) {
    put(out, u32::try_from(values.len()).unwrap_or(u32::MAX));
    let mut last = 0;
    for value in values {
        put(out, value.wrapping_sub(last));
        last = value;
    }
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Input<'_> {
    fn number(&mut self) -> Result<u32, InvalidFeatures> {
        let damaged = InvalidFeatures::Damaged { at: self.at };
        let mut value = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(damaged)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(value).map_err(|_| damaged);
            }
        }
        Err(damaged)
    }

    fn ascending(&mut self) -> Result<Vec<u32>, InvalidFeatures> {
        let n = self.number()? as usize;
        let damaged = InvalidFeatures::Damaged { at: self.at };
        // Each takes at least a byte: no more memory than the bytes justify.
        if n > self.bytes.len() - self.at {
            return Err(damaged);
        }
        let mut values: Vec<u32> = Vec::with_capacity(n);
        for i in 0..n {
            let step = self.number()?;
            let next = values.last().map_or(Some(step), |last| last.checked_add(step));
            values.push(next.filter(|_| i == 0 || step > 0).ok_or(damaged)?);
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(content: &str) -> Features {
        Features::read(content, &[], &mut Scratch::default())
    }

    #[test]
    fn what_may_name_a_person_is_marked() {
        let features = read("see http://jane.doe.example/me or mail jane@doe.example, see?");
        assert_eq!(
            features.naming.len(),
            5,
            "mail at, host, the domain of both, its two words"
        );
        let links = &features.terms[View::Links as usize];
        assert!(features.naming.iter().all(|hash| links.contains(hash)));
        assert_eq!(features.n_linked, 2);
        let n_spoken: u32 = features.spoken.iter().map(|(_, n)| n).sum();
        assert_eq!((n_spoken, features.spoken.len()), (4, 3), "see, or, mail, see");
        assert!(read("just words").naming.is_empty());
    }

    #[test]
    fn the_articles_own_hosts_are_passed_over() {
        let hosts = ["a.example".to_owned()];
        let features = Features::read("see http://a.example/x", &hosts, &mut Scratch::default());
        assert!(features.terms[View::Links as usize].is_empty());
    }

    #[test]
    fn other_versions_and_damage_are_told_apart() {
        let mut bytes = read("hello there").to_bytes();
        assert_eq!(
            Features::from_bytes(&bytes[..9]),
            Err(InvalidFeatures::Damaged { at: 5 })
        );
        bytes.push(0);
        assert!(Features::from_bytes(&bytes).is_err());
        bytes[0] = 99;
        assert_eq!(
            Features::from_bytes(&bytes),
            Err(InvalidFeatures::Reading { found: 99 })
        );
        assert!(Features::from_bytes(&[]).is_err());
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(content in "\\PC{0,200}") {
            let features = read(&content);
            prop_assert_eq!(Features::from_bytes(&features.to_bytes()), Ok(features));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(features) = Features::from_bytes(&bytes) {
                let again = Features::from_bytes(&features.to_bytes());
                prop_assert_eq!(again, Ok(features));
            }
        }
    }
}

//! Groups comments that are the same but for a name, a link or a number.
//!
//! Advertisers send one text a hundred times. Were its copies to stand on both sides of a split, every figure would
//! flatter. Two comments are of one group if their texts are the same but for links, numbers and punctuation, or if
//! their sets of character 5-grams overlap by a Jaccard index of at least 0.8. Candidates for the second come from
//! one-permutation `MinHash` (Li, Owen and Zhang 2012) in 32 bands of 4 rows, which finds a pair at 0.8 with
//! probability above 0.99999; each candidate is then checked exactly. Of a comment whose text was not kept the runs of
//! six letters are compared instead, with those of other such comments.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::comment::Example;
use crate::text::{Features, View};

/// Bins of the signature: 32 bands of 4.
const N_BINS: usize = 128;
/// Rows a band.
const N_ROWS: usize = 4;
/// Texts are compared by their beginning: beyond it a copy is a copy.
const N_CHARS_MAX: usize = 2_000;
/// The Jaccard index from which two texts are one.
pub(super) const SAME_FROM: f64 = 0.8;

/// The group of every comment, as the index of the group's first.
pub(super) fn groups<'a>(examples: impl IntoIterator<Item = &'a Example>) -> Vec<usize> {
    let mut grouper = Grouper::default();
    examples.into_iter().for_each(|example| grouper.add(example));
    grouper.groups()
}

/// Groups texts as they come. Later texts can be compared with earlier ones without a say in the earlier ones' groups:
/// ask for those first.
#[derive(Default)]
pub(super) struct Grouper {
    forest: Vec<usize>,
    by_text: HashMap<u64, usize, FixedState>,
    by_band: HashMap<u64, usize, FixedState>,
    shingles: Vec<Vec<u32>>,
    text: String,
}

impl Grouper {
    /// Takes a comment in.
    pub(super) fn add(&mut self, example: &Example) {
        let mut text = std::mem::take(&mut self.text);
        let whole = whole(example, &mut text);
        self.add_set(whole, || set(example, &text));
        self.text = text;
    }

    /// `whole` stands for all of it, `set` are its parts.
    fn add_set(&mut self, whole: u64, set: impl FnOnce() -> Vec<u32>) {
        let i = self.forest.len();
        self.forest.push(i);
        let first = *self.by_text.entry(whole).or_insert(i);
        if first != i {
            // The first of the same text stands for all.
            self.shingles.push(Vec::new());
            join(&mut self.forest, first, i);
            return;
        }
        let own = set();
        for band in bands(&signature(&own)) {
            let other = *self.by_band.entry(band).or_insert(i);
            if other != i
                && find(&mut self.forest, other) != find(&mut self.forest, i)
                && jaccard(&self.shingles[other], &own) >= SAME_FROM
            {
                join(&mut self.forest, other, i);
            }
        }
        self.shingles.push(own);
    }

    /// The group of every text so far, as the index of the group's first text.
    pub(super) fn groups(&mut self) -> Vec<usize> {
        (0..self.forest.len()).map(|i| find(&mut self.forest, i)).collect()
    }
}

fn bands(bins: &[u32; N_BINS]) -> impl Iterator<Item = u64> {
    bins.chunks_exact(N_ROWS).zip(0_u64..).map(|(rows, band)| {
        let mut bytes = [0; 4 * N_ROWS];
        for (into, row) in bytes.chunks_exact_mut(4).zip(rows) {
            into.copy_from_slice(&row.to_le_bytes());
        }
        xxh3_64_with_seed(&bytes, band)
    })
}

/// The hash of the whole of a comment; leaves the text's skeleton in `text`.
fn whole(example: &Example, text: &mut String) -> u64 {
    match &example.features {
        Some(bytes) => xxh3_64(bytes.expose()),
        None => {
            skeleton(example.content.expose(), text);
            xxh3_64(text.as_bytes())
        }
    }
}

/// The parts of a comment, given its skeleton.
fn set(example: &Example, text: &str) -> Vec<u32> {
    match &example.features {
        Some(bytes) => letters(&Features::from_bytes(bytes.expose()).unwrap_or_default()),
        None => shingle(text),
    }
}

/// The hashes that stand for the text where only its features were kept: runs of letters, or everything if there are
/// none.
fn letters(kept: &Features) -> Vec<u32> {
    let own = &kept.terms[View::Letters as usize];
    if own.is_empty() {
        let mut all = kept.terms.concat();
        all.sort_unstable();
        all
    } else {
        own.clone()
    }
}

/// The text without links, numbers, marks and case.
pub(super) fn skeleton(content: &str, into: &mut String) {
    into.clear();
    for word in content.split_whitespace() {
        let link = word.contains("://") || word.contains("www.") || word.contains("href=") || word.contains("[url");
        if link {
            into.push('\u{1}');
        } else {
            for c in word.chars() {
                if c.is_alphabetic() {
                    into.extend(c.to_lowercase());
                }
            }
        }
        if !into.is_empty() && !into.ends_with(' ') {
            into.push(' ');
        }
    }
    if !into.chars().any(char::is_alphabetic) {
        // Nothing but links, numbers and marks: then these are the text.
        into.clear();
        into.push_str(content);
    }
    if let Some((end, _)) = into.char_indices().nth(N_CHARS_MAX) {
        into.truncate(end);
    }
}

/// The distinct character 5-grams, hashed and sorted.
fn shingle(text: &str) -> Vec<u32> {
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let n = starts.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]
    let mut out: Vec<u32> = (0..n.saturating_sub(4).max(1))
        .map(|i| xxh3_64(&text.as_bytes()[starts[i.min(n)]..starts[(i + 5).min(n)]]) as u32)
        .collect();
    out.sort_unstable();
    out.dedup();
    out
}

/// One-permutation `MinHash`; an empty bin borrows from the next full one.
fn signature(shingles: &[u32]) -> [u32; N_BINS] {
    let mut bins = [u32::MAX; N_BINS];
    for &hash in shingles {
        let bin = &mut bins[hash as usize % N_BINS];
        *bin = (*bin).min(hash / 128);
    }
    let full = bins;
    for (i, bin) in bins.iter_mut().enumerate() {
        if *bin == u32::MAX {
            let next = (1..N_BINS).find_map(|step| {
                let value = full[(i + step) % N_BINS];
                #[expect(clippy::cast_possible_truncation, reason = "below 128")]
                (value != u32::MAX).then(|| value.wrapping_add((step as u32) << 25))
            });
            *bin = next.unwrap_or(0);
        }
    }
    bins
}

/// The Jaccard similarity of two sorted sets, in [0, 1].
pub(super) fn jaccard(a: &[u32], b: &[u32]) -> f64 {
    let (mut i, mut k, mut both) = (0, 0, 0_u32);
    while i < a.len() && k < b.len() {
        match a[i].cmp(&b[k]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => k += 1,
            std::cmp::Ordering::Equal => {
                both += 1;
                i += 1;
                k += 1;
            }
        }
    }
    let either = a.len() + b.len();
    #[expect(clippy::cast_precision_loss, reason = "texts are short")]
    let either = either as f64 - f64::from(both);
    if either > 0.0 { f64::from(both) / either } else { 1.0 }
}

fn find(forest: &mut [usize], mut i: usize) -> usize {
    while forest[i] != i {
        forest[i] = forest[forest[i]];
        i = forest[i];
    }
    i
}

fn join(forest: &mut [usize], a: usize, b: usize) {
    let (a, b) = (find(forest, a), find(forest, b));
    forest[a.max(b)] = a.min(b);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comment::Label;
    use crate::train::testing::{example, kept};

    fn check(a: &str, b: &str, same: bool) {
        let texts = [a, "something else entirely, for good measure", b];
        let examples = texts.map(|text| example(Label::Ham, text));
        let groups = groups(&examples);
        assert_eq!(groups[0] == groups[2], same, "{a:?} / {b:?}");
    }

    /// The same with features instead of texts.
    fn check_kept(a: &str, b: &str, same: bool) {
        let texts = [a, "something else entirely, for good measure", b];
        let examples = texts.map(|text| kept(Label::Ham, text));
        let groups = groups(&examples);
        assert_eq!(groups[0] == groups[2], same, "{a:?} / {b:?}");
    }

    #[test]
    fn a_link_a_number_or_a_mark_makes_no_difference() {
        check(
            "Buy now at http://a.example/1 for $10!",
            "buy NOW at https://b.example for $200",
            true,
        );
        check("http://a.example", "http://b.example", false);
    }

    #[test]
    fn a_name_makes_no_difference_in_a_long_text() {
        let text = |name: &str| {
            format!(
                "Hello {name}, I was looking at your site and wondered whether you would like to have more visitors from search engines, because our team can bring thousands of them to you every single day"
            )
        };
        check(&text("Ann"), &text("Robert"), true);
        check_kept(&text("Ann"), &text("Robert"), true);
    }

    #[test]
    fn different_comments_stay_apart() {
        check("I love this song", "I hate this song", false);
        check("great article", "great podcast", false);
        check("", "x", false);
        check_kept("I love this song", "I hate this song", false);
        check_kept("ok", "no", false);
    }
}

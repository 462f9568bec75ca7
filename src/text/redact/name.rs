//! The author's own name and accounts in a text: whole, in parts, run together, spelled out letter by letter.

use std::ops::Range;

use super::super::letters::{Script, look_alike};
use super::{Edit, Persona, SOMEONE, clean};

/// Parts of names that name nobody.
const PARTICLES: &[&str] = &[
    "and", "das", "del", "den", "der", "dos", "las", "les", "los", "the", "und", "van", "von",
];

/// A part as long as this is found inside of longer words.
const INSIDE_FROM: usize = 6;

/// Letters set apart are read as a word from so many on.
const SPELLED_FROM: usize = 4;

/// The author's names, folded.
pub(super) struct Own {
    /// Parts of the name that name somebody.
    parts: Vec<Part>,
    /// Accounts, as their words.
    accounts: Vec<Vec<Vec<char>>>,
}

/// A part of a name, folded.
#[derive(Clone, PartialEq)]
struct Part {
    letters: Vec<char>,
    /// It was written in plain Latin letters, and so is not declined.
    is_latin: bool,
}

/// The words of a text, folded.
struct Words {
    /// The letters of all of them: one piece of memory, for a comment has many words.
    letters: Vec<char>,
    words: Vec<Place>,
}

/// The place of a word.
struct Place {
    /// The range in [`Words::letters`].
    letters: Range<usize>,
    is_latin: bool,
    /// The offset in the text.
    start: usize,
    end: usize,
}

/// A word of a text: folded, and its place.
#[derive(Clone, Copy)]
struct Word<'a> {
    letters: &'a [char],
    is_latin: bool,
    start: usize,
    end: usize,
}

impl Own {
    pub(super) fn new(author: &Persona<'_>) -> Self {
        let name = split(&clean(author.name).text);
        let is_particle = |part: &[char]| PARTICLES.iter().any(|other| other.chars().eq(part.iter().copied()));
        let mut parts: Vec<Part> = Vec::new();
        for word in name.iter() {
            if word.letters.len() >= if word.is_latin { 3 } else { 2 } && !is_particle(word.letters) {
                parts.push(word.part());
            }
        }
        let mut accounts: Vec<Vec<Vec<char>>> = Vec::new();
        if name.words.len() > 1 {
            // Also names whose parts are all short, and names run together.
            accounts.push(name.iter().map(|word| word.letters.to_vec()).collect());
        }
        if name.letters.len() > 1 {
            parts.push(Part {
                is_latin: name.words.iter().all(|word| word.is_latin),
                letters: name.letters,
            });
        }
        for account in author.accounts {
            let words = split(&clean(account).text);
            if words.letters.len() > 2 {
                accounts.push(words.iter().map(|word| word.letters.to_vec()).collect());
            }
        }
        parts.sort_by_key(|part| std::cmp::Reverse(part.letters.len()));
        parts.dedup();
        Self { parts, accounts }
    }

    pub(super) fn find(&self, text: &str, edits: &mut Vec<Edit>) {
        if self.parts.is_empty() && self.accounts.is_empty() {
            return;
        }
        let words = split(text);
        for (i, word) in words.iter().enumerate() {
            for account in &self.accounts {
                let end = i + account.len();
                let same = words.words.get(i..end).is_some_and(|places| {
                    places.iter().map(|place| words.word(place).letters).eq(account)
                        && places.windows(2).all(|pair| pair[1].start - pair[0].end <= 3)
                });
                if same {
                    edits.push(someone(word.start, words.words[end - 1].end));
                }
            }
            if self.parts.iter().any(|part| is_named(word.letters, part)) {
                edits.push(someone(word.start, word.end));
            } else if word
                .letters
                .iter()
                .any(|&c| Script::of(c).is_unspaced() || is_hangul(c))
            {
                self.inside(text, word, edits);
            }
        }
        self.spelled(&words, edits);
    }

    /// Finds a name inside of a run, as it stands in scripts without spaces.
    fn inside(&self, text: &str, word: Word<'_>, edits: &mut Vec<Edit>) {
        for part in self
            .parts
            .iter()
            .filter(|part| !part.is_latin)
            .map(|part| &part.letters)
        {
            let places: Vec<usize> = text[word.start..word.end]
                .char_indices()
                .map(|(at, _)| word.start + at)
                .chain([word.end])
                .collect();
            // One character of the text may fold to several: then the places are not to be trusted, and all goes.
            let aligned = places.len() == word.letters.len() + 1;
            for (at, window) in word.letters.windows(part.len()).enumerate() {
                if window == part.as_slice() {
                    edits.push(if aligned {
                        someone(places[at], places[at + part.len()])
                    } else {
                        someone(word.start, word.end)
                    });
                }
            }
        }
    }

    /// `C a n a r y`, `C.a.n.a.r.y`
    fn spelled(&self, words: &Words, edits: &mut Vec<Edit>) {
        let places = &words.words;
        let mut i = 0;
        while i < places.len() {
            let mut end = i;
            while places.get(end).is_some_and(|place| place.letters.len() == 1)
                && (end == i || places[end].start - places[end - 1].end <= 2)
            {
                end += 1;
            }
            if end - i >= SPELLED_FROM {
                let run = &words.letters[places[i].letters.start..places[end - 1].letters.end];
                let named = |part: &Part| part.letters.len() >= SPELLED_FROM && contains(run, &part.letters);
                if self.parts.iter().any(named) {
                    edits.push(someone(places[i].start, places[end - 1].end));
                }
            }
            i = end.max(i + 1);
        }
    }
}

impl Words {
    fn iter(&self) -> impl Iterator<Item = Word<'_>> {
        self.words.iter().map(|place| self.word(place))
    }

    fn word(&self, place: &Place) -> Word<'_> {
        Word {
            letters: &self.letters[place.letters.clone()],
            is_latin: place.is_latin,
            start: place.start,
            end: place.end,
        }
    }
}

impl Word<'_> {
    fn part(&self) -> Part {
        Part {
            letters: self.letters.to_vec(),
            is_latin: self.is_latin,
        }
    }
}

const fn someone(start: usize, end: usize) -> Edit {
    Edit {
        place: start..end,
        with: SOMEONE,
    }
}

/// Returns true if the word is the name's part: itself, with digits around it, in the genitive, declined, or inside of
/// it.
fn is_named(
    word: &[char],
    Part {
        letters: part,
        is_latin,
    }: &Part,
) -> bool {
    let first = word.iter().position(|c| !c.is_numeric()).unwrap_or(0);
    let last = word
        .iter()
        .rposition(|c| !c.is_numeric())
        .map_or(word.len(), |at| at + 1);
    let word = if part.iter().any(|c| c.is_numeric()) {
        word
    } else {
        &word[first..last]
    };
    if word == part.as_slice() || (part.len() >= INSIDE_FROM && contains(word, part)) {
        return true;
    }
    if *is_latin {
        return part.len() > 2 && word.strip_suffix(&['s']) == Some(part);
    }
    // Cyrillic, Greek and others decline names: Анна, Анны; Иванов, Ивановой.
    part.len() >= 4 && word.len() <= part.len() + 3 && word.starts_with(&part[..part.len() - 1])
}

fn contains(text: &[char], part: &[char]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn is_hangul(c: char) -> bool {
    ('\u{ac00}'..='\u{d7a3}').contains(&c)
}

/// The words of a cleaned text: runs of letters, digits and marks, each letter in lower case and in one of its looks.
fn split(text: &str) -> Words {
    let mut letters = Vec::with_capacity(text.len());
    let mut words: Vec<Place> = Vec::new();
    let mut open = false;
    for (at, c) in text.char_indices() {
        if !c.is_alphanumeric() {
            open = false;
            continue;
        }
        if !open {
            words.push(Place {
                letters: letters.len()..letters.len(),
                is_latin: true,
                start: at,
                end: at,
            });
            open = true;
        }
        if let Some(word) = words.last_mut() {
            if c.is_ascii() {
                letters.push(c.to_ascii_lowercase());
            } else {
                letters.extend(c.to_lowercase().map(|c| look_alike(c).unwrap_or(c)));
            }
            word.is_latin &= c.is_ascii();
            word.letters.end = letters.len();
            word.end = at + c.len_utf8();
        }
    }
    Words { letters, words }
}

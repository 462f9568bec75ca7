//! Takes out of a text what would tell who wrote it or whom to reach: e-mail addresses, telephone numbers, network
//! addresses, handles, and the author's own name and accounts. What takes their place reads like them, so that a model
//! learns from a redacted text what it would have learned from the text: digits become `0`, as digits are read
//! anyway.
//!
//! It is found in the cleaned text ([`super::clean`]), so letters in fancy dress, look-alikes, invisible characters and
//! entities hide nothing. It takes out too much rather than too little. Other people's names are out of its scope, and
//! so are numbers in words.

mod name;
mod pattern;

use std::borrow::Cow;
use std::ops::Range;

use super::clean::{Clean, clean};

/// The replacement for a name, an account or a handle.
const SOMEONE: &str = "someone";

/// Taking something out may bring the next together; every text we know is at rest after three rounds.
const N_ROUNDS: usize = 8;

/// The author of the text, as far as is known; what is not known is empty.
#[derive(Clone, Copy, Default)]
pub struct Persona<'a> {
    /// The author's name: it is taken out whole and by its parts, whatever their case.
    pub name: &'a str,
    /// The other names of the author, such as the account's id and the e-mail address' local part: taken out whole.
    pub accounts: &'a [&'a str],
}

impl std::fmt::Debug for Persona<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Persona(..)")
    }
}

/// The text without what is personal. Redacting twice is redacting once.
pub fn redact<'a>(content: &'a str, author: &Persona<'_>) -> Cow<'a, str> {
    let own = name::Own::new(author);
    let mut text = Cow::Borrowed(content);
    for _ in 0..N_ROUNDS {
        match round(&text, &own) {
            Some(changed) => text = Cow::Owned(changed),
            None => return text,
        }
    }
    // Never seen: a text that will not come to rest is kept by nobody.
    Cow::Borrowed(SOMEONE)
}

/// One replacement, by its place in the cleaned text.
struct Edit {
    place: Range<usize>,
    with: &'static str,
}

/// One round over the text; `None` if it changes nothing.
fn round(content: &str, own: &name::Own) -> Option<String> {
    let cleaned = clean(content);
    let mut edits = Vec::new();
    pattern::find(&cleaned.text, &mut edits);
    own.find(&cleaned.text, &mut edits);
    apply(content, &cleaned, edits)
}

/// Makes the replacements, of those that overlap together.
fn apply(content: &str, cleaned: &Clean<'_>, edits: Vec<Edit>) -> Option<String> {
    let mut taken: Vec<(Range<usize>, &'static str)> = Vec::new();
    for edit in edits {
        let range = cleaned.range(content, edit.place.start, edit.place.end);
        if edit.with.starts_with('0') && content[range.clone()] == *edit.with {
            // Zeros that are there already are in nobody's way; but a name has no business inside of a placeholder.
            continue;
        }
        if range.is_empty() {
            continue;
        }
        let first = taken.partition_point(|(other, _)| other.end <= range.start);
        let behind = taken.partition_point(|(other, _)| other.start < range.end);
        // What overlaps becomes one: nothing stays that anybody wanted gone. What it is called by whoever saw most of
        // it.
        let before = taken
            .get(first..behind)
            .and_then(|others| Some((others.first()?, others.last()?)));
        let joined = match before {
            Some(((start, with), (end, _))) => {
                let whole = range.start.min(start.start)..range.end.max(end.end);
                let with = if whole == range { edit.with } else { with };
                (whole, with)
            }
            None => (range, edit.with),
        };
        taken.splice(first..behind, [joined]);
    }
    if taken.iter().all(|(range, with)| content[range.clone()] == **with) {
        return None;
    }
    let mut out = String::with_capacity(content.len());
    let mut last = 0;
    for (range, with) in taken {
        out.push_str(&content[last..range.start]);
        out.push_str(with);
        last = range.end;
    }
    out.push_str(&content[last..]);
    Some(out)
}

#[cfg(test)]
mod tests;

//! The words of a text as lists of words know them: one spelling, lower case, single spaces.
//!
//! Unlike the model's reading, marks are kept: `ano` and `año` are two words, and a list that names one must not meet
//! the other. Only a word that mixes scripts, which nobody writes, is read as what it passes for.

use std::borrow::Cow;
use std::sync::LazyLock;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use super::clean::clean;
use super::letters::{Script, is_invisible};
use super::markup::{self, Tags};

/// Writes the words of `text` into `out`, each with a space before it, and a space after the last. Markup is passed
/// over.
pub fn fold(text: &str, out: &mut String) {
    if fold_plain(text, out) {
        return;
    }
    let text = without_markup(text);
    if !fold_plain(&text, out) {
        fold_any(text, out);
    }
}

/// Folds any text.
fn fold_any(text: Cow<'_, str>, out: &mut String) {
    out.clear();
    out.reserve(text.len() + 2);
    out.push(' ');
    // What is not written goes first: behind it a mark joins its letter.
    let written = |c: &char| is_written(*c);
    let is_plain = text.chars().all(is_written) && is_nfkc_quick(text.chars()) == IsNormalized::Yes;
    let text = if is_plain {
        text
    } else {
        Cow::Owned(text.chars().filter(written).nfkc().collect())
    };
    let mut word = out.len();
    for c in text.chars() {
        if is_of_word(c) {
            lower(c, out);
        } else {
            end_word(out, &mut word);
        }
    }
    end_word(out, &mut word);
}

/// The folded form of each byte of ASCII: letters and digits in lower case, all others a space; 0 where a tag or an
/// entity may begin.
const ASCII: [u8; 128] = {
    let mut folded = [b' '; 128];
    let mut b = 0_u8;
    while b < 128 {
        if b.is_ascii_alphanumeric() {
            folded[b as usize] = b.to_ascii_lowercase();
        } else if may_be_markup(b) {
            folded[b as usize] = 0;
        }
        b += 1;
    }
    folded
};

/// The folded form of a character of two bytes in UTF-8.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TwoBytes {
    /// These letters, or this one.
    Letters([u8; 2]),
    /// The same; it is Greek or Cyrillic.
    OtherLetter([u8; 2]),
    /// It separates words.
    Gap,
    /// It cannot be taken by itself, or becomes longer or shorter.
    More,
}

impl TwoBytes {
    fn of(c: char) -> Self {
        // Alone it must be what it is, and among others it must stay so.
        let is_plain = is_written(c)
            && is_nfkc_quick(std::iter::once(c)) == IsNormalized::Yes
            && c.general_category_group() != GeneralCategoryGroup::Mark;
        if !is_plain {
            return Self::More;
        }
        if !is_of_word(c) {
            return Self::Gap;
        }
        let mut spelled = String::new();
        lower(c, &mut spelled);
        match *spelled.as_bytes() {
            [first, second] if spelled.chars().any(is_greek_or_cyrillic) => Self::OtherLetter([first, second]),
            [first, second] => Self::Letters([first, second]),
            _ => Self::More,
        }
    }
}

/// The folded forms of all characters of two bytes, from U+0080 on.
static TWO_BYTES: LazyLock<Vec<TwoBytes>> = LazyLock::new(|| ('\u{80}'..='\u{7ff}').map(TwoBytes::of).collect());

/// As [`fold`], if every character of the text can be taken by itself: most texts in Latin, Greek, Cyrillic, Hebrew and
/// Arabic. Says whether it could; if not, `out` holds nothing of use.
fn fold_plain(text: &str, out: &mut String) -> bool {
    let mut folded = std::mem::take(out).into_bytes();
    folded.clear();
    // None becomes longer. A space stands before the first word, and another behind the last.
    folded.resize(text.len() + 2, b' ');
    let (mut rest, mut n, mut behind_gap, mut has_other) = (text.as_bytes(), 1, true, false);
    loop {
        // Without a branch for each: most of most texts.
        let (mut ascii, mut is_plain) = (0, true);
        for &b in rest.iter().take_while(|b| b.is_ascii()) {
            let c = ASCII[usize::from(b & 0x7f)];
            folded[n] = c;
            let is_gap = c == b' ';
            // A gap behind a gap is written over.
            n += usize::from(!(is_gap & behind_gap));
            behind_gap = is_gap;
            is_plain &= c != 0;
            ascii += 1;
        }
        rest = &rest[ascii..];
        let letters = match *rest {
            [] if is_plain => break,
            [lead @ 0xc2..=0xdf, tail, ..] => {
                rest = &rest[2..];
                let number = usize::from(lead & 0x1f) << 6 | usize::from(tail & 0x3f);
                match TWO_BYTES.get(number - 0x80) {
                    Some(TwoBytes::Letters(letters)) => Some(letters),
                    Some(TwoBytes::OtherLetter(letters)) => {
                        has_other = true;
                        Some(letters)
                    }
                    Some(TwoBytes::Gap) => None,
                    Some(TwoBytes::More) | None => return gives_up(folded, out),
                }
            }
            // Dashes, quotation marks, the ellipsis; not what is invisible, nor U+2017, which is a mark on a space.
            [0xe2, 0x80, 0x90..=0x96 | 0x98..=0xa7, ..] => {
                rest = &rest[3..];
                None
            }
            _ => return gives_up(folded, out),
        };
        if !is_plain {
            return gives_up(folded, out);
        }
        if let Some(letters) = letters {
            folded[n..n + 2].copy_from_slice(letters);
            n += 2;
            behind_gap = false;
        } else {
            folded[n] = b' ';
            n += usize::from(!behind_gap);
            behind_gap = true;
        }
    }
    if !behind_gap {
        folded[n] = b' ';
        n += 1;
    }
    folded.truncate(n);
    // Only whole characters were written.
    *out = String::from_utf8(folded).unwrap_or_default();
    !(has_other && out.split(' ').any(mixes_scripts))
}

/// Leaves the room that was taken.
fn gives_up(mut folded: Vec<u8>, out: &mut String) -> bool {
    folded.clear();
    *out = String::from_utf8(folded).unwrap_or_default();
    false
}

/// Ends the word that begins at `word`, if there is one.
fn end_word(out: &mut String, word: &mut usize) {
    if out.len() == *word {
        return;
    }
    if mixes_scripts(&out[*word..]) {
        let plain = clean(&out[*word..]).text.into_owned();
        out.truncate(*word);
        out.push_str(&plain);
    }
    out.push(' ');
    *word = out.len();
}

/// Latin beside Greek or Cyrillic in one word.
fn mixes_scripts(word: &str) -> bool {
    !word.is_ascii() && word.bytes().any(|b| b.is_ascii_alphabetic()) && word.chars().any(is_greek_or_cyrillic)
}

fn is_greek_or_cyrillic(c: char) -> bool {
    !c.is_ascii() && matches!(Script::of(c), Script::Greek | Script::Cyrillic)
}

/// Returns true if a reader could see it, or would have to.
fn is_written(c: char) -> bool {
    c.is_ascii() || is_common(c) || !(is_invisible(c) || is_optional(c))
}

/// Letters, digits and marks.
fn is_of_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric();
    }
    is_common(c) || c.is_alphanumeric() || c.general_category_group() == GeneralCategoryGroup::Mark
}

/// Letters of Latin, Greek and Cyrillic that need no look into Unicode's tables.
const fn is_common(c: char) -> bool {
    matches!(c, '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{24f}' | '\u{3ac}'..='\u{3ce}'
        | '\u{400}'..='\u{481}')
}

/// One lower-case spelling of a letter.
fn lower(c: char, out: &mut String) {
    match c {
        'a'..='z' | 'а'..='я' | 'à'..='ö' | 'ø'..='ÿ' => out.push(c),
        'ς' => out.push('σ'),
        'ß' | 'ẞ' => out.push_str("ss"),
        // Turkish has two letters i; their capitals are told apart by none but Turks.
        'İ' | 'ı' => out.push('i'),
        _ => out.extend(c.to_lowercase()),
    }
}

/// Marks that a writer may leave out: the vowels of Arabic and Hebrew, and the stroke that stretches a word.
fn is_optional(c: char) -> bool {
    matches!(c, '\u{591}'..='\u{5bd}' | '\u{5bf}'..='\u{5c7}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}')
}

/// Returns true if a tag or an entity may begin with this.
const fn may_be_markup(b: u8) -> bool {
    matches!(b, b'<' | b'[' | b'&')
}

/// Without tags, which nobody sees, and with entities as what they stand for.
fn without_markup(text: &str) -> Cow<'_, str> {
    let Some(first) = text.bytes().position(may_be_markup) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..first]);
    let mut tags = Tags::new(text);
    let mut at = first;
    while let Some(c) = text[at..].chars().next() {
        let found = match c {
            '<' | '[' => tags.at(at).map(|(_, n)| (' ', n)),
            '&' => markup::entity(&text[at..]),
            _ => None,
        };
        let (shown, n) = found.unwrap_or((c, c.len_utf8()));
        out.push(shown);
        at += n;
    }
    Cow::Owned(out)
}

/// Returns true if any of it is written in a script that puts no spaces between words.
pub fn has_unspaced(text: &str) -> bool {
    text.chars().any(|c| !c.is_ascii() && Script::of(c).is_unspaced())
}

#[cfg(test)]
mod tests {
    use super::{fold, fold_any, fold_plain};
    use proptest::prelude::*;

    fn folded(text: &str) -> String {
        let mut out = String::new();
        fold(text, &mut out);
        out
    }

    #[test]
    fn one_spelling() {
        for (text, words) in [
            ("", " "),
            ("...", " "),
            ("Buy NOW, don't wait_here", " buy now don t wait here "),
            ("El AÑO del ano", " el año del ano "),
            ("an\u{303}o", " año "),
            ("ＣＡＳＩＮＯ 𝐜𝐚𝐬𝐢𝐧𝐨", " casino casino "),
            ("cas\u{200b}ino", " casino "),
            ("c\u{430}sino", " casino "), // a Cyrillic а
            ("казино КАЗИНО", " казино казино "),
            ("Straße STRASSE", " strasse strasse "),
            ("ΛΌΓΟΣ λόγος", " λόγοσ λόγοσ "),
            ("<b class=\"ass\">Hi</b>&nbsp;you &amp; me", " hi you me "),
            ("كَازِينُو كازيـــنو", " كازينو كازينو "),
            ("हिन्दी कैसीनो", " हिन्दी कैसीनो "),
            ("İstanbul HIRSIZ hırsız", " istanbul hirsiz hirsiz "),
        ] {
            assert_eq!(folded(text), words, "{text}");
        }
    }

    #[test]
    fn usual_texts_are_folded_byte_by_byte() {
        for text in [
            "Plain English, isn't it?",
            "Die Brücke – schon wieder gesperrt! „Großartig“ …",
            "Когда это наконец закончится?",
            "Τι λες; ΛΌΓΟΣ",
            "שלום עולם",
        ] {
            assert!(fold_plain(text, &mut String::new()), "{text}");
        }
        for text in [
            "<b>",
            "&amp;",
            "an\u{303}o",
            "c\u{430}sino",
            "cas\u{200b}ino",
            "賭場",
            "İ",
        ] {
            assert!(!fold_plain(text, &mut String::new()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn words_stand_between_single_spaces(text in ".{0,60}") {
            let words = folded(&text);
            prop_assert!(words.starts_with(' ') && words.ends_with(' ') && !words.contains("  "));
        }

        #[test]
        fn both_ways_fold_alike(text in "([ -~\\n]|[\u{80}-\u{24f}]|[\u{370}-\u{7ff}]|[\u{2000}-\u{2030}]|[a-zа-яα-ωA-ZßÄÖÜé])*") {
            let mut plain = String::new();
            if fold_plain(&text, &mut plain) {
                let mut any = String::new();
                fold_any(text.as_str().into(), &mut any);
                prop_assert_eq!(plain, any);
            }
        }

        #[test]
        fn folding_twice_is_folding_once(text in "[a-zA-Zäßςéа-яα-ω <&;'\u{200b}\u{300}]{0,40}") {
            let once = folded(&text);
            prop_assert_eq!(folded(&once), once);
        }
    }
}

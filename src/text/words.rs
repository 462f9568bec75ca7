//! The words of a text as lists of words know them: one spelling, lower case, single spaces.
//!
//! Unlike the model's reading, marks are kept: `ano` and `año` are two words, and a list that names one must not meet the
//! other. Only a word that mixes scripts, which nobody writes, is read as what it passes for.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use super::clean::clean;
use super::letters::{Script, is_invisible};
use super::markup::{self, Tags};

/// Writes the words of `text` into `out`, each with a space before it, and a space after the last. Markup is passed over.
pub fn fold(text: &str, out: &mut String) {
    out.clear();
    out.reserve(text.len() + 2);
    out.push(' ');
    let text = without_markup(text);
    if text.is_ascii() {
        fold_ascii(&text, out);
        return;
    }
    // What is not written goes first: behind it a mark joins its letter.
    let written = |c: &char| c.is_ascii() || is_common(*c) || !(is_invisible(*c) || is_optional(*c));
    let is_plain = text.chars().all(|c| written(&c)) && is_nfkc_quick(text.chars()) == IsNormalized::Yes;
    let text = if is_plain {
        text
    } else {
        Cow::Owned(text.chars().filter(written).nfkc().collect())
    };
    let mut word = out.len();
    let mut rest = &*text;
    while let Some(c) = rest.chars().next() {
        // Letters of English in one go: most of most texts.
        let n = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        if n > 0 {
            let from = out.len();
            out.push_str(&rest[..n]);
            out[from..].make_ascii_lowercase();
            rest = &rest[n..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        if c.is_ascii() {
            end_word(out, &mut word);
        } else if is_common(c) || c.is_alphanumeric() || c.general_category_group() == GeneralCategoryGroup::Mark {
            lower(c, out);
        } else {
            end_word(out, &mut word);
        }
    }
    end_word(out, &mut word);
}

/// What a byte of ASCII becomes: letters and digits themselves in lower case, all others a space.
const FOLDED: [u8; 128] = {
    let mut folded = [b' '; 128];
    let mut b = 0_u8;
    while b < 128 {
        if b.is_ascii_alphanumeric() {
            folded[b as usize] = b.to_ascii_lowercase();
        }
        b += 1;
    }
    folded
};

/// As [`fold`], of ASCII, behind the first space: byte by byte, and without a branch for each.
fn fold_ascii(text: &str, out: &mut String) {
    let mut folded = std::mem::take(out).into_bytes();
    let mut n = folded.len();
    folded.resize(n + text.len() + 1, b' ');
    for &b in text.as_bytes() {
        let c = FOLDED[usize::from(b & 0x7f)];
        folded[n] = c;
        n += usize::from(c != b' ' || folded[n - 1] != b' ');
    }
    // The word at the end, if there is one, gets the space that stands there already.
    folded.truncate(n);
    if folded.last() != Some(&b' ') {
        folded.push(b' ');
    }
    // It is ASCII throughout.
    *out = String::from_utf8(folded).unwrap_or_default();
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
    !word.is_ascii()
        && word.bytes().any(|b| b.is_ascii_alphabetic())
        && word
            .chars()
            .any(|c| !c.is_ascii() && matches!(Script::of(c), Script::Greek | Script::Cyrillic))
}

/// Letters of Latin, Greek and Cyrillic that need no look into Unicode's tables.
const fn is_common(c: char) -> bool {
    matches!(c, '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{24f}' | '\u{3ac}'..='\u{3ce}'
        | '\u{400}'..='\u{481}')
}

/// One lower-case spelling of a letter.
fn lower(c: char, out: &mut String) {
    match c {
        'а'..='я' | 'à'..='ö' | 'ø'..='ÿ' => out.push(c),
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

/// Without tags, which nobody sees, and with entities as what they stand for.
fn without_markup(text: &str) -> Cow<'_, str> {
    let may = |b: u8| matches!(b, b'<' | b'[' | b'&');
    let Some(first) = text.bytes().position(may) else {
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

/// Whether any of it is written in a script that puts no spaces between words.
pub fn has_unspaced(text: &str) -> bool {
    text.chars().any(|c| !c.is_ascii() && Script::of(c).is_unspaced())
}

#[cfg(test)]
mod tests {
    use super::fold;
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

    proptest! {
        #[test]
        fn words_stand_between_single_spaces(text in ".{0,60}") {
            let words = folded(&text);
            prop_assert!(words.starts_with(' ') && words.ends_with(' ') && !words.contains("  "));
        }

        /// A sign that is no ASCII makes the text take the longer way.
        #[test]
        fn both_ways_fold_alike(text in "[ -%'-;=-~\\n]{0,60}") {
            prop_assert_eq!(folded(&text), folded(&format!("{text} ¡")));
        }

        #[test]
        fn folding_twice_is_folding_once(text in "[a-zA-Zäßςéа-яα-ω <&;'\u{200b}\u{300}]{0,40}") {
            let once = folded(&text);
            prop_assert_eq!(folded(&once), once);
        }
    }
}

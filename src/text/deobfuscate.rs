//! Words in disguise: digits for letters (`fr33`), and letters set apart (`f.r.e.e`, `f r e e`).

use super::letters::{is_alphabetic, is_alphanumeric};

/// The letter that a digit or sign stands for in a word in disguise.
pub(super) fn leet_letter(c: char) -> Option<char> {
    Some(match c {
        '0' => 'o',
        '1' | '!' | '|' => 'i',
        '3' | '€' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' | '+' => 't',
        '8' => 'b',
        '9' | '6' => 'g',
        '2' => 'z',
        _ => return None,
    })
}

/// Signs that stand for letters when there is a letter on both sides.
pub(super) fn is_leet_sign(c: char) -> bool {
    matches!(c, '@' | '$' | '!' | '|' | '€')
}

/// Returns true for a word that is typed with digits or signs for letters. `fr33`, `v1deo` and `p@ss` are; `mp3`,
/// `2nd`, `80s`, `user123` and `h264` are not.
pub(super) fn is_leet(word: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_digit() || is_leet_sign(c);
    let inner = word.trim_matches(|c: char| is_digit(c));
    let n_letters = word.chars().filter(|&c| is_alphabetic(c)).count();
    let long_number = word.as_bytes().windows(3).any(|w| w.iter().all(u8::is_ascii_digit));
    if n_letters < 2 || long_number || !word.chars().all(|c| is_alphanumeric(c) || is_leet_sign(c)) {
        return false;
    }
    // Inside, between letters.
    if inner.chars().any(is_digit) {
        // Two letters are a name more often than a word: B2B, H1N1, k8s; but s3x.
        let passes = |c: char| c.is_lowercase() || matches!(c, '0' | '1' | '3' | '4' | '@' | '$' | '!');
        return n_letters > 2 || (word.len() == 3 && word.chars().all(passes));
    }
    // At the end: fr33, t00, vide0; but not mp3, level3, ps4.
    if word.ends_with("33") || word.ends_with("00") || (word.ends_with('0') && n_letters > 3) {
        return true;
    }
    // In front of at least three letters: 3lephant, but not 2nd, 80s, 5th, 10am.
    let front = word.chars().take_while(|&c| is_digit(c)).count();
    front == 1
        && n_letters >= 4
        && word
            .chars()
            .next()
            .is_some_and(|c| matches!(c, '0' | '1' | '3' | '4' | '5' | '7'))
}

/// The least number of single letters in a row, set apart by the same sign, that are one word in disguise: `U.S.A.` is
/// not.
pub(super) const SPACED_FROM: usize = 4;
/// The same for capitals with dots between them, which are how abbreviations are written: `U.S.S.R.` is not.
pub(super) const DOTTED_CAPITALS_FROM: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disguises_and_honest_words() {
        for word in [
            "fr33",
            "v1deo",
            "p@ss",
            "subscr1be",
            "ch3ck",
            "5ubscribe",
            "cl!ck",
            "m0ney",
            "s3x",
        ] {
            assert!(is_leet(word), "{word}");
        }
        for word in [
            "mp3",
            "level3",
            "2nd",
            "80s",
            "user123",
            "h264",
            "5th",
            "10am",
            "3d",
            "2pac",
            "covid19",
            "word",
            "12",
            "a1",
            "H1N1",
            "B2B",
            "p2p",
            "k8s",
            "$ubscribe",
            "@robert",
        ] {
            assert!(!is_leet(word), "{word}");
        }
    }
}

//! The shape of a comment: its length, capitals, signs, links, markup, scripts and disguises.

use super::clean::Undone;
use super::letters::Script;

/// Counts over one comment.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    pub(super) n_letters: u32,
    pub(super) n_upper: u32,
    pub(super) n_digits: u32,
    pub(super) n_signs: u32,
    pub(super) n_exclaims: u32,
    pub(super) n_questions: u32,
    pub(super) n_lines: u32,
    pub(super) n_repeats: u32,
    pub(super) n_words: u32,
    pub(super) n_shouted: u32,
    pub(super) n_links: u32,
    pub(super) n_link_bytes: u32,
    pub(super) n_anchors: u32,
    pub(super) n_bblinks: u32,
    pub(super) n_html: u32,
    pub(super) n_bbcode: u32,
    pub(super) n_emails: u32,
    pub(super) n_phones: u32,
    pub(super) n_leet: u32,
    pub(super) n_spaced: u32,
    pub(super) undone: Undone,
    /// Letters beyond ASCII, by script.
    pub(super) scripts: [u32; Script::ALL.len()],
    /// Digits since the last word with a letter: a telephone number has nine.
    digits_in_row: u32,
}

impl Shape {
    /// Counts a word.
    pub(super) fn word(&mut self, n_letters: u32, n_upper: u32, n_digits: u32) {
        self.n_words += 1;
        self.n_letters += n_letters;
        self.n_upper += n_upper;
        self.n_digits += n_digits;
        self.n_shouted += u32::from(n_letters > 2 && n_upper == n_letters);
        let before = self.digits_in_row;
        self.digits_in_row = if n_letters > 0 { 0 } else { before + n_digits };
        self.n_phones += u32::from(before < 9 && self.digits_in_row >= 9);
    }

    /// Words and letters that were found in disguise.
    pub(super) fn n_disguises(&self) -> u32 {
        self.n_leet + self.n_spaced + self.undone.invisible + self.undone.styled + self.undone.look_alike
    }

    /// True if most letters are of a script other than Latin.
    pub(super) fn is_foreign(&self) -> bool {
        let foreign = self.scripts.iter().sum::<u32>() - self.scripts[Script::Latin as usize];
        2 * foreign > self.n_letters
    }

    /// Hands over every observation as (what, how much), in a fixed order.
    pub(super) fn observe(&self, see: &mut impl FnMut(&'static str, u32)) {
        let length = self.n_letters + self.n_digits + self.n_signs;
        let words = log2_halves(self.n_words);
        let links = self.n_links.min(5);
        see("words", words);
        see("length", log2_halves(length));
        see("links", links);
        see("links and words", links.min(2) * 100 + words);
        see(
            "words a link",
            if links > 0 {
                log2_halves(self.n_words / self.n_links)
            } else {
                99
            },
        );
        see("capitals", share(self.n_upper, self.n_letters, 8));
        see("shouted", share(self.n_shouted, self.n_words, 4));
        see("digits", share(self.n_digits, length, 8));
        see("signs", share(self.n_signs, length, 10));
        see("exclaims", self.n_exclaims.min(5));
        see("questions", self.n_questions.min(3));
        see("lines", self.n_lines.min(6));
        let markup = u32::from(self.n_anchors > 0)
            + 2 * u32::from(self.n_bblinks > 0)
            + 4 * u32::from(self.n_html > 0)
            + 8 * u32::from(self.n_bbcode > 0);
        see("markup", markup);
        see(
            "contacts",
            u32::from(self.n_emails > 0) + 2 * u32::from(self.n_phones > 0),
        );
        for (what, n) in [
            ("anchors", self.n_anchors),
            ("bbcode links", self.n_bblinks),
            ("e-mail addresses", self.n_emails),
            ("telephone numbers", self.n_phones),
            ("repeats", self.n_repeats),
            ("digits for letters", self.n_leet),
            ("letters set apart", self.n_spaced),
            ("invisible characters", self.undone.invisible),
            ("fancy letters", self.undone.styled),
            ("borrowed letters", self.undone.look_alike),
        ] {
            if n > 0 {
                see(what, n.min(3));
            }
        }
        // Any disguise at all: rare ones are too rare to be learned alone.
        let disguises = self.n_disguises();
        if disguises > 0 {
            see("disguises", 1 + u32::from(disguises > 2) + u32::from(disguises > 8));
        }
        let n_foreign: u32 = self.scripts.iter().sum();
        let mut n_scripts = u32::from(self.n_letters > n_foreign);
        for (script, &n) in Script::ALL.iter().zip(&self.scripts) {
            if n > 0 && *script != Script::Latin {
                n_scripts += 1;
                see("script", *script as u32);
            }
        }
        if n_scripts > 1 {
            see("scripts", n_scripts.min(3));
        }
    }
}

/// Two buckets an octave.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most 64, never negative"
)]
fn log2_halves(n: u32) -> u32 {
    (2.0 * f64::from(n + 1).log2()) as u32
}

/// `part` of `whole` in `steps` steps.
fn share(part: u32, whole: u32, steps: u32) -> u32 {
    (part * steps).checked_div(whole).unwrap_or(0).min(steps)
}

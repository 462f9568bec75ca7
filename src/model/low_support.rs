//! Low support: the model has too little evidence on a comment to reject it, and holds it.
//!
//! Evidence are words that training saw readers write: what they are worth was weighed against readers. Words that it
//! saw in spam alone are no evidence, however sure the sum is of them: a language of which only advertisements were
//! learned makes every one of its readers look like an advertiser. Without that evidence a comment may be rejected if
//! what says so holds in every language: what is carried by the known, what is recognized, and heaps of links.
//!
//! Nor is a subject evidence. Single words, and the characters in them, say what a comment is about, and several views
//! see the same words: readers who review telephones talk of what advertisements talk of. Pairs and triples see what is
//! said, and must not take back what the words suggest. And no single view carries a reject: one may be mistaken, as
//! shape is of a reader who writes a link as markup.

use super::SpamProbability;
use super::score::Tally;
use crate::text::{VIEWS, View};

/// A link stands for this many words that nobody has seen.
const WORDS_A_LINK: u32 = 3;
/// Fewer words than this carry nothing: there is nothing that a link could be the advertisement of, and one or two
/// words are too few to reject anybody on.
const N_SPOKEN_MIN: u32 = 3;
/// The least probability, by the known terms alone, of what is carried by the known: four to one.
const CARRIED_FROM: f64 = 0.8;
/// The same where most words are unknown. A reader's link to a newspaper reaches .89 there, by its own words and shape.
const CARRIED_AMONG_UNKNOWN_FROM: f64 = 0.95;
/// The probability from which on something is sure: the known alone in any language and in however few words, or the
/// whole of a comment when what its words say in context counts twice.
const SURE_FROM: f64 = 0.99;
/// The probability from which on a comment is more probably spam than not.
const SUSPECTED_FROM: f64 = 0.5;
/// Fewer words than this around a single link may be a reader's source: "See this article" says nothing of what the
/// link advertises, and markup is what spam alone was seen to write.
const N_SPOKEN_AROUND_A_LINK: u32 = 8;
/// Unless their letters, which see nothing of the link, speak against them by this much, in log-odds: "buy cialis".
const LETTERS_AGAINST_FROM: f64 = 2.0;
/// Without what the comment's links and lines look like, one with a link must be this probable: markup around a link is
/// the advertisers' in training, and some readers' elsewhere.
const UNSEEN_FROM: f64 = 0.9;
/// So many links may carry a comment in a script of which too little was learned: one is a reader's source.
const FOREIGN_LINKS_MIN: u32 = 2;
/// So many links are no reader's, in any language.
const HEAP_OF_LINKS: u32 = 5;
/// One in so many of a comment's triples of words must be known for it to be recognized: readers of a language learned
/// from spam alone share turns of phrase with it, but few of what they say.
const TRIPLES_A_RECOGNIZED: u32 = 12;
/// And so many at least: a short comment may share a turn or two.
const N_RECOGNIZED_MIN: u32 = 4;

/// The share of a comment that the model has evidence for, in [0, 1]: of its words, those that training saw readers
/// write.
pub(super) fn evidence(tally: &Tally) -> f64 {
    let n = tally.n_spoken + WORDS_A_LINK * tally.n_linked;
    f64::from(tally.n_known) / f64::from(n.max(1))
}

/// The model's scale, as far as this needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// Log-odds before anything is read.
    pub(super) base_log_odds: f64,
    /// The size of a step, in log-odds.
    pub(super) step: f64,
    /// So much evidence is enough.
    pub(super) evidence_min: f64,
}

impl Scale {
    fn probability(&self, steps: f64) -> f64 {
        SpamProbability::from_log_odds(self.base_log_odds + self.step * steps).get()
    }
}

/// Returns true if there is too little evidence to reject on.
pub(super) fn is_thin(tally: &Tally, scale: &Scale) -> bool {
    if is_wordless(tally) || is_somebodys_source(tally, scale) {
        return true;
    }
    if tally.n_linked >= HEAP_OF_LINKS {
        return false;
    }
    let sum = tally.sum(tally.spam_only_discount(scale.evidence_min));
    if hangs_on_one_view(tally, sum, scale) {
        return true;
    }
    let known = scale.probability(tally.sum_in_ham());
    if known >= SURE_FROM && !is_bare_link(tally) {
        return false;
    }
    let is_enough = evidence(tally) >= scale.evidence_min || is_recognized(tally) || is_carried(tally, known);
    let in_context = scale.probability(sum + tally.sum_in_context()) >= SURE_FROM;
    // Where nothing is suspected, there is nothing to be sure of.
    let is_suspected = scale.probability(sum) >= SUSPECTED_FROM;
    !is_enough || is_bare_link(tally) || (is_suspected && (tally.n_spoken < N_SPOKEN_MIN || !in_context))
}

/// Returns true if it is suspected, and no longer so, or not as much, without what a single view says.
fn hangs_on_one_view(tally: &Tally, sum: f64, scale: &Scale) -> bool {
    if scale.probability(sum) < SUSPECTED_FROM {
        return false;
    }
    let without = |view: View| scale.probability(sum - tally.of_view(view).max(0.0));
    let is_linked = tally.n_linked + tally.n_anchored > 0;
    VIEWS.into_iter().any(|view| without(view) < SUSPECTED_FROM) || (is_linked && without(View::Shape) < UNSEEN_FROM)
}

/// True for a text without a word and without a link: numbers and signs may be a score, a code or an answer.
const fn is_wordless(tally: &Tally) -> bool {
    tally.n_spoken == 0 && tally.n_linked + tally.n_anchored == 0
}

/// Returns true if it is a link with hardly a word. "Read this" may be an advertiser's or a reader's.
const fn is_bare_link(tally: &Tally) -> bool {
    tally.n_linked > 0 && tally.n_spoken < N_SPOKEN_MIN
}

/// Returns true if it is one link with few words, none of which speak against it.
fn is_somebodys_source(tally: &Tally, scale: &Scale) -> bool {
    let n_links = tally.n_linked.max(tally.n_anchored);
    let says_little = tally.n_spoken < N_SPOKEN_AROUND_A_LINK;
    n_links == 1 && says_little && scale.step * tally.sum_of_letters() < LETTERS_AGAINST_FROM
}

/// Returns true if it repeats, three words at a time, what training saw. Templates do, in any language.
fn is_recognized(tally: &Tally) -> bool {
    let n = tally.n_distinct[View::Triples as usize];
    tally.n_recognized() >= N_RECOGNIZED_MIN && TRIPLES_A_RECOGNIZED * tally.n_recognized() >= n
}

/// Returns true if the words, links and shape that training saw in ham too, alone, are enough to think it spam. They
/// are the same in every language. But where most letters are of a script of which too little was learned, or most
/// words unknown, one reader's link looks like a bot's.
fn is_carried(tally: &Tally, known: f64) -> bool {
    let from = if !tally.is_foreign && 2 * tally.n_known < tally.n_spoken {
        CARRIED_AMONG_UNKNOWN_FROM
    } else {
        CARRIED_FROM
    };
    (!tally.is_foreign || tally.n_linked >= FOREIGN_LINKS_MIN) && known >= from
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: Scale = Scale {
        base_log_odds: 0.0,
        step: 0.01,
        evidence_min: 0.4,
    };

    fn tally(n_spoken: u32, n_known: u32, n_linked: u32) -> Tally {
        Tally {
            n_spoken,
            n_known,
            n_linked,
            ..Tally::default()
        }
    }

    /// With log-odds of a view, in hundredths, by terms that were seen in ham or in spam alone.
    fn weighing(mut tally: Tally, view: View, in_ham: i64, in_spam_alone: i64) -> Tally {
        let sum = &mut tally.sums[view as usize];
        (sum.steps, sum.steps_in_ham) = (in_ham + in_spam_alone, in_ham);
        tally.n_distinct[view as usize] = 1;
        tally
    }

    #[test]
    fn numbers_alone_are_never_rejected() {
        let sure = |n_spoken, n_linked| weighing(tally(n_spoken, n_spoken, n_linked), View::Shape, 900, 0);
        let elsewhere = |tally| weighing(tally, View::Words, 900, 0);
        assert!(is_thin(&elsewhere(sure(0, 0)), &SCALE));
        assert!(!is_thin(&elsewhere(sure(9, 0)), &SCALE));
    }

    #[test]
    fn links_are_words_that_nobody_has_seen() {
        assert!((evidence(&tally(10, 8, 0)) - 0.8).abs() < 1e-12);
        assert!((evidence(&tally(7, 7, 1)) - 0.7).abs() < 1e-12);
        assert!(evidence(&tally(0, 0, 1)).abs() < 1e-12);
        assert!(is_bare_link(&tally(2, 2, 1)) && !is_bare_link(&tally(3, 0, 1)) && !is_bare_link(&tally(2, 2, 0)));
    }

    #[test]
    fn one_link_in_an_unknown_language_carries_nothing_that_is_not_sure_of_itself() {
        let rejectable = |n_known, is_foreign, n_linked, hundredths| {
            let mut tally = weighing(tally(8, n_known, n_linked), View::Links, hundredths, 900 - hundredths);
            tally.is_foreign = is_foreign;
            !is_thin(&tally, &SCALE)
        };
        // Log-odds 2 are .88, 3 are .953, 5 are .993.
        assert!(rejectable(5, false, 2, 200));
        assert!(!rejectable(3, false, 1, 200));
        assert!(rejectable(3, false, 1, 300));
        assert!(!rejectable(0, true, 1, 300));
        assert!(rejectable(0, true, 1, 500));
        assert!(rejectable(0, true, 2, 200));
        assert!(rejectable(0, true, 5, -900));
    }

    #[test]
    fn a_word_or_two_are_held_unless_the_known_is_sure() {
        let short = |n_linked, in_ham| is_thin(&weighing(tally(2, 2, n_linked), View::Words, in_ham, 900), &SCALE);
        assert!(short(0, 0));
        assert!(!short(0, 500));
        assert!(short(1, 500));
    }

    #[test]
    fn a_few_words_around_one_link_are_a_source_unless_they_speak_against_it() {
        let thin = |n_spoken, n_linked, n_anchored, letters| {
            let mut tally = weighing(tally(n_spoken, n_spoken, n_linked), View::Links, 900, 0);
            tally.n_anchored = n_anchored;
            is_thin(&weighing(tally, View::Letters, letters, 0), &SCALE)
        };
        assert!(thin(7, 0, 1, 199) && thin(7, 1, 0, 199) && thin(3, 1, 1, -100));
        assert!(!thin(7, 0, 1, 200) && !thin(7, 1, 0, 200));
        assert!(!thin(8, 0, 1, 0) && !thin(7, 0, 2, 0));
        assert!(!thin(7, 0, 0, 0));
    }

    #[test]
    fn a_subject_is_no_evidence_against_what_is_said_of_it() {
        let about = |said| {
            let words = weighing(tally(9, 9, 0), View::Words, 450, 50);
            let letters = weighing(words, View::Letters, 100, 0);
            is_thin(&weighing(letters, View::Pairs, said, 0), &SCALE)
        };
        assert!(!about(0) && !about(-60));
        // Log-odds 6, and 5.2 when pairs take .8 back: twice that, and it is no longer sure.
        assert!(about(-80));
    }

    #[test]
    fn no_view_carries_a_reject_alone() {
        let scale = Scale {
            base_log_odds: -2.0,
            ..SCALE
        };
        let thin = |n_linked, words, letters, shape| {
            let said = weighing(tally(9, 9, n_linked), View::Words, words, 0);
            let spelled = weighing(said, View::Letters, letters, 0);
            is_thin(&weighing(spelled, View::Shape, shape, 0), &scale)
        };
        assert!(thin(0, 800, 199, 0));
        assert!(!thin(0, 800, 201, 0));
        // Without its shape .88, and .953.
        assert!(thin(1, 300, 100, 300) && !thin(0, 300, 100, 300));
        assert!(!thin(1, 300, 200, 300));
    }

    #[test]
    fn templates_are_recognized_and_turns_of_phrase_are_not() {
        let recognized = |n_recognized, n_triples| {
            let mut tally = weighing(tally(n_triples + 2, 0, 0), View::Words, 0, 900);
            tally.sums[View::Triples as usize].n_known = n_recognized;
            tally.n_distinct[View::Triples as usize] = n_triples;
            !is_thin(&tally, &SCALE)
        };
        assert!(recognized(4, 48));
        assert!(!recognized(4, 49));
        assert!(!recognized(3, 6));
    }
}

//! Which comments the model has too little evidence on to reject: it holds those.
//!
//! Evidence are words that training saw readers write: what they are worth was weighed against readers. Words that it
//! saw in spam alone are no evidence, however sure the sum is of them: a language of which only advertisements were
//! learnt makes every one of its readers look like an advertiser. Without that evidence a comment may be rejected if
//! what says so holds in every language: what is carried by the known, what is recognized, and heaps of links.

use super::SpamProbability;
use super::score::Tally;
use crate::text::View;

/// A link stands for this many words that nobody has seen.
const WORDS_A_LINK: u32 = 3;
/// Fewer words than this carry nothing: there is nothing that a link could be the advertisement of.
const N_SPOKEN_MIN: u32 = 3;
/// What is carried by the known must be at least this probable by the known alone: four to one.
const CARRIED_FROM: f64 = 0.8;
/// The same where most words are unknown. A reader's link to a newspaper reaches .89 there, by its own words and shape.
const CARRIED_AMONG_UNKNOWN_FROM: f64 = 0.95;
/// So many links may carry a comment in a script of which too little was learnt: one is a reader's source.
const FOREIGN_LINKS_MIN: u32 = 2;
/// So many links are no reader's, in any language.
const HEAP_OF_LINKS: u32 = 5;
/// One in so many of a comment's triples of words must be known for it to be recognized: readers of a language learnt
/// from spam alone share turns of phrase with it, but few of what they say.
const TRIPLES_A_RECOGNIZED: u32 = 12;
/// And so many at least: a short comment may share a turn or two.
const N_RECOGNIZED_MIN: u32 = 4;

/// How much of a comment the model has evidence for, in [0, 1]: the share of its words that training saw readers write.
pub(super) fn evidence(tally: &Tally) -> f64 {
    let n = tally.n_spoken + WORDS_A_LINK * tally.n_linked;
    f64::from(tally.n_known) / f64::from(n.max(1))
}

/// Is it a link with hardly a word? "Read this" may be an advertiser's or a reader's.
pub(super) const fn is_bare_link(tally: &Tally) -> bool {
    tally.n_linked > 0 && tally.n_spoken < N_SPOKEN_MIN
}

/// May a comment be rejected though most of its words are no evidence? Log-odds are `base_log_odds` and steps of `step`.
pub(super) fn is_carried(tally: &Tally, base_log_odds: f64, step: f64) -> bool {
    let known = SpamProbability::from_log_odds(base_log_odds + step * tally.sum_in_ham());
    tally.n_linked >= HEAP_OF_LINKS || is_recognized(tally) || is_carried_by_the_known(tally, known)
}

/// Does it repeat, three words at a time, what training saw? Templates do, in any language.
fn is_recognized(tally: &Tally) -> bool {
    let n = tally.n_distinct[View::Triples as usize];
    tally.n_recognized() >= N_RECOGNIZED_MIN && TRIPLES_A_RECOGNIZED * tally.n_recognized() >= n
}

/// Would the words, links and shape that training saw in ham too, alone, be enough to think it spam? They are the same
/// in every language. But where most letters are of a script of which too little was learnt, or most words unknown, one
/// reader's link looks like a bot's.
fn is_carried_by_the_known(tally: &Tally, known: SpamProbability) -> bool {
    let from = if !tally.is_foreign && 2 * tally.n_known < tally.n_spoken {
        CARRIED_AMONG_UNKNOWN_FROM
    } else {
        CARRIED_FROM
    };
    tally.n_spoken >= N_SPOKEN_MIN && (!tally.is_foreign || tally.n_linked >= FOREIGN_LINKS_MIN) && known.get() >= from
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(n_spoken: u32, n_known: u32, n_linked: u32) -> Tally {
        Tally {
            n_spoken,
            n_known,
            n_linked,
            ..Tally::default()
        }
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
        let carried = |n_known, is_foreign, n_linked, hundredths| {
            let mut tally = tally(8, n_known, n_linked);
            tally.is_foreign = is_foreign;
            tally.sums[View::Shape as usize].steps_in_ham = hundredths;
            tally.n_distinct[View::Shape as usize] = 1;
            is_carried(&tally, 0.0, 0.01)
        };
        // Log-odds 2 are .88, 3 are .953.
        assert!(carried(5, false, 1, 200));
        assert!(!carried(3, false, 1, 200));
        assert!(carried(3, false, 1, 300));
        assert!(!carried(5, true, 1, 300));
        assert!(carried(5, true, 2, 200));
        assert!(carried(0, true, 5, -900));
    }

    #[test]
    fn templates_are_recognized_and_turns_of_phrase_are_not() {
        let recognized = |n_recognized, n_triples| {
            let mut tally = tally(n_triples + 2, 0, 0);
            tally.sums[View::Triples as usize].n_known = n_recognized;
            tally.n_distinct[View::Triples as usize] = n_triples;
            is_recognized(&tally)
        };
        assert!(recognized(4, 48));
        assert!(!recognized(4, 49));
        assert!(!recognized(3, 6));
    }
}

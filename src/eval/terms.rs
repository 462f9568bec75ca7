//! The strongest terms of each view. A model keeps no dictionary, only hashed weights, so what its terms say is learned
//! by explaining comments and adding up. A term is shown only if enough different texts hold it: what one person wrote
//! is nobody else's to read.

use std::collections::BTreeMap;

use serde::Serialize;

use super::facts;

/// The number of different texts (groups of near-duplicates) that must hold a term before it is shown.
const GROUPS_MIN: usize = 3;

/// The terms of one view that moved comments most.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ViewTerms {
    /// The view.
    pub view: String,
    /// Towards spam, heaviest first.
    pub spam: Vec<TermWeight>,
    /// Towards ham, heaviest first.
    pub ham: Vec<TermWeight>,
}

/// The effect of a term.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TermWeight {
    /// The term as read.
    pub term: String,
    /// The log-odds that it added over all comments; above zero is towards spam.
    pub total_log_odds: f64,
    /// The number of comments hold it.
    pub n: usize,
}

/// Adds up contributions by view and term.
#[derive(Debug, Clone, Default)]
pub struct Tally(BTreeMap<String, BTreeMap<String, Sum>>);

#[derive(Debug, Clone, Default)]
struct Sum {
    log_odds: f64,
    n: usize,
    groups: Vec<u32>,
}

impl Tally {
    /// Adds what one term contributed to one comment of a group of near-duplicates.
    pub fn add(&mut self, view: &str, term: &str, log_odds: f64, group: u32) {
        let sum = self
            .0
            .entry(view.to_owned())
            .or_default()
            .entry(term.to_owned())
            .or_default();
        sum.log_odds += log_odds;
        sum.n += 1;
        if sum.groups.len() < GROUPS_MIN && !sum.groups.contains(&group) {
            sum.groups.push(group);
        }
    }

    /// The `n` heaviest terms of each view towards either side, among those that enough texts hold.
    pub fn strongest(&self, n: usize) -> Vec<ViewTerms> {
        let views = self.0.iter().map(|(view, terms)| {
            let mut shown: Vec<TermWeight> = terms
                .iter()
                .filter(|(_, sum)| sum.groups.len() >= GROUPS_MIN)
                .map(|(term, sum)| TermWeight {
                    term: facts::harmless(term),
                    total_log_odds: sum.log_odds,
                    n: sum.n,
                })
                .collect();
            shown.sort_by(|a, b| b.total_log_odds.total_cmp(&a.total_log_odds));
            let spam = shown
                .iter()
                .take_while(|weight| weight.total_log_odds > 0.0)
                .take(n)
                .cloned()
                .collect();
            let ham = shown
                .iter()
                .rev()
                .take_while(|weight| weight.total_log_odds < 0.0)
                .take(n)
                .cloned()
                .collect();
            ViewTerms {
                view: view.clone(),
                spam,
                ham,
            }
        });
        views
            .filter(|view| !view.spam.is_empty() || !view.ham.is_empty())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_of_few_texts_is_never_shown() {
        let mut tally = Tally::default();
        for group in 0..3 {
            tally.add("words", "subscribe", 2.0, group);
            tally.add("words", "thanks", -1.0, group);
            tally.add("words", "ann-smith", 9.0, group / 2);
        }
        let shown = tally.strongest(10);
        assert_eq!(shown.len(), 1);
        assert_eq!(
            shown[0].spam,
            [TermWeight {
                term: "subscribe".into(),
                total_log_odds: 6.0,
                n: 3
            }]
        );
        assert_eq!(shown[0].ham.len(), 1);
    }
}

//! Takes the score's own sum apart into each term's contribution.
//!
//! A term adds its worth over the root of the number of distinct terms of its view. Given those numbers the score is
//! linear, so that these contributions and the base are the log-odds, exactly, and no path or order had to be chosen.

use std::ops::Range;

use super::low_support::evidence;
use super::score::{Rows, weight_of};
use super::{Contribution, Explanation, Memory, Reading, SpamModel, with_memory};
use crate::text::{Places, Scratch, Sink, Sort, VIEWS, View};

/// A term as it came.
struct Named {
    view: View,
    hash: u32,
    place: Place,
}

enum Place {
    Stream(u32, u32),
    Named(String, Option<(usize, usize)>),
}

/// Writes down what scoring writes down, and the terms' names and places beside it.
struct Explainer<'a> {
    rows: &'a mut Rows,
    named: Vec<Named>,
}

impl Sink for Explainer<'_> {
    fn piece(&mut self, view: View, hash: u32, start: u32, end: u32) {
        self.rows.piece(view, hash, start, end);
        self.named.push(Named {
            view,
            hash,
            place: Place::Stream(start, end),
        });
    }

    fn fact(&mut self, view: View, hash: u32, place: Option<(usize, usize)>, name: impl FnOnce() -> String) {
        self.rows.fact(view, hash, place, String::new);
        self.named.push(Named {
            view,
            hash,
            place: Place::Named(name(), place),
        });
    }

    fn field(&mut self, view: View, hash: u32, sort: Sort, name: impl FnOnce() -> String) {
        self.rows.field(view, hash, sort, String::new);
        self.named.push(Named {
            view,
            hash,
            place: Place::Named(name(), None),
        });
    }

    fn spoken(&mut self, hash: u32) {
        self.rows.spoken(hash);
    }

    fn linked(&mut self) {
        self.rows.linked();
    }

    fn anchored(&mut self) {
        self.rows.anchored();
    }
}

/// Explains a comment's score.
pub(super) fn explain(model: &SpamModel, reading: &Reading<'_>) -> Explanation {
    with_memory(reading, |memory, has_parent| {
        let Memory {
            scratch,
            rows,
            seen,
            parent,
        } = memory;
        let parent = has_parent.then_some(&*parent);
        let mut explainer = Explainer {
            rows,
            named: Vec::new(),
        };
        let content = reading.own_content();
        let places = reading.emit(&content, scratch, &mut explainer);
        let Explainer { rows, named } = explainer;
        let mut tally = rows.tally(&model.table, seen, parent);
        tally.is_foreign = scratch.text.is_foreign();
        seen.prepare(named.len());
        let named = named.into_iter().filter(|term| seen.insert(term.hash));
        let damping = VIEWS.map(|view| tally.damping(view) * model.step);
        let spam_only_discount = tally.spam_only_discount(model.evidence_min);
        let mut contributions: Vec<Contribution> = named
            .filter_map(|term| {
                let steps = weight_of(&model.table, term.hash, parent)?;
                let is_in_ham = model.table.find(term.hash).is_some_and(|worth| worth.in_ham);
                let counts_for = if is_in_ham { 1.0 } else { spam_only_discount };
                let (name, span) = spell(&places, &scratch.text, term.place);
                Some(Contribution {
                    view: term.view.name(),
                    term: name,
                    log_odds: f64::from(steps) * damping[term.view as usize] * counts_for,
                    span,
                })
            })
            .collect();
        contributions.sort_by(|a, b| b.log_odds.abs().total_cmp(&a.log_odds.abs()));
        Explanation {
            base_log_odds: model.base_log_odds,
            log_odds: model.log_odds(&tally),
            contributions,
            evidence: evidence(&tally),
        }
    })
}

/// A term as people read it, and its place in the content.
fn spell(places: &Places<'_>, scratch: &Scratch, place: Place) -> (String, Option<Range<usize>>) {
    match place {
        Place::Stream(start, end) => places.piece(scratch, start, end),
        Place::Named(name, place) => (name, place.map(|(start, end)| places.range(start, end))),
    }
}

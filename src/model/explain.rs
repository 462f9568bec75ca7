//! What each term added: the score's own sum, taken apart.
//!
//! A term adds its worth over the root of the number of distinct terms of its view. Given those numbers the score is
//! linear, so that these contributions and the base are the log-odds, exactly, and no path or order had to be chosen.

use std::ops::Range;

use super::quoted::without_quoted;
use super::score::{Scorer, Tally};
use super::thin::evidence;
use super::{Contribution, Explanation, Reading, SpamModel, with_memory};
use crate::text::{Sink, VIEWS, View, emit_with_places};

/// A term as it was weighed.
struct Weighed {
    view: View,
    weight: f64,
    place: Place,
}

enum Place {
    Stream(u32, u32),
    Named(String, Option<(usize, usize)>),
}

/// Scores, and keeps what was scored.
struct Explainer<'a> {
    scorer: Scorer<'a>,
    weighed: Vec<Weighed>,
}

impl Sink for Explainer<'_> {
    fn piece(&mut self, view: View, hash: u32, start: u32, end: u32) {
        if let Some(weight) = self.scorer.weigh(view, hash) {
            self.weighed.push(Weighed {
                view,
                weight,
                place: Place::Stream(start, end),
            });
        }
    }

    fn fact(&mut self, view: View, hash: u32, place: Option<(usize, usize)>, name: impl FnOnce() -> String) {
        if let Some(weight) = self.scorer.weigh(view, hash) {
            self.weighed.push(Weighed {
                view,
                weight,
                place: Place::Named(name(), place),
            });
        }
    }

    fn spoken(&mut self, hash: u32) {
        self.scorer.spoken(hash);
    }

    fn linked(&mut self) {
        self.scorer.linked();
    }
}

/// Explains a comment's score.
pub(super) fn explain(model: &SpamModel, reading: &Reading<'_>) -> Explanation {
    with_memory(reading, |scratch, seen, parent| {
        let mut explainer = Explainer {
            scorer: Scorer {
                table: &model.table,
                seen,
                parent,
                tally: Tally::default(),
            },
            weighed: Vec::new(),
        };
        let content = without_quoted(reading.content, reading.parent_content);
        let places = emit_with_places(&content, reading.article_hosts, scratch, &mut explainer);
        let tally = explainer.scorer.tally;
        let damping = VIEWS.map(|view| tally.damping(view));
        let mut contributions: Vec<Contribution> = explainer
            .weighed
            .into_iter()
            .map(|weighed| {
                let (term, span): (String, Option<Range<usize>>) = match weighed.place {
                    Place::Stream(start, end) => places.piece(scratch, start, end),
                    Place::Named(name, place) => (name, place.map(|(start, end)| places.range(start, end))),
                };
                Contribution {
                    view: weighed.view.name(),
                    term,
                    log_odds: weighed.weight * damping[weighed.view as usize],
                    span,
                }
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

//! Which of the counted terms a model keeps: those that tell most, as many as an artefact may hold.

use super::count::{Counted, Part};
use super::naming::Naming;
use crate::text::{N_VIEWS, View};

/// The terms that are kept, by ascending hash.
#[derive(Debug, Default)]
pub(super) struct Selected {
    pub(super) vocabulary: Vec<u32>,
    pub(super) view_of: Vec<u8>,
    /// How many comments of each kind hold each.
    pub(super) all: Vec<f32>,
    /// The same without the sample and its near-duplicates; none where that alone would not have kept the term.
    pub(super) rest: Vec<f32>,
}

/// How much a term tells.
struct Worth<'a> {
    is_spam: &'a [bool],
    /// Of each view: how many terms, and how often they stand in ham and in spam.
    n_terms: [f64; N_VIEWS],
    mass: [[f64; 2]; N_VIEWS],
}

impl<'a> Worth<'a> {
    fn of(parts: &[Part], is_spam: &'a [bool]) -> Self {
        let mut worth = Self {
            is_spam,
            n_terms: [0.0; N_VIEWS],
            mass: [[0.0; 2]; N_VIEWS],
        };
        for term in parts.iter().flat_map(Part::terms) {
            let view = usize::from(term.view);
            let [ham, spam] = worth.by_label(term.cells);
            worth.n_terms[view] += 1.0;
            worth.mass[view][0] += ham;
            worth.mass[view][1] += spam;
        }
        worth
    }

    fn by_label(&self, cells: &[u32]) -> [f64; 2] {
        let mut sums = [0.0; 2];
        for (&n, &spam) in cells.iter().zip(self.is_spam) {
            sums[usize::from(spam)] += f64::from(n);
        }
        sums
    }

    /// How often it stands somewhere, times how much it pulls there. Words that readers write count for that alone: they
    /// are what evidence is made of.
    #[expect(clippy::cast_possible_truncation, reason = "a rank")]
    fn get(&self, view: u8, cells: &[u32]) -> f32 {
        let [ham, spam] = self.by_label(cells);
        let v = usize::from(view);
        let pull = ((spam + 1.0) / (self.mass[v][1] + self.n_terms[v])).ln()
            - ((ham + 1.0) / (self.mass[v][0] + self.n_terms[v])).ln();
        let evidence = if view == View::Words as u8 { ham } else { 0.0 };
        ((ham + spam) * pull.abs() + evidence) as f32
    }
}

/// Keeps at most `n_max` terms of the used views.
pub(super) fn select(
    parts: Vec<Part>,
    naming: &Naming,
    is_spam: &[bool],
    is_used: [bool; N_VIEWS],
    n_max: usize,
) -> Selected {
    let worth = Worth::of(&parts, is_spam);
    let may = |term: &Counted<'_>| is_used[usize::from(term.view)] && (!term.is_naming || naming.is_enough(term.hash));
    let mut worths: Vec<f32> = parts
        .iter()
        .flat_map(Part::terms)
        .filter(may)
        .map(|term| worth.get(term.view, term.cells))
        .collect();
    // What is kept tells more than the first that is not.
    let cut = if worths.len() > n_max {
        *worths.select_nth_unstable_by(n_max, |a, b| b.total_cmp(a)).1
    } else {
        -1.0
    };
    drop(worths);
    let mut out = Selected::default();
    for part in parts {
        let mut own: Vec<Counted<'_>> = part
            .terms()
            .filter(|term| may(term) && worth.get(term.view, term.cells) > cut)
            .collect();
        own.sort_unstable_by_key(|term| term.hash);
        for term in own {
            out.vocabulary.push(term.hash);
            out.view_of.push(term.view);
            let sampled = part.own(term.hash);
            let rest: Vec<u32> = match sampled {
                Some(sampled) => term
                    .cells
                    .iter()
                    .zip(sampled)
                    .map(|(all, own)| all.saturating_sub(*own))
                    .collect(),
                None => term.cells.to_vec(),
            };
            let kept = sampled.is_none() || worth.get(term.view, &rest) > cut;
            #[expect(clippy::cast_precision_loss, reason = "counts of comments")]
            {
                out.all.extend(term.cells.iter().map(|&n| n as f32));
                out.rest.extend(rest.iter().map(|&n| if kept { n as f32 } else { 0.0 }));
            }
        }
    }
    out
}

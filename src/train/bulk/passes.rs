//! The two readings of the files.

use std::collections::HashSet;
use std::thread;

use foldhash::fast::FixedState;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::super::corpus::FileSummary;
use super::super::features::Distinct;
use super::super::group::{self, Print, Sketch};
use super::super::resume;
use super::super::{Progress, TrainParams};
use super::count::{Entry, N_PARTS, Part, by_part};
use super::kind::Sorter;
use super::known::Known;
use super::learn::{Sample, n_drawn};
use super::naming::Naming;
use super::sample::Draw;
use super::{BulkError, Files, read_all};
use crate::comment::{Example, Label};
use crate::text::{Scratch, View};

/// A text's place in the draw.
fn place(whole: u64, seed: u64) -> u64 {
    xxh3_64_with_seed(&whole.to_le_bytes(), seed)
}

/// What a worker of the first reading leaves.
#[derive(Default)]
struct Placer {
    text: String,
    limit: u64,
    /// Was a text beyond the limit?
    passed_over: bool,
    placed: Vec<(u64, Example)>,
    n: u64,
}

/// Draws the sample.
pub(super) fn draw(
    files: Files<'_>,
    params: &TrainParams,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Draw, Vec<FileSummary>), BulkError> {
    let mut draw = Draw::new(n_drawn(params));
    let mut n = 0;
    let workers = || Placer {
        limit: u64::MAX,
        ..Placer::default()
    };
    let mut workers: Vec<Placer> = std::iter::repeat_with(workers).take(files.n_threads.max(1)).collect();
    let work = |worker: &mut Placer, example: Example| {
        worker.n += 1;
        let place = place(group::whole(&example, &mut worker.text), params.seed);
        if place <= worker.limit {
            worker.placed.push((place, example));
        } else {
            worker.passed_over = true;
        }
    };
    let after = |workers: &mut [Placer]| {
        for worker in workers.iter_mut() {
            n += std::mem::take(&mut worker.n);
            if worker.passed_over {
                draw.pass_over();
            }
            for (place, example) in worker.placed.drain(..) {
                draw.offer(place, example);
            }
        }
        let limit = draw.limit();
        workers.iter_mut().for_each(|worker| worker.limit = limit);
        progress(Progress::Pass { number: 1, of: 2, n });
    };
    let summaries = read_all(files, &mut workers, work, |_| (), after, |_, _| Ok(()))?;
    Ok((draw, summaries))
}

/// What the second reading leaves.
pub(super) struct Counted {
    pub(super) parts: Vec<Part>,
    pub(super) naming: Naming,
    /// Which of the certifying texts stand in the files, or near-duplicates of them.
    pub(super) seen: HashSet<usize, FixedState>,
    /// How many comments were counted, and how many of them are spam.
    pub(super) n: u64,
    pub(super) n_spam: u64,
    /// The day of the newest label.
    pub(super) as_of: Option<i32>,
}

/// What all workers of the second reading look into.
struct Shared<'a> {
    sorter: &'a Sorter,
    sample: &'a Known,
    certifying: &'a Known,
    left_out: &'a HashSet<u64, FixedState>,
    seed: u64,
}

/// What a worker of the second reading leaves, batch by batch.
#[derive(Default)]
struct Cutter {
    scratch: Scratch,
    distinct: Distinct,
    text: String,
    entries: Vec<Entry>,
    sorted: Vec<Entry>,
    starts: Vec<usize>,
    naming: Vec<(u32, Sketch)>,
    seen: Vec<usize>,
    n: u64,
    n_spam: u64,
    as_of: Option<i32>,
}

impl Cutter {
    fn take(&mut self, example: &Example, shared: &Shared<'_>) {
        let print = Print::of(example, &mut self.text);
        if shared.left_out.contains(&place(print.whole, shared.seed)) {
            return;
        }
        self.seen.extend(shared.certifying.find(&print));
        let is_own = shared.sample.find(&print).is_some();
        self.distinct.read(example, &mut self.scratch);
        let kind = shared.sorter.kind(example.label, &self.distinct);
        for (&hash, &view) in self.distinct.hashes.iter().zip(&self.distinct.views) {
            let mut entry = Entry::new(hash, kind, view);
            if is_own {
                entry = entry.own();
            }
            if view == View::Links as u8 && self.distinct.naming.contains(&hash) {
                entry = entry.naming();
            }
            self.entries.push(entry);
        }
        if !self.distinct.naming.is_empty() {
            let sketch = print.sketch();
            self.naming
                .extend(self.distinct.naming.iter().map(|&hash| (hash, sketch)));
        }
        self.as_of = self.as_of.max(resume::newest(&[example]));
        self.n += 1;
        self.n_spam += u64::from(example.label == Label::Spam);
    }

    fn end(&mut self) {
        self.starts.clear();
        self.starts.extend(by_part(&self.entries, &mut self.sorted));
        self.entries.clear();
    }

    fn entries(&self, part: usize) -> &[Entry] {
        match self.starts.get(part..part + 2) {
            Some(&[start, end]) => &self.sorted[start..end],
            _ => &[],
        }
    }
}

/// Counts the terms of every comment.
pub(super) fn count(
    files: Files<'_>,
    sample: &Sample,
    summaries: &[FileSummary],
    params: &TrainParams,
    progress: &mut dyn FnMut(Progress),
) -> Result<Counted, BulkError> {
    let n_threads = files.n_threads.clamp(1, N_PARTS);
    let n_kinds = sample.sorter.is_spam.len();
    let mut counted = Counted {
        parts: own_terms(&sample.features.vocabulary)
            .map(|own| Part::new(n_kinds, own))
            .collect(),
        naming: Naming::default(),
        seen: HashSet::default(),
        n: 0,
        n_spam: 0,
        as_of: None,
    };
    let shared = Shared {
        sorter: &sample.sorter,
        sample: &sample.known,
        certifying: &sample.certifying,
        left_out: &sample.left_out,
        seed: params.seed,
    };
    let mut workers: Vec<Cutter> = std::iter::repeat_with(Cutter::default).take(n_threads).collect();
    let after = |workers: &mut [Cutter]| {
        add(&mut counted.parts, workers);
        for worker in workers.iter_mut() {
            // What is left of this batch must not be counted with the next, which may have no part for this worker.
            worker.starts.clear();
            worker
                .naming
                .drain(..)
                .for_each(|(hash, sketch)| counted.naming.add(hash, &sketch));
            counted.seen.extend(worker.seen.drain(..));
            counted.as_of = counted.as_of.max(worker.as_of);
            counted.n += std::mem::take(&mut worker.n);
            counted.n_spam += std::mem::take(&mut worker.n_spam);
        }
        let n = counted.n;
        progress(Progress::Pass { number: 2, of: 2, n });
    };
    let mut first = summaries.iter();
    let check = |path: &std::path::Path, again: &FileSummary| {
        if first.next() == Some(again) {
            Ok(())
        } else {
            Err(BulkError::Changed { path: path.to_owned() })
        }
    };
    read_all(
        files,
        &mut workers,
        |worker, example| worker.take(&example, &shared),
        Cutter::end,
        after,
        check,
    )?;
    Ok(counted)
}

/// The parts of an ascending list of hashes.
fn own_terms(vocabulary: &[u32]) -> impl Iterator<Item = &[u32]> {
    (0..N_PARTS).map(|part| {
        let from = vocabulary.partition_point(|&hash| ((hash >> 24) as usize) < part);
        let to = vocabulary.partition_point(|&hash| (hash >> 24) as usize <= part);
        &vocabulary[from..to]
    })
}

/// Counts what the workers cut: each part in the order of the rows, several parts at a time.
fn add(parts: &mut [Part], workers: &[Cutter]) {
    let share = parts.len().div_ceil(workers.len());
    let add_share = |nth: usize, own: &mut [Part]| {
        for (part, number) in own.iter_mut().zip(nth * share..) {
            for &entry in workers.iter().flat_map(|worker| worker.entries(number)) {
                part.add(entry);
            }
        }
    };
    thread::scope(|scope| {
        for (own, nth) in parts.chunks_mut(share).zip(0..) {
            let add_share = &add_share;
            scope.spawn(move || add_share(nth, own));
        }
    });
}

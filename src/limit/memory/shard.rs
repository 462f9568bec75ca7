//! A shard is one part of the map: rows in a slab, an index over them, and the order in which they may be forgotten.
//!
//! A subject whose quotas are all at rest is the same as one that was never seen, so forgetting it costs nothing. Room
//! is made in the order of what is lost:
//!
//! 1. the subject that has been at rest for longest;
//! 2. if none is at rest, the one that will be soonest, unless it is over an enforced quota;
//! 3. if all are over a quota, the one that will be free soonest. Then a flood does free addresses early, but only
//!    after it has spent a full quota for each of `cap` addresses.
//!
//! The order lives in two heaps whose entries may be too early (an acquisition moves a subject's rest, not its entry);
//! an entry that turns out so on its way out is put back in its place. So an acquisition costs the heaps nothing.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::super::gcra::{self, Meter};
use super::super::{Mode, Outcome};
use crate::site::Quota;

/// Number of quotas whose state fits into a row; those beyond go to the side.
const INLINE: usize = 3;

/// Bits of a heap entry that name the row; the rest is the time in units of 64 µs.
const ROW_BITS: u32 = 17;

/// A part of the map.
pub(super) struct Shard {
    cap: usize,
    hasher: RandomState,
    index: HashTable<u32>,
    rows: Vec<Row>,
    /// States of the quotas after the third, by row.
    side: HashMap<u32, Box<[u64]>, RandomState>,
    shapes: Vec<Shape>,
    /// Every row is in one of these: by when it is at rest, or by when it is no longer over a quota.
    idle: BinaryHeap<Reverse<u64>>,
    over: BinaryHeap<Reverse<u64>>,
}

/// The row of one subject, 42 bytes: the states are kept as bytes because as numbers they would align the row to 48.
struct Row {
    key: [u8; 16],
    tats: [[u8; 8]; INLINE],
    shape: u16,
}

/// A list of quotas that rows were counted by. There is one for each site's configuration in use.
struct Shape {
    quotas: Vec<Quota>,
    rows: usize,
}

impl Shard {
    pub(super) fn new(cap: usize, hasher: RandomState) -> Self {
        Self {
            cap: cap.clamp(1, 1 << ROW_BITS),
            hasher,
            index: HashTable::new(),
            rows: Vec::new(),
            side: HashMap::default(),
            shapes: Vec::new(),
            idle: BinaryHeap::new(),
            over: BinaryHeap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.index.allocation_size()
            + self.rows.capacity() * size_of::<Row>()
            + (self.idle.capacity() + self.over.capacity()) * size_of::<u64>()
            + self.side.values().map(|tats| size_of_val(&**tats) + 40).sum::<usize>()
    }

    /// Acquires from every quota or from none.
    pub(super) fn acquire(&mut self, hash: u64, key: [u8; 16], quotas: &[Quota], now: u64, mode: Mode) -> Vec<Outcome> {
        let row = self.find(hash, key);
        let mut tats = row.map_or_else(|| Tats::at_rest(quotas.len()), |row| self.read(row, quotas));
        let outcomes = gcra::acquire(quotas, tats.as_mut(), now, mode);
        if mode == Mode::Spend {
            match row {
                Some(row) => self.write(row, quotas, tats.as_ref()),
                None if tats.rest() > now => self.insert(hash, key, quotas, tats.as_ref(), now),
                None => {}
            }
        }
        outcomes
    }

    /// Replaces what is known of a subject by these levels at `now`.
    pub(super) fn learn(&mut self, hash: u64, key: [u8; 16], quotas: &[Quota], levels: &[u64], now: u64) {
        let mut tats = Tats::at_rest(quotas.len());
        for (tat, level) in tats.as_mut().iter_mut().zip(levels) {
            *tat = now + level;
        }
        match self.find(hash, key) {
            Some(row) => self.write(row, quotas, tats.as_ref()),
            None if tats.rest() > now => self.insert(hash, key, quotas, tats.as_ref(), now),
            None => {}
        }
    }

    fn find(&self, hash: u64, key: [u8; 16]) -> Option<u32> {
        self.index
            .find(hash, |row| self.rows[*row as usize].key == key)
            .copied()
    }

    /// The states of a row for these quotas. Quotas that it was not counted by are at rest.
    fn read(&self, row: u32, quotas: &[Quota]) -> Tats {
        let Row { tats, shape, .. } = &self.rows[row as usize];
        let held = &self.shapes[usize::from(*shape)].quotas;
        let at = |i: usize| {
            if i < INLINE {
                u64::from_le_bytes(tats[i])
            } else {
                self.side.get(&row).map_or(0, |side| side[i - INLINE])
            }
        };
        let mut read = Tats::at_rest(quotas.len());
        if held.as_slice() == quotas {
            read.as_mut().iter_mut().enumerate().for_each(|(i, tat)| *tat = at(i));
        } else {
            for (quota, tat) in quotas.iter().zip(read.as_mut()) {
                *tat = held.iter().position(|held| same_count(held, quota)).map_or(0, at);
            }
        }
        read
    }

    fn write(&mut self, row: u32, quotas: &[Quota], tats: &[u64]) {
        let old = self.rows[row as usize].shape;
        if self.shapes[usize::from(old)].quotas != quotas {
            self.shapes[usize::from(old)].rows -= 1;
            self.rows[row as usize].shape = self.shape_of(quotas);
        }
        self.store(row, tats);
    }

    fn store(&mut self, row: u32, tats: &[u64]) {
        for (held, tat) in self.rows[row as usize].tats.iter_mut().zip(tats) {
            *held = tat.to_le_bytes();
        }
        if tats.len() > INLINE {
            self.side.insert(row, tats[INLINE..].into());
        }
    }

    fn insert(&mut self, hash: u64, key: [u8; 16], quotas: &[Quota], tats: &[u64], now: u64) {
        let freed = self.make_room(now);
        let shape = self.shape_of(quotas);
        let new = Row {
            key,
            tats: [[0; 8]; INLINE],
            shape,
        };
        let row = match freed {
            Some(row) => {
                self.rows[row as usize] = new;
                row
            }
            None => {
                grow_to(&mut self.rows, self.cap);
                self.rows.push(new);
                index_of(self.rows.len() - 1)
            }
        };
        self.store(row, tats);
        let (rows, hasher) = (&self.rows, &self.hasher);
        self.index
            .insert_unique(hash, row, |row| hasher.hash_one(rows[*row as usize].key));
        let rest = entry(self.rest(row), row);
        push(&mut self.idle, rest);
    }

    /// Forgets the row that may go first (see the top), or none while there is room and nobody is at rest. The row is
    /// the caller's to fill again.
    fn make_room(&mut self, now: u64) -> Option<u32> {
        while let Some(Reverse(first)) = self.over.peek().copied().filter(|first| time_of(first.0) <= now >> 6) {
            self.over.pop();
            let row = row_of(first);
            let (actual, rest) = (entry(self.free_at(row), row), entry(self.rest(row), row));
            if actual > first {
                push(&mut self.over, actual);
            } else {
                push(&mut self.idle, rest);
            }
        }
        while let Some(Reverse(first)) = self.idle.peek().copied() {
            if self.rows.len() < self.cap && time_of(first) >= now >> 6 {
                return None;
            }
            self.idle.pop();
            let row = row_of(first);
            let (actual, free_at) = (entry(self.rest(row), row), self.free_at(row));
            if free_at > now {
                if self.idle.capacity() > 2 * self.idle.len() + 64 {
                    self.idle.shrink_to(self.idle.len() + self.idle.len() / 4);
                }
                push(&mut self.over, entry(free_at, row));
            } else if actual > first {
                push(&mut self.idle, actual);
            } else {
                return Some(self.forget(row));
            }
        }
        if self.rows.len() < self.cap {
            return None;
        }
        while let Some(Reverse(first)) = self.over.pop() {
            let row = row_of(first);
            let actual = entry(self.free_at(row), row);
            if actual <= first {
                return Some(self.forget(row));
            }
            push(&mut self.over, actual);
        }
        None
    }

    fn forget(&mut self, row: u32) -> u32 {
        let hash = self.hasher.hash_one(self.rows[row as usize].key);
        if let Ok(found) = self.index.find_entry(hash, |held| *held == row) {
            found.remove();
        }
        self.shapes[usize::from(self.rows[row as usize].shape)].rows -= 1;
        self.side.remove(&row);
        row
    }

    /// The time at which the last of a row's quotas is at rest.
    fn rest(&self, row: u32) -> u64 {
        self.states(row).map(|(_, tat)| tat).max().unwrap_or(0)
    }

    /// The time from which the row is no longer over any enforced quota.
    fn free_at(&self, row: u32) -> u64 {
        let enforced = self.states(row).filter(|(meter, _)| !meter.shadow);
        enforced
            .map(|(meter, tat)| (tat + meter.interval).saturating_sub(meter.capacity))
            .max()
            .unwrap_or(0)
    }

    fn states(&self, row: u32) -> impl Iterator<Item = (Meter, u64)> {
        let Row { tats, shape, .. } = &self.rows[row as usize];
        let side = if self.side.is_empty() {
            None
        } else {
            self.side.get(&row)
        };
        let tats = tats
            .iter()
            .map(|tat| u64::from_le_bytes(*tat))
            .chain(side.into_iter().flatten().copied());
        self.shapes[usize::from(*shape)].quotas.iter().map(Meter::of).zip(tats)
    }

    /// The number of a list of quotas, with one more row that uses it. Numbers that no row uses are given out again, so
    /// a process that reloads its configuration every minute does not run out of them.
    fn shape_of(&mut self, quotas: &[Quota]) -> u16 {
        let known = self.shapes.iter().position(|shape| shape.quotas == quotas);
        let at = known
            .or_else(|| self.shapes.iter().position(|shape| shape.rows == 0))
            .unwrap_or(self.shapes.len());
        if at == self.shapes.len() {
            self.shapes.push(Shape {
                quotas: Vec::new(),
                rows: 0,
            });
        }
        if known.is_none() {
            self.shapes[at].quotas = quotas.to_vec();
        }
        self.shapes[at].rows += 1;
        // There are no more lists in use than rows, and a shard of `Memory` has less than 2^14 of those.
        u16::try_from(at).unwrap_or(u16::MAX)
    }
}

/// The states of one subject while they are worked on; the common case needs no allocation.
enum Tats {
    Few([u64; INLINE], usize),
    Many(Vec<u64>),
}

impl Tats {
    fn at_rest(n: usize) -> Self {
        if n <= INLINE {
            Self::Few([0; INLINE], n)
        } else {
            Self::Many(vec![0; n])
        }
    }

    fn as_ref(&self) -> &[u64] {
        match self {
            Self::Few(tats, n) => &tats[..*n],
            Self::Many(tats) => tats,
        }
    }

    fn as_mut(&mut self) -> &mut [u64] {
        match self {
            Self::Few(tats, n) => &mut tats[..*n],
            Self::Many(tats) => tats,
        }
    }

    fn rest(&self) -> u64 {
        self.as_ref().iter().copied().max().unwrap_or(0)
    }
}

/// True if two configurations of a quota count the same: their effects on excess may differ.
fn same_count(a: &Quota, b: &Quota) -> bool {
    a.name == b.name && a.burst == b.burst && a.interval == b.interval
}

fn entry(time: u64, row: u32) -> u64 {
    (time >> 6) << ROW_BITS | u64::from(row)
}

const fn time_of(entry: u64) -> u64 {
    entry >> ROW_BITS
}

const fn row_of(entry: u64) -> u32 {
    (entry & ((1 << ROW_BITS) - 1)) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "a shard has at most 2^ROW_BITS rows")]
const fn index_of(row: usize) -> u32 {
    row as u32
}

/// Pushes without doubling: a heap of a full shard stays within 5/4 of what it holds.
fn push(heap: &mut BinaryHeap<Reverse<u64>>, entry: u64) {
    if heap.len() == heap.capacity() {
        heap.reserve_exact(heap.len() / 4 + 16);
    }
    heap.push(Reverse(entry));
}

/// Makes room for one more row: doubling, but never past the cap.
fn grow_to(rows: &mut Vec<Row>, cap: usize) {
    if rows.len() == rows.capacity() {
        rows.reserve_exact(rows.len().max(4).min(cap - rows.len()));
    }
}

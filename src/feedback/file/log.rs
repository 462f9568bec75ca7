//! The store's segments with an index over them in memory.
//!
//! Writes wait in a buffer until [`Log::commit`]. A later frame of a decision takes the earlier one's place;
//! a tombstone takes away what stands before it. Nothing depends on the order of a record and its label, so that frames
//! may be moved: [`Log::tend`] moves what is left of half-empty segments to the end, and deletes them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use self::frame::{LABEL, Payload, RECORD, TOMBSTONE, read_payload};
use super::segment::{self, Flaws, HEADER, Place, Segment};
use crate::clock::Timestamp;
use crate::comment::AuthorKey;
use crate::feedback::{Bounds, Labeled, wire};
use crate::record::{DecisionId, Entry, Forgotten, Label, Opinion, Record, Selection, Stats};
use crate::site::SiteId;
use crate::verdict::Verdict;

mod book;
mod compact;
mod frame;

/// The facts about a decision that are known without reading the disk.
#[derive(Debug)]
struct Slot {
    site: u32,
    decided_at: Timestamp,
    expires_at: Timestamp,
    verdict: Option<Verdict>,
    authors: Box<[AuthorKey]>,
    record: Place,
    label: Option<(Label, Place)>,
}

/// The right of a log to change its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// The log changes its files, and nobody else does.
    Write,
    /// The log only reads, while another process may be writing.
    Read,
}

/// The log of one directory.
#[derive(Debug)]
pub(super) struct Log {
    dir: PathBuf,
    bounds: Bounds,
    nonce: [u8; 16],
    /// The segments in ascending order; the last one is written to.
    segments: BTreeMap<u64, Segment>,
    index: HashMap<DecisionId, Slot>,
    /// Labels whose records have not been read yet; empty once the log is open.
    orphans: HashMap<DecisionId, (Label, Place)>,
    by_expiry: BTreeSet<(Timestamp, DecisionId)>,
    sites: Vec<SiteId>,
    buffer: Vec<u8>,
    /// True while something that was written is not synced.
    dirty: bool,
    /// The findings of opening.
    pub(super) flaws: Flaws,
}

impl Log {
    /// Opens the directory, which exists. A writer cuts off a torn frame and finishes a forgetting that was
    /// interrupted.
    pub(super) fn open(
        dir: &Path,
        bounds: Bounds,
        nonce: [u8; 16],
        access: Access,
        now: Timestamp,
    ) -> io::Result<Self> {
        let mut log = Self {
            dir: dir.to_owned(),
            bounds,
            nonce,
            segments: BTreeMap::new(),
            index: HashMap::new(),
            orphans: HashMap::new(),
            by_expiry: BTreeSet::new(),
            sites: Vec::new(),
            buffer: Vec::new(),
            dirty: false,
            flaws: Flaws::default(),
        };
        let mut tombstones = BTreeSet::new();
        for number in segment::numbers(dir)? {
            log.load(number, access, &mut tombstones)?;
        }
        for (id, (label, place)) in std::mem::take(&mut log.orphans) {
            log.set_label(id, label, place);
        }
        if access == Access::Write {
            // An earlier process' last segment is written on, once it is whole.
            if log.segments.is_empty() || log.active()?.end >= bounds.segment_bytes {
                log.rotate()?;
            }
            log.erase(&tombstones)?;
            log.expire(now);
        }
        Ok(log)
    }

    fn load(&mut self, number: u64, access: Access, tombstones: &mut BTreeSet<DecisionId>) -> io::Result<()> {
        let path = segment::path(&self.dir, number);
        // Placed under its number first: what is seen is booked on it.
        let mut seen = Vec::new();
        let see = &mut |place, payload: &[u8]| seen.push((place, read_payload(payload)));
        let (segment, flaws) = Segment::read(&path, number, access == Access::Write, see)?;
        self.flaws.torn += flaws.torn;
        self.flaws.damaged += flaws.damaged;
        let Some(segment) = segment else {
            return if access == Access::Write {
                std::fs::remove_file(&path)
            } else {
                Ok(())
            };
        };
        if access == Access::Write && flaws.torn > 0 {
            segment.file.set_len(segment.end)?;
            segment.file.sync_all()?;
        }
        self.segments.insert(number, segment);
        for (place, payload) in seen {
            match payload {
                Some(Payload::Record(record)) => self.set_record(&record, place),
                Some(Payload::Label(id, label)) if self.index.contains_key(&id) => self.set_label(id, label, place),
                Some(Payload::Label(id, label))
                    if self.orphans.get(&id).is_none_or(|(other, _)| label.supersedes(other)) =>
                {
                    self.orphans.insert(id, (label, place));
                }
                Some(Payload::Tombstone(id)) => {
                    self.remove(id);
                    self.orphans.remove(&id);
                    tombstones.insert(id);
                }
                // An orphan's earlier label; or written by a later version.
                Some(Payload::Label(..)) | None => {}
            }
        }
        Ok(())
    }

    /// Remembers a record, once.
    pub(super) fn remember(&mut self, record: &Record) {
        if self.index.contains_key(&record.id) {
            return;
        }
        let place = self.append(RECORD, &wire::encode_record(record));
        self.set_record(record, place);
    }

    /// Puts a label on a record, which is `full` if it is not known. `None`: it is not known.
    pub(super) fn label(&mut self, id: DecisionId, mut label: Label, full: Option<&Record>) -> Option<Labeled> {
        let now = label.received_at;
        if self.index.get(&id).is_some_and(|slot| slot.expires_at <= now) {
            self.remove(id);
        }
        if let Some(full) = full {
            self.remember(full);
        }
        let slot = self.index.get(&id)?;
        if let Some((old, _)) = &slot.label {
            label.first_received_at = old.first_received_at;
            if !label.supersedes(old) {
                let (in_force, verdict) = (old.clone(), slot.verdict);
                return Some(Labeled {
                    in_force,
                    verdict,
                    applied: false,
                });
            }
        }
        let verdict = slot.verdict;
        let place = self.append(LABEL, &[id.as_bytes().as_slice(), &wire::encode_label(&label)].concat());
        self.set_label(id, label.clone(), place);
        Some(Labeled {
            in_force: label,
            verdict,
            applied: true,
        })
    }

    /// Looks a decision up in the index.
    pub(super) fn get(&mut self, id: DecisionId, now: Timestamp) -> io::Result<Option<Entry>> {
        self.write()?;
        match self.index.get(&id) {
            Some(slot) if slot.expires_at > now => self.entry(slot).map(Some),
            _ => Ok(None),
        }
    }

    /// Everything that is labeled, in the order of the decisions, one by one.
    pub(super) fn each_labeled(&self, now: Timestamp, see: &mut dyn FnMut(Entry)) -> io::Result<()> {
        let live = |slot: &&Slot| slot.label.is_some() && slot.expires_at > now;
        let mut slots: Vec<_> = self.index.values().filter(live).collect();
        slots.sort_unstable_by_key(|slot| (slot.decided_at, slot.record.segment, slot.record.offset));
        slots.into_iter().try_for_each(|slot| {
            see(self.entry(slot)?);
            Ok(())
        })
    }

    /// Counts of records and labels by site, verdict and label.
    pub(super) fn stats(&self, now: Timestamp) -> Stats {
        let mut cells: BTreeMap<(SiteId, Option<Verdict>, Option<Opinion>), u64> = BTreeMap::new();
        let mut stats = Stats::default();
        for slot in self.index.values().filter(|slot| slot.expires_at > now) {
            let opinion = slot.label.as_ref().map(|(label, _)| label.opinion);
            stats.n_records += 1;
            stats.n_labels += u64::from(opinion.is_some());
            *cells
                .entry((self.site(slot).clone(), slot.verdict, opinion))
                .or_default() += 1;
        }
        stats.bytes = self.segments.values().map(|segment| segment.end).sum();
        stats.cells = cells
            .into_iter()
            .map(|((site, verdict, opinion), n)| (site, verdict, opinion, n))
            .collect();
        stats
    }

    /// Forgets the selected decisions: when this returns, no file holds it any more. The exports are the caller's to
    /// add.
    pub(super) fn forget(&mut self, selection: &Selection) -> io::Result<(Forgotten, Vec<(SiteId, Label)>)> {
        let meant =
            |(id, slot): &(&DecisionId, &Slot)| selection.has(**id, self.site(slot), slot.decided_at, &slot.authors);
        let ids: BTreeSet<DecisionId> = self.index.iter().filter(meant).map(|(id, _)| *id).collect();
        let mut labels = Vec::new();
        for &id in &ids {
            if let Some(slot) = self.remove(id) {
                let site = self.site(&slot).clone();
                labels.extend(slot.label.map(|(label, _)| (site, label)));
            }
        }
        if !ids.is_empty() {
            // The tombstones first, in a segment behind all others: should the rest be cut short, the next start does
            // it.
            self.commit(true)?;
            self.rotate()?;
            for &id in &ids {
                self.append(TOMBSTONE, id.as_bytes());
            }
            self.commit(true)?;
            self.erase(&ids)?;
        }
        let forgotten = Forgotten {
            n_records: ids.len() as u64,
            n_labels: labels.len() as u64,
            exports: Vec::new(),
        };
        Ok((forgotten, labels))
    }

    /// Drops expired decisions, and the next to expire while there are too many.
    pub(super) fn expire(&mut self, now: Timestamp) {
        let live: u64 = self.segments.values().map(|segment| segment.live).sum();
        let mut too_much = live.saturating_sub(self.bounds.bytes_max / 2);
        while let Some(&(expires_at, id)) = self.by_expiry.first()
            && (expires_at <= now || too_much > 0 || self.index.len() > self.bounds.records_max)
        {
            let Some(slot) = self.remove(id) else { break };
            let label = slot.label.map_or(0, |(_, place)| place.len);
            too_much = too_much.saturating_sub(u64::from(slot.record.len + label));
        }
    }

    /// Writes the buffer, and syncs if that is asked for, earlier writes included.
    pub(super) fn commit(&mut self, sync: bool) -> io::Result<()> {
        self.write()?;
        if sync && self.dirty {
            self.active()?.file.sync_data()?;
            self.dirty = false;
        }
        if self.active()?.end >= self.bounds.segment_bytes {
            self.rotate()?;
        }
        Ok(())
    }

    /// Begins a new segment; an empty last one is kept.
    fn rotate(&mut self) -> io::Result<()> {
        if let Some((_, last)) = self.segments.last_key_value() {
            if last.end == HEADER {
                return Ok(());
            }
            last.file.sync_all()?;
        }
        let number = self.segments.keys().next_back().map_or(1, |last| last + 1);
        let segment = Segment::create(&segment::path(&self.dir, number), number, self.segment_nonce(number))?;
        segment.file.sync_all()?;
        segment::sync_dir(&self.dir)?;
        self.segments.insert(number, segment);
        Ok(())
    }

    fn segment_nonce(&self, number: u64) -> [u8; 8] {
        let mut nonce = [0; 8];
        for (i, byte) in nonce.iter_mut().enumerate() {
            *byte = self.nonce[i] ^ self.nonce[i + 8].wrapping_add(number.to_le_bytes()[i]);
        }
        nonce
    }

    fn write(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.dirty = true;
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.active()?.write(&mut buffer);
        self.buffer = buffer;
        result
    }

    fn active(&mut self) -> io::Result<&mut Segment> {
        self.segments
            .last_entry()
            .map(std::collections::btree_map::OccupiedEntry::into_mut)
            .ok_or_else(|| io::Error::other("the store was opened to be read"))
    }

    fn append(&mut self, kind: u8, body: &[u8]) -> Place {
        let payload = [&[kind], body].concat();
        match self.segments.last_key_value() {
            Some((_, active)) => active.frame(&payload, &mut self.buffer),
            // Only a log that is read has none, and nothing is appended to that.
            None => Place {
                segment: 0,
                offset: 0,
                len: 0,
            },
        }
    }

    fn entry(&self, slot: &Slot) -> io::Result<Entry> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a record cannot be read");
        let segment = self.segments.get(&slot.record.segment).ok_or_else(damaged)?;
        let payload = segment.payload(slot.record)?;
        let Some(Payload::Record(record)) = read_payload(&payload) else {
            return Err(damaged());
        };
        Ok(Entry {
            record: *record,
            label: slot.label.as_ref().map(|(label, _)| label.clone()),
            expires_at: slot.expires_at,
        })
    }

    fn site(&self, slot: &Slot) -> &SiteId {
        // Numbers of sites are given out by `set_record` alone.
        &self.sites[slot.site as usize]
    }
}

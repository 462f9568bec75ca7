//! Compaction: frames that the index no longer knows leave the disk, which gives back room and forgets for good.

use std::collections::BTreeSet;
use std::io;

use super::Log;
use super::frame::frame_id;
use crate::feedback::file::segment::{self, HEADER, Place, Segment};
use crate::record::DecisionId;

impl Log {
    /// Moves the live frames of one segment that is at least half empty to the end, and deletes it.
    pub(in crate::feedback::file) fn tend(&mut self) -> io::Result<()> {
        let last = self.segments.keys().next_back().copied();
        let is_sparse = |segment: &&Segment| Some(segment.number) != last && 2 * segment.live <= segment.end - HEADER;
        let Some(number) = self.segments.values().find(is_sparse).map(|segment| segment.number) else {
            return Ok(());
        };
        let mut moved = Vec::new();
        self.each_live(number, &mut |kind, body, id| moved.push((kind, body.to_vec(), id)))?;
        for (kind, body, id) in moved {
            let place = self.append(kind, &body);
            self.book(id, kind, place);
        }
        self.commit(true)?;
        self.segments.remove(&number);
        std::fs::remove_file(segment::path(&self.dir, number))?;
        segment::sync_dir(&self.dir)
    }

    /// Rewrites every sealed segment that holds a frame of these decisions which the index does not know. In ascending
    /// order: a tombstone is dropped only after what it takes away.
    pub(super) fn erase(&mut self, ids: &BTreeSet<DecisionId>) -> io::Result<()> {
        let last = self.segments.keys().next_back().copied();
        let sealed: Vec<u64> = self
            .segments
            .keys()
            .copied()
            .filter(|number| Some(*number) != last)
            .collect();
        for number in sealed.into_iter().filter(|_| !ids.is_empty()) {
            let path = segment::path(&self.dir, number);
            let mut holds = false;
            let see = &mut |place, payload: &[u8]| {
                holds |= frame_id(payload).is_some_and(|id| ids.contains(&id) && !self.is_live(id, place));
            };
            Segment::read(&path, number, false, see)?;
            if holds {
                self.rewrite(number)?;
            }
        }
        Ok(())
    }

    fn rewrite(&mut self, number: u64) -> io::Result<()> {
        let path = segment::path(&self.dir, number);
        let temporary = path.with_extension("tmp");
        let mut fresh = Segment::create(&temporary, number, self.segment_nonce(number))?;
        let mut buffer = Vec::new();
        let mut places = Vec::new();
        self.each_live(number, &mut |kind, body, id| {
            let place = fresh.frame(&[&[kind], body].concat(), &mut buffer);
            places.push((id, kind, place));
        })?;
        fresh.write(&mut buffer)?;
        fresh.file.sync_all()?;
        std::fs::rename(&temporary, &path)?;
        segment::sync_dir(&self.dir)?;
        self.segments.insert(number, fresh);
        for (id, kind, place) in places {
            self.add_live(place);
            // Its old place went with the old segment.
            self.replace(id, kind, place);
        }
        Ok(())
    }

    /// Kind, body and decision of every frame of a segment that the index knows.
    fn each_live(&self, number: u64, see: &mut dyn FnMut(u8, &[u8], DecisionId)) -> io::Result<()> {
        let path = segment::path(&self.dir, number);
        let mut look = |place, payload: &[u8]| {
            if let (Some((&kind, body)), Some(id)) = (payload.split_first(), frame_id(payload))
                && self.is_live(id, place)
            {
                see(kind, body, id);
            }
        };
        Segment::read(&path, number, false, &mut look).map(drop)
    }

    fn is_live(&self, id: DecisionId, place: Place) -> bool {
        let label = |slot: &super::Slot| slot.label.as_ref().is_some_and(|(_, own)| *own == place);
        self.index
            .get(&id)
            .is_some_and(|slot| slot.record == place || label(slot))
    }
}

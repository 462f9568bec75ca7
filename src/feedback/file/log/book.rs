//! The index over the frames: the position of each record and label, and how much of each segment is still needed.

use super::frame::RECORD;
use super::{Log, Slot};
use crate::feedback::file::segment::Place;
use crate::record::{DecisionId, Label, Record};

impl Log {
    pub(super) fn set_record(&mut self, record: &Record, place: Place) {
        self.add_live(place);
        if let Some(slot) = self.index.get_mut(&record.id) {
            let old = std::mem::replace(&mut slot.record, place);
            return self.drop_live(old);
        }
        let known = self.sites.iter().position(|site| *site == record.site);
        let site = known.unwrap_or_else(|| {
            self.sites.push(record.site.clone());
            self.sites.len() - 1
        });
        let expires_at = record.decided_at.after(self.bounds.retention);
        let slot = Slot {
            site: u32::try_from(site).unwrap_or(u32::MAX),
            decided_at: record.decided_at,
            expires_at,
            verdict: record.judged.as_ref().map(|judged| judged.verdict),
            authors: record.authors.clone().into(),
            record: place,
            label: None,
        };
        self.by_expiry.insert((expires_at, record.id));
        self.index.insert(record.id, slot);
    }

    /// Enters a label into the index, if its record is there and no later label is.
    pub(super) fn set_label(&mut self, id: DecisionId, label: Label, place: Place) {
        let Some(slot) = self.index.get_mut(&id) else { return };
        if slot.label.as_ref().is_some_and(|(old, _)| !label.supersedes(old)) {
            return;
        }
        self.by_expiry.remove(&(slot.expires_at, id));
        slot.expires_at = label.received_at.after(self.bounds.label_retention);
        self.by_expiry.insert((slot.expires_at, id));
        let old = slot.label.replace((label, place));
        self.add_live(place);
        if let Some((_, old)) = old {
            self.drop_live(old);
        }
    }

    /// Enters the new position of a frame that was moved.
    pub(super) fn book(&mut self, id: DecisionId, kind: u8, place: Place) {
        self.add_live(place);
        if let Some(old) = self.replace(id, kind, place) {
            self.drop_live(old);
        }
    }

    pub(super) fn replace(&mut self, id: DecisionId, kind: u8, place: Place) -> Option<Place> {
        let slot = self.index.get_mut(&id)?;
        let own = match kind {
            RECORD => &mut slot.record,
            _ => &mut slot.label.as_mut()?.1,
        };
        Some(std::mem::replace(own, place))
    }

    pub(super) fn remove(&mut self, id: DecisionId) -> Option<Slot> {
        let slot = self.index.remove(&id)?;
        self.by_expiry.remove(&(slot.expires_at, id));
        self.drop_live(slot.record);
        if let Some((_, place)) = &slot.label {
            self.drop_live(*place);
        }
        Some(slot)
    }

    pub(super) fn add_live(&mut self, place: Place) {
        if let Some(segment) = self.segments.get_mut(&place.segment) {
            segment.live += u64::from(place.len);
        }
    }

    pub(super) fn drop_live(&mut self, place: Place) {
        if let Some(segment) = self.segments.get_mut(&place.segment) {
            segment.live = segment.live.saturating_sub(u64::from(place.len));
        }
    }
}

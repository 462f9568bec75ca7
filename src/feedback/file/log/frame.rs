//! The content of a frame: its kind in one byte, then a record, or a decision's id with its label, or that id alone.

use crate::feedback::wire;
use crate::record::{DecisionId, Label, Record};

/// The kind of a frame with a record.
pub(super) const RECORD: u8 = 1;
/// The kind of a frame with a label.
pub(super) const LABEL: u8 = 2;
/// The kind of a frame that takes away what stands before it.
pub(super) const TOMBSTONE: u8 = 3;

/// The content of a frame.
pub(super) enum Payload {
    Record(Box<Record>),
    Label(DecisionId, Label),
    Tombstone(DecisionId),
}

/// Reads a frame; `None` for one that a later version wrote.
pub(super) fn read_payload(payload: &[u8]) -> Option<Payload> {
    let (&kind, body) = payload.split_first()?;
    let id = || body.first_chunk().map(|id| DecisionId::new(*id));
    match kind {
        RECORD => Some(Payload::Record(Box::new(wire::decode_record(body)?))),
        LABEL => Some(Payload::Label(id()?, wire::decode_label(&body[16..])?)),
        TOMBSTONE => Some(Payload::Tombstone(id()?)),
        _ => None,
    }
}

/// The decision that a frame with content is about.
pub(super) fn frame_id(payload: &[u8]) -> Option<DecisionId> {
    match read_payload(payload)? {
        Payload::Record(record) => Some(record.id),
        Payload::Label(id, _) => Some(id),
        Payload::Tombstone(_) => None,
    }
}

//! The first answers to request ids, kept for ten minutes or until there is no room.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::clock::Timestamp;
use crate::limit::{Answer, IdempotencyKey, Outcome};

/// The time for which a request id keeps its answer.
pub const REPLAY_TTL: Duration = Duration::from_secs(600);

/// Bytes of a record beside its outcomes and payload: its struct, its places in map and queue, two allocations.
const OVERHEAD: usize = 192;

/// A bounded store of first answers; the oldest goes first.
pub(super) struct ReplayStore {
    records: HashMap<[u8; 16], ReplayRecord, RandomState>,
    /// Requests in the order of their expiry, which is that of their arrival: all live equally long.
    queue: VecDeque<([u8; 16], Timestamp)>,
    bytes: usize,
    bytes_max: usize,
}

/// The first answer to one request id.
struct ReplayRecord {
    fingerprint: [u8; 16],
    until: Timestamp,
    outcomes: Box<[Outcome]>,
    payload: Box<[u8]>,
}

impl ReplayRecord {
    fn bytes(&self) -> usize {
        OVERHEAD + self.payload.len() + size_of_val(&*self.outcomes)
    }
}

impl ReplayStore {
    /// An empty store of at most so many bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            records: HashMap::default(),
            queue: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Looks a request id up at `now`: a replay, a conflict, or nothing.
    pub(super) fn look_up(&self, id: &IdempotencyKey<'_>, now: Timestamp) -> Option<Answer> {
        let held = self.records.get(&id.request).filter(|held| now < held.until)?;
        if held.fingerprint != id.fingerprint {
            return Some(Answer::Conflict);
        }
        Some(Answer::Replayed {
            outcomes: held.outcomes.to_vec(),
            payload: held.payload.to_vec(),
        })
    }

    /// Remembers a first answer. One that is larger than all the room is not kept.
    pub(super) fn remember(&mut self, id: &IdempotencyKey<'_>, outcomes: &[Outcome], payload: &[u8], now: Timestamp) {
        let until = now.after(REPLAY_TTL);
        let record = ReplayRecord {
            fingerprint: id.fingerprint,
            until,
            outcomes: outcomes.into(),
            payload: payload.into(),
        };
        let bytes = record.bytes();
        if bytes > self.bytes_max {
            return;
        }
        while self.queue.front().is_some_and(|(_, until)| *until <= now) || self.bytes + bytes > self.bytes_max {
            let Some((request, until)) = self.queue.pop_front() else {
                break;
            };
            // A request id that was used again after its expiry has a later entry in the queue.
            if self.records.get(&request).is_some_and(|held| held.until == until) {
                self.forget(request);
            }
        }
        self.forget(id.request);
        self.bytes += bytes;
        self.records.insert(id.request, record);
        self.queue.push_back((id.request, until));
    }

    fn forget(&mut self, request: [u8; 16]) {
        if let Some(held) = self.records.remove(&request) {
            self.bytes -= held.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{OVERHEAD, REPLAY_TTL, ReplayStore};
    use crate::clock::Timestamp;
    use crate::limit::{Answer, IdempotencyKey};

    fn key(request: u8, fingerprint: u8) -> IdempotencyKey<'static> {
        IdempotencyKey {
            request: [request; 16],
            fingerprint: [fingerprint; 16],
            author: None,
            payload: b"p",
        }
    }

    #[test]
    fn replays_conflicts_and_expires() {
        let mut replays = ReplayStore::new(1 << 20);
        let start = Timestamp::from_micros(1);
        replays.remember(&key(1, 1), &[], b"first", start);
        let replayed = Answer::Replayed {
            outcomes: vec![],
            payload: b"first".to_vec(),
        };
        assert_eq!(replays.look_up(&key(1, 1), start), Some(replayed));
        assert_eq!(replays.look_up(&key(1, 2), start), Some(Answer::Conflict));
        assert_eq!(replays.look_up(&key(2, 2), start), None);
        assert_eq!(replays.look_up(&key(1, 1), start.after(REPLAY_TTL)), None);
    }

    #[test]
    fn the_oldest_goes_when_there_is_no_room() {
        let mut replays = ReplayStore::new(3 * (OVERHEAD + 1));
        let now = Timestamp::from_micros(1);
        for request in 0..5 {
            replays.remember(&key(request, 0), &[], b"p", now);
        }
        let known: Vec<u8> = (0..5).filter(|r| replays.look_up(&key(*r, 0), now).is_some()).collect();
        assert_eq!(known, [2, 3, 4]);
        assert_eq!((replays.records.len(), replays.queue.len()), (3, 3));
    }

    #[test]
    fn what_has_ended_leaves_nothing_behind() {
        let mut replays = ReplayStore::new(1 << 20);
        let mut now = Timestamp::from_micros(1);
        for request in 0..=255 {
            replays.remember(&key(request, 0), &[], b"p", now);
            now = now.after(REPLAY_TTL / 4);
        }
        assert!(replays.records.len() <= 4 && replays.queue.len() <= 4);
        assert_eq!(replays.bytes, replays.records.len() * (OVERHEAD + 1));
    }
}

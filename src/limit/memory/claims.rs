//! Claimed request ids with their first answers, for ten minutes or until there is no room.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::clock::Timestamp;
use crate::limit::{Answer, Claim, Outcome};

/// How long a request id keeps its answer.
pub const CLAIM_TTL: Duration = Duration::from_secs(600);

/// What a claim costs beside its outcomes and payload: its record, its places in map and queue, two allocations.
const OVERHEAD: usize = 192;

/// Claims, oldest first out.
pub(super) struct Claims {
    held: HashMap<[u8; 16], Held, RandomState>,
    /// In the order of their end, which is the order of their coming: all live equally long.
    queue: VecDeque<([u8; 16], Timestamp)>,
    bytes: usize,
    bytes_max: usize,
}

struct Held {
    fingerprint: [u8; 16],
    until: Timestamp,
    outcomes: Box<[Outcome]>,
    payload: Box<[u8]>,
}

impl Held {
    fn bytes(&self) -> usize {
        OVERHEAD + self.payload.len() + size_of_val(&*self.outcomes)
    }
}

impl Claims {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            held: HashMap::default(),
            queue: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// What is known of a claim at `now`.
    pub(super) fn look_up(&self, claim: &Claim<'_>, now: Timestamp) -> Option<Answer> {
        let held = self.held.get(&claim.request).filter(|held| now < held.until)?;
        if held.fingerprint != claim.fingerprint {
            return Some(Answer::Conflict);
        }
        Some(Answer::Replayed {
            outcomes: held.outcomes.to_vec(),
            payload: held.payload.to_vec(),
        })
    }

    /// Remembers a first answer. One that is larger than all the room is not kept.
    pub(super) fn remember(&mut self, claim: &Claim<'_>, outcomes: &[Outcome], payload: &[u8], now: Timestamp) {
        let until = now.after(CLAIM_TTL);
        let held = Held {
            fingerprint: claim.fingerprint,
            until,
            outcomes: outcomes.into(),
            payload: payload.into(),
        };
        let bytes = held.bytes();
        if bytes > self.bytes_max {
            return;
        }
        while self.queue.front().is_some_and(|(_, until)| *until <= now) || self.bytes + bytes > self.bytes_max {
            let Some((request, until)) = self.queue.pop_front() else {
                break;
            };
            // A request that was claimed anew has a later entry in the queue.
            if self.held.get(&request).is_some_and(|held| held.until == until) {
                self.forget(request);
            }
        }
        self.forget(claim.request);
        self.bytes += bytes;
        self.held.insert(claim.request, held);
        self.queue.push_back((claim.request, until));
    }

    fn forget(&mut self, request: [u8; 16]) {
        if let Some(held) = self.held.remove(&request) {
            self.bytes -= held.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CLAIM_TTL, Claims, OVERHEAD};
    use crate::clock::Timestamp;
    use crate::limit::{Answer, Claim};

    fn claim(request: u8, fingerprint: u8) -> Claim<'static> {
        Claim {
            request: [request; 16],
            fingerprint: [fingerprint; 16],
            beside: None,
            payload: b"p",
        }
    }

    #[test]
    fn replays_conflicts_and_expires() {
        let mut claims = Claims::new(1 << 20);
        let start = Timestamp::from_micros(1);
        claims.remember(&claim(1, 1), &[], b"first", start);
        let replayed = Answer::Replayed {
            outcomes: vec![],
            payload: b"first".to_vec(),
        };
        assert_eq!(claims.look_up(&claim(1, 1), start), Some(replayed));
        assert_eq!(claims.look_up(&claim(1, 2), start), Some(Answer::Conflict));
        assert_eq!(claims.look_up(&claim(2, 2), start), None);
        assert_eq!(claims.look_up(&claim(1, 1), start.after(CLAIM_TTL)), None);
    }

    #[test]
    fn the_oldest_goes_when_there_is_no_room() {
        let mut claims = Claims::new(3 * (OVERHEAD + 1));
        let now = Timestamp::from_micros(1);
        for request in 0..5 {
            claims.remember(&claim(request, 0), &[], b"p", now);
        }
        let known: Vec<u8> = (0..5)
            .filter(|r| claims.look_up(&claim(*r, 0), now).is_some())
            .collect();
        assert_eq!(known, [2, 3, 4]);
        assert_eq!((claims.held.len(), claims.queue.len()), (3, 3));
    }

    #[test]
    fn what_has_ended_leaves_nothing_behind() {
        let mut claims = Claims::new(1 << 20);
        let mut now = Timestamp::from_micros(1);
        for request in 0..=255 {
            claims.remember(&claim(request, 0), &[], b"p", now);
            now = now.after(CLAIM_TTL / 4);
        }
        assert!(claims.held.len() <= 4 && claims.queue.len() <= 4);
        assert_eq!(claims.bytes, claims.held.len() * (OVERHEAD + 1));
    }
}

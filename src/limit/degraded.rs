//! The counts of one replica by itself, for the time that Redis is away. Pure: the caller passes the time and asks
//! Redis.
//!
//! While Redis answers, each answer is remembered. While it does not, this replica counts on from there, at a share of
//! each quota. Nothing of that is written back: when Redis answers again, its answer replaces what was counted here. So
//! an outage allows each author at most one more burst at each replica, and no replica ever charges Redis for another.

use std::time::Duration;

use super::memory::{Memory, MemorySettings};
use super::{Acquire, Acquired, Answer, IdempotencyKey, Mode, Outcome, Source};
use crate::clock::Timestamp;
use crate::site::Quota;

/// Settings for counting in this process while Redis is away.
#[derive(Debug, Clone, PartialEq)]
pub struct DegradedSettings {
    /// Bounds on the size of its memory.
    pub memory: MemorySettings,
    /// The part of each quota that this process grants alone, above 0 and at most 1; 1 unless set.
    pub local_share: f64,
}

impl Default for DegradedSettings {
    fn default() -> Self {
        Self {
            memory: MemorySettings::default(),
            local_share: 1.0,
        }
    }
}

/// Ends the payload of a remembered answer that Redis took part in: a replay names the source that the first answer
/// named.
const BY_REDIS: u8 = 0;

/// Ends the payload of a remembered answer that this process gave alone.
const DEGRADED: u8 = 1;

/// The counts and answers of one replica.
#[derive(Debug)]
pub(super) struct LocalState {
    memory: Memory,
    share: f64,
}

impl LocalState {
    /// An empty state.
    pub(super) fn new(settings: &DegradedSettings) -> Self {
        let DegradedSettings { memory, local_share } = settings;
        let share = if *local_share > 0.0 && *local_share < 1.0 {
            *local_share
        } else {
            1.0
        };
        let memory = Memory::new(memory);
        Self { memory, share }
    }

    /// Looks a request id up: a replay, a conflict, or nothing. An answer given without Redis is [`Source::Degraded`]
    /// in its replay too, any other [`Source::Local`].
    pub(super) fn look_up(&self, id: &IdempotencyKey<'_>, now: Timestamp) -> Option<Acquired> {
        self.memory.look_up(id, now).map(unmarked)
    }

    /// Answers an acquisition for which Redis need not be asked.
    pub(super) fn acquire(&self, acquire: &Acquire<'_>, now: Timestamp) -> Answer {
        self.memory.acquire(acquire, now)
    }

    /// Remembers what Redis answered: its levels (µs), and the outcomes under the request id. `now` is from before it
    /// was asked, so that the levels are rather too small here than too large.
    pub(super) fn learn(&self, acquire: &Acquire<'_>, levels: &[u64], outcomes: &[Outcome], now: Timestamp) {
        if acquire.mode == Mode::Peek {
            return;
        }
        if let Some(subject) = acquire.subject {
            let scaled = self.scaled(acquire.quotas);
            let quotas = scaled.as_deref().unwrap_or(acquire.quotas);
            self.memory.learn(acquire.site, subject, quotas, levels, now);
        }
        if let Some(id) = &acquire.idempotency_key {
            self.memory.remember(id, outcomes, &marked(id.payload, BY_REDIS), now);
        }
    }

    /// Answers an acquisition that Redis did not answer.
    pub(super) fn acquire_degraded(&self, acquire: &Acquire<'_>, now: Timestamp) -> Acquired {
        let scaled = self.scaled(acquire.quotas);
        let id = acquire.idempotency_key;
        let payload = id.map(|id| marked(id.payload, DEGRADED)).unwrap_or_default();
        let alone = Acquire {
            quotas: scaled.as_deref().unwrap_or(acquire.quotas),
            idempotency_key: id.map(|id| IdempotencyKey {
                payload: &payload,
                ..id
            }),
            ..*acquire
        };
        unmarked(self.memory.acquire(&alone, now))
    }

    /// The quotas at this replica's share; `None` if that is all of each.
    fn scaled(&self, quotas: &[Quota]) -> Option<Vec<Quota>> {
        let scale = |quota: &Quota| {
            let burst = (f64::from(quota.burst) * self.share).round().max(1.0);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 1 and quota.burst"
            )]
            let burst = burst as u32;
            let interval = Duration::try_from_secs_f64(quota.interval.as_secs_f64() / self.share);
            Quota {
                burst,
                interval: interval.unwrap_or(Duration::MAX),
                ..quota.clone()
            }
        };
        (self.share < 1.0).then(|| quotas.iter().map(scale).collect())
    }
}

/// A payload with the mark of its source.
fn marked(payload: &[u8], mark: u8) -> Vec<u8> {
    [payload, &[mark]].concat()
}

/// Takes the mark off a replay's payload and reads the source from it.
fn unmarked(mut answer: Answer) -> Acquired {
    let source = match &mut answer {
        Answer::Fresh(_) => Source::Degraded,
        Answer::Replayed { payload, .. } => match payload.pop() {
            Some(DEGRADED) => Source::Degraded,
            _ => Source::Local,
        },
        Answer::Conflict => Source::Local,
    };
    Acquired { answer, source }
}

#[cfg(test)]
mod tests {
    use super::{DegradedSettings, LocalState};
    use crate::clock::Timestamp;
    use crate::comment::AuthorKey;
    use crate::limit::{Acquire, Answer, IdempotencyKey, Mode, Source};
    use crate::site::{Quota, SiteId};
    use crate::verdict::Verdict;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn local(local_share: f64) -> LocalState {
        LocalState::new(&DegradedSettings {
            local_share,
            ..DegradedSettings::default()
        })
    }

    fn quotas() -> [Quota; 1] {
        [Quota {
            name: "hour".into(),
            burst: 5,
            interval: Duration::from_secs(3600),
            effect: Verdict::Hold,
            shadow: false,
        }]
    }

    fn acquire<'a>(site: &'a SiteId, quotas: &'a [Quota], idempotency_key: Option<IdempotencyKey<'a>>) -> Acquire<'a> {
        Acquire {
            site,
            subject: Some(AuthorKey::new([7; 16])),
            quotas,
            idempotency_key,
            mode: Mode::Spend,
        }
    }

    #[test]
    fn a_replay_says_who_answered_first() {
        let (local, site, quotas) = (local(1.0), SiteId::new("a").unwrap(), quotas());
        let key = |n: u8| IdempotencyKey {
            request: [n; 16],
            fingerprint: [n; 16],
            author: None,
            payload: b"first",
        };
        let alone = acquire(&site, &quotas, Some(key(1)));
        let first = local.acquire_degraded(&alone, NOW);
        assert_eq!(first.source, Source::Degraded);
        let by_redis = acquire(&site, &quotas, Some(key(2)));
        let Answer::Fresh(outcomes) = first.answer else {
            panic!("fresh")
        };
        local.learn(&by_redis, &[1], &outcomes, NOW);
        for (n, source) in [(1, Source::Degraded), (2, Source::Local)] {
            let replay = local.look_up(&key(n), NOW).unwrap();
            assert_eq!(replay.source, source);
            assert!(
                matches!(&replay.answer, Answer::Replayed { payload, .. } if payload == b"first"),
                "{replay:?}"
            );
            // Two that come at once: the second finds the key only when it takes.
            let acquire = acquire(&site, &quotas, Some(key(n)));
            assert_eq!(local.acquire_degraded(&acquire, NOW), replay);
        }
        let other = IdempotencyKey {
            fingerprint: [9; 16],
            ..key(1)
        };
        assert_eq!(local.look_up(&other, NOW).unwrap().answer, Answer::Conflict);
    }

    #[test]
    fn at_a_share_it_grants_that_part_of_what_is_left() {
        let (site, quotas) = (SiteId::new("a").unwrap(), quotas());
        let (whole, half) = (local(1.0), local(0.4));
        let acquire = acquire(&site, &quotas, None);
        let granted = |local: &LocalState| {
            let outcomes = (0..10).map(|_| match local.acquire_degraded(&acquire, NOW).answer {
                Answer::Fresh(outcomes) => !outcomes[0].exceeded,
                other => panic!("{other:?}"),
            });
            outcomes.filter(|granted| *granted).count()
        };
        assert_eq!((granted(&whole), granted(&half)), (5, 2));
        // Redis says that nothing is left, or all: what was counted here is replaced by it.
        for (level, left) in [(5 * 3_600_000_000, (0, 0)), (0, (5, 2))] {
            whole.learn(&acquire, &[level], &[], NOW);
            half.learn(&acquire, &[level], &[], NOW);
            assert_eq!((granted(&whole), granted(&half)), left);
        }
    }
}

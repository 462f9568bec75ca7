//! What one replica knows while Redis counts for the fleet, and how it counts when Redis does not. Pure: the caller passes
//! the time and does the asking.
//!
//! While Redis answers, each answer is remembered. While it does not, takes are counted from there, at a share of each
//! quota. Nothing of that is written back: when Redis answers again, its answer replaces what was counted here. So an
//! outage allows each author at most one more burst at each replica, and no replica ever charges Redis for another.

use std::time::Duration;

use super::memory::Memory;
use super::{Answer, Claim, MemorySettings, Mode, Outcome, Source, Take, Taken};
use crate::clock::Timestamp;
use crate::site::Quota;

/// What follows the payload of a remembered claim: whether Redis took part in the answer. A replay says the same as the
/// first answer said.
const ASKED: u8 = 0;
const ALONE: u8 = 1;

/// One replica's own knowledge.
#[derive(Debug)]
pub(super) struct Local {
    memory: Memory,
    share: f64,
}

impl Local {
    /// An empty replica. `share` (above 0, at most 1) is the part of each quota that it grants alone.
    pub(super) fn new(settings: &MemorySettings, share: f64) -> Self {
        let share = if share > 0.0 && share < 1.0 { share } else { 1.0 };
        let memory = Memory::new(settings);
        Self { memory, share }
    }

    /// What is known of a claim: a replay, a conflict, or nothing. What was answered without Redis is
    /// [`Source::LocalForRedis`] in the replay too, all else [`Source::Local`].
    pub(super) fn look_up(&self, claim: &Claim<'_>, now: Timestamp) -> Option<Taken> {
        self.memory.look_up(claim, now).map(known)
    }

    /// A take that has nothing to ask Redis.
    pub(super) fn take(&self, take: &Take<'_>, now: Timestamp) -> Answer {
        self.memory.take(take, now)
    }

    /// Remembers what Redis answered to a take: its levels (µs) and the claim. `now` is from before it was asked, so that
    /// the levels are rather too small here than too large.
    pub(super) fn learn(&self, take: &Take<'_>, levels: &[u64], outcomes: &[Outcome], now: Timestamp) {
        if take.mode == Mode::Peek {
            return;
        }
        if let Some(subject) = take.subject {
            let scaled = self.scaled(take.quotas);
            let quotas = scaled.as_deref().unwrap_or(take.quotas);
            self.memory.learn(take.site, subject, quotas, levels, now);
        }
        if let Some(claim) = &take.claim {
            self.memory
                .remember(claim, outcomes, &marked(claim.payload, ASKED), now);
        }
    }

    /// Counts a take that Redis did not answer.
    pub(super) fn take_alone(&self, take: &Take<'_>, now: Timestamp) -> Taken {
        let scaled = self.scaled(take.quotas);
        let payload = take.claim.map(|claim| marked(claim.payload, ALONE)).unwrap_or_default();
        let alone = Take {
            quotas: scaled.as_deref().unwrap_or(take.quotas),
            claim: take.claim.map(|claim| Claim {
                payload: &payload,
                ..claim
            }),
            ..*take
        };
        known(self.memory.take(&alone, now))
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

fn marked(payload: &[u8], mark: u8) -> Vec<u8> {
    [payload, &[mark]].concat()
}

/// An answer of this replica's memory: takes the mark off a replay's payload.
fn known(mut answer: Answer) -> Taken {
    let source = match &mut answer {
        Answer::Fresh(_) => Source::LocalForRedis,
        Answer::Replayed { payload, .. } => match payload.pop() {
            Some(ALONE) => Source::LocalForRedis,
            _ => Source::Local,
        },
        Answer::Conflict => Source::Local,
    };
    Taken { answer, source }
}

#[cfg(test)]
mod tests {
    use super::Local;
    use crate::clock::Timestamp;
    use crate::comment::AuthorKey;
    use crate::limit::{Answer, Claim, MemorySettings, Mode, Source, Take};
    use crate::site::{Quota, SiteId};
    use crate::verdict::Verdict;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn local() -> Local {
        Local::new(&MemorySettings::default(), 1.0)
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

    fn take<'a>(site: &'a SiteId, quotas: &'a [Quota], claim: Option<Claim<'a>>) -> Take<'a> {
        Take {
            site,
            subject: Some(AuthorKey::new([7; 16])),
            quotas,
            claim,
            mode: Mode::Spend,
        }
    }

    #[test]
    fn a_replay_says_who_answered_first() {
        let (local, site, quotas) = (local(), SiteId::new("a").unwrap(), quotas());
        let claim = |n: u8| Claim {
            request: [n; 16],
            fingerprint: [n; 16],
            beside: None,
            payload: b"first",
        };
        let alone = take(&site, &quotas, Some(claim(1)));
        let first = local.take_alone(&alone, NOW);
        assert_eq!(first.source, Source::LocalForRedis);
        let by_redis = take(&site, &quotas, Some(claim(2)));
        let Answer::Fresh(outcomes) = first.answer else {
            panic!("fresh")
        };
        local.learn(&by_redis, &[1], &outcomes, NOW);
        for (n, source) in [(1, Source::LocalForRedis), (2, Source::Local)] {
            let replay = local.look_up(&claim(n), NOW).unwrap();
            assert_eq!(replay.source, source);
            assert!(
                matches!(&replay.answer, Answer::Replayed { payload, .. } if payload == b"first"),
                "{replay:?}"
            );
            // Two that come at once: the second finds the claim only when it takes.
            let take = take(&site, &quotas, Some(claim(n)));
            assert_eq!(local.take_alone(&take, NOW), replay);
        }
        let other = Claim {
            fingerprint: [9; 16],
            ..claim(1)
        };
        assert_eq!(local.look_up(&other, NOW).unwrap().answer, Answer::Conflict);
    }

    #[test]
    fn at_a_share_it_grants_that_part_of_what_is_left() {
        let (site, quotas) = (SiteId::new("a").unwrap(), quotas());
        let (whole, half) = (local(), Local::new(&MemorySettings::default(), 0.4));
        let take = take(&site, &quotas, None);
        let granted = |local: &Local| {
            let outcomes = (0..10).map(|_| match local.take_alone(&take, NOW).answer {
                Answer::Fresh(outcomes) => !outcomes[0].exceeded,
                other => panic!("{other:?}"),
            });
            outcomes.filter(|granted| *granted).count()
        };
        assert_eq!((granted(&whole), granted(&half)), (5, 2));
        // Redis says that nothing is left, or all: what was counted here is replaced by it.
        for (level, left) in [(5 * 3_600_000_000, (0, 0)), (0, (5, 2))] {
            whole.learn(&take, &[level], &[], NOW);
            half.learn(&take, &[level], &[], NOW);
            assert_eq!((granted(&whole), granted(&half)), left);
        }
    }
}

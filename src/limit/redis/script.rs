//! The script's arguments and answers as bytes: the Rust side of `take.lua`'s contract.

use redis::Cmd;

use super::super::key::{self, Layout};
use super::super::local::Debt;
use super::super::memory::CLAIM_TTL;
use super::super::pledge::Pledge;
use super::super::{Answer, Mode, Outcome, Source, Take, Taken, gcra::Meter};
use crate::site::Quota;

/// Bytes of one packed quota.
const QUOTA_BYTES: usize = 21;

/// In a claim's number of quotas: a replica answered alone, and a replay says so too.
const ALONE: u8 = 0x80;

/// The script.
pub(super) const TEXT: &str = include_str!("../take.lua");

/// What the script answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The level of each quota (µs) and whether it was exceeded.
    Fresh(Vec<(u64, bool)>),
    /// A replay or a conflict.
    Known(Taken),
}

/// A call of the script, ready for either way to name it.
pub(super) struct Call {
    keys: Vec<String>,
    args: Vec<Vec<u8>>,
}

impl Call {
    /// A take, and with it what its subject owes from an outage.
    pub(super) fn take(layout: Layout, take: &Take<'_>, debt: Option<&Debt>) -> Self {
        let debts = debt.map(|debt| debts(&debt.levels)).unwrap_or_default();
        let mode = match take.mode {
            Mode::Spend => b"s",
            Mode::Peek => b"p",
        };
        let quotas = if take.subject.is_some() { take.quotas } else { &[] };
        let mut call = Self {
            keys: Vec::with_capacity(2),
            args: vec![mode.to_vec(), debts, pack(quotas)],
        };
        if let Some(subject) = take.subject.filter(|_| !quotas.is_empty()) {
            call.keys.push(key::subject(take.site, subject));
        }
        if let Some(claim) = &take.claim {
            call.keys.push(key::claim(layout, take.site, take.subject, claim));
            call.args.push(claim.fingerprint.to_vec());
            call.args.push(CLAIM_TTL.as_millis().to_string().into_bytes());
            call.args.push(claim.payload.to_vec());
        }
        call
    }

    /// Only a debt.
    pub(super) fn debt(debt: &Debt) -> Self {
        let keys = vec![key::subject(&debt.site, debt.subject)];
        Self {
            keys,
            args: vec![b"d".to_vec(), debts(&debt.levels), pack(&debt.quotas)],
        }
    }

    /// Only a claim that was answered without Redis, unless it is held.
    pub(super) fn pledge(layout: Layout, pledge: &Pledge) -> Self {
        let (name, claim) = (&pledge.name, pledge.name.claim());
        let n = u8::try_from(name.quotas.len()).unwrap_or(0) | ALONE;
        let mut value = vec![n];
        value.extend(pack(&name.quotas));
        for outcome in &pledge.outcomes {
            let level = i64::try_from(outcome.reset_after.as_micros()).unwrap_or(i64::MAX);
            let level = if outcome.exceeded { -1 - level } else { level };
            value.extend(level.to_le_bytes());
        }
        value.extend(&pledge.payload);
        let lives = pledge.left.as_millis().max(1).to_string().into_bytes();
        let fingerprint = claim.fingerprint.to_vec();
        Self {
            keys: vec![key::claim(layout, &name.site, name.subject, &claim)],
            args: vec![b"c".to_vec(), Vec::new(), Vec::new(), fingerprint, lives, value],
        }
    }

    /// A take under a key of its own that is at rest again after a millisecond: it needs all that a take needs.
    pub(super) fn probe(n: u32) -> Self {
        let mut quota = vec![0; 4];
        quota.extend_from_slice(&1_000_f64.to_le_bytes());
        quota.extend_from_slice(&1e15_f64.to_le_bytes());
        quota.push(0);
        Self {
            keys: vec![key::probe(n)],
            args: vec![b"s".to_vec(), Vec::new(), quota],
        }
    }

    /// The key that decides where the call goes; none if it touches none.
    pub(super) fn key(&self) -> Option<&str> {
        self.keys.first().map(String::as_str)
    }

    /// The call by the script's digest, or with its text if Redis does not hold it.
    pub(super) fn command(&self, verb: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(verb);
        command.arg(script).arg(self.keys.len()).arg(&self.keys).arg(&self.args);
        command
    }
}

/// Packs quotas for `ARGV[3]`.
fn pack(quotas: &[Quota]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(quotas.len() * QUOTA_BYTES);
    for quota in quotas {
        let meter = Meter::of(quota);
        packed.extend_from_slice(&key::quota_id(quota));
        packed.extend_from_slice(&exact(meter.interval).to_le_bytes());
        packed.extend_from_slice(&exact(meter.capacity).to_le_bytes());
        packed.push(u8::from(meter.shadow));
    }
    packed
}

/// Packs debts for `ARGV[2]`: for each quota the level to add, and the level that it has at least, in µs.
fn debts(debts: &[(u64, u64)]) -> Vec<u8> {
    debts
        .iter()
        .flat_map(|(add, least)| [exact(*add).to_le_bytes(), exact(*least).to_le_bytes()])
        .flatten()
        .collect()
}

/// Reads an answer; `None` if it is none of ours.
pub(super) fn reply(bytes: &[u8]) -> Option<Reply> {
    let (kind, rest) = bytes.split_first()?;
    match kind {
        b'F' => levels(rest).map(Reply::Fresh),
        b'R' => {
            let (n, rest) = rest.split_first()?;
            let source = if n & ALONE == 0 {
                Source::Redis
            } else {
                Source::LocalForRedis
            };
            let n = usize::from(n & !ALONE);
            let (quotas, rest) = rest.split_at_checked(n * QUOTA_BYTES)?;
            let (levels_, payload) = rest.split_at_checked(n * 8)?;
            let outcomes = quotas
                .chunks_exact(QUOTA_BYTES)
                .zip(levels(levels_)?)
                .map(|(quota, (level, exceeded))| Some(unpack(quota)?.outcome(level, exceeded)));
            let outcomes: Vec<Outcome> = outcomes.collect::<Option<_>>()?;
            let payload = payload.to_vec();
            let answer = Answer::Replayed { outcomes, payload };
            Some(Reply::Known(Taken { answer, source }))
        }
        b'C' => Some(Reply::Known(Taken {
            answer: Answer::Conflict,
            source: Source::Redis,
        })),
        _ => None,
    }
}

/// The outcomes that go with levels.
pub(super) fn outcomes(quotas: &[Quota], levels: &[(u64, bool)]) -> Vec<Outcome> {
    quotas
        .iter()
        .zip(levels)
        .map(|(quota, (level, exceeded))| Meter::of(quota).outcome(*level, *exceeded))
        .collect()
}

fn levels(bytes: &[u8]) -> Option<Vec<(u64, bool)>> {
    let level = |chunk: &[u8]| {
        let signed = i64::from_le_bytes(chunk.try_into().ok()?);
        let level = if signed < 0 { -1 - signed } else { signed };
        Some((u64::try_from(level).ok()?, signed < 0))
    };
    bytes
        .len()
        .is_multiple_of(8)
        .then(|| bytes.chunks_exact(8).map(level).collect())?
}

fn unpack(quota: &[u8]) -> Option<Meter> {
    let number = |at: usize| Some(f64::from_le_bytes(quota.get(at..at + 8)?.try_into().ok()?));
    let (interval, capacity) = (whole(number(4)?)?, whole(number(12)?)?);
    (interval > 0).then_some(Meter {
        interval,
        capacity,
        shadow: quota[20] != 0,
    })
}

#[expect(clippy::cast_precision_loss, reason = "every number here is below 2^53")]
const fn exact(micros: u64) -> f64 {
    micros as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be whole and in range"
)]
fn whole(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (0.0..9e15).contains(&number)).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::{ALONE, QUOTA_BYTES, Reply, debts, pack, reply};
    use crate::limit::{Answer, Outcome, Source, Taken};
    use crate::site::Quota;
    use crate::verdict::Verdict;
    use std::time::Duration;

    #[test]
    fn answers_are_read_and_nonsense_is_not() {
        let level = |level: i64| level.to_le_bytes().to_vec();
        let fresh = [b"F".to_vec(), level(5), level(-1)].concat();
        assert_eq!(reply(&fresh), Some(Reply::Fresh(vec![(5, false), (0, true)])));
        let conflict = Taken {
            answer: Answer::Conflict,
            source: Source::Redis,
        };
        assert_eq!(reply(b"C"), Some(Reply::Known(conflict)));
        for nonsense in [&b""[..], b"F123", b"R", b"R\x02abc", b"X", b"OK"] {
            assert_eq!(reply(nonsense), None);
        }
    }

    #[test]
    fn a_replay_carries_the_quotas_of_its_time() {
        let interval = Duration::from_micros(10);
        let quota = Quota {
            name: "q".into(),
            burst: 3,
            interval,
            effect: Verdict::Hold,
            shadow: false,
        };
        let packed = pack(std::slice::from_ref(&quota));
        assert_eq!(packed.len(), QUOTA_BYTES);
        let outcome = Outcome {
            remaining: 1,
            retry_after: Duration::ZERO,
            reset_after: Duration::from_micros(20),
            exceeded: false,
        };
        let answer = Answer::Replayed {
            outcomes: vec![outcome],
            payload: b"payload".to_vec(),
        };
        for (n, source) in [(1, Source::Redis), (1 | ALONE, Source::LocalForRedis)] {
            let bytes = [&[b'R', n][..], &packed, &20_i64.to_le_bytes(), b"payload"].concat();
            let answer = answer.clone();
            assert_eq!(reply(&bytes), Some(Reply::Known(Taken { answer, source })));
        }
    }

    #[test]
    fn debts_are_pairs_of_doubles() {
        assert_eq!(debts(&[(1, 2)]), [1_f64.to_le_bytes(), 2_f64.to_le_bytes()].concat());
    }
}

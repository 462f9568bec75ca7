//! The arguments and answers of `take.lua` as bytes.

use std::sync::LazyLock;

use redis::Value;

use super::gcra::Meter;
use super::key::{self, Layout};
use super::memory::REPLAY_TTL;
use super::{Acquire, Acquired, Answer, Mode, Outcome, Source};
use crate::redis::{Call, Probe, Script};
use crate::site::Quota;

/// Bytes of one packed quota.
const QUOTA_BYTES: usize = 21;

/// The bits of a stored answer's first byte that count its quotas. Versions that wrote answers of an outage to Redis
/// set the highest bit on those; it means nothing any more.
const N_QUOTAS: u8 = 0x7f;

/// The script with its digest.
static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("take.lua")));

/// The probe: an acquisition under a key of its own that is at rest again after a millisecond, so it needs all that a
/// real one needs.
pub(super) const PROBE: Probe = Probe {
    call: probe,
    is_answer: |value| reply(value).is_some(),
};

/// An answer of the script.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The level of each quota (µs) and whether it was exceeded.
    Fresh(Vec<(u64, bool)>),
    /// A replay or a conflict.
    Known(Acquired),
}

/// The script's call for an acquisition.
pub(super) fn call(layout: Layout, acquire: &Acquire<'_>) -> Call {
    let mode = match acquire.mode {
        Mode::Spend => b"s",
        Mode::Peek => b"p",
    };
    let quotas = if acquire.subject.is_some() { acquire.quotas } else { &[] };
    let packed = pack(quotas);
    let subject = acquire.subject.filter(|_| !quotas.is_empty());
    let subject = subject.map(|subject| key::subject(acquire.site, subject));
    let Some(id) = &acquire.idempotency_key else {
        return Call::script(&SCRIPT, [subject, None], &[mode, &packed]);
    };
    let keys = [subject, Some(key::request(layout, acquire.site, acquire.subject, id))];
    let lives = REPLAY_TTL.as_millis().to_string();
    let args = [mode, &packed[..], &id.fingerprint, lives.as_bytes(), id.payload];
    Call::script(&SCRIPT, keys, &args)
}

fn probe(key: String) -> Call {
    let mut quota = vec![0; 4];
    quota.extend_from_slice(&1_000_f64.to_le_bytes());
    quota.extend_from_slice(&1e15_f64.to_le_bytes());
    quota.push(0);
    Call::script(&SCRIPT, [Some(key), None], &[b"s", &quota])
}

/// Packs quotas for `ARGV[2]`.
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

/// Reads an answer; `None` if it is none of the script's.
pub(super) fn reply(value: &Value) -> Option<Reply> {
    let Value::BulkString(bytes) = value else { return None };
    let (kind, rest) = bytes.split_first()?;
    match kind {
        b'F' => levels(rest).map(Reply::Fresh),
        b'R' => {
            let (n, rest) = rest.split_first()?;
            let n = usize::from(n & N_QUOTAS);
            let (quotas, rest) = rest.split_at_checked(n * QUOTA_BYTES)?;
            let (levels_, payload) = rest.split_at_checked(n * 8)?;
            let outcomes = quotas
                .chunks_exact(QUOTA_BYTES)
                .zip(levels(levels_)?)
                .map(|(quota, (level, exceeded))| Some(unpack(quota)?.outcome(level, exceeded)));
            let outcomes: Vec<Outcome> = outcomes.collect::<Option<_>>()?;
            let payload = payload.to_vec();
            let answer = Answer::Replayed { outcomes, payload };
            let source = Source::Redis;
            Some(Reply::Known(Acquired { answer, source }))
        }
        b'C' => Some(Reply::Known(Acquired {
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
    use redis::Value;

    use super::{QUOTA_BYTES, Reply, pack};
    use crate::limit::{Acquired, Answer, Outcome, Source};
    use crate::site::Quota;
    use crate::verdict::Verdict;
    use std::time::Duration;

    fn reply(bytes: &[u8]) -> Option<Reply> {
        super::reply(&Value::BulkString(bytes.to_vec()))
    }

    #[test]
    fn answers_are_read_and_nonsense_is_not() {
        let level = |level: i64| level.to_le_bytes().to_vec();
        let fresh = [b"F".to_vec(), level(5), level(-1)].concat();
        assert_eq!(reply(&fresh), Some(Reply::Fresh(vec![(5, false), (0, true)])));
        let conflict = Acquired {
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
        // The highest bit is of the version before, and ignored.
        for n in [1, 0x81] {
            let bytes = [&[b'R', n][..], &packed, &20_i64.to_le_bytes(), b"payload"].concat();
            let (answer, source) = (answer.clone(), Source::Redis);
            assert_eq!(reply(&bytes), Some(Reply::Known(Acquired { answer, source })));
        }
    }
}

//! The script's arguments and answers as bytes: the Rust side of `take.lua`'s contract.

use std::sync::LazyLock;

use redis::{Arg, Cmd, Script};

use super::super::key::{self, Layout};
use super::super::memory::CLAIM_TTL;
use super::super::{Answer, Mode, Outcome, Source, Take, Taken, gcra::Meter};
use crate::site::Quota;

/// Bytes of one packed quota.
const QUOTA_BYTES: usize = 21;

/// The bits of a claim's first byte that count its quotas. Versions that wrote answers of an outage to Redis set the
/// highest bit on those; it means nothing any more.
const N_QUOTAS: u8 = 0x7f;

/// The script.
const TEXT: &str = include_str!("../take.lua");

/// What Redis knows it by.
static DIGEST: LazyLock<String> = LazyLock::new(|| Script::new(TEXT).get_hash().to_owned());

/// What the script answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The level of each quota (µs) and whether it was exceeded.
    Fresh(Vec<(u64, bool)>),
    /// A replay or a conflict.
    Known(Taken),
}

/// A call of the script by its digest.
pub(super) struct Call {
    /// The key that decides where it goes; none if it touches none.
    key: Option<String>,
    command: Cmd,
}

impl Call {
    /// A take.
    pub(super) fn take(layout: Layout, take: &Take<'_>) -> Self {
        let mode = match take.mode {
            Mode::Spend => b"s",
            Mode::Peek => b"p",
        };
        let quotas = if take.subject.is_some() { take.quotas } else { &[] };
        let packed = pack(quotas);
        let subject = take.subject.filter(|_| !quotas.is_empty());
        let subject = subject.map(|subject| key::subject(take.site, subject));
        let Some(claim) = &take.claim else {
            return Self::new([subject, None], &[mode, &packed]);
        };
        let keys = [subject, Some(key::claim(layout, take.site, take.subject, claim))];
        let lives = CLAIM_TTL.as_millis().to_string();
        Self::new(
            keys,
            &[mode, &packed, &claim.fingerprint, lives.as_bytes(), claim.payload],
        )
    }

    /// A take under a key of its own that is at rest again after a millisecond: it needs all that a take needs.
    pub(super) fn probe(n: u32) -> Self {
        let mut quota = vec![0; 4];
        quota.extend_from_slice(&1_000_f64.to_le_bytes());
        quota.extend_from_slice(&1e15_f64.to_le_bytes());
        quota.push(0);
        Self::new([Some(key::probe(n)), None], &[b"s", &quota])
    }

    fn new(keys: [Option<String>; 2], args: &[&[u8]]) -> Self {
        let n_keys = keys.iter().flatten().count();
        // What most calls take.
        let mut command = Cmd::with_capacity(3 + n_keys + args.len(), 256);
        command.arg("EVALSHA").arg(&*DIGEST).arg(n_keys);
        keys.iter().flatten().for_each(|key| {
            command.arg(key);
        });
        args.iter().for_each(|arg| {
            command.arg(arg);
        });
        let [first, second] = keys;
        let key = first.or(second);
        Self { key, command }
    }

    /// The key that decides where the call goes; none if it touches none.
    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The call as a command.
    pub(super) fn into_command(self) -> Cmd {
        self.command
    }
}

/// The same call with the script's text, for a Redis that does not know its digest.
pub(super) fn with_text(call: &Cmd) -> Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(TEXT);
    for arg in call.args_iter().skip(2) {
        if let Arg::Simple(arg) = arg {
            command.arg(arg);
        }
    }
    command
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

/// Reads an answer; `None` if it is none of ours.
pub(super) fn reply(bytes: &[u8]) -> Option<Reply> {
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
    use super::{Arg, Call, Cmd, DIGEST, QUOTA_BYTES, Reply, TEXT, pack, reply, with_text};
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
        // The highest bit is of the version before, and ignored.
        for n in [1, 0x81] {
            let bytes = [&[b'R', n][..], &packed, &20_i64.to_le_bytes(), b"payload"].concat();
            let (answer, source) = (answer.clone(), Source::Redis);
            assert_eq!(reply(&bytes), Some(Reply::Known(Taken { answer, source })));
        }
    }

    #[test]
    fn a_call_is_the_same_with_the_text() {
        let args = |command: &Cmd| -> Vec<Vec<u8>> {
            let args = command.args_iter().map(|arg| match arg {
                Arg::Simple(bytes) => bytes.to_vec(),
                _ => panic!("no call has a cursor"),
            });
            args.collect()
        };
        let call = Call::probe(7);
        let key = call.key().unwrap().as_bytes().to_vec();
        let command = call.into_command();
        let (by_digest, by_text) = (args(&command), args(&with_text(&command)));
        assert_eq!(by_digest[..2], [b"EVALSHA".to_vec(), DIGEST.as_bytes().to_vec()]);
        assert_eq!(by_text[..2], [b"EVAL".to_vec(), TEXT.as_bytes().to_vec()]);
        assert_eq!(by_digest[2..], by_text[2..]);
        assert_eq!(by_text[2..4], [b"1".to_vec(), key]);
        assert_eq!(by_text.len(), 6);
    }
}

//! One contract for the limiter, held over every home that counts can have.

use std::time::Duration;

use moderato::clock::Timestamp;
use moderato::comment::AuthorKey;
use moderato::limit::{
    Acquire, Answer, DegradedSettings, IdempotencyKey, Limiter, MemorySettings, Mode, Outcome, Source,
};
use moderato::redis::RedisSettings;
use moderato::site::{Quota, SiteId};
use moderato::verdict::Verdict;

use crate::support::redis::RedisServer;

const HOUR: Duration = Duration::from_secs(3600);
const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

pub(crate) fn quota(name: &str, burst: u32, interval: Duration) -> Quota {
    Quota {
        name: name.into(),
        burst,
        interval,
        effect: Verdict::Reject,
        shadow: false,
    }
}

pub(crate) fn shadow(name: &str, burst: u32, interval: Duration) -> Quota {
    Quota {
        shadow: true,
        ..quota(name, burst, interval)
    }
}

pub(crate) fn author(n: u64) -> AuthorKey {
    let mut bytes = [7; 16];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    AuthorKey::new(bytes)
}

pub(crate) fn site(name: &str) -> SiteId {
    SiteId::new(name).unwrap()
}

pub(crate) fn request_id(request: u8, fingerprint: u8, payload: &[u8]) -> IdempotencyKey<'_> {
    IdempotencyKey {
        request: [request; 16],
        fingerprint: [fingerprint; 16],
        author: None,
        payload,
    }
}

/// Settings that a busy test machine keeps: what is tested here is not how fast Redis answers.
pub(crate) fn settings(url: impl Into<String>) -> RedisSettings {
    let (budget, connect_timeout) = (Duration::from_millis(250), Duration::from_secs(2));
    RedisSettings {
        budget,
        connect_timeout,
        ..RedisSettings::new(url)
    }
}

/// A limiter in Redis, connected.
pub(crate) async fn in_redis(settings: RedisSettings) -> Limiter {
    let limiter = Limiter::redis(settings, &DegradedSettings::default()).unwrap();
    limiter.connect().await;
    limiter
}

/// A limiter under test, and where its answers are to come from.
struct Bench {
    limiter: Limiter,
    source: Source,
    _server: Option<RedisServer>,
}

impl Bench {
    async fn all() -> Vec<Self> {
        let server = RedisServer::start().await;
        let redis = in_redis(settings(server.url())).await;
        vec![
            Self {
                limiter: Limiter::memory(&MemorySettings::default()),
                source: Source::Local,
                _server: None,
            },
            Self {
                limiter: redis,
                source: Source::Redis,
                _server: Some(server),
            },
        ]
    }

    async fn acquire(&self, acquire: Acquire<'_>) -> Answer {
        let acquired = self.limiter.acquire(&acquire, NOW).await;
        let replayed = !matches!(acquired.answer, Answer::Fresh(_));
        assert!(
            acquired.source == self.source || replayed && acquired.source == Source::Local,
            "{acquired:?}"
        );
        acquired.answer
    }

    async fn spend(&self, n: u64, quotas: &[Quota]) -> Vec<Outcome> {
        let acquire = Acquire {
            site: &site("a"),
            subject: Some(author(n)),
            quotas,
            idempotency_key: None,
            mode: Mode::Spend,
        };
        fresh(self.acquire(acquire).await)
    }
}

fn fresh(answer: Answer) -> Vec<Outcome> {
    match answer {
        Answer::Fresh(outcomes) => outcomes,
        other => panic!("expected a fresh answer, got {other:?}"),
    }
}

fn remaining(outcomes: &[Outcome]) -> Vec<u32> {
    outcomes.iter().map(|outcome| outcome.remaining).collect()
}

fn exceeded(outcomes: &[Outcome]) -> Vec<bool> {
    outcomes.iter().map(|outcome| outcome.exceeded).collect()
}

#[tokio::test]
async fn a_burst_is_granted_then_refused() {
    for bench in Bench::all().await {
        let quotas = [quota("minute", 3, HOUR)];
        for left in [2, 1, 0] {
            let outcome = bench.spend(1, &quotas).await[0];
            assert_eq!((outcome.remaining, outcome.exceeded), (left, false));
            assert_eq!(outcome.retry_after.is_zero(), left > 0);
            let reset = HOUR * (3 - left);
            assert!(outcome.reset_after <= reset && outcome.reset_after > reset - HOUR / 2);
        }
        let refused = bench.spend(1, &quotas).await[0];
        assert_eq!((refused.remaining, refused.exceeded), (0, true));
        assert!(refused.retry_after <= HOUR && refused.retry_after > HOUR / 2);
        assert_eq!(
            remaining(&bench.spend(2, &quotas).await),
            [2],
            "another author is another count"
        );
    }
}

#[tokio::test]
async fn all_quotas_or_none() {
    for bench in Bench::all().await {
        let quotas = [quota("minute", 5, HOUR), quota("hour", 2, HOUR), quota("day", 9, HOUR)];
        assert_eq!(remaining(&bench.spend(1, &quotas).await), [4, 1, 8]);
        assert_eq!(remaining(&bench.spend(1, &quotas).await), [3, 0, 7]);
        for _ in 0..3 {
            let refused = bench.spend(1, &quotas).await;
            assert_eq!(exceeded(&refused), [false, true, false]);
            assert_eq!(remaining(&refused), [3, 0, 7], "a refused take spends nothing");
            assert!(refused[0].retry_after.is_zero());
        }
    }
}

#[tokio::test]
async fn a_shadow_quota_is_counted_and_stops_nothing() {
    for bench in Bench::all().await {
        let quotas = [shadow("watched", 1, HOUR), quota("minute", 3, HOUR)];
        assert_eq!(exceeded(&bench.spend(1, &quotas).await), [false, false]);
        let second = bench.spend(1, &quotas).await;
        assert_eq!((exceeded(&second), remaining(&second)), (vec![true, false], vec![0, 1]));
        bench.spend(1, &quotas).await;
        assert_eq!(exceeded(&bench.spend(1, &quotas).await), [true, true]);
    }
}

#[tokio::test]
async fn a_look_says_the_same_and_changes_nothing() {
    for bench in Bench::all().await {
        let quotas = [quota("minute", 2, HOUR)];
        let site = site("a");
        let peek = Acquire {
            site: &site,
            subject: Some(author(1)),
            quotas: &quotas,
            idempotency_key: None,
            mode: Mode::Peek,
        };
        for _ in 0..3 {
            assert_eq!(remaining(&fresh(bench.acquire(peek).await)), [1]);
        }
        bench.spend(1, &quotas).await;
        bench.spend(1, &quotas).await;
        assert_eq!(exceeded(&fresh(bench.acquire(peek).await)), [true]);
    }
}

#[tokio::test]
async fn sites_count_apart() {
    for bench in Bench::all().await {
        let quotas = [quota("minute", 1, HOUR)];
        for name in ["a", "b"] {
            let acquire = Acquire {
                site: &site(name),
                subject: Some(author(1)),
                quotas: &quotas,
                idempotency_key: None,
                mode: Mode::Spend,
            };
            assert_eq!(exceeded(&fresh(bench.acquire(acquire).await)), [false]);
        }
    }
}

#[tokio::test]
async fn a_claim_is_answered_once_and_replayed() {
    for bench in Bench::all().await {
        let quotas = [quota("minute", 5, HOUR), shadow("watched", 1, HOUR)];
        let site = site("a");
        let acquire = |id, mode| Acquire {
            site: &site,
            subject: Some(author(1)),
            quotas: &quotas,
            idempotency_key: Some(id),
            mode,
        };
        let looked = bench.acquire(acquire(request_id(1, 1, b"look"), Mode::Peek)).await;
        assert_eq!(remaining(&fresh(looked)), [4, 0]);
        let first = fresh(bench.acquire(acquire(request_id(1, 1, b"first"), Mode::Spend)).await);
        assert_eq!(remaining(&first), [4, 0], "the look acquire_with nothing");
        for mode in [Mode::Spend, Mode::Peek] {
            match bench.acquire(acquire(request_id(1, 1, b"second"), mode)).await {
                Answer::Replayed { outcomes, payload } => {
                    assert_eq!((outcomes, &*payload), (first.clone(), &b"first"[..]));
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(
                bench.acquire(acquire(request_id(1, 2, b""), mode)).await,
                Answer::Conflict
            );
        }
        assert_eq!(
            remaining(&bench.spend(1, &quotas).await),
            [3, 0],
            "replays and conflicts spend nothing"
        );
    }
}

#[tokio::test]
async fn a_claim_without_a_subject_is_kept_too() {
    for bench in Bench::all().await {
        let site = site("a");
        let acquire = |f, payload| Acquire {
            site: &site,
            subject: None,
            quotas: &[],
            idempotency_key: Some(request_id(1, f, payload)),
            mode: Mode::Spend,
        };
        assert_eq!(fresh(bench.acquire(acquire(1, b"first")).await), []);
        let replayed = Answer::Replayed {
            outcomes: vec![],
            payload: b"first".to_vec(),
        };
        assert_eq!(bench.acquire(acquire(1, b"second")).await, replayed);
        assert_eq!(bench.acquire(acquire(2, b"")).await, Answer::Conflict);
    }
}

#[tokio::test]
async fn a_refusal_is_replayed_as_a_refusal() {
    for bench in Bench::all().await {
        let quotas = [quota("minute", 1, HOUR)];
        bench.spend(1, &quotas).await;
        let site = site("a");
        let acquire = Acquire {
            site: &site,
            subject: Some(author(1)),
            quotas: &quotas,
            idempotency_key: Some(request_id(1, 1, b"no")),
            mode: Mode::Spend,
        };
        assert_eq!(exceeded(&fresh(bench.acquire(acquire).await)), [true]);
        let Answer::Replayed { outcomes, .. } = bench.acquire(acquire).await else {
            panic!("a replay")
        };
        assert_eq!(exceeded(&outcomes), [true]);
    }
}

#[tokio::test]
async fn a_replica_sees_what_another_claimed_and_spent() {
    let server = RedisServer::start().await;
    let (one, two) = (
        in_redis(settings(server.url())).await,
        in_redis(settings(server.url())).await,
    );
    let (site, quotas) = (site("a"), [quota("minute", 3, HOUR)]);
    let acquire = |id| Acquire {
        site: &site,
        subject: Some(author(1)),
        quotas: &quotas,
        idempotency_key: id,
        mode: Mode::Spend,
    };
    let first = one.acquire(&acquire(Some(request_id(1, 1, b"one"))), NOW).await;
    let replay = two.acquire(&acquire(Some(request_id(1, 1, b"two"))), NOW).await;
    assert_eq!((first.source, replay.source), (Source::Redis, Source::Redis));
    assert_eq!(
        replay.answer,
        Answer::Replayed {
            outcomes: fresh(first.answer),
            payload: b"one".to_vec()
        }
    );
    let other_author = Acquire {
        subject: Some(author(2)),
        ..acquire(Some(request_id(1, 2, b"")))
    };
    assert_eq!(
        two.acquire(&other_author, NOW).await.answer,
        Answer::Conflict,
        "whoever the author is"
    );
    assert_eq!(remaining(&fresh(two.acquire(&acquire(None), NOW).await.answer)), [1]);
}

#[tokio::test]
async fn every_key_ends_when_its_quotas_are_at_rest() {
    let server = RedisServer::start().await;
    let limiter = in_redis(settings(server.url())).await;
    let (site, quotas) = (
        site("a"),
        [quota("minute", 3, Duration::from_secs(10)), quota("hour", 2, HOUR)],
    );
    let acquire = Acquire {
        site: &site,
        subject: Some(author(1)),
        quotas: &quotas,
        idempotency_key: Some(request_id(1, 1, b"")),
        mode: Mode::Spend,
    };
    limiter.acquire(&acquire, NOW).await;
    let keys: Vec<String> = server.ask(&["KEYS", "moderato:1:{a:*"]).unwrap();
    assert_eq!(keys.len(), 2, "{keys:?}");
    for key in keys {
        let ttl: i64 = server.ask(&["PTTL", &key]).unwrap();
        let most = if key.contains(":r:") { 600_000 } else { 3_600_000 };
        assert!(ttl > most / 2 && ttl <= most, "{key} lives for {ttl} ms");
    }
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_no_error() {
    let limiter = in_redis(settings(format!(
        "redis://127.0.0.1:{}",
        crate::support::redis::free_port()
    )))
    .await;
    let (site, quotas) = (site("a"), [quota("minute", 1, HOUR)]);
    let acquire = Acquire {
        site: &site,
        subject: Some(author(1)),
        quotas: &quotas,
        idempotency_key: None,
        mode: Mode::Spend,
    };
    for refused in [false, true] {
        let acquired = limiter.acquire(&acquire, NOW).await;
        assert_eq!(acquired.source, Source::Degraded);
        assert_eq!(exceeded(&fresh(acquired.answer)), [refused]);
    }
}

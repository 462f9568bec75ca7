//! What is left of a call that its caller gave up, and of an outage once it is over.

use std::time::Duration;

use moderato::limit::{Acquire, Acquired, Answer, Cause, IdempotencyKey, Limiter, Mode, RedisState, Source};
use moderato::redis::RedisSettings;
use moderato::site::Quota;
use tokio::time::timeout;

use crate::limiter::{author, in_redis, quota, request_id, settings, site};
use crate::limiter_faults::{NOW, away, back, spend, state};
use crate::support::eventually::eventually;
use crate::support::proxy::{ChaosProxy, Weather};
use crate::support::redis::RedisServer;

fn quotas() -> [Quota; 1] {
    [quota("hour", 10, Duration::from_secs(3600))]
}

async fn acquire_with(limiter: &Limiter, n: u64, id: IdempotencyKey<'_>) -> Acquired {
    let (site, quotas) = (site("a"), quotas());
    let acquire = Acquire {
        site: &site,
        subject: Some(author(n)),
        quotas: &quotas,
        idempotency_key: Some(id),
        mode: Mode::Spend,
    };
    limiter.acquire(&acquire, NOW).await
}

#[tokio::test]
async fn a_call_that_was_given_up_keeps_its_seat_until_redis_is_done_with_it() {
    let server = RedisServer::start().await;
    let proxy = ChaosProxy::before(server.port).await;
    let narrow = RedisSettings {
        in_flight_max: 2,
        budget: Duration::from_secs(20),
        ..settings(proxy.url())
    };
    let limiter = in_redis(narrow).await;
    proxy.set(Weather::Stall);
    for _ in 0..2 {
        // The caller goes away as soon as the take is under way.
        let given_up = timeout(Duration::from_millis(1), spend(&limiter, 1, 10)).await;
        assert!(given_up.is_err());
    }
    assert_eq!(spend(&limiter, 1, 10).await.source, Source::Degraded);
    assert_eq!((limiter.counters().sent, limiter.counters().shed), (2, 1));
    proxy.set(Weather::Fair);
    eventually("the seats come back with the answers", async || {
        spend(&limiter, 2, 1_000_000).await.source == Source::Redis
    })
    .await;
    assert_eq!(state(&limiter), RedisState::Up);
    assert_eq!(limiter.counters().timed_out, 0, "nobody waited long enough to say so");
}

#[tokio::test]
async fn a_caller_in_a_hurry_is_answered_in_time_and_blames_nobody() {
    let server = RedisServer::start().await;
    let proxy = ChaosProxy::before(server.port).await;
    let patient = RedisSettings {
        budget: Duration::from_secs(20),
        ..settings(proxy.url())
    };
    let limiter = in_redis(patient).await;
    proxy.set(Weather::NoAnswers);
    let (site, quotas) = (site("a"), quotas());
    let acquire = Acquire {
        site: &site,
        subject: Some(author(1)),
        quotas: &quotas,
        idempotency_key: None,
        mode: Mode::Spend,
    };
    for _ in 0..8 {
        let hurried = limiter.acquire_within(&acquire, NOW, Duration::from_millis(1)).await;
        assert_eq!(hurried.source, Source::Degraded);
    }
    assert_eq!(state(&limiter), RedisState::Up, "they waited too little to judge Redis");
    assert_eq!((limiter.counters().sent, limiter.counters().timed_out), (8, 0));
}

#[tokio::test]
async fn a_request_id_of_an_outage_is_known_to_the_replica_that_answered_it() {
    let server = RedisServer::start().await;
    let proxy = ChaosProxy::before(server.port).await;
    let (alone, other) = (
        in_redis(settings(proxy.url())).await,
        in_redis(settings(server.url())).await,
    );
    proxy.set(Weather::Cut);
    away(&alone, Cause::Cut).await;
    let first = acquire_with(&alone, 1, request_id(1, 1, b"first")).await;
    assert_eq!(first.source, Source::Degraded);
    let Answer::Fresh(outcomes) = first.answer else {
        panic!("fresh")
    };
    proxy.set(Weather::Fair);
    back(&alone).await;
    let replay = acquire_with(&alone, 1, request_id(1, 1, b"again")).await;
    let payload = b"first".to_vec();
    assert_eq!(replay.answer, Answer::Replayed { outcomes, payload });
    assert_eq!(replay.source, Source::Degraded, "a replay says what the first said");
    // Redis never heard of it: another replica judges it again, and from then on that is what the others replay.
    let elsewhere = acquire_with(&other, 1, request_id(1, 1, b"second")).await;
    assert!(matches!(elsewhere.answer, Answer::Fresh(_)), "{elsewhere:?}");
    let third = in_redis(settings(server.url())).await;
    let kept = acquire_with(&third, 1, request_id(1, 1, b"third")).await;
    assert!(
        matches!(&kept.answer, Answer::Replayed { payload, .. } if payload == b"second"),
        "{kept:?}"
    );
}

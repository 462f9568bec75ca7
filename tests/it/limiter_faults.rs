//! What the limiter does when one Redis, or the network before it, does not do its part. What is asserted is what
//! happened (attempts, answers, spends), never how long it took.

use std::time::Duration;

use moderato::clock::Timestamp;
use moderato::limit::{Acquire, Acquired, Answer, Cause, DegradedSettings, Limiter, Mode, RedisState, Source};
use moderato::redis::RedisSettings;
use moderato::site::Quota;

use crate::limiter::{author, in_redis, quota, request_id, settings, site};
use crate::support::eventually::eventually;
use crate::support::proxy::{ChaosProxy, Weather};
use crate::support::redis::RedisServer;

const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
/// Room for every take of a test.
const ROOM: u32 = 1_000_000;

fn quotas(burst: u32) -> [Quota; 1] {
    [quota("hour", burst, HOUR)]
}

pub(crate) async fn spend(limiter: &Limiter, n: u64, burst: u32) -> Acquired {
    let (site, quotas) = (site("a"), quotas(burst));
    let acquire = Acquire {
        site: &site,
        subject: Some(author(n)),
        quotas: &quotas,
        idempotency_key: None,
        mode: Mode::Spend,
    };
    limiter.acquire(&acquire, NOW).await
}

/// Grants left, by a look; and who says so.
pub(crate) async fn left(limiter: &Limiter, n: u64, burst: u32) -> (u32, Source) {
    let (site, quotas) = (site("a"), quotas(burst));
    let acquire = Acquire {
        site: &site,
        subject: Some(author(n)),
        quotas: &quotas,
        idempotency_key: None,
        mode: Mode::Peek,
    };
    let acquired = limiter.acquire(&acquire, NOW).await;
    let Answer::Fresh(outcomes) = acquired.answer else {
        panic!("a look is fresh")
    };
    // A look answers what a take would leave.
    (
        outcomes[0].remaining + u32::from(!outcomes[0].exceeded),
        acquired.source,
    )
}

pub(crate) fn state(limiter: &Limiter) -> RedisState {
    *limiter.states().unwrap().borrow()
}

/// Waits until the limiter gives this reason for Redis being away, with a take now and then to make it notice.
pub(crate) async fn away(limiter: &Limiter, cause: Cause) {
    eventually(
        &format!("Redis is away because: {cause:?}; now {:?}", state(limiter)),
        async || {
            spend(limiter, 999, ROOM).await;
            state(limiter) == RedisState::Away { cause }
        },
    )
    .await;
    assert_eq!(spend(limiter, 999, ROOM).await.source, Source::Degraded);
}

pub(crate) async fn back(limiter: &Limiter) {
    eventually("Redis is back", async || {
        state(limiter) == RedisState::Up && spend(limiter, 999, ROOM).await.source == Source::Redis
    })
    .await;
}

/// A server behind a proxy, and a limiter that reaches it through the proxy.
async fn through_proxy() -> (RedisServer, ChaosProxy, Limiter) {
    let server = RedisServer::start().await;
    let proxy = ChaosProxy::before(server.port).await;
    let limiter = in_redis(settings(proxy.url())).await;
    assert_eq!(state(&limiter), RedisState::Up);
    (server, proxy, limiter)
}

#[tokio::test]
async fn killed_and_started_again() {
    let mut server = RedisServer::start().await;
    let limiter = in_redis(settings(server.url())).await;
    assert_eq!(spend(&limiter, 1, ROOM).await.source, Source::Redis);
    server.kill();
    away(&limiter, Cause::Refused).await;
    server.restart().await;
    back(&limiter).await;
}

#[tokio::test]
async fn stopped_under_load_it_is_left_alone_until_it_continues() {
    let server = RedisServer::start().await;
    let limiter = in_redis(settings(server.url())).await;
    let load = async |n: u64| {
        let mut degraded = 0;
        for _ in 0..2_000 {
            degraded += u32::from(spend(&limiter, n, ROOM).await.source == Source::Degraded);
        }
        degraded
    };
    server.pause();
    let before = limiter.counters();
    let degraded = tokio::join!(load(1), load(2), load(3), load(4), load(5), load(6), load(7), load(8));
    let after = limiter.counters();
    assert_eq!(state(&limiter), RedisState::Away { cause: Cause::Timeout });
    let all = (2_000, 2_000, 2_000, 2_000, 2_000, 2_000, 2_000, 2_000);
    assert_eq!(degraded, all, "every call is answered, by this process");
    // Five time-outs open the breaker; the others that were under way then time out too.
    assert!(
        after.sent - before.sent <= 16,
        "{} asked a stalled Redis",
        after.sent - before.sent
    );
    server.resume();
    back(&limiter).await;
}

#[tokio::test]
async fn the_network_stalls_swallows_delays_and_cuts() {
    let (_server, proxy, limiter) = through_proxy().await;
    let late = Weather::Delay(Duration::from_secs(5));
    for (weather, cause) in [
        (Weather::Stall, Cause::Timeout),
        (Weather::NoAnswers, Cause::Timeout),
        (late, Cause::Timeout),
        (Weather::CutInAnswer, Cause::Cut),
        (Weather::Cut, Cause::Cut),
    ] {
        proxy.set(weather);
        away(&limiter, cause).await;
        proxy.set(Weather::Fair);
        back(&limiter).await;
    }
}

#[tokio::test]
async fn callers_that_do_not_wait_for_the_end_are_noticed() {
    let server = RedisServer::start().await;
    let proxy = ChaosProxy::before(server.port).await;
    let budget = Duration::from_millis(400);
    let limiter = in_redis(RedisSettings {
        budget,
        ..settings(proxy.url())
    })
    .await;
    proxy.set(Weather::Stall);
    // Each caller's own deadline ends the call before the budget does.
    eventually("the breaker opens", async || {
        let _ = tokio::time::timeout(budget * 3 / 4, spend(&limiter, 1, ROOM)).await;
        state(&limiter) == RedisState::Away { cause: Cause::Timeout }
    })
    .await;
    proxy.set(Weather::Fair);
    back(&limiter).await;
}

#[tokio::test]
async fn what_was_granted_without_redis_stays_with_the_replica() {
    let (server, proxy, limiter) = through_proxy().await;
    let other = in_redis(settings(server.url())).await;
    for outage in 0..2 {
        spend(&limiter, 1, 10).await;
        proxy.set(Weather::Cut);
        away(&limiter, Cause::Cut).await;
        let known = 9 - 2 * outage;
        for granted in 1..=3 {
            let acquired = spend(&limiter, 1, 10).await;
            assert_eq!(acquired.source, Source::Degraded);
            let Answer::Fresh(outcomes) = acquired.answer else {
                panic!("fresh")
            };
            assert_eq!(
                outcomes[0].remaining,
                known - granted,
                "it goes on from what it last knew"
            );
        }
        spend(&other, 1, 10).await;
        proxy.set(Weather::Fair);
        back(&limiter).await;
        for replica in [&other, &limiter] {
            assert_eq!(left(replica, 1, 10).await, (known - 1, Source::Redis), "Redis counts");
        }
    }
}

#[tokio::test]
async fn what_redis_counted_without_an_answer_is_counted_once() {
    let (server, proxy, limiter) = through_proxy().await;
    let other = in_redis(settings(server.url())).await;
    proxy.set(Weather::NoAnswers);
    // Redis counts these, but its answers are lost.
    for _ in 0..3 {
        assert_eq!(spend(&limiter, 1, 10).await.source, Source::Degraded);
    }
    assert_eq!(left(&other, 1, 10).await, (7, Source::Redis));
    proxy.set(Weather::Fair);
    spend(&limiter, 1, 10).await;
    assert_eq!(left(&other, 1, 10).await, (6, Source::Redis));
}

#[tokio::test]
async fn a_retry_after_a_lost_answer_spends_nothing_at_any_replica() {
    let (server, proxy, limiter) = through_proxy().await;
    let other = in_redis(settings(server.url())).await;
    proxy.set(Weather::NoAnswers);
    let (site, quotas) = (site("a"), quotas(10));
    let acquire = Acquire {
        site: &site,
        subject: Some(author(1)),
        quotas: &quotas,
        idempotency_key: Some(request_id(1, 1, b"first")),
        mode: Mode::Spend,
    };
    let first = limiter.acquire(&acquire, NOW).await;
    assert_eq!(first.source, Source::Degraded);
    for (replica, source) in [(&other, Source::Redis), (&limiter, Source::Degraded)] {
        let retry = replica.acquire(&acquire, NOW).await;
        assert_eq!(
            retry.source, source,
            "a replica says of its replay what it said at first"
        );
        assert!(
            matches!(&retry.answer, Answer::Replayed { payload, .. } if payload == b"first"),
            "{retry:?}"
        );
    }
    assert_eq!(left(&other, 1, 10).await.0, 9);
}

#[tokio::test]
async fn a_flushed_script_is_not_noticed() {
    let server = RedisServer::start().await;
    let limiter = in_redis(settings(server.url())).await;
    for _ in 0..3 {
        let () = server.ask(&["SCRIPT", "FLUSH"]).unwrap();
        assert_eq!(spend(&limiter, 1, ROOM).await.source, Source::Redis);
    }
}

#[tokio::test]
async fn too_many_at_once_count_locally() {
    let (server, proxy, _) = through_proxy().await;
    let narrow = RedisSettings {
        in_flight_max: 2,
        budget: Duration::from_secs(20),
        ..settings(proxy.url())
    };
    let limiter = in_redis(narrow).await;
    proxy.set(Weather::Stall);
    let fair_after_shed = async {
        eventually("two wait and the third does not", async || limiter.counters().shed == 1).await;
        proxy.set(Weather::Fair);
    };
    let (a, b, c, ()) = tokio::join!(
        spend(&limiter, 1, 10),
        spend(&limiter, 1, 10),
        spend(&limiter, 1, 10),
        fair_after_shed
    );
    assert_eq!(
        [a.source, b.source, c.source],
        [Source::Redis, Source::Redis, Source::Degraded]
    );
    let other = in_redis(settings(server.url())).await;
    assert_eq!(left(&other, 1, 10).await, (8, Source::Redis), "Redis saw two of them");
}

#[tokio::test]
async fn alone_it_grants_its_share() {
    let server = RedisServer::start().await;
    let proxy = ChaosProxy::before(server.port).await;
    let half = DegradedSettings {
        local_share: 0.5,
        ..DegradedSettings::default()
    };
    let limiter = Limiter::redis(settings(proxy.url()), &half).unwrap();
    limiter.connect().await;
    proxy.set(Weather::Cut);
    away(&limiter, Cause::Cut).await;
    let mut granted = 0;
    for _ in 0..10 {
        let Answer::Fresh(outcomes) = spend(&limiter, 1, 10).await.answer else {
            panic!("fresh")
        };
        granted += u32::from(!outcomes[0].exceeded);
    }
    assert_eq!(granted, 5);
    proxy.set(Weather::Fair);
    back(&limiter).await;
    assert_eq!(left(&limiter, 1, 10).await, (10, Source::Redis));
}

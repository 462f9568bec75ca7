//! What the limiter does when Redis does not do its part, with real processes.

use std::time::Duration;

use moderato::clock::Timestamp;
use moderato::limit::{Cause, Limiter, Mode, RedisSettings, RedisState, Source, Take, Taken};
use moderato::site::Quota;

use crate::limiter::{author, in_redis, quota, site};
use crate::support::eventually::eventually;
use crate::support::redis::RedisServer;

const HOUR: Duration = Duration::from_secs(3600);
const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn quotas() -> [Quota; 1] {
    [quota("hour", 1_000_000, HOUR)]
}

async fn take(limiter: &Limiter, n: u64) -> Taken {
    let (site, quotas) = (site("a"), quotas());
    let take = Take {
        site: &site,
        subject: Some(author(n)),
        quotas: &quotas,
        claim: None,
        mode: Mode::Spend,
    };
    limiter.take(&take, NOW).await
}

fn state(limiter: &Limiter) -> RedisState {
    *limiter.states().unwrap().borrow()
}

/// Takes until Redis is known to be away; says why.
async fn away(limiter: &Limiter) -> Cause {
    let mut found = Cause::Connecting;
    eventually("Redis is known to be away", async || {
        take(limiter, 1).await;
        match state(limiter) {
            RedisState::Away { cause } => found = cause,
            RedisState::Up | RedisState::Partly { .. } => return false,
        }
        found != Cause::Cut
    })
    .await;
    found
}

async fn back(limiter: &Limiter) {
    eventually("Redis is back", async || state(limiter) == RedisState::Up).await;
    assert_eq!(take(limiter, 1).await.source, Source::Redis);
}

#[tokio::test]
async fn killed_and_started_again() {
    let mut server = RedisServer::start().await;
    let limiter = in_redis(RedisSettings::new(server.url())).await;
    assert_eq!(take(&limiter, 1).await.source, Source::Redis);
    server.kill();
    assert_eq!(away(&limiter).await, Cause::Refused);
    assert_eq!(take(&limiter, 1).await.source, Source::LocalForRedis);
    server.restart().await;
    back(&limiter).await;
}

#[tokio::test]
async fn stopped_and_continued() {
    let server = RedisServer::start().await;
    let limiter = in_redis(RedisSettings::new(server.url())).await;
    server.pause();
    assert_eq!(away(&limiter).await, Cause::Timeout);
    let before = limiter.counters();
    for _ in 0..1_000 {
        assert_eq!(take(&limiter, 1).await.source, Source::LocalForRedis);
    }
    assert_eq!(limiter.counters().asked, before.asked, "a stalled Redis is not asked");
    assert_eq!(before.timed_out, 5);
    server.resume();
    back(&limiter).await;
}

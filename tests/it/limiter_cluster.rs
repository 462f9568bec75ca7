//! Cluster and Sentinel, with real servers: who counts when a part is away, and when it is back.

use std::collections::HashMap;
use std::time::Duration;

use moderato::limit::{Cause, DegradedSettings, Limiter, RedisState, Source};
use moderato::redis::RedisSettings;
use tokio::net::TcpListener;

use crate::limiter::{in_redis, settings};
use crate::limiter_faults::{back, left, spend, state};
use crate::support::cluster::{Cluster, Watched};
use crate::support::eventually::eventually;
use crate::support::redis::{RedisServer, free_port};

const AUTHORS: u64 = 60;

/// Who answers for each author.
async fn sources(limiter: &Limiter) -> HashMap<u64, Source> {
    let mut sources = HashMap::new();
    for n in 0..AUTHORS {
        sources.insert(n, spend(limiter, n, 1_000_000).await.source);
    }
    sources
}

fn by_redis(sources: &HashMap<u64, Source>) -> usize {
    sources.values().filter(|source| **source == Source::Redis).count()
}

#[tokio::test]
async fn a_dead_shard_makes_only_its_own_authors_local() {
    let mut cluster = Cluster::start().await;
    let limiter = in_redis(settings(cluster.url())).await;
    eventually("every shard is up", async || state(&limiter) == RedisState::Up).await;
    assert_eq!(by_redis(&sources(&limiter).await), 60);
    let masters = cluster.masters();
    assert_eq!(masters.len(), 3);
    let held = |server: usize| {
        let keys: Vec<String> = cluster.servers[server].ask(&["KEYS", "moderato:1:{a:*"]).unwrap();
        keys.len()
    };
    let dead = masters[1];
    let lost = held(dead);
    assert!(lost > 5 && lost < 40, "the authors are spread over the shards");
    // Its replica must not take over yet, or the test would race with it.
    let replica = replica_of(&cluster, dead);
    cluster.servers[replica].pause();
    cluster.servers[dead].kill();
    eventually("its authors are local, all others are not", async || {
        by_redis(&sources(&limiter).await) == 60 - lost && matches!(state(&limiter), RedisState::Partly { .. })
    })
    .await;
    let before = limiter.counters();
    assert_eq!(by_redis(&sources(&limiter).await), 60 - lost);
    assert_eq!(
        limiter.counters().sent - before.sent,
        (60 - lost) as u64,
        "the dead shard is left alone"
    );
    cluster.servers[replica].resume();
    eventually("its replica has taken over", async || state(&limiter) == RedisState::Up).await;
    assert_eq!(by_redis(&sources(&limiter).await), 60);
}

fn replica_of(cluster: &Cluster, master: usize) -> usize {
    let port = format!("master_port:{}\r", cluster.servers[master].port);
    let follows = |i: &usize| {
        let role: String = cluster.servers[*i].ask(&["INFO", "replication"]).unwrap();
        role.contains("role:slave") && role.contains(&port)
    };
    (0..6).find(follows).unwrap()
}

#[tokio::test]
async fn a_failed_over_shard_is_found_again() {
    let cluster = Cluster::start().await;
    let limiter = in_redis(settings(cluster.url())).await;
    eventually("every shard is up", async || state(&limiter) == RedisState::Up).await;
    sources(&limiter).await;
    let old = cluster.masters()[0];
    let () = cluster.servers[replica_of(&cluster, old)]
        .ask(&["CLUSTER", "FAILOVER"])
        .unwrap();
    eventually("the master is another", async || !cluster.masters().contains(&old)).await;
    eventually("all are counted in Redis again", async || {
        by_redis(&sources(&limiter).await) == 60
    })
    .await;
}

#[tokio::test]
async fn claims_live_with_their_authors_in_a_cluster() {
    use moderato::limit::{Acquire, Answer, IdempotencyKey, Mode};
    let cluster = Cluster::start().await;
    let (one, two) = (
        in_redis(settings(cluster.url())).await,
        in_redis(settings(cluster.url())).await,
    );
    for limiter in [&one, &two] {
        eventually("every shard is up", async || state(limiter) == RedisState::Up).await;
    }
    let site = crate::limiter::site("a");
    let quotas = [crate::limiter::quota("hour", 5, std::time::Duration::from_secs(3600))];
    for n in 0..20_u8 {
        let subject = Some(crate::limiter::author(u64::from(n)));
        let id = Some(IdempotencyKey {
            author: subject,
            ..crate::limiter::request_id(n, n, b"p")
        });
        let acquire = Acquire {
            site: &site,
            subject,
            quotas: &quotas,
            idempotency_key: id,
            mode: Mode::Spend,
        };
        let nobody = Acquire {
            subject: None,
            quotas: &[],
            idempotency_key: Some(crate::limiter::request_id(100 + n, n, b"p")),
            ..acquire
        };
        // The same body sent again as a recheck, for which nobody is counted.
        let recheck = Acquire {
            subject: None,
            quotas: &[],
            ..acquire
        };
        for (acquire, again) in [(acquire, acquire), (nobody, nobody), (acquire, recheck)] {
            let first = one.acquire(&acquire, crate::limiter_faults::NOW).await;
            assert!(matches!(first.source, Source::Redis | Source::Local), "{first:?}");
            let replay = two.acquire(&again, crate::limiter_faults::NOW).await;
            assert!(matches!(replay.answer, Answer::Replayed { .. }), "{replay:?}");
        }
    }
}

#[tokio::test]
async fn a_sentinel_says_where_the_master_is_now() {
    let mut watched = Watched::start().await;
    // One sentinel takes connections and is silent. It would be waited for until this test fails.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "redis+sentinel://{},127.0.0.1:{}/main",
        silent.local_addr().unwrap(),
        watched.sentinel.port
    );
    let patient = RedisSettings {
        connect_timeout: Duration::from_secs(3600),
        ..settings(url)
    };
    let limiter = Limiter::redis(patient, &DegradedSettings::default()).unwrap();
    eventually("the other sentinel is asked too", async || {
        let _ = tokio::time::timeout(Duration::from_millis(50), limiter.connect()).await;
        state(&limiter) == RedisState::Up
    })
    .await;
    let limiter = in_redis(settings(watched.url())).await;
    assert_eq!(state(&limiter), RedisState::Up);
    spend(&limiter, 1, 10).await;
    eventually("the replica holds it", async || {
        let keys: Vec<String> = watched.replica.ask(&["KEYS", "moderato:1:{a:*"]).unwrap();
        keys.len() == 1
    })
    .await;
    watched.master.kill();
    eventually("it is missed", async || {
        spend(&limiter, 2, 10).await.source == Source::Degraded
    })
    .await;
    back(&limiter).await;
    assert_eq!(left(&limiter, 1, 10).await, (9, Source::Redis));
    let role: String = watched.replica.ask(&["INFO", "replication"]).unwrap();
    assert!(role.contains("role:master"));
}

/// A cluster node that knows no other and serves no slots yet.
async fn lone_node() -> RedisServer {
    let (bus, yes, no) = (free_port().to_string(), "yes", "no");
    let cluster = ["--cluster-enabled", yes, "--cluster-port", &bus];
    RedisServer::start_with(&[&cluster[..], &["--cluster-require-full-coverage", no]].concat()).await
}

#[tokio::test]
async fn slots_without_a_node_are_told_and_looked_for() {
    let (empty, server) = (lone_node().await, lone_node().await);
    let slots = |verb: &str, last: &str| server.ask::<()>(&["CLUSTER", verb, "8192", last]).unwrap();
    let () = server.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "8191"]).unwrap();
    eventually("the node serves its slots", async || {
        let info: String = server.ask(&["CLUSTER", "INFO"]).unwrap();
        info.contains("cluster_state:ok")
    })
    .await;
    // A seed that knows of nothing is passed over.
    let url = format!("redis+cluster://127.0.0.1:{},127.0.0.1:{}", empty.port, server.port);
    let limiter = in_redis(settings(url)).await;
    let cause = Cause::ClusterDown;
    let half = async || {
        let count = by_redis(&sources(&limiter).await);
        state(&limiter) == RedisState::Partly { cause } && count > 10 && count < 50
    };
    eventually("half of the slots have nobody", half).await;
    slots("ADDSLOTSRANGE", "16383");
    eventually("they are found without being asked for", async || {
        state(&limiter) == RedisState::Up
    })
    .await;
    assert_eq!(by_redis(&sources(&limiter).await), 60);
    slots("DELSLOTSRANGE", "16383");
    eventually("they are missed", half).await;
    assert_eq!(
        limiter.counters().opened,
        0,
        "the node goes on with the slots that it has"
    );
}

#[tokio::test]
async fn what_the_message_tells_to_allow_is_enough() {
    let no_permission = RedisState::Away {
        cause: Cause::NoPermission,
    };
    let remedy = Cause::NoPermission.message().split([' ', ',', ';']);
    let allow: Vec<&str> = remedy.filter(|word| word.starts_with(['+', '~'])).collect();
    let user = |server: &RedisServer, rules: &[&str]| {
        let () = server
            .ask(&[&["ACL", "SETUSER", "u", "reset", "on", ">p"], rules].concat())
            .unwrap();
    };
    let server = lone_node().await;
    let () = server.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).unwrap();
    let (at_sentinel, at_redis): (Vec<_>, Vec<_>) = allow.iter().partition(|word| word.starts_with("+sentinel"));
    let no_slots: Vec<_> = at_redis
        .iter()
        .copied()
        .filter(|word| *word != "+cluster|slots")
        .collect();
    let url = format!("redis+cluster://u:p@127.0.0.1:{}", server.port);
    user(&server, &no_slots);
    assert_eq!(state(&in_redis(settings(&url)).await), no_permission);
    user(&server, &at_redis);
    let limiter = in_redis(settings(&url)).await;
    back(&limiter).await;
    let watched = Watched::start().await;
    let url = format!("{}?sentinel_user=u&sentinel_password=p", watched.url());
    user(&watched.sentinel, &[]);
    assert_eq!(state(&in_redis(settings(&url)).await), no_permission);
    user(&watched.sentinel, &at_sentinel);
    assert_eq!(state(&in_redis(settings(&url)).await), RedisState::Up);
}

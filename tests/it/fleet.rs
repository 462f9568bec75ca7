//! Two replicas of the real service on one real Redis: they count together, answer a repetition alike, and go on alone
//! while Redis is away. And one replica's operators' listener.

use moderato::api::grpc::proto::moderation_service_client::ModerationServiceClient;
use moderato::api::grpc::proto::{Handling, ModerateRequest, Verdict};
use tonic::transport::Channel;

use crate::support::eventually::eventually;
use crate::support::process::{Service, moderato};
use crate::support::redis::RedisServer;
use crate::support::{PLAIN, codes, http_get, request};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// A budget that a busy test machine keeps: what is tested here is not how fast Redis answers.
const PATIENT: &str = "[limiter]\nredis_budget = \"2s\"\n";

fn replica(redis: &str, config: &std::path::Path) -> Service {
    let args = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--redis",
        redis,
        "--config",
        config.to_str().unwrap(),
    ];
    Service::start_from(moderato(&args).env("MODERATO_PSEUDONYM_KEY", KEY))
}

fn patient(dir: &tempfile::TempDir) -> std::path::PathBuf {
    let path = dir.path().join("moderato.toml");
    std::fs::write(&path, PATIENT).unwrap();
    path
}

async fn degraded(client: &mut ModerationServiceClient<Channel>) -> Vec<String> {
    let probe = ModerateRequest {
        dry_run: true,
        ..request(PLAIN)
    };
    client.moderate(probe).await.unwrap().into_inner().degraded
}

#[tokio::test]
async fn replicas_count_together_and_answer_a_repetition_alike() {
    let (redis, dir) = (RedisServer::start().await, tempfile::tempdir().unwrap());
    let config = patient(&dir);
    let (one, two) = (replica(&redis.url(), &config), replica(&redis.url(), &config));
    let mut clients = [one.client().await, two.client().await];
    for n in 0..5 {
        let answer = clients[n % 2].moderate(request(PLAIN)).await.unwrap().into_inner();
        assert!(answer.degraded.is_empty(), "{:?}", answer.degraded);
        assert_eq!(answer.quotas[0].remaining as usize, 4 - n);
    }
    let sixth = clients[1].moderate(request(PLAIN)).await.unwrap().into_inner();
    assert_eq!(
        (sixth.handling(), codes(&sixth)),
        (Handling::RetryLater, vec!["rate_limit.exceeded"])
    );

    // The first call timed out, the caller thinks, and asks the other replica.
    let mut once = ModerateRequest {
        request_id: "r-1".to_owned(),
        ..request("A second thought on this.")
    };
    once.comment.as_mut().unwrap().author_ip = "198.51.100.9".to_owned();
    let first = clients[0].moderate(once.clone()).await.unwrap().into_inner();
    let mut second = clients[1].moderate(once.clone()).await.unwrap().into_inner();
    assert!(!first.replayed && second.replayed);
    second.replayed = false;
    assert_eq!(first, second);
    once.comment.as_mut().unwrap().content.push('!');
    assert_eq!(
        clients[1].moderate(once).await.unwrap_err().code(),
        tonic::Code::InvalidArgument
    );

    // What lies in Redis: printable keys without an address, each with an expiry.
    let keys: Vec<String> = redis.ask(&["KEYS", "*"]).unwrap();
    assert!(!keys.is_empty());
    for key in keys {
        assert!(key.bytes().all(|byte| byte.is_ascii_graphic()), "{key}");
        assert!(!key.contains("198.51.100") && !key.contains("203.0.113"), "{key}");
        let left: i64 = redis.ask(&["PTTL", &key]).unwrap();
        assert!(left > 0, "{key} has no expiry");
        let value: Vec<u8> = redis.ask(&["DUMP", &key]).unwrap();
        let text = String::from_utf8_lossy(&value).into_owned();
        assert!(
            !text.contains("Ann") && !text.contains("example.org") && !text.contains("thought"),
            "{key}"
        );
    }
}

#[tokio::test]
async fn the_service_outlives_its_redis() {
    let (mut redis, dir) = (RedisServer::start().await, tempfile::tempdir().unwrap());
    let service = replica(&redis.url(), &patient(&dir));
    let mut client = service.client().await;
    assert!(degraded(&mut client).await.is_empty());
    redis.kill();
    for _ in 0..5 {
        let answer = client.moderate(request(PLAIN)).await.unwrap().into_inner();
        assert_eq!(
            (answer.verdict(), &answer.degraded[..]),
            (Verdict::Approve, &["rate_limit.redis".to_owned()][..])
        );
    }
    let sixth = client.moderate(request(PLAIN)).await.unwrap().into_inner();
    assert_eq!(codes(&sixth), ["rate_limit.exceeded"], "an outage is no free pass");
    redis.restart().await;
    eventually("Redis counts again", async || degraded(&mut client).await.is_empty()).await;
    drop(client);
    let (code, _, logs) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    assert_eq!(code, Some(0));
    let said = logs.matches("Redis is away").count();
    assert!(
        (1..=3).contains(&said),
        "one line for each change, not for each call: {logs}"
    );
    assert!(!logs.contains(KEY));
}

#[tokio::test]
async fn the_service_starts_without_its_redis() {
    let dir = tempfile::tempdir().unwrap();
    let service = replica("redis://:hunter2@127.0.0.1:1/", &patient(&dir));
    let mut client = service.client().await;
    assert_eq!(degraded(&mut client).await, ["rate_limit.redis"]);
    drop(client);
    let (code, _, logs) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    assert_eq!(code, Some(0));
    assert!(logs.contains("Redis is away") && !logs.contains("hunter2"), "{logs}");
}

#[tokio::test]
async fn a_site_may_hold_while_redis_is_away() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("moderato.toml");
    std::fs::write(&config, "[defaults]\nredis_away = \"hold\"\n").unwrap();
    let service = replica("redis://127.0.0.1:1/", &config);
    let mut client = service.client().await;
    let answer = client.moderate(request(PLAIN)).await.unwrap().into_inner();
    assert_eq!(
        (answer.verdict(), codes(&answer)),
        (Verdict::Hold, vec!["rate_limit.unavailable"])
    );
    assert!(answer.quotas.is_empty());
}

#[tokio::test]
async fn operators_see_metrics_and_readiness() {
    let mut service = Service::start(&["--ops-listen", "127.0.0.1:0"]);
    let ops = service.next_line();
    let ops = ops.strip_prefix("listening on ops ").unwrap();
    let mut client = service.client().await;
    client.moderate(request(PLAIN)).await.unwrap();
    let mut proxied = request(PLAIN);
    proxied.comment.as_mut().unwrap().author_ip = "10.1.2.3".to_owned();
    client.moderate(proxied).await.unwrap();
    let metrics = http_get(ops, "/metrics").await;
    assert!(
        metrics.contains(r#"moderato_decisions_total{site="(other)",verdict="approve"} 2"#),
        "{metrics}"
    );
    assert!(
        metrics.contains(r#"moderato_address_not_public_total{site="(other)"} 1"#),
        "{metrics}"
    );
    assert!(!metrics.contains("gazette") && !metrics.contains("203.0.113"));
    for _ in 0..120 {
        client.moderate(request(PLAIN)).await.unwrap();
    }
    let metrics = http_get(ops, "/metrics").await;
    assert!(
        metrics.contains(r#"moderato_address_dominant{site="(other)"} 1"#),
        "{metrics}"
    );
    assert!(http_get(ops, "/livez").await.starts_with("HTTP/1.1 200"));
    assert!(http_get(ops, "/readyz").await.starts_with("HTTP/1.1 200"));
    assert!(http_get(ops, "/nothing").await.starts_with("HTTP/1.1 404"));
    drop(client);
    let (_, _, logs) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    for warning in ["more than a fifth", "author_ip that is not public"] {
        assert_eq!(logs.matches(warning).count(), 1, "{warning}: {logs}");
    }
}

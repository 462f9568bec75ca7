//! One pseudonym key is changed for another, on a real Redis, and no author's quota begins anew.

use moderato::api::grpc::proto::Verdict;

use crate::support::process::{Service, moderato, stderr};
use crate::support::redis::RedisServer;
use crate::support::{PLAIN, request};

const OLD: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const NEW: &str = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f";

/// A quota that does not recover while a test runs, and a budget that a busy machine keeps.
const SETTINGS: &str =
    "[limiter]\nredis_budget = \"5s\"\n[defaults.quotas.minute]\nburst = 5\ngrants = 1\nper = \"30d\"\n";

fn replica(redis: &RedisServer, config: &tempfile::NamedTempFile, current: &str, previous: Option<&str>) -> Service {
    let (url, config) = (redis.url(), config.path().to_str().unwrap());
    let args = ["serve", "--listen", "127.0.0.1:0", "--redis", &url, "--config", config];
    let mut command = moderato(&args);
    command.env("MODERATO_PSEUDONYM_KEY", current);
    previous.map(|previous| command.env("MODERATO_PSEUDONYM_KEY_PREVIOUS", previous));
    Service::start_from(&mut command)
}

/// What is left to the author after one more comment; `None` if it is refused.
async fn left(service: &Service, request_id: &str) -> Option<u32> {
    let mut comment = request(PLAIN);
    comment.request_id = request_id.to_owned();
    let answer = service.client().await.moderate(comment).await.unwrap().into_inner();
    assert!(answer.degraded.is_empty(), "{answer:?}");
    let minute = answer.quotas.iter().find(|quota| quota.name == "minute").unwrap();
    assert_eq!(minute.exceeded, answer.verdict() == Verdict::Reject);
    (!minute.exceeded).then_some(minute.remaining)
}

#[tokio::test]
async fn nobody_is_forgotten_while_a_fleet_changes_its_key() {
    let redis = RedisServer::start().await;
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), SETTINGS).unwrap();
    let old = replica(&redis, &config, OLD, None);
    assert_eq!(left(&old, "a").await, Some(4));
    assert_eq!(left(&old, "b").await, Some(3));
    // The first replica with the new key knows what was counted under the old one, and which requests were answered.
    let both = replica(&redis, &config, NEW, Some(OLD));
    assert_eq!(
        left(&both, "b").await,
        Some(3),
        "answered before, and not counted again"
    );
    assert_eq!(left(&both, "c").await, Some(2));
    // A replica that has not been changed yet knows what that one counted.
    assert_eq!(left(&old, "d").await, Some(1));
    assert_eq!(left(&both, "e").await, Some(0));
    assert_eq!(left(&both, "f").await, None);
    assert_eq!(left(&old, "g").await, None);
    // What was counted while both were alive is known to the new key alone: c and e.
    let new = replica(&redis, &config, NEW, None);
    assert_eq!(left(&new, "e").await, Some(3), "answered before, and not counted again");
    assert_eq!(left(&new, "h").await, Some(2));
}

#[test]
fn a_previous_key_needs_another_one_after_it() {
    for (current, says) in [
        (None, "there is no MODERATO_PSEUDONYM_KEY"),
        (Some(OLD), "the same key"),
    ] {
        let mut command = moderato(&["serve", "--check"]);
        command.env("MODERATO_PSEUDONYM_KEY_PREVIOUS", OLD);
        current.map(|key| command.env("MODERATO_PSEUDONYM_KEY", key));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert!(
            stderr(&output).contains(says) && !stderr(&output).contains(OLD),
            "{}",
            stderr(&output)
        );
    }
}

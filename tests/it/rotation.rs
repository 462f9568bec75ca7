//! One pseudonym key is changed for another, on a real Redis, and no author's quota begins anew.

use moderato::api::grpc::proto::admin_service_client::AdminServiceClient;
use moderato::api::grpc::proto::{ForgetAuthorRequest, Verdict};

use crate::support::process::{Service, moderato, stderr, stdout};
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

#[tokio::test]
async fn who_was_remembered_under_the_previous_key_can_still_be_forgotten() {
    let (dir, config) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
    std::fs::write(config.path(), "[defaults]\nclassifier = false\nauthor_history = true\n").unwrap();
    let (data, settings) = (dir.path().to_str().unwrap(), config.path().to_str().unwrap());
    let serve = |current: &str, previous: Option<&str>| {
        let mut command = moderato(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            data,
            "--config",
            settings,
        ]);
        command.env("MODERATO_PSEUDONYM_KEY", current);
        previous.map(|previous| command.env("MODERATO_PSEUDONYM_KEY_PREVIOUS", previous));
        Service::start_from(&mut command)
    };
    let judge = async |service: &Service| {
        service.client().await.moderate(request(PLAIN)).await.unwrap();
    };
    let forget = async |service: &Service| {
        let mut admin = AdminServiceClient::new(service.channel().await);
        let author = ForgetAuthorRequest {
            site: request(PLAIN).site,
            author_email: request(PLAIN).comment.unwrap().author_email,
            ..Default::default()
        };
        admin.forget_author(author).await.unwrap().into_inner()
    };
    for _ in 0..2 {
        let old = serve(OLD, None);
        judge(&old).await;
        assert_eq!(old.stop().0, Some(0));
    }
    // Under the new key alone nobody knows whose they are, and the answer says what to do.
    let new = serve(NEW, None);
    let unknown = forget(&new).await;
    assert!(
        unknown.decisions == 0 && unknown.note.contains("previous"),
        "{unknown:?}"
    );
    assert_eq!(new.stop().0, Some(0));
    let both = serve(NEW, Some(OLD));
    judge(&both).await;
    assert_eq!(forget(&both).await.decisions, 3);
    assert_eq!(both.stop().0, Some(0));
    // The same at a terminal.
    let old = serve(OLD, None);
    judge(&old).await;
    assert_eq!(old.stop().0, Some(0));
    let comment = request(PLAIN);
    let mut command = moderato(&[
        "feedback",
        "forget",
        "--data-dir",
        data,
        "--site",
        &comment.site,
        "--author-email",
        &comment.comment.unwrap().author_email,
    ]);
    command.env("MODERATO_PSEUDONYM_KEY", NEW);
    command.env("MODERATO_PSEUDONYM_KEY_PREVIOUS", OLD);
    let output = command.output().unwrap();
    assert!(
        stdout(&output).contains("forgotten: 1 decisions"),
        "{} {}",
        stdout(&output),
        stderr(&output)
    );
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

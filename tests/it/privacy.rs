//! *Your email address will not be published*: canaries go through every listener at the finest log level, and then
//! everything that the service has written is searched for them.

use std::path::Path;

use moderato::api::grpc::proto::moderate_stream_response::Result as Outcome;
use moderato::api::grpc::proto::{Comment, ModerateRequest, ModerateStreamRequest};
use redis::Value;

use crate::support::http_get;
use crate::support::process::{Service, moderato, run_with_input, stderr, stdout};
use crate::support::redis::RedisServer;
use crate::traces::Collector;

const NAME: &str = "Canaryname Quillfeather";
const EMAIL: &str = "canary.mailbox@birdcage.example";
const URL: &str = "https://canary-site.example/secretpath";
const ADDRESS: &str = "198.51.100.217";
const ACCOUNT: &str = "canary-account-77";
const TEXT: &str = "canarytext zwitscher subscribe to my channel http://canary-link.example free money";

fn canaries() -> Comment {
    Comment {
        content: TEXT.to_owned(),
        author_name: NAME.to_owned(),
        author_email: EMAIL.to_owned(),
        author_url: Some(URL.to_owned()),
        author_ip: ADDRESS.to_owned(),
        author_id: ACCOUNT.to_owned(),
        parent_content: TEXT.to_owned(),
        article_title: TEXT.to_owned(),
        article_text: TEXT.to_owned(),
        user_agent: Some(NAME.to_owned()),
        referrer: URL.to_owned(),
        permalink: URL.to_owned(),
        honeypot: NAME.to_owned(),
        ..Comment::default()
    }
}

fn assert_clean(what: &str, text: &str) {
    for canary in [
        "Canaryname",
        "Quillfeather",
        "canary.mailbox",
        "birdcage",
        "canary-site",
        "198.51.100",
        "canary-account",
        "canarytext",
        "zwitscher",
        "canary-link",
    ] {
        assert!(!text.contains(canary), "{what} holds {canary}: {text}");
    }
}

#[tokio::test]
async fn logs_and_errors_hold_nothing_of_an_author() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("moderato.toml");
    std::fs::write(
        &config,
        "[service]\nlog = \"trace\"\n[site.gazette]\nclassifier = true\n",
    )
    .unwrap();
    let mut service = Service::start(&["--config", config.to_str().unwrap(), "--ops-listen", "127.0.0.1:0"]);
    let ops = service.next_line().trim_start_matches("listening on ops ").to_owned();
    let mut client = service.client().await;
    let request = |change: &dyn Fn(&mut Comment)| {
        let mut comment = canaries();
        change(&mut comment);
        ModerateRequest {
            site: "gazette".to_owned(),
            comment: Some(comment),
            request_id: "r".to_owned(),
            ..Default::default()
        }
    };
    let mut answers = String::new();
    for _ in 0..7 {
        // Answers quote nothing but what was asked for; an explanation, which quotes the text, was not.
        for change in [
            &(|_: &mut Comment| {}) as &dyn Fn(&mut Comment),
            &|c| c.honeypot.clear(),
            &|c| c.author_email.push('@'),
        ] {
            let mut request = request(change);
            request.request_id.clear();
            answers.push_str(&format!("{:?}", client.moderate(request).await.unwrap().into_inner()));
        }
    }
    // Another text than before: a second click is answered by the first, and claims no request id.
    client.moderate(request(&|c| c.content.push('?'))).await.unwrap();
    for bad in [
        request(&|c| c.content.push('!')),
        request(&|c| c.author_ip.push_str(":443")),
        ModerateRequest {
            site: NAME.to_owned(),
            ..request(&|_| {})
        },
    ] {
        let status = client.moderate(bad).await.unwrap_err();
        assert_clean("an error", &format!("{status:?}"));
    }
    assert_clean("an answer", &answers);
    let metrics = crate::support::http_get(&ops, "/metrics").await;
    assert!(metrics.contains(r#"site="gazette""#), "{metrics}");
    assert_clean("a metric", &metrics);
    let (_, rest, logs) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    assert!(
        logs.contains("judged"),
        "the log has to say something, or this test cannot fail: {logs}"
    );
    assert_clean("the log", &logs);
    assert_clean("standard output", &rest);
}

#[tokio::test]
async fn a_stream_lets_nothing_of_an_author_slip_in_answers_errors_logs_metrics_or_traces() {
    let dir = tempfile::tempdir().unwrap();
    let (collector, address) = Collector::start().await;
    let config = dir.path().join("moderato.toml");
    let settings = "[service]\nlog = \"trace\"\n[telemetry]\ntraces_share = 1.0\nlog_approvals = 1.0\n\
                    [site.gazette]\nclassifier = true\n";
    std::fs::write(&config, settings).unwrap();
    let args = ["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--data-dir"];
    let mut command = moderato(&[&["serve", "--config", config.to_str().unwrap()][..], &args].concat());
    command
        .arg(dir.path().join("data"))
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"));
    let mut service = Service::start_from(&mut command);
    let ops = service.next_line().trim_start_matches("listening on ops ").to_owned();
    let item = |n: usize, change: &dyn Fn(&mut ModerateRequest)| {
        let mut request = ModerateRequest {
            site: "gazette".to_owned(),
            comment: Some(canaries()),
            request_id: format!("{EMAIL}-{n}"),
            ..Default::default()
        };
        change(&mut request);
        ModerateStreamRequest {
            // The caller's own; it comes back in the answer, and goes nowhere else.
            item_id: format!("{NAME} {n}"),
            request: Some(request),
        }
    };
    let comment = |request: &mut ModerateRequest, change: &dyn Fn(&mut Comment)| {
        change(request.comment.as_mut().unwrap());
    };
    let mut items = vec![
        item(0, &|_| {}),
        item(1, &|r| comment(r, &|c| c.honeypot.clear())),
        item(2, &|r| comment(r, &|c| c.author_email.push('@'))),
        // Each is an error of its own: an address with a port, a site that is none, no comment, another body for a
        // request id, a site that is malformed.
        item(3, &|r| comment(r, &|c| c.author_ip.push_str(":443"))),
        item(4, &|r| r.site = NAME.to_owned()),
        item(5, &|r| r.comment = None),
        item(0, &|r| comment(r, &|c| c.content = format!("{TEXT} and more of it"))),
        item(6, &|r| r.site = EMAIL.to_owned()),
    ];
    items.push(ModerateStreamRequest {
        item_id: EMAIL.to_owned(),
        request: None,
    });
    let (sent, mut errors) = (items.len(), 0);
    let mut client = service.client().await;
    let answers = client.moderate_stream(tokio_stream::iter(items)).await.unwrap();
    let mut answers = answers.into_inner();
    for _ in 0..sent {
        let answer = answers.message().await.unwrap().unwrap();
        if let Some(Outcome::Error(error)) = &answer.result {
            errors += 1;
            // Details are bytes: as text they would hide nothing that is text.
            for detail in &error.details {
                assert_clean("a detail", &String::from_utf8_lossy(&detail.value));
            }
        }
        assert_clean("an answer", &format!("{:?}", answer.result));
    }
    assert!(errors >= 5, "items have to fail, or this test shows nothing: {errors}");
    assert!(answers.message().await.unwrap().is_none());
    // A stream that is broken off in the middle says no more than one that is not.
    let endless = tokio_stream::StreamExt::chain(tokio_stream::iter([item(9, &|_| {})]), tokio_stream::pending());
    let mut broken = client.moderate_stream(endless).await.unwrap().into_inner();
    broken.message().await.unwrap().unwrap();
    drop(broken);
    for page in ["/metrics", "/readyz"] {
        assert_clean(page, &http_get(&ops, page).await);
    }
    let (_, rest, logs) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    assert!(logs.contains("judged"), "the log has to say something: {logs}");
    assert_clean("the log", &logs);
    assert_clean("standard output", &rest);
    let traces = collector.text();
    assert!(
        traces.contains("judge an item"),
        "traces have to say something: {traces}"
    );
    assert_clean("a trace", &traces);
}

/// Everything that a Redis holds, keys and values, as text.
fn contents(redis: &RedisServer) -> String {
    let keys: Vec<String> = redis.ask(&["KEYS", "*"]).unwrap();
    let mut all = String::new();
    for key in keys {
        let kind: String = redis.ask(&["TYPE", &key]).unwrap();
        let read: &[&str] = match kind.as_str() {
            "string" => &["GET", &key],
            "hash" => &["HGETALL", &key],
            "stream" => &["XRANGE", &key, "-", "+"],
            "list" => &["LRANGE", &key, "0", "-1"],
            "set" => &["SMEMBERS", &key],
            "zset" => &["ZRANGE", &key, "0", "-1"],
            other => panic!("{key} is a {other}, which this test cannot read yet"),
        };
        all.push_str(&format!("{key} {}\n", plain(&redis.ask(read).unwrap())));
    }
    all
}

/// The bytes of an answer as text, whatever it is made of.
fn plain(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(" "),
        Value::Map(pairs) => pairs
            .iter()
            .map(|(k, v)| format!("{} {}", plain(k), plain(v)))
            .collect(),
        other => format!("{other:?}"),
    }
}

/// Every file beneath a folder, names and bytes, as text.
fn files(dir: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        all.push_str(&format!("{}\n", path.display()));
        if path.is_dir() {
            all.push_str(&files(&path));
        } else {
            all.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        }
    }
    all
}

#[tokio::test]
async fn redis_traces_and_files_hold_nothing_of_an_author_in_good_times_and_bad() {
    let (mut redis, dir) = (RedisServer::start().await, tempfile::tempdir().unwrap());
    let (collector, address) = Collector::start().await;
    let config = dir.path().join("moderato.toml");
    let settings = "[service]\nlog = \"trace\"\n[limiter]\nredis_budget = \"2s\"\n\
                    [telemetry]\ntraces_share = 1.0\nlog_approvals = 1.0\n[site.gazette]\nclassifier = true\n";
    std::fs::write(&config, settings).unwrap();
    let args = [
        "--listen",
        "127.0.0.1:0",
        "--ops-listen",
        "127.0.0.1:0",
        "--redis",
        &redis.url(),
    ];
    let mut command = moderato(&[&["serve", "--config", "moderato.toml"][..], &args].concat());
    command
        .current_dir(dir.path())
        .env("MODERATO_PSEUDONYM_KEY", "5a".repeat(32));
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"));
    let mut service = Service::start_from(&mut command);
    let ops = service.next_line().trim_start_matches("listening on ops ").to_owned();
    let mut client = service.client().await;
    let calls = |n: usize| -> Vec<tonic::Request<ModerateRequest>> {
        let mut calls = Vec::new();
        for (i, change) in [
            &(|_: &mut Comment| {}) as &dyn Fn(&mut Comment),
            &|c| c.honeypot.clear(),
            &|c| c.author_email.push('@'),
            &|c| c.author_trust = 2,
            &|c| c.author_ip.push_str(":443"),
        ]
        .into_iter()
        .enumerate()
        {
            let mut comment = canaries();
            change(&mut comment);
            let mut call = tonic::Request::new(ModerateRequest {
                site: "gazette".to_owned(),
                comment: Some(comment),
                // What a program makes of its readers' data is theirs as well.
                request_id: format!("{EMAIL}-{n}-{i}"),
                ..Default::default()
            });
            call.metadata_mut()
                .insert("tracestate", "vendor=canary-account-77".parse().unwrap());
            call.metadata_mut().insert("x-reader", EMAIL.parse().unwrap());
            calls.push(call);
        }
        calls
    };
    for call in calls(1) {
        if let Err(status) = client.moderate(call).await {
            assert_clean("an error", &format!("{status:?}"));
        }
    }
    let kept = contents(&redis);
    assert!(
        kept.lines().count() >= 4,
        "Redis has to hold something, or this test cannot fail: {kept}"
    );
    assert_clean("Redis", &kept);
    redis.kill();
    for call in calls(2) {
        if let Err(status) = client.moderate(call).await {
            assert_clean("an error", &format!("{status:?}"));
        }
    }
    for page in ["/metrics", "/livez", "/readyz", "/version"] {
        assert_clean(page, &http_get(&ops, page).await);
    }
    let (_, rest, logs) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    assert!(logs.contains("Redis is away"), "the log has to say something: {logs}");
    assert_clean("the log", &logs);
    assert_clean("standard output", &rest);
    let traces = collector.text();
    assert!(
        traces.contains("moderato.decision_id"),
        "traces have to say something: {traces}"
    );
    assert_clean("a trace", &traces);
    assert_clean("a file", &files(dir.path()));
}

#[test]
fn checking_a_configuration_shows_no_secret() {
    let key = "5a".repeat(32);
    let mut command = moderato(&[
        "serve",
        "--check",
        "--redis",
        "redis://user:canary-account-77@127.0.0.1:1/",
    ]);
    let output = command.env("MODERATO_PSEUDONYM_KEY", &key).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for said in [stdout(&output), stderr(&output)] {
        assert_clean("serve --check", &said);
        assert!(!said.contains(&key), "serve --check shows the key");
    }
}

#[test]
fn a_command_that_fails_does_not_quote_the_comment() {
    let line = format!("{{\"content\": \"{TEXT}\", \"author_email\": \"{EMAIL}\", \"author_ip\": \"{ADDRESS}:1\"}}\n");
    let output = run_with_input(&["check", "--data", "-"], &line);
    assert_eq!(output.status.code(), Some(4));
    assert_clean("standard error", &stderr(&output));
    let broken = run_with_input(&["check", "--data", "-"], &line[..line.len() - 4]);
    assert_eq!(broken.status.code(), Some(4));
    assert_clean("standard error", &stderr(&broken));
}

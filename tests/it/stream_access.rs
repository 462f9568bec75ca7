//! Who may ask what on a stream, and what strangers can take from callers.

use moderato::api::grpc::proto::moderate_stream_response::Result as Outcome;
use moderato::api::grpc::proto::{ModerateRequest, ModerateStreamRequest, ModerateStreamResponse};
use moderato::site::KeyHash;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Code, Request, Status, Streaming};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::pb::RetryInfo;

use crate::support::eventually::eventually;
use crate::support::harness::Harness;
use crate::support::process::{Service, moderato, stderr, stdout};
use crate::support::slow::SlowCall;
use crate::support::{PLAIN, request};

fn sites() -> String {
    let entry = |key: &str, more: &str| format!("[{{ hash = \"{}\"{more} }}]", KeyHash::of(key));
    format!(
        "[site.gazette]\nkeys = {}\n[site.times]\nkeys = {}\n[site.busy]\nkeys = {}\n",
        entry("gazette", ", expires = 2023-11-14"),
        entry("times", ""),
        entry("busy", ", calls_per_second = 2")
    )
}

struct Stream {
    items: mpsc::UnboundedSender<ModerateStreamRequest>,
    answers: Streaming<ModerateStreamResponse>,
}

impl Stream {
    async fn open(harness: &Harness, key: Option<&str>) -> Result<Self, Status> {
        let (items, outbound) = mpsc::unbounded_channel();
        let mut call = Request::new(UnboundedReceiverStream::new(outbound));
        if let Some(key) = key {
            let value = format!("Bearer {key}").parse().unwrap();
            call.metadata_mut().insert("authorization", value);
        }
        let answers = harness.client().moderate_stream(call).await?.into_inner();
        Ok(Self { items, answers })
    }

    async fn ask(&mut self, site: &str) -> Result<(), tonic_types::pb::Status> {
        let request = ModerateRequest {
            site: site.to_owned(),
            ..request(PLAIN)
        };
        let item = ModerateStreamRequest {
            item_id: site.to_owned(),
            request: Some(request),
        };
        self.items.send(item).unwrap();
        match self.answers.message().await.unwrap().unwrap().result.unwrap() {
            Outcome::Response(_) => Ok(()),
            Outcome::Error(error) => Err(error),
        }
    }
}

#[tokio::test]
async fn a_key_opens_its_own_site_for_each_item_as_long_as_it_is_good() {
    let harness = Harness::start(&sites()).await;
    for stranger in [None, Some("wrong")] {
        let refused = Stream::open(&harness, stranger).await.err().unwrap();
        assert_eq!(refused.code(), Code::Unauthenticated);
    }
    let mut stream = Stream::open(&harness, Some("gazette")).await.unwrap();
    stream.ask("gazette").await.unwrap();
    let others = [stream.ask("times").await, stream.ask("no-such-site").await].map(Result::unwrap_err);
    for error in &others {
        assert_eq!(error.code, Code::PermissionDenied as i32);
    }
    assert_eq!(others[0], others[1], "nobody is told which sites there are");
    stream.ask("gazette").await.unwrap();
    // The harness's clock stands on the key's last day.
    harness.clock.advance(std::time::Duration::from_secs(86_400));
    let expired = stream.ask("gazette").await.unwrap_err();
    assert_eq!(expired.code, Code::Unauthenticated as i32);
    drop(stream);
    harness.stop().await;
}

#[tokio::test]
async fn each_item_is_one_call_of_its_callers_quota() {
    let harness = Harness::start(&sites()).await;
    let mut stream = Stream::open(&harness, Some("busy")).await.unwrap();
    // The first by opening the stream.
    stream.ask("busy").await.unwrap();
    stream.ask("busy").await.unwrap();
    let error = stream.ask("busy").await.unwrap_err();
    assert_eq!(error.code, Code::ResourceExhausted as i32);
    let info: RetryInfo = prost::Message::decode(error.details[0].value.as_slice()).unwrap();
    let wait = info.retry_delay.unwrap();
    assert_eq!((wait.seconds, wait.nanos), (0, 500_000_000));
    harness.clock.advance(std::time::Duration::from_millis(500));
    stream.ask("busy").await.unwrap();
    drop(stream);
    harness.stop().await;
}

#[tokio::test]
async fn strangers_take_no_callers_place_and_callers_none_of_health() {
    let harness = Harness::start(&format!("{}[service]\nin_flight_max = 1", sites())).await;
    // Calls of strangers whose messages never come: each is over at once.
    let channel = harness.channel().await;
    for _ in 0..20 {
        let stranger = SlowCall::try_begin(channel.clone());
        assert_eq!(stranger.give_up().await.code(), Code::Unauthenticated);
    }
    // A caller has the only place, for as long as the stream lasts.
    let mut stream = Stream::open(&harness, Some("gazette")).await.unwrap();
    stream.ask("gazette").await.unwrap();
    let refused = Stream::open(&harness, Some("times")).await.err().unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let stranger = Stream::open(&harness, None).await.err().unwrap();
    assert_eq!(
        stranger.code(),
        Code::Unauthenticated,
        "a stranger is not told how full it is"
    );
    let mut health = HealthClient::new(channel);
    health.check(HealthCheckRequest::default()).await.unwrap();
    drop(stream);
    eventually("its place is free", async || {
        Stream::open(&harness, Some("times")).await.is_ok()
    })
    .await;
    harness.stop().await;
}

#[test]
fn check_waits_when_its_key_has_made_enough_calls() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("moderato.toml");
    let key = format!("[{{ hash = \"{}\", calls_per_second = 40 }}]", KeyHash::of("k"));
    std::fs::write(&config, format!("[site.gazette]\nkeys = {key}\n")).unwrap();
    let service = Service::start(&["--config", config.to_str().unwrap()]);
    let lines = dir.path().join("comments.jsonl");
    let text: String = (0..100)
        .map(|n| format!("{{\"id\": {n}, \"content\": \"Number {n}\"}}\n"))
        .collect();
    std::fs::write(&lines, text).unwrap();
    let output = moderato(&["check", "--site", "gazette", "--server", &service.url(), "--data"])
        .arg(&lines)
        .env("MODERATO_KEY", "k")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let ids: Vec<serde_json::Value> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].clone())
        .collect();
    assert_eq!(ids, (0..100).map(serde_json::Value::from).collect::<Vec<_>>());
}

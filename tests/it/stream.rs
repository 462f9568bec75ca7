//! `ModerateStream`, through a real connection: order, errors of items, a reader that does not read, the end of the
//! harness.

use moderato::api::grpc::proto::moderate_stream_response::Result as Outcome;
use moderato::api::grpc::proto::moderation_service_client::ModerationServiceClient;
use moderato::api::grpc::proto::{ModerateStreamRequest, ModerateStreamResponse, Verdict};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Code;
use tonic::transport::Channel;
use tonic_types::pb::BadRequest;

use crate::support::eventually::eventually;
use crate::support::harness::Harness;
use crate::support::process::{Service, run_with_input, stderr, stdout};
use crate::support::{PLAIN, codes, request, request_with};

/// Without the classifier: what is tested here is the stream.
const QUICK: &str = "[defaults]\nclassifier = false\n";

fn item(id: impl Into<String>) -> ModerateStreamRequest {
    ModerateStreamRequest {
        item_id: id.into(),
        request: Some(request(PLAIN)),
    }
}

fn error_of(answer: ModerateStreamResponse) -> tonic_types::pb::Status {
    match answer.result.unwrap() {
        Outcome::Error(error) => error,
        Outcome::Response(response) => panic!("{response:?}"),
    }
}

#[tokio::test]
async fn items_are_judged_as_by_single_calls_and_a_bad_one_is_its_own_affair() {
    let harness = Harness::start("").await;
    let mut bad = item("bad");
    bad.request.as_mut().unwrap().site = "The Gazette".to_owned();
    let nothing = ModerateStreamRequest {
        item_id: "nothing".to_owned(),
        request: None,
    };
    let nameless = ModerateStreamRequest {
        item_id: "nameless".to_owned(),
        request: Some(request_with(|comment| comment.author_name.clear())),
    };
    let items = vec![item("a"), bad, nothing, nameless, item("a")];
    let answers = harness
        .client()
        .moderate_stream(tokio_stream::iter(items))
        .await
        .unwrap();
    let answers: Vec<_> = answers.into_inner().map(Result::unwrap).collect().await;
    let ids: Vec<_> = answers.iter().map(|answer| answer.item_id.as_str()).collect();
    assert_eq!(ids, ["a", "bad", "nothing", "nameless", "a"]);
    let mut answers = answers.into_iter();
    let Some(Outcome::Response(first)) = answers.next().unwrap().result else {
        panic!("the first is judged")
    };
    assert_eq!((first.verdict(), first.quotas[0].remaining), (Verdict::Approve, 4));
    for field in ["site", "request"] {
        let error = error_of(answers.next().unwrap());
        assert_eq!(error.code, Code::InvalidArgument as i32);
        let details: BadRequest = prost::Message::decode(error.details[0].value.as_slice()).unwrap();
        assert_eq!(details.field_violations[0].field, field);
    }
    let Some(Outcome::Response(nameless)) = answers.next().unwrap().result else {
        panic!("what an author did wrong is a verdict")
    };
    assert_eq!(codes(&nameless), ["author_name.missing"]);
    let Some(Outcome::Response(last)) = answers.next().unwrap().result else {
        panic!("the last is judged")
    };
    assert_eq!(last.quotas[0].remaining, 3, "it counts as a call does");
    harness.stop().await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_not_read_from() {
    let harness = Harness::start(QUICK).await;
    // A caller that has room for few answers.
    let channel = Channel::from_shared(format!("http://{}", harness.address)).unwrap();
    let channel = channel.initial_stream_window_size(65_535).connect().await.unwrap();
    // Four kibibytes each, and as much back: 16 MiB that would have to lie somewhere.
    const ITEMS: usize = 4_096;
    let (taken, mut count) = tokio::sync::watch::channel(0);
    let items = tokio_stream::iter(0..ITEMS).map(move |n| {
        taken.send_replace(n);
        item(format!("{n:04096}"))
    });
    let answers = ModerationServiceClient::new(channel)
        .moderate_stream(items)
        .await
        .unwrap();
    let mut before = 0;
    eventually("the caller is stopped", async || {
        // A while without another item taken from it.
        let moved = tokio::time::timeout(std::time::Duration::from_millis(300), count.changed()).await;
        before = *count.borrow();
        moved.is_err()
    })
    .await;
    assert!(
        before < ITEMS / 2,
        "{before} items were taken from a caller that reads no answer"
    );
    let mut answers = answers.into_inner();
    for n in 0..ITEMS {
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!(answer.item_id.parse(), Ok(n));
    }
    assert!(answers.message().await.unwrap().is_none());
    harness.stop().await;
}

#[tokio::test]
async fn it_ends_with_the_house_after_what_has_begun() {
    let harness = Harness::start(QUICK).await;
    let (items, outbound) = mpsc::unbounded_channel();
    let answers = harness
        .client()
        .moderate_stream(UnboundedReceiverStream::new(outbound))
        .await
        .unwrap();
    let mut answers = answers.into_inner();
    items.send(item("1")).unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap().item_id, "1");
    // The caller does not hang up; the harness does, and says that it does.
    harness.stop().await;
    assert_eq!(answers.message().await.unwrap_err().code(), Code::Unavailable);
    drop(items);
}

#[tokio::test]
async fn a_stream_that_sends_nothing_is_cut_and_others_go_on() {
    let harness = Harness::start(&format!("{QUICK}[pressure]\nstream_idle_timeout = \"200ms\"")).await;
    let (items, outbound) = mpsc::unbounded_channel();
    let answers = harness
        .client()
        .moderate_stream(UnboundedReceiverStream::new(outbound))
        .await
        .unwrap();
    let mut answers = answers.into_inner();
    items.send(item("1")).unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap().item_id, "1");
    assert_eq!(answers.message().await.unwrap_err().code(), Code::DeadlineExceeded);
    harness.moderate(request(PLAIN)).await.unwrap();
    harness.stop().await;
}

#[test]
fn check_reads_a_service_by_a_stream_in_order_however_often_it_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("moderato.toml");
    // So short that a few hundred comments need several.
    let settings = format!("{QUICK}[pressure]\nstream_age_max = \"50ms\"\n");
    std::fs::write(&config, settings).unwrap();
    let service = Service::start(&["--config", config.to_str().unwrap()]);
    let lines: Vec<String> = (0..2_000)
        .map(|n| match n % 4 {
            0 => format!("{{\"id\": {n}, \"content\": \"\"}}"),
            _ => format!("{{\"id\": {n}, \"content\": \"Number {n}\"}}"),
        })
        .collect();
    let args = ["check", "--data", "-", "--server", &service.url()];
    let output = run_with_input(&args, &lines.join("\n\n"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut count = 0;
    for (n, line) in stdout(&output).lines().enumerate() {
        let answer: serde_json::Value = serde_json::from_str(line).unwrap();
        let verdict = if n % 4 == 0 { "reject" } else { "approve" };
        assert_eq!((&answer["id"], &answer["verdict"]), (&n.into(), &verdict.into()));
        count += 1;
    }
    assert_eq!(count, lines.len());
}

#[test]
fn check_answers_what_came_before_a_bad_line_or_a_bad_comment() {
    let service = Service::start(&[]);
    let args = ["check", "--data", "-", "--server", &service.url()];
    let good = "{\"content\": \"fine\"}\n";
    for (bad, what) in [
        ("{\"content\": 7}\n", "line 3"),
        (
            "{\"content\": \"x\", \"author_ip\": \"nowhere\"}\n",
            "comment 3 was not judged",
        ),
    ] {
        let output = run_with_input(&args, &[good, good, bad, good].concat());
        assert_eq!(output.status.code(), Some(4));
        assert!(stderr(&output).contains(what), "{}", stderr(&output));
        assert_eq!(stdout(&output).lines().count(), 2, "{}", stdout(&output));
    }
}

//! The service on a network that is not kind: callers in a hurry, slow ones, far too many, and the order to stop in the
//! middle of it. What is asserted is what happened; how long it takes is measured by `tests/bench/moderate`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use moderato::api::grpc::proto::moderate_stream_response::Result as Outcome;
use moderato::api::grpc::proto::moderation_service_client::ModerationServiceClient;
use moderato::api::grpc::proto::{ModerateRequest, ModerateStreamRequest, Verdict};
use moderato::limit::{DegradedSettings, Limiter};
use moderato::redis::RedisSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::support::eventually::eventually;
use crate::support::harness::Harness;
use crate::support::process::Service;
use crate::support::proxy::{ChaosProxy, Weather};
use crate::support::redis::RedisServer;
use crate::support::slow::SlowCall;
use crate::support::{PLAIN, is_long, request, request_with};

/// Without the classifier: what is tested here is the way to it.
const QUICK: &str = "[defaults]\nclassifier = false\n";

/// What an HTTP/2 client says first: the preface, and settings that change nothing.
const OPENING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A comment of another reader each time, so that nobody meets a quota.
fn readers(n: usize) -> ModerateRequest {
    let octets = u32::try_from(0x0100_0000 + n).unwrap().to_be_bytes();
    request_with(|comment| comment.author_ip = std::net::Ipv4Addr::from(octets).to_string())
}

#[tokio::test]
async fn a_callers_deadline_goes_on_to_redis() {
    let server = RedisServer::start().await;
    let proxy = ChaosProxy::before(server.port).await;
    // It would wait for a minute; the caller does not.
    let patient = RedisSettings {
        budget: Duration::from_secs(60),
        connect_timeout: Duration::from_secs(2),
        ..RedisSettings::new(proxy.url())
    };
    let harness = Harness::start_with(
        QUICK,
        Limiter::redis(patient, &DegradedSettings::default()).unwrap(),
        true,
    )
    .await;
    assert!(harness.moderate(readers(0)).await.unwrap().degraded.is_empty());
    proxy.set(Weather::NoAnswers);
    let mut hurried = Request::new(readers(1));
    hurried.set_timeout(Duration::from_secs(2));
    let answer = harness.client().moderate(hurried).await.unwrap().into_inner();
    assert_eq!(
        answer.degraded,
        ["rate_limit.redis"],
        "an answer in time is worth more than an exact one"
    );
    assert_eq!(answer.verdict(), Verdict::Approve);
    harness.stop().await;
}

#[tokio::test]
async fn a_call_whose_message_does_not_come_is_cut() {
    let harness = Harness::start("[service]\nin_flight_max = 1\n[pressure]\ncall_timeout = \"300ms\"").await;
    let slow = SlowCall::begin(&harness.channel().await, &mut harness.client()).await;
    assert_eq!(slow.give_up().await.code(), Code::DeadlineExceeded);
    eventually("its place is free", async || {
        harness.moderate(request(PLAIN)).await.is_ok()
    })
    .await;
    harness.stop().await;
}

#[tokio::test]
async fn metadata_has_a_limit() {
    let harness = Harness::start(&format!("{QUICK}[pressure]\nheader_list_bytes_max = 2048")).await;
    let mut big = Request::new(readers(0));
    big.metadata_mut().insert("x-big", "x".repeat(10_000).parse().unwrap());
    assert!(harness.client().moderate(big).await.is_err());
    assert!(harness.moderate(readers(1)).await.is_ok(), "the connection is not hurt");
    harness.stop().await;
}

/// Reads until the other side hangs up.
async fn hangs_up(mut stream: TcpStream) {
    let mut bytes = Vec::new();
    // However it does: a reset is no worse than an end.
    let _ = stream.read_to_end(&mut bytes).await;
}

#[tokio::test]
async fn connections_that_only_sit_there_are_closed() {
    let settings = format!("{QUICK}[pressure]\nhandshake_timeout = \"300ms\"\nidle_timeout = \"400ms\"");
    let harness = Harness::start(&settings).await;
    let silent = TcpStream::connect(harness.address).await.unwrap();
    let mut opened = TcpStream::connect(harness.address).await.unwrap();
    opened.write_all(OPENING).await.unwrap();
    let mut trickles = TcpStream::connect(harness.address).await.unwrap();
    let trickling = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        // 33 bytes at this pace take five times as long as there is.
        for byte in OPENING {
            ticks.tick().await;
            if trickles.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
        hangs_up(trickles).await;
    });
    tokio::join!(hangs_up(silent), hangs_up(opened));
    trickling.await.unwrap();
    // The harness's own connection has been idle for too long as well.
    let mut client = ModerationServiceClient::new(harness.channel().await);
    client.moderate(readers(0)).await.unwrap();
    harness.stop().await;
}

#[tokio::test]
async fn an_old_connection_is_asked_to_close_and_cut_off_if_it_does_not() {
    let settings = "[pressure]\nconnection_age_max = \"200ms\"\ncall_timeout = \"300ms\"\nstream_age_max = \"300ms\"";
    let harness = Harness::start(&format!("{QUICK}{settings}")).await;
    let mut idle = TcpStream::connect(harness.address).await.unwrap();
    idle.write_all(OPENING).await.unwrap();
    let mut said = Vec::new();
    idle.read_to_end(&mut said).await.unwrap();
    // GOAWAY: the last stream that it would answer, and NO_ERROR.
    let goaway = frame(7, 0, 0, &[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    assert!(said.windows(goaway.len()).any(|frame| frame == goaway));
    // A watch has no end of its own.
    let mut health = HealthClient::new(harness.channel().await);
    let mut watch = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert!(watch.message().await.unwrap().is_some());
    assert!(watch.message().await.is_err(), "it is cut off");
    // To callers it makes no difference.
    for n in 0..3 {
        harness.moderate(readers(n)).await.unwrap();
    }
    harness.stop().await;
}

#[tokio::test]
async fn one_connection_too_many_is_refused_and_the_next_has_room_again() {
    // One is the harness's own client.
    let harness = Harness::start(&format!("{QUICK}[pressure]\nconnections_max = 3")).await;
    harness.moderate(readers(0)).await.unwrap();
    let (one, two) = (
        TcpStream::connect(harness.address).await.unwrap(),
        TcpStream::connect(harness.address).await.unwrap(),
    );
    hangs_up(TcpStream::connect(harness.address).await.unwrap()).await;
    harness.moderate(readers(1)).await.unwrap();
    drop((one, two));
    eventually("there is room again", async || {
        let Ok(channel) = Channel::from_shared(format!("http://{}", harness.address))
            .unwrap()
            .connect()
            .await
        else {
            return false;
        };
        ModerationServiceClient::new(channel).moderate(readers(2)).await.is_ok()
    })
    .await;
    harness.stop().await;
}

/// A frame of HTTP/2 (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Reads frames until so many streams have ended.
async fn streams_end(stream: &mut TcpStream, n: usize) {
    let (mut ended, mut head) = (0, [0; 9]);
    while ended < n {
        stream.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).await.unwrap();
        let (kind, flags) = (head[3], head[4]);
        assert_ne!(kind, 7, "the connection is cut: {}", String::from_utf8_lossy(&payload));
        ended += usize::from(kind == 1 && flags & 1 == 1);
    }
}

/// Whoever sends a message to a call that was refused long ago breaks the protocol, and does not know it.
#[tokio::test]
async fn messages_that_come_too_late_do_not_cost_a_connection() {
    let harness = Harness::start("[site.gazette]\nkeys = [{ hash = \"sha256:0000000000000000000000000000000000000000000000000000000000000000\" }]").await;
    let mut stream = TcpStream::connect(harness.address).await.unwrap();
    stream.write_all(OPENING).await.unwrap();
    // `:method: POST`, `:scheme: http`, then literals: `:path`, `:authority`, `content-type` (RFC 7541, A and 6.2.2).
    let mut head = vec![0x83, 0x86];
    for (name, value) in [
        (&[0x04][..], "/moderato.v1.ModerationService/Moderate"),
        (&[0x01], "localhost"),
        (&[0x0f, 0x10], "application/grpc"),
    ] {
        head.extend_from_slice(name);
        head.push(u8::try_from(value.len()).unwrap());
        head.extend_from_slice(value.as_bytes());
    }
    let (rounds, calls) = (8, 200);
    for round in 0..rounds {
        let ids = (0..calls).map(|n| 2 * (round * calls + n) + 1);
        let heads: Vec<_> = ids.clone().flat_map(|id| frame(1, 4, id, &head)).collect();
        stream.write_all(&heads).await.unwrap();
        streams_end(&mut stream, 200).await;
        let messages: Vec<_> = ids.flat_map(|id| frame(0, 1, id, &[0; 5])).collect();
        stream.write_all(&messages).await.unwrap();
    }
    harness.stop().await;
}

#[tokio::test]
async fn slow_callers_and_an_endless_one_harm_nobody() {
    // With `MODERATO_LONG` as many as a busy day.
    let (quick, slow) = if is_long() { (1_500, 500) } else { (150, 50) };
    let harness = Harness::start(&format!(
        "{QUICK}[pressure]\nhandshake_timeout = \"2s\"\nidle_timeout = \"2s\"\ncall_timeout = \"5m\""
    ))
    .await;
    let (items, outbound) = mpsc::unbounded_channel();
    let endless = harness
        .client()
        .moderate_stream(UnboundedReceiverStream::new(outbound))
        .await;
    let mut endless = endless.unwrap().into_inner();
    let mut sitting = Vec::new();
    let mut waiting = Vec::new();
    for n in 0..slow {
        match n % 3 {
            0 => sitting.push(TcpStream::connect(harness.address).await.unwrap()),
            1 => {
                let mut opened = TcpStream::connect(harness.address).await.unwrap();
                opened.write_all(OPENING).await.unwrap();
                sitting.push(opened);
            }
            _ => waiting.push(SlowCall::try_begin(harness.channel().await)),
        }
    }
    let mut calls = JoinSet::new();
    for n in 0..quick {
        let channel = harness.channel().await;
        calls.spawn(async move {
            let mut client = ModerationServiceClient::new(channel);
            for i in 0..5 {
                let answer = client.moderate(readers(n * 5 + i)).await.unwrap().into_inner();
                assert_eq!(answer.verdict(), Verdict::Approve);
            }
        });
        let item = ModerateStreamRequest {
            item_id: n.to_string(),
            request: Some(readers(1_000_000 + n)),
        };
        items.send(item).unwrap();
        let answer = endless.message().await.unwrap().unwrap();
        assert!(matches!(answer.result, Some(Outcome::Response(_))));
    }
    while let Some(call) = calls.join_next().await {
        call.unwrap();
    }
    for stream in sitting {
        hangs_up(stream).await;
    }
    // Those whose message comes at last are answered like any other.
    for (n, call) in waiting.into_iter().enumerate() {
        assert_eq!(
            call.finish(readers(2_000_000 + n)).await.unwrap().verdict(),
            Verdict::Approve
        );
    }
    harness.stop().await;
}

#[tokio::test]
async fn told_to_stop_under_load_it_cuts_nothing_that_has_begun() {
    for round in 0..if is_long() { 100 } else { 3 } {
        stop_under_load(round).await;
    }
}

/// Calls and a stream, and in the midst of it the order to stop: whatever was decided was also answered.
async fn stop_under_load(round: usize) {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("moderato.toml");
    std::fs::write(&config, format!("{QUICK}[telemetry]\nlog_approvals = 1.0\n")).unwrap();
    let service = Service::start(&["--config", config.to_str().unwrap()]);
    let answered = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for connection in 0..4 {
        let client = service.client().await;
        for caller in 0..4 {
            let (mut client, answered) = (client.clone(), Arc::clone(&answered));
            callers.spawn(async move {
                for n in 0.. {
                    // Each with a deadline: an answer that never comes is a cut one.
                    let mut request = Request::new(readers(n * 16 + connection * 4 + caller));
                    request.set_timeout(Duration::from_secs(20));
                    match client.moderate(request).await {
                        Ok(_) => answered.fetch_add(1, Ordering::Relaxed),
                        Err(status) => {
                            // One that found the connection closed was not sent; one that waited in vain was cut.
                            assert_ne!(status.code(), Code::DeadlineExceeded);
                            assert!(!status.message().contains("Timeout"), "{status:?}");
                            return;
                        }
                    };
                }
            });
        }
        let answered = Arc::clone(&answered);
        let mut client = client;
        callers.spawn(async move {
            let items = tokio_stream::StreamExt::map(tokio_stream::iter(0..), move |n| ModerateStreamRequest {
                item_id: String::new(),
                request: Some(readers(10_000_000 + n * 4 + connection)),
            });
            let Ok(answers) = client.moderate_stream(items).await else {
                // The harness closed before the stream was open.
                return;
            };
            let mut answers = answers.into_inner();
            loop {
                match answers.message().await {
                    Ok(Some(_)) => answered.fetch_add(1, Ordering::Relaxed),
                    end => {
                        assert_eq!(end.unwrap_err().code(), Code::Unavailable);
                        return;
                    }
                };
            }
        });
    }
    let begin = 100 + 37 * round;
    eventually("it is under load", async || answered.load(Ordering::Relaxed) > begin).await;
    service.signal("TERM");
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    // Aside: the clients here have to hear that the connection ends.
    let (code, _, logs) = tokio::task::spawn_blocking(|| service.wait()).await.unwrap();
    assert_eq!(code, Some(0), "{logs}");
    assert!(!logs.contains("cut off"), "it drained in time");
    let decided = logs.lines().filter(|line| line.contains("decision_id")).count();
    assert_eq!(
        decided,
        answered.load(Ordering::Relaxed),
        "what was decided was answered"
    );
}

#[tokio::test]
async fn who_watches_its_health_hears_of_the_end_and_does_not_delay_it() {
    let service = Service::start(&[]);
    let request = HealthCheckRequest {
        service: "moderato.v1.ModerationService".to_owned(),
    };
    let mut client = HealthClient::new(service.channel().await);
    let mut watch = client.watch(request).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    service.signal("TERM");
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::NotServing
    );
    assert_eq!(watch.message().await.unwrap_err().code(), Code::Unavailable);
    // Aside: the clients here have to hear that the connection ends.
    let (code, _, logs) = tokio::task::spawn_blocking(|| service.wait()).await.unwrap();
    assert_eq!(code, Some(0));
    assert!(!logs.contains("cut off"), "{logs}");
}

//! Traces, as a collector on the loopback receives them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use moderato::api::grpc::proto::{ModerateRequest, ModerateStreamRequest};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::Span;
use tempfile::NamedTempFile;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use crate::support::eventually::eventually;
use crate::support::process::{Service, moderato};
use crate::support::proxy::{ChaosProxy, Weather};
use crate::support::redis::RedisServer;
use crate::support::slow::SlowCall;
use crate::support::{PLAIN, http_get, request};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// A collector that keeps what it is sent.
#[derive(Clone, Default)]
pub(crate) struct Collector {
    requests: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.requests.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// Starts one on a free port.
    pub(crate) async fn start() -> (Self, SocketAddr) {
        let collector = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = TraceServiceServer::new(collector.clone());
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        (collector, address)
    }

    /// Everything that it was sent, as text.
    pub(crate) fn text(&self) -> String {
        format!("{:?}", self.requests.lock().unwrap())
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.requests.lock().unwrap();
        let scopes = requests
            .iter()
            .flat_map(|request| &request.resource_spans)
            .flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }
}

/// A service that tells this collector of every call whose caller does not say otherwise.
fn traced(collector: SocketAddr, settings: &str) -> Service {
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), settings).unwrap();
    let path = config.path().to_str().unwrap();
    let mut command = moderato(&["serve", "--listen", "127.0.0.1:0", "--config", path]);
    Service::start_from(command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}")))
}

fn from(traceparent: &str) -> Request<moderato::api::grpc::proto::ModerateRequest> {
    let mut request = Request::new(request(PLAIN));
    request
        .metadata_mut()
        .insert("traceparent", traceparent.parse().unwrap());
    request
}

fn attribute(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    format!(
        "{:?}",
        found
            .unwrap_or_else(|| panic!("{key} is not among {:?}", span.attributes))
            .value
    )
}

#[tokio::test]
async fn a_call_continues_its_callers_trace() {
    let (collector, address) = Collector::start().await;
    let service = traced(address, "[telemetry]\ntraces_share = 0.0\n");
    let mut client = service.client().await;
    let sampled = format!("00-{TRACE}-{PARENT}-01");
    client.moderate(from(&sampled)).await.unwrap();
    // Neither these: the one caller does not trace, of the other calls no share is traced.
    client.moderate(from(&format!("00-{TRACE}-{PARENT}-00"))).await.unwrap();
    client.moderate(request(PLAIN)).await.unwrap();
    let mut wrong = from(&sampled);
    wrong.get_mut().comment = None;
    client.moderate(wrong).await.unwrap_err();
    let (code, _, logs) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    assert_eq!(code, Some(0), "{logs}");
    let spans = collector.spans();
    let calls: Vec<_> = spans.iter().filter(|span| span.name.ends_with("/Moderate")).collect();
    assert_eq!(
        (calls.len(), spans.len()),
        (2, 4),
        "two calls, and two stations of the one that was judged: {spans:?}"
    );
    for call in &calls {
        assert_eq!(hex::encode(&call.trace_id), TRACE);
        assert_eq!(hex::encode(&call.parent_span_id), PARENT);
        assert!(call.end_time_unix_nano >= call.start_time_unix_nano);
    }
    assert!(attribute(calls[0], "moderato.verdict").contains("approve"));
    assert!(attribute(calls[0], "rpc.grpc.status_code").contains("IntValue(0)"));
    assert!(attribute(calls[1], "rpc.grpc.status_code").contains("IntValue(3)"));
    for station in spans.iter().filter(|span| !span.name.ends_with("/Moderate")) {
        assert_eq!(station.parent_span_id, calls[0].span_id);
        assert!(station.start_time_unix_nano >= calls[0].start_time_unix_nano);
        assert!(station.end_time_unix_nano <= calls[0].end_time_unix_nano);
    }
    assert!(collector.text().contains("\"moderato\""), "the service has a name");
}

#[tokio::test]
async fn each_item_of_a_stream_has_a_span_within_the_streams() {
    let (collector, address) = Collector::start().await;
    let service = traced(address, "[telemetry]\ntraces_share = 0.0\n");
    let mut client = service.client().await;
    let good = request(PLAIN);
    let bad = ModerateRequest {
        comment: None,
        ..request(PLAIN)
    };
    let items = [good.clone(), bad, good].map(|request| ModerateStreamRequest {
        item_id: String::new(),
        request: Some(request),
    });
    let mut call = Request::new(tokio_stream::iter(items));
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    call.metadata_mut().insert("traceparent", traceparent.parse().unwrap());
    let answers = client.moderate_stream(call).await.unwrap().into_inner();
    let answers: Vec<_> = tokio_stream::StreamExt::collect(answers).await;
    assert_eq!(answers.len(), 3);
    let (code, _, logs) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    assert_eq!(code, Some(0), "{logs}");
    let spans = collector.spans();
    let named = |name: &str| -> Vec<&Span> { spans.iter().filter(|span| span.name.ends_with(name)).collect() };
    let [stream] = named("/ModerateStream")[..] else {
        panic!("{spans:?}")
    };
    assert_eq!(hex::encode(&stream.parent_span_id), PARENT);
    assert!(attribute(stream, "rpc.grpc.status_code").contains("IntValue(0)"));
    let items = named("judge an item");
    let mut codes: Vec<_> = items
        .iter()
        .map(|item| attribute(item, "rpc.grpc.status_code"))
        .collect();
    codes.sort();
    assert_eq!(codes.len(), 3);
    assert!(
        codes[2].contains("IntValue(3)") && codes[1].contains("IntValue(0)"),
        "{codes:?}"
    );
    for item in items {
        assert_eq!(item.parent_span_id, stream.span_id);
        assert!(item.start_time_unix_nano >= stream.start_time_unix_nano);
        assert!(
            item.end_time_unix_nano <= stream.end_time_unix_nano,
            "the stream ends last"
        );
    }
    assert_eq!(spans.len(), 1 + 3 + 2 * 2, "two stations of each item that was judged");
}

#[tokio::test]
async fn a_call_that_its_caller_cancels_is_counted_timed_and_traced_as_cancelled() {
    let (collector, address) = Collector::start().await;
    // What judging waits for: Redis, which does not answer, and is given the time.
    let redis = RedisServer::start().await;
    let proxy = ChaosProxy::before(redis.port).await;
    let (config, key) = (NamedTempFile::new().unwrap(), NamedTempFile::new().unwrap());
    std::fs::write(config.path(), "[limiter]\nredis_budget = \"60s\"\n").unwrap();
    std::fs::write(key.path(), "00".repeat(32)).unwrap();
    let mut command = moderato(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--ops-listen",
        "127.0.0.1:0",
        "--redis",
    ]);
    command.args([&proxy.url(), "--config", config.path().to_str().unwrap()]);
    command.env("MODERATO_PSEUDONYM_KEY_FILE", key.path());
    let mut service = Service::start_from(command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")));
    let ops = service.next_line().trim_start_matches("listening on ops ").to_owned();
    let shows = async |line: &str| http_get(&ops, "/metrics").await.contains(&format!("{line}\n"));
    // The proxy is a part of this test, which stood still until the service had started.
    eventually("Redis counts", async || shows("moderato_redis_up 1").await).await;
    let mut traced = from(&format!("00-{TRACE}-{PARENT}-01"));
    // Another comment than the first one, whose result would be its answer.
    traced.get_mut().comment.as_mut().unwrap().content = "Thanks, I had not known that.".to_owned();
    // One that is answered is no error.
    let mut client = service.client().await;
    client.moderate(from(&format!("00-{TRACE}-{PARENT}-00"))).await.unwrap();
    assert!(shows("moderato_call_seconds_count 1").await);
    assert!(shows("moderato_grpc_errors_total{code=\"cancelled\"} 0").await);
    // One is cancelled while its message has not come, the other while Redis is awaited.
    let before = SlowCall::try_begin_with(service.channel().await, traced.metadata().clone());
    eventually("the call has come in", async || {
        shows("moderato_grpc_requests_total{method=\"Moderate\"} 2").await
    })
    .await;
    let _message = before.cancel().await;
    eventually("it is counted as cancelled, with its latency", async || {
        shows("moderato_grpc_errors_total{code=\"cancelled\"} 1").await && shows("moderato_call_seconds_count 2").await
    })
    .await;
    proxy.set(Weather::NoAnswers);
    let within = tokio::spawn(async move { client.moderate(traced).await });
    eventually("the call has come in", async || {
        shows("moderato_grpc_requests_total{method=\"Moderate\"} 3").await
    })
    .await;
    within.abort();
    eventually("it is counted as cancelled, with its latency", async || {
        shows("moderato_grpc_errors_total{code=\"cancelled\"} 2").await && shows("moderato_call_seconds_count 3").await
    })
    .await;
    for code in ["internal", "unknown", "deadline_exceeded"] {
        assert!(
            shows(&format!("moderato_grpc_errors_total{{code=\"{code}\"}} 0")).await,
            "{code}"
        );
    }
    let (code, _, logs) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    assert_eq!(code, Some(0), "{logs}");
    let spans = collector.spans();
    assert_eq!(spans.len(), 2, "{spans:?}");
    for span in &spans {
        assert_eq!(hex::encode(&span.parent_span_id), PARENT);
        assert!(attribute(span, "rpc.grpc.status_code").contains("IntValue(1)"));
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
    }
}

#[tokio::test]
async fn a_collector_that_is_not_there_costs_no_call() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let service = traced(gone, "[telemetry]\ntraces_share = 1.0\n");
    let mut client = service.client().await;
    for _ in 0..3 {
        client.moderate(request(PLAIN)).await.unwrap();
    }
    let (code, _, logs) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    assert_eq!(code, Some(0), "{logs}");
    assert!(
        logs.contains("collector") || logs.contains("Export"),
        "a person has to be told: {logs}"
    );
}

#[test]
fn an_endpoint_that_is_none_is_a_wrong_configuration() {
    let output = moderato(&["serve", "--listen", "127.0.0.1:0"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(crate::support::process::stderr(&output).contains("OTEL_EXPORTER_OTLP_ENDPOINT"));
}

//! The operators' listener, as an operator and Prometheus see it.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;

use moderato::telemetry::{CATALOG, Kind};

use crate::support::process::{Service, run, stderr};
use crate::support::{PLAIN, http_get, request};

fn start(args: &[&str]) -> (Service, String) {
    let mut service = Service::start(&[args, &["--ops-listen", "127.0.0.1:0"]].concat());
    let ops = service.next_line().trim_start_matches("listening on ops ").to_owned();
    (service, ops)
}

fn json(answer: &str) -> serde_json::Value {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("application/json"), "{head}");
    serde_json::from_str(body).unwrap()
}

#[tokio::test]
async fn an_operator_sees_what_there_is() {
    let (_service, ops) = start(&[]);
    assert!(http_get(&ops, "/livez").await.starts_with("HTTP/1.1 200"));
    let ready = http_get(&ops, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    let ready = json(&ready);
    assert_eq!(ready["ready"], true);
    assert_eq!(ready["problems"], serde_json::json!([]));
    assert_eq!(ready["model"]["version"].as_str().unwrap().len(), 12);
    let version = json(&http_get(&ops, "/version").await);
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(version["api"], "moderato.v1");
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_told_and_does_not_send_callers_away() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "00".repeat(32)).unwrap();
    let mut command = crate::support::process::moderato(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--ops-listen",
        "127.0.0.1:0",
        "--redis",
        &format!("redis://{gone}/"),
    ]);
    let mut service = Service::start_from(command.env("MODERATO_PSEUDONYM_KEY_FILE", key.path()));
    let ops = service.next_line().trim_start_matches("listening on ops ").to_owned();
    let ready = json(&http_get(&ops, "/readyz").await);
    assert_eq!(ready["ready"], true);
    assert_eq!(ready["problems"][0]["code"], "rate_limit.redis");
    assert_eq!(ready["problems"][0]["blocks"], false);
}

/// Each metric's name with its kind and its label names, as `/metrics` prints them.
fn printed(text: &str) -> BTreeMap<String, (String, Vec<String>)> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types
        .map(|line| {
            let (name, kind) = line.split_once(' ').unwrap();
            let sample = |line: &&str| {
                let rest = line.strip_prefix(name).unwrap_or("#");
                ["{", " ", "_bucket", "_sum"].iter().any(|next| rest.starts_with(next))
            };
            let sample = text
                .lines()
                .find(sample)
                .unwrap_or_else(|| panic!("{name} has no sample"));
            let labels = sample
                .split_once('{')
                .map_or("", |(_, rest)| rest.rsplit_once('}').unwrap().0);
            let labels = labels
                .split("\",")
                .filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()));
            let labels = labels.filter(|label| label != "le").collect();
            (name.to_owned(), (kind.to_owned(), labels))
        })
        .collect()
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    }
}

fn catalog() -> BTreeMap<String, (String, Vec<String>)> {
    let entry = |metric: &moderato::telemetry::Metric| {
        let labels = metric.labels.iter().map(|label| (*label).to_owned()).collect();
        (metric.name.to_owned(), (word(metric.kind).to_owned(), labels))
    };
    CATALOG.iter().map(entry).collect()
}

#[tokio::test]
async fn what_metrics_prints_is_what_the_catalog_says() {
    let (service, ops) = start(&[]);
    service.client().await.moderate(request(PLAIN)).await.unwrap();
    let text = http_get(&ops, "/metrics").await;
    assert_eq!(printed(&text), catalog());
    for metric in CATALOG {
        let help = format!("# HELP {} {}", metric.name, metric.help);
        assert!(text.contains(&help), "{help} is not in {text}");
    }
    assert!(text.contains("\nmoderato_ready 1\n"), "{text}");
    assert!(
        text.contains("moderato_grpc_requests_total{method=\"Moderate\"} 1\n"),
        "{text}"
    );
}

#[test]
fn the_document_says_what_the_catalog_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/metrics.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `moderato_"));
    let rows = rows.map(|row| {
        let mut cells = row.split('|').map(|cell| cell.replace('`', "").trim().to_owned());
        let name = format!("moderato_{}", cells.next().unwrap());
        let kind = cells.next().unwrap();
        let labels = cells.next().unwrap();
        let labels = labels.split(", ").filter(|label| !label.is_empty()).map(str::to_owned);
        (name, (kind, labels.collect::<Vec<_>>()))
    });
    assert_eq!(rows.collect::<BTreeMap<_, _>>(), catalog());
}

#[tokio::test]
async fn calls_that_fail_are_counted_by_how_they_ended() {
    let (service, ops) = start(&[]);
    let mut wrong = request(PLAIN);
    wrong.comment.as_mut().unwrap().author_ip = "nowhere".to_owned();
    service.client().await.moderate(wrong).await.unwrap_err();
    let text = http_get(&ops, "/metrics").await;
    assert!(
        text.contains("moderato_grpc_errors_total{code=\"invalid_argument\"} 1\n"),
        "{text}"
    );
    assert!(
        text.contains("moderato_grpc_errors_total{code=\"internal\"} 0\n"),
        "{text}"
    );
}

#[test]
fn an_address_that_was_asked_for_must_be_free() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["serve", "--listen", "127.0.0.1:0", "--ops-listen", &address]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("--ops-listen"), "{}", stderr(&output));
}

#[test]
fn shares_of_decisions_that_are_logged_are_checked() {
    let error = moderato::config::parse("[telemetry]\nlog_approvals = 1.5\n", Path::new("-")).unwrap_err();
    assert!(error.to_string().contains("telemetry.log_approvals: 1.5"), "{error}");
}

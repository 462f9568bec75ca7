//! What stands in `deploy/`: alert rules that name what there is, files that are what they say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use moderato::clock::Timestamp;
use moderato::record::Opinion;
use moderato::telemetry::{CATALOG, Kind};
use yaml_rust2::{Yaml, YamlLoader};

use crate::support::home;
use crate::support::process::{Service, moderato, run, stdout};
use crate::support::redis::RedisServer;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

fn yaml(name: &str) -> Yaml {
    let text = fs::read_to_string(path(name)).unwrap();
    let mut documents = YamlLoader::load_from_str(&text).unwrap();
    assert_eq!(documents.len(), 1, "{name}");
    documents.remove(0)
}

fn rules() -> Vec<Yaml> {
    let file = yaml("alerts.yaml");
    let groups = file["groups"].as_vec().unwrap();
    groups
        .iter()
        .flat_map(|group| group["rules"].as_vec().unwrap().clone())
        .collect()
}

/// The words of an expression that begin with `moderato_`.
fn metrics(expression: &str) -> Vec<&str> {
    let words = expression.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("moderato_")).collect()
}

fn is_printed(series: &str) -> bool {
    CATALOG.iter().any(|metric| match metric.kind {
        Kind::Histogram => ["_bucket", "_sum", "_count"]
            .iter()
            .any(|part| series == format!("{}{part}", metric.name)),
        Kind::Counter | Kind::Gauge => series == metric.name,
    })
}

#[test]
fn a_dead_process_raises_an_alert() {
    let rules = rules();
    let dead = rules
        .iter()
        .find(|rule| rule["alert"].as_str() == Some("ModeratoDown"))
        .unwrap();
    let expression = dead["expr"].as_str().unwrap();
    assert!(expression.contains("up{job=\"moderato\"} == 0") && expression.contains("absent(up{job=\"moderato\"})"));
    assert_eq!(dead["labels"]["severity"].as_str(), Some("page"));
}

#[test]
fn every_rule_is_whole_and_names_metrics_that_there_are() {
    let rules = rules();
    assert!(rules.len() >= 10);
    for rule in &rules {
        let name = rule["alert"].as_str().unwrap();
        let expression = rule["expr"].as_str().unwrap_or_else(|| panic!("{name} has no expr"));
        assert!(
            ["page", "ticket"].contains(&rule["labels"]["severity"].as_str().unwrap()),
            "{name}"
        );
        assert!(rule["annotations"]["summary"].as_str().is_some(), "{name} says nothing");
        let named = metrics(expression);
        // `up` is Prometheus' own: it is there when nothing else is.
        assert!(
            !named.is_empty() || expression.contains("up{"),
            "{name} watches nothing"
        );
        for series in named {
            assert!(
                is_printed(series),
                "{name} watches {series}, which /metrics does not print"
            );
        }
        for (open, close) in [('(', ')'), ('{', '}'), ('[', ']')] {
            let count = |c| expression.matches(c).count();
            assert_eq!(count(open), count(close), "{name}: {open} and {close} do not match");
        }
    }
}

#[test]
fn what_matters_has_a_rule() {
    let rules = rules();
    let watched = |metric: &str| {
        rules
            .iter()
            .any(|rule| metrics(rule["expr"].as_str().unwrap()).contains(&metric))
    };
    for metric in [
        "moderato_ready",
        "moderato_decisions_total",
        "moderato_degraded_total",
        "moderato_address_not_public_total",
        "moderato_address_dominant",
        "moderato_model_loaded_timestamp_seconds",
    ] {
        assert!(watched(metric), "no rule watches {metric}");
    }
    // Once models are reloaded, a failure to has to be told.
    for metric in CATALOG.iter().filter(|metric| metric.name.contains("reload_failures")) {
        assert!(watched(metric.name), "no rule watches {}", metric.name);
    }
}

#[test]
fn compose_runs_without_rights_on_a_root_that_cannot_be_written() {
    let file = yaml("compose.yaml");
    for service in ["moderato", "redis"] {
        let service = &file["services"][service];
        assert_eq!(service["read_only"].as_bool(), Some(true));
        assert_eq!(service["cap_drop"][0].as_str(), Some("ALL"));
    }
    let redis = &file["services"]["redis"];
    assert!(redis["ports"].is_badvalue(), "Redis is nobody's but moderato's");
    let dockerfile = fs::read_to_string(path("Dockerfile")).unwrap();
    assert!(dockerfile.contains("\nUSER 65532:65532\n"));
    let toolchain = format!("FROM rust:{}-", env!("CARGO_PKG_RUST_VERSION"));
    assert!(
        dockerfile.contains(&toolchain),
        "the image is not built with the Rust of Cargo.toml"
    );
}

/// The container's command line, with the environment that image and compose file give it, on free ports.
#[test]
fn the_container_starts_as_it_is_shipped() {
    let dockerfile = fs::read_to_string(path("Dockerfile")).unwrap();
    let line = |start: &str| dockerfile.lines().find_map(|line| line.strip_prefix(start)).unwrap();
    let command: Vec<String> = serde_json::from_str(line("CMD ")).unwrap();
    let args: Vec<String> = command.iter().map(|arg| arg.replace(":50051", ":0")).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut process = moderato(&args);
    for setting in dockerfile.lines().filter_map(|line| line.strip_prefix("ENV ")) {
        let (name, value) = setting.split_once('=').unwrap();
        process.env(name, value.replace(":9464", ":0"));
    }
    let file = yaml("compose.yaml");
    let key = stdout(&run(&["key", "new"]));
    for (name, value) in file["services"]["moderato"]["environment"].as_hash().unwrap() {
        let name = name.as_str().unwrap();
        // What the operator exports; Redis is not there, and it starts without.
        let value = if name == "MODERATO_PSEUDONYM_KEY" {
            key.trim()
        } else {
            value.as_str().unwrap()
        };
        process.env(name, value);
    }
    // What compose hands over of a variable that nobody has filled in.
    process.env("MODERATO_CONFIG", "").env("MODERATO_DATA_DIR", "");
    let service = Service::start_from(&mut process);
    assert!(service.address.starts_with("0.0.0.0:"), "{}", service.address);
    let (code, _, logs) = service.stop();
    assert_eq!(code, Some(0), "{logs}");
    for port in file["services"]["moderato"]["ports"].as_vec().unwrap() {
        let port = port.as_str().unwrap();
        assert!(
            port.starts_with("127.0.0.1:"),
            "{port} is published to everybody, without keys"
        );
    }
}

/// What is acknowledged in the Redis of the compose file survives its death, and is not evicted.
#[tokio::test]
async fn the_redis_of_compose_keeps_labels() {
    let file = yaml("compose.yaml");
    let redis = &file["services"]["redis"];
    let volume = redis["volumes"][0].as_str().unwrap();
    let (name, folder) = volume.split_once(':').unwrap();
    assert_eq!(folder, "/data", "where the image keeps its data");
    assert!(!file["volumes"][name].is_badvalue(), "{name} is no volume");
    assert!(redis["tmpfs"].is_badvalue());
    let words: Vec<&str> = redis["command"]
        .as_vec()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    assert_eq!(words[0], "redis-server");
    let mut server = RedisServer::start_with(&words[1..]).await;
    for (setting, value) in [
        ("appendonly", "yes"),
        ("appendfsync", "always"),
        ("maxmemory-policy", "noeviction"),
    ] {
        let told: (String, String) = server.ask(&["CONFIG", "GET", setting]).unwrap();
        assert_eq!(told.1, value, "{setting}");
    }
    let now = Timestamp::from_micros(1_700_000_000_000_000);
    let store = home::redis(server.url(), home::BOUNDS);
    store.remember(vec![home::record(7, now)], now).await.unwrap();
    store
        .label(home::id(7), home::label(Opinion::Ham, now), None)
        .await
        .unwrap();
    server.kill();
    server.restart().await;
    let store = home::redis(server.url(), home::BOUNDS);
    let entry = store.get(home::id(7), now).await.unwrap().unwrap();
    assert_eq!(entry.label.map(|label| label.opinion), Some(Opinion::Ham));
}

/// Where systemd is at hand, it reads the unit itself; where it is not, there is nothing to ask.
#[test]
fn systemd_understands_the_unit() {
    let unit = fs::read_to_string(path("moderato.service")).unwrap();
    for line in [
        "DynamicUser=yes",
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
    ] {
        assert!(unit.lines().any(|own| own == line), "{line}");
    }
    // It has to be an executable that there is; this test's own will do.
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("moderato.service");
    let unit = unit.replace("/usr/local/bin/moderato", env!("CARGO_BIN_EXE_moderato"));
    fs::write(&copy, unit).unwrap();
    let Ok(output) = Command::new("systemd-analyze").arg("verify").arg(&copy).output() else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("moderato.service:"), "{said}");
}

/// Where Prometheus' own tool is at hand, it reads the rules itself.
#[test]
fn prometheus_understands_the_rules() {
    let Ok(output) = Command::new("promtool")
        .args(["check", "rules"])
        .arg(path("alerts.yaml"))
        .output()
    else {
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

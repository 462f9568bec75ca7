//! Versions of a model: promoted, rolled back, compared, and taken up by a running service without a dropped call.
//!
//! Each model of these tests gives every comment a probability of its own, so that an answer whose version and
//! probability come from two models is seen.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use moderato::api::grpc::proto::model_service_client::ModelServiceClient;
use moderato::api::grpc::proto::{Action, GetModelRequest, GetModelResponse, ModerateRequest, ReloadModelRequest};
use moderato::artifact;
use moderato::model::{Card, CardThresholds, Metrics, Parts, Term, Training};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::support::eventually::eventually;
use crate::support::process::{Service, run, stderr, stdout};
use crate::support::{PLAIN, http_get, is_long, request};

/// The parts of the model of this number: it knows nothing, and starts from log-odds of its own.
pub(crate) fn parts(number: u32) -> Parts {
    Parts {
        card: Card {
            name: format!("model {number}"),
            made_at: None,
            made_by: "a test".to_owned(),
            reading: moderato::text::READING_VERSION,
            training: Training {
                seed: 1,
                smoothing_alpha: 1.0,
                ridge: 1.0,
                n_folds: 2,
                n_clusters_spam: 1,
                n_clusters_ham: 1,
                n_examples: 40,
                n_spam: 20,
                n_groups: 40,
                views: Vec::new(),
            },
            data: Vec::new(),
            certified_on: Vec::new(),
            metrics: Metrics::default(),
            thresholds: CardThresholds {
                hold_at: 0.25,
                reject_at: Some(0.99),
                evidence_min: 0.5,
            },
            promise: None,
            from: None,
            self_test: Vec::new(),
        },
        base_log_odds: -4.0 + f64::from(number) / 100.0,
        weight_step: 0.125,
        terms: vec![Term {
            hash: number,
            weight: 0.5,
            in_ham: true,
        }],
        evidence: None,
    }
}

/// A desk with models in files, and a model directory.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("models")
    }

    /// Writes the model of this number; gives its file and version.
    fn model(&self, number: u32) -> (PathBuf, String) {
        let path = self.folder.path().join(format!("m{number}.moderato"));
        let model = artifact::save(&parts(number), &path).unwrap();
        (path, model.version().to_owned())
    }

    /// `moderato model …` on the directory: exit code, standard output, standard error.
    fn command(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let dir = self.dir();
        let output = run(&[&["model", args[0], "--model-dir", dir.to_str().unwrap()], &args[1..]].concat());
        (output.status.code(), stdout(&output), stderr(&output))
    }

    fn promote(&self, path: &Path) -> (Option<i32>, String, String) {
        self.command(&["promote", path.to_str().unwrap(), "--reason", "a test"])
    }

    fn json(&self, args: &[&str]) -> Value {
        let (code, out, err) = self.command(&[args, &["--format", "json"]].concat());
        assert_eq!(code, Some(0), "{err}");
        serde_json::from_str(&out).unwrap()
    }

    /// Puts a damaged artifact into the directory and makes it current by hand, past the command that would refuse it.
    fn smuggle(&self, number: u32) -> String {
        let (path, version) = self.model(number);
        let bytes = fs::read(path).unwrap();
        fs::write(
            self.dir().join(format!("{version}.moderato")),
            &bytes[..bytes.len() - 1],
        )
        .unwrap();
        let history = self.dir().join("history.jsonl");
        let line = format!("{{\"at\":\"2026-11-23T12:00:00Z\",\"action\":\"promote\",\"version\":\"{version}\"}}\n");
        let lines = fs::read_to_string(&history).unwrap() + &line;
        let beside = self.dir().join("by-hand");
        fs::write(&beside, lines).unwrap();
        fs::rename(beside, history).unwrap();
        version
    }

    fn serve(&self, more: &[&str]) -> Service {
        fs::create_dir_all(self.dir()).unwrap();
        Service::start(&[&["--model-dir", self.dir().to_str().unwrap()], more].concat())
    }
}

async fn model_at_work(client: &mut ModelServiceClient<Channel>) -> GetModelResponse {
    client.get_model(GetModelRequest {}).await.unwrap().into_inner()
}

#[test]
fn versions_are_promoted_listed_compared_and_rolled_back() {
    let desk = Desk::new();
    let ((a_file, a), (b_file, b)) = (desk.model(1), desk.model(2));
    let (code, out, _) = desk.promote(&a_file);
    assert_eq!(
        (code, out.trim()),
        (Some(0), format!("promoted {a}, the first model here").as_str())
    );
    let (code, out, _) = desk.promote(&b_file);
    assert_eq!(
        (code, out.trim()),
        (Some(0), format!("promoted {b}; before: {a}").as_str())
    );
    assert!(desk.promote(&b_file).1.contains("current already"));
    let (_, out, _) = desk.command(&["list"]);
    assert!(
        out.contains(&format!("* {b}")) && out.contains(&format!("  {a}")) && out.contains("a test"),
        "{out}"
    );
    let diff = desk.json(&["diff"]);
    assert_eq!(diff["versions"], serde_json::json!([a, b]));
    assert_eq!(
        (&diff["terms"]["added"], &diff["terms"]["removed"]),
        (&Value::from(1), &Value::from(1))
    );
    assert_eq!(diff["cards"][1]["name"], "model 2");
    assert!(
        desk.command(&["diff", &a[..5], "current"])
            .1
            .contains("strongest changes")
    );
    assert_eq!(desk.json(&["show", &a])["card"]["name"], "model 1");
    assert!(desk.command(&["show"]).1.contains("hold at 0.2500, reject at 0.9900"));
    let (code, out, _) = desk.command(&["rollback", "--reason", "it held too many"]);
    assert_eq!(
        (code, out.trim()),
        (Some(0), format!("rolled back to {a}; before: {b}").as_str())
    );
    let listed = desk.json(&["list"]);
    assert_eq!(listed["current"], a.as_str());
    assert_eq!(listed["history"][2]["action"], "rollback");
    assert_eq!(listed["history"][2]["reason"], "it held too many");
    let (code, out, _) = desk.command(&["rollback"]);
    assert_eq!(code, Some(0), "before the first there was the shipped model");
    assert!(out.contains(&format!("before: {a}")), "{out}");
    assert_eq!(
        desk.json(&["show", "current"])["card"],
        desk.json(&["show", "shipped"])["card"]
    );
    let (code, _, err) = desk.command(&["rollback"]);
    assert!(code == Some(4) && err.contains("nothing to roll back to"), "{err}");
}

#[test]
fn what_cannot_be_used_is_refused_before_anything_changes() {
    let desk = Desk::new();
    let (file, version) = desk.model(1);
    desk.promote(&file);
    let before = fs::read(desk.dir().join("history.jsonl")).unwrap();
    let broken = desk.folder.path().join("broken.moderato");
    let mut bytes = fs::read(&file).unwrap();
    bytes[40] ^= 1;
    fs::write(&broken, &bytes).unwrap();
    let (code, out, err) = desk.promote(&broken);
    assert!(code == Some(4) && out.is_empty(), "{out}");
    assert!(err.contains("broken.moderato") && err.contains("damaged"), "{err}");
    assert_eq!(desk.promote(&desk.folder.path().join("none")).0, Some(4));
    assert_eq!(fs::read(desk.dir().join("history.jsonl")).unwrap(), before);
    assert_eq!(desk.json(&["list"])["current"], version.as_str());
    assert_eq!(
        run(&["model", "list", "--model-dir", "/nowhere/at/all"]).status.code(),
        Some(3)
    );
    assert_eq!(run(&["serve", "--model-dir", "/nowhere/at/all"]).status.code(), Some(3));
    assert_eq!(run(&["model", "diff"]).status.code(), Some(2));
}

/// `--model D` is the directory's current model for every command that takes a model.
#[test]
fn a_directory_can_be_named_where_a_model_is_asked_for() {
    let desk = Desk::new();
    let (file, version) = desk.model(7);
    desk.promote(&file);
    let dir = desk.dir();
    let args = [
        "check",
        "--content",
        PLAIN,
        "--format",
        "json",
        "--model",
        dir.to_str().unwrap(),
    ];
    assert!(stdout(&run(&args)).contains(&version));
}

#[tokio::test]
async fn an_empty_directory_serves_the_shipped_model_until_one_is_promoted() {
    let desk = Desk::new();
    let mut service = desk.serve(&["--ops-listen", "127.0.0.1:0"]);
    let ops = service
        .next_line()
        .strip_prefix("listening on ops ")
        .unwrap()
        .to_owned();
    let mut models = ModelServiceClient::new(service.channel().await);
    let shipped = artifact::embedded().unwrap().version().to_owned();
    assert_eq!(model_at_work(&mut models).await.version, shipped);
    let (file, version) = desk.model(1);
    assert_eq!(desk.promote(&file).0, Some(0));
    eventually("the promotion is taken up without being told", async || {
        model_at_work(&mut models).await.version == version
    })
    .await;
    let bad = desk.smuggle(2);
    eventually("the bad one is refused", async || {
        model_at_work(&mut models).await.last_reload_error.contains(&bad)
    })
    .await;
    assert_eq!(model_at_work(&mut models).await.version, version);
    let told = models.reload_model(ReloadModelRequest {}).await.unwrap_err();
    assert_eq!(told.code(), tonic::Code::FailedPrecondition);
    assert!(
        told.message().contains(&format!("version {version} stays at work")),
        "{told}"
    );
    let ready = http_get(&ops, "/readyz").await;
    assert!(
        ready.contains("200 OK") && ready.contains("another model was refused"),
        "{ready}"
    );
    let metrics = http_get(&ops, "/metrics").await;
    assert!(metrics.contains("moderato_model_refused 1") && metrics.contains("moderato_model_reload_failures_total 2"));
    let number = u64::from_str_radix(&version, 16).unwrap();
    assert!(
        metrics.contains(&format!("moderato_model_version {number}")),
        "{metrics}"
    );
    assert_eq!(desk.command(&["rollback"]).0, Some(0));
    service.signal("HUP");
    eventually("all is well again", async || {
        model_at_work(&mut models).await.last_reload_error.is_empty()
    })
    .await;
    let (code, _, logs) = service.stop();
    assert_eq!(code, Some(0));
    assert_eq!(logs.matches("the model was not replaced").count(), 2, "{logs}");
}

#[tokio::test]
async fn a_start_with_a_damaged_current_model_takes_the_one_before() {
    let desk = Desk::new();
    let (file, version) = desk.model(1);
    desk.promote(&file);
    let bad = desk.smuggle(2);
    let service = desk.serve(&[]);
    let mut models = ModelServiceClient::new(service.channel().await);
    let at_work = model_at_work(&mut models).await;
    assert_eq!(at_work.version, version);
    assert!(at_work.last_reload_error.contains(&bad));
    fs::remove_file(desk.dir().join(format!("{version}.moderato"))).unwrap();
    let dir = desk.dir();
    let output = run(&["serve", "--listen", "127.0.0.1:0", "--model-dir", dir.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
}

/// A service under load.
struct Load {
    running: JoinSet<()>,
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
    wrong: Arc<Mutex<Vec<String>>>,
}

impl Load {
    /// As many callers as keep the service busy, each asking again as soon as it is answered. `expected` is the
    /// probability of each version.
    async fn start(service: &Service, expected: Arc<BTreeMap<String, f64>>) -> Self {
        let mut load = Self {
            running: JoinSet::new(),
            stop: Arc::default(),
            calls: Arc::default(),
            wrong: Arc::default(),
        };
        for _ in 0..8 {
            let mut client = service.client().await;
            let (stop, calls) = (Arc::clone(&load.stop), Arc::clone(&load.calls));
            let (wrong, expected) = (Arc::clone(&load.wrong), Arc::clone(&expected));
            load.running.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let ask = ModerateRequest {
                        action: Action::Recheck.into(),
                        explain: true,
                        ..request(PLAIN)
                    };
                    let problem = match client.moderate(ask).await {
                        Err(status) => Some(format!("a failed call: {status}")),
                        Ok(answer) => {
                            let answer = answer.into_inner();
                            let probability = answer.spam_probability.unwrap();
                            let base = answer.explanation.unwrap().base_log_odds;
                            let of_base = 1.0 / (1.0 + (-base).exp());
                            let own = expected.get(&answer.model_version).copied().unwrap_or(f64::NAN);
                            let is_one = (probability - own).abs() < 1e-12 && (of_base - own).abs() < 1e-12;
                            (!is_one)
                                .then(|| format!("mixed: {} says {probability} from {of_base}", answer.model_version))
                        }
                    };
                    wrong.lock().unwrap().extend(problem);
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        load
    }

    /// Waits until every caller had an answer since now, so that every change is met by calls.
    async fn answered(&self) {
        let before = self.calls.load(Ordering::Relaxed);
        eventually("calls are answered", async || {
            self.calls.load(Ordering::Relaxed) >= before + 16
        })
        .await;
    }
}

/// The proof that issue D asks for: promotions and rollbacks under full load, every tenth artifact corrupt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promotions_and_rollbacks_under_load_drop_nothing_and_mix_nothing() {
    let n: u32 = if is_long() { 100 } else { 20 };
    let desk = Desk::new();
    let files: Vec<(PathBuf, String)> = (0..=n).map(|number| desk.model(number)).collect();
    let odds = |number: u32| -4.0 + f64::from(number) / 100.0;
    let expected: BTreeMap<String, f64> = (0..)
        .zip(&files)
        .map(|(number, (_, version))| (version.clone(), 1.0 / (1.0 + (-odds(number)).exp())))
        .collect();
    desk.promote(&files[0].0);
    let service = desk.serve(&[]);
    let mut models = ModelServiceClient::new(service.channel().await);
    let mut load = Load::start(&service, Arc::new(expected)).await;
    let mut at_work = files[0].1.clone();
    let (mut refused, mut changes) = (0, 0);
    for number in 1..=n {
        let (file, version) = &files[number as usize];
        match number % 10 {
            // The command refuses it …
            0 if number % 20 == 10 => {
                let bytes = fs::read(file).unwrap();
                fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
                assert_eq!(desk.promote(file).0, Some(4));
                refused += 1;
            }
            // … and the service does where somebody got past the command.
            0 => {
                let bad = desk.smuggle(number);
                let told = models.reload_model(ReloadModelRequest {}).await.unwrap_err();
                assert!(told.message().contains(&bad), "{told}");
                refused += 1;
                assert_eq!(model_at_work(&mut models).await.version, at_work);
                assert_eq!(desk.command(&["rollback"]).0, Some(0));
            }
            3 | 6 => {
                assert_eq!(desk.command(&["rollback"]).0, Some(0));
                let listed = desk.json(&["list"]);
                at_work = listed["current"].as_str().unwrap().to_owned();
                changes += 1;
            }
            _ => {
                assert_eq!(desk.promote(file).0, Some(0));
                at_work.clone_from(version);
                changes += 1;
            }
        }
        // Some are taken up by the service itself, the others at once.
        if number % 10 != 1 {
            assert_eq!(
                models
                    .reload_model(ReloadModelRequest {})
                    .await
                    .unwrap()
                    .into_inner()
                    .version,
                at_work
            );
        }
        eventually("the current model is at work", async || {
            let model = model_at_work(&mut models).await;
            model.version == at_work && model.last_reload_error.is_empty()
        })
        .await;
        load.answered().await;
    }
    load.stop.store(true, Ordering::Relaxed);
    while let Some(ended) = load.running.join_next().await {
        ended.unwrap();
    }
    assert_eq!((refused, changes), (n / 10, n - n / 10));
    let wrong = load.wrong.lock().unwrap();
    let calls = load.calls.load(Ordering::Relaxed);
    assert!(wrong.is_empty(), "{} of {calls} calls: {}", wrong.len(), wrong[0]);
    println!(
        "{changes} promotions and rollbacks, {refused} corrupt artifacts refused, {calls} calls, 0 failed, 0 mixed"
    );
}
